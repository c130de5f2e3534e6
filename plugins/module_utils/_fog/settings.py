# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what FOG's own files say about this host (.fogsettings, config.class.php, system.class.php)."""

import os
import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

FOG_SETTINGS = "/opt/fog/.fogsettings"
#: Where FOG's web files lie when .fogsettings does not say it.
WEB_ROOTS = ("/var/www/html/fog", "/var/www/fog", "/srv/http/fog")
UDP_SENDER = "/usr/local/sbin/udp-sender"
#: Where distributions and FOG's installer put udp-sender (facts/fog.md section 4, row 6).
SENDER_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")

# A real file has a few KiB; the rest is no settings file.
_LIMIT = 1024 * 1024


class SettingsError(Exception):
    """A settings file is missing, unreadable or malformed; the text says what, where and what to do."""


class Credentials(NamedTuple):
    """How to reach FOG's database. Its repr and str never show the password."""

    host: str = "localhost"
    port: int = 3306
    user: str = ""
    password: str = ""
    unix_socket: Optional[str] = None
    database: str = "fog"
    config_file: Optional[str] = None
    ca_cert: Optional[str] = None
    client_cert: Optional[str] = None
    client_key: Optional[str] = None
    check_hostname: Optional[bool] = None
    connect_timeout: int = 10
    #: where each came from, for error messages, e.g. "/opt/fog/.fogsettings"
    source: str = ""
    #: what a module's options themselves say of the others, e.g. ("host", "database")
    given: Tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = dict(zip(self._fields, self), password="***" if self.password else "")
        return "Credentials({})".format(", ".join(f"{name}={shown[name]!r}" for name in self._fields))


class Settings(NamedTuple):
    """The harmless part of .fogsettings (facts/fog.md section 2); no password is ever in it."""

    path: str
    install_type: str  # "N" full server, "S" storage node, "" unknown
    interface: str
    address: str
    hostname: str
    web_root: str  # docroot + webroot, for example /var/www/html/fog; "" unknown


class Release(NamedTuple):
    """Which FOG is installed, read from its PHP files, and where it looks for udp-sender."""

    version: str  # FOG_VERSION, "" when unreadable
    schema: Optional[int]  # FOG_SCHEMA the code expects
    udp_sender: str  # UDPSENDERPATH, default /usr/local/sbin/udp-sender
    udp_sender_runs: bool  # exists and is executable
    udp_sender_found: Tuple[str, ...]  # other places where an executable udp-sender lies
    errors: Tuple[str, ...] = ()  # what could not be read, one sentence each
    udp_sender_exists: bool = False  # something is there, whether it can be executed or not
    database_host: str = ""  # DATABASE_HOST, which the daemon uses; "" unknown
    database_name: str = ""  # DATABASE_NAME, likewise


class Assignment(NamedTuple):
    """One ``key='value'`` of a shell file; ``value`` is None where only a shell could tell what it is."""

    key: str
    value: Optional[str]
    line: int


_NEEDED = (
    "installtype",
    "interface",
    "ipaddress",
    "hostname",
    "docroot",
    "webroot",
    "snmysqluser",
    "snmysqlpass",
    "snmysqlhost",
    "mysqldbname",
)
# What DATABASE_* of config.class.php must agree with, because the daemon uses config.class.php.
_TWINS = (
    ("DATABASE_HOST", "snmysqlhost", "database host"),
    ("DATABASE_NAME", "mysqldbname", "database name"),
    ("DATABASE_USERNAME", "snmysqluser", "database user"),
    ("DATABASE_PASSWORD", "snmysqlpass", "database password"),
)


def read_settings(path: str = FOG_SETTINGS) -> Tuple[Settings, Credentials]:
    """Read .fogsettings; it is never run by a shell.

    :raises SettingsError: it is missing, unreadable or malformed; no value of it is in the text.
    """
    values = _read_values(path)
    root = re.sub("/+", "/", "{}/{}".format(values.get("docroot", ""), values.get("webroot", ""))).rstrip("/")
    settings = Settings(
        path=path,
        install_type=shown(values.get("installtype", "")).upper(),
        interface=shown(values.get("interface", "")),
        address=shown(values.get("ipaddress", "")),
        hostname=shown(values.get("hostname", "")),
        web_root=shown(root) if values.get("docroot", "").startswith("/") else "",
    )
    credentials = Credentials(
        host=_host(values.get("snmysqlhost", "")),
        user=values.get("snmysqluser", ""),
        password=values.get("snmysqlpass", ""),
        database=values.get("mysqldbname", "") or "fog",
        source=path,
    )
    return settings, credentials


def read_release(settings: Settings, folders: Sequence[str] = SENDER_FOLDERS) -> Release:
    """Read FOG's PHP files. What cannot be read is told in ``errors``; nothing is raised."""
    errors: List[str] = []
    root = settings.web_root or next((root for root in WEB_ROOTS if os.path.isdir(root)), WEB_ROOTS[0])
    system = _read_defines(os.path.join(root, "lib/fog/system.class.php"), errors)
    config_path = os.path.join(root, "lib/fog/config.class.php")
    config = _read_defines(config_path, errors)
    if system and not system.get("FOG_VERSION"):
        errors.append(f"No FOG_VERSION is defined in {root}; FOG's release is not known.")
    errors.extend(_differences(settings.path, config_path, config))
    sender = shown(config.get("UDPSENDERPATH") or UDP_SENDER)
    schema = system.get("FOG_SCHEMA") or ""
    host, name = config.get("DATABASE_HOST"), config.get("DATABASE_NAME")
    return Release(
        version=shown(system.get("FOG_VERSION") or ""),
        schema=int(schema) if re.match(r"[0-9]{1,9}\Z", schema) else None,
        udp_sender=sender,
        udp_sender_runs=_runs(sender),
        udp_sender_found=_other_senders(sender, folders),
        errors=tuple(errors),
        udp_sender_exists=os.path.exists(sender),
        database_host=shown(_host(host)) if host is not None else "",
        database_name=shown(name or "fog") if name is not None else "",
    )


# --- shell assignments ----------------------------------------------------------------------------------------------

_KEY = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=")
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_END = re.compile(r"[ \t]*;?(?:[ \t]+#[^\n]*)?[ \t]*(?:\n|\Z)")
_QUOTED = re.compile(r'(?:[^"\\]|\\.)*', re.DOTALL)
_BARE = re.compile(r"""[^\s'"\\;#&|<>()$`*?~{}\[\]!]+""")


def parse_assignments(text: str, where: str = "the text") -> List[Assignment]:
    """The assignments of a shell file, with a shell's rules for quotes, escapes and comments.

    :raises SettingsError: a line is no assignment, or a quotation mark is never closed.
    """
    text = text.replace("\r\n", "\n").lstrip("\ufeff")
    found: List[Assignment] = []
    position, counted, line = 0, 0, 1
    while position < len(text):
        blank = _BLANK.match(text, position)
        if blank:
            position = blank.end()
            continue
        line += text.count("\n", counted, position)
        counted = position
        key = _KEY.match(text, position)
        if key is None:
            raise SettingsError(
                f"Line {line} of {where} is no key='value' line; correct the file or run FOG's installer again."
            )
        value, position = _value(text, key.end(), line, where)
        end = _END.match(text, position)
        if end is None:
            # Only a shell knows what the rest of such a line means.
            value = None
            following = text.find("\n", position)
            position = len(text) if following < 0 else following + 1
        else:
            position = end.end()
        found.append(Assignment(key.group(1), value, line))
    return found


def _value(text: str, position: int, line: int, where: str) -> Tuple[Optional[str], int]:
    """The shell word at ``position`` and where it ends; None for a word that only a shell can expand."""
    parts: List[str] = []
    plain = True
    while position < len(text):
        mark = text[position]
        if mark in "'\"":
            close = text.find("'", position + 1) if mark == "'" else _closing(text, position + 1)
            if close < 0:
                raise SettingsError(
                    f"The quotation mark in line {line} of {where} is never closed; correct the file or run FOG's "
                    "installer again."
                )
            inner = text[position + 1 : close]
            if mark == '"':
                plain = plain and not re.search("[$`]", re.sub(r"\\.", "", inner, flags=re.DOTALL))
                inner = re.sub(r'\\([$`"\\\n])', lambda match: match.group(1).strip("\n"), inner, flags=re.DOTALL)
            parts.append(inner)
            position = close + 1
        elif mark == "\\" and position + 1 < len(text):
            parts.append(text[position + 1].strip("\n"))
            position += 2
        else:
            bare = _BARE.match(text, position)
            if bare is None:
                break
            parts.append(bare.group())
            position = bare.end()
    return ("".join(parts) if plain else None), position


def _closing(text: str, position: int) -> int:
    match = _QUOTED.match(text, position)
    return match.end() if match and match.end() < len(text) and text[match.end()] == '"' else -1


def _read_values(path: str) -> Dict[str, str]:
    try:
        text = _read(path)
    except OSError as error:
        raise SettingsError(
            f"{path} cannot be read ({error.strerror or error}); run this on a FOG server or storage node as root, or "
            "say with fog_settings where FOG's .fogsettings lies."
        ) from None
    except ValueError as error:
        raise SettingsError(
            f"{path} is no FOG settings file: it {error}. Say with fog_settings where it lies."
        ) from None
    values: Dict[str, str] = {}
    for key, value, line in parse_assignments(text, path):
        if key not in _NEEDED:
            continue
        if value is None or re.search(r"[\x00-\x1f\x7f]", value):
            raise SettingsError(
                f"The value of {key} in line {line} of {path} is no plain string; write it as {key}='value'."
            )
        values[key] = value
    if not values:
        raise SettingsError(
            f"{path} holds none of FOG's settings; say with fog_settings where FOG's .fogsettings lies, or run FOG's "
            "installer again."
        )
    return values


def _read(path: str) -> str:
    """A file as text; bytes that are no UTF-8 are kept as surrogates. :raises OSError, ValueError:"""
    with open(path, "rb", buffering=0) as file:
        data = file.read(_LIMIT + 1) or b""
    if len(data) > _LIMIT:
        raise ValueError("is larger than 1 MiB")
    return data.decode("utf-8", "surrogateescape")


def shown(value: str) -> str:
    """Text fit for results: what was no UTF-8 becomes a replacement character."""
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _host(value: str) -> str:
    # FOG took "p:host" for a persistent connection once; an empty host is this host.
    return re.sub(r"\A[pP]:", "", value.strip()) or "localhost"


# --- PHP defines ----------------------------------------------------------------------------------------------------

_PHP = re.compile(
    r"""
    /\*.*?(?:\*/|\Z) | //[^\n]* | \#[^\n]*
    | (?<![\w$>:\\]) (?i:define) \s* \( \s*
        (?: '(?P<name1>\w+)' | "(?P<name2>\w+)" ) \s* , \s*
        (?: '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" | (?P<word>[-+]?\w+) )
        \s* (?: , \s* \w+ \s* )? \)
    | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*"
    """,
    re.DOTALL | re.VERBOSE,
)
_PHP_ESCAPE = re.compile(r"\\(?:([nrtvef\\$\"])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u\{([0-9A-Fa-f]{1,6})\})")
_PHP_LETTERS = {"n": "\n", "r": "\r", "t": "\t", "v": "\v", "e": "\x1b", "f": "\f"}


def parse_defines(text: str) -> Dict[str, Optional[str]]:
    """The constants a PHP text defines as literals, without running PHP; what is commented out does not count.

    None stands for a string that PHP would put other values into. The first definition counts, as in PHP.
    """
    found: Dict[str, Optional[str]] = {}
    for match in _PHP.finditer(text):
        name = match.group("name1") or match.group("name2")
        if not name:
            continue
        if match.group("single") is not None:
            value: Optional[str] = re.sub(r"\\([\\'])", r"\1", match.group("single"))
        elif match.group("double") is not None:
            value = _double_quoted(match.group("double"))
        else:
            value = match.group("word")
        found.setdefault(name, value)
    return found


def _double_quoted(inner: str) -> Optional[str]:
    without_escapes = re.sub(r"\\.", "  ", inner, flags=re.DOTALL)
    if re.search(r"\$[A-Za-z_{\x80-\U0010ffff]|\{\$", without_escapes):
        return None
    return _PHP_ESCAPE.sub(_php_escape, inner)


def _php_escape(match: "re.Match[str]") -> str:
    letter, octal, hexadecimal, point = match.groups()
    if letter:
        return _PHP_LETTERS.get(letter, letter)
    if octal:
        return chr(int(octal, 8) & 0xFF)
    if hexadecimal:
        return chr(int(hexadecimal, 16))
    number = int(point, 16)
    return chr(number) if number < 0xD800 or 0xE000 <= number <= 0x10FFFF else match.group()


def _read_defines(path: str, errors: List[str]) -> Mapping[str, Optional[str]]:
    try:
        return parse_defines(_read(path))
    except OSError as error:
        errors.append(f"{path} cannot be read ({error.strerror or error}).")
    except ValueError as error:
        errors.append(f"{path} is no file of FOG: it {error}.")
    return {}


def _differences(settings_path: str, config_path: str, config: Mapping[str, Optional[str]]) -> List[str]:
    """Where the daemon's database login is another than the one in .fogsettings; passwords are never shown."""
    try:
        values = _read_values(settings_path)
    except SettingsError:
        return []
    told = []
    for constant, key, name in _TWINS:
        if constant not in config or key not in values:
            continue
        value = config[constant]
        if value is None:
            told.append(
                f"The {name} in {config_path} is no plain string, so it cannot be compared with {key} in "
                f"{settings_path}."
            )
        elif _comparable(constant, value) != _comparable(constant, values[key]):
            told.append(
                f"The {name} in {config_path} differs from {key} in {settings_path}; FOG itself uses the former."
            )
    return told


def _comparable(constant: str, value: str) -> str:
    if constant == "DATABASE_HOST":
        host = _host(value).lower()
        return "localhost" if host in ("127.0.0.1", "::1") else host
    if constant == "DATABASE_NAME":
        return value or "fog"
    return value


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _other_senders(sender: str, folders: Sequence[str]) -> Tuple[str, ...]:
    found: Dict[str, str] = {}
    for folder in folders:
        path = os.path.join(folder, "udp-sender")
        if path != sender and _runs(path):
            # /sbin and /bin are links to /usr on newer hosts: one file, told once.
            found.setdefault(os.path.realpath(path), path)
    return tuple(found.values())

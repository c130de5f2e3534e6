"""Where Debian packages come from on this machine, so that the images are built from the same place."""

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DEFAULT_URI = "http://deb.debian.org/debian"
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")
# How packages are fetched (proxy, dates, retries) follows the machine; what is fetched or kept does not.
_CARRIED = re.compile(r"Acquire::(?:Check-|Max-ValidTime|Min-ValidTime|Retries|http|https|ForceIPv)")


class Source(NamedTuple):
    """One package source: ``uri``, ``suite``, ``components`` and apt's options for it (sources.list(5))."""

    uri: str
    suite: str
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()

    def line(self) -> str:
        """The source in sources.list one-line form."""
        options = "".join(f" {key}={value}" for key, value in self.options)
        return f"deb {f'[{options.strip()}] ' if options else ''}{self.uri} {self.suite} {' '.join(self.components)}"


def parse_list(text: str) -> Iterator[Source]:
    """The binary package sources of a one-line style file."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].strip())
        if match:
            pairs = [word.partition("=") for word in (match["options"] or "").split()]
            options = tuple((key.lower(), value) for key, _, value in pairs)
            yield Source(match["uri"], match["suite"], tuple(match["components"].split()), options)


def parse_deb822(text: str) -> Iterator[Source]:
    """The enabled binary package sources of a deb822 style file. An embedded key is not carried over."""
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line for line in paragraph.splitlines() if not line.startswith("#")]
        fields: dict[str, str] = {}
        name = ""
        for line in lines:
            if line[:1].isspace():
                fields[name] = f"{fields.get(name, '')} {line.strip()}"
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        carried = {key: fields[key] for key in ("signed-by", "trusted") if fields.get(key)}
        if " " in carried.get("signed-by", ""):
            del carried["signed-by"]
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                yield Source(uri, suite, tuple(fields.get("components", "").split()), tuple(carried.items()))


def machine_sources(etc: Path = Path("/etc/apt")) -> list[Source]:
    """Every enabled binary package source of the machine."""
    found: list[Source] = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix in (".list", ".sources") and path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            found.extend(parse_deb822(text) if path.suffix == ".sources" else parse_list(text))
    return found


def source_for(suite: str, codename: str, sources: list[Source]) -> Source:
    """The source of ``suite``: the machine's own source of its release ``codename`` with the suite exchanged.

    Without one (another distribution), Debian's default mirror with the archive keyring.
    """
    for source in sources:
        if source.suite == codename and "main" in source.components:
            options = source.options or (("signed-by", _KEYRING),)
            return source._replace(suite=suite, components=("main",), options=options)
    return Source(_DEFAULT_URI, suite, ("main",), (("signed-by", _KEYRING),))


def codename(os_release: str) -> str:
    """The Debian release of this machine from /etc/os-release; empty on another distribution."""
    fields: Mapping[str, str] = {
        key: value.strip('"') for key, _, value in (line.partition("=") for line in os_release.splitlines())
    }
    return fields.get("VERSION_CODENAME", "") if fields.get("ID") == "debian" else ""


def transport_options() -> list[str]:
    """The machine's own apt settings about how to fetch, as apt.conf lines."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    return [line for line in dump.splitlines() if _CARRIED.match(line) and not line.endswith('"";')]

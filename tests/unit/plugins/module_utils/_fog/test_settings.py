# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FOG's own files: .fogsettings, config.class.php, system.class.php."""

import os
import pprint
import shlex

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import settings as reader
from ansible_collections.imaging.multicast.plugins.module_utils._fog.settings import Credentials, SettingsError
from hypothesis import given
from hypothesis import strategies as st

SECRET = "s3cr3t-of-the-test"
FILE = f"""\
## Start of FOG Settings
## Created by the FOG Installer
ipaddress='10.77.0.1'
copybackold='0'
interface='eth1'
hostname="fog"
installtype='n'
snmysqluser='fogmaster'
snmysqlpass='{SECRET}'
snmysqlhost=''
mysqldbname='fog'
docroot='/var/www/html/'
webroot='/fog/'
storageLocation="$base/images" # not read
packages='apache2 php $x'
unused=$(date) # only a shell could tell
password='of the fog user'
## End of FOG Settings
"""


def write(folder, text, name=".fogsettings"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return str(path)


def refused(path):
    with pytest.raises(SettingsError) as caught:
        reader.read_settings(path)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_full_server(tmp_path):
    path = write(tmp_path, FILE)
    settings, credentials = reader.read_settings(path)
    assert settings == reader.Settings(path, "N", "eth1", "10.77.0.1", "fog", "/var/www/html/fog")
    assert credentials == Credentials(user="fogmaster", password=SECRET, source=path)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("old", "new", "field", "expected"),
    [
        ("snmysqlhost=''", "snmysqlhost='10.0.0.9'", "host", "10.0.0.9"),
        ("snmysqlhost=''", "snmysqlhost='p:db.example'", "host", "db.example"),
        ("snmysqlhost=''\n", "", "host", "localhost"),
        ("mysqldbname='fog'", "mysqldbname=''", "database", "fog"),
        ("mysqldbname='fog'", "mysqldbname=imaging # mine", "database", "imaging"),
        ("snmysqluser='fogmaster'\n", "", "user", ""),
    ],
)
def test_credentials_and_their_defaults(tmp_path, old, new, field, expected):
    _settings, credentials = reader.read_settings(write(tmp_path, FILE.replace(old, new)))
    assert getattr(credentials, field) == expected


def test_without_a_docroot_the_web_root_is_unknown(tmp_path):
    settings, _credentials = reader.read_settings(write(tmp_path, FILE.replace("docroot", "otherroot")))
    assert settings.web_root == ""
    relative = FILE.replace("/var/www/html/", "www")
    assert reader.read_settings(write(tmp_path, relative))[0].web_root == ""


def test_line_ends_of_windows_and_a_byte_order_mark(tmp_path):
    data = b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode("ascii")
    settings, credentials = reader.read_settings(write(tmp_path, data))
    assert (settings.hostname, credentials.password) == ("fog", SECRET)


def test_bytes_that_are_no_utf8_survive_in_the_password_only(tmp_path):
    data = FILE.encode("ascii").replace(SECRET.encode("ascii"), b"p\xe4ss").replace(b'"fog"', b"'f\xf6g'")
    settings, credentials = reader.read_settings(write(tmp_path, data))
    assert credentials.password.encode("utf-8", "surrogateescape") == b"p\xe4ss"
    assert settings.hostname == "f\ufffdg"


def test_a_missing_file(tmp_path):
    text = refused(str(tmp_path / "none"))
    assert text.startswith(str(tmp_path / "none") + " cannot be read (No such file or directory); run this on a FOG ")


def test_a_folder_instead_of_a_file(tmp_path):
    assert "cannot be read (Is a directory)" in refused(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds none of FOG's settings"),
        ("# nothing\n\n", "holds none of FOG's settings"),
        ("colour='blue'\n", "holds none of FOG's settings"),
        ("ipaddress='1'\nsnmysqlpass '%s'\n" % SECRET, "Line 2 of "),
        ("ipaddress = '1'\n", "Line 1 of "),
        ("\x00\x01\xff", "Line 1 of "),
        ("a=1\n\nsnmysqlpass='%s\n" % SECRET, "The quotation mark in line 3 of "),
        ('snmysqlpass="%s\\"\n' % SECRET, "The quotation mark in line 1 of "),
        ("snmysqlpass=$(echo %s)\n" % SECRET, "The value of snmysqlpass in line 1 of "),
        ('snmysqlpass="$%s"\n' % SECRET, "The value of snmysqlpass in line 1 of "),
        ('snmysqlpass="\\\\$%s"\n' % SECRET, "The value of snmysqlpass in line 1 of "),
        ('snmysqlpass="`%s`"\n' % SECRET, "The value of snmysqlpass in line 1 of "),
        ("snmysqlpass=%s more\n" % SECRET, "The value of snmysqlpass in line 1 of "),
        ("snmysqlpass=a&%s" % SECRET, "The value of snmysqlpass in line 1 of "),
        ("snmysqlpass=(%s)\n" % SECRET, "The value of snmysqlpass in line 1 of "),
        ("snmysqlpass='two\nlines %s'\n" % SECRET, "The value of snmysqlpass in line 1 of "),
        ("#" * 1048577, "is no FOG settings file: it is larger than 1 MiB"),
    ],
)
def test_what_is_malformed_is_one_clear_sentence(tmp_path, text, told):
    path = write(tmp_path, text)
    said = refused(path)
    assert told in said
    assert path in said


def test_a_file_as_large_as_allowed_is_read(tmp_path):
    last = "interface='eth1'\n"
    lines = "a=b\n" * 5000
    comment = "#" * (1048576 - len(lines) - len(last) - 1) + "\n"
    settings, _credentials = reader.read_settings(write(tmp_path, lines + comment + last))
    assert settings.interface == "eth1"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a='b'", "b"),
        ("  export a=b;", "b"),
        ("a=", ""),
        ("a=''", ""),
        ("a='it'\\''s'", "it's"),
        ('a="say \\"hi\\" \\$5 \\n"', 'say "hi" $5 \\n'),
        ('a="one\\\ntwo"', "onetwo"),
        ("a=one\\\ntwo", "onetwo"),
        ("a=b\\ c", "b c"),
        ("a=b\\", None),
        ("a=b'c'\"d\" # comment", "bcd"),
        ("a='b'# no comment", None),
        ("a=b;c=d", None),
        ("a=~", None),
        ("a=*", None),
    ],
)
def test_shell_values(text, value):
    (assignment,) = reader.parse_assignments(text)
    assert (assignment.key, assignment.value, assignment.line) == ("a", value, 1)


KEYS = st.text("abzAZ_", min_size=1, max_size=5)


@given(st.dictionaries(KEYS, st.text(max_size=20), max_size=5))
def test_what_a_shell_quotes_is_read_back(values):
    text = "".join(f"{key}={shlex.quote(value)}\n" for key, value in values.items())
    found = {own.key: own.value for own in reader.parse_assignments(text)}
    # A value may hold the line ends of Windows, which are read as plain ones.
    assert found == {key: value.replace("\r\n", "\n") for key, value in values.items()}


@given(st.one_of(st.text(), st.text("a='\"\\ \n#;$b")))
def test_any_text_is_read_or_refused(text):
    try:
        assignments = reader.parse_assignments(text)
    except SettingsError:
        return
    lines = [own.line for own in assignments]
    assert lines == sorted(lines)
    for own in assignments:
        assert own.key.isidentifier()


MASKED = Credentials(user="fog", password=SECRET, source="x")


@pytest.mark.parametrize(
    "shown",
    [
        repr(MASKED),
        str(MASKED),
        "%s" % (MASKED,),
        "%r" % (MASKED,),
        f"{MASKED}",
        f"{MASKED!r}",
        pprint.pformat(MASKED),
    ],
    ids=range(7),
)
def test_the_password_is_never_shown(shown):
    assert SECRET not in shown
    assert "password='***'" in shown
    assert "user='fog'" in shown


def test_an_empty_password_is_no_secret():
    assert "password=''" in repr(Credentials())


# --- PHP ------------------------------------------------------------------------------------------------------------

CONFIG = """<?php
class Config
{{
    private static function _dbSettings()
    {{
        define('DATABASE_TYPE', 'mysql'); // mysql or oracle
        define('DATABASE_HOST', '127.0.0.1');
        define('DATABASE_NAME', 'fog');
        define('DATABASE_USERNAME', 'fogmaster');
        define('DATABASE_PASSWORD', "{}");
        # define('UDPSENDERPATH', '/wrong');
        /* define('UDPSENDERPATH', '/wrong'); */
        define('UDPSENDERPATH', '{}');
    }}
}}
"""
SYSTEM = "<?php\ndefine('FOG_VERSION', '1.5.9.133');\ndefine('FOG_SCHEMA', 270);\n"


class Host:
    """A FOG server in a folder; calling it writes its files and reads its release."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, config=None, system=SYSTEM, settings=FILE):
        path = write(self.folder, settings.replace("/var/www/html/", str(self.folder) + "/"))
        if config is not None:
            write(self.folder, config, "fog/lib/fog/config.class.php")
        if system is not None:
            write(self.folder, system, "fog/lib/fog/system.class.php")
        folders = (str(self.folder / "sbin"), str(self.folder / "bin"))
        return reader.read_release(reader.read_settings(path)[0], folders)


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def install(path):
    path.parent.mkdir(exist_ok=True)
    path.write_text("")
    path.chmod(0o755)
    return str(path)


def test_a_release(host):
    sender = install(host.folder / "local-udp-sender")
    other = install(host.folder / "bin" / "udp-sender")
    (host.folder / "sbin").symlink_to("bin")
    found = host(CONFIG.format(SECRET, sender))
    # /sbin is a link to /bin: one file, told once.
    first = other.replace("/bin/", "/sbin/")
    assert found == reader.Release("1.5.9.133", 270, sender, True, (first,), (), True, "127.0.0.1", "fog")


@pytest.mark.parametrize(
    ("old", "new", "read"),
    [
        ("'127.0.0.1'", "'p:db.lan'", ("db.lan", "fog")),
        ("'127.0.0.1'", "''", ("localhost", "fog")),
        ("'127.0.0.1'", '"$host"', ("", "fog")),
        ("'fog')", "'')", ("127.0.0.1", "fog")),
        ("'DATABASE_NAME'", "'DATABASE'", ("127.0.0.1", "")),
    ],
)
def test_the_database_that_fog_itself_uses(host, old, new, read):
    found = host(CONFIG.format(SECRET, "x").replace(old, new))
    assert (found.database_host, found.database_name) == read


def test_udp_sender_missing_or_not_executable(host):
    path = host.folder / "sbin" / "udp-sender"
    found = host(CONFIG.format(SECRET, path))
    assert (found.udp_sender, found.udp_sender_runs, found.udp_sender_found) == (str(path), False, ())
    assert found.udp_sender_exists is False
    install(path)
    path.chmod(0o644)
    found = host(CONFIG.format(SECRET, path))
    assert (found.udp_sender_runs, found.udp_sender_exists) == (False, True)
    install(path)
    found = host(CONFIG.format(SECRET, path))
    assert (found.udp_sender_runs, found.udp_sender_found) == (True, ())


def test_files_that_are_not_there_are_told(host):
    found = host(system=None)
    assert found.version == ""
    assert found.schema is None
    assert found.udp_sender == "/usr/local/sbin/udp-sender"
    assert [error.split(" ")[0] for error in found.errors] == [
        str(host.folder / "fog/lib/fog/system.class.php"),
        str(host.folder / "fog/lib/fog/config.class.php"),
    ]


def test_a_release_without_a_version_is_told(host):
    found = host(CONFIG.format(SECRET, "x"), "<?php define('FOG_SCHEMA', 'many');")
    assert (found.version, found.schema) == ("", None)
    assert found.errors == (f"No FOG_VERSION is defined in {host.folder}/fog; FOG's release is not known.",)


def test_a_huge_file_is_not_read(host):
    found = host(CONFIG.format(SECRET, "x"), "<?php " + "#" * 1048576)
    assert "is no file of FOG: it is larger than 1 MiB" in found.errors[0]


def test_the_web_root_is_looked_for_where_settings_do_not_name_it(tmp_path, monkeypatch):
    write(tmp_path, SYSTEM, "second/lib/fog/system.class.php")
    monkeypatch.setattr(reader, "WEB_ROOTS", (str(tmp_path / "first"), str(tmp_path / "second")))
    nowhere = reader.Settings(str(tmp_path / "none"), "", "", "", "", "")
    assert reader.read_release(nowhere, ()).version == "1.5.9.133"
    monkeypatch.setattr(reader, "WEB_ROOTS", (str(tmp_path / "first"),))
    assert reader.read_release(nowhere, ()).version == ""


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (SECRET, "another-" + SECRET, "The database password in {} differs from snmysqlpass in {}; "),
        (SECRET, "a$b", "The database password in {} is no plain string, so it cannot be compared with snmysqlpass"),
        ("fogmaster", "root", "The database user in {} differs from snmysqluser in {}; "),
        ("'fog'", "'imaging'", "The database name in {} differs from mysqldbname in {}; "),
        ("127.0.0.1", "10.0.0.9", "The database host in {} differs from snmysqlhost in {}; "),
    ],
)
def test_where_the_daemon_logs_in_differently_is_told_without_a_password(host, old, new, told):
    found = host(CONFIG.format(SECRET, "x").replace(old, new))
    (error,) = found.errors
    assert error.startswith(told.format(host.folder / "fog/lib/fog/config.class.php", host.folder / ".fogsettings"))
    assert SECRET not in str(found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "p:localhost"),
        ("127.0.0.1", ""),
        ("define('DATABASE_HOST', '127.0.0.1');", ""),
        ("'fog'", "''"),
    ],
)
def test_what_means_the_same_is_no_difference(host, old, new):
    assert host(CONFIG.format(SECRET, "x").replace(old, new)).errors == ()


def test_escapes_do_not_make_a_difference(host):
    php = r"it's \"\\\$9\x41"
    shell = r"""'it'\''s "\$9A'"""
    assert host(CONFIG.format(php, "x"), settings=FILE.replace(f"'{SECRET}'", shell)).errors == ()
    assert host(CONFIG.format(php + "x", "x"), settings=FILE.replace(f"'{SECRET}'", shell)).errors != ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("define('A', 'b')", "b"),
        ('DEFINE ( "A" ,\n "b" )', "b"),
        ("define('A', 'b', true)", "b"),
        ("define('A', 12)", "12"),
        ("define('A', true)", "true"),
        ("define('A', -1)", "-1"),
        ("define('A', 'it\\'s \\\\ \\n')", "it's \\ \\n"),
        ('define("A", "\\n\\t\\\\\\$\\"\\x41\\101\\u{42}\\q")', '\n\t\\$"AAB\\q'),
        ('define("A", "\\u{d800}")', "\\u{d800}"),
        ('define("A", "5$")', "5$"),
        ('define("A", "$b")', None),
        ('define("A", "{$b}")', None),
        ('define("A", "${b}")', None),
        ("define('A', 'first'); define('A', 'second')", "first"),
        ("define('A', 'b' . 'c'); define('A', 'd')", "d"),
    ],
)
def test_php_constants(text, value):
    assert reader.parse_defines("<?php " + text + ";") == {"A": value}


@pytest.mark.parametrize(
    "text",
    [
        "// define('A', 'b');",
        "# define('A', 'b');",
        "/* define('A', 'b'); */",
        "/* define('A', 'b');",
        "$x = \"define('A', 'b')\";",
        "$x->define('A', 'b');",
        "X::define('A', 'b');",
        "undefine('A', 'b');",
        "define('A', b());",
        "define($a, 'b');",
        "define('A', 'b",
    ],
)
def test_what_defines_nothing(text):
    assert reader.parse_defines("<?php " + text) == {}


CONSTANTS = st.dictionaries(
    st.sampled_from(["A", "FOG_VERSION", "DATABASE_PASSWORD"]),
    st.text(st.characters(blacklist_categories=["Cs"]), max_size=20),
)


@given(CONSTANTS)
def test_single_quoted_constants_survive(values):
    text = "".join(
        "define('{}', '{}'); // '\n".format(key, value.replace("\\", "\\\\").replace("'", "\\'"))
        for key, value in values.items()
    )
    assert reader.parse_defines(text) == values


@given(CONSTANTS)
def test_double_quoted_constants_survive(values):
    text = "".join(
        'define("{}", "{}"); /* " */\n'.format(key, value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$"))
        for key, value in values.items()
    )
    assert reader.parse_defines(text) == values


@given(st.one_of(st.text(), st.text("define('A', \"\\$x{})/*;#\n")))
def test_any_php_text_is_read(text):
    for name, value in reader.parse_defines(text).items():
        assert name
        assert value is None or isinstance(value, str)


def test_the_default_place():
    assert reader.FOG_SETTINGS == "/opt/fog/.fogsettings"
    assert os.path.isabs(reader.UDP_SENDER)

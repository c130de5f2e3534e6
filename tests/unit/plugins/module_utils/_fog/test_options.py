# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options, what FOG's files say beside them, and the evidence a restart would delete."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import evidence, options
from ansible_collections.imaging.multicast.plugins.module_utils._fog.log import read_logs
from ansible_collections.imaging.multicast.plugins.module_utils._fog.settings import SettingsError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import fakes

FILE = f"""installtype='N'
interface='eth0'
ipaddress='10.99.1.1'
snmysqluser='fogmaster'
snmysqlpass='{fakes.SECRET}'
snmysqlhost='10.99.1.1'
mysqldbname='fogdb'
docroot='/var/www/html/'
webroot='/fog/'
"""


@pytest.fixture(name="path")
def fixture_path(tmp_path):
    path = tmp_path / ".fogsettings"
    path.write_text(FILE)
    return str(path)


def read(path, **given):
    params = dict.fromkeys(options.connection_spec())
    return options.read_options(dict(params, fog_settings=path, connect_timeout=10, **given))


def test_no_option_is_needed_on_a_fog_server(path):
    settings, credentials = read(path)
    assert settings.address == "10.99.1.1"
    assert (credentials.host, credentials.user, credentials.database) == ("10.99.1.1", "fogmaster", "fogdb")
    assert credentials.password == fakes.SECRET
    assert credentials.source == path
    assert credentials.given == ("connect_timeout",)


def test_options_win_one_by_one(path):
    _settings, credentials = read(path, login_user="other", login_port=3307, ca_cert="/ca", check_hostname=False)
    assert (credentials.user, credentials.port, credentials.database) == ("other", 3307, "fogdb")
    assert (credentials.ca_cert, credentials.check_hostname) == ("/ca", False)
    assert credentials.password == fakes.SECRET


def test_every_login_option_arrives(path):
    given = {
        "login_host": "db",
        "login_port": 3307,
        "login_user": "u",
        "login_password": "p",
        "login_unix_socket": "/s",
        "login_db": "d",
        "config_file": "/c",
        "ca_cert": "/ca",
        "client_cert": "/cc",
        "client_key": "/ck",
        "check_hostname": True,
    }
    _settings, credentials = read(path, **given)
    assert tuple(credentials)[:11] == (*("db", 3307, "u", "p", "/s", "d", "/c", "/ca", "/cc", "/ck", True),)
    assert {"host", "unix_socket", "database", "config_file"} <= set(credentials.given)
    assert set(given) | {"fog_settings", "connect_timeout", "stale_after"} == set(options.connection_spec())


def test_an_option_file_replaces_the_login_of_fogs_settings(path):
    settings, credentials = read(path, config_file="/root/.my.cnf", login_db="fog2")
    assert settings.install_type == "N"
    assert (credentials.user, credentials.password, credentials.database) == ("", "", "fog2")
    assert credentials.source == "/root/.my.cnf"


def test_a_host_option_leaves_the_socket_alone_only_with_a_socket_option(path):
    assert read(path, login_host="db").credentials.unix_socket is None
    assert read(path, login_host="db", login_unix_socket="/s").credentials.unix_socket == "/s"


@pytest.mark.parametrize(
    "given",
    [{"login_user": "u", "login_password": "p", "login_db": "d"}, {"config_file": "/root/.my.cnf"}],
)
def test_without_fogsettings_a_full_login_is_enough(tmp_path, given):
    settings, credentials = read(str(tmp_path / "none"), **given)
    assert settings.install_type == ""
    assert credentials.user == given.get("login_user", "")


@pytest.mark.parametrize("given", [{}, {"login_user": "u", "login_password": "p"}])
def test_without_fogsettings_and_login_it_is_no_fog_server(tmp_path, given):
    with pytest.raises(SettingsError, match="none cannot be read"):
        read(str(tmp_path / "none"), **given)


def test_malformed_settings_are_told_even_with_a_full_login(path, tmp_path):
    (tmp_path / ".fogsettings").write_text("interface='eth0\n")
    with pytest.raises(SettingsError, match="line 1"):
        read(path, login_user="u", login_password="p", login_db="d")


# --- evidence


def test_the_ends_of_all_logs_are_kept(tmp_path):
    log = tmp_path / "multicast.log"
    log.write_text("".join(f"[11-21-26 7:00:00 pm] line {number}\n" for number in range(500)))
    (tmp_path / "multicast.log.udpcast.12").write_bytes(
        b"Starting transfer\nbytes= 1\rbytes= 2\xff\r\nTransfer complete.\n"
    )
    (tmp_path / "servicemaster.log").write_text("[x] FOGMulticastManager child process (9) exited with code 10.\n")
    found = evidence.collect(fakes.snapshot(logs=read_logs(str(tmp_path))))
    assert sorted(found) == [str(log), str(log) + ".udpcast.12", str(tmp_path / "servicemaster.log")]
    assert len(found[str(log)]) == evidence.LINES
    assert found[str(log)][-1].endswith("line 499")
    assert found[str(log) + ".udpcast.12"] == ["Starting transfer", "bytes= 2\ufffd", "Transfer complete."]


def test_evidence_is_bounded(tmp_path):
    for number in range(40):
        (tmp_path / f"multicast.log.udpcast.{number}").write_text("x" * 300000)
    found = evidence.collect(fakes.snapshot(logs=read_logs(str(tmp_path))))
    assert len(found) == 16
    assert sum(len(line) for lines in found.values() for line in lines) <= 16 * 64 * 1024


def test_a_log_that_vanished_is_told(tmp_path):
    path = tmp_path / "multicast.log.udpcast.3"
    path.write_text("Transfer complete.\n")
    logs = read_logs(str(tmp_path))
    path.unlink()
    (lines,) = evidence.collect(fakes.snapshot(logs=logs)).values()
    assert lines == [f"{path} cannot be read (No such file or directory)"]


def test_no_log_no_evidence():
    assert evidence.collect(fakes.snapshot()) == {}

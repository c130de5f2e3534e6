"""The stand-in's rules, without a lab: lines, choice of the NIC, command lines; and the recorded cases beside them."""

import re
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lab.fleet import DEFAULT_FLEET
from tests.lab.fog import files, layout, recorded, standin
from tests.lab.fog.sessions import shifted

STREAM = standin.Stream(
    sender="/usr/local/sbin/udp-sender",
    interface="eth0",
    receivers=2,
    max_wait=600,
    port=63100,
    duplex="--full-duplex",
)
ROUTES = """default via 10.99.0.1 dev eth0
10.98.0.0/16 dev eth1 proto kernel scope link src 10.98.1.1
10.99.0.0/16 dev eth0 proto kernel scope link src 10.99.1.1
"""
DHCP_ROUTES = """default via 10.99.0.1 dev eth0 proto dhcp src 10.99.1.1 metric 1024
10.99.0.0/16 dev eth0 proto kernel scope link src 10.99.1.1 metric 1024
"""
NO_ROUTES = """default via 10.99.0.1 dev eth0
10.99.0.0/16 dev eth0 proto static scope link src 10.99.1.1
"""


def moment(text: str) -> time.struct_time:
    return time.strptime(text, "%Y-%m-%d %H:%M:%S")


# --- lines


@pytest.mark.parametrize(
    ("when", "shown"),
    [
        ("2026-11-21 19:35:38", "11-21-26 7:35:38 pm"),
        ("2026-01-02 00:04:05", "01-02-26 12:04:05 am"),
        ("2026-01-02 12:00:00", "01-02-26 12:00:00 pm"),
        ("2026-01-02 09:59:59", "01-02-26 9:59:59 am"),
    ],
)
def test_time_is_written_as_php_does(when: str, shown: str) -> None:
    assert standin.php_time(moment(when)) == shown


def test_log_line() -> None:
    line = standin.log_line(moment("2026-11-21 19:36:05"), standin.task_line(1, "lab deploy - fog", "is new"))
    assert line == "[11-21-26 7:36:05 pm]  | Task ID: 1 Name: lab deploy - fog is new\n"


@pytest.mark.parametrize(("limit", "kept"), [(0, True), (101, True), (100, False), (99, False)])
def test_log_is_deleted_when_it_is_full(tmp_path: Path, limit: int, kept: bool) -> None:
    log = tmp_path / "multicast.log"
    log.write_text("x" * 99 + "\n", encoding="utf-8")
    standin.write_log(str(log), "one more", limit)
    text = log.read_text(encoding="utf-8")
    assert text.endswith("] one more\n")
    assert text.startswith("x") is kept


def test_banner_names_the_stand_in() -> None:
    assert "STAND-IN" in standin.BANNER
    assert recorded.normalised(standin.log_line(moment("2026-11-21 19:36:05"), standin.BANNER)) == []


def test_time_stamps_shift_back() -> None:
    text = "[01-01-26 12:30:00 am]  * No new tasks found\nUsing mcast address\n[01-01-26 1:00:00 pm] Task startedUdp"
    assert shifted(text, 3600) == (
        "[12-31-25 11:30:00 pm]  * No new tasks found\nUsing mcast address\n[01-01-26 12:00:00 pm] Task startedUdp"
    )


# --- choice of the NIC


@pytest.mark.parametrize(
    ("version", "rule"),
    [
        ("1.0", standin.SETTINGS),
        ("1.2.0", standin.SETTINGS),
        ("1.4.4", standin.SOURCE),
        ("1.5.8", standin.SOURCE),
        ("1.5.9", standin.KERNEL),
        ("1.5.9.133", standin.KERNEL),
        ("1.5.10", standin.KERNEL),
        ("1.5.10.1733", standin.KERNEL),
        ("1.5.10.1867", standin.FALLBACK),
    ],
)
def test_rule_of_a_version(version: str, rule: str) -> None:
    assert standin.interface_rule(version) == rule


@pytest.mark.parametrize("version", ["", "0.32", "1.3.0", "1.6.0", "1.5.x", "dev"])
def test_unknown_version_is_refused(version: str) -> None:
    with pytest.raises(standin.Refused):
        standin.interface_rule(version)


@pytest.mark.parametrize(
    ("version", "routes", "setting", "record", "interface"),
    [
        ("1.2.0", ROUTES, "eth7", "eth8", "eth7"),
        ("1.2.0", ROUTES, "", "eth8", "eth8"),
        ("1.5.8", ROUTES, "eth7", "eth8", "eth0"),
        ("1.5.8", DHCP_ROUTES, "eth7", "eth8", "dev"),
        ("1.5.8", NO_ROUTES, "eth7", "eth8", "eth0"),
        ("1.5.9", ROUTES, "eth7", "eth8", "eth0"),
        ("1.5.9", DHCP_ROUTES, "eth7", "eth8", "eth0"),
        ("1.5.9", NO_ROUTES, "eth7", "eth8", ""),
        ("1.5.9", "", "eth7", "eth8", ""),
        ("1.5.10.1867", ROUTES, "eth7", "eth0", "eth0"),
        ("1.5.10.1867", NO_ROUTES, "eth7", "eth8", "eth8"),
        ("1.5.10.1867", NO_ROUTES, "eth7", "", ""),
    ],
)
def test_chosen_interface(version: str, routes: str, setting: str, record: str, interface: str) -> None:
    assert standin.choose_interface(version, "10.99.1.1", routes, setting, record) == (interface, "")


def test_ignored_record_is_named_where_the_version_does_so() -> None:
    choice = standin.choose_interface("1.5.10.1867", "10.99.1.1", ROUTES, "", "eth8")
    assert choice == ("eth0", " | Ignoring configured interface eth8; 10.99.1.1 routes over eth0")


# --- commands


def test_command_of_a_plain_session() -> None:
    assert standin.sender_command(STREAM, ["/images/a/d1p1.img", "/images/a/d1p2.img"]) == (
        "/usr/local/sbin/udp-sender --interface eth0 --min-receivers 2 --max-wait 600 --portbase 63100 --full-duplex"
        " --ttl 32 --nokbd --nopointopoint --file /images/a/d1p1.img;"
        "/usr/local/sbin/udp-sender --interface eth0 --min-receivers 2 --max-wait 10 --portbase 63100 --full-duplex"
        " --ttl 32 --nokbd --nopointopoint --file /images/a/d1p2.img;"
    )


def test_every_flag_of_a_command_in_its_place() -> None:
    stream = STREAM._replace(
        interface="",
        hello_interval="500",
        max_bitrate="90m",
        data_address="239.1.1.2",
        rendezvous="239.1.1.1",
        duplex="",
    )
    assert standin.sender_command(stream, ["/i/d1p1.img"]) == (
        "/usr/local/sbin/udp-sender --rexmit-hello-interval 500 --max-bitrate 90m --min-receivers 2 --max-wait 600"
        " --mcast-data-address 239.1.1.2 --mcast-rdv-address 239.1.1.1 --portbase 63100 --ttl 32 --nokbd"
        " --nopointopoint --file /i/d1p1.img;"
    )


@pytest.mark.parametrize("file", ["/images/a b/d1p1.img", "/images/$(id)/d1p1.img", "/images/a;b/d1p1.img"])
def test_command_that_the_shell_would_take_apart_is_refused(file: str) -> None:
    with pytest.raises(standin.Refused):
        standin.sender_command(STREAM, [file])


def test_partition_files_in_sending_order() -> None:
    names = ["d1p10.img", "d1p2.img", "d1.mbr", "d2p1.img", "d1p1.img", "d1p1.img.000"]
    assert standin.partition_files(names, 1) == ["d1p1.img", "d1p2.img", "d1p10.img"]
    assert standin.partition_files(names, 3) == ["d1p1.img", "d1p2.img", "d1p10.img", "d2p1.img"]


@pytest.mark.parametrize(("names", "disks"), [(["d1p1.img"], 4), (["d1.mbr"], 1), ([], 1)])
def test_image_of_another_kind_is_refused(names: Sequence[str], disks: int) -> None:
    with pytest.raises(standin.Refused):
        standin.partition_files(names, disks)


def test_data_address() -> None:
    assert standin.data_address("0", 63100, 64) == ""
    assert standin.data_address("", 63100, 64) == ""
    assert standin.data_address("239.0.0.1", 63100, 64) == "239.0.0.64"


# --- configuration files


def test_constants_come_back_from_the_php_files_the_lab_writes() -> None:
    server = DEFAULT_FLEET["fog1"]
    constants = standin.php_defines(files.config_php(server, server) + files.system_php("1.5.9"))
    assert constants["DATABASE_PASSWORD"] == layout.secret("fog1", "db")
    assert constants["DATABASE_HOST"] == "localhost"
    assert constants["UDPSENDERPATH"] == layout.SENDER_LINK
    assert (constants["FOG_VERSION"], constants["FOG_SCHEMA"]) == ("1.5.9", str(layout.SCHEMA))


def test_php_text_is_unquoted() -> None:
    assert standin.php_defines(r"define( 'A' , 'it\'s \\ so' ); define('B', 12);") == {"A": r"it's \ so", "B": "12"}


def test_settings_file_is_what_a_shell_reads() -> None:
    server, node = DEFAULT_FLEET["fog1"], DEFAULT_FLEET["store1"]
    words = [line.partition("=") for line in files.fog_settings(node, server).splitlines() if not line.startswith("#")]
    assert all(value.startswith("'") and value.endswith("'") for _, _, value in words)
    settings = {key: shlex.split(value)[0] if value != "''" else "" for key, _, value in words}
    assert settings["installtype"] == "S"
    assert settings["snmysqlhost"] == server.address
    assert settings["snmysqlpass"] == layout.secret("fog1", "storage")


def test_secrets_differ_and_can_be_searched_for() -> None:
    secrets = {layout.secret(name, what) for name in DEFAULT_FLEET for what in ("db", "storage", "node")}
    assert len(secrets) == 3 * len(DEFAULT_FLEET)
    assert all(secret.startswith(layout.SECRET) for secret in secrets)


# --- the recorded cases


@pytest.mark.parametrize("case", recorded.CASES, ids=lambda case: case.number)
def test_recorded_case_is_what_the_lab_expects(case: recorded.Case) -> None:
    """The lab's own tests compare the stand-in with the same lines (test_standin_lab.py)."""
    found = recorded.after_last_new(recorded.normalised(recorded.sample(f"{case.number}*.multicast.log"))) \
        if case.last_session else recorded.normalised(recorded.sample(f"{case.number}*.multicast.log"))  # fmt: skip
    recorded.compare(found, case.lines)


COMMAND_CASES = ("01*", "03*", "13*", "33-healthy")


@pytest.mark.parametrize("name", COMMAND_CASES)
def test_recorded_command_is_what_the_stand_in_builds(name: str) -> None:
    text = recorded.sample(f"{name}.multicast.log")
    command = re.findall(r"\| Command: (.*)", text)[-1]
    interface, port = re.findall(r"--interface (\S+) .*?--portbase (\d+)", command)[0]
    stream = STREAM._replace(interface=interface, port=int(port))
    assert standin.sender_command(stream, ["/images/mcimg/d1p1.img", "/images/mcimg/d1p2.img"]) == command


def test_recorded_process_list_has_the_same_command() -> None:
    shell = next(line for line in recorded.sample("03*.ps.txt").splitlines() if " sh -c " in line)
    stream = STREAM._replace(interface="fogsrv0", port=52598)
    command = standin.sender_command(stream, ["/images/mcimg/d1p1.img", "/images/mcimg/d1p2.img"])
    assert shell.partition(" sh -c ")[2] == command


def test_recorded_udpcast_log() -> None:
    recorded.compare(recorded.udpcast(recorded.sample("33-healthy.udpcast.log")), recorded.UDPCAST_FILE * 2)


def test_recorded_master_log() -> None:
    recorded.compare(recorded.master(recorded.sample("20*.servicemaster.log")), recorded.MASTER_LOG)


def test_normalising_own_lines() -> None:
    text = (
        "[11-21-26 7:35:38 pm] \n====\n== x ==\n\n\n[11-21-26 7:35:38 pm] Interface Ready with IP Address: 10.77.0.1\n"
        "[11-21-26 7:35:38 pm] Interface Ready with IP Address: 127.0.0.1\n"
        "[11-21-26 7:35:39 pm]  | Task ID: 12 Name: a - b is already running with pid: 77\n"
        "[11-21-26 7:35:42 pm]  | Task ID: 12 Name: a - b is already running with pid: 77\n"
        "[11-21-26 7:35:45 pm]  * No new tasks found\n"
    )
    assert recorded.normalised(text) == [recorded.READY, recorded.RUNNING, recorded.NOTHING]


def test_a_missing_line_is_seen() -> None:
    with pytest.raises(AssertionError):
        recorded.compare([recorded.READY, recorded.NOTHING], [recorded.READY, recorded.RUNNING, recorded.NOTHING])
    with pytest.raises(AssertionError):
        recorded.compare([recorded.READY, recorded.NOTHING, recorded.GONE], [recorded.READY, recorded.NOTHING])

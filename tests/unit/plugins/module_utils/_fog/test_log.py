# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FOG's logs."""

import calendar
import datetime
import os
import time
from pathlib import Path

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import log
from hypothesis import given
from hypothesis import strategies as st

SAMPLES = Path(__file__).resolve().parents[5].parent / "shared" / "facts" / "fog-samples"
recorded = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the recorded cases (../shared/facts/fog-samples) are not here"
)

STAMP = "[11-21-26 7:36:05 pm] "
SECONDS = float(calendar.timegm((2026, 11, 21, 19, 36, 5)))
HEALTHY = """\
[3-9-26 12:00:01 am]
==================================
=== Free Opensource Ghost ======

[3-9-26 12:00:01 am] Interface Ready with IP Address: 10.9.0.1
[3-9-26 12:00:01 am]  * Starting MulticastManager Service
[3-9-26 12:00:01 am]  * Checking for new items every 10 seconds
[3-9-26 12:00:01 am]  * Starting service loop
[3-9-26 12:00:01 am]  * No new tasks found
[3-9-26 12:00:11 am]  | Task ID: 7 Name: lab a is new
[3-9-26 12:00:11 am]  | Task ID: 7 Name: lab a image file found, file: /images/my image
[3-9-26 12:00:11 am]  | Task ID: 7 Name: lab a 2 clients found
[3-9-26 12:00:11 am]  | Task ID: 7 Name: lab a sending on base port 50000
[3-9-26 12:00:11 am]  | Command: /usr/local/sbin/udp-sender --portbase 50000 --file /images/a;
[3-9-26 12:00:11 am]  | Task ID: 7 Name: lab a has started
[3-9-26 12:00:21 am]  | Task ID: 7 Name: lab a is already running with pid: 4321
[3-9-26 12:00:31 am]  | Task ID: 7 Name: lab a is no longer running
[3-9-26 12:00:41 am]  | Task ID: 7 Name: lab a is no longer running
"""


def put(path, text, age=0.0):
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    os.utime(str(path), (0, time.time() - age))
    return path


def session(text):
    return STAMP + " | Task ID: 12 Name: lab deploy - fog " + text


@pytest.mark.parametrize(
    ("text", "kind", "number", "detail"),
    [
        (session("is new"), "new", 12, ""),
        (session("image file found, file: /images/w 11"), "image_found", 12, "/images/w 11"),
        (session("2 clients found"), "clients", 12, "2"),
        (session("1 client found"), "clients", 12, "1"),
        (session("sending on base port 63100"), "port", 12, "63100"),
        (session("has started"), "started", 12, ""),
        (session("is already running with pid: 8806"), "running", 12, "8806"),
        (session("has been completed"), "completed", 12, ""),
        (session("has been killed"), "killed", 12, ""),
        (session("is now completed"), "now_completed", 12, ""),
        (session("has been cancelled"), "cancelled", 12, ""),
        (session("is now cancelled"), "now_cancelled", 12, ""),
        (session("has been queued"), "queued", 12, ""),
        (session("is now queued"), "queued", 12, ""),
        (session(" Task state has been updated, now the task is queued!"), "queued", 12, ""),
        (session("is no longer running"), "not_running", 12, ""),
        (session("failed to execute, port must be even and numeric"), "bad_port", 12, ""),
        (session("failed to execute, image file: /images/xnot found on this node"), "image_missing", 12, "/images/x"),
        (session("failed to execute, there are no clients included"), "no_clients", 12, ""),
        (session("failed to start"), "not_started", 12, ""),
        (session(" No open slots "), "no_slots", 12, ""),
        (session("Task not created as there are no associated tasks"), "no_tasks_associated", 12, ""),
        (session("does something new"), "other", 12, ""),
        (STAMP + " | Task ID: 12 Name:  is new", "new", 12, ""),
        # A name may hold what FOG says of other sessions.
        (STAMP + " | Task ID: 12 Name: is new has started", "started", 12, ""),
        (STAMP + " | Task ID: 12 Name: x is new y", "other", 12, ""),
        (
            STAMP + " | Command: /sbin/udp-sender --file /a;",
            "command",
            None,
            "/sbin/udp-sender --file /a;",
        ),
        (STAMP + " * No new tasks found", "idle", None, ""),
        (STAMP + "Interface Ready with IP Address: 10.77.0.1", "interface_ready", None, "10.77.0.1"),
        (STAMP + " * Starting MulticastManager Service", "starting", None, "MulticastManager"),
        (STAMP + " * Checking for new items every 3 seconds", "interval", None, "3"),
        (STAMP + " * Starting service loop", "loop", None, ""),
        (
            STAMP + " | Ignoring configured interface eth9; 10.77.0.1 routes over eth1",
            "interface_ignored",
            None,
            "eth9; 10.77.0.1 routes over eth1",
        ),
        (STAMP + " | This is not the master node", "not_master", None, ""),
        (STAMP + "Interface not ready, waiting for it to come up: 10.0.0.1", "interface_waiting", None, "10.0.0.1"),
        (STAMP + " * Unable to locate udp-sender!.", "no_sender_binary", None, ""),
        (STAMP + " | Unable to find image path", "no_image_path", None, ""),
        (STAMP + " * Multicast service is globally disabled", "disabled", None, ""),
        (STAMP + " No open slots ", "no_slots", None, ""),
        (STAMP + "Task not created as there are no associated tasks", "no_tasks_associated", None, ""),
        (STAMP + " FOGService: MulticastManager - Waiting for mysql to be available", "database_waiting", None, ""),
        (STAMP + "anything else", "other", None, ""),
        (STAMP, "other", None, ""),
        ("==================================", "banner", None, ""),
        ("=== Free Opensource Ghost ======", "banner", None, ""),
    ],
)
def test_every_line_of_the_facts(text, kind, number, detail):
    stamp = SECONDS if text.startswith("[") else None
    assert log.parse_line(text) == log.Line(stamp, kind, number, detail, text)


def test_every_kind_is_tried_above():
    (mark,) = [mark for mark in test_every_line_of_the_facts.pytestmark if mark.name == "parametrize"]
    assert {kind for kind, _pattern in log.KINDS} == {case[1] for case in mark.args[1]} - {log.OTHER, log.BANNER}
    assert {kind for kind, _pattern in log.KINDS} >= log.LIFE


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("1-2-26 12:00:00 am", (2026, 1, 2, 0, 0, 0)),
        ("01-02-26 12:59:59 pm", (2026, 1, 2, 12, 59, 59)),
        ("12-31-99 1:05:09 PM", (2099, 12, 31, 13, 5, 9)),
        ("2-29-28 11:00:00 pm", (2028, 2, 29, 23, 0, 0)),
        ("2-29-26 11:00:00 pm", None),
        ("13-1-26 11:00:00 pm", None),
        ("1-1-26 0:00:00 am", None),
        ("1-1-26 13:00:00 pm", None),
        ("1-1-26 1:60:00 pm", None),
        ("1-1-26 1:00:60 pm", None),
        ("2026-01-01 10:00:00", None),
    ],
)
def test_stamps(stamp, expected):
    found = log.parse_line("[" + stamp + "] x").stamp
    assert found == (None if expected is None else calendar.timegm(expected))


@given(st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2099, 12, 31)), st.booleans())
def test_any_time_survives(moment, padded):
    text = moment.strftime("%m-%d-%y ") if padded else f"{moment.month}-{moment.day}-{moment:%y} "
    text += "{}:{:%M:%S} {}".format(moment.hour % 12 or 12, moment, "pm" if moment.hour > 11 else "am")
    assert log.parse_line("[" + text + "] x").stamp == calendar.timegm(moment.timetuple())


NAMES = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20).map(" ".join)


@given(st.integers(0, 2**31), NAMES, st.sampled_from(["is new", "is already running with pid: 1", "has started"]))
def test_any_session_name_survives(number, name, said):
    line = log.parse_line(STAMP + f" | Task ID: {number} Name: {name} {said}")
    assert line.session == number
    assert line.kind == log.parse_line(session(said)).kind


@given(st.one_of(st.text(), st.text().map(lambda text: STAMP + text), st.text("[]0-9: apm|*TaskIDNameisnew\r\n")))
def test_any_text_is_read(text):
    for line in log.parse_lines(text):
        assert line.text.strip()
        assert line.kind in {kind for kind, _pattern in log.KINDS} | {log.OTHER, log.BANNER}


@given(st.binary())
def test_any_udpcast_log_is_read(data):
    found = log.parse_sender_log(1, 0.0, data.decode("utf-8", "replace"))
    assert found.connections >= 0
    assert len(found.errors) <= 20


def test_a_log_is_read(tmp_path):
    put(tmp_path / "multicast.log", HEALTHY, 100)
    found = log.read_logs(str(tmp_path))
    assert (found.path, found.exists, found.size, found.error) == (
        str(tmp_path / "multicast.log"),
        True,
        len(HEALTHY),
        "",
    )
    assert found.age is not None
    assert 100 <= found.age < 130
    assert [line.kind for line in found.lines[:4]] == ["other", "banner", "banner", "interface_ready"]
    assert found.last_command == "/usr/local/sbin/udp-sender --portbase 50000 --file /images/a;"
    # The last sign of life came 20 seconds before the last line.
    assert found.alive == {7: found.age + 20}
    assert (found.senders, found.exits) == ((), ())


def test_no_log(tmp_path):
    found = log.read_logs(str(tmp_path))
    assert found == log.Logs(str(tmp_path / "multicast.log"), False, None, 0, (), None, {}, "", (), ())
    assert log.read_logs(str(tmp_path / "none")).error == ""


def test_an_empty_log(tmp_path):
    put(tmp_path / "multicast.log", "")
    found = log.read_logs(str(tmp_path))
    assert (found.exists, found.lines, found.offset, found.alive, found.last_command) == (True, (), None, {}, "")


def test_what_cannot_be_read_is_told(tmp_path, monkeypatch):
    put(tmp_path / "not-a-folder", "")
    found = log.read_logs(str(tmp_path / "not-a-folder"))
    assert found.exists is False
    assert found.error.count("(Not a directory)") == 3

    def denied(*_call, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    put(tmp_path / "multicast.log", HEALTHY)
    assert log.read_logs(str(tmp_path)).error == "{0}/multicast.log cannot be read (Permission denied). {0}/{1}".format(
        tmp_path, "servicemaster.log cannot be read (Permission denied)."
    )


def test_a_disk_that_fails_in_the_middle_is_told(tmp_path, monkeypatch):
    def broken(*_call):
        raise OSError(5, "Input/output error")

    put(tmp_path / "multicast.log", HEALTHY)
    monkeypatch.setattr(os, "pread", broken)
    found = log.read_logs(str(tmp_path))
    assert (found.exists, found.error) == (False, f"{tmp_path}/multicast.log cannot be read (Input/output error).")


def test_a_pipe_or_folder_in_place_of_a_log_does_not_hang(tmp_path):
    os.mkfifo(str(tmp_path / "multicast.log"))
    (tmp_path / "servicemaster.log").mkdir()
    found = log.read_logs(str(tmp_path))
    assert found.exists is False
    assert (
        found.error == f"{tmp_path}/multicast.log is no regular file. {tmp_path}/servicemaster.log is no regular file."
    )


def test_only_the_tail_of_a_huge_log_is_read(tmp_path):
    path = tmp_path / "multicast.log"
    with open(str(path), "wb") as file:
        file.truncate(100 * 1024 * 1024)
        file.seek(0, os.SEEK_END)
        file.write(("\n" + HEALTHY).encode("ascii"))
    found = log.read_logs(str(tmp_path))
    assert found.size == 100 * 1024 * 1024 + 1 + len(HEALTHY)
    assert [line.kind for line in found.lines[:2]] == ["other", "banner"]
    assert list(found.alive) == [7]


def test_the_tail_begins_with_a_whole_line(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "TAIL", 1000)
    line = STAMP + " * No new tasks found\n"
    path = put(tmp_path / "multicast.log", line * 30)
    for added in range(len(line)):
        found = log.read_logs(str(tmp_path))
        assert {own.text for own in found.lines} == {line.strip("\n")}
        assert len(found.lines) == (1000 - added) // len(line)
        with open(str(path), "ab") as file:
            file.write(b"\n")
    put(tmp_path / "multicast.log", b"x\n" * 500)
    assert len(log.read_logs(str(tmp_path)).lines) == 500
    put(tmp_path / "multicast.log", b"z" * 1001)
    assert log.read_logs(str(tmp_path)).lines == ()


def test_bytes_that_are_no_text(tmp_path):
    put(tmp_path / "multicast.log", b"\xff\xfe\x00\n" + HEALTHY.encode("ascii") + b"\xe4\xf6")
    found = log.read_logs(str(tmp_path))
    assert found.lines[0].text == "\ufffd\ufffd\x00"
    assert list(found.alive) == [7]


# --- time zones and signs of life -----------------------------------------------------------------------------------


def lines(*stamps):
    return [log.Line(stamp, "running" if number is not None else "idle", number, "", "x") for stamp, number in stamps]


@pytest.mark.parametrize(
    ("difference", "offset"),
    [
        (0, 0.0),
        (-3, 0.0),
        (7200 - 20, 7200.0),
        (-5 * 3600 - 3, -18000.0),
        (5.75 * 3600, 20700.0),
        (14 * 3600, 50400.0),
        (300, 0.0),
        (301, None),
        (-450, None),
        (14.25 * 3600, None),
        (-15 * 3600, None),
        (86400 * 365, None),
    ],
)
def test_the_zone_is_rounded_and_must_be_plausible(difference, offset):
    assert log.zone_offset(lines((SECONDS + difference, None), (None, None)), SECONDS) == offset


def test_no_stamp_no_zone():
    assert log.zone_offset(lines((None, 3)), SECONDS) is None


@given(st.integers(-14 * 4, 14 * 4), st.floats(0, 299), st.integers(0, 2**31))
def test_any_zone_is_found(quarters, late, written):
    stamp = written + quarters * 900 - late
    assert log.zone_offset(lines((stamp, None)), written) == quarters * 900


def test_signs_of_life_count_from_the_last_line():
    found = log.signs_of_life(lines((100.0, 1), (110.0, 2), (None, 3), (130.0, 1), (200.0, None)), 5.0)
    assert found == {1: 75.0, 2: 95.0}


def test_clock_changes_make_a_session_look_younger_never_older():
    autumn = lines((10000.0, 1), (6410.0, 2), (6420.0, None))
    assert log.signs_of_life(autumn, 0.0) == {1: 10.0, 2: 10.0}
    spring = lines((6400.0, 1), (10010.0, 2), (10020.0, None))
    assert log.signs_of_life(spring, 0.0) == {1: 20.0, 2: 10.0}
    set_back = lines((10000.0, 1), (5000.0, 2), (5010.0, None))
    assert log.signs_of_life(set_back, 0.0) == {1: 10.0, 2: 10.0}
    long_silence = lines((0.0, 1), (7200.0, None))
    assert log.signs_of_life(long_silence, 0.0) == {1: 7200.0}


@pytest.mark.parametrize("kind", [kind for kind, _pattern in log.KINDS])
def test_what_shows_life(kind):
    line = log.Line(5.0, kind, 1, "", "x")
    assert (1 in log.signs_of_life([line], 0.0)) is (kind in log.LIFE)
    assert log.LIFE.isdisjoint({"not_running", "killed", "cancelled", "now_cancelled", "no_clients"})


STAMPED = st.tuples(st.one_of(st.none(), st.floats(0, 1e9)), st.one_of(st.none(), st.integers(1, 4)))


@given(st.lists(STAMPED), st.floats(0, 1e6))
def test_ages_are_never_negative_nor_below_the_files(stamps, age):
    for own in log.signs_of_life(lines(*stamps), age).values():
        assert own >= age


def test_a_file_from_the_future_has_no_negative_age(tmp_path):
    put(tmp_path / "multicast.log", HEALTHY, -5000)
    put(tmp_path / "multicast.log.udpcast.7", "", -5000)
    found = log.read_logs(str(tmp_path))
    assert (found.age, found.senders[0].age, found.alive) == (0.0, 0.0, {7: 20.0})


# --- the other logs -------------------------------------------------------------------------------------------------

UDPCAST = """\
[11-21-26 7:50:38 pm] Task startedUdp-sender 20120424
Using mcast address 234.77.0.1
Broadcasting control to 224.0.0.1
New connection from 10.77.0.12  (#0) 00000009
New connection from 10.77.0.11  (#1) 00000009
Starting transfer: 00000009
bytes=  1 000\rbytes= 20 000\rTransfer complete.
Disconnecting #0 (10.77.0.12)
"""


def test_a_udpcast_log():
    assert log.parse_sender_log(7, 3.0, UDPCAST) == log.SenderLog(7, 3.0, 2, 1, ())


@pytest.mark.parametrize(
    "error",
    [
        "No suitable network interface found",
        "bind socket to 10.77.0.1:63101 (Address already in use)",
        "Cannot open /images/x: No such file or directory",
        "sendto: Network is unreachable",
    ],
)
def test_errors_of_udp_sender(error):
    assert log.parse_sender_log(7, 3.0, UDPCAST + error + "\n" + error + "\n").errors == (error,)


def test_which_udpcast_logs_are_read(tmp_path):
    put(tmp_path / "multicast.log.udpcast.7", UDPCAST, 10)
    put(tmp_path / "multicast.log.udpcast.8", "", 5)
    put(tmp_path / "multicast.log.udpcast.x", UDPCAST)
    put(tmp_path / "other.log.udpcast.9", UDPCAST)
    assert [own.session for own in log.read_logs(str(tmp_path)).senders] == [8, 7]
    (only,) = log.read_logs(str(tmp_path), sessions=[7, 99]).senders
    assert (only.session, only.connections, only.complete) == (7, 2, 1)
    assert 10 <= only.age < 40
    assert log.read_logs(str(tmp_path), name="other.log").senders[0].session == 9


def test_udpcast_logs_are_bounded_newest_first_but_for_those_that_are_asked_for(tmp_path):
    for number in range(log.SENDER_LOGS + 5):
        put(tmp_path / f"multicast.log.udpcast.{number}", "", 1000 - number)
    found = [own.session for own in log.read_logs(str(tmp_path)).senders]
    assert found == list(range(log.SENDER_LOGS + 4, 4, -1))
    # An unread log would be no sign of life of its session.
    asked = log.read_logs(str(tmp_path), sessions=range(log.SENDER_LOGS + 1)).senders
    assert [own.session for own in asked] == list(range(log.SENDER_LOGS + 1))


def test_exits_of_the_child(tmp_path):
    text = "".join(
        f"[11-21-26 7:56:2{number} pm] FOGMulticastManager child process (288{number}) is running.\n"
        f"[11-21-26 7:56:2{number} pm] FOGMulticastManager child process (288{number}) exited with code {number}.\n"
        f"[11-21-26 7:56:2{number} pm] FOGScheduler child process (99) exited with code 1.\n"
        for number in range(9)
    )
    put(tmp_path / "servicemaster.log", text)
    found = log.read_logs(str(tmp_path)).exits
    assert len(found) == log.EXITS
    assert found[-1] == "[11-21-26 7:56:28 pm] FOGMulticastManager child process (2888) exited with code 8."


# --- recorded cases -------------------------------------------------------------------------------------------------


@recorded
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.multicast.log")), ids=lambda path: path.name[:3])
def test_every_recorded_line_is_known(path):
    found = log.parse_lines(path.read_text())
    unknown = [line.text for line in found if line.kind == log.OTHER]
    # The first line is a stamp alone, before the banner.
    assert [text for text in unknown if not text.rstrip().endswith("]")] == []
    assert all(line.stamp is not None for line in found if line.kind != log.BANNER)


@recorded
@pytest.mark.parametrize(
    ("number", "kinds", "alive"),
    [
        ("01-", {"running", "not_running"}, {1: 21.0}),
        ("02-", {"completed", "killed", "now_completed"}, {1: 3.0}),
        ("05b", {"cancelled", "now_cancelled"}, {1: 150.0, 2: 116.0, 3: 30.0}),
        ("08-", {"not_master", "not_running"}, {5: 39.0}),
        ("10-", {"not_master"}, {}),
        ("11-", {"interface_waiting"}, {}),
        ("16-", {"no_image_path"}, {}),
        ("17-", {"disabled"}, {}),
        ("20-", {"no_sender_binary"}, {}),
        ("33-", {"running", "not_running"}, {28: 3.0}),
    ],
)
def test_what_the_recorded_logs_show(number, kinds, alive):
    (path,) = SAMPLES.glob(number + "*.multicast.log")
    found = log.parse_lines(path.read_text())
    assert kinds <= {line.kind for line in found}
    assert log.signs_of_life(found, 0.0) == alive


@recorded
def test_the_recorded_udpcast_log():
    (path,) = SAMPLES.glob("33-*.udpcast.log")
    assert log.parse_sender_log(28, 0.0, path.read_text()) == log.SenderLog(28, 0.0, 4, 2, ())


@recorded
def test_the_recorded_exits():
    (path,) = SAMPLES.glob("20-*.servicemaster.log")
    assert log.read_logs(str(SAMPLES), name="none.log", master=path.name).exits == (
        "[11-21-26 7:56:27 pm] FOGMulticastManager child process (2883) exited with code 1.",
    )


def test_a_log_written_by_the_lines_above_is_read_like_a_recorded_one(tmp_path):
    found = log.parse_lines(HEALTHY)
    assert [line.text for line in found if line.kind == log.OTHER] == ["[3-9-26 12:00:01 am]"]
    assert log.signs_of_life(found, 0.0) == {7: 20.0}

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes an event: findings and not lines, when they come again, and when a run is due."""

import json
import time

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils import _catalogue
from ansible_collections.imaging.multicast.plugins.module_utils._findings import Finding
from ansible_collections.imaging.multicast.plugins.plugin_utils import _events
from hypothesis import given
from hypothesis import strategies as st

PATH = "/opt/fog/log/multicast.log"
WISHES = _events.Wishes()
START = 1795334400.0  # 2026-11-22 08:00:00 UTC
MASTER = " | This is not the master node"
WAITING = "Interface not ready, waiting for it to come up: 10.0.0.1"
IDLE = " * No new tasks found"
SESSION = " | Task ID: 7 Name: lab - fog "

LINES = {
    MASTER: "fog.node.master_not_local",
    WAITING: "fog.node.address_not_local",
    " | Ignoring configured interface eth9; 10.0.0.1 routes over eth0": "fog.interface.record_stale",
    " * Unable to locate udp-sender!.": "fog.sender.missing_binary",
    " | Unable to find image path": "fog.image.missing",
    SESSION + "failed to execute, image file: /images/x not found on this node": "fog.image.missing",
    " * Multicast service is globally disabled": "fog.service.disabled_globally",
    "FOGService: MulticastManager - Waiting for mysql to be available": "fog.db.unreachable",
    SESSION + "failed to execute, port must be even and numeric": "fog.session.unserved",
    SESSION + "failed to execute, there are no clients included": "fog.session.unserved",
    SESSION + "failed to start": "fog.session.unserved",
    "Task not created as there are no associated tasks": "fog.session.unserved",
}


def stamped(seconds, text):
    """A line as FOG writes it, ``seconds`` after START, in UTC."""
    moment = time.gmtime(START + seconds)
    half = "am" if moment.tm_hour < 12 else "pm"
    date, past = time.strftime("%m-%d-%y", moment), time.strftime("%M:%S", moment)
    return f"[{date} {moment.tm_hour % 12 or 12}:{past} {half}] {text}"


class Log:
    """A log whose lines are read as they are written."""

    def __init__(self, wishes=WISHES, gate=None, host="fog1"):
        self.gate = gate or _events.Gate(wishes)
        self.diary = _events.Diary(PATH, host, wishes, self.gate, START)
        self.host, self.wishes, self.number = host, wishes, 0

    def write(self, seconds, text, now=None):
        self.number += 1
        now = START + seconds if now is None else now
        return self.diary.hear(stamped(seconds, text), f"line {self.number}", now, lambda: 0.0)

    def restart(self):
        kept = json.loads(json.dumps([self.diary.as_dict(), self.gate.runs]))
        self.gate = _events.Gate(self.wishes, kept[1])
        self.diary = _events.Diary(PATH, self.host, self.wishes, self.gate, START + 10**6)
        self.diary.restore(kept[0])


@pytest.mark.parametrize("text", LINES)
def test_a_finding_with_its_line_as_evidence(text):
    event = Log().write(0, text)
    meta = event.pop("meta")
    entry = _catalogue.CATALOGUE[event["id"]]
    assert event["id"] == LINES[text]
    assert list(event) == list(Finding._fields)
    assert (event["severity"], event["repairable"], event["gate"]) == (entry.severity, entry.repairable, entry.gate)
    assert event["evidence"] == [f"{PATH}: {stamped(0, text).strip()}"]
    assert event["summary"].endswith(".")
    assert (meta["host"], meta["hosts"], meta["path"]) == ("fog1", "fog1", PATH)
    assert meta["when"] == "2026-11-22T08:00:00+00:00"


def test_every_kind_of_trouble_is_among_them():
    assert {*LINES.values(), "fog.session.stale", "fog.log.silent"} == _events.IDS
    assert set(_catalogue.CATALOGUE) >= _events.IDS


@pytest.mark.parametrize("text", [IDLE, SESSION + "is new", "=====", "", "anything", MASTER[3:], SESSION + MASTER])
def test_what_is_no_trouble(text):
    assert Log().write(0, text) is None


def test_a_line_without_stamp_is_not_the_daemons():
    diary = Log().diary
    assert diary.hear(MASTER, "key", START, lambda: 0.0) is None


def test_a_line_that_rsyslog_brought():
    assert Log().diary.hear(" " + stamped(0, MASTER) + "\r", "key", START, lambda: 0.0)["id"] == LINES[MASTER]


def test_fogs_own_time_zone():
    event = Log().diary.hear(stamped(7200, MASTER), "key", START + 10, lambda: 7200.0)
    assert event["meta"]["when"] == "2026-11-22T08:00:00+00:00"
    event = Log().diary.hear(stamped(7200, MASTER), "key", START + 10, lambda: None)
    assert event["meta"]["when"] == "2026-11-22T08:00:10+00:00"


def test_what_lasts_is_told_once_and_again_after_repeat_after():
    log = Log()
    told = [seconds for seconds in range(0, 7300, 10) if log.write(seconds, MASTER)]
    assert told == [0, 3600, 7200]


@pytest.mark.parametrize("text", [IDLE, SESSION + "has started"])
def test_what_went_away_and_came_back_is_told_again(text):
    log = Log()
    assert log.write(0, MASTER)
    assert not log.write(10, MASTER)
    log.write(20, text)
    assert log.write(30, MASTER)


def test_what_is_not_repeated_is_over_after_a_while():
    """A missing image: beside it the daemon says that there is nothing to do."""
    missing = " | Unable to find image path"
    log = Log()
    assert log.write(0, missing)
    for seconds in range(10, 100, 10):
        assert not log.write(seconds, missing)
        assert not log.write(seconds, IDLE)
    assert not log.write(150, missing)
    assert log.write(211, missing)


def test_the_daemons_interval_is_allowed_for():
    log = Log()
    log.write(0, " * Checking for new items every 300 seconds")
    assert log.write(0, MASTER)
    assert not log.write(300, MASTER)
    assert not log.write(1200, MASTER)
    assert log.write(2101, MASTER)


def test_two_subjects_are_two_findings():
    log = Log()
    assert log.write(0, SESSION + "failed to start")["subject"] == "session 7"
    assert log.write(0, SESSION.replace("7", "8") + "failed to start")["subject"] == "session 8"


def test_a_session_is_stale_when_it_has_shown_no_life_for_long_enough():
    log = Log()
    log.write(0, SESSION + "has started")
    log.write(1000, SESSION + "is already running with pid: 5")
    told = [s for s in range(1010, 3000, 10) if log.write(s, SESSION + "is no longer running")]
    assert told == [2800]


def test_a_session_that_ended_begins_anew():
    log = Log()
    log.write(0, SESSION + "has started")
    log.write(10, SESSION + "is now completed")
    assert not log.write(5000, SESSION + "is no longer running")
    assert log.write(6800, SESSION + "is no longer running")["summary"].startswith("Session 7 is not sent")


def test_a_second_run_waits_for_the_cool_down_and_then_comes_by_itself():
    log = Log()
    assert log.write(0, MASTER)["meta"]["run"]
    second = log.write(10, WAITING)["meta"]
    assert (second["run"], second["held"]) == (False, "cool-down")
    events = [(seconds, log.write(seconds, WAITING)) for seconds in range(20, 1000, 10)]
    assert [(seconds, event["meta"]["run"]) for seconds, event in events if event] == [(600, True)]


def test_the_cap_counts_all_hosts_together():
    wishes = WISHES._replace(max_per_hour=2)
    gate = _events.Gate(wishes)
    logs = [Log(wishes, gate, f"fog{number}") for number in range(3)]
    assert [log.write(0, MASTER)["meta"]["held"] for log in logs] == ["", "", "cap"]
    assert [seconds for seconds in range(10, 4000, 10) if logs[2].write(seconds, MASTER)] == [3600]


def test_no_run_at_all():
    assert Log(WISHES._replace(max_per_hour=0)).write(0, MASTER)["meta"]["held"] == "cap"


def test_what_is_no_error_starts_no_run():
    log = Log()
    event = log.write(0, " | Ignoring configured interface eth9; 10.0.0.1 routes over eth0")
    assert event["meta"]["held"] == "severity"
    assert log.gate.runs == []
    assert log.write(10, MASTER)["meta"]["run"]


def test_a_clock_that_is_set_back_holds_nothing_up_for_long():
    log = Log()
    assert log.write(0, MASTER, now=START + 10**7)["meta"]["run"]
    assert not log.write(10, WAITING, now=START)["meta"]["run"]
    assert log.write(20, WAITING, now=START + 601)["meta"]["run"]


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 5), st.sampled_from(sorted(LINES))), max_size=80),
    st.integers(0, 4),
    st.integers(0, 2000),
)
def test_no_more_runs_than_allowed(steps, most, cool_down):
    wishes = WISHES._replace(max_per_hour=most, cool_down=cool_down)
    gate = _events.Gate(wishes)
    logs = [Log(wishes, gate, f"fog{number}") for number in range(6)]
    seconds, runs = 0, []
    for passed, number, text in steps:
        seconds += passed
        event = logs[number].write(seconds, text)
        if event and event["meta"]["run"]:
            runs.append((seconds, number))
    for when, number in runs:
        assert sum(when - 3600 < other <= when for other, _number in runs) <= most
        assert not [other for other, same in runs if same == number and when - cool_down < other < when]


@given(st.lists(st.tuples(st.integers(0, 700), st.sampled_from([*LINES, IDLE, SESSION + "is no longer running"]))))
def test_a_restart_changes_nothing_before_the_cool_down_is_over(steps):
    wishes = WISHES._replace(cool_down=WISHES.repeat_after)
    with_restarts, without = Log(wishes), Log(wishes)
    seconds = 0
    for passed, text in steps:
        seconds += passed
        assert with_restarts.write(seconds, text) == without.write(seconds, text)
        with_restarts.restart()


def test_after_a_restart_a_run_counts_as_held_back_once():
    """Nobody knows whether it came to its end."""
    ignored = " | Ignoring configured interface eth9; 10.0.0.1 routes over eth0"
    log = Log()
    assert log.write(0, MASTER)["meta"]["run"]
    assert log.write(0, ignored)["meta"]["held"] == "severity"
    log.restart()
    events = [(s, log.write(s, text)) for s in range(10, 3600, 10) for text in (MASTER, ignored)]
    assert [(s, event["id"], event["meta"]["run"]) for s, event in events if event] == [(600, LINES[MASTER], True)]


def test_the_same_line_read_again_gives_the_same_id():
    log = Log()
    log.write(0, IDLE)
    kept = log.diary.as_dict()
    first = log.write(5, MASTER)["meta"]["uuid"]
    log.diary.restore(kept)
    log.number = 1
    assert log.write(5, MASTER, now=START + 99)["meta"]["uuid"] == first
    assert log.write(5000, MASTER)["meta"]["uuid"] != first
    assert Log(host="fog2").write(5, MASTER)["meta"]["uuid"] != Log(host="fog1").write(5, MASTER)["meta"]["uuid"]


def test_silence_is_told_once_until_a_line_comes():
    log = Log()
    assert log.diary.silence(START + 119) is None
    event = log.diary.silence(START + 120)
    assert (event["id"], event["severity"], event["meta"]["run"]) == ("fog.log.silent", "error", True)
    assert log.diary.silence(START + 130) is None
    again = log.diary.silence(START + 120 + 3600)
    assert again["meta"]["uuid"] != event["meta"]["uuid"]
    log.write(4000, IDLE)
    assert log.diary.silence(START + 4119) is None
    assert log.diary.silence(START + 4120)


def test_silence_of_a_daemon_that_looks_seldom():
    log = Log()
    log.write(0, " * Checking for new items every 300 seconds")
    assert log.diary.silence(START + 899) is None
    assert log.diary.silence(START + 900)


def test_what_is_ignored_is_not_told():
    wishes = WISHES._replace(ignore=frozenset(("fog.log.silent", "fog.node.master_not_local")))
    log = Log(wishes)
    assert log.write(0, MASTER) is None
    assert log.diary.silence(START + 9999) is None
    assert log.write(0, WAITING)["meta"]["run"]


def test_what_is_remembered_has_bounds():
    log = Log()
    for number in range(2000):
        log.write(0, SESSION.replace("7", str(number)) + "is no longer running")
        log.write(0, SESSION.replace("7", str(number)) + "failed to start")
    kept = log.diary.as_dict()
    assert (len(kept["alive"]), len(kept["told"])) == (256, 256)
    assert "1999" in kept["alive"]


def test_bytes_that_are_no_text_do_not_break_the_event():
    name = b"\xff\xfe".decode("utf-8", "surrogateescape") * 2000
    event = Log().write(0, SESSION.replace("lab", name) + "failed to start")
    json.dumps(event, ensure_ascii=False).encode("utf-8")
    assert len(event["evidence"][0]) < 1100


@given(st.text())
def test_whatever_comes_in(text):
    log = Log()
    for line in (text, f"[11-22-26 8:00:00 am] {text}"):
        json.dumps(log.diary.hear(line, "key", START, lambda: 0.0)).encode("utf-8")

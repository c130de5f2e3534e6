# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history: what a line says, two writers at once, its bounds, and what counts as coming back."""

import fcntl
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.plugin_utils import _history, _report
from hypothesis import given
from hypothesis import strategies as st

SECRET = "what a host said"
STALE = finding("fog.session.stale", SECRET, SECRET, (SECRET,)).as_dict()
DISABLED = finding("fog.node.disabled", "node", "Disabled.", severity="info").as_dict()
NOW = "2026-11-30T12:00:00+00:00"


def host(before=(), after=None, outcome="healthy", name="hn07"):
    """Without ``after`` all of it stays."""
    return _report.Host(name, "fog", outcome, tuple(before), tuple(before if after is None else after), ())


def run(day, before=(), after=None, name="hn07", month=11):
    return _history.run([host(before, after, name=name)], f"2026-{month:02}-{day:02}T12:00:00+00:00", False)


def test_a_line_holds_names_outcomes_and_ids_alone():
    lost = _report.host("lost", "fog", None, False, ())
    hosts = [host(), host([STALE, STALE], [], "repaired", "a"), host([STALE], [STALE], "needs_person", "b"), lost]
    hosts.append(host([DISABLED], [DISABLED], name="c"))
    line = _history.run(hosts, NOW, True)
    assert line == {
        "version": 1,
        "time": NOW,
        "check_mode": True,
        "summary": _report.summary(hosts),
        "clean": ["hn07", "c"],
        "unseen": ["lost"],
        "found": {
            "a": {"outcome": "repaired", "before": ["fog.session.stale"], "after": []},
            "b": {"outcome": "needs_person", "before": ["fog.session.stale"]},
        },
    }
    assert SECRET not in json.dumps(line)


def test_a_run_is_one_line(tmp_path):
    path = str(tmp_path / "history.jsonl")
    lines = [run(1), run(2, [STALE], name="a\nb")]
    for line in lines:
        _history.append(path, line)
    assert len((tmp_path / "history.jsonl").read_text().splitlines()) == 2
    assert _history.read(path) == lines


def test_many_writers_lose_nothing(tmp_path):
    path = str(tmp_path / "history.jsonl")
    names = [f"host{number}" for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: _history.append(path, run(1, name=name)), names))
    assert sorted(each["clean"][0] for each in _history.read(path)) == sorted(names)


@pytest.fixture
def held(tmp_path, monkeypatch):
    """A history that another writer has locked: its path, the way to let go, and a writer that waits for that."""
    path = tmp_path / "history.jsonl"
    _history.append(str(path), run(1))
    other = path.open("a+b")
    fcntl.flock(other, fcntl.LOCK_EX)
    asked = threading.Event()
    real = fcntl.flock

    def flock(file, how):
        asked.set()
        real(file, how)

    monkeypatch.setattr(_history.fcntl, "flock", flock)
    writer = threading.Thread(target=_history.append, args=(str(path), run(2)))
    writer.start()
    # Without a lock it would not ask, and be done.
    while not asked.wait(0.01) and writer.is_alive():
        pass
    yield path, other.close, writer
    other.close()
    writer.join()


def days(path):
    return [each["time"][8:10] for each in _history.read(str(path))]


def test_a_second_writer_waits(held):
    path, let_go, writer = held
    assert writer.is_alive()
    assert days(path) == ["01"]
    let_go()
    writer.join()
    assert days(path) == ["01", "02"]


def test_a_writer_that_waited_does_not_write_to_a_file_that_was_replaced(held):
    """Shortening replaces the file under a waiting writer."""
    path, let_go, writer = held
    shorter = path.with_name("shorter")
    shorter.write_text(json.dumps(run(9)) + "\n")
    shorter.replace(path)
    let_go()
    writer.join()
    assert days(path) == ["02", "09"]


def test_it_is_bounded_by_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(_history, "MAX_RUNS", 4)
    path = str(tmp_path / "history.jsonl")
    for day in range(1, 6):
        _history.append(path, run(day))
    assert [each["time"][8:10] for each in _history.read(path)] == ["04", "05"]


def test_it_is_bounded_by_bytes(tmp_path, monkeypatch):
    path = str(tmp_path / "history.jsonl")
    _history.append(path, run(1))
    size = (tmp_path / "history.jsonl").stat().st_size
    monkeypatch.setattr(_history, "MAX_BYTES", 4 * size)
    for day in range(2, 6):
        _history.append(path, run(day))
    assert [each["time"][8:10] for each in _history.read(path)] == ["04", "05"]
    assert oct((tmp_path / "history.jsonl").stat().st_mode)[-3:] == "644"


def test_the_last_run_stays_however_large_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(_history, "MAX_BYTES", 10)
    path = str(tmp_path / "history.jsonl")
    for day in (1, 2):
        _history.append(path, run(day))
    assert [each["time"][8:10] for each in _history.read(path)] == ["02"]


def test_a_file_that_cannot_be_shortened_stays(tmp_path, monkeypatch):
    path = str(tmp_path / "history.jsonl")
    _history.append(path, run(1))
    monkeypatch.setattr(_history, "MAX_RUNS", 1)

    def full(_draft, _path):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_history.os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        _history.append(path, run(2))
    assert len(_history.read(path)) == 2
    assert [each.name for each in tmp_path.iterdir()] == ["history.jsonl"]


def test_a_torn_line_costs_only_itself(tmp_path):
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps(run(1)) + "\n" + json.dumps(run(2))[:40])
    _history.append(str(path), run(3))
    assert [each["time"][8:10] for each in _history.read(str(path))] == ["01", "03"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b'{"version": 2}',
        json.dumps(dict(run(1), time="yesterday")).encode(),
        json.dumps(dict(run(1), time="2026-11-01T12:00:00")).encode(),
        json.dumps(dict(run(1), time=3)).encode(),
        json.dumps(dict(run(1), clean=[3])).encode(),
        json.dumps(dict(run(1), found=[])).encode(),
        json.dumps(dict(run(1), found={"a": {}})).encode(),
        json.dumps(dict(run(1), found={"a": {"before": [{}]}})).encode(),
        b"[" * 100_000,
    ],
)
def test_what_is_no_run_is_left_out(tmp_path, line):
    path = tmp_path / "history.jsonl"
    path.write_bytes(line + b"\n")
    _history.append(str(path), run(3))
    assert _history.recurrences(_history.read(str(path)), NOW) == []
    assert len(_history.read(str(path))) == 1


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["version", "time", "clean", "found", "before", "after", "a"]), inner)
        ),
        max_leaves=10,
    ),
    st.sampled_from(["version", "time", "clean", "found"]),
)
def test_no_line_breaks_the_reading(value, key):
    for line in (value, dict(run(1), **{key: value}), dict(run(1), found={"a": value})):
        found = _history._parsed(json.dumps(line).encode())
        if found:
            _history.recurrences([found], NOW)


def came(*runs, now=NOW):
    return [(each.host, each.finding, len(each.days)) for each in _history.recurrences(runs, now)]


def cured(day, month=11):
    return run(day, [STALE], [], month=month)


TWICE = [("hn07", "fog.session.stale", 2)]
THRICE = [("hn07", "fog.session.stale", 3)]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([cured(5)], []),
        ([cured(5), cured(9)], TWICE),
        ([cured(5), cured(9), cured(22)], THRICE),
        # It stayed, however often it was looked at.
        ([run(5, [STALE]), run(6, [STALE]), run(7, [STALE])], []),
        # It went away by itself.
        ([run(5, [STALE]), run(6), run(7, [STALE])], TWICE),
        # Left out of a run: nothing is known, so it may have stayed.
        ([run(5, [STALE]), run(6, name="x"), run(7, [STALE])], []),
        # Longer ago than 30 days.
        ([cured(5, month=9), cured(9), cured(22)], TWICE),
        # A clock that went wrong.
        ([cured(9), cured(22), cured(5, month=12)], TWICE),
    ],
)
def test_what_counts_as_coming_back(runs, expected):
    assert came(*runs) == expected


def test_the_most_frequent_comes_first_and_the_days_are_kept():
    twice = [run(day, [STALE], [], "b") for day in (3, 9)]
    thrice = [run(day, [STALE], [], "a") for day in (4, 4, 11)]
    found = _history.recurrences([*twice, *thrice], NOW)
    assert [each.host for each in found] == ["a", "b"]
    assert found[0].days == (date(2026, 11, 4), date(2026, 11, 4), date(2026, 11, 11))


@pytest.mark.parametrize(
    ("count", "word"),
    [
        (2, "second"),
        (3, "third"),
        (10, "tenth"),
        (11, "11th"),
        (12, "12th"),
        (21, "21st"),
        (22, "22nd"),
        (113, "113th"),
    ],
)
def test_counting_in_words(count, word):
    assert _history.in_words(count) == word

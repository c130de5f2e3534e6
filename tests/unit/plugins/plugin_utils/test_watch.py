# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The watch over logs: its arguments, what it keeps, several logs, and a reader that is killed at any moment."""

import json
import os
import tempfile
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.imaging.multicast.plugins.plugin_utils import _follow, _watch
from hypothesis import given
from hypothesis import strategies as st

START = 1795334400.0
MASTER = "[11-22-26 8:00:00 am]  | This is not the master node\n"
WAITING = "[11-22-26 8:00:00 am] Interface not ready, waiting for it to come up: 10.0.0.1\n"
IDLE = "[11-22-26 8:00:00 am]  * No new tasks found\n"
PATTERN = r"/(?P<host>[^/]+)/multicast\.log$"


class Site:
    """A folder with logs, and a watch over them."""

    def __init__(self, folder, **args):
        self.folder = folder
        self.state = folder / "private" / "state.json"
        self.args = {"path": str(folder / "multicast.log"), "host": "fog1", "state": str(self.state), **args}
        self.now = START
        self.watch = None

    def begin(self):
        self.watch = _watch.Watch(_watch.options(self.args), lambda: self.now)
        self.watch.commit()

    def end(self):
        self.watch.close()

    def write(self, text, name="multicast.log"):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        with path.open("a") as file:
            file.write(text)
        os.utime(path, (START, START))

    def told(self):
        events = []
        for event in self.watch.poll():
            events += [event] if event else []
            self.watch.commit()
        self.watch.commit()
        return [(event["meta"]["host"], event["id"]) for event in events]


@pytest.fixture
def site(tmp_path):
    site = Site(tmp_path)
    yield site
    if site.watch:
        site.end()


NOT_MASTER = ("fog1", "fog.node.master_not_local")
NOT_LOCAL = ("fog1", "fog.node.address_not_local")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ({"paths": "/x"}, "no argument paths; there are: cool_down, host"),
        ({"path": "multicast.log"}, "path is 'multicast.log': give an absolute path"),
        ({"path": []}, "path is .*give an absolute path"),
        ({"path": [1]}, "path is .*give a text or a list of texts"),
        ({"path": ["/a", "/b"]}, "several logs need host_pattern"),
        ({"path": "/log/*/x"}, "several logs need host_pattern"),
        ({"host_pattern": "("}, "host_pattern is '\\(', no regular expression"),
        ({"host_pattern": "x"}, "it needs a group"),
        ({"host_pattern": "(?P<host>x)", "host": "fog1"}, "exclude each other"),
        ({"host_pattern": "/(?P<host>x)/", "path": "/y/log"}, "/y/log: what host_pattern takes out of it is ''"),
        ({"host": "all"}, "host is 'all', which is no name of one host"),
        ({"host": "fog*"}, "no name of one host"),
        ({"host": "fog1,fog2"}, "no name of one host"),
        ({"host": "@/etc/passwd"}, "no name of one host"),
        ({"host": "!fog1"}, "no name of one host"),
        ({"state": "state.json"}, "state is 'state.json': give the absolute path"),
        ({"ignore": ["fog.unknown"]}, "ignore names fog.unknown; the log can tell of fog.db"),
        ({"cool_down": "soon"}, "cool_down is 'soon': give a number, 0 or more"),
        ({"cool_down": -1}, "cool_down is -1"),
        ({"max_per_hour": True}, "max_per_hour is True"),
        ({"repeat_after": float("inf")}, "repeat_after is inf"),
        ({"poll": 0}, "poll is 0: give at least 0.1"),
    ],
)
def test_arguments_that_cannot_be_meant(args, told):
    with pytest.raises(ValueError, match=told):
        _watch.options({"host": "fog1", **args} if "host_pattern" not in args else args)


def test_arguments_of_a_rulebook():
    given = _watch.options({"host": "fog1", "cool_down": "5", "feedback": True, "path": None})
    assert given.paths == (_watch.LOG,)
    assert given.wishes.cool_down == 5


def test_begins_at_the_end_and_keeps_its_place_in_a_private_file(site):
    site.write(MASTER)
    site.begin()
    assert site.told() == []
    site.write(MASTER)
    assert site.told() == [NOT_MASTER]
    assert [oct(path.stat().st_mode & 0o777) for path in (site.state, site.state.parent)] == ["0o600", "0o700"]
    assert [path.name for path in site.state.parent.iterdir() if path.suffix != ".lock"] == ["state.json"]


def test_goes_on_after_a_restart(site):
    site.begin()
    site.write(MASTER)
    assert site.told() == [NOT_MASTER]
    site.end()
    site.write(MASTER + WAITING)
    site.begin()
    assert site.told() == [NOT_LOCAL]


def test_a_run_that_a_restart_cut_off_comes_again_after_the_cool_down(tmp_path):
    """Two hosts complain; ansible-rulebook runs one playbook after the other, and is ended during the first."""
    site = Site(tmp_path, path=str(tmp_path / "*" / "multicast.log"), host_pattern=PATTERN)
    del site.args["host"]
    both = ["fog1/multicast.log", "fog2/multicast.log"]
    site.begin()
    for name in both:
        site.write(MASTER, name)
    assert site.told() == [NOT_MASTER, ("fog2", "fog.node.master_not_local")]
    site.end()
    site.begin()
    site.now += 10
    for name in both:
        site.write(MASTER, name)
    assert site.told() == []
    site.now += 590
    # The first one was repaired.
    site.write(IDLE, both[0])
    site.write(MASTER, both[1])
    assert site.told() == [("fog2", "fog.node.master_not_local")]
    site.write(MASTER, both[1])
    assert site.told() == []
    site.end()


def test_what_was_not_accepted_comes_again_with_the_same_id(site):
    site.begin()
    site.write(IDLE + MASTER)
    first = next(site.watch.poll())
    site.end()
    site.now += 1
    site.begin()
    second = next(site.watch.poll())
    assert first == second


def test_not_more_is_read_than_one_event_needs(site):
    site.begin()
    site.write(MASTER + WAITING)
    events = site.watch.poll()
    next(events)
    site.watch.commit()
    kept = json.loads(site.state.read_text())["logs"][site.args["path"]]
    assert kept["place"][2] == len(MASTER)


def test_others_get_their_turn_while_much_is_read(site):
    site.begin()
    site.write(IDLE * (2 * _watch._TURN))
    assert list(site.watch.poll()) == [None, None]


def test_nothing_is_written_while_nothing_happens(site):
    site.begin()
    before = site.state.stat().st_mtime_ns, site.state.stat().st_ino
    assert site.told() == []
    assert (site.state.stat().st_mtime_ns, site.state.stat().st_ino) == before


def test_a_log_that_is_not_there_is_silent_and_then_read_from_its_beginning(site):
    site.begin()
    assert site.told() == []
    site.now += 200
    assert site.told() == [("fog1", "fog.log.silent")]
    assert site.told() == []
    site.write(MASTER)
    assert site.told() == [NOT_MASTER]


def test_a_daemon_that_looks_seldom_is_not_called_silent_too_soon(site):
    site.write(IDLE + "[11-22-26 8:00:00 am]  * Checking for new items every 300 seconds\n" + IDLE)
    site.begin()
    site.now += 899
    assert site.told() == []
    site.now += 1
    assert site.told() == [("fog1", "fog.log.silent")]


def test_two_watches_do_not_share_a_state(site):
    site.begin()
    with pytest.raises(ValueError, match="held by another ansible-rulebook"):
        _watch.Watch(_watch.options(site.args))


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"version": 2}', '{"version": 1, "logs": [], "runs": []}', "null"])
def test_a_state_that_is_none(site, text):
    site.begin()
    site.end()
    site.state.write_text(text)
    with pytest.raises(ValueError, match=r"is no state of this event source .* Move it away"):
        site.begin()
    site.state.unlink()
    site.begin()


@pytest.mark.parametrize("part", ["heard", "interval", "told", "alive"])
def test_a_state_that_lacks_something(site, part):
    site.begin()
    site.end()
    kept = json.loads(site.state.read_text())
    del kept["logs"][site.args["path"]]["diary"][part]
    site.state.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match="is no state of this event source"):
        site.begin()
    site.state.unlink()
    site.begin()


def test_a_state_that_cannot_be_written_leaves_the_old_one(site):
    site.begin()
    before = site.state.read_text()
    site.write(MASTER)
    with (
        mock.patch("os.replace", side_effect=OSError(28, "No space left on device")),
        pytest.raises(OSError, match="No space"),
    ):
        site.told()
    assert site.state.read_text() == before
    assert [path.name for path in site.state.parent.iterdir() if path.suffix != ".lock"] == ["state.json"]


def test_several_logs(tmp_path, caplog):
    site = Site(tmp_path, path=str(tmp_path / "*" / "multicast.log"), host_pattern=PATTERN)
    del site.args["host"]
    site.write(MASTER, "fog1/multicast.log")
    site.begin()
    site.write(MASTER, "fog1/multicast.log")
    site.write(WAITING, "fog2/multicast.log")
    site.write(MASTER, "all/multicast.log")
    assert site.told() == [NOT_MASTER, ("fog2", "fog.node.address_not_local")]
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path}/all/multicast.log: what host_pattern takes out of it is 'all', which is no name of one host in an "
        "inventory; this log is left out"
    ]
    assert site.told() == []
    assert len(caplog.records) == 1
    site.end()
    # While nobody watches, one is rotated, one comes and one goes.
    (tmp_path / "fog1" / "multicast.log").rename(tmp_path / "fog1" / "multicast.log.1")
    site.write(WAITING, "fog1/multicast.log.1")
    site.write(MASTER, "fog3/multicast.log")
    (tmp_path / "fog2" / "multicast.log").unlink()
    site.begin()
    assert site.told() == [NOT_LOCAL, ("fog3", "fog.node.master_not_local")]
    site.now += 25 * 3600
    site.write(IDLE, "fog1/multicast.log")
    site.told()
    site.told()
    assert [Path(path).parent.name for path in json.loads(site.state.read_text())["logs"]] == ["fog1", "fog3"]
    site.end()


def test_too_many_logs(tmp_path, caplog):
    site = Site(tmp_path, path=str(tmp_path / "*" / "multicast.log"), host_pattern=PATTERN)
    del site.args["host"]
    for number in range(4):
        site.write(IDLE, f"fog{number}/multicast.log")
    with mock.patch.object(_watch, "_LOGS", 3):
        site.begin()
    assert "fog3/multicast.log: 3 logs are followed already" in caplog.text
    site.end()


def test_a_log_that_cannot_be_read_for_a_while(site, caplog):
    site.begin()
    site.write(MASTER)
    with mock.patch.object(_follow.Follower, "_open", side_effect=PermissionError(13, "Permission denied")):
        assert site.told() == site.told() == []
    assert [record.getMessage() for record in caplog.records] == [
        f"{site.args['path']} cannot be read: Permission denied"
    ]
    assert site.told() == [NOT_MASTER]


STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(1, 5)),
    st.sampled_from([("rotate", 0), ("kill", 0), ("kill", 1), ("poll", 0)]),
)


@given(st.lists(STEPS, max_size=25))
def test_killed_at_any_moment_nothing_is_lost_and_what_comes_twice_has_one_id(steps):
    """Each session that cannot start is a finding of its own. Killed before an event is committed, it comes again."""
    with tempfile.TemporaryDirectory() as folder:
        # Rotation faster than anybody could look, so the log is kept under as many names as needed.
        site = Site(Path(folder), silent_after=10**9)
        # A watch that has not seen a file cannot know that it was there.
        site.write(IDLE)
        site.begin()
        log = Path(site.args["path"])
        arrived, written, rotated = [], 0, 0

        def poll(killed=False):
            for event in site.watch.poll():
                arrived.append((event["subject"], event["meta"]["uuid"]))
                if killed:
                    return
                site.watch.commit()
            site.watch.commit()

        for name, number in [*steps, ("poll", 0)]:
            if name == "write":
                for _line in range(number):
                    written += 1
                    site.write(f"[11-22-26 8:00:00 am]  | Task ID: {written} Name: x failed to start\n")
            elif name == "rotate" and log.exists():
                rotated += 1
                os.utime(log, ns=(rotated, rotated))
                log.rename(log.with_name(f"multicast.log.{rotated}"))
                site.write(IDLE)
                poll()
            elif name == "kill":
                poll(killed=bool(number))
                site.end()
                site.begin()
            else:
                poll()
        for _poll in range(2 * rotated + 4):
            poll()
        site.end()
    assert [subject for subject, _uuid in dict.fromkeys(arrived)] == [f"session {n}" for n in range(1, written + 1)]
    assert len({uuid for _subject, uuid in arrived}) == written

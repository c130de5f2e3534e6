# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every complete line once: whatever is done to the log, and whenever its reader is started anew."""

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.imaging.multicast.plugins.plugin_utils import _follow
from hypothesis import given
from hypothesis import strategies as st

SMALL = mock.patch.multiple(_follow, CHUNK=64, TAIL=16)
KEPT = 4


def drained(follower):
    return [line.text for line in iter(follower.line, None)]


def again(follower):
    """Another process goes on from what this one kept."""
    kept = json.loads(json.dumps(follower.place))
    follower.close()
    return _follow.Follower(follower.path, _follow.Place.of(kept))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "multicast.log"


def append(path, text):
    with path.open("a") as file:
        file.write(text)


@contextmanager
def nobody():
    """Root may read everything, so root is somebody else here."""
    user = os.geteuid()
    os.seteuid(user or 65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_begins_at_the_end_of_what_is_there_and_at_the_beginning_of_what_comes(path, tmp_path):
    append(path, "old\nbegun ")
    follower = _follow.Follower(str(path))
    assert drained(follower) == []
    append(path, "ended\n")
    assert drained(follower) == ["begun ended"]
    later = _follow.Follower(str(tmp_path / "later.log"))
    assert drained(later) == []
    assert later.place == _follow.NOWHERE
    append(tmp_path / "later.log", "first\n")
    assert drained(again(later)) == ["first"]


def test_what_is_written_to_a_rotated_file_by_one_who_has_it_open_is_read_first(path):
    append(path, "one\n")
    follower = _follow.Follower(str(path), _follow.NOWHERE)
    assert drained(follower) == ["one"]
    with path.open("a") as late:
        path.rename(path.with_name("multicast.log.1"))
        append(path, "three\n")
        assert drained(follower) == []
        late.write("two\n")
    assert drained(follower) == ["two", "three"]


def test_deleted_and_made_anew_with_the_same_inode(path):
    """As FOG's daemon does when it starts."""
    append(path, "one\ntwo\n")
    follower = _follow.Follower(str(path), _follow.NOWHERE)
    assert drained(follower) == ["one", "two"]
    # The same inode on purpose, which the file system gives only by chance.
    follower = again(follower)
    path.write_text("three\nfour\nfive\n")
    assert drained(follower) == ["three", "four", "five"]


def test_cut_while_it_is_read(path):
    append(path, "one\ntwo\n")
    follower = _follow.Follower(str(path), _follow.NOWHERE)
    assert drained(follower) == ["one", "two"]
    path.write_text("1\n")
    assert drained(follower) == ["1"]
    path.write_text("")
    assert drained(follower) == []
    path.write_text("2\n")
    assert drained(follower) == ["2"]


def test_copied_and_cut_while_it_is_read(path):
    """Logrotate's copytruncate: what was appended between the last look and the copy is in the copy."""
    append(path, "one\n")
    follower = _follow.Follower(str(path), _follow.NOWHERE)
    assert drained(follower) == ["one"]
    append(path, "two\n")
    shutil.copy(path, path.with_name("multicast.log.1"))
    path.write_text("")
    append(path, "three\n")
    assert [line for _poll in range(3) for line in drained(follower)] == ["two", "three"]


def test_rotated_files_that_cannot_be_read_stop_nothing():
    """As a user that may read the log and not what root put aside, and with a folder of such a name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "multicast.log"
        append(path, "one\n")
        path.parent.chmod(0o755)
        path.with_name("multicast.log.1").mkdir()
        append(path.with_name("multicast.log.2"), "older\n")
        path.with_name("multicast.log.2").chmod(0)
        with nobody():
            follower = _follow.Follower(str(path), _follow.NOWHERE)
            assert drained(follower) == ["one"]
            follower = again(follower)
            assert drained(follower) == []
        path.rename(path.with_name("multicast.log.3"))
        append(path, "two\n")
        with nobody():
            assert [line for _poll in range(3) for line in drained(follower)] == ["two"]


def test_what_may_not_be_read_is_not_passed_over_when_it_is_the_log_itself(path):
    path.mkdir()
    with pytest.raises(OSError, match="no regular file"):
        _follow.Follower(str(path), _follow.Place(1, 2, 3, "x"))


def test_rotated_twice_while_nobody_read(path):
    append(path, "one\n")
    follower = _follow.Follower(str(path), _follow.NOWHERE)
    assert drained(follower) == ["one"]
    place = follower.place
    follower.close()
    append(path, "two\n")
    os.utime(path, (1, 1))
    path.rename(path.with_name("multicast.log-20261122"))
    append(path, "three\n")
    os.utime(path, (2, 2))
    path.rename(path.with_name("multicast.log.1"))
    append(path, "four\n")
    append(path.with_name("multicast.log.udpcast.1"), "udp-sender\n")
    follower = _follow.Follower(str(path), place)
    assert [line for _poll in range(6) for line in drained(follower)] == ["two", "three", "four"]


def test_a_line_without_end_takes_bounded_memory(path):
    path.write_bytes(b"x" * (3 * _follow.CHUNK) + b"\nnext\n")
    follower = _follow.Follower(str(path), _follow.NOWHERE)
    assert [len(text) for text in drained(follower)] == [_follow.CHUNK] * 3 + [0, 4]


def test_its_folder_is_gone_for_a_while(path):
    path = path.parent / "log" / path.name
    path.parent.mkdir()
    append(path, "one\n")
    follower = _follow.Follower(str(path), _follow.NOWHERE)
    assert drained(follower) == ["one"]
    shutil.rmtree(path.parent)
    follower = again(follower)
    assert drained(follower) == []
    path.parent.mkdir()
    append(path, "two\n")
    assert drained(follower) == ["two"]


def test_bytes_that_are_no_text(path):
    path.write_bytes(b"\xff\xfe\n\0\n")
    (first, second) = iter(_follow.Follower(str(path), _follow.NOWHERE).line, None)
    assert first.key != second.key


def test_keys_outlive_a_rename_and_differ_between_equal_lines(path):
    append(path, "same\n" * 3)
    first = [line.key for line in iter(_follow.Follower(str(path), _follow.NOWHERE).line, None)]
    path.rename(path.with_name("other"))
    second = [line.key for line in iter(_follow.Follower(str(path.with_name("other")), _follow.NOWHERE).line, None)]
    assert first == second
    assert len(set(first)) == 3


@pytest.mark.parametrize("blank", ["", " "])
def test_fogs_time_zone(path, blank):
    follower = _follow.Follower(str(path))
    assert follower.zone() is None
    path.write_text(f"{blank}[11-22-26 8:00:00 am]  * No new tasks found\n" * 200)
    os.utime(path, (1795334400 - 7200, 1795334400 - 7200))
    assert len(drained(follower)) == 200
    assert follower.zone() == 7200


def test_what_is_no_log_is_refused(path):
    os.mkfifo(path)
    with pytest.raises(OSError, match="no regular file"):
        _follow.Follower(str(path))


@pytest.mark.parametrize("data", [None, [], [1, 2, 3], [1, 2, -3, ""], ["a", 2, 3, ""], [1, 2, 3, 4], {}, "1,2"])
def test_a_place_that_is_none(data):
    with pytest.raises(ValueError, match="no place"):
        _follow.Place.of(data)


class World:
    """A log with its writer and its reader, and which of its lines no reader could find any more."""

    def __init__(self, folder):
        self.path = folder / "multicast.log"
        self.files = {}  # inode -> the numbers of its lines
        self.number = 0
        self.begun = False
        self.clock = 0
        self.cuts = {}  # inode of a file that was cut since it last looked -> the copies by which it finds its way
        self.lost = set()
        self.seen = []
        self.follower = _follow.Follower(str(self.path), _follow.NOWHERE)

    def rotated(self, number):
        return self.path.with_name(f"multicast.log.{number}")

    def tick(self, path):
        """The kernel's clock is too coarse for what goes on here."""
        self.clock += 1
        os.utime(path, ns=(self.clock, self.clock))

    def write(self, whole, part):
        """Append whole lines, the first of which may have been begun before, and begin another one with ``part``."""
        text, numbers = "", []
        for place in range(whole + part):
            if not self.begun:
                self.number += 1
                numbers.append(self.number)
                text += f"{self.number:06}:"
            self.begun = place == whole
            text += "" if self.begun else " is told\n"
        append(self.path, text)
        self.files.setdefault(self.path.stat().st_ino, []).extend(numbers)
        self.tick(self.path)

    def unread(self, inode):
        return set(self.files.get(inode, ())) - set(self.seen)

    def gone(self, path):
        """Before a file is deleted: who has it open, and need not read a copy of it first, can read it to its end."""
        inode = path.stat().st_ino
        if self.follower.place.inode != inode or self.cuts.get(inode):
            self.lost |= self.unread(inode)
            self.files.pop(inode, None)
        for copies in self.cuts.values():
            # Without the first copy it cannot tell that the others came after it.
            if copies[:1] == [inode]:
                self.lost |= {number for copy in copies for number in self.unread(copy)}
                copies.clear()

    def delete(self):
        if self.path.exists():
            self.gone(self.path)
            self.path.unlink()
            self.begun = False

    def shift(self):
        if self.rotated(KEPT).exists():
            self.gone(self.rotated(KEPT))
        for number in range(KEPT, 1, -1):
            if self.rotated(number - 1).exists():
                self.rotated(number - 1).replace(self.rotated(number))

    def rotate(self):
        if not self.path.exists():
            return
        if self.follower.place == _follow.NOWHERE:
            # It has seen no file yet, so it cannot know that there was this one.
            self.lost |= self.unread(self.path.stat().st_ino)
        self.shift()
        self.path.rename(self.rotated(1))
        self.begun = False

    def cut(self, copied):
        if not self.path.exists():
            return
        place, inode = self.follower.place, self.path.stat().st_ino
        known = place.offset and self.cuts.get(inode, True) if place.inode == inode else place != _follow.NOWHERE
        if not copied or not known:
            # There is no copy, or it has nothing that was read, by which it could be known for one.
            self.lost |= self.unread(inode)
        if copied:
            self.shift()
            shutil.copy(self.path, self.rotated(1))
            self.files[self.rotated(1).stat().st_ino] = self.files[inode]
            self.tick(self.rotated(1))
        copies = self.cuts.setdefault(inode, [])
        copies += [self.rotated(1).stat().st_ino] if copied and known else []
        os.truncate(self.path, 0)
        self.files[inode] = []
        self.tick(self.path)
        self.begun = False

    def poll(self):
        self.cuts.clear()
        for text in drained(self.follower):
            assert text[6] == ":"
            self.seen.append(int(text[:6]))

    def restart(self):
        self.cuts.clear()
        held = self.follower.place
        there = [path for path in self.path.parent.iterdir() if path.stat().st_ino == held.inode]
        if held != _follow.NOWHERE and not there:
            # What it read is gone, so it cannot tell which of the rotated files came after that.
            self.lost |= self.unread(held.inode)
            for number in range(1, KEPT + 1):
                if self.rotated(number).exists():
                    self.lost |= self.unread(self.rotated(number).stat().st_ino)
        self.follower = again(self.follower)


WHAT = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 6), st.booleans()),
    st.sampled_from([("poll",), ("restart",), ("rotate",), ("delete",), ("cut", False), ("cut", True)]),
)


@SMALL
@given(st.lists(WHAT, max_size=40))
def test_every_line_once_and_in_order(steps):
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        for name, *arguments in steps:
            getattr(world, name)(*arguments)
        world.write(1, False)
        for _poll in range(2 * KEPT + 2):
            world.poll()
        world.follower.close()
    assert world.seen == sorted(set(world.seen))
    assert set(range(1, world.number + 1)) - set(world.seen) <= world.lost

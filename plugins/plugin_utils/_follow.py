# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows a log that is rotated, deleted or cut: each complete line once, also over a restart of the follower.

FOG deletes multicast.log when its daemon starts and when the log has grown too large (facts/fog.md section 2);
logrotate renames it, or copies and cuts it. Where the follower stands is a :class:`Place`, plain enough to be kept.
"""

import hashlib
import os
import re
import stat
from pathlib import Path
from typing import Any, NamedTuple

# Relative: ansible-rulebook has no loader of collections (extensions/eda/plugins/event_source).
from ..module_utils._fog import log

#: Bytes read at once. A longer line is handed over in pieces of this size, so memory has a bound.
CHUNK = 64 * 1024
#: Bytes before the place by which a file is known again: its inode may belong to another file by then.
TAIL = 256
_ENDS = 4096
# What logrotate calls the files it puts aside, before it compresses them. Not FOG's multicast.log.udpcast.N.
_ROTATED = re.compile(r"\.[0-9]+|-[0-9]{8}(?:-?[0-9]+)?")


class Place(NamedTuple):
    """Up to where a file was read: ``tail`` is the SHA-256 of the bytes before ``offset``, at most :data:`TAIL`."""

    device: int
    inode: int
    offset: int
    tail: str

    @classmethod
    def of(cls, data: Any) -> "Place":
        """The place that was kept as JSON. Raises ValueError where it is none."""
        if isinstance(data, list) and [type(part) for part in data] == [int, int, int, str] and data[2] >= 0:
            return cls(*data)
        raise ValueError(f"{data!r} is no place in a log")


#: No file was there yet; the first one is read from its beginning.
NOWHERE = Place(0, 0, 0, "")


class Line(NamedTuple):
    """A line without its end. ``key`` stays the same wherever the file is renamed to."""

    text: str
    offset: int
    before: bytes

    @property
    def key(self) -> str:
        """What tells this line from every other one of the same log: its bytes, its place, and what stands before."""
        return _digest(b"%d\0%s\0%s" % (self.offset, self.before, self.text.encode("utf-8", "surrogateescape")))


class Follower:
    """Reads ``path`` from ``place`` on; without a place from the end of the file that is there now.

    What nobody has read of a file that is deleted is gone, and of one that is cut what its copy does not hold.
    """

    def __init__(self, path: str, place: Place | None = None) -> None:
        self.path = path
        self._descriptor = -1
        self._offset = 0
        self._tail = b""
        self._buffer = b""
        self._left = False  # whether the last poll saw that the path leads elsewhere now
        if place is None:
            self._open(path)
            if self._descriptor >= 0:
                self._to_end()
        elif place != NOWHERE:
            self._find(place)

    def close(self) -> None:
        """Let go of the file; the place is lost with it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._offset, self._tail, self._buffer, self._left = 0, b"", b"", False

    @property
    def place(self) -> Place:
        """The place behind the last line that was handed over."""
        if self._descriptor < 0:
            return NOWHERE
        found = os.fstat(self._descriptor)
        return Place(found.st_dev, found.st_ino, self._offset, _digest(self._tail))

    def line(self) -> Line | None:
        """The next complete line; None when there is none now. Raises OSError when the log cannot be read."""
        while True:
            if self._descriptor < 0:
                self._open(self.path)
                if self._descriptor < 0:
                    return None
            end = self._buffer.find(b"\n")
            if end < 0 and len(self._buffer) < CHUNK and self._fill():
                continue
            if end >= 0 or len(self._buffer) >= CHUNK:
                return self._take(end + 1 or CHUNK)
            if not self._moved():
                self._left = False
                return None
            # Whoever opened the file before it was moved away may still write: it gets until the next poll.
            if not self._left:
                self._left = True
                return None
            following = self._following()
            if not following:
                return None
            last = self._take(len(self._buffer)) if self._buffer else None
            self.close()
            self._open(following)
            if last:
                return last

    def head(self) -> str:
        """How the file begins, "" without one. The daemon tells there how often it looks."""
        return os.pread(self._descriptor, _ENDS, 0).decode("utf-8", "replace") if self._descriptor >= 0 else ""

    def zone(self) -> float | None:
        """FOG's time zone against UTC in seconds, by the log's last stamp and the file's time; None unknown."""
        if self._descriptor < 0:
            return None
        found = os.fstat(self._descriptor)
        text = os.pread(self._descriptor, _ENDS, max(0, found.st_size - _ENDS)).decode("utf-8", "replace")
        return log.zone_offset([log.parse_line(line.strip()) for line in text.splitlines()], found.st_mtime)

    def _take(self, size: int) -> Line:
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        line = Line(data.decode("utf-8", "surrogateescape").rstrip("\r\n"), self._offset, self._tail)
        self._tail = (self._tail + data)[-TAIL:]
        self._offset += size
        return line

    def _fill(self) -> bool:
        """Read on; whether that brought anything. A file that has other bytes before the place was cut."""
        known = len(self._buffer)
        data = self._ahead()
        if data[: len(self._tail)] != self._tail:
            self._after_cut()
            known = 0
            data = self._ahead()
        self._buffer = data[len(self._tail) :]
        return len(self._buffer) > known

    def _ahead(self) -> bytes:
        return os.pread(self._descriptor, len(self._tail) + CHUNK, self._offset - len(self._tail))

    def _after_cut(self) -> None:
        """Go on in the copy that was made before the file was cut, or else at the file's beginning."""
        for path, _found in self._rotated():
            descriptor = _opened(path)
            if descriptor >= 0 and _before(descriptor, self._offset) == self._tail:
                os.close(self._descriptor)
                self._descriptor = descriptor
                return
            if descriptor >= 0:
                os.close(descriptor)
        self._offset, self._tail = 0, b""

    def _moved(self) -> bool:
        mine = os.fstat(self._descriptor)
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        return (found.st_dev, found.st_ino) != (mine.st_dev, mine.st_ino)

    def _following(self) -> str:
        """The file that came after the open one: one that was rotated in the meantime, or the path's; "" none yet."""
        written = os.fstat(self._descriptor).st_mtime_ns
        rotated = sorted((found.st_mtime_ns, path) for path, found in self._rotated())
        newer = [path for when, path in rotated if when > written]
        return newer[0] if newer else self.path if os.path.exists(self.path) else ""

    def _find(self, place: Place) -> None:
        """Open the file of a place: the one with its inode, or else one with its bytes (a copy, or after a reboot).

        A file with the inode and other bytes was cut, or came when the inode was free again: nothing of it was read.
        Where there is neither, the file of the path is read from its beginning.
        """
        known = []
        for path in (self.path, *(path for path, _found in self._rotated())):
            descriptor = _opened(path)
            if descriptor < 0:
                continue
            found = os.fstat(descriptor)
            before = _before(descriptor, place.offset)
            same = (found.st_dev, found.st_ino) == place[:2]
            read = place.offset > 0 and _digest(before) == place.tail
            os.close(descriptor)
            if same or read:
                known.append((same and read, read, path, before if read else b""))
        if known:
            _both, read, path, before = max(known)
            self._open(path)
            self._offset, self._tail = place.offset if read else 0, before

    def _rotated(self) -> list[tuple[str, os.stat_result]]:
        """The files that were put aside, but for what is none or may not be read: that is lost, and nothing else."""
        path = Path(self.path)
        found = []
        try:
            with os.scandir(path.parent) as entries:
                for entry in entries:
                    name = entry.name
                    if name.startswith(path.name) and _ROTATED.fullmatch(name[len(path.name) :]) and _usable(entry):
                        found.append((entry.path, entry.stat()))
        except (FileNotFoundError, NotADirectoryError):
            return []
        return found

    def _open(self, path: str) -> None:
        """Open a file at its beginning; nothing is open afterwards where there is none."""
        self._descriptor = _opened(path)

    def _to_end(self) -> None:
        """Stand behind the last complete line."""
        size = os.fstat(self._descriptor).st_size
        start = max(0, size - CHUNK)
        end = os.pread(self._descriptor, size - start, start).rfind(b"\n") + 1
        self._offset = start + end if end or not start else size
        self._tail = _before(self._descriptor, self._offset)


def _opened(path: str) -> int:
    """A descriptor of the file; -1 where there is none. Raises OSError where it is no regular file or not readable."""
    try:
        # A log path may hold anything; opening a named pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return -1
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is no regular file")
    return descriptor


def _usable(entry: "os.DirEntry[str]") -> bool:
    return entry.is_file() and os.access(entry.path, os.R_OK, effective_ids=True)


def _before(descriptor: int, offset: int) -> bytes:
    """The bytes before a place, by which its file is known again."""
    return os.pread(descriptor, min(offset, TAIL), max(0, offset - TAIL))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Watches the logs of FOG servers for the event source ``fog_multicast_log``: options, logs, and what is kept of them.

How far each log was read and what it has told so far stand in one file, which changes as a whole: a watch that goes on
from it neither leaves out a line nor tells a finding again.
"""

import fcntl
import fnmatch
import glob
import json
import logging
import math
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

# Relative: ansible-rulebook has no loader of collections (extensions/eda/plugins/event_source).
from . import _events, _files, _follow

LOG = "/opt/fog/log/multicast.log"
STATE = "/var/lib/imaging-multicast/fog_multicast_log.json"
_VERSION = 1
_LOGS = 1000
#: Seconds after which a log that a pattern no longer finds is forgotten.
_FORGET = 24 * 3600.0
#: Lines read before others get their turn.
_TURN = 500
# A host name ends up in the limit of a playbook, where some names mean more than one host.
_HOST = re.compile(r"(?!(?:all|ungrouped)\Z)[A-Za-z0-9_][A-Za-z0-9_.-]{0,253}")
# What ansible-rulebook takes or adds itself.
_NOT_OURS = frozenset(("feedback", "eda_feedback_queue"))

logger = logging.getLogger(__name__)


class Options(NamedTuple):
    """The arguments of the event source, checked."""

    paths: tuple[str, ...]
    host: str
    host_pattern: "re.Pattern[str] | None"
    state: str
    poll: float
    wishes: _events.Wishes


def options(args: Mapping[str, Any]) -> Options:
    """Check the arguments. Raises ValueError with one sentence that names the argument and says what it takes."""
    given = {name: value for name, value in args.items() if value is not None and name not in _NOT_OURS}
    known = {"path", "host", "host_pattern", "state", "poll", *_events.Wishes._fields}
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"there is no argument {', '.join(unknown)}; there are: {', '.join(sorted(known))}")
    paths = _texts(given, "path", [LOG])
    if not paths or not all(os.path.isabs(path) for path in paths):
        raise ValueError(f"path is {given.get('path')!r}: give an absolute path or pattern, or a list of them")
    pattern = None
    if "host_pattern" in given:
        try:
            pattern = re.compile(given["host_pattern"])
        except (re.error, TypeError) as error:
            raise ValueError(f"host_pattern is {given['host_pattern']!r}, no regular expression: {error}") from None
        if "host" not in pattern.groupindex:
            raise ValueError(f"host_pattern is {pattern.pattern!r}: it needs a group (?P<host>...)")
        if "host" in given:
            raise ValueError("host and host_pattern exclude each other")
    elif len(paths) > 1 or glob.has_magic(paths[0]):
        raise ValueError("several logs need host_pattern, which takes the host's name out of each path")
    state = given.get("state", STATE)
    if not isinstance(state, str) or not os.path.isabs(state):
        raise ValueError(f"state is {state!r}: give the absolute path of a file that may be made")
    ignore = frozenset(_texts(given, "ignore", []))
    if not ignore <= _events.IDS:
        strange = ", ".join(sorted(ignore - _events.IDS))
        raise ValueError(f"ignore names {strange}; the log can tell of {', '.join(sorted(_events.IDS))}")
    defaults = _events.Wishes()
    wishes = _events.Wishes(
        stale_after=_number(given, "stale_after", defaults.stale_after),
        silent_after=_number(given, "silent_after", defaults.silent_after),
        repeat_after=_number(given, "repeat_after", defaults.repeat_after),
        cool_down=_number(given, "cool_down", defaults.cool_down),
        max_per_hour=int(_number(given, "max_per_hour", defaults.max_per_hour)),
        ignore=ignore,
    )
    poll = _number(given, "poll", 1.0)
    if poll < 0.1:
        raise ValueError(f"poll is {poll:g}: give at least 0.1 seconds")
    made = Options(tuple(paths), str(given.get("host", socket.gethostname())), pattern, state, poll, wishes)
    for path in made.paths:
        if not glob.has_magic(path):
            host_of(path, made)
    return made


def host_of(path: str, given: Options) -> str:
    """The name of a log's host in the inventory. Raises ValueError where it is none that a playbook can be run on."""
    host, told = given.host, "host"
    if given.host_pattern:
        found = given.host_pattern.search(path)
        host, told = (found["host"] or "") if found else "", f"{path}: what host_pattern takes out of it"
    if not _HOST.fullmatch(host):
        raise ValueError(f"{told} is {host!r}, which is no name of one host in an inventory")
    return host


def _texts(given: Mapping[str, Any], name: str, default: list[str]) -> list[str]:
    value = given.get(name, default)
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"{name} is {value!r}: give a text or a list of texts")
    return list(texts)


def _number(given: Mapping[str, Any], name: str, default: float) -> float:
    value = given.get(name, default)
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise ValueError(f"{name} is {value!r}: give a number, 0 or more")
    return number


class Watch:
    """The logs, followed from where the state file says. Raises ValueError or OSError where that cannot be used.

    ``clock`` gives the time in seconds since 1970.
    """

    def __init__(self, given: Options, clock: Callable[[], float] = time.time) -> None:
        self._given = given
        self._clock = clock
        self._logs: dict[str, tuple[_follow.Follower, _events.Diary]] = {}
        self._strange: set[str] = set()
        self._unreadable: set[str] = set()
        os.makedirs(os.path.dirname(given.state), mode=0o700, exist_ok=True)
        self._lock = _locked(given.state + ".lock")
        try:
            self._written = _read(given.state)
            self._begin()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the logs and of the state file; what was not committed is forgotten."""
        for follower, _diary in self._logs.values():
            follower.close()
        self._logs.clear()
        os.close(self._lock)

    def poll(self) -> Iterator[dict[str, Any] | None]:
        """What the logs have to tell now, an event at a time; None where others may have their turn.

        After each one :meth:`commit` says that it has arrived. Not more is read ahead than one event needs.
        """
        self._look()
        for follower, diary in list(self._logs.values()):
            for number, line in enumerate(self._lines(follower), 1):
                event = diary.hear(line.text, line.key, self._clock(), follower.zone)
                if event:
                    yield event
                if number % _TURN == 0:
                    yield None
            event = diary.silence(self._clock())
            if event:
                yield event

    def commit(self) -> None:
        """Keep how far everything was read and what was told."""
        logs = {
            path: {"place": list(follower.place), "diary": diary.as_dict()}
            for path, (follower, diary) in self._logs.items()
        }
        text = json.dumps({"version": _VERSION, "logs": logs, "runs": self._gate.runs})
        if text != self._written:
            _files.replace(self._given.state, text.encode(), 0o600)
            self._written = text

    def _begin(self) -> None:
        first = not self._written
        try:
            kept: Any = json.loads(self._written) if self._written else {"version": _VERSION, "logs": {}, "runs": []}
            if kept["version"] != _VERSION:
                raise ValueError(f"its version is {kept['version']!r}")
            self._gate = _events.Gate(self._given.wishes, kept["runs"])
            for path, entry in kept["logs"].items():
                if self._wanted(path):
                    place = _follow.Place.of(entry["place"])
                    diary = self._diary(path)
                    diary.restore(entry["diary"])
                    self._logs[path] = (_follow.Follower(path, place), diary)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{self._given.state} is no state of this event source ({error}). Move it away to begin anew at the "
                "ends of the logs."
            ) from None
        self._look(first)

    def _wanted(self, path: str) -> bool:
        # A log that is not there now may just have been rotated, so the pattern decides and not what it finds.
        return any(path == pattern or fnmatch.fnmatchcase(path, pattern) for pattern in self._given.paths)

    def _look(self, first: bool = False) -> None:
        """Take up logs that are new. With ``first``, what stands in them already is not told."""
        seen = set()
        for pattern in self._given.paths:
            for path in sorted(glob.glob(pattern, recursive=True)) if glob.has_magic(pattern) else [pattern]:
                seen.add(path)
                if path in self._logs or path in self._strange:
                    continue
                try:
                    if len(self._logs) >= _LOGS:
                        raise ValueError(f"{path}: {_LOGS} logs are followed already")
                    diary = self._diary(path)
                except ValueError as error:
                    # A log that another machine sent: its name must not stop the watch over the others.
                    self._strange.add(path)
                    logger.warning("%s; this log is left out", error)
                    continue
                follower = _follow.Follower(path, None if first else _follow.NOWHERE)
                diary.begin(follower.head())
                self._logs[path] = (follower, diary)
        self._strange &= seen
        for path, (follower, diary) in list(self._logs.items()):
            if path not in seen and self._clock() - diary.heard > _FORGET:
                follower.close()
                del self._logs[path]

    def _lines(self, follower: _follow.Follower) -> Iterator[_follow.Line]:
        """The lines there are now. A log that cannot be read just now has none: its silence will be told."""
        try:
            yield from iter(follower.line, None)
            self._unreadable.discard(follower.path)
        except OSError as error:
            if follower.path not in self._unreadable:
                logger.warning("%s cannot be read: %s", follower.path, error.strerror or error)
            self._unreadable.add(follower.path)

    def _diary(self, path: str) -> _events.Diary:
        return _events.Diary(path, host_of(path, self._given), self._given.wishes, self._gate, self._clock())


def _locked(path: str) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ValueError(f"{path} is held by another ansible-rulebook: give each one a state file of its own") from None
    return descriptor


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""

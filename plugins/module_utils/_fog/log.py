# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: FOG's logs: multicast.log, multicast.log.udpcast.N and servicemaster.log (facts/fog.md section 2)."""

import datetime
import errno
import functools
import os
import re
import stat
import time
from typing import Dict, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Tuple

#: Bytes read from the end of multicast.log, of each udpcast log and of servicemaster.log.
TAIL = 256 * 1024
SENDER_TAIL = 64 * 1024
#: How many udpcast logs are read, newest first, where no session is named, and how many exits are kept.
SENDER_LOGS = 64
EXITS = 5

#: Kinds of lines: (kind, what the text after "Task ID: N Name: X" or after the stamp looks like). The group in
#: parentheses is the line's detail. facts/fog.md section 2; the first that fits counts.
KINDS: Tuple[Tuple[str, str], ...] = (
    # healthy, of a session
    ("new", r"is new"),
    ("image_found", r"image file found, file: (.*)"),
    ("clients", r"([0-9]+) clients? found"),
    ("port", r"sending on base port (\S+)"),
    ("started", r"has started"),
    ("running", r"is already running with pid: ([0-9]+)"),
    ("completed", r"has been completed"),
    ("killed", r"has been killed"),
    ("now_completed", r"is now completed"),
    ("cancelled", r"has been cancelled"),
    ("now_cancelled", r"is now cancelled"),
    ("queued", r"(?:has been|is now) queued|Task state has been updated, now the task is queued!"),
    # broken, of a session
    ("not_running", r"is no longer running"),
    ("bad_port", r"failed to execute, port must be even and numeric"),
    ("image_missing", r"failed to execute, image file: ?(.*?) ?not found on this node"),
    ("no_clients", r"failed to execute, there are no clients included"),
    ("not_started", r"failed to start"),
    ("no_slots", r"No open slots"),
    ("no_tasks_associated", r"Task not created as there are no associated tasks"),
    # healthy, of the daemon
    ("command", r"\| Command: (.*)"),
    ("idle", r"\* No new tasks found"),
    ("interface_ready", r"Interface Ready with IP Address: (\S+)"),
    ("starting", r"\* Starting (\S+) Service"),
    ("interval", r"\* Checking for new items every ([0-9]+) seconds?"),
    ("loop", r"\* Starting service loop"),
    ("interface_ignored", r"\| Ignoring configured interface (.*)"),
    # broken, of the daemon
    ("not_master", r"\| This is not the master node"),
    ("interface_waiting", r"Interface not ready, waiting for it to come up: (.*)"),
    ("no_sender_binary", r"\* Unable to locate udp-sender!?\.?"),
    ("no_image_path", r"\| Unable to find image path"),
    ("disabled", r"\* Multicast service is globally disabled"),
    ("database_waiting", r"FOGService: MulticastManager - Waiting for mysql to be available.*"),
)
#: A line of none of the kinds above, and one of the banner at the start of the log.
OTHER, BANNER = "other", "banner"
#: Lines with which the daemon keeps a session until a slot is free. FOG writes them once and then waits in silence.
QUEUED = frozenset(("queued", "no_slots"))
#: Lines that show that the daemon, just then, took a session up, kept it for later, or saw its sender run.
LIFE = QUEUED | {"new", "image_found", "clients", "port", "started", "running", "completed", "now_completed"}

_KINDS = tuple((kind, re.compile(rf"(?:{pattern})\Z", re.DOTALL)) for kind, pattern in KINDS)
_STAMP = re.compile(
    r"\[([0-9]{1,2})-([0-9]{1,2})-([0-9]{2}) ([0-9]{1,2}):([0-9]{2}):([0-9]{2}) ([aApP])[mM]\] ?(.*)\Z", re.DOTALL
)
_SESSION = re.compile(r"\|? ?Task ID: ([0-9]{1,18}) Name: (.*)\Z", re.DOTALL)
_EXIT = re.compile(r"FOGMulticastManager child process \([0-9]+\) exited")
_SENDER_ERRORS = re.compile(
    r"No suitable network interface found|Address already in use|No such (?:file|device)|Cannot assign requested"
    r"|Network is (?:unreachable|down)|Permission denied|Operation not permitted|Input/output error",
    re.IGNORECASE,
)
_QUARTER = 15 * 60
_HOUR = 3600
_EPOCH = datetime.date(1970, 1, 1)


class Line(NamedTuple):
    """One line of multicast.log.

    ``stamp`` is its time as naive seconds: its digits, in FOG's own time zone, as if they were UTC. None without one.
    ``kind`` is a word of :data:`KINDS`; ``session`` is msID ("Task ID" in the text), ``detail`` the variable part.
    """

    stamp: Optional[float]
    kind: str
    session: Optional[int]
    detail: str
    text: str


class SenderLog(NamedTuple):
    """What udp-sender wrote for one session (multicast.log.udpcast.<msID>)."""

    session: int
    age: float  # seconds since last written
    connections: int
    complete: int  # how many files were sent completely
    errors: Tuple[str, ...]  # e.g. "No suitable network interface found", "Address already in use"


class Logs(NamedTuple):
    """The tail of the logs. Ages are in seconds by the host's clock, from file times; never negative."""

    path: str
    exists: bool
    age: Optional[float]
    size: int
    lines: Tuple[Line, ...]  # the tail, oldest first, bounded
    offset: Optional[float]  # FOG's time zone against UTC in seconds (last stamp minus file time), None unknown
    alive: Mapping[int, float]  # msID -> age in seconds of its last line that shows life
    last_command: str  # the last "| Command:" line's command, "" none
    senders: Tuple[SenderLog, ...]
    exits: Tuple[str, ...]  # the last lines of servicemaster.log that tell of a child's exit
    error: str = ""


def read_logs(
    folder: str,
    name: str = "multicast.log",
    master: str = "servicemaster.log",
    sessions: Optional[Sequence[int]] = None,
) -> Logs:
    """Read the tails of the logs; nothing is raised.

    :param sessions: whose udpcast logs are read, all of them; None reads the newest :data:`SENDER_LOGS`.
    """
    path = os.path.join(folder, name)
    now = time.time()
    errors: List[str] = []
    tail = _tail(path, TAIL, errors)
    lines = parse_lines(tail.text) if tail else ()
    age = max(0.0, now - tail.written) if tail else None
    return Logs(
        path=path,
        exists=tail is not None,
        age=age,
        size=tail.size if tail else 0,
        lines=lines,
        offset=zone_offset(lines, tail.written) if tail else None,
        alive=signs_of_life(lines, age or 0.0),
        last_command=next((line.detail for line in reversed(lines) if line.kind == "command"), ""),
        senders=_sender_logs(folder, name, sessions, now, errors),
        exits=_exits(os.path.join(folder, master), errors),
        error=" ".join(errors),
    )


def parse_lines(text: str) -> Tuple[Line, ...]:
    """The lines of a log, blank ones left out."""
    return tuple(parse_line(line) for line in re.split(r"\r?\n", text) if line.strip())


def parse_line(text: str) -> Line:
    """One line of multicast.log, without its line end."""
    match = _STAMP.match(text)
    stamp = _seconds(match.groups()[:7]) if match else None
    kind, session, detail = _classify((match.group(8) if match else text).strip())
    return Line(stamp, kind, session, detail, text)


@functools.lru_cache(maxsize=1024)
def _classify(body: str) -> Tuple[str, Optional[int], str]:
    """Kind, session and detail of a line without its stamp; a log repeats the same few lines."""
    session = None
    match = _SESSION.match(body)
    bodies: Iterable[str] = (body,)
    if match:
        session = int(match.group(1))
        # The name comes first and may hold blanks, so every word may be the first one after it.
        named = match.group(2)
        bodies = (named[blank.end() :] for blank in re.finditer(" +", named))
    for candidate in bodies:
        for kind, pattern in _KINDS:
            found = pattern.match(candidate)
            if found:
                return kind, session, (found.group(1) if pattern.groups else "").strip()
    return (BANNER if body.startswith("=") and body.endswith("=") else OTHER), session, ""


def _seconds(parts: Sequence[str]) -> Optional[float]:
    hour, minute, second = (int(part) for part in parts[3:6])
    midnight = _midnight(parts[0], parts[1], parts[2])
    if midnight is None or not 1 <= hour <= 12 or minute > 59 or second > 59:
        return None
    return float(midnight + (hour % 12 + (12 if parts[6] in "pP" else 0)) * _HOUR + minute * 60 + second)


@functools.lru_cache(maxsize=64)
def _midnight(month: str, day: str, year: str) -> Optional[int]:
    try:
        return (datetime.date(2000 + int(year), int(month), int(day)) - _EPOCH).days * 24 * _HOUR
    except ValueError:
        return None


def zone_offset(lines: Sequence[Line], written: float) -> Optional[float]:
    """FOG's time zone against UTC in seconds: the last stamp minus the file's time, to the quarter of an hour.

    None without a stamp, and where the rest is more than 5 minutes or the zone more than 14 hours: then a clock
    jumped in between, or the file was copied.
    """
    last = next((line.stamp for line in reversed(lines) if line.stamp is not None), None)
    if last is None:
        return None
    difference = last - written
    offset = round(difference / _QUARTER) * _QUARTER
    if abs(difference - offset) > 300 or abs(offset) > 14 * _HOUR:
        return None
    return float(offset)


def signs_of_life(lines: Sequence[Line], age: float) -> Dict[int, float]:
    """Session -> age in seconds of its last line that shows life.

    :param age: of the file, which is the age of its last line.

    Only differences between stamps count, so FOG's time zone does not matter. Where the stamps go back, or jump by
    an hour (daylight saving time), no time is taken to have passed: a session rather looks younger than it is.
    """
    alive: Dict[int, float] = {}
    later: Optional[float] = None
    for line in reversed(lines):
        if line.stamp is None:
            continue
        if later is not None:
            passed = max(0.0, later - line.stamp)
            age += max(0.0, passed - _HOUR) if abs(passed - _HOUR) <= 60 else passed
        later = line.stamp
        if line.session is not None and line.kind in LIFE:
            alive.setdefault(line.session, age)
    return alive


def parse_sender_log(session: int, age: float, text: str) -> SenderLog:
    """What udp-sender wrote; it rewrites its progress line with carriage returns."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    errors: List[str] = []
    for line in lines:
        if _SENDER_ERRORS.search(line) and line not in errors:
            errors.append(line)
    return SenderLog(
        session=session,
        age=age,
        connections=sum(line.startswith("New connection from") for line in lines),
        complete=sum(line.startswith("Transfer complete") for line in lines),
        errors=tuple(errors[-20:]),
    )


class _Tail(NamedTuple):
    text: str
    size: int
    written: float  # the file's time


def _tail(path: str, limit: int, errors: List[str]) -> Optional[_Tail]:
    """The last ``limit`` bytes of a file in whole lines; None where there is none. What fails goes to ``errors``."""
    try:
        # A log path may hold anything; opening a named pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno != errno.ENOENT:
            errors.append(f"{path} cannot be read ({error.strerror or error}).")
        return None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            errors.append(f"{path} is no regular file.")
            return None
        start = max(0, found.st_size - limit)
        # One byte more, to know whether the tail begins with a line.
        data = os.pread(descriptor, limit + 1, max(0, start - 1))
        found = os.fstat(descriptor)
    except OSError as error:
        errors.append(f"{path} cannot be read ({error.strerror or error}).")
        return None
    finally:
        os.close(descriptor)
    if start:
        data = data[data.find(b"\n") + 1 :] if b"\n" in data else b""
    return _Tail(data.decode("utf-8", "replace"), found.st_size, found.st_mtime)


def _sender_logs(
    folder: str, name: str, sessions: Optional[Sequence[int]], now: float, errors: List[str]
) -> Tuple[SenderLog, ...]:
    prefix = name + ".udpcast."
    if sessions is None:
        sessions = _newest(folder, prefix, errors)[:SENDER_LOGS]
    logs = []
    for session in sessions:
        tail = _tail(os.path.join(folder, prefix + str(session)), SENDER_TAIL, errors)
        if tail:
            logs.append(parse_sender_log(session, max(0.0, now - tail.written), tail.text))
    return tuple(logs)


def _newest(folder: str, prefix: str, errors: List[str]) -> Sequence[int]:
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                number = entry.name[len(prefix) :]
                if entry.name.startswith(prefix) and re.match(r"[0-9]{1,18}\Z", number):
                    found.append((entry.stat().st_mtime, int(number)))
    except OSError as error:
        if error.errno != errno.ENOENT:
            errors.append(f"The log folder {folder} cannot be read ({error.strerror or error}).")
    return [session for _written, session in sorted(found, reverse=True)]


def _exits(path: str, errors: List[str]) -> Tuple[str, ...]:
    tail = _tail(path, SENDER_TAIL, errors)
    lines = tail.text.splitlines() if tail else []
    return tuple([line.strip() for line in lines if _EXIT.search(line)][-EXITS:])

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What FOG's daemon writes, as events: findings, told once while they last, and whether a run is due for the host.

Pure: no input or output, the time is given. The daemon repeats its trouble with every interval, so what the log tells
is a state that comes and goes, not a list of lines. A log alone proves less than a look at the host: which of several
causes it is, and what may be done, is decided by the playbook that the event starts.
"""

import hashlib
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

# Relative: ansible-rulebook has no loader of collections (extensions/eda/plugins/event_source).
from ..module_utils._catalogue import CATALOGUE
from ..module_utils._findings import Finding, finding
from ..module_utils._fog import log
from ..module_utils._severity import ERROR

SILENT = "fog.log.silent"
_DAEMON = "FOGMulticastManager"
_LOOK = "Run check_multicast on this host: it reads the database and tells which cause it is."
_REFUSED = ("fog.session.unserved", "The daemon does not send {subject}.", "")
#: Kind of a line -> id of the finding, its summary, and the cause where several come into question.
TROUBLE: Mapping[str, tuple[str, str, str]] = {
    "not_master": (
        "fog.node.master_not_local",
        "The daemon says that this host is not the master node.",
        "The master flag is on another host or on none, the node is disabled, or the daemon goes by addresses from "
        "its start.",
    ),
    "interface_waiting": (
        "fog.node.address_not_local",
        "The daemon waits for the address of an enabled storage node to be on this host.",
        "FOG knows another address than this host has, the node is disabled, or the daemon goes by addresses from its "
        "start.",
    ),
    "interface_ignored": ("fog.interface.record_stale", "The daemon ignores the interface FOG has on record.", ""),
    "no_sender_binary": ("fog.sender.missing_binary", "The daemon cannot find udp-sender.", ""),
    "no_image_path": ("fog.image.missing", "The daemon cannot find the image of a session.", ""),
    "image_missing": ("fog.image.missing", "The daemon cannot find the image of {subject}.", ""),
    "disabled": ("fog.service.disabled_globally", "The daemon says that multicast is switched off.", ""),
    "database_waiting": ("fog.db.unreachable", "The daemon waits for the database.", ""),
    "not_running": ("fog.session.stale", "{subject} is not sent, and has shown no life for {seconds:.0f} s.", ""),
    "bad_port": _REFUSED,
    "no_clients": _REFUSED,
    "not_started": _REFUSED,
    "no_tasks_associated": _REFUSED,
}
# A session's name is free text, and one that reads like such a line is none.
_OF_DAEMON = (
    "not_master",
    "interface_waiting",
    "interface_ignored",
    "no_sender_binary",
    "no_image_path",
    "disabled",
    "database_waiting",
)
IDS = frozenset((SILENT, *(entry[0] for entry in TROUBLE.values())))
_ERRORS = frozenset(each for each in IDS if CATALOGUE[each].severity == ERROR)
# What a daemon that looks for sessions has no more of; it writes no line of these beside one of those (recorded logs).
_WORKS = log.LIFE | {"idle"}
_ENDED = ("not_master", "interface_waiting", "no_sender_binary", "disabled", "database_waiting")
_OVER = frozenset(("completed", "now_completed", "killed", "cancelled", "now_cancelled"))
#: Seconds of the log's own time after which trouble that is not repeated is over, and intervals of the daemon.
_CALM = 60.0
_INTERVALS = 3
_DEFAULT_INTERVAL = 10.0
_HOUR = 3600.0
# How much of what a log says is kept; far more than a host can have at a time.
_MOST = 256
_TEXT = 1000

#: Why an event starts no run.
COOL_DOWN, CAP, SEVERITY = "cool-down", "cap", "severity"


class Wishes(NamedTuple):
    """The options that decide; all but ``max_per_hour`` and ``ignore`` are seconds."""

    stale_after: float = 1800.0
    silent_after: float = 120.0
    repeat_after: float = _HOUR
    cool_down: float = 600.0
    max_per_hour: int = 6
    ignore: frozenset[str] = frozenset()


class Told(NamedTuple):
    """A finding that was told: the stamp of its last line, when it was told, how often, whether a run was held back."""

    seen: float
    at: float
    times: int
    held: bool


class Gate:
    """When a run is due: at most one per host within the cool-down, and so many per hour for all hosts together."""

    def __init__(self, wishes: Wishes, runs: Any = ()) -> None:
        self._wishes = wishes
        self.runs = [(float(when), str(host)) for when, host in runs]

    def held(self, host: str, now: float) -> str:
        """Why no run is due now, "" when one is. A clock that was set back makes nobody wait longer."""
        self.runs = [(min(when, now), name) for when, name in self.runs]
        self.runs = [run for run in self.runs if now - run[0] < max(_HOUR, self._wishes.cool_down)]
        if any(name == host and now - when < self._wishes.cool_down for when, name in self.runs):
            return COOL_DOWN
        if sum(now - when < _HOUR for when, _name in self.runs) >= self._wishes.max_per_hour:
            return CAP
        return ""

    def admit(self, host: str, now: float) -> str:
        """The same, and a run that is due counts from now on."""
        held = self.held(host, now)
        if not held:
            self.runs.append((now, host))
        return held


class Diary:
    """What one log has told so far. ``host`` is the name of its host in the inventory."""

    def __init__(self, path: str, host: str, wishes: Wishes, gate: Gate, now: float) -> None:
        self.path = path
        self.host = host
        self._wishes = wishes
        self._gate = gate
        self.heard = now  # when the last line was read
        self._interval = _DEFAULT_INTERVAL
        self._told: dict[str, Told] = {}
        self._alive: dict[str, float] = {}  # session -> stamp of its last sign of life

    def as_dict(self) -> dict[str, Any]:
        """The diary as plain data."""
        told = {key: list(entry) for key, entry in self._told.items()}
        return {"heard": self.heard, "interval": self._interval, "told": told, "alive": dict(self._alive)}

    def restore(self, data: Any) -> None:
        """Take up what :meth:`as_dict` gave. Raises ValueError, KeyError or TypeError where it is something else.

        Whether a run that was due came to its end, nobody knows any more: it counts as held back, and so comes again
        after the cool-down, if the daemon still complains.
        """
        self.heard, self._interval = float(data["heard"]), float(data["interval"])
        self._alive = {str(session): float(stamp) for session, stamp in data["alive"].items()}
        self._told = {
            str(key): Told(float(seen), float(at), int(times), bool(held) or key.split(" ")[0] in _ERRORS)
            for key, (seen, at, times, held) in data["told"].items()
        }

    def hear(self, text: str, key: str, now: float, zone: Callable[[], float | None]) -> dict[str, Any] | None:
        """The event a line gives, if any.

        :param key: what tells the line from all others of this log, over restarts too.
        :param zone: tells FOG's time zone against UTC in seconds; None takes ``now`` for the time of the event.
        """
        self.heard = now
        self._told.pop(_key(SILENT, _DAEMON), None)
        # rsyslog puts a blank before what it hands on.
        line = log.parse_line(text.strip())
        if line.stamp is None:
            return None
        self._learn(line)
        if line.kind in _WORKS:
            for kind in _ENDED:
                self._told.pop(_key(TROUBLE[kind][0], _DAEMON), None)
        found = self._found(line)
        if found is None or found.id in self._wishes.ignore:
            return None
        return self._tell(found, line.stamp, key, now, zone)

    def begin(self, head: str) -> None:
        """Learn how often the daemon looks from the beginning of a log that is not read otherwise."""
        for text in head.splitlines():
            self._learn(log.parse_line(text.strip()))

    def silence(self, now: float) -> dict[str, Any] | None:
        """The event that comes when the log has been silent for too long."""
        self.heard = min(self.heard, now)  # the clock was set back
        silent = now - self.heard
        allowed = max(self._wishes.silent_after, _INTERVALS * self._interval)
        if silent < allowed or SILENT in self._wishes.ignore:
            return None
        said = f"{self.path} has no new line since {_iso(self.heard)}."
        evidence = [f"the daemon looks every {self._interval:.0f} s; silence of {allowed:.0f} s is allowed"]
        cause = "The daemon was stopped, its child is dead or hangs, or it cannot write its log."
        found = finding(SILENT, _DAEMON, said, evidence, cause=cause, repair=_LOOK)
        return self._tell(found, now, f"silent since {self.heard:.0f}", now, lambda: 0.0)

    def _learn(self, line: log.Line) -> None:
        if line.kind == "interval" and line.stamp is not None:
            self._interval = min(float(line.detail), _HOUR)

    def _found(self, line: log.Line) -> Finding | None:
        session = str(line.session)
        silent = 0.0
        if line.session is not None and line.stamp is not None:
            if line.kind in log.LIFE or line.kind == "not_running":
                if line.kind in log.LIFE or session not in self._alive:
                    self._alive.pop(session, None)
                    self._alive[session] = line.stamp
                silent = line.stamp - self._alive[session]
            if line.kind in _OVER:
                self._alive.pop(session, None)
            _forget(self._alive)
        if line.kind not in TROUBLE or (line.kind in _OF_DAEMON and line.session is not None):
            return None
        if line.kind == "not_running" and (line.session is None or silent < self._wishes.stale_after):
            return None
        name, summary, cause = TROUBLE[line.kind]
        subject = f"session {session}" if line.session is not None else _DAEMON
        said = summary.format(subject=subject, seconds=silent)
        evidence = (f"{self.path}: {_shown(line.text)}",)
        made = finding(name, subject, said[:1].upper() + said[1:], evidence)
        return made._replace(cause=cause, repair=_LOOK) if cause else made

    def _tell(
        self, found: Finding, stamp: float, key: str, now: float, zone: Callable[[], float | None]
    ) -> dict[str, Any] | None:
        name = _key(found.id, found.subject)
        known = self._told.pop(name, None)
        calm = max(_CALM, _INTERVALS * self._interval)
        if known and found.id != SILENT and stamp - known.seen > calm:
            known = None
        if known:
            known = known._replace(seen=stamp, at=min(known.at, now))
            due = known.held and not self._gate.held(self.host, now)
            if not due and now - known.at < self._wishes.repeat_after:
                self._told[name] = known
                return None
        held = self._gate.admit(self.host, now) if found.severity == ERROR else SEVERITY
        times = known.times + 1 if known else 1
        self._told[name] = Told(stamp, now, times, held in (COOL_DOWN, CAP))
        _forget(self._told)
        offset = zone()
        meta = {
            "host": self.host,
            "hosts": self.host,
            "when": _iso(now if offset is None else stamp - offset),
            "uuid": _uuid(self.host, self.path, name, key, str(times)),
            "path": self.path,
            "run": not held,
            "held": held,
        }
        return dict(found.as_dict(), meta=meta)


def _key(found: str, subject: str) -> str:
    return f"{found} {subject}"


def _uuid(*parts: str) -> str:
    """The same parts give the same id: who hands an event on a second time can be told from one who tells another."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()
    return str(uuid.UUID(bytes=digest[:16], version=5))


def _forget(kept: dict[str, Any]) -> None:
    while len(kept) > _MOST:
        del kept[next(iter(kept))]


def _shown(text: str) -> str:
    # Bytes that are no UTF-8 stand as surrogates in the text, and no JSON takes those.
    return text.encode("utf-8", "replace").decode("utf-8")[:_TEXT]


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, timezone.utc).isoformat(timespec="seconds")

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose, the sessions: which are stale, which wait in vain. Pure.

Stale needs proof (facts/fog.md section 3): no sender, no sign of life, and this host alone is the one that serves the
session. Whatever cannot be proven is left alone.
"""

import posixpath
import re
from typing import Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

from .._findings import Finding, finding
from .._severity import INFO
from .database import ACTIVE, LIMIT, Association, Session, Task
from .diagnose_nodes import (
    answerable_groups,
    group_of,
    group_subject,
    is_full_server,
    masters_of,
    own_masters,
    served_groups,
    told,
)
from .log import BANNER, OTHER, QUEUED
from .processes import Process, Sender
from .snapshot import Snapshot

STALE_AFTER = 1800.0
#: How far, in seconds, a time may lie in the future before it contradicts the clock.
TOLERANCE = 60.0
#: What the daemon writes when it cannot go on, by kind of log line.
TROUBLE = (
    "database_waiting",
    "interface_waiting",
    "not_master",
    "no_sender_binary",
    "disabled",
    "no_image_path",
    "no_slots",
    "bad_port",
    "image_missing",
    "not_started",
)
#: States of a session that no daemon has sent yet: just created, and queued.
NEW_STATE, QUEUED_STATE = 0, 1
#: Where FOG sends the output of a session's udp-sender.
SENDER_LOG = re.compile(r"\.udpcast\.([0-9]{1,10})(?: \(deleted\))?\Z")


class Life(NamedTuple):
    """Seconds since the last sign of life, None when unknown or contradictory, and what was seen."""

    age: Optional[float]
    evidence: Tuple[str, ...]


def active_sessions(snapshot: Snapshot) -> Tuple[Session, ...]:
    """The sessions FOG calls active, of every group."""
    return tuple(session for session in snapshot.database.sessions if session.state in ACTIVE)


def sessions_served_here(snapshot: Snapshot) -> Tuple[Session, ...]:
    """The active sessions of the groups that this host alone serves."""
    groups = served_groups(snapshot)
    return tuple(session for session in active_sessions(snapshot) if group_of(snapshot, session) in groups)


def tasks_of(snapshot: Snapshot, session: Session) -> Tuple[Task, ...]:
    """The active multicast tasks of a session."""
    linked = {link.task for link in snapshot.database.associations if link.session == session.id}
    return tuple(task for task in snapshot.database.tasks if task.session == session.id or task.id in linked)


def associations_of(snapshot: Snapshot, session: Session) -> Tuple[Association, ...]:
    """The association rows of a session."""
    return tuple(link for link in snapshot.database.associations if link.session == session.id)


def sender_of(snapshot: Snapshot, session: Session) -> Optional[Sender]:
    """The udp-sender tree of a session.

    The one that writes the session's log, whatever its port (FOG_MULTICAST_PORT_OVERRIDE). Without it a sender on the
    session's port counts, unless its log or its files show that it is another's.
    """
    for sender in snapshot.processes.senders:
        if owner(sender) == session.id:
            return sender
    for sender in snapshot.processes.senders:
        if sender.port == session.port and not is_anothers(snapshot, sender, session):
            return sender
    return None


def sessions_by_sender(snapshot: Snapshot) -> Dict[Optional[Sender], int]:
    """The active session of each udp-sender tree that has one."""
    return {sender_of(snapshot, session): session.id for session in active_sessions(snapshot)}


def session_life(snapshot: Snapshot, session: Session) -> Life:
    """When anything last showed that a session lives: its rows, its tasks' rows, the daemon's log, udp-sender's log."""
    digits: List[float] = []
    evidence: List[str] = []
    if session.started is not None:
        digits.append(session.started)
        evidence.append("created %s" % _ago(snapshot, session.started))
    for task in tasks_of(snapshot, session):
        evidence.append(task_told(snapshot, task))
        digits.extend(times(task))
    signs = []
    if snapshot.processes.error:
        evidence.append(snapshot.processes.error)
    if is_queued(snapshot, session):
        evidence.append("%s: the daemon keeps it queued until a slot is free" % snapshot.logs.path)
    if session.id in snapshot.logs.alive:
        signs.append(snapshot.logs.alive[session.id])
        evidence.append("%s: last sign of life %.0f s ago" % (snapshot.logs.path, signs[-1]))
    for log in snapshot.logs.senders:
        if log.session == session.id:
            signs.append(log.age)
            evidence.append(
                "udp-sender's log: written %.0f s ago, %d connections, %d files sent completely"
                % (log.age, log.connections, log.complete)
            )
            evidence.extend("udp-sender's log: %s" % error for error in log.errors)
    return Life(age_of(snapshot, digits, signs), tuple(evidence))


def is_stale(snapshot: Snapshot, session: Session, stale_after: float = STALE_AFTER) -> bool:
    """Whether it is proven that nothing sends the session and nobody waits for it any more."""
    if not all_seen(snapshot) or snapshot.logs.error or session.state not in ACTIVE:
        return False
    if group_of(snapshot, session) not in served_groups(snapshot) or sender_of(snapshot, session) is not None:
        return False
    if _awaits_joining(snapshot, session):
        return False
    # What was begun has lost its sender. What waits may only have met no daemon yet, unless its image is gone for good.
    waits = session.state in (NEW_STATE, QUEUED_STATE) and session.image_known
    if waits and (is_queued(snapshot, session) or not _is_passed_over(snapshot, session)):
        return False
    age = session_life(snapshot, session).age
    return age is not None and age >= stale_after


def is_queued(snapshot: Snapshot, session: Session) -> bool:
    """Whether the daemon of this host keeps a session waiting until a slot is free, however long that takes.

    FOG says so once and is silent about the session from then on. So one in the state "queued" counts too where nothing
    is said about it and the log does not reach back to the daemon's start.
    """
    waits = session.state in (NEW_STATE, QUEUED_STATE)
    if not waits or not snapshot.processes.children or group_of(snapshot, session) not in served_groups(snapshot):
        return False
    lines = snapshot.logs.lines
    # With one master on this host a daemon that has nothing at all to do keeps nothing for later.
    idle = ("idle",) if len(own_masters(snapshot)) == 1 else ()
    said = [line.kind for line in lines if line.session == session.id or line.kind in idle]
    if said:
        return said[-1] in QUEUED
    begun = any(line.kind == "loop" for line in lines)
    return session.state == QUEUED_STATE and bool(lines) and not begun and not _is_hindered(snapshot, session)


def _is_hindered(snapshot: Snapshot, session: Session) -> bool:
    """Whether the daemon wrote of late what keeps it from taking a session up."""
    written = [line for line in snapshot.logs.lines if line.stamp is not None]
    since = (written[-1].stamp or 0.0) - patience(snapshot) if written else 0.0
    return any(
        line.kind in TROUBLE and line.session in (None, session.id) and (line.stamp or 0.0) >= since for line in written
    )


def _is_passed_over(snapshot: Snapshot, session: Session) -> bool:
    """Whether the daemon demonstrably serves, so that it means something that it does not take a session up.

    Its child lives and has had time to look, its log is fresh and in words that are known, and tells of nothing that
    stands in the way.
    """
    logs, allowed = snapshot.logs, patience(snapshot)
    ages = [child.age for child in snapshot.processes.children]
    if not ages or min(ages) <= allowed or logs.age is None or logs.age > allowed:
        return False
    known = any(line.stamp is not None and line.kind not in (OTHER, BANNER) for line in logs.lines)
    return known and not _is_hindered(snapshot, session)


def session_subject(session: Session) -> str:
    """How findings name a session."""
    return "session %d" % session.id


def port_subject(port: int) -> str:
    """How findings name a port."""
    return "port %d" % port


def first_process(sender: Sender) -> Optional[Process]:
    """The process that has to end first: the shell, because it starts the next file's udp-sender."""
    return sender.shell or sender.process


def pids(sender: Sender) -> str:
    """A sender's process ids as evidence."""
    parts = [("sh", sender.shell), ("udp-sender", sender.process)]
    return ", ".join("%s pid %d" % (name, process.pid) for name, process in parts if process is not None)


def session_findings(snapshot: Snapshot, stale_after: float = STALE_AFTER) -> List[Finding]:
    """What is wrong with the active sessions. The cause of ``unserved`` is filled in later."""
    found = []
    stale: Set[int] = set()
    for session in active_sessions(snapshot):
        if is_stale(snapshot, session, stale_after):
            stale.add(session.id)
            found.append(_stale(snapshot, session))
        else:
            found.extend(_unserved(snapshot, session))
            found.extend(_image_missing(snapshot, session))
            found.extend(_image_deleted(snapshot, session))
    found.extend(_shared_ports(snapshot, stale))
    return found


def sleep_time(snapshot: Snapshot) -> float:
    """The daemon's interval in seconds (MULTICASTSLEEPTIME, FOG's default is 10)."""
    try:
        return max(1.0, float(int(snapshot.database.settings.get("MULTICASTSLEEPTIME", "10"))))
    except ValueError:
        return 10.0


def patience(snapshot: Snapshot) -> float:
    """Seconds the log may be silent: three of the daemon's intervals, and time for a busy host."""
    return max(3 * sleep_time(snapshot), 15.0)


def _stale(snapshot: Snapshot, session: Session) -> Finding:
    life = session_life(snapshot, session)
    summary = "Session %d (%s) is active, nothing sends it, and the last sign of life was %.0f s ago." % (
        session.id,
        session.name or "no name",
        life.age or 0,
    )
    evidence = _told(snapshot, session) + list(life.evidence)
    return finding("fog.session.stale", session_subject(session), summary, evidence)


def _unserved(snapshot: Snapshot, session: Session) -> List[Finding]:
    group = group_of(snapshot, session)
    if group is None or session.started is None or _awaits_joining(snapshot, session):
        return []
    if sender_of(snapshot, session) is not None or is_queued(snapshot, session):
        return []
    waiting = age_of(snapshot, [session.started], [])
    if waiting is None or waiting <= max(3 * sleep_time(snapshot), 60):
        return []
    masters = masters_of(snapshot, group)
    elsewhere = group not in answerable_groups(snapshot)
    # Whether another host's daemon keeps a session queued is not seen here.
    if session.state not in ((NEW_STATE,) if elsewhere else (NEW_STATE, QUEUED_STATE)):
        return []
    if elsewhere and not is_full_server(snapshot):
        return []
    summary = "Session %d (%s) of %s has waited for %.0f s and no daemon takes it up." % (
        session.id,
        session.name or "no name",
        group_subject(snapshot, group),
        waiting,
    )
    evidence = _told(snapshot, session) + list(session_life(snapshot, session).evidence)
    evidence += [told(node) for node in masters] or ["%s has no enabled master node" % group_subject(snapshot, group)]
    if session.port % 2:
        evidence.append("port %d is odd; the daemon takes even ones only" % session.port)
    evidence += ["%s: %s" % (snapshot.logs.path, line.text) for line in snapshot.logs.lines[-3:]]
    made = finding("fog.session.unserved", session_subject(session), summary, evidence)
    if elsewhere and masters:
        # That host judges and cures it; here it is only worth knowing.
        cause = "The daemon of its master, %s, does not take it up." % ", ".join(node.name for node in masters)
        return [made._replace(severity=INFO, cause=cause, repair="Look at that host.")]
    return [made]


def _image_missing(snapshot: Snapshot, session: Session) -> List[Finding]:
    group = group_of(snapshot, session)
    missing = {posixpath.normpath(path) for path in snapshot.missing_images}
    for node in own_masters(snapshot):
        path = posixpath.normpath(posixpath.join(node.root or "/", session.path.lstrip("/")))
        if node.group == group and path in missing:
            summary = "The image of session %d (%s) is not at %s." % (session.id, session.name or "no name", path)
            return [finding("fog.image.missing", session_subject(session), summary, _told(snapshot, session))]
    return []


def sessions_of_deleted_images(snapshot: Snapshot) -> Tuple[Session, ...]:
    """The sessions this host is to serve whose image's row is gone: the daemon's child ends when it meets one."""
    return tuple(session for session in sessions_served_here(snapshot) if not session.image_known)


def _image_deleted(snapshot: Snapshot, session: Session) -> List[Finding]:
    if session not in sessions_of_deleted_images(snapshot):
        return []
    summary = "Image %d of session %d (%s) is in the database no more; the daemon's child ends when it comes to it." % (
        session.image,
        session.id,
        session.name or "no name",
    )
    cause = "The image was deleted in FOG while a session of it was active."
    repair = "Cancel the session in FOG's web interface, or name it in the sessions of fog_multicast_reset."
    told = _told(snapshot, session)
    return [finding("fog.image.missing", session_subject(session), summary, told, cause=cause, repair=repair)]


def _shared_ports(snapshot: Snapshot, stale: Set[int]) -> List[Finding]:
    groups = answerable_groups(snapshot)
    ports: Dict[int, List[Session]] = {}
    for session in active_sessions(snapshot):
        if session.port > 0 and group_of(snapshot, session) in groups:
            ports.setdefault(session.port, []).append(session)
    found = []
    for port, sessions in sorted(ports.items()):
        if len(sessions) < 2:
            continue
        names = ", ".join(str(session.id) for session in sessions)
        summary = "The sessions %s all use port %d." % (names, port)
        evidence = [line for session in sessions for line in _told(snapshot, session)]
        override = snapshot.database.settings.get("FOG_MULTICAST_PORT_OVERRIDE", "")
        evidence.append("setting FOG_MULTICAST_PORT_OVERRIDE: '%s'" % override)
        evidence += ["session %d is proven stale" % session.id for session in sessions if session.id in stale]
        found.append(finding("fog.session.port_shared", port_subject(port), summary, evidence))
    return found


def all_seen(snapshot: Snapshot) -> bool:
    """Whether every active session and task and every process was seen: only then what is not there is missing."""
    database = snapshot.database
    cut = max(len(database.sessions), len(database.tasks)) >= LIMIT
    return not (database.error or cut or snapshot.processes.error)


def owner(sender: Sender) -> Optional[int]:
    """The session that a sender's log is named after, None when it is not FOG's log."""
    match = SENDER_LOG.search(sender.output)
    return None if match is None else int(match.group(1))


def is_anothers(snapshot: Snapshot, sender: Sender, session: Session) -> bool:
    """Whether a sender on a session's port is certainly not that session's."""
    of = owner(sender)
    if of == session.id:
        return False
    if of is not None:
        created = None if session.started is None else age_of(snapshot, [session.started], [])
        older = created is not None and sender.age > created + TOLERANCE
        return older or (bool(sender.files) and not _sends(snapshot, sender, session))
    others = [other for other in active_sessions(snapshot) if other.port == session.port and other.id != session.id]
    return not _sends(snapshot, sender, session) and any(_sends(snapshot, sender, other) for other in others)


def _sends(snapshot: Snapshot, sender: Sender, session: Session) -> bool:
    """Whether a sender's files lie at a session's image path below the root of one of this host's masters."""
    if not session.path:
        return False
    for node in own_masters(snapshot):
        path = posixpath.normpath(posixpath.join(node.root or "/", session.path.lstrip("/")))
        if any(name == path or name.startswith(path.rstrip("/") + "/") for name in sender.files):
            return True
    return False


def _awaits_joining(snapshot: Snapshot, session: Session) -> bool:
    """Whether a session was made for clients that join later: it has a number of clients and none joined yet."""
    early = session.state in (0, 1) and session.session_clients > 0
    return early and not associations_of(snapshot, session) and not tasks_of(snapshot, session)


def times(task: Task) -> List[float]:
    return [digits for digits in (task.created, task.checkin) if digits is not None]


def _offsets(snapshot: Snapshot) -> FrozenSet[float]:
    """The time zones, in seconds against UTC, that FOG may have written the database's times in."""
    fog = snapshot.logs.offset if snapshot.logs.offset is not None else snapshot.offset
    database = snapshot.database.offset
    return frozenset((fog,)) if database is None else frozenset((fog, database))


def age_of(snapshot: Snapshot, digits: Sequence[float], signs: Sequence[float]) -> Optional[float]:
    """Seconds since the youngest of times in the database and ages of logs; None when a clock or zone contradicts."""
    ages = [snapshot.time + offset - written for written in digits for offset in _offsets(snapshot)]
    if (not ages and not signs) or any(age < -TOLERANCE for age in ages):
        return None
    return max(0.0, min(list(ages) + list(signs)))


def _ago(snapshot: Snapshot, digits: float) -> str:
    """A time in the database as evidence, in each zone it may be meant in."""
    ages = sorted(snapshot.time + offset - digits for offset in _offsets(snapshot))
    told_ages = " or ".join("%.0f s" % age for age in ages)
    if ages[0] < -TOLERANCE:
        return "%s ago: it lies in the future, so clock or time zone contradict" % told_ages
    return "%s ago" % told_ages


def task_told(snapshot: Snapshot, task: Task) -> str:
    parts = ["task %d (%s): taskStateID %d" % (task.id, task.name, task.state)]
    if task.created is not None:
        parts.append("created %s" % _ago(snapshot, task.created))
    parts.append("never checked in" if task.checkin is None else "checked in %s" % _ago(snapshot, task.checkin))
    return ", ".join(parts)


def _told(snapshot: Snapshot, session: Session) -> List[str]:
    sender = sender_of(snapshot, session)
    running = "no udp-sender for it on this host" if sender is None else "udp-sender runs (%s)" % pids(sender)
    return [
        "session %d (%s): msState %d, port %d, image path %s"
        % (session.id, session.name or "no name", session.state, session.port, session.path),
        "session %d: %s" % (session.id, running),
    ]

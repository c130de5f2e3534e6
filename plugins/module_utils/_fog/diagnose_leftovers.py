# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose, the leftovers: associations, tasks and senders that belong to no active session. Pure."""

from typing import List, Optional, Tuple

from .._findings import Finding, finding
from .._severity import INFO, WARNING
from .database import ACTIVE, ORPHANS_SAID, Association, Task
from .diagnose_nodes import is_full_server, served_groups
from .diagnose_sessions import (
    STALE_AFTER,
    active_sessions,
    age_of,
    all_seen,
    first_process,
    is_anothers,
    owner,
    pids,
    sleep_time,
    task_told,
    times,
)
from .processes import Sender
from .snapshot import Snapshot

ASSOCIATIONS = "multicastSessionsAssoc"
#: A sender can be an orphan only when it is older than this many of the daemon's intervals, and has written nothing for
#: as long: the daemon ends the sender of a completed session within one. Never less than QUIET_AT_LEAST seconds.
QUIET_INTERVALS = 3
QUIET_AT_LEAST = 5.0
#: How many rows are named one by one as evidence.
NAMED_ROWS = 20


def may(snapshot: Snapshot, right: str, table: str) -> bool:
    """Whether the database user has a right on a table, as far as known."""
    database = snapshot.database
    rights = database.table_privileges.get(table, database.privileges)
    return rights is None or right in rights


def orphan_associations(snapshot: Snapshot, stale_after: float = STALE_AFTER) -> Tuple[Association, ...]:
    """The rows that point at finished or missing sessions, but for those of tasks that may still run."""
    tasks = {task.id: task for task in snapshot.database.tasks}
    found = []
    for link in snapshot.database.associations:
        if link.session_state in ACTIVE:
            continue
        task = tasks.get(link.task)
        left = task is not None and _is_of_this_host(snapshot, task) and _is_old(snapshot, task, stale_after)
        if link.task_state not in ACTIVE or left:
            found.append(link)
    return tuple(found)


def orphan_tasks(snapshot: Snapshot, stale_after: float = STALE_AFTER) -> Tuple[Task, ...]:
    """The active multicast tasks without an active session, of groups this host serves, without a sign of life."""
    active = {session.id for session in snapshot.database.sessions}
    kept = {link.task for link in snapshot.database.associations if link.session_state in ACTIVE}
    return tuple(
        task
        for task in snapshot.database.tasks
        if task.session not in active
        and task.id not in kept
        and _is_of_this_host(snapshot, task)
        and _is_old(snapshot, task, stale_after)
    )


def orphan_senders(snapshot: Snapshot) -> Tuple[Sender, ...]:
    """The trees that no active session uses and that write nothing; those of an unreadable database never count."""
    if not all_seen(snapshot):
        return ()
    return tuple(sender for sender in snapshot.processes.senders if _is_orphan(snapshot, sender))


def is_fogs(sender: Sender) -> bool:
    """Whether FOG's daemon started a sender: its output goes to FOG's log of a session."""
    return owner(sender) is not None


def task_subject(task: Task) -> str:
    """How findings name a task."""
    return "task %d" % task.id


def sender_subject(sender: Sender) -> str:
    """How findings name a sender."""
    first = first_process(sender)
    return "udp-sender of port %d (pid %d)" % (sender.port, first.pid if first is not None else 0)


def leftover_findings(snapshot: Snapshot, stale_after: float) -> List[Finding]:
    """The orphans of each kind."""
    found = []
    links = orphan_associations(snapshot, stale_after)
    if links:
        summary = "%d association rows point at sessions that are finished or gone." % len(links)
        evidence = [
            "msaID %d: session %d %s, task %d %s"
            % (link.id, link.session, _state(link.session_state), link.task, _state(link.task_state))
            for link in links[:NAMED_ROWS]
        ]
        if len(links) > NAMED_ROWS:
            evidence.append("and %d more" % (len(links) - NAMED_ROWS))
        evidence += [cut for cut in snapshot.database.truncated if ORPHANS_SAID in cut]
        made = finding("fog.association.orphan", "multicastSessionsAssoc", summary, evidence)
        if not may(snapshot, "DELETE", ASSOCIATIONS):
            # A storage node's rows pile up by FOG's own design; the FOG server clears them.
            made = made._replace(severity=INFO, repairable=False)
        found.append(made)
    for task in orphan_tasks(snapshot, stale_after):
        summary = "Task %d (%s) is active and belongs to no active session." % (task.id, task.name)
        evidence = [task_told(snapshot, task), "taskNFSGroupID %d, taskNFSMemberID %d" % (task.group, task.node)]
        found.append(finding("fog.task.orphan", task_subject(task), summary, evidence))
    for sender in orphan_senders(snapshot):
        found.append(_orphan_sender(snapshot, sender))
    return found


def _orphan_sender(snapshot: Snapshot, sender: Sender) -> Finding:
    quiet = "unknown" if sender.output_age is None else "%.0f s ago" % sender.output_age
    summary = "A udp-sender runs for port %d, which no active session uses." % sender.port
    evidence = [
        "%s, started %.0f s ago" % (pids(sender), sender.age),
        "--interface %s" % (sender.interface or "not given"),
        "output: %s, last written: %s" % (sender.output or "unknown", quiet),
    ]
    evidence += ["--file %s" % name for name in sender.files[:NAMED_ROWS]]
    evidence += [
        "session %d, udp-sender's log: %s" % (log.session, error)
        for log in snapshot.logs.senders
        for error in log.errors
        if "in use" in error
    ]
    users = [session for session in active_sessions(snapshot) if session.port == sender.port]
    for session in users:
        evidence.append("session %d uses the port too, but this output is another session's" % session.id)
    made = finding("fog.sender.orphan", sender_subject(sender), summary, evidence)
    if not is_fogs(sender) or sender.output_age is None:
        repair = "It is not certain that FOG started it or that it is idle; end it by hand when it is not needed."
        return made._replace(severity=WARNING, repair=repair, repairable=False)
    return made


def _is_orphan(snapshot: Snapshot, sender: Sender) -> bool:
    quiet = max(QUIET_AT_LEAST, QUIET_INTERVALS * sleep_time(snapshot))
    if sender.is_probe or first_process(sender) is None or sender.age < quiet:
        return False
    if sender.output_age is not None and sender.output_age < quiet:
        return False
    active = active_sessions(snapshot)
    users = [session for session in active if session.port == sender.port]
    of = owner(sender)
    if any(session.id == of for session in active) or (users and of is None):
        return False
    return all(is_anothers(snapshot, sender, session) for session in users)


def _is_of_this_host(snapshot: Snapshot, task: Task) -> bool:
    groups = {node.id: node.group for node in snapshot.database.nodes}
    known = set(groups.values()) | set(snapshot.database.groups)
    group = task.group if task.group in known else groups.get(task.node)
    return is_full_server(snapshot) if group is None else group in served_groups(snapshot)


def _is_old(snapshot: Snapshot, task: Task, stale_after: float) -> bool:
    age = age_of(snapshot, times(task), [])
    return age is not None and age >= stale_after


def _state(state: Optional[int]) -> str:
    return "is gone" if state is None else "has state %d" % state

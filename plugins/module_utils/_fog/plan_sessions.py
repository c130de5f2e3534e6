# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, the reset: sessions with their senders and tasks, and what finished ones left behind. Pure.

The order loses nothing when it is cut off (facts/fog.md section 3): sender, tasks, associations, session.
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from .._steps import Plan, RefusedError, Step
from .database import CANCELLED, Association, Session, Task
from .diagnose import write_objection
from .diagnose_leftovers import (
    ASSOCIATIONS,
    is_fogs,
    may,
    orphan_associations,
    orphan_senders,
    orphan_tasks,
)
from .diagnose_nodes import group_of, own_masters
from .diagnose_sessions import (
    STALE_AFTER,
    active_sessions,
    associations_of,
    first_process,
    is_stale,
    pids,
    sender_of,
    session_life,
    sessions_served_here,
    tasks_of,
)
from .plan_base import checked
from .processes import Sender
from .snapshot import Snapshot

STALE = "stale"
CANCEL = "cancel"
#: The value of a field that apply replaces by the moment of the repair.
NOW = "now"


def plan_reset(
    snapshot: Snapshot,
    scope: str = STALE,
    sessions: Sequence[int] = (),
    stale_after: float = STALE_AFTER,
    method: str = CANCEL,
    end_senders: bool = True,
) -> Plan:
    """How to end sessions as FOG's own cancel does, with their senders, and to clear what finished ones left.

    :param scope: ``stale``: the sessions proven stale and all orphans; ``all``: also every other active session that
        this host serves.
    :param sessions: ids of sessions; with them exactly these are ended, live or not.
    :param method: ``cancel``, or ``delete`` for the rows to be deleted.
    """
    objection = write_objection(snapshot)
    if objection:
        return Plan(refusal=objection)
    try:
        chosen, notes = _chosen(snapshot, scope, sessions, stale_after)
    except RefusedError as error:
        return Plan(refusal=str(error))
    steps: List[Step] = []
    ids = {session.id for session in chosen}
    for session in chosen:
        found = "fog.session.stale" if is_stale(snapshot, session, stale_after) else None
        if end_senders:
            steps += _end_of(snapshot, session, ids, found, notes)
        elif sender_of(snapshot, session) is not None:
            notes.append("The udp-sender of session %d keeps running, because end_senders is false." % session.id)
        steps += [_task_step(task, method, found) for task in _only_of(snapshot, session, ids)]
        steps += [_association_step(link, found) for link in associations_of(snapshot, session)]
        steps.append(_session_step(session, method, found))
    if not sessions:
        steps += _orphan_steps(_afterwards(snapshot, chosen, steps), stale_after, method, end_senders, notes)
    return checked(snapshot, Plan(_once(steps), "", tuple(notes)))


def _chosen(
    snapshot: Snapshot, scope: str, wanted: Sequence[int], stale_after: float
) -> Tuple[List[Session], List[str]]:
    """The sessions to end, and notes on those left alone. :raises RefusedError: an id is not that of an active one."""
    active = active_sessions(snapshot)
    notes = list(snapshot.database.truncated)
    if wanted:
        known = {session.id: session for session in active}
        unknown = sorted(set(wanted) - set(known))
        if unknown:
            raise RefusedError(
                "Not active, or not in the database: session %s. Active sessions are: %s."
                % (", ".join(str(number) for number in unknown), ", ".join(str(number) for number in known) or "none")
            )
        chosen = [known[number] for number in sorted(set(wanted))]
        notes += [
            "Session %d is not served by this host, so a udp-sender that sends it elsewhere keeps running." % session.id
            for session in chosen
            if not _is_served(snapshot, session)
        ]
        return chosen, notes
    served = sessions_served_here(snapshot)
    if scope == STALE:
        chosen = [session for session in active if is_stale(snapshot, session, stale_after)]
        for session in served:
            if session not in chosen and sender_of(snapshot, session) is None:
                life = session_life(snapshot, session)
                age = "not known" if life.age is None else "%.0f s ago" % life.age
                notes.append(
                    "Session %d is left alone: it has no udp-sender, but it is not proven stale (last sign of life: "
                    "%s). %s." % (session.id, age, "; ".join(life.evidence) or "no time is recorded")
                )
        return chosen, notes
    chosen = [session for session in active if _is_served(snapshot, session)]
    notes += [
        "Session %d is left alone: this host does not serve it. Name it in sessions to end it too." % session.id
        for session in active
        if session not in chosen
    ]
    return chosen, notes


def _is_served(snapshot: Snapshot, session: Session) -> bool:
    return group_of(snapshot, session) in {node.group for node in own_masters(snapshot)}


def _end_of(
    snapshot: Snapshot, session: Session, chosen: Set[int], found: Optional[str], notes: List[str]
) -> List[Step]:
    sender = sender_of(snapshot, session)
    if sender is None:
        return []
    for other in active_sessions(snapshot):
        if other.id not in chosen and sender_of(snapshot, other) == sender:
            text = "The udp-sender of port %d is left alone: session %d, which is not to be ended, may be its own."
            notes.append(text % (sender.port, other.id))
            return []
    return _sender_steps(sender, found)


def _sender_steps(sender: Sender, found: Optional[str]) -> List[Step]:
    first = first_process(sender)
    if first is None:
        return []
    target = {"port": sender.port, "pid": first.pid, "start": first.start}
    what = "End the udp-sender of port %d" % sender.port
    return [Step("sender.end", what, target, {"processes": pids(sender)}, {"processes": "none"}, found)]


def _only_of(snapshot: Snapshot, session: Session, chosen: Set[int]) -> List[Task]:
    """The session's tasks, without those that also belong to an active session that is not to be ended."""
    kept = {
        task.id for other in active_sessions(snapshot) if other.id not in chosen for task in tasks_of(snapshot, other)
    }
    return [task for task in tasks_of(snapshot, session) if task.id not in kept]


def _task_step(task: Task, method: str, found: Optional[str]) -> Step:
    target, before = {"taskID": task.id}, {"taskStateID": task.state}
    if method == CANCEL:
        what = "Cancel task %d (%s)" % (task.id, task.name)
        return Step("task.cancel", what, target, before, {"taskStateID": CANCELLED}, found)
    return Step("task.delete", "Delete task %d (%s)" % (task.id, task.name), target, before, {}, found)


def _association_step(link: Association, found: Optional[str]) -> Step:
    what = "Delete association %d (session %d, task %d)" % (link.id, link.session, link.task)
    return Step("association.delete", what, {"msaID": link.id}, {"msID": link.session, "tID": link.task}, {}, found)


def _session_step(session: Session, method: str, found: Optional[str]) -> Step:
    before: Dict[str, Any] = {"msState": session.state, "msName": session.name, "msClients": session.clients}
    said = "session %d (%s)" % (session.id, session.name or "no name")
    if method == CANCEL:
        after: Mapping[str, Any] = {"msState": CANCELLED, "msName": "", "msClients": 0, "msCompleteDateTime": NOW}
        return Step("session.cancel", "Cancel %s" % said, {"msID": session.id}, before, after, found)
    return Step("session.delete", "Delete %s" % said, {"msID": session.id}, before, {}, found)


def _afterwards(snapshot: Snapshot, chosen: Sequence[Session], steps: Sequence[Step]) -> Snapshot:
    """The snapshot without what the steps end: what is an orphan then need not wait for another run."""
    gone = {step.target["taskID"] for step in steps if "taskID" in step.target}
    deleted = {step.target["msaID"] for step in steps if "msaID" in step.target}
    database = snapshot.database
    links = tuple(link for link in database.associations if link.id not in deleted)
    return snapshot._replace(
        database=database._replace(
            sessions=tuple(session for session in database.sessions if session not in chosen),
            tasks=tuple(task for task in database.tasks if task.id not in gone),
            associations=tuple(link._replace(task_state=None) if link.task in gone else link for link in links),
        )
    )


def _orphan_steps(
    snapshot: Snapshot, stale_after: float, method: str, end_senders: bool, notes: List[str]
) -> List[Step]:
    steps: List[Step] = []
    for sender in orphan_senders(snapshot):
        if not is_fogs(sender) or sender.output_age is None:
            text = "The udp-sender of port %d (%s) is left alone: it is not certain that it is FOG's and idle."
            notes.append(text % (sender.port, pids(sender)))
        elif end_senders:
            steps += _sender_steps(sender, "fog.sender.orphan")
        else:
            notes.append("The orphaned udp-sender of port %d runs on, because end_senders is false." % sender.port)
    links = orphan_associations(snapshot, stale_after)
    if links and not may(snapshot, "DELETE", ASSOCIATIONS):
        notes.append(
            "%d association rows of finished sessions stay, because the database user may not delete. The FOG server "
            "that holds the database clears them." % len(links)
        )
        links = ()
    # An orphan's association goes first: as long as it is there, the task seems to belong to a session.
    steps += [_association_step(link, "fog.association.orphan") for link in links]
    kept = {link.task for link in snapshot.database.associations} - {link.task for link in links}
    tasks = [task for task in orphan_tasks(snapshot, stale_after) if task.id not in kept]
    return steps + [_task_step(task, method, "fog.task.orphan") for task in tasks]


def _once(steps: Sequence[Step]) -> Tuple[Step, ...]:
    """Each target once: an association may be both a session's and an orphan's."""
    seen: Set[Tuple[str, Tuple[Tuple[str, Any], ...]]] = set()
    kept = []
    for step in steps:
        key = (step.kind, tuple(sorted(step.target.items())))
        if key not in seen:
            seen.add(key)
            kept.append(step)
    return tuple(kept)

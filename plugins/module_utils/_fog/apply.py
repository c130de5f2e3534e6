# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The apply room: carries planned steps out, one at a time, each only while its before-state still holds.

FOG's tables know no transactions (facts/fog.md section 0.4), so every step is safe to be interrupted after, and the
steps of a session stop at the first sign that it came to life between look and act.
"""

from typing import Any, Collection, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Tuple

from .. import _steps
from .._flow import Failure
from .._steps import DONE, SKIPPED, Result, Step
from . import rows
from .backup import Saved, plain, stored
from .control import control
from .database import ACTIVE, DatabaseError, Session, parse_time
from .diagnose_sessions import first_process, owner, sessions_by_sender
from .plan_base import TABLES
from .processes import Sender, read_processes
from .senders import GRACE, end_sender
from .snapshot import Snapshot

# Their rows are never deleted, and hold or may hold secrets: only the columns that change are backed up.
_ONLY_CHANGES = ("node", "setting")
_STATE = {"session": "msState", "task": "taskStateID"}
#: The value of an after-field that stands for the moment of the repair.
NOW = "now"
# A sender that an earlier session left behind is an orphan even where a new session waits for its port.
_ORPHAN_SENDER = "fog.sender.orphan"


class World(NamedTuple):
    """What apply works on.

    ``connection`` is a prepared connection that holds the lock (None where no step needs the database). Sessions in
    ``touched`` may be live, because somebody named them; of all others the first sign of life ends the work on them.
    ``wait`` and ``grace`` are seconds: for the daemon to come up, and for a process to end.
    """

    snapshot: Snapshot
    connection: Any = None
    touched: FrozenSet[int] = frozenset()
    wait: float = 30.0
    grace: float = GRACE


def settle(steps: Sequence[Step], world: World) -> Tuple[Step, ...]:
    """Put the moment of the repair in place of :data:`NOW`, once, so that the backup knows what will be written.

    It is in the zone FOG writes its times in: that of its log, or else the database's own.
    """
    if not any(value == NOW for step in steps for value in step.after.values()):
        return tuple(steps)
    database = world.snapshot.database.offset
    offset = world.snapshot.logs.offset if world.snapshot.logs.offset is not None else database
    query = "SELECT UTC_TIMESTAMP() + INTERVAL %s SECOND AS moment"
    _count, found = rows.execute(world.connection, query, (round(offset or 0),))
    moment = plain(found[0]["moment"])
    return tuple(
        step._replace(after={field: moment if value == NOW else value for field, value in step.after.items()})
        for step in steps
    )


def affected(steps: Sequence[Step], connection: Any) -> List[Saved]:
    """The rows the steps are going to change, as they are now, for the backup. Rows that are gone are left out."""
    saved = []
    for step in steps:
        noun, verb = step.kind.split(".")
        if noun not in TABLES:
            continue
        columns = sorted(step.after) if noun in _ONLY_CHANGES else ()
        key = _key(step)
        row = rows.fetch(connection, TABLES[noun], key, columns)
        if row is not None:
            saved.append(Saved(TABLES[noun], key, row, None if verb == "delete" else dict(step.after)))
    return saved


def carry_out(
    steps: Sequence[Step], world: World, check_mode: bool = False, allowed_gates: Collection[str] = ()
) -> List[Result]:
    """Carry the steps out in their order; in check mode do nothing and say so.

    A step whose gate is not among ``allowed_gates`` is blocked. After a failed step the rest is skipped. Errors that
    can be foreseen become the outcome ``failed`` of their step and are never raised.
    """
    guard = _Guard(world)
    foreseen = (DatabaseError, Failure, OSError)
    return _steps.carry_out(steps, lambda step: _one(step, world, guard), foreseen, check_mode, allowed_gates)


def _one(step: Step, world: World, guard: "_Guard") -> Tuple[str, str]:
    noun, verb = step.kind.split(".")
    objection = guard.objection(step)
    if objection:
        return SKIPPED, objection
    if noun == "service":
        return DONE, control(verb, world.snapshot.service, world.snapshot.logs, world.wait)
    if noun == "sender":
        target = step.target
        reason = end_sender(int(target["port"]), int(target["pid"]), int(target["start"]), world.grace)
    else:
        reason = _write(step, noun, verb, world.connection, guard.may_live(step))
    if reason:
        guard.changed(step, reason)
        return SKIPPED, reason
    return DONE, ""


def _write(step: Step, noun: str, verb: str, connection: Any, may_live: bool) -> str:
    """Change one row; "" when it was changed, otherwise why not."""
    table, key = TABLES[noun], _key(step)
    before: Dict[str, Any] = {column: stored(value) for column, value in step.before.items()}
    after = {column: stored(value) for column, value in step.after.items()}
    if may_live:
        # Somebody asked for this session as it is: only that it is still active matters.
        before = {_STATE[noun]: ACTIVE} if noun in _STATE else {}
    if verb == "restore" and not before:
        try:
            rows.insert(connection, table, after)
        except rows.DuplicateError as error:
            return f"another row holds its place: {error}"
        return ""
    written = (
        rows.delete(connection, table, key, before)
        if verb == "delete"
        else rows.update(connection, table, key, before, after)
    )
    return "" if written else "it changed or went away since it was looked at"


def _key(step: Step) -> Any:
    return step.target[rows.KEYS[TABLES[step.kind.split(".")[0]]]]


class _Guard:
    """Looks for life, immediately before the first step of each session and before each orphan's step."""

    def __init__(self, world: World) -> None:
        database = world.snapshot.database
        self._world = world
        self._sessions: Dict[int, Session] = {session.id: session for session in database.sessions}
        self._senders = {
            _tree(sender): number for sender, number in sessions_by_sender(world.snapshot).items() if sender is not None
        }
        self._tasks = {task.id: task for task in database.tasks}
        self._associations = {link.id: link for link in database.associations}
        self._refused: Dict[int, str] = {}

    def may_live(self, step: Step) -> bool:
        """Whether the step belongs to a session that somebody named."""
        return self._session_of(step) in self._world.touched

    def objection(self, step: Step) -> str:
        """Why the step must not be carried out now; "" when nothing speaks against it."""
        noun, verb = step.kind.split(".")
        if verb == "restore":
            return ""
        number = self._session_of(step)
        if number is None:
            return self._orphan(noun, step)
        if number in self._world.touched:
            return ""
        if number not in self._refused:
            self._refused[number] = self._life(self._sessions[number])
        return self._refused[number]

    def changed(self, step: Step, reason: str) -> None:
        """Remember that a step found another state than the one planned for: nothing more of its session is done."""
        number = self._session_of(step)
        if number is not None and number not in self._world.touched:
            self._refused[number] = f"{step.what}: {reason}"

    def _session_of(self, step: Step) -> Optional[int]:
        """The active session of the snapshot that the step belongs to, None for an orphan."""
        noun = step.kind.split(".")[0]
        number: Optional[int] = None
        if noun == "session":
            number = _key(step)
        elif noun == "association" and _key(step) in self._associations:
            number = self._associations[_key(step)].session
        elif noun == "task" and _key(step) in self._tasks:
            number = self._tasks[_key(step)].session
        elif noun == "sender" and step.finding != _ORPHAN_SENDER:
            number = self._senders.get((int(step.target["pid"]), int(step.target["start"])))
        return number if number in self._sessions else None

    def _orphan(self, noun: str, step: Step) -> str:
        connection = self._world.connection
        if noun == "association" and _key(step) in self._associations:
            number = self._associations[_key(step)].session
            row = rows.fetch(connection, "multicastSessions", number, ("msState",))
            if row is not None and int(row["msState"]) in ACTIVE:
                return f"session {number} is active now"
        elif noun == "task":
            query = "SELECT msID FROM multicastSessionsAssoc WHERE tID = %s LIMIT 1"
            _count, found = rows.execute(connection, query, (_key(step),))
            if found:
                return "it belongs to session {} now".format(found[0]["msID"])
        elif noun == "sender":
            query = "SELECT msID FROM multicastSessions WHERE msBasePort = %s AND msState IN %s"
            _count, found = rows.execute(connection, query, (int(step.target["port"]), ACTIVE))
            fresh = [int(row["msID"]) for row in found if int(row["msID"]) not in self._sessions]
            if fresh:
                return f"session {fresh[0]} uses its port now"
        return ""

    def _life(self, session: Session) -> str:
        """What shows that the session lives, compared with the snapshot; "" when nothing does."""
        row = rows.fetch(
            self._world.connection, "multicastSessions", session.id, ("msState", "msPercent", "msBasePort")
        )
        if row is None:
            return "the session is gone"
        now = (int(row["msState"]), int(row["msPercent"]), int(row["msBasePort"]))
        if now != (session.state, session.percent, session.port):
            return "the session changed since it was looked at"
        query = (
            "SELECT t.taskID, t.taskStateID, t.taskCheckIn FROM multicastSessionsAssoc AS a "
            "JOIN tasks AS t ON t.taskID = a.tID WHERE a.msID = %s AND t.taskStateID IN %s"
        )
        _count, found = rows.execute(self._world.connection, query, (session.id, ACTIVE))
        for task in found:
            known = self._tasks.get(int(task["taskID"]))
            if known is None or known.session != session.id:
                return "task {} joined the session".format(task["taskID"])
            if int(task["taskStateID"]) != known.state or parse_time(task["taskCheckIn"]) != known.checkin:
                return f"task {known.id} showed life"
        seen = {_tree(sender) for sender in self._world.snapshot.processes.senders}
        for sender in read_processes().senders:
            if _tree(sender) not in seen and (sender.port == session.port or owner(sender) == session.id):
                return "a udp-sender for it started"
        return ""


def _tree(sender: Sender) -> Optional[Tuple[int, int]]:
    first = first_process(sender)
    return None if first is None else (first.pid, first.start)

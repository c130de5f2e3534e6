# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of the modules that change something: look, plan, apply under a lock, look again.

Check mode leaves out apply, and with it the lock and the backup; so does a plan whose every step waits for consent.
What writes is imported only once there is a step.
"""

from contextlib import contextmanager
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Dict,
    FrozenSet,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from .._flow import Failure, as_dicts
from .._steps import DONE, PLANNED, Plan, Result, Step, changed, finish
from .diagnose import write_objection
from .options import Options
from .plan import plan_interface, plan_reset, plan_service
from .plan_daemon import RESTART_GATE
from .plan_records import AUTO
from .run import Look, begin, look
from .snapshot import Snapshot

if TYPE_CHECKING:
    from .lock import Waited

Tell = Callable[[str], None]
Planner = Callable[[Snapshot], Plan]

# Which of fog_storage_iface's four things a finding says is wrong.
_WRONG = {
    "fog.interface.record_stale": "record",
    "fog.node.address_not_local": "address",
    "fog.interface.absent": "route",
    "fog.interface.no_route": "route",
    "fog.interface.lookup_bug": "route",
    "fog.node.no_master": "master",
    "fog.node.many_masters": "master",
    "fog.node.master_not_local": "master",
}
_WRONG_ORDER = ("record", "address", "route", "master")


class Done(NamedTuple):
    """What came of a plan: ``before`` and ``after`` are looks at the host, the same one when nothing was done."""

    before: Look
    after: Look
    plan: Plan
    results: List[Result]
    backup_file: Optional[str] = None
    waited: float = 0.0
    holder: Optional[int] = None


def storage_iface(params: Mapping[str, Any], check_mode: bool, tell: Tell) -> Dict[str, Any]:
    """The work of fog_storage_iface: correct this host's node record, and the settings that name an interface."""
    from .view import interfaces

    def planner(snapshot: Snapshot) -> Plan:
        names = [node.name for node in snapshot.database.nodes]
        present = [interface.name for interface in snapshot.network.interfaces]
        wrong = (
            params["node"] not in [None, *names]
            or params["interface"] not in [AUTO, *present]
            or params["address"] not in [None, *snapshot.network.local_addresses]
        )
        return _possible(
            wrong,
            plan_interface(
                snapshot,
                node=params["node"],
                interface=params["interface"],
                address=params["address"],
                master=params["master"],
                update_settings=params["update_settings"],
            ),
        )

    done = _rows(params, check_mode, tell, planner, lambda snapshot: frozenset())
    three = interfaces(done.after.snapshot, params["node"])
    wrong = {_WRONG[finding.id] for finding in done.before.findings if finding.id in _WRONG}
    return _finish_rows(
        done,
        node=three["node"],
        configured_interface=three["configured"],
        effective_interface=three["effective"],
        expected_interface=three["expected"],
        wrong=[word for word in _WRONG_ORDER if word in wrong],
    )


def reset(params: Mapping[str, Any], check_mode: bool, tell: Tell) -> Dict[str, Any]:
    """The work of fog_multicast_reset: end stale sessions and orphans, or put a backup's rows back."""
    if params["restore_from"]:
        return _restore(params, check_mode, tell)

    def planner(snapshot: Snapshot) -> Plan:
        unknown = set(params["sessions"]) - {session.id for session in snapshot.database.sessions}
        return _possible(
            bool(unknown),
            plan_reset(
                snapshot,
                scope=params["scope"],
                sessions=tuple(params["sessions"]),
                stale_after=params["stale_after"],
                method=params["method"],
                end_senders=params["end_senders"],
            ),
        )

    def touched(snapshot: Snapshot) -> FrozenSet[int]:
        named = frozenset(params["sessions"])
        return named if params["scope"] != "all" else named | {session.id for session in snapshot.database.sessions}

    return _finish_reset(_rows(params, check_mode, tell, planner, touched))


def serve(params: Mapping[str, Any], check_mode: bool, _tell: Tell) -> Dict[str, Any]:
    """The work of fog_multicast_service: start, enable or restart the daemon; evidence first."""
    from .view import service

    def plan(seen: Look) -> Plan:
        return plan_service(
            seen.snapshot,
            allow_restart=params["allow_restart"],
            stale_after=params["stale_after"],
            restart=params["restart"],
            master=params["master"],
        )

    options = begin(params)
    before = after = look(params, options)
    planned = plan(before)
    results: List[Result] = []
    evidence: Dict[str, List[str]] = {}
    if planned.steps:
        from .apply import World, carry_out
        from .evidence import collect

        evidence = collect(before.snapshot)
        if not check_mode:
            # Collecting took time: what is done rests on how the host is now.
            before = look(params, options)
            planned = plan(before)
        gates = (RESTART_GATE,) if params["allow_restart"] else ()
        results = carry_out(planned.steps, World(before.snapshot, wait=params["wait"]), check_mode, gates)
        after = before if check_mode else look(params, options)
    return _finish(
        Done(before, after, planned, results),
        before=service(before.snapshot),
        after=service(after.snapshot),
        evidence=evidence,
    )


def _possible(wrong: bool, plan: Plan) -> Plan:
    """The plan. :raises Failure: nothing may be done because the options name what is not there."""
    if wrong and plan.refusal:
        raise Failure(plan.refusal)
    return plan


def _rows(
    params: Mapping[str, Any],
    check_mode: bool,
    tell: Tell,
    planner: Planner,
    touched: Callable[[Snapshot], FrozenSet[int]],
) -> Done:
    options = begin(params)
    before = look(params, options)
    database = before.snapshot.database
    if database.error:
        raise Failure(database.error, {"findings": as_dicts(before.findings)})
    plan = planner(before.snapshot)
    if not plan.steps:
        return Done(before, before, plan, [])
    from .apply import World, affected, carry_out, settle
    from .backup import write_backup

    if check_mode or not _allowed(plan.steps):
        return Done(before, before, plan, carry_out(plan.steps, World(before.snapshot), check_mode))
    with _locked(params, options, tell) as (connection, name, waited):
        # The lock may have been waited for, and others may have worked meanwhile: what counts is how it is now.
        before = look(params, options)
        plan = planner(before.snapshot)
        world = World(before.snapshot, connection, touched(before.snapshot))
        steps = settle(plan.steps, world)
        saved = affected(_allowed(steps), connection)
        backup_file = write_backup(params["backup_dir"], name, saved) if saved else None
        results = carry_out(steps, world)
    return Done(before, look(params, options), plan, results, backup_file, waited.seconds, waited.holder)


def _allowed(steps: Sequence[Step]) -> List[Step]:
    """The steps that wait for no consent: the options of the modules that change rows open no gate."""
    return [step for step in steps if step.gate is None]


def _restore(params: Mapping[str, Any], check_mode: bool, tell: Tell) -> Dict[str, Any]:
    from . import rows
    from .apply import World, carry_out
    from .backup import plain, read_backup, restore_steps

    options = begin(params)
    before = look(params, options)
    objection = write_objection(before.snapshot)
    if objection:
        raise Failure(objection, {"findings": as_dicts(before.findings)})
    with _locked(params, options, tell, check_mode) as (connection, name, waited):
        saved = read_backup(params["restore_from"], name)
        current: Dict[Tuple[str, Any], Optional[Mapping[str, Any]]] = {}
        for one in saved:
            row = rows.fetch(connection, one.table, one.key, sorted(one.row))
            current[one.table, one.key] = row and {column: plain(value) for column, value in row.items()}
        planned = restore_steps(saved, current)
        results = carry_out(planned.steps, World(before.snapshot, connection), check_mode)
    after = look(params, options) if changed(results) and not check_mode else before
    plan = Plan(planned.steps, "", planned.notes)
    return _finish_reset(Done(before, after, plan, results, None, waited.seconds, waited.holder))


@contextmanager
def _locked(
    params: Mapping[str, Any], options: Options, tell: Tell, check_mode: bool = False
) -> "Iterator[Tuple[Any, str, Waited]]":
    """A prepared connection that holds the lock of its database (none in check mode), and the database's name.

    The lock ends with the connection.
    """
    from . import rows
    from .database import connect
    from .lock import Waited, take_lock

    connection = connect(options.credentials)
    try:
        rows.prepare(connection)
        _count, found = rows.execute(connection, "SELECT DATABASE() AS name", ())
        name = str(found[0]["name"])
        if check_mode:
            yield connection, name, Waited(0.0, None)
        else:
            yield connection, name, take_lock(connection, name, params["lock_timeout"], tell)
    finally:
        connection.close()


def _finish_reset(done: Done) -> Dict[str, Any]:
    steps = [result.step for result in done.results if result.outcome in (DONE, PLANNED)]
    return _finish_rows(
        done,
        sessions=_targets(steps, "session", "msID"),
        tasks=_targets(steps, "task", "taskID"),
        associations=_targets(steps, "association", "msaID"),
        senders_ended=[dict(step.target) for step in steps if step.kind == "sender.end"],
    )


def _targets(steps: Sequence[Step], noun: str, key: str) -> List[Any]:
    return [step.target[key] for step in steps if step.kind.split(".")[0] == noun]


def _finish_rows(done: Done, **more: Any) -> Dict[str, Any]:
    return _finish(done, backup_file=done.backup_file, waited_for_lock=done.waited, lock_holder=done.holder, **more)


def _finish(done: Done, **more: Any) -> Dict[str, Any]:
    """The part of the result that all changing modules share. :raises Failure: a step failed; with all of it."""
    return finish(done.plan, done.results, done.before.findings, done.after.findings, **more)

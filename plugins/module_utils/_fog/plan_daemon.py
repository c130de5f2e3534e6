# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, the daemon: start, enable or restart it. Pure."""

from typing import List, Optional

from .._steps import Plan, Step
from .diagnose import diagnose, write_objection
from .diagnose_nodes import own_nodes
from .diagnose_service import busy, runs
from .diagnose_sessions import STALE_AFTER, is_stale, sessions_of_deleted_images
from .service import UNIT
from .snapshot import Snapshot

RESTART_GATE = "fog_multicast_allow_restart"
#: Findings that a restart cures.
RESTARTS = ("fog.service.child_dead", "fog.service.outdated_cache", "fog.log.silent")
#: Findings with which a start or restart of the daemon is in vain.
IN_VAIN = ("fog.db.unreachable", "fog.db.foreign_schema", "fog.sender.missing_binary")


def plan_service(
    snapshot: Snapshot,
    allow_restart: bool = False,
    stale_after: float = STALE_AFTER,
    restart: bool = False,
    master: Optional[bool] = None,
) -> Plan:
    """How to bring the daemon to work.

    :param allow_restart: restart although sessions would lose what was sent.
    :param restart: another step changed a node or an address, and the daemon remembers those.
    :param master: the user's wish whether this host is its group's master; None when nothing was said.
    """
    found = {each.id: each for each in diagnose(snapshot, stale_after, master)}
    stopped = found.get("fog.service.stopped")
    reason = next((name for name in RESTARTS if name in found), None)
    if stopped is None and reason is None and not (restart and runs(snapshot)):
        return Plan()
    objection = "" if snapshot.database.error else write_objection(snapshot)
    if objection:
        return Plan(refusal="%s is not started or restarted. %s" % (UNIT, objection))
    for name in IN_VAIN:
        if name in found:
            text = "%s is not started or restarted while that would be in vain (%s: %s %s)"
            return Plan(refusal=text % (UNIT, name, found[name].summary, found[name].repair))
    deadly = [
        session for session in sessions_of_deleted_images(snapshot) if not is_stale(snapshot, session, stale_after)
    ]
    if deadly:
        text = "%s is not started or restarted: its child would end again at session %d, whose image %d was deleted. %s"
        cure = "Cancel the session in FOG's web interface, or name it in the sessions of fog_multicast_reset."
        return Plan(refusal=text % (UNIT, deadly[0].id, deadly[0].image, cure))
    if stopped is not None:
        if not stopped.repairable:
            return Plan(refusal="%s %s" % (stopped.summary, stopped.repair))
        return Plan(tuple(_start_steps(snapshot)))
    why = busy(snapshot, stale_after)
    if reason is None and why and _remembers_rightly(snapshot):
        # It reads the master flag anew with every look, and remembers nothing that changed.
        return Plan(notes=("%s is not restarted: it serves already. %s." % (UNIT, "; ".join(why)),))
    pid = snapshot.service.main_pid or next((process.pid for process in snapshot.processes.daemon), None)
    step = Step(
        "service.restart",
        "Restart %s" % UNIT,
        {"unit": UNIT},
        {"pid": pid},
        {"pid": "a new process"},
        reason,
        RESTART_GATE if why and not allow_restart else None,
    )
    notes = ("A restart sends every active session again from its first file. %s." % "; ".join(why),) if why else ()
    return Plan((step,), "", notes)


def _remembers_rightly(snapshot: Snapshot) -> bool:
    """Whether the log of the daemon's start shows that it knows the address of each enabled node of this host."""
    noted = {line.detail for line in snapshot.logs.lines if line.kind == "interface_ready"}
    addresses = {node.address for node in own_nodes(snapshot) if node.enabled}
    return bool(addresses) and addresses <= noted


def _start_steps(snapshot: Snapshot) -> List[Step]:
    found, target = "fog.service.stopped", {"unit": UNIT}
    steps = [Step("service.start", "Start %s" % UNIT, target, {"active": False}, {"active": True}, found)]
    if snapshot.service.enabled is False:
        what = "Start %s with every boot" % UNIT
        steps.append(Step("service.enable", what, target, {"enabled": False}, {"enabled": True}, found))
    return steps

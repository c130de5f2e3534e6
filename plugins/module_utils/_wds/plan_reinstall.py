# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, the reinstall: the published workaround as stages, from its beginning or from where a run was cut off. Pure.

Remove WDS, reboot, install WDS-Transport, reboot, and bring the namespaces back (facts/windows.md sections 0 and 6).
"""

from typing import List, Optional, Tuple

from .._steps import Plan, Step
from . import boot
from .diagnose import Wish, expected_name, healthy
from .diagnose_namespaces import DEPLOYMENT_SERVER
from .plan_base import WDS, baseline_steps, transmitting, unfamiliar, unknown
from .snapshot import Snapshot

REBOOT_GATE = "wds_multicast_allow_reboot"

REMOVE, REMOVED, INSTALL, INSTALLED, RESTORE = "remove", "removed", "install", "installed", "restore"
#: The stages in their order; each is written to the host before its work begins.
STAGES = (REMOVE, REMOVED, INSTALL, INSTALLED, RESTORE)
#: Those that end with a reboot.
REBOOTS = (REMOVED, INSTALLED)

#: Nobody says which namespace must be served in the end.
NAMELESS = "Which namespace must be served in the end is not known, because HPC is not installed: give name"

_FORCE = "set force to true to do it all the same"


def plan_reinstall(snapshot: Snapshot, wish: Wish, force: bool = False) -> Plan:
    """How WDS-Transport is installed anew, from the stage the host stands at.

    :param wish: its name says which namespace must be served in the end.
    :param force: also where the transport server is in order, has WDS-Deployment beside it or serves clients, or
        where that cannot be known. An interrupted run is continued without it.
    """
    name = expected_name(snapshot, wish.name)
    refusal = ("" if force else unknown(snapshot)) or unfamiliar(snapshot) or _unable(snapshot, wish, name)
    stage = _continued(snapshot) if snapshot.place else None
    if snapshot.place and stage is None:
        refusal = refusal or (
            f"The registry of the host says that a reinstall stands at {snapshot.place.stage!r}, which is no stage: "
            "delete the key HKLM\\SOFTWARE\\imaging.multicast\\Reinstall to begin anew"
        )
    if refusal:
        return Plan(refusal=refusal)
    if stage is None or (stage == REMOVE and snapshot.service.installed and snapshot.live.available):
        # Also where a run was cut off before it removed anything: the host may be another one by now.
        if healthy(snapshot, name) and not force:
            if stage:
                return Plan(tuple(_steps(snapshot, RESTORE, name)))
            return Plan(notes=(f"The transport server is in order: {WDS} runs and serves namespace {name}",))
        objection = "" if force else against(snapshot)
        if objection:
            return Plan(refusal=objection)
        stage = _first(snapshot)
    steps = [] if STAGES.index(stage) >= STAGES.index(INSTALL) else list(_keep(snapshot))
    return Plan((*steps, *_steps(snapshot, stage, name)))


def needs_reboot(plan: Plan) -> bool:
    """Whether the plan reboots the host, for which consent is needed."""
    return any(step.kind == "host.reboot" for step in plan.steps)


def consent(plan: Plan) -> str:
    """The refusal of a plan for which consent is missing."""
    count = sum(step.kind == "host.reboot" for step in plan.steps)
    times = "twice" if count == 2 else "once"
    return f"Reinstalling the transport server reboots the head node {times}: set allow_reboot ({REBOOT_GATE}) to true"


def _unable(snapshot: Snapshot, wish: Wish, name: str) -> str:
    if not wish.name and not snapshot.server.hpc:
        return NAMELESS
    if not name:
        return "The computer's name could not be read, so the namespace is not known: give name"
    if not snapshot.server.boot:
        return "The time of the last boot could not be read, so a reboot could not be told: reinstall by hand"
    return ""


def _first(snapshot: Snapshot) -> str:
    """The stage a fresh reinstall begins with: where WDS is absent there is nothing to remove."""
    if snapshot.service.installed:
        return REMOVE
    return REMOVED if snapshot.server.reboot_pending else INSTALL


def _continued(snapshot: Snapshot) -> Optional[str]:
    """The stage an interrupted run goes on with; None when the host holds no known one.

    A stage that waits for a reboot is over once the host has booted since. Nothing is installed while Windows waits for
    a reboot, which also an installation leaves behind whose answer was lost: then that reboot comes first.
    """
    place = snapshot.place
    if place is None or place.stage not in STAGES:
        return None
    if place.stage == INSTALL and snapshot.server.reboot_pending:
        return REMOVED
    booted = not boot.same(place.boot, snapshot.server.boot)
    return STAGES[STAGES.index(place.stage) + 1] if place.stage in REBOOTS and booted else place.stage


def against(snapshot: Snapshot) -> str:
    """Why a reinstall is not begun; "" when nothing speaks against it."""
    if not snapshot.service.installed:
        return ""
    features = snapshot.live.features
    if features is None:
        return f"WDS is not removed where it cannot be seen whether WDS-Deployment is installed too: {_FORCE}"
    if features & DEPLOYMENT_SERVER:
        return (
            "WDS is not removed, because WDS-Deployment is installed too and would be removed with all of its "
            f"configuration: {_FORCE}"
        )
    sending = transmitting(snapshot)
    if sending is not False:
        seen = "clients are connected" if sending else "it cannot be seen whether clients are connected"
        return f"WDS is not removed while {seen}: wait, or {_FORCE}"
    return ""


def _keep(snapshot: Snapshot) -> Tuple[Step, ...]:
    return baseline_steps(snapshot, [each for each in snapshot.store if each.complete])


def _steps(snapshot: Snapshot, stage: str, name: str) -> List[Step]:
    every = (
        _step(REMOVE, "feature.remove", "Remove the feature WDS", "installed"),
        _step(REMOVED, "host.reboot", "Reboot after the removal", "rebooted"),
        _step(INSTALL, "feature.install", "Install the feature WDS-Transport", "installed"),
        _step(INSTALLED, "host.reboot", "Reboot after the installation", "rebooted"),
        Step(
            "transport.restore",
            f"Bring namespace {name} back and wait until it is served",
            {"stage": RESTORE, "namespace": name},
            {"served": healthy(snapshot, name)},
            {"served": True},
            "wds.namespace.missing",
        ),
    )
    return list(every[STAGES.index(stage) :])


def _step(stage: str, kind: str, what: str, key: str) -> Step:
    was = kind == "feature.remove"
    return Step(kind, what, {"stage": stage}, {key: was}, {key: not was})

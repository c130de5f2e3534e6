# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, the service: have WDSServer start with every boot, and start it when that loses nothing. Pure."""

from typing import List

from .._steps import Plan, Step
from .diagnose_namespaces import listed, running, unregistrable
from .plan_base import STARTS, STATES, WDS, baseline_steps, unfamiliar, unknown, word
from .services import AUTOMATIC, STOPPED
from .snapshot import Snapshot


def plan_started(snapshot: Snapshot) -> Plan:
    """How WDSServer gets to run now and after every boot. A running service is never restarted.

    WDSServer deletes at its start what it cannot register (facts/windows.md section 1), so each definition is kept
    first, and there is no start while it is known that one of them would be lost.
    """
    refusal = unknown(snapshot)
    if refusal:
        return Plan(refusal=refusal)
    service = snapshot.service
    if not service.installed:
        return Plan(refusal=f"{WDS} is not installed: install it with wds_transport_server and state reinstalled")
    steps: List[Step] = []
    if service.start != AUTOMATIC:
        start = word(STARTS, service.start)
        what = f"Have {WDS} start with every boot"
        before, after = {"start": start}, {"start": STARTS[AUTOMATIC]}
        steps.append(Step("service.enable", what, {"service": WDS}, before, after, _FOUND.get(start or "")))
    if not running(snapshot):
        state = word(STATES, service.state)
        if service.state != STOPPED:
            return Plan(
                refusal=f"{WDS} is {state or 'in a state that could not be read'}: run again when it is stopped"
            )
        lost = unregistrable(snapshot)
        if lost:
            return Plan(
                refusal=f"{WDS} is not started, because its start would delete what it cannot register: "
                f"{listed(lost)}. Repair the software that brings their content provider, or remove them by hand"
            )
        before, after = {"state": state}, {"state": "running"}
        steps.append(Step("service.start", f"Start {WDS}", {"service": WDS}, before, after, "wds.service.stopped"))
        steps = [*baseline_steps(snapshot, snapshot.store), *steps]
    refusal = unfamiliar(snapshot) if steps else ""
    return Plan(refusal=refusal) if refusal else Plan(tuple(steps))


_FOUND = {"disabled": "wds.service.disabled"}

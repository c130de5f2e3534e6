# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan: what all planners share. Pure.

Check mode shows these very steps. A row's step carries the fields it was seen with; apply does it only while they hold.
A tuple among them stands for any of its values.
"""

from typing import Sequence, Tuple

from .._steps import Plan, Step
from .diagnose import write_objection
from .snapshot import Snapshot

#: The tables that steps change, by the first word of their kind.
TABLES = {
    "node": "nfsGroupMembers",
    "setting": "globalSettings",
    "session": "multicastSessions",
    "association": "multicastSessionsAssoc",
    "task": "tasks",
}


def checked(snapshot: Snapshot, plan: Plan) -> Plan:
    """The plan, or its refusal where the database user lacks a right that one of its steps needs."""
    objection = write_objection(snapshot, _needs(plan.steps))
    return Plan(refusal=objection) if objection else plan


def _needs(steps: Sequence[Step]) -> Tuple[Tuple[str, str], ...]:
    words = (step.kind.split(".") for step in steps)
    return tuple(("DELETE" if verb == "delete" else "UPDATE", TABLES[noun]) for noun, verb in words if noun in TABLES)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both wings' plan and apply rooms speak: steps, and what became of them.

Pure: no input or output, no clock.
"""

from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

DONE = "done"
PLANNED = "planned"
SKIPPED = "skipped"
BLOCKED = "blocked"
FAILED = "failed"
#: What can become of a step: carried out; only planned (check mode); skipped because its before-state no longer
#: held; blocked by a consent gate; failed.
OUTCOMES = (DONE, PLANNED, SKIPPED, BLOCKED, FAILED)


class Step(NamedTuple):
    """One change, planned (design section 1).

    ``kind`` names what apply does (for example ``session.cancel``), ``target`` identifies the thing changed
    (``{"msID": 12}``), ``before`` and ``after`` are the fields that change, as they are and as they shall be.
    ``finding`` is the id it cures, ``gate`` the consent variable that is needed, or None.
    """

    kind: str
    what: str
    target: Mapping[str, Any]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    finding: Optional[str] = None
    gate: Optional[str] = None


class Result(NamedTuple):
    """What became of a step: one of :data:`OUTCOMES` and, where it was not done, why."""

    step: Step
    outcome: str
    detail: str = ""

    def as_dict(self) -> Dict[str, Any]:
        """The result as plain data for a module's result and the report."""
        step = self.step
        return {
            "kind": step.kind,
            "what": step.what,
            "target": dict(step.target),
            "before": dict(step.before),
            "after": dict(step.after),
            "finding": step.finding,
            "gate": step.gate,
            "outcome": self.outcome,
            "detail": self.detail,
        }


def diff(results: Sequence[Result]) -> List[Dict[str, Any]]:
    """Ansible's ``diff`` value for the steps that were or would be carried out, from the same plan."""
    changes = []
    for step, outcome, _detail in results:
        if outcome in (DONE, PLANNED):
            header = "%s %s" % (step.kind, " ".join("%s=%s" % item for item in sorted(step.target.items())))
            changes.append(
                {
                    "before_header": header,
                    "after_header": header,
                    "before": "".join("%s: %s\n" % item for item in sorted(step.before.items())),
                    "after": "".join("%s: %s\n" % item for item in sorted(step.after.items())),
                }
            )
    return changes


def changed(results: Sequence[Result]) -> bool:
    """Whether any step was, or in check mode would be, carried out."""
    return any(result.outcome in (DONE, PLANNED) for result in results)

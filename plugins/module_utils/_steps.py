# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What both wings' plan and apply rooms speak: plans, steps, and what became of them.

Pure: no input or output of its own, no clock.
"""

from typing import Any, Callable, Collection, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Type

from ._findings import Finding
from ._flow import Failure, as_dicts

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


class Plan(NamedTuple):
    """Ordered steps; ``refusal`` says why nothing may be done ("" when it may), ``notes`` what else to know."""

    steps: Tuple[Step, ...] = ()
    refusal: str = ""
    notes: Tuple[str, ...] = ()


class RefusedError(Exception):
    """Nothing may be done; the text says why."""


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


def carry_out(
    steps: Sequence[Step],
    one: Callable[[Step], Tuple[str, str]],
    errors: Tuple[Type[Exception], ...],
    check_mode: bool = False,
    allowed_gates: Collection[str] = (),
) -> List[Result]:
    """Carry the steps out in their order; in check mode do nothing and say so.

    A step whose gate is not among ``allowed_gates`` is blocked. After a failed step the rest is skipped.

    :param one: carries one step out; returns its outcome and, where it was not done, why.
    :param errors: what can be foreseen to go wrong in it; becomes the outcome ``failed`` and is never raised.
    """
    results = []  # type: List[Result]
    failed = False
    for step in steps:
        if step.gate is not None and step.gate not in allowed_gates:
            results.append(Result(step, BLOCKED, f"set {step.gate} to true to allow it"))
        elif check_mode:
            results.append(Result(step, PLANNED))
        elif failed:
            results.append(Result(step, SKIPPED, "not tried, because an earlier step failed"))
        else:
            try:
                outcome, detail = one(step)
            except errors as error:
                outcome, detail = FAILED, str(error)
            failed = outcome == FAILED
            results.append(Result(step, outcome, detail))
    return results


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


def finish(
    plan: Plan, results: Sequence[Result], findings_before: Sequence[Finding], findings: Sequence[Finding], **more: Any
) -> Dict[str, Any]:
    """The result of a module that changes something: the part all of them share, and ``more``.

    :param findings_before: what was found before anything was done; ``findings``: afterwards.
    :raises Failure: a step failed; with all of the result.
    """
    result = {
        "changed": changed(results),
        "diff": diff(results),
        "steps": [one.as_dict() for one in results],
        "findings": as_dicts(findings),
        "findings_before": as_dicts(findings_before),
        "refused": plan.refusal,
        "notes": list(plan.notes),
    }  # type: Dict[str, Any]
    result.update(more)
    failed = [one for one in results if one.outcome == FAILED]
    if failed:
        raise Failure(f"{failed[0].step.what} failed: {failed[0].detail}", result)
    return result

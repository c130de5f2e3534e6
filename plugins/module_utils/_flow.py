# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the work of a module of either wing ends: with a result, or as one sentence with what was done until then."""

from typing import Any, Dict, List, Optional, Sequence

from ._findings import Finding
from ._steps import FAILED, Plan, Result, changed, diff


class Failure(Exception):
    """Something that can be foreseen went wrong; the text says what, where and what to do, and holds no secret.

    ``result`` is what the module returns beside the message, for example the steps that were done until then.
    """

    def __init__(self, message: str, result: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(message)
        self.result = result or {}


def as_dicts(findings: Sequence[Finding]) -> List[Dict[str, Any]]:
    """Findings as plain data."""
    return [finding.as_dict() for finding in findings]


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

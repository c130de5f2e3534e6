# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the work of a module of either wing ends: with findings, or as one sentence with what was done until then."""

from typing import Any, Dict, List, Optional, Sequence

from ._findings import Finding


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

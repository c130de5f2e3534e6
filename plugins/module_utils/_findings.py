# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a finding is: the word both wings share for what is wrong. Pure: no input or output, no clock."""

from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple


class Finding(NamedTuple):
    """One thing that is wrong, or worth knowing, about one subject on one host (design section 3)."""

    id: str
    severity: str
    subject: str
    summary: str
    evidence: Tuple[str, ...]
    cause: str
    repair: str
    repairable: bool
    gate: Optional[str]

    def as_dict(self) -> Dict[str, Any]:
        """The finding as plain data for a module's result; ``evidence`` becomes a list of strings."""
        return dict(self._asdict(), evidence=list(self.evidence))


def finding(finding_id: str, subject: str, summary: str, evidence: Sequence[str] = (), **changes: Any) -> Finding:
    """Make a finding from its catalogue entry.

    :param finding_id: a key of :data:`_catalogue.CATALOGUE`.
    :param subject: what it is about, for example ``session 12`` or ``storage node DefaultMember``.
    :param summary: one sentence for people, with the particulars of this host.
    :param evidence: what was seen, one observation each.
    :param changes: fields of :class:`Finding` that differ from the catalogue on this host
        (``severity``, ``cause``, ``repair``, ``repairable``, ``gate``).
    :raises KeyError: the id is not in the catalogue.
    """
    # A healthy host has no finding and does without the catalogue.
    from ._catalogue import CATALOGUE

    entry = CATALOGUE[finding_id]
    made = Finding(
        id=finding_id,
        severity=entry.severity,
        subject=subject,
        summary=summary,
        evidence=tuple(evidence),
        cause=entry.cause,
        repair=entry.repair,
        repairable=entry.repairable,
        gate=entry.gate,
    )
    return made._replace(**changes)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diagnose room: from a snapshot to findings, worst first. Pure: the time is in the snapshot."""

from typing import NamedTuple, Optional, Tuple

from .._findings import Finding
from .snapshot import Snapshot


class Wish(NamedTuple):
    """What the user wants of a namespace; None: nothing was said. ``type``: only ``autocast`` can be made."""

    name: Optional[str] = None
    content_provider: Optional[str] = None
    configuration: Optional[str] = None
    type: Optional[str] = None
    friendly_name: Optional[str] = None
    description: Optional[str] = None


def expected_name(snapshot: Snapshot, name: Optional[str]) -> str:
    """The namespace that this head node must have: the given one, else ``<COMPUTERNAME>-CCP`` (facts section 2)."""
    return name or (snapshot.server.name + "-CCP" if snapshot.server.name else "")


def diagnose(snapshot: Snapshot, wish: Wish) -> Tuple[Finding, ...]:
    """Everything that is wrong, or worth knowing, on a head node; worst first."""
    raise NotImplementedError

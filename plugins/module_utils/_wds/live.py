# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: the live view, which the fixed script of the COM look prints (facts/windows.md section 4)."""

from typing import NamedTuple, Optional, Tuple


class LiveNamespace(NamedTuple):
    """A namespace as the running service has it. ``type``: 1 AutoCast, 2 and 3 ScheduledCast, None unknown."""

    name: str
    content_provider: str
    configuration: str
    friendly_name: str
    description: str
    type: Optional[int]
    registered: bool
    tombstoned: bool
    transmission_started: bool


class Live(NamedTuple):
    """What the service said. ``available``: the namespaces were listed, all of them.

    ``error``: why not, "" when it was not asked. ``features``: bits 1 admin, 2 transport, 4 deployment.
    """

    available: bool
    error: str
    features: Optional[int] = None
    running: Optional[bool] = None
    namespaces: Tuple[LiveNamespace, ...] = ()

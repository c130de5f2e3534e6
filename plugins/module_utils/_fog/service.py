# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what the service manager says about FOGMulticastManager (systemd, or a sysv script)."""

from typing import NamedTuple, Optional

UNIT = "FOGMulticastManager"


class Service(NamedTuple):
    """State of the unit. It proves nothing about the child that works (facts/fog.md section 0.3)."""

    manager: str  # "systemd", "sysv", "" none found
    installed: bool
    enabled: Optional[bool]  # started at boot; None unknown
    active: bool
    state: str  # e.g. "active (running)", "inactive (dead)", "failed (Result: exit-code)"
    main_pid: Optional[int]
    since: Optional[float]  # seconds since it became active, None unknown


def read_service() -> Service:
    raise NotImplementedError

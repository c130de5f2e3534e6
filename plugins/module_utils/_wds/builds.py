# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one table from a build of Windows to how its WDS is driven (facts/windows.md sections 6 and 7)."""

from typing import Dict, NamedTuple, Optional

#: How a feature is removed and installed: ServerManagerCmd.exe, or the cmdlets of the ServerManager module.
SERVER_MANAGER_CMD = "servermanagercmd"
CMDLETS = "cmdlets"
#: What cures UDP ports that DNS holds: another range of ports, or the registry value UdpPortPolicy 0 (KB977512).
PORT_RANGE = "range"
PORT_POLICY = "policy"

_SECTIONS = "facts/windows.md sections 6 and 7: "


class Build(NamedTuple):
    """How one build behaves.

    ``source``: the basis of the feature tool, the row's weakest: D documented, S seen, I inferred.
    """

    product: str
    feature_tool: str
    port_cure: str
    source: str


def _modern(product: str) -> Build:
    return Build(product, CMDLETS, PORT_POLICY, _SECTIONS + "feature tool I")


_2008 = Build("Windows Server 2008", SERVER_MANAGER_CMD, PORT_RANGE, _SECTIONS + "feature tool S")
_2008_R2 = Build("Windows Server 2008 R2", SERVER_MANAGER_CMD, PORT_POLICY, _SECTIONS + "feature tool I")

#: By CurrentBuildNumber.
BUILDS: Dict[int, Build] = {
    6001: _2008,
    6002: _2008._replace(product="Windows Server 2008 SP2"),
    # The same with the updates of 2019 (KB4489887, KB4493471), which raise the number.
    6003: _2008._replace(product="Windows Server 2008 SP2"),
    7600: _2008_R2,
    7601: _2008_R2._replace(product="Windows Server 2008 R2 SP1"),
    9200: _modern("Windows Server 2012"),
    9600: _modern("Windows Server 2012 R2"),
    14393: _modern("Windows Server 2016"),
    17763: _modern("Windows Server 2019"),
    20348: _modern("Windows Server 2022"),
    26100: _modern("Windows Server 2025"),
}


def lookup(build: int) -> Optional[Build]:
    """How that build behaves; None for one that is not in the table. The nearest is never taken for it."""
    return BUILDS.get(build)

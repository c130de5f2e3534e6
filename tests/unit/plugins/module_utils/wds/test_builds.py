# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of builds."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import builds


@pytest.mark.parametrize(
    ("build", "product", "tool", "clients", "cure", "block_size"),
    [
        (6001, "Windows Server 2008", "servermanagercmd", "/Show:Clients", "range", r"Profiles\Custom"),
        (6002, "Windows Server 2008 SP2", "servermanagercmd", "/Show:Clients", "range", r"Profiles\Custom"),
        (7600, "Windows Server 2008 R2", "servermanagercmd", "/Details:Clients", "policy", "Protocol"),
        (7601, "Windows Server 2008 R2 SP1", "servermanagercmd", "/Details:Clients", "policy", "Protocol"),
        (9200, "Windows Server 2012", "cmdlets", "/Details:Clients", "policy", "Protocol"),
        (9600, "Windows Server 2012 R2", "cmdlets", "/Details:Clients", "policy", "Protocol"),
        (14393, "Windows Server 2016", "cmdlets", "/Details:Clients", "policy", "Protocol"),
        (17763, "Windows Server 2019", "cmdlets", "/Details:Clients", "policy", "Protocol"),
        (20348, "Windows Server 2022", "cmdlets", "/Details:Clients", "policy", "Protocol"),
        (26100, "Windows Server 2025", "cmdlets", "/Details:Clients", "policy", "Protocol"),
    ],
)
def test_every_known_build(build, product, tool, clients, cure, block_size):
    found = builds.lookup(build)
    assert (found.product, found.feature_tool, found.clients, found.port_cure) == (product, tool, clients, cure)
    assert found.block_size.endswith("WDSMC\\" + block_size)
    assert found.source.startswith("facts/windows.md")


@pytest.mark.parametrize("build", [0, 6000, 6003, 7602, 9199, 17764, 19041, 26101])
def test_no_build_is_taken_for_its_neighbour(build):
    assert builds.lookup(build) is None


def test_there_are_no_other_builds():
    assert sorted(builds.BUILDS) == [6001, 6002, 7600, 7601, 9200, 9600, 14393, 17763, 20348, 26100]

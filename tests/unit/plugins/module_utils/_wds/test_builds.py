# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of builds."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import builds


@pytest.mark.parametrize(
    ("build", "product", "tool", "cure"),
    [
        (6001, "Windows Server 2008", "servermanagercmd", "range"),
        (6002, "Windows Server 2008 SP2", "servermanagercmd", "range"),
        (6003, "Windows Server 2008 SP2", "servermanagercmd", "range"),
        (7600, "Windows Server 2008 R2", "servermanagercmd", "policy"),
        (7601, "Windows Server 2008 R2 SP1", "servermanagercmd", "policy"),
        (9200, "Windows Server 2012", "cmdlets", "policy"),
        (9600, "Windows Server 2012 R2", "cmdlets", "policy"),
        (14393, "Windows Server 2016", "cmdlets", "policy"),
        (17763, "Windows Server 2019", "cmdlets", "policy"),
        (20348, "Windows Server 2022", "cmdlets", "policy"),
        (26100, "Windows Server 2025", "cmdlets", "policy"),
    ],
)
def test_every_known_build(build, product, tool, cure):
    found = builds.lookup(build)
    assert (found.product, found.feature_tool, found.port_cure) == (product, tool, cure)
    assert found.source.startswith("facts/windows.md")


@pytest.mark.parametrize("build", [0, 6000, 6004, 7602, 9199, 17764, 19041, 26101])
def test_no_build_is_taken_for_its_neighbour(build):
    assert builds.lookup(build) is None


def test_there_are_no_other_builds():
    assert sorted(builds.BUILDS) == [6001, 6002, 6003, 7600, 7601, 9200, 9600, 14393, 17763, 20348, 26100]

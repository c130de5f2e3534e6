# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Head nodes that can be changed; none of them may have been asked for what it does not model."""

import pytest
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.machine import Machine


@pytest.fixture(name="machines")
def fixture_machines():
    """Makes head nodes."""
    made = []

    def make(*args, **more):
        made.append(Machine(*args, **more))
        return made[-1]

    yield make
    assert [each for machine in made for each in machine.refused] == []


@pytest.fixture(name="machine")
def fixture_machine(machines):
    """A healthy head node without a baseline."""
    return machines()

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controller side of a probe: the module's result untouched, and progress for a sender only."""

from contextlib import contextmanager

import pytest
from ansible.plugins.action import normal
from ansible_collections.imaging.multicast.plugins.action import multicast_probe


@pytest.fixture
def told(monkeypatch):
    """What progress was asked to show."""
    asked = []

    @contextmanager
    def progress(_say, what, seconds):
        asked.append((what, seconds))
        yield

    monkeypatch.setattr(multicast_probe, "progress", progress)
    monkeypatch.setattr(normal.ActionModule, "run", lambda _self, _tmp, _variables: {"bytes": 5})
    return asked


def test_a_sender_shows_how_far_it_is(told, run_action):
    assert run_action(multicast_probe.ActionModule, {"role": "sender", "duration": 300}, {}) == {"bytes": 5}
    assert told == [("the host: multicast_probe sends", 300)]


@pytest.mark.parametrize(("role", "check_mode"), [("sender", True), ("receiver", False), ("judge", False)])
def test_the_others_are_silent(told, run_action, role, check_mode):
    assert run_action(multicast_probe.ActionModule, {"role": role}, {}, check_mode) == {"bytes": 5}
    assert told == []

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines while something takes long."""

import threading

import pytest
from ansible_collections.imaging.multicast.plugins.plugin_utils._progress import progress


def test_a_long_task_is_talked_about_and_a_finished_one_not():
    said = []
    twice = threading.Event()

    def say(line):
        said.append(line)
        if len(said) == 2:
            twice.set()

    with progress(say, "fog1: sends", 300, interval=0.01):
        assert twice.wait(20)
    count = len(said)
    assert said[0].startswith("fog1: sends: 0 s of about 300 s")
    threading.Event().wait(0.05)
    assert len(said) == count


def test_a_short_task_is_silent():
    said = []
    with progress(said.append, "fog1: sends", 300):
        pass
    assert said == []


def test_a_failure_ends_the_talk():
    before = threading.active_count()
    with pytest.raises(ValueError, match="broken"), progress(print, "fog1", 300):
        raise ValueError("broken")
    assert threading.active_count() == before

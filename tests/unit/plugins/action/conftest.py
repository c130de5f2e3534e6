# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run an action plugin as a play would, without a play."""

from unittest.mock import MagicMock

import pytest
from ansible.playbook.task import Task
from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding

STALE = finding("fog.session.stale", "session 3", "Session 3 is stale.").as_dict()
MASTERS = finding("fog.node.many_masters", "group 1", "Two masters.").as_dict()


@pytest.fixture
def run_action():
    def run(plugin, args, hosts, check_mode=False, failed=(), play=None, **more):
        """The result of an action plugin for hosts given as name -> host variables, of which some failed before.

        ``play`` names the hosts of the play where the inventory has others too; ``more`` are variables of the task.
        """
        task = MagicMock(Task)
        task.args = args
        task.async_val = 0
        task.check_mode = check_mode
        task.action = plugin.__module__.rsplit(".", 1)[-1]
        action = plugin(task, MagicMock(), MagicMock(), MagicMock(), None, MagicMock())
        action._load_name = task.action  # the loader of ansible-core 2.16 sets it
        task_vars = {
            "ansible_play_hosts_all": list(play or hosts),
            "ansible_play_hosts": [name for name in play or hosts if name not in failed],
            "hostvars": hosts,
            **more,
        }
        return action.run(task_vars=task_vars)

    return run


@pytest.fixture
def hosts():
    """Four hosts of a play: in order, stale, in need of consent, and never looked at."""
    return {
        "good": {"fog_multicast_result": {"findings": []}},
        "stale": {"fog_multicast_result": {"findings": [STALE]}},
        "masters": {"fog_multicast_result": {"findings": [MASTERS]}},
        "lost": {},
    }

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of ``wds_multicast_info``: its flow over the connection of the host."""

from ansible.plugins.action import ActionBase
from ansible_collections.imaging.multicast.plugins.module_utils._wds.run import info
from ansible_collections.imaging.multicast.plugins.plugin_utils._outcome import outcome
from ansible_collections.imaging.multicast.plugins.plugin_utils._windows import channel


class ActionModule(ActionBase):
    """Find out why multicast imaging with WDS is broken on a head node."""

    def run(self, tmp=None, task_vars=None):
        """Return what was seen and the findings."""
        result = super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec(
            {
                "name": {"type": "str"},
                "content_provider": {"type": "str"},
                "configuration": {"type": "str"},
                "friendly_name": {"type": "str"},
                "description": {"type": "str"},
                "deployment_logs": {"type": "list", "elements": "str", "default": []},
                "since": {"type": "int", "default": 7},
                "deployments": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
            }
        )
        result.update(outcome(lambda: info(channel(self, task_vars), options)))
        return result

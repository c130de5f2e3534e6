# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of ``wds_multicast_namespace``: its flow over the connection of the host."""

from ansible.plugins.action import ActionBase
from ansible_collections.imaging.multicast.plugins.module_utils._wds.run import namespace
from ansible_collections.imaging.multicast.plugins.plugin_utils._outcome import outcome
from ansible_collections.imaging.multicast.plugins.plugin_utils._windows import channel, tell


class ActionModule(ActionBase):
    """Bring a namespace back, correct it, keep its definition, or remove it."""

    def run(self, tmp=None, task_vars=None):
        """Return the namespace before and after, and the steps."""
        result = super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec(
            {
                "name": {"type": "str"},
                "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
                "content_provider": {"type": "str"},
                "configuration": {"type": "str"},
                "type": {"type": "str", "choices": ["autocast"]},
                "friendly_name": {"type": "str"},
                "description": {"type": "str"},
                "save_baseline": {"type": "bool", "default": True},
                "force": {"type": "bool", "default": False},
            }
        )
        result.update(outcome(lambda: namespace(channel(self, task_vars), options, self._task.check_mode, tell)))
        return result

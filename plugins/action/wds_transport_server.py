# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of ``wds_transport_server``: its flow over the connection of the host."""

from ansible.plugins.action import ActionBase
from ansible_collections.imaging.multicast.plugins.module_utils._wds.run import transport_server
from ansible_collections.imaging.multicast.plugins.plugin_utils._outcome import outcome
from ansible_collections.imaging.multicast.plugins.plugin_utils._windows import channel, tell


class ActionModule(ActionBase):
    """Start WDSServer, or install WDS-Transport anew."""

    def run(self, tmp=None, task_vars=None):
        """Return the transport server before and after, and the steps."""
        result = super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec(
            {
                "name": {"type": "str"},
                "content_provider": {"type": "str"},
                "configuration": {"type": "str"},
                "friendly_name": {"type": "str"},
                "description": {"type": "str"},
                "state": {"type": "str", "choices": ["started", "reinstalled"], "default": "started"},
                "allow_reboot": {"type": "bool", "default": False},
                "reboot_timeout": {"type": "int", "default": 1800},
                "namespace_timeout": {"type": "int", "default": 300},
                "force": {"type": "bool", "default": False},
            }
        )
        result.update(outcome(lambda: transport_server(channel(self, task_vars), options, self._task.check_mode, tell)))
        return result

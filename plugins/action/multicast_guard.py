# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of ``multicast_guard``; the host it runs for is never contacted."""

from ansible.plugins.action import ActionBase
from ansible_collections.imaging.multicast.plugins.plugin_utils import _fleet, _report


class ActionModule(ActionBase):
    """Say which hosts of the play look broken, and whether those are too many at once."""

    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return ``broken`` and ``refused``."""
        result = super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec(
            {
                "result": {"type": "str", "required": True},
                "max_broken_percent": {"type": "raw", "required": True},
                "earlier": {
                    "type": "dict",
                    "options": {"hosts": {"type": "int", "required": True}, "of": {"type": "int", "required": True}},
                },
                "look_required": {"type": "bool", "default": False},
            }
        )
        decided = _report.guard(
            _fleet.read_findings(task_vars, options["result"]),
            options["max_broken_percent"],
            _fleet.waiting(task_vars, options["result"]),
            _report.Share(**options["earlier"]) if options["earlier"] else None,
            options["look_required"],
            _fleet.percent_variable(task_vars, options["result"]),
        )
        result.update(changed=False, **decided._asdict())
        return result

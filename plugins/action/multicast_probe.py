# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of ``multicast_probe``: runs the module on the host and shows how far a long probe is."""

from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display
from ansible_collections.imaging.multicast.plugins.plugin_utils._progress import progress


class ActionModule(NormalAction):
    """Run the module, with a line every ten seconds; a task that runs in the background is silent."""

    def run(self, tmp=None, task_vars=None):
        """Return the module's result."""
        if self._task.async_val or self._task.check_mode or self._task.args.get("role") != "sender":
            return super().run(tmp, task_vars)
        host = (task_vars or {}).get("inventory_hostname", "the host")
        seconds = self._task.args.get("duration") or self._task.args.get("timeout") or 60
        with progress(Display().display, f"{host}: multicast_probe sends", seconds):
            return super().run(tmp, task_vars)

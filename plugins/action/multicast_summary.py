# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Controller side of ``multicast_summary``; the host it runs for is never contacted."""

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.imaging.multicast.plugins.plugin_utils import _fleet, _report


class ActionModule(ActionBase):
    """Say what the run did to every host of the play."""

    _requires_connection = False

    def run(self, tmp=None, task_vars=None):
        """Return the outcome of each host; print the table and write the report where asked to."""
        result = super().run(tmp, task_vars)
        _unused, options = self.validate_argument_spec(
            {"report_dir": {"type": "path"}, "show": {"type": "bool", "default": True}}
        )
        hosts = _fleet.read_hosts(task_vars, self._task.check_mode)
        result.update(
            changed=False,
            outcomes={host.name: host.outcome for host in hosts},
            in_order=_report.in_order(hosts),
            verdicts={host.name: _report.verdict(host) for host in hosts},
            summary=_report.summary(hosts),
            report_file=None,
            screen=_fleet.screen(hosts),
        )
        if options["report_dir"]:
            result["ansible_stats"] = _fleet.stats(hosts)
            try:
                result["report_file"] = _fleet.write_report(hosts, options["report_dir"], self._task.check_mode)
            except OSError as error:
                result.update(
                    failed=True,
                    msg="The report cannot be written to {}: {}. Set multicast_report_dir to a folder that can be "
                    "written on the controller.".format(options["report_dir"], error.strerror),
                )
        if options["show"]:
            _fleet.show(result["screen"], Display())
        return result

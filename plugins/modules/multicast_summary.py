# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: multicast_summary
short_description: Say what a run found and did on every host of the play
version_added: 0.1.0
description:
  - Reads what the roles of this collection left behind about every host of the play, gives each host its outcome,
    writes the report and prints a table and one recap line.
  - Runs on the controller and contacts no host. Use it with C(run_once), so that it is done once for the play.
  - Hosts that are unreachable, or failed before anything was known about them, are in it too.
options:
  report_dir:
    description:
      - Folder on the controller for C(report.json), C(report.html), C(history.jsonl), C(multicast.prom) and
        C(junit.xml); it is made when it is missing.
      - Each file is replaced in one step, but C(history.jsonl), to which one line is appended. Without this option none
        is written.
      - With it the result also sets stats, as M(ansible.builtin.set_stats) does.
    type: path
  show:
    description:
      - Whether to print the table and the recap line.
      - Ansible prints the C(ok) of this task after them. To have them last, use RV(screen) and the test
        P(imaging.multicast.shown#test), as the role C(multicast_report) does.
    type: bool
    default: true
attributes:
  check_mode:
    details: The report tells of a run in check mode as well, so it is written and printed then too.
  diff_mode:
    support: none
  idempotent:
    details: It always reports no change. With O(report_dir) each run writes the report anew.
extends_documentation_fragment:
  - imaging.multicast.attributes.controller
  - imaging.multicast.attributes
  - imaging.multicast.attributes.changes
seealso:
  - module: imaging.multicast.multicast_guard
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: Write the report and print the table
  imaging.multicast.multicast_summary:
    report_dir: ./multicast-report
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
outcomes:
  description:
    - Outcome by host, one of V(healthy), V(repaired), V(would_repair), V(needs_person), V(failed), V(unreachable).
  returned: always
  type: dict
  sample: {"fog1": "repaired"}
verdicts:
  description: Why a host needs a person, failed or is unreachable, by host; an empty string for the others.
  returned: always
  type: dict
  sample: {"fog1": ""}
in_order:
  description: Whether no host needs a person, failed or is unreachable.
  returned: always
  type: bool
  sample: true
summary:
  description: How many hosts have each of the six outcomes.
  returned: always
  type: dict
  sample: {"healthy": 1, "repaired": 4, "would_repair": 0, "needs_person": 1, "failed": 0, "unreachable": 0}
screen:
  description: The lines of the table, what a person has to do, and the recap line last.
  returned: always
  type: list
  elements: dict
  contains:
    text:
      description: The line.
      type: str
    outcome:
      description: Outcome of the host it is about, or an empty string.
      type: str
  sample: [{"text": "fleet 1 | healthy 1 | repaired 0", "outcome": ""}]
report_file:
  description: The C(report.json) that was written, or null without O(report_dir); the other files lie beside it.
  returned: always
  type: str
  sample: /home/admin/multicast-report/report.json
"""

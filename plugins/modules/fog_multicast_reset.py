#!/usr/bin/python
# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: fog_multicast_reset
short_description: End stale multicast sessions of a FOG server, and what they left behind
version_added: 0.1.0
description:
  - Ends sessions that are proven stale, deletes association rows and cancels tasks that belong to no session, and ends
    udp-sender processes whose port no active session uses.
  - It changes what FOG's own cancel changes, and also ends the sender, which FOG leaves running.
  - A session that shows life is never touched unless it is named in O(sessions) or O(scope=all).
  - Before the first change the affected rows are saved, see O(backup_dir) and O(restore_from).
  - The login needs the right to delete rows. When it has not, nothing is changed and RV(refused) says so.
extends_documentation_fragment:
  - imaging.multicast.attributes
  - imaging.multicast.attributes.changes
  - imaging.multicast.fog_connection
  - imaging.multicast.fog_connection.writing
options:
  scope:
    description:
      - V(stale) resets what is proven stale or orphaned.
      - V(all) resets every active session this host serves, also those that are sending now.
    type: str
    choices: [stale, all]
    default: stale
  sessions:
    description: Numbers of sessions to reset, whether they are stale or not.
    type: list
    elements: int
    default: []
  method:
    description:
      - V(cancel) does to the rows what FOG's own cancel does.
      - V(delete) deletes the rows of the selected sessions, as FOG's wiki advises for all rows.
    type: str
    choices: [cancel, delete]
    default: cancel
  end_senders:
    description: Whether the udp-sender processes of these sessions, and orphaned ones, are ended.
    type: bool
    default: true
  restore_from:
    description:
      - A backup this module wrote. Its rows are put back, and nothing else is done.
      - Rows that were changed after the reset are left alone, see RV(notes).
      - The file must belong to root and be writable by nobody else.
    type: path
attributes:
  idempotent:
    support: partial
    details: A session that O(sessions) names must be active, so a second run that names it fails.
seealso:
  - module: imaging.multicast.fog_multicast_info
"""

EXAMPLES = r"""
- name: See what would be done
  imaging.multicast.fog_multicast_reset:
  check_mode: true
  diff: true

- name: End what is proven stale
  imaging.multicast.fog_multicast_reset:
  register: ended

- name: End session 12, also when it is still sending
  imaging.multicast.fog_multicast_reset:
    sessions: [12]

- name: Put the rows back that were changed at first
  imaging.multicast.fog_multicast_reset:
    restore_from: "{{ ended.backup_file }}"
"""

RETURN = r"""
sessions:
  description: Numbers of the sessions that were (or would be) reset or restored.
  returned: success, and when a step failed
  type: list
  elements: int
tasks:
  description: Numbers of the tasks that were (or would be) cancelled, deleted or restored.
  returned: success, and when a step failed
  type: list
  elements: int
associations:
  description: Numbers of the association rows that were (or would be) deleted or restored.
  returned: success, and when a step failed
  type: list
  elements: int
senders_ended:
  description: The udp-sender trees that were (or would be) ended.
  returned: success, and when a step failed
  type: list
  elements: dict
  contains:
    port: {description: Port base., type: int}
    pid: {description: Process id of the first process of the tree., type: int}
    start: {description: Its start time in clock ticks since boot., type: int}
findings:
  description: What is wrong, or worth knowing, on this host afterwards; worst first.
  returned: success, when a step failed, and when the database cannot be used
  type: list
  elements: dict
  contains: &finding
    id: {description: Stable name of the kind of finding., type: str, sample: fog.session.stale}
    severity: {description: "V(error) breaks multicast, V(warning) will or may, V(info) does not.", type: str}
    subject: {description: What it is about., type: str, sample: session 12}
    summary: {description: One sentence., type: str}
    evidence: {description: What was seen., type: list, elements: str}
    cause: {description: Why it is so., type: str}
    repair: {description: What would cure it., type: str}
    repairable: {description: Whether this collection can cure it., type: bool}
    gate: {description: "The role variable that must be true for that, or null.", type: str}
findings_before:
  description: The same, before anything was done.
  returned: success, and when a step failed
  type: list
  elements: dict
  contains: *finding
steps:
  description: Every planned change, in order, and what became of it.
  returned: success, and when a step failed
  type: list
  elements: dict
  contains:
    kind: {description: What kind of change it is., type: str, sample: session.cancel}
    what: {description: The change as a sentence., type: str}
    target: {description: What is changed., type: dict}
    before: {description: The fields that change as they are., type: dict}
    after: {description: The same fields as they shall be., type: dict}
    finding: {description: "Id of the finding it cures, or null.", type: str}
    gate: {description: "The consent variable it needs, or null.", type: str}
    outcome: {description: "V(done), V(planned), V(skipped), V(blocked) or V(failed).", type: str}
    detail: {description: "Why it was not done, or what to know about it.", type: str}
refused:
  description: Why nothing may be done, or empty.
  returned: success, and when a step failed
  type: str
notes:
  description: What was left alone, and why.
  returned: success, and when a step failed
  type: list
  elements: str
backup_file:
  description: The backup that was written before the first change, or null.
  returned: success, and when a step failed
  type: str
  sample: /var/backups/imaging.multicast/fog-20260101T101500Z-k3x0a1bc.json
waited_for_lock:
  description: Seconds this run waited for another repair of the same database.
  returned: success, and when a step failed
  type: float
lock_holder:
  description: Database connection that held the lock meanwhile, or null.
  returned: success, and when a step failed
  type: int
missing_libraries:
  description: Python libraries this module needs and the host does not have.
  returned: when it fails for that reason
  type: list
  elements: str
  sample: [PyMySQL, netifaces]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imaging.multicast.plugins.module_utils._fog.change import reset
from ansible_collections.imaging.multicast.plugins.module_utils._fog.options import connection_spec, writing_spec
from ansible_collections.imaging.multicast.plugins.module_utils._fog.run import run


def main():
    spec = dict(
        connection_spec(),
        scope={"type": "str", "choices": ["stale", "all"], "default": "stale"},
        sessions={"type": "list", "elements": "int", "default": []},
        method={"type": "str", "choices": ["cancel", "delete"], "default": "cancel"},
        end_senders={"type": "bool", "default": True},
        restore_from={"type": "path"},
        **writing_spec(),
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run(module, reset)


if __name__ == "__main__":
    main()

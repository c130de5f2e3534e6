#!/usr/bin/python
# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: fog_storage_iface
short_description: Correct the interface, address and master flag of a FOG storage node
version_added: 0.1.0
description:
  - Compares what a storage node's record says with the host, and corrects the record.
  - Three things are kept apart, the configured interface (the record), the effective one (what FOG gives to
    udp-sender) and the expected one (what carries the node's address and can multicast).
  - Since FOG 1.4 the record does not choose the interface. Correcting it alone does not repair multicast, and RV(wrong)
    says which of the things was wrong.
  - FOGMulticastManager remembers addresses. When the address or the master flag was changed, restart it with
    M(imaging.multicast.fog_multicast_service).
extends_documentation_fragment:
  - imaging.multicast.attributes
  - imaging.multicast.attributes.changes
  - imaging.multicast.fog_connection
  - imaging.multicast.fog_connection.writing
options:
  node:
    description: Name of the storage node. When it is not given, it is the node whose address is one of this host.
    type: str
  interface:
    description:
      - The interface the record shall name.
      - V(auto) is the interface that carries the node's address and can multicast.
    type: str
    default: auto
  address:
    description:
      - The address the record shall have; it must be one of this host.
      - When it is not given, the address is only corrected when there is no doubt which it is.
    type: str
  master:
    description:
      - V(true) makes the node the master of its storage group; other masters of the group lose the flag.
      - When it is not given, the flag is only set when the group has no enabled master and there is no doubt.
    type: bool
  update_settings:
    description: Whether the settings FOG_UDPCAST_INTERFACE and FOG_NFS_ETH_MONITOR follow the record.
    type: bool
    default: true
seealso:
  - module: imaging.multicast.fog_multicast_info
  - module: imaging.multicast.fog_multicast_service
"""

EXAMPLES = r"""
- name: Correct the record of this host's storage node
  imaging.multicast.fog_storage_iface:

- name: Name the interface, and make this host the master of its group
  imaging.multicast.fog_storage_iface:
    node: DefaultMember
    interface: eth0
    master: true
"""

RETURN = r"""
node:
  description: Name of the storage node, or null when none is this host's.
  returned: success, and when a step failed
  type: str
  sample: DefaultMember
configured_interface:
  description: The interface in the record, afterwards.
  returned: success, and when a step failed
  type: str
effective_interface:
  description: The interface FOG gives to udp-sender, afterwards; null when it gives none.
  returned: success, and when a step failed
  type: str
expected_interface:
  description: The interface that carries the node's address and can multicast, or null.
  returned: success, and when a step failed
  type: str
wrong:
  description:
    - What was wrong before, of V(record), V(address), V(route) and V(master).
    - A V(route) is never changed by this collection.
  returned: success, and when a step failed
  type: list
  elements: str
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
    kind: {description: What kind of change it is., type: str, sample: node.update}
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
from ansible_collections.imaging.multicast.plugins.module_utils._fog.change import storage_iface
from ansible_collections.imaging.multicast.plugins.module_utils._fog.options import connection_spec, writing_spec
from ansible_collections.imaging.multicast.plugins.module_utils._fog.run import run


def main():
    spec = dict(
        connection_spec(),
        node={"type": "str"},
        interface={"type": "str", "default": "auto"},
        address={"type": "str"},
        master={"type": "bool"},
        update_settings={"type": "bool", "default": True},
        **writing_spec(),
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run(module, storage_iface)


if __name__ == "__main__":
    main()

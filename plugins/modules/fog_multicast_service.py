#!/usr/bin/python
# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: fog_multicast_service
short_description: Start, enable or restart FOGMulticastManager, with evidence kept
version_added: 0.1.0
description:
  - Starts and enables FOG's multicast daemon where this host's storage node is a master, and restarts it when its
    child is dead or silent.
  - A restart deletes FOG's log and sends every active session again from its first file. So the logs are put into
    RV(evidence) first, and while something is being sent the restart is blocked unless O(allow_restart=true).
extends_documentation_fragment:
  - imaging.multicast.attributes
  - imaging.multicast.attributes.changes
  - imaging.multicast.fog_connection
options:
  restart:
    description: Whether a change made elsewhere, such as to the node's address, needs a restart.
    type: bool
    default: false
  allow_restart:
    description: Whether a restart may interrupt a session that is under way.
    type: bool
    default: false
  master:
    description: Whether this host is meant to be the master of its storage group, and so needs the daemon.
    type: bool
  wait:
    description: Seconds to wait after a start until the daemon's child lives and its log has begun.
    type: int
    default: 30
attributes:
  idempotent:
    support: partial
    details: With O(restart=true) it restarts the daemon each time.
seealso:
  - module: imaging.multicast.fog_multicast_info
  - module: imaging.multicast.fog_storage_iface
"""

EXAMPLES = r"""
- name: See that the daemon runs and works
  imaging.multicast.fog_multicast_service:

- name: Correct the storage node's address
  imaging.multicast.fog_storage_iface:
  register: iface

- name: Restart it after the storage node's address was corrected
  imaging.multicast.fog_multicast_service:
    restart: "{{ iface is changed }}"
"""

RETURN = r"""
before:
  description: FOGMulticastManager before anything was done.
  returned: success, and when a step failed
  type: dict
  contains: &service
    manager: {description: "V(systemd), V(sysv) or empty.", type: str}
    installed: {description: Whether the unit exists., type: bool}
    enabled: {description: "Whether it starts at boot, or null.", type: bool}
    active: {description: Whether the service manager calls it active., type: bool}
    state: {description: State in the service manager's words., type: str}
    main_pid: {description: "Main process, or null.", type: int}
    since: {description: "Seconds since it became active, or null.", type: float}
    daemon: {description: Process ids of the daemon's parents., type: list, elements: int}
    children: {description: Process ids of the children that do the work., type: list, elements: int}
    error: {description: "What could not be found out about it, or empty.", type: str}
    log: {description: Path of the log., type: str}
    log_age: {description: "Seconds since the log was written, or null.", type: float}
after:
  description: FOGMulticastManager afterwards.
  returned: success, and when a step failed
  type: dict
  contains: *service
evidence:
  description: The ends of FOG's logs before anything was done, by path; empty when nothing was to be done.
  returned: success, and when a step failed
  type: dict
findings:
  description: What is wrong, or worth knowing, on this host afterwards; worst first.
  returned: success, and when a step failed
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
    kind: {description: What kind of change it is., type: str, sample: service.restart}
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
missing_libraries:
  description: Python libraries this module needs and the host does not have.
  returned: when it fails for that reason
  type: list
  elements: str
  sample: [PyMySQL, netifaces]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imaging.multicast.plugins.module_utils._fog.change import serve
from ansible_collections.imaging.multicast.plugins.module_utils._fog.options import connection_spec
from ansible_collections.imaging.multicast.plugins.module_utils._fog.run import run


def main():
    spec = dict(
        connection_spec(),
        restart={"type": "bool", "default": False},
        allow_restart={"type": "bool", "default": False},
        master={"type": "bool"},
        wait={"type": "int", "default": 30},
    )
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run(module, serve)


if __name__ == "__main__":
    main()

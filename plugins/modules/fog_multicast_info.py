#!/usr/bin/python
# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: fog_multicast_info
short_description: Find out why multicast imaging does not work on a FOG server
version_added: 0.1.0
description:
  - Looks at FOG's files, its database, the host's interfaces, routes and processes, the service and the logs, and tells
    what is wrong, with evidence, cause and repair.
  - It writes nothing, neither on the host nor in the database.
  - A database that cannot be used is a finding, not a failure. A host without FOG's settings is a failure.
extends_documentation_fragment:
  - imaging.multicast.attributes
  - imaging.multicast.attributes.looks
  - imaging.multicast.fog_connection
options:
  master:
    description:
      - Whether this host is meant to be the master of its storage group.
      - With V(false) a master on another host is right.
      - When it is not given, a full FOG server is expected to be the master of its group.
    type: bool
seealso:
  - module: imaging.multicast.fog_multicast_reset
  - module: imaging.multicast.fog_storage_iface
  - module: imaging.multicast.fog_multicast_service
"""

EXAMPLES = r"""
- name: Look at a FOG server; no option is needed on the server itself
  imaging.multicast.fog_multicast_info:
  register: fog

- name: Show what is wrong
  ansible.builtin.debug:
    msg: "{{ fog.findings | map(attribute='summary') }}"

- name: Look with a login of its own, and call sessions stale after ten minutes
  imaging.multicast.fog_multicast_info:
    login_user: fogreader
    login_password: "{{ vault_fogreader_password }}"
    login_db: fog
    stale_after: 600
"""

RETURN = r"""
fog:
  description: The FOG release and its database.
  returned: success
  type: dict
  contains:
    version: {description: "FOG's version, empty when it could not be read.", type: str, sample: 1.5.10}
    schema: {description: "Schema version of the database, or null.", type: int, sample: 270}
    engine: {description: "Storage engine of the session table, or null.", type: str, sample: MyISAM}
    server: {description: The database server's version., type: str, sample: 10.11.6-MariaDB}
    database: {description: "User, host, port and name of the database.", type: str, sample: "fog@localhost:3306/fog"}
    install_type: {description: "V(N) a full server, V(S) a storage node.", type: str}
    udp_sender:
      description: The program that sends.
      type: dict
      contains:
        path: {description: Where FOG looks for it., type: str, sample: /usr/local/sbin/udp-sender}
        runs: {description: Whether it can be run from there., type: bool}
        found: {description: Other places where it lies., type: list, elements: str}
nodes:
  description: FOG's storage nodes.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Number of the record., type: int}
    name: {description: Name., type: str, sample: DefaultMember}
    group: {description: Number of its storage group., type: int}
    group_name: {description: "Name of its storage group, or null.", type: str}
    master: {description: Whether it has the master flag., type: bool}
    enabled: {description: Whether it is enabled., type: bool}
    hostname: {description: Address or name in its record., type: str}
    address: {description: "What that resolves to, or empty.", type: str}
    interface: {description: Interface in its record., type: str}
    root: {description: Folder of its images., type: str}
    local: {description: Whether its address is one of this host., type: bool}
interfaces:
  description: Which interface this host's storage node uses, and which there are.
  returned: success
  type: dict
  contains:
    node: {description: "Name of this host's storage node, or null.", type: str}
    configured: {description: "The interface in its record, or null.", type: str}
    effective: {description: "The interface FOG gives to udp-sender, or null when it gives none.", type: str}
    expected: {description: "The interface that carries its address and can multicast, or null.", type: str}
    how: {description: How the effective interface comes about on this release., type: str}
    present:
      description: The host's interfaces.
      type: list
      elements: dict
      contains:
        name: {description: Name., type: str}
        addresses: {description: IPv4 addresses with prefix length., type: list, elements: str}
        up: {description: Whether it is switched on., type: bool}
        link: {description: State of the link as the kernel says it., type: str}
        multicast: {description: Whether it does multicast., type: bool}
sessions:
  description: The active multicast sessions of the whole FOG installation.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Number., type: int}
    name: {description: Name., type: str}
    state: {description: "V(0) new, V(1) queued, V(2) checked in, V(3) in progress.", type: int}
    port: {description: Port base., type: int}
    image: {description: Number of the image., type: int}
    path: {description: Path of the image., type: str}
    percent: {description: Progress., type: int}
    clients: {description: Clients the session was started with., type: int}
    group: {description: "Number of its storage group, or of a storage node for a named session.", type: int}
    tasks: {description: Numbers of its active tasks., type: list, elements: int}
    sending: {description: Whether a udp-sender of this host serves it., type: bool}
    idle_seconds: {description: "Seconds since its last sign of life, null when that is not known.", type: float}
    evidence: {description: What that rests on., type: list, elements: str}
senders:
  description: The udp-sender processes of this host.
  returned: success
  type: list
  elements: dict
  contains:
    port: {description: Port base., type: int}
    pid: {description: First process of its tree., type: int}
    interface: {description: "The interface it was given, or null.", type: str}
    files: {description: The files it sends., type: list, elements: str}
    age: {description: Seconds since it was started., type: float}
    session: {description: "Number of the active session that it sends, or null.", type: int}
service:
  description: FOGMulticastManager.
  returned: success
  type: dict
  contains:
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
log:
  description: The last lines of FOG's multicast.log.
  returned: success
  type: list
  elements: str
findings:
  description: What is wrong, or worth knowing, on this host; worst first.
  returned: success
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
missing_libraries:
  description: Python libraries this module needs and the host does not have.
  returned: when it fails for that reason
  type: list
  elements: str
  sample: [PyMySQL, netifaces]
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imaging.multicast.plugins.module_utils._compile_once import compile_once


def main():
    compile_once()
    # Not before, because a healthy host pays for this in every look.
    from ansible_collections.imaging.multicast.plugins.module_utils._fog.options import connection_spec
    from ansible_collections.imaging.multicast.plugins.module_utils._fog.run import info, run

    spec = dict(connection_spec(), master={"type": "bool"})
    module = AnsibleModule(argument_spec=spec, supports_check_mode=True)
    run(module, info)


if __name__ == "__main__":
    main()

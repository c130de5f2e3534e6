#!/usr/bin/python
# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: multicast_probe
short_description: Prove on the wire that multicast carries data, and tell why it does not
version_added: 0.3.0
description:
  - Sends with the real C(udp-sender) over the interface, the kind of port, the rendezvous and the data address that
    FOG on this host would use, to real C(udp-receiver)s, and tells bytes, rate, retransmissions, checksums and causes.
  - It takes no port that an active session or a sender has, nor the one that the next session gets, and never runs
    longer than O(timeout). When it is killed, the kernel ends what it started; it leaves no file behind.
  - What is sent is made up from O(portbase) and O(size), so every receiver tells by itself whether it got all of it.
  - In check mode nothing is sent. The sender then tells which port, interface and checksum it would use, and both ends
    tell what their firewall would do.
  - A probe that does not get through is a finding, not a failure.
  - While a sender is at work, a line every ten seconds says for how long; a task with C(async) is silent.
  - With IGMP snooping and without a querier the stream stops after the membership time of the switches, 260 seconds by
    default. O(duration) V(300) is long enough to see it.
options:
  role:
    description:
      - V(sender) sends, V(receiver) receives.
      - V(judge) looks at the O(results) of both together and sends nothing; it runs anywhere.
    type: str
    choices: [sender, receiver, judge]
    required: true
  interface:
    description:
      - The interface to send or receive on.
      - By default a sender takes the one FOG gives its own C(udp-sender). Without FOG, and on receivers, it is the one
        of the default route.
    type: str
  portbase:
    description:
      - An even UDP port. The sender uses the one after it as well.
      - By default the sender chooses one that FOG could use and that is free. A receiver must be told.
    type: int
  size:
    description: Bytes to send; the same for all ends of a probe.
    type: int
    default: 16777216
  duration:
    description: Send so slowly that it takes about this many seconds. V(0) sends at O(bitrate).
    type: int
    default: 0
  bitrate:
    description: Bits a second to send at the most.
    type: int
    default: 50000000
  receivers:
    description:
      - For how many receivers the sender waits.
      - V(0) lets the host receive its own stream. That proves the host, not the network, and the result says so.
    type: int
    default: 0
  timeout:
    description: Seconds after which everything has ended, whatever happened.
    type: int
    default: 60
  rendezvous:
    description:
      - Address at which sender and receivers meet. A sender's is FOG's setting by default, or V(224.0.0.1).
      - FOG's clients ask at the storage node's own address where FOG has no setting. Give a receiver what a sender
        returns, and it asks as they do; by default it asks at V(224.0.0.1), which no router passes.
    type: str
  data_address:
    description: Multicast address of the data. By default what FOG's settings make of it, or C(udp-sender)'s own.
    type: str
  ttl:
    description: How many routers the stream may cross. FOG uses V(32).
    type: int
    default: 32
  results:
    description: The results of one sender and its receivers, for O(role=judge).
    type: list
    elements: dict
    default: []
  absent:
    description: Names of hosts that were to receive and of which there is no result, for O(role=judge).
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    details: Sends nothing.
extends_documentation_fragment:
  - imaging.multicast.attributes
  - imaging.multicast.attributes.looks
  - imaging.multicast.fog_connection
notes:
  - C(udp-sender) and C(udp-receiver) are in the package C(udpcast). FOG's server has the former.
  - PyMySQL and netifaces are needed on a sender with FOG only.
  - Run it as root; otherwise neither the firewall nor IGMP can be looked at.
seealso:
  - module: imaging.multicast.fog_multicast_info
"""

EXAMPLES = r"""
- name: Prove the FOG server itself
  imaging.multicast.multicast_probe:
    role: sender
  register: alone

- name: Ask the FOG server which port it would use
  imaging.multicast.multicast_probe:
    role: sender
  check_mode: true
  register: planned

- name: Receive on the clients meanwhile
  imaging.multicast.multicast_probe:
    role: receiver
    portbase: "{{ planned.portbase }}"
    rendezvous: "{{ planned.rendezvous }}"
  delegate_to: "{{ item }}"
  loop: "{{ groups.multicast_probe_clients }}"
  async: 90
  poll: 0
  register: started

- name: Send to them
  imaging.multicast.multicast_probe:
    role: sender
    portbase: "{{ planned.portbase }}"
    receivers: "{{ groups.multicast_probe_clients | length }}"
  register: sent

- name: Collect what they received
  ansible.builtin.async_status:
    jid: "{{ item.ansible_job_id }}"
  delegate_to: "{{ item.item }}"
  loop: "{{ started.results }}"
  register: received
  until: received is finished
  retries: 60
  delay: 2

- name: Judge all of it
  imaging.multicast.multicast_probe:
    role: judge
    results: "{{ [sent] + received.results }}"

- name: Look for five minutes whether a switch forgets its members
  imaging.multicast.multicast_probe:
    role: sender
    receivers: 2
    duration: 300
    timeout: 400
"""

RETURN = r"""
role:
  description: The option.
  returned: success
  type: str
portbase:
  description: The port that was used or would be.
  returned: success
  type: int
  sample: 50020
host:
  description: Name of the host.
  returned: when it sends or receives
  type: str
interface:
  description: The interface that was looked at.
  returned: when it sends or receives
  type: str
  sample: eth0
address:
  description: The address on it.
  returned: when it sends or receives
  type: str
  sample: 10.0.0.5
mtu:
  description: The MTU of the interface.
  returned: when it sends or receives
  type: int
  sample: 1500
group:
  description: "Multicast address of the data, empty when it was never told."
  returned: when it sends or receives
  type: str
rendezvous:
  description:
    - The address at which a receiver asks for the sender.
    - A sender's is where FOG's clients would ask, FOG's setting or else the storage node's own address. Without FOG,
      or with O(interface), it is the address of the interface.
  returned: when it sends or receives
  type: str
ttl:
  description: The option.
  returned: when it sends or receives
  type: int
bitrate:
  description: Bits a second that were asked for.
  returned: when it sends or receives
  type: int
size:
  description: The option.
  returned: when it sends or receives
  type: int
bytes:
  description: "Bytes sent, or received."
  returned: success
  type: int
seconds:
  description: "From the beginning of the transfer to its end, without the wait for receivers."
  returned: success
  type: float
rate:
  description: Bits a second.
  returned: success
  type: float
retransmits:
  description: "Blocks of 1456 bytes that were sent again, a sender only."
  returned: success
  type: int
datagrams:
  description: "Datagrams of data that were sent, the repeated ones included."
  returned: when it sends or receives
  type: int
sha256:
  description: "SHA-256 of what was sent or received, in check mode of what would be."
  returned: success
  type: str
complete:
  description: "Whether all of it got to where it was to go, with the right checksum."
  returned: success
  type: bool
proven:
  description:
    - V(wire) when data went over the network, V(host) when a host received its own, V(nothing) otherwise.
  returned: success
  type: str
  sample: wire
peers:
  description: The receivers of a sender, or the sender of a receiver.
  returned: when it sends or receives
  type: list
  elements: dict
  contains:
    address: {description: Its address., type: str}
    unanswered: {description: How often the sender waited for it in vain., type: int}
    dropped: {description: Whether the sender gave it up., type: bool}
absent:
  description: The option.
  returned: for O(role=judge)
  type: list
  elements: str
receivers:
  description: What each receiver got.
  returned: for O(role=judge)
  type: list
  elements: dict
  contains:
    host: {description: Its name., type: str}
    address: {description: Its address., type: str}
    bytes: {description: What it received., type: int}
    missing: {description: What it did not., type: int}
    sha256: {description: SHA-256 of what it received., type: str}
    same: {description: Whether that is what was sent., type: bool}
    lost: {description: Percent of the datagrams that never reached it., type: float}
routed:
  description: Whether a receiver and its sender are in different networks.
  returned: when it sends or receives
  type: bool
counters:
  description: How far the kernel's counters went meanwhile.
  returned: when it sends or receives
  type: dict
groups:
  description: Multicast groups the interface was in.
  returned: when it sends or receives
  type: list
  elements: str
queriers:
  description: Who was heard asking for members.
  returned: when it sends or receives
  type: list
  elements: str
silences:
  description: Times in which a receiver got nothing.
  returned: when it sends or receives
  type: list
  elements: dict
  contains:
    began: {description: Seconds after the start., type: float}
    bytes: {description: What had come by then., type: int}
    datagrams: {description: Datagrams that reached the host meanwhile., type: int}
    reports: {description: Membership reports that were sent to bring the stream back., type: int}
    ended: {description: "Seconds after the start, null when it never came back.", type: float}
    prompt: {description: Whether it came back right after a report., type: bool}
output:
  description: The last lines that udpcast printed.
  returned: when it sends or receives
  type: list
  elements: str
findings:
  description: What is wrong, worst first.
  returned: success
  type: list
  elements: dict
  contains:
    id: {description: Stable name of the kind of finding., type: str, sample: net.loss}
    severity: {description: "V(error) breaks multicast, V(warning) will or may, V(info) does not.", type: str}
    subject: {description: What it is about., type: str, sample: receiver hn01}
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
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imaging.multicast.plugins.module_utils._fog.run import run
from ansible_collections.imaging.multicast.plugins.module_utils._probe.probe import argument_spec, probe


def main():
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    run(module, probe)


if __name__ == "__main__":
    main()

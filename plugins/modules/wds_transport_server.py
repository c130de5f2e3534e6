# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: wds_transport_server
short_description: Start WDSServer, or install the WDS Transport Server anew
version_added: 0.2.0
description:
  - Has WDSServer start with every boot and starts it, after the definition of each namespace was kept. A running
    service is never restarted.
  - WDSServer deletes at its start what it cannot register. It is not started while a stored namespace needs a content
    provider that is not registered.
  - Does the published workaround when it is asked to. It removes WDS, reboots, installs WDS-Transport, reboots, and
    brings the namespaces back from their baselines, the one that is named also from the options.
  - The workaround keeps its place in the registry of the head node, so a run that was cut off, also during a reboot,
    is continued by the next. To begin anew instead, delete the key C(HKLM\SOFTWARE\imaging.multicast\Reinstall).
options:
  name:
    description:
      - Name of the namespace that must be served in the end.
      - When it is not given, it is the computer's name with V(-CCP).
      - For O(state=reinstalled), where HPC is not installed, it must be given.
    type: str
  content_provider:
    description: Content provider of that namespace, where it has no baseline or another one is wanted.
    type: str
  configuration:
    description: The configuration string of its content provider; for the content provider V(WDS) a folder.
    type: str
  friendly_name:
    description: Its name for people. When it is not given, it is kept, or the name.
    type: str
  description:
    description: Its description. When it is not given, it is kept, or none.
    type: str
  state:
    description:
      - V(started) makes sure that WDSServer runs, now and after every boot.
      - V(reinstalled) makes sure that the transport server serves the namespace, and installs it anew where it does
        not. An interrupted run is continued.
    type: str
    choices: [started, reinstalled]
    default: started
  allow_reboot:
    description: Consent to the reboots that O(state=reinstalled) takes. Without it nothing is done.
    type: bool
    default: false
  reboot_timeout:
    description: How long to wait for the head node after each reboot, in seconds.
    type: int
    default: 1800
  namespace_timeout:
    description: How long to wait for the namespace after the last reboot, in seconds.
    type: int
    default: 300
  force:
    description:
      - Whether WDS is installed anew although the transport server is in order, WDS-Deployment is installed and would
        be lost, clients are connected, or any of this cannot be seen, as with a namespace of type ScheduledCast.
    type: bool
    default: false
attributes:
  idempotent:
    support: partial
    details: With O(force) and O(state=reinstalled) each run installs anew.
extends_documentation_fragment:
  - imaging.multicast.attributes.windows
  - imaging.multicast.attributes
  - imaging.multicast.attributes.changes
  - imaging.multicast.wds_connection
seealso:
  - module: imaging.multicast.wds_multicast_info
  - module: imaging.multicast.wds_multicast_namespace
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: Start WDSServer, now and with every boot
  imaging.multicast.wds_transport_server:

- name: Install the transport server anew, with two reboots
  imaging.multicast.wds_transport_server:
    state: reinstalled
    allow_reboot: true
  throttle: 1
"""

RETURN = r"""
before:
  description: The transport server before anything was done.
  returned: success, and when a step failed
  type: dict
  contains: &transport
    installed: {description: Whether WDSServer is installed., type: bool}
    features:
      description: Which features of WDS are installed, or null where that could not be seen.
      type: list
      elements: str
      sample: [WDS-Transport]
    state: {description: "V(running), V(stopped) or another word, or null.", type: str}
    start: {description: "V(auto), V(demand), V(disabled) or another word, or null.", type: str}
    boot: {description: "When the host was last booted, in the form of CIM, or null.", type: str}
    namespaces: {description: "As of M(imaging.multicast.wds_multicast_info).", type: list, elements: dict}
    reinstall: {description: "As of M(imaging.multicast.wds_multicast_info), or null.", type: dict}
after:
  description: The same afterwards.
  returned: success, and when a step failed
  type: dict
  contains: *transport
reboots:
  description: How many reboots of the head node this run waited for.
  returned: success, and when a step failed
  type: int
  sample: 2
gate:
  description: The role variable that must be true for what was refused, or null.
  returned: success, and when a step failed
  type: str
  sample: wds_multicast_allow_reboot
findings:
  description: What is wrong, or worth knowing, on this host afterwards; worst first.
  returned: success, and when a step failed
  type: list
  elements: dict
  contains: &finding
    id: {description: Stable name of the kind of finding., type: str, sample: wds.namespace.missing}
    severity: {description: "V(error) breaks multicast, V(warning) will or may, V(info) does not.", type: str}
    subject: {description: What it is about., type: str, sample: HEADNODE-CCP}
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
    kind: {description: What kind of change it is., type: str, sample: feature.remove}
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
backup_key:
  description:
    - The registry key that the store was copied to before the newest write; null when nothing was written, or the store
      held no namespace.
    - The five newest copies are kept.
    - Before WDS is removed, all of WDSServer's key is copied too, to a key with C(-WDSServer) at its end. Settings that
      differ afterwards are told in the step C(transport.restore); they are not put back.
  returned: success, and when a step failed
  type: str
  sample: HKLM\SOFTWARE\imaging.multicast\Backups\20260101T101500Z
"""

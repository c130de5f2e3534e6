# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: wds_multicast_namespace
short_description: Bring a WDS multicast namespace back, and keep its definition while it is healthy
version_added: 0.2.0
description:
  - Creates a namespace that is gone from the options, or else from the baseline, which is the definition that was kept
    on the head node while it was healthy. This needs no reboot.
  - Content provider and configuration are never guessed. Where neither the options nor a baseline tell them, nothing
    is done and RV(refused) names the options to give.
  - Keeps the definition of a healthy namespace as its baseline.
  - Before each write the whole store is copied, and the host is looked at again. What is no longer as it was is left
    alone. After the write the registry says whether it was done.
  - Nothing is done where the registry and the running service disagree, a part of the host could not be read, or the
    build of Windows is not known.
options:
  name:
    description:
      - Name of the namespace. When it is not given, it is the computer's name with V(-CCP).
      - Where HPC is not installed and O(state=present), it is every namespace that the host has or has a baseline of,
        if there is any.
    type: str
  state:
    description:
      - V(present) makes sure that the namespace is there, as far as the options say how.
      - V(absent) removes it; its baseline is kept.
    type: str
    choices: [present, absent]
    default: present
  content_provider:
    description: Its content provider, which must be registered.
    type: str
  configuration:
    description: The configuration string of its content provider; for the content provider V(WDS) a folder.
    type: str
  type:
    description: Its type. When it is not given, a namespace that is there keeps its own.
    type: str
    choices: [autocast]
  friendly_name:
    description: Its name for people. When it is not given, it is kept, or the name.
    type: str
  description:
    description: Its description. When it is not given, it is kept, or none.
    type: str
  save_baseline:
    description:
      - Whether the definition of a healthy namespace is kept on the head node.
      - Before a namespace is removed to be made again, its definition is kept in any case.
    type: bool
    default: true
  force:
    description:
      - Whether a namespace is removed, or made again because it differs from the options, although clients are
        connected to it or that cannot be seen. They are cut off.
    type: bool
    default: false
extends_documentation_fragment:
  - imaging.multicast.attributes.windows
  - imaging.multicast.attributes
  - imaging.multicast.attributes.changes
  - imaging.multicast.wds_connection
seealso:
  - module: imaging.multicast.wds_multicast_info
  - module: imaging.multicast.wds_transport_server
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: Bring the namespace of the head node back, or keep its definition
  imaging.multicast.wds_multicast_namespace:

- name: Bring it back on a head node that has no baseline of it
  imaging.multicast.wds_multicast_namespace:
    name: HEADNODE-CCP
    content_provider: WDS
    configuration: D:\Images

- name: Remove a namespace
  imaging.multicast.wds_multicast_namespace:
    name: OLD-CCP
    state: absent
"""

RETURN = r"""
namespace:
  description: Name of the namespace, of several the first, or null where it is not known.
  returned: success, and when a step failed
  type: str
  sample: HEADNODE-CCP
before:
  description: The namespace before anything was done, or null when there was none.
  returned: success, and when a step failed
  type: dict
  contains: &namespace
    name: {description: Its name., type: str, sample: HEADNODE-CCP}
    content_provider: {description: Its content provider., type: str, sample: WDS}
    configuration: {description: The configuration string of its content provider., type: str}
    type: {description: "V(autocast), V(scheduledcast_manual), V(scheduledcast_auto) or a number.", type: str}
    friendly_name: {description: Its name for people., type: str}
    description: {description: Its description., type: str}
    stored: {description: Whether the registry holds it., type: bool}
    complete: {description: Whether its definition in the registry is whole., type: bool}
    registered: {description: "Whether WDSServer has it registered, or null where it could not be asked.", type: bool}
    tombstoned: {description: "Whether it waits to be deleted, or null where WDSServer could not be asked.", type: bool}
    transmitting: {description: "Whether clients are served, or null where WDSServer could not be asked.", type: bool}
    healthy: {description: Whether it is defined and served., type: bool}
after:
  description: The same afterwards, or null when there is none.
  returned: success, and when a step failed
  type: dict
  contains: *namespace
source:
  description: Where the definition that is written comes from, V(options) or V(baseline); null when none is.
  returned: success, and when a step failed
  type: str
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
    kind: {description: What kind of change it is., type: str, sample: namespace.create}
    what: {description: The change as a sentence., type: str}
    target: {description: What is changed., type: dict}
    before: {description: The fields that change as they are., type: dict}
    after: {description: The same fields as they shall be., type: dict}
    finding: {description: "Id of the finding it cures, or null.", type: str}
    gate: {description: "The consent variable it needs, or null.", type: str}
    outcome: {description: "V(done), V(planned), V(skipped), V(blocked) or V(failed).", type: str}
    detail: {description: "Why it was not done, or what to know about it.", type: str}
refused:
  description: Why nothing may be done, of several namespaces with one of them, or empty.
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
  returned: success, and when a step failed
  type: str
  sample: HKLM\SOFTWARE\imaging.multicast\Backups\20260101T101500Z
"""

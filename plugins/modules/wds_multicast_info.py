# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: wds_multicast_info
short_description: Find out why multicast imaging with WDS is broken on a Windows HPC head node
version_added: 0.2.0
description:
  - Reads the namespaces and content providers of Windows Deployment Services, its service and features, the events of
    its multicast provider, HPC's deployment logs and what this collection has kept, and says what is wrong.
  - A healthy head node costs one round trip. State is read from the registry, numbers and XML only, so the language of
    the server does not matter.
  - Writes nothing.
options:
  name:
    description: Name of the namespace that must be there. When it is not given, it is the computer's name with V(-CCP).
    type: str
  content_provider:
    description: The content provider it must have. Nothing is compared when it is not given.
    type: str
  configuration:
    description: The configuration string it must have. Nothing is compared when it is not given.
    type: str
  friendly_name:
    description: The name for people it must have. Nothing is compared when it is not given.
    type: str
  description:
    description: The description it must have. Nothing is compared when it is not given.
    type: str
  deployment_logs:
    description:
      - Folders of deployment logs on the head node, with one folder for each compute node in them.
      - When none is given, they are found through HPC's share V(SpoolDir), or else HPC's data folder.
      - More folders than fit into one command line of Windows cost a further request for each such line.
    type: list
    elements: str
    default: []
  since:
    description: How many days back events and deployment logs count, from 1 to 3650.
    type: int
    default: 7
  deployments:
    description:
      - When deployment logs are read, which takes a further round trip.
      - V(auto) reads them when something else was found wrong.
      - Of each compute node the newest three logs are searched on the head node, and only lines that tell of multicast
        come back, the newest logs first. After 262,144 characters of them in all, the names of the logs counted too,
        the rest is left out, RV(unread) says so, and the finding C(wds.view.unread) is added.
    type: str
    choices: [auto, always, never]
    default: auto
extends_documentation_fragment:
  - imaging.multicast.attributes.windows
  - imaging.multicast.attributes
  - imaging.multicast.attributes.looks
  - imaging.multicast.wds_connection
seealso:
  - module: imaging.multicast.wds_multicast_namespace
  - module: imaging.multicast.wds_transport_server
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: Look at the head node
  imaging.multicast.wds_multicast_info:
  register: wds

- name: Look at a head node whose deployment logs are elsewhere
  imaging.multicast.wds_multicast_info:
    name: HEADNODE-CCP
    deployment_logs:
      - D:\Spool\DeploymentLogs
    deployments: always
    since: 30
"""

RETURN = r"""
server:
  description: The head node.
  returned: success
  type: dict
  contains:
    name: {description: Its computer name., type: str, sample: HEADNODE}
    build: {description: "Build of Windows, or null.", type: int, sample: 17763}
    known: {description: Whether this collection knows the build., type: bool}
    version: {description: Version of Windows., type: str, sample: "6.3"}
    service_pack: {description: "Service pack, or empty.", type: str}
    product: {description: Name of the product., type: str, sample: Windows Server 2019 Standard}
    hpc: {description: Whether HPC Pack is installed., type: bool}
    powershell: {description: "Version of PowerShell, or empty.", type: str, sample: "5.1.17763.1"}
    boot: {description: "When it was last booted, in the form of CIM, or empty.", type: str}
    reboot_pending: {description: Whether Windows waits for a reboot., type: bool}
service:
  description: WDSServer, and HPC's own service beside it.
  returned: success
  type: dict
  contains:
    name: {description: Name of the service., type: str, sample: WDSServer}
    installed: {description: Whether it is installed., type: bool}
    state: {description: "V(running), V(stopped) or another word, or null.", type: str}
    start: {description: "V(auto), V(demand), V(disabled) or another word, or null.", type: str}
    hpc_management: {description: The same of HpcManagement., type: dict}
role:
  description: Windows Deployment Services as a feature.
  returned: success
  type: dict
  contains:
    installed: {description: Whether the service is installed., type: bool}
    features:
      description: Which of its features are, or null where that could not be seen.
      type: list
      elements: str
      sample: [WDS-Transport]
namespace:
  description: Name of the namespace that must be there, or null where it is not known.
  returned: success
  type: str
  sample: HEADNODE-CCP
namespaces:
  description: Every namespace of the registry or of the running service.
  returned: success
  type: list
  elements: dict
  contains:
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
providers:
  description: The content providers that are registered.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, sample: WDS}
    description: {description: Its description., type: str}
    dll: {description: Its library., type: str}
    routine: {description: The routine of the library that begins it., type: str}
baseline:
  description: The definitions that were kept on the host while their namespaces were healthy.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the namespace., type: str, sample: HEADNODE-CCP}
    content_provider: {description: Its content provider., type: str}
    configuration: {description: The configuration string of its content provider., type: str}
    type: {description: "As of RV(namespaces).", type: str}
    friendly_name: {description: Its name for people., type: str}
    description: {description: Its description., type: str}
    complete: {description: Whether the definition is whole., type: bool}
events:
  description: Events of WDSMC and wdscpmsg, the newest first.
  returned: success
  type: list
  elements: dict
  contains:
    source: {description: Where it comes from., type: str, sample: WDSMC}
    id: {description: Its number., type: int, sample: 769}
    time: {description: "When it was written, in ISO 8601 and UTC.", type: str}
    record: {description: Its number in the log., type: int}
    data: {description: Its texts., type: list, elements: str}
deployments:
  description: The newest deployment of each compute node, or null when the logs were not read.
  returned: success
  type: list
  elements: dict
  contains:
    node: {description: The compute node., type: str}
    time: {description: "When its log was written last, in ISO 8601 and UTC.", type: str}
    file: {description: The log., type: str}
    image: {description: The image., type: str}
    namespace: {description: "What CcpImg was told, empty for a blank one, null when it was not called.", type: str}
    usage: {description: Whether CcpImg answered with its usage text., type: bool}
    fallback: {description: Whether robocopy copied the image instead., type: bool}
    exit_code: {description: "Exit code of a failed multicast, or null.", type: int}
reinstall:
  description: Where an interrupted reinstall stands, or null.
  returned: success
  type: dict
  contains:
    stage: {description: "V(remove), V(removed), V(install), V(installed) or V(restore).", type: str}
    boot: {description: The boot it was written in., type: str}
    started: {description: When the reinstall was begun., type: str}
unread:
  description: What could not be read, a sentence for each part.
  returned: success
  type: list
  elements: str
findings:
  description: What is wrong, or worth knowing, on this host; worst first.
  returned: success
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
"""

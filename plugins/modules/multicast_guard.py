# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: multicast_guard
short_description: Refuse to repair when too much of a fleet looks broken at once
version_added: 0.1.0
description:
  - When a large part of a fleet looks broken at once, a wrong diagnosis is likelier than that many faults. This keeps
    a wrong diagnosis from sweeping the fleet.
  - Reads the findings that were collected about every host of the play; hosts that could not be looked at do not count.
  - Hosts of a later batch (C(serial)) count as broken until they are looked at, so look at all hosts in a play before.
  - Runs on the controller and contacts no host. Use it with C(run_once).
  - It never refuses for one or two broken hosts, so that a small fleet can be repaired.
options:
  result:
    description: Name of the host variable that holds the result of the info module.
    type: str
    required: true
  max_broken_percent:
    description:
      - The largest part of the hosts, in percent, that may have findings of severity C(error).
      - What is not a number from 0 to 100 refuses every repair.
    type: raw
    required: true
  earlier:
    description:
      - What an earlier look at the whole group saw. It counts where it saw more hosts than this run, which is then a
        part of the group, such as one slice of an AWX job.
      - The stat C(multicast_broken) of a run has this for each platform.
    type: dict
    suboptions:
      hosts:
        description: How many hosts had findings of severity C(error).
        type: int
        required: true
      of:
        description: How many hosts could be looked at.
        type: int
        required: true
  look_required:
    description:
      - Whether to refuse every repair without O(earlier). Set it where a run sees only a part of the group, such as one
        slice of an AWX job, so that no part is judged alone.
    type: bool
    default: false
extends_documentation_fragment:
  - imaging.multicast.attributes.controller
  - imaging.multicast.attributes
  - imaging.multicast.attributes.looks
seealso:
  - module: imaging.multicast.multicast_summary
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: Keep a wrong diagnosis from sweeping the fleet
  imaging.multicast.multicast_guard:
    result: fog_multicast_result
    max_broken_percent: 50
  register: guard
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
broken:
  description: Hosts with a finding of severity C(error).
  returned: always
  type: list
  elements: str
  sample: [fog2]
refused:
  description: Why no host may be repaired; an empty string when they may.
  returned: always
  type: str
  sample: ""
"""

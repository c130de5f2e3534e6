# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way the recap becomes the last thing printed: see :func:`shown`."""

from collections.abc import Callable, Sequence

from ansible.utils.display import Display
from ansible_collections.imaging.multicast.plugins.plugin_utils import _fleet

DOCUMENTATION = r"""
name: shown
short_description: Print the lines of a report
version_added: 0.3.0
description:
  - Prints the lines, and is then true.
  - Meant for the condition of a C(meta) task. It is evaluated after the task's banner, and Ansible prints nothing after
    it, so that these lines are the last ones before Ansible's own recap. Every other task is followed by its C(ok).
options:
  _input:
    description: What the module C(multicast_summary) returns as C(screen).
    type: list
    elements: dict
    required: true
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

EXAMPLES = r"""
- name: Recap
  ansible.builtin.meta: flush_handlers
  when: multicast_report_written.screen is imaging.multicast.shown
"""

RETURN = r"""
_value:
  description: Always true, because the lines were shown.
  type: bool
"""


def shown(screen: Sequence[_fleet.Line]) -> bool:
    """Print the lines, and say that they are shown."""
    _fleet.show(screen, Display())
    return True


class TestModule:
    """The tests of this file by their names."""

    def tests(self) -> dict[str, Callable[[Sequence[_fleet.Line]], bool]]:
        """What Ansible finds here."""
        return {"shown": shown}

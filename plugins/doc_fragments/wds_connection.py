# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How head nodes are reached."""


class ModuleDocFragment:
    """Notes for ``extends_documentation_fragment``."""

    DOCUMENTATION = r"""
options: {}
notes:
  - Everything is done over the connection of the host (P(ansible.builtin.winrm#connection),
    P(ansible.builtin.psrp#connection) or P(ansible.builtin.ssh#connection)) with programs that Windows brings.
    Nothing is copied to it, and no PowerShell of a certain version is needed.
  - C(become) is refused, because it would do nothing. Connect as an administrator of the head node.
"""

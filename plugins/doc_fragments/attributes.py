# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation fragment: what a module supports of check mode, diff, platforms and idempotence."""


class ModuleDocFragment:
    """Attributes for ``extends_documentation_fragment``."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and return what it would change without changing anything.
  diff_mode:
    description: Will return details on what has changed (or would change in C(check_mode)) when in diff mode.
  platform:
    description: Target operating systems this module works on.
    platforms: posix
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation reports no change.
      - This assumes that nothing else changed the host or the database between the two runs.
"""

    # For a module that changes something.
    CHANGES = r"""
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  platform:
    support: full
    platforms: posix
  idempotent:
    support: full
"""

    # For a module that only looks.
    LOOKS = r"""
attributes:
  check_mode:
    support: full
    details: This module never changes anything.
  diff_mode:
    support: N/A
    details: This module never changes anything.
  platform:
    support: full
    platforms: posix
  idempotent:
    support: full
"""

    # For a module whose work an action plugin does over the connection to a head node. It stands before the others,
    # because what a fragment says wins over those that follow.
    WINDOWS = r"""
attributes:
  action:
    description: An action plugin of the same name does the work on the controller.
    support: full
  platform:
    platforms: windows
"""

    # For a module whose work an action plugin does on the controller alone; it stands before the others, too.
    CONTROLLER = r"""
attributes:
  action:
    description: An action plugin of the same name does the work on the controller.
    support: full
  platform:
    platforms: all
  bypass_host_loop:
    description: Forces a C(global) task that does not execute per host.
    support: none
    details: Use C(run_once).
"""

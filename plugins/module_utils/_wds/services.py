# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what ``sc.exe query`` and ``sc.exe queryex`` say, by their numbers alone (facts/windows.md section 6)."""

import re
from typing import NamedTuple, Optional

#: States of a service, as sc.exe prints them.
STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
#: Start types, as the registry holds them.
AUTOMATIC, DEMAND, DISABLED = 2, 3, 4
#: Exit code of sc.exe: there is no such service.
NOT_INSTALLED = 1060

# An indented line whose value begins with a number. Their order is fixed: type, state, two exit codes, checkpoint, wait
# hint and, with queryex, process id. The labels are in the server's language.
_FIELD = re.compile(r"[ \t][^:\uff1a\r\n]*[:\uff1a][ \t]*(?P<value>(?:0[xX])?[0-9a-fA-F]{1,8})(?=[ \t\r]|\Z)")
_STATES = range(1, 8)
_STATE, _PID = 1, 6


class Service(NamedTuple):
    """A service. ``state``: 1 stopped to 7 paused; ``start``: 2 automatic, 3 on demand, 4 disabled; None: not known."""

    name: str
    installed: bool
    state: Optional[int]
    start: Optional[int] = None


class Status(NamedTuple):
    """The state of a service and, from ``queryex``, its process id (0: none)."""

    state: int
    pid: int


def parse_status(text: str) -> Optional[Status]:
    """Read the output of ``sc.exe query NAME`` that ended with 0. None when there is no state in it; never raises."""
    fields = []
    for line in text.split("\n"):
        field = _FIELD.match(line)
        if field:
            fields.append(field.group("value"))
    if len(fields) <= _STATE or not fields[_STATE].isdigit() or int(fields[_STATE]) not in _STATES:
        return None
    pid = fields[_PID] if len(fields) > _PID and fields[_PID].isdigit() else "0"
    return Status(int(fields[_STATE]), int(pid))

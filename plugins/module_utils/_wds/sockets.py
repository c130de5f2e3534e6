# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: who holds which UDP port, from ``netstat.exe -ano -p UDP`` without its heading, which is localised."""

import re
from typing import Set, Tuple

#: The UDP ports that WDS uses for multicast by default (facts/windows.md section 7).
PORTS = (64001, 65000)

_ROW = re.compile(r"[ \t]*UDP[ \t]+\S*:([0-9]{1,5})[ \t]+\*:\*[ \t]+([0-9]{1,10})[ \t\r]*\Z")


def parse_sockets(text: str) -> Tuple[Tuple[int, int], ...]:
    """The ports of :data:`PORTS` in use, each with the process id that holds it, in order. Never raises."""
    held: Set[Tuple[int, int]] = set()
    for line in text.split("\n"):
        row = _ROW.match(line)
        if row and PORTS[0] <= int(row.group(1)) <= PORTS[1]:
            held.add((int(row.group(1)), int(row.group(2))))
    return tuple(sorted(held))

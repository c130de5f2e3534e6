# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which port a probe takes: one of those FOG's sessions use, but none that a session has or is about to get."""

import socket
from typing import Callable, Iterable, Optional, Set

#: The even ports FOG chooses from (facts/fog.md section 1).
LOWEST, HIGHEST = 49152, 65532
_TRIES = 200


def taken(ports: Iterable[int]) -> Set[int]:
    """Every port that sessions or senders with these base ports use, or would: P for receivers, P+1 for the sender."""
    return {own for port in ports for own in (port, port + 1)}


def choose(busy: Iterable[int], start: int, free: Callable[[int], bool]) -> Optional[int]:
    """The first even port from ``start`` on, once around the range, that nobody has; None when there is none.

    :param busy: base ports of sessions and senders, and the one the next session would get.
    :param start: any number; two probes that start elsewhere seldom meet.
    :param free: whether the host lets a port be used.
    """
    used = taken(busy)
    count = (HIGHEST - LOWEST) // 2 + 1
    for step in range(min(count, len(used) + _TRIES)):
        port = LOWEST + 2 * ((start + step) % count)
        if not {port, port + 1} & used and free(port):
            return port
    return None


def is_free(port: int) -> bool:
    """Whether no program of this host listens on the two UDP ports of a base port."""
    for number in (port, port + 1):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
            try:
                trial.bind(("", number))
            except OSError:
                return False
    return True

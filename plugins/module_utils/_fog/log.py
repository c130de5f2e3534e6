# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: FOG's logs: multicast.log, multicast.log.udpcast.N and servicemaster.log (facts/fog.md section 2)."""

from typing import Mapping, NamedTuple, Optional, Tuple


class Line(NamedTuple):
    """One line of multicast.log.

    ``stamp`` is its time as naive seconds (calendar.timegm of the digits) in FOG's own time zone, None without one.
    ``kind`` is a word of :data:`KINDS`; ``session`` is msID ("Task ID" in the text), ``detail`` the variable part.
    """

    stamp: Optional[float]
    kind: str
    session: Optional[int]
    detail: str
    text: str


class SenderLog(NamedTuple):
    """What udp-sender wrote for one session (multicast.log.udpcast.<msID>)."""

    session: int
    age: float  # seconds since last written
    connections: int
    complete: int  # how many files were sent completely
    errors: Tuple[str, ...]  # e.g. "No suitable network interface found", "Address already in use"


class Logs(NamedTuple):
    """The tail of the logs. Ages are in seconds by the host's clock, from file times; never negative."""

    path: str
    exists: bool
    age: Optional[float]
    size: int
    lines: Tuple[Line, ...]  # the tail, oldest first, bounded
    offset: Optional[float]  # FOG's time zone against UTC in seconds (last stamp minus file time), None unknown
    alive: Mapping[int, float]  # msID -> age in seconds of its last line that shows life
    last_command: str  # the last "| Command:" line's command, "" none
    senders: Tuple[SenderLog, ...]
    exits: Tuple[str, ...]  # the last lines of servicemaster.log that tell of a child's exit
    error: str = ""


def read_logs(folder: str, name: str = "multicast.log", master: str = "servicemaster.log") -> Logs:
    raise NotImplementedError

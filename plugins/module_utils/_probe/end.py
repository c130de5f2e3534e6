# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The snapshot of one end of a probe: everything that diagnose may know about it."""

from typing import Mapping, NamedTuple, Tuple

from .firewall import Firewall
from .host import Link
from .igmp import Query
from .transfer import Transfer
from .udpcast import Said, Stream
from .watch import Silence

SENDER, RECEIVER = "sender", "receiver"
#: A transfer that was not made (check mode).
NOTHING = Transfer(None, False, 0, 0.0, "", "")


class End(NamedTuple):
    """A sender or a receiver, and what happened there."""

    role: str
    host: str
    link: Link
    stream: Stream
    size: int
    digest: str  # the SHA-256 of what is sent
    receivers: int = 0  # how many the sender waits for; 0: only the one on the host itself
    transfer: Transfer = NOTHING
    said: Said = Said()
    counters: Mapping[str, int] = {}  # how far the kernel's counters went meanwhile
    groups: Tuple[str, ...] = ()  # multicast groups the interface was in, a receiver only
    queries: Tuple[Query, ...] = ()
    silences: Tuple[Silence, ...] = ()
    firewall: Firewall = Firewall()
    unheard: str = ""  # why IGMP could not be heard, or empty
    address: str = ""  # the sender's expected source address, "" none in particular

    @property
    def ran(self) -> bool:
        """Whether the transfer was tried at all."""
        return self.transfer is not NOTHING and self.transfer.code is not None

    @property
    def complete(self) -> bool:
        """Whether everything went through; for a sender: to every receiver it was to wait for."""
        if not self.ran or self.transfer.timed_out or self.transfer.code != 0 or not self.said.complete:
            return False
        if self.role == RECEIVER:
            return self.transfer.sha256 == self.digest
        # When it has given up its last receiver it ends as if all were well. From a gigabyte on it counts in K.
        every = len(self.said.peers) >= max(1, self.receivers) and not self.said.dropped
        return every and self.said.bytes > self.size - 1024

    @property
    def rate(self) -> float:
        """Bits a second; 0 where nothing was carried or it took no time."""
        count = self.said.bytes if self.role == SENDER else self.transfer.bytes
        return count * 8 / self.transfer.seconds if self.transfer.seconds > 0 else 0.0

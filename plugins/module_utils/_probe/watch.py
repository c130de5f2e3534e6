# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A receiver's watch: notices when the stream falls silent, and finds out whether a switch has forgotten the host.

A switch with IGMP snooping keeps a port in a group for as long as somebody asks for members. When nobody does, the
stream stops at that port after the membership time. An unasked membership report makes such a switch open the port
again: a stream that comes back right after one was cut off by a switch, and by nothing else.
"""

from typing import Callable, List, Mapping, NamedTuple, Optional, Tuple

from . import igmp, udpcast

#: Seconds without a byte after which the stream counts as silent, and between two reports.
SILENCE = 2.0
#: Seconds after a report in which the return of the stream is its doing.
PROMPT = 1.5
_ARRIVED = ("Udp.InDatagrams", "Udp.InErrors")
#: Datagrams of other programs that may arrive while the stream is silent.
_NOISE = 3


class Silence(NamedTuple):
    """A time in which no byte came: when it began, how much had come by then, and how it ended."""

    began: float
    bytes: int
    datagrams: int  # UDP datagrams that reached the host meanwhile; few: the network delivered nothing
    reports: int  # membership reports that were sent in it
    ended: Optional[float] = None  # None: never
    prompt: bool = False  # whether the stream came back right after a report

    @property
    def pruned(self) -> bool:
        """Whether this was a switch that had forgotten the host."""
        return self.prompt and self.datagrams <= _NOISE


class Watcher:
    """Give :meth:`look` to the transfer; afterwards ``silences`` and ``groups`` tell what happened."""

    def __init__(
        self,
        ear: igmp.Ear,
        joined: Callable[[], Tuple[str, ...]],
        counters: Callable[[], Mapping[str, int]],
    ) -> None:
        self.silences: List[Silence] = []
        self.groups: Tuple[str, ...] = ()
        self._ear = ear
        self._joined = joined
        self._counters = counters
        self._bytes = 0
        self._since = 0.0
        self._arrived = 0
        self._group = ""
        self._reported: Optional[float] = None
        self._silent: Optional[Silence] = None

    def look(self, seconds: float, count: int, output: bytes) -> None:
        """One look: what has come by now."""
        self._ear.listen(seconds)
        if not self._group:
            self._group = udpcast.parse(output.decode("utf-8", "replace")).group
        self.groups += tuple(group for group in self._joined() if group not in self.groups)
        if count > self._bytes:
            self._heard(seconds)
            self._bytes, self._since, self._arrived = count, seconds, self._total()
        elif self._bytes and self._group and b"Transfer complete" not in output and seconds - self._since >= SILENCE:
            self._quiet(seconds)

    def close(self) -> None:
        """The transfer is over."""
        if self._silent is not None:
            self.silences.append(self._silent)
            self._silent = None
        self._ear.close()

    def _total(self) -> int:
        counters = self._counters()
        return sum(counters.get(name, 0) for name in _ARRIVED)

    def _quiet(self, seconds: float) -> None:
        if self._silent is None:
            self._silent = Silence(self._since, self._bytes, self._total() - self._arrived, 0)
        if self._reported is None or seconds - self._reported >= SILENCE:
            # Counted up to the first report only: after one the stream may already be on its way again.
            self._reported = seconds
            if self._ear.remind(self._group):
                self._silent = self._silent._replace(reports=self._silent.reports + 1)

    def _heard(self, seconds: float) -> None:
        if self._silent is None:
            return
        prompt = self._silent.reports > 0 and self._reported is not None and seconds - self._reported <= PROMPT
        self.silences.append(self._silent._replace(ended=seconds, prompt=prompt))
        self._silent = None

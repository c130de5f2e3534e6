# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: FOG's daemon and udp-sender processes, from /proc."""

from typing import NamedTuple, Optional, Tuple


class Process(NamedTuple):
    """One process. ``start`` is its start time in clock ticks since boot: with the pid it names one process for good."""

    pid: int
    parent: int
    start: int
    state: str  # one letter of /proc/PID/stat, e.g. S, T, Z
    age: float  # seconds
    argv: Tuple[str, ...]


class Sender(NamedTuple):
    """One udp-sender tree: the ``sh -c`` that runs the commands one after another, and its current udp-sender.

    ``shell`` is None where a udp-sender runs without such a parent. (facts/fog.md section 2)
    """

    port: int  # --portbase
    shell: Optional[Process]
    process: Optional[Process]  # the running udp-sender; None for a moment between two files
    interface: str  # --interface, "" when absent
    files: Tuple[str, ...]  # every --file of the whole command
    output: str  # where its stdout/stderr goes (readlink of fd 1), "" unknown
    output_age: Optional[float]  # seconds since that file was written, None unknown

    @property
    def age(self) -> float:
        """Seconds since the tree was started."""
        return max((own.age for own in (self.shell, self.process) if own is not None), default=0.0)


class Processes(NamedTuple):
    """FOGMulticastManager's processes and every udp-sender tree of this host (and of this PID namespace only)."""

    daemon: Tuple[Process, ...]  # parents: FOGMulticastManager processes whose parent is none of them
    children: Tuple[Process, ...]  # FOGMulticastManager processes whose parent is one of `daemon`, zombies left out
    senders: Tuple[Sender, ...]


def read_processes(proc: str = "/proc") -> Processes:
    raise NotImplementedError

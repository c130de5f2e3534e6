# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observe room: one look at a head node, as one immutable snapshot."""

from typing import FrozenSet, Mapping, NamedTuple, Optional, Tuple

from .deployments import Deployment
from .events import Event
from .live import Live, LiveNamespace
from .services import Service
from .store import Namespace, Place, Provider

__all__ = [
    "Deployment",
    "Event",
    "Live",
    "LiveNamespace",
    "Namespace",
    "Place",
    "Provider",
    "Server",
    "Service",
    "Snapshot",
    "unread_parts",
]


class Server(NamedTuple):
    """The host. ``build`` 0: not known; ``powershell`` "": none, or not asked; ``boot``: last boot, in CIM's form."""

    name: str
    build: int
    version: str
    service_pack: str
    product: str
    hpc: bool
    powershell: str
    boot: str
    reboot_pending: bool


class Snapshot(NamedTuple):
    """Everything diagnose and plan may know about a head node (design section 1).

    ``unread``: parts that could not be read, a sentence each that begins with the part's key and a colon
    (``store: ...``); such a part is empty here, and that does not mean that there is nothing.
    """

    time: str  # ISO 8601 in UTC, by the controller's clock
    server: Server
    service: Service  # WDSServer
    hpc_management: Service
    dns: Service
    store: Tuple[Namespace, ...]
    providers: Tuple[Provider, ...]
    baseline: Tuple[Namespace, ...]
    live: Live
    parameters: Mapping[str, str]  # WDSServer\Parameters by name; numbers in decimal
    udp: Tuple[Tuple[int, int], ...]  # (port, process id) from 64001 to 65000
    dns_pid: int  # 0: none
    events: Tuple[Event, ...]  # newest first
    deployments: Optional[Tuple[Deployment, ...]]  # None: not looked at
    place: Optional[Place]
    unread: Tuple[str, ...]


def unread_parts(snapshot: Snapshot) -> FrozenSet[str]:
    """The keys of the parts that could not be read, such as ``store`` or ``live``."""
    return frozenset(sentence.partition(":")[0] for sentence in snapshot.unread)

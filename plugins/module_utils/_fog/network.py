# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: the host's interfaces, addresses and routes, as the kernel has them."""

from typing import NamedTuple, Optional, Tuple


class Address(NamedTuple):
    """One IPv4 address of an interface."""

    address: str
    prefix: int


class Interface(NamedTuple):
    """One interface: flags from /sys/class/net/NAME/flags, link state from operstate, addresses from netifaces."""

    name: str
    addresses: Tuple[Address, ...]
    up: bool  # IFF_UP
    link: str  # operstate: up, down, unknown, lowerlayerdown, ...
    multicast: bool  # IFF_MULTICAST
    loopback: bool  # IFF_LOOPBACK


class Route(NamedTuple):
    """One IPv4 route of the main table, from ``ip -json route``; empty string where the kernel gives none."""

    destination: str  # "default" or "10.99.0.0/16"
    gateway: str
    device: str
    protocol: str
    scope: str
    source: str
    metric: Optional[int] = None
    flags: Tuple[str, ...] = ()
    kind: str = ""  # "unreachable", "blackhole", ...; "" for an ordinary (unicast) route

    @property
    def line(self) -> str:
        """The route as ``ip route`` prints it: what FOG's daemon greps (facts/fog.md section 0.1)."""
        words = [self.kind, self.destination]
        pairs = (
            ("via", self.gateway),
            ("dev", self.device),
            ("proto", self.protocol),
            ("scope", self.scope),
            ("src", self.source),
            ("metric", "" if self.metric is None else str(self.metric)),
        )
        for name, value in pairs:
            if value:
                words.extend((name, value))
        words.extend(self.flags)
        return " ".join(word for word in words if word)


class Network(NamedTuple):
    """All of it. ``error`` says why routes could not be read, or is empty."""

    interfaces: Tuple[Interface, ...]
    routes: Tuple[Route, ...]
    error: str = ""

    def carrier_of(self, address: str) -> Optional[Interface]:
        """The interface that carries ``address``, or None."""
        for interface in self.interfaces:
            if any(own.address == address for own in interface.addresses):
                return interface
        return None

    @property
    def local_addresses(self) -> Tuple[str, ...]:
        """Every IPv4 address of this host, loopback included."""
        return tuple(own.address for interface in self.interfaces for own in interface.addresses)


def read_network() -> Network:
    raise NotImplementedError

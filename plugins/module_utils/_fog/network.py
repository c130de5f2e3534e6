# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: the host's interfaces, addresses and routes, as the kernel has them."""

import json
import os
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from .._command import CommandError, ask

SYS_NET = "/sys/class/net"

# linux/if.h
_UP, _LOOPBACK, _MULTICAST = 0x1, 0x8, 0x1000
#: Seconds ``ip`` may take.
TIMEOUT = 10
_COMMAND = ("-json", "-4", "route", "show", "table", "main")


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
    tos: str = ""

    @property
    def line(self) -> str:
        """The route as ``ip route`` prints it: what FOG's daemon greps (facts/fog.md section 0.1)."""
        words = [self.kind, self.destination]
        pairs = (
            ("tos", self.tos),
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


def read_network(sys_net: str = SYS_NET) -> Network:
    """Read interfaces, addresses and routes.

    :param sys_net: the kernel's folder of interfaces.
    :raises ImportError: the library netifaces is not installed (``name`` is ``netifaces``).
    """
    interfaces = read_interfaces(sys_net)
    try:
        routes = read_routes()
    except RouteError as error:
        return Network(interfaces, (), str(error))
    return Network(interfaces, routes)


class RouteError(Exception):
    """The routes cannot be read; the text says why and what to do."""


def read_interfaces(sys_net: str) -> Tuple[Interface, ...]:
    """Every interface with its IPv4 addresses. :raises ImportError: netifaces is not installed."""
    import netifaces

    addresses: Dict[str, List[Address]] = {}
    for label in sorted(netifaces.interfaces()):
        # An address may carry a label of its own (eth0:1): netifaces takes it for an interface, the kernel does not.
        own = addresses.setdefault(label.split(":")[0], [])
        try:
            found = netifaces.ifaddresses(label).get(netifaces.AF_INET, ())
        except ValueError:
            continue  # it vanished in between
        own.extend(Address(entry["addr"], _prefix(entry.get("netmask", ""))) for entry in found if entry.get("addr"))
    return tuple(_interface(sys_net, name, tuple(own)) for name, own in sorted(addresses.items()))


def _interface(sys_net: str, name: str, addresses: Tuple[Address, ...]) -> Interface:
    try:
        flags = int(_word(sys_net, name, "flags"), 16)
    except ValueError:
        flags = 0
    return Interface(
        name=name,
        addresses=addresses,
        up=bool(flags & _UP),
        link=_word(sys_net, name, "operstate") or "unknown",
        multicast=bool(flags & _MULTICAST),
        loopback=bool(flags & _LOOPBACK),
    )


def _word(sys_net: str, name: str, attribute: str) -> str:
    try:
        with open(os.path.join(sys_net, name, attribute), "rb") as file:
            return file.read(64).decode("ascii", "replace").strip()
    except OSError:
        return ""


def _prefix(netmask: str) -> int:
    """255.255.240.0 as 20; an address without a mask stands alone (32)."""
    parts = netmask.split(".")
    if len(parts) == 4 and all(part.isdigit() for part in parts):
        return sum(bin(int(part)).count("1") for part in parts)
    return 32


def read_routes() -> Tuple[Route, ...]:
    """The IPv4 routes of the main table. :raises RouteError:"""
    try:
        text = ask("ip", _COMMAND, TIMEOUT)
    except CommandError as error:
        raise RouteError(f"The routes cannot be read: {error}; iproute2 4.16 or later is needed.") from None
    try:
        return parse_routes(text)
    except ValueError as error:
        raise RouteError(f"The routes cannot be read: ip prints no JSON ({error}); update iproute2.") from None


def parse_routes(text: str) -> Tuple[Route, ...]:
    """What ``ip -json route`` printed. :raises ValueError: that is no list of routes."""
    if not text.strip():
        return ()
    entries = json.loads(text)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("no list of routes")
    # Some versions print an empty object for a route they leave out.
    return tuple(_route(entry) for entry in entries if "dst" in entry)


def _route(entry: Dict[str, Any]) -> Route:
    via = entry.get("via")
    gateway = "{} {}".format(via.get("family"), via.get("host")) if isinstance(via, dict) else _text(entry, "gateway")
    flags = entry.get("flags")
    metric = entry.get("metric")
    return Route(
        destination=_text(entry, "dst"),
        gateway=gateway,
        device=_text(entry, "dev"),
        protocol=_text(entry, "protocol"),
        scope=_text(entry, "scope"),
        source=_text(entry, "prefsrc"),
        metric=metric if isinstance(metric, int) else None,
        flags=tuple(str(flag) for flag in flags) if isinstance(flags, list) else (),
        kind=_text(entry, "type"),
        tos=_text(entry, "tos"),
    )


def _text(entry: Dict[str, Any], key: str) -> str:
    value = entry.get(key, "")
    return "" if value is None else str(value)

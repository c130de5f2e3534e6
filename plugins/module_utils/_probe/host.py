# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what the host's kernel says of its network: one interface, its bridge, and the counters a probe compares."""

import json
import os
from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from .._command import CommandError, ask

PROC_NET = "/proc/net"
SYS_NET = "/sys/class/net"
IPV4 = "/proc/sys/net/ipv4/conf"
#: Seconds ``ip`` may take.
TIMEOUT = 10
#: The counters of /proc/net/snmp and /proc/net/netstat that tell causes apart.
COUNTERS = (
    "Udp.InDatagrams",
    "Udp.InErrors",
    "Udp.RcvbufErrors",
    "Ip.InDiscards",
    "Ip.ReasmReqds",
    "Ip.ReasmFails",
    "Ip.FragCreates",
    "Ip.FragFails",
    "TcpExt.IPReversePathFilter",
)


class Link(NamedTuple):
    """One interface. ``bridge`` is the bridge it is, or is a port of, on this host itself; "" none."""

    name: str
    addresses: Tuple[Tuple[str, int], ...] = ()  # IPv4 address and prefix length
    mtu: int = 0  # 0 unknown
    rp_filter: Optional[int] = None  # the effective one: the larger of "all" and its own
    bridge: str = ""
    snooping: Optional[bool] = None
    querier: Optional[bool] = None  # whether the bridge itself asks for members

    @property
    def address(self) -> str:
        """Its first address, "" without one."""
        return self.addresses[0][0] if self.addresses else ""


class LinkError(Exception):
    """An interface cannot be used; the text says which, why and what to do."""


def parse_counters(text: str) -> Dict[str, int]:
    """The pairs of lines of /proc/net/snmp or /proc/net/netstat, as ``Udp.InErrors`` and so on. Never raises."""
    found = {}
    names: Dict[str, Tuple[str, ...]] = {}
    for line in text.splitlines():
        group, colon, rest = line.partition(":")
        if not colon:
            continue
        words = tuple(rest.split())
        if group not in names:
            names[group] = words
            continue
        for name, value in zip(names.pop(group), words):
            try:
                found[f"{group}.{name}"] = int(value)
            except ValueError:
                continue
    return found


def read_counters(proc_net: str = PROC_NET) -> Dict[str, int]:
    """The counters named in :data:`COUNTERS` that this kernel has."""
    found: Dict[str, int] = {}
    for name in ("snmp", "netstat"):
        found.update(parse_counters(_text(os.path.join(proc_net, name))))
    return {name: found[name] for name in COUNTERS if name in found}


def difference(before: Mapping[str, int], after: Mapping[str, int]) -> Dict[str, int]:
    """How far each counter went; one that both looks do not have is left out."""
    return {name: after[name] - before[name] for name in after if name in before}


def parse_addresses(text: str) -> Dict[str, Tuple[Tuple[str, int], ...]]:
    """The IPv4 addresses of each interface, out of ``ip -json -4 address``. :raises ValueError:"""
    entries = json.loads(text or "[]")
    if not isinstance(entries, list):
        raise ValueError("no list of interfaces")
    found = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("ifname"), str):
            continue  # some versions print an empty object for an interface they leave out
        found[entry["ifname"]] = tuple(
            (str(own["local"]), int(own.get("prefixlen", 32)))
            for own in entry.get("addr_info") or ()
            if own.get("family") == "inet" and own.get("local")
        )
    return found


def read_link(interface: str, address: str = "", sys_net: str = SYS_NET, ipv4: str = IPV4) -> Link:
    """One interface: the one named, else the one with ``address``, else the one of the default route.

    :raises LinkError: there is none, or ``ip`` cannot tell.
    """
    try:
        present = parse_addresses(ask("ip", ("-json", "-4", "address", "show"), TIMEOUT))
        name = interface or _carrier(present, address) or _default()
    except CommandError as error:
        raise LinkError(f"The interfaces cannot be read: {error}.") from None
    except (ValueError, TypeError, KeyError) as error:
        raise LinkError(f"The interfaces cannot be read: ip prints no JSON ({error}).") from None
    if not name:
        raise LinkError("There is no default route to choose an interface by; say with interface which one to use.")
    if not os.path.isdir(os.path.join(sys_net, name)):
        names = ", ".join(sorted(present)) or "none with an IPv4 address"
        raise LinkError(f"There is no interface {name} on this host; there are: {names}.")
    if not present.get(name):
        raise LinkError(f"The interface {name} has no IPv4 address, so nothing can be sent or received on it.")
    bridge = os.path.basename(os.path.realpath(os.path.join(sys_net, name, "brport", "bridge")))
    if not os.path.isdir(os.path.join(sys_net, name, "brport")):
        bridge = name if os.path.isdir(os.path.join(sys_net, name, "bridge")) else ""
    own, every = (_number(os.path.join(ipv4, part, "rp_filter")) for part in (name, "all"))
    return Link(
        name=name,
        addresses=present[name],
        mtu=_number(os.path.join(sys_net, name, "mtu")) or 0,
        rp_filter=None if own is None and every is None else max(own or 0, every or 0),
        bridge=bridge,
        snooping=_flag(sys_net, bridge, "multicast_snooping"),
        querier=_flag(sys_net, bridge, "multicast_querier"),
    )


def _carrier(present: Mapping[str, Tuple[Tuple[str, int], ...]], address: str) -> str:
    for name, addresses in present.items():
        if address and address in [own for own, _prefix in addresses]:
            return name
    return ""


def _default() -> str:
    entries: Any = json.loads(ask("ip", ("-json", "-4", "route", "show", "default"), TIMEOUT) or "[]")
    return str(next((entry["dev"] for entry in entries if "dev" in entry), ""))


def _flag(sys_net: str, bridge: str, attribute: str) -> Optional[bool]:
    number = _number(os.path.join(sys_net, bridge, "bridge", attribute)) if bridge else None
    return None if number is None else bool(number)


def _number(path: str) -> Optional[int]:
    try:
        return int(_text(path))
    except ValueError:
        return None


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(64 * 1024)
    except OSError:
        return ""

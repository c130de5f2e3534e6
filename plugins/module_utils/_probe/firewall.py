# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: whether the host's own firewall lets the stream through.

firewalld, ufw and today's iptables all end in nftables rules, so those are read (``nft -j list ruleset``) and walked as
a packet would walk them; what nft cannot show is read from ``iptables-save``. A rule whose conditions are not
understood, for example one that decides at random, leaves the answer open: only one that surely drops is told. So do
rules that come before the host's own (families netdev and bridge, hook ingress), of which a packet may see none.
"""

import ipaddress
import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._command import CommandError, ask
from . import iptables

#: Seconds ``nft`` may take.
TIMEOUT = 10
#: Programs that write the rules, by a file that is there while they run or are switched on.
MANAGERS = (("firewalld", "/run/firewalld.pid"), ("firewalld", "/run/firewalld"), ("ufw", "/run/ufw.lock"))
_FAMILIES = ("inet", "ip")
_BELOW, _EARLY = ("netdev", "bridge"), ("ingress", "egress")
#: The hooks that a packet of each direction passes.
_HOOKS = {"input": ("prerouting", "input"), "output": ("output", "postrouting")}
#: Lists the tables of iptables-legacy that are in use, one a line.
LEGACY = "/proc/net/ip_tables_names"
_IPTABLES, _IPTABLES_LEGACY = "iptables", "iptables-legacy"
ACCEPT, DROP, OPEN = "accept", "drop", "open"
_GO_ON = "continue"
_DEPTH = 16
#: Conditions on one of these hold for its packets only, whatever they compare with.
_PROTOCOLS = ("udp", "tcp", "icmp", "igmp", "icmpv6", "ip6", "sctp", "dccp", "arp", "vlan")


class Packet(NamedTuple):
    """A packet as rules see it. ``source`` or ``target`` is "" where any could come."""

    hook: str  # "input" or "output": its direction
    interface: str
    protocol: str  # "udp" or "igmp", which has no ports
    source: str
    target: str
    source_port: int
    target_port: int
    target_type: str = ""  # of address, as the host sees it: "multicast", "local", "unicast"; "" not known

    def __str__(self) -> str:
        ports = " port %d -> %d" % (self.source_port, self.target_port) if self.protocol == "udp" else ""
        return "%s of %s%s on %s" % (self.hook, self.protocol, ports, self.interface)


class Block(NamedTuple):
    """A rule that surely drops the packet: ``where`` is its place, ``rule`` what it says."""

    packet: Packet
    where: str
    rule: str


class Firewall(NamedTuple):
    """What was found. ``open`` counts the packets whose fate could not be told; ``error`` why rules were not read."""

    blocks: Tuple[Block, ...] = ()
    open: int = 0
    manager: str = ""
    error: str = ""


def read_firewall(packets: Sequence[Packet]) -> Firewall:
    """What the host's rules do to each of these packets. Nothing is raised; ``error`` tells what could not be read."""
    manager = next((name for name, path in MANAGERS if os.path.exists(path)), "")
    rules, errors = Rules({}, {}, {}), []
    seen = False  # whether nft shows all there is, iptables-legacy left out
    try:
        rules = parse_ruleset(ask("nft", ("-j", "list", "ruleset"), TIMEOUT))
        every = [
            part for key, own in rules.rules.items() if key[0] in _FAMILIES for rule in own for part in rule["expr"]
        ]
        seen = not any(isinstance(part, dict) and "xt" in part for part in every)
    except CommandError as error:
        errors.append(str(error))
    except ValueError as error:
        errors.append(f"nft prints no JSON ({error})")
    try:
        with open(LEGACY, encoding="ascii", errors="replace") as file:
            legacy = bool(file.read(1024).strip())
    except OSError:
        legacy = False
    if not seen:
        rules, why = _saved(rules, _IPTABLES, ("iptables-save",))
        errors += [why] if why else []
    if legacy:
        rules, why = _saved(rules, _IPTABLES_LEGACY, ("iptables-legacy-save", "iptables-save"))
        errors += [why] if why else []
    return judge(rules, packets)._replace(manager=manager, error="; ".join(errors))


def _saved(rules: "Rules", family: str, programs: Sequence[str]) -> Tuple["Rules", str]:
    """The rules with what the first of these programs that runs prints, and why none does, or ""."""
    why = ""
    for program in programs:
        try:
            chains, entries = iptables.parse_save(ask(program, (), TIMEOUT), family)
        except CommandError as error:
            why = str(error)
            continue
        # What nft showed of the same chains was incomplete.
        old = [("ip", *key[1:]) for key in chains] if family == _IPTABLES else []
        kept = {key: chain for key, chain in rules.chains.items() if key not in old}
        left = {key: own for key, own in rules.rules.items() if key not in old}
        return Rules({**kept, **chains}, {**left, **entries}, rules.sets), ""
    return rules, why


class Rules(NamedTuple):
    """Chains by family, table and name, each with its rules in order; and what sets hold."""

    chains: Mapping[Tuple[str, str, str], Mapping[str, Any]]
    rules: Mapping[Tuple[str, str, str], Sequence[Mapping[str, Any]]]
    sets: Mapping[Tuple[str, str, str], Sequence[Any]]


def parse_ruleset(text: str) -> Rules:
    """What ``nft -j list ruleset`` printed. :raises ValueError: it is something else."""
    content = json.loads(text)
    entries = content.get("nftables") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ValueError("no list nftables")
    chains: Dict[Tuple[str, str, str], Mapping[str, Any]] = {}
    rules: Dict[Tuple[str, str, str], List[Mapping[str, Any]]] = {}
    sets: Dict[Tuple[str, str, str], Sequence[Any]] = {}
    for entry in entries:
        for kind, value in entry.items() if isinstance(entry, dict) else ():
            if not isinstance(value, dict) or str(value.get("family")) not in _FAMILIES + _BELOW:
                continue
            table = (str(value.get("family")), str(value.get("table")))
            if kind == "chain":
                chains[(*table, str(value.get("name")))] = value
            elif kind == "rule" and isinstance(value.get("expr"), list):
                rules.setdefault((*table, str(value.get("chain"))), []).append(value)
            elif kind in ("set", "map") and isinstance(value.get("elem", []), list):
                sets[(*table, str(value.get("name")))] = value.get("elem", [])
    return Rules(chains, rules, sets)


def judge(rules: Rules, packets: Sequence[Packet]) -> Firewall:
    """What the rules do to each packet. Pure."""
    blocks = []
    unknown = 0
    for packet in packets:
        verdict, block = _fate(rules, packet)
        if verdict == DROP and block is not None:
            blocks.append(block)
        elif verdict == OPEN:
            unknown += 1
    return Firewall(tuple(blocks), unknown)


def _fate(rules: Rules, packet: Packet) -> Tuple[str, Optional[Block]]:
    """Every base chain on its way must let the packet pass; one that surely drops it decides."""
    unknown = False
    for key, chain in rules.chains.items():
        if chain.get("hook") and (key[0] in _BELOW or chain["hook"] in _EARLY):
            unknown = unknown or bool(rules.rules.get(key)) or chain.get("policy") == DROP
            continue
        if chain.get("hook") not in _HOOKS[packet.hook] or chain.get("type") == "nat":
            continue
        verdict, block = _walk(rules, key, packet, 0)
        if verdict == DROP:
            return DROP, block
        if verdict == _GO_ON and chain.get("policy") == DROP:
            return DROP, Block(packet, _place(key), "policy drop")
        unknown = unknown or verdict == OPEN
    return (OPEN if unknown else ACCEPT), None


def _walk(rules: Rules, key: Tuple[str, str, str], packet: Packet, depth: int) -> Tuple[str, Optional[Block]]:
    """The verdict of one chain. Once a rule may or may not have decided, no later one is sure."""
    if depth > _DEPTH:
        return OPEN, None
    unsure = False
    for rule in rules.rules.get(key, ()):
        matched, verdict = _rule(rules, key, rule["expr"], packet)
        if matched is False or verdict is None:
            continue
        target = ""
        if isinstance(verdict, tuple):
            verdict, target = verdict
        block: Optional[Block] = None
        if verdict in ("jump", "goto"):
            inner, block = _walk(rules, (*key[:2], target), packet, depth + 1)
            # At the end of a chain that was gone to, it goes on where this one was called from.
            verdict = "return" if inner == _GO_ON and verdict == "goto" else inner
        elif verdict == DROP:
            place = "{}, rule {}".format(_place(key), rule.get("handle", "?"))
            block = Block(packet, place, json.dumps(rule["expr"], sort_keys=True)[:300])
        if verdict == OPEN:
            unsure = True
        elif verdict == "return":
            if matched:
                return (OPEN if unsure else _GO_ON), None
            unsure = True
        elif verdict in (ACCEPT, DROP):
            if matched and not unsure:
                return verdict, block
            unsure = True
    return (OPEN if unsure else _GO_ON), None


def _rule(rules: Rules, key: Tuple[str, str, str], parts: Sequence[Any], packet: Packet) -> Tuple[Optional[bool], Any]:
    """Whether a rule is meant for the packet (None: not known), and its verdict (None: it has none)."""
    known = True
    for part in parts:
        if not isinstance(part, dict) or len(part) != 1:
            known = False
            continue
        name, value = next(iter(part.items()))
        if name == "match":
            matches = _match(rules, key, value, packet) if isinstance(value, dict) else None
            if matches is False:
                return False, None
            known = known and matches is True
        elif name in (ACCEPT, DROP, "return"):
            return (True if known else None), name
        elif name == "reject":
            return (True if known else None), DROP
        elif name in ("jump", "goto") and isinstance(value, dict):
            return (True if known else None), (name, str(value.get("target")))
        elif name == "vmap":
            verdict = _mapped(rules, key, value, packet)
            if verdict is not None:
                return (True if known else None), verdict
        elif name not in ("counter", "log", "comment"):
            # A limit, an extension of iptables: what it decides is not known.
            known = False
            if name in ("queue", "xt"):
                return None, OPEN
    return (True if known else None), None


def _mapped(rules: Rules, key: Tuple[str, str, str], vmap: Any, packet: Packet) -> Any:
    """The verdict a map has for the packet: None when it has none, OPEN when that is not known."""
    left, data = (vmap.get("key"), vmap.get("data")) if isinstance(vmap, dict) else (None, None)
    pairs = data.get("set") if isinstance(data, dict) else None
    if isinstance(data, str) and data.startswith("@"):
        pairs = rules.sets.get((*key[:2], data[1:]))
    if not isinstance(left, dict) or not isinstance(pairs, (list, tuple)):
        return OPEN
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[1], dict) or len(pair[1]) != 1:
            return OPEN
        holds = _match(rules, key, {"op": "==", "left": left, "right": pair[0]}, packet)
        if holds is None:
            return OPEN
        if holds:
            _known, verdict = _rule(rules, key, [pair[1]], packet)
            return verdict
    return None


def _match(rules: Rules, key: Tuple[str, str, str], match: Mapping[str, Any], packet: Packet) -> Optional[bool]:
    """Whether one condition holds; None when that is not known."""
    left = match.get("left")
    if not isinstance(left, dict) or len(left) != 1:
        return None
    inner = left.get("payload")
    if isinstance(inner, dict) and inner.get("protocol") in _PROTOCOLS and inner["protocol"] != packet.protocol:
        return False
    value = _value(left, packet)
    if value is None:
        return None
    right = match.get("right")
    if isinstance(right, str) and right.startswith("@"):
        found = rules.sets.get((*key[:2], right[1:]))
        right = None if found is None else {"set": found}
    holds = _within(value, right)
    if holds is None or match.get("op") not in ("==", "in", "!="):
        return None
    return not holds if match.get("op") == "!=" else holds


def _value(left: Mapping[str, Any], packet: Packet) -> Any:
    """What the packet has where a condition looks; None when that is not known."""
    name, where = next(iter(left.items()))
    if not isinstance(where, dict):
        return None
    words = (where.get("protocol"), where.get("field")) if name == "payload" else (name, where.get("key"))
    if name == "fib" and where.get("result") == "type":
        flags = where.get("flags")
        words = (name, flags[0] if isinstance(flags, list) and len(flags) == 1 else flags)
    field = (str(words[0]), str(words[1]))
    return {
        ("udp", "dport"): packet.target_port,
        ("udp", "sport"): packet.source_port,
        ("th", "dport"): packet.target_port,
        ("th", "sport"): packet.source_port,
        ("ip", "saddr"): packet.source or None,
        ("ip", "daddr"): packet.target or None,
        ("ip", "protocol"): packet.protocol,
        ("meta", "l4proto"): packet.protocol,
        ("meta", "nfproto"): "ipv4",
        ("meta", "protocol"): "ip",
        ("meta", "iifname"): packet.interface if packet.hook == "input" else None,
        ("meta", "iif"): packet.interface if packet.hook == "input" else None,
        ("meta", "oifname"): packet.interface if packet.hook == "output" else None,
        ("meta", "oif"): packet.interface if packet.hook == "output" else None,
        # The stream's first packet belongs to no connection the host knows of.
        ("ct", "state"): "new",
        ("ct", "status"): "",
        ("fib", "daddr"): packet.target_type or None,
    }.get(field)


def _within(value: Any, right: Any) -> Optional[bool]:
    """Whether a value is the one, in the range, the network or the set; None when the form is not understood."""
    if isinstance(right, dict) and len(right) == 1:
        kind, inner = next(iter(right.items()))
        if kind == "set" and isinstance(inner, list):
            answers = [_within(value, one) for one in inner]
            return True if True in answers else None if None in answers else False
        if kind == "range" and isinstance(inner, list) and len(inner) == 2:
            if isinstance(value, int) and all(isinstance(end, int) for end in inner):
                return bool(inner[0] <= value <= inner[1])
            return _between(value, inner)
        if kind == "prefix" and isinstance(inner, dict):
            return _in_network(value, "{}/{}".format(inner.get("addr"), inner.get("len")))
        if kind == "elem" and isinstance(inner, dict):
            return _within(value, inner.get("val"))
        return None
    if isinstance(right, list):
        return _within(value, {"set": right})
    if isinstance(value, int):
        return value == right if isinstance(right, int) else None
    if isinstance(value, str) and isinstance(right, str):
        # An interface may be given by its beginning: "eth*".
        return value.startswith(right[:-1]) if right.endswith("*") else value == right
    return None


def _between(value: Any, ends: Sequence[Any]) -> Optional[bool]:
    try:
        low, high = (ipaddress.IPv4Address(str(end)) for end in ends)
        return low <= ipaddress.IPv4Address(str(value)) <= high
    except ValueError:
        return None


def _in_network(value: Any, network: str) -> Optional[bool]:
    try:
        return ipaddress.IPv4Address(str(value)) in ipaddress.IPv4Network(network, strict=False)
    except ValueError:
        return None


def _place(key: Tuple[str, str, str]) -> str:
    if key[0] in (_IPTABLES, _IPTABLES_LEGACY):
        return "{} table {}, chain {}".format(*key)
    return "nftables table {} {}, chain {}".format(*key)

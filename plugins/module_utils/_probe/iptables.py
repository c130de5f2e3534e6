# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pure: what ``iptables-save`` prints, as the chains and rules that ``nft -j list ruleset`` would print.

nft shows neither the rules of the old iptables-legacy nor, as anything but ``xt``, what the iptables-nft of up to 1.8.7
wrote (Debian 11, Ubuntu 22.04, Enterprise Linux 8).
"""

import shlex
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

#: The tables whose rules can drop a packet, and the chains that a probe's packets go through.
_TABLES = ("filter", "mangle", "raw")
_HOOKS = {"PREROUTING": "prerouting", "INPUT": "input", "OUTPUT": "output", "POSTROUTING": "postrouting"}
_VERDICTS = {"ACCEPT": "accept", "DROP": "drop", "RETURN": "return", "REJECT": "reject"}
#: Targets after which the next rule is looked at. One that is neither here nor a chain may do anything.
_QUIET = ("AUDIT", "CHECKSUM", "CONNMARK", "CT", "DSCP", "LOG", "MARK", "NFLOG", "SET", "TCPMSS", "TOS", "TRACE", "TTL")
#: Extensions whose conditions are translated, or that have none.
_KNOWN = ("addrtype", "comment", "conntrack", "multiport", "state", "tcp", "udp")
_PROTOCOLS = {"2": "igmp", "6": "tcp", "17": "udp"}
_PORTS = {"--dport": "dport", "--dports": "dport", "--sport": "sport", "--sports": "sport"}
_STATES = ("--ctstate", "--state")
_TYPES = {"--src-type": "saddr", "--dst-type": "daddr"}

Key = Tuple[str, str, str]
Chains = Dict[Key, Mapping[str, Any]]
Entries = Dict[Key, List[Mapping[str, Any]]]


def parse_save(text: str, family: str) -> Tuple[Chains, Entries]:
    """Chains, and the rules of each in their order. A line that is not understood is left out; never raises.

    :param family: stands where nftables has the family of a table.
    """
    chains: Chains = {}
    rules: Entries = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:].strip()
        elif table not in _TABLES:
            continue
        elif line.startswith(":"):
            words = line[1:].split()
            if len(words) > 1:
                hook, policy = _HOOKS.get(words[0], ""), words[1].lower()
                chains[(family, table, words[0])] = {"hook": hook, "policy": policy} if hook else {}
        elif line.startswith("-A "):
            chain, _blank, rest = line[3:].partition(" ")
            names = [key[2] for key in chains if key[:2] == (family, table)]
            try:
                parts = _rule(shlex.split(rest), names)
            except ValueError:
                parts = [{"queue": None}]  # nobody knows what it does
            own = rules.setdefault((family, table, chain), [])
            own.append({"expr": parts, "handle": len(own) + 1})
    return chains, rules


def _rule(words: Sequence[str], chains: Sequence[str]) -> List[Any]:
    """The conditions and the verdict of a rule; a condition that is not understood is ``{"unknown": it}``."""
    parts: List[Any] = []
    protocol = ""
    verdict: Optional[Dict[str, Any]] = None
    for option, op, values in _options(words):
        value = values[0] if values else ""
        if option in ("-j", "-g"):
            verdict = _verdict(option, value, chains)
            break  # what follows belongs to the target
        if option == "-p":
            protocol = _PROTOCOLS.get(value, value)
            parts.append(_is({"meta": {"key": "l4proto"}}, op, protocol))
        elif option in ("-s", "-d"):
            address, _slash, length = value.partition("/")
            network = {"prefix": {"addr": address, "len": length or "32"}}
            parts.append(_is(_field("ip", "saddr" if option == "-s" else "daddr"), op, network))
        elif option in ("-i", "-o"):
            name = value[:-1] + "*" if value.endswith("+") else value
            parts.append(_is({"meta": {"key": "iifname" if option == "-i" else "oifname"}}, op, name))
        elif option in _PORTS and protocol:
            parts.append(_is(_field(protocol, _PORTS[option]), op, {"set": [_port(one) for one in value.split(",")]}))
        elif option in _STATES:
            parts.append(_is({"ct": {"key": "state"}}, op, {"set": value.lower().split(",")}))
        elif option in _TYPES:
            kind = {"fib": {"result": "type", "flags": [_TYPES[option]]}}
            parts.append(_is(kind, op, {"set": value.lower().split(",")}))
        elif option == "--comment" or (option == "-m" and value in _KNOWN):
            continue
        else:
            parts.append({"unknown": " ".join([option, *values])})
    return [*parts, verdict] if verdict else parts


def _options(words: Sequence[str]) -> Iterator[Tuple[str, str, List[str]]]:
    """Each option, whether it must hold ("==") or not ("!="), and its values."""
    at = 0
    op = "=="
    while at < len(words):
        if words[at] == "!":
            op, at = "!=", at + 1
            continue
        end = at + 1
        while end < len(words) and words[end] != "!" and not words[end].startswith("-"):
            end += 1
        yield words[at], op, list(words[at + 1 : end])
        op, at = "==", end


def _verdict(option: str, target: str, chains: Sequence[str]) -> Optional[Dict[str, Any]]:
    if target in chains:
        return {"jump" if option == "-j" else "goto": {"target": target}}
    if target in _VERDICTS:
        return {_VERDICTS[target]: None}
    return None if target in _QUIET else {"queue": None}


def _is(left: Mapping[str, Any], op: str, right: Any) -> Dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


def _field(protocol: str, name: str) -> Dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": name}}


def _port(text: str) -> Any:
    low, colon, high = text.partition(":")
    try:
        return {"range": [int(low or 0), int(high or 65535)]} if colon else int(low)
    except ValueError:
        return text

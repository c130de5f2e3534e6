# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pure: which NIC each FOG release gives udp-sender: one table from version to rule (facts/fog.md section 0.1)."""

import re
from typing import NamedTuple, Optional, Sequence, Tuple

SETTINGS = "settings"  # <= 1.2: FOG_UDPCAST_INTERFACE, then the node's field
SOURCE_ROUTE = "source route"  # 1.4 to 1.5.8: any route line with "src"
KERNEL_ROUTE = "kernel route"  # 1.5.9 on: "kernel.*src"
ROUTE_THEN_RECORD = "route, then record"  # 1.5.10.18xx: the route wins, ngmInterface when no route matches

#: From this version on (up to the next row) the daemon follows this rule; "" where nobody has looked.
RULES: Tuple[Tuple[Tuple[int, ...], str], ...] = (
    ((0,), SETTINGS),
    ((1, 3), ""),  # the rule changed somewhere within 1.3
    ((1, 4), SOURCE_ROUTE),
    ((1, 5, 8, 1), ""),  # builds on the way from 1.5.8 to 1.5.9: the pattern changed somewhere among them
    ((1, 5, 9), KERNEL_ROUTE),
    ((1, 5, 10, 1800), ROUTE_THEN_RECORD),
    ((1, 6), ""),
)

#: What the daemon's awk looks for in the lines that grep found.
PATTERNS = {SOURCE_ROUTE: "src", KERNEL_ROUTE: "kernel.*src", ROUTE_THEN_RECORD: "kernel.*src"}

VERSION = re.compile(r"\s*[vV]?([0-9]{1,9}(?:\.[0-9]{1,9}){1,7})([-+~ _a-zA-Z].*)?\s*\Z", re.DOTALL)


class Lookup(NamedTuple):
    """The effective interface: ``interface`` is None when the daemon passes no --interface; ``how`` tells why.

    ``rule`` is one of the constants above, or "" when the release is not known (then ``interface`` is None).
    """

    interface: Optional[str]
    rule: str
    how: str


def parse_version(text: str) -> Optional[Tuple[int, ...]]:
    """``1.5.10.1867`` as numbers; None when the text is no version. A suffix such as ``-RC2`` is left out."""
    match = VERSION.match(text)
    return tuple(int(part) for part in match.group(1).split(".")) if match else None


def rule_of(version: str) -> str:
    """The rule the daemon of ``version`` follows, "" when that is not known.

    A pre-release of a version with which the rule changed may follow either rule, so it is not known.
    """
    match = VERSION.match(version)
    numbers = parse_version(version)
    if match is None or numbers is None:
        return ""
    rule = ""
    since: Tuple[int, ...] = ()
    for first, name in RULES:
        if first <= numbers:
            rule, since = name, first
    if match.group(2) and _trimmed(numbers) == since:
        return ""
    return rule


def lookup(version: str, address: str, node_interface: str, setting: str, routes: Sequence[str]) -> Lookup:
    """What the daemon of ``version`` will use for the node address, given ``ip route``'s lines.

    :param address: the node's IPv4 address, "" when its host name does not resolve.
    :param node_interface: the node's Interface field (ngmInterface).
    :param setting: FOG_UDPCAST_INTERFACE.
    """
    rule = rule_of(version)
    node_interface, setting = node_interface.strip(), setting.strip()
    if not rule:
        return Lookup(None, "", f"how FOG {version.strip() or '(no version)'} chooses its interface is not known")
    if rule == SETTINGS:
        if setting:
            return Lookup(setting, rule, "the setting FOG_UDPCAST_INTERFACE names it")
        if node_interface:
            return Lookup(node_interface, rule, "FOG_UDPCAST_INTERFACE is empty, the storage node's Interface names it")
        return Lookup(None, rule, "neither FOG_UDPCAST_INTERFACE nor the storage node's Interface names one")
    found = _from_routes(PATTERNS[rule], address, routes) if address else None
    if found is not None:
        return Lookup(found[0], rule, f"fourth word of the route: {found[1]}")
    why = f"no route names {address}" if address else "the storage node's host name does not resolve"
    if rule == ROUTE_THEN_RECORD and node_interface:
        return Lookup(node_interface, rule, f"{why}, the storage node's Interface names it")
    return Lookup(None, rule, why)


def _from_routes(pattern: str, address: str, routes: Sequence[str]) -> Optional[Tuple[str, str]]:
    """The word FOG takes and the route it is from: grep ADDRESS, then awk's 4th field of the first hit.

    To grep the address is a pattern anywhere in the line: a dot is any character, and 10.0.0.1 finds 10.0.0.10 too.
    """
    wanted = re.compile(re.escape(address).replace(r"\.", "."))
    for route in routes:
        if wanted.search(route) and re.search(pattern, route):
            words = re.split("[ /]+", route)
            if len(words) > 3 and words[3]:
                return words[3], route.strip()
            return None
    return None


def _trimmed(numbers: Tuple[int, ...]) -> Tuple[int, ...]:
    """Without trailing zeros: 1.6.0 is 1.6."""
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers = numbers[:-1]
    return numbers

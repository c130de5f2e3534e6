# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose, the network interfaces: configured, effective and expected are three things. Pure.

Rules: facts/fog.md section 0.1; which release follows which is told in ``versions``.
"""

import shlex
from typing import List, NamedTuple, Optional, Tuple

from .._findings import Finding, finding
from .._severity import ERROR, WARNING
from .database import Node
from .diagnose_nodes import is_full_server, is_local, node_subject, own_nodes, ranked
from .network import Interface
from .snapshot import Snapshot
from .versions import SETTINGS, Lookup, lookup, rule_of

#: The settings that name an interface of the FOG server. Only the server itself may judge or change them.
INTERFACE_SETTINGS = ("FOG_UDPCAST_INTERFACE", "FOG_NFS_ETH_MONITOR")
#: Link states in which nothing can be sent; "unknown" is what virtual interfaces say when all is well.
NO_LINK = ("down", "lowerlayerdown", "notpresent")


class Interfaces(NamedTuple):
    """The three interfaces of a node.

    ``configured`` is the record's (ngmInterface), ``effective`` what the daemon will use, ``expected`` the one that
    carries the node's address and can multicast, None when there is none.
    """

    configured: str
    effective: Lookup
    expected: Optional[str]


def interfaces_of(snapshot: Snapshot, node: Node) -> Interfaces:
    """The configured, effective and expected interface of a node of this host."""
    carrier = carrier_of(snapshot, node)
    expected = carrier.name if carrier is not None and carrier.multicast else None
    return Interfaces(node.interface, _lookup(snapshot, node, node.interface), expected)


def carrier_of(snapshot: Snapshot, node: Node) -> Optional[Interface]:
    """The interface, other than loopback, that carries the node's address."""
    carrier = snapshot.network.carrier_of(node.address) if node.address else None
    return None if carrier is None or carrier.loopback else carrier


def chosen_by_record(snapshot: Snapshot, node: Node) -> bool:
    """Whether the daemon takes the interface from a setting or the record, so that correcting those changes it."""
    without = _lookup(snapshot, node, "")
    with_record = _lookup(snapshot, node, node.interface or "any")
    return without.rule == SETTINGS or without.interface != with_record.interface


def stale_settings(snapshot: Snapshot) -> Tuple[Tuple[str, str], ...]:
    """The settings, with their values, that name an interface this FOG server does not have."""
    if not is_full_server(snapshot):
        return ()
    present = _names(snapshot)
    values = ((key, snapshot.database.settings.get(key, "").strip()) for key in INTERFACE_SETTINGS)
    return tuple((key, value) for key, value in values if value and value not in present)


def version_findings(snapshot: Snapshot) -> List[Finding]:
    """Whether it can be known at all which interface FOG uses here."""
    release = snapshot.release
    if not rule_of(release.version):
        subject = "FOG %s" % release.version if release.version else "FOG's version"
        how = lookup(release.version, "", "", "", ()).how
        return [finding("fog.version.unknown", subject, "%s." % (how[:1].upper() + how[1:]), release.errors)]
    if snapshot.network.error and rule_of(release.version) != SETTINGS:
        summary = "FOG %s takes its interface from the routes, and those could not be read." % release.version
        repair = "Make the ip command of iproute2 work on this host, then run again."
        return [finding("fog.version.unknown", "routes", summary, [snapshot.network.error], repair=repair)]
    return []


def interface_findings(snapshot: Snapshot) -> List[Finding]:
    """What is wrong with the interfaces of this host's nodes; nothing while that cannot be known."""
    if version_findings(snapshot):
        return []
    found = []
    own = [node for node in ranked(own_nodes(snapshot)) if is_local(snapshot, node)]
    for number, node in enumerate(own):
        found.extend(_of_node(snapshot, node, () if number else stale_settings(snapshot)))
        if carrier_of(snapshot, node) not in [carrier_of(snapshot, other) for other in own[:number]]:
            found.extend(_link_findings(snapshot, node))
    return found


def _of_node(snapshot: Snapshot, node: Node, settings: Tuple[Tuple[str, str], ...]) -> List[Finding]:
    subject = node_subject(node)
    interfaces = interfaces_of(snapshot, node)
    configured, effective, expected = interfaces
    carrier = carrier_of(snapshot, node)
    severity = _severity(node)
    by_record = chosen_by_record(snapshot, node)
    found = []
    evidence = _evidence(snapshot, node, interfaces) + [
        "setting %s: '%s', not an interface of this host" % setting for setting in settings
    ]
    used = effective.interface
    absent = used is not None and used not in _names(snapshot)
    if by_record and absent:
        summary = "FOG %s would start udp-sender on %s, which this host does not have." % (_version(snapshot), used)
        curable = expected is not None and (is_full_server(snapshot) or not _from_setting(snapshot))
        found.append(finding("fog.interface.absent", subject, summary, evidence, severity=severity, repairable=curable))
        return found
    elsewhere = used is not None and (absent if carrier is None else used != carrier.name)
    if elsewhere and not by_record:
        summary = "FOG %s would start udp-sender on '%s'; %s is not there." % (_version(snapshot), used, node.address)
        found.append(finding("fog.interface.lookup_bug", subject, summary, evidence, severity=severity))
    if used is None and effective.rule != SETTINGS and (carrier is None or carrier.up):
        summary = "No route names %s, the address of %s; udp-sender picks an interface." % (node.address, subject)
        found.append(finding("fog.interface.no_route", subject, summary, evidence))
    misled = by_record and elsewhere
    if expected is not None and (configured.strip() != expected or settings or misled):
        stale = _record_stale(snapshot, node, evidence, settings, misled)
        found.append(stale._replace(severity=severity if misled else WARNING))
    return found


def _severity(node: Node) -> str:
    """On a host whose daemon serves nothing a wrong interface breaks nothing yet."""
    return ERROR if node.master and node.enabled else WARNING


def _link_findings(snapshot: Snapshot, node: Node) -> List[Finding]:
    carrier, severity = carrier_of(snapshot, node), _severity(node)
    if carrier is None:
        return []
    found = []
    subject = "interface %s" % carrier.name
    evidence = [
        "interface %s carries %s, the address of %s" % (carrier.name, node.address, node_subject(node)),
        "flags: %s, %s; link: %s"
        % ("UP" if carrier.up else "not UP", "MULTICAST" if carrier.multicast else "no MULTICAST", carrier.link),
    ]
    if not carrier.up or carrier.link in NO_LINK:
        summary = "Interface %s, which carries %s, is down." % (carrier.name, node.address)
        found.append(finding("fog.interface.down", subject, summary, evidence, severity=severity))
    if not carrier.multicast:
        summary = "Interface %s, which carries %s, does not do multicast." % (carrier.name, node.address)
        found.append(finding("fog.interface.no_multicast", subject, summary, evidence, severity=severity))
    return found


def _record_stale(
    snapshot: Snapshot, node: Node, evidence: List[str], settings: Tuple[Tuple[str, str], ...], misled: bool
) -> Finding:
    configured, effective, expected = interfaces_of(snapshot, node)
    wrong = ["the record names '%s'" % configured] if configured.strip() != expected else []
    wrong += ["setting %s names '%s'" % setting for setting in settings]
    if not wrong:
        wrong = ["setting FOG_UDPCAST_INTERFACE names '%s'" % effective.interface]
    summary = "The address %s of %s is on %s, but %s." % (node.address, node_subject(node), expected, ", ".join(wrong))
    made = finding("fog.interface.record_stale", node_subject(node), summary, evidence)
    if not misled:
        return made
    if _from_setting(snapshot):
        # The setting names an interface that is there: somebody may have meant it, so nobody but a person changes it.
        repair = "Say which interface is right: role variable fog_multicast_interface (fog_storage_iface: interface)."
        return made._replace(repair=repair, repairable=False)
    return made._replace(repair="Correct the record (fog_storage_iface); this release takes the interface from it.")


def _evidence(snapshot: Snapshot, node: Node, interfaces: Interfaces) -> List[str]:
    effective = interfaces.effective
    lines = [
        "configured (ngmInterface): '%s'" % interfaces.configured,
        "effective (FOG %s, rule '%s'): %s, because %s"
        % (_version(snapshot), effective.rule, effective.interface or "none", effective.how),
        "expected (carries %s and does multicast): %s" % (node.address, interfaces.expected or "none"),
        "interfaces of this host: %s" % ", ".join(sorted(_names(snapshot))),
    ]
    started = last_interface(snapshot)
    if started:
        lines.append("last Command line of %s: --interface %s" % (snapshot.logs.path, started))
    return lines


def last_interface(snapshot: Snapshot) -> str:
    """The --interface of the last command in multicast.log, "" when there is none."""
    try:
        words = shlex.split(snapshot.logs.last_command)
    except ValueError:
        words = snapshot.logs.last_command.split()
    for word, following in zip(words, words[1:]):
        if word == "--interface":
            return following
    return ""


def _lookup(snapshot: Snapshot, node: Node, record: str) -> Lookup:
    routes = [route.line for route in snapshot.network.routes]
    return lookup(snapshot.release.version, node.address, record, _setting(snapshot), routes)


def _setting(snapshot: Snapshot) -> str:
    return snapshot.database.settings.get("FOG_UDPCAST_INTERFACE", "").strip()


def _from_setting(snapshot: Snapshot) -> bool:
    return rule_of(snapshot.release.version) == SETTINGS and _setting(snapshot) != ""


def _version(snapshot: Snapshot) -> str:
    return snapshot.release.version


def _names(snapshot: Snapshot) -> Tuple[str, ...]:
    return tuple(interface.name for interface in snapshot.network.interfaces)

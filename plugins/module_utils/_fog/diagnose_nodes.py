# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose, the storage nodes: which of them are this host, who is master, is the address right. Pure.

The daemon serves the groups whose enabled master node has an address of its host (facts/fog.md section 2).
"""

from typing import FrozenSet, Iterable, List, NamedTuple, Optional, Tuple

from .._findings import Finding, finding
from .database import Node, Session
from .snapshot import Snapshot

#: install_type of .fogsettings of a host that holds FOG's database and web interface.
FULL_SERVER = "N"
#: The role variable that says which host is a group's master.
MASTER_GATE = "fog_multicast_master"


class Certainty(NamedTuple):
    """The address a node's record should have: ``address`` is "" unless it is certain; ``why`` tells the reason."""

    address: str
    why: str


def is_full_server(snapshot: Snapshot) -> bool:
    """Whether this host is a full FOG server, not a storage node."""
    return snapshot.settings.install_type == FULL_SERVER


def is_local(snapshot: Snapshot, node: Node) -> bool:
    """Whether a node's address is this host's.

    Every host has 127.0.0.1: a loopback address counts only on a full server, or where the node carries this host's
    own name, so that two hosts never both claim the node.
    """
    if node.address.startswith("127."):
        own_name = node.hostname.lower().split(".")[0] == snapshot.hostname.lower().split(".")[0]
        return is_full_server(snapshot) or (own_name and not node.hostname.startswith("127."))
    return node.address in snapshot.network.local_addresses


def own_nodes(snapshot: Snapshot) -> Tuple[Node, ...]:
    """The nodes that are this host: those with a local address, else those with the address FOG was installed with."""
    nodes = snapshot.database.nodes
    local = tuple(node for node in nodes if is_local(snapshot, node))
    installed = snapshot.settings.address
    if local or not installed:
        return local
    return tuple(node for node in nodes if installed in (node.hostname, node.address))


def local_node(snapshot: Snapshot, name: Optional[str] = None) -> Optional[Node]:
    """This host's node (of that name): an enabled master first, then an enabled one, then the oldest record."""
    nodes = [node for node in own_nodes(snapshot) if name in (None, node.name)]
    return ranked(nodes)[0] if nodes else None


def ranked(nodes: Iterable[Node]) -> List[Node]:
    """Enabled masters first, then enabled nodes, then the rest, older records before newer ones."""
    return sorted(nodes, key=lambda node: (not (node.enabled and node.master), not node.enabled, node.id))


def masters_of(snapshot: Snapshot, group: int) -> Tuple[Node, ...]:
    """The enabled master nodes of a group; exactly one is right."""
    return tuple(node for node in snapshot.database.nodes if node.group == group and node.master and node.enabled)


def own_masters(snapshot: Snapshot) -> Tuple[Node, ...]:
    """The enabled master nodes with an address of this host: with one the daemon works, without one it only waits."""
    return tuple(node for node in own_nodes(snapshot) if node.master and node.enabled and is_local(snapshot, node))


def own_groups(snapshot: Snapshot) -> FrozenSet[int]:
    """The groups that a node of this host belongs to."""
    return frozenset(node.group for node in own_nodes(snapshot))


def served_groups(snapshot: Snapshot) -> FrozenSet[int]:
    """The groups that this host alone serves: their enabled masters are all nodes with an address of this host."""
    own = own_masters(snapshot)
    return frozenset(node.group for node in own if set(masters_of(snapshot, node.group)) <= set(own))


def answerable_groups(snapshot: Snapshot) -> FrozenSet[int]:
    """The groups of this host's nodes that no other host is known to look after.

    On a plain storage node a group whose master is another host is that host's business.
    """
    own = {node.id for node in own_nodes(snapshot)}
    found = set()
    for group in own_groups(snapshot):
        masters = masters_of(snapshot, group)
        if is_full_server(snapshot) or not masters or any(node.id in own for node in masters):
            found.add(group)
    return frozenset(found)


def group_of(snapshot: Snapshot, session: Session) -> Optional[int]:
    """The storage group of a session, None when unknown. A named session carries a node's id in that column."""
    if session.clients != -2:
        return session.group
    for node in snapshot.database.nodes:
        if node.id == session.group:
            return node.group
    return None


def should_serve(snapshot: Snapshot, master: Optional[bool] = None) -> bool:
    """Whether the daemon has work on this host, now or once the master flag is where it belongs."""
    for node in own_nodes(snapshot):
        if not node.enabled:
            continue
        if node.master or master:
            return True
        if master is None and not masters_of(snapshot, node.group) and _may_become_master(snapshot, node.group):
            return True
    return False


def certain_address(snapshot: Snapshot, node: Node) -> Certainty:
    """The address that a node of this host must have got, when there is no doubt about it.

    The interface in the node's record (else the one FOG was installed with) has to be there, up, and carry exactly
    one global IPv4 address, which no other record names.
    """
    if not is_full_server(snapshot):
        return Certainty("", "a storage node shares its database with other hosts, so no address is chosen for it")
    if not snapshot.database.local:
        # A standby or a clone of the FOG server would take the record of the one that works.
        return Certainty("", "the database is on another host, so another FOG server may work with this record")
    if node.hostname and not _is_address(node.hostname):
        return Certainty("", "the record holds the name %s, which DNS or /etc/hosts resolves" % node.hostname)
    present = {interface.name: interface for interface in snapshot.network.interfaces}
    for name in (node.interface, snapshot.settings.interface):
        if name not in present:
            continue
        interface = present[name]
        if interface.loopback or not interface.up:
            return Certainty("", "interface %s is %s" % (name, "loopback" if interface.loopback else "down"))
        addresses = [own.address for own in interface.addresses if _is_global(own.address)]
        if len(addresses) != 1:
            return Certainty("", "interface %s has %d global IPv4 addresses" % (name, len(addresses)))
        user = address_user(snapshot, addresses[0], node)
        if user is not None:
            return Certainty("", "storage node %s already has the address %s" % (user.name, addresses[0]))
        return Certainty(addresses[0], "the only global IPv4 address of interface %s" % name)
    return Certainty("", "neither the record's interface nor the one in .fogsettings is on this host")


def address_user(snapshot: Snapshot, address: str, besides: Node) -> Optional[Node]:
    """Another node whose record names or resolves to ``address``."""
    for node in snapshot.database.nodes:
        if node.id != besides.id and address in (node.hostname, node.address):
            return node
    return None


def node_subject(node: Node) -> str:
    """How findings name a node."""
    return "storage node %s" % node.name


def group_subject(snapshot: Snapshot, group: int) -> str:
    """How findings name a group."""
    return "storage group %s" % (snapshot.database.groups.get(group) or group)


def told(node: Node) -> str:
    """A node's record in one line of evidence."""
    address = node.hostname
    if node.address != node.hostname:
        address += " (%s)" % (node.address or "does not resolve")
    flags = "%s, %s" % ("master" if node.master else "not master", "enabled" if node.enabled else "disabled")
    return "storage node %s (ngmID %d): address %s, %s" % (node.name, node.id, address, flags)


def node_findings(snapshot: Snapshot, master: Optional[bool] = None) -> List[Finding]:
    """What is wrong with the records of this host's nodes and with the masters of their groups.

    :param master: the user's wish whether this host is its group's master; None when nothing was said.
    """
    if not snapshot.network.interfaces:
        return []
    own = own_nodes(snapshot)
    if not own:
        return [_no_node(snapshot)]
    found = []
    for node in own:
        if not is_local(snapshot, node):
            found.append(_address_not_local(snapshot, node))
        if not node.enabled:
            summary = "Storage node %s of this host is disabled." % node.name
            found.append(finding("fog.node.disabled", node_subject(node), summary, [told(node)]))
    for group in sorted(own_groups(snapshot)):
        found.extend(_master_findings(snapshot, group, master))
    return found


def _no_node(snapshot: Snapshot) -> Finding:
    return finding(
        "fog.node.address_not_local",
        "this host",
        "No storage node in the database has an address of this host, so its daemon waits for ever.",
        [told(node) for node in snapshot.database.nodes] + _own_addresses(snapshot),
        cause="The address of this host or of its storage node was changed, or the node was deleted.",
        repair="Correct the IP address of this host's storage node in FOG's web interface (on a full FOG server also: "
        "fog_storage_iface with node and address), then restart FOGMulticastManager.",
        repairable=False,
    )


def _address_not_local(snapshot: Snapshot, node: Node) -> Finding:
    certain = certain_address(snapshot, node)
    summary = "Storage node %s has the address %s, which is on no interface of this host." % (node.name, node.hostname)
    evidence = [told(node), *_own_addresses(snapshot)]
    subject = node_subject(node)
    if certain.address:
        evidence.append("new address: %s, %s" % (certain.address, certain.why))
        return finding("fog.node.address_not_local", subject, summary, evidence)
    evidence.append("no new address is certain: %s" % certain.why)
    repair = (
        "Say which address is right: role variable fog_multicast_address (fog_storage_iface with address). "
        "FOGMulticastManager is then restarted, because it remembers the old addresses."
    )
    return finding("fog.node.address_not_local", subject, summary, evidence, repair=repair, repairable=False)


def _own_addresses(snapshot: Snapshot) -> List[str]:
    lines = [
        "interface %s: %s" % (interface.name, ", ".join(own.address for own in interface.addresses) or "no address")
        for interface in snapshot.network.interfaces
        if not interface.loopback
    ]
    settings = snapshot.settings
    if settings.address or settings.interface:
        lines.append("%s: ipaddress '%s', interface '%s'" % (settings.path, settings.address, settings.interface))
    return lines


def _master_findings(snapshot: Snapshot, group: int, master: Optional[bool]) -> List[Finding]:
    own = [node for node in own_nodes(snapshot) if node.group == group]
    masters = masters_of(snapshot, group)
    subject = group_subject(snapshot, group)
    evidence = [told(node) for node in snapshot.database.nodes if node.group == group]
    names = ", ".join(node.name for node in masters)
    able = any(node.enabled for node in own)
    if not masters:
        summary = "%s has no enabled master node." % _capital(subject)
        found = finding("fog.node.no_master", subject, summary, evidence)
        if not able:
            repair = "Enable the storage node in FOG's web interface, then make it the master."
            return [found._replace(repair=repair, repairable=False)]
        if master is False:
            repair = "This host shall not be the master; set fog_multicast_master to true on the host that shall."
            return [found._replace(repair=repair, repairable=False)]
        if not (master or _may_become_master(snapshot, group)):
            found = found._replace(gate=MASTER_GATE)
        return [found]
    if len(masters) > 1:
        summary = "%s has %d enabled master nodes: %s." % (_capital(subject), len(masters), names)
        found = finding("fog.node.many_masters", subject, summary, evidence)
        others = [node for node in masters if node not in own]
        if master is False:
            # Giving up this host's flag is a cure only where it leaves exactly one master.
            return [found._replace(repairable=len(others) == 1, gate=None)]
        return [found._replace(repairable=able, gate=None if master and able else found.gate)]
    if is_full_server(snapshot) and able and masters[0] not in own and master is not False:
        summary = "The only master of %s is %s, on another host (%s)." % (subject, names, masters[0].hostname)
        found = finding("fog.node.master_not_local", subject, summary, evidence)
        return [found._replace(gate=None) if master else found]
    return []


def _may_become_master(snapshot: Snapshot, group: int) -> bool:
    """Whether nobody needs to be asked: a full server, or the only enabled node of the group.

    A master that is only disabled, say for maintenance, comes back: then a person decides.
    """
    own = own_nodes(snapshot)
    nodes = [node for node in snapshot.database.nodes if node.group == group]
    if any(node.master for node in nodes):
        return False
    return is_full_server(snapshot) or all(node in own for node in nodes if node.enabled)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _is_address(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == 4 and all(part.isdigit() for part in parts)


def _is_global(address: str) -> bool:
    return not address.startswith(("127.", "169.254."))

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, the records: this host's nodes, the interface, the address and the master flag in them. Pure."""

from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

from .._findings import Finding
from .._steps import Plan, RefusedError, Step
from .database import Node
from .diagnose import write_objection
from .diagnose_interfaces import (
    INTERFACE_SETTINGS,
    carrier_of,
    chosen_by_record,
    interface_findings,
    interfaces_of,
    stale_settings,
)
from .diagnose_nodes import (
    address_user,
    certain_address,
    group_subject,
    is_full_server,
    is_local,
    local_node,
    masters_of,
    node_findings,
    node_subject,
    own_nodes,
    ranked,
)
from .plan_base import checked
from .snapshot import Snapshot
from .versions import rule_of

AUTO = "auto"
#: ngmIsMasterNode is a char(1): "1" is yes; FOG writes no as nothing or as "0" (facts/fog.md section 1).
MASTER, NO_MASTER = "1", ("", "0")

_MASTER_FINDINGS = ("fog.node.no_master", "fog.node.many_masters", "fog.node.master_not_local")
_SAID = {"ngmHostname": "address", "ngmInterface": "interface", "ngmIsMasterNode": "master flag"}


class _Change(NamedTuple):
    """One field of a node's record that is to change."""

    field: str
    before: Any
    after: Any
    finding: Optional[str]
    gate: Optional[str] = None


def plan_interface(
    snapshot: Snapshot,
    node: Optional[str] = None,
    interface: str = AUTO,
    address: Optional[str] = None,
    master: Optional[bool] = None,
    update_settings: bool = True,
) -> Plan:
    """How to correct the records of this host's nodes, and the settings that name an interface.

    :param node: a node's name; without it every node of this host is corrected where nothing else is wished, and the
        one :func:`local_node` chooses where something is.
    :param interface: what the record shall name; ``auto`` is the interface that carries the node's address.
    :param address: what the record shall have; without it only an address that is certain is corrected.
    :param master: whether the node shall be its group's master; None corrects only what is certain, and plans the
        rest behind its gate.
    """
    objection = write_objection(snapshot)
    if objection:
        return Plan(refusal=objection)
    steps: List[Step] = []
    notes: List[str] = []
    try:
        wish = node is not None or interface != AUTO or address is not None or master is not None
        records = [] if wish else ranked(own_nodes(snapshot))
        records = records or [_record(snapshot, node, address)]
        for record in records:
            moved = _moved(snapshot, record, address)
            changes = _address_change(record, moved)
            after = _with_node(snapshot, moved)
            found = node_findings(snapshot, master) + interface_findings(after)
            target, cured = _interface(after, moved, interface, found)
            if target is not None and target != record.interface:
                changes.append(_Change("ngmInterface", record.interface, target, cured))
                notes.extend(_interface_notes(after, moved, target))
            # The master flag of a group is settled once, with the first of this host's nodes in it.
            first = next(each for each in records if each.group == record.group)
            flag, others = _master(snapshot, record, master, found) if record == first else ([], [])
            steps += _node_steps(record, changes + flag) + others
            if update_settings:
                steps += _setting_steps(snapshot, record, interface, target, cured)
            notes += _setting_notes(snapshot, interface, target, update_settings)
    except RefusedError as error:
        return Plan(refusal=str(error))
    return checked(snapshot, Plan(tuple(steps), "", tuple(notes)))


def _record(snapshot: Snapshot, name: Optional[str], address: Optional[str]) -> Node:
    """The node that is meant. :raises RefusedError: it does not exist, or is not this host."""
    nodes = snapshot.database.nodes
    own = local_node(snapshot, name)
    if own is not None:
        return own
    names = ", ".join(node.name for node in nodes) or "none"
    if name is None:
        raise RefusedError(
            "No storage node in the database is this host (storage nodes: %s). On a full FOG server name the node and "
            "its new address (node and address); elsewhere correct its IP address in FOG's web interface." % names
        )
    named = [node for node in nodes if node.name == name]
    if not named:
        raise RefusedError("There is no storage node %s. The database has: %s." % (name, names))
    if address is not None and is_full_server(snapshot) and not own_nodes(snapshot):
        return named[0]
    mine = ", ".join(node.name for node in own_nodes(snapshot)) or "none"
    raise RefusedError(
        "Storage node %s (%s) is not this host, so it is not changed from here. Storage nodes of this host: %s."
        % (name, named[0].hostname, mine)
    )


def _moved(snapshot: Snapshot, record: Node, address: Optional[str]) -> Node:
    """The node with the address it shall have. :raises RefusedError: that address cannot be used, or is not known."""
    if address is None:
        if is_local(snapshot, record):
            return record
        certain = certain_address(snapshot, record)
        if not certain.address:
            raise RefusedError(
                "Storage node %s has the address %s, which is on no interface of this host, and it is not certain "
                "which one it should have: %s. Give address." % (record.name, record.hostname, certain.why)
            )
        return record._replace(hostname=certain.address, address=certain.address)
    if address in (record.hostname, record.address) and is_local(snapshot, record):
        return record
    present = [own for own in snapshot.network.local_addresses if not own.startswith("127.")]
    if address not in present:
        raise RefusedError(
            "The address %s is on no interface of this host. Its addresses are: %s."
            % (address, ", ".join(present) or "none")
        )
    user = address_user(snapshot, address, record)
    if user is not None:
        raise RefusedError(
            "The address %s belongs to storage node %s; two nodes must not have the same." % (address, user.name)
        )
    return record._replace(hostname=address, address=address)


def _with_node(snapshot: Snapshot, node: Node) -> Snapshot:
    nodes = tuple(node if each.id == node.id else each for each in snapshot.database.nodes)
    return snapshot._replace(database=snapshot.database._replace(nodes=nodes))


def _address_change(record: Node, moved: Node) -> List[_Change]:
    if moved.hostname == record.hostname:
        return []
    return [_Change("ngmHostname", record.hostname, moved.hostname, "fog.node.address_not_local")]


def _interface(
    snapshot: Snapshot, node: Node, wish: str, found: Sequence[Finding]
) -> Tuple[Optional[str], Optional[str]]:
    """The interface the record shall name, None for as it is, and the finding that this cures.

    :raises RefusedError: the interface that is wished for does not exist.
    """
    here = {each.id: each for each in found if each.subject == node_subject(node)}
    cured = next((name for name in ("fog.interface.absent", "fog.interface.record_stale") if name in here), None)
    if wish != AUTO:
        present = [interface.name for interface in snapshot.network.interfaces if not interface.loopback]
        if wish not in present:
            names = ", ".join(sorted(present)) or "none"
            raise RefusedError("There is no interface %s on this host. Its interfaces are: %s." % (wish, names))
        return wish, cured
    if cured is not None and here[cured].repairable:
        return interfaces_of(snapshot, node).expected, cured
    if not rule_of(snapshot.release.version) and node.interface not in _present(snapshot):
        # However this release chooses, an interface that is gone is wrong.
        return interfaces_of(snapshot, node).expected, None
    return None, cured


def _interface_notes(snapshot: Snapshot, node: Node, target: str) -> List[str]:
    notes = []
    version = snapshot.release.version or "(version unknown)"
    carrier = carrier_of(snapshot, node)
    if carrier is not None and carrier.name != target:
        text = "Interface %s does not carry %s, the address of the node; %s does."
        notes.append(text % (target, node.address, carrier.name))
    if not rule_of(snapshot.release.version):
        notes.append(
            "How FOG %s chooses its interface is not known. The record of %s is corrected; whether that repairs "
            "multicast is not known either." % (version, node.name)
        )
    elif not chosen_by_record(snapshot, node):
        notes.append(
            "Only the record of storage node %s is corrected (%s to %s). FOG %s takes the interface from the routes, "
            "so this does not by itself repair multicast." % (node.name, node.interface or "none", target, version)
        )
    return notes


def _setting_steps(
    snapshot: Snapshot, record: Node, wish: str, target: Optional[str], cured: Optional[str]
) -> List[Step]:
    if target is None or not is_full_server(snapshot):
        return []
    settings = snapshot.database.settings
    wrong = [(key, settings[key]) for key in INTERFACE_SETTINGS if key in settings and settings[key].strip() != target]
    if wish == AUTO:
        # A setting that names another interface of this host may be meant so.
        gone = dict(stale_settings(snapshot)) if record == local_node(snapshot) else {}
        wrong = [(key, value) for key, value in wrong if key in gone]
    return [
        Step(
            "setting.update",
            "Set %s to %s" % (key, target),
            {"settingKey": key},
            {"settingValue": value},
            {"settingValue": target},
            cured,
        )
        for key, value in wrong
    ]


def _setting_notes(snapshot: Snapshot, wish: str, target: Optional[str], update_settings: bool) -> List[str]:
    if not is_full_server(snapshot) and wish != AUTO and update_settings:
        return ["The settings %s belong to the FOG server and are left as they are." % " and ".join(INTERFACE_SETTINGS)]
    stale = stale_settings(snapshot)
    if stale and target is not None and not update_settings:
        return ["%s stays, because update_settings is false." % ", ".join("%s '%s'" % each for each in stale)]
    return []


def _master(
    snapshot: Snapshot, record: Node, wish: Optional[bool], found: Sequence[Finding]
) -> Tuple[List[_Change], List[Step]]:
    """The node's own flag, and the steps that take the flag from others: first give, then take.

    :raises RefusedError: the wish would leave the group without a master, or the node is disabled.
    """
    subject = group_subject(snapshot, record.group)
    wrong = {each.id: each for each in found if each.subject == subject and each.id in _MASTER_FINDINGS}
    cure = next(iter(wrong.values()), None)
    name = cure.id if cure is not None else None
    others = [node for node in masters_of(snapshot, record.group) if node.id != record.id]
    if wish is False:
        if not (record.master and record.enabled):
            return [], []
        if not others:
            raise RefusedError(
                "Storage node %s is the only master of %s; without it nothing would serve the group. Make another node "
                "the master first." % (record.name, subject)
            )
        return [_Change("ngmIsMasterNode", MASTER, NO_MASTER[1], name)], []
    if wish and not record.enabled:
        raise RefusedError(
            "Storage node %s is disabled and cannot be the master. Enable it in FOG's web interface first."
            % record.name
        )
    if not wish and (cure is None or not cure.repairable or not record.enabled):
        return [], []
    gate = None if cure is None or wish else cure.gate
    flag = [] if record.master else [_Change("ngmIsMasterNode", NO_MASTER, MASTER, name, gate)]
    return flag, [
        Step(
            "node.update",
            "Take the master flag from storage node %s (%s)" % (node.name, node.hostname),
            {"ngmID": node.id},
            {"ngmIsMasterNode": MASTER},
            {"ngmIsMasterNode": NO_MASTER[1]},
            name,
            gate,
        )
        for node in others
    ]


def _node_steps(record: Node, changes: Sequence[_Change]) -> List[Step]:
    """One step for all that needs no consent, and one for what does."""
    steps = []
    for gate in sorted({change.gate for change in changes}, key=lambda gate: gate or ""):
        part = [change for change in changes if change.gate == gate]
        said = " and ".join(_SAID[change.field] for change in part)
        steps.append(
            Step(
                "node.update",
                "Correct the %s of storage node %s" % (said, record.name),
                {"ngmID": record.id},
                {change.field: change.before for change in part},
                {change.field: change.after for change in part},
                next((change.finding for change in part if change.finding), None),
                gate,
            )
        )
    return steps


def _present(snapshot: Snapshot) -> Tuple[str, ...]:
    return tuple(interface.name for interface in snapshot.network.interfaces)

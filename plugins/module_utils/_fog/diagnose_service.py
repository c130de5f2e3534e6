# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose, the daemon: does it run, does its child work, does it see what it should. Pure.

That the service manager calls it active proves nothing (facts/fog.md section 0.3).
"""

from typing import List, Optional, Tuple

from .._findings import Finding, finding
from .._severity import ERROR, WARNING
from .diagnose_leftovers import orphan_senders
from .diagnose_nodes import answerable_groups, group_of, is_local, own_masters, own_nodes, should_serve
from .diagnose_sessions import (
    STALE_AFTER,
    TROUBLE,
    active_sessions,
    is_queued,
    is_stale,
    patience,
    pids,
    sessions_of_deleted_images,
    sessions_served_here,
    sleep_time,
)
from .service import UNIT
from .snapshot import Snapshot

#: Seconds a daemon that was just started gets to bring up its child.
START = 5.0
#: How many lines at the log's end are looked at for trouble.
LATEST = 20


def runs(snapshot: Snapshot) -> bool:
    """Whether the daemon runs, by its service manager's word or by its processes."""
    return snapshot.service.active or bool(snapshot.processes.daemon)


def trouble(snapshot: Snapshot) -> Tuple[str, ...]:
    """The latest line of each kind of trouble at the end of multicast.log, and how its children exited."""
    latest = {line.kind: line.text for line in snapshot.logs.lines[-LATEST:] if line.kind in TROUBLE}
    lines = ["%s: %s" % (snapshot.logs.path, text) for text in latest.values()]
    return tuple(lines) + tuple("servicemaster.log: %s" % text for text in snapshot.logs.exits)


def cached_too_long(snapshot: Snapshot) -> str:
    """The line of the log that shows that the daemon remembers old addresses, "" when none does.

    It writes one with every interval, so the latest line tells what it believes now. Addresses it noted at its start
    may still be in the log: where they hold the node's address, it only has not looked at the database again yet.
    """
    lines = [line for line in snapshot.logs.lines if line.stamp is not None]
    age = snapshot.logs.age
    if not lines or not runs(snapshot) or age is None or age > patience(snapshot):
        return ""
    if lines[-1].kind == "not_master":
        nodes = own_masters(snapshot)
    elif lines[-1].kind == "interface_waiting":
        nodes = tuple(node for node in own_nodes(snapshot) if node.enabled and is_local(snapshot, node))
    else:
        return ""
    noted = {line.detail for line in lines if line.kind == "interface_ready"}
    if not nodes or any(node.address in noted for node in nodes):
        return ""
    return lines[-1].text


def busy(snapshot: Snapshot, stale_after: float = STALE_AFTER) -> Tuple[str, ...]:
    """Why a restart of the daemon would hurt; empty when nothing would be lost (facts/fog.md section 0.4)."""
    found = []
    orphans = orphan_senders(snapshot)
    for sender in snapshot.processes.senders:
        if sender not in orphans and not sender.is_probe:
            found.append("udp-sender of port %d runs (%s)" % (sender.port, pids(sender)))
    if snapshot.database.error:
        found.append("the database cannot be read, so it is not known which sessions are active")
    groups = answerable_groups(snapshot)
    for session in active_sessions(snapshot):
        group = group_of(snapshot, session)
        if session.state != 0 and (group is None or group in groups) and not is_stale(snapshot, session, stale_after):
            found.append("session %d (%s) is active, msState %d" % (session.id, session.name, session.state))
    return tuple(found)


def service_findings(snapshot: Snapshot, master: Optional[bool] = None) -> List[Finding]:
    """What is wrong with the daemon and with what it needs to run."""
    known = not snapshot.database.error
    needed = should_serve(snapshot, master) if known else snapshot.service.enabled is True
    found = _missing_binary(snapshot, ERROR if needed or not known else WARNING)
    if known:
        found += _disabled_globally(snapshot)
    if not runs(snapshot):
        return found + (_stopped(snapshot) if needed else [])
    if not known or not snapshot.release.udp_sender_runs or sessions_of_deleted_images(snapshot):
        # Its child ends at once and is started anew, again and again: whether one lives just now tells nothing.
        return found
    dead = _child_dead(snapshot, ERROR if needed else WARNING)
    if dead:
        return found + dead
    stuck = _outdated_cache(snapshot)
    if not stuck and needed:
        stuck = _silent(snapshot)
    return found + stuck


def _missing_binary(snapshot: Snapshot, severity: str) -> List[Finding]:
    release = snapshot.release
    if release.udp_sender_runs:
        return []
    evidence = ["FOG looks for %s" % release.udp_sender]
    evidence += ["udp-sender is at %s" % path for path in release.udp_sender_found]
    evidence += list(release.errors)
    summary = "%s is missing or cannot be executed." % release.udp_sender
    made = finding("fog.sender.missing_binary", release.udp_sender, summary, evidence, severity=severity)
    if release.udp_sender_exists:
        # A link would have to take its place, and what it is nobody knows.
        repair = "Make %s executable (chmod +x %s), or move it away." % (release.udp_sender, release.udp_sender)
        return [made._replace(repair=repair, repairable=False)]
    if release.udp_sender_found:
        repair = "Link %s to %s." % (release.udp_sender, release.udp_sender_found[0])
        return [made._replace(repair=repair)]
    repair = "Install udpcast (distribution package udpcast), then link %s to its udp-sender." % release.udp_sender
    return [made._replace(repair=repair, repairable=False)]


def _disabled_globally(snapshot: Snapshot) -> List[Finding]:
    value = snapshot.database.settings.get("MULTICASTGLOBALENABLED")
    if value is None or value.strip() not in ("", "0") or not answerable_groups(snapshot):
        return []
    summary = "Multicast is switched off: the setting MULTICASTGLOBALENABLED is '%s'." % value
    return [finding("fog.service.disabled_globally", "MULTICASTGLOBALENABLED", summary)]


def _stopped(snapshot: Snapshot) -> List[Finding]:
    service = snapshot.service
    if service.error:
        return []
    summary = "%s does not run on this host: %s." % (UNIT, service.state)
    made = finding("fog.service.stopped", UNIT, summary, _service_told(snapshot) + list(trouble(snapshot)))
    if service.installed and service.manager:
        return [made]
    repair = "FOG's services are not installed on this host: run FOG's installer again."
    return [made._replace(repair=repair, repairable=False)]


def _child_dead(snapshot: Snapshot, severity: str) -> List[Finding]:
    processes, since = snapshot.processes, snapshot.service.since
    ages = [process.age for process in processes.daemon]
    young = min(ages) < START if ages else since is not None and since < START
    if processes.children or processes.error or young:
        return []
    summary = "%s is %s, but no child of it lives." % (UNIT, snapshot.service.state)
    evidence = _service_told(snapshot) + list(trouble(snapshot))
    return [finding("fog.service.child_dead", UNIT, summary, evidence, severity=severity)]


def _outdated_cache(snapshot: Snapshot) -> List[Finding]:
    line = cached_too_long(snapshot)
    if not line:
        return []
    nodes = ", ".join("%s (%s)" % (node.name, node.address) for node in own_nodes(snapshot))
    summary = "%s goes by addresses from its start; the database and the interfaces say otherwise now." % UNIT
    evidence = ["%s: %s" % (snapshot.logs.path, line), "storage nodes of this host: %s" % nodes]
    return [finding("fog.service.outdated_cache", UNIT, summary, evidence + _service_told(snapshot))]


def _silent(snapshot: Snapshot) -> List[Finding]:
    logs, allowed = snapshot.logs, patience(snapshot)
    children = snapshot.processes.children
    if logs.error or not children or min(process.age for process in children) <= allowed:
        return []
    if logs.exists and (logs.age is None or logs.age <= allowed):
        return []
    if any(is_queued(snapshot, session) for session in sessions_served_here(snapshot)):
        return []  # With nothing else to do it waits for a free slot in silence.
    said = "wrote its last line %.0f s ago" % (logs.age or 0) if logs.exists else "is missing"
    summary = "The child of %s lives, but %s %s." % (UNIT, logs.path, said)
    evidence = ["MULTICASTSLEEPTIME: %.0f s; silence of %.0f s is allowed" % (sleep_time(snapshot), allowed)]
    evidence += _service_told(snapshot) + list(trouble(snapshot))
    return [finding("fog.log.silent", UNIT, summary, evidence)]


def _service_told(snapshot: Snapshot) -> List[str]:
    service, processes = snapshot.service, snapshot.processes
    enabled = {True: "enabled", False: "not enabled", None: "unknown whether enabled"}[service.enabled]
    return [
        "service manager (%s): %s, %s at boot" % (service.manager or "none", service.state, enabled),
        "parent pids: %s; child pids: %s"
        % tuple(
            ", ".join("%d (%s, %.0f s)" % (process.pid, process.state, process.age) for process in group) or "none"
            for group in (processes.daemon, processes.children)
        ),
    ]

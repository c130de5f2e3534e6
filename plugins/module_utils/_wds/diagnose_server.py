# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose: the server itself: its build, the role, the service, ports and reboots. Pure."""

from typing import Any, Dict, List

from .._findings import Finding, finding
from .._severity import INFO, WARNING
from . import builds
from .diagnose_namespaces import Wish, described, expected_names, find, listed, running, unregistrable
from .services import DEMAND, DISABLED, RUNNING, START_PENDING, STOPPED
from .snapshot import Snapshot, unread_parts
from .sockets import PORTS
from .store import NAMESPACES, PARAMETERS, REINSTALL, STORE

SERVICE = "WDSServer"
#: The value that frees WDS from a fixed range of ports when it is 0, and the one that says where the range begins.
PORT_POLICY = "UdpPortPolicy"
PORT_START = "UdpStartPort"

_STATES = {
    1: "stopped",
    2: "starting",
    3: "stopping",
    4: "running",
    5: "about to continue",
    6: "about to pause",
    7: "paused",
}


def server_findings(snapshot: Snapshot, wish: Wish) -> List[Finding]:
    """Everything about the host that is no namespace's."""
    found = _view(snapshot) + _build(snapshot) + _reinstall(snapshot)
    if not snapshot.service.installed:
        found += _role(snapshot, wish)
    else:
        found += _service(snapshot) + _ports(snapshot)
    if snapshot.server.reboot_pending:
        evidence = [
            "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending exists."
        ]
        summary = "Windows waits for a reboot to finish an installation."
        found.append(finding("wds.reboot.pending", _host(snapshot), summary, evidence))
    return found


def _host(snapshot: Snapshot) -> str:
    return snapshot.server.name or "head node"


def _view(snapshot: Snapshot) -> List[Finding]:
    if not snapshot.unread:
        return []
    if unread_parts(snapshot) == {"deployments"}:
        # They tell of the past: nothing that is wrong now, and no repair, rests on them.
        summary = "The deployment logs of this head node could not be read, or not all of them."
        return [finding("wds.view.unread", _host(snapshot), summary, snapshot.unread, severity=INFO)]
    summary = "Parts of this head node could not be read; what rests on them is neither found nor repaired."
    return [finding("wds.view.unread", _host(snapshot), summary, snapshot.unread)]


def _build(snapshot: Snapshot) -> List[Finding]:
    server = snapshot.server
    if not server.build or builds.lookup(server.build) is not None:
        return []
    evidence = [
        "CurrentBuildNumber: %d (%s)" % (server.build, server.product or "no ProductName"),
        "Known builds: %s" % ", ".join(str(build) for build in sorted(builds.BUILDS)),
    ]
    summary = "Windows build %d is not known to this collection, so nothing is changed." % server.build
    return [finding("wds.build.unknown", _host(snapshot), summary, evidence)]


def _reinstall(snapshot: Snapshot) -> List[Finding]:
    place = snapshot.place
    if place is None:
        return []
    evidence = [
        "%s: Stage %s, Boot %s, Started %s" % (REINSTALL, place.stage, place.boot, place.started),
        "Last boot: %s" % (snapshot.server.boot or "not known"),
    ]
    summary = "A reinstall of WDS-Transport stands at the stage %s." % (place.stage or "(none)")
    return [finding("wds.reinstall.interrupted", "WDS-Transport", summary, evidence)]


def _role(snapshot: Snapshot, wish: Wish) -> List[Finding]:
    """The role is absent: an error where anything shows that multicast was used or is wanted here.

    HPC Pack may have been set up without it on purpose (facts/windows.md section 6), and that leaves no trace of its
    own: without any, a host with HPC is a warning that a person must judge, and one without HPC is left alone.
    """
    traces = _traces(snapshot, wish)
    evidence = ["sc.exe: the service %s is not installed (1060)." % SERVICE, *traces]
    summary = "The role WDS-Transport is not installed."
    changes: Dict[str, Any] = {}
    if not traces:
        changes.update(repairable=False, gate=None, severity=WARNING if snapshot.server.hpc else INFO)
        if snapshot.server.hpc:
            summary = "The role WDS-Transport is not installed, maybe on purpose: HPC can be set up without it."
            changes["repair"] = (
                "If compute nodes shall be imaged by multicast, say so by naming the namespace (option name, role "
                "variable wds_multicast_name); otherwise nothing needs to be done."
            )
        else:
            summary = "The role WDS-Transport is not installed, nor is HPC, and nothing shows that it ever was."
            changes["repair"] = "Nothing needs to be done."
    return [finding("wds.role.missing", "WDS-Transport", summary, evidence, **changes)]


def _traces(snapshot: Snapshot, wish: Wish) -> List[str]:
    traces = []
    if wish.name or wish.content_provider:
        traces.append(
            "The namespace %s is asked for." % listed(expected_names(snapshot, wish) or ("of this head node",))
        )
    if snapshot.baseline:
        traces.append("Definitions were saved of: %s" % listed([each.name for each in snapshot.baseline]))
    if snapshot.store:
        traces.append("The registry still holds: %s" % listed([each.name for each in snapshot.store]))
    if snapshot.events:
        newest = snapshot.events[0]
        traces.append("The newest event of multicast: %s %d at %s" % (newest.source, newest.id, newest.time))
    for deployment in snapshot.deployments or ():
        if deployment.namespace is not None:
            traces.append("A deployment by multicast: %s at %s" % (deployment.node, deployment.time))
            break
    if snapshot.place is not None:
        traces.append("A reinstall stands at the stage %s." % snapshot.place.stage)
    return traces


def _service(snapshot: Snapshot) -> List[Finding]:
    service = snapshot.service
    found = []
    state = "State: %s (%s)" % (service.state, _STATES.get(service.state or 0, "not known"))
    if service.start == DISABLED:
        evidence = ["%s: Start is %d." % (STORE, DISABLED), state]
        if running(snapshot):
            summary = "%s runs, but is disabled: it will not start with the server." % SERVICE
            found.append(finding("wds.service.disabled", SERVICE, summary, evidence, severity=WARNING))
        else:
            found.append(finding("wds.service.disabled", SERVICE, "%s is disabled." % SERVICE, evidence))
    if service.state not in (RUNNING, None):
        found.append(_stopped(snapshot, state))
    return found


def _stopped(snapshot: Snapshot, state: str) -> Finding:
    service = snapshot.service
    evidence = [state]
    if service.start == DEMAND:
        evidence.append("%s: Start is %d: it starts on demand, not with the server." % (STORE, DEMAND))
    if snapshot.store:
        evidence.append(
            "%s holds %s. Starting the service deletes what cannot be registered."
            % (NAMESPACES, listed([each.name for each in snapshot.store]))
        )
    lost = unregistrable(snapshot)
    if lost:
        for name in lost:
            entry = find(snapshot.store, name)
            if entry is not None:
                evidence.append("A start would delete %s: %s" % (name, described(entry)))
        summary = "%s does not run, and to start it would delete what the registry holds." % SERVICE
        repair = "Make %s registrable first (wds.provider.missing, wds.namespace.inconsistent)." % listed(lost)
        return finding("wds.service.stopped", SERVICE, summary, evidence, repair=repair, repairable=False)
    summary = "%s does not run: it is %s." % (SERVICE, _STATES.get(service.state or 0, "in an unknown state"))
    if service.state == START_PENDING:
        return finding(
            "wds.service.stopped",
            SERVICE,
            summary,
            evidence,
            severity=WARNING,
            repair="Look again when it has started.",
            repairable=False,
        )
    if service.state != STOPPED:
        repair = "Bring the service to a stop or back to work by hand, then run the repair again."
        return finding("wds.service.stopped", SERVICE, summary, evidence, repair=repair, repairable=False)
    return finding("wds.service.stopped", SERVICE, summary, evidence)


def _ports(snapshot: Snapshot) -> List[Finding]:
    """DNS holds ports of WDS's own range, which WDS was not freed from (KB977512)."""
    parameters = {name.lower(): value for name, value in snapshot.parameters.items()}
    policy, start = parameters.get(PORT_POLICY.lower()), parameters.get(PORT_START.lower(), "")
    if not snapshot.dns_pid or policy == "0" or (start.isdigit() and int(start) < PORTS[0]):
        return []
    held = [port for port, pid in snapshot.udp if pid == snapshot.dns_pid]
    if not held:
        return []
    evidence = [
        "DNS (process %d) holds UDP %s." % (snapshot.dns_pid, listed([str(port) for port in held])),
        "%s: %s is %s." % (PARAMETERS, PORT_POLICY, policy if policy is not None else "not set"),
    ]
    changes = {}
    known = builds.lookup(snapshot.server.build)
    if known is not None and known.port_cure == builds.PORT_RANGE:
        changes["repair"] = (
            "Give WDS a wider range: wdsutil /Set-TransportServer /StartPort:50000 /EndPort:65000, save the store of "
            "namespaces, then restart WDSServer."
        )
    elif known is not None:
        changes["repair"] = (
            "Let WDS choose free ports: set %s in %s to 0, save the store of namespaces, then restart WDSServer."
            % (PORT_POLICY, PARAMETERS)
        )
    summary = "DNS holds %d of the UDP ports %d-%d that WDS uses for multicast." % (len(held), *PORTS)
    return [finding("wds.port.clash", "UDP %d-%d" % PORTS, summary, evidence, **changes)]

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot as plain data for a module's result. Pure."""

from typing import Any, Dict, List, Optional

from .database import Node
from .diagnose import interfaces_of, local_node, sender_of, session_life
from .diagnose_sessions import first_process, sessions_by_sender
from .snapshot import Snapshot

#: How many lines of the log a result carries.
LOG_LINES = 20


def everything(snapshot: Snapshot) -> Dict[str, Any]:
    """All that fog_multicast_info returns about a host, but the findings."""
    return {
        "fog": fog(snapshot),
        "nodes": [node(snapshot, entry) for entry in snapshot.database.nodes],
        "interfaces": interfaces(snapshot),
        "sessions": sessions(snapshot),
        "senders": senders(snapshot),
        "service": service(snapshot),
        "log": log(snapshot),
    }


def fog(snapshot: Snapshot) -> Dict[str, Any]:
    """The release, its database schema and the storage engine of its session table."""
    database = snapshot.database
    return {
        "version": snapshot.release.version,
        "schema": database.schema,
        "engine": database.engines.get("multicastSessions"),
        "database": database.endpoint,
        "server": database.server,
        "install_type": snapshot.settings.install_type,
        "udp_sender": {
            "path": snapshot.release.udp_sender,
            "runs": snapshot.release.udp_sender_runs,
            "found": list(snapshot.release.udp_sender_found),
        },
    }


def node(snapshot: Snapshot, entry: Node) -> Dict[str, Any]:
    """One storage node."""
    return {
        "id": entry.id,
        "name": entry.name,
        "group": entry.group,
        "group_name": snapshot.database.groups.get(entry.group),
        "master": entry.master,
        "enabled": entry.enabled,
        "hostname": entry.hostname,
        "address": entry.address,
        "interface": entry.interface,
        "root": entry.root,
        "local": bool(entry.address) and entry.address in snapshot.network.local_addresses,
    }


def interfaces(snapshot: Snapshot, name: Optional[str] = None) -> Dict[str, Any]:
    """What this host's node is configured to use, what its daemon will use, what it should use, and what there is."""
    own = local_node(snapshot, name)
    found: Dict[str, Any] = {"node": None, "configured": None, "effective": None, "expected": None, "how": ""}
    if own is not None:
        three = interfaces_of(snapshot, own)
        found = {
            "node": own.name,
            "configured": three.configured,
            "effective": three.effective.interface,
            "expected": three.expected,
            "how": three.effective.how,
        }
    found["present"] = [
        {
            "name": interface.name,
            "addresses": [f"{one.address}/{one.prefix}" for one in interface.addresses],
            "up": interface.up,
            "link": interface.link,
            "multicast": interface.multicast,
        }
        for interface in snapshot.network.interfaces
    ]
    return found


def sessions(snapshot: Snapshot) -> List[Dict[str, Any]]:
    """The active sessions, with their tasks, whether this host sends them, and their last sign of life."""
    found = []
    for session in snapshot.database.sessions:
        age, evidence = session_life(snapshot, session)
        found.append(
            {
                "id": session.id,
                "name": session.name,
                "state": session.state,
                "port": session.port,
                "image": session.image,
                "path": session.path,
                "percent": session.percent,
                "clients": session.session_clients,
                "group": session.group,
                "tasks": [task.id for task in snapshot.database.tasks if task.session == session.id],
                "sending": sender_of(snapshot, session) is not None,
                "idle_seconds": age,
                "evidence": list(evidence),
            }
        )
    return found


def senders(snapshot: Snapshot) -> List[Dict[str, Any]]:
    """The udp-sender trees that run on this host."""
    of = sessions_by_sender(snapshot)
    found = []
    for sender in snapshot.processes.senders:
        first = first_process(sender)
        found.append(
            {
                "port": sender.port,
                "pid": None if first is None else first.pid,
                "interface": sender.interface or None,
                "files": list(sender.files),
                "age": sender.age,
                "session": of.get(sender),
            }
        )
    return found


def service(snapshot: Snapshot) -> Dict[str, Any]:
    """The daemon: what the service manager says, and what really runs."""
    state = dict(snapshot.service._asdict())
    state["daemon"] = [process.pid for process in snapshot.processes.daemon]
    state["children"] = [process.pid for process in snapshot.processes.children]
    state["log"] = snapshot.logs.path
    state["log_age"] = snapshot.logs.age
    return state


def log(snapshot: Snapshot, lines: int = LOG_LINES) -> List[str]:
    """The last lines of multicast.log."""
    return [line.text for line in snapshot.logs.lines[-lines:]]

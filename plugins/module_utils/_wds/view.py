# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A snapshot as plain data for a module's result. Pure."""

from typing import Any, Dict, List, Optional

from . import builds
from .diagnose import expected_name, healthy
from .diagnose_namespaces import find
from .plan_base import STARTS, STATES, TYPES, fields, word
from .snapshot import Namespace, Service, Snapshot

_FEATURES = ((1, "WDS-AdminPack"), (2, "WDS-Transport"), (4, "WDS-Deployment"))


def everything(snapshot: Snapshot, name: Optional[str]) -> Dict[str, Any]:
    """All that wds_multicast_info returns about a host, but the findings."""
    return {
        "server": server(snapshot),
        "service": services(snapshot),
        "role": role(snapshot),
        "namespace": expected_name(snapshot, name) or None,
        "namespaces": namespaces(snapshot),
        "providers": [each._asdict() for each in snapshot.providers],
        "baseline": [dict(_definition(each), complete=each.complete) for each in snapshot.baseline],
        "events": [dict(each._asdict(), data=list(each.data)) for each in snapshot.events],
        "deployments": None if snapshot.deployments is None else [each._asdict() for each in snapshot.deployments],
        "reinstall": None if snapshot.place is None else snapshot.place._asdict(),
        "unread": list(snapshot.unread),
    }


def server(snapshot: Snapshot) -> Dict[str, Any]:
    """The host, and whether its build is one this collection knows."""
    known = builds.lookup(snapshot.server.build) is not None
    return dict(snapshot.server._asdict(), build=snapshot.server.build or None, known=known)


def services(snapshot: Snapshot) -> Dict[str, Any]:
    """WDSServer, and beside it HPC's own service."""
    return dict(service(snapshot.service), hpc_management=service(snapshot.hpc_management))


def service(one: Service) -> Dict[str, Any]:
    """One service: its state and start type in words."""
    return {
        "name": one.name,
        "installed": one.installed,
        "state": word(STATES, one.state),
        "start": word(STARTS, one.start),
    }


def role(snapshot: Snapshot) -> Dict[str, Any]:
    """Which features of WDS are installed; ``features`` is None where that could not be seen."""
    bits = snapshot.live.features
    features = None if bits is None else [name for bit, name in _FEATURES if bits & bit]
    return {"installed": snapshot.service.installed, "features": features}


def namespaces(snapshot: Snapshot) -> List[Dict[str, Any]]:
    """Every namespace of the store or of the live view."""
    names = [each.name for each in snapshot.store]
    names += [each.name for each in snapshot.live.namespaces if find(snapshot.store, each.name) is None]
    return [one for one in (namespace(snapshot, name) for name in names) if one is not None]


def namespace(snapshot: Snapshot, name: str) -> Optional[Dict[str, Any]]:
    """One namespace: as the store defines it and as WDSServer has it; None where neither knows it.

    ``registered``, ``tombstoned`` and ``transmitting`` are None where WDSServer could not be asked.
    """
    stored, live = find(snapshot.store, name), find(snapshot.live.namespaces, name)
    one = stored or live
    if one is None:
        return None
    asked = snapshot.live.available
    return {
        "name": one.name,
        "content_provider": one.content_provider,
        "configuration": one.configuration,
        "type": word(TYPES, one.type),
        "friendly_name": one.friendly_name,
        "description": one.description,
        "stored": stored is not None,
        "complete": stored is not None and stored.complete,
        "registered": (live is not None and live.registered) if asked else None,
        "tombstoned": (live is not None and live.tombstoned) if asked else None,
        "transmitting": (live is not None and live.transmission_started) if asked else None,
        "healthy": healthy(snapshot, name),
    }


def transport(snapshot: Snapshot) -> Dict[str, Any]:
    """The transport server in short."""
    one = service(snapshot.service)
    return dict(
        role(snapshot),
        state=one["state"],
        start=one["start"],
        boot=snapshot.server.boot or None,
        namespaces=namespaces(snapshot),
        reinstall=None if snapshot.place is None else snapshot.place._asdict(),
    )


def _definition(one: Namespace) -> Dict[str, Any]:
    return dict(fields(one), name=one.name)

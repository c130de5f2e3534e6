# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What FOG on this host would give its own udp-sender, and which ports are not to be touched.

The only file of the probe that knows FOG. It reads, and never writes.
"""

import ipaddress
import os
from typing import Any, Mapping, NamedTuple, Optional, Tuple

from .._flow import Failure
from .._fog.diagnose import interfaces_of, local_node
from .._fog.run import begin
from .._fog.snapshot import Snapshot, observe
from .udpcast import DUPLEX

_MAX_SESSIONS = 64


class Wishes(NamedTuple):
    """What FOG's settings say about sending; empty where FOG leaves it to udp-sender."""

    program: str = ""
    interface: str = ""
    address: str = ""  # of the storage node
    rendezvous: str = ""
    data_base: str = ""  # the first data address, "" lets udp-sender choose
    max_sessions: int = _MAX_SESSIONS
    duplex: str = DUPLEX
    busy: Tuple[int, ...] = ()  # base ports of active sessions and the one the next session gets


def is_here(params: Mapping[str, Any]) -> bool:
    """Whether this host has FOG's settings, or the options say how to reach its database."""
    given = {"login_user", "login_password", "login_db"}
    return os.path.exists(params["fog_settings"]) or all(params.get(name) is not None for name in given)


def read(params: Mapping[str, Any]) -> Wishes:
    """Ask FOG's files and its database.

    :raises Failure: a library is missing, or the database cannot be read: then nobody knows which ports are in use.
    :raises SettingsError: FOG's settings cannot be read.
    """
    options = begin(params)
    snapshot = observe(options.settings, options.credentials)
    if snapshot.database.error:
        raise Failure(
            f"Nothing was sent, because the ports of active sessions are not known: {snapshot.database.error}"
        )
    return wishes(snapshot)


def wishes(snapshot: Snapshot) -> Wishes:
    """What a snapshot of FOG says about sending. Pure."""
    node = local_node(snapshot)
    settings = snapshot.database.settings
    release = snapshot.release
    found = next(iter(release.udp_sender_found), "")
    base = _address(settings.get("FOG_MULTICAST_ADDRESS", ""))
    ports = [session.port for session in snapshot.database.sessions]
    ports += [sender.port for sender in snapshot.processes.senders]
    for name in ("FOG_UDPCAST_STARTINGPORT", "FOG_MULTICAST_PORT_OVERRIDE"):
        number = _number(settings.get(name, ""))
        ports += [number] if number else []
    return Wishes(
        program=release.udp_sender if release.udp_sender_runs else found,
        interface=(interfaces_of(snapshot, node).effective.interface or "") if node is not None else "",
        address=node.address if node is not None else "",
        rendezvous=_address(settings.get("FOG_MULTICAST_RENDEZVOUS", "")),
        data_base=base,
        max_sessions=_number(settings.get("FOG_MULTICAST_MAX_SESSIONS", "")) or _MAX_SESSIONS,
        duplex=DUPLEX if settings.get("FOG_MULTICAST_DUPLEX", DUPLEX).strip() == DUPLEX else "",
        busy=tuple(sorted(set(ports))),
    )


def data_address(wish: Wishes, portbase: int) -> str:
    """The data address FOG gives the session on a port, "" when it leaves that to udp-sender (facts/fog.md section 1).

    The n-th of FOG_MULTICAST_MAX_SESSIONS addresses from FOG_MULTICAST_ADDRESS on.
    """
    if not wish.data_base:
        return ""
    return str(ipaddress.IPv4Address(wish.data_base) + (portbase // 2 + 1) % wish.max_sessions)


def _address(text: str) -> str:
    """An IPv4 address, or "" for FOG's "0", an empty value and anything else."""
    try:
        found: Optional[ipaddress.IPv4Address] = ipaddress.IPv4Address(text.strip())
    except ValueError:
        found = None
    return "" if found is None or int(found) == 0 else str(found)


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() and len(text) < 10 else 0

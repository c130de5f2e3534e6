# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observe room: one look at a FOG host, as one immutable snapshot."""

import os
import socket
import time
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Tuple

from .database import Database, DatabaseError, connect, endpoint, read_database, resolve_names
from .log import Logs, read_logs
from .network import Network, read_network
from .processes import Processes, read_processes
from .service import Service, read_service
from .settings import Credentials, Release, Settings, read_release

#: Where FOG logs when its settings do not say it (facts/fog.md section 1).
LOG_FOLDER = "/opt/fog/log/"
LOG_NAME = "multicast.log"
MASTER_LOG_NAME = "servicemaster.log"
#: msClients of a named session, whose msNFSGroupID is a node's id (facts/fog.md section 1).
NAMED_SESSION = -2


class Snapshot(NamedTuple):
    """Everything diagnose and plan may know about a host (design section 1)."""

    time: float  # epoch seconds by the host's clock
    offset: float  # the host's own time zone against UTC, seconds
    hostname: str
    settings: Settings
    release: Release
    network: Network
    processes: Processes
    service: Service
    logs: Logs
    database: Database
    missing_images: Tuple[str, ...] = ()  # absolute paths of active sessions' images that are not there


class Readers(NamedTuple):
    """What observe looks with; a test gives its own."""

    connect: Callable[[Credentials], Any] = connect
    database: Callable[[Any], Database] = read_database
    release: Callable[[Settings], Release] = read_release
    network: Callable[[], Network] = read_network
    processes: Callable[[], Processes] = read_processes
    service: Callable[[Any], Service] = read_service
    logs: Callable[..., Logs] = read_logs
    exists: Callable[[str], bool] = os.path.exists
    resolve: Callable[[Iterable[str]], Tuple[Dict[str, str], List[str]]] = resolve_names
    clock: Callable[[], float] = time.time


#: The real ones.
READERS = Readers()


def observe(settings: Settings, credentials: Credentials, readers: Readers = READERS) -> Snapshot:
    """Read the host once. Never writes. A database that cannot be used is told in ``database.error``.

    :raises ImportError: PyMySQL or netifaces is not installed; ``name`` says which.
    """
    now = readers.clock()
    database = _database(credentials, readers)
    network = readers.network()
    release = readers.release(settings)
    database = _placed(database, credentials, release, network, readers)
    # Processes after the database: a session seen as active then has had its sender for longer than the look took.
    processes = readers.processes()
    return Snapshot(
        time=now,
        offset=float(time.localtime(now).tm_gmtoff),
        hostname=socket.gethostname(),
        settings=settings,
        release=release,
        network=network,
        processes=processes,
        service=readers.service(processes.daemon),
        logs=_logs(database, readers),
        database=database,
        missing_images=missing_images(database, network, readers.exists),
    )


def _database(credentials: Credentials, readers: Readers) -> Database:
    try:
        connection = readers.connect(credentials)
        try:
            database = readers.database(connection)
        finally:
            _close(connection)
    except DatabaseError as error:
        return Database(error=str(error), kind=error.kind, endpoint=endpoint(credentials))
    return database._replace(endpoint=endpoint(credentials))


def _placed(
    database: Database, credentials: Credentials, release: Release, network: Network, readers: Readers
) -> Database:
    """Tell whether the database is on this host, and whether FOG itself uses another one by config.class.php.

    Where an option says which database it is, a person has decided, and that part is not compared.
    """
    given, ours = set(credentials.given), credentials.host.lower()
    host, name = release.database_host.lower(), release.database_name
    addresses, _late = readers.resolve([each for each in (ours, host) if each not in ("", "localhost", "::1")])
    here = {"localhost", "::1", socket.gethostname().lower(), *network.local_addresses}

    def place(of: str) -> str:
        address = addresses.get(of, of)
        return "here" if here & {of, address} or address.startswith("127.") else address

    # An option file may name any host.
    unknown = "config_file" in given and "host" not in given
    other = bool(name) and name != credentials.database and not given & {"database", "config_file"}
    if host and not given & {"host", "unix_socket", "config_file"}:
        other = other or place(ours) != place(host)
    return database._replace(
        local="unix_socket" in given or (not unknown and place(ours) == "here"),
        rival="{}/{}".format(host or "(unknown host)", name or "(unknown name)") if other else "",
    )


def _close(connection: Any) -> None:
    try:
        connection.close()
    # Whatever fails while saying goodbye to a server that is gone, everything was read or told by then.
    except Exception:
        return


def _logs(database: Database, readers: Readers) -> Logs:
    names = database.settings
    folder = names.get("SERVICE_LOG_PATH") or LOG_FOLDER
    return readers.logs(
        folder,
        names.get("MULTICASTLOGFILENAME") or LOG_NAME,
        names.get("SERVICEMASTERLOGFILENAME") or MASTER_LOG_NAME,
        None if database.error else [session.id for session in database.sessions],
    )


def missing_images(database: Database, network: Network, exists: Callable[[str], bool]) -> Tuple[str, ...]:
    """The images of active sessions that this host, as the master of their storage group, does not have."""
    local = set(network.local_addresses)
    own = [node for node in database.nodes if node.master and node.enabled and node.address in local]
    groups = {node.id: node.group for node in database.nodes}
    missing = []
    for session in database.sessions:
        group = groups.get(session.group) if session.clients == NAMED_SESSION else session.group
        for node in own:
            path = "/".join((node.root.rstrip("/"), session.path.strip("/")))
            if node.group == group and session.path and path not in missing and not _exists(path, exists):
                missing.append(path)
    return tuple(missing)


def _exists(path: str, exists: Callable[[str], bool]) -> bool:
    try:
        return exists(path)
    except ValueError:
        return False  # a zero byte is in no path (Python before 3.8 raises)

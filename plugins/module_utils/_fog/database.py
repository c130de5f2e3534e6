# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: FOG's database. Only SELECT and SHOW; what it cannot see it says.

Time columns are returned as naive seconds (calendar.timegm of the digits, no zone applied): which zone FOG wrote them
in is for diagnose to weigh. '0000-00-00 00:00:00' is None.
"""

from typing import Any, FrozenSet, Mapping, NamedTuple, Optional, Tuple

#: FOG calls these session and task states active (facts/fog.md section 1).
ACTIVE = (0, 1, 2, 3)
COMPLETE = 4
CANCELLED = 5
MULTICAST_TASK = 8


class DatabaseError(Exception):
    """The database cannot be used; the text says what, where and what to do, without any password."""


class Node(NamedTuple):
    """A storage node (nfsGroupMembers); ngmPass, ngmUser and ngmKey are never read."""

    id: int
    name: str
    group: int
    master: bool
    enabled: bool
    hostname: str  # ngmHostname: address or name
    address: str  # hostname resolved to IPv4; "" when it does not resolve
    interface: str  # ngmInterface
    root: str  # ngmRootPath


class Session(NamedTuple):
    """An active row of multicastSessions."""

    id: int
    name: str
    port: int
    path: str  # msLogPath: the image's path below the node's root
    image: int
    clients: int  # msClients: 0 group task, -1 host task, -2 named session
    session_clients: int  # msSessClients
    interface: str
    started: Optional[float]
    state: int
    percent: int
    group: int  # msNFSGroupID; a node id for named sessions


class Association(NamedTuple):
    """A row of multicastSessionsAssoc with the state of what it points at; None where that is gone."""

    id: int
    session: int
    task: int
    session_state: Optional[int]
    task_state: Optional[int]


class Task(NamedTuple):
    """An active multicast task (type 8)."""

    id: int
    name: str
    state: int
    host: int
    image: int
    created: Optional[float]
    checkin: Optional[float]
    group: int  # taskNFSGroupID
    node: int  # taskNFSMemberID
    session: Optional[int]  # through its association, None without one


class Database(NamedTuple):
    """What was read in one go. When ``error`` is set nothing else can be trusted."""

    error: str = ""
    kind: str = ""  # of the error: "", "unreachable", "foreign"
    server: str = ""  # e.g. 10.11.6-MariaDB
    endpoint: str = ""  # user@host:port/database, no password
    schema: Optional[int] = None  # schemaVersion.vValue
    engines: Mapping[str, str] = {}  # table -> engine
    privileges: Optional[FrozenSet[str]] = None  # e.g. {"SELECT", "UPDATE", "DELETE"} on the FOG tables; None unknown
    offset: Optional[float] = None  # the database session's time zone against UTC, in seconds
    settings: Mapping[str, str] = {}  # the globalSettings this project needs
    groups: Mapping[int, str] = {}
    nodes: Tuple[Node, ...] = ()
    sessions: Tuple[Session, ...] = ()  # active ones
    associations: Tuple[Association, ...] = ()  # those of active sessions, of active tasks, and the orphans
    tasks: Tuple[Task, ...] = ()
    truncated: Tuple[str, ...] = ()  # what was cut at a bound, one sentence each


def connect(credentials: Any) -> Any:
    """Open a PyMySQL connection (autocommit, utf8, timeouts on connect, read and write).

    :raises DatabaseError: with a clear sentence; the password is never in it nor in the exception chain.
    """
    raise NotImplementedError


def read_database(connection: Any) -> Database:
    """Read everything. :raises DatabaseError:"""
    raise NotImplementedError

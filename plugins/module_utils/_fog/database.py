# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: FOG's database. Only SELECT and SHOW; what it cannot see it says.

Time columns are returned as naive seconds, the digits as if they were UTC: which zone FOG wrote them
in is for diagnose to weigh. '0000-00-00 00:00:00' is None.
"""

import datetime
import os
import re
import socket
import stat
import threading
import time
from typing import Any, Dict, FrozenSet, Iterable, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

from .settings import Credentials, shown

#: FOG calls these session and task states active (facts/fog.md section 1).
ACTIVE = (0, 1, 2, 3)
CANCELLED = 5
MULTICAST_TASK = 8
_EPOCH = datetime.datetime(1970, 1, 1)

#: 270 is what 1.5.9 and 1.5.10 have (facts/fog.md section 1); the tables read here kept their columns in the 1.4 and
#: 1.5 releases around it. What lies further away was never seen.
KNOWN_SCHEMAS = range(250, 291)
#: The tables that are read or written.
TABLES = ("globalSettings", "multicastSessions", "multicastSessionsAssoc", "nfsGroupMembers", "nfsGroups", "tasks")
#: The tables of which ``Database.privileges`` tells.
WRITTEN = ("globalSettings", "multicastSessions", "multicastSessionsAssoc", "nfsGroupMembers", "tasks")
#: The globalSettings that are read; none of them is a secret.
SETTINGS = (
    "FOG_UDPCAST_INTERFACE",
    "FOG_NFS_ETH_MONITOR",
    "FOG_UDPCAST_STARTINGPORT",
    "FOG_UDPCAST_MAXWAIT",
    "FOG_MULTICAST_MAX_SESSIONS",
    "FOG_MULTICAST_ADDRESS",
    "FOG_MULTICAST_PORT_OVERRIDE",
    "FOG_MULTICAST_DUPLEX",
    "FOG_MULTICAST_RENDEZVOUS",
    "MULTICASTGLOBALENABLED",
    "MULTICASTSLEEPTIME",
    "MULTICASTLOGFILENAME",
    "SERVICE_LOG_PATH",
    "SERVICE_LOG_SIZE",
    "SERVICEMASTERLOGFILENAME",
    "SERVICESLEEPTIME",
    "FOG_WEB_HOST",
)
#: How many sessions and how many tasks are read at the most.
LIMIT = 1000
#: The same for orphaned associations. They pile up over years where the storage nodes' login may not delete, and one
#: reset shall clear them.
ORPHANS = 20000
ORPHANS_SAID = "orphaned associations"
#: Seconds the server may take for one answer, and all names together for being resolved.
READ_TIMEOUT = 30
RESOLVE_TIMEOUT = 3.0
#: Where distributions put the server's socket.
SOCKETS = (
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/var/lib/mysql/mysql.sock",
    "/run/mysql/mysql.sock",
    "/tmp/mysql.sock",
)
UNREACHABLE, FOREIGN = "unreachable", "foreign"


class DatabaseError(Exception):
    """The database cannot be used; the text says what, where and what to do, without any password.

    ``kind`` is ``unreachable`` (no connection, no login, lost), or ``foreign`` (a table or column is missing or
    damaged).
    """

    def __init__(self, text: str, kind: str = UNREACHABLE) -> None:
        super().__init__(text)
        self.kind = kind


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
    image_known: bool = True  # whether the images table has this image


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
    table_privileges: Mapping[str, FrozenSet[str]] = {}  # table of WRITTEN -> privileges; empty when unknown
    local: bool = False  # whether it is known to be on this host
    rival: str = ""  # host/database of config.class.php where those are others, so that FOG does not use this one


# --- connecting -----------------------------------------------------------------------------------------------------


def endpoint(credentials: Credentials) -> str:
    """``user@host:port/database``, or the socket in place of host and port."""
    place = _socket(credentials) or f"{credentials.host}:{credentials.port}"
    return shown(f"{credentials.user}@{place}/{credentials.database}")


def connect(credentials: Credentials) -> Any:
    """Open a PyMySQL connection (autocommit, utf8mb4, timeouts on connect, read and write).

    An empty host or localhost with the standard port means the server's socket where there is one, as in MySQL's own
    clients and in PHP. With ``config_file`` the file says what the credentials leave open.

    :raises ImportError: the library PyMySQL is not installed (``name`` is ``pymysql``).
    :raises DatabaseError: with a clear sentence; the password is never in it nor in the exception chain.
    """
    import pymysql

    _check_files(credentials)
    if not credentials.user and not credentials.config_file:
        raise DatabaseError(
            f"No database user is known: {credentials.source or '.fogsettings'} has no snmysqluser. Give login_user "
            "and login_password, or run FOG's installer again."
        )
    try:
        return pymysql.connect(**_arguments(credentials))
    # A server of another kind, a broken greeting or a bad certificate make PyMySQL fail in more ways than it names.
    except Exception as error:
        failure = _explain(error, credentials)
    # Raised out here, so that the first exception, whose frames hold the password, is not in the chain.
    raise failure


def _arguments(credentials: Credentials) -> Dict[str, Any]:
    arguments: Dict[str, Any] = {
        "user": credentials.user or None,
        # PyMySQL would encode text as Latin-1; FOG hands over the bytes of its file.
        "password": credentials.password.encode("utf-8", "surrogateescape"),
        "database": credentials.database or None,
        "charset": "utf8mb4",
        "autocommit": True,
        "connect_timeout": min(max(1, credentials.connect_timeout), 31536000),
        "read_timeout": READ_TIMEOUT,
        "write_timeout": READ_TIMEOUT,
    }
    path = _socket(credentials)
    if path:
        arguments["unix_socket"] = path
    if not credentials.config_file or credentials.host not in ("", "localhost"):
        arguments["host"] = credentials.host or "localhost"
    if not credentials.config_file or credentials.port != 3306:
        arguments["port"] = credentials.port
    if credentials.config_file:
        arguments["read_default_file"] = credentials.config_file
    ssl: Dict[str, Any] = {}
    for key, value in (
        ("ca", credentials.ca_cert),
        ("cert", credentials.client_cert),
        ("key", credentials.client_key),
        ("check_hostname", credentials.check_hostname),
    ):
        if value is not None:
            ssl[key] = value
    if ssl:
        arguments["ssl"] = ssl
    return arguments


def _socket(credentials: Credentials) -> Optional[str]:
    if credentials.unix_socket:
        return credentials.unix_socket
    if credentials.host not in ("", "localhost") or credentials.port != 3306 or credentials.config_file:
        return None
    return next((path for path in SOCKETS if _is_socket(path)), None)


def _is_socket(path: str) -> bool:
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:
        return False


def _check_files(credentials: Credentials) -> None:
    # PyMySQL takes a configuration file that it cannot read for an empty one.
    for option, path in (
        ("config_file", credentials.config_file),
        ("ca_cert", credentials.ca_cert),
        ("client_cert", credentials.client_cert),
        ("client_key", credentials.client_key),
    ):
        if path and not os.access(path, os.R_OK):
            raise DatabaseError(f"{option} {path} cannot be read; correct the option or the file's permissions.")


# Error numbers: https://mariadb.com/kb/en/mariadb-error-codes/
_REFUSED = (1045, 1698, 1130, 1227, 1370, 1142, 1143, 1141, 1044)
_LOST = (0, 1053, 1077, 1079, 1080, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2027, 2055, 4031)
_DAMAGED = (126, 127, 130, 144, 145, 1016, 1030, 1033, 1034, 1035, 1194, 1195, 1459)
_SLOW = (1205, 1317, 1969, 3024)


def _explain(error: BaseException, credentials: Optional[Credentials] = None) -> DatabaseError:
    """The error of PyMySQL or of its connection as one sentence."""
    number = error.args[0] if error.args and isinstance(error.args[0], int) else None
    said = _said(error)
    if credentials is not None:
        return _explain_connect(error, number, said, credentials)
    if number in (1109, 1146):
        return DatabaseError(
            f"A table of FOG is missing ({said}); check login_db, or complete FOG's database update in its web "
            "interface.",
            FOREIGN,
        )
    if number == 1054:
        return DatabaseError(
            f"A column of FOG's tables is missing ({said}); check login_db, or complete FOG's database update in its "
            "web interface.",
            FOREIGN,
        )
    if number in _DAMAGED:
        return DatabaseError(
            f"A table of FOG's database is damaged ({said}); repair it on the database server with mysqlcheck "
            "--auto-repair.",
            FOREIGN,
        )
    if number in _REFUSED:
        return DatabaseError(
            f"The database user may not read FOG's tables ({said}); give login_user and login_password of a user that "
            "may."
        )
    if number in _SLOW or isinstance(error, socket.timeout) or "timed out" in said:
        return DatabaseError(
            f"The database did not answer in time ({said}); look for locked tables with SHOW PROCESSLIST and run again."
        )
    if number in _LOST or number is None:
        return DatabaseError(
            f"The connection to the database was lost in the middle of a query ({said}); look at the database "
            "server's log and run again once it answers."
        )
    return DatabaseError(f"The database refused a query (error {number}: {said}); look at the database server's log.")


def _explain_connect(error: BaseException, number: Optional[int], said: str, credentials: Credentials) -> DatabaseError:
    place, database = endpoint(credentials), shown(credentials.database)
    origin = credentials.source or "the module's options"
    if number == 1049:
        return DatabaseError(
            f"There is no database {database} at {place}; correct mysqldbname in {origin} or login_db."
        )
    if number == 1044:
        return DatabaseError(
            f"The user may not use the database {database} at {place}, or there is none of that name; "
            f"correct mysqldbname in {origin} or login_db, or grant the user access."
        )
    if number in _REFUSED:
        password = "with a password" if credentials.password else "without a password"
        return DatabaseError(
            f"The database at {place} refuses the login {password}; correct snmysqluser and snmysqlpass in {origin}, "
            "or give login_user and login_password."
        )
    if isinstance(error, RuntimeError) and "cryptography" in said:
        return DatabaseError(
            f"The database at {place} asks for a login that needs the Python library cryptography; install it (the "
            "distribution's python3-cryptography)."
        )
    if isinstance(error, UnicodeError):
        return DatabaseError(
            f"User, host or database name for {place} cannot be sent to the server; correct {origin} or the login "
            "options."
        )
    if number is None and not isinstance(error, OSError):
        return DatabaseError(
            f"What answers at {place} is no MySQL or MariaDB server, or the options do not fit "
            f"({type(error).__name__}); check login_host, login_port, login_unix_socket and config_file."
        )
    return DatabaseError(
        f"The database at {place} cannot be reached ({said}); start the database server, or correct snmysqlhost in "
        f"{origin} or login_host, login_port and login_unix_socket."
    )


def _said(error: BaseException) -> str:
    """The server's or the system's own words, in one bounded line; they hold no password."""
    words = error.args[1] if len(error.args) > 1 and isinstance(error.args[0], int) else error
    return " ".join(str(words).split())[:300].rstrip(".") or type(error).__name__


# --- reading --------------------------------------------------------------------------------------------------------


class Query(NamedTuple):
    """One statement with its parameters."""

    sql: str
    values: Tuple[Any, ...] = ()


# Text comes as bytes in UTF-8, whatever the column's character set is: PyMySQL fails on text that is broken. Dates come
# as text: Python knows no zero date.
_SERVER = Query(
    "SELECT VERSION(), DATABASE(), TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), NOW()), "
    "(SELECT MAX(vValue) FROM schemaVersion)"
)
_ENGINES = Query(
    "SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN %s",
    (TABLES,),
)
_GRANTS = Query("SHOW GRANTS")
_SETTINGS = Query(
    "SELECT settingKey, CAST(CONVERT(settingValue USING utf8mb4) AS BINARY) FROM globalSettings WHERE settingKey IN %s",
    (SETTINGS,),
)
_GROUPS = Query("SELECT ngID, CAST(CONVERT(ngName USING utf8mb4) AS BINARY) FROM nfsGroups")
_NODES = Query(
    "SELECT ngmID, CAST(CONVERT(ngmMemberName USING utf8mb4) AS BINARY), ngmGroupID, ngmIsMasterNode, ngmIsEnabled, "
    "CAST(CONVERT(ngmHostname USING utf8mb4) AS BINARY), CAST(CONVERT(ngmInterface USING utf8mb4) AS BINARY), "
    "CAST(CONVERT(ngmRootPath USING utf8mb4) AS BINARY) FROM nfsGroupMembers ORDER BY ngmID"
)
_TASKS = Query(
    "SELECT taskID, CAST(CONVERT(taskName USING utf8mb4) AS BINARY), taskStateID, taskHostID, taskImageID, "
    "CAST(taskCreateTime AS CHAR), CAST(taskCheckIn AS CHAR), taskNFSGroupID, taskNFSMemberID FROM tasks "
    "WHERE taskStateID IN %s AND taskTypeID = %s LIMIT %s",
    (ACTIVE, MULTICAST_TASK, LIMIT + 1),
)
# FOG has no index on msState and goes through the whole table at each tick of its daemon, as this does once.
_SESSIONS = Query(
    "SELECT msID, CAST(CONVERT(msName USING utf8mb4) AS BINARY), msBasePort, "
    "CAST(CONVERT(msLogPath USING utf8mb4) AS BINARY), CAST(CONVERT(msImage USING utf8mb4) AS BINARY), msClients, "
    "msSessClients, CAST(CONVERT(msInterface USING utf8mb4) AS BINARY), CAST(msStartDateTime AS CHAR), msState, "
    "msPercent, msNFSGroupID FROM multicastSessions WHERE msState IN %s LIMIT %s",
    (ACTIVE, LIMIT + 1),
)
_IMAGES = "SELECT imageID FROM images WHERE imageID IN %s"
_OF_SESSIONS = (
    "SELECT a.msaID, a.msID, a.tID, s.msState, t.taskStateID FROM multicastSessionsAssoc a "
    "LEFT JOIN multicastSessions s ON s.msID = a.msID LEFT JOIN tasks t ON t.taskID = a.tID WHERE a.msID IN %s"
)
_OF_TASKS = (
    "SELECT a.msaID, a.msID, a.tID, s.msState, t.taskStateID FROM multicastSessionsAssoc a "
    "LEFT JOIN multicastSessions s ON s.msID = a.msID LEFT JOIN tasks t ON t.taskID = a.tID WHERE a.tID IN %s"
)
_ORPHANS = Query(
    "SELECT a.msaID, a.msID, a.tID, s.msState, t.taskStateID FROM multicastSessionsAssoc a "
    "LEFT JOIN multicastSessions s ON s.msID = a.msID LEFT JOIN tasks t ON t.taskID = a.tID "
    "WHERE s.msID IS NULL OR s.msState NOT IN %s LIMIT %s",
    (ACTIVE, ORPHANS + 1),
)


def queries(
    sessions: Sequence[int] = (1,), tasks: Sequence[int] = (1,), images: Sequence[int] = (1,)
) -> Mapping[str, Query]:
    """Every statement that :func:`read_database` sends, by name; for tests that EXPLAIN them on a real server.

    :param sessions: ids of active sessions.
    :param tasks: ids of active tasks.
    :param images: ids of the images of active sessions.
    """
    return {
        "server": _SERVER,
        "engines": _ENGINES,
        "grants": _GRANTS,
        "settings": _SETTINGS,
        "groups": _GROUPS,
        "nodes": _NODES,
        "tasks": _TASKS,
        "sessions": _SESSIONS,
        "images": Query(_IMAGES, (tuple(images),)),
        "associations of sessions": Query(_OF_SESSIONS, (tuple(sessions),)),
        "associations of tasks": Query(_OF_TASKS, (tuple(tasks),)),
        "orphans": _ORPHANS,
    }


def read_database(connection: Any, resolve_timeout: float = RESOLVE_TIMEOUT) -> Database:
    """Read everything; ``endpoint`` is left empty.

    :param resolve_timeout: seconds that all host names of storage nodes together get to be resolved.
    :raises DatabaseError:
    """
    truncated: List[str] = []
    server = _rows(connection, _SERVER)[0]
    engines = {_str(row[0]): _str(row[1]) for row in _rows(connection, _ENGINES)}
    _check_tables(engines, _str(server[1]))
    rights = _privileges(connection, _str(server[0]), _str(server[1]))
    settings = {_str(row[0]): _str(row[1]) for row in _rows(connection, _SETTINGS)}
    groups = {_int(row[0]): _str(row[1]) for row in _rows(connection, _GROUPS)}
    nodes = _resolved([_node(row) for row in _rows(connection, _NODES)], resolve_timeout, truncated)
    # Tasks first, then what they hang on: FOG makes session, task and association one after another, and nothing
    # read here may look forlorn only because its counterpart came a moment later.
    tasks = [_task(row) for row in _bounded(_rows(connection, _TASKS), "active multicast tasks", truncated)]
    sessions = [_session(row) for row in _bounded(_rows(connection, _SESSIONS), "active sessions", truncated)]
    sessions = _with_images(connection, sessions)
    found: Dict[int, Association] = {}
    for sql, ids in ((_OF_SESSIONS, [session.id for session in sessions]), (_OF_TASKS, [task.id for task in tasks])):
        for row in _rows(connection, Query(sql, (tuple(ids),))) if ids else ():
            found[_int(row[0])] = _association(row)
    for row in _bounded(_rows(connection, _ORPHANS), ORPHANS_SAID, truncated, ORPHANS):
        found[_int(row[0])] = _association(row)
    associations = tuple(found[number] for number in sorted(found))
    return Database(
        server=_str(server[0]),
        schema=None if server[3] is None else _int(server[3]),
        engines=engines,
        privileges=frozenset.intersection(*rights.values()) if rights else None,
        offset=None if server[2] is None else float(server[2]),
        settings=settings,
        groups=groups,
        nodes=nodes,
        sessions=tuple(sorted(sessions)),
        associations=associations,
        tasks=_joined(tasks, associations),
        truncated=tuple(truncated),
        table_privileges=rights or {},
    )


def _with_images(connection: Any, sessions: List[Session]) -> List[Session]:
    if not sessions:
        return sessions
    wanted = tuple(sorted({session.image for session in sessions}))
    known = {_int(row[0]) for row in _rows(connection, Query(_IMAGES, (wanted,)))}
    return [session._replace(image_known=session.image in known) for session in sessions]


def _rows(connection: Any, query: Query) -> Sequence[Sequence[Any]]:
    rows: Sequence[Sequence[Any]] = ()
    failure: Optional[DatabaseError] = None
    try:
        with connection.cursor() as cursor:
            cursor.execute(query.sql, query.values or None)
            rows = cursor.fetchall()
    # When a server goes away, PyMySQL fails in more ways than it names (struct.error, AttributeError, ...).
    except Exception as error:
        failure = _explain(error)
    if failure is not None:
        # Outside the handler, so that no exception with the statement's values hangs on to it.
        raise failure
    return rows


def _check_tables(engines: Dict[str, str], database: str) -> None:
    # Where the file system does not tell cases apart, the server's names are in lower case.
    known = {table.lower() for table in engines}
    missing = [table for table in TABLES if table.lower() not in known]
    if missing:
        raise DatabaseError(
            f"The database {database or '(none)'} is not FOG's, or its tables are hidden from this user: it has no "
            f"{', '.join(missing)}; check login_db and login_user.",
            FOREIGN,
        )
    for table in TABLES:
        if table not in engines:
            engines[table] = engines.pop(table.lower())


def _bounded(
    rows: Sequence[Sequence[Any]], what: str, truncated: List[str], limit: int = LIMIT
) -> Sequence[Sequence[Any]]:
    if len(rows) > limit:
        truncated.append(f"Only {limit} {what} were read; there are more.")
    return rows[:limit]


def _str(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return "" if value is None else str(value)


def _int(value: Any) -> int:
    """A number; a column that holds text (msImage) may hold anything, which counts as 0."""
    if isinstance(value, int):
        return value
    text = _str(value).strip()
    return int(text) if re.match(r"[-+]?[0-9]{1,18}\Z", text) else 0


def parse_time(value: Any) -> Optional[float]:
    """``2026-11-21 19:36:53`` as naive seconds; None for a zero date and for anything else."""
    match = re.match(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]*)?\Z", _str(value))
    if match is None:
        return None
    try:
        moment = datetime.datetime.strptime(match.group(1), "%Y-%m-%d %H:%M:%S")
    except ValueError:
        return None
    return (moment - _EPOCH).total_seconds()


def _node(row: Sequence[Any]) -> Node:
    return Node(
        id=_int(row[0]),
        name=_str(row[1]),
        group=_int(row[2]),
        master=_str(row[3]).strip() == "1",
        enabled=_str(row[4]).strip() == "1",
        hostname=_str(row[5]).strip(),
        address="",
        interface=_str(row[6]).strip(),
        root=_str(row[7]).strip(),
    )


def _session(row: Sequence[Any]) -> Session:
    return Session(
        id=_int(row[0]),
        name=_str(row[1]),
        port=_int(row[2]),
        path=_str(row[3]),
        image=_int(row[4]),
        clients=_int(row[5]),
        session_clients=_int(row[6]),
        interface=_str(row[7]),
        started=parse_time(row[8]),
        state=_int(row[9]),
        percent=_int(row[10]),
        group=_int(row[11]),
    )


def _task(row: Sequence[Any]) -> Task:
    return Task(
        id=_int(row[0]),
        name=_str(row[1]),
        state=_int(row[2]),
        host=_int(row[3]),
        image=_int(row[4]),
        created=parse_time(row[5]),
        checkin=parse_time(row[6]),
        group=_int(row[7]),
        node=_int(row[8]),
        session=None,
    )


def _association(row: Sequence[Any]) -> Association:
    states = [None if value is None else _int(value) for value in row[3:5]]
    return Association(_int(row[0]), _int(row[1]), _int(row[2]), states[0], states[1])


def _joined(tasks: Iterable[Task], associations: Sequence[Association]) -> Tuple[Task, ...]:
    """The tasks with their sessions; of several the active one counts, then the newest."""
    best: Dict[int, Association] = {}
    for association in sorted(associations, key=lambda own: (own.session_state in ACTIVE, own.session)):
        best[association.task] = association
    return tuple(task._replace(session=best[task.id].session if task.id in best else None) for task in sorted(tasks))


# --- names ----------------------------------------------------------------------------------------------------------


def _resolved(nodes: Sequence[Node], timeout: float, truncated: List[str]) -> Tuple[Node, ...]:
    """The nodes with their addresses; each name is asked for once, all at the same time."""
    names = {node.hostname for node in nodes if node.hostname}
    addresses, late = resolve_names(names, timeout)
    for name in late:
        truncated.append(f"The name {name} of a storage node was not resolved within {timeout:g} s.")
    return tuple(
        node._replace(address=node.hostname if is_address(node.hostname) else addresses.get(node.hostname, ""))
        for node in nodes
    )


def resolve_names(names: Iterable[str], timeout: float = RESOLVE_TIMEOUT) -> Tuple[Dict[str, str], List[str]]:
    """The IPv4 addresses of those names that resolve, and the names that took longer than ``timeout`` together."""
    addresses: Dict[str, str] = {}
    names = [name for name in names if not is_address(name)]
    # The resolver knows no time limit of its own; one that hangs must not hang the run.
    threads = {name: threading.Thread(target=_resolve, args=(name, addresses), daemon=True) for name in sorted(names)}
    deadline = time.monotonic() + timeout
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(addresses), [name for name, thread in threads.items() if thread.is_alive()]


def is_address(text: str) -> bool:
    """Whether this is an IPv4 address in its usual form."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def _resolve(name: str, addresses: Dict[str, str]) -> None:
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return
    if found:
        addresses[name] = str(found[0][4][0])


# --- privileges -----------------------------------------------------------------------------------------------------

#: What ALL PRIVILEGES means for tables.
ALL = frozenset(
    [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "CREATE",
        "DROP",
        "INDEX",
        "ALTER",
        "REFERENCES",
        "TRIGGER",
        "CREATE VIEW",
        "SHOW VIEW",
    ]
)
_NAME = r"(?:`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|[^\s`\"'.]+)"
_GRANT = re.compile(rf"(GRANT|REVOKE) (.+?) ON (?:TABLE )?({_NAME})\.({_NAME}) (?:TO|FROM) ", re.DOTALL)
_ROLE = re.compile(r"GRANT (?!PROXY\b)(?:(?! ON ).)+ TO ", re.DOTALL)


def _privileges(connection: Any, server: str, database: str) -> Optional[Mapping[str, FrozenSet[str]]]:
    try:
        lines = [_str(row[0]) for row in _rows(connection, _GRANTS)]
    except DatabaseError:
        return None  # for example a server that runs without grant tables
    return parse_grants(lines, database, WRITTEN, "mariadb" in server.lower())


def parse_grants(
    lines: Sequence[str], database: str, tables: Sequence[str], roles_shown: bool = True
) -> Optional[Mapping[str, FrozenSet[str]]]:
    """What SHOW GRANTS tells: table -> privileges, None when that is not known.

    :param roles_shown: whether the server also lists what the active roles may (MariaDB does, MySQL does not).
    """
    rights: Dict[str, FrozenSet[str]] = {table: frozenset() for table in tables}
    seen = hidden = False
    for line in lines:
        match = _GRANT.match(line)
        if match is None:
            hidden = hidden or (_ROLE.match(line) is not None and not roles_shown)
            continue
        seen = True
        verb, words, where, what = match.groups()
        for table in tables:
            if _covers(where, what, database, table):
                named = _named(words)
                rights[table] = rights[table] | named if verb == "GRANT" else rights[table] - named
    needed = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE"))
    if not seen or (hidden and any(not needed <= own for own in rights.values())):
        return None
    return rights


def _covers(where: str, what: str, database: str, table: str) -> bool:
    if what != "*":
        return _bare(where) == database and _bare(what).lower() == table.lower()
    return where == "*" or _pattern(_bare(where)).match(database) is not None


def _pattern(name: str) -> "re.Pattern[str]":
    """A database name of GRANT as a pattern: % and _ are wildcards unless a backslash stands before them."""
    parts = []
    for part in re.findall(r"\\.|.", name, flags=re.DOTALL):
        if part in ("%", "_"):
            parts.append(".*" if part == "%" else ".")
        else:
            parts.append(re.escape(part[1:] if len(part) > 1 else part))
    return re.compile("".join(parts) + r"\Z", re.DOTALL)


def _bare(name: str) -> str:
    mark = name[:1]
    return name[1:-1].replace(mark * 2, mark) if mark in ("`", '"') else name


def _named(words: str) -> FrozenSet[str]:
    """The privileges of a grant; one that is limited to columns does not count."""
    found: Set[str] = set()
    for word in re.findall(r"[^,(]+(?:\([^)]*\))?", words):
        name = " ".join(word.split()).upper()
        if name in ("ALL", "ALL PRIVILEGES"):
            found |= ALL
        # USAGE is SQL's word for no privilege at all.
        elif name and "(" not in name and name != "USAGE":
            found.add(name)
    return frozenset(found)

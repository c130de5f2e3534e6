#!/usr/bin/python3
"""A stand-in for FOG's multicast daemon FOGMulticastManager, for the test lab. This is not FOG.

It plays what facts/fog.md sections 0 and 2 to 4 say of the daemon: start conditions, master test, choice of the NIC per
FOG version, session pick-up, the ``sh -c`` of real udp-sender commands, the log lines, the parent that forks the child
again. Whatever a database, a version or a setting asks for beyond that is written to ``standin-refused.log`` and not
carried out, so that no test passes on something the stand-in made up.

Installed as /opt/fog/service/FOGMulticastManager/FOGMulticastManager. Needs Python 3.9 and Debian's python3-pymysql.
"""

import contextlib
import importlib
import ipaddress
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, NoReturn

WEB_ROOT = "/var/www/html/fog"
LOG_FOLDER = "/opt/fog/log"
REFUSED_LOG = LOG_FOLDER + "/standin-refused.log"
TITLE = "fog-stand-in"

EXIT_NO_SENDER = 1
EXIT_BAD_PASSWORD = 10
EXIT_REFUSED = 70

ACTIVE_STATES = (0, 1, 2, 3)
QUEUED, IN_PROGRESS, COMPLETE, CANCELLED = 1, 3, 4, 5
MULTICAST_TASK = 8
WAIT_SECONDS = 10.0
DEFAULT_SERVICE_SLEEP = 300.0

BANNER = """
==================================
======= FOG lab: STAND-IN ========
==================================
= Plays FOGMulticastManager in a =
= test lab. This is not FOG.     =
==================================

"""


class Refused(Exception):
    """Something was asked for that the stand-in does not model; the message says what."""


# --- log lines ------------------------------------------------------------------------------------------------------


def php_time(moment: time.struct_time) -> str:
    """The time as FOG writes it, PHP's format ``m-d-y g:i:s a`` (facts/fog.md section 2): hours are not padded."""
    hour = moment.tm_hour % 12 or 12
    half = "am" if moment.tm_hour < 12 else "pm"
    return f"{time.strftime('%m-%d-%y', moment)} {hour}:{time.strftime('%M:%S', moment)} {half}"


def log_line(moment: time.struct_time, text: str) -> str:
    """One line of a FOG service log, with its line end."""
    return f"[{php_time(moment)}] {text}\n"


def task_line(session: int, name: str, text: str) -> str:
    """The text of a line about a session. FOG calls the session's id "Task ID" (facts/fog.md section 2)."""
    return f" | Task ID: {session} Name: {name} {text}"


def write_log(path: str, text: str, limit: int = 0) -> None:
    """Append one line to the log ``path``; a log that has reached ``limit`` bytes is deleted first (0: never)."""
    with contextlib.suppress(FileNotFoundError):
        if limit and os.path.getsize(path) >= limit:
            os.unlink(path)
    with open(path, "a", encoding="utf-8") as file:
        file.write(log_line(time.gmtime(), text))


# --- choice of the NIC (facts/fog.md section 0.1) -------------------------------------------------------------------

SETTINGS, SOURCE, KERNEL, FALLBACK = "settings", "src", "kernel", "fallback"
# The first version each rule holds for. Empty: the facts do not say, so the stand-in refuses.
_RULES: tuple[tuple[tuple[int, ...], str], ...] = (
    ((1, 0), SETTINGS),
    ((1, 3), ""),
    ((1, 4), SOURCE),
    ((1, 5, 9), KERNEL),
    ((1, 5, 10, 1800), FALLBACK),
    ((1, 6), ""),
)


class Choice(NamedTuple):
    """The NIC for udp-sender, "" for none, and the line that says which configured NIC was ignored, "" for none."""

    interface: str
    notice: str = ""


def interface_rule(version: str) -> str:
    """Which rule chooses the NIC in this FOG version: ``settings``, ``src``, ``kernel`` or ``fallback``.

    Raises Refused for a version whose rule is not known.
    """
    if not re.fullmatch(r"\d+(\.\d+)+", version):
        raise Refused(f"FOG version {version!r}")
    number = tuple(int(part) for part in version.split("."))
    rule = ""
    for since, name in _RULES:
        if number >= since:
            rule = name
    if not rule:
        raise Refused(f"FOG version {version}: it is not known how it chooses the NIC")
    return rule


def route_interface(routes: str, address: str, rule: str) -> str:
    """The 4th field, split on space or "/", of the first line of ``ip route`` with the address and the rule's word."""
    word = re.compile("src" if rule == SOURCE else "kernel.*src")
    for line in routes.splitlines():
        if re.search(address, line) and word.search(line):
            fields = re.split("[ /]+", line)
            return fields[3] if len(fields) > 3 else ""
    return ""


def choose_interface(version: str, address: str, routes: str, setting: str, record: str) -> Choice:
    """The NIC this FOG version gives to udp-sender.

    ``address`` is the node's, ``routes`` the output of ``ip route``, ``setting`` FOG_UDPCAST_INTERFACE, ``record`` the
    node's ngmInterface. Raises Refused for an unknown version.
    """
    rule = interface_rule(version)
    if rule == SETTINGS:
        return Choice(setting or record)
    found = route_interface(routes, address, rule)
    if rule != FALLBACK:
        return Choice(found)
    if not found:
        return Choice(record)
    if record and record != found:
        return Choice(found, f" | Ignoring configured interface {record}; {address} routes over {found}")
    return Choice(found)


# --- the udp-sender command (facts/fog.md section 2) ----------------------------------------------------------------


class Stream(NamedTuple):
    """What the udp-sender commands of one session share. Empty text leaves a flag out; ``max_wait`` is in seconds."""

    sender: str
    interface: str
    receivers: int
    max_wait: int
    port: int
    duplex: str
    hello_interval: str = ""
    max_bitrate: str = ""
    data_address: str = ""
    rendezvous: str = ""


# What the recorded cases show for every file after the first one.
NEXT_FILE_WAIT = 10


def sender_command(stream: Stream, files: Sequence[str]) -> str:
    """The shell line that sends ``files`` one after the other, each with its own udp-sender.

    Raises Refused when a part would not stay one word in the shell.
    """
    commands = []
    for position, file in enumerate(files):
        words = [stream.sender]
        for flag, value in (
            ("--rexmit-hello-interval", stream.hello_interval),
            ("--max-bitrate", stream.max_bitrate),
            ("--interface", stream.interface),
            ("--min-receivers", str(stream.receivers)),
            ("--max-wait", str(NEXT_FILE_WAIT if position else stream.max_wait)),
            ("--mcast-data-address", stream.data_address),
            ("--mcast-rdv-address", stream.rendezvous),
            ("--portbase", str(stream.port)),
        ):
            words += [flag, value] if value else []
        words += [stream.duplex] if stream.duplex else []
        words += ["--ttl", "32", "--nokbd", "--nopointopoint", "--file", file]
        for word in words:
            if shlex.quote(word) != word:
                raise Refused(f"{word!r} in a udp-sender command")
        commands.append(" ".join(words) + ";")
    return "".join(commands)


def partition_files(names: Iterable[str], disks: int) -> list[str]:
    """The partition files of an image folder in sending order; ``disks`` is msIsDD (1 and 2: one disk, 3: all disks).

    Raises Refused for other image kinds and for a folder without such files.
    """
    if disks not in (1, 2, 3):
        raise Refused(f"msIsDD {disks}")
    pattern = re.compile(r"d(\d+)p(\d+)\.img" if disks == 3 else r"d(1)p(\d+)\.img")
    found = []
    for name in names:
        match = pattern.fullmatch(name)
        if match:
            found.append((int(match.group(1)), int(match.group(2)), name))
    if not found:
        raise Refused("an image folder without partition files")
    return [name for _disk, _partition, name in sorted(found)]


def data_address(base: str, port: int, sessions: int) -> str:
    """The multicast data address of a session when FOG_MULTICAST_ADDRESS is set ("0" or empty: udp-sender's own)."""
    if base in ("", "0"):
        return ""
    return str(ipaddress.IPv4Address(base) + (port // 2 + 1) % sessions)


# --- configuration --------------------------------------------------------------------------------------------------


def php_defines(text: str) -> dict[str, str]:
    """The constants of a PHP file: ``define('NAME', 'value')`` and ``define('NAME', 12)``."""
    pattern = re.compile(r"define\(\s*'(\w+)'\s*,\s*(?:'((?:[^'\\]|\\.)*)'|(\d+))\s*\)")
    return {
        match.group(1): match.group(3) or re.sub(r"\\(['\\])", r"\1", match.group(2) or "")
        for match in pattern.finditer(text)
    }


def read_defines() -> dict[str, str]:
    """The constants of FOG's two configuration files. Raises OSError."""
    constants = {}
    for name in ("config.class.php", "system.class.php"):
        with open(f"{WEB_ROOT}/lib/fog/{name}", encoding="utf-8") as file:
            constants.update(php_defines(file.read()))
    return constants


def local_addresses() -> list[str]:
    """This host's IPv4 addresses, those of its own name and 127.0.0.1, in natural order."""
    shown = subprocess.run(
        ["ip", "-4", "-o", "addr", "show", "scope", "global"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    found = set(re.findall(r"inet ([0-9.]+)", shown)) | {"127.0.0.1"}
    with contextlib.suppress(OSError):
        found |= set(socket.gethostbyname_ex(socket.gethostname())[2])
    return sorted(found, key=lambda address: [int(part) for part in address.split(".")])


def resolve(name: str) -> str:
    """The IPv4 address of a host name or address; the name itself when it has none."""
    try:
        return socket.gethostbyname(name)
    except OSError:
        return name


# --- database -------------------------------------------------------------------------------------------------------


class DatabaseDown(Exception):
    """The database does not answer."""


class BadPassword(Exception):
    """The database does not let this user in."""


class Database:
    """FOG's database, reached the way config.class.php says ("localhost" is the Unix socket, as in PHP)."""

    _LOGIN_ERRORS = (1044, 1045, 1049, 1698)
    _DENIED = 1142

    def __init__(self, constants: dict[str, str]) -> None:
        self._constants = constants
        self._mysql: Any = importlib.import_module("pymysql")
        self._link: Any = None

    def connect(self) -> None:
        """Open the connection unless it is open and alive. Raises BadPassword or DatabaseDown."""
        options: dict[str, Any] = {
            "user": self._constants["DATABASE_USERNAME"],
            "password": self._constants["DATABASE_PASSWORD"],
            "database": self._constants["DATABASE_NAME"],
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": 5,
            # FOG works with an empty sql_mode: its own rows hold '0000-00-00' dates.
            "init_command": "SET SESSION sql_mode=''",
            "cursorclass": importlib.import_module("pymysql.cursors").DictCursor,
        }
        if self._constants["DATABASE_HOST"] == "localhost":
            options["unix_socket"] = "/run/mysqld/mysqld.sock"
        else:
            options["host"] = self._constants["DATABASE_HOST"]
        try:
            if self._link is None:
                self._link = self._mysql.connect(**options)
            else:
                self._link.ping(reconnect=True)
        except self._mysql.err.MySQLError as error:
            self._link = None
            if error.args and error.args[0] in self._LOGIN_ERRORS:
                raise BadPassword from error
            raise DatabaseDown from error

    def query(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """The rows of a statement. Raises DatabaseDown when the connection breaks."""
        if self._link is None:
            self.connect()
        try:
            with self._link.cursor() as cursor:
                cursor.execute(statement, values)
                return list(cursor.fetchall())
        except (self._mysql.err.OperationalError, self._mysql.err.InterfaceError) as error:
            if error.args and error.args[0] == self._DENIED:
                # As in FOG, a user without DELETE is not told (facts/fog.md section 1, fogstorage).
                return []
            self._link = None
            raise DatabaseDown from error

    def settings(self) -> dict[str, str]:
        """All rows of globalSettings."""
        return {
            str(row["settingKey"]): str(row["settingValue"])
            for row in self.query("SELECT settingKey, settingValue FROM globalSettings")
        }


# --- the child: FOG's service loop ----------------------------------------------------------------------------------


class Sending:
    """A session this process has started: its tasks as last seen and the ``sh -c`` that sends."""

    def __init__(self, name: str, tasks: Sequence[int], process: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self.tasks = list(tasks)
        self.process = process

    def alive(self) -> bool:
        """Whether the ``sh -c`` still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End the ``sh -c``, then its udp-sender; in the other order the shell would start the next file."""
        children = child_processes(self.process.pid)
        if self.alive():
            self.process.terminate()
            self.process.wait()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)


def child_processes(pid: int) -> list[int]:
    """The processes whose parent is ``pid``."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


class Manager:
    """The forked child: waits until it may start, then looks at the database every MULTICASTSLEEPTIME seconds."""

    def __init__(self) -> None:
        self.constants = read_defines()
        self.version = self.constants["FOG_VERSION"]
        self.sender = self.constants["UDPSENDERPATH"]
        self.database = Database(self.constants)
        self.settings: dict[str, str] = {}
        self.log = LOG_FOLDER + "/multicast.log"
        self.addresses: list[str] = []
        self.known: dict[int, Sending] = {}
        self.queued: set[int] = set()
        self._noticed: set[str] = set()
        self._refused: set[str] = set()

    # - start

    def run(self) -> NoReturn:
        """Start and serve for ever. Ends the process with the exit code FOG's daemon has (10: bad password)."""
        try:
            self.wait_for_database()
            self.load_settings()
            interface_rule(self.version)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.log)
            if not os.path.exists(self.sender):
                self.out(" * Unable to locate udp-sender!.")
                sys.exit(EXIT_NO_SENDER)
            self.out(BANNER)
            self.wait_for_interface()
            self.out(" * Starting MulticastManager Service")
            self.out(f" * Checking for new items every {self.settings['MULTICASTSLEEPTIME']} seconds")
            self.out(" * Starting service loop")
            while True:
                begun = time.monotonic()
                self.pass_once()
                time.sleep(max(0.0, begun + self.pause() - time.monotonic()))
        except BadPassword:
            sys.exit(EXIT_BAD_PASSWORD)
        except Refused as refusal:
            self.refuse(refusal)
            sys.exit(EXIT_REFUSED)

    def wait_for_database(self) -> None:
        """Come back when the database answers. Raises BadPassword."""
        while True:
            try:
                return self.database.connect()
            except DatabaseDown:
                self.out("FOGService: MulticastManager - Waiting for mysql to be available")
                time.sleep(WAIT_SECONDS)

    def wait_for_interface(self) -> None:
        """Come back when an enabled node's address is local; from then on the local addresses are not read again."""
        nodes = self.database.query("SELECT ngmHostname FROM nfsGroupMembers WHERE ngmIsEnabled = '1'")
        hosts = {str(node["ngmHostname"]) for node in nodes}
        hosts |= {resolve(host) for host in hosts}
        while True:
            self.addresses = local_addresses()
            if hosts & set(self.addresses):
                break
            self.out(f"Interface not ready, waiting for it to come up: {self.settings['FOG_WEB_HOST']}")
            time.sleep(WAIT_SECONDS)
        for address in self.addresses:
            self.out(f"Interface Ready with IP Address: {address}")

    # - every pass

    def pass_once(self) -> None:
        """One look at the database, with everything that follows from it."""
        try:
            self.wait_for_database()
            self.load_settings()
            self.serve()
        except DatabaseDown:
            self.wait_for_database()
        except Refused as refusal:
            self.refuse(refusal)

    def serve(self) -> None:
        """Serve every active session of every master node with a local address."""
        if self.settings["MULTICASTGLOBALENABLED"] == "0":
            return self.out(" * Multicast service is globally disabled")
        masters = self.local_masters()
        if not masters:
            return self.out(" | This is not the master node")
        cancelled: list[dict[str, Any]] = []
        completed: list[dict[str, Any]] = []
        for node in masters:
            interface = self.interface(node)
            sessions = [session for session in self.active_sessions(node) if self.has_image(session, node)]
            if not sessions:
                self.out(" * No new tasks found")
            for session in sessions:
                try:
                    if session["msID"] in self.known:
                        self.follow(session, cancelled, completed)
                    else:
                        self.start(session, node, interface)
                except Refused as refusal:
                    self.refuse(refusal)
        for session in cancelled:
            self.close(session, CANCELLED)
            self.say(session, "is now cancelled")
        for session in completed:
            self.close(session, COMPLETE)
            self.say(session, "is now completed")
        return None

    def local_masters(self) -> list[dict[str, Any]]:
        """The enabled master nodes whose address is one of the addresses cached at the start."""
        nodes = self.database.query(
            "SELECT * FROM nfsGroupMembers WHERE ngmIsMasterNode = '1' AND ngmIsEnabled = '1' ORDER BY ngmID"
        )
        return [node for node in nodes if resolve(str(node["ngmHostname"])) in self.addresses]

    def interface(self, node: dict[str, Any]) -> str:
        """The NIC for udp-sender on this node; a mismatch is logged once."""
        routes = subprocess.run(["ip", "route"], stdout=subprocess.PIPE, text=True, check=True).stdout
        address = resolve(str(node["ngmHostname"]))
        setting = self.settings.get("FOG_UDPCAST_INTERFACE", "")
        choice = choose_interface(self.version, address, routes, setting, str(node["ngmInterface"]))
        if choice.notice and choice.notice not in self._noticed:
            self._noticed.add(choice.notice)
            self.out(choice.notice)
        return choice.interface

    def active_sessions(self, node: dict[str, Any]) -> list[dict[str, Any]]:
        """The sessions this node serves, each with ``tasks`` (ids) and ``receivers`` added.

        Up to 1.5.10 a master looks at every active session of the database, from then on only at those of its group. A
        session without clients is cancelled here.
        """
        sessions = self.database.query(
            "SELECT * FROM multicastSessions WHERE msState IN %s ORDER BY msID", ACTIVE_STATES
        )
        if interface_rule(self.version) == FALLBACK:
            sessions = [session for session in sessions if session["msNFSGroupID"] == node["ngmGroupID"]]
        served = []
        for session in sessions:
            if session["msClients"] not in (0, -1, -2):
                self.refuse(Refused(f"msClients {session['msClients']} of session {session['msID']}"))
                continue
            rows = self.database.query("SELECT tID FROM multicastSessionsAssoc WHERE msID = %s", session["msID"])
            session["tasks"] = [row["tID"] for row in rows]
            session["receivers"] = len(rows) or session["msSessClients"]
            if session["receivers"] < 1:
                self.database.query(
                    "UPDATE multicastSessions SET msState = %s, msName = '' WHERE msID = %s", CANCELLED, session["msID"]
                )
                self.out("Task not created as there are no associated tasks")
                continue
            self.check_image_row(session)
            served.append(session)
        return served

    def check_image_row(self, session: dict[str, Any]) -> None:
        """End this process with code 0 when the session's image row is gone, as FOG does (facts/fog.md section 4)."""
        if self.database.query("SELECT imageID FROM images WHERE imageID = %s", session["msImage"]):
            return
        if interface_rule(self.version) == FALLBACK:
            raise Refused(f"a session without image row in FOG {self.version}")
        sys.exit(0)

    def has_image(self, session: dict[str, Any], node: dict[str, Any]) -> bool:
        """Whether this node has the session's image; ``path`` is added to the session."""
        session["path"] = f"{node['ngmRootPath']}/{session['msLogPath']}"
        if os.path.exists(session["path"]):
            return True
        self.out(" | Unable to find image path")
        return False

    def start(self, session: dict[str, Any], node: dict[str, Any], interface: str) -> None:
        """Take up a new session: start its senders and set it in progress. Raises Refused."""
        override = self.settings["FOG_MULTICAST_PORT_OVERRIDE"] or "0"
        port = int(override) or int(session["msBasePort"])
        limit = int(self.settings["FOG_MULTICAST_MAX_SESSIONS"])
        if port % 2:
            self.say(session, "is new")
            return self.say(session, "failed to execute, port must be even and numeric")
        if sum(sending.alive() for sending in self.known.values()) >= limit:
            if session["msID"] in self.queued:
                return None  # FOG says it once.
            self.queued.add(session["msID"])
            self.say(session, " No open slots ")
            self.set_state(session, QUEUED)
            return self.say(session, " Task state has been updated, now the task is queued!")
        files = partition_files(os.listdir(session["path"]), int(session["msIsDD"]))
        stream = Stream(
            sender=self.sender,
            interface=interface,
            receivers=session["receivers"],
            max_wait=int(self.settings["FOG_UDPCAST_MAXWAIT"]) * 60,
            port=port,
            duplex=self.settings["FOG_MULTICAST_DUPLEX"],
            hello_interval=node["ngmHelloInterval"] or "",
            max_bitrate=node["ngmMaxBitrate"] or "",
            data_address=data_address(self.settings["FOG_MULTICAST_ADDRESS"], port, limit),
            rendezvous=self.settings["FOG_MULTICAST_RENDEZVOUS"],
        )
        command = sender_command(stream, [f"{session['path']}/{file}" for file in files])
        self.say(session, "is new")
        with open(f"{self.log}.udpcast.{session['msID']}", "wb") as output:
            # The recorded log has no line end here: udp-sender's first line follows on the same line.
            started = log_line(time.gmtime(), "Task started").rstrip("\n")
            output.write(started.encode())
            output.flush()
            process = subprocess.Popen(
                ["sh", "-c", command], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        self.known[session["msID"]] = Sending(session["msName"], session["tasks"], process)
        self.set_state(session, QUEUED)
        self.set_state(session, IN_PROGRESS)
        self.record_sender(session, process.pid, node["ngmID"])
        self.say(session, f"image file found, file: {session['path']}")
        self.say(session, f"{session['receivers']} {'client' if session['receivers'] == 1 else 'clients'} found")
        self.say(session, f"sending on base port {port}")
        self.out(f" | Command: {command}")
        return self.say(session, "has started")

    def follow(self, session: dict[str, Any], cancelled: list[dict[str, Any]], completed: list[dict[str, Any]]) -> None:
        """Look after a session already taken up: one cancelled task cancels it, all tasks complete complete it."""
        sending = self.known[session["msID"]]
        if len(session["tasks"]) > len(sending.tasks):
            sending.tasks = session["tasks"]
        states = [row["taskStateID"] for row in self.tasks(sending.tasks)]
        if CANCELLED in states:
            self.say(session, "has been cancelled")
            cancelled.append(session)
        elif states and len(states) >= len(sending.tasks) and all(state == COMPLETE for state in states):
            self.say(session, "has been completed")
            sending.kill()
            self.say(session, "has been killed")
            completed.append(session)
        elif sending.alive():
            self.say(session, f"is already running with pid: {sending.process.pid}")
        else:
            self.say(session, "is no longer running")

    def tasks(self, tasks: Sequence[int]) -> list[dict[str, Any]]:
        """The state of these tasks."""
        if not tasks:
            return []
        return self.database.query("SELECT taskID, taskStateID FROM tasks WHERE taskID IN %s", list(tasks))

    def close(self, session: dict[str, Any], state: int) -> None:
        """Close a session as FOG's own cancel and complete do (facts/fog.md section 3). Its sender is not ended."""
        tasks = self.known[session["msID"]].tasks
        if tasks and state == CANCELLED:
            self.database.query(
                "UPDATE tasks SET taskStateID = %s WHERE taskTypeID = %s AND taskStateID IN %s AND taskID IN %s",
                *(CANCELLED, MULTICAST_TASK, ACTIVE_STATES, tasks),
            )
        self.database.query("DELETE FROM multicastSessionsAssoc WHERE msID = %s", session["msID"])
        self.database.query(
            "UPDATE multicastSessions SET msState = %s, msName = '', msClients = 0,"
            " msCompleteDateTime = UTC_TIMESTAMP() WHERE msID = %s",
            *(state, session["msID"]),
        )
        self.record_sender(session, 0, 0)

    def set_state(self, session: dict[str, Any], state: int) -> None:
        """Set the state of a session."""
        self.database.query("UPDATE multicastSessions SET msState = %s WHERE msID = %s", state, session["msID"])

    def record_sender(self, session: dict[str, Any], pid: int, node: int) -> None:
        """Keep the sender's process id in the session's row where the version does (facts/fog.md section 1)."""
        if interface_rule(self.version) == FALLBACK:
            self.database.query(
                "UPDATE multicastSessions SET msSenderPID = %s, msSenderNode = %s,"
                " msSenderStart = IF(%s, UTC_TIMESTAMP(), msSenderStart) WHERE msID = %s",
                *(pid, node, pid, session["msID"]),
            )

    # - settings, output, refusals

    def load_settings(self) -> None:
        """Read globalSettings. Raises Refused for a value the stand-in does not model."""
        settings = self.database.settings()
        for key, pattern in (
            ("MULTICASTGLOBALENABLED", "[01]"),
            ("MULTICASTSLEEPTIME", r"[1-9]\d*"),
            ("FOG_MULTICAST_PORT_OVERRIDE", r"\d*"),
            ("FOG_MULTICAST_MAX_SESSIONS", r"[1-9]\d*"),
            ("FOG_MULTICAST_ADDRESS", r"0?|\d+(\.\d+){3}"),
            ("FOG_MULTICAST_DUPLEX", r"|--full-duplex|--half-duplex"),
            ("FOG_MULTICAST_RENDEZVOUS", r"|\d+(\.\d+){3}"),
            ("FOG_UDPCAST_MAXWAIT", r"[1-9]\d*"),
            ("FOG_TZ_INFO", "UTC"),
            ("FOG_WEB_HOST", r".+"),
            ("MULTICASTLOGFILENAME", r"[\w.-]+"),
            ("SERVICE_LOG_PATH", r"/[\w./-]+"),
            ("SERVICE_LOG_SIZE", r"[1-9]\d*"),
        ):
            if not re.fullmatch(pattern, settings.get(key, "\0")):
                raise Refused(f"setting {key} = {settings.get(key)!r}")
        self.settings = settings
        self.log = os.path.join(settings["SERVICE_LOG_PATH"], settings["MULTICASTLOGFILENAME"])

    def pause(self) -> float:
        """Seconds between two looks."""
        return float(self.settings["MULTICASTSLEEPTIME"])

    def out(self, text: str) -> None:
        """Write one line of multicast.log."""
        write_log(self.log, text, int(self.settings.get("SERVICE_LOG_SIZE", "0")))

    def say(self, session: dict[str, Any], text: str) -> None:
        """Write one line of multicast.log about a session, under the name it had when it was taken up."""
        sending = self.known.get(session["msID"])
        self.out(task_line(session["msID"], sending.name if sending else session["msName"], text))

    def refuse(self, refusal: Refused) -> None:
        """Write a refusal to the refused log, each one once."""
        if str(refusal) not in self._refused:
            self._refused.add(str(refusal))
            write_log(REFUSED_LOG, f"stand-in does not model: {refusal}")


# --- the parent -----------------------------------------------------------------------------------------------------


def service_sleep() -> float:
    """SERVICESLEEPTIME in seconds; FOG's default while the database cannot be asked."""
    try:
        database = Database(read_defines())
        database.connect()
        return float(database.settings()["SERVICESLEEPTIME"])
    except (OSError, KeyError, ValueError, BadPassword, DatabaseDown):
        return DEFAULT_SERVICE_SLEEP


def set_title() -> None:
    """Give this process the stand-in's name; its command line stays like the one of FOG's daemon."""
    with open("/proc/self/comm", "w", encoding="ascii") as file:
        file.write(TITLE)


def fork_child() -> int:
    """Fork a child that serves; returns its process id."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        Manager().run()
    return pid


def exit_code(status: int) -> int:
    """The exit code in a wait status; 128 + N for a child ended by signal N."""
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def main() -> NoReturn:
    """The parent: forks the child and, when it has died, forks it again, at the pace of servicemaster.log.

    A child's death is looked for every second sleep and answered one sleep later, so that a dead child can stay dead
    for three sleeps: 15 minutes by default (facts/fog.md section 0.3).
    """
    log = LOG_FOLDER + "/servicemaster.log"
    set_title()
    child = fork_child()

    def stop(_signal: int, _frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGTERM)
        os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    write_log(log, f"FOGMulticastManager child process ({child}) is running.")
    while True:
        time.sleep(service_sleep())
        time.sleep(service_sleep())
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            write_log(log, f"FOGMulticastManager child process ({child}) exited with code {exit_code(status)}.")
            time.sleep(service_sleep())
            child = fork_child()
            write_log(log, f"FOGMulticastManager forked child process ({child}).")
            write_log(log, f"FOGMulticastManager child process ({child}) is running.")


if __name__ == "__main__":
    main()

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A database server in memory, for the tests of what writes: real SQL by SQLite, FOG's tables, GET_LOCK, faults.

It stands in for MariaDB as far as this project's statements go; a statement it does not understand fails the test, by
what no handler of an Exception keeps from it.
"""

import re
import sqlite3

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import database
from ansible_collections.imaging.multicast.plugins.module_utils._fog.log import Logs
from ansible_collections.imaging.multicast.plugins.module_utils._fog.network import Address, Interface, Network, Route
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Process, Processes, Sender
from ansible_collections.imaging.multicast.plugins.module_utils._fog.service import Service
from ansible_collections.imaging.multicast.plugins.module_utils._fog.settings import Release, Settings
from ansible_collections.imaging.multicast.plugins.module_utils._fog.snapshot import Snapshot
from pymysql import err

SECRET = "Marker-Passw0rd-4711"
MOMENT = "2026-11-21 19:00:00"
ZERO = "0000-00-00 00:00:00"

TABLES = """
CREATE TABLE multicastSessions (msID INTEGER PRIMARY KEY, msName, msBasePort, msLogPath, msImage, msClients,
  msSessClients, msInterface, msStartDateTime, msPercent, msState, msCompleteDateTime, msNFSGroupID);
CREATE TABLE multicastSessionsAssoc (msaID INTEGER PRIMARY KEY, msID, tID, UNIQUE (msID, tID));
CREATE TABLE tasks (taskID INTEGER PRIMARY KEY, taskName, taskCheckIn, taskStateID, taskTypeID);
CREATE TABLE nfsGroupMembers (ngmID INTEGER PRIMARY KEY, ngmMemberName, ngmIsMasterNode, ngmGroupID, ngmIsEnabled,
  ngmHostname, ngmInterface, ngmRootPath, ngmPass);
CREATE TABLE globalSettings (settingID INTEGER PRIMARY KEY, settingKey UNIQUE, settingValue);
"""


class Server:
    """The server: ``db`` is its data (SQLite), ``statements`` all it was asked, ``locks`` lock name -> connection id.

    ``before`` maps a part of a statement to a function that is called once, just before such a statement is run.
    """

    def __init__(self):
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        self.db.row_factory = sqlite3.Row
        self.db.executescript(TABLES)
        self.statements = []
        self.locks = {}
        self.before = {}
        self.connections = 0

    def connect(self, _credentials=None):
        self.connections += 1
        return Connection(self, self.connections)

    def one(self, query, *values):
        row = self.db.execute(query, values).fetchone()
        return None if row is None else dict(row)

    def add(self, table, **row):
        marks = ", ".join("?" * len(row))
        text = f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})"  # noqa: S608 - names from the tests
        self.db.execute(text, tuple(row.values()))

    def session(self, number, state=3, port=50000, tasks=(), **more):
        row = {
            "msID": number,
            "msName": f"image {number}",
            "msBasePort": port,
            "msLogPath": "win10",
            "msImage": "1",
            "msClients": 0,
            "msSessClients": 2,
            "msInterface": "eth0",
            "msStartDateTime": "2026-11-20 10:00:00",
            "msPercent": 0,
            "msState": state,
            "msCompleteDateTime": ZERO,
            "msNFSGroupID": 1,
        }
        self.add("multicastSessions", **dict(row, **more))
        for task in tasks:
            self.task(task)
            self.add("multicastSessionsAssoc", msaID=100 + task, msID=number, tID=task)

    def task(self, number, state=3, checkin="2026-11-20 10:05:00"):
        self.add(
            "tasks", taskID=number, taskName=f"task {number}", taskCheckIn=checkin, taskStateID=state, taskTypeID=8
        )

    def node(self, number=1, master="1", hostname="10.99.1.1", interface="eth0"):
        self.add(
            "nfsGroupMembers",
            ngmID=number,
            ngmMemberName=f"node{number}",
            ngmIsMasterNode=master,
            ngmGroupID=1,
            ngmIsEnabled="1",
            ngmHostname=hostname,
            ngmInterface=interface,
            ngmRootPath="/images",
            ngmPass=SECRET,
        )

    def dump(self):
        """All data, to compare."""
        return list(self.db.iterdump())

    def writes(self):
        """The statements that change data."""
        return [text for text in self.statements if re.match("UPDATE|DELETE|INSERT", text)]

    # --- as read by database.read_database, which has tests of its own

    def read(self):
        """The data as the reader returns it."""
        rows = self.db.execute
        states = {row["msID"]: row["msState"] for row in rows("SELECT * FROM multicastSessions")}
        tasks = {row["taskID"]: row for row in rows("SELECT * FROM tasks")}
        links = [dict(row) for row in rows("SELECT * FROM multicastSessionsAssoc")]
        of_task = {link["tID"]: link["msID"] for link in links}
        return database.Database(
            endpoint="fog@localhost:3306/fog",
            server="10.11.6-MariaDB",
            schema=270,
            engines={"multicastSessions": "MyISAM"},
            offset=0.0,
            settings={row["settingKey"]: row["settingValue"] for row in rows("SELECT * FROM globalSettings")},
            groups={1: "default"},
            nodes=tuple(
                database.Node(
                    row["ngmID"],
                    row["ngmMemberName"],
                    row["ngmGroupID"],
                    row["ngmIsMasterNode"] == "1",
                    row["ngmIsEnabled"] == "1",
                    row["ngmHostname"],
                    row["ngmHostname"],
                    row["ngmInterface"],
                    row["ngmRootPath"],
                )
                for row in rows("SELECT * FROM nfsGroupMembers")
            ),
            sessions=tuple(
                database.Session(
                    row["msID"],
                    row["msName"],
                    row["msBasePort"],
                    row["msLogPath"],
                    int(row["msImage"]),
                    row["msClients"],
                    row["msSessClients"],
                    row["msInterface"],
                    database.parse_time(row["msStartDateTime"]),
                    row["msState"],
                    row["msPercent"],
                    row["msNFSGroupID"],
                )
                for row in rows("SELECT * FROM multicastSessions WHERE msState IN (0, 1, 2, 3)")
            ),
            associations=tuple(
                database.Association(
                    link["msaID"],
                    link["msID"],
                    link["tID"],
                    states.get(link["msID"]),
                    tasks[link["tID"]]["taskStateID"] if link["tID"] in tasks else None,
                )
                for link in links
            ),
            tasks=tuple(
                database.Task(
                    row["taskID"],
                    row["taskName"],
                    row["taskStateID"],
                    1,
                    1,
                    database.parse_time(row["taskCheckIn"]),
                    database.parse_time(row["taskCheckIn"]),
                    1,
                    1,
                    of_task.get(row["taskID"]),
                )
                for row in tasks.values()
                if row["taskStateID"] in (0, 1, 2, 3)
            ),
        )


class Connection:
    """As much of a PyMySQL connection as this project uses."""

    def __init__(self, server, number):
        self.server = server
        self.number = number
        self.open = True

    def cursor(self):
        return Cursor(self)

    def close(self):
        self.open = False
        for name in [name for name, holder in self.server.locks.items() if holder == self.number]:
            del self.server.locks[name]

    def get_lock(self, name, seconds):
        # A holder that is a function gives the lock up when it returns None, or makes the server refuse.
        holder = self.server.locks.get(name)
        if callable(holder):
            holder = holder(seconds)
            if isinstance(holder, str):
                return None
            if holder is None:
                del self.server.locks[name]
        if holder in (None, self.number):
            self.server.locks[name] = self.number
            return 1
        return 0


class Cursor:
    """As much of a PyMySQL cursor as this project uses."""

    def __init__(self, connection):
        self.connection = connection
        self.description = None
        self.rows = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        return None

    def fetchall(self):
        return [tuple(row) for row in self.rows]

    def execute(self, text, values):
        server = self.connection.server
        if not self.connection.open:
            pytest.fail("the connection is closed")
        server.statements.append(text)
        for part, action in list(server.before.items()):
            if part in text:
                del server.before[part]
                action()
        if text.startswith("SET SESSION"):
            return 0
        for start, answer in (
            ("SELECT GET_LOCK(%s, %s)", self.connection.get_lock),
            ("SELECT IS_USED_LOCK(%s)", lambda _name: 7),
            ("SELECT DATABASE() AS name", lambda: "fog"),
            ("SELECT UTC_TIMESTAMP() + INTERVAL %s SECOND AS moment", lambda _offset: MOMENT),
        ):
            if text == start:
                self.description, self.rows = [(text.split()[-1],)], [(answer(*values),)]
                return 1
        return self.run(text, values)

    def run(self, text, values):
        flat = []
        for value in values:
            flat.extend(value if isinstance(value, tuple) else (value,))
        marks = iter(", ".join("?" * len(value)).join("()") if isinstance(value, tuple) else "?" for value in values)
        query = re.sub("%s", lambda _match: next(marks), text).replace("<=>", "IS")
        try:
            found = self.connection.server.db.execute(query, flat)
        except sqlite3.IntegrityError as error:
            raise err.IntegrityError(1062, str(error)) from None
        except sqlite3.Error as error:
            pytest.fail(f"not understood: {text!r}: {error}")
        self.description = found.description
        self.rows = found.fetchall()
        return found.rowcount if found.description is None else len(self.rows)


SETTINGS = Settings("/opt/fog/.fogsettings", "N", "eth0", "10.99.1.1", "fog1", "/var/www/html/fog")


def process(pid, start=1, argv=("udp-sender",), parent=1):
    return Process(pid, parent, start, "S", 10.0, tuple(argv))


def sender(port, pid=4000, start=77):
    return Sender(port, process(pid, start, ("sh", "-c", "udp-sender")), process(pid + 1, start), "eth0", (), "", 5.0)


def snapshot(server=None, senders=(), children=(), service=None, logs=None, **changes):
    """A host as observe returns it."""
    found = Snapshot(
        time=1795287600.0,
        offset=0.0,
        hostname="fog1",
        settings=SETTINGS,
        release=Release("1.5.9", 270, "/usr/local/sbin/udp-sender", True, ()),
        network=Network(
            (Interface("eth0", (Address("10.99.1.1", 16),), True, "up", True, False),),
            (Route("10.99.0.0/16", "", "eth0", "kernel", "link", "10.99.1.1"),),
        ),
        processes=Processes(tuple(process(10, 1) for _each in children[:1]), tuple(children), tuple(senders)),
        service=service or Service("systemd", True, True, bool(children), "active (running)", 10, 50.0),
        logs=logs or Logs("/nowhere/multicast.log", False, None, 0, (), None, {}, "", (), ()),
        database=server.read() if server is not None else database.Database(),
    )
    return found._replace(**changes)

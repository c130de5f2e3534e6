# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""FOG's database, against a stand-in for a connection that refuses every statement it does not know."""

import socket
import struct
import sys
import threading
import time
import traceback

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import database
from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import DatabaseError
from ansible_collections.imaging.multicast.plugins.module_utils._fog.settings import Credentials
from hypothesis import given
from hypothesis import strategies as st

pymysql = pytest.importorskip("pymysql", reason="PyMySQL is not installed")

SECRET = "s3cr3t-of-the-test"
LOGIN = Credentials(
    host="10.0.0.9", user="fogmaster", password=SECRET, source="/opt/fog/.fogsettings", connect_timeout=3
)
NODE = (1, b"DefaultMember", 1, "1", "1", b"10.77.0.1", b"eth0", b"/images")
GRANTS = ["GRANT USAGE ON *.* TO `fogmaster`@`%`", "GRANT ALL PRIVILEGES ON `fog`.* TO `fogmaster`@`%`"]


def session(number, state=3, **changes):
    row = {
        "msID": number,
        "msName": b"lab deploy - fog",
        "msBasePort": 50000 + 2 * number,
        "msLogPath": b"w11",
        "msImage": b"4",
        "msClients": 0,
        "msSessClients": 0,
        "msInterface": b"eth0",
        "msStartDateTime": "2026-11-21 19:36:05",
        "msState": state,
        "msPercent": 0,
        "msNFSGroupID": 1,
    }
    row.update(changes)
    return tuple(row.values())


def task(number, state=1):
    return (number, b"lab", state, 7, 4, "2026-11-21 19:36:05", "0000-00-00 00:00:00", 0, 1)


class Cursor:
    """One statement and its answer."""

    def __init__(self, connection):
        self._connection = connection
        self._rows = None

    def __enter__(self):
        return self

    def __exit__(self, *_failure):
        self._connection.open_cursors -= 1

    def execute(self, sql, values=None):
        self._rows = self._connection.answer(sql, values)

    def fetchall(self):
        return self._rows


class Connection:
    """A stand-in for a PyMySQL connection: it knows the reader's statements by heart and refuses every other one."""

    def __init__(self, **answers):
        self.answers = {
            "server": [("10.11.6-MariaDB", "fog", 0, 270)],
            "engines": [(table, "MyISAM") for table in database.TABLES],
            "grants": [(line,) for line in GRANTS],
            "settings": [("MULTICASTSLEEPTIME", b"10"), ("FOG_WEB_HOST", b"10.77.0.1")],
            "groups": [(1, b"default")],
            "nodes": [NODE],
            "tasks": [],
            "sessions": [],
            "images": [(4,)],
            "associations of sessions": [],
            "associations of tasks": [],
            "orphans": [],
        }
        assert set(answers) <= set(self.answers)
        self.answers.update(answers)
        self.asked = []
        self.refused = []
        self.open_cursors = 0

    def cursor(self):
        self.open_cursors += 1
        return Cursor(self)

    def answer(self, sql, values):
        for name, query in database.queries().items():
            if query.sql == sql:
                self.asked.append((name, values))
                found = self.answers[name]
                if isinstance(found, BaseException):
                    raise found
                return found
        self.refused.append(sql)
        raise AssertionError("the stand-in does not know the statement " + sql)


@pytest.fixture
def connect():
    """Makes stand-ins, and at the end looks that they refused nothing and no cursor was left open."""
    made = []

    def make(**answers):
        made.append(Connection(**answers))
        return made[-1]

    yield make
    for connection in made:
        assert connection.refused == []
        assert connection.open_cursors == 0


def failing(call, *arguments):
    """The DatabaseError of a call, after a look that its whole chain holds no password."""
    with pytest.raises(DatabaseError) as caught:
        call(*arguments)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert SECRET not in "".join(traceback.format_exception(type(error), error, error.__traceback__))
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    assert error.kind in ("unreachable", "foreign")
    return error


# --- reading --------------------------------------------------------------------------------------------------------


def test_a_healthy_idle_server(connect):
    connection = connect()
    found = database.read_database(connection)
    rights = database.ALL
    assert found == database.Database(
        server="10.11.6-MariaDB",
        schema=270,
        engines=dict.fromkeys(database.TABLES, "MyISAM"),
        privileges=rights,
        offset=0.0,
        settings={"MULTICASTSLEEPTIME": "10", "FOG_WEB_HOST": "10.77.0.1"},
        groups={1: "default"},
        nodes=(database.Node(1, "DefaultMember", 1, True, True, "10.77.0.1", "10.77.0.1", "eth0", "/images"),),
        table_privileges=dict.fromkeys(database.WRITTEN, rights),
    )
    # Nobody is asked for the associations of no session and no task.
    assert [name for name, _values in connection.asked] == [
        "server",
        "engines",
        "grants",
        "settings",
        "groups",
        "nodes",
        "tasks",
        "sessions",
        "orphans",
    ]


def test_sessions_tasks_and_what_joins_them(connect):
    connection = connect(
        sessions=[session(9), session(7, state=0, msClients=-2, msImage=b"odd", msStartDateTime="0000-00-00 00:00:00")],
        tasks=[task(31), task(30, 3), task(32)],
        **{
            "associations of sessions": [(2, 9, 30, 3, 3), (5, 9, 77, 3, None)],
            "associations of tasks": [(2, 9, 30, 3, 3), (1, 12, 30, 5, 3), (3, 5, 31, None, 1), (4, 6, 31, 4, 1)],
            "orphans": [(1, 12, 30, 5, 3), (8, 2, 3, None, None)],
        },
    )
    found = database.read_database(connection)
    seconds = 1795289765.0
    assert found.sessions == (
        # Its image is none that there is.
        database.Session(7, "lab deploy - fog", 50014, "w11", 0, -2, 0, "eth0", None, 0, 0, 1, False),
        database.Session(9, "lab deploy - fog", 50018, "w11", 4, 0, 0, "eth0", seconds, 3, 0, 1, True),
    )
    assert found.tasks == (
        # Of two sessions the active one counts, then the newest.
        database.Task(30, "lab", 3, 7, 4, seconds, None, 0, 1, 9),
        database.Task(31, "lab", 1, 7, 4, seconds, None, 0, 1, 6),
        database.Task(32, "lab", 1, 7, 4, seconds, None, 0, 1, None),
    )
    assert found.associations == (
        database.Association(1, 12, 30, 5, 3),
        database.Association(2, 9, 30, 3, 3),
        database.Association(3, 5, 31, None, 1),
        database.Association(4, 6, 31, 4, 1),
        database.Association(5, 9, 77, 3, None),
        database.Association(8, 2, 3, None, None),
    )
    assert found.truncated == ()
    asked = dict(connection.asked)
    assert asked["images"] == ((0, 4),)
    assert asked["associations of sessions"] == ((9, 7),)
    assert asked["associations of tasks"] == ((31, 30, 32),)
    assert asked["tasks"] == ((0, 1, 2, 3), 8, 1001)


def test_what_is_cut_at_the_bound_is_told(connect):
    orphans = [(number, 1, number, None, None) for number in range(1, 20002)]
    found = database.read_database(
        connect(
            sessions=[session(number) for number in range(1, 1002)],
            tasks=[task(number) for number in range(1, 1002)],
            orphans=orphans,
        )
    )
    assert (len(found.sessions), len(found.tasks), len(found.associations)) == (1000, 1000, 20000)
    assert found.truncated == (
        "Only 1000 active multicast tasks were read; there are more.",
        "Only 1000 active sessions were read; there are more.",
        "Only 20000 orphaned associations were read; there are more.",
    )
    assert database.read_database(connect(orphans=orphans[:20000])).truncated == ()


def test_broken_text_and_empty_values(connect):
    broken = (2, b"\xff\xe4name", 1, "", None, None, b" eth1 ", bytearray(b"/images"))
    found = database.read_database(
        connect(
            server=[(b"8.0.36", b"fog", None, None)],
            nodes=[broken],
            groups=[(1, b"\xff")],
            engines=[(table, None) for table in database.TABLES],
        )
    )
    assert found.nodes == (database.Node(2, "\ufffd\ufffdname", 1, False, False, "", "", "eth1", "/images"),)
    assert (found.groups, found.offset, found.schema, found.server) == ({1: "\ufffd"}, None, None, "8.0.36")
    assert set(found.engines.values()) == {""}


@pytest.mark.parametrize(("flag", "expected"), [("1", True), ("0", False), ("", False), (b"1", True), (" 1", True)])
def test_master_and_enabled_are_the_character_1(connect, flag, expected):
    (node,) = database.read_database(connect(nodes=[(*NODE[:3], flag, flag, *NODE[5:])])).nodes
    assert (node.master, node.enabled) == (expected, expected)


def test_a_missing_table_is_named(connect):
    error = failing(database.read_database, connect(engines=[("tasks", "MyISAM"), ("nfsGroups", "MyISAM")]))
    assert error.kind == "foreign"
    assert "globalSettings, multicastSessions, multicastSessionsAssoc, nfsGroupMembers;" in str(error)


def test_table_names_in_lower_case_are_the_same_tables(connect):
    found = database.read_database(connect(engines=[(table.lower(), "InnoDB") for table in database.TABLES]))
    assert found.engines == dict.fromkeys(database.TABLES, "InnoDB")


@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        (pymysql.err.ProgrammingError(1146, "Table 'fog.schemaVersion' doesn't exist"), "foreign", "A table of FOG is"),
        (pymysql.err.OperationalError(1109, "Unknown table 'x' in information_schema"), "foreign", "A table of FOG is"),
        (pymysql.err.OperationalError(1054, "Unknown column 'msState' in 'WHERE'"), "foreign", "Unknown column 'msS"),
        (pymysql.err.OperationalError(145, "Table './fog/tasks' is marked as crashed"), "foreign", "mysqlcheck"),
        (pymysql.err.InternalError(1194, "Table 'tasks' is marked as crashed"), "foreign", "is damaged"),
        (pymysql.err.OperationalError(1142, "SELECT command denied to user 'x'"), "unreachable", "may not read"),
        (pymysql.err.OperationalError(2013, "Lost connection (timed out)"), "unreachable", "did not answer in time"),
        (pymysql.err.OperationalError(1969, "Query execution was interrupted"), "unreachable", "did not answer in"),
        (pymysql.err.OperationalError(2013, "Lost connection to MySQL server"), "unreachable", "in the middle of a"),
        (pymysql.err.OperationalError(2006, "MySQL server has gone away"), "unreachable", "in the middle of a query"),
        (pymysql.err.InterfaceError(0, ""), "unreachable", "lost in the middle of a query (InterfaceError)"),
        (pymysql.err.OperationalError(3, "x"), "unreachable", "(error 3: x)"),
        (TimeoutError("timed out"), "unreachable", "did not answer in time"),
        (ConnectionResetError(104, "Connection reset by peer"), "unreachable", "error 104"),
        (struct.error("unpack requires a buffer of 4 bytes"), "unreachable", "in the middle of a query (unpack"),
        (AttributeError("'NoneType' object has no attribute 'read'"), "unreachable", "in the middle of a query"),
    ],
)
@pytest.mark.parametrize("where", ["server", "sessions", "orphans"])
def test_failures_of_a_query(connect, where, failure, kind, told):
    error = failing(database.read_database, connect(**{where: failure}))
    assert error.kind == kind
    assert told in str(error)


def test_the_servers_words_are_cut_to_one_bounded_line(connect):
    error = failing(database.read_database, connect(nodes=pymysql.err.OperationalError(9, "a\n b " * 1000)))
    assert len(str(error)) < 500


def test_every_statement_only_reads():
    for query in database.queries().values():
        assert query.sql.split()[0] in ("SELECT", "SHOW")
        assert ";" not in query.sql
        assert query.sql.count("%s") == len(query.values)
        for secret in ("ngmPass", "ngmUser", "ngmKey"):
            assert secret not in query.sql
    assert not any("PASS" in key for key in database.SETTINGS)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1970-01-02 00:00:01", 86401.0),
        (b"2026-11-21 19:36:05", 1795289765.0),
        ("2026-11-21 19:36:05.123", 1795289765.0),
        ("0000-00-00 00:00:00", None),
        ("2026-00-10 00:00:00", None),
        ("2026-02-30 00:00:00", None),
        ("", None),
        (None, None),
        ("soon", None),
    ],
)
def test_times(value, expected):
    assert database.parse_time(value) == expected


@given(st.datetimes())
def test_any_time_survives(moment):
    moment = moment.replace(microsecond=0)
    text = moment.isoformat(" ")
    epoch = moment.replace(year=1970, month=1, day=1, hour=0, minute=0, second=0)
    assert database.parse_time(text) == (moment - epoch).total_seconds()


@given(st.one_of(st.text(), st.binary(), st.integers(), st.none()))
def test_any_value_is_no_stumble(value):
    assert database.parse_time(value) is None or isinstance(database.parse_time(value), float)


# --- names ----------------------------------------------------------------------------------------------------------


def named(number, hostname):
    return (number, b"node", 1, "1", "1", hostname, b"eth0", b"/images")


def test_each_name_is_resolved_once_and_addresses_never(connect, monkeypatch):
    asked = []

    def getaddrinfo(name, *_more):
        asked.append(name)
        if name == "gone.example":
            raise socket.gaierror(-2, "Name or service not known")
        if name == "b\xfcro..x":
            raise UnicodeError("label empty or too long")
        if name == "empty.example":
            return []
        return [(2, 1, 6, "", ("10.0.0.5", 0)), (2, 1, 6, "", ("10.0.0.6", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    names = [b"fog.example", b"10.0.0.1", b"fog.example", b"gone.example", "b\xfcro..x".encode(), b"empty.example", b""]
    found = database.read_database(connect(nodes=[named(number, name) for number, name in enumerate(names)]))
    assert [node.address for node in found.nodes] == ["10.0.0.5", "10.0.0.1", "10.0.0.5", "", "", "", ""]
    assert sorted(asked) == ["b\xfcro..x", "empty.example", "fog.example", "gone.example"]
    assert found.truncated == ()


def test_a_resolver_that_hangs_does_not_hang_the_run(connect, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_call: release.wait(60) and [])
    try:
        found = database.read_database(connect(nodes=[named(1, b"slow.example"), NODE]), 0.05)
    finally:
        release.set()
    assert [node.address for node in found.nodes] == ["", "10.77.0.1"]
    assert found.truncated == ("The name slow.example of a storage node was not resolved within 0.05 s.",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10.0.0.1", True), ("10.1", False), ("10.0.0.256", False), ("::1", False), ("", False), ("fog", False)],
)
def test_what_is_an_address(text, expected):
    assert database.is_address(text) is expected


@given(st.text())
def test_any_text_is_an_address_or_not(text):
    assert database.is_address(text) in (True, False)


# --- privileges -----------------------------------------------------------------------------------------------------

TABLES = ("tasks", "nfsGroupMembers")


def rights(*lines, **more):
    found = database.parse_grants(lines, "fog", TABLES, **more)
    return found if found is None else [sorted(found[table]) for table in TABLES]


EVERYTHING = [sorted(database.ALL)] * 2


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"], EVERYTHING),
        (["GRANT ALL PRIVILEGES ON *.* TO `root`@`%` IDENTIFIED BY PASSWORD '*AA' REQUIRE SSL"], EVERYTHING),
        (["GRANT ALL ON `fog`.* TO 'a'@'b'"], EVERYTHING),
        (["GRANT SELECT, INSERT ON fog.* TO 'a'@'b'"], [["INSERT", "SELECT"]] * 2),
        (['GRANT SELECT ON "fog".* TO "a"@"b"'], [["SELECT"]] * 2),
        (["GRANT USAGE ON *.* TO `a`@`b`"], [[], []]),
        (["GRANT SELECT ON `other`.* TO `a`@`b`"], [[], []]),
        (["GRANT SELECT ON `f%`.* TO `a`@`b`"], [["SELECT"]] * 2),
        (["GRANT SELECT ON `f_g`.* TO `a`@`b`"], [["SELECT"]] * 2),
        (["GRANT SELECT ON `f\\_g`.* TO `a`@`b`"], [[], []]),
        (["GRANT SELECT ON `fo`.* TO `a`@`b`"], [[], []]),
        (["GRANT SELECT ON `fog`.`tasks` TO `a`@`b`"], [["SELECT"], []]),
        (["GRANT SELECT ON `fog`.`TASKS` TO `a`@`b`"], [["SELECT"], []]),
        (["GRANT SELECT ON TABLE `fog`.`tasks` TO `a`@`b`"], [["SELECT"], []]),
        (["GRANT SELECT ON `f%`.`tasks` TO `a`@`b`"], [[], []]),
        (
            ["GRANT SELECT ON `fog`.* TO `a`@`b`", "GRANT DELETE ON `fog`.`tasks` TO `a`@`b`"],
            [["DELETE", "SELECT"], ["SELECT"]],
        ),
        (["GRANT SELECT (a, b), UPDATE (c), DELETE ON `fog`.`tasks` TO `a`@`b`"], [["DELETE"], []]),
        (["GRANT SELECT, CREATE TEMPORARY TABLES ON `fog`.* TO `a`@`b`"], [["CREATE TEMPORARY TABLES", "SELECT"]] * 2),
        (["GRANT SELECT, DELETE ON *.* TO `a`@`b`", "REVOKE DELETE ON `fog`.* FROM `a`@`b`"], [["SELECT"]] * 2),
        (["GRANT EXECUTE ON PROCEDURE `fog`.`tasks` TO `a`@`b`", "GRANT USAGE ON *.* TO `a`@`b`"], [[], []]),
        (["GRANT PROXY ON ``@`%` TO `root`@`localhost`", "GRANT USAGE ON *.* TO `a`@`b`"], [[], []]),
        (["GRANT PROXY ON ``@`%` TO `root`@`localhost`"], None),
        (
            ["GRANT `r` TO `a`@`b`", "GRANT SELECT ON *.* TO `a`@`b`", "SET DEFAULT ROLE `r` FOR `a`@`b`"],
            [["SELECT"]] * 2,
        ),
        ([], None),
        (["nonsense"], None),
    ],
)
def test_grants(lines, expected):
    assert rights(*lines) == expected


def test_roles_that_the_server_does_not_spell_out():
    some = "GRANT SELECT ON *.* TO `a`@`b`"
    assert rights("GRANT `r`@`%` TO `a`@`b`", some, roles_shown=False) is None
    assert rights(some, roles_shown=False) == [["SELECT"]] * 2
    assert rights("GRANT `r`@`%` TO `a`@`b`", "GRANT ALL PRIVILEGES ON *.* TO `a`@`b`", roles_shown=False) == EVERYTHING


def test_the_common_privileges_are_those_on_every_table(connect):
    lines = ["GRANT SELECT ON `fog`.* TO `fogstorage`@`%`", "GRANT INSERT, UPDATE ON `fog`.`tasks` TO `fogstorage`@`%`"]
    found = database.read_database(connect(grants=[(line,) for line in lines]))
    assert found.privileges == frozenset(("SELECT",))
    assert found.table_privileges["tasks"] == {"SELECT", "INSERT", "UPDATE"}
    assert set(found.table_privileges) == set(database.WRITTEN)


def test_privileges_that_cannot_be_seen_are_unknown(connect):
    refused = pymysql.err.OperationalError(1141, "There is no such grant defined")
    found = database.read_database(connect(grants=refused))
    assert (found.privileges, found.table_privileges) == (None, {})
    mysql = connect(server=[("8.0.36", "fog", 0, 270)], grants=[("GRANT `r`@`%` TO `a`@`%`",), (GRANTS[0],)])
    assert database.read_database(mysql).privileges is None


IDENTIFIER = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=10)


@given(IDENTIFIER, st.sets(st.sampled_from(["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE VIEW"]), min_size=1))
def test_any_database_name_is_found_again(name, words):
    quoted = name.replace("\\", "\\\\").replace("_", "\\_").replace("%", "\\%").replace("`", "``")
    line = "GRANT {} ON `{}`.* TO `a`@`%`".format(", ".join(sorted(words)), quoted)
    assert database.parse_grants([line], name, TABLES) == dict.fromkeys(TABLES, words)
    assert database.parse_grants([line], name + "x", TABLES) == {table: frozenset() for table in TABLES}


@given(st.lists(st.one_of(st.text(), st.text("GRANTSELECON*.`%_\\ TO,()'\""))))
def test_any_grants_are_read(lines):
    found = database.parse_grants(lines, "fog", TABLES, roles_shown=False)
    assert found is None or set(found) == set(TABLES)


# --- connecting -----------------------------------------------------------------------------------------------------


class Connector:
    """Takes PyMySQL's place for connecting; remembers the arguments, or fails as told."""

    def __init__(self):
        self.calls = []
        self.failure = None

    def __call__(self, **arguments):
        self.calls.append(arguments)
        if self.failure is not None:
            raise self.failure
        return "connection"


@pytest.fixture
def connector(monkeypatch):
    made = Connector()
    monkeypatch.setattr(pymysql, "connect", made)
    monkeypatch.setattr(database, "SOCKETS", ())
    return made


def test_the_arguments_of_a_connection(connector):
    assert database.connect(LOGIN._replace(password="p\xe4ss\udcff")) == "connection"
    assert connector.calls == [
        {
            "host": "10.0.0.9",
            "port": 3306,
            "user": "fogmaster",
            "password": b"p\xc3\xa4ss\xff",
            "database": "fog",
            "charset": "utf8mb4",
            "autocommit": True,
            "connect_timeout": 3,
            "read_timeout": 30,
            "write_timeout": 30,
        }
    ]


def test_localhost_means_the_socket_where_there_is_one(connector, tmp_path, monkeypatch):
    path = str(tmp_path / "s")
    monkeypatch.setattr(database, "SOCKETS", (str(tmp_path / "none"), str(tmp_path), path))
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    try:
        for host, port, expected in (
            ("", 3306, path),
            ("localhost", 3306, path),
            ("localhost", 3307, None),
            ("127.0.0.1", 3306, None),
        ):
            login = LOGIN._replace(host=host, port=port)
            database.connect(login)
            assert connector.calls[-1].get("unix_socket") == expected
            assert database.endpoint(login) == "fogmaster@{}/fog".format(expected or f"{host}:{port}")
    finally:
        server.close()
    given_socket = LOGIN._replace(unix_socket="/run/own.sock")
    database.connect(given_socket)
    assert connector.calls[-1]["unix_socket"] == "/run/own.sock"
    assert database.endpoint(given_socket) == "fogmaster@/run/own.sock/fog"
    assert SECRET not in database.endpoint(LOGIN)


def test_certificates_and_a_configuration_file(connector, tmp_path):
    files = {}
    for name in ("ca", "cert", "key", "cnf"):
        files[name] = str(tmp_path / name)
        (tmp_path / name).write_text("")
    database.connect(
        Credentials(
            config_file=files["cnf"],
            ca_cert=files["ca"],
            client_cert=files["cert"],
            client_key=files["key"],
            check_hostname=False,
            connect_timeout=0,
            database="",
        )
    )
    arguments = connector.calls[-1]
    assert arguments["ssl"] == {"ca": files["ca"], "cert": files["cert"], "key": files["key"], "check_hostname": False}
    assert arguments["read_default_file"] == files["cnf"]
    # What the credentials leave open is the file's to say.
    assert "host" not in arguments
    assert "port" not in arguments
    assert (arguments["user"], arguments["password"], arguments["database"]) == (None, b"", None)
    assert arguments["connect_timeout"] == 1
    database.connect(LOGIN._replace(config_file=files["cnf"], port=3307))
    assert (connector.calls[-1]["host"], connector.calls[-1]["port"]) == ("10.0.0.9", 3307)


ABSENT = "/nonexistent/file-of-the-test"


@pytest.mark.parametrize(
    ("login", "option"),
    [
        (LOGIN._replace(config_file=ABSENT), "config_file"),
        (LOGIN._replace(ca_cert=ABSENT), "ca_cert"),
        (LOGIN._replace(client_cert=ABSENT), "client_cert"),
        (LOGIN._replace(client_key=ABSENT), "client_key"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_before_anything(connector, login, option):
    error = failing(database.connect, login)
    assert str(error).startswith(f"{option} {ABSENT} cannot be read; ")
    assert connector.calls == []


def test_no_user_is_told(connector):
    assert "/opt/fog/.fogsettings has no snmysqluser" in str(failing(database.connect, LOGIN._replace(user="")))
    assert ".fogsettings has no" in str(failing(database.connect, LOGIN._replace(user="", source="")))


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            pymysql.err.OperationalError(1045, "Access denied for user 'x'"),
            "refuses the login with a password; correct",
        ),
        (pymysql.err.OperationalError(1698, "Access denied"), "refuses the login with a password; correct"),
        (pymysql.err.OperationalError(1130, "Host is not allowed"), "refuses the login with a password; correct"),
        (pymysql.err.OperationalError(1044, "Access denied for user to database"), "may not use the database fog at"),
        (
            pymysql.err.OperationalError(1049, "Unknown database 'fog'"),
            "There is no database fog at fogmaster@10.0.0.9",
        ),
        (
            pymysql.err.OperationalError(2003, "Can't connect (timed out)"),
            "cannot be reached (Can't connect (timed out)",
        ),
        (pymysql.err.OperationalError(1040, "Too many connections"), "cannot be reached (Too many connections); start"),
        (TimeoutError("timed out"), "cannot be reached (timed out)"),
        (OSError(5, "Input/output error"), "cannot be reached (Input/output error)"),
        (RuntimeError("'cryptography' package is required"), "needs the Python library cryptography; install it"),
        (UnicodeEncodeError("latin-1", "\u20ac", 0, 1, "no"), "cannot be sent to the server; correct /opt/fog/.fogset"),
        (struct.error("unpack requires " + SECRET), "is no MySQL or MariaDB server, or the options do not fit (error)"),
        (AssertionError("protocol"), "is no MySQL or MariaDB server, or the options do not fit (AssertionError)"),
    ],
)
def test_failures_of_a_connection(connector, failure, told):
    connector.failure = failure
    error = failing(database.connect, LOGIN)
    assert error.kind == "unreachable"
    assert told in str(error)
    assert "10.0.0.9:3306" in str(error)


def test_a_login_without_a_password_says_so(connector):
    connector.failure = pymysql.err.OperationalError(1045, "Access denied")
    error = failing(database.connect, LOGIN._replace(password="", source=""))
    assert "refuses the login without a password; correct snmysqluser and snmysqlpass in the module's options" in str(
        error
    )


def test_nobody_listens():
    probe = socket.socket()
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.close()
    error = failing(database.connect, LOGIN._replace(host="127.0.0.1", port=port))
    assert f"127.0.0.1:{port}/fog cannot be reached" in str(error)


def test_another_kind_of_server_listens():
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen(1)

    def answer():
        connection, _peer = server.accept()
        connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
        time.sleep(0.05)
        connection.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        error = failing(database.connect, LOGIN._replace(host="127.0.0.1", port=server.getsockname()[1]))
    finally:
        thread.join(10)
        server.close()
    assert error.kind == "unreachable"


def test_a_missing_pymysql_is_an_import_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "pymysql", None)
    with pytest.raises(ImportError) as caught:
        database.connect(LOGIN)
    assert caught.value.name == "pymysql"


def test_an_error_without_words_of_its_own():
    assert DatabaseError("x").kind == "unreachable"
    assert str(DatabaseError("x", "foreign")) == "x"

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observe room: what it asks whom, and what becomes of failures."""

import subprocess
import sys
import time

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import database, snapshot
from ansible_collections.imaging.multicast.plugins.module_utils._fog.log import Logs
from ansible_collections.imaging.multicast.plugins.module_utils._fog.network import Address, Interface, Network
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Process, Processes
from ansible_collections.imaging.multicast.plugins.module_utils._fog.service import ABSENT
from ansible_collections.imaging.multicast.plugins.module_utils._fog.settings import Credentials, Release, Settings

SECRET = "s3cr3t-of-the-test"
LOGIN = Credentials(host="10.0.0.9", user="fogmaster", password=SECRET)
FOUND = Settings("/opt/fog/.fogsettings", "N", "eth0", "10.0.0.1", "fog", "/var/www/html/fog")
RELEASE = Release("1.5.9", 270, "/usr/local/sbin/udp-sender", True, ())
LAN = Network((Interface("eth0", (Address("10.0.0.1", 24),), True, "up", True, False),), ())
IDLE = database.Database()
NAMES = {"fog.lan": "10.0.0.1", "old.lan": "127.0.1.1", "db.lan": "10.0.0.9"}
DAEMON = Process(10, 1, 5, "S", 20.0, ("php", "FOGMulticastManager"))


def node(number, group=1, master=True, enabled=True, address="10.0.0.1", root="/images/"):
    return database.Node(number, "node", group, master, enabled, address, address, "eth0", root)


def session(number, path, clients=0, group=1):
    return database.Session(number, "lab", 50000, path, 1, clients, 0, "eth0", None, 3, 0, group)


class Connection:
    def __init__(self, failure=None):
        self.closed = 0
        self._failure = failure

    def close(self):
        self.closed += 1
        if self._failure:
            raise self._failure


class World:
    """Readers that answer from memory and write down what they were asked."""

    def __init__(self, read=IDLE, connection=None, refuse=None):
        self.asked = {}
        self.release = RELEASE
        self.connection = connection or Connection()
        self.read = read
        self.refuse = refuse
        self.readers = snapshot.Readers(
            connect=self.connect,
            database=self.database,
            release=lambda settings: self.note("release", settings) or self.release,
            network=lambda: LAN,
            processes=lambda: Processes((DAEMON,), (), ()),
            service=lambda daemon: self.note("service", daemon) or ABSENT,
            logs=self.logs,
            exists=lambda path: path == "/images/there",
            resolve=lambda names: ({name: NAMES[name] for name in names if name in NAMES}, []),
            clock=lambda: 1795289765.0,
        )

    def note(self, name, value):
        self.asked[name] = value

    def connect(self, credentials):
        self.note("connect", credentials)
        if self.refuse:
            raise self.refuse
        return self.connection

    def database(self, connection):
        assert connection is self.connection
        if isinstance(self.read, Exception):
            raise self.read
        return self.read

    def logs(self, *arguments):
        self.note("logs", arguments)
        return Logs("x", False, None, 0, (), None, {}, "", (), ())

    def observe(self, login=LOGIN):
        return snapshot.observe(FOUND, login, self.readers)


def test_everything_is_read_once_and_the_connection_closed():
    world = World(
        database.Database(server="10.11", sessions=(session(3, "there"), session(8, "gone")), nodes=(node(1),))
    )
    found = world.observe()
    assert found.time == 1795289765.0
    assert found.offset == time.localtime(found.time).tm_gmtoff
    assert found.hostname
    assert (found.settings, found.release, found.network, found.service) == (FOUND, RELEASE, LAN, ABSENT)
    assert found.database == world.read._replace(endpoint="fogmaster@10.0.0.9:3306/fog")
    assert found.missing_images == ("/images/gone",)
    assert world.connection.closed == 1
    assert world.asked == {
        "connect": LOGIN,
        "release": FOUND,
        "service": (DAEMON,),
        "logs": ("/opt/fog/log/", "multicast.log", "servicemaster.log", [3, 8]),
    }
    assert SECRET not in repr(found)


def test_the_settings_say_where_the_logs_are():
    names = {
        "SERVICE_LOG_PATH": "/srv/log",
        "MULTICASTLOGFILENAME": "mc.log",
        "SERVICEMASTERLOGFILENAME": "master.log",
    }
    world = World(database.Database(settings=names))
    world.observe()
    assert world.asked["logs"] == ("/srv/log", "mc.log", "master.log", [])


def test_a_database_that_cannot_be_reached_is_told_not_raised():
    world = World(refuse=database.DatabaseError("No answer."))
    found = world.observe()
    assert found.database == database.Database(
        error="No answer.", kind="unreachable", endpoint="fogmaster@10.0.0.9:3306/fog"
    )
    assert found.missing_images == ()
    # Without the database nobody knows which sessions matter: all recent logs are read.
    assert world.asked["logs"] == ("/opt/fog/log/", "multicast.log", "servicemaster.log", None)


def test_a_database_lost_in_the_middle_is_told_and_the_connection_closed():
    world = World(database.DatabaseError("Not FOG's.", "foreign"), Connection(OSError("gone")))
    found = world.observe()
    assert (found.database.error, found.database.kind) == ("Not FOG's.", "foreign")
    assert world.connection.closed == 1


def test_a_missing_library_is_the_callers_to_tell():
    world = World(refuse=ImportError("No module named 'pymysql'", name="pymysql"))
    with pytest.raises(ImportError):
        world.observe()


@pytest.mark.parametrize(
    ("nodes", "sessions", "missing"),
    [
        ((node(1),), (session(1, "a"), session(2, "a")), ("/images/a",)),
        ((node(1, root="/images"),), (session(1, "/a/"),), ("/images/a",)),
        ((node(1),), (session(1, ""),), ()),
        ((node(1),), (session(1, "there"),), ()),
        ((node(1),), (session(1, "a\0b"),), ("/images/a\0b",)),
        ((node(1, master=False),), (session(1, "a"),), ()),
        ((node(1, enabled=False),), (session(1, "a"),), ()),
        ((node(1, address="10.0.0.2"),), (session(1, "a"),), ()),
        ((node(1, address=""),), (session(1, "a"),), ()),
        ((node(1),), (session(1, "a", group=2),), ()),
        # A named session holds the id of a node where others hold that of a group.
        ((node(7),), (session(1, "a", -2, 7),), ("/images/a",)),
        ((node(7, group=2), node(1)), (session(1, "a", -2, 1),), ("/images/a",)),
        ((node(7),), (session(1, "a", -2, 1),), ()),
        ((node(1), node(2, root="/more")), (session(1, "a"),), ("/images/a", "/more/a")),
    ],
)
def test_missing_images_are_those_of_sessions_served_here(nodes, sessions, missing):
    def exists(path):
        if "\0" in path:
            raise ValueError("embedded null byte")
        return path == "/images/there"

    read = database.Database(nodes=nodes, sessions=sessions)
    assert snapshot.missing_images(read, LAN, exists) == missing


def test_the_real_readers_stand_behind_it():
    assert snapshot.READERS.database is database.read_database
    assert snapshot.READERS.connect is database.connect


def test_the_libraries_are_loaded_only_when_they_are_used():
    code = (
        "import sys\n"
        "import ansible_collections.imaging.multicast.plugins.module_utils._fog.snapshot\n"
        "print([name for name in ('pymysql', 'netifaces', 'yaml', 'ansible') if name in sys.modules])"
    )
    code = f"import sys\nsys.path[:] = {sys.path!r}\n{code}"
    assert subprocess.check_output([sys.executable, "-c", code], stderr=subprocess.STDOUT) == b"[]\n"


# --- the database FOG itself uses ----------------------------------------------------------------------------------


def rival(login, host="", name=""):
    world = World()
    world.release = RELEASE._replace(database_host=host, database_name=name)
    return world.observe(login).database.rival


@pytest.mark.parametrize(
    ("ours", "theirs", "other"),
    [
        ("10.0.0.9", "10.0.0.9", False),
        ("10.0.0.9", "10.0.0.8", True),
        ("10.0.0.9", "localhost", True),
        ("localhost", "127.0.0.1", False),
        ("localhost", "127.0.1.1", False),
        ("localhost", "::1", False),
        ("localhost", "10.0.0.1", False),
        ("10.0.0.1", "LOCALHOST", False),
        ("fog.lan", "localhost", False),
        ("old.lan", "10.0.0.1", False),
        ("db.lan", "10.0.0.9", False),
        ("db.lan", "DB.lan", False),
        ("db.lan", "fog.lan", True),
        ("gone.lan", "10.0.0.9", True),
        ("10.0.0.9", "", False),
    ],
)
def test_another_database_host_is_seen_whatever_it_is_called(ours, theirs, other):
    found = rival(LOGIN._replace(host=ours), theirs, "fog")
    assert found == ((theirs.lower() + "/fog") if other else "")


def test_the_hosts_own_name_is_this_host(monkeypatch):
    monkeypatch.setattr(snapshot.socket, "gethostname", lambda: "Fog")
    assert rival(LOGIN._replace(host="localhost"), "fog") == ""


def test_another_database_name_is_seen():
    assert rival(LOGIN, "10.0.0.9", "imaging") == "10.0.0.9/imaging"
    assert rival(LOGIN, "", "imaging") == "(unknown host)/imaging"
    assert rival(LOGIN, "10.0.0.9") == ""


@pytest.mark.parametrize(
    ("given", "other"),
    [
        (("host",), True),
        (("unix_socket",), True),
        (("database",), True),
        (("user", "password", "port"), True),
        (("database", "host"), False),
        (("config_file",), False),
    ],
)
def test_what_an_option_says_is_taken_as_meant(given, other):
    assert bool(rival(LOGIN._replace(given=given), "10.0.0.8", "imaging")) is other


@pytest.mark.parametrize(
    ("login", "local"),
    [
        ({"host": "localhost"}, True),
        ({"host": "127.0.0.1"}, True),
        ({"host": "10.0.0.1"}, True),
        ({"host": "fog.lan"}, True),
        ({"host": "db.lan"}, False),
        ({"host": "10.0.0.9"}, False),
        ({"host": "10.0.0.9", "given": ("unix_socket",)}, True),
        ({"host": "localhost", "given": ("config_file",)}, False),
        ({"host": "localhost", "given": ("config_file", "host")}, True),
    ],
)
def test_whether_the_database_is_on_this_host(login, local):
    assert World().observe(LOGIN._replace(**login)).database.local is local


def test_a_database_that_does_not_answer_may_be_the_wrong_one():
    world = World(refuse=database.DatabaseError("No answer."))
    world.release = RELEASE._replace(database_host="10.0.0.8", database_name="fog")
    found = world.observe().database
    assert (found.error, found.rival) == ("No answer.", "10.0.0.8/fog")

"""fog_multicast_info on real hosts: it writes nothing, tells no secret, and has a clear word for every bad input."""

import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import pytest

from tests.lab import controller, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import Session, files, layout, processes
from tests.lab.fog.database import Sql
from tests.lab.fog.faults import FAULTS
from tests.lab.fog.service import restart, start_database, stop_database
from tests.lab.held import held, waiting
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import held_daemon, sending, stale

INFO = "fog_multicast_info"
RESET = "fog_multicast_reset"
MODULES = (INFO, RESET, "fog_storage_iface", "fog_multicast_service")
READS = re.compile(r"\s*(SELECT|SHOW|SET)\b", re.I)
WRITES = re.compile(r"\b(GET_LOCK|FOR UPDATE|INTO (OUT|DUMP)FILE|SET GLOBAL)\b", re.I)
WRONG = {"login_user": "fogmaster", "login_password": f"{layout.SECRET}-given-$&#x"}


@pytest.fixture
def fog1(lab: Lab, boot: Boot) -> Iterator[Host]:
    with borrowed(lab, boot, "fog1") as (host,):
        yield host


@pytest.fixture(scope="module")
def fog4(lab: Lab, boot: Boot) -> Iterator[Host]:
    """fog4 with a stale session, for what leaves the host as it is or puts it back itself."""
    with borrowed(lab, boot, "fog4") as (host,):
        stale(host, host, "stale")
        yield host


def info(lab: Lab, host: Host, *options: str, check: bool = True, **arguments: Any) -> dict[str, Any]:
    return controller.module(lab, host, INFO, *options, arguments=arguments, check=check)


def is_clear(message: str) -> bool:
    """One line that says what and what to do, without a traceback or a secret."""
    return len(message) > 30 and "\n" not in message and "Traceback" not in message and layout.SECRET not in message


# --- it writes nothing ----------------------------------------------------------------------------------------------


@contextmanager
def general_log(server: Host) -> Iterator[Callable[[], list[str]]]:
    """Yields a function that gives the statements of the connections made since."""
    sql = Sql(server)
    before = [row["ID"] for row in sql.rows("SELECT ID FROM information_schema.PROCESSLIST")]
    sql.batch(
        ("SET GLOBAL log_output = 'TABLE'",),
        ("TRUNCATE TABLE mysql.general_log",),
        ("SET GLOBAL general_log = 1",),
    )

    def statements() -> list[str]:
        sql.run("SET GLOBAL general_log = 0")
        rows = sql.rows(
            "SELECT argument FROM mysql.general_log WHERE command_type IN ('Query', 'Execute')"
            " AND thread_id NOT IN %s AND user_host NOT LIKE 'root%%' ORDER BY event_time",
            before,
        )
        return [str(row["argument"]) for row in rows]

    try:
        yield statements
    finally:
        sql.batch(("SET GLOBAL general_log = 0",), ("SET GLOBAL log_output = 'FILE'",))


@pytest.mark.parametrize("scene", ["healthy", "stale"])
def test_it_writes_nothing(lab: Lab, fog1: Host, scene: str) -> None:
    if scene == "stale":
        stale(fog1, fog1, "stale")
        sending(fog1, fog1, "live")
    before = witness.state(fog1, fog1)
    with general_log(fog1) as statements:
        result = info(lab, fog1)
        said = statements()
    assert witness.state(fog1, fog1) == before
    assert not result["changed"]
    assert any("multicastSessions" in statement for statement in said), said
    written = [statement for statement in said if not READS.match(statement) or WRITES.search(statement)]
    assert written == []


def test_check_mode_looks_the_same(lab: Lab, fog4: Host) -> None:
    one, other = info(lab, fog4), info(lab, fog4, "--check")
    assert [found["id"] for found in one["findings"]] == [found["id"] for found in other["findings"]]
    assert "fog.session.stale" in controller.finding_ids(one)


def test_no_query_goes_through_history(lab: Lab, fog1: Host) -> None:
    stale(fog1, fog1, "stale")
    sql = Sql(fog1)
    columns = [
        str(row["Field"])
        for row in sql.rows("SHOW COLUMNS FROM tasks")
        if row["Field"] not in ("taskID", "taskStateID")
    ]
    named = ", ".join(columns)
    sql.batch(
        (f"INSERT INTO tasks (taskStateID, {named}) SELECT 4, {named} FROM tasks, seq_1_to_20000 LIMIT 20000",),
        ("ANALYZE TABLE tasks, multicastSessions, multicastSessionsAssoc",),
    )
    with general_log(fog1) as statements:
        assert "fog.session.stale" in controller.finding_ids(info(lab, fog1))
        said = [
            statement for statement in statements() if re.search(r"FROM (tasks|multicastSessionsAssoc)\b", statement)
        ]
    assert len(said) >= 3, said
    for statement in said:
        for row in sql.rows(f"EXPLAIN {statement.replace('%', '%%')}"):
            if row["table"] in ("tasks", "t"):
                assert row["type"] not in ("ALL", "index"), (statement, row)
                assert int(row["rows"]) < 1000, (statement, row)


# --- secrets --------------------------------------------------------------------------------------------------------


class Watch:
    """Looks at the arguments of every process of a host, again and again, while it is open."""

    def __init__(self, host: Host) -> None:
        self.found: set[str] = set()
        self.looks = 0
        self._host = host
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def _look(self) -> None:
        while not self._end.is_set():
            for process in processes.running(self._host):
                line = " ".join(process.argv)
                if layout.SECRET in line:
                    self.found.add(line)
            self.looks += 1
            time.sleep(0.01)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._end.set()
        self._thread.join()


def test_no_secret_is_told_by_any_module(lab: Lab, fog4: Host) -> None:
    right = {"login_user": layout.MASTER_USER, "login_password": layout.secret("fog4", "db")}
    runs = [
        (INFO, {}),
        (INFO, right),
        (INFO, WRONG),
        (RESET, WRONG),
        ("fog_storage_iface", {"interface": "lo", **right}),
        ("fog_multicast_service", {}),
        (RESET, {}),
    ]
    with Watch(fog4) as watch:
        started = [
            controller.start(lab, fog4, name, "-vvv", "--diff", "--check", arguments=given) for name, given in runs
        ]
        outputs = [run.text() for run in started]
    for (name, given), output in zip(runs, outputs, strict=True):
        assert "fog4 | " in output, output
        assert layout.SECRET not in output, f"{name} {sorted(given)} told a secret"
    assert watch.looks > 10
    assert watch.found == set()
    journal = fog4.run(["journalctl", "--quiet", "--output=cat", "--since=-5min"]).stdout
    assert INFO in journal or "imaging" in journal, "Ansible logs the invocation of a module on the host"
    assert layout.SECRET not in journal


def test_no_secret_is_told_by_a_playbook(lab: Lab, fog4: Host) -> None:
    with Watch(fog4) as watch:
        login = {f"fog_multicast_{key}": value for key, value in WRONG.items()}
        right = controller.playbook(lab, "repair-multicast", [fog4], "-vvv", "--diff", "--check")
        wrong = controller.playbook(lab, "check-multicast", [fog4], "-vvv", variables=login)
    assert right.ids("fog4") == {"fog.session.stale"}
    assert wrong.ids("fog4") == {"fog.db.unreachable"}
    for run in (right, wrong):
        assert layout.SECRET not in run.output
        assert layout.SECRET not in str(run.report)
    assert watch.found == set()


# --- bad input ------------------------------------------------------------------------------------------------------


class Bad(NamedTuple):
    """One bad input: how the host is made so, the options, and what the message or the findings must say.

    ``failed``: whether fog_multicast_info itself fails; otherwise a finding carries the word.
    """

    make: Callable[[Host], None]
    words: tuple[str, ...]
    failed: bool = False
    finding: str = ""
    options: Mapping[str, Any] = {}


def _nothing(host: Host) -> None:
    """The host stays as it is."""


def _settings(text: bytes) -> Callable[[Host], None]:
    return lambda host: _write(host, layout.FOG_SETTINGS, text)


def _write(host: Host, path: str, content: bytes) -> None:
    processes.tree_path(host, path).write_bytes(content)


def _away(*paths: str) -> Callable[[Host], None]:
    def move(host: Host) -> None:
        for path in paths:
            # A whole folder of the image cannot be renamed in an overlay, but mv then copies it.
            host.run(["sh", "-c", f"for found in {path}; do mv $found $found.away || exit 1; done"])

    return move


def _run_sql(*statements: str) -> Callable[[Host], None]:
    def run(host: Host) -> None:
        Sql(host).batch(*((statement,) for statement in statements))

    return run


GARBAGE = bytes(random.Random(1).randbytes(3000))
PACKAGES = "/usr/lib/python3/dist-packages"
BAD: Mapping[str, Bad] = {
    "settings missing": Bad(_away(layout.FOG_SETTINGS), (layout.FOG_SETTINGS, "fog_settings"), failed=True),
    "settings malformed": Bad(
        _settings(b"interface='eth0'\nsnmysqlpass='LABSECRET-open\n"), ("ine 2", layout.FOG_SETTINGS), failed=True
    ),
    "settings binary": Bad(_settings(GARBAGE), (layout.FOG_SETTINGS,), failed=True),
    "settings empty": Bad(_settings(b""), (layout.FOG_SETTINGS, "installer"), failed=True),
    "wrong password": Bad(
        _nothing, ("login_password", "refuses the login"), finding="fog.db.unreachable", options=WRONG
    ),
    "no such database": Bad(
        _nothing, ("nosuch", "login_db"), finding="fog.db.unreachable", options={"login_db": "nosuch"}
    ),
    "no such host": Bad(
        _nothing, ("10.99.250.9", "login_host"), finding="fog.db.unreachable",
        options={"login_host": "10.99.250.9", "connect_timeout": 1},
    ),
    "no database server there": Bad(
        _nothing, ("login_port",), finding="fog.db.unreachable",
        options={"login_host": "127.0.0.1", "login_port": 22, "connect_timeout": 2},
    ),
    "foreign schema": Bad(
        _run_sql("UPDATE schemaVersion SET vValue = 99999"), ("99999",), finding="fog.db.foreign_schema"
    ),
    "table missing": Bad(
        _run_sql("RENAME TABLE multicastSessionsAssoc TO away"),
        ("multicastSessionsAssoc", "login_db"),
        finding="fog.db.foreign_schema",
    ),
    "column missing": Bad(
        _run_sql("ALTER TABLE multicastSessions CHANGE msState msAway int(11) NOT NULL"),
        ("msState", "login_db"),
        finding="fog.db.foreign_schema",
    ),
    "server stopped": Bad(stop_database, ("start the database server",), finding="fog.db.unreachable"),
    "PyMySQL absent": Bad(_away(f"{PACKAGES}/pymysql"), ("PyMySQL", "python3-pymysql"), failed=True),
    "netifaces absent": Bad(_away(f"{PACKAGES}/netifaces*.so"), ("netifaces", "python3-netifaces"), failed=True),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_input_is_one_clear_sentence(lab: Lab, fog4: Host, name: str) -> None:
    bad = BAD[name]
    with held_daemon(fog4), ExitStack() as stack:
        stack.callback(_mend, fog4)
        bad.make(fog4)
        before = witness.state(fog4, fog4)
        looked = controller.start(lab, fog4, INFO, arguments=bad.options)
        acted = controller.start(lab, fog4, RESET, arguments={"backup_dir": "/root/backups", **bad.options})
        result, reset = looked.result(check=False), acted.result(check=False)
        assert witness.state(fog4, fog4) == before
    assert not reset["changed"]
    # Where the host could be looked at, a reset that may not be done is refused and not failed.
    messages = [reset["msg"] if reset["_failed"] else reset["refused"]]
    if bad.failed:
        assert result["_failed"]
        messages.append(result["msg"])
    else:
        assert not result["_failed"], result["_output"]
        (found,) = [found for found in result["findings"] if found["id"] == bad.finding]
        messages.append(" ".join([found["summary"], *found["evidence"], found["repair"]]))
    for message in messages:
        assert is_clear(message), message
        for word in bad.words:
            assert word in message, message
    assert layout.SECRET not in result["_output"] + reset["_output"]


def _mend(host: Host) -> None:
    """Put back what a bad input took away; the stale session stays."""
    for path in processes.tree_path(host, PACKAGES).glob("*.away"):
        host.run(["mv", f"{PACKAGES}/{path.name}", f"{PACKAGES}/{path.name.removesuffix('.away')}"])
    start_database(host)
    tables = [next(iter(row.values())) for row in Sql(host).rows("SHOW TABLES")]
    if "away" in tables:
        Sql(host).run("RENAME TABLE away TO multicastSessionsAssoc")
    if Sql(host).rows("SHOW COLUMNS FROM multicastSessions LIKE 'msAway'"):
        Sql(host).run("ALTER TABLE multicastSessions CHANGE msAway msState int(11) NOT NULL")
    Sql(host).run("UPDATE schemaVersion SET vValue = %s", layout.SCHEMA)
    host.run(["rm", "-f", f"{layout.FOG_SETTINGS}.away"])
    host.write(layout.FOG_SETTINGS, files.fog_settings(host.spec, host.spec), 0o600)


def test_a_server_gone_in_the_middle_of_a_query_is_a_finding(lab: Lab, fog1: Host) -> None:
    with held_daemon(fog1), held(fog1, "LOCK TABLES tasks WRITE"):
        run = controller.start(lab, fog1, INFO)
        waiting(fog1, "SELECT taskID")
        stop_database(fog1)
        result = run.result()
    assert controller.finding_ids(result) >= {"fog.db.unreachable"}
    (found,) = [found for found in result["findings"] if found["id"] == "fog.db.unreachable"]
    assert is_clear(found["summary"])


def test_without_ip_it_says_so(lab: Lab, fog4: Host) -> None:
    path = fog4.run(["sh", "-c", "readlink -f $(command -v ip)"]).stdout.strip()
    with held_daemon(fog4):
        fog4.run(["mv", path, f"{path}.away"])
        # The name in /sbin may be a link of its own.
        assert fog4.run(["sh", "-c", "command -v ip >/dev/null && ip -V"], check=False).returncode != 0
        try:
            result = info(lab, fog4, check=False)
        finally:
            fog4.run(["mv", f"{path}.away", path])
    told = result["msg"] if result["_failed"] else str(result["findings"])
    assert re.search(r"\bip\b", told), told
    assert "iproute" in told or "cannot be run" in told, told


# --- logs and clocks ------------------------------------------------------------------------------------------------


def test_an_enormous_log_and_one_that_is_no_text(lab: Lab, fog1: Host) -> None:
    (session,) = stale(fog1, fog1, "stale")
    sql = Sql(fog1)
    sql.set("SERVICE_LOG_SIZE", str(10**9))
    with held_daemon(fog1):
        log = processes.tree_path(fog1, layout.LOG)
        text, written = log.read_bytes(), log.stat().st_mtime
        noise = random.Random(2).randbytes(1_000_000)
        with log.open("wb") as file:
            for _ in range(100):
                file.write(noise)
            file.write(b"\n" + text)
        # Its last line's stamp and its time tell FOG's time zone.
        os.utime(log, (written, written))
        assert log.stat().st_size > 100_000_000
        result = info(lab, fog1)
    assert "fog.session.stale" in controller.finding_ids(result)
    assert len(str(result["log"])) < 100_000
    assert [found["id"] for found in result["sessions"]] == [session.id]


@pytest.mark.parametrize("where", ["rows", "log"])
def test_a_clock_that_jumped_proves_nothing(lab: Lab, fog1: Host, where: str) -> None:
    (session,) = stale(fog1, fog1, "stale")
    with held_daemon(fog1):
        if where == "rows":
            Sql(fog1).run(
                "UPDATE tasks SET taskCheckIn = UTC_TIMESTAMP() + INTERVAL 1 DAY WHERE taskID = %s", session.tasks[0]
            )
        else:
            log = processes.tree_path(fog1, layout.LOG)
            stamp = time.strftime("%m-%d-%y %I:%M:%S %p", time.gmtime(time.time() + 86400)).lower()
            line = f"[{stamp}]  | Task ID: {session.id} Name: {session.name} is already running with pid: 9\n"
            log.write_text(log.read_text(encoding="utf-8") + line, encoding="utf-8")
        before = witness.checksums(fog1)
        looked, acted = controller.start(lab, fog1, INFO), controller.start(lab, fog1, RESET)
        result, reset = looked.result(), acted.result()
        assert witness.checksums(fog1) == before
    assert "fog.session.stale" not in controller.finding_ids(result)
    assert not reset["changed"]
    assert reset["sessions"] == []


# --- Pythons --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["stale-session", "task-orphan", "udp-sender-missing"])
def test_every_python_finds_the_same(lab: Lab, boot: Boot, fault: str) -> None:
    versions = {"fog2": "3.9", "fog1": "3.11", "fog3": "3.13"}
    with borrowed(lab, boot, *versions) as hosts, ThreadPoolExecutor(len(hosts)) as pool:
        for host in hosts:
            said = host.run(["python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).stdout.strip()
            assert said == versions[host.name]
        list(pool.map(lambda host: FAULTS[fault](lab, host), hosts))
        results = list(pool.map(lambda host: info(lab, host), hosts))
    found = [[(one["id"], one["severity"], one["repairable"]) for one in result["findings"]] for result in results]
    assert found[0]
    assert found[0] == found[1] == found[2]


def test_the_session_is_described(lab: Lab, fog1: Host) -> None:
    session: Session = sending(fog1, fog1, "live")
    result = info(lab, fog1)
    assert controller.finding_ids(result) == set()
    (told,) = result["sessions"]
    assert (told["id"], told["port"], told["state"], told["sending"]) == (session.id, session.port, 3, True)
    assert sorted(told["tasks"]) == sorted(session.tasks)
    (sender,) = result["senders"]
    assert (sender["port"], sender["session"], sender["interface"]) == (session.port, session.id, layout.NIC)
    restart(fog1)

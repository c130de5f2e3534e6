"""fog_multicast_reset on real sessions: what it ends, what it leaves, and what happens when something goes wrong."""

import hashlib
import json
import signal
import stat
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.lab import controller, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import Session, age_session, check_in, layout, processes, queue_session
from tests.lab.fog.database import Sql
from tests.lab.fog.service import log_shows, stop_database
from tests.lab.fog.sessions import age_logs
from tests.lab.held import held, waiting
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import (
    CANCELLED,
    assert_cancelled,
    held_daemon,
    receiving,
    sender_ids,
    sending,
    stale,
    states,
)

RESET = "fog_multicast_reset"
BACKUPS = "/var/backups/imaging.multicast"
LOCK = f"imaging.multicast:{layout.DATABASE}"
ROW_TABLES = ("multicastSessions", "multicastSessionsAssoc", "tasks")
ADMIN: Mapping[str, Any] = {"login_user": "labadmin", "login_password": layout.secret("labadmin", "db")}


@pytest.fixture
def fog4(lab: Lab, boot: Boot) -> Iterator[Host]:
    """A FOG server whose database no other daemon works on."""
    with borrowed(lab, boot, "fog4") as (host,):
        host.run(["rm", "-rf", BACKUPS])
        yield host


@pytest.fixture
def storage(lab: Lab, boot: Boot) -> Iterator[tuple[Host, Host]]:
    """fog1 and the storage node store1, which is master of its own group in the database of fog1."""
    with borrowed(lab, boot, "fog1", "store1") as (server, node):
        yield server, node


@pytest.fixture(scope="module")
def broken(lab: Lab, boot: Boot) -> Iterator[tuple[Host, Session]]:
    """fog2 with a stale session, for tests that must not change anything."""
    with borrowed(lab, boot, "fog2") as (host,):
        (session,) = stale(host, host, "stale")
        yield host, session


def reset(lab: Lab, host: Host, *options: str, check: bool = True, **arguments: Any) -> dict[str, Any]:
    return controller.module(lab, host, RESET, *options, arguments=arguments, check=check)


def start(lab: Lab, host: Host, **arguments: Any) -> controller.Started:
    return controller.start(lab, host, RESET, arguments=arguments)


def kinds(result: Mapping[str, Any], outcome: str = "done") -> list[str]:
    return [step["kind"] for step in result["steps"] if step["outcome"] == outcome]


def is_one_sentence(message: str) -> bool:
    return bool(message) and "\n" not in message and "Traceback" not in message and layout.SECRET not in message


def checksums(server: Host) -> dict[str, str]:
    found = witness.checksums(server)
    return {table: found[table] for table in ROW_TABLES}


# --- live sessions --------------------------------------------------------------------------------------------------


def test_a_live_session_is_not_touched_and_its_clients_get_the_image(lab: Lab, boot: Boot, fog4: Host) -> None:
    clients = boot("client1", "client2")
    session = sending(fog4, fog4)
    with receiving(clients[0], session) as first:
        age_session(fog4, session, 86400)
        sender = sender_ids(fog4, session.port)
        before = checksums(fog4)

        result = reset(lab, fog4, stale_after=1)

        assert not result["changed"]
        assert result["steps"] == []
        assert sender_ids(fog4, session.port) == sender
        assert checksums(fog4) == before
        # The sender waited for its second client.
        with receiving(clients[1], session) as second:
            sums = _sums(fog4)
            assert first.wait() == sums
            assert second.wait() == sums


def _sums(host: Host) -> list[str]:
    folder = processes.tree_path(host, f"{layout.IMAGES}/{layout.WINDOWS.folder}")
    numbers = range(1, len(layout.WINDOWS.partitions) + 1)
    return [hashlib.sha256((folder / f"d1p{number}.img").read_bytes()).hexdigest() for number in numbers]


def test_clients_that_still_write_after_the_sender_ended_are_left(lab: Lab, fog4: Host) -> None:
    (session,) = stale(fog4, fog4, "writing")
    check_in(fog4, session)
    before = checksums(fog4)

    result = reset(lab, fog4, stale_after=600)

    assert not result["changed"]
    assert any(f"Session {session.id} is left alone" in note for note in result["notes"])
    assert checksums(fog4) == before
    assert states(fog4, session) == (3, [3, 3], 2)


def test_a_session_that_waits_for_a_slot_is_left(lab: Lab, fog4: Host) -> None:
    sending(fog4, fog4, "first")
    with held_daemon(fog4):
        session = queue_session(fog4, name="second")
        Sql(fog4).set("FOG_MULTICAST_MAX_SESSIONS", "1")
    log_shows(fog4, "now the task is queued!")
    age_session(fog4, session, 7200)
    age_logs(fog4, 7200)
    log_shows(fog4, "is already running with pid", last=True)

    result = reset(lab, fog4)

    assert not result["changed"]
    assert any(f"Session {session.id} is left alone" in note and "queued" in note for note in result["notes"])
    assert states(fog4, session) == (1, [1, 1], 2)


# --- ending ---------------------------------------------------------------------------------------------------------


def test_a_named_session_ends_with_its_sender_and_no_next_file_starts(lab: Lab, boot: Boot, fog4: Host) -> None:
    (client,) = boot("client1")
    session, other = sending(fog4, fog4, "named"), sending(fog4, fog4, "other")
    with receiving(client, session):
        sender, others = processes.senders(fog4, session.port), sender_ids(fog4, other.port)
        assert [process.argv[0] == "sh" for process in sender] == [True, False]
        result = reset(lab, fog4, sessions=[session.id])
        assert sender_ids(fog4, session.port) == []
    assert (result["sessions"], result["tasks"]) == ([session.id], list(session.tasks))
    assert [ended["pid"] for ended in result["senders_ended"]] == [sender[0].pid]
    assert kinds(result) == ["sender.end", *["task.cancel"] * 2, *["association.delete"] * 2, "session.cancel"]
    assert_cancelled(fog4, session)
    said = fog4.read(f"{layout.LOG}.udpcast.{session.id}")
    assert said.count("Udp-sender ") == 1, f"the shell started its next file: {said}"
    assert sender_ids(fog4, other.port) == others
    assert states(fog4, other) == (3, [1, 1], 2)


def test_scope_all_ends_every_session_of_this_host(lab: Lab, fog4: Host) -> None:
    sessions = [sending(fog4, fog4, "one"), sending(fog4, fog4, "two")]
    planned = reset(lab, fog4, "--check", scope="all")
    assert len(processes.senders(fog4)) == 4
    result = reset(lab, fog4, scope="all")
    assert planned["sessions"] == result["sessions"] == [session.id for session in sessions]
    assert processes.senders(fog4) == []
    for session in sessions:
        assert_cancelled(fog4, session)
    assert not reset(lab, fog4, scope="all")["changed"]


def test_end_senders_false_leaves_the_sender(lab: Lab, fog4: Host) -> None:
    session = sending(fog4, fog4)
    sender = sender_ids(fog4, session.port)
    result = reset(lab, fog4, sessions=[session.id], end_senders=False)
    assert result["senders_ended"] == []
    assert sender_ids(fog4, session.port) == sender
    assert_cancelled(fog4, session)


def test_only_the_exact_port_is_ended(lab: Lab, fog4: Host) -> None:
    sql = Sql(fog4)
    sql.set("FOG_UDPCAST_STARTINGPORT", "6310")
    short = sending(fog4, fog4, "short")
    sql.set("FOG_UDPCAST_STARTINGPORT", "63100")
    long = sending(fog4, fog4, "long")
    assert (short.port, long.port) == (6310, 63100)
    kept = sender_ids(fog4, long.port)
    assert len(kept) == 2

    reset(lab, fog4, sessions=[short.id])

    assert sender_ids(fog4, short.port) == []
    assert sender_ids(fog4, long.port) == kept


def test_delete_takes_the_rows_of_the_session_and_no_others(lab: Lab, fog4: Host) -> None:
    (gone,) = stale(fog4, fog4, "gone")
    live = sending(fog4, fog4, "kept")
    sql = Sql(fog4)
    sql.run(
        "INSERT INTO tasks SELECT NULL, 'unicast', taskCreateTime, taskCheckIn, 7, taskImageID, 1, taskIsDebug,"
        " taskCreateBy, taskForce, taskScheduledStartTime, 1, taskPCT, taskBPM, taskTimeElapsed, taskTimeRemaining,"
        " taskDataCopied, taskPercentText, taskDataTotal, taskNFSGroupID, taskNFSMemberID, taskNFSFailures,"
        " taskLastMemberID, taskWOL, taskPassreset, taskShutdown FROM tasks WHERE taskID = %s",
        gone.tasks[0],
    )

    def count() -> list[int]:
        return [int(sql.value(f"SELECT COUNT(*) FROM {table}")) for table in ROW_TABLES]

    before = count()

    result = reset(lab, fog4, method="delete")

    assert result["sessions"] == [gone.id]
    assert states(fog4, gone) == (None, [], 0)
    assert [one - other for one, other in zip(before, count(), strict=True)] == [1, 2, 2]
    assert states(fog4, live) == (3, [1, 1], 2)


def test_orphans_of_years_are_cleared_at_once(lab: Lab, fog4: Host) -> None:
    sql = Sql(fog4)
    sql.run("INSERT INTO multicastSessionsAssoc (msID, tID) SELECT 900000 + seq, 900000 + seq FROM seq_1_to_2500")
    planned = reset(lab, fog4, "--check")
    result = reset(lab, fog4)
    assert len(result["associations"]) == 2500
    assert planned["associations"] == result["associations"]
    assert int(sql.value("SELECT COUNT(*) FROM multicastSessionsAssoc")) == 0
    assert controller.finding_ids(result) == set()
    assert not reset(lab, fog4)["changed"]


# --- between look and act -------------------------------------------------------------------------------------------


def test_a_session_that_comes_to_life_between_look_and_act_survives(lab: Lab, fog4: Host) -> None:
    dead, alive = stale(fog4, fog4, "dead", "alive")
    with held(fog4, "LOCK TABLES tasks READ") as holder:
        run = start(lab, fog4)
        waiting(fog4, "UPDATE `tasks`")
        # The module has looked at both sessions and hangs in the first step of the first one.
        Sql(fog4).run("UPDATE multicastSessions SET msPercent = 7 WHERE msID = %s", alive.id)
        holder.release()
        result = run.result()
    assert result["sessions"] == [dead.id]
    assert_cancelled(fog4, dead)
    assert states(fog4, alive) == (3, [1, 1], 2)
    skipped = [step for step in result["steps"] if step["outcome"] == "skipped"]
    assert [step["kind"] for step in skipped] == [*["task.cancel"] * 2, *["association.delete"] * 2, "session.cancel"]
    assert all(step["detail"] for step in skipped)


def test_a_row_that_changed_meanwhile_is_not_written(lab: Lab, fog4: Host) -> None:
    (session,) = stale(fog4, fog4, "changed")
    with held_daemon(fog4):
        with held(fog4, "LOCK TABLES multicastSessionsAssoc READ") as holder:
            run = start(lab, fog4)
            waiting(fog4, "DELETE FROM `multicastSessionsAssoc`")
            Sql(fog4).run("UPDATE multicastSessions SET msState = 1 WHERE msID = %s", session.id)
            holder.release()
            result = run.result()
        assert kinds(result, "skipped") == ["session.cancel"]
        assert states(fog4, session)[0] == 1


# --- other hosts' sessions ------------------------------------------------------------------------------------------


def test_a_session_of_another_master_is_left(lab: Lab, storage: tuple[Host, Host]) -> None:
    server, node = storage
    (theirs,) = stale(node, server, "theirs", image="lab-store1")
    (ours,) = stale(server, server, "ours")
    _add_admin(server)
    login = {**ADMIN, "login_host": server.address}

    from_server = reset(lab, server, "--check")
    from_node = reset(lab, node, "--check", **login)

    assert from_server["sessions"] == [ours.id]
    assert from_node["sessions"] == [theirs.id]
    before = states(server, theirs)
    assert reset(lab, server)["sessions"] == [ours.id]
    assert states(server, theirs) == before


def test_a_user_without_delete_does_no_half_reset_and_another_login_a_whole_one(
    lab: Lab, storage: tuple[Host, Host]
) -> None:
    server, node = storage
    (session,) = stale(node, server, "theirs", image="lab-store1")
    before = checksums(server)

    refused = reset(lab, node)

    assert not refused["changed"]
    assert not kinds(refused)
    assert "fogstorage" in refused["refused"]
    assert "login_user" in refused["refused"]
    assert is_one_sentence(refused["refused"])
    assert checksums(server) == before

    _add_admin(server)
    result = reset(lab, node, "-vvv", "--diff", login_host=server.address, **ADMIN)
    assert result["sessions"] == [session.id]
    assert_cancelled(server, session)
    assert layout.SECRET not in result["_output"]


def _add_admin(server: Host) -> None:
    Sql(server).batch(
        ("CREATE OR REPLACE USER 'labadmin'@%s IDENTIFIED BY %s", "%", ADMIN["login_password"]),
        ("GRANT ALL PRIVILEGES ON fog.* TO 'labadmin'@%s", "%"),
    )


# --- backup ---------------------------------------------------------------------------------------------------------


def test_a_backup_holds_exactly_the_affected_rows_and_puts_them_back(lab: Lab, fog4: Host) -> None:
    finished, session = stale(fog4, fog4, "finished", "stale")
    reset(lab, fog4, sessions=[finished.id])
    with held_daemon(fog4):
        before = checksums(fog4)
        result = reset(lab, fog4)
        after = checksums(fog4)
        path = result["backup_file"]

        about = processes.tree_path(fog4, path).stat()
        folder = processes.tree_path(fog4, BACKUPS)
        assert stat.S_IMODE(about.st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(list(folder.iterdir())) == 2, "a reset leaves one file, and nothing beside it"
        saved = json.loads(fog4.read(path))
        assert sorted((row["table"], row["key"]) for row in saved["rows"]) == sorted(
            [
                ("multicastSessions", session.id),
                *(("tasks", task) for task in session.tasks),
                *(("multicastSessionsAssoc", number) for number in result["associations"]),
            ]
        )
        assert layout.SECRET not in fog4.read(path)

        assert reset(lab, fog4, "--check", restore_from=path)["changed"]
        assert checksums(fog4) == after
        assert reset(lab, fog4, restore_from=path)["changed"]
        assert checksums(fog4) == before
        assert not reset(lab, fog4, restore_from=path)["changed"]
        assert checksums(fog4) == before


def test_restore_leaves_what_was_changed_since(lab: Lab, fog4: Host) -> None:
    (session,) = stale(fog4, fog4, "stale")
    with held_daemon(fog4):
        path = reset(lab, fog4)["backup_file"]
        Sql(fog4).run("UPDATE multicastSessions SET msState = 4 WHERE msID = %s", session.id)
        result = reset(lab, fog4, restore_from=path)
    assert session.id not in result["sessions"]
    assert any(f"session {session.id}" in note for note in result["notes"])
    assert states(fog4, session) == (4, [1, 1], 2)


@pytest.mark.parametrize("trouble", ["full disk", "read-only", "a file in its place"])
def test_without_a_backup_nothing_is_changed(lab: Lab, broken: tuple[Host, Session], trouble: str) -> None:
    host, session = broken
    folder = "/mnt/backups"
    host.run(["mkdir", "-p", folder])
    if trouble == "full disk":
        host.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", folder])
        host.run(["dd", "if=/dev/zero", f"of={folder}/filler", "bs=1k", "count=100"], check=False)
    elif trouble == "read-only":
        host.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder])
    else:
        host.run(["rmdir", folder])
        host.write(folder, "a file\n")
    before, senders = checksums(host), processes.senders(host)
    try:
        result = reset(lab, host, check=False, backup_dir=folder)
        left = host.run(["find", folder, "-mindepth", "1", "-not", "-name", "filler"]).stdout
    finally:
        host.run(["umount", folder], check=False)
        host.run(["rm", "-rf", folder])
    assert result["_failed"]
    assert is_one_sentence(result["msg"])
    assert folder in result["msg"]
    assert "backup_dir" in result["msg"]
    assert left == "", "something half-written stayed"
    assert checksums(host) == before
    assert processes.senders(host) == senders
    assert states(host, session)[0] == 3


# --- two runs at once -----------------------------------------------------------------------------------------------


def test_two_runs_on_one_database_keep_apart(lab: Lab, fog4: Host) -> None:
    (session,) = stale(fog4, fog4, "stale")
    # A statement that waits to write must not keep the second run from looking.
    with held(fog4, "SET GLOBAL low_priority_updates = 1", "LOCK TABLES tasks READ") as holder:
        first = start(lab, fog4)
        number = waiting(fog4, "UPDATE `tasks`")
        holder.run("SET GLOBAL low_priority_updates = 0")
        second = start(lab, fog4)
        waiting(fog4, "SELECT GET_LOCK")
        time.sleep(0.5)  # long enough to be told in tenths of a second
        holder.release()
        results = first.result(), second.result()
    assert results[0]["sessions"] == [session.id]
    assert results[0]["waited_for_lock"] == 0
    assert not results[1]["changed"]
    assert results[1]["waited_for_lock"] > 0
    assert results[1]["lock_holder"] == number
    said = fog4.run(["journalctl", "--quiet", "--output=cat", "--since=-5min"]).stdout
    assert f"another repair of database {layout.DATABASE} (connection {number})" in said
    assert_cancelled(fog4, session)


def test_a_lock_held_too_long_is_a_clear_error(lab: Lab, broken: tuple[Host, Session]) -> None:
    host, _ = broken
    before = checksums(host)
    with held(host, f"SELECT GET_LOCK('{LOCK}', 0)") as holder:
        result = reset(lab, host, check=False, lock_timeout=1)
        assert result["_failed"]
        assert is_one_sentence(result["msg"])
        assert str(holder.id) in result["msg"]
        assert "lock_timeout" in result["msg"]
    assert checksums(host) == before


# --- interruptions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "statement", "reached"),
    [
        ("tasks", "UPDATE `tasks`", (3, [1, 1], 2)),
        ("multicastSessionsAssoc", "DELETE FROM `multicastSessionsAssoc`", (3, [CANCELLED, CANCELLED], 2)),
        ("multicastSessions", "UPDATE `multicastSessions`", (3, [CANCELLED, CANCELLED], 0)),
    ],
)
def test_a_second_run_finishes_what_a_killed_one_began(
    lab: Lab, fog4: Host, table: str, statement: str, reached: tuple[int, list[int], int]
) -> None:
    (session,) = stale(fog4, fog4, "stale")
    with held_daemon(fog4):
        with held(fog4, f"LOCK TABLES {table} READ"):
            run = start(lab, fog4)
            number = waiting(fog4, statement)
            _kill_module(fog4)
            # The server would still carry out what it was sent; here it was never sent.
            Sql(fog4).run(f"KILL {number}")
            run.text()
        assert states(fog4, session) == reached
        assert reset(lab, fog4)["sessions"] == [session.id]
        assert_cancelled(fog4, session)
        assert not reset(lab, fog4)["changed"]


def _kill_module(host: Host) -> None:
    def modules() -> list[int]:
        # A pipelined module is a Python without arguments; otherwise it is one that runs Ansible's wrapper.
        return [
            process.pid
            for process in processes.running(host)
            if process.argv[0].endswith("python3") and (len(process.argv) == 1 or "AnsiballZ" in " ".join(process.argv))
        ]

    for pid in processes.wait_for("the module's process", modules):
        processes.send_signal(host, pid, signal.SIGKILL)
    processes.wait_for("the module's end", lambda: not modules())


def test_a_server_gone_in_the_middle_is_one_sentence(lab: Lab, fog4: Host) -> None:
    stale(fog4, fog4, "stale")
    with held_daemon(fog4), held(fog4, "LOCK TABLES tasks READ"):
        run = start(lab, fog4)
        waiting(fog4, "UPDATE `tasks`")
        stop_database(fog4)
        result = run.result(check=False)
    assert result["_failed"]
    assert is_one_sentence(result["msg"])
    assert "database" in result["msg"]
    assert [step["outcome"] for step in result["steps"]][:2] == ["failed", "skipped"]
    assert result["backup_file"]


def test_a_session_that_is_not_active_is_refused(lab: Lab, broken: tuple[Host, Session]) -> None:
    host, session = broken
    before = checksums(host)
    result = reset(lab, host, sessions=[session.id, 4711], check=False)
    assert result["_failed"]
    assert is_one_sentence(result["msg"])
    assert "4711" in result["msg"]
    assert checksums(host) == before

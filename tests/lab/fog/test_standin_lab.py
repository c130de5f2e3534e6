"""The stand-in at work in the lab: the same situations as the recorded cases, and what the facts say beyond them."""

import hashlib
import signal
import time

import pytest

from tests.lab.conftest import Boot
from tests.lab.fog import faults, files, health, layout, nic, processes, recorded, sessions
from tests.lab.fog.conftest import Fresh
from tests.lab.fog.database import Sql
from tests.lab.fog.service import assert_nothing_refused, log, log_shows, refused, restart, use_sysv
from tests.lab.host import Host, HostError
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab


def lines(host: Host) -> list[str]:
    return recorded.normalised("\n".join(log(host)))


def last_lines(host: Host) -> list[str]:
    return recorded.after_last_new(lines(host))


def sent(host: Host, clients: int = 2) -> sessions.Session:
    """A session that the daemon sends, after at least one look that found it running."""
    session = sessions.queue_session(host, clients=clients)
    sessions.wait_sending(host, session)
    log_shows(host, f"Task ID: {session.id} Name: {session.name} is already running with pid: ")
    return session


def row(host: Host, session: sessions.Session) -> tuple[object, ...]:
    """What cancel and complete change of a session: state, name, clients, whether it has an end; associations left."""
    (_, found), (_, left) = Sql(host).batch(
        ("SELECT msState, msName, msClients, msCompleteDateTime > 0 AS ended FROM multicastSessions WHERE msID = %s",
         session.id),
        ("SELECT msaID FROM multicastSessionsAssoc WHERE msID = %s", session.id),
    )  # fmt: skip
    return (*found[0].values(), len(left))


def task_states(host: Host, session: sessions.Session) -> list[int]:
    query = "SELECT taskStateID FROM tasks WHERE taskID IN %s ORDER BY taskID"
    return [task["taskStateID"] for task in Sql(host).rows(query, list(session.tasks))]


# --- the recorded cases


def test_start_and_process_tree(fresh: Fresh) -> None:
    host = fresh("fog1")
    health.assert_serving(host)
    assert lines(host) == [*recorded.START, recorded.NOTHING]
    parent, child = processes.daemon(host), processes.child(host)
    assert parent is not None
    assert child is not None
    assert (parent.parent, child.parent) == (1, parent.pid)
    titles = [host.read(f"/proc/{process.pid}/comm").strip() for process in (parent, child)]
    assert titles == ["fog-stand-in"] * 2
    assert "STAND-IN" in host.run(["systemctl", "show", "--property=Description", layout.UNIT]).stdout


def test_clients_never_reported(fresh: Fresh) -> None:
    host = fresh("fog1")
    session = sent(host)
    shell, sender = processes.senders(host, session.port)
    child = processes.child(host)
    assert child is not None
    assert (shell.argv[:2], shell.parent, sender.parent) == (("sh", "-c"), child.pid, shell.pid)
    assert sender.argv[0] == layout.SENDER_LINK
    assert f"/usr/local/sbin/udp-sender {' '.join(sender.argv[1:])};" in shell.argv[2]
    assert shell.argv[2].count(";") == len(layout.WINDOWS.partitions)
    assert row(host, session) == (3, session.name, 0, 0, 2)
    processes.kill_senders(host)
    log_shows(host, "is no longer running")
    recorded.compare(lines(host), recorded.CLIENTS_NEVER_REPORTED.lines)
    assert row(host, session) == (3, session.name, 0, 0, 2)


def test_two_clients_receive_a_session_and_it_completes(fresh: Fresh, boot: Boot) -> None:
    host = fresh("fog1")
    clients = boot("client1", "client2")
    session = sessions.queue_session(host)
    sessions.wait_sending(host, session)
    sessions.check_in(host, session)
    assert task_states(host, session) == [3, 3]
    receivers = [sessions.receive(client, session) for client in clients]
    folder = processes.tree_path(host, f"{layout.IMAGES}/{layout.WINDOWS.folder}")
    wanted = [
        hashlib.sha256((folder / f"d1p{number}.img").read_bytes()).hexdigest()
        for number in range(1, len(layout.WINDOWS.partitions) + 1)
    ]
    assert [receiver.wait() for receiver in receivers] == [wanted, wanted]
    log_shows(host, "is no longer running")
    sessions.complete(host, session)
    log_shows(host, "is now completed")
    log_shows(host, recorded.NOTHING, last=True)
    tail = last_lines(host)
    # The transfer may be over before the daemon looks a second time.
    expected = [*recorded.PICK_UP, recorded.RUNNING, recorded.GONE, *recorded.COMPLETED, recorded.NOTHING]
    assert tail in (expected, [line for line in expected if line != recorded.RUNNING])
    assert row(host, session) == (4, "", 0, 1, 0)
    assert task_states(host, session) == [4, 4]
    udpcast = host.read(f"{layout.LOG}.udpcast.{session.id}")
    assert "] Task startedUdp-sender " in udpcast.splitlines()[0]
    recorded.compare(recorded.udpcast(udpcast), recorded.UDPCAST_FILE * len(layout.WINDOWS.partitions))


def test_completing_ends_a_sender_that_still_waits(fresh: Fresh) -> None:
    host = fresh("fog1")
    session = sent(host)
    sessions.complete(host, session)
    log_shows(host, "is now completed")
    assert processes.senders(host) == []


def test_cancelled_in_the_database(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    session = sent(host)
    sessions.cancel(host, session)
    log_shows(host, recorded.NOTHING, last=True)
    recorded.compare(last_lines(host), recorded.CANCELLED.lines)
    assert len(processes.senders(host, session.port)) == 2
    assert row(host, session) == (5, "", 0, 1, 0)


def test_one_cancelled_task_cancels_the_session(fresh: Fresh) -> None:
    host = fresh("fog1")
    session = sent(host)
    Sql(host).run("UPDATE tasks SET taskStateID = 5 WHERE taskID = %s", session.tasks[0])
    log_shows(host, "is now cancelled")
    log_shows(host, recorded.NOTHING, last=True)
    recorded.compare(last_lines(host), recorded.TASK_CANCELLED.lines)
    assert len(processes.senders(host, session.port)) == 2
    assert row(host, session) == (5, "", 0, 1, 0)
    assert task_states(host, session) == [5, 5]


def test_master_lost_while_running(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    session = sessions.queue_session(host)
    restart(host)
    sessions.wait_sending(host, session)
    processes.kill_senders(host)
    log_shows(host, "is no longer running")
    sessions.cancel(host, session)
    log_shows(host, recorded.NOTHING, last=True)
    faults.FAULTS["no-master"](lab, host)
    found = [line for line in lines(host) if line != recorded.RUNNING]
    recorded.compare(found, recorded.NO_MASTER.lines)


def test_master_on_nas_at_the_start(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    faults.FAULTS["master-on-nas"](lab, host)
    sessions.queue_session(host)
    restart(host)
    log_shows(host, recorded.NOT_MASTER)
    recorded.compare(lines(host), recorded.MASTER_IS_NAS.lines)
    assert Sql(host).value("SELECT msState FROM multicastSessions") == 0


def test_no_local_node_at_the_start(fresh: Fresh) -> None:
    host = fresh("fog1")
    Sql(host).run("DELETE FROM nfsGroupMembers WHERE ngmMemberName <> 'nas1'")
    restart(host)
    log_shows(host, "Interface not ready, waiting for it to come up: 10.99.1.1")
    recorded.compare(lines(host), recorded.ONLY_NAS.lines)


def test_renamed_nic_is_found_by_its_route(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    session = sessions.queue_session(host)
    faults.FAULTS["nic-renamed"](lab, host)
    log_shows(host, "is already running")
    recorded.compare(lines(host), recorded.NIC_RENAMED.lines)
    assert all(f"--interface {nic.RENAMED} " in " ".join(found.argv) for found in processes.senders(host, session.port))


def test_image_missing(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    faults.FAULTS["image-missing"](lab, host)
    log_shows(host, recorded.NOTHING, last=True)
    recorded.compare(lines(host), recorded.IMAGE_MISSING.lines)
    assert Sql(host).value("SELECT msState FROM multicastSessions") == 0


def test_globally_disabled_at_the_start(fresh: Fresh) -> None:
    host = fresh("fog1")
    Sql(host).set("MULTICASTGLOBALENABLED", "0")
    restart(host)
    log_shows(host, "globally disabled")
    recorded.compare(lines(host), recorded.DISABLED.lines)


def test_udp_sender_missing_and_the_parent_that_forks_again(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    Sql(host).set("SERVICESLEEPTIME", "1")
    host.remove(f"{layout.LOG_FOLDER}/servicemaster.log")
    faults.FAULTS["udp-sender-missing"](lab, host)
    assert lines(host) == list(recorded.NO_SENDER.lines)

    def master() -> list[str]:
        return recorded.master(host.read(f"{layout.LOG_FOLDER}/servicemaster.log"))

    processes.wait_for("the second child", lambda: len(master()) >= len(recorded.MASTER_LOG))
    assert master()[: len(recorded.MASTER_LOG)] == list(recorded.MASTER_LOG)


# --- beyond the recorded cases


def test_dead_child_stays_dead_while_the_unit_is_active(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    faults.FAULTS["child-dead"](lab, host)
    time.sleep(2)
    assert processes.child(host) is None
    assert host.run(["systemctl", "is-active", layout.UNIT]).stdout.strip() == "active"


def test_killed_child_is_forked_again(fresh: Fresh) -> None:
    host = fresh("fog1")
    Sql(host).set("SERVICESLEEPTIME", "1")
    restart(host)
    child = processes.wait_for("the child", lambda: processes.child(host))
    log_shows(host, recorded.NOTHING)
    processes.send_signal(host, child.pid, signal.SIGKILL)
    said = f"({child.pid}) exited with code 137."
    master = f"{layout.LOG_FOLDER}/servicemaster.log"
    processes.wait_for("the parent to say so", lambda: said in host.read(master))
    again = processes.wait_for("another child", lambda: processes.child(host))
    assert again.pid != child.pid


def test_wrong_password_ends_the_child_with_10_and_writes_nothing(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog1")
    wrong = layout.secret(host.name, "wrong")
    child = processes.child(host)
    host.write(layout.CONFIG, files.config_php(host.spec, host.spec, password=wrong))
    restart(host)
    processes.wait_for("the child to exit", lambda: processes.child(host) is None)
    assert child is not None
    assert log(host) == []
    done = host.run(["python3", layout.DAEMON + "x"], check=False)
    assert done.returncode != 0
    # What the parent will only log in five minutes: the exit code itself.
    code = "import sys; sys.argv = ['x']; import importlib.machinery as m, importlib.util as u;" \
        f"l = m.SourceFileLoader('standin', '{layout.DAEMON}'); s = u.spec_from_loader('standin', l);" \
        "d = u.module_from_spec(s); sys.modules['standin'] = d; l.exec_module(d); d.Manager().run()"  # fmt: skip
    assert host.run(["python3", "-B", "-c", code], check=False).returncode == 10


def test_local_addresses_are_cached(fresh: Fresh) -> None:
    host = fresh("fog1")
    new = "10.99.200.1"
    nic.ip(host, f"address add {new}/16 brd + dev {layout.NIC}")
    Sql(host).run("UPDATE nfsGroupMembers SET ngmHostname = %s WHERE ngmID = 1", new)
    log_shows(host, recorded.NOT_MASTER, last=True)
    restart(host)
    log_shows(host, recorded.NOTHING)
    assert f"Interface Ready with IP Address: {new}" in "\n".join(log(host))


def test_log_starts_anew_at_every_start_and_when_it_is_full(fresh: Fresh) -> None:
    host = fresh("fog1")
    session = sent(host)
    before = sessions.wait_sending(host, session)
    host.run(["systemctl", "restart", layout.UNIT])
    # The restart sends the session again from its first file.
    again = sessions.wait_sending(host, session)
    assert again.pid != before.pid
    log_shows(host, f"is already running with pid: {again.pid}")
    assert f"with pid: {before.pid}" not in "\n".join(log(host))
    assert [line for line in lines(host) if line == recorded.NEW] == [recorded.NEW]
    assert lines(host)[: len(recorded.START)] == list(recorded.START)
    assert row(host, session)[0] == 3
    Sql(host).set("SERVICE_LOG_SIZE", "400")
    processes.wait_for("the log to start anew", lambda: "Starting service loop" not in "\n".join(log(host)))


def test_ignored_record_is_logged_once(fresh: Fresh, lab: Lab) -> None:
    host = fresh("fog3")
    faults.FAULTS["record-stale"](lab, host)
    line = f" | Ignoring configured interface {faults.GONE_NIC}; {host.address} routes over {layout.NIC}"
    log_shows(host, line)
    session = sessions.queue_session(host)
    shell = sessions.wait_sending(host, session)
    log_shows(host, "is already running")
    assert sum(line in found for found in log(host)) == 1
    stored = Sql(host).rows("SELECT msSenderPID, msSenderNode FROM multicastSessions WHERE msID = %s", session.id)
    assert stored == [{"msSenderPID": shell.pid, "msSenderNode": 1}]


@pytest.mark.parametrize(
    ("name", "fault", "flag"),
    [
        ("fog1", "no-route", ""),
        ("fog1", "record-stale", f"--interface {layout.NIC} "),
        ("fog1", "interface-absent", f"--interface {faults.GONE_NIC} "),
        ("fog1", "lookup-bug", "--interface dev "),
        ("fog3", "no-route", f"--interface {layout.NIC} "),
        ("fog3", "fallback-absent", f"--interface {faults.GONE_NIC} "),
    ],
)
def test_interface_the_daemon_gives_to_udp_sender(fresh: Fresh, lab: Lab, name: str, fault: str, flag: str) -> None:
    host = fresh(name)
    faults.FAULTS[fault](lab, host)
    session = sessions.queue_session(host)
    command = log_shows(host, " | Command: ")
    assert command.partition(" | Command: ")[2].startswith(f"{layout.SENDER_LINK} {flag}--min-receivers 2 ")
    if flag in (f"--interface {faults.GONE_NIC} ", "--interface dev "):
        log_shows(host, "is no longer running")
        assert "No suitable network interface found" in host.read(f"{layout.LOG}.udpcast.{session.id}")
    else:
        log_shows(host, "is already running")


def test_session_without_clients_is_cancelled(fresh: Fresh) -> None:
    # store1 looks at the same sessions: it would cancel this one first, and fog1 would find nothing to say.
    store1, host = fresh("store1"), fresh("fog1")
    sql = Sql(host)
    for master in (store1, host):
        master.run(["systemctl", "stop", layout.UNIT])
    session = sessions.queue_session(host)
    sql.run("DELETE FROM multicastSessionsAssoc")
    restart(host)
    log_shows(host, "Task not created as there are no associated tasks")
    assert sql.rows("SELECT msState, msName FROM multicastSessions WHERE msID = %s", session.id) == [
        {"msState": 5, "msName": ""}
    ]


def test_odd_port_is_not_sent(fresh: Fresh) -> None:
    host = fresh("fog1")
    Sql(host).set("FOG_UDPCAST_STARTINGPORT", "50001")
    sessions.queue_session(host)
    log_shows(host, "failed to execute, port must be even and numeric")
    assert processes.senders(host) == []


def test_no_open_slots(fresh: Fresh) -> None:
    host = fresh("fog1")
    sent(host)
    sessions.queue_session(host, name="one too many")
    Sql(host).set("FOG_MULTICAST_MAX_SESSIONS", "1")
    restart(host)
    log_shows(host, " No open slots ")
    assert Sql(host).value("SELECT msState FROM multicastSessions WHERE msName LIKE 'one too%%'") == 1
    with pytest.raises(HostError, match="active sessions are all"):
        sessions.queue_session(host)


def test_starting_port_changes_with_every_session(fresh: Fresh) -> None:
    host = fresh("fog1")
    sql = Sql(host)
    first = sessions.queue_session(host)
    port = int(sql.setting("FOG_UDPCAST_STARTINGPORT"))
    assert first.port == 63100
    assert port % 2 == 0
    assert 49152 <= port <= 65532
    assert sessions.queue_session(host).port == port


def test_storage_user_cannot_delete_associations(fresh: Fresh) -> None:
    fog1, store1 = fresh("fog1"), fresh("store1")
    session = sessions.queue_session(fog1, image="lab-store1")
    sessions.wait_sending(store1, session)
    log_shows(fog1, " | Unable to find image path")
    sessions.complete(fog1, session)
    log_shows(store1, "is now completed")
    assert row(fog1, session) == (4, "", 0, 1, 2)
    assert processes.senders(fog1) == []


def test_plain_storage_node_is_no_master(fresh: Fresh) -> None:
    host = fresh("store2")
    health.assert_serving(host)
    assert lines(host) == [*recorded.START, recorded.NOT_MASTER]


def test_sysv_script_leaves_the_sender(fresh: Fresh) -> None:
    host = fresh("fog1")
    use_sysv(host)
    log_shows(host, recorded.NOTHING)
    health.assert_serving(host)
    session = sent(host)
    host.run([layout.INIT_SCRIPT, "stop"])
    assert processes.daemon(host) is None
    assert processes.child(host) is None
    assert len(processes.senders(host, session.port)) == 2
    # The new daemon does not know the old sender, and its own cannot bind.
    host.run([layout.INIT_SCRIPT, "start"])
    log_shows(host, "is no longer running")
    assert "Address already in use" in host.read(f"{layout.LOG}.udpcast.{session.id}")


def test_stopping_the_unit_ends_the_sender(fresh: Fresh) -> None:
    host = fresh("fog1")
    sent(host)
    host.run(["systemctl", "stop", layout.UNIT])
    assert processes.senders(host) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("FOG_MULTICAST_DUPLEX", "--broadcast"), ("FOG_TZ_INFO", "Europe/Berlin"), ("SERVICE_LOG_PATH", "")],
)
def test_setting_that_is_not_modelled_is_refused(fresh: Fresh, key: str, value: str) -> None:
    host = fresh("fog4", refusing=True)
    Sql(host).set(key, value)
    (line,) = processes.wait_for("the refusal", lambda: refused(host))
    assert f"stand-in does not model: setting {key} = {value!r}" in line
    with pytest.raises(AssertionError, match="stand-in refused"):
        assert_nothing_refused(host)


def test_version_that_is_not_modelled_is_refused(fresh: Fresh) -> None:
    host = fresh("fog4", refusing=True)
    host.write(layout.SYSTEM, files.system_php("1.6.0"))
    restart(host)
    assert "FOG version 1.6.0" in processes.wait_for("the refusal", lambda: refused(host))[0]

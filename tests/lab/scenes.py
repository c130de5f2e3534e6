"""Situations that several tests need: sessions that are being sent, and sessions that nobody sends any more."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.fog import Session, age_session, layout, processes, queue_session, wait_sending
from tests.lab.fog.database import Row, Sql
from tests.lab.fog.faults import LONG_AGO
from tests.lab.fog.service import log_shows
from tests.lab.fog.sessions import Receiver, age_logs, receive
from tests.lab.host import Host

ACTIVE = (0, 1, 2, 3)
CANCELLED = 5


def sending(
    host: Host, server: Host, name: str = "live", image: str = layout.WINDOWS.name, clients: int = 2
) -> Session:
    """A session that the daemon of ``host`` is sending; ``server`` holds the database."""
    session = queue_session(server, image, clients, name)
    wait_sending(host, session)
    log_shows(host, f"Task ID: {session.id} Name: {session.name} has started")
    return session


def stale(host: Host, server: Host, *names: str, image: str = layout.WINDOWS.name) -> list[Session]:
    """A stale session for each name: two hours old, in progress, its sender gone, its clients never reported."""
    found = [sending(host, server, name, image) for name in names]
    processes.kill_senders(host)
    for session in found:
        log_shows(host, f"Task ID: {session.id} Name: {session.name} is no longer running")
        age_session(server, session, LONG_AGO)
    age_logs(host, LONG_AGO)
    return found


@contextmanager
def held_daemon(host: Host) -> Iterator[None]:
    """Holds the daemon's child meanwhile, so that what is seen is not its work."""
    child = processes.wait_for(f"the daemon's child on {host.name}", lambda: processes.child(host))
    processes.send_signal(host, child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        if processes.child(host) is not None:
            processes.send_signal(host, child.pid, signal.SIGCONT)


@contextmanager
def receiving(client: Host, session: Session) -> Iterator[Receiver]:
    """A client that receives a session for real; ended afterwards when it still waits."""
    receiver = receive(client, session)
    try:
        yield receiver
    finally:
        receiver.stop()


def sender_ids(host: Host, port: int) -> list[int]:
    """Process ids of the sender of a port, the shell first."""
    return [process.pid for process in processes.senders(host, port)]


def session_row(server: Host, session: Session) -> Row | None:
    """The row of a session, None when there is none."""
    rows = Sql(server).rows("SELECT * FROM multicastSessions WHERE msID = %s", session.id)
    return rows[0] if rows else None


def states(server: Host, session: Session) -> tuple[int | None, list[int], int]:
    """State of a session (None: no row), states of its tasks that have a row, number of its associations."""
    row = session_row(server, session)
    sql = Sql(server)
    tasks = sql.rows("SELECT taskStateID FROM tasks WHERE taskID IN %s ORDER BY taskID", session.tasks)
    links = int(sql.value("SELECT COUNT(*) FROM multicastSessionsAssoc WHERE msID = %s", session.id))
    return (int(row["msState"]) if row else None), [int(task["taskStateID"]) for task in tasks], links


def assert_cancelled(server: Host, session: Session) -> None:
    """The rows are as FOG's own cancel leaves them (facts/fog.md section 3)."""
    assert states(server, session) == (CANCELLED, [CANCELLED] * len(session.tasks), 0)
    row = session_row(server, session)
    assert row is not None
    assert (row["msName"], row["msClients"]) == ("", 0)
    assert not str(row["msCompleteDateTime"]).startswith("0000")

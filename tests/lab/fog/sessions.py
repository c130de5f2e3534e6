"""What FOG's web pages and clients do in the lab: queue a session, receive, report and cancel it; and making it old."""

import datetime
import hashlib
import random
import re
import signal
import time
from collections.abc import Sequence
from typing import NamedTuple

from tests.lab.fog import layout, processes
from tests.lab.fog.database import Row, Sql
from tests.lab.host import Host, HostError

MULTICAST_TASK = 8
_ZERO_DATE = "0000-00-00 00:00:00"
# A new session's state until its tasks are associated: a daemon that sees it before that cancels it.
_HIDDEN = 4
# An image with the node that FOG notes for it: the master of its storage group, or the first node without a master.
_IMAGE = """
SELECT images.*, igaStorageGroupID, ngmID, ngmInterface FROM images JOIN imageGroupAssoc ON igaImageID = imageID
LEFT JOIN nfsGroupMembers ON ngmGroupID = igaStorageGroupID AND ngmIsEnabled = '1'
WHERE imageName = %s ORDER BY ngmIsMasterNode DESC, ngmID LIMIT 1
"""
_FREE_HOSTS = """
SELECT hostID FROM hosts WHERE hostID NOT IN (SELECT taskHostID FROM tasks WHERE taskStateID IN (0,1,2,3))
ORDER BY hostID LIMIT %s
"""
_CANCEL = """
UPDATE multicastSessions SET msState = 5, msName = '', msClients = 0, msCompleteDateTime = UTC_TIMESTAMP()
WHERE msID = %s
"""
_AGE_TASK = """
UPDATE tasks SET taskCreateTime = taskCreateTime - INTERVAL %s SECOND,
taskCheckIn = IF(taskCheckIn = 0, taskCheckIn, taskCheckIn - INTERVAL %s SECOND) WHERE taskID = %s
"""
_AGE_SESSION = "UPDATE multicastSessions SET msStartDateTime = msStartDateTime - INTERVAL %s SECOND WHERE msID = %s"


class Session(NamedTuple):
    """A queued session: msID, name, base port and its task ids."""

    id: int
    name: str
    port: int
    tasks: tuple[int, ...]


def queue_session(
    server: Host, image: str = layout.WINDOWS.name, clients: int = 2, name: str = "lab deploy"
) -> Session:
    """Queue a group task "multicast" for the first free hosts, as FOG's web page does; the daemon then takes it up.

    ``server`` is the host with the FOG database, ``image`` an image's name, ``clients`` the number of hosts. The
    setting FOG_UDPCAST_STARTINGPORT gets a new random even value, as in FOG after every session (facts/fog.md
    section 1). Raises HostError when FOG would refuse: no such image, no master, no free host, too many sessions.
    """
    sql = Sql(server)
    (_, settings), (_, found), (_, free), (_, active) = sql.batch(
        ("SELECT settingKey, settingValue FROM globalSettings",),
        (_IMAGE, image),
        (_FREE_HOSTS, clients),
        ("SELECT COUNT(*) AS number FROM multicastSessions WHERE msState IN (0,1,2,3)",),
    )
    setting = {row["settingKey"]: row["settingValue"] for row in settings}
    if not found:
        raise HostError(f"{server.name}: no image {image!r} in a storage group")
    if len(free) < clients:
        raise HostError(f"{server.name}: {clients} clients wanted, {len(free)} hosts have no task")
    if active[0]["number"] >= int(setting["FOG_MULTICAST_MAX_SESSIONS"]):
        raise HostError(f"{server.name}: {active[0]['number']} active sessions are all that FOG allows")
    port = int(setting["FOG_MULTICAST_PORT_OVERRIDE"] or "0") or int(setting["FOG_UDPCAST_STARTINGPORT"])
    return _insert(sql, found[0], [int(row["hostID"]) for row in free], f"{name} - fog", port)


def _insert(sql: Sql, image: Row, hosts: Sequence[int], name: str, port: int) -> Session:
    tasks = tuple(add_task(sql, host, name, image["imageID"], image["ngmID"] or 0) for host in hosts)
    number = sql.run(
        "INSERT INTO multicastSessions (msName, msBasePort, msLogPath, msImage, msClients, msSessClients, msInterface,"
        " msStartDateTime, msPercent, msState, msCompleteDateTime, msIsDD, msNFSGroupID, msAnon3, msAnon4, msAnon5)"
        " VALUES (%s, %s, %s, %s, 0, 0, %s, UTC_TIMESTAMP(), 0, %s, %s, %s, %s, '', '', '')",
        *(name, port, image["imagePath"], image["imageID"], image["ngmInterface"] or "", _HIDDEN, _ZERO_DATE),
        *(image["imageTypeID"], image["igaStorageGroupID"]),
    )
    next_port = random.randrange(49152, 65533, 2)
    sql.batch(
        *(("INSERT INTO multicastSessionsAssoc (msID, tID) VALUES (%s, %s)", number, task) for task in tasks),
        ("UPDATE multicastSessions SET msState = 0 WHERE msID = %s", number),
        ("UPDATE globalSettings SET settingValue = %s WHERE settingKey = 'FOG_UDPCAST_STARTINGPORT'", str(next_port)),
    )
    return Session(number, name, port, tasks)


def add_task(sql: Sql, host: int, name: str, image: int, member: int, kind: int = MULTICAST_TASK) -> int:
    """Insert a queued task (taskTypeID ``kind``) of the host row ``host``; its id."""
    return sql.run(
        "INSERT INTO tasks (taskName, taskCreateTime, taskCheckIn, taskHostID, taskImageID, taskStateID, taskIsDebug,"
        " taskCreateBy, taskForce, taskScheduledStartTime, taskTypeID, taskPCT, taskBPM, taskTimeElapsed,"
        " taskTimeRemaining, taskDataCopied, taskPercentText, taskDataTotal, taskNFSGroupID, taskNFSMemberID,"
        " taskNFSFailures, taskLastMemberID, taskWOL, taskPassreset, taskShutdown)"
        " VALUES (%s, UTC_TIMESTAMP(), %s, %s, %s, 1, 0, 'fog', '', %s, %s, 0, '', '', '', '', '', '', 0, %s, '', 0,"
        " '0', '', '')",
        *(name, _ZERO_DATE, host, image, _ZERO_DATE, kind, member),
    )


def wait_sending(host: Host, session: Session) -> processes.Running:
    """Wait until the host's daemon sends the session; the ``sh -c`` process. Raises HostError."""
    return processes.wait_for(
        f"{host.name} to send session {session.id} on port {session.port}",
        lambda: next((found for found in processes.senders(host, session.port) if found.argv[0] == "sh"), None),
    )


def check_in(server: Host, session: Session) -> None:
    """What a client tells FOG when it begins to receive: its task is in progress and has checked in now."""
    sql = Sql(server)
    sql.batch(
        *(
            ("UPDATE tasks SET taskStateID = 3, taskCheckIn = UTC_TIMESTAMP() WHERE taskID = %s", task)
            for task in session.tasks
        )
    )


def complete(server: Host, session: Session) -> None:
    """What the clients tell FOG at the end: their tasks are complete. The daemon then completes the session."""
    Sql(server).batch(*(("UPDATE tasks SET taskStateID = 4 WHERE taskID = %s", task) for task in session.tasks))


def cancel(server: Host, session: Session) -> None:
    """Cancel a session as FOG's web page does: rows only, the sender lives on (facts/fog.md section 3)."""
    Sql(server).batch(
        *(("UPDATE tasks SET taskStateID = 5 WHERE taskID = %s", task) for task in session.tasks),
        ("DELETE FROM multicastSessionsAssoc WHERE msID = %s", session.id),
        (_CANCEL, session.id),
    )


class Receiver(NamedTuple):
    """A running client: udp-receiver for each file of an image, one after the other, as FOG's client does it."""

    client: Host
    unit: str
    folder: str
    files: int

    def wait(self, timeout: float = 90.0) -> list[str]:
        """The SHA-256 of each received file. Raises HostError when not all came within ``timeout`` seconds."""
        processes.wait_for(
            f"{self.client.name} to receive {self.files} files",
            lambda: self.client.run(["systemctl", "is-active", self.unit], check=False).stdout.strip() != "active",
            timeout,
        )
        folder = processes.tree_path(self.client, self.folder)
        return [
            hashlib.sha256((folder / f"part{number}").read_bytes()).hexdigest() for number in range(1, self.files + 1)
        ]

    def stop(self) -> None:
        """End the client in the middle."""
        self.client.run(["systemctl", "stop", self.unit], check=False)


# Waits for every file's sender: the client starts the next udp-receiver before the next udp-sender is there.
_RECEIVE = """
for number in $(seq "$3"); do
    udp-receiver --nokbd --interface "$4" --portbase "$1" --file "$2/part$number"
done
"""


def receive(client: Host, session: Session, files: int = len(layout.WINDOWS.partitions)) -> Receiver:
    """Start receiving a session for real on ``client``; ``files`` is the number of partition files of its image."""
    folder = f"/var/tmp/receive-{session.id}-{session.port}"
    unit = f"lab-receive-{session.id}-{session.port}.service"
    client.run(["rm", "-rf", folder])
    client.run(["mkdir", folder])
    arguments = [str(session.port), folder, str(files), layout.NIC]
    client.run(
        ["systemd-run", "--quiet", "--collect", f"--unit={unit}", "sh", "-c", _RECEIVE, "receive", *arguments],
    )
    return Receiver(client, unit, folder, files)


# --- age ------------------------------------------------------------------------------------------------------------

_STAMP = re.compile(r"(?m)^\[(\d\d-\d\d-\d\d \d{1,2}:\d\d:\d\d [ap]m)\]")
_FORMAT = "%m-%d-%y %I:%M:%S %p"


def shifted(text: str, seconds: float) -> str:
    """A FOG log with every time stamp ``seconds`` earlier."""

    def earlier(match: re.Match[str]) -> str:
        then = datetime.datetime.strptime(match.group(1).upper(), _FORMAT) - datetime.timedelta(seconds=seconds)
        return f"[{then:%m-%d-%y} {then.hour % 12 or 12}:{then:%M:%S} {'am' if then.hour < 12 else 'pm'}]"

    return _STAMP.sub(earlier, text)


def age_session(server: Host, session: Session, seconds: int) -> None:
    """Make every date in the database of a session and its tasks ``seconds`` earlier."""
    Sql(server).batch(
        (_AGE_SESSION, seconds, session.id),
        *((_AGE_TASK, seconds, seconds, task) for task in session.tasks),
    )


def age_logs(host: Host, seconds: int) -> None:
    """Make multicast.log and the udpcast logs of a host ``seconds`` older: time stamps and modification times.

    The daemon is held meanwhile, so that it loses no line.
    """
    child = processes.child(host)
    # One that is held already (fault log-silent) stays held.
    hold = child is not None and child.state != "T"
    if child is not None and hold:
        processes.send_signal(host, child.pid, signal.SIGSTOP)
    try:
        folder = processes.tree_path(host, layout.LOG_FOLDER)
        when = time.time() - seconds
        for path in folder.glob("multicast.log*"):
            text = path.read_text(encoding="utf-8", errors="replace")
            path.write_text(shifted(text, seconds), encoding="utf-8")
            host.run(["touch", f"--date=@{when:.0f}", f"{layout.LOG_FOLDER}/{path.name}"])
    finally:
        if child is not None and hold:
            processes.send_signal(host, child.pid, signal.SIGCONT)

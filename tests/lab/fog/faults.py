"""The faults: each breaks a healthy FOG host of the lab in one way a fleet has been seen broken.

The first line of a fault's docstring says what it breaks and, after the colon, which findings it must produce
(design section 3). Whatever a fault makes stale is dated two hours back, in every sign of life, so that the default
``stale_after`` of 1800 seconds holds.
"""

import re
import signal
import time
from collections.abc import Callable, Mapping

from tests.lab.fleet import GATEWAY, HostSpec
from tests.lab.fog import files, layout, nic, processes
from tests.lab.fog.database import Sql, group_image, groups
from tests.lab.fog.laboratory import Laboratory, database_server
from tests.lab.fog.service import log_shows, restart, stop_database
from tests.lab.fog.sessions import Session, add_task, age_logs, age_session, cancel, queue_session, wait_sending
from tests.lab.host import Host

Fault = Callable[[Laboratory, Host], None]

LONG_AGO = 7200
# A sender that has just lost its session may still be ended by FOG; after this long it will not be. A process cannot be
# dated back.
ORPHAN_SECONDS = 6
# A daemon younger than this may not have had the time to start its child, or that to write.
SILENT_SECONDS = 16
SHARED_PORT = 50000
GONE_ADDRESS = "10.99.250.9"
GONE_NIC = "eth9"
GONE_ID = 999901
AWAY = ".away"
SETTINGS_VERSION = "1.2.0"
SOURCE_VERSION = "1.5.8"
FALLBACK_VERSION = "1.5.10.1867"
STRANGE_VERSION = "1.6.0"
STRANGE_SCHEMA = 9
MOVED = "fogmoved"


class FaultError(ValueError):
    """The fault does not fit the host; the message says why and which hosts it fits."""


def _sql(lab: Laboratory, host: Host) -> Sql:
    return Sql(database_server(lab, host))


def _server_spec(lab: Laboratory, host: Host) -> HostSpec:
    return database_server(lab, host).spec


def _member(sql: Sql, host: Host) -> int:
    return int(
        sql.value("SELECT ngmID FROM nfsGroupMembers WHERE ngmMemberName = %s", layout.member_name(host.spec)) or 0
    )


_SET_MEMBER = {
    "ngmHostname": "UPDATE nfsGroupMembers SET ngmHostname = %s WHERE ngmID = %s",
    "ngmInterface": "UPDATE nfsGroupMembers SET ngmInterface = %s WHERE ngmID = %s",
    "ngmIsEnabled": "UPDATE nfsGroupMembers SET ngmIsEnabled = %s WHERE ngmID = %s",
    "ngmIsMasterNode": "UPDATE nfsGroupMembers SET ngmIsMasterNode = %s WHERE ngmID = %s",
}


def _set_member(lab: Laboratory, host: Host, column: str, value: str) -> None:
    sql = _sql(lab, host)
    sql.run(_SET_MEMBER[column], value, _member(sql, host))


def _only_master(host: Host) -> None:
    if host.spec.kind not in ("fog_server", "storage_master"):
        raise FaultError(f"{host.name} is no master node: break a fog_server or storage_master")


def _image(lab: Laboratory, host: Host) -> layout.Image:
    """An image this host is to send as master."""
    group = groups(_server_spec(lab, host), lab.fleet)[host.spec.group]
    return layout.WINDOWS if group == 1 else group_image(host.spec.group, group)


def _queue(lab: Laboratory, host: Host, clients: int = 2, name: str = "lab deploy") -> Session:
    return queue_session(database_server(lab, host), _image(lab, host).name, clients, name)


def _sent(lab: Laboratory, host: Host, name: str = "lab deploy") -> Session:
    """A session that the host's daemon is sending."""
    _only_master(host)
    session = _queue(lab, host, name=name)
    wait_sending(host, session)
    log_shows(host, f"Task ID: {session.id} Name: {session.name} has started")
    return session


# --- sessions, tasks, senders ---------------------------------------------------------------------------------------


def stale_session(lab: Laboratory, host: Host) -> None:
    """End the sender of a session two hours old whose clients never reported: fog.session.stale."""
    session = _sent(lab, host, "stale")
    processes.kill_senders(host)
    log_shows(host, f"Task ID: {session.id} Name: {session.name} is no longer running")
    age_session(database_server(lab, host), session, LONG_AGO)
    age_logs(host, LONG_AGO)


def cancelled_sender_alive(lab: Laboratory, host: Host) -> None:
    """Cancel a session as FOG does, which leaves its udp-sender running: fog.sender.orphan."""
    cancel(database_server(lab, host), _sent(lab, host, "cancelled"))
    log_shows(host, "* No new tasks found", last=True)
    time.sleep(ORPHAN_SECONDS)


def wiki_purge(lab: Laboratory, host: Host) -> None:
    """Run the three DELETEs of FOG's wiki under a live sender: fog.sender.orphan."""
    _sent(lab, host, "purged")
    _sql(lab, host).batch(
        ("DELETE FROM multicastSessions",),
        ("DELETE FROM multicastSessionsAssoc",),
        ("DELETE FROM tasks WHERE taskTypeID = 8",),
    )
    log_shows(host, "* No new tasks found", last=True)
    time.sleep(ORPHAN_SECONDS)


def unserved_session(lab: Laboratory, host: Host) -> None:
    """Leave a session two hours old in state 0 with no master to serve it: fog.session.unserved fog.node.no_master."""
    _only_master(host)
    no_master(lab, host)
    session = _queue(lab, host, name="unserved")
    age_session(database_server(lab, host), session, LONG_AGO)


def port_shared(lab: Laboratory, host: Host) -> None:
    """Set one port for all sessions and queue two of them: fog.session.port_shared."""
    _only_master(host)
    _sql(lab, host).set("FOG_MULTICAST_PORT_OVERRIDE", str(SHARED_PORT))
    for name in ("first", "second"):
        session = _queue(lab, host, name=name)
        log_shows(host, f"Task ID: {session.id} Name: {session.name} has started")


def association_orphan(lab: Laboratory, host: Host) -> None:
    """Leave associations of a finished session and of one that is gone: fog.association.orphan."""
    _only_master(host)
    sql = _sql(lab, host)
    session = _queue(lab, host, name="finished")
    log_shows(host, f"Task ID: {session.id} Name: {session.name} has started")
    cancel(sql.server, session)
    processes.kill_senders(host)
    age_session(sql.server, session, LONG_AGO)
    left = [*((session.id, task) for task in session.tasks), (GONE_ID, GONE_ID)]
    sql.batch(*(("INSERT INTO multicastSessionsAssoc (msID, tID) VALUES (%s, %s)", *row) for row in left))
    log_shows(host, "* No new tasks found", last=True)
    age_logs(host, LONG_AGO)


def task_orphan(lab: Laboratory, host: Host) -> None:
    """Leave multicast tasks two hours old that no session has: fog.task.orphan."""
    sql = _sql(lab, host)
    for machine, state in ((1, 1), (2, 3)):
        task = add_task(sql, machine, "orphan - fog", layout.WINDOWS.id, _member(sql, host))
        sql.run(
            "UPDATE tasks SET taskStateID = %s, taskCreateTime = UTC_TIMESTAMP() - INTERVAL %s SECOND,"
            " taskCheckIn = UTC_TIMESTAMP() - INTERVAL %s SECOND WHERE taskID = %s",
            *(state, LONG_AGO, LONG_AGO, task),
        )


def image_missing(lab: Laboratory, host: Host) -> None:
    """Take an image's folder away and queue a session of it: fog.image.missing."""
    _only_master(host)
    folder = f"{layout.IMAGES}/{_image(lab, host).folder}"
    host.run(["mv", folder, folder + AWAY])
    _queue(lab, host, name="no image")
    log_shows(host, "| Unable to find image path")


# --- nodes ----------------------------------------------------------------------------------------------------------


def no_master(lab: Laboratory, host: Host) -> None:
    """Clear the node's master flag: fog.node.no_master."""
    _only_master(host)
    _set_member(lab, host, "ngmIsMasterNode", "")
    log_shows(host, "| This is not the master node", last=True)


def two_masters(lab: Laboratory, host: Host) -> None:
    """Give a second node of the group the master flag: fog.node.many_masters."""
    _only_master(host)
    sql = _sql(lab, host)
    others = {spec.name for spec in lab.fleet.values() if spec.kind == "storage"}
    group = sql.value("SELECT ngmGroupID FROM nfsGroupMembers WHERE ngmID = %s", _member(sql, host))
    for row in sql.rows("SELECT ngmID, ngmMemberName FROM nfsGroupMembers WHERE ngmGroupID = %s", group):
        if row["ngmMemberName"] in others:
            sql.run("UPDATE nfsGroupMembers SET ngmIsMasterNode = '1' WHERE ngmID = %s", row["ngmID"])
            return
    _copy_member(sql, host, "SecondMember", GONE_ADDRESS)


def master_on_nas(lab: Laboratory, host: Host) -> None:
    """Move the group's master flag to a NAS: fog.node.master_not_local."""
    _only_master(host)
    sql = _sql(lab, host)
    sql.run("DELETE FROM nfsGroupMembers WHERE ngmMemberName = 'nas1'")
    nas = next((spec.address for spec in lab.fleet.values() if spec.kind == "nas"), GONE_ADDRESS)
    _copy_member(sql, host, "nas1", nas)
    _set_member(lab, host, "ngmIsMasterNode", "")
    log_shows(host, "| This is not the master node", last=True)


_COPY_MEMBER = """
INSERT INTO nfsGroupMembers (ngmMemberName, ngmHostname, ngmMemberDescription, ngmIsMasterNode, ngmGroupID, ngmRootPath,
ngmSSLPath, ngmFTPPath, ngmSnapinPath, ngmIsEnabled, ngmMaxClients, ngmBandwidthLimit, ngmUser, ngmPass, ngmKey,
ngmInterface, ngmGraphEnabled, ngmWebroot)
SELECT %s, %s, ngmMemberDescription, '1', ngmGroupID, ngmRootPath, ngmSSLPath, ngmFTPPath, ngmSnapinPath, ngmIsEnabled,
ngmMaxClients, ngmBandwidthLimit, ngmUser, ngmPass, ngmKey, ngmInterface, ngmGraphEnabled, ngmWebroot
FROM nfsGroupMembers WHERE ngmID = %s
"""


def _copy_member(sql: Sql, host: Host, name: str, address: str) -> None:
    sql.run(_COPY_MEMBER, name, address, _member(sql, host))


def node_disabled(lab: Laboratory, host: Host) -> None:
    """Disable the node: fog.node.disabled."""
    _set_member(lab, host, "ngmIsEnabled", "0")
    restart(host)
    log_shows(host, "Interface not ready, waiting for it to come up")


def address_changed(lab: Laboratory, host: Host) -> None:
    """Let FOG know the address the host had before: fog.node.address_not_local."""
    server = _server_spec(lab, host)
    _set_member(lab, host, "ngmHostname", GONE_ADDRESS)
    if host.spec.kind == "fog_server":
        _sql(lab, host).set("FOG_WEB_HOST", GONE_ADDRESS)
    host.write(layout.FOG_SETTINGS, files.fog_settings(host.spec, server, address=GONE_ADDRESS), 0o600)
    restart(host)
    log_shows(host, "Interface not ready, waiting for it to come up")


# --- interfaces -----------------------------------------------------------------------------------------------------


def nic_renamed(lab: Laboratory, host: Host) -> None:
    """Rename the NIC under FOG's record of it: fog.interface.record_stale."""
    nic.ip(
        host,
        f"link set {layout.NIC} down",
        f"link set {layout.NIC} name {nic.RENAMED}",
        f"link set {nic.RENAMED} up",
        f"route replace default via {GATEWAY}",
    )
    restart(host)
    log_shows(host, "* Starting service loop")


def record_stale(lab: Laboratory, host: Host) -> None:
    """Record a NIC for the node that does not exist: fog.interface.record_stale."""
    _set_member(lab, host, "ngmInterface", GONE_NIC)


def no_route(lab: Laboratory, host: Host) -> None:
    """Give the node's address a /32, so that the kernel has no route from it: fog.interface.no_route."""
    # The static route keeps the host reachable; FOG's look-up passes over it.
    nic.ip(
        host,
        f"address flush dev {layout.NIC} scope global",
        f"address add {host.address}/32 dev {layout.NIC}",
        f"route add 10.99.0.0/16 dev {layout.NIC} proto static",
        f"route replace default via {GATEWAY}",
    )


def interface_absent(lab: Laboratory, host: Host) -> None:
    """Run a FOG that obeys its settings, with a NIC in them that is not there: fog.interface.absent."""
    host.write(layout.SYSTEM, files.system_php(SETTINGS_VERSION))
    _sql(lab, host).set("FOG_UDPCAST_INTERFACE", GONE_NIC)
    record_stale(lab, host)
    restart(host)
    log_shows(host, "* Starting service loop")


def fallback_absent(lab: Laboratory, host: Host) -> None:
    """Leave a FOG that falls back on its record without a route: fog.interface.absent."""
    if host.spec.fog_version != FALLBACK_VERSION:
        raise FaultError(f"{host.name} has FOG {host.spec.fog_version}: break a host with FOG {FALLBACK_VERSION}")
    record_stale(lab, host)
    no_route(lab, host)


def interface_down(lab: Laboratory, host: Host) -> None:
    """Put the node on a second NIC and shut that NIC down: fog.interface.down."""
    _second_nic(lab, host, multicast=True)
    nic.ip(host, f"link set {nic.SECOND} down")


def no_carrier(lab: Laboratory, host: Host) -> None:
    """Put the node on a second NIC and pull its cable: fog.interface.down."""
    _second_nic(lab, host, multicast=True)
    nic.ip(host, f"link set {nic.CABLE} down")


def no_multicast(lab: Laboratory, host: Host) -> None:
    """Put the node on a second NIC that cannot multicast: fog.interface.no_multicast."""
    _second_nic(lab, host, multicast=False)


def _second_nic(lab: Laboratory, host: Host, multicast: bool) -> None:
    address = nic.second_address(host)
    nic.ip(
        host,
        f"link add {nic.SECOND} type veth peer name {nic.CABLE}",
        f"link set {nic.CABLE} up",
        f"link set {nic.SECOND} up multicast {'on' if multicast else 'off'}",
        f"address add {address}/24 brd + dev {nic.SECOND}",
    )
    _set_member(lab, host, "ngmHostname", address)
    _set_member(lab, host, "ngmInterface", nic.SECOND)
    if host.spec.kind == "fog_server":
        _sql(lab, host).set("FOG_WEB_HOST", address)
    restart(host)
    log_shows(host, "* Starting service loop")


def lookup_bug(lab: Laboratory, host: Host) -> None:
    """Run FOG 1.5.8 on a host with a DHCP default route: fog.interface.lookup_bug."""
    host.write(layout.SYSTEM, files.system_php(SOURCE_VERSION))
    nic.ip(host, f"route replace default via {GATEWAY} dev {layout.NIC} proto dhcp src {host.address}")
    restart(host)
    log_shows(host, "* Starting service loop")


# --- service, database, settings ------------------------------------------------------------------------------------


def udp_sender_missing(lab: Laboratory, host: Host) -> None:
    """Take udp-sender away from where FOG looks for it: fog.sender.missing_binary."""
    host.remove(layout.SENDER_LINK)
    restart(host)
    log_shows(host, "* Unable to locate udp-sender!.")


def service_stopped(lab: Laboratory, host: Host) -> None:
    """Stop FOGMulticastManager: fog.service.stopped."""
    host.run(["systemctl", "stop", layout.UNIT])


def child_dead(lab: Laboratory, host: Host) -> None:
    """Kill the daemon's child while its parent keeps the unit active: fog.service.child_dead."""
    child = processes.wait_for(f"the daemon's child on {host.name}", lambda: processes.child(host))
    processes.send_signal(host, child.pid, signal.SIGKILL)
    age_logs(host, LONG_AGO)
    time.sleep(SILENT_SECONDS)


def image_row_deleted(lab: Laboratory, host: Host) -> None:
    """Delete the image row of a queued session, at which the daemon's child exits with 0: fog.image.missing."""
    _only_master(host)
    if host.spec.fog_version == FALLBACK_VERSION:
        raise FaultError(f"{host.name} has FOG {FALLBACK_VERSION}, which survives this: break a host with an older FOG")
    host.run(["systemctl", "stop", layout.UNIT])
    session = _queue(lab, host, name="no row")
    sql = _sql(lab, host)
    sql.run("DELETE FROM images WHERE imageID = (SELECT msImage FROM multicastSessions WHERE msID = %s)", session.id)
    restart(host)
    log_shows(host, "* Starting service loop")
    processes.wait_for(f"the daemon's child on {host.name} to exit", lambda: processes.child(host) is None)
    age_logs(host, LONG_AGO)


def log_silent(lab: Laboratory, host: Host) -> None:
    """Hang the daemon's child, so that its log stays silent: fog.log.silent."""
    child = processes.wait_for(f"the daemon's child on {host.name}", lambda: processes.child(host))
    processes.send_signal(host, child.pid, signal.SIGSTOP)

    def stopped() -> bool:
        return any(found.pid == child.pid and found.state == "T" for found in processes.running(host))

    processes.wait_for(f"the daemon's child on {host.name} to stop", stopped)
    age_logs(host, LONG_AGO)
    time.sleep(SILENT_SECONDS)


def globally_disabled(lab: Laboratory, host: Host) -> None:
    """Switch multicast off in FOG's settings: fog.service.disabled_globally."""
    _sql(lab, host).set("MULTICASTGLOBALENABLED", "0")
    log_shows(host, "* Multicast service is globally disabled")


def db_password_wrong(lab: Laboratory, host: Host) -> None:
    """Give FOG on this host a wrong database password: fog.db.unreachable."""
    server, wrong = _server_spec(lab, host), layout.secret(host.name, "wrong")
    host.write(layout.FOG_SETTINGS, files.fog_settings(host.spec, server, password=wrong), 0o600)
    host.write(layout.CONFIG, files.config_php(host.spec, server, password=wrong))
    restart(host)
    processes.wait_for(f"the daemon's child on {host.name} to exit", lambda: processes.child(host) is None)


def db_unreachable(lab: Laboratory, host: Host) -> None:
    """Stop the database server this host uses: fog.db.unreachable."""
    stop_database(database_server(lab, host))
    log_shows(host, "FOGService: MulticastManager - Waiting for mysql to be available")


def foreign_schema(lab: Laboratory, host: Host) -> None:
    """Give the database a schema version nobody knows: fog.db.foreign_schema."""
    _sql(lab, host).run("UPDATE schemaVersion SET vValue = %s", STRANGE_SCHEMA)


def two_databases(lab: Laboratory, host: Host) -> None:
    """Leave a sender and an old database in .fogsettings: fog.db.two_databases fog.sender.orphan."""
    cancelled_sender_alive(lab, host)
    host.write(layout.CONFIG, files.config_php(host.spec, _server_spec(lab, host), database=MOVED))


def rights_missing(lab: Laboratory, host: Host) -> None:
    """Leave a stale session and a database user that may not delete: fog.db.no_delete fog.session.stale."""
    if host.spec.kind != "fog_server":
        raise FaultError(f"{host.name} has no database of its own: break a fog_server")
    stale_session(lab, host)
    user = f"'{layout.MASTER_USER}'@'localhost'"
    _sql(lab, host).batch(
        (f"REVOKE ALL PRIVILEGES ON {layout.DATABASE}.* FROM {user}",),
        (f"GRANT SELECT, INSERT, UPDATE ON {layout.DATABASE}.* TO {user}",),
    )


def unknown_release(lab: Laboratory, host: Host) -> None:
    """Update FOG's files to a release whose look-up nobody has seen: fog.version.unknown."""
    host.write(layout.SYSTEM, files.system_php(STRANGE_VERSION))


def outdated_cache(lab: Laboratory, host: Host) -> None:
    """Start the daemon while FOG knows an old address, then correct the record only: fog.service.outdated_cache."""
    _set_member(lab, host, "ngmHostname", GONE_ADDRESS)
    restart(host)
    log_shows(host, "Interface not ready, waiting for it to come up")
    _set_member(lab, host, "ngmHostname", host.address)


_ALL: tuple[Fault, ...] = (
    *(stale_session, cancelled_sender_alive, wiki_purge, unserved_session, port_shared, association_orphan),
    *(task_orphan, image_missing, no_master, two_masters, master_on_nas, node_disabled, address_changed, nic_renamed),
    *(record_stale, no_route, interface_absent, fallback_absent, interface_down, no_carrier, no_multicast, lookup_bug),
    *(udp_sender_missing, service_stopped, child_dead, image_row_deleted, log_silent, globally_disabled),
    *(
        db_password_wrong,
        db_unreachable,
        foreign_schema,
        two_databases,
        rights_missing,
        unknown_release,
        outdated_cache,
    ),
)


def _on_fog_hosts(fault: Fault) -> Fault:
    def checked(lab: Laboratory, host: Host) -> None:
        if not layout.is_fog(host.spec):
            raise FaultError(f"{host.name} is a {host.spec.kind} without FOG: break a FOG server or storage node")
        fault(lab, host)

    checked.__name__, checked.__doc__ = fault.__name__, fault.__doc__
    return checked


FAULTS: Mapping[str, Fault] = {fault.__name__.replace("_", "-"): _on_fog_hosts(fault) for fault in _ALL}


def expected(fault: str) -> tuple[str, ...]:
    """The ids of the findings a fault must produce, read from its docstring. Raises KeyError."""
    first_line = (FAULTS[fault].__doc__ or "").splitlines()[0]
    return tuple(re.findall(r"fog\.[a-z_]+\.[a-z_]+", first_line))

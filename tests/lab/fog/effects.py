"""What shows, without the collection, that a fault is there."""

import datetime
import re
from collections.abc import Callable

from tests.lab.fog import faults, health, layout, nic, processes
from tests.lab.fog.database import Sql
from tests.lab.fog.faults import FAULTS
from tests.lab.fog.service import log, log_shows
from tests.lab.host import Host

STALE_AFTER = 1800
ACTIVE = "SELECT * FROM multicastSessions WHERE msState IN (0,1,2,3)"


def active_unit(host: Host) -> str:
    return host.run(["systemctl", "is-active", layout.UNIT], check=False).stdout.strip()


def member(sql: Sql, column: str, name: str = "DefaultMember") -> object:
    (found,) = sql.rows("SELECT * FROM nfsGroupMembers WHERE ngmMemberName = %s", name)
    return found[column]


def assert_old(sql: Sql, *dates: str) -> None:
    """Fail unless each SQL expression is a date longer ago than ``stale_after``."""
    for date in dates:
        assert sql.value(" ".join(["SELECT", date, "< UTC_TIMESTAMP() - INTERVAL %s SECOND"]), STALE_AFTER) == 1, date


def youngest_sign_of_life(host: Host) -> float:
    """Seconds since the last log line that speaks of a living session, or the youngest udpcast log."""
    now = datetime.datetime.now(datetime.UTC)
    ages = []
    for line in log(host):
        match = re.match(r"\[(.*?)\] .*(?:has started|is already running)", line)
        if match:
            when = datetime.datetime.strptime(match.group(1).upper(), "%m-%d-%y %I:%M:%S %p")
            ages.append((now - when.replace(tzinfo=datetime.UTC)).total_seconds())
    for path in processes.tree_path(host, layout.LOG_FOLDER).glob("multicast.log.udpcast.*"):
        ages.append(now.timestamp() - path.stat().st_mtime)
    return min(ages)


def stale_session(host: Host, sql: Sql) -> None:
    (session,) = sql.rows(ACTIVE)
    assert session["msState"] == 3
    assert processes.senders(host) == []
    assert_old(sql, "(SELECT MAX(msStartDateTime) FROM multicastSessions)", "(SELECT MAX(taskCreateTime) FROM tasks)")
    assert youngest_sign_of_life(host) > STALE_AFTER
    log_shows(host, "is no longer running", last=True)


def cancelled_sender_alive(host: Host, sql: Sql) -> None:
    (session,) = sql.rows("SELECT * FROM multicastSessions")
    assert (session["msState"], session["msName"]) == (5, "")
    assert sql.rows("SELECT * FROM multicastSessionsAssoc") == []
    assert len(processes.senders(host, session["msBasePort"])) == 2


def wiki_purge(host: Host, sql: Sql) -> None:
    assert sql.rows("SELECT msID AS id FROM multicastSessions UNION SELECT msaID FROM multicastSessionsAssoc") == []
    assert sql.rows("SELECT taskID FROM tasks") == []
    assert len(processes.senders(host)) == 2


def unserved_session(host: Host, sql: Sql) -> None:
    (session,) = sql.rows(ACTIVE)
    assert session["msState"] == 0
    assert_old(sql, "(SELECT MAX(msStartDateTime) FROM multicastSessions)", "(SELECT MAX(taskCreateTime) FROM tasks)")
    no_master(host, sql)


def port_shared(host: Host, sql: Sql) -> None:
    first, second = sql.rows(ACTIVE)
    assert first["msBasePort"] == second["msBasePort"] == faults.SHARED_PORT
    log_shows(host, f"Task ID: {second['msID']} Name: second - fog is no longer running")
    assert "Address already in use" in host.read(f"{layout.LOG}.udpcast.{second['msID']}")
    assert len(processes.senders(host, faults.SHARED_PORT)) == 2


def association_orphan(host: Host, sql: Sql) -> None:
    query = "SELECT msaID, msState FROM multicastSessionsAssoc LEFT JOIN multicastSessions USING (msID) ORDER BY msaID"
    assert [row["msState"] for row in sql.rows(query)] == [5, 5, None]
    assert sql.rows(ACTIVE) == []
    assert processes.senders(host) == []


def task_orphan(host: Host, sql: Sql) -> None:
    tasks = sql.rows("SELECT * FROM tasks")
    assert {task["taskTypeID"] for task in tasks} == {8}
    assert {task["taskStateID"] for task in tasks} <= {0, 1, 2, 3}
    assert sql.rows("SELECT * FROM multicastSessionsAssoc") == []
    assert_old(sql, "(SELECT MAX(taskCreateTime) FROM tasks)", "(SELECT MAX(taskCheckIn) FROM tasks)")


def image_missing(host: Host, sql: Sql) -> None:
    (session,) = sql.rows(ACTIVE)
    assert not host.exists(f"{layout.IMAGES}/{session['msLogPath']}")


def no_master(host: Host, sql: Sql) -> None:
    assert member(sql, "ngmIsMasterNode") == ""
    log_shows(host, "| This is not the master node", last=True)


def two_masters(host: Host, sql: Sql) -> None:
    masters = sql.rows("SELECT * FROM nfsGroupMembers WHERE ngmIsMasterNode = '1' AND ngmGroupID = 1")
    assert len(masters) == 2
    assert len({row["ngmHostname"] for row in masters}) == 2


def master_on_nas(host: Host, sql: Sql) -> None:
    assert (member(sql, "ngmIsMasterNode"), member(sql, "ngmIsMasterNode", "nas1")) == ("", "1")
    assert member(sql, "ngmHostname", "nas1") != host.address


def node_disabled(host: Host, sql: Sql) -> None:
    assert member(sql, "ngmIsEnabled") == "0"


def address_changed(host: Host, sql: Sql) -> None:
    assert member(sql, "ngmHostname") == faults.GONE_ADDRESS
    assert f"ipaddress='{faults.GONE_ADDRESS}'" in host.read(layout.FOG_SETTINGS)
    log_shows(host, f"Interface not ready, waiting for it to come up: {faults.GONE_ADDRESS}", last=True)


def nic_renamed(host: Host, sql: Sql) -> None:
    names = {link["ifname"] for link in nic.shown(host, "link")}
    assert nic.RENAMED in names
    assert layout.NIC not in names
    assert member(sql, "ngmInterface") == layout.NIC


def record_stale(host: Host, sql: Sql) -> None:
    assert member(sql, "ngmInterface") == faults.GONE_NIC
    assert nic.healthy(host)


def no_route(host: Host, sql: Sql) -> None:
    (link,) = nic.shown(host, "-4", "address", "show", "dev", layout.NIC)
    assert [(one["local"], one["prefixlen"]) for one in link["addr_info"]] == [(host.address, 32)]
    assert not any(route.get("protocol") == "kernel" for route in nic.shown(host, "-4", "route"))
    host.run(["ip", "route", "get", "10.99.0.1"])


def interface_absent(host: Host, sql: Sql) -> None:
    assert "'1.2.0'" in host.read(layout.SYSTEM)
    assert sql.setting("FOG_UDPCAST_INTERFACE") == member(sql, "ngmInterface") == faults.GONE_NIC


def fallback_absent(host: Host, sql: Sql) -> None:
    no_route(host, sql)
    assert member(sql, "ngmInterface") == faults.GONE_NIC


def second_nic(host: Host, sql: Sql) -> set[str]:
    """The flags of the second NIC, on which the node is."""
    assert member(sql, "ngmHostname") == nic.second_address(host)
    assert member(sql, "ngmInterface") == nic.SECOND
    health.assert_serving(host, nic.second_address(host))
    (link,) = nic.shown(host, "link", "show", "dev", nic.SECOND)
    return set(link["flags"])


def interface_down(host: Host, sql: Sql) -> None:
    assert "UP" not in second_nic(host, sql)


def no_carrier(host: Host, sql: Sql) -> None:
    assert {"UP", "NO-CARRIER"} <= second_nic(host, sql)


def no_multicast(host: Host, sql: Sql) -> None:
    flags = second_nic(host, sql)
    assert "LOWER_UP" in flags
    assert "MULTICAST" not in flags


def lookup_bug(host: Host, sql: Sql) -> None:
    assert "'1.5.8'" in host.read(layout.SYSTEM)
    assert f"proto dhcp src {host.address}" in host.run(["ip", "route"]).stdout.splitlines()[0]


def udp_sender_missing(host: Host, sql: Sql) -> None:
    assert not host.exists(layout.SENDER_LINK)
    assert active_unit(host) == "active"


def service_stopped(host: Host, sql: Sql) -> None:
    assert active_unit(host) == "inactive"
    assert processes.daemon(host) is None


def child_dead(host: Host, sql: Sql) -> None:
    assert active_unit(host) == "active"
    assert processes.daemon(host) is not None
    # Its parent may just be trying again.
    processes.wait_for("the daemon's child to end", lambda: processes.child(host) is None)


def log_silent(host: Host, sql: Sql) -> None:
    child = processes.child(host)
    assert child is not None
    assert child.state == "T"
    stamp = re.match(r"\[(.*?)\]", log(host)[-1])
    assert stamp is not None
    when = datetime.datetime.strptime(stamp.group(1).upper(), "%m-%d-%y %I:%M:%S %p").replace(tzinfo=datetime.UTC)
    age = (datetime.datetime.now(datetime.UTC) - when).total_seconds()
    assert age > STALE_AFTER
    written = processes.tree_path(host, layout.LOG).stat().st_mtime
    assert datetime.datetime.now(datetime.UTC).timestamp() - written > STALE_AFTER


def globally_disabled(host: Host, sql: Sql) -> None:
    assert sql.setting("MULTICASTGLOBALENABLED") == "0"


def db_password_wrong(host: Host, sql: Sql) -> None:
    wrong = layout.secret(host.name, "wrong")
    assert wrong in host.read(layout.FOG_SETTINGS)
    assert wrong in host.read(layout.CONFIG)
    child_dead(host, sql)


def db_unreachable(host: Host, sql: Sql) -> None:
    assert sql.server.run(["mariadb", "--execute=SELECT 1"], check=False).returncode != 0
    log_shows(host, "Waiting for mysql to be available")


def foreign_schema(host: Host, sql: Sql) -> None:
    assert sql.value("SELECT vValue FROM schemaVersion") == faults.STRANGE_SCHEMA


def two_databases(host: Host, sql: Sql) -> None:
    assert f"'{faults.MOVED}'" in host.read(layout.CONFIG)
    assert faults.MOVED not in host.read(layout.FOG_SETTINGS)
    cancelled_sender_alive(host, sql)


def rights_missing(host: Host, sql: Sql) -> None:
    _, grant = [str(*row.values()) for row in sql.rows(f"SHOW GRANTS FOR '{layout.MASTER_USER}'@'localhost'")]
    assert "UPDATE" in grant
    assert "DELETE" not in grant
    stale_session(host, sql)


def unknown_release(host: Host, sql: Sql) -> None:
    assert f"'{faults.STRANGE_VERSION}'" in host.read(layout.SYSTEM)


def outdated_cache(host: Host, sql: Sql) -> None:
    assert member(sql, "ngmHostname") == host.address
    log_shows(host, "Interface not ready, waiting for it to come up", last=True)


EFFECTS: dict[str, Callable[[Host, Sql], None]] = {
    name.replace("_", "-"): found
    for name, found in list(globals().items())
    if callable(found) and name.replace("_", "-") in FAULTS
}
EFFECTS["image-row-deleted"] = child_dead

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose: every finding on a host that has it, and its absence on the nearest healthy one."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._catalogue import CATALOGUE
from ansible_collections.imaging.multicast.plugins.module_utils._fog import diagnose as room
from ansible_collections.imaging.multicast.plugins.module_utils._fog import view
from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import KNOWN_SCHEMAS, Database
from ansible_collections.imaging.multicast.plugins.module_utils._fog.diagnose import diagnose
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Processes
from ansible_collections.imaging.multicast.plugins.module_utils._fog.service import ABSENT
from ansible_collections.imaging.multicast.plugins.module_utils._severity import SEVERITIES
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog.build import (
    ADDRESS,
    LOOPBACK,
    NOW,
    OTHER,
    healthy,
    interface,
    line,
    link,
    network,
    node,
    process,
    route,
    sender,
    sender_log,
    session,
    stale,
    storage_node,
    task,
    vary,
    with_session,
)

NO_DELETE = frozenset(("SELECT", "INSERT", "UPDATE"))
# The default route that DHCP leaves behind on FOG 1.5.8 and older (issue 908).
DHCP = route(source=ADDRESS, destination="default", gateway="10.77.0.254", protocol="dhcp", scope="")


def ids(snapshot, **wishes):
    return [found.id for found in diagnose(snapshot, **wishes)]


def find(snapshot, name, **wishes):
    found = [each for each in diagnose(snapshot, **wishes) if each.id == name]
    assert len(found) == 1, "%s in %s" % (name, ids(snapshot, **wishes))
    return found[0]


def told(found):
    return "\n".join([found.summary, *found.evidence])


def settings(snapshot, **changes):
    return vary(snapshot, database={"settings": dict(snapshot.database.settings, **changes)})


def nodes(*entries, **more):
    return vary(healthy(), database=dict({"nodes": entries}, **more))


def release(version, **more):
    return vary(healthy(), release={"version": version}, **more)


def leftover(**changes):
    """A finished session's association with a finished task."""
    made = link(9, 90, 91, session_state=5, task_state=5)._replace(**changes)
    return vary(healthy(), database={"associations": (made,)})


def forlorn(**changes):
    """An active task without an association."""
    return vary(healthy(), database={"tasks": (task(7, of=None)._replace(**changes),)})


def running(*senders, **more):
    return vary(healthy(), processes={"senders": senders}, **more)


def waiting(age=100.0, base=None, **changes):
    """Session 1 in state 0, created ``age`` seconds ago."""
    return with_session(base or healthy(), session(age=age, state=0)._replace(**changes), [task(age=age)])


def queued(base, *later, **more):
    """The host after its daemon said, two hours ago, that no slot is free for session 1."""
    said = line("no_slots", " No open slots ", NOW - 7200, session=1)
    word = line("queued", "now the task is queued!", NOW - 7200, session=1)
    return vary(base, logs=dict({"lines": (line("loop"), said, word, *later), "age": 7200.0}, **more))


def dead_child(age=9000.0, **more):
    return vary(healthy(), processes=Processes((process(100, age=age),), (), ()), **more)


def silent(age=31.0):
    return vary(healthy(), logs={"age": age})


def cached(kind, detail="10.77.0.9"):
    text = {"not_master": " | This is not the master node", "interface_waiting": "Interface not ready"}[kind]
    return vary(healthy(), logs={"lines": (line("interface_ready", detail=detail), line(kind, text))})


def shared(second):
    return with_session(with_session(healthy(), session(), [task()], [sender()]), second, [task(2, of=2)])


# id -> (a host that has it, the nearest one that has not).
PAIRS = {
    "fog.db.unreachable": (vary(healthy(), database=Database(error="No answer.", kind="unreachable")), healthy()),
    "fog.db.foreign_schema": (
        vary(healthy(), database={"schema": KNOWN_SCHEMAS[-1] + 1}),
        vary(healthy(), database={"schema": KNOWN_SCHEMAS[-1]}),
    ),
    "fog.db.two_databases": (vary(healthy(), database={"rival": "10.77.0.9/fog"}), healthy()),
    "fog.db.no_delete": (
        vary(stale(), database={"privileges": NO_DELETE}),
        vary(stale(), database={"privileges": NO_DELETE, "associations": (), "tasks": ()}),
    ),
    "fog.version.unknown": (release("1.7.0"), release("1.5.9")),
    "fog.node.no_master": (nodes(node(master=False)), nodes(node())),
    "fog.node.many_masters": (nodes(node(), node(2, OTHER)), nodes(node(), node(2, OTHER, master=False))),
    "fog.node.master_not_local": (
        nodes(node(master=False), node(2, OTHER)),
        nodes(node(), node(2, OTHER, master=False)),
    ),
    "fog.node.address_not_local": (vary(healthy(), network=network("eth0", "10.77.0.9")), healthy()),
    "fog.node.disabled": (nodes(node(enabled=False)), healthy()),
    "fog.interface.record_stale": (nodes(node(interface="eth9")), nodes(node(interface="eth0"))),
    "fog.interface.absent": (
        settings(release("1.2.0"), FOG_UDPCAST_INTERFACE="eth9"),
        settings(release("1.2.0"), FOG_UDPCAST_INTERFACE="eth0"),
    ),
    "fog.interface.down": (
        vary(healthy(), network={"interfaces": (LOOPBACK, interface("eth0", ADDRESS, link="lowerlayerdown"))}),
        vary(healthy(), network={"interfaces": (LOOPBACK, interface("eth0", ADDRESS, link="unknown"))}),
    ),
    "fog.interface.no_multicast": (
        vary(healthy(), network={"interfaces": (LOOPBACK, interface("eth0", ADDRESS, multicast=False))}),
        healthy(),
    ),
    "fog.interface.no_route": (
        vary(healthy(), network={"routes": ()}),
        vary(healthy(), network={"routes": ()}, release={"version": "1.5.10.1867"}),
    ),
    "fog.interface.lookup_bug": (
        release("1.5.8", network={"routes": (DHCP, route())}),
        release("1.5.9", network={"routes": (DHCP, route())}),
    ),
    "fog.session.stale": (stale(), with_session(healthy(), session(), [task(age=1799.0)])),
    "fog.session.unserved": (waiting(age=61.0), waiting(age=60.0)),
    "fog.session.port_shared": (shared(session(2, port=50002)), shared(session(2))),
    "fog.association.orphan": (leftover(), leftover(session_state=3)),
    "fog.task.orphan": (forlorn(), forlorn(created=NOW - 1799)),
    "fog.sender.orphan": (running(sender(of=12)), running(sender(of=12, output_age=29.0))),
    "fog.sender.missing_binary": (vary(healthy(), release={"udp_sender_runs": False}), healthy()),
    "fog.service.stopped": (
        vary(healthy(), service={"active": False}, processes=Processes((), (), ())),
        vary(storage_node(), service={"active": False}, processes=Processes((), (), ())),
    ),
    "fog.service.child_dead": (
        dead_child(),
        dead_child(age=4.9),
    ),
    "fog.service.outdated_cache": (cached("not_master"), cached("not_master", detail=ADDRESS)),
    "fog.service.disabled_globally": (
        settings(healthy(), MULTICASTGLOBALENABLED="0"),
        settings(healthy(), MULTICASTGLOBALENABLED="1"),
    ),
    "fog.log.silent": (silent(31.0), silent(30.0)),
    "fog.image.missing": (
        vary(waiting(age=5.0), missing_images=("/images/win1",)),
        vary(waiting(age=5.0), missing_images=("/images/win2",)),
    ),
}


@pytest.mark.parametrize("name", sorted(name for name in CATALOGUE if name.startswith("fog.")))
def test_every_finding_shows_on_its_host_and_not_on_the_neighbour(name):
    broken, neighbour = PAIRS[name]
    assert name in ids(broken)
    assert name not in ids(neighbour)


@pytest.mark.parametrize("snapshot", [healthy(), storage_node(), storage_node(master=True)])
def test_a_healthy_host_has_no_findings(snapshot):
    assert diagnose(snapshot) == ()


def test_worst_first():
    snapshot = with_session(vary(nodes(node(interface="eth9", enabled=False)), database={"schema": 1}), session())
    severities = [SEVERITIES.index(found.severity) for found in diagnose(snapshot)]
    assert severities == sorted(severities)
    assert len(set(severities)) > 1


def test_a_finding_that_is_not_repairable_has_no_gate():
    found = find(nodes(node(enabled=False), node(2, OTHER), node(3, "10.77.0.3")), "fog.node.many_masters")
    assert (found.repairable, found.gate) == (False, None)


class TestDatabase:
    def test_an_unreadable_database_is_told_with_what_the_host_itself_shows(self):
        snapshot = vary(
            with_session(nodes(node(master=False)), session(), [task()]),
            release={"udp_sender_runs": False, "errors": ("config.class.php cannot be read.",)},
            logs={"lines": (line("database_waiting", "Waiting for mysql"),)},
            processes=Processes((process(100),), (), (sender(of=12),)),
        )
        broken = vary(snapshot, database=Database(error="Access denied.", kind="unreachable", endpoint="fog@db/fog"))
        # The child that cannot live without either is started anew all the time, so it is not looked at.
        assert ids(broken) == ["fog.db.unreachable", "fog.sender.missing_binary"]
        found = find(broken, "fog.db.unreachable")
        assert found.subject == "fog@db/fog"
        assert "Waiting for mysql" in told(found)
        assert "config.class.php cannot be read." in told(found)

    def test_a_foreign_database_is_told_as_such(self):
        broken = vary(healthy(), database=Database(error="There is no table tasks.", kind="foreign"))
        assert ids(broken) == ["fog.db.foreign_schema"]
        assert find(broken, "fog.db.foreign_schema").severity == "error"

    @pytest.mark.parametrize("enabled", [True, False, None])
    def test_without_a_database_only_an_enabled_unit_is_missed(self, enabled):
        broken = vary(
            healthy(),
            database=Database(error="No answer.", kind="unreachable"),
            service={"active": False, "enabled": enabled},
            processes=Processes((), (), ()),
        )
        assert ("fog.service.stopped" in ids(broken)) is (enabled is True)

    @pytest.mark.parametrize(
        ("doubt", "name", "severity", "why"),
        [
            ({"schema": None}, "fog.db.foreign_schema", "warning", "None"),
            ({"schema": KNOWN_SCHEMAS[0] - 1}, "fog.db.foreign_schema", "warning", str(KNOWN_SCHEMAS[0] - 1)),
            ({"rival": "10.77.0.9/fog"}, "fog.db.two_databases", "error", "10.77.0.9/fog"),
        ],
    )
    def test_with_an_unknown_or_the_wrong_database_nothing_is_repaired(self, doubt, name, severity, why):
        elsewhere = {"udp_sender_runs": False, "udp_sender_found": ("/usr/sbin/udp-sender",)}
        plain = vary(
            stale(),
            database={"nodes": (node(interface="eth9"),)},
            processes=Processes((), (), (sender(of=9),)),
            service={"active": False},
            release=elsewhere,
        )
        touched = {
            "fog.session.stale",
            "fog.interface.record_stale",
            "fog.sender.orphan",
            BINARY,
            "fog.service.stopped",
        }
        assert touched == {found.id for found in diagnose(plain) if found.repairable}
        snapshot = vary(plain, database=doubt)
        assert find(snapshot, name).severity == severity
        assert why in told(find(snapshot, name))
        for found in diagnose(snapshot):
            assert not found.repairable, found.id
            if found.id in touched:
                assert why in found.repair
        assert why in room.write_objection(snapshot)

    def test_a_damaged_database_is_no_ground_for_a_repair_either(self):
        error = Database(error="There is no table tasks.", kind="foreign", rival="10.77.0.9/fog")
        gone = {"udp_sender_runs": False, "udp_sender_found": ("/usr/sbin/udp-sender",)}
        snapshot = vary(healthy(), database=error, release=gone)
        assert not any(found.repairable for found in diagnose(snapshot))
        assert "fog.db.two_databases" in ids(snapshot)
        unreachable = vary(snapshot, database={"kind": "unreachable"})
        assert find(unreachable, BINARY).repairable

    def test_an_orphaned_sender_of_an_unknown_schema_is_left_to_a_person(self):
        assert find(running(sender(of=12)), "fog.sender.orphan").repairable
        assert not find(running(sender(of=12), database={"schema": 1}), "fog.sender.orphan").repairable

    def test_rights_count_by_table(self):
        rights = {"multicastSessions": NO_DELETE, "tasks": NO_DELETE, "multicastSessionsAssoc": NO_DELETE}
        snapshot = vary(stale(), database={"table_privileges": rights, "privileges": frozenset(("SELECT",))})
        assert not find(snapshot, "fog.session.stale").repairable
        assert "INSERT, SELECT, UPDATE" in told(find(snapshot, "fog.db.no_delete"))
        rights["multicastSessionsAssoc"] = frozenset(("SELECT", "DELETE"))
        assert find(snapshot, "fog.session.stale").repairable

    def test_a_user_who_may_not_update_repairs_nothing(self):
        snapshot = vary(nodes(node(interface="eth9")), database={"privileges": frozenset(("SELECT",))})
        found = find(snapshot, "fog.interface.record_stale")
        assert not found.repairable
        assert "UPDATE on nfsGroupMembers" in found.repair

    def test_unknown_rights_are_no_reason_to_refuse(self):
        assert find(vary(stale(), database={"privileges": None}), "fog.session.stale").repairable

    def test_a_task_of_a_finished_session_needs_delete_too(self):
        database = {"associations": (link(1, 90, 7, session_state=5),), "tasks": (task(7, of=90),)}
        assert find(vary(healthy(), database=database), "fog.task.orphan").repairable
        snapshot = vary(healthy(), database=dict(database, privileges=NO_DELETE))
        assert not find(snapshot, "fog.task.orphan").repairable
        assert "task 7" in find(snapshot, "fog.db.no_delete").summary


class TestNodes:
    def test_local_node_prefers_enabled_masters(self):
        snapshot = nodes(node(1, enabled=False), node(2, master=False), node(3), node(4))
        assert room.local_node(snapshot).id == 3
        assert room.local_node(snapshot, "node2").id == 2
        assert room.local_node(snapshot, "nobody") is None
        assert room.local_node(nodes(node(hostname=OTHER))) is None

    @pytest.mark.parametrize(
        ("snapshot", "own"),
        [
            (nodes(node(hostname="127.0.0.1")), True),
            (vary(nodes(node(hostname="127.0.0.1")), settings={"install_type": "S"}), False),
            (vary(nodes(node(hostname="fog.lan", address="127.0.1.1")), settings={"install_type": "S"}), True),
            (vary(nodes(node(hostname="nas.lan", address="127.0.1.1")), settings={"install_type": "S"}), False),
            (nodes(node(hostname="fog.lan", address=ADDRESS)), True),
            (nodes(node(hostname="nas.lan", address="")), False),
        ],
    )
    def test_every_host_has_a_loopback_address_so_it_names_one_only_with_more_evidence(self, snapshot, own):
        assert (room.local_node(snapshot) is not None) is own

    def test_served_groups_are_those_no_other_host_is_master_of(self):
        snapshot = nodes(node(1), node(2, group=2), node(3, OTHER, group=2), node(4, group=3, master=False))
        assert room.served_groups(snapshot) == frozenset((1,))

    def test_no_master_on_a_full_server_is_repaired(self):
        found = find(nodes(node(master=False), node(2, OTHER, master=False)), "fog.node.no_master")
        assert (found.repairable, found.gate) == (True, None)
        assert "storage group default" in found.subject
        assert ADDRESS in told(found)

    @pytest.mark.parametrize(("wish", "gate"), [(None, "fog_multicast_master"), (True, None)])
    @pytest.mark.parametrize("install_type", ["N", "S"])
    def test_a_master_that_is_only_disabled_keeps_its_flag_until_somebody_says_so(self, install_type, wish, gate):
        snapshot = vary(
            nodes(node(master=False), node(2, OTHER, enabled=False)), settings={"install_type": install_type}
        )
        found = find(snapshot, "fog.node.no_master", master=wish)
        assert (found.repairable, found.gate) == (True, gate)

    @pytest.mark.parametrize(
        ("wish", "repairable", "gate"),
        [(None, True, "fog_multicast_master"), (True, True, None), (False, False, None)],
    )
    def test_no_master_beside_another_node_needs_the_wish(self, wish, repairable, gate):
        snapshot = vary(storage_node(), database={"nodes": (node(master=False), node(2, OTHER, master=False))})
        found = find(snapshot, "fog.node.no_master", master=wish)
        assert (found.repairable, found.gate) == (repairable, gate)

    def test_the_only_enabled_node_of_a_group_becomes_its_master_unasked(self):
        only = (node(group=2), node(2, OTHER, master=False), node(3, "10.77.0.3", master=False, enabled=False))
        found = find(vary(storage_node(), database={"nodes": only}), "fog.node.no_master")
        assert (found.repairable, found.gate) == (True, None)

    def test_a_disabled_node_cannot_become_the_master(self):
        found = find(nodes(node(enabled=False)), "fog.node.no_master")
        assert not found.repairable
        assert "Enable" in found.repair

    @pytest.mark.parametrize(
        ("wish", "others", "repairable", "gate"),
        [
            (None, 1, True, "fog_multicast_master"),
            (True, 1, True, None),
            (False, 1, True, None),
            (False, 2, False, None),
        ],
    )
    def test_many_masters(self, wish, others, repairable, gate):
        snapshot = nodes(node(), *[node(number, "10.77.0.%d" % number) for number in range(2, 2 + others)])
        found = find(snapshot, "fog.node.many_masters", master=wish)
        assert (found.repairable, found.gate) == (repairable, gate)
        assert "node1, node2" in found.summary

    @pytest.mark.parametrize(("wish", "gate"), [(None, "fog_multicast_master"), (True, None)])
    def test_master_on_a_nas(self, wish, gate):
        found = find(nodes(node(master=False), node(2, OTHER)), "fog.node.master_not_local", master=wish)
        assert (found.repairable, found.gate) == (True, gate)
        assert OTHER in found.summary

    def test_a_master_elsewhere_is_no_finding_where_it_is_meant_so(self):
        snapshot = nodes(node(master=False), node(2, OTHER))
        assert ids(snapshot, master=False) == []
        assert ids(storage_node()) == []
        assert ids(vary(snapshot, settings={"install_type": "S"})) == []

    def test_the_certain_new_address_is_named(self):
        found = find(vary(healthy(), network=network("eth0", "10.77.0.9")), "fog.node.address_not_local")
        assert found.repairable
        assert "10.77.0.9" in told(found)

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"network": network("eth1", "10.77.0.9")}, "neither the record's interface"),
            ({"network": network("eth0", "10.77.0.9", "10.77.0.8")}, "has 2 global"),
            ({"network": network("eth0", "169.254.3.4")}, "has 0 global"),
            ({"network": {"interfaces": (LOOPBACK, interface("eth0", "10.77.0.9", up=False))}}, "eth0 is down"),
            ({"network": network("eth0", OTHER)}, "node2 already has"),
            ({"network": network("eth0", "10.77.0.9"), "settings": {"install_type": "S"}}, "shares its database"),
            ({"network": network("eth0", "10.77.0.9"), "database": {"local": False}}, "database is on another host"),
        ],
    )
    def test_a_doubtful_new_address_is_left_to_a_person(self, changes, why):
        snapshot = vary(nodes(node(), node(2, OTHER, address="10.77.0.22", master=False)), **changes)
        found = find(snapshot, "fog.node.address_not_local")
        assert not found.repairable
        assert why in told(found)
        assert "fog_multicast_address" in found.repair

    def test_the_installed_interface_counts_where_the_recorded_one_is_gone(self):
        snapshot = vary(nodes(node(interface="eth9")), network=network("eth0", "10.77.0.9"))
        assert find(snapshot, "fog.node.address_not_local").repairable

    def test_loopback_is_no_new_address(self):
        snapshot = vary(nodes(node(interface="lo")), network=network("eth0", "10.77.0.9"))
        assert "is loopback" in told(find(snapshot, "fog.node.address_not_local"))

    def test_a_name_is_corrected_where_it_is_resolved(self):
        snapshot = vary(nodes(node(hostname="fog.lan", address=ADDRESS)), network=network("eth0", "10.77.0.9"))
        found = find(snapshot, "fog.node.address_not_local")
        assert not found.repairable
        assert "fog.lan" in told(found)

    def test_a_host_that_is_no_node_is_told(self):
        snapshot = vary(nodes(node(hostname=OTHER, address=OTHER)), settings={"address": ""})
        found = find(snapshot, "fog.node.address_not_local")
        assert (found.subject, found.repairable) == ("this host", False)
        assert OTHER in told(found)
        assert ".fogsettings" not in told(
            find(vary(snapshot, settings={"interface": ""}), "fog.node.address_not_local")
        )

    def test_without_any_interface_nothing_is_said_about_addresses(self):
        assert ids(vary(healthy(), network={"interfaces": ()})) == []


class TestInterfaces:
    def test_the_three_interfaces(self):
        snapshot = nodes(node(interface="eth9"))
        three = room.interfaces_of(snapshot, room.local_node(snapshot))
        assert (three.configured, three.effective.interface, three.expected) == ("eth9", "eth0", "eth0")

    def test_a_stale_record_says_that_it_is_not_what_breaks_multicast(self):
        found = find(nodes(node(interface="eth9")), "fog.interface.record_stale")
        assert (found.severity, found.repairable) == ("warning", True)
        assert "does not by itself repair multicast" in found.repair

    def test_a_stale_setting_is_reported_on_the_server_only(self):
        stale_setting = {"FOG_NFS_ETH_MONITOR": "eth9"}
        assert "eth9" in find(settings(healthy(), **stale_setting), "fog.interface.record_stale").summary
        assert ids(settings(storage_node(True), **stale_setting)) == []

    def test_a_record_that_chooses_and_names_another_interface_is_an_error(self):
        two = {"interfaces": (LOOPBACK, interface("eth0", ADDRESS), interface("eth1", "10.9.0.1")), "routes": ()}
        snapshot = vary(nodes(node(interface="eth1")), release={"version": "1.5.10.1867"}, network=two)
        found = find(snapshot, "fog.interface.record_stale")
        assert (found.severity, found.repairable) == ("error", True)
        snapshot = vary(snapshot, database={"nodes": (node(interface="eth1", enabled=False),)})
        assert find(snapshot, "fog.interface.record_stale").severity == "warning"

    def test_a_setting_that_names_another_interface_may_be_meant_so(self):
        two = {"interfaces": (LOOPBACK, interface("eth0", ADDRESS), interface("eth1", "10.9.0.1"))}
        snapshot = settings(release("1.2.0", network=two), FOG_UDPCAST_INTERFACE="eth1")
        found = find(snapshot, "fog.interface.record_stale")
        assert not found.repairable
        assert "fog_multicast_interface" in found.repair

    def test_an_absent_interface_by_the_record(self):
        gone = vary(nodes(node(interface="eth9")), release={"version": "1.5.10.1867"}, network={"routes": ()})
        found = find(gone, "fog.interface.absent")
        assert (found.severity, found.repairable) == ("error", True)
        assert "fog.interface.record_stale" not in ids(gone)
        routed = vary(gone, network={"routes": (route(),)})
        assert ids(routed) == ["fog.interface.record_stale"]

    def test_the_servers_setting_is_not_corrected_from_a_storage_node(self):
        snapshot = settings(vary(storage_node(True), release={"version": "1.2.0"}), FOG_UDPCAST_INTERFACE="ens18")
        assert not find(snapshot, "fog.interface.absent").repairable

    def test_an_absent_interface_without_a_replacement_is_left_to_a_person(self):
        snapshot = vary(
            settings(release("1.2.0"), FOG_UDPCAST_INTERFACE="eth9"),
            network={"interfaces": (LOOPBACK, interface("eth0", ADDRESS, multicast=False))},
        )
        assert not find(snapshot, "fog.interface.absent").repairable

    def test_the_wrong_word_of_a_default_route(self):
        snapshot = release("1.5.8", network={"routes": (DHCP, route())})
        snapshot = vary(snapshot, logs={"last_command": "udp-sender --interface dev --portbase 5"})
        found = find(snapshot, "fog.interface.lookup_bug")
        assert "'dev'" in found.summary
        assert "--interface dev" in told(found)

    @pytest.mark.parametrize("command", ["udp-sender --interface", "udp-sender 'open --interface dev", ""])
    def test_a_cut_command_line_is_no_trouble(self, command):
        snapshot = vary(nodes(node(interface="eth9")), logs={"last_command": command})
        assert ("--interface dev" in told(find(snapshot, "fog.interface.record_stale"))) is ("dev" in command)

    def test_an_address_that_is_part_of_another_finds_its_route(self):
        two = (LOOPBACK, interface("eth1", "10.77.0.10"), interface("eth0", ADDRESS))
        routes = (route("eth1", "10.77.0.10"), route())
        snapshot = vary(healthy(), network={"interfaces": two, "routes": routes})
        assert "'eth1'" in find(snapshot, "fog.interface.lookup_bug").summary

    def test_loopback_has_no_route(self):
        snapshot = nodes(node(hostname="127.0.0.1"))
        assert ids(snapshot) == ["fog.interface.no_route"]

    def test_a_link_that_is_down_explains_the_missing_route(self):
        down = {"interfaces": (LOOPBACK, interface("eth0", ADDRESS, up=False)), "routes": ()}
        assert ids(vary(healthy(), network=down)) == ["fog.interface.down"]

    def test_on_a_host_that_serves_nothing_it_is_a_warning(self):
        down = {"interfaces": (LOOPBACK, interface("eth0", OTHER, link="down"))}
        assert find(vary(storage_node(), network=down), "fog.interface.down").severity == "warning"
        assert find(vary(storage_node(True), network=down), "fog.interface.down").severity == "error"

    @pytest.mark.parametrize(
        "changes",
        [{"release": {"version": ""}}, {"release": {"version": "1.3.2"}}, {"network": {"error": "ip is missing."}}],
    )
    def test_what_cannot_be_known_is_not_judged(self, changes):
        snapshot = vary(nodes(node(interface="eth9")), **changes)
        assert ids(snapshot) == ["fog.version.unknown"]

    def test_two_nodes_on_one_interface_tell_of_it_once(self):
        down = {"interfaces": (LOOPBACK, interface("eth0", ADDRESS, link="down", multicast=False))}
        snapshot = vary(nodes(node(1, master=False), node(2, group=2)), network=down)
        assert find(snapshot, "fog.interface.down").severity == "error"
        assert find(snapshot, "fog.interface.no_multicast").severity == "error"

    def test_routes_do_not_matter_to_a_release_that_asks_the_settings(self):
        assert ids(release("1.2.0", network={"error": "ip is missing.", "routes": ()})) == []


LIFE = [
    pytest.param({"database": {"tasks": (task(checkin=NOW - 1799),)}}, id="task checked in"),
    pytest.param({"database": {"tasks": (task(age=1799.0),)}}, id="task created"),
    pytest.param({"database": {"tasks": (task(of=None, checkin=NOW - 9),)}}, id="task by association only"),
    pytest.param({"database": {"sessions": (session(age=1799.0),)}}, id="session created"),
    pytest.param({"logs": {"alive": {1: 1799.0}}}, id="daemon's log"),
    pytest.param({"logs": {"senders": (sender_log(age=1799.0),)}}, id="udp-sender's log"),
    pytest.param({"logs": {"error": "The log cannot be read."}}, id="unreadable log"),
    pytest.param({"processes": {"error": "/proc hides processes."}}, id="hidden processes"),
    pytest.param({"processes": {"senders": (sender(),)}}, id="its sender"),
    pytest.param({"processes": {"senders": (sender(of=None, files=()),)}}, id="a sender that may be its own"),
    pytest.param({"processes": {"senders": (sender(of=9, files=(), age=7000.0),)}}, id="a sender with another's log"),
    pytest.param({"database": {"nodes": (node(), node(2, OTHER))}}, id="two masters"),
    pytest.param({"database": {"nodes": (node(master=False), node(2, OTHER))}}, id="another host's"),
    pytest.param({"database": {"nodes": (node(hostname=OTHER),)}}, id="this host is no node"),
    pytest.param({"database": {"nodes": (node(group=2),)}}, id="another group's"),
    pytest.param({"database": {"offset": -7200.0}}, id="a zone in which it just was"),
    pytest.param({"logs": {"offset": -7200.0}}, id="FOG's zone in which it just was"),
    pytest.param({"logs": {"offset": -9000.0}}, id="a time in the future"),
    pytest.param({"time": NOW - 9000.0}, id="a clock that went back"),
    pytest.param({"database": {"sessions": (session(age=None),), "tasks": ()}}, id="no time at all"),
    pytest.param({"database": {"sessions": (session(clients=-2, group=9),)}}, id="a named session of an unknown node"),
    pytest.param({"database": {"sessions": (session(state=4),)}}, id="finished"),
]


class TestStale:
    def test_the_evidence_can_be_checked_by_hand(self):
        snapshot = vary(stale(), logs={"alive": {1: 5000.0}, "senders": (sender_log(age=6000.0, errors=("in use",)),)})
        found = find(snapshot, "fog.session.stale")
        assert (found.subject, found.repairable, found.gate) == ("session 1", True, None)
        for fact in (
            "5000 s",
            "port 50002",
            "7200 s",
            "6000 s",
            "2 connections",
            "in use",
            "task 1",
            "never checked in",
        ):
            assert fact in told(found), fact

    @pytest.mark.parametrize("changes", LIFE)
    def test_any_sign_of_life_or_doubt_is_enough(self, changes):
        assert "fog.session.stale" in ids(stale())
        assert "fog.session.stale" not in ids(vary(stale(), **changes))

    @pytest.mark.parametrize("state", [0, 1, 2, 3])
    def test_every_active_state_can_be_stale(self, state):
        snapshot = vary(stale(), database={"sessions": (session(state=state),)})
        assert ids(snapshot) == ["fog.session.stale"]

    def test_stale_after_is_the_users(self):
        assert "fog.session.stale" not in ids(stale(), stale_after=7201)
        assert "fog.session.stale" in ids(stale(), stale_after=7200)

    def test_a_dead_daemon_does_not_hide_it(self):
        assert "fog.session.stale" in ids(vary(stale(), processes={"children": ()}))

    @pytest.mark.parametrize("state", [0, 1])
    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"processes": {"children": ()}}, id="no child"),
            pytest.param({"processes": {"children": (process(101, 100, 30.0),)}}, id="a child that was just started"),
            pytest.param({"logs": {"age": 31.0}}, id="a silent log"),
            pytest.param({"logs": {"exists": False, "age": None, "lines": ()}}, id="no log"),
            pytest.param({"logs": {"lines": (line(stamp=None),)}}, id="a log without times"),
            pytest.param({"logs": {"lines": (line("disabled"),)}}, id="multicast switched off"),
            pytest.param({"logs": {"lines": (line("not_master"), line())}}, id="a master for a moment only"),
            pytest.param({"logs": {"lines": (line("interface_waiting"),)}}, id="old addresses"),
            pytest.param({"logs": {"lines": (line("no_image_path"),)}}, id="an image that may be its own"),
            pytest.param({"logs": {"lines": (line("not_started", session=1), line())}}, id="refused"),
        ],
    )
    def test_a_session_that_no_daemon_could_take_up_is_unserved_not_stale(self, state, changes):
        snapshot = vary(stale(), database={"sessions": (session(state=state),)})
        assert ids(snapshot) == ["fog.session.stale"]
        broken = ids(vary(snapshot, **changes))
        assert "fog.session.stale" not in broken
        assert "fog.session.unserved" in broken

    def test_what_stands_in_the_way_of_others_or_did_so_before_does_not_count(self):
        lines = (line("not_master", stamp=NOW - 36), line("bad_port", session=2), line())
        snapshot = vary(stale(), database={"sessions": (session(state=0),)}, logs={"lines": lines})
        assert ids(snapshot) == ["fog.session.stale"]

    @pytest.mark.parametrize(("state", "found"), [(0, ["fog.session.unserved"]), (1, [])])
    def test_a_log_in_another_language_proves_nothing(self, state, found):
        one = vary(stale(), database={"sessions": (session(state=state),)})
        assert ids(vary(one, logs={"lines": (line("banner"), line("other"))})) == found

    def test_no_daemon_ever_sends_a_deleted_image(self):
        gone = session(state=0, image_known=False)
        assert "fog.session.stale" in ids(vary(stale(), database={"sessions": (gone,)}, processes={"children": ()}))

    def test_a_session_that_waits_for_a_slot_is_left_alone_however_long(self):
        one = vary(stale(), database={"sessions": (session(state=1),)})
        for snapshot in (queued(one), queued(one, line("running", session=2), age=5.0)):
            # A daemon that has nothing else to do is silent meanwhile.
            assert ids(snapshot) == []
            life = room.session_life(snapshot, snapshot.database.sessions[0])
            assert "queued until a slot is free" in "".join(life.evidence)

    @pytest.mark.parametrize(
        ("lines", "proven"),
        [
            ((line("running", session=2),), False),
            ((line("loop"), line("running", session=2)), True),
            ((line("no_slots", stamp=NOW - 60, session=1), line("idle")), True),
            ((line("new", session=1), line("running", session=2)), True),
        ],
    )
    def test_silence_about_a_queued_session_proves_something_from_the_start_of_the_log_only(self, lines, proven):
        snapshot = vary(stale(), database={"sessions": (session(state=1),)}, logs={"lines": lines})
        assert ("fog.session.stale" in ids(snapshot)) is proven

    def test_one_of_two_masters_here_may_be_idle(self):
        both = vary(stale(), database={"sessions": (session(state=1),), "nodes": (node(), node(2, group=2))})
        assert ids(queued(both, line())) == []

    @pytest.mark.parametrize("changes", [{"processes": {"children": ()}}, {"database": {"sessions": (session(),)}}])
    def test_a_queue_ends_with_its_daemon_and_with_the_sending(self, changes):
        snapshot = vary(queued(vary(stale(), database={"sessions": (session(state=1),)})), **changes)
        found = set(ids(snapshot)) - {"fog.service.child_dead", "fog.log.silent"}
        assert found <= {"fog.session.unserved", "fog.session.stale"}
        assert found

    def test_a_named_session_is_served_by_its_nodes_group(self):
        snapshot = nodes(node(7, group=3), node(3, OTHER, group=2))
        named = session(clients=-2, group=7)
        assert ids(with_session(snapshot, named, [task(node=7)])) == ["fog.session.stale"]
        assert ids(with_session(snapshot, named._replace(group=3), [task(node=7)])) == []

    def test_a_session_that_clients_still_may_join_is_not(self):
        snapshot = with_session(healthy(), session(state=0, session_clients=4))
        assert ids(snapshot) == []
        assert ids(vary(snapshot, database={"sessions": (session(state=0),)})) == ["fog.session.stale"]

    def test_the_sender_of_another_session_on_the_port_does_not_save_it(self):
        both = with_session(stale(), session(2, port=50002), [task(2, of=2)])
        own = vary(both, processes={"senders": (sender(of=None, files=("/images/win2/d1p1.img",)),)})
        assert [each.subject for each in diagnose(own) if each.id == "fog.session.stale"] == ["session 1"]
        both_images = ("/images/win1", "/images/win2/d1p1.img")
        assert "fog.session.stale" not in ids(vary(own, processes={"senders": (sender(of=None, files=both_images),)}))
        pathless = vary(own, database={"sessions": (session(), session(2, port=50002, path=""))})
        assert "fog.session.stale" not in ids(pathless)

    def test_a_sender_on_another_port_is_known_by_the_log_it_writes(self):
        overridden = vary(stale(), processes={"senders": (sender(50002, of=9, files=()), sender(60000, of=1))})
        assert "fog.session.stale" not in ids(overridden)
        found = room.sender_of(overridden, overridden.database.sessions[0])
        assert found.port == 60000
        assert [(each["port"], each["session"]) for each in view.senders(overridden)] == [(50002, None), (60000, 1)]

    @pytest.mark.parametrize("limit", ["sessions", "tasks"])
    def test_a_cut_reading_proves_nothing(self, monkeypatch, limit):
        from ansible_collections.imaging.multicast.plugins.module_utils._fog import diagnose_sessions

        snapshot = with_session(stale(), session(2), [task(2, of=2)])
        snapshot = vary(snapshot, database={limit: getattr(snapshot.database, limit) * 2})
        monkeypatch.setattr(diagnose_sessions, "LIMIT", 4)
        assert "fog.session.stale" not in ids(snapshot)
        monkeypatch.setattr(diagnose_sessions, "LIMIT", 5)
        assert "fog.session.stale" in ids(snapshot)

    def test_what_keeps_processes_from_being_seen_is_told(self):
        snapshot = vary(stale(), processes={"error": "A udp-sender runs in a container."})
        assert "A udp-sender runs in a container." in room.session_life(snapshot, session()).evidence

    def test_small_clock_differences_are_no_contradiction(self):
        snapshot = with_session(healthy(), session(age=-59.0), [task(age=-59.0)])
        assert room.session_life(snapshot, snapshot.database.sessions[0]).age == 0
        earlier = vary(snapshot, time=NOW - 2)
        life = room.session_life(earlier, earlier.database.sessions[0])
        assert life.age is None
        assert "in the future" in "".join(life.evidence)

    def test_both_zones_are_told(self):
        snapshot = vary(stale(), database={"offset": 3600.0})
        assert "7200 s or 10800 s ago" in told(find(snapshot, "fog.session.stale"))

    def test_sessions_served_here(self):
        snapshot = with_session(stale(), session(2, group=2))
        assert [each.id for each in room.sessions_served_here(snapshot)] == [1]


class TestUnserved:
    @pytest.mark.parametrize(
        ("snapshot", "cause", "repairable"),
        [
            (nodes(node(master=False)), "fog.node.no_master", True),
            (nodes(node(master=False), node(2, OTHER)), "fog.node.master_not_local", True),
            (nodes(node(), node(2, OTHER)), "fog.node.many_masters", True),
            (vary(healthy(), network=network("eth0", "10.77.0.9")), "fog.node.address_not_local", True),
            (dead_child(), "fog.service.child_dead", True),
            (settings(healthy(), MULTICASTGLOBALENABLED=""), "fog.service.disabled_globally", False),
            (vary(healthy(), missing_images=("/images/win1",)), "fog.image.missing", False),
        ],
    )
    def test_the_cause_is_the_finding_beside_it_and_its_cure_is_too(self, snapshot, cause, repairable):
        snapshot = waiting(base=snapshot)
        found = find(snapshot, "fog.session.unserved")
        assert (found.severity, found.repairable) == ("error", repairable)
        assert found.cause.startswith(cause + ": ")
        assert found.gate == find(snapshot, cause).gate

    def test_a_deleted_image_is_missing_too(self):
        snapshot = waiting(5.0)
        (one,) = snapshot.database.sessions
        assert "fog.image.missing" not in ids(snapshot)
        gone = find(vary(snapshot, database={"sessions": (one._replace(image_known=False),)}), "fog.image.missing")
        assert "in the database no more" in gone.summary
        assert not gone.repairable
        elsewhere = vary(waiting(5.0, storage_node()), database={"sessions": (one._replace(image_known=False),)})
        assert "fog.image.missing" not in ids(elsewhere)

    def test_another_sessions_missing_image_is_not_the_cause(self):
        snapshot = vary(waiting(base=waiting()), missing_images=("/images/win2",))
        snapshot = vary(snapshot, database={"sessions": (session(age=100.0, state=0), session(2, age=9.0, state=0))})
        assert "image" not in find(snapshot, "fog.session.unserved").cause

    @pytest.mark.parametrize(("group", "explained"), [(1, True), (2, False)])
    def test_another_groups_master_is_not_the_cause(self, group, explained):
        snapshot = waiting(base=nodes(node(1, master=False), node(2, OTHER)), group=group)
        assert "fog.node.master_not_local" in ids(snapshot)
        found = find(snapshot, "fog.session.unserved")
        assert found.cause.startswith("fog.node.") is explained
        assert found.repairable is explained

    def test_another_ports_clash_is_not_the_cause(self):
        clash = (session(1, age=100.0), session(2, age=100.0, port=50002), session(3, age=100.0, state=0))
        snapshot = vary(healthy(), database={"sessions": clash}, processes={"senders": (sender(), sender(of=2))})
        assert "port_shared" not in find(snapshot, "fog.session.unserved").cause
        same = vary(snapshot, database={"sessions": (*clash[:2], clash[2]._replace(port=50002))})
        assert "port_shared" in find(same, "fog.session.unserved").cause

    def test_what_the_log_says_last_is_evidence(self):
        snapshot = vary(waiting(port=50001), logs={"lines": (line("no_slots", "No open slots"),)})
        found = find(snapshot, "fog.session.unserved")
        assert "No open slots" in told(found)
        assert "odd" in told(found)
        assert found.cause == CATALOGUE["fog.session.unserved"].cause

    @pytest.mark.parametrize("sleep", ["40", "forty"])
    def test_the_daemons_interval_counts(self, sleep):
        assert ("fog.session.unserved" in ids(settings(waiting(110.0), MULTICASTSLEEPTIME=sleep))) is (sleep != "40")

    @pytest.mark.parametrize(
        "snapshot",
        [
            waiting(started=None),
            waiting(age=-100.0),
            queued(waiting(state=1)),
            waiting(base=nodes(node(), node(2, OTHER, group=2)), group=2, state=1),
            waiting(clients=-2, group=9),
            vary(waiting(), processes={"senders": (sender(),)}),
            waiting(base=storage_node()),
        ],
    )
    def test_doubt_and_other_hosts_sessions_are_left_out(self, snapshot):
        assert "fog.session.unserved" not in ids(snapshot)

    def test_old_and_without_a_master_it_is_unserved_not_stale(self):
        snapshot = waiting(7200.0, nodes(node(master=False)))
        assert ids(snapshot) == ["fog.node.no_master", "fog.session.unserved"]

    def test_a_full_server_tells_of_other_groups(self):
        masterless = waiting(group=2)
        assert find(masterless, "fog.session.unserved").severity == "error"
        elsewhere = waiting(base=nodes(node(), node(2, OTHER, group=2)), group=2)
        found = find(elsewhere, "fog.session.unserved")
        assert found.severity == "info"
        assert "node2" in found.cause


class TestSharedPorts:
    def test_the_setting_and_a_stale_one_are_evidence(self):
        snapshot = with_session(stale(), session(2, port=50002), [task(2, of=2)])
        snapshot = settings(snapshot, FOG_MULTICAST_PORT_OVERRIDE="50002")
        found = find(snapshot, "fog.session.port_shared")
        assert not found.repairable
        assert "FOG_MULTICAST_PORT_OVERRIDE: '50002'" in told(found)
        assert "session 1 is proven stale" in told(found)

    def test_sessions_of_different_hosts_do_not_clash(self):
        snapshot = shared(session(2, port=50002, group=2))
        assert "fog.session.port_shared" not in ids(snapshot)

    def test_no_port_is_no_clash(self):
        snapshot = with_session(with_session(healthy(), session(port=0, age=5.0)), session(2, port=0, age=5.0))
        assert ids(snapshot) == []


class TestLeftovers:
    @pytest.mark.parametrize(
        ("changes", "orphan"),
        [
            ({"session_state": None, "task_state": None}, True),
            ({"session_state": 4, "task_state": 4}, True),
            ({"session_state": 0}, False),
            ({"task_state": 1}, False),
        ],
    )
    def test_associations(self, changes, orphan):
        assert ("fog.association.orphan" in ids(leftover(**changes))) is orphan

    @pytest.mark.parametrize(("changes", "orphan"), [({}, True), ({"created": NOW - 60}, False), ({"node": 2}, False)])
    def test_an_association_with_a_task_that_may_still_run_is_kept(self, changes, orphan):
        snapshot = vary(
            nodes(node(), node(2, OTHER, group=2)),
            database={
                "associations": (link(1, 90, 7, session_state=5),),
                "tasks": (task(7, of=90)._replace(**changes),),
            },
        )
        assert ids(snapshot) == (["fog.task.orphan", "fog.association.orphan"] if orphan else [])

    def test_many_associations_are_one_finding(self):
        links = tuple(link(number, 90, number, session_state=5, task_state=5) for number in range(25))
        found = find(vary(healthy(), database={"associations": links}), "fog.association.orphan")
        assert "25 association rows" in found.summary
        assert found.evidence[-1] == "and 5 more"
        cut = "Only 25 orphaned associations were read; there are more."
        others = "Only 1000 active sessions were read; there are more."
        database = {"associations": links, "truncated": (others, cut)}
        assert find(vary(healthy(), database=database), found.id).evidence[-2:] == ("and 5 more", cut)

    def test_where_they_cannot_be_deleted_associations_are_no_trouble(self):
        found = find(vary(leftover(), database={"privileges": NO_DELETE}), "fog.association.orphan")
        assert (found.severity, found.repairable) == ("info", False)
        assert "fog.db.no_delete" not in ids(vary(leftover(), database={"privileges": NO_DELETE}))

    @pytest.mark.parametrize(
        ("changes", "orphan"),
        [
            ({"created": None, "checkin": NOW - 1800}, True),
            ({"checkin": NOW - 1799}, False),
            ({"created": None}, False),
            ({"group": 1, "node": 99}, True),
            ({"group": 99, "node": 1}, True),
            ({"group": 2}, False),
            ({"node": 99}, True),
        ],
    )
    def test_tasks(self, changes, orphan):
        snapshot = vary(forlorn(**changes), database={"groups": {1: "default", 2: "other"}})
        assert ("fog.task.orphan" in ids(snapshot)) is orphan

    @pytest.mark.parametrize(("group", "orphan"), [(1, True), (0, False)])
    def test_a_task_of_no_known_group_is_the_full_servers(self, group, orphan):
        snapshot = vary(forlorn(node=99, group=group), settings={"install_type": "S"})
        assert ("fog.task.orphan" in ids(snapshot)) is orphan

    def test_a_task_of_a_live_session_is_none(self):
        snapshot = with_session(healthy(), session(age=5.0), [task(age=7200.0)])
        assert ids(snapshot) == []
        assert ids(vary(snapshot, database={"tasks": (task(of=90),)})) == []

    @pytest.mark.parametrize(
        ("one", "orphan"),
        [
            (sender(of=12, age=29.0), False),
            (sender(of=12, age=30.0, output_age=30.0), True),
            (sender(of=12, shell=None), True),
            (sender(of=12, process=None), True),
            (sender(of=12, shell=None, process=None), False),
            (sender(of=12, output="/opt/fog/log/multicast.log.udpcast.12 (deleted)"), True),
        ],
    )
    def test_senders(self, one, orphan):
        assert ("fog.sender.orphan" in ids(running(one))) is orphan

    @pytest.mark.parametrize(("sleep", "quiet"), [("100", 300.0), ("1", 5.0)])
    def test_quiet_is_measured_in_the_daemons_intervals(self, sleep, quiet):
        for seconds, orphan in ((quiet, True), (quiet - 0.1, False)):
            snapshot = settings(running(sender(of=12, output_age=seconds)), MULTICASTSLEEPTIME=sleep)
            assert ("fog.sender.orphan" in ids(snapshot)) is orphan

    @pytest.mark.parametrize("one", [sender(of=None), sender(of=12, output_age=None)])
    def test_a_sender_that_may_not_be_fogs_or_not_idle_is_left_to_a_person(self, one):
        found = find(running(one), "fog.sender.orphan")
        assert (found.severity, found.repairable) == ("warning", False)
        assert "by hand" in found.repair

    def test_the_evidence_names_the_processes(self):
        snapshot = running(sender(of=12), logs={"senders": (sender_log(13, errors=("Address already in use",)),)})
        text = told(find(snapshot, "fog.sender.orphan"))
        for fact in ("sh pid 50002", "udp-sender pid 50003", "7200 s", "eth0", "/images/win12/d1p1.img", "in use"):
            assert fact in text, fact

    def test_a_sender_on_a_used_port_is_an_orphan_when_its_log_names_a_finished_session(self):
        live = with_session(healthy(), session(age=100.0), [task(age=100.0)])
        older = vary(live, processes={"senders": (sender(of=12, age=161.0),)})
        assert "session 1 uses the port too" in told(find(older, "fog.sender.orphan"))
        assert ids(vary(live, processes={"senders": (sender(of=12, age=159.0, files=()),)})) == []
        other_files = sender(of=12, age=159.0, files=("/images/win12/d1p1.img",))
        assert ids(vary(live, processes={"senders": (other_files,)})) == ["fog.sender.orphan"]
        assert ids(vary(live, processes={"senders": (sender(of=None),)})) == []

    def test_a_sender_whose_session_is_active_on_another_port_is_none(self):
        live = with_session(healthy(), session(age=100.0), [task(age=100.0)])
        assert ids(vary(live, processes={"senders": (sender(60000, of=1),)})) == []

    def test_senders_of_an_unreadable_database_are_never_orphans(self):
        snapshot = running(sender(of=12), database=Database(error="No answer.", kind="unreachable"))
        assert ids(snapshot) == ["fog.db.unreachable"]


class TestService:
    def test_a_missing_binary_is_linked_where_it_lies_elsewhere(self):
        gone = {"udp_sender_runs": False, "errors": ("config.class.php cannot be read.",)}
        found = find(vary(healthy(), release=dict(gone, udp_sender_found=("/usr/sbin/udp-sender",))), BINARY)
        assert found.repairable
        assert "/usr/sbin/udp-sender" in found.repair
        found = find(vary(healthy(), release=gone), BINARY)
        assert not found.repairable
        assert "Install" in found.repair
        assert "config.class.php" in told(found)

    def test_what_is_there_and_cannot_be_executed_is_not_replaced_by_a_link(self):
        there = {"udp_sender_runs": False, "udp_sender_exists": True, "udp_sender_found": ("/usr/sbin/udp-sender",)}
        found = find(vary(healthy(), release=there), BINARY)
        assert not found.repairable
        assert "chmod +x %s" % found.subject in found.repair

    def test_on_a_host_that_serves_nothing_it_is_a_warning(self):
        assert find(vary(storage_node(), release={"udp_sender_runs": False}), BINARY).severity == "warning"
        assert find(vary(storage_node(), processes={"children": ()}), "fog.service.child_dead").severity == "warning"

    def test_a_daemon_that_runs_without_its_manager_is_not_stopped(self):
        assert ids(vary(healthy(), service={"active": False})) == []

    @pytest.mark.parametrize(
        ("service", "repairable"),
        [
            ({"active": False, "state": "failed (Result: exit-code)"}, True),
            ({"active": False, "installed": False}, False),
            (ABSENT, False),
        ],
    )
    def test_stopped(self, service, repairable):
        found = find(vary(healthy(), service=service, processes=Processes((), (), ())), "fog.service.stopped")
        assert found.repairable is repairable
        assert ("installer" in found.repair) is not repairable

    def test_a_service_manager_that_cannot_be_asked_proves_nothing(self):
        service = ABSENT._replace(error="systemctl did not answer.")
        assert ids(vary(healthy(), service=service, processes=Processes((), (), ()))) == []

    @pytest.mark.parametrize(
        ("entries", "wish", "needed"),
        [
            ((node(master=False),), None, True),
            ((node(master=False),), False, False),
            ((node(master=False), node(2, OTHER)), None, False),
            ((node(master=False), node(2, OTHER)), True, True),
            ((node(enabled=False),), True, False),
        ],
    )
    def test_the_daemon_is_needed_where_the_master_is_or_will_be(self, entries, wish, needed):
        snapshot = vary(nodes(*entries), service={"active": False}, processes=Processes((), (), ()))
        assert ("fog.service.stopped" in ids(snapshot, master=wish)) is needed

    def test_a_dead_child_tells_how_it_ended(self):
        snapshot = dead_child(logs={"exits": ("child process (10330) exited with code 255.",)})
        text = told(find(snapshot, "fog.service.child_dead"))
        assert "code 255" in text
        assert "100 (S, 9000 s)" in text

    @pytest.mark.parametrize(
        ("changes", "dead"),
        [
            ({"daemon": (), "children": ()}, True),
            ({"children": (), "error": "/proc hides processes."}, False),
            ({"children": ()}, True),
        ],
    )
    def test_child_dead(self, changes, dead):
        assert ("fog.service.child_dead" in ids(vary(healthy(), processes=changes))) is dead

    @pytest.mark.parametrize(("since", "dead"), [(4.0, False), (6.0, True), (None, True)])
    def test_a_daemon_that_was_just_started_gets_a_moment(self, since, dead):
        snapshot = vary(healthy(), service={"since": since}, processes={"daemon": (), "children": ()})
        assert ("fog.service.child_dead" in ids(snapshot)) is dead

    @pytest.mark.parametrize(
        ("changes", "is_silent"),
        [
            ({"logs": {"exists": False, "age": None}}, True),
            ({"logs": {"age": None}}, False),
            ({"logs": {"age": 99.0, "error": "The log cannot be read."}}, False),
            ({"logs": {"age": 99.0}, "processes": {"children": (process(101, 100, 30.0),)}}, False),
        ],
    )
    def test_silent(self, changes, is_silent):
        assert ("fog.log.silent" in ids(vary(healthy(), **changes))) is is_silent

    def test_silence_is_measured_in_the_daemons_intervals(self):
        assert ids(settings(silent(299.0), MULTICASTSLEEPTIME="100")) == []
        assert "300 s is allowed" in told(find(settings(silent(301.0), MULTICASTSLEEPTIME="100"), "fog.log.silent"))
        assert ids(vary(storage_node(), logs={"age": 999.0})) == []

    def test_what_the_daemon_waits_for_is_told(self):
        snapshot = vary(silent(99.0), logs={"lines": (line("database_waiting", "Waiting for mysql"), line())})
        assert "Waiting for mysql" in told(find(snapshot, "fog.log.silent"))

    @pytest.mark.parametrize(
        ("snapshot", "outdated"),
        [
            (cached("interface_waiting"), True),
            (vary(cached("not_master"), logs={"lines": (line("not_master", "not the master"),)}), True),
            (vary(cached("not_master"), logs={"age": 31.0}), False),
            (vary(cached("not_master"), logs={"age": None}), False),
            (vary(cached("not_master"), logs={"lines": ()}), False),
            (vary(cached("not_master"), logs={"lines": (line("not_master"), line())}), False),
            (vary(cached("not_master"), database={"nodes": (node(master=False), node(2, OTHER))}), False),
            (vary(cached("interface_waiting"), database={"nodes": (node(enabled=False),)}), False),
        ],
    )
    def test_outdated_cache(self, snapshot, outdated):
        assert ("fog.service.outdated_cache" in ids(snapshot)) is outdated

    @pytest.mark.parametrize(("value", "off"), [("0", True), ("", True), (" 0 ", True), ("1", False)])
    def test_disabled_globally(self, value, off):
        assert ("fog.service.disabled_globally" in ids(settings(healthy(), MULTICASTGLOBALENABLED=value))) is off

    def test_disabled_globally_is_told_where_it_matters(self):
        assert ids(settings(storage_node(), MULTICASTGLOBALENABLED="0")) == []
        assert ids(vary(healthy(), database={"settings": {}})) == []

    def test_a_missing_image_is_the_masters_business(self):
        missing = ("/images/win1",)
        assert "fog.image.missing" in ids(vary(waiting(5.0), missing_images=missing))
        assert "fog.image.missing" not in ids(vary(waiting(5.0, storage_node()), missing_images=missing))
        assert "fog.image.missing" not in ids(vary(stale(), missing_images=missing))


BINARY = "fog.sender.missing_binary"


def probing():
    """A sender of multicast_probe, in the middle of a long probe."""
    made = process(4001, 4000, 300.0, "multicast_probe/udp-sender", "--portbase", "50020")
    return sender(50020, of=None, shell=None, process=made, files=(), output="/dev/null", output_age=None)


def test_a_probe_is_nobodys_leftover():
    assert ids(running(probing())) == []
    assert ids(running(sender(50020, of=None))) == ["fog.sender.orphan"]


class TestBusy:
    @pytest.mark.parametrize(
        ("snapshot", "reasons"),
        [
            (healthy(), 0),
            (stale(), 0),
            (waiting(5.0), 0),
            (running(sender(of=12)), 0),
            (running(sender(of=12, output_age=1.0)), 1),
            (running(probing()), 0),
            (with_session(healthy(), session(age=5.0, state=1)), 1),
            (with_session(healthy(), session(age=5.0), (), [sender()]), 2),
            (with_session(healthy(), session(age=5.0, clients=-2, group=9)), 1),
            (with_session(storage_node(), session(age=5.0)), 0),
            (vary(healthy(), database=Database(error="No answer.")), 1),
        ],
    )
    def test_busy(self, snapshot, reasons):
        assert len(room.busy(snapshot, 1800)) == reasons

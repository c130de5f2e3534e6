# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan: the steps, their order, what is refused, and what is left alone."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import Database
from ansible_collections.imaging.multicast.plugins.module_utils._fog.log import Line
from ansible_collections.imaging.multicast.plugins.module_utils._fog.plan import (
    Plan,
    plan_interface,
    plan_reset,
    plan_service,
)
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Processes
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog.build import (
    ADDRESS,
    LOOPBACK,
    NOW,
    OTHER,
    healthy,
    interface,
    link,
    network,
    node,
    process,
    sender,
    session,
    stale,
    storage_node,
    task,
    vary,
    with_session,
)

NOTHING = Plan()
UNREACHABLE = Database(error="No answer from the database.", kind="unreachable")
NO_DELETE = frozenset(("SELECT", "INSERT", "UPDATE"))
TWO = {"interfaces": (LOOPBACK, interface("eth0", ADDRESS), interface("eth1", "10.9.0.1"))}
NO = ("", "0")


def nodes(*entries, **parts):
    return vary(vary(healthy(), **parts), database={"nodes": entries})


def settings(snapshot, **changes):
    return vary(snapshot, database={"settings": dict(snapshot.database.settings, **changes)})


def short(plan):
    """Kind, target's value and after-fields of each step."""
    assert plan.refusal == ""
    return [(step.kind, *step.target.values(), dict(step.after)) for step in plan.steps]


def live():
    """Session 1, running: a sender, and a client that checked in just now."""
    return with_session(healthy(), session(age=100.0), [task(age=100.0)], [sender()])


def orphans():
    """A finished session's association, an active task without one, and a sender of session 12."""
    return vary(
        healthy(),
        database={"associations": (link(9, 90, 91, session_state=5, task_state=5),), "tasks": (task(7, of=None),)},
        processes={"senders": (sender(60000, of=12),)},
    )


PLANNERS = [plan_interface, plan_reset]


@pytest.mark.parametrize("snapshot", [healthy(), storage_node(), storage_node(True)])
@pytest.mark.parametrize("planner", [*PLANNERS, plan_service])
def test_a_healthy_host_needs_nothing(planner, snapshot):
    assert planner(snapshot) == NOTHING


@pytest.mark.parametrize("planner", PLANNERS)
def test_an_unreadable_or_unknown_database_is_not_changed(planner):
    assert planner(vary(healthy(), database=UNREACHABLE)) == Plan(refusal=UNREACHABLE.error)
    assert "(9)" in planner(vary(stale(), database={"schema": 9, "nodes": (node(interface="eth9"),)})).refusal
    assert "(None)" in planner(vary(stale(), database={"schema": None})).refusal


class TestInterface:
    def test_only_the_record(self):
        plan = plan_interface(nodes(node(interface="eth9")))
        assert short(plan) == [("node.update", 1, {"ngmInterface": "eth0"})]
        step = plan.steps[0]
        assert (step.before, step.finding, step.gate) == ({"ngmInterface": "eth9"}, "fog.interface.record_stale", None)
        assert "node1" in step.what
        assert "does not by itself repair multicast" in plan.notes[0]
        assert "1.5.9.133" in plan.notes[0]

    def test_on_old_releases_the_setting_is_what_counts(self):
        old = vary(settings(nodes(node(interface="eth9")), FOG_UDPCAST_INTERFACE="eth9"), release={"version": "1.2.0"})
        plan = plan_interface(old)
        assert short(plan) == [
            ("node.update", 1, {"ngmInterface": "eth0"}),
            ("setting.update", "FOG_UDPCAST_INTERFACE", {"settingValue": "eth0"}),
        ]
        assert {step.finding for step in plan.steps} == {"fog.interface.absent"}
        assert plan.steps[1].before == {"settingValue": "eth9"}
        assert plan.notes == ()

    def test_settings_alone(self):
        snapshot = settings(healthy(), FOG_NFS_ETH_MONITOR="eth9")
        assert short(plan_interface(snapshot)) == [("setting.update", "FOG_NFS_ETH_MONITOR", {"settingValue": "eth0"})]
        plan = plan_interface(snapshot, update_settings=False)
        assert plan.steps == ()
        assert "FOG_NFS_ETH_MONITOR 'eth9'" in plan.notes[0]

    def test_a_setting_that_names_another_interface_stays_unless_one_is_named(self):
        snapshot = settings(nodes(node(), network=TWO), FOG_NFS_ETH_MONITOR="eth1")
        assert plan_interface(snapshot) == NOTHING
        plan = plan_interface(snapshot, interface="eth0")
        assert short(plan) == [("setting.update", "FOG_NFS_ETH_MONITOR", {"settingValue": "eth0"})]
        stale_record = vary(snapshot, database={"nodes": (node(interface="eth9"),)})
        assert [step.kind for step in plan_interface(stale_record).steps] == ["node.update"]

    def test_a_named_interface_that_does_not_carry_the_address_is_taken_with_a_note(self):
        plan = plan_interface(nodes(node(), network=TWO), interface="eth1")
        assert [step.kind for step in plan.steps] == ["node.update", "setting.update", "setting.update"]
        assert plan.steps[0].finding is None
        assert "eth1 does not carry 10.77.0.1" in plan.notes[0]

    def test_the_servers_settings_are_not_changed_from_a_storage_node(self):
        plan = plan_interface(vary(storage_node(True), network=network("eth5", OTHER)), interface="eth5")
        assert short(plan) == [("node.update", 2, {"ngmInterface": "eth5"})]
        assert "belong to the FOG server" in "".join(plan.notes)

    @pytest.mark.parametrize("name", ["eth9", "lo", ""])
    def test_an_interface_that_does_not_exist_is_refused(self, name):
        assert "eth0" in plan_interface(healthy(), interface=name).refusal

    def test_an_unknown_release_does_not_refuse_but_notes(self):
        unknown = {"version": "9.9"}
        assert plan_interface(nodes(node(interface="eth1"), release=unknown, network=TWO)) == NOTHING
        gone = plan_interface(nodes(node(interface="eth9"), release=unknown))
        assert short(gone) == [("node.update", 1, {"ngmInterface": "eth0"})]
        assert "FOG 9.9" in gone.notes[0]
        named = plan_interface(nodes(node(interface="eth1"), release=unknown, network=TWO), interface="eth0")
        assert short(named) == [("node.update", 1, {"ngmInterface": "eth0"})]
        assert "not known" in named.notes[0]

    def test_without_an_interface_that_multicasts_the_record_stays(self):
        deaf = {"interfaces": (LOOPBACK, interface("eth0", ADDRESS, multicast=False))}
        assert plan_interface(nodes(node(interface="eth9"), network=deaf)) == NOTHING
        assert plan_interface(nodes(node(interface="eth9"), network=deaf, release={"version": "9"})) == NOTHING

    def test_the_certain_address_and_its_interface_in_one_step(self):
        snapshot = nodes(node(interface="eth9"), network=network("eth0", "10.77.0.9"))
        plan = plan_interface(snapshot)
        assert short(plan) == [("node.update", 1, {"ngmHostname": "10.77.0.9", "ngmInterface": "eth0"})]
        assert plan.steps[0].before == {"ngmHostname": ADDRESS, "ngmInterface": "eth9"}
        assert plan.steps[0].finding == "fog.node.address_not_local"

    def test_a_doubtful_address_is_asked_for(self):
        snapshot = nodes(node(), network=network("eth0", "10.77.0.9", "10.77.0.8"))
        assert "Give address" in plan_interface(snapshot).refusal
        assert short(plan_interface(snapshot, address="10.77.0.8")) == [
            ("node.update", 1, {"ngmHostname": "10.77.0.8"})
        ]

    @pytest.mark.parametrize(
        ("address", "said"),
        [("10.77.0.77", "Its addresses are: 10.77.0.1, 10.77.0.8"), ("127.0.0.1", "on no"), ("10.77.0.8", "node2")],
    )
    def test_an_address_that_cannot_be_used_is_refused(self, address, said):
        snapshot = nodes(node(), node(2, "nas", address="10.77.0.8", master=False))
        snapshot = vary(snapshot, network=network("eth0", ADDRESS, "10.77.0.8"))
        snapshot = vary(snapshot, database={"nodes": (node(), node(2, "10.77.0.8", group=2, address=OTHER))})
        assert said in plan_interface(snapshot, address=address).refusal

    def test_a_setting_that_is_not_in_the_database_is_not_made(self):
        snapshot = vary(nodes(node(interface="eth9")), database={"settings": {}})
        assert [step.kind for step in plan_interface(snapshot, interface="eth0").steps] == ["node.update"]

    def test_the_address_it_has_is_no_change(self):
        assert plan_interface(healthy(), address=ADDRESS) == NOTHING
        assert plan_interface(nodes(node(hostname="fog.lan", address=ADDRESS)), address=ADDRESS) == NOTHING

    def test_which_node(self):
        snapshot = nodes(node(), node(2, OTHER, master=False))
        assert "The database has: node1, node2" in plan_interface(snapshot, node="nobody").refusal
        refusal = plan_interface(snapshot, node="node2").refusal
        assert "not this host" in refusal
        assert "node1" in refusal
        assert plan_interface(snapshot, node="node1") == NOTHING

    def test_no_node_of_this_host(self):
        snapshot = nodes(node(hostname=OTHER), settings={"address": ""})
        assert "node1" in plan_interface(snapshot).refusal
        assert "not this host" in plan_interface(snapshot, node="node1").refusal
        assert "none" in plan_interface(snapshot, node="node1").refusal
        plan = plan_interface(snapshot, node="node1", address=ADDRESS)
        assert short(plan) == [("node.update", 1, {"ngmHostname": ADDRESS})]
        snapshot = vary(snapshot, settings={"install_type": "S"})
        assert "not this host" in plan_interface(snapshot, node="node1", address=ADDRESS).refusal
        assert "none" in plan_interface(nodes(settings={"address": ""})).refusal

    def test_every_node_of_this_host_is_corrected_when_none_is_named(self):
        snapshot = nodes(node(interface="eth8"), node(2, interface="eth9", group=2))
        assert [step.target["ngmID"] for step in plan_interface(snapshot).steps] == [1, 2]
        assert [step.target["ngmID"] for step in plan_interface(snapshot, node="node2").steps] == [2]

    def test_a_user_who_may_not_update_is_refused(self):
        snapshot = vary(nodes(node(interface="eth9")), database={"privileges": frozenset(("SELECT",))})
        assert "UPDATE on nfsGroupMembers" in plan_interface(snapshot).refusal


class TestMaster:
    def test_no_master(self):
        plan = plan_interface(nodes(node(master=False)))
        assert short(plan) == [("node.update", 1, {"ngmIsMasterNode": "1"})]
        step = plan.steps[0]
        assert (step.before, step.finding, step.gate) == ({"ngmIsMasterNode": NO}, "fog.node.no_master", None)

    def test_no_master_beside_others_waits_behind_the_gate(self):
        snapshot = vary(storage_node(), database={"nodes": (node(master=False), node(2, OTHER, master=False))})
        snapshot = vary(snapshot, network=network("eth5", OTHER))
        plan = plan_interface(snapshot)
        assert [(step.after, step.gate) for step in plan.steps] == [
            ({"ngmInterface": "eth5"}, None),
            ({"ngmIsMasterNode": "1"}, "fog_multicast_master"),
        ]
        (step,) = plan_interface(snapshot, master=True).steps
        assert (step.after, step.gate) == ({"ngmInterface": "eth5", "ngmIsMasterNode": "1"}, None)

    @pytest.mark.parametrize(("wish", "gate"), [(None, "fog_multicast_master"), (True, None)])
    def test_first_give_then_take(self, wish, gate):
        plan = plan_interface(nodes(node(master=False), node(2, OTHER)), master=wish)
        assert short(plan) == [
            ("node.update", 1, {"ngmIsMasterNode": "1"}),
            ("node.update", 2, {"ngmIsMasterNode": "0"}),
        ]
        assert [step.gate for step in plan.steps] == [gate, gate]
        assert {step.finding for step in plan.steps} == {"fog.node.master_not_local"}
        assert plan.steps[1].before == {"ngmIsMasterNode": "1"}

    def test_many_masters(self):
        snapshot = nodes(node(), node(2, OTHER), node(3, "10.77.0.3", enabled=False), node(4, "10.77.0.4", group=2))
        assert short(plan_interface(snapshot, master=True)) == [("node.update", 2, {"ngmIsMasterNode": "0"})]
        assert plan_interface(snapshot).steps[0].gate == "fog_multicast_master"
        assert short(plan_interface(snapshot, master=False)) == [("node.update", 1, {"ngmIsMasterNode": "0"})]

    def test_two_records_of_this_host_do_not_take_the_flag_from_each_other(self):
        plan = plan_interface(nodes(node(), node(2)))
        assert short(plan) == [("node.update", 2, {"ngmIsMasterNode": "0"})]

    def test_the_wish_is_checked(self):
        assert plan_interface(healthy(), master=True) == NOTHING
        assert plan_interface(storage_node(), master=False) == NOTHING
        assert "only master" in plan_interface(healthy(), master=False).refusal
        assert "disabled" in plan_interface(nodes(node(enabled=False)), master=True).refusal
        assert plan_interface(nodes(node(enabled=False))) == NOTHING


class TestReset:
    def test_the_order_that_loses_nothing(self):
        plan = plan_reset(live(), sessions=[1])
        assert short(plan) == [
            ("sender.end", 50002, 50002, 5000200, {"processes": "none"}),
            ("task.cancel", 1, {"taskStateID": 5}),
            ("association.delete", 1, {}),
            ("session.cancel", 1, {"msState": 5, "msName": "", "msClients": 0, "msCompleteDateTime": "now"}),
        ]
        assert [dict(step.before) for step in plan.steps] == [
            {"processes": "sh pid 50002, udp-sender pid 50003"},
            {"taskStateID": 1},
            {"msID": 1, "tID": 1},
            {"msState": 3, "msName": "deploy 1", "msClients": 0},
        ]
        assert {step.finding for step in plan.steps} == {None}

    def test_method_delete(self):
        plan = plan_reset(stale(), method="delete")
        assert [step.kind for step in plan.steps] == ["task.delete", "association.delete", "session.delete"]
        assert all(step.after == {} and step.finding == "fog.session.stale" for step in plan.steps)
        assert plan.steps[0].before == {"taskStateID": 1}

    def test_a_live_session_is_touched_only_when_meant(self):
        assert plan_reset(live()) == NOTHING
        assert plan_reset(live(), scope="all").steps == plan_reset(live(), sessions=[1]).steps
        both = with_session(live(), session(2), [task(2, of=2)])
        assert {step.target.get("msID") for step in plan_reset(both).steps} == {None, 2}
        assert plan_reset(both, scope="all").steps[-1].target == {"msID": 2}
        assert plan_reset(both, sessions=[1]).steps[-1].target == {"msID": 1}

    def test_end_senders_false(self):
        plan = plan_reset(live(), sessions=[1], end_senders=False)
        assert "sender.end" not in [step.kind for step in plan.steps]
        assert "keeps running" in plan.notes[0]
        silent = plan_reset(stale(), end_senders=False)
        assert silent.notes == ()
        plan = plan_reset(orphans(), end_senders=False)
        assert [step.kind for step in plan.steps] == ["association.delete", "task.cancel"]
        assert "port 60000" in plan.notes[0]

    def test_orphans(self):
        plan = plan_reset(orphans())
        assert [(step.kind, step.finding) for step in plan.steps] == [
            ("sender.end", "fog.sender.orphan"),
            ("association.delete", "fog.association.orphan"),
            ("task.cancel", "fog.task.orphan"),
        ]
        assert plan_reset(orphans(), scope="all").steps == plan.steps
        named = plan_reset(with_session(orphans(), session(age=5.0)), sessions=[1])
        assert [step.kind for step in named.steps] == ["session.cancel"]

    def test_a_doubtful_orphan_is_left_alone(self):
        for one in (sender(60000, of=None), sender(60000, of=12, output_age=None)):
            plan = plan_reset(vary(healthy(), processes={"senders": (one,)}))
            assert plan.steps == ()
            assert "port 60000" in plan.notes[0]

    def test_a_sender_without_a_process_has_nothing_to_end(self):
        gone = sender(shell=None, process=None)
        snapshot = vary(live(), processes={"senders": (gone,)})
        assert "sender.end" not in [step.kind for step in plan_reset(snapshot, sessions=[1]).steps]

    def test_unknown_ids_are_refused(self):
        refusal = plan_reset(live(), sessions=[1, 8, 7]).refusal
        assert "session 7, 8" in refusal
        assert "Active sessions are: 1" in refusal
        assert "none" in plan_reset(healthy(), sessions=[1]).refusal

    def test_sessions_of_another_host(self):
        snapshot = with_session(storage_node(), session(), [task()])
        assert plan_reset(snapshot) == NOTHING
        plan = plan_reset(snapshot, scope="all")
        assert plan.steps == ()
        assert "does not serve it" in plan.notes[0]
        plan = plan_reset(snapshot, sessions=[1])
        assert plan.steps[-1].kind == "session.cancel"
        assert "elsewhere" in plan.notes[0]

    def test_why_a_session_is_left_alone_is_told(self):
        fresh = with_session(healthy(), session(age=100.0), [task(age=100.0)])
        assert "last sign of life: 100 s ago" in plan_reset(fresh).notes[0]
        timeless = with_session(healthy(), session(age=None))
        assert "not known" in plan_reset(timeless).notes[0]
        assert "no time is recorded" in plan_reset(timeless).notes[0]
        cut = vary(healthy(), database={"truncated": ("Only 1000 tasks were read.",)})
        assert plan_reset(cut).notes == ("Only 1000 tasks were read.",)

    def test_a_sender_that_two_sessions_may_use_survives_one_of_them(self):
        both = with_session(healthy(), session(age=5.0), (), [sender(of=None, files=())])
        both = with_session(both, session(2, port=50002, age=5.0))
        plan = plan_reset(both, sessions=[1])
        assert [step.kind for step in plan.steps] == ["session.cancel"]
        assert "session 2" in plan.notes[0]
        both_ended = plan_reset(both, sessions=[1, 2])
        assert [step.kind for step in both_ended.steps] == ["sender.end", "session.cancel", "session.cancel"]

    def test_a_task_of_two_sessions_survives_one_of_them(self):
        both = with_session(with_session(healthy(), session(age=5.0), [task(age=5.0)]), session(2, age=5.0))
        both = vary(both, database={"associations": (link(1, 1, 1), link(2, 2, 1))})
        assert [step.kind for step in plan_reset(both, sessions=[1]).steps] == ["association.delete", "session.cancel"]
        assert plan_reset(both, sessions=[1, 2]).steps[0].target == {"taskID": 1}
        assert len([step for step in plan_reset(both, sessions=[1, 2]).steps if step.kind == "task.cancel"]) == 1

    def test_without_the_right_to_delete_no_half_reset(self):
        no_delete = {"privileges": NO_DELETE}
        refusal = plan_reset(vary(stale(), database=no_delete)).refusal
        assert "DELETE on multicastSessionsAssoc" in refusal
        assert "fogmaster@localhost" in refusal
        alone = vary(with_session(healthy(), session()), database=no_delete)
        assert "DELETE on multicastSessions" in plan_reset(alone, method="delete").refusal
        assert [step.kind for step in plan_reset(alone).steps] == ["session.cancel"]

    def test_piled_up_associations_stay_where_they_cannot_be_deleted(self):
        plan = plan_reset(vary(orphans(), database={"privileges": NO_DELETE}))
        assert [step.kind for step in plan.steps] == ["sender.end", "task.cancel"]
        assert "1 association rows" in plan.notes[0]
        tied = {"associations": (link(9, 90, 7, session_state=5),), "tasks": (task(7, of=90),), "privileges": NO_DELETE}
        assert plan_reset(vary(healthy(), database=tied)).steps == ()

    def test_what_a_reset_makes_an_orphan_is_cleared_with_it(self):
        snapshot = vary(
            stale(),
            database={
                "associations": (link(1), link(2, 90, 1, session_state=5)),
                "tasks": (task(group=2, age=7200.0),),
                "groups": {1: "default", 2: "other"},
            },
        )
        deleted = [step.target["msaID"] for step in plan_reset(snapshot).steps if step.kind == "association.delete"]
        assert deleted == [1, 2]


class TestService:
    def stopped(self, **service):
        return vary(healthy(), service=dict(service, active=False), processes=Processes((), (), ()))

    def test_start_and_enable(self):
        plan = plan_service(self.stopped(enabled=False))
        assert short(plan) == [
            ("service.start", "FOGMulticastManager", {"active": True}),
            ("service.enable", "FOGMulticastManager", {"enabled": True}),
        ]
        assert {(step.finding, step.gate) for step in plan.steps} == {("fog.service.stopped", None)}
        assert [step.kind for step in plan_service(self.stopped(enabled=None)).steps] == ["service.start"]
        assert [step.kind for step in plan_service(self.stopped(), restart=True).steps] == ["service.start"]

    def test_no_start_where_the_daemon_is_not_to_serve(self):
        masterless = vary(self.stopped(), database={"nodes": (node(master=False),)})
        assert plan_service(masterless).steps
        assert plan_service(masterless, master=False) == NOTHING

    def test_what_is_not_installed_cannot_be_started(self):
        assert "installer" in plan_service(self.stopped(installed=False)).refusal

    @pytest.mark.parametrize(
        ("parts", "name"),
        [
            ({"processes": Processes((process(100),), (), ())}, "fog.service.child_dead"),
            ({"logs": {"age": 999.0}}, "fog.log.silent"),
        ],
    )
    def test_restart(self, parts, name):
        plan = plan_service(vary(healthy(), **parts))
        (step,) = plan.steps
        assert (step.kind, step.finding, step.gate) == ("service.restart", name, None)
        assert step.before == {"pid": 100}
        assert plan.notes == ()

    def test_a_restart_that_hurts_waits_behind_the_gate(self):
        hurting = vary(live(), logs={"age": 999.0})
        plan = plan_service(hurting)
        assert plan.steps[0].gate == "fog_multicast_allow_restart"
        assert "udp-sender of port 50002" in plan.notes[0]
        assert plan_service(hurting, allow_restart=True).steps[0].gate is None
        assert plan_service(vary(stale(), logs={"age": 999.0})).steps[0].gate is None
        assert plan_service(vary(stale(), logs={"age": 999.0}), stale_after=9999).steps[0].gate is not None

    def test_a_restart_for_another_steps_sake(self):
        assert plan_service(healthy(), restart=True).steps[0].finding is None
        assert plan_service(live(), restart=True).steps[0].gate == "fog_multicast_allow_restart"
        pid_by_process = vary(healthy(), service={"main_pid": None})
        assert plan_service(pid_by_process, restart=True).steps[0].before == {"pid": 100}
        idle = vary(storage_node(), service={"active": False}, processes=Processes((), (), ()))
        assert plan_service(idle, restart=True) == NOTHING

    def test_no_restart_of_a_daemon_that_serves_and_remembers_the_address(self):
        noted = (Line(None, "interface_ready", None, ADDRESS, "Interface Ready with IP Address: " + ADDRESS),)
        plan = plan_service(vary(live(), logs={"lines": noted}), restart=True)
        assert plan.steps == ()
        assert "it serves already" in plan.notes[0]
        assert len(plan_service(vary(healthy(), logs={"lines": noted}), restart=True).steps) == 1
        other = (noted[0]._replace(detail=OTHER),)
        assert len(plan_service(vary(live(), logs={"lines": other}), restart=True).steps) == 1

    def test_no_restart_while_a_deleted_image_would_end_the_child_again(self):
        one = session(age=5.0, state=0)
        dead = vary(healthy(), processes=Processes((process(100),), (), ()))
        snapshot = with_session(dead, one, [task(age=5.0)])
        assert plan_service(snapshot).steps
        deadly = vary(snapshot, database={"sessions": (one._replace(image_known=False),)})
        assert plan_service(deadly) == NOTHING
        plan = plan_service(deadly, restart=True)
        assert plan.steps == ()
        assert "session %d" % one.id in plan.refusal
        # A stale one is reset before the restart.
        assert plan_service(deadly, restart=True, stale_after=1).steps

    @pytest.mark.parametrize(
        ("parts", "name"),
        [
            ({"database": UNREACHABLE}, "fog.db.unreachable"),
            ({"database": UNREACHABLE._replace(kind="foreign")}, "fog.db.foreign_schema"),
            ({"release": {"udp_sender_runs": False}}, "fog.sender.missing_binary"),
        ],
    )
    def test_no_restart_in_vain(self, parts, name):
        dead = vary(healthy(), processes=Processes((process(100),), (), ()), **parts)
        assert plan_service(dead) == NOTHING
        assert plan_service(vary(healthy(), **parts)) == NOTHING
        assert name in plan_service(dead, restart=True).refusal
        assert name in plan_service(vary(healthy(), **parts), restart=True).refusal

    @pytest.mark.parametrize(("doubt", "why"), [({"schema": 9}, "(9)"), ({"rival": "10.77.0.9/fog"}, "10.77.0.9/fog")])
    def test_neither_start_nor_restart_by_an_unknown_or_the_wrong_database(self, doubt, why):
        dead = vary(healthy(), processes=Processes((process(100),), (), ()), database=doubt)
        for snapshot in (dead, self.stopped(), healthy()):
            plan = plan_service(vary(snapshot, database=doubt), restart=True)
            assert plan.steps == ()
            assert why in plan.refusal
        assert plan_service(vary(healthy(), database=doubt)) == NOTHING


def test_the_moment_of_the_snapshot_is_all_the_clock_there_is():
    later = vary(with_session(healthy(), session(age=5.0)), time=NOW + 7200)
    assert plan_reset(later).steps[0].kind == "session.cancel"

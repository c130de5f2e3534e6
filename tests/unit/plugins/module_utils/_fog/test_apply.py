# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The apply room: steps against a database in memory, and what came to life in between."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import apply
from ansible_collections.imaging.multicast.plugins.module_utils._fog.backup import Saved
from ansible_collections.imaging.multicast.plugins.module_utils._fog.control import ServiceError
from ansible_collections.imaging.multicast.plugins.module_utils._fog.plan import plan_reset
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Processes
from ansible_collections.imaging.multicast.plugins.module_utils._steps import Step
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import fakes
from pymysql import err


@pytest.fixture(name="server")
def fixture_server():
    """One stale session (12) with two tasks, beside a finished one."""
    server = fakes.Server()
    server.node()
    server.session(12, port=50000, tasks=(40, 41))
    server.session(11, state=5, port=50002)
    return server


@pytest.fixture(name="running", autouse=True)
def fixture_running(monkeypatch):
    """The senders that run at the moment of the repair."""
    running = []
    monkeypatch.setattr(apply, "read_processes", lambda: Processes((), (), tuple(running)))
    return running


@pytest.fixture(name="ended", autouse=True)
def fixture_ended(monkeypatch):
    """The senders that were ended; a text in ``answers`` is what ending says, an exception is raised."""
    ended = []

    def end(port, pid, start, grace):
        ended.append((port, pid, start))
        return ""

    monkeypatch.setattr(apply, "end_sender", end)
    return ended


def world(server, senders=(), **more):
    return apply.World(fakes.snapshot(server, senders), server.connect(), **more)


def planned(place, **wishes):
    plan = plan_reset(place.snapshot, **wishes)
    assert plan.refusal == ""
    assert plan.steps
    return apply.settle(plan.steps, place)


def outcomes(results):
    return [(result.step.kind, result.outcome) for result in results]


def states(server):
    return (
        server.one("SELECT msState FROM multicastSessions WHERE msID = 12")["msState"],
        [row["taskStateID"] for row in server.db.execute("SELECT taskStateID FROM tasks ORDER BY taskID")],
        server.one("SELECT count(*) AS number FROM multicastSessionsAssoc")["number"],
    )


def test_a_stale_session_is_cancelled_in_the_order_that_loses_nothing(server):
    place = world(server)
    results = apply.carry_out(planned(place), place)
    assert outcomes(results) == [
        ("task.cancel", "done"),
        ("task.cancel", "done"),
        ("association.delete", "done"),
        ("association.delete", "done"),
        ("session.cancel", "done"),
    ]
    row = server.one("SELECT * FROM multicastSessions WHERE msID = 12")
    assert (row["msState"], row["msName"], row["msClients"]) == (5, "", 0)
    assert row["msCompleteDateTime"] == fakes.MOMENT
    assert states(server) == (5, [5, 5], 0)
    assert server.one("SELECT msCompleteDateTime AS done FROM multicastSessions WHERE msID = 11") == {
        "done": fakes.ZERO
    }


def test_deleting_takes_only_the_rows_of_the_session(server):
    server.task(99, state=5)
    place = world(server)
    apply.carry_out(planned(place, method="delete"), place)
    assert [row["msID"] for row in server.db.execute("SELECT msID FROM multicastSessions")] == [11]
    assert [row["taskID"] for row in server.db.execute("SELECT taskID FROM tasks")] == [99]


def test_check_mode_asks_the_database_nothing(server):
    place = world(server)
    steps = plan_reset(place.snapshot).steps
    before = server.dump()
    server.statements.clear()
    results = apply.carry_out(steps, place._replace(connection=None), check_mode=True)
    assert {result.outcome for result in results} == {"planned"}
    assert [result.step for result in results] == list(steps)
    assert server.statements == []
    assert server.dump() == before


# Where the sender of session 12 writes; with FOG_MULTICAST_PORT_OVERRIDE its port is not the session's.
OUTPUT = "/opt/fog/log/multicast.log.udpcast.12"


def life_state(server, _running):
    server.db.execute("UPDATE multicastSessions SET msState = 2 WHERE msID = 12")


def life_percent(server, _running):
    server.db.execute("UPDATE multicastSessions SET msPercent = 7 WHERE msID = 12")


def life_checkin(server, _running):
    server.db.execute("UPDATE tasks SET taskCheckIn = '2026-11-21 19:00:00' WHERE taskID = 41")


def life_task_state(server, _running):
    server.db.execute("UPDATE tasks SET taskStateID = 2 WHERE taskID = 41")


def life_joined(server, _running):
    server.task(42)
    server.add("multicastSessionsAssoc", msaID=142, msID=12, tID=42)


def life_sender(_server, running):
    running.append(fakes.sender(50000))


def life_sender_elsewhere(_server, running):
    running.append(fakes.sender(60000)._replace(output=OUTPUT))


def life_gone(server, _running):
    server.db.execute("DELETE FROM multicastSessions WHERE msID = 12")


@pytest.mark.parametrize(
    "life",
    [
        life_state,
        life_percent,
        life_checkin,
        life_task_state,
        life_joined,
        life_sender,
        life_sender_elsewhere,
        life_gone,
    ],
)
def test_a_session_that_came_to_life_between_look_and_act_is_left_alone(server, running, life):
    place = world(server)
    steps = planned(place)
    life(server, running)
    before = server.dump()
    server.statements.clear()
    results = apply.carry_out(steps, place)
    assert {result.outcome for result in results} == {"skipped"}
    assert all(result.detail for result in results)
    assert server.writes() == []
    assert server.dump() == before


def test_a_task_that_moves_in_the_middle_ends_the_work_on_its_session(server):
    place = world(server)
    steps = planned(place)

    def move():
        server.db.execute("UPDATE tasks SET taskStateID = 4 WHERE taskID = 40")

    server.before["UPDATE `tasks`"] = move
    results = apply.carry_out(steps, place)
    assert {result.outcome for result in results} == {"skipped"}
    assert "it changed or went away" in results[0].detail
    assert "task 40" in results[-1].detail
    assert states(server) == (3, [4, 3], 2)


def test_other_sessions_are_not_held_up_by_one_that_lives(server):
    server.session(13, port=50004, tasks=(50,))
    place = world(server)
    steps = planned(place)
    life_percent(server, None)
    results = apply.carry_out(steps, place)
    assert [result.outcome for result in results] == ["skipped"] * 5 + ["done"] * 3


def test_a_named_session_is_ended_though_it_lives(server, running, ended):
    tree = fakes.sender(50000)
    running.append(tree)
    place = world(server, [tree], touched=frozenset((12,)))
    steps = planned(place, sessions=(12,))
    life_checkin(server, None)
    life_task_state(server, None)
    life_percent(server, None)
    results = apply.carry_out(steps, place)
    assert outcomes(results)[0] == ("sender.end", "done")
    assert {result.outcome for result in results} == {"done"}
    assert ended == [(50000, 4000, 77)]
    assert states(server) == (5, [5, 5], 0)


def test_the_sender_of_a_named_session_may_have_another_port(server, ended):
    place = world(server, [fakes.sender(60000)._replace(output=OUTPUT)], touched=frozenset((12,)))
    steps = planned(place, sessions=(12,))
    server.session(13, port=60000)
    results = apply.carry_out(steps, place)
    assert outcomes(results)[0] == ("sender.end", "done")
    assert ended == [(60000, 4000, 77)]


def test_a_named_session_that_finished_meanwhile_stays_finished(server):
    place = world(server, touched=frozenset((12,)))
    steps = planned(place, sessions=(12,))
    server.db.execute("UPDATE multicastSessions SET msState = 4 WHERE msID = 12")
    server.db.execute("UPDATE tasks SET taskStateID = 4")
    results = apply.carry_out(steps, place)
    assert outcomes(results)[-1] == ("session.cancel", "skipped")
    assert outcomes(results)[0] == ("task.cancel", "skipped")
    assert states(server)[:2] == (4, [4, 4])


def test_every_step_can_be_the_last(server):
    """Cut off after each step, a second run ends where an uncut one would."""
    whole = fakes.Server()
    whole.node()
    whole.session(12, port=50000, tasks=(40, 41))
    whole.session(11, state=5, port=50002)
    place = world(whole)
    apply.carry_out(planned(place), place)
    for cut in range(1, 5):
        again = fakes.Server()
        again.node()
        again.session(12, port=50000, tasks=(40, 41))
        again.session(11, state=5, port=50002)
        place = world(again)
        apply.carry_out(planned(place)[:cut], place)
        place = world(again)
        apply.carry_out(planned(place), place)
        assert again.dump() == whole.dump()


def orphans(server):
    server.add("multicastSessionsAssoc", msaID=7, msID=11, tID=70)
    server.task(71)


def test_orphans_are_cleared(server, ended):
    orphans(server)
    steps = (
        Step("sender.end", "End", {"port": 50002, "pid": 1, "start": 2}, {}, {}, "fog.sender.orphan"),
        Step("association.delete", "Delete", {"msaID": 7}, {"msID": 11, "tID": 70}, {}, "fog.association.orphan"),
        Step("task.cancel", "Cancel", {"taskID": 71}, {"taskStateID": 3}, {"taskStateID": 5}, "fog.task.orphan"),
    )
    results = apply.carry_out(steps, world(server))
    assert {result.outcome for result in results} == {"done"}
    assert ended == [(50002, 1, 2)]


def test_orphans_that_are_none_any_more_are_left_alone(server, ended):
    orphans(server)
    place = world(server)
    steps = (
        Step("sender.end", "End", {"port": 50002, "pid": 1, "start": 2}, {}, {}, "fog.sender.orphan"),
        Step("association.delete", "Delete", {"msaID": 7}, {"msID": 11, "tID": 70}, {}, "fog.association.orphan"),
        Step("task.cancel", "Cancel", {"taskID": 71}, {"taskStateID": 3}, {"taskStateID": 5}, "fog.task.orphan"),
    )
    server.db.execute("UPDATE multicastSessions SET msState = 1 WHERE msID = 11")
    server.add("multicastSessionsAssoc", msaID=8, msID=11, tID=71)
    results = apply.carry_out(steps, place)
    assert [result.detail for result in results] == [
        "session 11 uses its port now",
        "session 11 is active now",
        "it belongs to session 11 now",
    ]
    assert ended == []
    assert server.writes() == []


def test_an_orphan_that_blocks_a_waiting_session_is_ended(server, ended):
    """The session was there at the look; its own life says nothing about the sender of an earlier one."""
    step = Step("sender.end", "End", {"port": 50000, "pid": 1, "start": 2}, {}, {}, "fog.sender.orphan")
    place = world(server)
    life_checkin(server, None)
    (result,) = apply.carry_out((step,), place)
    assert result.outcome == "done"
    assert ended == [(50000, 1, 2)]


def test_a_sender_that_ended_by_itself_is_skipped(server, monkeypatch):
    monkeypatch.setattr(apply, "end_sender", lambda *_arguments: "it does not run any more")
    step = Step("sender.end", "End", {"port": 50008, "pid": 1, "start": 2}, {}, {}, "fog.sender.orphan")
    (result,) = apply.carry_out((step,), world(server))
    assert (result.outcome, result.detail) == ("skipped", "it does not run any more")


NODE = Step(
    "node.update",
    "Correct",
    {"ngmID": 1},
    {"ngmInterface": "eth0", "ngmIsMasterNode": ("", "0")},
    {"ngmInterface": "ens18", "ngmIsMasterNode": "1"},
)


def test_a_node_is_updated_whatever_stands_for_no_master(server):
    server.db.execute("UPDATE nfsGroupMembers SET ngmIsMasterNode = '0'")
    (result,) = apply.carry_out((NODE,), world(server))
    assert result.outcome == "done"
    assert server.one("SELECT ngmInterface, ngmIsMasterNode FROM nfsGroupMembers") == NODE.after


def test_a_node_that_changed_is_skipped(server):
    (result,) = apply.carry_out((NODE,), world(server))
    assert result.outcome == "skipped"
    assert server.one("SELECT ngmInterface FROM nfsGroupMembers") == {"ngmInterface": "eth0"}


def test_a_closed_gate_blocks_and_says_which_variable_opens_it(server):
    step = NODE._replace(gate="fog_multicast_master", before={})
    for check_mode in (False, True):
        (result,) = apply.carry_out((step,), world(server), check_mode)
        assert (result.outcome, result.detail) == ("blocked", "set fog_multicast_master to true to allow it")
    assert server.writes() == []
    (result,) = apply.carry_out((step,), world(server), allowed_gates=("fog_multicast_master",))
    assert result.outcome == "done"


def test_after_a_failure_the_rest_is_not_tried(server):
    def lost():
        raise err.OperationalError(2013, "Lost connection")

    place = world(server)
    steps = planned(place)
    server.before["DELETE"] = lost
    results = apply.carry_out(steps, place)
    assert [result.outcome for result in results] == ["done", "done", "failed", "skipped", "skipped"]
    assert "2013" in results[2].detail
    assert results[-1].detail == "not tried, because an earlier step failed"


@pytest.mark.parametrize("error", [ServiceError("no"), OSError(5, "no")])
def test_a_failing_service_is_an_outcome(monkeypatch, error):
    def fail(*_arguments):
        raise error

    monkeypatch.setattr(apply, "control", fail)
    step = Step("service.restart", "Restart", {"unit": "FOGMulticastManager"}, {}, {})
    (result,) = apply.carry_out((step,), apply.World(fakes.snapshot()))
    assert result.outcome == "failed"
    assert "no" in result.detail


def test_the_service_is_controlled(monkeypatch):
    asked = []
    monkeypatch.setattr(apply, "control", lambda verb, service, logs, wait: asked.append((verb, wait)) or "told")
    step = Step("service.enable", "Enable", {"unit": "FOGMulticastManager"}, {}, {})
    (result,) = apply.carry_out((step,), apply.World(fakes.snapshot(), wait=3.0))
    assert (result.outcome, result.detail) == ("done", "told")
    assert asked == [("enable", 3.0)]


@pytest.mark.parametrize(
    ("log", "database", "expected"), [(3600.0, 0.0, 3600), (None, 7200.0, 7200), (None, None, 0), (0.0, 60.0, 0)]
)
def test_the_moment_is_in_the_zone_fog_writes(server, monkeypatch, log, database, expected):
    place = world(server)
    snapshot = place.snapshot
    snapshot = snapshot._replace(
        logs=snapshot.logs._replace(offset=log), database=snapshot.database._replace(offset=database)
    )
    asked = []

    def execute(_connection, query, values):
        asked.append((query, values))
        return 1, [{"moment": fakes.MOMENT}]

    monkeypatch.setattr(apply.rows, "execute", execute)
    step = Step("session.cancel", "", {"msID": 1}, {}, {"msState": 5, "msCompleteDateTime": "now"})
    (settled,) = apply.settle((step,), place._replace(snapshot=snapshot))
    assert settled.after == {"msState": 5, "msCompleteDateTime": fakes.MOMENT}
    assert asked == [("SELECT UTC_TIMESTAMP() + INTERVAL %s SECOND AS moment", (expected,))]


def test_without_a_moment_the_database_is_not_asked():
    assert apply.settle((NODE,), apply.World(fakes.snapshot())) == (NODE,)


def test_the_backup_holds_exactly_the_affected_rows_and_no_password(server):
    place = world(server)
    delete = Step("association.delete", "", {"msaID": 140}, {}, {})
    gone = Step("task.cancel", "", {"taskID": 999}, {}, {"taskStateID": 5})
    service = Step("service.restart", "", {"unit": "x"}, {}, {})
    saved = apply.affected((NODE, delete, gone, service), place.connection)
    assert saved == [
        Saved("nfsGroupMembers", 1, {"ngmInterface": "eth0", "ngmIsMasterNode": "1"}, dict(NODE.after)),
        Saved("multicastSessionsAssoc", 140, {"msaID": 140, "msID": 12, "tID": 40}, None),
    ]
    assert fakes.SECRET not in repr(saved)


def test_a_restored_row_that_another_one_replaced_is_skipped(server):
    step = Step("association.restore", "Put back", {"msaID": 9}, {}, {"msaID": 9, "msID": 12, "tID": 40})
    (result,) = apply.carry_out((step,), world(server))
    assert result.outcome == "skipped"
    assert "another row holds its place" in result.detail

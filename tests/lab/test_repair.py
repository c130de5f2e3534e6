"""Every fault, end to end: there, found, planned without a trace, repaired or left to a person, quiet the second time.

The faults go through in rounds, one on each FOG server at a time: a playbook costs the same for one host or four.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.lab import controller, witness
from tests.lab.conftest import Boot
from tests.lab.fog import assert_nothing_refused, health, layout, reset_host
from tests.lab.fog.database import Sql
from tests.lab.fog.effects import EFFECTS
from tests.lab.fog.faults import FAULTS, expected
from tests.lab.fog.laboratory import database_server
from tests.lab.fog.service import log_shows, restart
from tests.lab.host import Host
from tests.lab.lab import Lab

SERVERS = ("fog1", "fog2", "fog3", "fog4")
REPAIRED = "repaired"
PERSON = "needs_person"


class Case(NamedTuple):
    """What a repair run shall make of a fault: the outcome, with which wishes, and on which host.

    ``faults`` is for a case that is not the one fault it is named after, ``sleep`` for a daemon that is to look only
    once in so many seconds.
    """

    outcome: str
    wishes: Mapping[str, Any] = {}
    host: str = ""
    faults: tuple[str, ...] = ()
    sleep: int = 0


MASTER = {"fog_multicast_master": True}
CASES: Mapping[str, Case] = {
    "stale-session": Case(REPAIRED),
    "cancelled-sender-alive": Case(REPAIRED),
    "wiki-purge": Case(REPAIRED),
    "unserved-session": Case(REPAIRED),
    "port-shared": Case(PERSON),
    "association-orphan": Case(REPAIRED),
    "task-orphan": Case(REPAIRED),
    "image-missing": Case(PERSON),
    "no-master": Case(REPAIRED),
    "two-masters": Case(REPAIRED, MASTER),
    "master-on-nas": Case(REPAIRED, MASTER),
    "node-disabled": Case(PERSON),
    "address-changed": Case(REPAIRED),
    "nic-renamed": Case(REPAIRED),
    "record-stale": Case(REPAIRED),
    "no-route": Case(PERSON),
    "interface-absent": Case(REPAIRED),
    "fallback-absent": Case(REPAIRED, host="fog3"),
    "interface-down": Case(PERSON),
    "no-carrier": Case(PERSON),
    "no-multicast": Case(PERSON),
    "lookup-bug": Case(PERSON),
    "udp-sender-missing": Case(REPAIRED),
    "service-stopped": Case(REPAIRED),
    "child-dead": Case(REPAIRED),
    "image-row-deleted": Case(PERSON, host="fog1"),
    "log-silent": Case(REPAIRED),
    "globally-disabled": Case(PERSON),
    "db-password-wrong": Case(PERSON),
    "db-unreachable": Case(PERSON),
    "foreign-schema": Case(PERSON),
    "two-databases": Case(PERSON),
    "rights-missing": Case(PERSON),
    "unknown-release": Case(PERSON),
    "outdated-cache": Case(REPAIRED),
    # Once it has its master again, this host answers for a session that is old enough to be called stale, and that its
    # daemon does not take up before it is restarted.
    "unserved-beside-orphans": Case(REPAIRED, faults=("association-orphan", "unserved-session"), sleep=300),
    "two-masters-without-consent": Case(PERSON, faults=("two-masters",)),
    "master-on-nas-without-consent": Case(PERSON, faults=("master-on-nas",)),
}
#: Where the restart that a repair does, or check mode plans, need not be in the other one, and why.
RESTARTS: Mapping[str, str] = {
    "udp-sender-missing": "whether the daemon lives shows only once it finds its udp-sender",
    "unserved-session": "a daemon that has taken the waiting session up by itself by then is not restarted",
}
RESTART = "service.restart"
NO_MASTER = "| This is not the master node"


def faults_of(name: str) -> tuple[str, ...]:
    """The faults of a case, in the order they are made."""
    return CASES[name].faults or (name,)


def _rounds() -> list[dict[str, str]]:
    """Which case on which host, round by round; cases with wishes do not share a round with those without."""
    rounds: list[tuple[tuple[tuple[str, Any], ...], dict[str, str]]] = []
    for name, case in CASES.items():
        wishes = tuple(sorted(case.wishes.items()))
        for have, hosts in rounds:
            free = [host for host in SERVERS if host not in hosts and case.host in ("", host)]
            if have == wishes and free:
                hosts[free[0]] = name
                break
        else:
            rounds.append((wishes, {case.host or SERVERS[0]: name}))
    return [hosts for _, hosts in rounds]


ROUNDS = _rounds()
_PLACES = [pytest.param(number, host, id=name) for number, hosts in enumerate(ROUNDS) for host, name in hosts.items()]


class Seen(NamedTuple):
    """What one round showed."""

    cases: Mapping[str, str]
    before: Mapping[str, witness.State]
    check: controller.Run
    after_check: Mapping[str, witness.State]
    repair: controller.Run
    again: controller.Run
    after_again: Mapping[str, witness.State]


@pytest.fixture(scope="module")
def servers(lab: Lab, boot: Boot) -> Lab:
    """The lab with its four FOG servers and the NAS."""
    boot(*SERVERS, "nas1")
    return lab


# What a round showed, or what kept it from coming to its end: it is not gone through again for the next test.
_SEEN: dict[int, Seen | Exception] = {}


@pytest.fixture
def seen(request: pytest.FixtureRequest, servers: Lab) -> Seen:
    """The round of the test's parameter ``number``, gone through once."""
    number: int = request.getfixturevalue("number")
    if number not in _SEEN:
        try:
            _SEEN[number] = _go_through(servers, ROUNDS[number])
        except Exception as error:
            _SEEN[number] = error
    seen = _SEEN[number]
    if isinstance(seen, Exception):
        raise seen
    return seen


def _go_through(lab: Lab, cases: Mapping[str, str]) -> Seen:
    hosts = [lab.hosts[name] for name in cases]
    wishes = CASES[next(iter(cases.values()))].wishes

    whole: dict[str, object] = {}

    def break_(host: Host) -> None:
        reset_host(lab, host)
        whole[host.name] = health.state(lab, host)
        for fault in faults_of(cases[host.name]):
            FAULTS[fault](lab, host)
            EFFECTS[fault](host, Sql(database_server(lab, host)))
        if CASES[cases[host.name]].sleep:
            Sql(database_server(lab, host)).set("MULTICASTSLEEPTIME", str(CASES[cases[host.name]].sleep))
            restart(host)
            log_shows(host, NO_MASTER, last=True)

    def put_back(host: Host) -> None:
        reset_host(lab, host)
        assert health.state(lab, host) == whole[host.name], f"{host.name}: not put back as it was"
        health.assert_serving(host)

    _side_by_side(break_, hosts)

    def states() -> dict[str, witness.State]:
        return {host.name: witness.state(host, host) for host in hosts}

    before = states()
    check = controller.playbook(lab, "repair-multicast", hosts, "--check", "--diff", variables=wishes)
    after_check = states()
    # As talkative as it gets, for no secret to be in it.
    repair = controller.playbook(lab, "repair-multicast", hosts, "-vvv", "--diff", variables=wishes)
    calm = states()
    again = controller.playbook(lab, "repair-multicast", hosts, variables=wishes)
    seen = Seen(cases, before, check, after_check, repair, again, states())
    assert calm.keys() == seen.after_again.keys()
    for host in hosts:
        assert_nothing_refused(host)
        assert calm[host.name] == seen.after_again[host.name], f"{host.name}: the second run altered something"
    _side_by_side(put_back, hosts)
    return seen


def _side_by_side(do: Callable[[Host], None], hosts: Sequence[Host]) -> None:
    with ThreadPoolExecutor(len(hosts)) as pool:
        list(pool.map(do, hosts))


def test_every_fault_has_a_case() -> None:
    assert {fault for name in CASES for fault in faults_of(name)} == set(FAULTS)
    assert set(RESTARTS) <= set(CASES)


def _steps(run: controller.Run, host: str, outcome: str, without: Collection[str]) -> list[tuple[str, Any]]:
    return [
        (step["kind"], step["target"])
        for step in run.steps(host)
        if step["outcome"] == outcome and step["kind"] not in without
    ]


@pytest.mark.parametrize(("number", "name"), _PLACES)
def test_fault(number: int, name: str, seen: Seen) -> None:
    case = CASES[seen.cases[name]]
    wanted = {finding for fault in faults_of(seen.cases[name]) for finding in expected(fault)}
    found = seen.check.ids(name)
    assert wanted <= found, seen.check.explain(name)

    assert seen.before[name] == seen.after_check[name], "check mode altered the host"
    planned = "would_repair" if case.outcome == REPAIRED else PERSON
    assert seen.check.outcome(name) == planned, seen.check.explain(name)

    assert seen.repair.ids(name) == found, seen.repair.explain(name)
    assert seen.repair.outcome(name) == case.outcome, seen.repair.explain(name)
    assert layout.SECRET not in seen.repair.output
    # The processes it ends are the same in both runs, so their ids are too.
    without = (RESTART,) if seen.cases[name] in RESTARTS else ()
    planned_steps = _steps(seen.check, name, "planned", without)
    assert planned_steps == _steps(seen.repair, name, "done", without), seen.repair.explain(name)
    if case.outcome == REPAIRED:
        assert _steps(seen.repair, name, "done", ()), seen.repair.explain(name)
        assert seen.repair.ids(name, "after") == set(), seen.repair.explain(name)
        # What the second run began with is what fog_multicast_info says of the host.
        assert seen.again.ids(name) == set(), seen.again.explain(name)
        assert seen.again.outcome(name) == "healthy", seen.again.explain(name)
    else:
        assert not wanted - seen.repair.ids(name, "after"), seen.repair.explain(name)
        assert seen.again.outcome(name) == PERSON, seen.again.explain(name)
    assert seen.again.changed[name] == 0, seen.again.explain(name)


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_exit_code_tells_whether_a_person_is_needed(number: int, seen: Seen) -> None:
    needs_person = any(CASES[case].outcome == PERSON for case in seen.cases.values())
    assert (seen.repair.code != 0) == needs_person, seen.repair.output[-4000:]
    assert (seen.check.code != 0) == needs_person, seen.check.output[-4000:]

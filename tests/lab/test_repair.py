"""Every fault, end to end: there, found, planned without a trace, repaired or left to a person, quiet the second time.

The faults go through in rounds, one on each FOG server at a time: a playbook costs the same for one host or four.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.lab import controller, witness
from tests.lab.conftest import Boot
from tests.lab.fog import assert_nothing_refused, health, reset_host
from tests.lab.fog.database import Sql
from tests.lab.fog.effects import EFFECTS
from tests.lab.fog.faults import FAULTS, expected
from tests.lab.fog.laboratory import database_server
from tests.lab.host import Host
from tests.lab.lab import Lab

SERVERS = ("fog1", "fog2", "fog3", "fog4")
REPAIRED = "repaired"
PERSON = "needs_person"


class Case(NamedTuple):
    """What a repair run shall make of a fault: the outcome, with which wishes, and on which host."""

    outcome: str
    wishes: Mapping[str, Any] = {}
    host: str = ""


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
    "rights-missing": Case(PERSON),
    "unknown-release": Case(PERSON),
    "outdated-cache": Case(REPAIRED),
}


def _rounds() -> list[dict[str, str]]:
    """Which fault on which host, round by round; faults with wishes do not share a round with those without."""
    rounds: list[tuple[tuple[tuple[str, Any], ...], dict[str, str]]] = []
    for fault, case in CASES.items():
        wishes = tuple(sorted(case.wishes.items()))
        for have, hosts in rounds:
            free = [name for name in SERVERS if name not in hosts and case.host in ("", name)]
            if have == wishes and free:
                hosts[free[0]] = fault
                break
        else:
            rounds.append((wishes, {case.host or SERVERS[0]: fault}))
    return [hosts for _, hosts in rounds]


ROUNDS = _rounds()
_PLACES = [pytest.param(number, name, id=fault) for number, hosts in enumerate(ROUNDS) for name, fault in hosts.items()]


class Seen(NamedTuple):
    """What one round showed."""

    faults: Mapping[str, str]
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


def _go_through(lab: Lab, faults: Mapping[str, str]) -> Seen:
    hosts = [lab.hosts[name] for name in faults]
    wishes = CASES[next(iter(faults.values()))].wishes

    whole: dict[str, object] = {}

    def break_(host: Host) -> None:
        reset_host(lab, host)
        whole[host.name] = health.state(lab, host)
        FAULTS[faults[host.name]](lab, host)
        EFFECTS[faults[host.name]](host, Sql(database_server(lab, host)))

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
    repair = controller.playbook(lab, "repair-multicast", hosts, "--diff", variables=wishes)
    calm = states()
    again = controller.playbook(lab, "repair-multicast", hosts, variables=wishes)
    seen = Seen(faults, before, check, after_check, repair, again, states())
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
    assert set(CASES) == set(FAULTS)


@pytest.mark.parametrize(("number", "name"), _PLACES)
def test_fault(number: int, name: str, seen: Seen) -> None:
    fault = seen.faults[name]
    case = CASES[fault]
    found = seen.check.ids(name)
    assert set(expected(fault)) <= found, seen.check.explain(name)

    assert seen.before[name] == seen.after_check[name], "check mode altered the host"
    planned = "would_repair" if case.outcome == REPAIRED else PERSON
    assert seen.check.outcome(name) == planned, seen.check.explain(name)

    assert seen.repair.ids(name) == found, seen.repair.explain(name)
    assert seen.repair.outcome(name) == case.outcome, seen.repair.explain(name)
    steps = seen.repair.report["hosts"][name]["steps"]
    if case.outcome == REPAIRED:
        assert [step for step in steps if step["outcome"] == "done"], seen.repair.explain(name)
        assert seen.repair.ids(name, "after") == set(), seen.repair.explain(name)
        # What the second run began with is what fog_multicast_info says of the host.
        assert seen.again.ids(name) == set(), seen.again.explain(name)
        assert seen.again.outcome(name) == "healthy", seen.again.explain(name)
    else:
        assert not set(expected(fault)) - seen.repair.ids(name, "after"), seen.repair.explain(name)
        assert seen.again.outcome(name) == PERSON, seen.again.explain(name)
    assert seen.again.changed[name] == 0, seen.again.explain(name)


@pytest.mark.parametrize("number", range(len(ROUNDS)))
def test_exit_code_tells_whether_a_person_is_needed(number: int, seen: Seen) -> None:
    needs_person = any(CASES[fault].outcome == PERSON for fault in seen.faults.values())
    assert (seen.repair.code != 0) == needs_person, seen.repair.output[-4000:]
    assert (seen.check.code != 0) == needs_person, seen.check.output[-4000:]

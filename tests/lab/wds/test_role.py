"""The role and the playbooks on simulated head nodes: found, planned without a trace, repaired or left to a person."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import NAMESPACES
from extensions.head_nodes.registry import Key
from tests.lab import controller
from tests.lab.wds.conftest import HeadNodes, Heads

REPAIR, CHECK = "repair-multicast", "check-multicast"
REPAIRED, PERSON, HEALTHY, WOULD = "repaired", "needs_person", "healthy", "would_repair"
ALL_BROKEN: Mapping[str, Any] = {"multicast_max_broken_percent": 100}
FORKS = ("--forks", "12")


class Case(NamedTuple):
    """Faults of a node; the outcomes of ``--check`` and of the repair; the steps that are planned and done."""

    faults: Sequence[Any]
    planned: str
    outcome: str
    steps: Sequence[str] = ()
    node: Mapping[str, Any] = {"baseline": True}
    #: What is done, where a step only shows once another is done.
    done: Sequence[str] = ()


FIELDS = ("content_provider", "configuration", "friendly_name", "description")
CREATE, SAVE, START, ENABLE = "namespace.create", "baseline.save", "service.start", "service.enable"
CASES: Mapping[str, Case] = {
    "missing": Case(["missing-namespace"], WOULD, REPAIRED, [CREATE]),
    # What told of the missing namespace is over once it is back.
    "incident": Case(
        ["missing-namespace", "blank-namespace-logs", "event-592", "event-257"], WOULD, REPAIRED, [CREATE],
        {"baseline": True, "build": 6002},
    ),
    "no-powershell": Case(
        ["missing-namespace"], WOULD, REPAIRED, [CREATE], {"baseline": True, "build": 6002, "powershell": None}
    ),
    "stopped": Case(["service-stopped"], WOULD, REPAIRED, [START]),
    "disabled": Case(["service-disabled"], WOULD, REPAIRED, [ENABLE, START]),
    "stopped-and-missing": Case(
        ["missing-namespace", "service-stopped"], WOULD, REPAIRED, [START], done=[START, CREATE]
    ),
    "fresh": Case([], WOULD, HEALTHY, [SAVE], {}),
    "healthy": Case([], HEALTHY, HEALTHY),
    "unknown": Case(["missing-namespace"], PERSON, PERSON, node={}),
    "provider": Case(["missing-provider"], PERSON, PERSON),
    "inconsistent": Case(["inconsistent"], PERSON, PERSON),
    "no-role": Case(["role-absent"], PERSON, PERSON),
    "pending": Case(["pending-reboot"], PERSON, PERSON),
}  # fmt: skip


def changes(run: controller.Run, host: str, became: str) -> list[str]:
    """The steps of a host that became so, by kind."""
    return [str(step["kind"]) for step in run.steps(host) if step["outcome"] == became]


def dump(key: Key) -> dict[str, Any]:
    return {value.name: (value.type, value.data) for value in key.values}


def registry(fleet: HeadNodes, host: str) -> Any:
    return json.loads(json.dumps(fleet.machines[host].registry.dump()))


def quiet(fleet: HeadNodes) -> bool:
    return not any(fleet.writes(name) for name in fleet.machines)


def test_each_fault_is_planned_repaired_and_quiet_the_second_time(heads: Heads) -> None:
    # One does not answer: that is in the report, and holds nobody up.
    fleet = heads({**{name: {**case.node, "faults": case.faults} for name, case in CASES.items()}, "gone": {}})
    fleet.nodes["gone"].set(accepting=False)
    before = {name: registry(fleet, name) for name in CASES}

    planned = fleet.playbook(REPAIR, "--check", "--diff", *FORKS, **ALL_BROKEN)
    assert quiet(fleet)
    assert {name: registry(fleet, name) for name in CASES} == before
    for name, case in CASES.items():
        assert planned.outcome(name) == case.planned, planned.explain(name)
        assert changes(planned, name, "planned") == list(case.steps), planned.explain(name)
        assert (planned.changed[name] > 0) == bool(case.steps), planned.explain(name)
    assert "    set:    wds_multicast_allow_reinstall: true" in planned.output
    assert planned.report["hosts"]["gone"]["platform"] == "wds"
    assert "+++ after: namespace.create namespace=INCIDENT-CCP\n" in planned.output
    assert (
        "+++ after: service.enable service=WDSServer\n@@ -1 +1 @@\n-start: disabled\n+start: auto\n" in planned.output
    )

    done = fleet.playbook(REPAIR, *FORKS, **ALL_BROKEN)
    assert done.code != 0
    for name, case in CASES.items():
        assert done.outcome(name) == case.outcome, done.explain(name)
        assert changes(done, name, "done") == list(case.done or case.steps), done.explain(name)
        assert (done.ids(name, "after") == set()) == (case.outcome != PERSON), done.explain(name)
        assert bool(fleet.writes(name)) == bool(case.steps), fleet.writes(name)
    assert (
        "\nfleet 14 | healthy 2 | repaired 6 | would repair 0 | needs a person 5 | failed 0 | unreachable 1"
        in done.output
    )

    for node in fleet.nodes.values():
        node.machine.writes.clear()
    hosts = ("gone", "unknown", *(name for name, case in CASES.items() if case.outcome != PERSON))
    again = fleet.playbook(REPAIR, *FORKS, hosts=hosts, **ALL_BROKEN)
    assert quiet(fleet)
    assert again.changed == dict.fromkeys(hosts, 0)
    assert [run.outcome("gone") for run in (planned, done, again)] == ["unreachable"] * 3
    for name in hosts[1:]:
        assert again.outcome(name) == (PERSON if name == "unknown" else HEALTHY), again.explain(name)


def test_the_guard_keeps_a_sweep_from_happening(heads: Heads) -> None:
    broken = ("hn2", "hn3", "hn4")
    fleet = heads({"hn1": {"baseline": True}, **{name: {"faults": ["service-stopped"]} for name in broken}})
    run = fleet.playbook(REPAIR, multicast_max_broken_percent=50)
    assert quiet(fleet)
    assert run.code != 0
    assert run.outcome("hn1") == HEALTHY
    for name in broken:
        assert run.outcome(name) == PERSON
        (step,) = run.steps(name)
        assert "3 of 4 hosts look broken at once" in step["detail"]
        assert "multicast_max_broken_percent" in step["detail"]


def test_an_inventory_without_head_nodes_is_checked(heads: Heads) -> None:
    fleet = heads({"only": {}})
    # Nobody answers there: that is reported, and Ansible has no warning about the group that is not there.
    hosts = {"only": {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_connection": "ansible.builtin.ssh"}}
    inventory = {"all": {"children": {"fog_servers": {"hosts": hosts}}}}
    fleet.site.inventory.write_text(json.dumps(inventory), encoding="utf-8")
    run = fleet.playbook(CHECK)
    assert run.code != 0
    assert run.report["hosts"]["only"]["platform"] == "fog"
    assert run.outcome("only") == "unreachable"


def test_a_lost_head_node_can_be_rebuilt_from_the_report(heads: Heads) -> None:
    given = {"configuration": "D:\\Images", "description": "with 'quotes' & more"}
    fleet = heads({"lost": given, "rebuilt": {**given, "computer_name": "LOST"}})
    first = fleet.playbook(REPAIR, hosts=("lost",))
    assert changes(first, "lost", "done") == [SAVE]
    (baseline,) = first.report["hosts"]["lost"]["baseline"]
    assert {**baseline, **given, "name": "LOST-CCP", "content_provider": "WDS", "complete": True} == baseline

    # Another machine of that name, which has nothing of its own.
    machine = fleet.machines["rebuilt"]
    was = machine.registry.key(f"{NAMESPACES}\\LOST-CCP")
    nodes.break_(machine, "missing-namespace")
    machine.events.clear()
    values: Mapping[str, Any] = {f"wds_multicast_{key}": baseline[key] for key in FIELDS}
    second = fleet.playbook(REPAIR, hosts=("rebuilt",), **values)
    assert second.outcome("rebuilt") == REPAIRED, second.explain("rebuilt")
    assert changes(second, "rebuilt", "done") == [CREATE, SAVE]
    made = machine.registry.key(f"{NAMESPACES}\\LOST-CCP")
    assert was is not None
    assert made is not None
    assert dump(made) == dump(was)

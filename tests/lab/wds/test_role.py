"""The role and the playbooks on simulated head nodes: found, planned without a trace, repaired or left to a person."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import BASELINES, IMAGES, NAMESPACES, PARAMETERS, Live, Machine
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
    "no-hpc": Case(["hpc-absent"], WOULD, HEALTHY, [SAVE], {}),
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
        "\nfleet 15 | healthy 3 | repaired 6 | would repair 0 | needs a person 5 | failed 0 | unreachable 1"
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


def test_a_fallback_on_a_healthy_head_node_is_seen_where_logs_are_always_read(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True, "faults": ["unicast-fallback"]}})
    for playbook in (CHECK, REPAIR):
        # One round trip is all that a healthy head node costs, and the logs would be another.
        unseen = fleet.playbook(playbook)
        assert (unseen.outcome("hn1"), unseen.report["hosts"]["hn1"]["before"]) == (HEALTHY, []), unseen.output
        seen = fleet.playbook(playbook, wds_multicast_deployments="always")
        assert seen.outcome("hn1") == PERSON, seen.explain("hn1")
        assert seen.ids("hn1") == {"hpc.deployment.unicast_fallback"}
    assert quiet(fleet)


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


def vanish(machine: Machine, name: str) -> None:
    """A namespace is gone from store and live view."""
    machine.registry.remove(f"{NAMESPACES}\\{name}")
    machine.live.pop(name.lower(), None)


def test_without_hpc_each_namespace_that_was_kept_comes_back(heads: Heads) -> None:
    fleet = heads({name: {"faults": ["hpc-absent"]} for name in ("hn1", "gone")})
    machine = fleet.machines["hn1"]
    machine.new_namespace(Live("IMG2", "WDS", IMAGES, "IMG2"))
    nodes.save_baseline(fleet.machines["gone"], "IMG1")
    nodes.break_(fleet.machines["gone"], "role-absent")
    kept = fleet.playbook(REPAIR, hosts=("hn1",))
    assert kept.outcome("hn1") == HEALTHY, kept.explain("hn1")
    assert changes(kept, "hn1", "done") == [SAVE, SAVE]
    for name in ("IMG1", "IMG2"):
        vanish(machine, name)
    back = fleet.playbook(REPAIR, wds_multicast_allow_reinstall=True, wds_multicast_allow_reboot=True)
    assert back.outcome("hn1") == REPAIRED, back.explain("hn1")
    assert changes(back, "hn1", "done") == [CREATE, CREATE]
    assert set(machine.live) == {"img1", "img2"}
    # Nobody says which namespace a reinstall would have to bring back.
    assert back.outcome("gone") == PERSON, back.explain("gone")
    (finding,) = [each for each in back.report["hosts"]["gone"]["after"] if each["id"] == "wds.role.missing"]
    assert "name the namespace first (option name, role variable wds_multicast_name)" in finding["repair"]
    assert [each.boots for each in fleet.machines.values()] == [0, 0]
    again = fleet.playbook(REPAIR, hosts=("hn1",))
    assert (again.outcome("hn1"), again.changed["hn1"]) == (HEALTHY, 0)


CONSENT: Mapping[str, Any] = {"wds_multicast_allow_reinstall": True, "wds_multicast_allow_reboot": True}
REINSTALL = ["feature.remove", "host.reboot", "feature.install", "host.reboot"]


@pytest.mark.usefixtures("breaking")
def test_what_the_start_of_the_service_deletes_comes_back_without_a_reinstall(heads: Heads) -> None:
    vanishing = {"faults": ["vanishes-at-start"], "variables": CONSENT}
    fleet = heads(
        {
            # The folder is there again once the service has started.
            "back": vanishing,
            # It is not, and nobody consents to more.
            "gone": {"faults": ["vanishes-at-start"]},
            # The provider can be loaded only by a service that starts anew.
            "loading": {"faults": ["service-stopped"], "settings": {"recreation": "nothing"}, "variables": CONSENT},
            # The store holds what a start, and so a reinstall, would lose.
            "other": {"faults": ["missing-namespace", "service-stopped"], "variables": CONSENT},
        }
    )
    back, loading, other = (fleet.machines[name] for name in ("back", "loading", "other"))
    after_start(back, lambda: back.files.folder(IMAGES))
    loading.fails_once = {"WDS"}
    after_start(loading, lambda: loading.fails_once.update(() if loading.boots else ("WDS",)))
    other.store_namespace(Live("OTHER", "Gone", IMAGES, "OTHER"))
    run = fleet.playbook(REPAIR, "--forks", "4", **ALL_BROKEN)
    assert run.outcome("back") == REPAIRED, run.explain("back")
    assert changes(run, "back", "done") == [SAVE, START, CREATE]
    assert run.outcome("gone") == "failed", run.explain("gone")
    assert changes(run, "gone", "failed") == [CREATE]
    assert run.ids("gone", "after") >= {"wds.namespace.missing"}
    assert run.outcome("other") == PERSON, run.explain("other")
    assert other.registry.key(f"{NAMESPACES}\\OTHER") is not None
    assert fleet.writes("other") == []
    assert {name: fleet.machines[name].boots for name in ("back", "gone", "other")} == dict.fromkeys(
        ("back", "gone", "other"), 0
    )
    # Where it cannot be made again, the last resort is due.
    assert run.outcome("loading") == REPAIRED, run.explain("loading")
    assert changes(run, "loading", "done") == [SAVE, START, *REINSTALL, CREATE, "transport.restore"]
    assert loading.boots == 2


def after_start(machine: Machine, do: Callable[[], object]) -> None:
    """Have something happen right after each start of WDSServer."""
    start = machine.start

    def started(name: str) -> None:
        start(name)
        if name == "WDSServer":
            do()

    machine.start = started  # type: ignore[method-assign] # the double, made worse


@pytest.mark.usefixtures("breaking")
def test_a_reinstall_takes_the_definition_that_the_variables_give(heads: Heads) -> None:
    fleet = heads({"hn1": {"faults": ["role-absent"], "settings": {"recreation": "nothing"}}})
    machine = fleet.machines["hn1"]
    machine.registry.remove(BASELINES)
    given: Mapping[str, Any] = {"wds_multicast_content_provider": "WDS", "wds_multicast_configuration": "C:\\Windows"}
    run = fleet.playbook(REPAIR, **CONSENT, **given)
    assert run.outcome("hn1") == REPAIRED, run.explain("hn1")
    assert changes(run, "hn1", "done") == ["feature.install", "host.reboot", CREATE, "transport.restore"]
    assert machine.live["hn1-ccp"].configuration == "C:\\Windows"


@pytest.mark.usefixtures("breaking")
def test_settings_that_a_reinstall_takes_away_are_kept_and_told(heads: Heads) -> None:
    fleet = heads({"hn1": {"faults": ["missing-namespace"]}})
    machine = fleet.machines["hn1"]
    machine.registry.set(PARAMETERS, "McStartAddr", "REG_SZ", "239.192.5.1")
    run = fleet.playbook(REPAIR, **CONSENT)
    assert run.outcome("hn1") == REPAIRED, run.explain("hn1")
    (told,) = [step["detail"] for step in run.steps("hn1") if step["kind"] == "transport.restore"]
    assert "Parameters\\McStartAddr was 239.192.5.1 and is 239.192.0.1 now" in told
    assert "McEndAddr" not in told
    key = machine.registry.key(told[told.index("HKLM\\") :] + "\\Parameters")
    assert key is not None
    assert dump(key)["McStartAddr"] == ("REG_SZ", "239.192.5.1")


def test_a_reinstall_waits_where_clients_of_a_scheduled_namespace_may_be(heads: Heads) -> None:
    fleet = heads({"hn1": {"faults": ["missing-namespace", "scheduled"]}})
    run = fleet.playbook(REPAIR, **CONSENT)
    assert run.outcome("hn1") == PERSON, run.explain("hn1")
    assert "it cannot be seen whether clients are connected" in run.explain("hn1")
    assert fleet.machines["hn1"].boots == 0
    assert fleet.writes("hn1") == []


@pytest.mark.parametrize("name", [CHECK, "../tests/bench/wds-by-task", "../tests/bench/wds-raw"])
def test_a_playbook_that_only_looks_runs_in_check_mode_too(heads: Heads, name: str) -> None:
    fleet = heads({"hn1": {"baseline": True}})
    looked = fleet.playbook(name, "--check")
    assert looked.code == 0, looked.output
    assert looked.changed == {"hn1": 0}
    fleet.assert_tidy()

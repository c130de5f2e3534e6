"""wds_transport_server on simulated head nodes: the service, and the reinstall with its two reboots."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.builds import BUILDS
from extensions.head_nodes.machine import BASELINES, NAMESPACES, OWN, Machine
from tests.lab.controller import finding_ids, start
from tests.lab.wds.conftest import HeadNodes, Heads
from tests.lab.wds.together import differing, modules
from tests.lab.windows.site import Named

pytestmark = pytest.mark.usefixtures("breaking")

SERVER = "wds_transport_server"
REINSTALL: Mapping[str, Any] = {"state": "reinstalled", "allow_reboot": True}
PLACE = OWN + "\\Reinstall"
GATES = ("wds_multicast_allow_reinstall", "wds_multicast_allow_reboot")
ALL_BROKEN: Mapping[str, Any] = {"multicast_max_broken_percent": 100}
NOTHING = {"recreation": "nothing"}
REMOVE, REBOOT, INSTALL, CREATE = "feature.remove", "host.reboot", "feature.install", "namespace.create"
RESTORE = "transport.restore"
#: What a whole reinstall does; where HPC brings the namespace back itself nothing is created.
WHOLE = [REMOVE, REBOOT, INSTALL, REBOOT, RESTORE]
WITH_BASELINE = [REMOVE, REBOOT, INSTALL, REBOOT, CREATE, RESTORE]


def steps(result: Mapping[str, Any], became: str = "done") -> list[str]:
    return [str(step["kind"]) for step in result["steps"] if step["outcome"] == became]


def details(result: Mapping[str, Any]) -> str:
    return " ".join(step["detail"] for step in result["steps"])


def stand_at(machine: Machine, stage: str) -> None:
    """As a run that was cut off left it."""
    place = {"Stage": stage, "Boot": machine.boot_identity, "Started": "2026-01-01T00:00:00Z"}
    for name, value in place.items():
        machine.registry.set(PLACE, name, "REG_SZ", value)


def in_order(fleet: HeadNodes, name: str) -> bool:
    """The namespace is back, in store and service, and no trace of the reinstall is left."""
    machine = fleet.machines[name]
    namespace = nodes.expected_name(machine)
    return (
        machine.registry.key(f"{NAMESPACES}\\{namespace}") is not None
        and machine.live[namespace.lower()].registered
        and machine.registry.key(PLACE) is None
    )


def wait(until: Callable[[], bool], timeout: float = 120.0) -> None:
    deadline = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_the_reinstall_on_every_kind_of_build_and_from_every_place(heads: Heads) -> None:
    missing = ["missing-namespace"]
    fleet = heads(
        {
            # HPC brings the namespace back.
            "r6001": {"build": 6001, "faults": missing},
            "r7601": {"build": 7601, "language": "fr", "faults": missing},
            "r9600": {"build": 9600, "faults": missing},
            # At both reboots, and while it boots, connections break.
            "flaky": {"baseline": True, "faults": missing, "settings": {"recreation": "provider"}},
            # Only the baseline does, and the provider comes with the role.
            "b6003": {"build": 6003, "faults": ["missing-provider"], "settings": NOTHING},
            "b9200": {"build": 9200, "faults": ["missing-provider"], "settings": {**NOTHING, "start_delay": 1.0}},
            "role": {"build": 7600, "faults": ["role-absent"], "settings": NOTHING},
            # A run was cut off before it knew that the feature was removed or installed: exit code 1003.
            "removed": {"build": 14393, "faults": missing},
            "installed": {"build": 20348, "baseline": True, "faults": missing},
            # Refused, or not needed.
            "deployment": {"faults": ["deployment-role", *missing]},
            "clients": {"baseline": True, "faults": ["clients-connected", ["inconsistent", {"only": "live"}]]},
            "order": {"baseline": True},
            # What fails.
            "wizard6002": {"build": 6002, "faults": [*missing, "wizard-running"]},
            "wizard": {"faults": [*missing, "wizard-running"]},
            "absent": {"build": 26100, "faults": missing, "settings": NOTHING},
            "slow": {"faults": missing, "settings": {"never_returns": True}},
        }
    )
    assert {machine.number for machine in fleet.machines.values()} == set(BUILDS)
    fleet.nodes["flaky"].lose("after", contains="shutdown.exe", times=2)
    fleet.nodes["flaky"].lose("middle", contains="'boot {'", times=3)
    fleet.machines["removed"].remove_feature("WDS")
    stand_at(fleet.machines["removed"], "remove")
    stand_at(fleet.machines["installed"], "install")

    planned = modules(fleet, SERVER, "--check", "--diff", **REINSTALL)
    for name in set(fleet.machines) - {"removed"}:
        assert fleet.writes(name) == [], name
        refused = name in ("deployment", "clients")
        changes = not refused and name != "order"
        assert planned[name]["changed"] == changes, name
        assert bool(planned[name]["refused"]) == refused
    assert steps(planned["role"], "planned") == [INSTALL, REBOOT, RESTORE]

    # Only these two have to run into a timeout; the others may take as long as a busy machine makes them.
    options, patience = differing(reboot_timeout={"slow": 3}, namespace_timeout={"absent": 3})
    first = modules(fleet, SERVER, *options, **REINSTALL, **patience)
    for name, wanted in {
        "r6001": WHOLE,
        "r7601": WHOLE,
        "r9600": WHOLE,
        "flaky": WITH_BASELINE,
        "b6003": WITH_BASELINE,
        "b9200": WITH_BASELINE,
        "role": [INSTALL, REBOOT, CREATE, RESTORE],
        "removed": WHOLE,
        "installed": [INSTALL, REBOOT, CREATE, RESTORE],
    }.items():
        assert steps(first[name]) == wanted, first[name]
        assert not first[name]["_failed"]
        assert first[name]["reboots"] == fleet.machines[name].boots == wanted.count(REBOOT)
        assert finding_ids(first[name]) == set(), first[name]["findings"]
        assert in_order(fleet, name), name
        assert f"{name} (winrm): Reboot after the installation: waiting up to 1800 s" in first[name]["_output"]
    assert "r6001 (winrm): Remove the feature WDS: this takes minutes" in first["r6001"]["_output"]
    assert "a reboot is needed (exit code 3010)" in details(first["r6001"])
    assert "nothing was to be changed (exit code 1003)" in details(first["removed"])
    assert "nothing was to be changed (exit code 1003)" in details(first["installed"])
    for name, words in {"deployment": "WDS-Deployment is installed too", "clients": "clients are connected"}.items():
        assert words in first[name]["refused"]
        assert "force" in first[name]["refused"]
    for name in ("deployment", "clients", "order"):
        assert not first[name]["changed"]
        assert (fleet.machines[name].boots, fleet.writes(name)) == (0, [])
    assert "1004" in first["wizard6002"]["msg"]
    for name, stage, boots in (("wizard", "remove", 0), ("wizard6002", "remove", 0), ("absent", "restore", 2)):
        assert first[name]["_failed"]
        assert fleet.machines[name].boots == first[name]["reboots"] == boots
        assert any(f"(stage {stage}): run again to go on there" in note for note in first[name]["notes"])
    assert "after 3 s WDSServer does not serve ABSENT-CCP" in first["absent"]["msg"]
    assert "content_provider and configuration" in first["absent"]["msg"]
    assert first["slow"]["_failed"]
    assert "did not start anew within 3 s" in first["slow"]["msg"]

    # What stood in the way is gone: each goes on where it stood, and nothing is done a second time.
    fleet.machines["slow"].never_returns = False
    fleet.machines["slow"].switch_on()
    fleet.machines["wizard"].wizard = fleet.machines["wizard6002"].wizard = False
    fleet.machines["absent"].recreation = "namespace"
    given: dict[str, Any] = {"content_provider": "WDS", "configuration": "C:\\Windows"}
    assert fleet.module("absent", "wds_multicast_namespace", **given)["changed"]
    forced = ("deployment", "clients")
    hosts = (*forced, "slow", "wizard", "wizard6002", "absent", "r6001", "b9200", "role")
    options, force = differing(force=dict.fromkeys(forced, True))
    second = modules(fleet, SERVER, *options, hosts=hosts, **REINSTALL, **force)
    for name, wanted, boots in (
        ("slow", WHOLE[2:], 2),
        ("wizard", WHOLE, 2),
        ("wizard6002", WHOLE, 2),
        ("absent", [RESTORE], 2),
        *((name, [], fleet.machines[name].boots) for name in ("r6001", "b9200", "role")),
    ):
        assert steps(second[name]) == wanted, second[name]
        assert fleet.machines[name].boots == boots
        assert in_order(fleet, name), name

    for name in forced:
        assert second[name]["reboots"] == fleet.machines[name].boots == 2, second[name]
        assert in_order(fleet, name), second[name]
    assert fleet.machines["deployment"].features == {"WDS", "WDS-Transport"}


def test_a_run_that_is_killed_or_loses_the_host_is_continued(heads: Heads) -> None:
    one = {"baseline": True, "faults": ["missing-provider"]}
    # Each boot lasts until what is to happen during it has happened.
    long = {"boot_seconds": 3600.0}
    fleet = heads(
        {
            # The controller ends during the first or the second reboot.
            "killed1": {**one, "settings": long},
            "killed2": {**one, "settings": long},
            "password": {**one, "settings": long},
            "lost6002": {**one, "build": 6002},
            "lost17763": one,
        }
    )
    started = {name: fleet.start(name, SERVER, **REINSTALL) for name in ("killed1", "killed2", "password")}
    # The answer to the installation never arrives; Ansible's own plugin warns of the shell that it could not close.
    fleet.nodes["lost6002"].lose("after", contains="'-install'")
    fleet.nodes["lost17763"].lose("after", contains="Install-WindowsFeature")
    broken = start(fleet.site, Named("lost6002:lost17763"), SERVER, arguments=REINSTALL)

    to_come: dict[tuple[str, int], Callable[[], object]] = {
        ("killed1", 1): started["killed1"].kill,
        ("killed2", 1): lambda: None,
        ("killed2", 2): started["killed2"].kill,
        ("password", 1): lambda: fleet.nodes["password"].set(password="An0ther!"),
    }

    def happened() -> bool:
        for (name, boot), do in list(to_come.items()):
            if fleet.machines[name].boots < boot:
                assert started[name].running, started[name].text()
                continue
            del to_come[name, boot]
            do()
            fleet.machines[name].switch_on()
        return not to_come

    wait(happened)
    for name, stage in (("killed1", "removed"), ("killed2", "installed")):
        assert fleet.machines[name].registry.value(PLACE, "Stage") == stage
    for name in started:
        fleet.machines[name].boot_seconds = 0.3
    # A password that is refused is not tried again: it ends the wait.
    refused = started["password"].result(check=False)
    assert refused["_failed"]
    assert "refused the credentials" in refused["msg"]
    assert fleet.nodes["password"].counts.failed_logins == 1
    fleet.nodes["password"].set(password="Passw0rd!")
    said = broken.text()
    assert said.count("(stage install): run again to go on there") == 2
    for name in ("lost6002", "lost17763"):
        assert f"{name} | FAILED! => " in said
        assert fleet.machines[name].boots == 1
    wait(lambda: all(node.accepts() for node in fleet.nodes.values()))

    results = modules(fleet, SERVER, **REINSTALL)
    for name, machine in fleet.machines.items():
        assert not results[name]["_failed"], results[name]["msg"]
        # An installation whose answer was lost waits for a reboot of its own on the old builds.
        assert machine.boots == (3 if name == "lost6002" else 2), results[name]
        assert in_order(fleet, name)
        assert machine.registry.key(f"{BASELINES}\\{nodes.expected_name(machine)}") is not None


def test_the_role_reinstalls_with_both_consents_and_one_host_at_a_time(heads: Heads) -> None:
    absent = {"faults": ["role-absent"], "settings": NOTHING}
    fleet = heads({"hn1": absent, "hn2": {**absent, "build": 7601}})
    allow: Mapping[str, Any] = {**dict.fromkeys(GATES, True), **ALL_BROKEN}

    # The second closed gate is named by what it stops; the first one by the finding.
    only = fleet.playbook("repair-multicast", **{**allow, GATES[1]: False})
    for name, machine in fleet.machines.items():
        assert only.outcome(name) == "needs_person", only.explain(name)
        (step,) = only.steps(name)
        assert step["outcome"] == "blocked"
        assert f"set allow_reboot ({GATES[1]}) to true" in step["detail"]
        assert machine.writes == []

    planned = fleet.playbook("repair-multicast", "--check", **allow)
    assert [planned.outcome(name) for name in fleet.machines] == ["would_repair"] * 2, planned.explain("hn1")
    assert [machine.writes for machine in fleet.machines.values()] == [[], []]

    done = fleet.playbook("repair-multicast", **allow)
    assert done.code == 0, done.output[-6000:]
    for name, machine in fleet.machines.items():
        assert done.outcome(name) == "repaired", done.explain(name)
        assert machine.boots == 1
        assert in_order(fleet, name)
    # wds_multicast_reboot_throttle is 1: no head node begins while another one is at it.
    told = [line.partition(" ")[0] for line in done.output.splitlines() if " (winrm): " in line]
    begun = list(dict.fromkeys(told))
    assert sorted(begun) == sorted(fleet.machines)
    assert told == sorted(told, key=begun.index)


def test_the_service_is_started_unless_that_would_delete_a_definition(heads: Heads) -> None:
    fleet = heads(
        {
            "stopped": {"faults": ["service-stopped"]},
            "disabled": {"build": 6002, "powershell": None, "faults": ["service-disabled"]},
            "manual": {"faults": ["service-manual"]},
            "damaged": {"faults": ["service-stopped", "contradictory"]},
            "running": {"baseline": True},
        }
    )
    results = modules(fleet, SERVER)
    save = "baseline.save"
    assert steps(results["stopped"]) == [save, "service.start"]
    assert steps(results["disabled"]) == [save, "service.enable", "service.start"]
    assert steps(results["manual"]) == ["service.enable"]
    for name in ("stopped", "disabled", "manual"):
        assert fleet.machines[name].running("WDSServer")
        assert fleet.machines[name].start_type("WDSServer") == 2
        assert nodes.expected_name(fleet.machines[name]).lower() in fleet.machines[name].live
    assert "DAMAGED-CCP" in results["damaged"]["refused"]
    for name in ("damaged", "running"):
        assert not results[name]["changed"]
        assert fleet.writes(name) == []
    assert not any(result["changed"] for result in modules(fleet, SERVER).values())

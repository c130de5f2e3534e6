"""wds_transport_server on simulated head nodes: the service, and the reinstall with its two reboots."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.lab.controller import CHECKOUT, finding_ids, start
from tests.lab.wds.conftest import HeadNodes, Heads
from tests.lab.wds.together import modules
from tests.lab.windows import nodes
from tests.lab.windows.machine import BASELINES, NAMESPACES, OWN, Machine
from tests.lab.windows.site import Named

SERVER = "wds_transport_server"
REINSTALL: Mapping[str, Any] = {"state": "reinstalled", "allow_reboot": True}
PLACE = OWN + "\\Reinstall"
GATES = ("wds_multicast_allow_reinstall", "wds_multicast_allow_reboot")
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


def wait(until: Callable[[], bool], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not until():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def test_the_reinstall_on_every_kind_of_build_and_from_every_place(heads: Heads) -> None:
    missing = ["missing-namespace"]
    fleet = heads(
        {
            # HPC brings the namespace back.
            "r6002": {"build": 6002, "faults": missing},
            "r7601": {"build": 7601, "language": "fr", "faults": missing},
            "r17763": {"faults": missing},
            # Only the baseline does, and the provider comes with the role.
            "b6002": {"build": 6002, "faults": ["missing-provider"], "settings": NOTHING},
            "b9200": {"build": 9200, "faults": ["missing-provider"], "settings": {**NOTHING, "start_delay": 1.0}},
            "role": {"faults": ["role-absent"], "settings": NOTHING},
            # A run was cut off before it knew that the feature was removed or installed: exit code 1003.
            "removed": {"faults": missing},
            "installed": {"baseline": True, "faults": missing},
            # Refused, or not needed.
            "deployment": {"faults": ["deployment-role", *missing]},
            "clients": {"baseline": True, "faults": ["clients-connected", ["inconsistent", {"only": "live"}]]},
            "order": {"baseline": True},
            # What fails.
            "wizard6002": {"build": 6002, "faults": [*missing, "wizard-running"]},
            "wizard": {"faults": [*missing, "wizard-running"]},
            "absent": {"faults": missing, "settings": NOTHING},
            "slow": {"faults": missing, "settings": {"boot_seconds": 8.0}},
        }
    )
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

    first = modules(fleet, SERVER, **REINSTALL, reboot_timeout=4, namespace_timeout=4)
    for name, wanted in {
        "r6002": WHOLE,
        "r7601": WHOLE,
        "r17763": WHOLE,
        "b6002": WITH_BASELINE,
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
        assert f"{name} (winrm): Reboot after the installation: waiting up to 4 s" in first[name]["_output"]
    assert "r6002 (winrm): Remove the feature WDS: this takes minutes" in first["r6002"]["_output"]
    assert "a reboot is needed (exit code 3010)" in details(first["r6002"])
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
    assert "after 4 s WDSServer does not serve ABSENT-CCP" in first["absent"]["msg"]
    assert "content_provider and configuration" in first["absent"]["msg"]
    assert first["slow"]["_failed"]
    assert "did not start anew within 4 s" in first["slow"]["msg"]

    # What stood in the way is gone: each goes on where it stood, and nothing is done a second time.
    wait(fleet.machines["slow"].accepts)
    fleet.machines["slow"].boot_seconds = 0.3
    fleet.machines["wizard"].wizard = fleet.machines["wizard6002"].wizard = False
    fleet.machines["absent"].recreation = "namespace"
    given: dict[str, Any] = {"content_provider": "WDS", "configuration": "C:\\Windows"}
    assert fleet.module("absent", "wds_multicast_namespace", **given)["changed"]
    second = modules(
        fleet, SERVER, hosts=("slow", "wizard", "wizard6002", "absent", "r6002", "b9200", "role"), **REINSTALL
    )
    for name, wanted, boots in (
        ("slow", WHOLE[2:], 2),
        ("wizard", WHOLE, 2),
        ("wizard6002", WHOLE, 2),
        ("absent", [RESTORE], 2),
        *((name, [], fleet.machines[name].boots) for name in ("r6002", "b9200", "role")),
    ):
        assert steps(second[name]) == wanted, second[name]
        assert fleet.machines[name].boots == boots
        assert in_order(fleet, name), name

    forced = modules(fleet, SERVER, hosts=("deployment", "clients"), **REINSTALL, force=True)
    for name, result in forced.items():
        assert result["reboots"] == fleet.machines[name].boots == 2, result
        assert in_order(fleet, name), result
    assert fleet.machines["deployment"].features == {"WDS", "WDS-Transport"}


@pytest.mark.parametrize("build", [6002, 17763])
def test_a_run_that_is_killed_or_loses_the_host_is_continued(heads: Heads, build: int) -> None:
    one = {"build": build, "baseline": True, "faults": ["missing-provider"]}
    fleet = heads({"killed": {**one, "settings": {"boot_seconds": 2.0}}, "lost": one})
    killed = fleet.machines["killed"]

    environment = {**os.environ, "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg")}
    argv = ["ansible", "-i", str(fleet.site.inventory), "killed", "-m", f"imaging.multicast.{SERVER}"]
    options = ["-a", '{"state": "reinstalled", "allow_reboot": true}']
    process = subprocess.Popen(
        fleet.site.command([f"{CHECKOUT}/.venv/bin/{argv[0]}", *argv[1:], *options]), cwd=CHECKOUT, env=environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    wait(lambda: killed.boots == 1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert killed.registry.value(PLACE, "Stage") == "removed"

    # The answer to the installation never arrives.
    fleet.nodes["lost"].lose("after", contains="'-install'" if build == 6002 else "Install-WindowsFeature")
    # Ansible's own plugin warns of the shell that it could not close.
    said = start(fleet.site, Named("lost"), SERVER, arguments=REINSTALL).text()
    assert "lost | FAILED! => " in said
    assert "(stage install): run again to go on there" in said
    assert fleet.machines["lost"].boots == 1
    wait(killed.accepts)

    results = modules(fleet, SERVER, **REINSTALL)
    for name, machine in fleet.machines.items():
        assert not results[name]["_failed"], results[name]["msg"]
        # An installation whose answer was lost waits for a reboot of its own on the old builds.
        assert machine.boots == (3 if (name, build) == ("lost", 6002) else 2), results[name]
        assert in_order(fleet, name)
        assert machine.registry.key(f"{BASELINES}\\{nodes.expected_name(machine)}") is not None
    # Shells that the killed run left open went down with the host.
    again = modules(fleet, SERVER, **REINSTALL)
    assert not any(result["changed"] for result in again.values())

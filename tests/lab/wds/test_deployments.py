"""HPC's deployment logs on simulated head nodes: what is read, when, how much of it, and what never crosses."""

import base64
import datetime
import json
from collections.abc import Mapping
from typing import Any

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import Execution, Machine
from tests.lab.controller import finding_ids
from tests.lab.wds.conftest import Heads
from tests.lab.wds.together import modules

INFO = "wds_multicast_info"
BLANK, FALLBACK = "hpc.deployment.blank_namespace", "hpc.deployment.unicast_fallback"
SECRET, USER = "Geheim-4711", "CLUSTER\\deploy"
LOGS = "C:\\Program Files\\Microsoft HPC Pack\\Data\\SpoolDir\\DeploymentLogs"
DAY = 86400.0
HEALTHY = {"Create": 1, "Command": 1, "Receive": 1, "Signal": 1, "Delete": 1}


def of_node(result: Mapping[str, Any], node: str) -> Mapping[str, Any]:
    """What the result says of one compute node's newest deployment."""
    found = [each for each in result["deployments"] if each["node"] == node]
    assert len(found) == 1, result["deployments"]
    return dict(found[0])


def evidence(result: Mapping[str, Any], wanted: str) -> str:
    """The evidence of all findings of an id: deployments that failed differently have different causes."""
    return "\n".join(line for each in result["findings"] if each["id"] == wanted for line in each["evidence"])


def searched(machine: Machine) -> list[str]:
    """The searches in logs that a machine has carried out."""
    return [line for line in machine.commands if "namespace:" in line and line.lower().startswith("findstr")]


class Wire:
    """Counts the bytes that the scripts of a machine print, and keeps them."""

    def __init__(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.printed: list[bytes] = []
        cmd = machine.run_cmd

        def run(*given: Any) -> Execution:
            execution = cmd(*given)
            self.printed.append(execution.stdout + execution.stderr)
            return execution

        monkeypatch.setattr(machine, "run_cmd", run)


def of_id(result: Mapping[str, Any]) -> set[str]:
    """The ids of all findings, infos too."""
    return {each["id"] for each in result["findings"]}


def test_what_the_logs_say_is_told_and_what_is_secret_or_too_much_does_not_cross(
    heads: Heads, monkeypatch: pytest.MonkeyPatch
) -> None:
    ill = ["missing-namespace", "blank-namespace-logs"]
    fleet = heads(
        {
            "blank": {"faults": ill},
            "copied": {"baseline": True, "faults": ["unicast-fallback"]},
            "long": {"baseline": True},
            "quoted": {"faults": ill},
            "bare": {"faults": ill},
            "newer": {"faults": ill},
            "many": {"baseline": True, "logs": False, "faults": [["2000-logs", {"count": 300}]]},
        }
    )
    lines = [*nodes.healthy_log("BLANK-CCP", "special.wim")[:2], "Multicast Failed with Exit Code 1"]
    nodes.write_log(fleet.machines["blank"], "NODE004", lines, 90.0)
    # Its lines match: as much as a broken log may hold.
    nodes.write_log(fleet.machines["long"], "NODE009", ["usage: " + "x" * 500] * 2000, 60.0)
    line = f'COMMAND: CcpImg.exe -namespace:"" -filesrc:"a.wim" -password:"{SECRET}" -user:"{USER}"'
    nodes.write_log(fleet.machines["quoted"], "NODE005", [line], 30.0)
    # What came after the deployment tells nothing of it: the second newest log does.
    nodes.write_log(fleet.machines["newer"], "NODE001", ["COMMAND: robocopy a b", "usage: of something else"], 20.0)
    nodes.write_log(fleet.machines["newer"], "NODE001", ["COMMAND: diskpart.exe"], 10.0)
    nodes.write_log(fleet.machines["bare"], "NODE005", [line.replace('"', "")], 30.0)
    wires = {name: Wire(machine, monkeypatch) for name, machine in fleet.machines.items()}
    results = modules(fleet, INFO, "-vvv", deployments="always")
    _blank(results["blank"])
    _copied(results["copied"])
    for name in ("quoted", "bare"):
        _secret(results[name], b"".join(wires[name].printed))

    assert of_node(results["newer"], "NODE001")["namespace"] == ""
    # Older logs than the telling one stay where they are.
    assert b'-namespace:"NEWER-CCP"' not in b"".join(wires["newer"].printed)

    # Cut on the host, and told.
    assert any("of the logs matched than" in sentence for sentence in results["long"]["unread"])
    assert "wds.view.unread" in of_id(results["long"])
    assert max(map(len, wires["long"].printed)) < 300_000
    # Of 300,000,000 bytes only lines that match cross the wire.
    assert of_node(results["many"], "NODE0001")["namespace"] == ""
    assert results["many"]["unread"] == []
    printed = b"".join(wires["many"].printed)
    assert b"PROGRESS" not in printed
    assert len(printed) < 200_000


def _blank(result: Mapping[str, Any]) -> None:
    """Time, image, file and what happened, of each compute node."""
    first, failed = of_node(result, "NODE001"), of_node(result, "NODE004")
    assert (first["namespace"], first["usage"], first["fallback"], first["exit_code"]) == ("", True, True, None)
    assert (failed["namespace"], failed["exit_code"], failed["fallback"]) == ("BLANK-CCP", 1, False)
    assert failed["image"].endswith("special.wim")
    assert {BLANK, FALLBACK, "wds.namespace.missing"} <= finding_ids(result)
    for wanted, names in ((BLANK, nodes.COMPUTE_NODES), (FALLBACK, (*nodes.COMPUTE_NODES, "NODE004"))):
        told = evidence(result, wanted)
        for name in names:
            seen = of_node(result, name)
            assert seen["file"].startswith(f"{LOGS}\\{name}\\")
            assert all(text in told for text in (name, seen["time"], seen["image"], seen["file"])), told


def _copied(result: Mapping[str, Any]) -> None:
    """A robocopy with a namespace given is a fallback, and no blank namespace."""
    assert of_node(result, "NODE001")["fallback"]
    assert not of_node(result, "NODE002")["fallback"]
    assert "NODE001" in evidence(result, FALLBACK)
    assert "NODE002" not in evidence(result, FALLBACK)
    assert evidence(result, BLANK) == ""


def _secret(result: Mapping[str, Any], printed: bytes) -> None:
    """User and password of a log do not cross the wire, and are in nothing that is shown."""
    assert b"-password:***" in printed
    for text in (SECRET, USER):
        assert text.encode() not in printed
        assert base64.b64encode(text.encode()) not in printed
        assert text not in result["_output"]
        assert text not in json.dumps(result)


def test_logs_are_read_when_something_is_wrong_and_cost_a_healthy_check_nothing(heads: Heads) -> None:
    logs = ["2000-logs", {"broken": 0}]
    fleet = heads(
        {
            "empty": {"baseline": True, "logs": False},
            "full": {"baseline": True, "faults": [logs]},
            "broken": {"baseline": True, "faults": ["missing-namespace", ["2000-logs", {"count": 60, "broken": 2}]]},
        }
    )
    results = modules(fleet, INFO)
    for name in ("empty", "full"):
        result = results[name]
        assert (result["findings"], result["changed"], result["deployments"]) == ([], False, None)
        assert [namespace["name"] for namespace in result["namespaces"]] == [f"{name.upper()}-CCP"]
        assert fleet.nodes[name].counts.kinds == HEALTHY
        assert searched(fleet.machines[name]) == []
        assert fleet.writes(name) == []
    assert fleet.machines["full"].commands == fleet.machines["empty"].commands
    assert BLANK in finding_ids(results["broken"])
    assert {"NODE0001", "NODE0002"} <= {each["node"] for each in results["broken"]["deployments"]}
    assert searched(fleet.machines["broken"])


def test_other_folders_and_days_are_looked_at_on_request(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True, "logs": False}})
    machine = fleet.machines["hn1"]
    written = machine.now()
    # Together they are longer than a command line.
    long = [f"G:\\Spool{number:02}\\" + "d" * 200 for number in range(20)]
    for folder, node, age in (
        ("D:\\Spool", "OLD", 10 * DAY),
        ("D:\\Spool", "NEW", 60.0),
        ("E:\\Mehr", "MORE", 60.0),
        *((folder, f"LONG{number}", 60.0) for number, folder in enumerate(long)),
    ):
        text = "".join(f"09/16/09 15:21:33: {line}\r\n" for line in nodes.blank_log()).encode()
        machine.files.put(f"{folder}\\{node}\\a.log", written - datetime.timedelta(seconds=age), text)
    folders = ["D:\\Spool", "E:\\Mehr", "F:\\Nirgends"]
    week = fleet.module("hn1", INFO, deployments="always", deployment_logs=folders)
    assert {each["node"] for each in week["deployments"]} == {"NEW", "MORE"}
    assert any("F:\\Nirgends" in sentence for sentence in week["unread"])
    month = fleet.module("hn1", INFO, deployments="always", deployment_logs=[*folders[:2], *long], since=30)
    names = {f"LONG{number}" for number in range(20)}
    assert {each["node"] for each in month["deployments"]} == {"NEW", "MORE", "OLD", *names}
    assert month["unread"] == []


def test_a_secret_that_the_host_did_not_mask_reaches_no_result(heads: Heads, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = heads({"hn1": {"faults": ["missing-namespace", "blank-namespace-logs"]}})
    machine = fleet.machines["hn1"]
    cmd = machine.run_cmd

    def unmasked(*given: Any) -> Execution:
        execution = cmd(*given)
        return execution._replace(stdout=execution.stdout.replace(b":***", f':"{SECRET}"'.encode()))

    monkeypatch.setattr(machine, "run_cmd", unmasked)
    run = fleet.playbook("check-multicast")
    assert {BLANK, FALLBACK} <= run.ids("hn1")
    assert SECRET not in run.output + json.dumps(run.report)

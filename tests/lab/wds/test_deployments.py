"""HPC's deployment logs on simulated head nodes: what is read, when, how much of it, and what never crosses."""

import base64
import datetime
import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from tests.lab.controller import finding_ids
from tests.lab.wds.conftest import HeadNodes, Heads
from tests.lab.windows import nodes
from tests.lab.windows.machine import Execution, Machine

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


def test_each_compute_node_is_told_with_time_image_file_and_what_happened(heads: Heads) -> None:
    faults = ["missing-namespace", "blank-namespace-logs"]
    fleet = heads({"hn1": {"faults": faults}})
    machine = fleet.machines["hn1"]
    node = "NODE004"
    lines = [*nodes.healthy_log("HN1-CCP", "special.wim")[:2], "Multicast Failed with Exit Code 1"]
    nodes.write_log(machine, node, lines, 90.0)
    result = fleet.module("hn1", INFO)
    first = of_node(result, "NODE001")
    assert first["namespace"] == ""
    assert first["usage"]
    assert first["fallback"]
    assert first["exit_code"] is None
    failed = of_node(result, node)
    assert (failed["namespace"], failed["exit_code"], failed["fallback"]) == ("HN1-CCP", 1, False)
    assert failed["image"].endswith("special.wim")
    assert {BLANK, FALLBACK, "wds.namespace.missing"} <= finding_ids(result)
    for wanted, names in ((BLANK, nodes.COMPUTE_NODES), (FALLBACK, (*nodes.COMPUTE_NODES, node))):
        told = evidence(result, wanted)
        for name in names:
            seen = of_node(result, name)
            assert seen["file"].startswith(f"{LOGS}\\{name}\\")
            assert all(text in told for text in (name, seen["time"], seen["image"], seen["file"])), told


def test_a_robocopy_with_a_namespace_given_is_a_fallback_and_no_blank_namespace(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True, "faults": ["unicast-fallback"]}})
    result = fleet.module("hn1", INFO, deployments="always")
    assert of_node(result, "NODE001")["fallback"]
    assert not of_node(result, "NODE002")["fallback"]
    assert "NODE001" in evidence(result, FALLBACK)
    assert "NODE002" not in evidence(result, FALLBACK)
    assert evidence(result, BLANK) == ""


def test_logs_are_read_when_the_option_says_so(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True, "faults": ["blank-namespace-logs"]}})
    machine, node = fleet.machines["hn1"], fleet.nodes["hn1"]
    # The namespace is there: what the logs say is history, and not looked for.
    assert fleet.module("hn1", INFO)["deployments"] is None
    assert searched(machine) == []
    assert len(fleet.module("hn1", INFO, deployments="always")["deployments"]) == 3
    assert len(searched(machine)) == 1
    with_fault = node.counts.kinds["Command"]
    nodes.break_(machine, "missing-namespace")
    assert fleet.module("hn1", INFO, deployments="never")["deployments"] is None
    assert node.counts.kinds["Command"] == with_fault + 1
    assert len(fleet.module("hn1", INFO, deployments="auto")["deployments"]) == 3


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


def test_what_goes_over_the_limit_is_cut_on_the_host_and_told(heads: Heads, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = heads({"hn1": {"baseline": True}})
    machine = fleet.machines["hn1"]
    wire = Wire(machine, monkeypatch)
    # Its lines match: as much as a broken log may hold.
    nodes.write_log(machine, "NODE009", ["usage: " + "x" * 500] * 2000, 60.0)
    result = fleet.module("hn1", INFO, deployments="always")
    assert any("of the logs matched than" in sentence for sentence in result["unread"])
    assert "wds.view.unread" in {each["id"] for each in result["findings"]}
    assert max(map(len, wire.printed)) < 300_000


@pytest.mark.parametrize("quoted", [True, False], ids=["quoted", "bare"])
def test_users_and_passwords_of_logs_do_not_cross(heads: Heads, monkeypatch: pytest.MonkeyPatch, quoted: bool) -> None:
    fleet = heads({"hn1": {"faults": ["missing-namespace", "blank-namespace-logs"]}})
    machine = fleet.machines["hn1"]
    line = f'COMMAND: CcpImg.exe -namespace:"" -filesrc:"a.wim" -password:"{SECRET}" -user:"{USER}"'
    nodes.write_log(machine, "NODE005", [line if quoted else line.replace('"', "")], 30.0)
    wire = Wire(machine, monkeypatch)
    result = fleet.module("hn1", INFO, "-vvv")
    printed = b"".join(wire.printed)
    assert b"-password:***" in printed
    for text in (SECRET, USER):
        assert text.encode() not in printed
        assert base64.b64encode(text.encode()) not in printed
        assert text not in result["_output"]
        assert text not in json.dumps(result)


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


def cost(fleet: HeadNodes, name: str, **options: Any) -> tuple[Counter[str], list[str]]:
    """The messages of one look, and the programs that ran for it."""
    machine, node = fleet.machines[name], fleet.nodes[name]
    node.clear()
    before = len(machine.commands)
    assert fleet.module(name, INFO, **options)["findings"] == []
    return node.counts.kinds, list(machine.commands[before:])


def test_two_thousand_logs_cost_a_healthy_check_nothing(heads: Heads) -> None:
    faults = [["2000-logs", {"broken": 0}]]
    fleet = heads({"hn1": {"baseline": True, "logs": False}, "hn2": {"baseline": True, "faults": faults}})
    empty, full = cost(fleet, "hn1"), cost(fleet, "hn2")
    assert full[0] == HEALTHY
    assert full == empty
    assert searched(fleet.machines["hn2"]) == []


def test_of_two_thousand_logs_only_matching_lines_cross_the_wire(heads: Heads, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = heads({"hn1": {"baseline": True, "logs": False, "faults": ["2000-logs"]}})
    wire = Wire(fleet.machines["hn1"], monkeypatch)
    result = fleet.module("hn1", INFO, deployments="always")
    printed = sum(map(len, wire.printed))
    assert of_node(result, "NODE0001")["namespace"] == ""
    assert b"PROGRESS" not in b"".join(wire.printed)
    # Of 2,000,000,000 bytes.
    assert printed < 1_200_000

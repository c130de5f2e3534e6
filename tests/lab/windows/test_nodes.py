"""The builders and faults of the simulated head node."""

import inspect
import json

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.builds import BUILDS, LANGUAGES
from extensions.head_nodes.filesystem import File
from extensions.head_nodes.machine import BASELINES, NAMESPACES, PROVIDERS, SPOOL, Machine

CCP = "HEAD-1-CCP"


def build(**arguments: object) -> Machine:
    return nodes.build("head-1", "head_node", json.loads(json.dumps(arguments)))


@pytest.mark.parametrize("number", BUILDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_healthy_node_survives_a_restart_of_the_service(number: int, language: str) -> None:
    machine = build(build=number, language=language)
    assert machine.powershell == BUILDS[number].powershell
    machine.stop("WDSServer")
    machine.start("WDSServer")
    assert list(machine.live) == [CCP.lower()]
    assert {event.id for event in machine.events} == {512}
    assert not machine.refused
    assert not machine.writes


def shape(machine: Machine) -> object:
    """What a fault may change; the files by name and size."""
    state = machine.dump()
    for name in ("boot", "commands", "writes", "refused"):
        del state[name]
    for event in state["events"]:
        del event[2]
    state["files"] = [(path.rpartition("-")[0] or path, file.size) for path, file in machine.files.walk("C:")]
    state["wizard"] = machine.wizard
    state["clients"] = [live["clients"] for live in state["live"]]
    return json.loads(json.dumps(state))


@pytest.mark.parametrize("fault", sorted(set(nodes.FAULTS) - {f"event-{number}" for number in nodes.EVENTS[2:]}))
@pytest.mark.parametrize(("number", "language"), [(6002, "de"), (17763, "en")])
def test_every_fault_breaks_something_and_is_no_write(fault: str, number: int, language: str) -> None:
    healthy = build(build=number, language=language)
    before = shape(healthy)
    nodes.break_(healthy, fault)
    assert shape(healthy) != before
    assert not healthy.writes
    assert not healthy.refused
    built = build(build=number, language=language, faults=[fault])
    assert shape(built) == shape(healthy)


@pytest.mark.parametrize("fault", nodes.FAULTS)
def test_every_fault_says_what_it_breaks_and_takes_json_arguments(fault: str) -> None:
    function = nodes.FAULTS[fault]
    assert function.__doc__
    for name, parameter in inspect.signature(function).parameters.items():
        assert name == "machine" or parameter.default is not inspect.Parameter.empty


def test_a_missing_namespace_may_have_been_kept() -> None:
    without = build(faults=["missing-namespace"])
    assert without.registry.key(BASELINES) is None
    kept = build(faults=[["missing-namespace", {"baseline": True}]])
    assert kept.registry.value(f"{BASELINES}\\{CCP}", "ContentProvider") == "WDS"
    assert kept.registry.key(f"{NAMESPACES}\\{CCP}") is None


def test_what_vanishes_at_a_start_is_there_until_then() -> None:
    machine = build(faults=["vanishes-at-start"])
    assert machine.registry.key(f"{NAMESPACES}\\{CCP}") is not None
    machine.start("WDSServer")
    assert machine.registry.key(f"{NAMESPACES}\\{CCP}") is None
    assert [event.id for event in machine.events][-2:] == [257, 771]


@pytest.mark.parametrize(("only", "store", "live"), [("store", True, False), ("live", False, True)])
def test_inconsistent_nodes(only: str, store: bool, live: bool) -> None:
    machine = build(faults=[["inconsistent", {"only": only}]])
    assert (machine.registry.key(f"{NAMESPACES}\\{CCP}") is not None) == store
    assert (CCP.lower() in machine.live) == live


def test_an_event_by_its_number() -> None:
    machine = build(faults=["event-514", "event-257"])
    assert [(event.source, event.id) for event in machine.events][-2:] == [("WDSMC", 514), ("wdscpmsg", 257)]


def test_2000_logs_cost_nothing_until_they_are_read() -> None:
    machine = build(faults=["2000-logs"])
    logs = [file for path, file in machine.files.walk(f"{SPOOL}\\DeploymentLogs") if file.size == nodes.BIG_LOG]
    assert len(logs) == 2000
    assert all(callable(log._content) for log in logs)
    first, last = logs[0].read(), logs[-1].read()
    assert len(first) == nodes.BIG_LOG
    assert b'-namespace:""' in first
    assert f'-namespace:"{CCP}"'.encode() in last
    assert all(line.endswith(b"\r") for line in first.split(b"\n")[:-1])


def test_a_file_keeps_its_promised_size() -> None:
    machine = build()
    machine.files.put("C:\\x", machine.now(), lambda: b"ab", 3)
    file = machine.files.get("C:\\x")
    assert isinstance(file, File)
    with pytest.raises(ValueError, match="3 bytes were promised"):
        file.read()


def test_a_clash_of_ports_outlives_a_restart_of_dns() -> None:
    machine = build(build=6002, faults=["dns-port-clash"])
    machine.stop("DNS")
    assert not any(socket.port > 64001 for socket in machine.sockets)
    machine.start("DNS")
    assert sum(64001 <= socket.port <= 65000 for socket in machine.sockets) > 900


def test_hpc_may_use_a_provider_of_its_own() -> None:
    machine = build(content_provider="HpcCp", configuration="anything")
    assert machine.registry.key(f"{PROVIDERS}\\HpcCp") is not None
    assert machine.live[CCP.lower()].configuration == "anything"


def test_settings_reach_the_machine() -> None:
    machine = build(settings={"boot_seconds": 2.5, "limited_users": ["guest"], "progress_noise": True})
    assert (machine.boot_seconds, machine.limited_users, machine.progress_noise) == (2.5, {"guest"}, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"faults": ["nothing"]}, "no fault 'nothing'; there are missing-namespace"),
        ({"faults": [["differs", {"x": 1}]]}, "differs does not know x; it knows configuration"),
        ({"colour": "red"}, "head_node does not know colour; it knows baseline"),
        ({"settings": {"colour": "red"}}, "no setting colour"),
        ({"settings": {"_lock": 1}}, "no setting _lock"),
    ],
)
def test_what_cannot_be_built_is_said(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(nodes.NodeError, match=message):
        build(**arguments)


def test_an_unknown_builder_is_said() -> None:
    with pytest.raises(nodes.NodeError, match="no builder 'x'; there are head_node"):
        nodes.build("head-1", "x")

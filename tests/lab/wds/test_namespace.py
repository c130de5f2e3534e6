"""wds_multicast_namespace on simulated head nodes: planned, made, kept, corrected and removed."""

from collections.abc import Mapping
from typing import Any

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import BASELINES, NAMESPACES, OWN
from tests.lab.controller import finding_ids
from tests.lab.wds.conftest import HeadNodes, Heads
from tests.lab.wds.together import modules

NAMESPACE = "wds_multicast_namespace"
CREATE, REMOVE, SAVE = "namespace.create", "namespace.remove", "baseline.save"
OTHER = "D:\\OtherImages"


def steps(result: Mapping[str, Any], became: str = "done") -> list[str]:
    return [str(step["kind"]) for step in result["steps"] if step["outcome"] == became]


def values(fleet: HeadNodes, name: str, where: str) -> dict[str, Any] | None:
    """The values of the expected namespace in the store or the baseline; None where it is not there."""
    machine = fleet.machines[name]
    key = machine.registry.key(f"{where}\\{nodes.expected_name(machine)}")
    return None if key is None else {value.name: value.data for value in key.values}


def test_what_brings_it_back_and_what_must_not(heads: Heads) -> None:
    missing = ["missing-namespace"]
    fleet = heads(
        {
            "baseline": {"baseline": True, "faults": missing},
            "no-powershell": {"build": 6002, "powershell": None, "baseline": True, "faults": missing},
            "fresh": {},
            "kept": {"baseline": True},
            "outdated": {"faults": ["differs"]},
            "unknown": {"faults": missing},
            "provider": {"faults": ["missing-provider"]},
            "doubt": {"baseline": True, "faults": ["inconsistent"]},
            "stopped": {"baseline": True, "faults": [*missing, "service-stopped"]},
            "deleting": {"baseline": True, "faults": ["tombstoned"]},
        }
    )
    before = {name: values(fleet, name, BASELINES) for name in fleet.machines}
    planned = modules(fleet, NAMESPACE, "--check", "--diff")
    wanted = {
        "baseline": [CREATE],
        "no-powershell": [CREATE],
        "fresh": [SAVE],
        "kept": [],
        "outdated": [SAVE],
    }
    refused = {
        "unknown": "give content_provider and configuration, which are never guessed",
        "provider": "needs the content provider WDS, which is not registered",
        "doubt": "contradicts itself",
        "stopped": "cannot be changed while WDSServer does not run",
        "deleting": "is being removed",
    }
    for name in fleet.machines:
        assert fleet.writes(name) == [], name
        assert steps(planned[name], "planned") == wanted.get(name, []), planned[name]
        assert planned[name]["changed"] == bool(planned[name]["steps"])
        assert refused.get(name, "") in planned[name]["refused"]
        assert bool(planned[name]["refused"]) == (name in refused)
    assert "+++ after: namespace.create namespace=BASELINE-CCP\n" in planned["baseline"]["_output"]

    done = modules(fleet, NAMESPACE)
    for name in fleet.machines:
        assert not done[name]["_failed"]
        assert steps(done[name]) == wanted.get(name, []), done[name]
        assert bool(fleet.writes(name)) == bool(wanted.get(name)), fleet.writes(name)
        if name in wanted:
            assert finding_ids(done[name]) == set(), done[name]["findings"]
            assert values(fleet, name, NAMESPACES) == values(fleet, name, BASELINES)
            assert nodes.expected_name(fleet.machines[name]).lower() in fleet.machines[name].live
        else:
            assert values(fleet, name, BASELINES) == before[name]
    assert (done["baseline"]["source"], done["fresh"]["source"]) == ("baseline", None)
    assert (done["baseline"]["before"], done["baseline"]["after"]["healthy"]) == (None, True)
    # An outdated baseline is replaced by what the healthy namespace has.
    assert (values(fleet, "outdated", BASELINES) or {})["Configuration"] == OTHER

    again = modules(fleet, NAMESPACE, hosts=tuple(wanted))
    assert not any(result["changed"] for result in again.values())


def test_options_make_correct_and_remove_it(heads: Heads) -> None:
    options = {
        "content_provider": "WDS",
        "configuration": OTHER,
        "description": "O'Neill & sons 100%",
    }
    fleet = heads(
        {
            "new": {"faults": ["missing-namespace"]},
            "other": {"baseline": True, "build": 6002},
            "busy": {"baseline": True, "faults": ["clients-connected"]},
            "none": {"faults": ["missing-namespace"]},
        }
    )
    for machine in fleet.machines.values():
        machine.files.folder(OTHER)
    planned = modules(fleet, NAMESPACE, "--check", **options)
    assert "wds.namespace.differs" in finding_ids(planned["other"]) | finding_ids(planned["busy"])
    assert not any(fleet.writes(name) for name in fleet.machines)

    asked = ("new", "other", "busy")
    done = modules(fleet, NAMESPACE, hosts=asked, **options)
    assert steps(done["new"]) == [CREATE, SAVE]
    assert steps(done["other"]) == [REMOVE, CREATE, SAVE]
    assert "clients are connected" in done["busy"]["refused"]
    assert fleet.writes("busy") == []
    for name in ("new", "other"):
        assert done[name]["source"] == "options"
        made = values(fleet, name, NAMESPACES) or {}
        assert (made["Configuration"], made["Description"]) == (OTHER, options["description"])
        assert values(fleet, name, BASELINES) == made
        assert finding_ids(done[name]) == set()
    # The store was copied as it was before the first write.
    backup = fleet.machines["other"].registry.key(str(done["other"]["backup_key"]))
    assert str(done["other"]["backup_key"]).startswith(f"{OWN}\\Backups\\")
    assert backup is not None
    again = modules(fleet, NAMESPACE, hosts=asked, **options, force=True)
    assert steps(again["busy"])[-2:] == [CREATE, SAVE], again["busy"]
    assert not again["new"]["changed"]
    assert not again["other"]["changed"]
    gone = modules(fleet, NAMESPACE, state="absent")
    assert not gone.pop("none")["changed"]
    for name, result in gone.items():
        assert steps(result) == [REMOVE], result
        assert values(fleet, name, NAMESPACES) is None
        assert values(fleet, name, BASELINES) is not None

"""wds_multicast_info on simulated head nodes: every fault gives its findings and no others, and nothing is written."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from tests.lab.controller import CHECKOUT, finding_ids
from tests.lab.wds.conftest import Heads
from tests.lab.wds.together import modules
from tests.lab.windows import nodes
from tests.lab.windows.machine import BASELINES, OWN, WINDOWS_NT

INFO = "wds_multicast_info"
MISSING = {"wds.namespace.missing"}
#: Logged about one namespace: over once that is healthy. Those about an address are not.
OF_NAMESPACES = [number for number in nodes.EVENTS if number not in (514, 515)]
ADDRESSES = [514, 515]


def event(number: int) -> str:
    return f"wds.event.{number}"


class Case(NamedTuple):
    """Faults of a node, and what must be found: ids that count, then infos (None: not looked at)."""

    faults: Sequence[Any]
    ids: set[str]
    infos: Collection[str] | None = ()
    evidence: str = ""
    node: Mapping[str, Any] = {"baseline": True}


CASES: Mapping[str, Case] = {
    "healthy": Case([], set()),
    "no-baseline": Case([], set(), {"wds.baseline.missing"}, BASELINES, {}),
    "missing-namespace": Case(["missing-namespace"], {*MISSING, event(771)}, evidence="-CCP is not in the registry"),
    "missing-provider": Case(
        ["missing-provider"], {*MISSING, "wds.provider.missing", event(769)}, evidence="Providers\\WDS is not"
    ),
    "service-stopped": Case(["service-stopped"], {"wds.service.stopped"}, evidence="State: 1 (stopped)"),
    "service-disabled": Case(["service-disabled"], {"wds.service.stopped", "wds.service.disabled"}, evidence="Start"),
    "service-manual": Case(["service-manual"], set()),
    "role-absent": Case(["role-absent"], {"wds.role.missing"}, evidence="Definitions were saved of"),
    "role-on-purpose": Case(["role-absent-on-purpose"], {"wds.role.missing"}, evidence="1060"),
    "only-stored": Case(["inconsistent"], {"wds.namespace.inconsistent"}, evidence="does not list it"),
    "only-live": Case([["inconsistent", {"only": "live"}]], {"wds.namespace.inconsistent"}, evidence="not below"),
    "contradictory": Case(["contradictory"], {"wds.namespace.inconsistent"}, evidence="are missing"),
    "tombstoned": Case(["tombstoned"], {"wds.namespace.delete_pending"}, evidence="tombstoned"),
    "port-clash": Case(["dns-port-clash"], {"wds.port.clash"}, evidence="holds UDP 64001"),
    "port-clash-2008": Case(
        ["dns-port-clash"], {"wds.port.clash"}, evidence="UdpPortPolicy is not set", node={"build": 6002, "baseline": 1}
    ),
    "ports-elsewhere": Case(["dns-ports-elsewhere"], set()),
    "pending-reboot": Case(["pending-reboot"], {"wds.reboot.pending"}, evidence="RebootPending"),
    "unknown-name": Case(["broken-computer-name"], {"wds.view.unread"}, None, "computer"),
    "deployment-role": Case(["deployment-role"], set()),
    "clients": Case(["clients-connected"], set()),
    "hostile": Case(["hostile-values"], set(), None),
    # Each event matters while its namespace is not healthy, and is a remark when it is.
    "events": Case(
        ["missing-namespace", *(f"event-{number}" for number in nodes.EVENTS)],
        {*MISSING, *(event(number) for number in nodes.EVENTS)},
        evidence="record 47",
    ),
    "events-over": Case(
        [f"event-{number}" for number in nodes.EVENTS],
        {event(number) for number in ADDRESSES},
        {event(number) for number in OF_NAMESPACES},
    ),
    "incident": Case(
        ["missing-namespace", "blank-namespace-logs"],
        {*MISSING, event(771), "hpc.deployment.blank_namespace", "hpc.deployment.unicast_fallback"},
        evidence="NODE001 at 20",
    ),
    "deployments-over": Case(
        ["blank-namespace-logs"], set(), {"hpc.deployment.blank_namespace", "hpc.deployment.unicast_fallback"}
    ),
    "fallback": Case(["unicast-fallback"], {"hpc.deployment.unicast_fallback"}, evidence="copied by robocopy"),
    "exit-code": Case(["exit-code-1"], {"hpc.deployment.unicast_fallback"}, evidence="Exit Code 1"),
}
#: Found through an option or a state that no fault of nodes.py makes.
OTHERS = {"wds.namespace.differs", "wds.reinstall.interrupted", "wds.build.unknown", "wds.baseline.missing"}


def test_every_fault_gives_its_findings_and_no_others(heads: Heads) -> None:
    fleet = heads(
        {
            **{name: {**case.node, "faults": case.faults} for name, case in CASES.items()},
            "unknown-build": {"baseline": True, "faults": ["missing-namespace"]},
            "interrupted": {"baseline": True},
        }
    )
    fleet.machines["unknown-build"].registry.set(WINDOWS_NT, "CurrentBuildNumber", "REG_SZ", "6003")
    place = {"Stage": "removed", "Boot": fleet.machines["interrupted"].boot_identity, "Started": "2026-01-01T00:00:00Z"}
    for name, value in place.items():
        fleet.machines["interrupted"].registry.set(f"{OWN}\\Reinstall", name, "REG_SZ", value)

    results = modules(fleet, INFO, deployments="always")

    for name, case in CASES.items():
        found = results[name]["findings"]
        assert finding_ids(results[name]) == case.ids, (name, found)
        if case.infos is not None:
            assert {each["id"] for each in found if each["severity"] == "info"} == set(case.infos), (name, found)
        shown = " ".join(line for each in found for line in each["evidence"])
        assert case.evidence in shown, (name, shown)
        assert all(each["evidence"] and each["repair"] for each in found), (name, found)
    unknown, interrupted = results["unknown-build"], results["interrupted"]
    assert finding_ids(unknown) == {"wds.build.unknown", *MISSING, event(771)}
    assert not any(each["repairable"] for each in unknown["findings"])
    assert finding_ids(interrupted) == {"wds.reinstall.interrupted"}
    assert interrupted["reinstall"]["stage"] == "removed"
    assert {name: fleet.writes(name) for name in fleet.machines} == {name: [] for name in fleet.machines}
    assert not any(result["_failed"] or result["changed"] for result in results.values())
    _severities(results)


def _severities(results: Mapping[str, Mapping[str, Any]]) -> None:
    """What is certain, what a person must judge, and what is a wish."""

    def one(name: str, wanted: str) -> tuple[str, bool, str | None]:
        (each,) = (each for each in results[name]["findings"] if each["id"] == wanted)
        return each["severity"], each["repairable"], each["gate"]

    gate = "wds_multicast_allow_reinstall"
    assert one("role-absent", "wds.role.missing") == ("error", True, gate)
    assert one("role-on-purpose", "wds.role.missing") == ("warning", False, None)
    assert one("interrupted", "wds.reinstall.interrupted") == ("warning", True, gate)
    assert one("missing-namespace", "wds.namespace.missing") == ("error", True, None)
    assert one("missing-provider", "wds.namespace.missing") == ("error", True, gate)
    assert one("missing-provider", "wds.provider.missing") == ("error", False, None)
    assert one("no-baseline", "wds.baseline.missing") == ("info", True, None)


def test_the_findings_of_the_catalogue_are_all_covered() -> None:
    text = (CHECKOUT / "docs" / "findings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^#+ `?((?:wds|hpc)\.[a-z0-9_.]+)", text, re.M))
    covered = OTHERS.union(*(case.ids for case in CASES.values()))
    assert documented == covered


def test_a_healthy_head_node_costs_five_requests_and_no_write(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True}})
    result = fleet.module("hn1", INFO)
    assert result["findings"] == []
    assert not result["changed"]
    assert [namespace["name"] for namespace in result["namespaces"]] == ["HN1-CCP"]
    assert fleet.nodes["hn1"].counts.kinds == {"Create": 1, "Command": 1, "Receive": 1, "Signal": 1, "Delete": 1}
    assert fleet.writes("hn1") == []


def test_logs_are_read_when_something_is_wrong_and_bounded(heads: Heads) -> None:
    logs = [["2000-logs", {"count": 300, "broken": 2}]]
    fleet = heads(
        {
            "healthy": {"baseline": True, "faults": logs},
            "broken": {"baseline": True, "faults": ["missing-namespace", *logs]},
        }
    )
    results = modules(fleet, INFO)
    assert results["healthy"]["deployments"] is None
    assert fleet.nodes["healthy"].total == 5
    assert "hpc.deployment.blank_namespace" in finding_ids(results["broken"])
    assert {"NODE0001", "NODE0002"} <= {each["node"] for each in results["broken"]["deployments"]}
    assert "Geheim" not in str(results)


def test_become_is_refused(heads: Heads) -> None:
    fleet = heads({"hn1": {}})
    for name, option in ((INFO, "--become"), ("wds_transport_server", "--extra-vars=ansible_become=true")):
        result = fleet.module("hn1", name, option, check=False)
        assert result["_failed"]
        assert "set become: false (ansible_become: false)" in result["msg"]
    assert fleet.nodes["hn1"].counts.http == 0


@pytest.mark.parametrize("connection", ["psrp-http", "psrp-https", "winrm-https"])
def test_other_ways_to_the_same_findings(heads: Heads, connection: str) -> None:
    kind, _, scheme = connection.partition("-")
    secure = scheme == "https"
    variables: dict[str, Any] = {
        "ansible_connection": f"ansible.builtin.{kind}",
        "ansible_port": 5986 if secure else 5985,
    }
    if kind == "psrp":
        variables |= {"ansible_psrp_protocol": scheme, "ansible_psrp_auth": "ntlm"}
    else:
        variables |= {"ansible_winrm_scheme": scheme}
    fleet = heads({"hn1": {"baseline": True, "faults": ["missing-namespace"]}}, variables=variables)
    trust = {"psrp": "ansible_psrp_ca_cert", "winrm": "ansible_winrm_ca_trust_path"}[kind]
    options = ("-e", f"{trust}={fleet.ca_file}") if secure else ()
    assert finding_ids(fleet.module("hn1", INFO, *options)) == {*MISSING, event(771)}
    made = fleet.module("hn1", "wds_multicast_namespace", *options)
    assert (made["changed"], made["source"]) == (True, "baseline")
    assert finding_ids(made) == set()
    assert fleet.nodes["hn1"].counts.readable == 0

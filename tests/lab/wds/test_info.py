"""wds_multicast_info on simulated head nodes: every fault gives its findings and no others, and nothing is written."""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import BASELINES, OWN, WINDOWS_NT
from tests.lab.controller import CHECKOUT, finding_ids
from tests.lab.wds.conftest import Heads
from tests.lab.wds.together import PSRP, modules

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
    fleet.machines["unknown-build"].registry.set(WINDOWS_NT, "CurrentBuildNumber", "REG_SZ", "6004")
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


def test_become_is_refused(heads: Heads) -> None:
    fleet = heads({"hn1": {}})
    result = fleet.module("hn1", "wds_transport_server", "--extra-vars=ansible_become=true", check=False)
    assert result["_failed"]
    assert "set become: false (ansible_become: false)" in result["msg"]
    assert fleet.nodes["hn1"].counts.http == 0


def test_other_ways_to_the_same_findings(heads: Heads, tmp_path: Path) -> None:
    one = {"baseline": True, "faults": ["missing-namespace"]}
    ca = str(tmp_path / "ca.pem")
    fleet = heads(
        {
            "psrp": {**one, "variables": PSRP},
            "psrps": {
                **one,
                "variables": {
                    **PSRP, "ansible_psrp_protocol": "https", "ansible_port": 5986, "ansible_psrp_ca_cert": ca
                },
            },
            "winrms": {
                **one,
                "variables": {
                    "ansible_winrm_scheme": "https", "ansible_port": 5986, "ansible_winrm_ca_trust_path": ca
                },
            },
        }
    )  # fmt: skip
    assert str(fleet.ca_file) == ca
    for result in modules(fleet, INFO).values():
        assert finding_ids(result) == {*MISSING, event(771)}
    for name, made in modules(fleet, "wds_multicast_namespace").items():
        assert (made["changed"], made["source"]) == (True, "baseline")
        assert finding_ids(made) == set()
        assert fleet.nodes[name].counts.readable == 0

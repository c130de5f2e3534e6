"""What the playbooks and roles do with what the modules tell them, with a stand-in for the FOG modules."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from plugins.module_utils._findings import finding
from plugins.module_utils._steps import Result, Step
from tests.project.tree import CACHE, ROOT, environment

FOG_MODULES = ("fog_multicast_info", "fog_storage_iface", "fog_multicast_reset", "fog_multicast_service")
STAND_IN = Path(__file__).with_name("stand_in_fog.py")
PROBE, STAND_IN_PROBE = "multicast_probe", Path(__file__).with_name("stand_in_probe.py")
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
OTHER_MODULES = (
    "multicast_guard",
    "multicast_summary",
    "wds_multicast_info",
    "wds_multicast_namespace",
    "wds_transport_server",
)
INFO, IFACE, RESET, SERVICE = FOG_MODULES

pytestmark = pytest.mark.slow

#: Nothing listens there.
DEAD = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


def found(finding_id: str, **changes: Any) -> dict[str, Any]:
    return finding(finding_id, "subject", f"About {finding_id}.", **changes).as_dict()


def step(
    kind: str, finding_id: str | None, outcome: str = "done", after: Any = None, gate: str | None = None
) -> dict[str, Any]:
    made = Step(kind, kind, {"id": 1}, {}, after or {"state": 5}, finding_id, gate)
    return Result(made, outcome, "because" if outcome == "blocked" else "").as_dict()


def stale() -> dict[str, Any]:
    """A host with a stale session, which the reset cures."""
    steps = [step("sender.end", "fog.session.stale"), step("session.cancel", "fog.session.stale")]
    return {
        "findings": [found("fog.session.stale")],
        "modules": {RESET: {"cures": ["fog.session.stale"], "steps": steps}},
    }


def healthy() -> dict[str, Any]:
    return {"findings": []}


class Fleet:
    """Hosts of the stand-in, and the collection with the stand-in instead of the FOG modules.

    ``program`` is the ansible-playbook that runs.
    """

    def __init__(self, folder: Path, program: Path = PLAYBOOK) -> None:
        self.folder = folder
        self.program = program
        self.tree = folder / "collections" / "ansible_collections" / "imaging" / "multicast"
        modules = self.tree / "plugins" / "modules"
        modules.mkdir(parents=True)
        for name in ("roles", "playbooks", "meta", "galaxy.yml"):
            (self.tree / name).symlink_to(ROOT / name)
        for name in ("action", "doc_fragments", "lookup", "module_utils", "plugin_utils", "test"):
            (self.tree / "plugins" / name).symlink_to(ROOT / "plugins" / name)
        for name in OTHER_MODULES:
            (modules / f"{name}.py").symlink_to(ROOT / "plugins" / "modules" / f"{name}.py")
        for name in FOG_MODULES:
            (modules / f"{name}.py").write_text(STAND_IN.read_text().replace('"STAND_IN"', f'"{name}"'))
        (modules / f"{PROBE}.py").symlink_to(STAND_IN_PROBE)
        (folder / "ansible.cfg").touch()  # none of the machine's own settings
        self.inventory: dict[str, Any] = {}
        self.clients: dict[str, Any] = {}

    def add(self, name: str, host: dict[str, Any], **variables: Any) -> None:
        state = self.folder / f"{name}.json"
        state.write_text(json.dumps(host))
        self.inventory[name] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "fog_multicast_settings": str(state),
            **variables,
        }

    def host(self, name: str) -> Any:
        return json.loads((self.folder / f"{name}.json").read_text())

    def calls(self, name: str) -> list[str]:
        return [call[0] for call in self.host(name).get("calls", [])]

    def forget_calls(self) -> None:
        for name in self.inventory:
            state = dict(self.host(name), calls=[])
            (self.folder / f"{name}.json").write_text(json.dumps(state))

    def run(self, *arguments: str, playbook: str | Path = "repair-multicast.yml") -> "Run":
        inventory = self.folder / "inventory.yml"
        groups = {"fog_servers": self.inventory, "multicast_probe_clients": self.clients}
        inventory.write_text(yaml.safe_dump({name: {"hosts": hosts} for name, hosts in groups.items()}))
        if isinstance(playbook, str) and playbook.endswith(".yml"):
            playbook = self.tree / "playbooks" / playbook
        env = environment(
            ANSIBLE_COLLECTIONS_PATH=str(self.folder / "collections"),
            ANSIBLE_HOME=str(self.folder / "home"),
            # Ansible writes jobs below the user's home and looks for them below $HOME, which may differ here.
            ANSIBLE_ASYNC_DIR=str(self.folder / "async"),
            PYTHONPYCACHEPREFIX=str(CACHE / "pycache"),
        )
        command = [self.program, "-i", inventory, playbook, *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        for word in ("WARNING", "DEPRECATED", "Traceback"):
            assert word not in done.stdout + done.stderr, done.stdout + done.stderr
        return Run(done.returncode, done.stdout, self.folder / "multicast-report" / "report.json")


class Run:
    """What a run of a playbook printed and left behind."""

    def __init__(self, code: int, output: str, report: Path) -> None:
        self.code = code
        self.output = output
        self.report: Any = json.loads(report.read_text()) if report.is_file() else None

    @property
    def outcomes(self) -> dict[str, str]:
        return {name: host["outcome"] for name, host in self.report["hosts"].items()}

    @property
    def changed(self) -> int:
        return sum(int(count) for count in re.findall(r"changed=(\d+)", self.output))

    @property
    def stats(self) -> Any:
        """What a later job of a workflow gets, as Ansible shows it with ``show_custom_stats``."""
        return json.loads(self.output.split("CUSTOM STATS")[1].split("RUN: ")[1])

    @property
    def recap(self) -> str:
        """The last line before Ansible's own recap."""
        assert self.output.count("PLAY RECAP") == 1, self.output
        before = self.output.split("PLAY RECAP")[0].split("\n")
        lines = [line for line in before if line.strip()]
        assert self.output.count("\nfleet ") == 1, self.output
        return lines[-1]


def recap(**counts: int) -> str:
    names = ("healthy", "repaired", "would_repair", "needs_person", "failed", "unreachable")
    words = ("healthy", "repaired", "would repair", "needs a person", "failed", "unreachable")
    parts = [f"{word} {counts.get(name, 0)}" for name, word in zip(names, words, strict=True)]
    return " | ".join([f"fleet {sum(counts.values())}", *parts])


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.mark.parametrize("arguments", [(), ("--check", "--diff")])
@pytest.mark.parametrize("playbook", ["imaging.multicast.repair_multicast", "imaging.multicast.check_multicast"])
def test_a_healthy_host_costs_one_module_call(fleet: Fleet, playbook: str, arguments: tuple[str, ...]) -> None:
    fleet.add("fog1", healthy())
    fleet.add("fog2", {"findings": [found("fog.node.disabled", severity="info")]})
    run = fleet.run(*arguments, playbook=playbook)
    assert (run.code, run.changed) == (0, 0), run.output
    assert fleet.calls("fog1") == fleet.calls("fog2") == [INFO]
    assert run.recap == recap(healthy=2)
    assert run.report["summary"]["healthy"] == 2


def test_each_host_gets_its_outcome_and_the_others_go_on(fleet: Fleet) -> None:
    fleet.add("good", healthy())
    fleet.add("stale", stale())
    fleet.add("person", {"findings": [found("fog.image.missing")]})
    fleet.add("dead", healthy(), **DEAD)
    fleet.add("broken", dict(stale(), fail={RESET: "the disk is full"}))
    fleet.add("blind", dict(healthy(), fail={INFO: "no .fogsettings"}))
    fleet.add("typo", stale(), fog_multicast_stale_after="{{ nowhere }}")
    run = fleet.run("-e", "multicast_max_broken_percent=100")
    assert run.outcomes == {
        "good": "healthy",
        "stale": "repaired",
        "person": "needs_person",
        "dead": "unreachable",
        "broken": "failed",
        "blind": "failed",
        "typo": "failed",
    }
    assert run.code == 2
    assert run.recap == recap(healthy=1, repaired=1, needs_person=1, failed=3, unreachable=1)
    assert fleet.calls("stale") == [INFO, RESET, INFO]
    assert fleet.calls("typo") == []
    hosts = run.report["hosts"]
    assert set(hosts["stale"]) == {"platform", "outcome", "before", "after", "steps"}
    assert [each["kind"] for each in hosts["stale"]["steps"]] == ["sender.end", "session.cancel"]
    assert (len(hosts["stale"]["before"]), hosts["stale"]["after"]) == (1, [])
    assert "the disk is full" in hosts["broken"]["steps"][0]["detail"]
    assert "no .fogsettings" in hosts["blind"]["steps"][0]["detail"]

    fleet.forget_calls()
    again = fleet.run("--limit", "good,stale")
    assert (again.code, again.changed) == (0, 0), again.output
    assert again.recap == recap(healthy=2)
    assert fleet.calls("stale") == [INFO]


@pytest.mark.parametrize("playbook", ["repair-multicast.yml", "check-multicast.yml"])
def test_a_wrong_variable_fails_its_host_before_anything_runs(fleet: Fleet, playbook: str) -> None:
    fleet.add("good", healthy())
    fleet.add("type", stale(), fog_multicast_stale_after="soon")
    fleet.add("value", stale(), fog_multicast_method="purge")
    fleet.add("text", stale(), fog_multicast_probe_hosts="client1")
    fleet.add("json", stale(), multicast_broken='{"fog": {"hosts": 3, "of": 5}}')
    fleet.add("key", stale(), multicast_broken={"foog": {"hosts": 3, "of": 5}})
    fleet.add("report", stale(), multicast_report_dir=["elsewhere"])
    fleet.add("omitted", healthy(), fog_multicast_node="{{ nowhere | default(omit) }}")
    wrong = {
        "type": "fog_multicast_stale_after",
        "value": "fog_multicast_method",
        "text": "fog_multicast_probe_hosts must be a list",
        "json": "multicast_broken must be a dictionary",
        "key": "multicast_broken.foog",
        "report": "multicast_report_dir must be a text",
    }
    head_nodes = fleet.folder / "head_nodes.ini"
    head_nodes.write_text("[hpc_head_nodes]\nhn ansible_connection=local wds_multicast_deployments=often\n")
    run = fleet.run("-i", str(head_nodes), playbook=playbook)
    failed = dict.fromkeys([*wrong, "hn"], "failed")
    assert run.outcomes == {"good": "healthy", "omitted": "healthy", **failed}, run.output
    for name, told in wrong.items():
        assert fleet.calls(name) == []
        assert told in run.report["hosts"][name]["steps"][0]["detail"]
    assert "wds_multicast_deployments must be one of" in run.report["hosts"]["hn"]["steps"][0]["detail"]
    assert (run.code, run.recap) == (2, recap(healthy=2, failed=7))


def test_check_mode_plans_and_changes_nothing(fleet: Fleet) -> None:
    fleet.add("good", healthy())
    fleet.add("stale", stale())
    fleet.clients = {"client1": DEAD}
    run = fleet.run("--check", "--diff")
    assert run.code == 0, run.output
    assert run.outcomes == {"good": "healthy", "stale": "would_repair"}
    assert run.recap == recap(healthy=1, would_repair=1)
    assert [call[:2] for call in fleet.host("stale")["calls"]] == [[INFO, True], [RESET, True]]
    assert fleet.host("stale")["findings"]
    assert {each["outcome"] for each in run.report["hosts"]["stale"]["steps"]} == {"planned"}


def test_check_playbook_only_looks(fleet: Fleet) -> None:
    fleet.add("stale", stale())
    run = fleet.run(playbook="check-multicast.yml")
    assert (run.code, run.outcomes) == (0, {"stale": "would_repair"}), run.output
    fleet.add("masters", {"findings": [found("fog.node.many_masters")]})
    fleet.add("bare", {"findings": [], "missing_libraries": ["PyMySQL"]})
    run = fleet.run(playbook="check-multicast.yml")
    assert run.code == 2
    assert run.outcomes == {"stale": "would_repair", "masters": "needs_person", "bare": "failed"}
    assert "    set:    fog_multicast_master: true" in run.output
    assert "Libraries are missing: PyMySQL" in run.output
    fleet.add("masters", {"findings": [found("fog.node.many_masters")]}, fog_multicast_master=True)
    assert fleet.run("--limit", "masters", playbook="check-multicast.yml").outcomes == {"masters": "would_repair"}
    for name in ("stale", "masters", "bare"):
        assert set(fleet.calls(name)) == {INFO}


@pytest.mark.parametrize("playbook", ["repair-multicast.yml", "check-multicast.yml"])
def test_the_recap_comes_when_nothing_can_be_reached(fleet: Fleet, playbook: str) -> None:
    fleet.add("fog1", healthy(), **DEAD)
    fleet.add("fog2", healthy(), **DEAD)
    run = fleet.run(playbook=playbook)
    assert run.code != 0
    assert run.recap == recap(unreachable=2)


@pytest.fixture
def broken_fleet(fleet: Fleet) -> Fleet:
    """Of five hosts three are broken, 60 %."""
    for name in ("fog1", "fog2", "fog3"):
        fleet.add(name, stale())
    fleet.add("record", {"findings": [found("fog.interface.record_stale")]})
    fleet.add("good", healthy())
    return fleet


@pytest.mark.parametrize(
    "arguments",
    [("--forks", "1", "-e", "multicast_serial=1"), ("--forks", "20", "-e", "multicast_serial=30%"), ("--check",)],
)
def test_nothing_is_repaired_when_too_much_looks_broken(broken_fleet: Fleet, arguments: tuple[str, ...]) -> None:
    run = broken_fleet.run(*arguments)
    assert (run.code, run.changed) == (2, 0)
    assert run.recap == recap(healthy=1, needs_person=4)
    assert [broken_fleet.calls(name) for name in broken_fleet.inventory] == [[INFO]] * 5
    for name in ("fog1", "fog2", "fog3", "record"):
        (blocked,) = run.report["hosts"][name]["steps"]
        assert (blocked["kind"], blocked["outcome"]) == ("fleet.guard", "blocked")
        assert "3 of 5 hosts look broken at once, and multicast_max_broken_percent is 50" in blocked["detail"]


def test_guard_and_report_see_the_whole_group_whatever_strategy_is_configured(broken_fleet: Fleet) -> None:
    """With ``free`` a task with ``run_once`` runs for every host, each at its own time."""
    (broken_fleet.folder / "ansible.cfg").write_text("[defaults]\nstrategy = free\n")
    run = broken_fleet.run()
    assert (run.code, run.recap) == (2, recap(healthy=1, needs_person=4))
    again = broken_fleet.run(playbook="check-multicast.yml")
    assert (again.code, again.recap) == (0, recap(healthy=1, would_repair=4))
    history = broken_fleet.folder / "multicast-report" / "history.jsonl"
    assert len(history.read_text().splitlines()) == 2


def test_a_limit_is_the_users_own_choice_of_hosts_and_few_at_a_time_are_repaired(broken_fleet: Fleet) -> None:
    run = broken_fleet.run("--limit", "fog1,fog2", "-e", "multicast_serial=1")
    assert (run.code, run.recap) == (0, recap(repaired=2))


def test_a_slice_is_judged_by_the_look_at_the_whole_group(broken_fleet: Fleet) -> None:
    """As AWX slices a job: each part has an inventory of its own hosts; stats of the job before come as variables."""
    (broken_fleet.folder / "ansible.cfg").write_text("[defaults]\nshow_custom_stats = true\n")
    stats = broken_fleet.run(playbook="check-multicast.yml").stats
    assert stats["multicast_broken"] == {"fog": {"hosts": 3, "of": 5}}
    broken_fleet.forget_calls()
    del broken_fleet.inventory["fog2"], broken_fleet.inventory["fog3"], broken_fleet.inventory["record"]
    run = broken_fleet.run("-e", json.dumps(stats))
    assert (run.code, run.recap) == (2, recap(healthy=1, needs_person=1))
    assert broken_fleet.calls("fog1") == [INFO]
    assert "3 of 5 hosts looked broken at once when the whole group was looked at" in run.output
    assert run.stats["multicast_broken"] == {"fog": {"hosts": 1, "of": 2}}


def test_a_slice_can_demand_the_look_at_the_whole_group(fleet: Fleet) -> None:
    fleet.add("stale", stale())
    fleet.add("good", healthy())
    fleet.add("record", {"findings": [found("fog.interface.record_stale")]})
    run = fleet.run("-e", "multicast_look_required=true")
    assert (run.code, run.recap) == (2, recap(healthy=1, needs_person=2))
    assert "multicast_look_required is true and there was no earlier look at the whole group" in run.output
    assert fleet.calls("stale") == fleet.calls("record") == [INFO]
    earlier = {"multicast_look_required": True, "multicast_broken": {"fog": {"hosts": 1, "of": 9}}}
    assert fleet.run("-e", json.dumps(earlier), "--limit", "stale,good").outcomes == {
        "stale": "repaired",
        "good": "healthy",
    }


def test_the_guard_names_the_variable_that_counts(broken_fleet: Fleet) -> None:
    for variables in broken_fleet.inventory.values():
        variables["fog_multicast_max_broken_percent"] = 40
    run = broken_fleet.run()
    assert "and fog_multicast_max_broken_percent is 40, so nothing was repaired" in run.output
    assert "set fog_multicast_max_broken_percent to at least 60" in run.output


def test_a_closed_gate_needs_a_person_and_names_the_variable(fleet: Fleet) -> None:
    blocked = step("service.restart", "fog.log.silent", "blocked", gate="fog_multicast_allow_restart")
    fleet.add("fog1", {"findings": [found("fog.log.silent")], "modules": {SERVICE: {"steps": [blocked]}}})
    run = fleet.run()
    assert (run.code, run.outcomes) == (2, {"fog1": "needs_person"})
    assert "    set:    fog_multicast_allow_restart: true" in run.output
    assert fleet.host("fog1")["calls"][1][2] == {"allow_restart": False, "restart": False}
    fleet.run("-e", "fog_multicast_allow_restart=true")
    assert fleet.host("fog1")["calls"][-2][2] == {"allow_restart": True, "restart": False}


@pytest.mark.parametrize(
    ("arguments", "outcome", "words"),
    [((), "repaired", "record corrected"), (("--check",), "would_repair", "correct the record")],
)
def test_the_daemon_is_restarted_when_what_it_remembers_changed(
    fleet: Fleet, arguments: tuple[str, ...], outcome: str, words: str
) -> None:
    restart = step("service.restart", None)
    for field in ("ngmHostname", "ngmIsMasterNode", "ngmInterface"):
        update = step("node.update", "fog.interface.record_stale", after={field: "new"})
        modules = {
            IFACE: {"cures": ["fog.interface.record_stale"], "steps": [update]},
            SERVICE: {"steps": [restart]},
        }
        fleet.add(field, {"findings": [found("fog.interface.record_stale")], "modules": modules})
    run = fleet.run(*arguments)
    assert set(run.outcomes.values()) == {outcome}, run.output
    for field in ("ngmHostname", "ngmIsMasterNode"):
        calls = {call[0]: call[2] for call in fleet.host(field)["calls"]}
        assert calls[SERVICE]["restart"] is True
    assert SERVICE not in fleet.calls("ngmInterface")
    (row,) = [line for line in run.output.split("\n") if words in line]
    assert row.startswith("ngmInterface ")


def test_a_wish_is_carried_out_on_a_healthy_host(fleet: Fleet) -> None:
    update = step("node.update", None, after={"ngmInterface": "eth1"})
    fleet.add("fog1", {"findings": [], "modules": {IFACE: {"steps": [update]}}}, fog_multicast_interface="eth1")
    fleet.add("fog2", {"findings": [], "modules": {IFACE: {}}}, fog_multicast_master=True, fog_multicast_node="A")
    run = fleet.run()
    assert (run.code, run.outcomes) == (0, {"fog1": "healthy", "fog2": "healthy"}), run.output
    assert fleet.host("fog1")["calls"][1] == [IFACE, False, {"interface": "eth1"}]
    assert fleet.host("fog2")["calls"][1] == [IFACE, False, {"interface": "auto", "master": True, "node": "A"}]
    # Who shall be the master counts when the host is judged, before and after.
    assert [call for call in fleet.host("fog2")["calls"] if call[0] == INFO] == [[INFO, False, {"master": True}]] * 2
    assert [call for call in fleet.host("fog1")["calls"] if call[0] == INFO] == [[INFO, False, {}]] * 2


def test_a_repair_counts_only_when_it_is_proven_on_the_wire(fleet: Fleet) -> None:
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    fleet.clients = {"client1": here, "client2": here, "gone": DEAD}
    fleet.add("proven", stale())
    fleet.add("blocked", dict(stale(), probe=[found("net.firewall.sender")]))
    fleet.add("refused", dict(stale(), fail={PROBE: "no port is free"}))
    fleet.add("nobody", stale(), fog_multicast_probe_hosts=["gone"])
    fleet.add("alone", stale(), fog_multicast_probe_hosts=[], multicast_probe=True)
    fleet.add("person", {"findings": [found("fog.image.missing")]})
    run = fleet.run("-e", "multicast_max_broken_percent=100")
    assert run.outcomes == {
        "proven": "repaired",
        "blocked": "needs_person",
        "refused": "failed",
        "nobody": "needs_person",
        "alone": "repaired",
        "person": "needs_person",
    }, run.output
    hosts = run.report["hosts"]
    told = {name: [(each["id"], each["subject"]) for each in hosts[name]["after"]] for name in hosts}
    absent = ("net.receiver.absent", "receiver gone")
    assert told["proven"] == [absent, ("net.probe.proven", f"sender {socket.gethostname()}")]
    assert told["blocked"] == [("net.firewall.sender", "subject"), absent]
    assert told["nobody"] == [absent]
    assert told["alone"] == []
    assert "not proven on the wire: no port is free" in run.output
    # Only a repaired host sends: to the clients that answer, and without any in the inventory to itself.
    sent = {name: [call[2]["receivers"] for call in fleet.host(name)["calls"] if call[0] == PROBE] for name in told}
    assert sent == {
        "proven": [0, 2],
        "blocked": [0, 2],
        "refused": [0],
        "nobody": [0],
        "alone": [0, 0],
        "person": [],
    }


def test_what_is_stale_goes_before_the_node_and_a_session_that_waited_is_given_time(fleet: Fleet) -> None:
    waiting = found("fog.session.unserved", repairable=True)
    steps = [step("association.delete", "fog.association.orphan")]
    fleet.add(
        "fog1",
        {
            "findings": [waiting, found("fog.node.no_master"), found("fog.association.orphan")],
            "modules": {
                RESET: {"cures": ["fog.association.orphan"], "steps": steps},
                IFACE: {"cures": ["fog.node.no_master"], "steps": [step("node.update", "fog.node.no_master")]},
            },
            # With its master again, the host answers for it before its daemon has taken it up.
            "later": [[waiting], [found("fog.session.stale")], []],
        },
    )
    run = fleet.run()
    assert run.outcomes == {"fog1": "repaired"}, run.output
    assert fleet.calls("fog1") == [INFO, RESET, IFACE, INFO, INFO, INFO]
    assert [each["kind"] for each in run.report["hosts"]["fog1"]["steps"]] == ["association.delete", "node.update"]


def missing_sender(folder: Path) -> dict[str, Any]:
    real = folder / "found-udp-sender"
    real.touch()
    return {
        "findings": [found("fog.sender.missing_binary")],
        "info": {"fog": {"udp_sender": {"path": str(folder / "udp-sender"), "found": [str(real)]}}},
        "modules": {SERVICE: {"cures": ["fog.sender.missing_binary"], "steps": []}},
    }


def test_udp_sender_is_linked_to_where_fog_looks(fleet: Fleet) -> None:
    fleet.add("fog1", missing_sender(fleet.folder))
    run = fleet.run("--check")
    assert run.outcomes == {"fog1": "would_repair"}, run.output
    assert not (fleet.folder / "udp-sender").exists()
    run = fleet.run()
    assert run.outcomes == {"fog1": "repaired"}, run.output
    assert (fleet.folder / "udp-sender").resolve() == fleet.folder / "found-udp-sender"
    assert [each["kind"] for each in run.report["hosts"]["fog1"]["steps"]] == ["sender.link"]


INSTALLER = """#!/bin/sh
echo "arguments: $*, started in $(pwd)"
echo 'MySQL password: hunter2'
sed -i 's/"findings": \\[.*\\], "modules"/"findings": [], "modules"/' {state}
exit {code}
"""


def installable(
    fleet: Fleet, name: str, script: str = "", code: int = 0, info: Any = None, before: Any = None, **variables: Any
) -> None:
    """A host that only FOG's installer can cure, with consent unless told otherwise.

    ``info`` is what the look tells beside the findings, ``before`` what the gentler restart becomes.
    """
    installer = fleet.folder / name / "installfog.sh"
    installer.parent.mkdir()
    installer.write_text(script or INSTALLER.format(state=fleet.folder / f"{name}.json", code=code))
    installer.chmod(0o755)
    host = {
        "findings": [found("fog.service.child_dead")],
        "modules": {SERVICE: before or {"steps": [step("service.restart", "fog.service.child_dead")]}},
        "info": info or {"sessions": []},
    }
    fleet.add(
        name, host, **{"fog_multicast_allow_installer": True, "fog_multicast_installer": str(installer), **variables}
    )


def test_the_installer_is_the_last_resort(fleet: Fleet) -> None:
    installable(fleet, "cured")
    installable(fleet, "forbidden", fog_multicast_allow_installer=False)
    installable(fleet, "failing", code=3)
    installable(fleet, "hanging", script="#!/bin/sh\nexec sleep 300\n", fog_multicast_installer_timeout=1)
    installable(fleet, "live", info={"sessions": [{"id": 4, "state": 3}]})
    installable(fleet, "vain")
    state = dict(fleet.host("vain"), findings=[found("fog.image.missing")])
    (fleet.folder / "vain.json").write_text(json.dumps(state))
    run = fleet.run("-vvv", "-e", "multicast_max_broken_percent=100")
    assert run.outcomes == {
        "cured": "repaired",
        "forbidden": "needs_person",
        "failing": "failed",
        "hanging": "failed",
        "live": "needs_person",
        "vain": "needs_person",
    }, run.output
    assert fleet.calls("cured") == [INFO, SERVICE, INFO, INFO]
    assert fleet.calls("forbidden") == [INFO, SERVICE, INFO]
    assert fleet.calls("vain") == [INFO, INFO]
    steps = {name: host["steps"] for name, host in run.report["hosts"].items()}
    restart, installed = steps["cured"]
    assert (restart["kind"], installed["kind"], installed["gate"]) == (
        "service.restart",
        "installer.run",
        "fog_multicast_allow_installer",
    )
    assert f"arguments: -Y, started in {fleet.folder}/cured" in installed["detail"]
    assert "arguments: -Y" in steps["failing"][1]["detail"]
    assert re.search(
        r"installfog\.sh: (Timeout exceeded|async task did not complete within the requested time)",
        steps["hanging"][1]["detail"],
    )
    assert [each["kind"] for each in steps["vain"]] == []
    told = {name: (each["outcome"], each["gate"]) for name in steps for each in steps[name][1:]}
    assert told == {
        "cured": ("done", "fog_multicast_allow_installer"),
        "forbidden": ("blocked", "fog_multicast_allow_installer"),
        "failing": ("failed", None),
        "hanging": ("failed", None),
        "live": ("blocked", "fog_multicast_allow_restart"),
    }
    assert "    set:    fog_multicast_allow_installer: true" in run.output
    assert "session 4" in steps["live"][1]["detail"]
    assert "hunter2" not in run.output + json.dumps(run.report)


def left(fleet: Fleet, name: str, finding_id: str) -> None:
    state = dict(fleet.host(name), findings=[found(finding_id)])
    (fleet.folder / f"{name}.json").write_text(json.dumps(state))


def test_the_installer_waits_for_whatever_may_be_sending(fleet: Fleet) -> None:
    blind: dict[str, Any] = {"sessions": [], "senders": []}
    installable(fleet, "sender", info={**blind, "senders": [{"port": 50000}]})
    installable(fleet, "daemon", info={**blind, "service": {"active": False, "daemon": [17]}})
    installable(fleet, "unit", info={**blind, "service": {"active": True, "daemon": []}})
    installable(fleet, "idle", info={**blind, "service": {"active": False, "daemon": []}})
    for name in ("sender", "daemon", "unit", "idle"):
        left(fleet, name, "fog.db.unreachable")
    all_at_once = ("-e", "multicast_max_broken_percent=100")
    run = fleet.run(*all_at_once)
    assert run.outcomes == {
        "sender": "needs_person",
        "daemon": "needs_person",
        "unit": "needs_person",
        "idle": "repaired",
    }, run.output
    for name, word in (("sender", "port 50000"), ("daemon", "may be sending"), ("unit", "may be sending")):
        (blocked,) = run.report["hosts"][name]["steps"]
        assert (blocked["outcome"], blocked["gate"]) == ("blocked", "fog_multicast_allow_restart")
        assert word in blocked["detail"]
    assert "    set:    fog_multicast_allow_restart: true" in run.output
    opened = fleet.run(*all_at_once, "-e", "fog_multicast_allow_restart=true", "--limit", "sender,daemon,unit")
    assert set(opened.outcomes.values()) == {"repaired"}, opened.output


def test_the_installer_is_offered_only_where_nothing_gentler_is_left(fleet: Fleet) -> None:
    waiting = {"steps": [step("service.restart", "fog.log.silent", "blocked", gate="fog_multicast_allow_restart")]}
    installable(fleet, "restart", before=waiting, fog_multicast_allow_installer=False)
    consent = {"sessions": [{"id": 4, "state": 3}]}
    installable(fleet, "consent", before=waiting, info=consent)
    installable(fleet, "vain", before={"refused": "It would be in vain."}, fog_multicast_allow_installer=False)
    installable(fleet, "database", fog_multicast_allow_installer=False)
    installable(fleet, "binary", fog_multicast_allow_installer=False)
    installable(fleet, "services", fog_multicast_allow_installer=False, fog_multicast_installer="")
    left(fleet, "database", "fog.db.unreachable")
    unrepairable = {"binary": "fog.sender.missing_binary", "services": "fog.service.stopped"}
    for name, finding_id in unrepairable.items():
        state = dict(fleet.host(name), findings=[found(finding_id, repairable=False)])
        (fleet.folder / f"{name}.json").write_text(json.dumps(state))
    run = fleet.run("-e", "multicast_max_broken_percent=100")
    assert set(run.outcomes.values()) == {"needs_person"}, run.output
    told = {name: [each["gate"] for each in host["steps"]] for name, host in run.report["hosts"].items()}
    assert told == {
        "restart": ["fog_multicast_allow_restart"],
        "consent": ["fog_multicast_allow_restart"],
        "vain": [None],
        "database": [],
        "binary": [],
        "services": ["fog_multicast_allow_installer"],
    }


@pytest.mark.parametrize("why", ["none", "relative", "missing", "folder", "not executable", "no interpreter"])
def test_an_installer_that_cannot_be_started_changed_nothing(fleet: Fleet, why: str) -> None:
    installable(fleet, "fog1", script="#!/no/such/shell\n")
    path = fleet.inventory["fog1"]["fog_multicast_installer"]
    if why == "not executable":
        Path(path).chmod(0o644)
    wrong = {"none": "", "relative": "installfog.sh", "missing": path + "x", "folder": str(Path(path).parent)}
    run = fleet.run("-e", json.dumps({"fog_multicast_installer": wrong.get(why, path)}))
    _restart, installed = run.report["hosts"]["fog1"]["steps"]
    assert (installed["kind"], installed["outcome"], installed["gate"]) == ("installer.run", "failed", None)
    assert run.changed == 1, "only the restart"
    if why == "no interpreter":
        assert "not found" in installed["detail"]
    else:
        assert f"fog_multicast_installer is '{wrong.get(why, path)}'" in installed["detail"]
    assert run.outcomes == {"fog1": "failed"}


SHELLS = [["sh"], ["bash", "--posix"]]
LEAKY = """#!/bin/sh
for number in $(seq 40); do echo "line $number"; done
echo Sesame-0pen
mysql -u fog -pSesame-0pen 2>&1 || echo "mysql -u fog -pSesame-0pen" >&2
echo "both: Sesame-0pen-Again Sesame-0pen"
sed -i /^snmysqlpass/d {settings}
echo "newpass='fresh [a-z]*'" >> {settings}
echo 'now fresh [a-z]* is it'
sleep 300 &
echo $! > {daemon}
exit 7
"""


@pytest.mark.parametrize("shell", SHELLS, ids=lambda words: words[0])
def test_no_password_of_fogsettings_is_in_what_the_installer_said(tmp_path: Path, shell: list[str]) -> None:
    settings, installer = tmp_path / ".fogsettings", tmp_path / "installfog.sh"
    settings.write_text(
        "## Start of FOG Settings\nhostname='line 39'\nsnmysqlpass='Sesame-0pen'\nstoragePassword=Sesame-0pen-Again\n"
        "password='abcd'\n"
    )
    daemon = tmp_path / "daemon"
    installer.write_text(LEAKY.format(settings=settings, daemon=daemon))
    installer.chmod(0o755)
    script = (ROOT / "roles/fog_multicast/files/installer.sh").read_text()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    done = subprocess.run(
        [*shell, "-c", script, "installer.sh", installer, settings],
        env=environment(TMPDIR=str(temporary)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    # It fails unless what the installer left running still runs: nobody waited for that.
    os.kill(int(daemon.read_text()), signal.SIGKILL)
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr, len(lines)) == (7, "", 30)
    assert "line 39" in lines
    assert lines[-5] == "(hidden)"
    assert "mysql -u fog -p(hidden)" in lines
    assert "both: (hidden) (hidden)" in lines
    assert lines[-1] == "now (hidden) is it"
    assert list(temporary.iterdir()) == []


PLAY = """
- hosts: fog_servers
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: imaging.multicast.fog_multicast
"""


def test_the_role_alone_repairs_and_fails_where_a_person_is_needed(fleet: Fleet) -> None:
    play = fleet.folder / "play.yml"
    play.write_text(PLAY)
    fleet.add("good", healthy())
    fleet.add("stale", stale())
    run = fleet.run(playbook=play)
    assert run.code == 0, run.output
    assert fleet.host("stale")["findings"] == []
    assert run.report is None
    fleet.add("person", {"findings": [found("fog.image.missing")]})
    run = fleet.run(playbook=play)
    assert run.code == 2
    assert re.search(r"person +: .*failed=1", run.output)
    assert re.search(r"good +: .*failed=0", run.output)


def test_the_role_alone_repairs_no_batch_before_all_hosts_were_looked_at(broken_fleet: Fleet) -> None:
    play = broken_fleet.folder / "play.yml"
    play.write_text(PLAY + "  serial: 1\n")
    run = broken_fleet.run(playbook=play)
    assert (run.code, run.changed) == (2, 0)
    assert "4 of 5 hosts were not looked at yet. Look at all of them in a play of its own before this one" in run.output
    assert broken_fleet.calls("fog1") == [INFO]


def test_the_role_says_which_variable_is_wrong(fleet: Fleet) -> None:
    play = fleet.folder / "play.yml"
    play.write_text(PLAY)
    fleet.add("fog1", healthy(), fog_multicast_stale_after="soon")
    run = fleet.run(playbook=play)
    assert run.code == 2
    assert "fog_multicast_stale_after" in run.output
    assert fleet.calls("fog1") == []


def test_a_second_playbook_of_the_same_run_starts_afresh(fleet: Fleet) -> None:
    both = fleet.folder / "both.yml"
    names = ("repair", "repair", "check")
    both.write_text("".join(f"- import_playbook: imaging.multicast.{name}_multicast\n" for name in names))
    fleet.add("stale", stale())
    run = fleet.run(playbook=both)
    assert [line for line in run.output.split("\n") if line.startswith("fleet ")] == [
        recap(repaired=1),
        recap(healthy=1),
        recap(healthy=1),
    ]
    history = (fleet.folder / "multicast-report" / "history.jsonl").read_text()
    assert [list(json.loads(line)["found"]) for line in history.splitlines()] == [["stale"], [], []]


def test_the_report_in_all_its_forms(fleet: Fleet) -> None:
    (fleet.folder / "ansible.cfg").write_text("[defaults]\nshow_custom_stats = true\n")
    fleet.add("good", healthy())
    fleet.add("stale", stale(), fog_multicast_login_password="hunter2-secret")
    broken = dict(stale(), fail={RESET: "logins with hunter2-secret and hunter2-other refused <script>"})
    fleet.add("broken", broken, fog_multicast_login_password="hunter2-secret", ansible_password="hunter2-other")
    run = fleet.run()
    assert run.outcomes == {"good": "healthy", "stale": "repaired", "broken": "failed"}, run.output
    assert run.recap == recap(healthy=1, repaired=1, failed=1)
    assert run.stats["multicast_in_order"] is False
    assert run.stats["multicast_recap"] == run.recap
    folder = fleet.folder / "multicast-report"
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert sorted(texts) == ["history.jsonl", "junit.xml", "multicast.prom", "report.html", "report.json"]
    for name, text in texts.items():
        assert "hunter2" not in text, name
    # The first is hidden by the module, which has it as an option.
    assert "logins with ******** and (hidden) refused" in texts["report.json"]
    assert "refused <script>" not in texts["report.html"]
    assert run.recap in texts["report.html"]
    suite = ElementTree.fromstring(texts["junit.xml"])
    assert {case.get("name"): [each.tag for each in case] for case in suite.iter("testcase")} == {
        "good": [],
        "stale": ["system-out"],
        "broken": ["error"],
    }
    assert 'multicast_hosts{outcome="repaired"} 1\n' in texts["multicast.prom"]
    assert 'multicast_host_outcome{host="broken",platform="fog",outcome="failed"} 1\n' in texts["multicast.prom"]
    (line,) = texts["history.jsonl"].splitlines()
    assert json.loads(line)["found"]["stale"] == {
        "outcome": "repaired",
        "before": ["fog.session.stale"],
        "after": [],
    }


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("file", "Set multicast_report_dir to a folder that can be written"),
        ("{{ nowhere if fog_multicast_result is defined else 'x' }}", "'nowhere' is undefined"),
    ],
)
def test_the_recap_is_last_when_the_report_cannot_be_written(fleet: Fleet, folder: str, said: str) -> None:
    fleet.add("good", healthy())
    (fleet.folder / "file").touch()
    run = fleet.run("-e", f"multicast_report_dir={folder}")
    assert run.code == 2
    assert said in run.output
    assert run.recap == recap(healthy=1)


def test_the_report_comes_when_every_host_breaks_off(fleet: Fleet) -> None:
    """A variable that cannot be templated once the run has come so far stands for whatever nobody thought of."""
    fleet.add("late", stale(), fog_multicast_probe="{{ nowhere if fog_multicast_verified is defined else false }}")
    fleet.add(
        "middle", healthy(), fog_multicast_interface="{{ nowhere if fog_multicast_result is defined else 'auto' }}"
    )
    bare = dict(healthy(), missing_libraries=["PyMySQL"])
    fleet.add("early", bare, fog_multicast_manage_packages="{{ nowhere if fog_multicast_result is defined else true }}")
    run = fleet.run()
    assert (run.code, run.recap) == (2, recap(failed=3))
    assert fleet.calls("late") == [INFO, RESET, INFO]
    told = {name: host["steps"][-1]["detail"] for name, host in run.report["hosts"].items()}
    assert "Prove on the wire" in told["late"]
    assert "'nowhere' is undefined" in told["late"]
    assert "'nowhere' is undefined" in told["middle"]
    assert "Libraries are missing: PyMySQL" in told["early"]


def test_nothing_is_repaired_when_the_guard_cannot_work(fleet: Fleet) -> None:
    wrong = "{{ nowhere if fog_multicast_result is defined else 50 }}"  # not yet when the variables are checked
    fleet.add("fog1", stale(), fog_multicast_max_broken_percent=wrong)
    run = fleet.run()
    assert (run.code, run.recap) == (2, recap(needs_person=1))
    assert fleet.calls("fog1") == [INFO]
    told = run.report["hosts"]["fog1"]["steps"][-1]["detail"]
    assert told.startswith("How many hosts look broken at once cannot be said, so nothing was repaired: ")
    assert "'nowhere' is undefined" in told

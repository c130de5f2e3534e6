"""The jobs of the workflow in extensions/awx, run by ansible-runner as AWX runs them, in slices, on the lab.

The workflow: an unsliced check publishes ``multicast_broken``; AWX hands it to the sliced repair after it.
"""

import hashlib
import json
import secrets
import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pytest
import yaml

from extensions.head_nodes.control import Control
from extensions.head_nodes.wsman import Settings
from tests.lab import headnodes, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import health, layout, processes
from tests.lab.fog.database import Sql
from tests.lab.fog.effects import EFFECTS
from tests.lab.fog.faults import FAULTS
from tests.lab.fog.laboratory import database_server
from tests.lab.fog.sessions import queue_session, receive, wait_sending
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.platforms.awx.jobs import Engine, Finished, Inventory
from tests.project.tree import BIN, CACHE, ROOT, environment, run
from tests.project.venvs import platform

PROJECT = ROOT / "extensions" / "awx"
SLICES = 2
FOG = ("fog1", "fog4", "store1", "store2")
HEAD_NODES = ("hn1", "hn2")
# By name, every second one.
PARTS = ({"fog1", "hn1", "store1"}, {"fog4", "hn2", "store2"})
BROKEN = {"fog1": "service-stopped", "fog4": "no-master", "store1": "service-stopped"}
BY_HAND = "fog1"
LOGIN = {"username": "awx-job", "password": f"Pw-{secrets.token_hex(8)}"}


class Seen(NamedTuple):
    """What the jobs of the workflow showed, in their order."""

    warned: Finished
    refused: Sequence[Finished]
    before: Mapping[str, witness.State]
    after_refusal: Mapping[str, witness.State]
    checked: Finished
    repaired: Sequence[Finished]
    whole: Mapping[str, object]
    healed: Mapping[str, object]
    namespaces: Mapping[str, Sequence[str]]
    again: Finished
    sent: Sequence[str]
    received: Sequence[str]


def settings() -> Mapping[str, Any]:
    """The settings that configure.yml begins with. Ansible's mark of a text that is no template yet is left out."""
    loaded: Mapping[str, Any] = yaml.safe_load((PROJECT / "defaults.yml").read_text().replace("!unsafe ", ""))
    return loaded


def answers() -> dict[str, Any]:
    """The answers that AWX gives to the survey when nobody does, as on a schedule."""
    return {question["variable"]: question["default"] for question in settings()["multicast_awx_survey"]["spec"]}


def always() -> dict[str, Any]:
    """The extra variables that the job template of the repair has."""

    def tasks(listed: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        for each in listed:
            yield each
            yield from tasks(each.get("block", []))

    listed = yaml.safe_load((PROJECT / "tasks" / "objects.yml").read_text())
    (made,) = (each["awx.awx.job_template"] for each in tasks(listed) if each["name"] == "Job template repair")
    told: dict[str, Any] = made["extra_vars"]
    return told


def injected() -> dict[str, Any]:
    """The variables that the credentials of the custom types add to a job."""
    account = Settings()
    inputs = {"fog database": LOGIN, "head nodes": {"username": account.user, "password": account.password}}
    return {
        name: jinja2.Template(text).render(inputs[kind])
        for kind, made in settings()["multicast_awx_credential_types"].items()
        for name, text in made["injectors"]["extra_vars"].items()
    }


def inventory(lab: Lab) -> Inventory:
    """The lab's hosts as an inventory of AWX; what a machine credential brings is not in it."""
    loaded = yaml.safe_load(lab.inventory.read_text())["all"]
    ssh = ("-F", "none", "-o", f"UserKnownHostsFile={lab.ssh.known_hosts}", "-o", "StrictHostKeyChecking=yes")
    wanted = {*FOG, *HEAD_NODES}
    groups = {name: group for name, group in loaded["children"].items() if wanted & set(group["hosts"])}
    groups["hpc_head_nodes"]["vars"] |= settings()["multicast_awx_head_node_variables"]
    return Inventory(
        {"ansible_ssh_common_args": shlex.join(ssh), "ansible_python_interpreter": "/usr/bin/python3"},
        {name: [host for host in group["hosts"] if host in wanted] for name, group in groups.items()},
        # The lab's own limit is 100 percent; the survey's answer is an extra variable and wins.
        {name: group.get("vars", {}) for name, group in groups.items()},
        {host: own for group in groups.values() for host, own in group["hosts"].items() if host in wanted},
    )


class Workflow:
    """The nodes of the workflow: each call is a job or a sliced job of it."""

    def __init__(self, engine: Engine, hosts: Inventory, folder: Path) -> None:
        self.engine = engine
        self.hosts = hosts
        self.folder = folder
        self.ident = 0

    def _job(self, ident: int, playbook: str, handed: Mapping[str, Any], number: int = 0, count: int = 1) -> Finished:
        return self.engine.run(
            self.folder / str(ident),
            ident,
            playbook,
            self.hosts.script(number, count),
            {**answers(), **handed},
            injected(),
        )

    def check(self) -> Finished:
        self.ident += 1
        return self._job(self.ident, "check.yml", {})

    def repair(self, handed: Mapping[str, Any]) -> list[Finished]:
        """The slices, side by side; each has what the nodes before handed on."""
        first = self.ident + 1
        self.ident += SLICES
        told = {**always(), **handed}
        with ThreadPoolExecutor(SLICES) as pool:
            return list(pool.map(lambda n: self._job(first + n, "repair.yml", told, n + 1, SLICES), range(SLICES)))


@pytest.fixture(scope="module")
def engine(lab: Lab, boot: Boot, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = tmp_path_factory.mktemp("project")
    env = environment(ANSIBLE_HOME=str(CACHE / "ansible"))
    install = ("collection", "install", archive, "--offline", "-p", folder / "collections")
    run(BIN / "ansible-galaxy", *install, cwd=folder, env=env)  # not where ansible.cfg names the checkout's collections
    boot(*FOG, "client1")
    return Engine(
        platform("runner"), lab.command, PROJECT / "templates", folder / "collections", lab.ssh.key.read_text()
    )


@pytest.fixture(scope="module")
def seen(lab: Lab, boot: Boot, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with borrowed(lab, boot, *FOG) as hosts:
        headnodes.start(lab)
        control = headnodes.control(lab)
        control.clear()
        servers = [host for host in hosts if host.spec.database == host.name]
        for server in servers:
            _grant(server)
        workflow = Workflow(engine, inventory(lab), tmp_path_factory.mktemp("jobs"))
        yield _go_through(lab, hosts, control, workflow)
        for server in servers:
            Sql(server).run("DROP USER %s@'%%'", LOGIN["username"])
        for name, node in control.status().items():
            assert node["refused"] == [], name


def _grant(server: Host) -> None:
    sql = Sql(server)
    sql.run("CREATE USER %s@'%%' IDENTIFIED BY %s", LOGIN["username"], LOGIN["password"])
    sql.run("GRANT SELECT, INSERT, UPDATE, DELETE ON fog.* TO %s@'%%'", LOGIN["username"])


def _image(server: Host, client: Host) -> tuple[list[str], list[str]]:
    """Have FOG's daemon send an image to a client; the SHA-256 of its files there and here."""
    session = queue_session(server, clients=1)
    wait_sending(server, session)
    folder = processes.tree_path(server, f"{layout.IMAGES}/{layout.WINDOWS.folder}")
    files = [folder / f"d1p{number}.img" for number in range(1, len(layout.WINDOWS.partitions) + 1)]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files], receive(client, session).wait()


def _go_through(lab: Lab, hosts: Sequence[Host], control: Control, workflow: Workflow) -> Seen:
    def each(what: Any) -> dict[str, Any]:
        with ThreadPoolExecutor(len(hosts)) as pool:
            return dict(zip([host.name for host in hosts], pool.map(what, hosts), strict=True))

    def states() -> dict[str, witness.State]:
        return each(lambda host: witness.state(host, database_server(lab, host)))

    whole = each(lambda host: health.state(lab, host))
    for name, fault in BROKEN.items():
        FAULTS[fault](lab, lab.hosts[name])
        EFFECTS[fault](lab.hosts[name], Sql(database_server(lab, lab.hosts[name])))
    control.break_("hn1", "missing-namespace")

    warned = workflow.check()
    before = states()
    refused = workflow.repair(warned.artifacts)
    after_refusal = states()

    # What the guard asks for: a person looks, and finds that one of them is nothing.
    lab.hosts[BY_HAND].run(["systemctl", "start", layout.UNIT])
    checked = workflow.check()
    repaired = workflow.repair(checked.artifacts)
    healed = each(lambda host: health.state(lab, host))
    for host in hosts:
        health.assert_serving(host)
    again = workflow.check()
    sent, received = _image(lab.hosts["fog4"], lab.hosts["client1"])
    return Seen(
        warned, refused, before, after_refusal, checked, repaired, whole, healed,
        {name: [live["name"] for live in control.dump(name)["live"]] for name in HEAD_NODES},
        again, sent, received,
    )  # fmt: skip


def outcomes(job: Finished) -> dict[str, str]:
    """The outcome of each host, as the job's stats tell it to the next one."""
    return {host: outcome for outcome, hosts in job.artifacts["multicast_hosts"].items() for host in hosts}


def jobs(seen: Seen) -> list[Finished]:
    return [seen.warned, *seen.refused, seen.checked, *seen.repaired, seen.again]


def test_slices_are_the_whole_inventory_once(seen: Seen) -> None:
    assert seen.checked.hosts == {*FOG, *HEAD_NODES}
    assert [part.hosts for part in seen.repaired] == list(PARTS)


def test_every_slice_refuses_when_the_check_saw_too_many_broken(seen: Seen) -> None:
    assert seen.warned.artifacts["multicast_broken"] == {"fog": {"hosts": 3, "of": 4}, "wds": {"hosts": 1, "of": 2}}
    assert [outcomes(part) for part in seen.refused] == [
        {"fog1": "needs_person", "hn1": "repaired", "store1": "needs_person"},
        {"fog4": "needs_person", "hn2": "healthy", "store2": "healthy"},
    ]
    assert [(part.rc, part.status) for part in seen.refused] == [(2, "failed")] * SLICES
    assert seen.after_refusal == seen.before
    # The head nodes are judged by themselves: one broken of two is no reason to refuse.
    changed = {host for part in seen.refused for host, count in part.stats["changed"].items() if count}
    assert changed == {"hn1"}


def test_slices_repair_what_the_check_found(seen: Seen) -> None:
    assert (seen.checked.rc, seen.checked.status) == (0, "successful"), seen.checked.stdout
    assert seen.checked.artifacts["multicast_broken"] == {"fog": {"hosts": 2, "of": 4}, "wds": {"hosts": 0, "of": 2}}
    for part in seen.repaired:
        assert (part.rc, part.status) == (0, "successful"), part.stdout
    assert [outcomes(part) for part in seen.repaired] == [
        {"fog1": "healthy", "hn1": "healthy", "store1": "repaired"},
        {"fog4": "repaired", "hn2": "healthy", "store2": "healthy"},
    ]
    assert [part.artifacts["multicast_in_order"] for part in seen.repaired] == [True, True]
    # The modules' word does not count: SQL, systemctl, /proc, an image on the wire, the simulated nodes' own state do.
    assert seen.healed == seen.whole
    assert seen.received == seen.sent
    assert seen.namespaces == {name: [f"{name.upper()}-CCP"] for name in HEAD_NODES}
    assert outcomes(seen.again) == dict.fromkeys((*FOG, *HEAD_NODES), "healthy")


def test_events_and_text_are_what_awx_shows(seen: Seen) -> None:
    for job in jobs(seen):
        counters = [event["counter"] for event in job.events]
        assert counters == list(range(1, len(counters) + 1))
        kinds = [event["event"] for event in job.events]
        assert kinds.count("playbook_on_start") == kinds.count("playbook_on_stats") == 1
        looked = {event["event_data"]["host"] for event in job.events if event["event"] == "runner_on_ok"}
        assert looked >= job.hosts
        assert "[WARNING]" not in job.stdout
        assert "[DEPRECATION" not in job.stdout
        assert job.artifacts["multicast_recap"] in job.stdout
        # A changed host is changed in AWX's count of it, too.
        changed = {host for host, count in job.stats["changed"].items() if count}
        assert changed == {host for host, outcome in outcomes(job).items() if outcome == "repaired"}


def test_no_secret_leaves_a_job(seen: Seen) -> None:
    kept = json.dumps([(job.events, job.stdout) for job in jobs(seen)])
    secret = {"FOG's database": LOGIN["password"], "head nodes": Settings().password, "machine": "PRIVATE KEY"}
    assert [whose for whose, text in secret.items() if text in kept] == []

"""Events: the event source under ansible-rulebook, a rulebook that repairs lab hosts by itself, and the timer."""

import asyncio
import inspect
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab import witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import layout, processes
from tests.lab.fog.database import Sql
from tests.lab.fog.faults import FAULTS, GONE_ADDRESS
from tests.lab.fog.service import log_shows
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.platforms.installed import Installed
from tests.project.tree import BIN, CACHE, ROOT, environment, run
from tests.project.venvs import platform

PLUGIN = ROOT / "extensions" / "eda" / "plugins" / "event_source" / "fog_multicast_log.py"
RULEBOOK = ROOT / "extensions" / "eda" / "rulebooks" / "fog_multicast.yml"
MASTER = "[11-22-26 8:00:00 am]  | This is not the master node\n"
WAITING = "[11-22-26 8:00:00 am] Interface not ready, waiting for it to come up: 10.0.0.1\n"
#: For whatever a slow machine takes long for.
PATIENCE = 300.0


@pytest.fixture(scope="module")
def plugin() -> dict[str, Any]:
    """The plugin as ansible-rulebook loads it."""
    return runpy.run_path(str(PLUGIN))


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collections path with the collection as its users install it."""
    return Installed(archive, tmp_path_factory.mktemp("eda"), BIN).collections


# --- the plugin by itself -------------------------------------------------------------------------------------------


class Slow:
    """A rule engine that takes one event, and the next one only when it is told to."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue(1)

    async def take(self) -> Any:
        return await asyncio.wait_for(self.queue.get(), PATIENCE)


def kept(state: Path) -> Any:
    (entry,) = json.loads(state.read_text())["logs"].values()
    return entry["place"][2]


async def until(what: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def arguments(folder: Path, **more: Any) -> dict[str, Any]:
    return {
        "path": str(folder / "multicast.log"),
        "host": "fog1",
        "state": str(folder / "private" / "state.json"),
        "poll": 0.1,
        **more,
    }


def test_the_next_event_waits_until_there_is_room(plugin: dict[str, Any], tmp_path: Path) -> None:
    """And no line is read for it before; what the queue did not take is not kept as told."""
    log, state = tmp_path / "multicast.log", tmp_path / "private" / "state.json"
    log.touch()

    async def scene() -> None:
        slow = Slow()
        task = asyncio.create_task(plugin["main"](slow.queue, arguments(tmp_path)))
        await until(state.exists)
        lines = [f"[11-22-26 8:00:00 am]  | Task ID: {n} Name: x failed to start\n" for n in range(1, 6)]
        log.write_text("".join(lines))
        await until(slow.queue.full)
        await asyncio.sleep(0.5)
        # One in the queue, which is kept; one that waits for room and is not; three still in the log.
        assert kept(state) == len(lines[0])
        assert (await slow.take())["subject"] == "session 1"
        await until(lambda: kept(state) == len(lines[0] + lines[1]))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await slow.take())["subject"] == "session 2"
        # Another one goes on where this one was stopped, with the event that had found no room.
        task = asyncio.create_task(plugin["main"](slow.queue, arguments(tmp_path)))
        assert [(await slow.take())["subject"] for _event in range(3)] == ["session 3", "session 4", "session 5"]
        task.cancel()

    asyncio.run(scene())


def test_with_feedback_an_event_is_kept_when_the_rule_engine_has_it(plugin: dict[str, Any], tmp_path: Path) -> None:
    log, state = tmp_path / "multicast.log", tmp_path / "private" / "state.json"
    log.touch()

    async def scene() -> None:
        queue: asyncio.Queue[Any] = asyncio.Queue()
        feedback: asyncio.Queue[Any] = asyncio.Queue(1)
        args = arguments(tmp_path, feedback=True, eda_feedback_queue=feedback)
        task = asyncio.create_task(plugin["main"](queue, args))
        await until(state.exists)
        log.write_text(MASTER + WAITING)
        event = await asyncio.wait_for(queue.get(), PATIENCE)
        await asyncio.sleep(0.5)
        assert (kept(state), queue.qsize()) == (0, 0)
        await feedback.put({"meta": {"uuid": "another"}})
        await feedback.put(event)
        assert (await asyncio.wait_for(queue.get(), PATIENCE))["id"] == "fog.node.address_not_local"
        assert kept(state) == len(MASTER)
        task.cancel()

    asyncio.run(scene())


def test_errors_name_the_plugin_and_the_argument(plugin: dict[str, Any], tmp_path: Path) -> None:
    for args, told in (
        ({"cool_down": "soon"}, "fog_multicast_log: cool_down is 'soon'"),
        ({"state": str(ROOT / "galaxy.yml" / "state")}, "fog_multicast_log: .*Not a directory|File exists"),
        ({"path": str(tmp_path)}, "fog_multicast_log: .*is no regular file"),
    ):
        with pytest.raises(ValueError, match=told):
            asyncio.run(plugin["main"](asyncio.Queue(1), arguments(tmp_path, **args)))


def test_documented_arguments_are_those_there_are(plugin: dict[str, Any], tmp_path: Path) -> None:
    documented = yaml.safe_load(plugin["DOCUMENTATION"])["options"]
    module = plugin["_watch"]()
    given = module.options({"host": "fog1"})
    wishes = given.wishes._asdict()
    assert documented.pop("feedback")["default"] is False  # ansible-rulebook's own
    assert set(documented) == {"path", "host", "host_pattern", "state", "poll", *wishes}
    defaults = {name: option["default"] for name, option in documented.items() if "default" in option}
    assert defaults == {
        **{**wishes, "ignore": []},
        "path": list(given.paths),
        "state": given.state,
        "poll": given.poll,
    }
    with pytest.raises(ValueError, match="there is no argument typo"):
        module.options({"typo": 1})


def test_examples_are_valid(plugin: dict[str, Any]) -> None:
    module = plugin["_watch"]()
    examples = yaml.safe_load(plugin["EXAMPLES"])
    assert len(examples) == 3
    for example in examples:
        module.options(example["imaging.multicast.fog_multicast_log"])


def test_the_plugin_can_be_read_by_its_signature(plugin: dict[str, Any]) -> None:
    assert inspect.iscoroutinefunction(plugin["main"])
    assert list(inspect.signature(plugin["main"]).parameters) == ["queue", "args"]


def test_variables_of_the_rulebook_are_documented_with_their_defaults(plugin: dict[str, Any]) -> None:
    text = RULEBOOK.read_text()
    given = dict(re.findall(r"\{\{ (multicast_\w+) \| default\((.*?)\) \}\}", text))
    assert set(given) == set(re.findall(r"multicast_\w+(?= \|)", text))
    shown = {"[]": "none"}
    page = re.findall(r"^\| `(multicast_\w+)` \| (.*?) \|", (ROOT / "docs" / "events.md").read_text(), re.M)
    documented = {name: value.strip("`") for name, value in page}
    assert documented.pop("multicast_host") == "this machine's name"
    assert given.pop("multicast_host") == "none"
    assert documented == {name: shown.get(value, value.strip("'")) for name, value in given.items()}
    (source,) = (each["imaging.multicast.fog_multicast_log"] for each in yaml.safe_load(text)[0]["sources"])
    options = yaml.safe_load(plugin["DOCUMENTATION"])["options"]
    assert set(source) == set(options) - {"feedback", "poll"}
    for name, option in options.items():
        variable = {"path": "multicast_log"}.get(name, f"multicast_{name}")
        if name not in ("feedback", "poll", "host", "host_pattern", "ignore", "path"):
            assert given[variable].strip("'") == str(option["default"]), name


# --- under ansible-rulebook -----------------------------------------------------------------------------------------


class Running:
    """ansible-rulebook with these arguments; ``through`` makes the command that runs it."""

    def __init__(
        self,
        collections: Path,
        folder: Path,
        arguments: Sequence[str],
        through: Callable[[list[str]], list[str]] = list,
    ) -> None:
        self.output = folder / f"output-{len(list(folder.glob('output-*')))}"
        bin_ = platform("eda")
        home = folder / "home"
        home.mkdir(exist_ok=True)
        env = environment(
            ANSIBLE_COLLECTIONS_PATH=str(collections),
            ANSIBLE_HOME=str(home / "ansible"),
            ANSIBLE_NOCOLOR="1",
            HOME=str(home),
            PATH=f"{bin_}:{os.environ['PATH']}",
            TMPDIR=str(home),
        )
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                through([str(bin_ / "ansible-rulebook"), *arguments, "--verbose"]),
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def text(self) -> str:
        return self.output.read_text(encoding="utf-8", errors="replace")

    def says(self, text: str, times: int = 1) -> None:
        """Wait until the output has ``text``."""

        def said() -> bool:
            assert self.process.poll() is None, self.text()[-6000:]
            return self.text().count(text) >= times

        try:
            processes.wait_for(f"{text!r}", said, PATIENCE)
        except Exception as error:
            raise AssertionError(f"{error}\n{self.text()[-6000:]}") from error

    def kill(self) -> None:
        """End it at once, as when the machine loses its power; and with it what it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Rulebook(Running):
    """The collection's rulebook in the lab's network; it reads the FOG servers' own log files.

    Storage nodes that another test left running use fog1's database, and would complain with it.
    """

    def __init__(self, lab: Lab, collections: Path, folder: Path, variables: Mapping[str, Any]) -> None:
        self.state = folder / "state" / "events.json"
        given = folder / "variables.yml"
        given.write_text(
            yaml.safe_dump(
                {
                    "multicast_log": [str(lab.folder / "hosts" / "fog*" / "root" / layout.LOG[1:])],
                    "multicast_host_pattern": "/hosts/(?P<host>[^/]+)/root/",
                    "multicast_state": str(self.state),
                    "multicast_report_dir": str(folder / "report"),
                    "multicast_silent_after": 3600,
                    **variables,
                }
            )
        )
        arguments = ["--rulebook", "imaging.multicast.fog_multicast", "--inventory", str(lab.inventory)]
        super().__init__(collections, folder, [*arguments, "--vars", str(given)], lab.command)
        self.says("Waiting for events")

    def told(self, host: Host, finding: str, held: bool) -> None:
        """Wait until this was told of the host, and whether its run was held back."""

        def is_told() -> bool:
            logs = json.loads(self.state.read_text())["logs"]
            diary = next(entry["diary"] for path, entry in logs.items() if f"/{host.name}/" in path)
            return any(key.startswith(finding) and entry[3] is held for key, entry in diary["told"].items())

        try:
            processes.wait_for(f"{finding} of {host.name}", is_told, PATIENCE)
        except Exception as error:
            raise AssertionError(f"{error}\n{self.state.read_text()}\n{self.text()[-6000:]}") from error


def member(host: Host, column: str) -> object:
    query = "SELECT ngmIsMasterNode, ngmHostname FROM nfsGroupMembers WHERE ngmMemberName = 'DefaultMember'"
    (row,) = Sql(host).rows(query)
    return row[column]


def logins(host: Host) -> int:
    """How often somebody came to the host over ssh."""
    return host.run(["journalctl", "--unit=ssh", "--output=cat"]).stdout.count("Accepted publickey")


def examples(plugin: dict[str, Any], folder: Path, feedback: bool) -> list[str]:
    """Arguments for a rulebook that prints what the documentation's examples with or without feedback tell.

    Only where the log and the state are is changed: ``N.log`` and ``N.json`` in the folder.
    """
    rulebook = []
    for number, example in enumerate(yaml.safe_load(plugin["EXAMPLES"])):
        source = example["imaging.multicast.fog_multicast_log"]
        if source.get("feedback", False) is feedback:
            source["state"] = str(folder / f"{number}.json")
            if "host_pattern" not in source:
                source["path"] = str(folder / f"{number}.log")
            action = {"print_event": {"pretty": True}}
            rules = [{"name": "Tell", "condition": "event.meta.run is defined", "action": action}]
            rulebook.append({"name": f"Example {number}", "hosts": "all", "sources": [example], "rules": rules})
    (folder / "examples.yml").write_text(yaml.safe_dump(rulebook))
    (folder / "inventory").write_text("fog.example.org\n")
    return ["--rulebook", str(folder / "examples.yml"), "--inventory", str(folder / "inventory")]


@pytest.mark.parametrize(("feedback", "more", "number"), [(False, [], 0), (True, ["--persistence-id", "7"], 2)])
def test_ansible_rulebook_takes_the_examples(
    plugin: dict[str, Any], installed: Path, tmp_path: Path, feedback: bool, more: list[str], number: int
) -> None:
    """``number`` is an example with one log."""
    running = Running(installed, tmp_path, [*examples(plugin, tmp_path, feedback), *more])
    log, state = tmp_path / f"{number}.log", tmp_path / f"{number}.json"
    try:
        running.says("Waiting for events")
        processes.wait_for("the event source", state.exists, PATIENCE)
        log.write_text(MASTER + WAITING)
        running.says("'id': 'fog.node.master_not_local'")
        running.says("'id': 'fog.node.address_not_local'")
        processes.wait_for("both to be kept", lambda: kept(state) == len(MASTER + WAITING), PATIENCE)
    finally:
        running.kill()


def test_ansible_rulebook_wants_a_persistence_id_for_feedback(
    plugin: dict[str, Any], installed: Path, tmp_path: Path
) -> None:
    running = Running(installed, tmp_path, examples(plugin, tmp_path, feedback=True))
    assert running.process.wait(PATIENCE) != 0
    assert "has requested feedback but persistence has not been enabled" in running.text()


def test_by_default_it_only_looks(lab: Lab, boot: Boot, installed: Path, tmp_path: Path) -> None:
    with borrowed(lab, boot, "fog1") as (fog1,):
        rulebook = Rulebook(lab, installed, tmp_path, {})
        try:
            FAULTS["no-master"](lab, fog1)
            before = witness.checksums(fog1)
            rulebook.says("fleet 1 | healthy 0 | repaired 0 | would repair 1")
        finally:
            rulebook.kill()
        assert before
        assert witness.checksums(fog1) == before
        assert list(json.loads((tmp_path / "report" / "report.json").read_text())["hosts"]) == ["fog1"]


def test_hosts_are_repaired_by_themselves_within_cool_down_and_cap(
    lab: Lab, boot: Boot, installed: Path, tmp_path: Path
) -> None:
    with borrowed(lab, boot, "fog1", "fog2") as (fog1, fog2):
        wishes = {"multicast_playbook": "repair_multicast", "multicast_cool_down": 36000}
        rulebook = Rulebook(lab, installed, tmp_path, {**wishes, "multicast_max_per_hour": 1})
        try:
            # Repaired, and nobody started a playbook. Nothing is looked at on the host that did not complain.
            before = logins(fog2)
            FAULTS["no-master"](lab, fog1)
            assert member(fog1, "ngmIsMasterNode") == ""
            log_shows(fog1, "* No new tasks found", last=True, timeout=PATIENCE)
            assert member(fog1, "ngmIsMasterNode") == "1"
            assert fog1.run(["systemctl", "is-active", layout.UNIT]).stdout.strip() == "active"
            assert logins(fog2) == before
            rulebook.says("fleet 1 | healthy 0 | repaired 1")

            # The cap: one run an hour for both of them. FOG deletes its log when its daemon starts.
            FAULTS["address-changed"](lab, fog2)
            rulebook.told(fog2, "fog.node.address_not_local", held=True)
            # The cool-down: nothing more is done on this host today.
            FAULTS["no-master"](lab, fog1)
            rulebook.told(fog1, "fog.node.master_not_local", held=True)
            assert (member(fog1, "ngmIsMasterNode"), member(fog2, "ngmHostname")) == ("", GONE_ADDRESS)
            assert logins(fog2) == before
        finally:
            rulebook.kill()

        # With the same state and a larger cap: what was held back is done, what was told is not told again, and the
        # cool-down of the first host still holds.
        runs = json.loads(rulebook.state.read_text())["runs"]
        assert [name for _when, name in runs] == ["fog1"]
        rulebook = Rulebook(lab, installed, tmp_path, {**wishes, "multicast_max_per_hour": 5})
        try:
            log_shows(fog2, "* No new tasks found", last=True, timeout=PATIENCE)
            assert member(fog2, "ngmHostname") == fog2.address
            assert fog2.run(["systemctl", "is-active", layout.UNIT]).stdout.strip() == "active"
            rulebook.says("fleet 1 | healthy 0 | repaired 1")
            assert member(fog1, "ngmIsMasterNode") == ""
        finally:
            rulebook.kill()
        assert [name for _when, name in json.loads(rulebook.state.read_text())["runs"]] == ["fog1", "fog2"]
        assert "'host': 'fog1'" not in rulebook.text()
        report = json.loads((tmp_path / "report" / "report.json").read_text())
        assert list(report["hosts"]) == ["fog2"]


# --- the timer, on a lab host ---------------------------------------------------------------------------------------

USER = "imaging-multicast"
INSTANCE = "imaging-multicast@repair"
#: Its next run is at once, and it is not put off.
SOON = "[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=1s\n"
_PROGRAM = """#!/bin/sh
PYTHONPATH=/opt/ansible exec /usr/bin/python3 -m ansible playbook "$@"
"""


def put_ansible(host: Host, collections: Path, folder: Path) -> None:
    """Install ansible-core, which the lab's image has not, and the collection where Ansible looks for it."""
    core = f"ansible-core=={metadata.version('ansible-core')}"
    words = ("install", "--no-input", "--target", folder, "--python-version", "3.11", "--only-binary=:all:", core)
    env = environment(PIP_CACHE_DIR=str(CACHE / "pip"), PIP_DISABLE_PIP_VERSION_CHECK="1")
    run(BIN / "python", "-m", "pip", *words, env=env)
    shutil.copytree(folder, processes.tree_path(host, "/opt/ansible"))
    host.write("/usr/local/bin/ansible-playbook", _PROGRAM, 0o755)
    shutil.copytree(collections, processes.tree_path(host, "/usr/share/ansible/collections"))


def test_the_timer_repairs(lab: Lab, boot: Boot, installed: Path, tmp_path: Path) -> None:
    """As docs/events.md says it: the units, a user, an inventory. The host reaches itself over ssh, as any other."""
    with borrowed(lab, boot, "fog1") as (fog1,):
        put_ansible(fog1, installed, tmp_path / "ansible")
        for unit in ("imaging-multicast@.service", "imaging-multicast@.timer"):
            shipped = installed / "ansible_collections" / "imaging" / "multicast" / "extensions" / "systemd" / unit
            fog1.write(f"/etc/systemd/system/{unit}", shipped.read_text())
        fog1.run(["useradd", "--system", "--home-dir", "/var/lib/imaging-multicast", USER])
        args = "-o UserKnownHostsFile=/etc/imaging-multicast/known_hosts"
        host = {"ansible_host": fog1.address, "ansible_user": "root", "ansible_ssh_common_args": args}
        host["ansible_ssh_private_key_file"] = "/etc/imaging-multicast/key"
        fog1.write("/etc/imaging-multicast/inventory", json.dumps({"fog_servers": {"hosts": {"fog1": host}}}))
        fog1.write("/etc/imaging-multicast/known_hosts", lab.ssh.known_hosts.read_text())
        fog1.write("/etc/imaging-multicast/key", lab.ssh.key.read_text(), 0o600)
        fog1.run(["chown", USER, "/etc/imaging-multicast/key"])
        fog1.run(["systemctl", "daemon-reload"])
        try:
            units = [f"{INSTANCE}.service", f"{INSTANCE}.timer", "imaging-multicast@check.service"]
            verified = fog1.run(["systemd-analyze", "verify", *(f"/etc/systemd/system/{unit}" for unit in units)])
            assert verified.stdout + verified.stderr == ""

            fog1.run(["systemctl", "enable", "--now", f"{INSTANCE}.timer"])
            listed = fog1.run(["systemctl", "list-timers", "--no-legend"]).stdout
            assert f"{INSTANCE}.service" in listed
            fog1.run(["systemctl", "stop", f"{INSTANCE}.timer"])

            FAULTS["service-stopped"](lab, fog1)
            fog1.write(f"/etc/systemd/system/{INSTANCE}.timer.d/soon.conf", SOON)
            fog1.run(["systemctl", "daemon-reload"])
            fog1.run(["systemctl", "start", f"{INSTANCE}.timer"])

            def ended() -> bool:
                shown = fog1.run(
                    ["systemctl", "show", "--property=ExecMainExitTimestampMonotonic", f"{INSTANCE}.service"]
                )
                return shown.stdout.strip() != "ExecMainExitTimestampMonotonic=0"

            processes.wait_for("the service's end", ended, PATIENCE)
            said = fog1.run(["journalctl", "--unit", f"{INSTANCE}.service", "--output=cat"]).stdout
            assert "fleet 1 | healthy 0 | repaired 1" in said, said
            assert fog1.run(["systemctl", "is-active", layout.UNIT]).stdout.strip() == "active"
            assert fog1.run(["systemctl", "is-failed", f"{INSTANCE}.service"], check=False).returncode != 0
            owner = fog1.run(["stat", "--format=%U %a", "/var/lib/imaging-multicast/report"]).stdout
            assert owner.split()[0] == USER
        finally:
            fog1.run(["systemctl", "disable", "--now", f"{INSTANCE}.timer"], check=False)

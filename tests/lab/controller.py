"""What a person at the controller does in the lab: runs playbooks and modules, and reads what they say."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

CHECKOUT = Path(__file__).resolve().parents[2]
_COLLECTION = "imaging.multicast."
_NOISE = re.compile(r"\[(WARNING|DEPRECATION WARNING)\]")
_STATS = re.compile(r"^(?P<host>\S+)\s+: ok=\d+\s+changed=(?P<changed>\d+)\s+unreachable=\d+", re.M)
_TIMEOUT = 300.0
_OUTPUT = "output"


class Target(Protocol):
    """A host by its name in the inventory."""

    @property
    def name(self) -> str: ...


class Fleet(Protocol):
    """What hosts are reached through: a lab, or a site of simulated head nodes."""

    inventory: Path

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` where the hosts can be reached."""

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        """Run ``argv`` there."""


class Run(NamedTuple):
    """One run of a playbook: exit code, all it printed, report.json (empty when none), changed count per host."""

    code: int
    output: str
    report: Mapping[str, Any]
    changed: Mapping[str, int]

    def outcome(self, host: str) -> str:
        """The outcome the report gives a host."""
        return str(self.report["hosts"][host]["outcome"])

    def ids(self, host: str, when: str = "before") -> set[str]:
        """The ids of a host's findings ``before`` or ``after``, infos left out."""
        found = self.report["hosts"][host][when]
        return {finding["id"] for finding in found if finding["severity"] != "info"}

    def steps(self, host: str) -> list[Mapping[str, Any]]:
        """A host's steps, in order."""
        steps: list[Mapping[str, Any]] = self.report["hosts"][host]["steps"]
        return steps

    def explain(self, host: str) -> str:
        """What a failing test should show about a host."""
        return json.dumps(self.report.get("hosts", {}).get(host), indent=1) + "\n" + self.output[-6000:]


def environment() -> dict[str, str]:
    """The environment of an Ansible that a test starts: the checkout's own, in a locale that there is everywhere."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "PYTEST", "PYTHON"))}
    return {
        **inherited,
        "PATH": f"{Path(sys.executable).parent}:{inherited.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
        "ANSIBLE_HOME": str(CHECKOUT / ".cache" / "ansible"),
        "ANSIBLE_NOCOLOR": "1",
        "LC_ALL": "C.UTF-8",
    }


def playbook(
    lab: Fleet,
    name: str,
    hosts: Sequence[Target | str],
    *options: str,
    variables: Mapping[str, Any] | None = None,
    inventory: Path | None = None,
    probe: bool = False,
) -> Run:
    """Run ``playbooks/<name>.yml`` on ``hosts`` from the lab's controller; ``options`` go to ansible-playbook.

    ``inventory`` is used instead of the lab's. Repairs are proven on the wire with ``probe`` only: it takes seconds,
    and whether clients are in the inventory depends on the tests before. Fails the test when the run printed an Ansible
    warning, deprecation or a traceback.
    """
    names = [host if isinstance(host, str) else host.name for host in hosts]
    with tempfile.TemporaryDirectory(prefix="imlab-report-") as report_dir:
        # In a file of its own, so that a secret among the variables is in no process's arguments.
        extra = Path(report_dir, "variables.json")
        given = {"multicast_report_dir": report_dir, **({} if probe else {"multicast_probe_hosts": []})}
        extra.write_text(json.dumps({**given, **(variables or {})}), encoding="utf-8")
        done = lab.run(
            [
                *("ansible-playbook", "-i", str(inventory or lab.inventory)),
                str(CHECKOUT / "playbooks" / f"{name}.yml"),
                *("--limit", ",".join(names), "--extra-vars", f"@{extra}", *options),
            ],
            check=False,
            env=environment(),
            cwd=CHECKOUT,
        )
        report = Path(report_dir, "report.json")
        content = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    output = done.stdout + done.stderr
    assert_quiet(output)
    changed = {found["host"]: int(found["changed"]) for found in _STATS.finditer(output)}
    return Run(done.returncode, output, content, changed)


class Started:
    """A module that runs while the test does something else."""

    def __init__(
        self,
        host: Target,
        name: str,
        process: "subprocess.Popen[bytes]",
        folder: "tempfile.TemporaryDirectory[str]",
    ) -> None:
        self.host = host
        self.name = name
        self._process = process
        self._folder = folder

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once, with the workers it started, as when the controller loses its power."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(stat.parent.name)] = int(stat.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        ended = {self._process.pid}
        while more := {pid for pid, parent in parents.items() if parent in ended} - ended:
            ended |= more
        for pid in sorted(ended):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._folder.cleanup()

    def text(self, timeout: float = _TIMEOUT) -> str:
        """All it printed, when it has ended. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
        self._process.wait(timeout)
        said = Path(self._folder.name, _OUTPUT).read_text(encoding="utf-8", errors="replace")
        self._folder.cleanup()
        return said

    def result(self, check: bool = True, timeout: float = _TIMEOUT) -> dict[str, Any]:
        """The module's result, when it has ended.

        ``_failed`` and ``_output`` (all that was printed) are added. With ``check`` the test fails when the module
        failed.
        """
        output = self.text(timeout)
        assert_quiet(output)
        # "fog1 | SUCCESS => {", "fog1 | FAILED! => {"
        head, _, body = output.rpartition(f"{self.host.name} | ")[2].partition(" => ")
        assert body, f"{self.host.name}: {self.name} said no result: {output[-4000:]}"
        result: dict[str, Any] = json.JSONDecoder().raw_decode(body)[0]
        result["_failed"] = "FAILED" in head or "UNREACHABLE" in head
        result["_output"] = output
        assert not check or not result["_failed"], f"{self.host.name}: {self.name} failed: {output[-4000:]}"
        return result


def start(lab: Fleet, host: Target, name: str, *options: str, arguments: Mapping[str, Any] | None = None) -> Started:
    """Start one module of the collection on ``host`` by ansible's ad-hoc command; ``options`` go to ansible."""
    given = dict(arguments or {})
    # Ansible shows the arguments of an ad-hoc command when it fails, so a password comes as a variable.
    secrets = {f"given_{key}": value for key, value in given.items() if "password" in key}
    given.update({key: f"{{{{ given_{key} }}}}" for key in given if "password" in key})
    folder = tempfile.TemporaryDirectory(prefix="imlab-module-")
    variables = Path(folder.name, "variables.json")
    variables.write_text(json.dumps(secrets), encoding="utf-8")
    argv = ["ansible", "-i", str(lab.inventory), host.name, "-m", _COLLECTION + name, "-e", f"@{variables}", *options]
    with Path(folder.name, _OUTPUT).open("wb") as output:
        process = subprocess.Popen(
            lab.command([*argv, "-a", json.dumps(given)] if given else argv),
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=CHECKOUT,
            env={
                **environment(),
                "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
                "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
                "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
            },
        )  # fmt: skip
    return Started(host, name, process, folder)


def module(
    lab: Fleet,
    host: Target,
    name: str,
    *options: str,
    arguments: Mapping[str, Any] | None = None,
    check: bool = True,
) -> dict[str, Any]:
    """Run one module of the collection on ``host`` by ansible's ad-hoc command; its result (see ``Started.result``).

    With ``check`` the test fails when the module failed. ``options`` go to ansible, for example ``--check``.
    """
    return start(lab, host, name, *options, arguments=arguments).result(check)


def assert_quiet(output: str) -> None:
    """No run may print an Ansible warning or deprecation, or a Python traceback."""
    noise = [line for line in output.splitlines() if _NOISE.search(line) or "Traceback (most recent" in line]
    assert not noise, f"{noise}\n{output[-6000:]}"


def finding_ids(result: Mapping[str, Any]) -> set[str]:
    """The ids in a module's result, infos left out."""
    return {finding["id"] for finding in result["findings"] if finding["severity"] != "info"}

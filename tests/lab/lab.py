"""A lab: bringing its hosts up, taking exactly these away again, and running things in it."""

import hashlib
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.lab import cgroups, fleet, inventory, network, requirements, store, sysctl
from tests.lab.console import Progress
from tests.lab.fleet import SUITES, Fleet, HostSpec
from tests.lab.host import Host
from tests.lab.journal import Entry, Journal
from tests.lab.locks import held, locked, run_helper
from tests.lab.mounts import is_mounted, mounts
from tests.lab.processes import Process, alive, boot_id, identify, init_of, kill, wait_gone
from tests.lab.ssh import SshFiles

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# systemd-nspawn keeps a folder per machine here, and leaves it behind when it is killed.
_NSPAWN = Path("/run/systemd/nspawn/propagate")
_BOOT_SECONDS = 60.0
_BOOT_SECONDS_PER_HOST = 3.0
# systemd units that come along with another one and would start it on a connection.
_COMPANIONS = {"mariadb.service": ("mariadb.socket", "mariadb-extra.socket")}
_SERVICES = ("mariadb.service", "FOGMulticastManager.service")
# systemd-nspawn mounts /sys before it enters the host's network, so /sys/class/net would show the machine's interfaces.
_OWN_INTERFACES = """
mkdir /run/sys
mount -t sysfs -o ro sysfs /run/sys
mount --bind /run/sys/devices /sys/devices
mount --bind /run/sys/class /sys/class
umount /run/sys
rmdir /run/sys
"""
# Waits for a line before it becomes the program: until its process id is recorded nothing runs, and when the lab is
# killed before that the read fails and nothing ever runs. Until then it also holds the lab's lock, as descriptor 3.
# The arguments are folders of control groups, "--", a program.
_ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift; '
_GATED = f'read -r go && [ "$go" = go ] || exit 1; {_ENTER} exec "$@" < /dev/null 3>&-'
_ENTERED = f'{_ENTER} exec "$@"'


def how(verb: str, name: str) -> str:
    """What a person types for a verb on the lab of this name."""
    return f"make lab-{verb}" if name == "default" else f".venv/bin/python -m tests.lab --lab {name} {verb}"


class LabError(RuntimeError):
    """Something about a lab as a whole went wrong; the message says what and what to do."""


class Lab:
    """The lab called ``name`` with its files below ``state``. Two labs differ in all their names on the machine."""

    def __init__(self, state: Path, name: str = "default", progress: Progress | None = None) -> None:
        if not _NAME.fullmatch(name):
            raise LabError(f"lab name {name!r}: use at most 40 of a-z, 0-9, _ and -")
        self.state = state.resolve()
        self.name = name
        self.progress = Progress() if progress is None else progress
        self.id = hashlib.sha256(f"{self.state}\0{name}".encode()).hexdigest()[:8]
        self.folder = self.state / "labs" / name
        self.netns = f"imlab-{self.id}"
        self.bridge = f"br-{self.id}"
        self.control = sysctl.SHARED / self.id
        self.inventory = self.folder / "inventory.yml"
        self.journal = Journal(self.folder / "journal")
        self.limits = sysctl.SharedLimits()
        self.images = store.ImageStore(self.state / "images", self.progress)
        self.ssh = SshFiles(self.folder, self.control)
        self._lock = self.state / "labs" / f"{name}.lock"
        self._fleet_file = self.folder / "fleet.json"
        self._head_nodes_file = self.folder / "head-nodes-addresses.json"
        self._hosts: dict[str, Host] = {}

    # What there is

    @property
    def fleet(self) -> dict[str, HostSpec]:
        """The hosts this lab was brought up with; empty when it is down."""
        try:
            stored: dict[str, dict[str, Any]] = json.loads(self._fleet_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {name: HostSpec(**{**fields, "services": tuple(fields["services"])}) for name, fields in stored.items()}

    def host(self, name: str) -> Host:
        """A host of the lab. Raises LabError when the lab has no host of this name."""
        specs = self.fleet
        if name not in specs:
            there = ", ".join(specs) or f"none: bring it up with: {how('up', self.name)}"
            raise LabError(f"lab {self.name} has no host {name!r}; hosts: {there}")
        return self._host(specs[name])

    @property
    def hosts(self) -> dict[str, Host]:
        """All hosts of the lab by name, in fleet order."""
        return {name: self._host(spec) for name, spec in self.fleet.items()}

    def _host(self, spec: HostSpec) -> Host:
        host = self._hosts.get(spec.name)
        if host is None or host.spec != spec:
            host = Host(spec, self.folder / "hosts" / spec.name, f"{self.netns}-{spec.name}")
            self._hosts[spec.name] = host
        if not host.running:
            leaders = [entry for entry in self.journal.entries(spec.name) if entry.kind == "leader"]
            same_boot = bool(leaders) and self._same_boot()
            host.leader = Process(leaders[-1].pid, leaders[-1].start) if same_boot else None
        return host

    def _same_boot(self) -> bool:
        return any(entry.kind == "lab" and entry.name == boot_id() for entry in self.journal.entries(""))

    def is_ready(self, host: Host) -> bool:
        """Whether ``host`` runs and was brought up completely."""
        return host.running and any(entry.kind == "ready" for entry in self.journal.entries(host.name))

    def ssh_answers(self, host: Host) -> bool:
        """Whether a login by ssh works now."""
        argv = self.command(["ssh", "-F", str(self.ssh.config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=3"])
        return subprocess.run(
            [*argv, "-S", "none", host.name, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False
        ).returncode == 0  # fmt: skip

    # Running things in it

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` on this machine but in the lab's network.

        It runs in a control group of the lab, so whatever it leaves behind (shared ssh connections) ends with the lab.
        Raises LabError when the lab is not up.
        """
        if not network.path(self.netns).exists():
            raise LabError(f"lab {self.name} is not up; bring it up with: {how('up', self.name)}")
        groups = map(str, self._groups("controller"))
        return ["sh", "-c", _ENTERED, "sh", *groups, "--", "ip", "netns", "exec", self.netns, *argv]

    def run(
        self,
        argv: Sequence[str],
        *,
        input: str | None = None,
        check: bool = True,
        timeout: float = 600.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` on this machine in the lab's network, for example ansible-playbook; ``timeout`` in seconds.

        Raises subprocess.TimeoutExpired, and with ``check`` LabError on a non-zero exit.
        """
        done = subprocess.run(
            self.command(argv), input=input, stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True, text=True, errors="replace", timeout=timeout, env=env, cwd=cwd, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise LabError(f"{list(argv)} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done

    def write_ssh(self) -> Path:
        """Write an ssh for programs outside the lab's network, and return its path. Raises LabError."""
        path = self.folder / "ssh"
        path.write_text(f'#!/bin/sh\nexec {shlex.join(self.command(["ssh"]))} "$@"\n', encoding="utf-8")
        path.chmod(0o700)
        return path

    # Up

    def up(self, wanted: Fleet) -> list[Host]:
        """Boot the hosts of ``wanted`` that do not run yet; returns those booted.

        Raises FleetError, LabError, MissingRequirements, ImageError, HostError. What was made before an error stays
        recorded: ``down`` takes it away, ``up`` tries the missing hosts again.
        """
        self.state.mkdir(parents=True, exist_ok=True)
        with self._locked():
            whole = self._merged(wanted)
            fleet.check(whole)
            todo = [self._host(spec) for spec in whole.values() if not self.is_ready(self._host(spec))]
            if not todo:
                self.progress.say(f"lab {self.name} is already up with {len(whole)} hosts")
                return []
            requirements.require(self.state, len(todo))
            if len(todo) < len(whole):
                self.progress.say(f"lab {self.name} is up; booting what is missing: {_names(todo)}")
            self._clear_wreck(todo)
            began = time.monotonic()
            self.images.clean()
            self.images.prune(SUITES)
            with self.images.in_use():
                self.images.ensure(host.spec.suite for host in todo)
                self._prepare(whole, todo)
            self._boot(todo)
            self._finish(whole, todo)
            self.progress.say(f"lab {self.name} is up: {len(whole)} hosts, {time.monotonic() - began:.1f} s")
            return todo

    def _merged(self, wanted: Fleet) -> dict[str, HostSpec]:
        present = self.fleet
        for name, spec in wanted.items():
            if present.get(name, spec) != spec:
                raise LabError(
                    f"lab {self.name} has another host {name} ({present[name].kind}, {present[name].suite}); "
                    f"take it down first (python -m tests.lab --lab {self.name} down) or use another --lab name"
                )
        return {**present, **wanted}

    def _clear_wreck(self, todo: Sequence[Host]) -> None:
        """Take away what an earlier, interrupted run left of the hosts about to be booted."""
        if not self.journal.path.exists():
            return
        if not self._same_boot() or not network.path(self.netns).exists():
            self.progress.say(f"lab {self.name} was interrupted; cleaning up first")
            self._remove()
            return
        for host in todo:
            if self.journal.entries(host.name):
                with self.progress.step(f"{host.name} is not complete, taking it away"):
                    self._take_away(self.journal.entries(host.name))
                    network.unplug(self.netns, host)
                    shutil.rmtree(host.directory, ignore_errors=True)
                    self.journal.record(Entry("gone", host.name))
                    host.leader = None

    def _prepare(self, whole: Fleet, todo: Sequence[Host]) -> None:
        with self.progress.step(f"preparing {_names(todo)}") as step:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_lab(whole)
            for host in todo:
                step.note(host.name)
                self._make_host(host, whole)
            network.connect(self.netns, self.bridge, todo)
            self.ssh.write(self._host(spec) for spec in whole.values())
            self._write_inventory(whole)
            for host in self.hosts.values():
                if host not in todo:
                    _write_names(host, whole)

    def put_into_inventory(self, head_nodes: Mapping[str, str]) -> None:
        """Add the simulated head nodes, addresses by name, to the inventory of this lab."""
        self._head_nodes_file.write_text(json.dumps(dict(head_nodes)), encoding="utf-8")
        self._write_inventory(self.fleet)

    def _write_inventory(self, whole: Fleet) -> None:
        with suppress(FileNotFoundError):
            head_nodes = json.loads(self._head_nodes_file.read_text(encoding="utf-8"))
            self.inventory.write_text(inventory.render(whole, self.ssh, head_nodes), encoding="utf-8")
            return
        self.inventory.write_text(inventory.render(whole, self.ssh), encoding="utf-8")

    def _make_lab(self, whole: Fleet) -> None:
        if not self.journal.entries(""):
            self.journal.record(Entry("lab", name=boot_id()))
        for change in self.limits.acquire(self.id, len(whole)):
            self.progress.say(f"kernel limit raised: {change}")
        new = self._fleet_file.with_suffix(".new")
        new.write_text(json.dumps({name: spec._asdict() for name, spec in whole.items()}, indent=1), encoding="utf-8")
        os.replace(new, self._fleet_file)
        if not network.path(self.netns).exists():
            groups = self._groups("controller")
            self.journal.record(
                Entry("directory", name=str(self.control)),
                *(Entry("cgroup", name=str(group)) for group in self._groups("")),
                Entry("netns", name=self.netns),
            )
            self.control.mkdir(mode=0o700, exist_ok=True)
            for group in groups:
                group.mkdir(parents=True, exist_ok=True)
            network.create_bridge(self.netns, self.bridge)
        self.ssh.make_key()

    def _make_host(self, host: Host, whole: Fleet) -> None:
        for folder in (host.upper, host.work, host.root):
            folder.mkdir(parents=True)
        host.upper.chmod(0o755)
        groups = self._groups(host.name)
        self.journal.record(
            Entry("netns", host.name, host.netns),
            *(Entry("cgroup", host.name, str(group)) for group in groups),
            Entry("mount", host.name, str(host.root)),
            Entry("directory", host.name, str(_NSPAWN / host.netns)),
        )
        for group in groups:
            group.mkdir(parents=True, exist_ok=True)
        store.mount_overlay(self.images.lowers(host.spec.suite), host.upper, host.work, host.root)
        host.write("/etc/hostname", f"{host.name}\n")
        host.write("/etc/resolv.conf", "")
        _write_names(host, whole)
        self.ssh.authorize(host)
        for service in _SERVICES:
            if service not in host.spec.services:
                for unit in (service, *_COMPANIONS.get(service, ())):
                    mask = host.root / "etc/systemd/system" / unit
                    mask.unlink(missing_ok=True)
                    mask.symlink_to("/dev/null")
        _fog().prepare(host, whole)

    def _groups(self, name: str) -> list[Path]:
        return [root / self.netns / name for root in cgroups.hierarchies(mounts())]

    def _boot(self, todo: Sequence[Host]) -> None:
        timeout = _BOOT_SECONDS + _BOOT_SECONDS_PER_HOST * len(todo)
        waiting = [host.name for host in todo]
        with self.progress.step(f"booting {_names(todo)}") as step, ThreadPoolExecutor(64) as pool:
            supervisors = {host.name: self._launch(host) for host in todo}
            jobs = {pool.submit(self._wait, host, supervisors[host.name], timeout): host for host in todo}
            for job in as_completed(jobs):
                job.result()
                waiting.remove(jobs[job].name)
                step.note(f"{len(todo) - len(waiting)} of {len(todo)} are up, waiting for {', '.join(waiting[:5])}")
                self.progress.say(f"{jobs[job].name} is up ({step.seconds:.1f} s)")

    def _launch(self, host: Host) -> Process:
        nspawn = [
            *("systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe"),
            *(f"--directory={host.root}", f"--machine={host.netns}", f"--hostname={host.name}"),
            *(f"--network-namespace-path={network.path(host.netns)}", "--capability=CAP_NET_ADMIN"),
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),
        ]
        argv = ["sh", "-c", _GATED, "sh", *map(str, self._groups(host.name)), "--", *nspawn]
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
            # The lock file would outlive a killed nspawn; the lab's own lock keeps two starts apart.
            "SYSTEMD_NSPAWN_LOCK": "0",
        }
        gate, go = os.pipe()
        console = os.open(host.console, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            streams = (gate, console, console, held()[0])
            actions = [(os.POSIX_SPAWN_DUP2, source, at) for at, source in enumerate(streams)]
            pid = os.posix_spawnp("sh", argv, environment, file_actions=actions, setsid=True)
            process = identify(pid)
            if process is None:
                raise LabError(f"{host.name}: the shell that starts systemd-nspawn ended at once")
            self.journal.record(Entry("process", host.name, pid=process.pid, start=process.start))
            os.write(go, b"go\n")
        finally:
            for descriptor in (gate, go, console):
                os.close(descriptor)
        return process

    def _wait(self, host: Host, supervisor: Process, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while host.leader is None:
            host.leader = init_of(supervisor)
            if host.leader is None:
                if not alive(supervisor) or time.monotonic() > deadline:
                    said = host.console.read_text(encoding="utf-8", errors="replace")[-2000:].strip()
                    raise LabError(f"{host.name}: systemd-nspawn did not start it and said: {said or '(nothing)'}")
                time.sleep(0.02)
        self.journal.record(Entry("leader", host.name, pid=host.leader.pid, start=host.leader.start))
        host.wait_ready(deadline - time.monotonic())
        host.run(["sh", "-ec", _OWN_INTERFACES])

    def _finish(self, whole: Fleet, todo: Sequence[Host]) -> None:
        servers = [host for host in todo if host.spec.database == host.name]
        others = [host for host in todo if host not in servers]

        def finish(host: Host) -> None:
            _fog().finish(host, whole)
            self.journal.record(Entry("ready", host.name))

        with self.progress.step(f"finishing {_names(todo)}"), ThreadPoolExecutor(4) as pool:
            # A storage node registers itself in the database of a server, which must be there first.
            for wave in (servers, others):
                for _ in pool.map(finish, wave):
                    pass

    # Down

    def down(self) -> None:
        """Take away everything this lab made; nothing happens when it is not up.

        Raises LabError when something cannot be taken away.
        """
        with self._locked():
            if self.folder.exists():
                with self.progress.step(f"taking lab {self.name} down"):
                    self._remove()
            else:
                self.progress.say(f"lab {self.name} is not up")
            self.images.clean()
            for change in self.limits.release(self.id):
                self.progress.say(f"kernel limit put back: {change}")
            self._lock.unlink(missing_ok=True)

    def _remove(self) -> None:
        self._take_away(self.journal.entries())
        # Its journal goes last, so that an interruption of this can be continued.
        for path in self.folder.glob("*"):
            if path != self.journal.path:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.journal.path.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            self.folder.rmdir()
        self._hosts.clear()

    def _take_away(self, entries: Sequence[Entry]) -> None:
        """Undo recorded entries: processes first, then what they kept busy. Works again after an interruption."""

        def of(kind: str) -> list[Entry]:
            return [entry for entry in entries if entry.kind == kind]

        # After a reboot of the machine the recorded ids belong to other processes.
        if self._same_boot():
            self._end_processes(of("process"), of("leader"), [Path(entry.name) for entry in of("cgroup")])
        for entry in of("mount"):
            _unmount(Path(entry.name))
        for entry in of("cgroup"):
            cgroups.remove(Path(entry.name))
        # The lab's own namespace comes first in the journal, and its bridge must outlive the hosts' ends.
        for entry in reversed(of("netns")):
            network.remove(entry.name)
        for entry in of("directory"):
            shutil.rmtree(entry.name, ignore_errors=True)

    def _end_processes(self, supervisors: Sequence[Entry], leaders: Sequence[Entry], groups: Sequence[Path]) -> None:
        known = [Process(entry.pid, entry.start) for entry in supervisors]
        inits = {Process(entry.pid, entry.start) for entry in leaders}
        inits.update(init for init in (init_of(process) for process in known if alive(process)) if init is not None)
        # A supervisor whose process 1 ends cleans up after itself; killed first it could not.
        for process in inits:
            kill(process)
        for process in wait_gone(known, 5.0 if inits else 0.0):
            kill(process)
        rest = wait_gone([*known, *inits], 5.0)
        for group in groups:
            for process in cgroups.members(group):
                kill(process)
        rest += wait_gone([process for group in groups for process in cgroups.members(group)], 5.0)
        for process in known:
            with suppress(ChildProcessError):
                os.waitpid(process.pid, os.WNOHANG)
        if rest:
            pids = ", ".join(str(pid) for pid in sorted({process.pid for process in rest}))
            raise LabError(f"lab {self.name}: processes do not end: {pids}; run down again, or look at them with ps")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with locked(self._lock, wait=False, inherited=True) as free:
            if free:
                yield
                return
        with ExitStack() as stack:
            with self.progress.step(f"waiting for the other run that works on lab {self.name}"):
                stack.enter_context(locked(self._lock, inherited=True))
            yield


def _fog() -> Any:
    # Imported late: the FOG part imports this package's Host.
    return importlib.import_module("tests.lab.fog")


def _unmount(path: Path, timeout: float = 5.0) -> None:
    """Unmount ``path`` as often as something is mounted there; busy is tried again: ended processes let go late."""
    deadline = time.monotonic() + timeout
    while is_mounted(path):
        done = run_helper(["umount", str(path)], check=False)
        if done.returncode != 0 and time.monotonic() > deadline:
            raise LabError(f"cannot unmount {path}: {done.stderr.strip()}; a program outside the lab may be using it")
        if done.returncode != 0:
            time.sleep(0.05)


def _write_names(host: Host, whole: Fleet) -> None:
    others = "".join(f"{spec.address} {spec.name}\n" for spec in whole.values())
    host.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{others}")


def _names(hosts: Sequence[Host]) -> str:
    return ", ".join(host.name for host in hosts) if len(hosts) <= 10 else f"{len(hosts)} hosts"

"""One booted host of the lab, and how to reach into it from outside without ssh."""

import os
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from tests.lab.fleet import HostSpec
from tests.lab.processes import Process, alive

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
_MAX_LINKS = 40


class HostError(RuntimeError):
    """A host did not do what was asked; the message names the host, the command and what it said."""


def resolve(root: Path, path: str) -> Path:
    """The place of ``path`` below ``root``, with symbolic links followed as a process confined to ``root`` would.

    Opening ``root / path`` directly would follow an absolute link out of the host into the machine.
    Raises HostError when there are too many links.
    """
    todo = list(reversed(PurePosixPath(path).parts))
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == "/":
            done = []
        elif part == "..":
            done = done[:-1]
        else:
            here = root.joinpath(*done, part)
            try:
                is_link = stat.S_ISLNK(here.lstat().st_mode)
            except FileNotFoundError:
                is_link = False
            if is_link:
                links += 1
                if links > _MAX_LINKS:
                    raise HostError(f"{path}: too many symbolic links")
                todo.extend(reversed(PurePosixPath(os.readlink(here)).parts))
            else:
                done.append(part)
    return root.joinpath(*done)


class Host:
    """A host of a lab: before boot a tree of files, after boot also a running system.

    ``root`` is the merged tree (image plus this host's changes), ``upper`` holds only the changes, ``netns`` is the
    name of the host's network namespace (``ip netns exec``), ``leader`` the host's process 1 or None before boot.
    """

    def __init__(self, spec: HostSpec, directory: Path, netns: str) -> None:
        self.spec = spec
        self.name = spec.name
        self.address = spec.address
        self.directory = directory
        self.upper = directory / "upper"
        self.work = directory / "work"
        self.root = directory / "root"
        self.console = directory / "console.log"
        self.netns = netns
        self.leader: Process | None = None

    def __repr__(self) -> str:
        return f"Host({self.name}, {self.spec.kind}, {self.spec.suite}, {self.address})"

    @property
    def running(self) -> bool:
        """Whether the host's process 1 is alive."""
        return self.leader is not None and alive(self.leader)

    def _tree(self) -> Path:
        # A running host has mounts of its own (/run, /tmp) that the merged tree does not show.
        return Path(f"/proc/{self.leader.pid}/root") if self.leader is not None and self.running else self.root

    def run(
        self, argv: Sequence[str], *, input: str | None = None, check: bool = True, timeout: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` as root inside the running host (its mounts, names, processes and network), no shell between.

        ``input`` goes to its standard input (secrets belong there, not in ``argv``). ``timeout`` is in seconds.
        Raises HostError when the host is not running, on a time-out, and, with ``check``, on a non-zero exit.
        """
        try:
            done = subprocess.run(
                self.command(argv), input=input, stdin=subprocess.DEVNULL if input is None else None,
                capture_output=True, text=True, errors="replace", env=_ENVIRONMENT, timeout=timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{self.name}: {argv[0]} did not end within {timeout:g} s: {list(argv)}") from error
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or "(nothing)")[-2000:]
            raise HostError(f"{self.name}: {list(argv)} ended with {done.returncode} and said: {said}")
        return done

    def command(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` inside the host from the machine. Raises HostError when it is not up."""
        if self.leader is None or not self.running:
            raise HostError(f"{self.name} is not running; boot it with: python -m tests.lab up")
        spaces = ("--mount", "--uts", "--ipc", "--pid", "--net", "--cgroup")
        # nsenter ends with its caller, and what it forks into the host's process ids (after a time-out too) with it.
        with_parent = ("setpriv", "--pdeathsig", "KILL", "--")
        return [*with_parent, "nsenter", "--target", str(self.leader.pid), *spaces, "--", *with_parent, *argv]

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file of the host, before or after boot: owner root, atomically, parent folders made."""
        target = resolve(self._tree(), path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
        os.replace(file.name, target)

    def read(self, path: str) -> str:
        """The text of a file of the host, before or after boot. Raises FileNotFoundError."""
        return resolve(self._tree(), path).read_text(encoding="utf-8", errors="replace")

    def exists(self, path: str) -> bool:
        """Whether the host has this path, before or after boot."""
        return resolve(self._tree(), path).exists()

    def remove(self, path: str) -> None:
        """Remove a file of the host, before or after boot; nothing happens when it is not there.

        The last part of ``path`` is not followed, so a link is removed and not what it points to.
        """
        parent, _, name = path.rpartition("/")
        (resolve(self._tree(), parent or "/") / name).unlink(missing_ok=True)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until systemd has finished booting and sshd listens.

        Raises HostError after ``timeout`` seconds, or when a unit failed; the message names the units and shows the end
        of the console.
        """
        deadline = time.monotonic() + timeout
        while not self.exists("/run/systemd/private"):
            self._expect_time(deadline, "systemd did not come up")
            time.sleep(0.02)
        left = max(1.0, deadline - time.monotonic())
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=left).stdout.strip()
        while state in ("initializing", "starting", "offline", ""):
            # systemctl gives up at once when the bus is not there yet.
            self._expect_time(deadline, f"systemd stayed in state {state or 'unknown'}")
            time.sleep(0.05)
            state = self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=left).stdout.strip()
        if state != "running":
            failed = self.run(["systemctl", "--failed", "--plain", "--no-legend"], check=False).stdout.strip()
            raise HostError(f"{self.name}: booted to state {state}; failed units: {failed or 'none'}{self._tail()}")
        while not self._listens(22):
            self._expect_time(deadline, "sshd does not listen")
            time.sleep(0.02)

    def _expect_time(self, deadline: float, problem: str) -> None:
        if not self.running:
            raise HostError(f"{self.name}: the host ended while it booted{self._tail()}")
        if time.monotonic() > deadline:
            raise HostError(f"{self.name}: {problem} in time{self._tail()}")

    def _listens(self, port: int) -> bool:
        # proc_pid_net(5): local address:port in hexadecimal, state 0A is LISTEN.
        assert self.leader is not None
        lines = Path(f"/proc/{self.leader.pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        return any(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A" for line in lines)

    def _tail(self) -> str:
        try:
            lines = self.console.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        except FileNotFoundError:
            return ""
        return "".join(f"\n  console: {line}" for line in lines)

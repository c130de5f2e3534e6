"""The processes of a running lab host, with the numbers they have inside it."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.lab.fog import layout
from tests.lab.host import Host, HostError

T = TypeVar("T")


class Running(NamedTuple):
    """A process: its id and its parent's inside the host, its state letter and its command line."""

    pid: int
    parent: int
    state: str
    argv: tuple[str, ...]


def running(host: Host) -> list[Running]:
    """Every process of the host that has a command line. Raises HostError when the host is not running."""
    if host.leader is None or not host.running:
        raise HostError(f"{host.name} is not running")
    found = []
    for folder in Path(f"/proc/{host.leader.pid}/root/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            argv = (folder / "cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if argv != [""]:
            found.append(Running(int(folder.name), int(fields[1]), fields[0], tuple(argv)))
    return sorted(found)


def daemon(host: Host) -> Running | None:
    """The stand-in's parent process."""
    found = [process for process in running(host) if layout.DAEMON in process.argv]
    pids = {process.pid for process in found}
    return next((process for process in found if process.parent not in pids), None)


def child(host: Host) -> Running | None:
    """The stand-in's forked child. A dead one that its parent has not waited for has no command line any more."""
    parent = daemon(host)
    if parent is None:
        return None
    return next(
        (process for process in running(host) if process.parent == parent.pid and layout.DAEMON in process.argv), None
    )


def _is_sender(argv: tuple[str, ...]) -> bool:
    words = argv[2:3] if argv[:2] == ("sh", "-c") else argv[:1]
    return any("udp-sender " in f"{word} " for word in words)


def senders(host: Host, port: int | None = None) -> list[Running]:
    """The ``sh -c`` and udp-sender processes, of one base port or all, parents first."""
    found = [process for process in running(host) if _is_sender(process.argv)]
    if port is not None:
        found = [process for process in found if f"--portbase {port} " in " ".join(process.argv) + " "]
    return found


def send_signal(host: Host, pid: int, number: signal.Signals) -> None:
    """Send a signal to a process of the host. Raises HostError when there is no such process."""
    host.run(["kill", f"-{number.name.removeprefix('SIG')}", str(pid)])


def kill_senders(host: Host) -> None:
    """Kill every udp-sender of the host, shells first so that none starts its next file."""
    for _ in range(20):
        found = senders(host)
        if not found:
            return
        host.run(["kill", "-KILL", *(str(process.pid) for process in found)], check=False)
        time.sleep(0.02)
    raise HostError(f"{host.name}: udp-sender does not end: {senders(host)}")


def wait_for(what: str, probe: Callable[[], T | None], timeout: float = 60.0) -> T:
    """The first result of ``probe`` that is true, asked every 50 ms.

    Raises HostError that says ``what`` was waited for after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = probe()
        if result:
            return result
        if time.monotonic() > deadline:
            raise HostError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(0.05)


def tree_path(host: Host, path: str) -> Path:
    """A file of the running host as seen from the machine. Raises HostError when the host is not running."""
    if host.leader is None or not host.running:
        raise HostError(f"{host.name} is not running")
    return Path(os.path.join(f"/proc/{host.leader.pid}/root", path.lstrip("/")))

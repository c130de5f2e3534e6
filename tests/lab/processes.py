"""Processes the lab started: known by process id and start time, so a reused id is never taken for one of them."""

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """A process: ``pid`` and ``start`` (clock ticks after boot, field 22 of /proc/PID/stat, proc(5))."""

    pid: int
    start: int


def boot_id() -> str:
    """The id of this boot of the machine: recorded process ids mean nothing after another one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def identify(pid: int) -> Process | None:
    """The process that has this id now; None when there is none (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else Process(pid, int(fields[19]))


def alive(process: Process) -> bool:
    """Whether exactly this process still runs."""
    return identify(process.pid) == process


def kill(process: Process, sig: signal.Signals = signal.SIGKILL) -> bool:
    """Send ``sig`` to exactly this process; False when it is already gone."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return False
    try:
        # The descriptor is opened before the start time is compared, so the id cannot change hands in between.
        if not alive(process):
            return False
        signal.pidfd_send_signal(descriptor, sig)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)


def wait_gone(processes: Iterable[Process], timeout: float) -> list[Process]:
    """Wait until the processes have ended, at most ``timeout`` seconds; return those that still run."""
    deadline = time.monotonic() + timeout
    rest = []
    for process in processes:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process.pid)
            try:
                while alive(process) and time.monotonic() < deadline:
                    select.select([descriptor], [], [], min(0.2, max(0.0, deadline - time.monotonic())))
            finally:
                os.close(descriptor)
        if alive(process):
            rest.append(process)
    return rest


def init_of(supervisor: Process) -> Process | None:
    """The process 1 of the container that ``supervisor`` (systemd-nspawn) runs; None while there is none."""
    try:
        children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    for child in map(int, children):
        with suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{child}/status").read_text(encoding="utf-8", errors="replace").splitlines():
                # Outside and inside id: the namespace's first process is number 1 inside (proc(5), NSpid).
                if line.startswith("NSpid:") and line.split()[-1] == "1" and len(line.split()) > 2:
                    return identify(child)
    return None

"""Control groups: each host gets its own, in every hierarchy that systemd uses on this machine."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tests.lab.mounts import Mount
from tests.lab.processes import Process, identify


def hierarchies(mounts: Sequence[Mount]) -> list[Path]:
    """The roots a host needs a group in: cgroup v2, and v1's ``name=systemd`` where the machine has it (hybrid).

    Empty when there is no cgroup v2 hierarchy: then this machine cannot carry hosts with a current systemd.
    """
    unified = [mount.path for mount in mounts if mount.kind == "cgroup2"]
    named = [mount.path for mount in mounts if mount.kind == "cgroup" and "name=systemd" in mount.options]
    return [*dict.fromkeys([*unified[:1], *named[:1]])] if unified else []


def members(group: Path) -> list[Process]:
    """The processes in ``group`` and below."""
    found = []
    for folder, _, _ in os.walk(group):
        with suppress(FileNotFoundError, OSError):
            for pid in map(int, Path(folder, "cgroup.procs").read_text(encoding="ascii").split()):
                process = identify(pid)
                if process is not None:
                    found.append(process)
    return found


def enter(group: Path, pid: int) -> None:
    """Move a process into ``group``."""
    Path(group, "cgroup.procs").write_text(str(pid), encoding="ascii")


def remove(group: Path, timeout: float = 5.0) -> None:
    """Remove ``group`` and those below; it may stay busy for a moment after its last process has gone.

    Raises OSError when it is still busy after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            for folder, _, _ in os.walk(group, topdown=False):
                with suppress(FileNotFoundError):
                    Path(folder).rmdir()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)

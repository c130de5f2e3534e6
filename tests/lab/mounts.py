"""Mounts and control group hierarchies of this machine, read from /proc."""

import re
from pathlib import Path
from typing import NamedTuple

_MOUNTINFO = Path("/proc/self/mountinfo")


class Mount(NamedTuple):
    """One mount: where, its file system type and its super block options (proc_pid_mountinfo(5))."""

    path: Path
    kind: str
    options: tuple[str, ...]


def parse(text: str) -> list[Mount]:
    """The mounts of a mountinfo file, oldest first."""
    found = []
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        path = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), left.split()[4])
        kind, _, options = right.split(" ", 2)
        found.append(Mount(Path(path), kind, tuple(options.split(","))))
    return found


def mounts() -> list[Mount]:
    """What is mounted now."""
    return parse(_MOUNTINFO.read_text(encoding="utf-8"))


def is_mounted(path: Path) -> bool:
    """Whether something is mounted exactly at ``path``."""
    return any(mount.path == path for mount in mounts())

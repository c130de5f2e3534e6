"""What labs share on one machine: kernel limits raised while any lab is up, and put back when the last one is gone.

The record is kept once per machine in /run, because the limits are: two checkouts must not undo each other's. It
vanishes with the last lab.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.lab.locks import locked
from tests.lab.mounts import is_mounted
from tests.lab.processes import boot_id

SHARED = Path("/run/imlab")
_RECORD = SHARED / "machine.json"
_LOCK = SHARED / "machine.lock"
_NETNS = Path("/run/netns")
_INOTIFY = "fs.inotify.max_user_instances"
# Measured: a booted host holds at most 12 inotify instances; the rest is for the machine itself.
_INOTIFY_PER_HOST = 16
_INOTIFY_MACHINE = 64


def _file(name: str) -> Path:
    return Path("/proc/sys", *name.split("."))


def current(name: str) -> int:
    """The value of a kernel parameter now."""
    return int(_file(name).read_text(encoding="ascii"))


def needed(hosts: int) -> Mapping[str, int]:
    """The kernel limits that ``hosts`` booted hosts need. (fs.aio-max-nr is not among them: see image.py.)"""
    return {_INOTIFY: _INOTIFY_MACHINE + hosts * _INOTIFY_PER_HOST}


@contextmanager
def _record() -> Iterator[dict[str, Any]]:
    """The machine's record, locked; saved on leaving, removed when no lab is in it."""
    SHARED.mkdir(mode=0o700, exist_ok=True)
    with locked(_LOCK):
        record = _load()
        yield record
        _save(record)


def _load() -> dict[str, Any]:
    with suppress(FileNotFoundError, ValueError):
        record: dict[str, Any] = json.loads(_RECORD.read_text(encoding="utf-8"))
        if record.get("boot") == boot_id():
            return record
    return {"boot": boot_id(), "labs": {}, "limits": {}, "netns": [_NETNS.exists(), is_mounted(_NETNS)]}


def _save(record: dict[str, Any]) -> None:
    if record["labs"] or record["limits"]:
        new = _RECORD.with_suffix(".new")
        new.write_text(json.dumps(record), encoding="utf-8")
        os.replace(new, _RECORD)
        return
    _RECORD.unlink(missing_ok=True)
    _LOCK.unlink(missing_ok=True)
    with suppress(OSError):
        SHARED.rmdir()


def acquire(lab: str, hosts: int) -> list[str]:
    """Note that ``lab`` runs ``hosts`` hosts and raise what all labs together need; returns what was raised."""
    raised = []
    with _record() as record:
        record["labs"][lab] = hosts
        for name, value in needed(sum(record["labs"].values())).items():
            now = current(name)
            if now < value:
                former = record["limits"].get(name, {}).get("former", now)
                record["limits"][name] = {"former": former, "set": value}
                # On disk before it is done: a killed run must not lose the former value.
                _save(record)
                _file(name).write_text(str(value), encoding="ascii")
                raised.append(f"{name} {now} -> {value}")
    return raised


def release(lab: str) -> list[str]:
    """Note that ``lab`` is gone; after the last one put everything back. Returns what was put back."""
    if not _RECORD.exists():
        return []
    restored = []
    with _record() as record:
        record["labs"].pop(lab, None)
        if not record["labs"]:
            for name, limit in record["limits"].items():
                # A value someone else has set meanwhile is not ours to change.
                if current(name) == limit["set"]:
                    _file(name).write_text(str(limit["former"]), encoding="ascii")
                    restored.append(f"{name} {limit['set']} -> {limit['former']}")
            record["limits"] = {}
            _restore_netns_folder(*record["netns"])
    return restored


def _restore_netns_folder(existed: bool, mounted: bool) -> None:
    # The first "ip netns add" on a machine mounts /run/netns on itself.
    if _NETNS.exists() and not any(_NETNS.iterdir()):
        if not mounted and is_mounted(_NETNS):
            subprocess.run(["umount", str(_NETNS)], check=True)
        if not existed:
            _NETNS.rmdir()

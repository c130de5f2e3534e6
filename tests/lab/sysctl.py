"""What labs share on one machine: kernel limits raised while any lab is up, and put back when the last one is gone.

The record is kept once per machine in /run, because the limits are: two checkouts must not undo each other's. It
vanishes with the last lab.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.lab.locks import locked, run_helper
from tests.lab.mounts import is_mounted
from tests.lab.processes import boot_id

SHARED = Path("/run/imlab")
_INOTIFY = "fs.inotify.max_user_instances"
# Measured: 7 inotify instances per booted host; some to spare, and the rest is for the machine itself.
_INOTIFY_PER_HOST = 10
_INOTIFY_MACHINE = 64


def needed(hosts: int) -> Mapping[str, int]:
    """The kernel limits that ``hosts`` booted hosts need. (fs.aio-max-nr is not among them: see image.py.)"""
    return {_INOTIFY: _INOTIFY_MACHINE + hosts * _INOTIFY_PER_HOST}


class SharedLimits:
    """The machine's record in ``folder`` of which labs are up and which limits were raised for them."""

    def __init__(self, folder: Path = SHARED, proc: Path = Path("/proc/sys"), netns: Path = Path("/run/netns")) -> None:
        self._folder = folder
        self._proc = proc
        self._netns = netns
        self._file = folder / "machine.json"
        self._lock = folder / "machine.lock"

    def current(self, name: str) -> int:
        """The value of a kernel parameter now."""
        return int(self._parameter(name).read_text(encoding="ascii"))

    def _parameter(self, name: str) -> Path:
        return self._proc.joinpath(*name.split("."))

    def labs(self) -> Mapping[str, int]:
        """The labs that are up, each with its number of hosts."""
        labs: Mapping[str, int] = self._load()["labs"]
        return labs

    def acquire(self, lab: str, hosts: int) -> list[str]:
        """Note that ``lab`` runs ``hosts`` hosts and raise what all labs together need; returns what was raised."""
        raised = []
        with self._record() as record:
            record["labs"][lab] = hosts
            for name, value in needed(sum(record["labs"].values())).items():
                now = self.current(name)
                if now < value:
                    former = record["limits"].get(name, {}).get("former", now)
                    record["limits"][name] = {"former": former, "set": value}
                    # On disk before it is done: a killed run must not lose the former value.
                    self._save(record)
                    self._parameter(name).write_text(str(value), encoding="ascii")
                    raised.append(f"{name} {now} -> {value}")
        return raised

    def release(self, lab: str) -> list[str]:
        """Note that ``lab`` is gone; after the last one put everything back. Returns what was put back."""
        if not self._file.exists():
            return []
        restored = []
        with self._record() as record:
            record["labs"].pop(lab, None)
            if not record["labs"]:
                for name, limit in record["limits"].items():
                    # A value someone else has set meanwhile is not ours to change.
                    if self.current(name) == limit["set"]:
                        self._parameter(name).write_text(str(limit["former"]), encoding="ascii")
                        restored.append(f"{name} {limit['set']} -> {limit['former']}")
                record["limits"] = {}
                self._restore_netns_folder(*record["netns"])
        return restored

    @contextmanager
    def _record(self) -> Iterator[dict[str, Any]]:
        """The record, locked; saved on leaving, removed when no lab is in it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self._lock):
            record = self._load()
            yield record
            self._save(record)

    def _load(self) -> dict[str, Any]:
        with suppress(FileNotFoundError, ValueError):
            record: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            if record.get("boot") == boot_id():
                return record
        return {"boot": boot_id(), "labs": {}, "limits": {}, "netns": [self._netns.exists(), is_mounted(self._netns)]}

    def _save(self, record: Mapping[str, Any]) -> None:
        if record["labs"] or record["limits"]:
            new = self._file.with_suffix(".new")
            new.write_text(json.dumps(record), encoding="utf-8")
            os.replace(new, self._file)
            return
        self._file.unlink(missing_ok=True)
        self._lock.unlink(missing_ok=True)
        with suppress(OSError):
            self._folder.rmdir()

    def _restore_netns_folder(self, existed: bool, mounted: bool) -> None:
        # The first "ip netns add" on a machine mounts /run/netns on itself.
        if self._netns.exists() and not any(self._netns.iterdir()):
            if not mounted and is_mounted(self._netns):
                run_helper(["umount", str(self._netns)])
            if not existed:
                self._netns.rmdir()

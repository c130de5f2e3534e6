"""The record of what a lab has made, written before it is made, so that it can be taken away after any interruption."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal["lab", "netns", "mount", "cgroup", "directory", "process", "leader", "ready", "gone"]


class Entry(NamedTuple):
    """One record: ``kind``, the ``host`` it belongs to (empty: the lab itself), its ``name`` (a namespace or a path)
    and, for processes, ``pid`` and ``start`` (clock ticks after boot)."""

    kind: Kind
    host: str = ""
    name: str = ""
    pid: int = 0
    start: int = 0


class Journal:
    """An append-only file, one JSON object per line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def record(self, *entries: Entry) -> None:
        """Append the entries with one write, so that a killed writer leaves whole lines."""
        text = "".join(json.dumps(entry._asdict()) + "\n" for entry in entries)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def entries(self, host: str | None = None) -> list[Entry]:
        """What is recorded and not yet taken away, oldest first; with ``host`` only what belongs to it."""
        kept: list[Entry] = []
        for entry in self._lines():
            if entry.kind == "gone":
                kept = [other for other in kept if other.host != entry.host]
            else:
                kept.append(entry)
        return [entry for entry in kept if host is None or entry.host == host]

    def _lines(self) -> Iterator[Entry]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield Entry(**json.loads(line))
            except ValueError:
                # Only a line torn by a power cut: what it announced had not been made yet.
                continue

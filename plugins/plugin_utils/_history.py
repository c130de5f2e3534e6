# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``history.jsonl``: one line a run, and what comes back again and again.

Only names of hosts, their outcomes and ids of findings are kept: no text from any host.
"""

import fcntl
import json
import os
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import IO, Any, NamedTuple

from ansible_collections.imaging.multicast.plugins.plugin_utils import _files, _report

#: The oldest runs are dropped when there are more lines or bytes than this; half of it is kept then.
MAX_RUNS = 2000
MAX_BYTES = 16 * 2**20
#: Days in which a finding that comes back counts.
DAYS = 30


class Recurrence(NamedTuple):
    """A finding that came ``len(days)`` times on a host within :data:`DAYS`; ``days`` are the days on which it came."""

    host: str
    finding: str
    days: tuple[date, ...]


def run(hosts: Sequence[_report.Host], generated: str, check_mode: bool) -> dict[str, Any]:
    """The line of a run.

    ``clean`` are the hosts that were looked at and had nothing, ``unseen`` those nothing was learnt about. The others
    stand in ``found`` with the ids of their findings before and, where these differ, after.

    :param generated: when the report was made, in ISO 8601 with its offset.
    """
    seen = [(each, _ids(each.before), _ids(each.after)) for each in hosts if not _report.unseen(each)]
    return {
        "version": 1,
        "time": generated,
        "check_mode": check_mode,
        "summary": _report.summary(hosts),
        "clean": [each.name for each, before, after in seen if not before and not after],
        "unseen": [each.name for each in hosts if _report.unseen(each)],
        "found": {
            each.name: {"outcome": each.outcome, "before": before, **({"after": after} if after != before else {})}
            for each, before, after in seen
            if before or after
        },
    }


def _ids(findings: Iterable[_report.Finding]) -> list[str]:
    return sorted({each["id"] for each in _report.serious(list(findings))})


def append(path: str, line: dict[str, Any]) -> None:
    """Append a run. Two writers at once lose nothing: each waits for the other, and a line is written at once.

    :raises OSError: the file cannot be written.
    """
    text = json.dumps(line, sort_keys=True).encode() + b"\n"
    with _locked(path) as file:
        size = file.seek(0, os.SEEK_END)
        torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"  # a writer was killed: its line ends here
        file.write(b"\n" + text if torn else text)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        runs = file.readlines()
        if len(runs) > MAX_RUNS or sum(map(len, runs)) > MAX_BYTES:
            _shorten(path, runs)


def _locked(path: str) -> IO[bytes]:
    while True:
        # Closed by the caller, which gives the lock back.
        file = open(path, "a+b")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            here = os.fstat(file.fileno())
            if os.path.exists(path) and os.path.samestat(here, os.stat(path)):
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # another writer shortened it in the meantime: this is the old file


def _shorten(path: str, runs: list[bytes]) -> None:
    kept: list[bytes] = []
    size = 0
    for line in reversed(runs):
        size += len(line)
        if kept and (len(kept) >= MAX_RUNS // 2 or size > MAX_BYTES // 2):
            break
        kept.append(line)
    _files.replace(path, b"".join(reversed(kept)))


def read(path: str) -> list[dict[str, Any]]:
    """The runs in the file, oldest first. A line that is no run of this version is left out."""
    with open(path, "rb") as file:
        runs = [_parsed(line) for line in file]
    return sorted((each for each in runs if each), key=_time)


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
        if found["version"] != 1 or _time(found).tzinfo is None:
            return None
        names = [*found["clean"], *found["found"]]
        ids = [each for entry in found["found"].values() for each in (*entry["before"], *entry.get("after", ()))]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return found if all(isinstance(each, str) for each in names + ids) else None


def _time(found: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(found["time"])


def recurrences(runs: Sequence[dict[str, Any]], now: str) -> list[Recurrence]:
    """What came at least twice within :data:`DAYS` before ``now`` (ISO 8601), most often first.

    A finding comes when it is there before a run, and was not left there by the last run that looked at the host. One
    that simply stays, whether or not it is looked at every hour, came once.
    """
    until = datetime.fromisoformat(now)
    since = until - timedelta(days=DAYS)
    left: dict[str, set[str]] = {}
    came: dict[tuple[str, str], list[date]] = {}
    for each in runs:
        when = _time(each)
        if when > until:
            continue
        for name in each["clean"]:
            left[name] = set()
        for name, entry in each["found"].items():
            fresh = set(entry["before"]) - left.get(name, set())
            left[name] = set(entry.get("after", entry["before"]))
            if when > since:
                for finding in sorted(fresh):
                    came.setdefault((name, finding), []).append(when.astimezone(until.tzinfo).date())
    found = [Recurrence(host, finding, tuple(days)) for (host, finding), days in came.items() if len(days) > 1]
    return sorted(found, key=lambda each: (-len(each.days), each.finding, each.host))


def in_words(count: int) -> str:
    """``second``, ``third``, ... ``13th``."""
    words = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
    if count < len(words):
        return words[count]
    ending = "th" if 10 <= count % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(count % 10, "th")
    return f"{count}{ending}"

"""The recorded cases of a real FOG and what the stand-in must write in the same situations.

The recordings are not part of this project: ``sample`` finds them beside the checkout. The expected lines below are
written out here, so that the stand-in is held against them everywhere; where the recordings are at hand, another test
holds these lines against the recordings.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "facts" / "fog-samples"

READY = "Interface Ready with IP Address: ADDRESS"
NOTHING = " * No new tasks found"
NOT_MASTER = " | This is not the master node"
RUNNING = "TASK is already running with pid: PID"
GONE = "TASK is no longer running"
NEW = "TASK is new"
START = (
    READY,
    " * Starting MulticastManager Service",
    " * Checking for new items every N seconds",
    " * Starting service loop",
)
PICK_UP = (
    NEW,
    "TASK image file found, file: PATH",
    "TASK N clients found",
    "TASK sending on base port PORT",
    " | Command: COMMAND",
    "TASK has started",
)
COMPLETED = ("TASK has been completed", "TASK has been killed", "TASK is now completed")
MASTER_LOG = (
    "FOGMulticastManager child process (PID) is running.",
    "FOGMulticastManager child process (PID) exited with code 1.",
    "FOGMulticastManager forked child process (PID).",
    "FOGMulticastManager child process (PID) is running.",
)
# What udp-sender says of one file with two receivers, as far as it is the same every time.
UDPCAST_FILE = (
    "Udp-sender VERSION",
    "Using mcast address ADDRESS",
    "UDP sender for PATH at ADDRESS on NIC",
    "Broadcasting control to ADDRESS",
    "New connection from ADDRESS",
    "New connection from ADDRESS",
    "Starting transfer",
    "Transfer complete.",
    "Disconnecting",
    "Disconnecting",
)


class Case(NamedTuple):
    """A recorded case: its number, the lines it comes down to, and whether only its last session counts."""

    number: str
    lines: Sequence[str]
    last_session: bool = False


CLIENTS_NEVER_REPORTED = Case("01-", (*START, NOTHING, *PICK_UP, RUNNING, GONE))
HEALTHY = Case("34-", (*START, *PICK_UP, RUNNING, GONE, *COMPLETED, NOTHING))
CANCELLED = Case("04-", (*PICK_UP, RUNNING, NOTHING), last_session=True)
TASK_CANCELLED = Case(
    "05b-", (*PICK_UP, RUNNING, "TASK has been cancelled", "TASK is now cancelled", NOTHING), last_session=True
)
PURGED = Case("06-", (*PICK_UP, NOTHING), last_session=True)
NO_MASTER = Case("08-", (*START, *PICK_UP, GONE, NOTHING, NOT_MASTER))
MASTER_IS_NAS = Case("10-", (*START, NOT_MASTER))
ONLY_NAS = Case("11-", ("Interface not ready, waiting for it to come up: ADDRESS",))
NIC_RENAMED = Case("13-", (*START, *PICK_UP, RUNNING))
IMAGE_MISSING = Case("16-", (*START, NOTHING, " | Unable to find image path", NOTHING))
DISABLED = Case("17-", (*START, " * Multicast service is globally disabled"))
NO_SENDER = Case("20-", (" * Unable to locate udp-sender!.",))
# 24 (PHP 8 ends an old FOG's child) is not played: the stand-in has no PHP.
CASES = (
    *(CLIENTS_NEVER_REPORTED, HEALTHY, CANCELLED, TASK_CANCELLED, PURGED, NO_MASTER, MASTER_IS_NAS, ONLY_NAS),
    *(NIC_RENAMED, IMAGE_MISSING, DISABLED, NO_SENDER),
)

_LINE = re.compile(r"\[\d\d-\d\d-\d\d \d{1,2}:\d\d:\d\d [ap]m\] (.*)")
_PLACES = (
    (r"\| Task ID: \d+ Name: .*? (?=is |has |image |sending |\d+ clients? )", "TASK "),
    (r"^ TASK", "TASK"),
    (r"with pid: \d+", "with pid: PID"),
    (r"(Command): .*", r"\1: COMMAND"),
    (r"every \d+ seconds", "every N seconds"),
    (r"base port \d+", "base port PORT"),
    (r"file: \S+", "file: PATH"),
    (r"\d+ clients found", "N clients found"),
    (r"\d+\.\d+\.\d+\.\d+", "ADDRESS"),
)


def sample(pattern: str) -> str:
    """The text of the one recording that fits ``pattern``; the test is skipped where there are none."""
    found = sorted(SAMPLES.glob(pattern))
    if not found:
        pytest.skip(f"the recorded cases are not there: {SAMPLES}/{pattern}")
    return found[0].read_text(encoding="utf-8")


def normalised(text: str) -> list[str]:
    """The lines of a multicast.log without time, names, numbers, banner and repetitions of the line before."""
    lines: list[str] = []
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or not match.group(1):
            continue
        found = match.group(1)
        for pattern, place in _PLACES:
            found = re.sub(pattern, place, found)
        if lines[-1:] != [found]:
            lines.append(found)
    return lines


def after_last_new(lines: Sequence[str]) -> list[str]:
    """From where the last session was taken up."""
    last = max(number for number, line in enumerate(lines) if line == NEW)
    return list(lines[last:])


def udpcast(text: str) -> list[str]:
    """The lines of an udpcast log that are the same for every transfer of a file to two receivers."""
    lines = []
    for line in re.sub(r"(?m)^\[.*?\] Task started", "", text).splitlines():
        found = re.sub(r"\d+\.\d+\.\d+\.\d+", "ADDRESS", line.strip(" \r\a"))
        for pattern, place in (
            (r"^Udp-sender \d+$", "Udp-sender VERSION"),
            (r"^UDP sender for \S+ at ADDRESS on \S+$", "UDP sender for PATH at ADDRESS on NIC"),
            (r"^New connection from ADDRESS .*", "New connection from ADDRESS"),
            (r"^Starting transfer.*", "Starting transfer"),
            (r"^Disconnecting .*", "Disconnecting"),
        ):
            found = re.sub(pattern, place, found)
        if found in UDPCAST_FILE:
            lines.append(found)
    return lines


def master(text: str) -> list[str]:
    """The lines of servicemaster.log without time and process ids."""
    return [re.sub(r"\(\d+\)", "(PID)", match.group(1)) for match in map(_LINE.fullmatch, text.splitlines()) if match]


def compare(found: Sequence[str], expected: Sequence[str]) -> None:
    """Fail unless ``found`` begins with the expected lines and goes on with none but these."""
    assert list(found[: len(expected)]) == list(expected)
    assert set(found) <= set(expected)

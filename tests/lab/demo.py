"""The demonstration behind ``make repair`` and ``make check``: the lab's fleet, broken, repaired, and repaired again.

Usage: python -m tests.lab.demo repair|check [options of ansible-playbook]
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.lab.__main__ import DEFAULT_STATE, main
from tests.lab.console import Progress, colour
from tests.lab.lab import Lab

CHECKOUT = Path(__file__).resolve().parents[2]
BROKEN: Mapping[str, Sequence[str]] = {
    "fog1": ("association-orphan", "stale-session"),
    "fog2": ("child-dead",),
    "fog3": ("address-changed",),
    "fog4": ("image-missing",),
    "store1": ("service-stopped",),
    "hn1": ("missing-namespace",),
    "hn2": ("service-disabled",),
}
FIRST = {
    "fog1": "repaired",
    "fog2": "repaired",
    "fog3": "repaired",
    "fog4": "needs_person",
    "store1": "repaired",
    "store2": "healthy",
    "hn1": "repaired",
    "hn2": "repaired",
}
SECOND = {name: "needs_person" if name == "fog4" else "healthy" for name in FIRST}
_CHANGED = re.compile(r"^(?P<host>\S+)\s*: ok=\d+\s+changed=(?P<changed>\d+)", re.MULTILINE)
_COLOUR_CODE = re.compile(r"\033\[[0-9;]*m")


def _report(lab: Lab) -> Path:
    """Where the report of a run goes: that of ``make repair`` where one looks for it, that of a test into its lab."""
    return CHECKOUT / "multicast-report" if lab.name == "default" else lab.folder / "multicast-report"


class Run(NamedTuple):
    """One run of a playbook: its exit code, the outcome and the changed count of each host."""

    code: int
    outcomes: Mapping[str, str]
    changed: Mapping[str, int]


def _title(text: str) -> None:
    print(colour(f"\n== {text}", "bold", sys.stdout), flush=True)


def _playbook(lab: Lab, name: str, options: Sequence[str]) -> Run:
    """Run a playbook on the lab; what it prints is passed on as it comes."""
    report = _report(lab)
    (report / "report.json").unlink(missing_ok=True)
    wanted = ["ansible-playbook", "-i", str(lab.inventory), f"playbooks/{name}.yml"]
    # One receiver and a quarter of the usual bytes prove as much: nobody shall wait a minute here.
    proof = {"multicast_probe_hosts": ["client1"], "fog_multicast_probe_size": 4 * 1024 * 1024}
    variables = json.dumps({"multicast_report_dir": str(report), **proof})
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "1"} if sys.stdout.isatty() else dict(os.environ)
    said = []
    with subprocess.Popen(
        lab.command([*wanted, "--extra-vars", variables, *options]),
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            said.append(_COLOUR_CODE.sub("", line))
    try:
        hosts = json.loads((report / "report.json").read_text(encoding="utf-8"))["hosts"]
    except FileNotFoundError:
        hosts = {}
    changed = {found["host"]: int(found["changed"]) for found in _CHANGED.finditer("".join(said))}
    return Run(process.returncode, {host: str(entry["outcome"]) for host, entry in hosts.items()}, changed)


def _break(lab: Lab) -> bool:
    """Put every fault of BROKEN into its host, the hosts side by side; whether all are in."""

    def put(name: str) -> bool:
        return not any(main(["--lab", lab.name, "break", fault, name]) for fault in BROKEN[name])

    with ThreadPoolExecutor(len(BROKEN)) as pool:
        return all(pool.map(put, BROKEN))


def differences(run: Run, outcomes: Mapping[str, str], changing: bool) -> list[str]:
    """What in a run is not as expected; empty when all is. With ``changing`` the repaired hosts must report changes."""
    found = [
        f"{host}: {run.outcomes.get(host, 'not in the report')} instead of {outcomes.get(host, 'not in the report')}"
        for host in sorted({*outcomes, *run.outcomes})
        if run.outcomes.get(host) != outcomes.get(host)
    ]
    for host, outcome in outcomes.items():
        changes = run.changed.get(host)
        if changes is None:
            found.append(f"{host}: not in Ansible's recap")
        elif (changes > 0) != (changing and outcome == "repaired"):
            found.append(f"{host}: changed={changes}")
    if (run.code != 0) != ("needs_person" in outcomes.values()):
        found.append(f"ansible-playbook ended with {run.code}")
    return found


@contextmanager
def _timed(what: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


def repair(lab: Lab, options: Sequence[str]) -> int:
    """Boot the fleet afresh, break it and repair it twice; 1 when the outcome is not the expected one."""
    _title("A fresh lab: six FOG hosts, a NAS, two clients, two simulated head nodes")
    # Whatever was done to a running lab before, the demonstration begins with healthy hosts.
    if main(["--lab", lab.name, "down"]) or main(["--lab", lab.name, "up"]):
        return 1
    _title("Breaking " + ", ".join(f"{name} ({', '.join(faults)})" for name, faults in BROKEN.items()))
    if not _break(lab):
        return 1
    wrong = []
    for title, outcomes in (("First run", FIRST), ("Second run: nothing left to change", SECOND)):
        _title(title)
        with _timed(title.partition(":")[0]):
            run = _playbook(lab, "repair-multicast", options)
        name = title.partition(":")[0].lower()
        wrong += [f"{name}: {each}" for each in differences(run, outcomes, changing=outcomes is FIRST)]
    _title("Result")
    if options:
        print("With ARGS nothing is compared with what is expected.")
    elif wrong:
        print(colour("not as expected:", "red", sys.stdout), *wrong, sep="\n  ")
        return 1
    else:
        print(
            "As expected: six hosts repaired, one was healthy, and fog4 needs a person, so each run ended non-zero.\n"
            "The second run changed nothing (changed=0 on every host)."
        )
    print(
        "Report: multicast-report/report.html. The lab still runs: make lab-status, make lab-ssh HOST=fog4,\n"
        "make check, make break FAULT=no-master HOST=fog1; make lab-down takes it away."
    )
    return 0


def check(lab: Lab, options: Sequence[str]) -> int:
    """Look at the lab as it is; boots it where it is not up. The playbook's exit code."""
    if main(["--lab", lab.name, "up"]):
        return 1
    return _playbook(lab, "check-multicast", options).code


if __name__ == "__main__":
    if sys.argv[1:2] not in (["repair"], ["check"]):
        sys.exit(__doc__)
    act = repair if sys.argv[1] == "repair" else check
    try:
        sys.exit(act(Lab(DEFAULT_STATE, "default", Progress()), sys.argv[2:]))
    except KeyboardInterrupt:
        sys.exit("interrupted; the lab may still run: make lab-down takes it away")

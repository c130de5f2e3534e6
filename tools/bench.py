"""How fast a healthy fleet is checked: check-multicast.yml beside ping and beside the wiki's look-ups by hand.

Also: fog_multicast_info on a database with 100,000 finished sessions and 1,000,000 tasks beside an empty one.
Everything compared runs in turns on the same hosts; medians and their ratios are printed. Ends with 1 when a target is
missed.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median

from tests.lab.__main__ import DEFAULT_STATE
from tests.lab.__main__ import main as lab_command
from tests.lab.console import Progress
from tests.lab.fog.database import Sql
from tests.lab.host import Host
from tests.lab.lab import Lab

ROOT = Path(__file__).resolve().parents[1]
PING = "ansible -m ping"
CHECK = "check-multicast.yml"
WIKI = "the wiki by hand"
CHECK_AT_MOST = 1.5
WIKI_AT_LEAST = 4.0
HISTORY_AT_MOST = 1.2
MODULE = "fog_multicast_info"
SESSIONS = """
INSERT INTO multicastSessions (msName, msBasePort, msState, msStartDateTime, msCompleteDateTime)
SELECT '', 49152 + 2 * (seq % 8000), 4 + seq % 2, NOW() - INTERVAL seq MINUTE - INTERVAL 2 DAY,
    NOW() - INTERVAL seq MINUTE
FROM seq_1_to_100000
"""
TASKS = """
INSERT INTO tasks (taskName, taskCreateTime, taskCheckIn, taskHostID, taskStateID, taskTypeID)
SELECT 'old', NOW() - INTERVAL 2 DAY - INTERVAL seq SECOND, NOW() - INTERVAL 2 DAY, seq % 500, 4 + seq % 2, 8
FROM seq_1_to_1000000
"""


def in_turns(rounds: int, things: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """Median seconds of each thing; one round more is run first and not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in things}
    for number in range(rounds + 1):
        for name, do in things.items():
            began = time.perf_counter()
            do()
            took = time.perf_counter() - began
            print(f"  {'warm-up' if number == 0 else f'round {number} of {rounds}'}: {name} {took:.2f} s", flush=True)
            if number:
                seconds[name].append(took)
    return {name: median(each) for name, each in seconds.items()}


def verdict(what: str, ratio: float, holds: bool, target: str) -> bool:
    print(f"{what}: {ratio:.2f} (target {target}: {'holds' if holds else 'MISSED'})", flush=True)
    return holds


def fleet(lab: Lab, count: int, rounds: int) -> bool:
    """Ping, check and wiki on ``count`` hosts; whether the targets hold."""
    if lab_command(["--lab", lab.name, "up", "--count", str(count)]):
        sys.exit(1)
    report = json.dumps({"multicast_report_dir": str(lab.folder / "report")})

    def run(*command: str) -> Callable[[], None]:
        def do() -> None:
            argv = lab.command([command[0], "-i", str(lab.inventory), *command[1:]])
            done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

        return do

    took = in_turns(
        rounds,
        {
            PING: run("ansible", "fog_servers", "-m", "ansible.builtin.ping"),
            CHECK: run("ansible-playbook", "playbooks/check-multicast.yml", "--extra-vars", report),
            WIKI: run("ansible-playbook", "tests/bench/wiki-by-hand.yml"),
        },
    )
    print(f"\n{count} hosts, median of {rounds}: " + ", ".join(f"{name} {each:.2f} s" for name, each in took.items()))
    check, wiki = took[CHECK] / took[PING], took[WIKI] / took[CHECK]
    return all(
        [
            verdict(f"{CHECK} / {PING}", check, check <= CHECK_AT_MOST, f"<= {CHECK_AT_MOST}"),
            verdict(f"{WIKI} / {CHECK}", wiki, wiki >= WIKI_AT_LEAST, f">= {WIKI_AT_LEAST}"),
        ]
    )


def keep_module(lab: Lab, host: Host) -> str:
    """Path on the host of the module as Ansible sends it, so that it can be timed there without Ansible's own share."""
    argv = ["ansible", "-i", str(lab.inventory), host.name, "-m", f"imaging.multicast.{MODULE}"]
    environment = {**os.environ, "ANSIBLE_KEEP_REMOTE_FILES": "1"}
    subprocess.run(
        lab.command(argv), cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True
    )
    find = ["find", "/root/.ansible/tmp", "-name", f"AnsiballZ_{MODULE}.py"]
    return host.run(find).stdout.splitlines()[-1]


def history(lab: Lab, rounds: int) -> bool:
    """The info module with and without a long history, on two hosts side by side; whether the target holds."""
    if lab_command(["--lab", lab.name, "up", "--count", "2"]):
        sys.exit(1)
    empty, full = lab.host("fog1"), lab.host("fog2")
    with lab.progress.step("fog2: 100,000 finished sessions and 1,000,000 tasks"):
        Sql(full).batch((SESSIONS,), (TASKS,))

    def run(host: Host) -> Callable[[], None]:
        path = keep_module(lab, host)

        def do() -> None:
            found = json.loads(host.run(["python3", path]).stdout)["findings"]
            if found:
                sys.exit(f"{host.name} is not healthy: {found}")

        return do

    took = in_turns(rounds, {"empty": run(empty), "history": run(full)})
    print(f"\n{MODULE} on the host, median of {rounds}: " + ", ".join(f"{name} {s:.3f} s" for name, s in took.items()))
    ratio = took["history"] / took["empty"]
    return verdict("with history / empty", ratio, ratio <= HISTORY_AT_MOST, f"<= {HISTORY_AT_MOST}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="+", default=[10, 50], help="sizes of the fleet (default: 10 50)")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, of which the median counts (default: 5)")
    options = parser.parse_args()
    lab = Lab(DEFAULT_STATE, "bench", Progress())
    lab.down()
    try:
        held = [fleet(lab, count, options.rounds) for count in sorted(options.hosts)]
        held.append(history(lab, options.rounds))
    finally:
        lab.down()
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())

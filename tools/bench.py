"""How fast a healthy fleet is checked: check-multicast.yml beside ping and beside the wiki's look-ups by hand.

Also: fog_multicast_info on a database with 100,000 finished sessions and 1,000,000 tasks beside an empty one; and the
check of simulated head nodes beside one raw command and beside the same look as separate tasks.
Everything compared runs in turns on the same hosts; medians and their ratios are printed. Ends with 1 when a target is
missed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from extensions.head_nodes.control import Control
from extensions.head_nodes.service import own_addresses
from tests.lab.__main__ import DEFAULT_STATE
from tests.lab.__main__ import main as lab_command
from tests.lab.console import Progress
from tests.lab.fog.database import Sql
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.windows.site import Site

ROOT = Path(__file__).resolve().parents[1]
PING = "ansible -m ping"
CHECK = "check-multicast.yml"
WIKI = "the wiki by hand"
CHECK_AT_MOST = 1.5
WIKI_AT_LEAST = 4.0
HISTORY_AT_MOST = 1.2
MODULE = "fog_multicast_info"
RAW = "ansible -m raw"
RAW_PLAY = "one raw task"
LOOK = "ansible -m wds_multicast_info"
TASKS_BY_HAND = "separate tasks"
LATENCIES = (0.0, 0.5)
RAW_AT_MOST = 1.3
REQUESTS = 5
VERSION = "cmd.exe /c ver"
STARTUP = 60.0
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


def fog(counts: Sequence[int], rounds: int) -> bool:
    """The FOG part; whether the targets hold."""
    lab = Lab(DEFAULT_STATE, "bench", Progress())
    lab.down()
    try:
        held = [fleet(lab, count, rounds) for count in sorted(counts)]
        held.append(history(lab, rounds))
    finally:
        lab.down()
    return all(held)


class HeadNodes(NamedTuple):
    """Healthy simulated head nodes in a process of their own."""

    folder: Path
    site: Site
    control: Control
    names: tuple[str, ...]


@contextmanager
def head_nodes(count: int) -> Iterator[HeadNodes]:
    """Run ``count`` healthy head nodes; their load is not this process's."""
    with tempfile.TemporaryDirectory(prefix="imbench-") as name:
        folder = Path(name)
        addresses = {f"hn{number}": address for number, address in enumerate(own_addresses(count), 1)}
        wanted = [
            {"name": each, "address": address, "builder": "head_node", "arguments": {"baseline": True}}
            for each, address in addresses.items()
        ]
        (folder / "nodes.json").write_text(json.dumps(wanted), encoding="utf-8")
        # Basic needs no requests of its own to log in, as NTLM does, and costs the nodes' process the least.
        site = Site(folder, addresses, {"ansible_winrm_transport": "basic"})
        files = [f"--{each}={folder / each}" for each in ("socket", "ready-file")]
        serve = [sys.executable, "-m", "extensions.head_nodes", "serve", f"--nodes={folder / 'nodes.json'}", *files]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(serve, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + STARTUP
            while not (folder / "ready-file").exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the simulated head nodes did not start:\n{(folder / 'log').read_text()}")
                time.sleep(0.05)
            yield HeadNodes(folder, site, Control(folder / "socket"), tuple(addresses))
        finally:
            process.terminate()
            process.wait()


def head_node_command(nodes: HeadNodes, *command: str) -> Callable[[], None]:
    """What runs an Ansible command on the nodes, and ends the benchmark where it fails."""
    argv = nodes.site.command([command[0], "-i", str(nodes.site.inventory), *command[1:]])
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}"

    def do() -> None:
        done = subprocess.run(
            argv, cwd=ROOT, env={**os.environ, "PATH": path}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")

    return do


def requests(nodes: HeadNodes, check: Callable[[], None]) -> bool:
    """Whether a healthy check costs each node exactly the requests it may, and leaves nothing behind."""
    nodes.control.clear()
    check()
    status = nodes.control.status()
    strange = {
        name: each
        for name, each in status.items()
        if each["counts"]["http"] != REQUESTS or each["refused"] or each["writes"] or each["open_shells"]
    }
    for name, each in strange.items():
        print(f"{name}: {json.dumps(each, indent=1)}", flush=True)
    most = max(each["counts"]["http"] for each in status.values())
    return verdict("HTTP requests per healthy head node", most, not strange, f"exactly {REQUESTS}")


def wds(count: int, rounds: int) -> bool:
    """The check of ``count`` head nodes at each latency beside its yardsticks; whether the targets hold.

    Two floors are printed: ``ansible -m raw``, which the target is set by, and a playbook with one raw task, which has
    the start-up of ansible-playbook too. The look alone has neither that nor a report. ``ver`` is a command of cmd.exe,
    not of the PowerShell that raw speaks to.
    """
    held = []
    with head_nodes(count) as nodes:
        report = json.dumps({"multicast_report_dir": str(nodes.folder / "report")})
        check = head_node_command(nodes, "ansible-playbook", "playbooks/check-multicast.yml", "--extra-vars", report)
        things = {
            RAW: head_node_command(nodes, "ansible", "hpc_head_nodes", "-m", "ansible.builtin.raw", "-a", VERSION),
            RAW_PLAY: head_node_command(nodes, "ansible-playbook", "tests/bench/wds-raw.yml"),
            LOOK: head_node_command(nodes, "ansible", "hpc_head_nodes", "-m", "imaging.multicast.wds_multicast_info"),
            CHECK: check,
            TASKS_BY_HAND: head_node_command(nodes, "ansible-playbook", "tests/bench/wds-by-task.yml"),
        }
        for latency in LATENCIES:
            for name in nodes.names:
                nodes.control.set(name, latency=latency)
            took = in_turns(rounds, things)
            shown = ", ".join(f"{name} {each:.2f} s" for name, each in took.items())
            print(f"\n{count} head nodes, latency {latency} s, median of {rounds}: {shown}")
            ratio = took[CHECK] / took[RAW]
            held.append(verdict(f"{CHECK} / {RAW}", ratio, ratio <= RAW_AT_MOST, f"<= {RAW_AT_MOST}"))
            print(f"{LOOK} / {RAW}: {took[LOOK] / took[RAW]:.2f}")
            print(f"{CHECK} / {RAW_PLAY}: {took[CHECK] / took[RAW_PLAY]:.2f}")
            print(f"{TASKS_BY_HAND} / {CHECK}: {took[TASKS_BY_HAND] / took[CHECK]:.2f}", flush=True)
        held.append(requests(nodes, check))
    return all(held)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["fog", "wds"], help="one of the two parts alone")
    parser.add_argument(
        "--hosts", type=int, nargs="+", default=[10, 50], help="sizes of the FOG fleet (default: 10 50)"
    )
    parser.add_argument(
        "--head-nodes", type=int, nargs="+", default=[1, 10, 50], help="numbers of head nodes (default: 1 10 50)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each, of which the median counts (default: 5)")
    options = parser.parse_args()
    held = []
    if options.only != "wds":
        held.append(fog(options.hosts, options.rounds))
    if options.only != "fog":
        held += [wds(count, options.rounds) for count in sorted(options.head_nodes)]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())

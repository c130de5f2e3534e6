"""The simulated head nodes of a lab: one process in the lab's network, which ends with the lab."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from extensions.head_nodes import nodes
from extensions.head_nodes.control import FAULTS, Control, ControlError
from tests.lab.lab import Lab, LabError

#: As ``python -m extensions.head_nodes serve`` wants them. The incident's Windows, and a later one in another language.
NODES: tuple[Mapping[str, Any], ...] = (
    {
        "name": "hn1",
        "address": "127.10.0.1",
        "builder": "head_node",
        "arguments": {"build": 6002, "language": "en", "powershell": "2.0", "baseline": True},
    },
    {
        "name": "hn2",
        "address": "127.10.0.2",
        "builder": "head_node",
        "arguments": {"build": 17763, "language": "de", "baseline": True},
    },
)
_CHECKOUT = Path(__file__).resolve().parents[2]
_START_SECONDS = 60.0


def names() -> list[str]:
    """The nodes' names."""
    return [str(node["name"]) for node in NODES]


def faults() -> dict[str, str]:
    """What can be done to a node, by name, with a line that tells it."""
    own = {name: text for name, (text, _do) in FAULTS.items()}
    return {**own, **{name: (do.__doc__ or "").strip().partition("\n")[0] for name, do in nodes.FAULTS.items()}}


def control(lab: Lab) -> Control:
    """What breaks and shows the nodes of a lab that is up."""
    return Control(lab.control / "head-nodes.sock")


def running(lab: Lab) -> bool:
    """Whether the nodes of the lab answer."""
    try:
        control(lab).status()
    except ControlError:
        return False
    return True


def start(lab: Lab) -> None:
    """Start the nodes of a lab that is up, unless they run, and put them into its inventory. Raises LabError."""
    if running(lab):
        return
    file, log = lab.folder / "head-nodes.json", lab.folder / "head-nodes.log"
    file.write_text(json.dumps(NODES, indent=1), encoding="utf-8")
    serve = [sys.executable, "-m", "extensions.head_nodes", "serve", "--nodes", str(file)]
    with lab.progress.step(f"starting the simulated head nodes {', '.join(names())}"), log.open("wb") as output:
        process = subprocess.Popen(
            lab.command([*serve, "--socket", str(lab.control / "head-nodes.sock")]),
            cwd=_CHECKOUT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + _START_SECONDS
        while not running(lab):
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                process.wait()
                raise LabError(f"the simulated head nodes did not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
    # It goes on without this process, and ends with the lab's control group.
    process.returncode = 0
    lab.put_into_inventory({str(node["name"]): str(node["address"]) for node in NODES})


def rows(lab: Lab) -> list[tuple[str, ...]]:
    """The nodes for the status table: host, kind, build, address, state, whether it answers; none when they are off."""
    try:
        found = control(lab).status()
    except ControlError:
        return []
    return [
        (
            str(node["name"]),
            "head_node",
            str(node["arguments"]["build"]),
            str(node["address"]),
            "running" if found[node["name"]]["accepts"] else "stopped",
            "winrm" if found[node["name"]]["accepts"] else "no",
        )
        for node in NODES
    ]

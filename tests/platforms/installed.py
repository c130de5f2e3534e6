"""The collection as a user has it, and a small broken fleet to run it on."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab import controller, headnodes
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.lab import Lab
from tests.lab.scenes import stale
from tests.project.tree import environment, run


class Installed:
    """The collection, installed from its archive into a private folder, used from a foreign one.

    ``programs`` is the ``bin`` folder of the Ansible that does both.
    """

    def __init__(self, archive: Path, folder: Path, programs: Path) -> None:
        self.programs = programs
        self.folder = folder / "elsewhere"
        self.folder.mkdir()
        self.collections = folder / "collections"
        self.tree = self.collections / "ansible_collections" / "imaging" / "multicast"
        self.environment = environment(
            ANSIBLE_COLLECTIONS_PATH=str(self.collections),
            ANSIBLE_HOME=str(folder / "ansible"),
            ANSIBLE_NOCOLOR="1",
            HOME=str(folder / "home"),
            LC_ALL="C.UTF-8",
            # Nothing of .venv; only what Debian has, such as the ssh client.
            PATH=f"{programs}:{os.defpath}:/usr/sbin:/sbin",
        )
        (folder / "home").mkdir()
        self.run("ansible-galaxy", "collection", "install", archive, "--offline")

    def run(self, program: str, *arguments: str | Path, through: Sequence[str] = ()) -> str:
        """What a program of Ansible says in the foreign folder; ``through`` stands before its command line.

        Fails the test where it fails, warns or shows a traceback.
        """
        said = run(*through, self.programs / program, *arguments, cwd=self.folder, env=self.environment)
        controller.assert_quiet(said)
        return said

    def repair(self, fleet: "Fleet", *options: str) -> dict[str, Any]:
        """Run the main playbook by its name on a fleet; the hosts of its report."""
        limit = ("--limit", ",".join(fleet.hosts))
        words = ("-vv", *fleet.inventories, *limit, "imaging.multicast.repair_multicast", *options)
        said = self.run("ansible-playbook", *words, through=fleet.lab.command([]))
        # Every task tells the file it stands in.
        used = {line.split(": ", 1)[1] for line in said.splitlines() if line.startswith("task path: ")}
        assert used
        assert all(path.startswith(f"{self.tree}/") for path in used), used
        report = json.loads((self.folder / "multicast-report" / "report.json").read_text())
        hosts: dict[str, Any] = report["hosts"]
        return hosts


class Fleet(NamedTuple):
    """A lab and some of its hosts; ``inventories`` are options of Ansible."""

    lab: Lab
    hosts: tuple[str, ...]
    inventories: tuple[str | Path, ...]


@contextmanager
def broken(lab: Lab, boot: Boot, folder: Path, nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[Fleet]:
    """fog1 with a stale session, and simulated head nodes without namespace: ``nodes`` has their variables by name."""
    with borrowed(lab, boot, "fog1") as (host,):
        headnodes.start(lab)
        machines = headnodes.control(lab)
        stale(host, host, "stale")
        for name in nodes:
            machines.break_(name, "missing-namespace")
        more = folder / "more.json"
        more.write_text(json.dumps({"all": {"hosts": nodes}}))
        yield Fleet(lab, (host.name, *nodes), ("-i", lab.inventory, "-i", more))
        refused = {name: machines.status(name)["refused"] for name in nodes}
        assert not any(refused.values()), refused

"""Head nodes for one test: simulated ones in this process, reached by real Ansible over real pywinrm or pypsrp."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import Machine
from extensions.head_nodes.service import Service, own_addresses
from extensions.head_nodes.tls import Authority
from extensions.head_nodes.wsman import Node, Settings
from tests.lab import controller
from tests.lab.windows.site import Named, Site


class HeadNodes:
    """Head nodes that run. ``machines`` and ``nodes`` are by name; ``ca_file`` holds the certificate to trust."""

    def __init__(self, folder: Path, authority: Authority, variables: Mapping[str, Any]) -> None:
        self.machines: dict[str, Machine] = {}
        self.nodes: dict[str, Node] = {}
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_text(authority.pem, encoding="ascii")
        self._folder = folder
        self._variables = variables
        self.site: Site

    def add(self, name: str, arguments: Mapping[str, Any], settings: Mapping[str, Any]) -> Node:
        """Build a node; see ``nodes.head_node`` and ``wsman.Settings`` for what can be given."""
        machine = nodes.build(name, "head_node", arguments)
        self.machines[name] = machine
        self.nodes[name] = Node(name, machine, Settings().changed(settings))
        return self.nodes[name]

    def listen(self, addresses: Mapping[str, str], variables: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the inventory; ``variables`` by node win over those of the group."""
        self.site = Site(self._folder, addresses, self._variables, variables)

    def module(self, host: str, name: str, /, *options: str, check: bool = True, **arguments: Any) -> dict[str, Any]:
        """The result of a module of the collection (see tests.lab.controller.module); ``options`` go to ansible."""
        with self.untouched(name, options):
            return controller.module(self.site, Named(host), name, *options, arguments=arguments, check=check)

    def start(self, host: str, name: str, /, *options: str, **arguments: Any) -> controller.Started:
        """Start a module of the collection; ``options`` go to ansible."""
        return controller.start(self.site, Named(host), name, *options, arguments=arguments)

    def playbook(self, name: str, *options: str, hosts: tuple[str, ...] = (), **variables: Any) -> controller.Run:
        """Run a playbook of the collection on ``hosts``, by default all; ``options`` go to ansible-playbook."""
        with self.untouched(name, options):
            return controller.playbook(self.site, name, hosts or tuple(self.machines), *options, variables=variables)

    @contextmanager
    def untouched(self, name: str, options: Sequence[str]) -> Iterator[None]:
        """What only looks writes to no node: check mode, the info module and the playbook that checks."""
        before = {each: self.writes(each) for each in self.machines}
        yield
        if "--check" in options or name in ("check-multicast", "wds_multicast_info"):
            assert {each: self.writes(each) for each in self.machines} == before

    def assert_tidy(self) -> None:
        """Nothing was asked that the double does not model, and no shell stayed open."""
        for name, node in self.nodes.items():
            assert node.refused == [], f"{name} refused: {node.refused}"
            assert node.shells == {}, f"{name}: shells stayed open"

    def writes(self, name: str) -> list[str]:
        """Every mutation of a node so far, a line each."""
        return list(self.machines[name].writes)


Heads = Callable[..., HeadNodes]


@pytest.fixture(scope="session")
def wds_authority() -> Authority:
    return Authority()


@pytest.fixture
def heads(wds_authority: Authority, tmp_path: Path) -> Iterator[Heads]:
    """``heads({"hn1": {"build": 6002, "faults": ["missing-namespace"]}})`` runs those nodes until the test ends.

    ``settings`` are those of wsman.Settings for all of them, ``variables`` those of the inventory's group; a node's own
    stand under ``variables`` in its entry. The test fails when a node was asked for what it does not model, or a shell
    stayed open.
    """
    with ExitStack() as running:
        made: list[HeadNodes] = []

        def make(
            wanted: Mapping[str, Mapping[str, Any]],
            settings: Mapping[str, Any] | None = None,
            variables: Mapping[str, Any] | None = None,
        ) -> HeadNodes:
            assert not made, "one fleet a test: all of a process share its addresses"
            fleet = HeadNodes(tmp_path, wds_authority, variables or {})
            made.append(fleet)
            addresses = dict(zip(wanted, own_addresses(len(wanted)), strict=True))
            own = {name: what.get("variables", {}) for name, what in wanted.items()}
            built = {name: {key: what[key] for key in what if key != "variables"} for name, what in wanted.items()}
            placed = [(fleet.add(name, what, settings or {}), addresses[name]) for name, what in built.items()]
            fleet.listen(addresses, own)
            running.enter_context(Service(placed, wds_authority))
            return fleet

        yield make
        for fleet in made:
            fleet.assert_tidy()


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the winrm plugin of ansible warn of a command whose connection broke: true, and not of this project.

    A head node that reboots may be gone before the plugin has tidied up.
    """
    assert_quiet = controller.assert_quiet
    warning = "[WARNING]: Failed to cleanup running WinRM command"
    monkeypatch.setattr(controller, "assert_quiet", lambda output: assert_quiet(output.replace(warning, "")))

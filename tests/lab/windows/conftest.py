"""Fixtures of the simulated head nodes: one node with a fake machine, or many, on addresses of this process's own."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from extensions.head_nodes.service import Service, own_addresses
from extensions.head_nodes.tls import Authority
from extensions.head_nodes.wsman import Node
from tests.lab.windows.fake import FakeMachine


class Simulated(NamedTuple):
    """A node that runs, and how to reach it; ``ca_file`` holds the certificate to trust."""

    node: Node
    machine: FakeMachine
    address: str
    ca_file: str

    @property
    def http(self) -> str:
        return f"http://{self.address}:5985/wsman"

    @property
    def https(self) -> str:
        return f"https://{self.address}:5986/wsman"

    def assert_tidy(self) -> None:
        """Nothing was refused and no shell stayed open."""
        assert self.node.refused == []
        assert self.node.shells == {}


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the machine's own CA files and proxies, which requests would take."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    # requests sets the small one for a moment and deletes it unless it was there: clients side by side would trip.
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "*")


@pytest.fixture
def simulated(authority: Authority, plain_environment: None, tmp_path: Path) -> Iterator[Simulated]:
    """One node that runs."""
    ca_file = tmp_path / "ca.pem"
    ca_file.write_text(authority.pem, encoding="ascii")
    machine = FakeMachine()
    node = Node("HEADNODE", machine)
    address = own_addresses(1)[0]
    with Service([(node, address)], authority):
        yield Simulated(node, machine, address, str(ca_file))

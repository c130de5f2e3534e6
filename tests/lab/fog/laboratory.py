"""What the FOG part needs to know of a lab."""

from collections.abc import Mapping
from typing import Protocol

from tests.lab.fleet import HostSpec
from tests.lab.host import Host, HostError


class Laboratory(Protocol):
    """A lab that is up (``tests.lab.lab.Lab`` is one)."""

    @property
    def fleet(self) -> Mapping[str, HostSpec]:
        """The specifications of its hosts by name."""

    def host(self, name: str) -> Host:
        """The host of this name."""

    @property
    def hosts(self) -> Mapping[str, Host]:
        """All its hosts by name."""


def database_server(lab: Laboratory, host: Host) -> Host:
    """The host with the FOG database that ``host`` uses. Raises HostError when it uses none."""
    if not host.spec.database:
        raise HostError(f"{host.name} is a {host.spec.kind} and uses no FOG database")
    return lab.hosts[host.spec.database]

"""Who is in the lab: the host specifications and the default fleet."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

Kind = Literal["fog_server", "storage_master", "storage", "nas", "client"]

SUITES = ("bookworm", "bullseye", "trixie")
NETWORK_PREFIX = 16
GATEWAY = "10.99.0.1"
DEFAULT_GROUP = "default"
_DATABASE = "mariadb.service"
_MULTICAST = "FOGMulticastManager.service"
# The host's end of its veth pair is "v-NAME", and a Linux interface name has at most 15 characters.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,12}")


class FleetError(ValueError):
    """A fleet was asked for that cannot be built; the message says what is wrong."""


class HostSpec(NamedTuple):
    """One host of the lab.

    ``database`` names the host whose MariaDB holds the FOG database this host uses (its own name on a FOG server, empty
    on a host that has nothing to do with FOG). ``group`` is the storage group. ``services`` are the systemd units of
    the image that run on this host; those not listed are masked.
    """

    name: str
    kind: Kind
    suite: str
    address: str
    fog_version: str = ""
    database: str = ""
    group: str = ""
    services: tuple[str, ...] = ()


Fleet = Mapping[str, HostSpec]


def fog_server(name: str, address: str, suite: str = "bookworm", version: str = "1.5.9") -> HostSpec:
    """A full FOG server with its own database, master of its default storage group."""
    return HostSpec(name, "fog_server", suite, address, version, name, DEFAULT_GROUP, (_DATABASE, _MULTICAST))


def _by_name(specs: Iterable[HostSpec]) -> dict[str, HostSpec]:
    return {spec.name: spec for spec in specs}


DEFAULT_FLEET: Fleet = _by_name(
    (
        fog_server("fog1", "10.99.1.1"),
        fog_server("fog2", "10.99.1.2", suite="bullseye"),
        fog_server("fog3", "10.99.1.3", suite="trixie", version="1.5.10.1867"),
        fog_server("fog4", "10.99.1.4"),
        HostSpec("store1", "storage_master", "bookworm", "10.99.2.1", "1.5.9", "fog1", "store1", (_MULTICAST,)),
        HostSpec("store2", "storage", "bookworm", "10.99.2.2", "1.5.9", "fog1", DEFAULT_GROUP, (_MULTICAST,)),
        HostSpec("nas1", "nas", "bookworm", "10.99.3.1"),
        HostSpec("client1", "client", "bookworm", "10.99.4.1"),
        HostSpec("client2", "client", "bookworm", "10.99.4.2"),
    )
)


def subset(names: Iterable[str], fleet: Fleet = DEFAULT_FLEET) -> dict[str, HostSpec]:
    """The named hosts of ``fleet``, in its order, with the database server each of them needs.

    Raises FleetError when a name is not in the fleet.
    """
    wanted = set(names)
    unknown = sorted(wanted - set(fleet))
    if unknown:
        raise FleetError(f"no such host in the fleet: {', '.join(unknown)}; there are: {', '.join(fleet)}")
    wanted |= {fleet[name].database for name in wanted if fleet[name].database}
    return _by_name(spec for spec in fleet.values() if spec.name in wanted)


def uniform(count: int) -> dict[str, HostSpec]:
    """``count`` healthy FOG servers fog1..fogN of one suite, for measurements.

    Raises FleetError when ``count`` is not between 1 and 1000.
    """
    if not 1 <= count <= 1000:
        raise FleetError(f"cannot boot {count} hosts: give a number from 1 to 1000")
    return _by_name(fog_server(f"fog{i}", f"10.99.{10 + i // 250}.{1 + i % 250}") for i in range(1, count + 1))


def check(fleet: Fleet) -> None:
    """Raise FleetError unless every name, suite, address and database reference of ``fleet`` can be built."""
    addresses: dict[str, str] = {}
    for spec in fleet.values():
        if not _NAME.fullmatch(spec.name):
            raise FleetError(f"host name {spec.name!r}: use a lower case letter, then at most 12 of a-z, 0-9 and -")
        if spec.suite not in SUITES:
            raise FleetError(f"{spec.name}: no image for suite {spec.suite!r}; there are: {', '.join(SUITES)}")
        if spec.database and spec.database not in fleet:
            raise FleetError(f"{spec.name}: its database server {spec.database} is not in the fleet")
        other = addresses.setdefault(spec.address, spec.name)
        if other != spec.name:
            raise FleetError(f"{spec.name} and {other} have the same address {spec.address}")

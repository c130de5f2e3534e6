"""An independent witness of a host's state: what a run must not have altered, read without the code under test."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from tests.lab.host import Host

# Logs grow by themselves and MariaDB's files are compared by the tables' checksums. Bytecode is Python's, not ours.
_FILES = (
    "find /etc /opt/fog /usr/local /usr/sbin /usr/bin /var/backups /var/www /images /root -xdev"
    " -not -path '/opt/fog/log*' -not -name '*.pyc' -not -name __pycache__ -not -path '/root/.ansible*'"
    " -not -path '/etc/mysql/debian*' -printf '%p %y %s %m %U %T@ %l\\n' | LC_ALL=C sort"
)
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'fog' ORDER BY 1"


class State(NamedTuple):
    """Checksums of FOG's tables (empty without a database), FOG's and udp-sender's processes, file tree, links."""

    tables: Mapping[str, str]
    processes: tuple[str, ...]
    files: tuple[str, ...]
    links: str


def _sql(server: Host, text: str) -> list[list[str]]:
    done = server.run(["mariadb", "--batch", "--skip-column-names", "fog"], input=text, check=False)
    return [line.split("\t") for line in done.stdout.splitlines()]


def checksums(server: Host) -> dict[str, str]:
    """Checksum of each table of FOG's database on ``server``; empty when it does not answer."""
    names = [row[0] for row in _sql(server, _TABLES)]
    if not names:
        return {}
    found = _sql(server, "CHECKSUM TABLE " + ", ".join(f"`{name}`" for name in names))
    return {row[0].removeprefix("fog."): row[1] for row in found}


def _processes(listing: Iterable[str]) -> Iterator[str]:
    """FOG's daemon and udp-sender's processes. Not the daemon's children: a crashed one is replaced again and again."""
    for pid, parent, args in (line.split(maxsplit=2) for line in listing):
        if "udp-sender" in args or ("FOGMulticastManager" in args and parent == "1"):
            yield f"{pid} {parent} {args}"


def state(host: Host, server: Host) -> State:
    """What ``host`` looks like now; ``server`` holds its database."""
    return State(
        checksums(server),
        tuple(_processes(host.run(["ps", "-e", "-o", "pid=,ppid=,args="]).stdout.splitlines())),
        tuple(host.run(["sh", "-c", _FILES]).stdout.splitlines()),
        host.run(["ip", "-brief", "address"]).stdout + host.run(["ip", "route"]).stdout,
    )

"""The lab's network: one namespace with a bridge in it, one namespace per host, a veth pair between."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.lab.fleet import GATEWAY, NETWORK_PREFIX
from tests.lab.host import Host
from tests.lab.locks import run_helper

_FOLDER = Path("/run/netns")
INTERFACE = "eth0"


def path(netns: str) -> Path:
    """The file that stands for a named network namespace."""
    return _FOLDER / netns


def _batch(lines: Iterable[str], netns: str = "") -> None:
    run_helper(["ip", *(["-netns", netns] if netns else []), "-batch", "-"], input="\n".join(lines))


def create_bridge(netns: str, bridge: str) -> None:
    """Make the lab's namespace and its bridge, which is the hosts' gateway (it routes nowhere)."""
    _batch([f"netns add {netns}"])
    _batch(
        [
            "link set lo up",
            f"link add {bridge} type bridge mcast_snooping 1",
            f"address add {GATEWAY}/{NETWORK_PREFIX} brd + dev {bridge}",
            f"link set {bridge} up",
        ],
        netns,
    )


def connect(netns: str, bridge: str, hosts: Sequence[Host]) -> None:
    """Make the namespaces of ``hosts``, plug them into the bridge and give them their addresses."""
    _batch(f"netns add {host.netns}" for host in hosts)
    _batch(
        (
            line
            for host in hosts
            for line in (
                f"link add v-{host.name} type veth peer name {INTERFACE} netns {host.netns}",
                f"link set v-{host.name} master {bridge} up",
            )
        ),
        netns,
    )
    for host in hosts:
        # Without the broadcast address udp-receiver sends its first packet to 0.0.0.0.
        _batch(
            [
                "link set lo up",
                f"address add {host.address}/{NETWORK_PREFIX} brd + dev {INTERFACE}",
                f"link set {INTERFACE} up",
                f"route add default via {GATEWAY}",
            ],
            host.netns,
        )


def unplug(netns: str, host: Host) -> None:
    """Take a host's port off the bridge; nothing happens when it is not there.

    It also goes with the host's namespace, but only when the kernel comes to it, and until then its name is taken.
    """
    run_helper(["ip", "-netns", netns, "link", "delete", f"v-{host.name}"], check=False)


def remove(netns: str) -> None:
    """Remove a named namespace with everything in it; nothing happens when it is not there."""
    if path(netns).exists():
        done = run_helper(["ip", "netns", "delete", netns], check=False)
        if done.returncode != 0:
            # Killed between making the file and mounting the namespace on it: a plain file is left.
            path(netns).unlink(missing_ok=True)

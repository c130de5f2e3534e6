"""The network of a lab host as the lab made it, and putting it back after a fault."""

import json
from typing import Any

from tests.lab.fleet import GATEWAY, NETWORK_PREFIX
from tests.lab.fog import layout
from tests.lab.host import Host

# A second NIC that a fault may add: a veth pair with both ends in the host, the second one playing the cable.
SECOND = "mc0"
CABLE = "mc0cable"
RENAMED = "ens18"


def ip(host: Host, *commands: str) -> None:
    """Run ``ip -4`` commands in a host as one batch. Raises HostError."""
    host.run(["ip", "-4", "-batch", "-"], input="\n".join(commands) + "\n")


def shown(host: Host, *words: str) -> list[dict[str, Any]]:
    """What ``ip -json WORDS`` shows."""
    result: list[dict[str, Any]] = json.loads(host.run(["ip", "-json", *words]).stdout or "[]")
    return result


def second_address(host: Host) -> str:
    """The address a host gets on its second NIC."""
    return host.address.replace("10.99.", "10.98.", 1)


def healthy(host: Host) -> bool:
    """Whether the host's only NIC is up with its one address, the multicast flag and the two routes of the lab."""
    links = {link["ifname"]: link for link in shown(host, "address")}
    if layout.NIC not in links or SECOND in links:
        return False
    link = links[layout.NIC]
    addresses = [(a["local"], a["prefixlen"]) for a in link["addr_info"] if a["family"] == "inet"]
    routes = [(route["dst"], route.get("protocol", "boot")) for route in shown(host, "-4", "route")]
    return (
        {"UP", "LOWER_UP", "MULTICAST"} <= set(link["flags"])
        and addresses == [(host.address, NETWORK_PREFIX)]
        and routes == [("default", "boot"), ("10.99.0.0/16", "kernel")]
    )


def reset(host: Host) -> None:
    """Put the host's network back to how the lab made it. Raises HostError."""
    if healthy(host):
        return
    names = {link["ifname"] for link in shown(host, "link")}
    commands = [f"link del {SECOND}"] if SECOND in names else []
    if layout.NIC not in names:
        commands += [f"link set {RENAMED} down", f"link set {RENAMED} name {layout.NIC}"]
    ip(
        host,
        *commands,
        f"link set {layout.NIC} up multicast on",
        f"address flush dev {layout.NIC}",
        f"address add {host.address}/{NETWORK_PREFIX} brd + dev {layout.NIC}",
        f"route flush dev {layout.NIC} proto static",
        f"route replace default via {GATEWAY}",
    )

"""multicast_probe on real hosts over a real bridge: it proves what works, and tells each cause from the others."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from tests.lab import controller
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import processes
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import sender_ids, sending, stale

MODULE = "multicast_probe"
SIZE = 6 * 1024 * 1024
RATE = 40_000_000
RANGE = "49152-65533"
TABLE = "lab_probe"
TIMEOUT = 25
# Asks everybody once a second for their groups, as a querier does, and then stops.
QUERIER = """
import socket, struct, sys, time
line = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
line.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\\x94\\x04\\x00\\x00")
line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
line.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
body = struct.pack("!BBH4s", 0x11, 10, 0xFFFF - (0x11 << 8) - 10, bytes(4))
for _ in range(int(sys.argv[2])):
    line.sendto(body, ("224.0.0.1", 0))
    time.sleep(1)
"""


class Hosts(NamedTuple):
    """A sender and two receivers."""

    fog: Host
    one: Host
    two: Host


class Probe(NamedTuple):
    """The results of all ends and what they mean together."""

    sent: dict[str, Any]
    received: list[dict[str, Any]]
    judged: dict[str, Any]

    def ids(self) -> set[str]:
        """Every finding, infos left out."""
        return {name for one in (self.sent, *self.received, self.judged) for name in controller.finding_ids(one)}

    def of(self, name: str) -> list[str]:
        """The subjects of a kind of finding."""
        every = [found for one in (self.sent, *self.received, self.judged) for found in one["findings"]]
        return [found["subject"] for found in every if found["id"] == name]


@pytest.fixture(scope="module")
def hosts(boot: Boot) -> Hosts:
    return Hosts(*boot("fog1", "client1", "client2"))


def call(lab: Lab, host: Host, *options: str, check: bool = True, **arguments: Any) -> dict[str, Any]:
    return controller.module(lab, host, MODULE, *options, arguments=arguments, check=check)


def probe(lab: Lab, hosts: Hosts, size: int = SIZE, timeout: int = TIMEOUT, **more: Any) -> Probe:
    """Ask the sender for a port, let both clients receive and the server send, and judge all of it."""
    shared: dict[str, Any] = {"size": size, "timeout": timeout, "bitrate": RATE, **more}
    shared["portbase"] = call(lab, hosts.fog, "--check", role="sender", **shared)["portbase"]
    clients = [
        controller.start(lab, host, MODULE, arguments={"role": "receiver", **shared}) for host in (hosts.one, hosts.two)
    ]
    server = controller.start(lab, hosts.fog, MODULE, arguments={"role": "sender", "receivers": 2, **shared})
    sent, received = server.result(), [client.result() for client in clients]
    results = [{key: value for key, value in one.items() if not key.startswith("_")} for one in (sent, *received)]
    return Probe(sent, received, call(lab, hosts.fog, role="judge", results=results))


@contextmanager
def rule(host: Host, hook: str, text: str) -> Iterator[None]:
    """A firewall rule of a host."""
    chain = f"add chain inet {TABLE} c {{ type filter hook {hook} priority 0; }}"
    host.run(["nft", "-f", "-"], input=f"add table inet {TABLE}\n{chain}\nadd rule inet {TABLE} c {text}\n")
    try:
        yield
    finally:
        host.run(["nft", "delete", "table", "inet", TABLE])


@contextmanager
def commands(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]], netns: str) -> Iterator[None]:
    """Commands in a network namespace, and those that undo them."""
    try:
        for words in before:
            in_netns(netns, words, check=True)
        yield
    finally:
        for words in after:
            in_netns(netns, words, check=False)


def in_netns(netns: str, words: Sequence[str], *, check: bool) -> None:
    # From the machine, because a host's own /proc/sys may be read-only.
    subprocess.run(["ip", "netns", "exec", netns, *words], stdin=subprocess.DEVNULL, capture_output=True, check=check)


def test_a_network_that_works_is_proven(lab: Lab, hosts: Hosts) -> None:
    found = probe(lab, hosts)
    assert found.ids() == set()
    assert found.judged["complete"]
    assert (found.judged["proven"], found.judged["bytes"]) == ("wire", SIZE)
    assert {one["host"] for one in found.judged["receivers"]} == {"client1", "client2"}
    assert all(one["same"] and one["missing"] == 0 for one in found.judged["receivers"])
    assert len({one["sha256"] for one in (found.sent, *found.received)}) == 1
    assert not any(one["changed"] for one in (found.sent, *found.received, found.judged))
    assert found.sent["group"] == "234.99.1.1"
    assert "234.99.1.1" in found.received[0]["groups"]


def test_without_receivers_only_the_host_is_proven(lab: Lab, hosts: Hosts) -> None:
    result = call(lab, hosts.fog, role="sender", size=SIZE, bitrate=RATE, timeout=TIMEOUT)
    assert (result["complete"], result["proven"]) == (True, "host")
    assert [found["id"] for found in result["findings"]] == ["net.probe.alone"]


def test_a_firewall_of_a_receiver_is_told(lab: Lab, hosts: Hosts) -> None:
    with rule(hosts.two, "input", f"udp dport {RANGE} drop"):
        found = probe(lab, hosts, timeout=12)
    assert found.of("net.firewall.receiver") == ["receiver client2"]
    assert "net.firewall.sender" not in found.ids()
    assert not found.judged["complete"]
    assert [one["host"] for one in found.judged["receivers"] if one["missing"]][-1] == "client2"


def test_a_firewall_of_the_sender_is_told(lab: Lab, hosts: Hosts) -> None:
    with rule(hosts.fog, "input", f"udp dport {RANGE} drop"):
        found = probe(lab, hosts, timeout=12)
    assert found.of("net.firewall.sender") == ["sender fog1"]
    assert "net.firewall.receiver" not in found.ids()


def test_loss_is_told_with_its_rate(lab: Lab, hosts: Hosts) -> None:
    with rule(hosts.two, "input", f"udp dport {RANGE} numgen random mod 100 < 5 drop"):
        found = probe(lab, hosts)
    assert found.ids() == {"net.loss"}
    assert found.of("net.loss") == ["receiver client2"]
    assert found.judged["complete"]
    lost = {one["host"]: one["lost"] for one in found.judged["receivers"]}
    assert 3 < lost["client2"] < 8
    assert lost["client1"] < 1


def test_one_slow_receiver_is_told(lab: Lab, hosts: Hosts) -> None:
    port = f"v-{hosts.two.name}"
    slow = ["tc", "qdisc", "add", "dev", port, "root", "tbf", "rate", "8mbit", "burst", "32k", "latency", "50ms"]
    with commands([slow], [["tc", "qdisc", "del", "dev", port, "root"]], lab.netns):
        found = probe(lab, hosts)
    assert found.ids() == {"net.receiver.slow"}
    assert found.of("net.receiver.slow") == ["receiver client2"]


def test_snooping_without_a_querier_is_told(lab: Lab, hosts: Hosts) -> None:
    bridge = ["ip", "link", "set", lab.bridge, "type", "bridge"]
    # Centiseconds: who has not answered for five seconds is forgotten; a querier is believed in for long.
    short = [
        "mcast_membership_interval",
        "500",
        "mcast_querier_interval",
        "25500",
        "mcast_query_response_interval",
        "100",
    ]
    usual = ["mcast_membership_interval", "26000", "mcast_query_response_interval", "1000", "mcast_snooping", "0"]
    with commands([[*bridge, *short]], [[*bridge, *usual], [*bridge, "mcast_snooping", "1"]], lab.netns):
        hosts.fog.run(["python3", "-", hosts.fog.address, "1"], input=QUERIER)
        found = probe(lab, hosts, size=12 * 1024 * 1024, duration=14, timeout=40)
    assert "net.querier.missing" in found.ids(), found
    assert found.judged["complete"]
    assert any(silence["prompt"] for one in found.received for silence in one["silences"])


def test_a_wrong_source_is_told(lab: Lab, hosts: Hosts) -> None:
    setting = "net.ipv4.conf.eth0.rp_filter"
    before = [
        ["ip", "link", "add", "other", "type", "veth", "peer", "name", "cable"],
        ["ip", "link", "set", "other", "up"],
        ["ip", "link", "set", "cable", "up"],
        ["ip", "address", "add", "10.97.0.1/16", "dev", "other"],
        ["ip", "route", "add", f"{hosts.fog.address}/32", "dev", "other"],
        ["sysctl", "-qw", f"{setting}=1"],
    ]
    after = [["ip", "link", "del", "other"], ["sysctl", "-qw", f"{setting}=0"]]
    with commands(before, after, hosts.two.netns):
        found = probe(lab, hosts, timeout=12)
    assert found.of("net.source.wrong") == ["receiver client2"]


def test_fragments_are_told(lab: Lab, hosts: Hosts) -> None:
    set_mtu = ["ip", "link", "set", "eth0", "mtu"]
    with commands([[*set_mtu, "1400"]], [[*set_mtu, "1500"]], hosts.fog.netns):
        found = probe(lab, hosts)
    assert "sender fog1" in found.of("net.mtu.fragmentation")
    assert found.judged["complete"]


def test_a_session_is_left_alone(lab: Lab, boot: Boot) -> None:
    with borrowed(lab, boot, "fog1") as (fog,):
        session = sending(fog, fog)
        before = sender_ids(fog, session.port)
        refused = call(lab, fog, role="sender", portbase=session.port, check=False)
        assert refused["_failed"]
        assert str(session.port) in refused["msg"]
        result = call(lab, fog, role="sender", size=SIZE, timeout=TIMEOUT)
        assert not {result["portbase"], result["portbase"] + 1} & {session.port, session.port + 1}
        assert result["proven"] == "host"
        assert sender_ids(fog, session.port) == before


def test_a_repair_is_proven_on_the_wire(lab: Lab, boot: Boot) -> None:
    boot("client1", "client2")
    with borrowed(lab, boot, "fog1") as (fog,):
        stale(fog, fog, "stale")
        run = controller.playbook(lab, "repair-multicast", [fog])
    assert run.outcome("fog1") == "repaired", run.explain("fog1")
    assert "fog.session.stale" in run.ids("fog1")
    assert run.ids("fog1", "after") == set()
    assert "Judge both ends together" in run.output
    assert "net.probe.alone" not in run.output


def test_a_broken_wire_is_no_repair(lab: Lab, hosts: Hosts, boot: Boot) -> None:
    with borrowed(lab, boot, "fog1") as (fog,), rule(hosts.two, "input", f"udp dport {RANGE} drop"):
        stale(fog, fog, "stale")
        run = controller.playbook(
            lab, "repair-multicast", [fog], variables={"fog_multicast_probe_timeout": 15, "multicast_probe": True}
        )
    assert run.outcome("fog1") == "needs_person", run.explain("fog1")
    assert "net.firewall.receiver" in run.ids("fog1", "after")


def test_a_killed_probe_leaves_nothing(lab: Lab, hosts: Hosts) -> None:
    running = controller.start(lab, hosts.fog, MODULE, arguments={"role": "sender", "receivers": 2, "timeout": 60})
    sender = processes.wait_for("udp-sender of the probe", lambda: pids(hosts.fog, "udp-sender .*--min-receivers 2"))
    parents = {parent(hosts.fog, pid) for pid in sender}
    hosts.fog.run(["kill", "-KILL", *parents])
    deadline = time.monotonic() + 10
    while pids(hosts.fog, "udp-sender .*--min-receivers 2"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    running.text()


def pids(host: Host, pattern: str) -> list[str]:
    return host.run(["pgrep", "-f", pattern], check=False).stdout.split()


def parent(host: Host, pid: str) -> str:
    return host.run(["ps", "-o", "ppid=", "-p", pid]).stdout.strip()

"""multicast_probe on real hosts over a real bridge: it proves what works, and tells each cause from the others."""

import functools
import itertools
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from plugins.module_utils._probe.host import parse_counters
from plugins.module_utils._probe.probe import judge
from tests.lab import controller, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fleet import GATEWAY
from tests.lab.fog import processes
from tests.lab.fog.database import Sql
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import sending, stale

MODULE = "multicast_probe"
SIZE = 6 * 1024 * 1024
RATE = 40_000_000
# Ports of FOG, and below them those that the tests take: no session ever gets one of these.
RANGE = "40000-65533"
TABLE = "lab_probe"
# What gets through ends by itself long before; what does not takes all of it.
TIMEOUT, SHORT = 60, 12
# Even ports of nobody; the sender chooses its own in two of the tests.
PORTS = itertools.count(40020, 2)
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
# Routes what the sender with the first address sends to the group, from the second address's network to the third's.
ROUTER = """
import signal, socket, struct, sys
source, group, near, far = map(socket.inet_aton, sys.argv[1:])
line = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
line.setsockopt(socket.IPPROTO_IP, 200, 1)  # MRT_INIT, MRT_ADD_VIF and MRT_ADD_MFC of <linux/mroute.h>
for number, address in enumerate((near, far)):
    line.setsockopt(socket.IPPROTO_IP, 202, struct.pack("=HBBI4s4s", number, 0, 1, 0, address, bytes(4)))
ttls = bytes([0, 1]) + bytes(30)
line.setsockopt(socket.IPPROTO_IP, 204, struct.pack("=4s4sH32s2xIIIi", source, group, 0, ttls, 0, 0, 0, 0))
print("routes", flush=True)
signal.pause()
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


def probe(lab: Lab, hosts: Hosts, timeout: int = TIMEOUT, **more: Any) -> Probe:
    """Let the clients receive and the server send, and judge all of it. The clients ask where FOG's do."""
    shared: dict[str, Any] = {"size": SIZE, "timeout": timeout, "bitrate": RATE, "portbase": next(PORTS), **more}
    ask: dict[str, Any] = {"role": "receiver", "rendezvous": hosts.fog.address, **shared}
    clients = [controller.start(lab, host, MODULE, arguments=ask) for host in (hosts.one, hosts.two)]
    server = controller.start(lab, hosts.fog, MODULE, arguments={"role": "sender", "receivers": 2, **shared})
    sent, received = server.result(), [client.result() for client in clients]
    return Probe(sent, received, judge([sent, *received]))


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
def commanded(host: Host, before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> Iterator[None]:
    """Programs of a host, and those that undo them."""
    try:
        for words in before:
            host.run(words)
        yield
    finally:
        for words in after:
            host.run(words)


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


def receivers(host: Host) -> list[processes.Running]:
    return [one for one in processes.running(host) if one.argv and one.argv[0].endswith("udp-receiver")]


def test_a_network_that_works_is_proven(lab: Lab, hosts: Hosts) -> None:
    planned = call(lab, hosts.fog, "--check", role="sender", size=SIZE)
    assert planned["rendezvous"] == hosts.fog.address
    found = probe(lab, hosts, portbase=planned["portbase"])
    assert found.ids() == set()
    assert planned["sha256"] == found.sent["sha256"]
    assert found.judged["complete"]
    assert (found.judged["proven"], found.judged["bytes"]) == ("wire", SIZE)
    results = [{key: value for key, value in one.items() if key[0] != "_"} for one in (found.sent, *found.received)]
    judged = call(lab, hosts.fog, role="judge", results=results)
    assert {key: value for key, value in judged.items() if key in found.judged} == found.judged
    assert {one["host"] for one in found.judged["receivers"]} == {"client1", "client2"}
    assert all(one["same"] and one["missing"] == 0 for one in found.judged["receivers"])
    assert len({one["sha256"] for one in (found.sent, *found.received)}) == 1
    assert not any(one["changed"] for one in (found.sent, *found.received, found.judged))
    assert found.sent["group"] == "234.99.1.1"
    assert "234.99.1.1" in found.received[0]["groups"]


def test_receivers_wait_for_a_sender_that_does_not_announce_itself(lab: Lab, hosts: Hosts) -> None:
    """FOG_MULTICAST_RENDEZVOUS may be the server's own address: then a udp-receiver asks once, and nobody calls it."""
    here: dict[str, Any] = {
        "portbase": next(PORTS),
        "rendezvous": hosts.fog.address,
        "size": SIZE,
        "timeout": TIMEOUT,
        "bitrate": RATE,
    }
    clients = [
        controller.start(lab, host, MODULE, arguments={"role": "receiver", **here}) for host in (hosts.one, hosts.two)
    ]
    for host in (hosts.one, hosts.two):
        processes.wait_for(f"{host.name} to listen", functools.partial(receivers, host))
    time.sleep(3)  # the first question of each has gone unheard
    sent = call(lab, hosts.fog, role="sender", receivers=2, **here)
    received = [client.result() for client in clients]
    found = Probe(sent, received, judge([sent, *received]))
    assert found.ids() == set(), found
    assert found.judged["complete"]


def test_one_slow_receiver_is_told(lab: Lab, hosts: Hosts) -> None:
    port = f"v-{hosts.two.name}"
    slow = ["tc", "qdisc", "add", "dev", port, "root", "tbf", "rate", "8mbit", "burst", "32k", "latency", "50ms"]
    with commands([slow], [["tc", "qdisc", "del", "dev", port, "root"]], lab.netns):
        found = probe(lab, hosts)
    assert found.ids() == {"net.receiver.slow"}
    assert found.of("net.receiver.slow") == ["receiver client2"]


def test_snooping_without_a_querier_is_told(lab: Lab, hosts: Hosts) -> None:
    bridge = ["ip", "link", "set", lab.bridge, "type", "bridge"]
    # Centiseconds: who has not answered for three seconds is forgotten; a querier is believed in for long.
    short = [
        "mcast_membership_interval",
        "300",
        "mcast_querier_interval",
        "25500",
        "mcast_query_response_interval",
        "100",
    ]
    usual = ["mcast_membership_interval", "26000", "mcast_query_response_interval", "1000", "mcast_snooping", "0"]
    with commands([[*bridge, *short]], [[*bridge, *usual], [*bridge, "mcast_snooping", "1"]], lab.netns):
        hosts.fog.run(["python3", "-", hosts.fog.address, "1"], input=QUERIER)
        found = probe(lab, hosts, duration=11)
    assert "net.querier.missing" in found.ids(), found
    assert found.judged["complete"]
    assert any(silence["prompt"] for one in found.received for silence in one["silences"])


def test_each_receiver_is_told_what_is_wrong_with_it(lab: Lab, hosts: Hosts) -> None:
    """The second client has another interface in the same network, and asks the sender over that one."""
    setting = "net.ipv4.conf.eth0.rp_filter"
    before = [
        ["ip", "link", "add", "other", "type", "veth", "peer", "name", "v-other", "netns", lab.netns],
        ["ip", "link", "set", "other", "up"],
        ["ip", "address", "add", "10.97.0.1/16", "dev", "other"],
        ["ip", "route", "add", f"{hosts.fog.address}/32", "dev", "other"],
        ["sysctl", "-qw", f"{setting}=1"],
    ]
    after = [["ip", "link", "del", "other"], ["sysctl", "-qw", f"{setting}=0"]]
    cable = ["ip", "link", "set", "v-other", "master", lab.bridge, "up"]
    with (
        commands(before, after, hosts.two.netns),
        commands([cable], [], lab.netns),
        rule(hosts.one, "input", f"udp dport {RANGE} drop"),
    ):
        found = probe(lab, hosts, SHORT)
    assert found.of("net.firewall.receiver") == ["receiver client1"]
    assert found.of("net.source.wrong") == ["receiver client2"]
    assert "net.firewall.sender" not in found.ids()
    assert not found.judged["complete"]
    assert [one["missing"] for one in found.judged["receivers"]] == [SIZE, SIZE]


def test_who_does_not_come_is_told(lab: Lab, hosts: Hosts) -> None:
    """One of two receivers is missed by the sender; the other listens where nobody sends."""
    shared: dict[str, Any] = {"size": SIZE, "timeout": 18, "bitrate": RATE}
    here, elsewhere = next(PORTS), next(PORTS)
    one = controller.start(lab, hosts.one, MODULE, arguments={"role": "receiver", "portbase": here, **shared})
    two = controller.start(lab, hosts.two, MODULE, arguments={"role": "receiver", "portbase": elsewhere, **shared})
    sent = call(lab, hosts.fog, role="sender", receivers=2, portbase=here, **shared)
    received = [one.result(), two.result()]
    assert controller.finding_ids(sent) == {"net.join.missing"}
    assert [controller.finding_ids(each) for each in received] == [set(), {"net.join.missing"}]
    assert not judge([sent, *received])["complete"]


def test_a_firewall_of_the_sender_is_told(lab: Lab, hosts: Hosts) -> None:
    with rule(hosts.fog, "input", f"udp dport {RANGE} drop"):
        found = probe(lab, hosts, SHORT)
    assert found.of("net.firewall.sender") == ["sender fog1"]
    assert "net.firewall.receiver" not in found.ids()


def test_a_rule_before_the_route_is_told(lab: Lab, hosts: Hosts) -> None:
    with rule(hosts.one, "prerouting", f"udp dport {RANGE} drop"):
        found = probe(lab, hosts, SHORT)
    assert found.of("net.firewall.receiver") == ["receiver client1"]


def test_the_firewalls_people_have_are_told(lab: Lab, hosts: Hosts) -> None:
    """Of what drops the stream here, each was set up by its own program: iptables, firewalld and ufw."""
    drop = ["INPUT", "-p", "udp", "--dport", RANGE.replace("-", ":"), "-j", "DROP"]
    with (
        commanded(hosts.fog, [["iptables", "-A", *drop]], [["iptables", "-D", *drop]]),
        commanded(
            hosts.one,
            [
                ["systemd-run", "--unit=lab-firewalld", "firewalld", "--nofork"],
                ["sh", "-c", "for i in $(seq 300); do firewall-cmd --state && exit 0; sleep 0.2; done; exit 1"],
            ],
            [["systemctl", "stop", "lab-firewalld"]],
        ),
        commanded(
            hosts.two, [["ufw", "allow", "22/tcp"], ["ufw", "--force", "enable"]], [["ufw", "--force", "disable"]]
        ),
    ):
        found = probe(lab, hosts, SHORT)
    assert found.of("net.firewall.sender") == ["sender fog1"]
    assert found.of("net.firewall.receiver") == ["receiver client1", "receiver client2"]
    told = [
        " ".join(one["evidence"])
        for each in found.received
        for one in each["findings"]
        if one["id"] == "net.firewall.receiver"
    ]
    assert ["firewalld" in text for text in told] == [True, False], told
    assert ["ufw" in text for text in told] == [False, True], told
    assert not found.judged["complete"]


def test_loss_is_told_with_its_rate_and_fragments_too(lab: Lab, hosts: Hosts) -> None:
    set_mtu = ["ip", "link", "set", "eth0", "mtu"]
    loss = rule(hosts.two, "input", f"udp dport {RANGE} numgen random mod 100 < 5 drop")
    with commands([[*set_mtu, "1400"]], [[*set_mtu, "1500"]], hosts.fog.netns), loss:
        found = probe(lab, hosts)
    assert found.ids() == {"net.loss", "net.mtu.fragmentation"}
    assert found.of("net.loss") == ["receiver client2"]
    assert found.judged["complete"]
    lost = {one["host"]: one["lost"] for one in found.judged["receivers"]}
    assert 3 < lost["client2"] < 8
    assert lost["client1"] < 1
    assert "sender fog1" in found.of("net.mtu.fragmentation")


@contextmanager
def router(lab: Lab, hosts: Hosts, group: str = "234.99.1.1") -> Iterator[None]:
    """A second network with client2 in it, by its interface "far", and a router of one group to there."""
    near, far = GATEWAY, "10.96.0.1"
    link = [
        ["ip", "link", "add", "v-far", "type", "veth", "peer", "name", "far", "netns", hosts.two.netns],
        ["ip", "address", "add", f"{far}/24", "dev", "v-far"],
        ["ip", "link", "set", "v-far", "up"],
        ["sysctl", "-qw", "net.ipv4.ip_forward=1"],
    ]
    client = [
        ["ip", "address", "add", "10.96.0.2/24", "brd", "+", "dev", "far"],
        ["ip", "link", "set", "far", "up"],
        ["ip", "route", "add", f"{hosts.fog.address}/32", "via", far],
    ]
    away = [["ip", "link", "del", "v-far"], ["sysctl", "-qw", "net.ipv4.ip_forward=0"]]
    with commands(link, away, lab.netns), commands(client, [], hosts.two.netns):
        words = ["python3", "-c", ROUTER, hosts.fog.address, group, near, far]
        with subprocess.Popen(["ip", "netns", "exec", lab.netns, *words], stdout=subprocess.PIPE) as routing:
            try:
                assert routing.stdout is not None
                assert routing.stdout.readline() == b"routes\n"
                yield
            finally:
                routing.kill()


@pytest.mark.parametrize("ttl", [1, 2])
def test_a_ttl_too_short_for_the_router_is_told(lab: Lab, hosts: Hosts, ttl: int) -> None:
    shared: dict[str, Any] = {
        "size": SIZE,
        "bitrate": RATE,
        "ttl": ttl,
        "timeout": SHORT,
        "portbase": next(PORTS),
        "rendezvous": hosts.fog.address,
    }
    with router(lab, hosts):
        arguments = {**shared, "rendezvous": None, "timeout": 2 * SHORT, "role": "sender", "receivers": 1}
        server = controller.start(lab, hosts.fog, MODULE, arguments=arguments)
        # udp-receiver asks only once at an address that is the sender's own.
        processes.wait_for("udp-sender of the probe", lambda: pids(hosts.fog, "udp-sender .*--min-receivers 1"))
        received = call(lab, hosts.two, role="receiver", interface="far", **shared)
        sent = server.result()
    assert [peer["address"] for peer in sent["peers"]] == ["10.96.0.2"], received
    assert (received["bytes"] == 0) == (ttl == 1), received
    assert received["complete"] == (ttl == 2)
    assert ("net.ttl.short" in controller.finding_ids(received)) == (ttl == 1)


def test_a_router_that_does_not_pass_the_stream_is_told(lab: Lab, hosts: Hosts) -> None:
    shared: dict[str, Any] = {"size": SIZE, "bitrate": RATE, "timeout": 2 * SHORT, "portbase": next(PORTS)}
    with router(lab, hosts, "234.99.1.9"):
        ask = {"role": "receiver", "interface": "far", "rendezvous": hosts.fog.address, **shared}
        client = controller.start(lab, hosts.two, MODULE, arguments=ask)
        sent = call(lab, hosts.fog, role="sender", receivers=1, **shared)
        received = client.result()
    found = Probe(sent, [received], judge([sent, received]))
    assert [peer["address"] for peer in sent["peers"]] == ["10.96.0.2"], found
    assert found.ids() == {"net.routing.missing", "net.probe.incomplete"}, found
    assert found.of("net.routing.missing") == ["receiver client2"]


def test_a_small_mtu_between_the_hosts_is_told(lab: Lab, hosts: Hosts) -> None:
    set_mtu = ["ip", "link", "set", f"v-{hosts.two.name}", "mtu"]
    # Only the stream is to be too large for that port.
    route = [GATEWAY, "dev", "eth0"]
    with (
        commands([["ip", "route", "add", *route, "mtu", "1300"]], [["ip", "route", "del", *route]], hosts.two.netns),
        commands([[*set_mtu, "1400"]], [[*set_mtu, "1500"]], lab.netns),
    ):
        found = probe(lab, hosts, 40)
    assert found.ids() == {"net.mtu.fragmentation", "net.probe.incomplete"}, found
    assert found.of("net.mtu.fragmentation") == ["receiver client2"]
    assert [one["bytes"] == 0 for one in found.received] == [False, True]


def test_a_session_is_left_alone(lab: Lab, boot: Boot) -> None:
    with borrowed(lab, boot, "fog1") as (fog,):
        session = sending(fog, fog)
        before = witness.state(fog, fog)
        refused = call(lab, fog, role="sender", portbase=session.port, check=False)
        assert refused["_failed"]
        assert str(session.port) in refused["msg"]
        result = call(lab, fog, role="sender", size=SIZE, bitrate=RATE, timeout=TIMEOUT)
        assert not {result["portbase"], result["portbase"] + 1} & {session.port, session.port + 1}
        assert (result["complete"], result["proven"]) == (True, "host")
        assert [found["id"] for found in result["findings"]] == ["net.probe.alone"]
        assert witness.state(fog, fog) == before


def test_a_look_takes_a_probe_for_no_leftover(lab: Lab, boot: Boot) -> None:
    """Its sender has no session, and writes nothing, for longer than the daemon would leave one alone."""
    port = next(PORTS)
    with borrowed(lab, boot, "fog1") as (fog,):
        arguments = {"role": "sender", "receivers": 1, "portbase": port, "timeout": 25}
        running = controller.start(lab, fog, MODULE, arguments=arguments)
        pid = processes.wait_for("udp-sender of the probe", lambda: pids(fog, "^multicast_probe/udp-sender "))[0]
        processes.wait_for("it to be old", lambda: int(fog.run(["ps", "-o", "etimes=", "-p", pid]).stdout) > 6)
        seen = controller.module(lab, fog, "fog_multicast_info")
        refused = call(lab, fog, role="sender", portbase=port, check=False)
        assert running.running
        running.result()
    assert controller.finding_ids(seen) == set()
    assert str(port) in refused["msg"]


def test_a_sender_at_another_address_than_the_nodes_is_told(lab: Lab, boot: Boot) -> None:
    """Two addresses on one interface: udp-sender takes the first, and FOG's clients ask at the second."""
    other = "10.97.1.1"
    with borrowed(lab, boot, "fog1", "client1") as (fog, client):
        address, route = [f"{other}/24", "dev", "eth0"], [other, "dev", "eth0"]
        with (
            commands([["ip", "address", "add", *address]], [["ip", "address", "del", *address]], fog.netns),
            commands([["ip", "route", "add", *route]], [["ip", "route", "del", *route]], client.netns),
        ):
            Sql(fog).run("UPDATE nfsGroupMembers SET ngmHostname = %s WHERE ngmHostname = %s", other, fog.address)
            shared: dict[str, Any] = {"size": SIZE, "portbase": next(PORTS), "timeout": SHORT}
            asked = call(lab, fog, "--check", role="sender", **shared)["rendezvous"]
            receiver = {"role": "receiver", "rendezvous": asked, **shared}
            running = controller.start(lab, client, MODULE, arguments=receiver)
            sent = call(lab, fog, role="sender", receivers=1, **shared)
            received = running.result()
    assert asked == other
    assert "net.source.wrong" in controller.finding_ids(sent), sent
    assert not received["complete"]


def test_another_server_may_probe_one_of_the_clients_meanwhile(lab: Lab, hosts: Hosts, boot: Boot) -> None:
    (other,) = boot("fog4")
    shared: dict[str, Any] = {"size": 10 * SIZE, "timeout": TIMEOUT, "bitrate": RATE, "portbase": next(PORTS)}
    arguments = {"role": "receiver", "rendezvous": other.address, **shared}
    before = datagrams(hosts.one)
    client = controller.start(lab, hosts.one, MODULE, arguments=arguments)
    server = controller.start(lab, other, MODULE, arguments={"role": "sender", "receivers": 1, **shared})
    processes.wait_for("its stream", lambda: datagrams(hosts.one) > before + 100)
    found = probe(lab, hosts)
    assert (server.result()["complete"], client.result()["complete"]) == (True, True)
    arrived = [one["counters"]["Udp.InDatagrams"] for one in found.received]
    assert arrived[0] > 1.1 * arrived[1], "the two did not meet"
    assert found.ids() == set(), found


def datagrams(host: Host) -> int:
    """How many UDP datagrams its programs have received."""
    return parse_counters(host.run(["cat", "/proc/net/snmp"]).stdout)["Udp.InDatagrams"]


def test_a_repair_is_one_when_it_is_proven_on_the_wire(lab: Lab, hosts: Hosts, boot: Boot) -> None:
    with borrowed(lab, boot, "fog1", "fog4") as (open_, shut), rule(shut, "input", f"udp dport {RANGE} drop"):
        for fog in (open_, shut):
            stale(fog, fog, "stale")
        more = {"fog_multicast_probe_timeout": 20}
        run = controller.playbook(lab, "repair-multicast", [open_, shut], variables=more, probe=True)
    assert run.outcome("fog1") == "repaired", run.explain("fog1")
    assert (run.ids("fog1"), run.ids("fog1", "after")) == ({"fog.session.stale"}, set())
    assert run.outcome("fog4") == "needs_person", run.explain("fog4")
    assert "net.firewall.sender" in run.ids("fog4", "after")
    assert "fog4: multicast_probe sends: 1" in run.output  # the line of progress, after ten seconds
    after = {name: {each["id"] for each in run.report["hosts"][name]["after"]} for name in ("fog1", "fog4")}
    assert [("net.probe.proven" in after[name], "net.probe.alone" in after[name]) for name in after] == [
        (True, False),
        (False, False),
    ]


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

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""multicast_probe from its options to its result; udpcast itself is played by the test."""

import hashlib
import json

import pytest
from ansible.module_utils import basic
from ansible_collections.imaging.multicast.plugins.module_utils._flow import Failure
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Processes
from ansible_collections.imaging.multicast.plugins.module_utils._probe import fog, payload, probe
from ansible_collections.imaging.multicast.plugins.module_utils._probe.firewall import Block, Firewall
from ansible_collections.imaging.multicast.plugins.module_utils._probe.host import Link, LinkError
from ansible_collections.imaging.multicast.plugins.module_utils._probe.transfer import Transfer
from ansible_collections.imaging.multicast.plugins.modules import multicast_probe
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import fakes

SIZE = 65536
SENT = """UDP sender for (stdin) at 10.0.0.1 on eth0
Using mcast address 234.0.0.1
{connected}Starting transfer: 00000009
bytes= 65 536  re-xmits=0000001 (  2.1%) slice=0112 -   0
Transfer complete.
"""
RECEIVED = """UDP receiver for (stdout) at 10.0.0.1 on eth0
Connected as #0 to 10.0.0.1
Listening to multicast on 234.0.0.1
Transfer complete.
"""


class Network:
    """Plays udpcast: every sender has the receivers it waits for, every receiver gets all."""

    def __init__(self):
        self.commands = []
        self.timeouts = []
        self.cut = None  # how much a receiver gets
        self.receivers = None  # how many come

    def run(self, command, timeout, sent=None, watch=None, abandon=None):
        self.commands.append(list(command))
        self.timeouts.append(timeout)
        port = int(command[command.index("--portbase") + 1])
        if sent is not None:
            data = b"".join(sent)
            wanted = int(command[command.index("--min-receivers") + 1])
            come = wanted if self.receivers is None else self.receivers
            connected = "".join("New connection from 10.0.0.%d  (#%d) 00000009\n" % (at + 2, at) for at in range(come))
            return self.result(data, SENT.format(connected=connected) if come else SENT.partition("\n")[0])
        data = b"".join(payload.chunks(port, SIZE))[: self.cut]
        watch(0.1, len(data), RECEIVED.encode())
        assert not abandon(30.0, RECEIVED.encode())
        return self.result(data, RECEIVED)

    @staticmethod
    def result(data, output):
        return Transfer(0, False, len(data), 2.0, hashlib.sha256(data).hexdigest(), output)

    def of(self, name):
        return [command for command in self.commands if command[0].endswith(name)]


class Ear:
    error = ""
    queries = ()

    def __init__(self, *_words):
        pass

    def listen(self, seconds):
        pass

    def close(self):
        pass


class Host:
    def __init__(self, monkeypatch, capsys):
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        self.network = Network()
        self.senders = []
        self.firewall = Firewall()
        self.output = ""
        self.packets = []

    def call(self, check_mode=False, **params):
        arguments = dict({"size": SIZE, "fog_settings": "/nowhere"}, **params)
        arguments.update(_ansible_check_mode=check_mode)
        self.monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        self.monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        with pytest.raises(SystemExit):
            multicast_probe.main()
        self.output = self.capsys.readouterr().out
        return json.loads(self.output)

    def look(self, packets):
        self.packets += packets
        return self.firewall


@pytest.fixture(name="host")
def fixture_host(monkeypatch, capsys):
    host = Host(monkeypatch, capsys)
    monkeypatch.setattr(probe, "run", host.network.run)
    monkeypatch.setattr(probe, "read_link", lambda name, _address: Link(name or "eth0", (("10.0.0.1", 24),), 1500))
    monkeypatch.setattr(probe, "read_firewall", host.look)
    monkeypatch.setattr(probe, "read_counters", dict)
    monkeypatch.setattr(probe, "read_processes", lambda: Processes((), (), tuple(host.senders)))
    monkeypatch.setattr(probe.ports, "is_free", lambda port: port != 50444)
    monkeypatch.setattr(probe.igmp, "Ear", Ear)
    monkeypatch.setattr(probe.igmp, "joined", lambda _name: ("234.0.0.1",))
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _module, _text, **_more: None)
    return host


def ids(result):
    return [found["id"] for found in result["findings"]]


def test_without_receivers_the_host_receives_its_own_stream(host):
    result = host.call(role="sender")
    assert not result["changed"]
    assert (result["complete"], result["proven"], result["bytes"]) == (True, "host", SIZE)
    assert ids(result) == ["net.probe.alone"]
    assert "only the host was proven" in result["findings"][0]["summary"]
    assert [len(host.network.of("udp-sender")), len(host.network.of("udp-receiver"))] == [1, 1]
    assert result["sha256"] == payload.digest(result["portbase"], SIZE)


def test_a_host_that_does_not_receive_its_own_stream_is_told(host):
    host.network.cut = 100
    result = host.call(role="sender")
    assert (result["complete"], result["proven"]) == (False, "nothing")
    assert ids(result) == ["net.probe.incomplete", "net.probe.alone"]


def test_a_sender_waits_for_its_receivers(host):
    result = host.call(role="sender", receivers=2, portbase=50020)
    assert (result["complete"], result["proven"], result["findings"]) == (True, "wire", [])
    assert [peer["address"] for peer in result["peers"]] == ["10.0.0.2", "10.0.0.3"]
    assert (result["retransmits"], result["datagrams"], result["rate"]) == (1, 47, SIZE * 4)
    assert host.network.of("udp-receiver") == []
    assert all(timeout < 60 for timeout in host.network.timeouts)


def test_a_receiver_that_does_not_come(host):
    host.network.receivers = 1
    result = host.call(role="sender", receivers=2)
    assert ids(result) == ["net.join.missing"]
    assert (result["complete"], result["proven"]) == (False, "nothing")


def test_a_receiver(host):
    result = host.call(role="receiver", portbase=50020)
    assert (result["complete"], result["proven"], result["findings"]) == (True, "wire", [])
    assert result["sha256"] == payload.digest(50020, SIZE)
    assert not result["routed"]
    command = host.network.of("udp-receiver")[0]
    assert command[command.index("--mcast-rdv-address") + 1] == "224.0.0.1"
    assert [(packet.hook, packet.target_port) for packet in host.packets] == [
        ("input", 50020),
        ("output", 50021),
        ("output", 0),
    ]


@pytest.mark.parametrize("role", ["sender", "receiver"])
def test_check_mode_sends_nothing_and_tells_what_it_would(host, role):
    packet = probe.Packet("input", "eth0", "udp", "", "", 50021, 50020)
    host.firewall = Firewall((Block(packet, "nftables table inet t, chain c, rule 2", "drop"),))
    result = host.call(check_mode=True, role=role, portbase=50020)
    assert host.network.commands == []
    assert ids(result) == ["net.firewall." + role]
    assert (result["portbase"], result["proven"]) == (50020, "nothing")
    assert result["sha256"] == payload.digest(50020, SIZE)


def test_a_port_in_use_is_never_taken(host):
    host.senders = [fakes.sender(50020)]
    for port in (50020, 50022):
        result = host.call(role="sender", portbase=port)
        assert bool(result.get("failed")) is (port == 50020)
    assert "leave portbase out" in host.call(role="sender", portbase=50444)["msg"]
    assert len(host.network.of("udp-sender")) == 1


def test_fog_decides_where_it_is(host, monkeypatch):
    wish = fog.Wishes(
        program="/opt/udp-sender",
        interface="eth1",
        address="10.0.0.1",
        rendezvous="10.0.0.9",
        data_base="239.1.0.0",
        busy=(50020,),
    )
    monkeypatch.setattr(fog, "is_here", lambda _params: True)
    monkeypatch.setattr(fog, "read", lambda _params: wish)
    assert "session" in host.call(role="sender", portbase=50020)["msg"]
    result = host.call(role="sender", portbase=50022, receivers=1)
    words = host.network.of("udp-sender")[0]
    assert words[0] == "/opt/udp-sender"
    for flag, value in (
        ("--interface", "eth1"),
        ("--mcast-rdv-address", "10.0.0.9"),
        ("--mcast-data-address", "239.1.0.52"),
        ("--ttl", "32"),
    ):
        assert words[words.index(flag) + 1] == value
    assert "--full-duplex" in words
    assert ids(result) == []
    chosen = host.call(role="sender", receivers=1)["portbase"]
    assert chosen != 50020


def test_receivers_are_sent_where_fogs_clients_ask(host, monkeypatch):
    """Without a rendezvous FOG gives its sender none, and its clients the storage node's address."""
    assert host.call(role="sender", check_mode=True)["rendezvous"] == "10.0.0.1"
    monkeypatch.setattr(fog, "is_here", lambda _params: True)
    monkeypatch.setattr(fog, "read", lambda _params: fog.Wishes(address="10.0.0.5"))
    assert host.call(role="sender", check_mode=True)["rendezvous"] == "10.0.0.5"
    assert host.call(role="sender", receivers=1)["rendezvous"] == "10.0.0.5"
    assert "--mcast-rdv-address" not in host.network.of("udp-sender")[0]
    monkeypatch.setattr(fog, "read", lambda _params: fog.Wishes(address="10.0.0.5", rendezvous="239.0.0.9"))
    assert host.call(role="sender", check_mode=True)["rendezvous"] == "239.0.0.9"


def test_the_ports_must_be_known(host, monkeypatch):
    def lost(_params):
        raise Failure("Nothing was sent, because the ports of active sessions are not known: lost")

    monkeypatch.setattr(fog, "is_here", lambda _params: True)
    monkeypatch.setattr(fog, "read", lost)
    result = host.call(role="sender", login_password=fakes.SECRET)
    assert result["failed"]
    assert "Traceback" not in host.output
    assert fakes.SECRET not in host.output
    assert host.network.commands == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"portbase": 50021}, "even port"),
        ({"portbase": 80}, "even port"),
        ({"role": "receiver"}, "needs portbase"),
        ({"size": 10}, "size must"),
        ({"timeout": 2}, "timeout must"),
        ({"duration": 58}, "longer than duration"),
        ({"receivers": -1}, "receivers must"),
        ({"ttl": 0}, "ttl"),
        ({"rendezvous": "fog.example"}, "no IPv4 address"),
        ({"role": "judge", "results": []}, "one sender"),
    ],
)
def test_what_cannot_be_used_is_said_clearly(host, options, said):
    result = host.call(**dict({"role": "sender"}, **options))
    assert result["failed"]
    assert said in result["msg"]
    assert host.network.commands == []


def test_an_interface_that_is_not_there(host, monkeypatch):
    def refuse(_name, _address):
        raise LinkError("There is no interface eth7 on this host; there are: eth0.")

    monkeypatch.setattr(probe, "read_link", refuse)
    assert "eth7" in host.call(role="sender", interface="eth7")["msg"]


def test_a_long_probe_is_sent_slowly(host):
    host.call(role="sender", receivers=1, duration=10, size=SIZE)
    words = host.network.of("udp-sender")[0]
    assert words[words.index("--max-bitrate") + 1] == str(SIZE * 8 // 10)


def test_both_ends_are_judged_together(host):
    sent = host.call(role="sender", receivers=2, portbase=50020)
    one = dict(host.call(role="receiver", portbase=50020), host="c1", address="10.0.0.2")
    one["counters"] = {"Udp.InDatagrams": 100}
    proof = host.call(role="judge", results=[sent, one])["findings"]
    assert [(each["id"], each["severity"]) for each in proof] == [("net.probe.proven", "info")]
    assert "%d bytes went over the wire to c1" % SIZE in proof[0]["summary"]
    assert sent["sha256"] in proof[0]["evidence"][0]
    other = dict(one, host="c2", address="10.0.0.3", bytes=SIZE - 5, sha256="other", complete=False)
    other["counters"] = {"Udp.InDatagrams": 50}
    result = host.call(role="judge", results=[sent, one, other])
    assert [(each["host"], each["missing"], each["same"]) for each in result["receivers"]] == [
        ("c1", 0, True),
        ("c2", 5, False),
    ]
    assert (result["complete"], result["proven"]) == (False, "nothing")
    assert "net.loss" in ids(result) or "net.receiver.slow" in ids(result)

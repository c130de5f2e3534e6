# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ports, what is sent, and what the kernel says."""

import hashlib
import json

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._command import CommandError
from ansible_collections.imaging.multicast.plugins.module_utils._probe import host, payload, ports
from ansible_collections.imaging.multicast.plugins.module_utils._probe.host import (
    LinkError,
    difference,
    parse_addresses,
    parse_counters,
    read_counters,
    read_link,
)
from hypothesis import given
from hypothesis import strategies as st

SNMP = """Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 1480 0 457 9 457 0 0 35 0
UdpLite: InDatagrams
UdpLite: 0
"""
NETSTAT = "TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 2\n"
ADDRESSES = json.dumps(
    [
        {"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8}]},
        {"ifname": "eth0", "addr_info": [{"family": "inet", "local": "10.99.1.1", "prefixlen": 16}]},
        {"ifname": "eth1", "addr_info": []},
        {},
    ]
)


@given(st.sets(st.integers(ports.LOWEST, ports.HIGHEST)), st.integers())
def test_a_chosen_port_touches_nobody(busy, start):
    port = ports.choose(busy, start, lambda _port: True)
    assert port is not None
    assert port % 2 == 0
    assert ports.LOWEST <= port <= ports.HIGHEST
    assert not {port, port + 1} & ports.taken(busy)


def test_no_port_is_better_than_a_taken_one():
    assert ports.choose((), 0, lambda _port: False) is None
    assert ports.choose(range(ports.LOWEST, ports.HIGHEST + 1, 2), 5, lambda _port: True) is None
    assert ports.choose((), 3, lambda port: port != ports.LOWEST + 6) == ports.LOWEST + 8


def test_a_port_that_a_program_has_is_not_free():
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("", 0))
        number = own.getsockname()[1]
        assert not ports.is_free(number)
        assert not ports.is_free(number - 1)


@given(st.integers(1, 65535), st.integers(0, 200000))
def test_both_ends_make_the_same(port, size):
    data = b"".join(payload.chunks(port, size))
    assert len(data) == size
    assert hashlib.sha256(data).hexdigest() == payload.digest(port, size)


def test_no_two_chunks_are_alike():
    assert len(set(payload.chunks(50020, 10 * payload.CHUNK))) == 10
    assert payload.digest(50020, 1000) != payload.digest(50022, 1000)


def test_counters(tmp_path):
    assert parse_counters(SNMP)["Udp.InErrors"] == 457
    (tmp_path / "snmp").write_text(SNMP)
    (tmp_path / "netstat").write_text(NETSTAT)
    found = read_counters(str(tmp_path))
    assert found["TcpExt.IPReversePathFilter"] == 2
    assert difference({"Udp.InErrors": 450, "gone": 1}, found) == {"Udp.InErrors": 7}
    assert read_counters(str(tmp_path / "nowhere")) == {}


@given(st.text())
def test_no_counters_are_too_strange(text):
    parse_counters(text)


def test_addresses():
    assert parse_addresses(ADDRESSES)["eth0"] == (("10.99.1.1", 16),)
    with pytest.raises(ValueError, match="list"):
        parse_addresses("{}")


@pytest.fixture
def system(tmp_path, monkeypatch):
    """Two interfaces, the first of them with a small MTU and a port of a bridge that snoops."""
    net = tmp_path / "net"
    for name, mtu in (("eth0", 1400), ("eth1", 1500), ("lo", 65536)):
        (net / name).mkdir(parents=True)
        (net / name / "mtu").write_text("%d\n" % mtu)
    (net / "br0" / "bridge").mkdir(parents=True)
    (net / "br0" / "bridge" / "multicast_snooping").write_text("1\n")
    (net / "br0" / "bridge" / "multicast_querier").write_text("0\n")
    (net / "eth0" / "brport").mkdir()
    (net / "eth0" / "brport" / "bridge").symlink_to(net / "br0")
    for name, number in (("all", 0), ("eth0", 1)):
        (tmp_path / "conf" / name).mkdir(parents=True)
        (tmp_path / "conf" / name / "rp_filter").write_text("%d\n" % number)
    answers = {"address": ADDRESSES, "route": '[{"dst": "default", "dev": "eth0"}]'}
    monkeypatch.setattr(host, "ask", lambda _name, words, _timeout: answers[words[2]])
    return answers, {"sys_net": str(net), "ipv4": str(tmp_path / "conf")}


def test_an_interface_with_all_that_matters(system):
    link = read_link("", **system[1])
    assert (link.name, link.address, link.mtu, link.rp_filter) == ("eth0", "10.99.1.1", 1400, 1)
    assert (link.bridge, link.snooping, link.querier) == ("br0", True, False)
    assert read_link("", "127.0.0.1", **system[1]).bridge == ""


@pytest.mark.parametrize(("name", "said"), [("eth7", "no interface eth7"), ("eth1", "no IPv4 address")])
def test_an_interface_that_is_of_no_use(system, name, said):
    with pytest.raises(LinkError, match=said):
        read_link(name, **system[1])


def test_a_host_that_cannot_tell(system, monkeypatch):
    system[0]["route"] = "[]"
    with pytest.raises(LinkError, match="default route"):
        read_link("", **system[1])
    system[0]["route"] = "nonsense"
    with pytest.raises(LinkError, match="JSON"):
        read_link("", **system[1])

    def broken(*_words):
        raise CommandError("the command ip is not on this host")

    monkeypatch.setattr(host, "ask", broken)
    with pytest.raises(LinkError, match="command ip"):
        read_link("eth0", **system[1])

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interfaces, addresses and routes."""

import json
import sys
import types

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._command import CommandError
from ansible_collections.imaging.multicast.plugins.module_utils._fog import network
from ansible_collections.imaging.multicast.plugins.module_utils._fog.network import Address, Interface, Network, Route
from hypothesis import given
from hypothesis import strategies as st

# What iproute2 6.1 printed for the same routes, first as text, then as JSON.
TEXT = """\
default via 10.0.0.254 dev d0 proto dhcp src 10.0.0.1 metric 100
10.0.0.0/24 dev d0 proto kernel scope link src 10.0.0.1
unreachable 10.5.0.0/16
blackhole 10.6.0.0/16 metric 5
10.7.0.0/16
10.9.0.2 dev d1 proto kernel scope link src 10.9.0.1 linkdown
10.10.0.0/16 via 10.55.0.1 dev d0 onlink
10.11.0.0/16 tos 0x10 dev d0 proto bgp scope link src 10.0.0.2
10.12.0.0/16 via inet6 fe80::1 dev d0
"""
JSON = """[{"dst":"default","gateway":"10.0.0.254","dev":"d0","protocol":"dhcp","prefsrc":"10.0.0.1","metric":100,
"flags":[]},
{"dst":"10.0.0.0/24","dev":"d0","protocol":"kernel","scope":"link","prefsrc":"10.0.0.1","flags":[]},
{"type":"unreachable","dst":"10.5.0.0/16","flags":[]},{"type":"blackhole","dst":"10.6.0.0/16","metric":5,"flags":[]},
{"dst":"10.7.0.0/16","flags":[],"nexthops":[{"gateway":"10.0.0.5","dev":"d0","weight":1,"flags":[]}]},{},
{"dst":"10.9.0.2","dev":"d1","protocol":"kernel","scope":"link","prefsrc":"10.9.0.1","flags":["linkdown"]},
{"dst":"10.10.0.0/16","gateway":"10.55.0.1","dev":"d0","flags":["onlink"],"metrics":[{"mtu":1400}]},
{"dst":"10.11.0.0/16","tos":"0x10","dev":"d0","protocol":"bgp","scope":"link","prefsrc":"10.0.0.2","flags":[]},
{"dst":"10.12.0.0/16","via":{"family":"inet6","host":"fe80::1"},"dev":"d0","flags":[]}]"""

LO = Interface("lo", (Address("127.0.0.1", 8),), True, "unknown", False, True)
ETH0 = Interface("eth0", (Address("10.0.0.1", 24), Address("10.0.0.2", 24)), True, "up", True, False)


class FakeNetifaces(types.ModuleType):
    """netifaces as far as the reader uses it; anything else is an AttributeError."""

    AF_INET = 2

    def __init__(self, addresses):
        super().__init__("netifaces")
        self._addresses = addresses

    def interfaces(self):
        return list(self._addresses)

    def ifaddresses(self, name):
        if self._addresses[name] is None:
            raise ValueError("You must specify a valid interface name.")
        return self._addresses[name]


@pytest.fixture
def netifaces(monkeypatch):
    def put(addresses):
        monkeypatch.setitem(sys.modules, "netifaces", FakeNetifaces(addresses))

    put({})
    return put


def kernel(folder, name, flags, operstate):
    (folder / name).mkdir()
    (folder / name / "flags").write_text(flags + "\n")
    (folder / name / "operstate").write_text(operstate + "\n")


def test_a_route_prints_as_ip_prints_it():
    assert [route.line for route in network.parse_routes(JSON)] == TEXT.splitlines()


def test_a_route_keeps_its_parts():
    first, second = network.parse_routes(JSON)[:2]
    assert first == Route("default", "10.0.0.254", "d0", "dhcp", "", "10.0.0.1", 100)
    assert second == Route("10.0.0.0/24", "", "d0", "kernel", "link", "10.0.0.1")


@pytest.mark.parametrize("text", ["", " \n", "[]", "[ ]\n", "[{}]"])
def test_no_routes(text):
    assert network.parse_routes(text) == ()


@pytest.mark.parametrize("text", ["default via 10.0.0.1 dev eth0", "{}", "[1]", '"x"', "[{", "null"])
def test_what_is_no_list_of_routes_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        network.parse_routes(text)


WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789./:@-", min_size=1)


@given(WORD, WORD, WORD, WORD, st.one_of(st.none(), st.integers(0, 2**32 - 1)))
def test_any_route_survives(destination, device, protocol, source, metric):
    entry = {"dst": destination, "dev": device, "protocol": protocol, "prefsrc": source, "flags": []}
    if metric is not None:
        entry["metric"] = metric
    (route,) = network.parse_routes(json.dumps([entry]))
    assert route == Route(destination, "", device, protocol, "", source, metric)
    words = [destination, "dev", device, "proto", protocol, "src", source]
    assert route.line.split(" ") == words + ([] if metric is None else ["metric", str(metric)])


WORDS = st.text(max_size=5)
LISTS = st.lists(WORDS, max_size=2)
JUNK = st.one_of(st.none(), st.booleans(), st.integers(), WORDS, LISTS, st.dictionaries(WORDS, WORDS, max_size=2))
KEYS = st.sampled_from(["dst", "gateway", "via", "dev", "protocol", "scope", "prefsrc", "metric", "flags", "type"])


@given(st.lists(st.dictionaries(KEYS, JUNK), max_size=3))
def test_any_list_of_objects_is_read_without_a_stumble(entries):
    for route in network.parse_routes(json.dumps(entries)):
        assert isinstance(route.line, str)
        assert route.metric is None or isinstance(route.metric, int)


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        network.parse_routes(text)
    except ValueError:
        return


def test_addresses_and_carrier():
    both = Network((LO, ETH0), ())
    assert both.local_addresses == ("127.0.0.1", "10.0.0.1", "10.0.0.2")
    assert both.carrier_of("10.0.0.2") is ETH0
    assert both.carrier_of("10.0.0.3") is None
    assert both.carrier_of("") is None


def test_interfaces_with_flags_and_addresses(tmp_path, netifaces):
    kernel(tmp_path, "lo", "0x9", "unknown")
    kernel(tmp_path, "eth0", "0x1003", "up")
    kernel(tmp_path, "eth1", "0x1002", "down")
    kernel(tmp_path, "tun0", "0x91", "")
    netifaces(
        {
            "eth1": {17: [{"addr": "aa:bb:cc:dd:ee:ff"}]},
            "lo": {2: [{"addr": "127.0.0.1", "netmask": "255.0.0.0", "peer": "127.0.0.1"}]},
            # A label of an address is no interface.
            "eth0:1": {2: [{"addr": "10.0.0.2", "netmask": "255.255.255.0"}]},
            "eth0": {2: [{"addr": "10.0.0.1", "netmask": "255.255.255.0"}]},
            "tun0": {
                2: [
                    {"addr": "10.9.0.1", "peer": "10.9.0.2"},
                    {"peer": "10.9.0.3"},
                    {"addr": "10.9.0.4", "netmask": "ff"},
                ]
            },
        }
    )
    assert network.read_interfaces(str(tmp_path)) == (
        ETH0,
        Interface("eth1", (), False, "down", True, False),
        LO,
        Interface("tun0", (Address("10.9.0.1", 32), Address("10.9.0.4", 32)), True, "unknown", False, False),
    )


def test_an_interface_that_vanishes_is_no_error(tmp_path, netifaces):
    kernel(tmp_path, "eth2", "junk", "up")
    netifaces({"eth1": None, "eth2": {}})
    assert network.read_interfaces(str(tmp_path)) == (
        Interface("eth1", (), False, "unknown", False, False),
        Interface("eth2", (), False, "up", False, False),
    )


def test_a_missing_netifaces_is_an_import_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "netifaces", None)
    with pytest.raises(ImportError) as caught:
        network.read_network()
    assert caught.value.name == "netifaces"


def test_network_and_routes_together(tmp_path, netifaces, monkeypatch):
    asked = []

    def ask(*call):
        asked.append(call)
        return JSON

    monkeypatch.setattr(network, "ask", ask)
    found = network.read_network(str(tmp_path))
    assert asked == [("ip", ("-json", "-4", "route", "show", "table", "main"), 10)]
    assert [route.line for route in found.routes] == TEXT.splitlines()
    assert found.error == ""


def test_an_absent_or_old_ip_is_a_sentence_not_an_exception(tmp_path, netifaces, monkeypatch):
    def fail(*_call):
        raise CommandError('/sbin/ip ended with code 255 and said: Option "-json" is unknown')

    monkeypatch.setattr(network, "ask", fail)
    found = network.read_network(str(tmp_path))
    assert found.routes == ()
    assert found.error == (
        'The routes cannot be read: /sbin/ip ended with code 255 and said: Option "-json" is unknown; iproute2 4.16 or '
        "later is needed."
    )
    monkeypatch.setattr(network, "ask", lambda *_call: TEXT)
    assert "ip prints no JSON" in network.read_network(str(tmp_path)).error

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What iptables-save prints, walked as a packet would."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._probe.firewall import Packet, Rules, judge
from ansible_collections.imaging.multicast.plugins.module_utils._probe.iptables import parse_save
from hypothesis import given
from hypothesis import strategies as st

DATA = Packet("input", "eth0", "udp", "10.0.0.1", "234.0.0.1", 50021, 50020, "multicast")


def fate(*rules, policy="ACCEPT", table="filter"):
    """``drop``, ``open`` or ``accept`` for the data; ``-A CHAIN`` may be left out of a rule of INPUT."""
    lines = ["# saved", "*nat", ":INPUT DROP [0:0]", "*" + table, f":INPUT {policy} [3:99]", ":mine - [0:0]"]
    lines += [rule if rule.startswith("-A") else f"-A INPUT {rule}" for rule in rules]
    chains, entries = parse_save("\n".join([*lines, "COMMIT"]), "iptables")
    found = judge(Rules(chains, entries, {}), [DATA])
    return "drop" if found.blocks else "open" if found.open else "accept"


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("-j DROP", "drop"),
        ("-p udp -j REJECT --reject-with icmp-port-unreachable", "drop"),
        ("-p 17 -m udp --dport 49152:65533 -j DROP", "drop"),
        ("-p udp -m udp --dport :1024 -j DROP", "accept"),
        ("-p udp -m udp ! --dport 22 -j DROP", "drop"),
        ("-p udp -m multiport --dports 22,50000:50100 -j DROP", "drop"),
        ("-p udp -m multiport --sports 22,50022: -j DROP", "accept"),
        ("-p udp -m udp --dport fog -j DROP", "open"),
        ("-m multiport --dports 22 -j DROP", "open"),
        ("-p tcp -m tcp --dport 50020 -j DROP", "accept"),
        ("-p tcp -m tcp --tcp-flags SYN,ACK SYN -j DROP", "accept"),
        ("! -p tcp -j DROP", "drop"),
        ("-s 10.0.0.0/8 -j DROP", "drop"),
        ("! -s 10.0.0.1 -j DROP", "accept"),
        ("-d 224.0.0.0/255.0.0.0 -j DROP", "accept"),
        ("-i eth+ -j DROP", "drop"),
        ("! -i eth0 -j DROP", "accept"),
        ("-o eth0 -j DROP", "open"),
        ("-m conntrack --ctstate RELATED,ESTABLISHED -j DROP", "accept"),
        ("-m state --state NEW -j DROP", "drop"),
        ("-m addrtype --dst-type MULTICAST -j DROP", "drop"),
        ("-m addrtype --dst-type LOCAL -j DROP", "accept"),
        ("-m addrtype --src-type LOCAL -j DROP", "open"),
        ("-m limit --limit 3/min -j DROP", "open"),
        ('-m comment --comment "drop it" -j DROP', "drop"),
        ('-m comment --comment "drop it -j DROP', "open"),
        ("-j LOG --log-prefix drop", "accept"),
        ("-j NFQUEUE --queue-num 0", "open"),
        ("-j TARPIT", "open"),
        ("-m", "accept"),
    ],
)
def test_each_condition(rule, told):
    assert fate(rule) == told


def test_chains_policies_and_tables():
    assert fate("-j mine", "-A mine -p udp -j RETURN", "-A mine -j DROP") == "accept"
    assert fate("-j mine", "-A mine -j DROP") == "drop"
    assert fate("-g mine", "-j ACCEPT", policy="DROP") == "drop"
    assert fate("-j mine", "-j ACCEPT", policy="DROP") == "accept"
    assert fate("-j DROP", table="raw") == "drop"
    assert fate("-j DROP", table="nat") == "accept"
    assert fate(":", "-A", "-A INPUT", "-A INPUT -m") == "accept"


@pytest.mark.parametrize(
    ("chain", "told"), [("PREROUTING", "drop"), ("OUTPUT", "accept"), ("FORWARD", "accept"), ("POSTROUTING", "accept")]
)
def test_every_chain_on_the_way_is_looked_at(chain, told):
    saved = f"*raw\n:{chain} ACCEPT [0:0]\n-A {chain} -p udp -m udp --dport 49152:65533 -j DROP\nCOMMIT"
    chains, entries = parse_save(saved, "iptables")
    data, answer = (judge(Rules(chains, entries, {}), [DATA._replace(hook=hook)]) for hook in ("input", "output"))
    assert bool(data.blocks) is (told == "drop")
    assert bool(answer.blocks) is (chain in ("OUTPUT", "POSTROUTING"))


def test_a_rule_that_cannot_be_split_is_still_one():
    """An open quotation mark: nobody knows what the rule does, and the ones after it are not sure."""
    assert fate('-m comment --comment "open', "-j DROP") == "open"


@given(st.text(max_size=80))
def test_no_text_is_too_strange(text):
    parse_save("*filter\n:INPUT DROP\n-A INPUT " + text, "iptables")
    parse_save(text, "iptables")

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the host's firewall does to the stream."""

import json
from pathlib import Path

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._command import CommandError
from ansible_collections.imaging.multicast.plugins.module_utils._probe import firewall
from ansible_collections.imaging.multicast.plugins.module_utils._probe.firewall import Packet, judge, parse_ruleset
from hypothesis import given
from hypothesis import strategies as st

STREAM = Packet("input", "eth0", "udp", "10.0.0.1", "234.0.0.1", 50021, 50020)
DPORT = {"payload": {"protocol": "udp", "field": "dport"}}
# What nft 1.0.6 printed for: udp dport 49152-65533 drop
DROP = {"match": {"op": "==", "left": DPORT, "right": {"range": [49152, 65533]}}}
ESTABLISHED = {
    "match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ["established", "related"]},
}
AT_RANDOM = {"match": {"op": "<", "left": {"numgen": {"mode": "random", "mod": 100, "offset": 0}}, "right": 5}}


def chain(*rules, name="c", hook="input", policy="accept", family="inet", **more):
    head = {"family": family, "table": "t", "name": name, "handle": 1}
    if hook:
        head.update(type="filter", hook=hook, prio=0, policy=policy)
    body = [
        {"rule": {"family": family, "table": "t", "chain": name, "handle": number, "expr": list(parts)}}
        for number, parts in enumerate(rules, 2)
    ]
    return [{"chain": dict(head, **more)}, *body]


def fate(*entries, packet=STREAM):
    """``drop``, ``open`` or ``accept``."""
    flat = [{"metainfo": {"version": "1.0.6"}}]
    for entry in entries:
        flat += entry
    found = judge(parse_ruleset(json.dumps({"nftables": flat})), [packet])
    return "drop" if found.blocks else "open" if found.open else "accept"


def test_no_rules_let_everything_pass():
    assert fate() == "accept"
    assert fate(chain()) == "accept"


def test_a_rule_that_drops_the_port_is_told_with_its_place():
    found = judge(parse_ruleset(json.dumps({"nftables": chain([DROP, {"drop": None}])})), [STREAM])
    assert [(block.where, "49152" in block.rule) for block in found.blocks] == [
        ("nftables table inet t, chain c, rule 2", True)
    ]


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ([[{"reject": None}]], "drop"),
        ([[DROP, {"counter": {"packets": 0, "bytes": 0}}, {"drop": None}]], "drop"),
        ([[DROP, {"accept": None}], [{"drop": None}]], "accept"),
        ([[ESTABLISHED, {"accept": None}], [{"drop": None}]], "drop"),
        ([[DROP, AT_RANDOM, {"drop": None}]], "open"),
        ([[{"limit": {"rate": 5}}, {"accept": None}], [{"drop": None}]], "open"),
        ([[{"match": {"op": "!=", "left": DPORT, "right": 22}}, {"drop": None}]], "drop"),
        (
            [[{"match": {"op": "==", "left": DPORT, "right": {"set": [22, {"range": [80, 90]}]}}}, {"drop": None}]],
            "accept",
        ),
        ([[{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "eth*"}}, {"drop": None}]], "drop"),
        ([[{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}, {"drop": None}]], "accept"),
        ([[{"xt": {"type": "match", "name": "comment"}}, {"drop": None}]], "open"),
        ([[{"return": None}], [{"drop": None}]], "accept"),
    ],
)
def test_rules_are_walked_as_a_packet_does(rules, told):
    assert fate(chain(*rules)) == told


def test_the_rules_of_an_ordinary_server():
    """Debian's example of nftables: loopback, known connections, ping and ssh in, the rest dropped."""
    state = {"key": {"ct": {"key": "state"}}}
    known = {"set": [["established", {"accept": None}], ["related", {"accept": None}], ["invalid", {"drop": None}]]}
    icmp = {"payload": {"protocol": "icmp", "field": "type"}}
    icmpv6 = {"payload": {"protocol": "icmpv6", "field": "type"}}
    ssh = {"payload": {"protocol": "tcp", "field": "dport"}}
    rules = [
        [{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": "lo"}}, {"accept": None}],
        [{"vmap": dict(state, data=known)}],
        [{"match": {"op": "==", "left": icmp, "right": "echo-request"}}, {"accept": None}],
        [{"match": {"op": "!=", "left": icmpv6, "right": "nd-redirect"}}, {"accept": None}],
        [{"match": {"op": "==", "left": ssh, "right": 22}}, {"accept": None}],
    ]
    assert fate(chain(*rules, policy="drop")) == "drop"
    assert fate(chain(*rules, [DROP, {"accept": None}], policy="drop")) == "accept"


def test_maps_of_verdicts():
    ports = {"set": [[22, {"accept": None}], [50020, {"drop": None}]]}
    assert fate(chain([{"vmap": {"key": DPORT, "data": ports}}])) == "drop"
    assert fate(chain([{"vmap": {"key": DPORT, "data": {"set": [[22, {"drop": None}]]}}}])) == "accept"
    assert fate(chain([{"vmap": {"key": {"meta": {"key": "mark"}}, "data": ports}}], policy="drop")) == "open"
    assert fate(chain([{"vmap": {"key": DPORT, "data": "@nowhere"}}], policy="drop")) == "open"
    named = [{"map": {"family": "inet", "table": "t", "name": "m", "elem": [[50020, {"drop": None}]]}}]
    assert fate(chain([{"vmap": {"key": DPORT, "data": "@m"}}]), named) == "drop"


def test_networks_and_named_sets():
    source = {"payload": {"protocol": "ip", "field": "saddr"}}
    prefix = {"prefix": {"addr": "10.0.0.0", "len": 8}}
    assert fate(chain([{"match": {"op": "==", "left": source, "right": prefix}}, {"drop": None}])) == "drop"
    named = [{"set": {"family": "inet", "table": "t", "name": "open", "elem": [50020]}}]
    rule = [{"match": {"op": "==", "left": DPORT, "right": "@open"}}, {"accept": None}]
    assert fate(chain(rule, policy="drop"), named) == "accept"
    assert fate(chain(rule, policy="drop")) == "open"
    assert fate(chain([{"match": {"op": "==", "left": source, "right": prefix}}, {"drop": None}]),
                packet=STREAM._replace(source="")) == "open"  # fmt: skip


def test_a_policy_drops_what_no_rule_lets_pass():
    assert fate(chain(policy="drop")) == "drop"
    assert fate(chain([DROP, {"accept": None}], policy="drop")) == "accept"
    assert fate(chain(policy="drop", hook="output")) == "accept"
    assert fate(chain(policy="drop", family="ip6")) == "accept"


@pytest.mark.parametrize(
    ("direction", "hooks"), [("input", {"prerouting", "input"}), ("output", {"output", "postrouting"})]
)
def test_every_hook_on_the_way_is_looked_at(direction, hooks):
    packet = STREAM._replace(hook=direction)
    told = {
        hook: fate(chain([DROP, {"drop": None}], hook=hook), packet=packet)
        for hook in ("prerouting", "input", "forward", "output", "postrouting")
    }
    assert {hook for hook, verdict in told.items() if verdict == "drop"} == hooks
    assert set(told.values()) == {"drop", "accept"}


@pytest.mark.parametrize(
    ("family", "hook"), [("netdev", "ingress"), ("netdev", "egress"), ("inet", "ingress"), ("bridge", "forward")]
)
def test_rules_before_the_hosts_own_leave_the_question_open(family, hook):
    assert fate(chain([DROP, {"drop": None}], hook=hook, family=family)) == "open"
    assert fate(chain(hook=hook, family=family, policy="drop")) == "open"
    assert fate(chain(hook=hook, family=family)) == "accept"
    assert fate(chain([{"accept": None}], hook=hook, family=family), chain([{"drop": None}], name="own")) == "drop"


def test_rules_of_a_bridge_are_not_looked_for_in_iptables(host):
    host["nft"] = json.dumps({"nftables": chain([{"xt": {"type": "match", "name": "mark"}}], family="bridge")})
    assert firewall.read_firewall([STREAM]).error == ""


def test_other_chains_are_followed():
    inner = chain([DROP, {"drop": None}], name="ports", hook="")
    assert fate(chain([{"jump": {"target": "ports"}}]), inner) == "drop"
    assert fate(chain([{"jump": {"target": "nowhere"}}], [{"accept": None}], policy="drop"), inner) == "accept"
    assert fate(chain([{"goto": {"target": "ports"}}]), inner) == "drop"
    assert fate(chain([{"goto": {"target": "nowhere"}}], [{"drop": None}])) == "accept"
    assert fate(chain([AT_RANDOM, {"goto": {"target": "nowhere"}}], [{"drop": None}])) == "open"
    assert fate(chain([{"jump": {"target": "c"}}])) == "open"


def test_what_one_base_chain_accepts_another_may_still_drop():
    assert fate(chain([{"accept": None}]), chain([{"drop": None}], name="later")) == "drop"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "match",
                        "left",
                        "right",
                        "op",
                        "drop",
                        "jump",
                        "target",
                        "set",
                        "range",
                        "payload",
                        "vmap",
                        "key",
                        "data",
                    ]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_no_rule_is_too_strange(parts):
    found = judge(
        parse_ruleset(json.dumps({"nftables": chain([parts], parts if isinstance(parts, list) else [])})), [STREAM]
    )
    assert len(found.blocks) <= 1


# What firewalld 1.3.3, ufw 0.36.2, iptables-nft and iptables-legacy 1.8.9 of Debian 12 made of their rules, as nft
# 1.0.6 and iptables-save show them: ssh is let in by the first two, and in "open" FOG's ports too. The last two drop
# FOG's ports, and iptables-nft IGMP. Chains that only forward were left out.
RECORDED = Path(__file__).with_name("recorded")
HEARD = Packet("input", "eth0", "udp", "", "", 50021, 50020, "multicast")
ANSWER = Packet("input", "eth0", "udp", "", "10.0.0.5", 50020, 50021, "local")
SENT = Packet("output", "eth0", "udp", "10.0.0.5", "", 50021, 50020, "multicast")
IGMP = Packet("output", "eth0", "igmp", "10.0.0.5", "", 0, 0, "multicast")
UNSEEN = json.dumps({"nftables": chain([{"xt": {"type": "match", "name": "udp"}}, {"drop": None}], family="ip")})


@pytest.fixture(name="host")
def fixture_host(monkeypatch, tmp_path):
    """What each program of a host prints; one that is not there fails. ``legacy`` is the kernel's list of tables."""
    programs = {}

    def ask(name, *_words):
        if name not in programs:
            raise CommandError(f"the command {name} is not on this host")
        return programs[name]

    monkeypatch.setattr(firewall, "ask", ask)
    monkeypatch.setattr(firewall, "LEGACY", str(tmp_path / "legacy"))
    monkeypatch.setattr(firewall, "MANAGERS", (("ufw", str(tmp_path)),))
    return programs


def text(name):
    return (RECORDED / name).read_text()


@pytest.mark.parametrize(
    ("nft", "saved", "dropped"),
    [
        ("firewalld.json", "", [HEARD, ANSWER]),
        ("firewalld-open.json", "", []),
        ("", "ufw.save", [HEARD, ANSWER]),
        ("", "ufw-open.save", []),
        ("iptables.json", "iptables.save", [HEARD, ANSWER, IGMP]),
    ],
)
def test_what_the_keepers_of_rules_write_is_understood(host, nft, saved, dropped):
    host["nft"] = text(nft) if nft else UNSEEN
    if saved:
        host["iptables-save"] = text(saved)
    found = firewall.read_firewall([HEARD, ANSWER, SENT, IGMP])
    assert [block.packet for block in found.blocks] == dropped
    # The rule that nft does not show stands in a table that is not among the saved.
    assert found.open == (2 if not nft and not dropped else 0)
    assert (found.error, found.manager) == ("", "ufw")


def test_rules_that_nft_does_not_show_at_all(host, tmp_path):
    host.update(nft=json.dumps({"nftables": []}))
    assert firewall.read_firewall([HEARD]) == firewall.Firewall(manager="ufw")
    (tmp_path / "legacy").write_text("filter\n")
    assert "iptables-save is not on this host" in firewall.read_firewall([HEARD]).error
    for program in ("iptables-legacy-save", "iptables-save"):
        other = dict(host, **{program: text("legacy.save")})
        host.update(other)
        found = firewall.read_firewall([HEARD])
        assert [block.where for block in found.blocks] == ["iptables-legacy table filter, chain INPUT, rule 1"]
        assert not found.error
        del host[program]


def test_without_nft_the_saved_rules_are_evidence(host):
    host["iptables-save"] = text("iptables.save")
    found = firewall.read_firewall([HEARD])
    assert [block.where for block in found.blocks] == ["iptables table filter, chain INPUT, rule 1"]
    assert "nft is not on this host" in found.error


def test_what_cannot_be_read_is_told(host):
    told = firewall.read_firewall([STREAM]).error
    assert "nft is not on this host" in told
    assert "iptables-save is not on this host" in told
    host["nft"] = "[]"
    assert "JSON" in firewall.read_firewall([STREAM]).error
    host["nft"] = json.dumps({"nftables": chain([DROP, {"drop": None}])})
    assert len(firewall.read_firewall([STREAM]).blocks) == 1

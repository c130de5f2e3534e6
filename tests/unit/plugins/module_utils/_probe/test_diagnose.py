# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what happened to findings."""

import hashlib

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._catalogue import CATALOGUE
from ansible_collections.imaging.multicast.plugins.module_utils._probe import diagnose
from ansible_collections.imaging.multicast.plugins.module_utils._probe.end import NOTHING, RECEIVER, SENDER, End
from ansible_collections.imaging.multicast.plugins.module_utils._probe.firewall import Block, Firewall, Packet
from ansible_collections.imaging.multicast.plugins.module_utils._probe.host import Link
from ansible_collections.imaging.multicast.plugins.module_utils._probe.igmp import Query
from ansible_collections.imaging.multicast.plugins.module_utils._probe.transfer import Transfer
from ansible_collections.imaging.multicast.plugins.module_utils._probe.udpcast import Said, Stream
from ansible_collections.imaging.multicast.plugins.module_utils._probe.watch import Silence
from hypothesis import given
from hypothesis import strategies as st

SIZE = 1000000
SHA = hashlib.sha256(b"it").hexdigest()
LINK = Link("eth0", (("10.99.4.1", 16),), 1500, 0)
GROUP = "234.99.1.1"
DONE = Transfer(0, False, SIZE, 2.0, SHA, "")
BROKEN = Transfer(-9, True, 300, 2.0, "other", "")
SAID = Said(
    address="10.99.1.1",
    interface="eth0",
    group=GROUP,
    peers=("10.99.4.1", "10.99.4.2"),
    started=True,
    complete=True,
    bytes=SIZE,
)
HEARD = Said(address="10.99.4.1", interface="eth0", group=GROUP, peers=("10.99.1.1",), complete=True)
BLOCK = Block(Packet("input", "eth0", "udp", "", "", 50021, 50020), "nftables table inet t, chain c, rule 2", "drop")


def sender(**changes):
    end = End(SENDER, "fog1", LINK._replace(addresses=(("10.99.1.1", 16),)), Stream("eth0", 50020), SIZE, SHA, 2)
    return end._replace(**dict({"transfer": DONE, "said": SAID, "address": "10.99.1.1"}, **changes))


def receiver(**changes):
    end = End(RECEIVER, "client1", LINK, Stream("eth0", 50020, "224.0.0.1"), SIZE, SHA)
    return end._replace(**dict({"transfer": DONE, "said": HEARD, "groups": (GROUP,)}, **changes))


def broken(**changes):
    """A receiver that got only part of it."""
    return receiver(**dict({"transfer": BROKEN, "said": HEARD._replace(complete=False)}, **changes))


def ids(end):
    return [each.id for each in diagnose.diagnose(end)]


def test_what_went_well_is_not_talked_about():
    assert ids(sender()) == []
    assert ids(receiver()) == []
    assert sender().rate == 4 * SIZE


def test_what_was_not_tried_is_not_judged():
    assert ids(sender(transfer=NOTHING, said=Said())) == []
    assert ids(receiver(transfer=NOTHING, said=Said(), groups=())) == []


def test_what_was_not_tried_still_has_a_firewall():
    assert ids(receiver(transfer=NOTHING, said=Said(), firewall=Firewall((BLOCK,)))) == ["net.firewall.receiver"]


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (sender(transfer=Transfer(None, False, 0, 0.0, "", "", "No such file"), said=Said()), "net.probe.failed"),
        (sender(transfer=BROKEN, said=Said(errors=("bind: Address already in use",))), "net.probe.failed"),
        (sender(transfer=BROKEN, said=SAID._replace(complete=False)), "net.probe.incomplete"),
        (sender(said=SAID._replace(peers=("10.99.4.1",))), "net.join.missing"),
        (sender(said=SAID._replace(dropped=("10.99.4.1",))), "net.probe.incomplete"),
        # What udp-sender and udp-receiver say when nothing of the stream arrived.
        (sender(said=SAID._replace(bytes=0)), "net.probe.incomplete"),
        (receiver(transfer=DONE._replace(bytes=0, sha256="none")), "net.probe.incomplete"),
        (sender(transfer=BROKEN, firewall=Firewall((BLOCK,))), "net.firewall.sender"),
        (sender(said=SAID._replace(address="192.168.0.1")), "net.source.wrong"),
        (broken(said=Said()), "net.join.missing"),
        (broken(groups=("224.0.0.1",)), "net.join.missing"),
        (broken(firewall=Firewall((BLOCK,), manager="ufw")), "net.firewall.receiver"),
        (broken(counters={"TcpExt.IPReversePathFilter": 2}, link=LINK._replace(rp_filter=1)), "net.source.wrong"),
        (broken(), "net.probe.incomplete"),
        (receiver(transfer=DONE._replace(sha256="other")), "net.data.differs"),
        (receiver(silences=(Silence(10, 300, 0, 1, 10.4, True),)), "net.querier.missing"),
        (receiver(link=LINK._replace(bridge="br0", snooping=True, querier=False)), "net.querier.missing"),
        (sender(counters={"Ip.FragCreates": 5760}), "net.mtu.fragmentation"),
        (
            broken(stream=Stream("eth0", 50020, ttl=1), link=LINK._replace(addresses=(("nonsense", 99),))),
            "net.probe.incomplete",
        ),
        (receiver(link=LINK._replace(mtu=1400)), "net.mtu.fragmentation"),
        (broken(counters={"Ip.ReasmReqds": 60, "Ip.ReasmFails": 4}), "net.mtu.fragmentation"),
        (broken(counters={"Ip.FragFails": 60}), "net.mtu.fragmentation"),
        (broken(counters={"Ip.ReasmReqds": 4, "Ip.ReasmFails": 4}), "net.probe.incomplete"),
        (
            broken(counters={"TcpExt.IPReversePathFilter": 2}, link=LINK._replace(rp_filter=None)),
            "net.source.wrong",
        ),
        (broken(counters={"TcpExt.IPReversePathFilter": 2}), "net.probe.incomplete"),
        (
            broken(stream=Stream("eth0", 50020, ttl=1), said=HEARD._replace(complete=False, peers=("192.168.0.1",))),
            "net.ttl.short",
        ),
    ],
)
def test_each_cause_has_its_own_finding(end, told):
    assert ids(end)[0] == told
    assert len([each for each in ids(end) if each != "net.firewall.unread"]) == 1


@pytest.mark.parametrize(
    "end",
    [
        receiver(firewall=Firewall((BLOCK,))),
        receiver(counters={"TcpExt.IPReversePathFilter": 2}, link=LINK._replace(rp_filter=1)),
        sender(counters={"Ip.FragCreates": 600}),
        receiver(counters={"Ip.ReasmReqds": 600, "Ip.ReasmFails": 3}),
        receiver(silences=(Silence(10, 300, 90, 1, 10.4, True),)),
        receiver(silences=(Silence(10, 300, 0, 1, 14.4, False),)),
        receiver(link=LINK._replace(bridge="br0", snooping=True, querier=False), queries=(Query("10.0.0.1", 1.0),)),
        receiver(link=LINK._replace(mtu=9000)),
        receiver(firewall=Firewall(error="no nft")),
    ],
)
def test_without_evidence_of_harm_nothing_is_told(end):
    assert ids(end) == []


def test_the_firewalls_keeper_and_rule_are_evidence():
    found = diagnose.diagnose(broken(firewall=Firewall((BLOCK,), manager="ufw")))[0]
    assert "rule 2" in found.evidence[0]
    assert "ufw" in found.evidence[1]


def test_a_firewall_that_drops_only_igmp_is_told_as_that():
    block = BLOCK._replace(packet=Packet("output", "eth0", "igmp", "10.99.4.1", "", 0, 0))
    found = diagnose.diagnose(broken(firewall=Firewall((block,))))[0]
    assert "IGMP" in found.summary
    assert found.evidence[0].startswith("output of igmp on eth0 is dropped by nftables")


def test_a_silence_is_told_with_what_was_heard_of_queriers():
    silence = (Silence(10, 300, 0, 1, 10.4, True),)
    assert "no membership query" in diagnose.diagnose(receiver(silences=silence))[0].evidence[-1]
    heard = diagnose.diagnose(receiver(silences=silence, queries=(Query("10.0.0.1", 2.0),)))[0].evidence[-1]
    assert "10.0.0.1" in heard
    assert "not heard" in diagnose.diagnose(receiver(silences=silence, unheard="not heard"))[0].evidence[-1]


def test_a_firewall_that_could_not_be_judged_is_told_only_when_something_is_wrong():
    assert "net.firewall.unread" in ids(broken(firewall=Firewall(error="no nft")))
    assert "net.firewall.unread" in ids(broken(firewall=Firewall(open=1)))


def test_a_small_mtu_is_told_from_fragments():
    assert "larger than eth0" in diagnose.diagnose(receiver(link=LINK._replace(mtu=1400)))[0].summary
    assert "fragments" in diagnose.diagnose(receiver(counters={"Ip.ReasmReqds": 1374}))[0].summary


def test_a_fragment_that_cannot_be_put_together_is_an_error():
    assert diagnose.diagnose(broken(counters={"Ip.ReasmReqds": 60, "Ip.ReasmFails": 4}))[0].severity == "error"
    assert diagnose.diagnose(sender(counters={"Ip.FragCreates": 1374}))[0].severity == "warning"


# --- all together ---------------------------------------------------------------------------------------------------


def result(host, address, arrived, overrun=0):
    counters = {"Udp.InDatagrams": arrived, "Udp.InErrors": overrun, "Udp.RcvbufErrors": overrun}
    return {"role": "receiver", "host": host, "address": address, "counters": counters, "complete": True}


def sent(rate, retransmits, **unanswered):
    peers = [
        {"address": "10.99.4.%d" % number, "unanswered": unanswered.get("client%d" % number, 0), "dropped": False}
        for number in (1, 2)
    ]
    return {
        "role": "sender",
        "bytes": 16777216,
        "retransmits": retransmits,
        "datagrams": 11523 + retransmits,
        "bitrate": 80000000,
        "rate": rate,
        "peers": peers,
    }


# The numbers are the lab's.
def test_loss_is_told_with_its_rate_and_its_host():
    found = diagnose.judge(
        sent(57e6, 629), [result("client1", "10.99.4.1", 12400), result("client2", "10.99.4.2", 11763)]
    )
    assert [(each.id, each.subject) for each in found] == [("net.loss", "receiver client2")]
    assert "5.1 %" in found[0].summary


def test_one_slow_receiver_is_told_from_loss():
    found = diagnose.judge(
        sent(17.3e6, 4266, client2=6),
        [result("client1", "10.99.4.1", 16374, 11), result("client2", "10.99.4.2", 12538)],
    )
    assert [(each.id, each.subject) for each in found] == [("net.receiver.slow", "receiver client2")]


def test_loss_on_a_slow_network_is_not_called_one_slow_receiver():
    found = diagnose.judge(
        sent(30e6, 629, client2=1), [result("client1", "10.99.4.1", 12400), result("client2", "10.99.4.2", 11763)]
    )
    assert [each.id for each in found] == ["net.loss"]


def test_a_receiver_the_sender_waits_for_is_slow_even_when_it_loses_nothing():
    found = diagnose.judge(
        sent(17e6, 0, client2=9, client1=1),
        [result("client1", "10.99.4.1", 11523), result("client2", "10.99.4.2", 11523)],
    )
    assert [(each.id, each.subject) for each in found] == [("net.receiver.slow", "receiver client2")]


def test_a_host_that_throws_datagrams_away_itself_lost_none_on_the_way():
    found = diagnose.judge(
        sent(80e6, 4835), [result("client1", "10.99.4.1", 24928, 3353), result("client2", "10.99.4.2", 24138, 4143)]
    )
    assert found == ()


def test_a_receiver_alone_is_measured_by_what_was_sent():
    found = diagnose.judge(sent(57e6, 1000), [result("client1", "10.99.4.1", 11540)])
    assert [each.id for each in found] == ["net.loss"]
    assert "7.8 %" in found[0].summary


def test_datagrams_of_others_at_one_receiver_are_no_loss_at_another():
    """Another server's probe of the first client, for example; the second one has everything, and nothing was lost."""
    others = [result("client1", "10.99.4.1", 23100), result("client2", "10.99.4.2", 11560)]
    assert diagnose.judge(sent(80e6, 0), others) == ()
    found = diagnose.judge(sent(80e6, 629), others)
    assert [(each.id, "5.2 %" in each.summary) for each in found] == [("net.loss", True)]
    gone = [others[0], dict(others[1], complete=False)]
    assert [each.id for each in diagnose.judge(sent(80e6, 0), gone)] == ["net.loss"]


def test_a_receiver_that_knows_its_own_trouble_is_not_called_lossy():
    known = dict(result("client2", "10.99.4.2", 3), complete=False)
    known["findings"] = [{"id": "net.firewall.receiver", "severity": "error"}]
    assert diagnose.judge(sent(57e6, 0), [result("client1", "10.99.4.1", 12000), known]) == ()
    unknown = dict(known, findings=[{"id": "net.probe.incomplete", "severity": "error"}])
    assert len(diagnose.judge(sent(57e6, 0), [result("client1", "10.99.4.1", 12000), unknown])) == 1


@pytest.mark.parametrize(("rate", "told"), [(30e6, True), (79e6, False)])
def test_a_rate_far_below_what_was_asked_for_is_told_with_the_proof(rate, told):
    summary = diagnose.proven(sent(rate, 0), [result("client1", "10.99.4.1", 11523)]).summary
    assert ("though 80.0 were asked for" in summary) is told


def reached(unanswered=0, **changes):
    """The results of a sender and of a receiver that spoke with it and got nothing of the stream."""
    end = dict(
        result("client1", "10.99.4.1", 133),
        complete=False,
        bytes=0,
        group=GROUP,
        groups=["224.0.0.1", GROUP],
        routed=True,
    )
    end.update(peers=[{"address": "10.99.1.1"}], findings=[{"id": "net.probe.incomplete", "severity": "error"}])
    end.update(changes)
    other = {"id": "net.join.missing", "severity": "error"}
    return dict(sent(0, 0, client1=unanswered), bytes=0, ttl=32, complete=False, findings=[other]), end


# The numbers are the lab's: an MTU of 1400 in a bridge on the way, and a router without multicast routing.
@pytest.mark.parametrize(
    ("unanswered", "changes", "told"),
    [
        (0, {}, ["net.mtu.fragmentation"]),
        (0, {"routed": False}, ["net.mtu.fragmentation"]),
        (0, {"counters": {"Udp.InDatagrams": 3}}, []),
        (0, {"bytes": 163072}, []),
        (2, {"counters": {"Udp.InDatagrams": 1}}, ["net.routing.missing"]),
        (2, {"routed": False}, []),
        (2, {"groups": ["224.0.0.1"]}, []),
        (2, {"peers": []}, []),
        (2, {"address": "10.99.4.9"}, []),
        (2, {"findings": [{"id": "net.firewall.receiver", "severity": "error"}]}, []),
        (2, {"findings": [{"id": "net.firewall.unread", "severity": "info"}]}, []),
    ],
)
def test_what_keeps_the_whole_stream_away_is_told_by_what_else_arrives(unanswered, changes, told):
    end, one = reached(unanswered, **changes)
    found = diagnose.judge(end, [one])
    assert [(each.id, each.severity, each.subject) for each in found] == [
        (name, "error", "receiver client1") for name in told
    ]
    blamed = dict(end, findings=[{"id": "net.firewall.sender", "severity": "error"}])
    assert diagnose.judge(blamed, [one]) == ()


def test_a_receiver_that_nothing_reaches_is_not_called_lossy():
    end, one = reached(2, counters={"Udp.InDatagrams": 1})
    found = diagnose.judge(dict(end, bytes=SIZE), [one, result("client2", "10.99.4.2", 11523)])
    assert [each.id for each in found] == ["net.routing.missing"]


def test_who_took_no_part_is_named():
    found = diagnose.judge(sent(57e6, 0), [result("client1", "10.99.4.1", 12000)], ["client2"])
    assert [(each.id, each.severity, each.subject) for each in found] == [
        ("net.receiver.absent", "info", "receiver client2")
    ]
    found = diagnose.judge({"bytes": 0}, [], ["client1", "client2"])
    assert [(each.id, each.severity) for each in found] == [("net.receiver.absent", "error")] * 2


def test_nothing_sent_is_no_loss():
    assert diagnose.judge({"bytes": 0}, [result("client1", "10.99.4.1", 0)]) == ()
    assert diagnose.judge(sent(57e6, 0), []) == ()


@given(
    st.lists(st.tuples(st.integers(0, 100000), st.integers(0, 5000)), min_size=1, max_size=8),
    st.floats(0, 1e8),
    st.integers(0, 100000),
)
def test_shares_are_shares(numbers, rate, retransmits):
    receivers = [result(f"c{at}", f"10.0.0.{at}", *pair) for at, pair in enumerate(numbers)]
    for share in diagnose.shares(receivers, sent(rate, retransmits)):
        assert 0 <= share.lost <= 100
    found = diagnose.judge(sent(rate, retransmits), receivers)
    assert {each.id for each in found} <= {"net.loss", "net.receiver.slow"}
    assert len({each.subject for each in found}) == len(found)
    assert len([each for each in found if each.id == "net.receiver.slow"]) <= 1


def test_every_net_finding_of_the_code_is_in_the_catalogue():
    assert {"net.probe.alone", "net.probe.failed", "net.loss"} <= set(CATALOGUE)

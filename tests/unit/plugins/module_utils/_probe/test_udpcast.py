# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command lines of udpcast, and what it prints."""

from ansible_collections.imaging.multicast.plugins.module_utils._probe.udpcast import (
    Said,
    Stream,
    announced,
    parse,
    receiver_command,
    sender_command,
)
from hypothesis import given
from hypothesis import strategies as st

# What udpcast 20120424 printed in the lab.
SENDER = """Udp-sender 20120424
Using mcast address 234.99.1.1
UDP sender for (stdin) at 10.99.1.1 on eth0
Broadcasting control to 224.0.0.1
New connection from 10.99.4.2  (#0) 00000009
New connection from 10.99.4.1  (#1) 00000009
Starting transfer: 00000009
Timeout notAnswered=[0,1] notReady=[0,1] nrAns=0 nrRead=0 nrPart=2 avg=190
Timeout notAnswered=[1] notReady=[1] nrAns=1 nrRead=1 nrPart=2 avg=470
bytes= 31 635 968  re-xmits=0003402 ( 15.6%) slice=0112 -   0\r
bytes= 33 554 432  re-xmits=0003605 ( 15.6%) slice=0112 -   0\r
Transfer complete.\x07
Disconnecting #0 (10.99.4.2)
Disconnecting #1 (10.99.4.1)
"""
DROPPED = """UDP sender for (stdin) at 10.99.1.1 on eth0
New connection from 10.99.4.2  (#0) 00000009
New connection from 10.99.4.1  (#1) 00000009
Starting transfer: 00000009
Timeout notAnswered=[1] notReady=[1] nrAns=0 nrRead=0 nrPart=1 avg=6841
Dropping client #1 because of timeout
bytes= 26 743 808  re-xmits=0013155 ( 71.6%) slice=0112 -   1\r
"""
RECEIVER = """Udp-receiver 20120424
UDP receiver for (stdout) at 10.99.4.1 on eth0
received message, cap=00000009
Connected as #1 to 10.99.1.1
Listening to multicast on 234.99.1.1
bytes=     163 072  (925.88 Mbps)\rbytes=  1 048 576  ( 11.34 Mbps)\r
Transfer complete.\x07
"""


def test_a_sender_that_ended_well():
    assert parse(SENDER) == Said(
        address="10.99.1.1",
        interface="eth0",
        control="224.0.0.1",
        group="234.99.1.1",
        peers=("10.99.4.2", "10.99.4.1"),
        started=True,
        complete=True,
        bytes=33554432,
        retransmits=3605,
        percent=15.6,
        unanswered=(("10.99.4.2", 1), ("10.99.4.1", 2)),
    )


def test_a_sender_that_gave_a_receiver_up():
    said = parse(DROPPED)
    assert said.dropped == ("10.99.4.1",)
    assert not said.complete
    assert (said.bytes, said.retransmits) == (26743808, 13155)
    assert said.errors == ("Dropping client #1 because of timeout",)


def test_a_receiver():
    said = parse(RECEIVER)
    assert (said.address, said.group, said.peers, said.complete) == ("10.99.4.1", "234.99.1.1", ("10.99.1.1",), True)
    assert said.errors == ()


def test_a_receiver_that_heard_nobody():
    said = parse("UDP receiver for (stdout) at 10.99.4.1 on eth0\nReceiver error")
    assert (said.peers, said.errors) == ((), ("Receiver error",))


def test_what_stands_in_the_way():
    assert parse("bind socket to 0.0.0.0:50001 (Address already in use)").errors
    assert parse("No suitable network interface found").errors


@given(st.text())
def test_nothing_it_prints_is_too_strange(text):
    parse(text)


@given(st.lists(st.sampled_from(SENDER.split("\n") + DROPPED.split("\n") + RECEIVER.split("\n")), max_size=30))
def test_nor_in_any_order(lines):
    said = parse("\n".join(lines))
    assert set(said.dropped) <= {"10.99.4.1", "10.99.4.2", "#1"}
    assert all(count > 0 for _address, count in said.unanswered)


def test_the_sender_is_given_what_fog_gives_its_own():
    stream = Stream("eth1", 50020)
    assert sender_command("/usr/local/sbin/udp-sender", stream, 2, 60) == [
        *("/usr/local/sbin/udp-sender", "--interface", "eth1", "--min-receivers", "2", "--max-wait", "60"),
        *("--portbase", "50020", "--full-duplex", "--ttl", "32", "--nokbd", "--nopointopoint"),
    ]


def test_every_setting_of_fog_is_used_and_nothing_invented():
    stream = Stream("", 50020, "10.0.0.9", "239.1.1.5", "", 7, 1000, "500")
    words = sender_command("udp-sender", stream, 1, 5)
    for flag, value in (
        ("--mcast-rdv-address", "10.0.0.9"),
        ("--mcast-data-address", "239.1.1.5"),
        ("--ttl", "7"),
        ("--max-bitrate", "1000"),
        ("--rexmit-hello-interval", "500"),
    ):
        assert words[words.index(flag) + 1] == value
    assert "--interface" not in words
    assert "--full-duplex" not in words


def test_a_receiver_meets_the_sender_where_it_announces_itself():
    words = receiver_command("udp-receiver", Stream("eth0", 50020, "224.0.0.1"), 9)
    assert words[words.index("--mcast-rdv-address") + 1] == "224.0.0.1"
    assert words[words.index("--start-timeout") + 1] == "9"
    assert "--file" not in words


def test_a_sender_announces_itself_at_multicast_addresses_only():
    told = {
        address: announced(Stream("eth0", 50000, address)) for address in ("", "224.0.0.1", "239.1.2.3", "10.1.2.3")
    }
    assert told == {"": True, "224.0.0.1": True, "239.1.2.3": True, "10.1.2.3": False}

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups, queries and reports."""

import socket
import struct

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._probe import igmp
from hypothesis import given
from hypothesis import strategies as st

# /proc/net/igmp of a lab host while it received.
TEXT = """Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter
1\tlo        :     1      V3
\t\t\t\t010000E0     1 0:00000000\t\t0
2\teth0      :     2      V3
\t\t\t\t010163EA     1 0:00000000\t\t0
\t\t\t\t010000E0     2 0:00000000\t\t0
"""


def packet(body, source="10.0.0.1", options=b""):
    header = 5 + len(options) // 4
    return (
        struct.pack("!BBHHHBBH4s4s", 0x40 | header, 0, 0, 0, 0, 1, 2, 0, socket.inet_aton(source), b"\xe0\0\0\1")
        + options
        + body
    )


def test_the_groups_of_an_interface():
    assert igmp.parse_igmp(TEXT, "eth0") == ("234.99.1.1", "224.0.0.1")
    assert igmp.parse_igmp(TEXT, "lo") == ("224.0.0.1",)
    assert igmp.parse_igmp(TEXT, "eth") == ()


def test_a_file_that_is_not_there_holds_no_groups(tmp_path):
    assert igmp.joined("eth0", str(tmp_path / "igmp")) == ()
    (tmp_path / "igmp").write_text(TEXT)
    assert "234.99.1.1" in igmp.joined("eth0", str(tmp_path / "igmp"))


@given(st.text(), st.text(max_size=8))
def test_no_text_is_too_strange(text, interface):
    igmp.parse_igmp(text, interface)


@pytest.mark.parametrize("options", [b"", b"\x94\x04\x00\x00"])
def test_a_query_is_told_by_its_sender(options):
    assert igmp.parse_query(packet(bytes([0x11, 10, 0, 0, 0, 0, 0, 0]), options=options)) == "10.0.0.1"


def test_a_report_is_no_query():
    assert igmp.parse_query(packet(igmp.report("234.99.1.1"))) is None


@given(st.binary(max_size=80))
def test_no_packet_is_too_strange(data):
    igmp.parse_query(data)


@given(st.ip_addresses(v=4))
def test_a_report_names_the_group_and_its_sum_is_right(group):
    data = igmp.report(str(group))
    assert data[0] == 0x16
    assert data[4:] == group.packed
    assert igmp.checksum(data) == 0


class Socket:
    def __init__(self, *packets):
        self.packets = list(packets)
        self.sent = []

    def recv(self, _size):
        if not self.packets:
            raise BlockingIOError
        return self.packets.pop(0)

    def sendto(self, data, to):
        self.sent.append((data, to))

    def setsockopt(self, *_words):
        pass

    def setblocking(self, _flag):
        pass

    def close(self):
        pass


def test_an_ear_hears_others_and_reminds(monkeypatch):
    query = bytes([0x11, 10, 0, 0, 0, 0, 0, 0])
    line = Socket(packet(query), packet(query, "10.0.0.7"), packet(igmp.report("234.1.1.1")))
    monkeypatch.setattr(igmp.socket, "socket", lambda *_words: line)
    ear = igmp.Ear("eth0", "10.0.0.7")
    ear.listen(2.5)
    assert ear.queries == [igmp.Query("10.0.0.1", 2.5)]
    assert ear.remind("234.1.1.1")
    assert line.sent == [(igmp.report("234.1.1.1"), ("234.1.1.1", 0))]
    ear.close()
    assert not ear.remind("234.1.1.1")


def test_an_ear_that_may_not_listen_says_so(monkeypatch):
    def refuse(*_words):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(igmp.socket, "socket", refuse)
    ear = igmp.Ear("eth0", "10.0.0.7")
    ear.listen(1.0)
    assert "become" in ear.error
    assert ear.queries == []

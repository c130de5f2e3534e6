# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: IGMP on one interface: which groups the host has joined, who asks for members, and saying "still here"."""

import socket
import struct
from typing import List, NamedTuple, Optional, Tuple

PROC_IGMP = "/proc/net/igmp"
# RFC 2236 section 2, RFC 3376 section 4.1
_QUERY, _REPORT_V2 = 0x11, 0x16
#: IP option Router Alert (RFC 2113), which every IGMP message carries.
_ROUTER_ALERT = b"\x94\x04\x00\x00"
_SO_BINDTODEVICE = 25  # <asm-generic/socket.h>; Python names it on some builds only


class Query(NamedTuple):
    """One membership query that was heard: by whom it was sent, and after how many seconds."""

    source: str
    seconds: float


def parse_igmp(text: str, interface: str) -> Tuple[str, ...]:
    """The groups an interface has joined, out of /proc/net/igmp; a malformed line is left out."""
    found = []
    current = ""
    for line in text.splitlines()[1:]:
        words = line.split()
        if not words:
            continue
        if not line[:1].isspace():
            # "2	eth0      :     1      V3": a long name touches the colon.
            current = words[1].rstrip(":") if len(words) > 1 else ""
        elif current == interface and len(words[0]) == 8:
            try:
                # Written as the machine's own integer, so the bytes of a little-endian host are reversed.
                found.append(socket.inet_ntoa(struct.pack("=I", int(words[0], 16))))
            except ValueError:
                continue
    return tuple(found)


def joined(interface: str, path: str = PROC_IGMP) -> Tuple[str, ...]:
    """The groups an interface has joined now; none where that cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return parse_igmp(file.read(), interface)
    except OSError:
        return ()


def parse_query(packet: bytes) -> Optional[str]:
    """The sender of a membership query, out of a whole IPv4 packet; None when it is something else."""
    if len(packet) < 20 or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_IGMP:
        return None
    header = (packet[0] & 0x0F) * 4
    if header < 20 or len(packet) < header + 8 or packet[header] != _QUERY:
        return None
    return socket.inet_ntoa(packet[12:16])


def checksum(data: bytes) -> int:
    """The Internet checksum of an even number of bytes (RFC 1071)."""
    total: int = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def report(group: str) -> bytes:
    """An IGMPv2 membership report: this host is a member of ``group``."""
    body = struct.pack("!BBH4s", _REPORT_V2, 0, 0, socket.inet_aton(group))
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


class Ear:
    """Listens for membership queries on one interface while a probe runs, and reports the host's membership again.

    ``error`` says why it cannot, or is empty; then nothing is known about queries.
    """

    def __init__(self, interface: str, address: str) -> None:
        self.error = ""
        self.queries: List[Query] = []
        self._address = address
        self._socket: Optional[socket.socket] = None
        try:
            ear = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_IGMP)
        except OSError as error:
            self.error = "IGMP cannot be heard (%s); run as root (become: true)" % (error.strerror or error)
            return
        try:
            ear.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode() + b"\0")
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, _ROUTER_ALERT)
            ear.setblocking(False)
        except OSError as error:
            ear.close()
            self.error = "IGMP cannot be heard on %s (%s)" % (interface, error.strerror or error)
            return
        self._socket = ear

    def listen(self, seconds: float) -> None:
        """Take in what was heard since the last time; ``seconds`` is now. The host's own queries do not count."""
        while self._socket is not None:
            try:
                packet = self._socket.recv(2048)
            except OSError:
                return
            source = parse_query(packet)
            if source is not None and source != self._address:
                self.queries.append(Query(source, seconds))

    def remind(self, group: str) -> bool:
        """Tell the switches that this host is a member of ``group``; False when that could not be sent."""
        if self._socket is None:
            return False
        try:
            self._socket.sendto(report(group), (group, 0))
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Stop listening."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pure: the command lines of udp-sender and udp-receiver, and what they print (udpcast 20120424)."""

import re
from typing import Dict, List, NamedTuple, Tuple

#: What FOG gives every udp-sender (facts/fog.md section 2).
TTL = 32
DUPLEX = "--full-duplex"


class Stream(NamedTuple):
    """What sender and receivers of one probe must agree on, and what FOG would give its own sender."""

    interface: str  # "" lets udpcast choose, as FOG does where it gives none
    portbase: int
    rendezvous: str = ""  # --mcast-rdv-address, "" udpcast's own (224.0.0.1)
    data_address: str = ""  # --mcast-data-address, "" udpcast's own
    duplex: str = DUPLEX
    ttl: int = TTL
    bitrate: int = 0  # bits a second, 0 without a limit
    hello_interval: str = ""  # --rexmit-hello-interval


#: What udp-receiver prints when its sender has answered.
CONNECTED = b"Connected as"


def announced(stream: Stream) -> bool:
    """Whether the sender announces itself to receivers that were there before it: at a multicast address it does."""
    return not stream.rendezvous or 224 <= int(stream.rendezvous.split(".")[0]) <= 239


class Said(NamedTuple):
    """What a udp-sender or udp-receiver said of itself; every field empty, zero or None where it did not."""

    address: str = ""  # its own
    interface: str = ""
    control: str = ""  # where the sender announces itself
    group: str = ""  # the multicast address of the data
    peers: Tuple[str, ...] = ()  # a sender: the addresses of its receivers; a receiver: its sender's
    started: bool = False
    complete: bool = False
    bytes: int = 0
    retransmits: int = 0  # blocks sent again, a sender only
    percent: float = 0.0  # of them
    unanswered: Tuple[Tuple[str, int], ...] = ()  # receivers that did not answer in time, and how often
    dropped: Tuple[str, ...] = ()  # receivers the sender gave up
    errors: Tuple[str, ...] = ()  # the lines that tell of trouble


def sender_command(program: str, stream: Stream, receivers: int, max_wait: int) -> List[str]:
    """The udp-sender that sends its standard input as FOG's own would send a file.

    :param receivers: for how many it waits.
    :param max_wait: seconds after the first one connected in which the others may come.
    """
    words = [program]
    if stream.hello_interval:
        words += ["--rexmit-hello-interval", stream.hello_interval]
    if stream.bitrate:
        words += ["--max-bitrate", str(stream.bitrate)]
    if stream.interface:
        words += ["--interface", stream.interface]
    words += ["--min-receivers", str(receivers), "--max-wait", str(max_wait)]
    if stream.data_address:
        words += ["--mcast-data-address", stream.data_address]
    if stream.rendezvous:
        words += ["--mcast-rdv-address", stream.rendezvous]
    words += ["--portbase", str(stream.portbase)]
    if stream.duplex:
        words.append(stream.duplex)
    return [*words, "--ttl", str(stream.ttl), "--nokbd", "--nopointopoint"]


def receiver_command(program: str, stream: Stream, start_timeout: int) -> List[str]:
    """The udp-receiver that writes what it gets to its standard output.

    :param start_timeout: seconds it waits for the transfer to begin.
    """
    words = [program, "--portbase", str(stream.portbase), "--nokbd", "--ttl", str(stream.ttl)]
    if stream.interface:
        words += ["--interface", stream.interface]
    if stream.rendezvous:
        words += ["--mcast-rdv-address", stream.rendezvous]
    return [*words, "--start-timeout", str(start_timeout)]


_ADDRESS = r"([0-9]{1,3}(?:\.[0-9]{1,3}){3})"
_OWN = re.compile(r"UDP (?:sender|receiver) for .* at " + _ADDRESS + r" on (\S+)")
_CONTROL = re.compile("Broadcasting control to " + _ADDRESS)
_GROUP = re.compile("(?:Using mcast address|Listening to multicast on) " + _ADDRESS)
_CLIENT = re.compile("New connection from " + _ADDRESS + r"\s+\(#([0-9]{1,9})\)")
_CONNECTED = re.compile(r"Connected as #[0-9]+ to " + _ADDRESS)
_STATISTICS = re.compile(r"bytes=\s*([0-9][0-9 ]*?)\s*([KMGT]?)\s+re-xmits=([0-9]{1,18}) \(\s*([0-9]{1,6}\.[0-9])%\)")
_TIMEOUT = re.compile(r"Timeout notAnswered=\[([0-9,]*)\]")
_DROPPED = re.compile("[Dd]ropp(?:ing|ed) client #([0-9]{1,9}) because of timeout")
_TROUBLE = re.compile(
    r"Address already in use|No suitable network interface|Receiver timeout|[Dd]ropped by s|because of timeout|"
    r"Too many clients|[Nn]o such device|[Uu]nreachable|not permitted|[Ff]ailed|[Ee]rror"
)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: How much of an output is looked at: its statistics are one line rewritten over and over.
LIMIT = 1024 * 1024


def parse(text: str) -> Said:
    """What a udp-sender or udp-receiver printed, of any run: ended, killed or never begun. Never raises."""
    said = Said(complete="Transfer complete." in text)
    clients: Dict[str, str] = {}
    waited: Dict[str, int] = {}
    errors: List[str] = []
    for line in re.split("[\r\n\a]+", text[-LIMIT:]):
        said = _learn(said, line.strip(), clients, waited)
        if _TROUBLE.search(line) and line.strip() not in errors:
            errors.append(line.strip())
    return said._replace(
        unanswered=tuple((clients.get(number, "#" + number), count) for number, count in sorted(waited.items())),
        errors=tuple(errors[:20]),
    )


def _learn(said: Said, line: str, clients: Dict[str, str], waited: Dict[str, int]) -> Said:
    """What one line adds. ``clients``: address by number; ``waited``: how often each was waited for."""
    match = _OWN.search(line)
    if match:
        return said._replace(address=match.group(1), interface=match.group(2))
    match = _CONTROL.search(line)
    if match:
        return said._replace(control=match.group(1))
    match = _GROUP.search(line)
    if match:
        return said._replace(group=match.group(1))
    match = _CLIENT.search(line)
    if match:
        clients[match.group(2)] = match.group(1)
        return said._replace(peers=(*said.peers, match.group(1)))
    match = _CONNECTED.search(line)
    if match:
        return said._replace(peers=(*said.peers, match.group(1)))
    if line.startswith("Starting transfer"):
        return said._replace(started=True)
    match = _STATISTICS.search(line)
    if match:
        number = int(match.group(1).replace(" ", "")) * _UNITS[match.group(2)]
        return said._replace(bytes=number, retransmits=int(match.group(3)), percent=float(match.group(4)))
    match = _TIMEOUT.search(line)
    if match:
        for number in filter(None, match.group(1).split(",")):
            waited[number] = waited.get(number, 0) + 1
        return said
    match = _DROPPED.search(line)
    if match and clients.get(match.group(1), "#" + match.group(1)) not in said.dropped:
        return said._replace(dropped=(*said.dropped, clients.get(match.group(1), "#" + match.group(1))))
    return said

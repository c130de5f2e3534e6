# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The work of multicast_probe: prepare one end, run it, and tell what happened.

Nothing on the host is changed: what is sent and received goes through memory, and no rule, route or record is touched.
"""

import os
import shutil
import socket
import threading
import time
import zlib
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._findings import finding
from .._flow import Failure, as_dicts
from .._fog.options import connection_spec
from .._fog.processes import read_processes
from . import diagnose, fog, igmp, payload, ports, udpcast
from .end import RECEIVER, SENDER, End
from .firewall import Packet, read_firewall
from .host import Link, LinkError, difference, read_counters, read_link
from .transfer import run
from .watch import Watcher

JUDGE = "judge"
#: Where udp-sender announces itself when nothing else is said; a receiver that joins it may start first or last.
CONTROL = "224.0.0.1"
#: Seconds after which a receiver that nobody answered asks again.
_PATIENCE = 2.0
#: Bits a second without a wish: what every network of today carries, and what leaves room for others.
BITRATE = 50 * 1000 * 1000
_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
# Seconds of the timeout that are kept for ending everything.
_SPARE = 2
_SMALLEST, _LARGEST = 64 * 1024, 1024 * 1024 * 1024


def argument_spec() -> Dict[str, Dict[str, Any]]:
    """The options of multicast_probe."""
    spec: Dict[str, Dict[str, Any]] = {
        "role": {"type": "str", "choices": [SENDER, RECEIVER, JUDGE], "required": True},
        "interface": {"type": "str"},
        "portbase": {"type": "int"},
        "size": {"type": "int", "default": 16 * 1024 * 1024},
        "duration": {"type": "int", "default": 0},
        "bitrate": {"type": "int", "default": BITRATE},
        "receivers": {"type": "int", "default": 0},
        "timeout": {"type": "int", "default": 60},
        "rendezvous": {"type": "str"},
        "data_address": {"type": "str"},
        "ttl": {"type": "int", "default": udpcast.TTL},
        "results": {"type": "list", "elements": "dict", "default": []},
        "absent": {"type": "list", "elements": "str", "default": []},
    }
    return dict(connection_spec(), **spec)


def probe(params: Mapping[str, Any], check_mode: bool, tell: Any) -> Dict[str, Any]:
    """The module's work.

    :raises Failure: an option cannot be used, or what is needed to be safe cannot be known.
    """
    if params["role"] == JUDGE:
        return judge(params["results"], params["absent"])
    _check(params)
    # Looking around counts too, so that nothing outlives the timeout.
    until = time.monotonic() + params["timeout"] - _SPARE
    if params["role"] == SENDER:
        return _send(params, check_mode, tell, until)
    return _receive(params, check_mode, until)


def judge(results: Sequence[Mapping[str, Any]], absent: Sequence[str] = ()) -> Dict[str, Any]:
    """What the results of one sender and its receivers show together. Pure.

    :param absent: names of hosts that were to receive and of which there is no result.
    :raises Failure: there is not exactly one sender among them.
    """
    senders = [one for one in results if one.get("role") == SENDER]
    if len(senders) != 1:
        raise Failure(
            "Give the results of one sender and its receivers with results; %d senders are there." % len(senders)
        )
    sender = senders[0]
    receivers = [one for one in results if one.get("role") == RECEIVER]
    found = diagnose.judge(sender, receivers, absent)
    complete = bool(sender.get("complete")) and all(one.get("complete") for one in receivers)
    if complete and receivers:
        found += (diagnose.proven(sender, receivers),)
    lost = {share.address: share for share in diagnose.shares(receivers, sender)}
    return {
        "changed": False,
        "role": JUDGE,
        "portbase": sender.get("portbase"),
        "bytes": sender.get("bytes", 0),
        "seconds": sender.get("seconds", 0.0),
        "rate": sender.get("rate", 0.0),
        "retransmits": sender.get("retransmits", 0),
        "sha256": sender.get("sha256", ""),
        "complete": complete,
        "proven": _proven(complete, len(receivers)),
        "absent": list(absent),
        "receivers": [
            {
                "host": one.get("host"),
                "address": one.get("address"),
                "bytes": one.get("bytes", 0),
                "missing": max(0, int(one.get("size", 0)) - int(one.get("bytes", 0))),
                "sha256": one.get("sha256", ""),
                "same": one.get("sha256") == sender.get("sha256"),
                "lost": round(lost[str(one.get("address"))].lost, 2),
            }
            for one in receivers
        ],
        "findings": as_dicts(found),
    }


def _check(params: Mapping[str, Any]) -> None:
    port = params["portbase"]
    if port is not None and (port % 2 or not 1024 <= port <= ports.HIGHEST):
        raise Failure("portbase %d cannot be used: udpcast takes an even port from 1024 to %d." % (port, ports.HIGHEST))
    if port is None and params["role"] == RECEIVER:
        raise Failure("A receiver needs portbase; the sender tells it in check mode.")
    if not _SMALLEST <= params["size"] <= _LARGEST:
        raise Failure("size must be between %d and %d bytes." % (_SMALLEST, _LARGEST))
    if params["timeout"] < 5:
        raise Failure("timeout must be at least 5 seconds: a probe that long is needed to hear anything.")
    if params["duration"] < 0 or params["duration"] + _SPARE * 2 > params["timeout"]:
        raise Failure("timeout must be at least %d seconds longer than duration." % (_SPARE * 2))
    if params["receivers"] < 0 or params["bitrate"] <= 0 or not 1 <= params["ttl"] <= 255:
        raise Failure("receivers must not be negative, bitrate must be above 0, and ttl between 1 and 255.")
    for name in ("rendezvous", "data_address"):
        if params[name]:
            try:
                socket.inet_aton(params[name])
            except OSError:
                raise Failure(f"{name} {params[name]!r} is no IPv4 address.") from None


class _Plan(NamedTuple):
    program: str
    link: Link
    stream: udpcast.Stream
    address: str  # the storage node's, "" without FOG


def _bitrate(params: Mapping[str, Any]) -> int:
    """Bits a second: so slow that ``size`` takes ``duration``, and never faster than ``bitrate``."""
    wanted = int(params["bitrate"])
    return min(wanted, max(1000, params["size"] * 8 // params["duration"])) if params["duration"] else wanted


def _plan_sender(params: Mapping[str, Any]) -> _Plan:
    """What FOG would do, with what the options say instead. :raises Failure, SettingsError:"""
    wish = fog.read(params) if fog.is_here(params) else fog.Wishes()
    busy = set(wish.busy) | {sender.port for sender in read_processes().senders}
    port = params["portbase"]
    if port is None:
        # Any number will do; two hosts that begin in the same second are to meet at different ports.
        port = ports.choose(busy, zlib.crc32(("%s %f" % (socket.gethostname(), time.time())).encode()), ports.is_free)
        if port is None:
            raise Failure("No port between %d and %d is free." % (ports.LOWEST, ports.HIGHEST))
    elif {port, port + 1} & ports.taken(busy):
        raise Failure(
            "portbase %d belongs to an active session or sender, or the next session gets it; leave portbase out."
            % port
        )
    elif not ports.is_free(port):
        raise Failure("UDP port %d or %d is in use on this host; leave portbase out." % (port, port + 1))
    name = params["interface"] or wish.interface
    link = _link(name, wish.address)
    stream = udpcast.Stream(
        interface=name,
        portbase=port,
        rendezvous=params["rendezvous"] or wish.rendezvous,
        data_address=params["data_address"] or fog.data_address(wish, port),
        duplex=wish.duplex,
        ttl=params["ttl"],
        bitrate=_bitrate(params),
    )
    return _Plan(wish.program or _which("udp-sender"), link, stream, "" if params["interface"] else wish.address)


def _link(name: str, address: str) -> Link:
    try:
        return read_link(name, address)
    except LinkError as error:
        raise Failure(str(error)) from None


def _which(name: str) -> str:
    """Where the program lies; its bare name when it is nowhere, so that starting it tells so."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]
    return shutil.which(name, path=os.pathsep.join([*folders, *_FOLDERS])) or name


def _send(params: Mapping[str, Any], check_mode: bool, tell: Any, until: float) -> Dict[str, Any]:
    plan = _plan_sender(params)
    stream, link = plan.stream, plan.link
    alone = params["receivers"] == 0
    packets = [
        Packet("output", link.name, "udp", link.address, "", stream.portbase + 1, stream.portbase, "multicast"),
        Packet("input", link.name, "udp", "", link.address, stream.portbase, stream.portbase + 1, "local"),
    ]
    end = End(
        role=SENDER,
        host=socket.gethostname(),
        link=link,
        stream=stream,
        size=params["size"],
        digest=payload.digest(stream.portbase, params["size"]),
        receivers=params["receivers"],
        firewall=read_firewall(packets),
        address=plan.address,
    )
    own: Optional[End] = None
    if not check_mode:
        tell("multicast_probe: port %d on %s, %d bytes" % (stream.portbase, link.name, params["size"]))
        if alone:
            end, own = _loop(end, plan.program, until)
        else:
            end = _transmit(end, plan.program, until)
    found = list(diagnose.diagnose(end))
    if own is not None:
        found += [each for each in diagnose.diagnose(own) if each.id not in [other.id for other in found]]
    if alone and not check_mode:
        summary = "%s received its own stream; only the host was proven, not the network." % end.host
        if not (end.complete and own is not None and own.complete):
            summary = "%s sent to itself only, and did not receive all of it." % end.host
        found.append(finding("net.probe.alone", "sender " + end.host, summary, ["receivers: 0"]))
    complete = end.complete and (own is None or own.complete)
    return dict(
        view(end),
        complete=complete,
        proven=_proven(complete, params["receivers"]),
        findings=as_dicts(found),
    )


def _left(until: float) -> float:
    """Seconds that are left. :raises Failure: looking around took all of them."""
    left = until - time.monotonic()
    if left < 1:
        raise Failure("Looking at the host took so long that no time was left to send; give a longer timeout.")
    return left


def _transmit(end: End, program: str, until: float) -> End:
    before = read_counters()
    timeout = _left(until)
    wait = int(max(1, min(30, timeout / 3)))
    command = udpcast.sender_command(program, end.stream, max(1, end.receivers), wait)
    done = run(command, timeout, payload.chunks(end.stream.portbase, end.size))
    return end._replace(transfer=done, said=udpcast.parse(done.output), counters=difference(before, read_counters()))


def _loop(end: End, program: str, until: float) -> Tuple[End, End]:
    """Send and receive on the same interface at the same time."""
    own = end._replace(role=RECEIVER, address="", firewall=end.firewall._replace(blocks=(), open=0, error=""))
    own = own._replace(stream=_heard_stream(end.stream))
    kept: List[End] = []
    _left(until)
    listener = threading.Thread(target=lambda: kept.append(_listen(own, until)))
    listener.start()
    try:
        end = _transmit(end, program, until)
    finally:
        listener.join()
    return end, kept[0] if kept else own


def _receive(params: Mapping[str, Any], check_mode: bool, until: float) -> Dict[str, Any]:
    name = params["interface"] or ""
    link = _link(name, "")
    # udp-receiver would take the first interface; the one that is looked at is to be the one it uses.
    stream = udpcast.Stream(
        interface=link.name,
        portbase=params["portbase"],
        rendezvous=params["rendezvous"] or "",
        ttl=params["ttl"],
        bitrate=_bitrate(params),
    )
    port = stream.portbase
    packets = [
        Packet("input", link.name, "udp", "", "", port + 1, port, "multicast"),
        Packet("output", link.name, "udp", link.address, "", port, port + 1, "unicast"),
        # Without its membership reports a switch with IGMP snooping sends it nothing.
        Packet("output", link.name, "igmp", link.address, "", 0, 0, "multicast"),
    ]
    end = End(
        role=RECEIVER,
        host=socket.gethostname(),
        link=link,
        stream=_heard_stream(stream),
        size=params["size"],
        digest=payload.digest(port, params["size"]),
        firewall=read_firewall(packets),
    )
    if not check_mode:
        end = _listen(end, until)
    return dict(view(end), proven=_proven(end.complete, 1), findings=as_dicts(diagnose.diagnose(end)))


def _heard_stream(stream: udpcast.Stream) -> udpcast.Stream:
    return stream._replace(rendezvous=stream.rendezvous or CONTROL)


def _listen(end: End, until: float) -> End:
    name = end.link.name
    timeout = _left(until)
    ear = igmp.Ear(name, end.link.address)
    watcher = Watcher(ear, lambda: igmp.joined(name), read_counters)
    before = read_counters()
    start_timeout = int(max(3, min(120, timeout * 3 / 4)))
    command = udpcast.receiver_command(_which("udp-receiver"), end.stream, start_timeout)
    # udp-receiver asks once. A sender with an address of its own does not announce itself, so it is asked again.
    once = udpcast.announced(end.stream)

    def lonely(seconds: float, said: bytes) -> bool:
        return (
            not once and seconds > _PATIENCE and udpcast.CONNECTED not in said and until - time.monotonic() > _PATIENCE
        )

    try:
        done = run(command, timeout, watch=watcher.look, abandon=lonely)
        while done.timed_out and until - time.monotonic() > _PATIENCE:
            done = run(command, _left(until), watch=watcher.look, abandon=lonely)
    finally:
        watcher.close()
    return end._replace(
        transfer=done,
        said=udpcast.parse(done.output),
        counters=difference(before, read_counters()),
        groups=watcher.groups,
        queries=tuple(ear.queries),
        silences=tuple(watcher.silences),
        unheard=ear.error,
    )


def view(end: End) -> Dict[str, Any]:
    """One end as plain data for the module's result. Pure."""
    sent = end.role == SENDER
    count = end.said.bytes if sent else end.transfer.bytes
    waited = dict(end.said.unanswered)
    return {
        "changed": False,
        "role": end.role,
        "host": end.host,
        "interface": end.link.name,
        "address": end.said.address or end.link.address,
        "mtu": end.link.mtu,
        "portbase": end.stream.portbase,
        "group": end.said.group,
        # FOG's clients ask at the storage node's address where no rendezvous is set, though the sender knows none then.
        "rendezvous": end.stream.rendezvous or end.address or end.link.address,
        "ttl": end.stream.ttl,
        "bitrate": end.stream.bitrate,
        "size": end.size,
        "bytes": count,
        "seconds": round(end.transfer.seconds, 3),
        "rate": round(end.rate),
        "retransmits": end.said.retransmits,
        "datagrams": -(-count // diagnose.BLOCK) + end.said.retransmits if sent else 0,
        "sha256": end.transfer.sha256 if end.ran else end.digest,
        "complete": end.complete,
        "peers": [
            {"address": peer, "unanswered": waited.get(peer, 0), "dropped": peer in end.said.dropped}
            for peer in end.said.peers
        ],
        "counters": dict(end.counters),
        "routed": diagnose.routed(end),
        "groups": list(end.groups),
        "queriers": sorted({query.source for query in end.queries}),
        "silences": [dict(each._asdict()) for each in end.silences],
        "output": end.transfer.output.replace("\r", "\n").splitlines()[-20:],
    }


def _proven(complete: bool, receivers: int) -> str:
    if not complete:
        return "nothing"
    return "wire" if receivers else "host"

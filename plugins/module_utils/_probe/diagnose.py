# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diagnose room of the probe: from what happened at one end, or at all of them, to findings. Pure."""

import ipaddress
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._catalogue import CATALOGUE
from .._findings import Finding, finding
from .._severity import ERROR, SEVERITIES, WARNING
from .end import RECEIVER, SENDER, End

#: The share of lost datagrams, in percent, from which on it is told. Below, FOG does not notice.
LOSS = 1.0
#: A stream slower than this share of the rate that was asked for is held back by somebody.
SLOW = 0.5
#: Loss, in percent, and how often the sender waited in vain, from which on a slow stream is one receiver's doing.
HEAVY, WAITS = 10.0, 2
#: The largest IPv4 packet of udp-sender, and how many bytes of what is sent are in one.
PACKET, BLOCK = 1500, 1456
#: Fewer fragments than this are not those of a stream, however little of it came through.
FEW = 50
#: What tells only that something is wrong.
_INCOMPLETE = "net.probe.incomplete"
_FRAGMENTS = (
    ("Ip.FragCreates", "%d fragments were sent"),
    ("Ip.ReasmReqds", "%d fragments arrived"),
    ("Ip.ReasmFails", "%d packets could not be put together again"),
    ("Ip.FragFails", "%d packets could not be split"),
)


def diagnose(end: End) -> Tuple[Finding, ...]:
    """What one end of a probe shows; worst first. A cause is told only with evidence of its own."""
    found = _causes(end)
    if end.ran and not end.complete and not any(each.severity == ERROR for each in found):
        found.append(_unexplained(end))
    return _sorted(found)


def _causes(end: End) -> List[Finding]:
    found = _not_started(end)
    if found:
        return found
    for look in (_firewall, _source, _join, _querier, _ttl, _mtu, _differs, _unread):
        found += look(end)
    return found


def _not_started(end: End) -> List[Finding]:
    if not end.transfer.error and not any("in use" in line for line in end.said.errors):
        return []
    why = end.transfer.error or "; ".join(end.said.errors)
    return [finding("net.probe.failed", _subject(end), "%s could not be run: %s" % (_program(end), why), [why])]


def _firewall(end: End) -> List[Finding]:
    """A rule that surely drops the stream. When the stream came through all the same, the rules were misread."""
    if end.complete or not end.firewall.blocks:
        return []
    lines = ["%s is dropped by %s: %s" % (block.packet, block.where, block.rule) for block in end.firewall.blocks]
    if end.firewall.manager:
        lines.append("The rules are kept by %s." % end.firewall.manager)
    what = "the stream of udpcast (UDP ports %d and %d)" % (end.stream.portbase, end.stream.portbase + 1)
    if all(block.packet.protocol == "igmp" for block in end.firewall.blocks):
        what = "IGMP, by which the host asks for the stream"
    summary = "The firewall of %s drops %s." % (end.host, what)
    return [finding("net.firewall." + end.role, _subject(end), summary, lines)]


def _source(end: End) -> List[Finding]:
    refused = end.counters.get("TcpExt.IPReversePathFilter", 0)
    # The count is the whole host's: without a filter on the probe's interface it is about another one.
    if refused > 0 and end.link.rp_filter != 0 and not end.complete:
        summary = "%s refuses packets of the stream: by its routes they come from the wrong interface." % end.host
        lines = ["%d packets were refused by the reverse path filter during the probe" % refused]
        if end.link.rp_filter is not None:
            lines.append("rp_filter of %s is %d" % (end.link.name, end.link.rp_filter))
        return [finding("net.source.wrong", _subject(end), summary, lines)]
    if end.role == SENDER and end.address and end.said.address and end.said.address != end.address:
        summary = "udp-sender sends as %s, not as %s, the address of the storage node." % (
            end.said.address,
            end.address,
        )
        return [finding("net.source.wrong", _subject(end), summary, ["UDP sender at %s" % end.said.address])]
    return []


def _join(end: End) -> List[Finding]:
    if not end.ran or end.complete or end.transfer.error:
        return []
    if end.role == SENDER:
        missing = max(1, end.receivers) - len(end.said.peers)
        if missing <= 0:
            return []
        summary = "%d of %d receivers never reported to the sender." % (missing, max(1, end.receivers))
        came = ", ".join(end.said.peers) or "none"
        return [finding("net.join.missing", _subject(end), summary, ["reported: " + came])]
    if not end.said.peers:
        summary = "%s heard no sender on port %d." % (end.host, end.stream.portbase)
        return [finding("net.join.missing", _subject(end), summary, list(end.said.errors) or ["no word from a sender"])]
    if end.said.group and end.said.group not in end.groups:
        summary = "%s is not in the group %s on %s." % (end.host, end.said.group, end.link.name)
        groups = ", ".join(end.groups) or "none"
        return [finding("net.join.missing", _subject(end), summary, ["groups of %s: %s" % (end.link.name, groups)])]
    return []


def _querier(end: End) -> List[Finding]:
    pruned = [each for each in end.silences if each.pruned]
    found = []
    if pruned:
        first = pruned[0]
        summary = (
            "The stream to %s stopped after %.0f s and came back when the host reported its membership unasked."
            % (
                end.host,
                first.began,
            )
        )
        lines = [
            "silence from %.1f s to %.1f s, %d datagrams arrived meanwhile, %d membership reports were sent"
            % (each.began, each.ended or 0.0, each.datagrams, each.reports)
            for each in pruned
        ]
        lines.append(_heard(end))
        found.append(finding("net.querier.missing", _subject(end), summary, lines))
    elif end.link.snooping and end.link.querier is False and not end.queries:
        summary = "The bridge %s of %s snoops IGMP and nobody was heard asking for members." % (
            end.link.bridge,
            end.host,
        )
        lines = ["multicast_snooping of %s is 1, multicast_querier is 0" % end.link.bridge, _heard(end)]
        found.append(finding("net.querier.missing", _subject(end), summary, lines, severity=WARNING))
    return found


def _heard(end: End) -> str:
    if end.unheard:
        return end.unheard
    if not end.queries:
        return "no membership query was heard"
    who = ", ".join(sorted({query.source for query in end.queries}))
    return "%d membership queries were heard, of %s, the last after %.1f s" % (
        len(end.queries),
        who,
        end.queries[-1].seconds,
    )


def _ttl(end: End) -> List[Finding]:
    if end.role != RECEIVER or not end.ran or end.complete or end.stream.ttl > 1 or not end.said.peers:
        return []
    if not routed(end):
        return []
    summary = "%s is behind a router and the stream may cross none (ttl %d)." % (end.host, end.stream.ttl)
    lines = ["the sender %s is in another network" % end.said.peers[0]]
    return [finding("net.ttl.short", _subject(end), summary, lines)]


def routed(end: End) -> bool:
    """Whether a receiver and the sender it speaks with are in different networks."""
    if end.role != RECEIVER or not end.said.peers:
        return False
    try:
        sender = ipaddress.IPv4Address(end.said.peers[0])
        networks = [ipaddress.IPv4Network("%s/%d" % own, strict=False) for own in end.link.addresses]
    except ValueError:
        return False
    return not any(sender in network for network in networks)


def _mtu(end: End) -> List[Finding]:
    counts = [(end.counters.get(name, 0), text) for name, text in _FRAGMENTS]
    # The counts are the whole host's: the stream's own fragments are as many as its datagrams at least.
    moved = end.said.bytes if end.role == SENDER else end.transfer.bytes
    fragments = max(count for count, _text in counts) >= max(FEW, -(-moved // BLOCK))
    lines = [text % count for count, text in counts if fragments and count > 0]
    if not fragments and not 0 < end.link.mtu < PACKET:
        return []
    if end.link.mtu:
        lines.append(
            "the MTU of %s is %d, a packet of udp-sender has up to %d bytes" % (end.link.name, end.link.mtu, PACKET)
        )
    lost = not end.complete and end.counters.get("Ip.ReasmFails", 0) + end.counters.get("Ip.FragFails", 0) > 0
    summary = "The packets of the stream are larger than %s of %s carries." % (end.link.name, end.host)
    if fragments:
        summary = "The packets of the stream travel in fragments%s." % (", and some are lost for it" if lost else "")
    return [
        finding("net.mtu.fragmentation", _subject(end), summary, lines, severity=ERROR if lost else WARNING),
    ]


def _differs(end: End) -> List[Finding]:
    # A receiver that the sender gave up says that it is complete too.
    whole = end.role == RECEIVER and end.transfer.code == 0 and end.said.complete and end.transfer.bytes >= end.size
    if not whole or end.transfer.sha256 == end.digest:
        return []
    summary = "%s received something else than was sent." % end.host
    lines = [
        "%d of %d bytes" % (end.transfer.bytes, end.size),
        "SHA-256 %s instead of %s" % (end.transfer.sha256, end.digest),
    ]
    return [finding("net.data.differs", _subject(end), summary, lines)]


def _unread(end: End) -> List[Finding]:
    if end.complete or not (end.firewall.error or end.firewall.open):
        return []
    lines = [end.firewall.error] if end.firewall.error else []
    if end.firewall.open:
        lines.append("what the rules do with %d of the packets cannot be told from the rules alone" % end.firewall.open)
    return [finding("net.firewall.unread", _subject(end), "The firewall of %s is not judged." % end.host, lines)]


def _unexplained(end: End) -> Finding:
    done, of = (end.said.bytes if end.role == SENDER else end.transfer.bytes), end.size
    lines = list(end.said.errors)
    lines += ["%s did not answer in time, %d times" % each for each in end.said.unanswered]
    lines += ["%s was given up by the sender" % each for each in end.said.dropped]
    lines += [
        "silent from %.1f s on, after %d bytes" % (each.began, each.bytes) for each in end.silences if not each.ended
    ]
    lines.append(_heard(end) if end.role == RECEIVER else "%s ended with %s" % (_program(end), end.transfer.code))
    how = "was not done in time" if end.transfer.timed_out else "failed"
    return finding(_INCOMPLETE, _subject(end), "The probe %s: %d of %d bytes." % (how, done, of), lines)


# --- all ends together ----------------------------------------------------------------------------------------------


class Share(NamedTuple):
    """What one receiver got of the datagrams that were sent, by the host's own count."""

    host: str
    address: str
    arrived: int  # at the host
    overrun: int  # of those, thrown away because udp-receiver did not fetch them in time
    lost: float  # percent that never arrived


def shares(receivers: Sequence[Mapping[str, Any]], sender: Mapping[str, Any]) -> Tuple[Share, ...]:
    """How much of the stream reached each receiver.

    The one that got most is the measure, or what the sender says it sent, whichever is more. Datagrams of other
    programs count too, so a busy receiver may look better than it is, and make others look worse. What a receiver that
    has everything had lost was sent again, so it lost no more than that.
    """
    again = int(sender.get("retransmits") or 0)
    counts = []
    for one in receivers:
        counters = one.get("counters") or {}
        overrun = int(counters.get("Udp.RcvbufErrors", 0))
        counts.append(
            (int(counters.get("Udp.InDatagrams", 0)) + max(overrun, int(counters.get("Udp.InErrors", 0))), overrun)
        )
    most = max([arrived for arrived, _overrun in counts] + [int(sender.get("datagrams") or 0)], default=0)
    found = []
    for one, (arrived, overrun) in zip(receivers, counts):
        missing = min(most - arrived, again) if one.get("complete") else most - arrived
        lost = 100.0 * missing / (arrived + missing) if missing else 0.0
        found.append(Share(str(one.get("host")), str(one.get("address")), arrived, overrun, lost))
    return tuple(found)


def judge(
    sender: Mapping[str, Any], receivers: Sequence[Mapping[str, Any]], absent: Sequence[str] = ()
) -> Tuple[Finding, ...]:
    """What the results of all ends together show: loss, who holds the others back, and who never took part.

    :param sender: the result of the sender's module call, ``receivers``: those of the receivers'.
    :param absent: names of the hosts that were to receive and of which there is no result.
    """
    found = [_absent(name, bool(receivers)) for name in absent]
    vanished = [made for made in (_vanished(sender, one) for one in receivers) if made is not None]
    found += vanished
    if not receivers or not sender.get("bytes"):
        return _sorted(found)
    wanted, rate = float(sender.get("bitrate") or 0), float(sender.get("rate") or 0)
    slow = bool(wanted) and rate < SLOW * wanted
    waited = {str(one["address"]): int(one["unanswered"]) for one in sender.get("peers") or ()}
    each = shares(receivers, sender)
    worst = max(each, key=lambda one: (one.lost, waited.get(one.address, 0)))
    explained = {str(one.get("address")) for one in receivers if _explained(one)}
    for one in each:
        subject = "%s %s" % (RECEIVER, one.host)
        if one.address in explained or subject in [made.subject for made in vanished]:
            continue
        lines = [
            "%d datagrams arrived, %.1f %% of the stream did not" % (one.arrived, one.lost),
            "%d of them were thrown away by the host, which was too slow to take them" % one.overrun,
            "the sender waited for it in vain %d times" % waited.get(one.address, 0),
            "%d blocks were sent again; %.1f of %.1f Mbit/s"
            % (sender.get("retransmits") or 0, rate / 1e6, wanted / 1e6),
        ]
        if slow and len(each) > 1 and one is worst and _stands_out(one, each, waited):
            summary = "%s holds all receivers back: %.1f instead of %.1f Mbit/s." % (one.host, rate / 1e6, wanted / 1e6)
            found.append(finding("net.receiver.slow", subject, summary, lines))
        elif one.lost >= LOSS:
            summary = "%.1f %% of the stream is lost on the way to %s." % (one.lost, one.host)
            found.append(finding("net.loss", subject, summary, lines))
    return _sorted(found)


def proven(sender: Mapping[str, Any], receivers: Sequence[Mapping[str, Any]]) -> Finding:
    """That all of it arrived at all of them, with what was measured."""
    names = ", ".join(str(one.get("host")) for one in receivers)
    wanted, rate = float(sender.get("bitrate") or 0), float(sender.get("rate") or 0)
    summary = "%s bytes went over the wire to %s at %.1f Mbit/s." % (sender.get("bytes"), names, rate / 1e6)
    if rate < SLOW * wanted:
        summary = summary[:-1] + ", though %.1f were asked for." % (wanted / 1e6)
    lines = ["%s: SHA-256 %s" % (one.get("host"), one.get("sha256")) for one in receivers]
    lines.append("%d blocks were sent again" % (sender.get("retransmits") or 0))
    return finding("net.probe.proven", "%s %s" % (SENDER, sender.get("host")), summary, lines)


def _vanished(sender: Mapping[str, Any], one: Mapping[str, Any]) -> Optional[Finding]:
    """What keeps all of the stream from a receiver that joined its group and speaks with the sender, if that shows.

    The sender asks who has what by small packets to the group. When they are answered, and no data arrives, it is the
    size that matters; when they are not, nothing that goes to the group arrives.
    """
    peer = next((each for each in sender.get("peers") or () if each["address"] == one.get("address")), None)
    joined = one.get("peers") and one.get("group") in (one.get("groups") or ())
    # Whom a sender misses is another receiver.
    explained = _explained(one) or _explained(sender, (_INCOMPLETE, "net.join.missing"))
    if peer is None or not joined or one.get("bytes") or explained:
        return None
    if any(each.get("id") == "net.firewall.unread" for end in (sender, one) for each in end.get("findings") or ()):
        return None
    subject, host = "%s %s" % (RECEIVER, one.get("host")), one.get("host")
    lines = ["%s is in the group %s, and received nothing of the stream" % (host, one.get("group"))]
    arrived = int((one.get("counters") or {}).get("Udp.InDatagrams", 0))
    if peer["unanswered"] or peer["dropped"]:
        if not one.get("routed"):
            return None
        lines.append("the sender %s is in another network, and they found each other" % one["peers"][0]["address"])
        lines.append("the sender asked the group and waited for %s in vain %d times" % (host, peer["unanswered"]))
        lines.append("ttl %s" % sender.get("ttl"))
        summary = "No router passes the stream on to %s, though the two can speak with each other." % host
        return finding("net.routing.missing", subject, summary, lines)
    if sender.get("complete") or arrived < FEW:
        return None
    lines.append("%d datagrams arrived, and the sender never had to wait for an answer to its small ones" % arrived)
    lines.append("a packet with data has up to %d bytes" % PACKET)
    summary = "The large packets of the stream vanish on the way to %s, the small ones arrive." % host
    return finding("net.mtu.fragmentation", subject, summary, lines, severity=ERROR)


def _absent(name: str, others: bool) -> Finding:
    summary = "%s took no part in the probe, so nothing is known about the way to it." % name
    if others:
        return finding("net.receiver.absent", "%s %s" % (RECEIVER, name), summary)
    # Nothing at all is known then about the network.
    return finding("net.receiver.absent", "%s %s" % (RECEIVER, name), summary, severity=ERROR)


def _explained(result: Mapping[str, Any], but: Sequence[str] = (_INCOMPLETE,)) -> bool:
    """Whether an end told by itself what breaks the stream: by an error that is none of ``but``."""
    return any(each.get("severity") == ERROR and each.get("id") not in but for each in result.get("findings") or ())


def _stands_out(one: Share, each: Sequence[Share], waited: Mapping[str, int]) -> bool:
    """Whether this receiver is far worse than every other one."""
    others = [other for other in each if other is not one]
    vain = waited.get(one.address, 0)
    more = vain >= WAITS and all(vain > 2 * waited.get(other.address, 0) for other in others)
    return more or (one.lost >= HEAVY and all(one.lost > 3 * other.lost for other in others))


def _subject(end: End) -> str:
    return "%s %s" % (end.role, end.host)


def _program(end: End) -> str:
    return "udp-" + end.role


def _sorted(found: Sequence[Finding]) -> Tuple[Finding, ...]:
    order = list(CATALOGUE)
    return tuple(sorted(found, key=lambda each: (SEVERITIES.index(each.severity), order.index(each.id))))

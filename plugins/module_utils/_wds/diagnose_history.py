# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose: what events and deployment logs tell. Pure.

Both are history. It counts while it can matter: while the namespace it is about is not healthy.
"""

from typing import Dict, List, Set, Tuple

from .._findings import CATALOGUE, ERROR, INFO, Finding, finding
from .diagnose_namespaces import Wish, clip, expected_names, healthy, listed
from .events import Event
from .registry import fold
from .snapshot import Deployment, Snapshot

#: Logged when WDSMC reads its configuration, so at each start of WDSServer (facts/windows.md section 5).
START_EVENT = 512
#: Who logs which event of the catalogue.
SOURCES = {"WDSMC": range(START_EVENT, 772), "wdscpmsg": range(256, 259)}
#: Two senders use one multicast address: no namespace's fault, and over with the next start that does not repeat it.
ADDRESS_EVENTS = (514, 515)

_EVIDENCE = 5
_NODES = 20


def event_findings(snapshot: Snapshot, wish: Wish) -> List[Finding]:
    """A finding for each kind of event, apart for those that can matter still and those that are over."""
    kinds: Dict[Tuple[int, str], List[Event]] = {}
    for event in snapshot.events:
        name = "wds.event.%d" % event.id
        if name in CATALOGUE and event.id in SOURCES.get(event.source, ()):
            severity = CATALOGUE[name].severity if _matters(snapshot, wish, event) else INFO
            kinds.setdefault((event.id, severity), []).append(event)
    found = []
    for (number, severity), events in kinds.items():
        entry = CATALOGUE["wds.event.%d" % number]
        source = events[0].source
        evidence = [_line(event) for event in events[:_EVIDENCE]]
        if len(events) > _EVIDENCE:
            evidence.append("and %d more" % (len(events) - _EVIDENCE))
        summary = "%s Seen %s, last at %s%s." % (
            entry.meaning,
            "once" if len(events) == 1 else "%d times" % len(events),
            events[0].time or "an unknown time",
            "; it is over" if severity == INFO else "",
        )
        subject = "%s %d" % (source, number)
        found.append(finding("wds.event.%d" % number, subject, summary, evidence, severity=severity))
    return found


def _line(event: Event) -> str:
    texts = "; ".join(clip(text) for text in event.data[:_EVIDENCE])
    return "%s %d at %s (record %d)%s" % (event.source, event.id, event.time, event.record, texts and ": " + texts)


def _matters(snapshot: Snapshot, wish: Wish, event: Event) -> bool:
    if event.id in ADDRESS_EVENTS:
        return not any(
            other.source == event.source and other.id == START_EVENT and other.record > event.record
            for other in snapshot.events
        )
    expected = expected_names(snapshot, wish)
    known: Set[str] = set()
    for names in (expected, *([each.name for each in part] for part in (snapshot.store, snapshot.baseline))):
        known.update(fold(name) for name in names)
    known.update(fold(each.name) for each in snapshot.live.namespaces)
    named = [text for text in event.data if fold(text) in known]
    return not all(healthy(snapshot, name) for name in named or expected) if named or expected else True


def deployment_findings(snapshot: Snapshot, wish: Wish) -> List[Finding]:
    """What the newest deployment of each compute node tells."""
    deployments = snapshot.deployments or ()
    blank = [each for each in deployments if each.namespace == ""]
    # Without a CcpImg line nothing says that multicast was tried.
    failed = [each for each in deployments if _failed(each)]
    expected = expected_names(snapshot, wish)
    there = bool(expected) and all(healthy(snapshot, name) for name in expected)
    found = []
    if blank:
        changes = {"severity": INFO} if there else {}
        summary = "The newest deployment of %s was told a blank namespace%s." % (_nodes(blank), _since(there))
        found.append(finding("hpc.deployment.blank_namespace", "deployment logs", summary, _lines(blank), **changes))
    for each, over in (
        ([one for one in failed if one.namespace], False),
        ([o for o in failed if not o.namespace], there),
    ):
        if each:
            changes = {"severity": INFO} if over else {}
            summary = "Multicast failed in the newest deployment of %s%s." % (_nodes(each), _since(over))
            found.append(
                finding("hpc.deployment.unicast_fallback", "deployment logs", summary, _lines(each), **changes)
            )
    return found


def _failed(deployment: Deployment) -> bool:
    return deployment.fallback or deployment.usage or deployment.exit_code not in (None, 0)


def _since(there: bool) -> str:
    return "; the namespace is there now" if there else ""


def _nodes(deployments: List[Deployment]) -> str:
    if len(deployments) == 1:
        return "the compute node %s" % clip(deployments[0].node)
    return "%d compute nodes (%s)" % (len(deployments), listed([each.node for each in deployments]))


def _lines(deployments: List[Deployment]) -> List[str]:
    lines = []
    for each in deployments[:_NODES]:
        told = "no CcpImg line" if each.namespace is None else '-namespace:"%s"' % clip(each.namespace)
        parts = ["%s at %s" % (clip(each.node), each.time), "image %s" % (clip(each.image) or "not named"), told]
        if each.usage:
            parts.append("CcpImg printed its usage")
        if each.fallback:
            parts.append("copied by robocopy")
        if each.exit_code is not None:
            parts.append("Multicast Failed with Exit Code %d" % each.exit_code)
        lines.append("%s (%s)" % (", ".join(parts), clip(each.file)))
    if len(deployments) > _NODES:
        lines.append("and %d more compute nodes" % (len(deployments) - _NODES))
    return lines


def causes_of(snapshot: Snapshot, name: str) -> List[str]:
    """Evidence of why a namespace that is gone went: its newest telling event, and the newest blank deployment."""
    lines = []
    for event in snapshot.events:
        known = "wds.event.%d" % event.id in CATALOGUE and event.id in SOURCES.get(event.source, ())
        own = any(fold(text) == fold(name) for text in event.data)
        if known and (own or CATALOGUE["wds.event.%d" % event.id].severity == ERROR):
            lines.append(_line(event))
            break
    blank = [each for each in snapshot.deployments or () if each.namespace == ""]
    return lines + _lines(blank[:1])

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose: what events and deployment logs tell. Pure.

Both are history. It counts while it can matter: while the namespace it is about is not healthy. So what brings that
namespace back ends it as well, and ``curable`` says which namespaces can be brought back, by :func:`registry.fold` of
their names, each with the consent variable that takes (or None).
"""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Set, Tuple

from .._catalogue import CATALOGUE
from .._findings import Finding, finding
from .._severity import ERROR, INFO
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


Curable = Mapping[str, Optional[str]]


def event_findings(snapshot: Snapshot, wish: Wish, curable: Curable) -> List[Finding]:
    """A finding for each kind of event, apart for those that can matter still and those that are over."""
    kinds: Dict[Tuple[int, bool, bool, Optional[str]], List[Event]] = {}
    for event in snapshot.events:
        if "wds.event.%d" % event.id in CATALOGUE and event.id in SOURCES.get(event.source, ()):
            kinds.setdefault((event.id, *_outlook(snapshot, wish, event, curable)), []).append(event)
    found = []
    for (number, over, repairable, gate), events in kinds.items():
        entry = CATALOGUE["wds.event.%d" % number]
        source = events[0].source
        evidence = [_line(event) for event in events[:_EVIDENCE]]
        if len(events) > _EVIDENCE:
            evidence.append("and %d more" % (len(events) - _EVIDENCE))
        summary = "%s Seen %s, last at %s%s." % (
            entry.meaning,
            "once" if len(events) == 1 else "%d times" % len(events),
            events[0].time or "an unknown time",
            "; it is over" if over else "",
        )
        changes = _changes("wds.event.%d" % number, over, repairable, gate)
        found.append(finding("wds.event.%d" % number, "%s %d" % (source, number), summary, evidence, **changes))
    return found


def _changes(name: str, over: bool, repairable: bool, gate: Optional[str]) -> Dict[str, Any]:
    """What differs from the catalogue for history that is over, or that a repair ends."""
    if over:
        return {"severity": INFO}
    if repairable:
        repair = "%s It is over once the namespace is served again." % CATALOGUE[name].repair
        return {"repairable": True, "gate": gate, "repair": repair}
    return {}


def _line(event: Event) -> str:
    texts = "; ".join(clip(text) for text in event.data[:_EVIDENCE])
    return "%s %d at %s (record %d)%s" % (event.source, event.id, event.time, event.record, texts and ": " + texts)


def _outlook(snapshot: Snapshot, wish: Wish, event: Event, curable: Curable) -> Tuple[bool, bool, Optional[str]]:
    """Whether an event is over; else whether a repair ends it, and the consent which that takes."""
    if event.id in ADDRESS_EVENTS:
        restarted = any(
            other.source == event.source and other.id == START_EVENT and other.record > event.record
            for other in snapshot.events
        )
        return restarted, False, None
    expected = expected_names(snapshot, wish)
    known: Set[str] = set()
    for names in (expected, *([each.name for each in part] for part in (snapshot.store, snapshot.baseline))):
        known.update(fold(name) for name in names)
    known.update(fold(each.name) for each in snapshot.live.namespaces)
    named = [text for text in event.data if fold(text) in known]
    return _of(snapshot, named or expected, curable)


def _of(snapshot: Snapshot, names: Sequence[str], curable: Curable) -> Tuple[bool, bool, Optional[str]]:
    """As :func:`_outlook`, of what is about these namespaces."""
    ill = [fold(name) for name in names if not healthy(snapshot, name)]
    if not ill:
        return bool(names), False, None
    if any(name not in curable for name in ill):
        return False, False, None
    return False, True, next((curable[name] for name in ill if curable[name]), None)


def deployment_findings(snapshot: Snapshot, wish: Wish, curable: Curable) -> List[Finding]:
    """What the newest deployment of each compute node tells."""
    deployments = snapshot.deployments or ()
    blank = [each for each in deployments if each.namespace == ""]
    # Without a CcpImg line nothing says that multicast was tried.
    failed = [each for each in deployments if _failed(each)]
    there, repairable, gate = _of(snapshot, expected_names(snapshot, wish), curable)
    found = []
    if blank:
        changes = _changes("hpc.deployment.blank_namespace", there, repairable, gate)
        summary = "The newest deployment of %s was told a blank namespace%s." % (_nodes(blank), _since(there))
        found.append(finding("hpc.deployment.blank_namespace", "deployment logs", summary, _lines(blank), **changes))
    for each, over, ends in (
        ([one for one in failed if one.namespace], False, False),
        ([o for o in failed if not o.namespace], there, repairable),
    ):
        if each:
            changes = _changes("hpc.deployment.unicast_fallback", over, ends, gate)
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

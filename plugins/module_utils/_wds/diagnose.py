# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diagnose room: from a snapshot to findings, worst first. Pure: the time is in the snapshot.

Doubt is reported and nothing more. From a part that could not be read nothing is concluded.
"""

from typing import Dict, FrozenSet, List, Optional, Tuple

from .._catalogue import CATALOGUE
from .._findings import Finding
from .._severity import INFO, SEVERITIES
from . import builds
from .diagnose_history import causes_of, deployment_findings, event_findings
from .diagnose_namespaces import (
    HELD,
    REINSTALL_GATE,
    Definition,
    Wish,
    addressless,
    clip,
    definition,
    expected_name,
    expected_names,
    healthy,
    namespace_findings,
    registered_provider,
    standing,
    unregistrable,
)
from .diagnose_server import server_findings
from .registry import fold
from .snapshot import Snapshot, unread_parts

__all__ = [
    "Definition",
    "Wish",
    "addressless",
    "definition",
    "diagnose",
    "expected_name",
    "expected_names",
    "healthy",
    "registered_provider",
    "standing",
    "suspicious",
    "unregistrable",
]

_LONGEST = 1000
# What is repaired by the plan of a namespace.
_OF_NAMESPACES = ("wds.namespace.missing", "wds.namespace.differs", "wds.baseline.missing")
_NONE: FrozenSet[str] = frozenset()
#: Finding -> the parts of the look it rests on, and those that its repair needs as well.
RESTS: Dict[str, Tuple[FrozenSet[str], FrozenSet[str]]] = {
    "wds.role.missing": (frozenset(("wds",)), frozenset(("own", "version"))),
    "wds.reinstall.interrupted": (frozenset(("own",)), frozenset(("wds", "store", "version"))),
    "wds.service.stopped": (frozenset(("wds",)), frozenset(("store", "own"))),
    "wds.service.disabled": (frozenset(("wds", "store")), frozenset(("own",))),
    "wds.namespace.missing": (frozenset(("wds", "store")), frozenset(("own", "live"))),
    "wds.namespace.inconsistent": (frozenset(("wds", "store")), _NONE),
    "wds.namespace.delete_pending": (frozenset(("wds", "store")), _NONE),
    "wds.namespace.differs": (frozenset(("wds", "store")), frozenset(("own", "live"))),
    "wds.provider.missing": (frozenset(("store",)), _NONE),
    "wds.baseline.missing": (frozenset(("wds", "store", "own", "live")), _NONE),
    "wds.port.clash": (frozenset(("wds", "store", "dns", "udp")), _NONE),
}


def diagnose(snapshot: Snapshot, wish: Wish) -> Tuple[Finding, ...]:
    """Everything that is wrong, or worth knowing, on a head node; worst first."""
    found = server_findings(snapshot, wish)
    asked = wish
    if addressless(snapshot, wish):
        wish = Wish()
    if snapshot.service.installed:
        found += namespace_findings(snapshot, wish)
    found = [_with_causes(snapshot, each) for each in found]
    found = _within_reach(snapshot, asked, _within_sight(snapshot, found))
    curable = _curable(snapshot, wish, found)
    found += event_findings(snapshot, wish, curable) + deployment_findings(snapshot, wish, curable)
    found = [_plain(each) for each in found]
    order = list(CATALOGUE)
    return tuple(sorted(found, key=lambda each: (SEVERITIES.index(each.severity), order.index(each.id))))


def suspicious(snapshot: Snapshot, wish: Wish) -> bool:
    """Whether anything is wrong, so that the deployment logs are worth reading."""
    return any(each.severity != INFO for each in diagnose(snapshot, wish))


def _with_causes(snapshot: Snapshot, each: Finding) -> Finding:
    if each.id != "wds.namespace.missing":
        return each
    return each._replace(evidence=each.evidence + tuple(causes_of(snapshot, each.subject)))


def _within_sight(snapshot: Snapshot, found: List[Finding]) -> List[Finding]:
    """Withhold what rests on a part that could not be read, and the promise of a repair that needs one."""
    unread = unread_parts(snapshot)
    result = []
    for each in found:
        rests, needs = RESTS.get(each.id, (_NONE, _NONE))
        if rests & unread:
            continue
        if each.repairable and needs & unread:
            lacking = ", ".join(sorted(needs & unread))
            each = _not(each, "Nothing is done while a part could not be read (%s): see wds.view.unread." % lacking)
        result.append(each)
    return result


def _within_reach(snapshot: Snapshot, wish: Wish, found: List[Finding]) -> List[Finding]:
    """Take the promise of a repair that would be refused: the build is not known, or nobody names the namespace that a
    reinstall must bring back, or the service cannot be brought back."""
    if builds.lookup(snapshot.server.build) is None:
        why = "Nothing is done on a build of Windows that is not known."
        return [_not(each, why) if each.repairable else each for each in found]
    if not wish.name and not snapshot.server.hpc:
        why = "HPC is not installed, so name the namespace first (option name, role variable wds_multicast_name)."
        needing = _OF_NAMESPACES if addressless(snapshot, wish) else ()
        found = [_not(each, why) if each.gate == REINSTALL_GATE or each.id in needing else each for each in found]
    if any(each.id == "wds.service.stopped" and not each.repairable for each in found):
        why = "Nothing is done while WDSServer cannot be started: see wds.service.stopped."
        return [_not(each, why) if each.repairable and each.id in _OF_NAMESPACES else each for each in found]
    return found


def _plain(each: Finding) -> Finding:
    """Names of the host stand in the sentences; one with control characters must not reach a terminal."""
    return each._replace(
        summary=clip(each.summary, _LONGEST),
        evidence=tuple(clip(line, _LONGEST) for line in each.evidence),
        repair=clip(each.repair, _LONGEST),
    )


def _curable(snapshot: Snapshot, wish: Wish, found: List[Finding]) -> Dict[str, Optional[str]]:
    """The namespaces that a repair of these findings brings back, each with the consent it takes."""
    names: Dict[str, Optional[str]] = {}
    expected = expected_names(snapshot, wish)
    for each in found:
        if not each.repairable:
            continue
        if each.id == "wds.namespace.missing":
            names[fold(each.subject)] = each.gate
        elif each.id == "wds.role.missing":
            names.update((fold(name), each.gate) for name in expected)
        elif each.id == "wds.service.stopped":
            names.update((fold(name), each.gate) for name in expected if standing(snapshot, name)[0] == HELD)
    return names


def _not(each: Finding, why: str) -> Finding:
    return each._replace(repairable=False, gate=None, repair="%s %s" % (each.repair, why))

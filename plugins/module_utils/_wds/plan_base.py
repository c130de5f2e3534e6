# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan: what all planners of this wing share, and what must hold right before a step is carried out. Pure.

A step carries the fields as they were seen and as they shall be. Apply looks again before each step and does it only
while :func:`objection` has nothing against it, and looks again after it: :func:`current` then decides, no text does.
"""

from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from .._steps import Step
from . import builds
from .diagnose_namespaces import (
    Definition,
    find,
    registered_provider,
    running,
    same_definition,
    unregistrable,
)
from .live import AUTOCAST as AUTOCAST_TYPE
from .registry import fold
from .services import AUTOMATIC, DEMAND, DISABLED, RUNNING, START_PENDING, STOP_PENDING, STOPPED
from .snapshot import Namespace, Snapshot

WDS = "WDSServer"
#: Type of a namespace -> its word (facts/windows.md section 4).
TYPES = {1: "autocast", 2: "scheduledcast_manual", 3: "scheduledcast_auto"}
AUTOCAST = TYPES[1]
STATES = {
    STOPPED: "stopped",
    START_PENDING: "starting",
    STOP_PENDING: "stopping",
    RUNNING: "running",
    5: "continuing",
    6: "pausing",
    7: "paused",
}
STARTS = {0: "boot", 1: "system", AUTOMATIC: "auto", DEMAND: "demand", DISABLED: "disabled"}

# The parts of a look without which it is not known what a write would do.
_NEEDED = frozenset(("store", "own", "version", "wds", "live"))
#: What makes a namespace what it is, under the names of the module's options.
FIELDS = ("content_provider", "configuration", "type", "friendly_name", "description")
# Only a scheduled transmission has these; for AutoCast the server writes them as it likes.
_SCHEDULE = ("session_start_type", "session_flags", "min_clients", "start_time")


def fields(one: Optional[Namespace]) -> Dict[str, Any]:
    """The definition of a namespace under the names of the module's options; empty where there is none."""
    if one is None:
        return {}
    found: Dict[str, Any] = {key: getattr(one, key) for key in FIELDS}
    found["type"] = word(TYPES, one.type)
    if one.type != 1:
        found.update((name, getattr(one, name)) for name in _SCHEDULE)
    return found


def made_of(definition: Definition) -> Dict[str, Any]:
    """The fields of the namespace that a definition makes."""
    return {
        "content_provider": definition.content_provider,
        "configuration": definition.configuration,
        "type": AUTOCAST,
        "friendly_name": definition.friendly_name,
        "description": definition.description,
    }


def word(words: Mapping[int, str], number: Optional[int]) -> Optional[str]:
    """The word for a number of Windows; the number itself where it has none."""
    return None if number is None else words.get(number, str(number))


def transmitting(snapshot: Snapshot, name: Optional[str] = None) -> Optional[bool]:
    """Whether a namespace (without ``name``: any) is being sent to clients; None where that cannot be known.

    Clients of a scheduled one join before its transmission starts, and nothing shows them.
    """
    if snapshot.live.available:
        asked = [each for each in snapshot.live.namespaces if name is None or fold(each.name) == fold(name)]
        if any(each.transmission_started for each in asked):
            return True
        return None if any(each.type != AUTOCAST_TYPE for each in asked) else False
    return False if not snapshot.service.installed or snapshot.service.state == STOPPED else None


def unknown(snapshot: Snapshot) -> str:
    """What of the host could not be read, without which nothing is changed; "" when all of it could."""
    sentences = [each for each in snapshot.unread if each.partition(":")[0] in _NEEDED]
    return f"Nothing is changed while this cannot be read: {'; '.join(sentences)}" if sentences else ""


def unfamiliar(snapshot: Snapshot) -> str:
    """Why nothing is changed on this version of Windows; "" when it is a known one."""
    if builds.lookup(snapshot.server.build) is not None:
        return ""
    return (
        f"Nothing is changed on Windows build {snapshot.server.build or 'unknown'}, which this collection does not "
        "know: repair it by hand"
    )


def baseline_steps(snapshot: Snapshot, namespaces: Sequence[Namespace]) -> Tuple[Step, ...]:
    """Copy each of these definitions to the baseline, where that is missing or differs."""
    steps = []
    for each in namespaces:
        known = find(snapshot.baseline, each.name)
        if known is None or not same_definition(each, known):
            steps.append(save_step(each.name, known, fields(each)))
    return tuple(steps)


def save_step(name: str, known: Optional[Namespace], definition: Mapping[str, Any]) -> Step:
    """Make a definition the baseline of a namespace."""
    return Step(
        "baseline.save",
        f"Keep the definition of namespace {name} as its baseline",
        {"namespace": name},
        fields(known),
        definition,
        None if known else "wds.baseline.missing",
    )


def current(step: Step, snapshot: Snapshot) -> Mapping[str, Any]:
    """What a step changes, as it is in a snapshot: compared with the step's ``before``, and later its ``after``."""
    noun = step.kind.split(".")[0]
    if noun == "baseline":
        return fields(find(snapshot.baseline, step.target["namespace"]))
    if noun == "namespace":
        return fields(find(snapshot.store, step.target["namespace"]))
    if noun == "service":
        both = {"start": word(STARTS, snapshot.service.start), "state": word(STATES, snapshot.service.state)}
        return {key: both[key] for key in step.before}
    return {}


def objection(step: Step, snapshot: Snapshot, force: bool = False) -> str:
    """Why a step must not be carried out on the host as it is now; "" when nothing speaks against it."""
    doubt = unknown(snapshot) or unfamiliar(snapshot)
    if doubt:
        return doubt
    if dict(current(step, snapshot)) != dict(step.before):
        return "it changed since it was looked at"
    name = step.target.get("namespace", "")
    if step.kind == "baseline.save" and fields(find(snapshot.store, name)) != dict(step.after):
        return "the namespace changed since it was looked at"
    if step.kind == "namespace.create":
        return _against_creating(snapshot, name, step.after["content_provider"])
    if step.kind == "namespace.remove" and transmitting(snapshot, name) and not force:
        return f"{name} is being sent to clients now"
    if step.kind == "service.start" and unregistrable(snapshot):
        return f"its start would delete {', '.join(unregistrable(snapshot))} now"
    return ""


def _against_creating(snapshot: Snapshot, name: str, provider: str) -> str:
    if not running(snapshot):
        return f"{WDS} does not run now"
    if find(snapshot.live.namespaces, name) is not None:
        return f"{WDS} has {name} now, although its store does not"
    if not registered_provider(snapshot, provider):
        return f"the content provider {provider} is not registered now"
    return ""

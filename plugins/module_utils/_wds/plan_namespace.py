# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan, the namespace: bring it back, correct it, keep its definition, or remove it. Pure."""

from typing import Any, Mapping, Optional, Tuple

from .._steps import Plan, RefusedError, Step
from .diagnose import (
    Definition,
    Wish,
    addressless,
    definition,
    diagnose,
    expected_name,
    expected_names,
    healthy,
    registered_provider,
)
from .diagnose_namespaces import TYPES, find, listed, running
from .live import AUTOCAST
from .plan_base import WDS, baseline_steps, fields, made_of, save_step, transmitting, unfamiliar, unknown
from .registry import fold
from .snapshot import Namespace, Snapshot

_DOUBTS = ("wds.namespace.inconsistent", "wds.namespace.delete_pending")
_FORCE = "wait until they are served, or set force to true"


def plan_namespace(
    snapshot: Snapshot, wish: Wish, state: str = "present", save_baseline: bool = True, force: bool = False
) -> Plan:
    """How a namespace, or each of those that are meant, gets to be as it is wished.

    Where one of several may not be changed, the steps of the others stand beside the refusal.

    :param wish: fields that are None are left as they are, or taken from the baseline where the namespace is gone.
    :param state: ``present`` or ``absent``.
    :param save_baseline: keep the definition while the namespace is healthy.
    :param force: remove it although clients are connected, which cuts them off.
    """
    doubt = unknown(snapshot)
    if doubt:
        return Plan(refusal=doubt)
    names = meant(snapshot, wish, state)
    if not names:
        return Plan(refusal="The computer's name could not be read, so the namespace is not known: give name")
    if addressless(snapshot, wish) and expected_names(snapshot, wish):
        return Plan(refusal=f"It is not known which namespace is meant ({listed(names)}): give name")
    plans = [_plan(snapshot, wish._replace(name=name), name, state, save_baseline, force) for name in names]
    return Plan(
        tuple(step for plan in plans for step in plan.steps),
        "; ".join(dict.fromkeys(plan.refusal for plan in plans if plan.refusal)),
        tuple(note for plan in plans for note in plan.notes),
    )


def meant(snapshot: Snapshot, wish: Wish, state: str) -> Tuple[str, ...]:
    """The namespaces that the wish is about: the one that is named, else those that the host must have.

    Only what is named, or HPC's own, is removed. Empty where the computer's name could not be read.
    """
    own = expected_name(snapshot, wish.name)
    names = expected_names(snapshot, wish) if state == "present" else ()
    return names or ((own,) if own else ())


def _plan(snapshot: Snapshot, wish: Wish, name: str, state: str, save_baseline: bool, force: bool) -> Plan:
    try:
        plan = _absent(snapshot, name, force) if state == "absent" else _present(snapshot, wish, name, force)
    except RefusedError as error:
        return Plan(refusal=unfamiliar(snapshot) or str(error))
    if not save_baseline:
        # What was there before a namespace is made again is kept all the same: see _replace.
        removed = [number for number, step in enumerate(plan.steps) if step.kind == "namespace.remove"]
        ends = removed[0] if removed else 0
        later = tuple(step for step in plan.steps[ends:] if step.kind != "baseline.save")
        plan = plan._replace(steps=plan.steps[:ends] + later)
    refusal = unfamiliar(snapshot) if plan.steps else ""
    return Plan(refusal=refusal) if refusal else plan


def source(snapshot: Snapshot, wish: Wish, plan: Plan) -> Optional[str]:
    """Where the definition that is written comes from: ``options``, ``baseline``, or None when none is written."""
    for step in plan.steps:
        if step.kind == "namespace.create":
            made = definition(snapshot, wish, step.target["namespace"])
            return made.source if made else None
    return None


def _absent(snapshot: Snapshot, name: str, force: bool) -> Plan:
    _no_doubt(snapshot, Wish(name=name))
    stored = find(snapshot.store, name)
    if stored is None:
        return Plan()
    _must_run(snapshot, name)
    if transmitting(snapshot, name) and not force:
        raise RefusedError(f"Namespace {name} is not removed while clients are connected: {_FORCE}")
    return Plan((_remove_step(stored, None),))


def _present(snapshot: Snapshot, wish: Wish, name: str, force: bool) -> Plan:
    differs = _no_doubt(snapshot, wish)
    stored = find(snapshot.store, name)
    if stored is None:
        return _create(snapshot, wish, name)
    if differs:
        return _replace(snapshot, wish, stored, force)
    if not healthy(snapshot, name):
        return Plan(notes=(f"Namespace {name} is not served now, so its baseline is left as it is",))
    return Plan(baseline_steps(snapshot, (stored,)))


def _no_doubt(snapshot: Snapshot, wish: Wish) -> bool:
    """Whether the namespace differs from the wish. :raises RefusedError: it is not certain how it stands."""
    found = {each.id: each for each in diagnose(snapshot, wish) if fold(each.subject) == fold(wish.name or "")}
    for doubt in _DOUBTS:
        if doubt in found:
            raise RefusedError(f"{found[doubt].summary} {found[doubt].repair}")
    return "wds.namespace.differs" in found


def _create(snapshot: Snapshot, wish: Wish, name: str) -> Plan:
    if not snapshot.service.installed:
        raise RefusedError(
            f"{WDS} is not installed, so namespace {name} cannot be created: "
            "install it with wds_transport_server and state reinstalled"
        )
    made = made_of(_definition(snapshot, wish, name, "is gone"))
    _must_be_registered(snapshot, name, made["content_provider"])
    _must_run(snapshot, name)
    return Plan((_create_step(name, made, "wds.namespace.missing"), *_keep(snapshot, name, made)))


def _replace(snapshot: Snapshot, wish: Wish, stored: Namespace, force: bool) -> Plan:
    name, found = stored.name, "wds.namespace.differs"
    made = made_of(_definition(snapshot, wish, name, "differs"))
    _must_be_registered(snapshot, name, made["content_provider"])
    _must_run(snapshot, name)
    sending = transmitting(snapshot, name)
    if sending is not False and not force:
        why = "while clients are connected" if sending else "where it cannot be seen whether clients are connected"
        raise RefusedError(f"Namespace {name} differs, and is not removed and made again {why}: {_FORCE}")
    # Cut off between removal and creation, the next run finds in the baseline what only the namespace knew.
    kept = baseline_steps(snapshot, (stored,))
    known = stored if kept else find(snapshot.baseline, name)
    return Plan((*kept, _remove_step(stored, found), _create_step(name, made, found), save_step(name, known, made)))


def _definition(snapshot: Snapshot, wish: Wish, name: str, how: str) -> Definition:
    """What the namespace is made from. :raises RefusedError: that is not known, and never guessed."""
    made = definition(snapshot, wish, name)
    if made is not None:
        return made
    if wish.type is not None and wish.type not in TYPES:
        raise RefusedError(f"Namespaces of type {wish.type} are not created here: create {name} with wdsutil")
    known = find(snapshot.store, name) or find(snapshot.baseline, name)
    why = "no baseline of it was kept"
    if known is not None and not known.complete:
        why = "what is known of it is incomplete"
    elif known is not None and known.type != AUTOCAST:
        why = f"what is known of it is a namespace of type {fields(known)['type']}, which is not created here"
    elif known is not None:
        why = f"what is known of it is for the content provider {known.content_provider}"
    raise RefusedError(
        f"Namespace {name} {how} and {why}: give content_provider and configuration, which are never guessed"
    )


def _must_run(snapshot: Snapshot, name: str) -> None:
    if not running(snapshot):
        raise RefusedError(
            f"Namespace {name} cannot be changed while {WDS} does not run: "
            "start it with wds_transport_server and state started"
        )


def _must_be_registered(snapshot: Snapshot, name: str, provider: str) -> None:
    if not registered_provider(snapshot, provider):
        there = ", ".join(each.name for each in snapshot.providers) or "none"
        raise RefusedError(
            f"Namespace {name} needs the content provider {provider}, which is not registered (registered: {there}): "
            "repair the software that brings it, or give another content_provider"
        )


def _keep(snapshot: Snapshot, name: str, made: Mapping[str, Any]) -> Tuple[Step, ...]:
    """The step that keeps a definition once its namespace is made."""
    known = find(snapshot.baseline, name)
    return (
        () if known is not None and known.complete and fields(known) == dict(made) else (save_step(name, known, made),)
    )


def _create_step(name: str, made: Mapping[str, Any], found: str) -> Step:
    return Step("namespace.create", f"Create namespace {name}", {"namespace": name}, {}, made, found)


def _remove_step(stored: Namespace, found: Optional[str]) -> Step:
    what = f"Remove namespace {stored.name}"
    return Step("namespace.remove", what, {"namespace": stored.name}, fields(stored), {}, found)

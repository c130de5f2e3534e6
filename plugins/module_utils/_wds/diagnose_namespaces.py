# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose: namespaces, their content providers and their saved definitions. Pure.

Where the store in the registry and the running service disagree about a namespace, it is called inconsistent and
nothing else is said of it (facts/windows.md section 9). Without a live view (no PowerShell, or no COM class) the store
alone counts: WDSServer deletes at each start what it cannot register (section 1).
"""

from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Tuple, TypeVar, Union

from .._findings import Finding, finding
from .._severity import ERROR, INFO, WARNING
from . import builds
from .live import AUTOCAST, LiveNamespace
from .registry import fold
from .services import RUNNING
from .snapshot import Namespace, Snapshot, unread_parts
from .store import BASELINE, NAMESPACES, PROVIDERS, lossy

REINSTALL_GATE = "wds_multicast_allow_reinstall"
#: How a namespace stands. HELD: the store defines it and the service, which does not run, could not be compared.
HEALTHY, HELD, ABSENT, PENDING, CONTRADICTORY, UNKNOWN = (
    "healthy",
    "held",
    "absent",
    "pending",
    "contradictory",
    "unknown",
)
#: Bit of the installed features: the Deployment Server (facts/windows.md section 4).
DEPLOYMENT_SERVER = 4
#: Words of the option ``type`` -> type in the live view.
TYPES = {"autocast": AUTOCAST}

_LISTED = 10

_Named = TypeVar("_Named", Namespace, LiveNamespace)


class Wish(NamedTuple):
    """What the user wants of a namespace; None: nothing was said. ``type``: only ``autocast`` can be made."""

    name: Optional[str] = None
    content_provider: Optional[str] = None
    configuration: Optional[str] = None
    type: Optional[str] = None
    friendly_name: Optional[str] = None
    description: Optional[str] = None


class Definition(NamedTuple):
    """What a namespace is made from; ``source`` is ``options`` when any part of it was asked for, else ``baseline``."""

    name: str
    content_provider: str
    configuration: str
    friendly_name: str
    description: str
    source: str


def expected_name(snapshot: Snapshot, name: Optional[str]) -> str:
    """The given name, else ``<COMPUTERNAME>-CCP`` (facts/windows.md section 2); "" while that is not known."""
    return name or (snapshot.server.name + "-CCP" if snapshot.server.name else "")


def expected_names(snapshot: Snapshot, wish: Wish) -> Tuple[str, ...]:
    """The namespaces that this host must have.

    The name that was given, or else the one that HPC names to its compute nodes. Where HPC is not installed and no name
    was given nobody says what must be there: then the host is judged by what it has and by what was saved of it.
    """
    if wish.name or snapshot.server.hpc:
        name = expected_name(snapshot, wish.name)
        return (name,) if name else ()
    return tuple(_distinct(each.name for each in snapshot.baseline + snapshot.store))


def addressless(snapshot: Snapshot, wish: Wish) -> bool:
    """Whether a definition is wished for, and nobody says of which namespace: none is named, and HPC is not there."""
    return not wish.name and not snapshot.server.hpc and any(value is not None for value in wish)


def find(namespaces: Sequence[_Named], name: str) -> Optional[_Named]:
    """The namespace of that name, whatever its case."""
    wanted = fold(name)
    for each in namespaces:
        if fold(each.name) == wanted:
            return each
    return None


def registered_provider(snapshot: Snapshot, provider: str) -> bool:
    """Whether a content provider is registered with WDSMC."""
    return fold(provider) in {fold(each.name) for each in snapshot.providers}


def unregistrable(snapshot: Snapshot) -> Tuple[str, ...]:
    """The stored namespaces that a start of WDSServer would delete, as far as the registry shows it."""
    return tuple(
        each.name
        for each in snapshot.store
        if not each.complete or not registered_provider(snapshot, each.content_provider)
    )


def running(snapshot: Snapshot) -> bool:
    """Whether WDSServer runs."""
    return snapshot.service.installed and snapshot.service.state == RUNNING


def healthy(snapshot: Snapshot, name: str) -> bool:
    """Whether a namespace is defined and served."""
    return standing(snapshot, name)[0] == HEALTHY


def standing(snapshot: Snapshot, name: str) -> Tuple[str, Tuple[str, ...]]:
    """How a namespace stands, and what is wrong where it is contradictory."""
    unread = unread_parts(snapshot)
    if unread & {"store", "wds"}:
        return UNKNOWN, ()
    stored, live = find(snapshot.store, name), find(snapshot.live.namespaces, name)
    comparable = snapshot.live.available and running(snapshot)
    if comparable and live is not None and live.tombstoned:
        return PENDING, ()
    objections = []
    if stored is not None and not stored.complete:
        objections.append(
            "Values of %s\\%s are missing, were printed more than once, or lost letters in the server's code page."
            % (NAMESPACES, stored.name)
        )
    if comparable:
        objections += _disagreements(stored, live)
    if objections:
        return CONTRADICTORY, tuple(objections)
    if stored is None:
        return ABSENT, ()
    if not running(snapshot):
        return HELD, ()
    return (UNKNOWN if "live" in unread else HEALTHY), ()


def _disagreements(stored: Optional[Namespace], live: Optional[LiveNamespace]) -> List[str]:
    if stored is None or live is None:
        found = []
        if stored is not None:
            found.append("%s\\%s is in the registry; the running service does not list it." % (NAMESPACES, stored.name))
        if live is not None:
            found.append("The running service lists %s; it is not below %s." % (live.name, NAMESPACES))
        return found
    found = [] if live.registered else ["The running service lists %s as not registered." % live.name]
    if not stored.complete:
        return found
    if fold(stored.content_provider) != fold(live.content_provider):
        found.append(_two("ContentProvider", stored.content_provider, live.content_provider))
    if stored.configuration != live.configuration:
        found.append(_two("Configuration", stored.configuration, live.configuration))
    return found


def _two(what: str, stored: str, live: str) -> str:
    return "%s: %s in the registry, %s in the running service." % (what, clip(stored), clip(live))


def definition(snapshot: Snapshot, wish: Wish, name: Optional[str] = None) -> Optional[Definition]:
    """What the namespace would be made from: the wish, over what the store or else the baseline has. None: not known.

    Nothing is guessed: provider and configuration are both known, and never one of the wish's with another provider's
    configuration. Only AutoCast can be made.

    :param name: of the namespace; without it, the expected one.
    """
    name = name or expected_name(snapshot, wish.name)
    if not name or (wish.type is not None and wish.type not in TYPES):
        return None
    base = _base(snapshot, name)
    provider, configuration = wish.content_provider, wish.configuration
    if base is not None and (provider is None or fold(provider) == fold(base.content_provider)):
        provider = provider or base.content_provider
        configuration = base.configuration if configuration is None else configuration
    if not provider or configuration is None:
        return None
    asked = wish[1:] != (None,) * len(wish[1:])
    return Definition(
        name=name,
        content_provider=provider,
        configuration=configuration,
        friendly_name=wish.friendly_name or (base.friendly_name if base else "") or name,
        description=wish.description if wish.description is not None else (base.description if base else ""),
        source="options" if asked else "baseline",
    )


def _base(snapshot: Snapshot, name: str) -> Optional[Namespace]:
    for each in (find(snapshot.store, name), find(snapshot.baseline, name)):
        if each is not None and each.complete and each.type == AUTOCAST:
            return each
    return None


def same_definition(one: Namespace, other: Namespace) -> bool:
    """Whether two entries define the same namespace.

    Only a scheduled one has a schedule; for AutoCast the server writes those values as it likes.
    """
    fields = 6 if one.type == AUTOCAST else len(one) - 1
    return one.complete and other.complete and one[1:fields] == other[1:fields]


def namespace_findings(snapshot: Snapshot, wish: Wish) -> List[Finding]:
    """Everything about namespaces, the service being installed."""
    expected = expected_names(snapshot, wish)
    others = [each.name for each in snapshot.store + snapshot.live.namespaces]
    found: List[Finding] = []
    for name in _distinct(list(expected) + others):
        is_expected = any(fold(each) == fold(name) for each in expected)
        state, objections = standing(snapshot, name)
        if state == CONTRADICTORY and not is_expected and _lost_letters(snapshot, name):
            continue
        if state == CONTRADICTORY:
            found.append(_inconsistent(snapshot, name, objections, is_expected))
        elif is_expected:
            found += _expected_findings(snapshot, wish, name, state)
    return found + _provider_findings(snapshot, wish, expected)


def _expected_findings(snapshot: Snapshot, wish: Wish, name: str, state: str) -> List[Finding]:
    if state == ABSENT:
        return [_missing(snapshot, wish, name)]
    if state == PENDING:
        summary = "The namespace %s is being removed: it goes when its last client has finished." % name
        return [finding("wds.namespace.delete_pending", name, summary, ["The running service lists it as tombstoned."])]
    found = []
    if state in (HEALTHY, HELD):
        found += _differs(snapshot, wish, name)
    if state == HEALTHY:
        found += _baseline(snapshot, name)
    return found


def _inconsistent(snapshot: Snapshot, name: str, objections: Sequence[str], is_expected: bool) -> Finding:
    stored, live = find(snapshot.store, name), find(snapshot.live.namespaces, name)
    # What is served in spite of an entry that this collection cannot read in full is served.
    served = stored is not None and live is not None and live.registered and not _disagreements(stored, live)
    severity = ERROR if is_expected else WARNING
    if served:
        severity = WARNING if is_expected else INFO
    summary = "What is known of the namespace %s contradicts itself, so nothing is done about it." % name
    evidence = list(objections)
    if _lost_letters(snapshot, name):
        evidence.append("The registry's programs cannot print all letters of its name in the server's code page.")
    if snapshot.live.error:
        evidence.append(snapshot.live.error)
    return finding("wds.namespace.inconsistent", name, summary, evidence, severity=severity)


def _lost_letters(snapshot: Snapshot, name: str) -> bool:
    """Whether a name is in only one of the two views because the registry's programs could not print its letters."""
    stored = [name] if find(snapshot.store, name) else [each.name for each in snapshot.store]
    live = [name] if find(snapshot.live.namespaces, name) else [each.name for each in snapshot.live.namespaces]
    return any(lossy(one) and _fits(fold(one), fold(other)) for one in stored for other in live if one != other)


def _fits(printed: str, name: str) -> bool:
    # A character beyond the first 65,536 is printed as one question mark or as two.
    doubled = "".join(each if ord(each) < 0x10000 else each * 2 for each in name)
    return any(
        len(printed) == len(whole) and all(lossy(printed[at]) or printed[at] == whole[at] for at in range(len(whole)))
        for whole in (name, doubled)
    )


def _missing(snapshot: Snapshot, wish: Wish, name: str) -> Finding:
    evidence = ["%s\\%s is not in the registry." % (NAMESPACES, name)]
    if running(snapshot) and snapshot.live.available:
        evidence.append("The running service does not list it.")
    others = [each.name for each in snapshot.store]
    if others:
        evidence.append("Namespaces that are there: %s" % listed(others))
    made = definition(snapshot, wish, name)
    can_reinstall = _can_reinstall(snapshot)
    lacking = ""
    if made is None:
        lacking = _lacking(snapshot, wish, name)
    elif not registered_provider(snapshot, made.content_provider):
        lacking = "Its content provider %s is not registered: cure wds.provider.missing first." % clip(
            made.content_provider
        )
    if made is not None:
        where = "the options" if made.source == "options" else "%s\\%s" % (BASELINE, name)
        evidence.append("Its definition is known from %s: %s" % (where, described(made)))
    if not lacking:
        repair = "Create it again from %s (wds_multicast_namespace)." % (
            "the options" if made is not None and made.source == "options" else "its saved definition"
        )
        return finding("wds.namespace.missing", name, _gone(name), evidence, repair=repair)
    if can_reinstall:
        repair = lacking + (
            " The last resort is the reinstall of WDS-Transport with two reboots (wds_transport_server with state: "
            "reinstalled): set wds_multicast_allow_reinstall and wds_multicast_allow_reboot to true."
        )
        return finding("wds.namespace.missing", name, _gone(name), evidence, repair=repair, gate=REINSTALL_GATE)
    return finding("wds.namespace.missing", name, _gone(name), evidence, repair=lacking, repairable=False)


def _gone(name: str) -> str:
    return "The namespace %s does not exist." % name


def _lacking(snapshot: Snapshot, wish: Wish, name: str) -> str:
    saved = find(snapshot.baseline, name)
    if saved is not None and saved.complete and saved.type != AUTOCAST:
        return "Its saved definition is of type %s, and only AutoCast can be created: create it by hand." % saved.type
    if wish.type is not None and wish.type not in TYPES:
        return "Only namespaces of type autocast can be created: create it by hand."
    options = [
        option
        for option, value in (("content_provider", wish.content_provider), ("configuration", wish.configuration))
        if not value
    ]
    return "No definition of it was saved: give the %s %s of wds_multicast_namespace." % (
        "option" if len(options) == 1 else "options",
        " and ".join(options),
    )


def _can_reinstall(snapshot: Snapshot) -> bool:
    """Whether the published workaround may bring it back: HPC is there to make it, and no Deployment Server is lost."""
    deployment_server = bool((snapshot.live.features or 0) & DEPLOYMENT_SERVER)
    return snapshot.server.hpc and builds.lookup(snapshot.server.build) is not None and not deployment_server


def _differs(snapshot: Snapshot, wish: Wish, name: str) -> List[Finding]:
    stored, live = find(snapshot.store, name), find(snapshot.live.namespaces, name)
    if stored is None or (wish.name is not None and fold(wish.name) != fold(name)):
        return []
    pairs = [
        ("content_provider", stored.content_provider, wish.content_provider),
        ("configuration", stored.configuration, wish.configuration),
        ("friendly_name", stored.friendly_name, wish.friendly_name),
        ("description", stored.description, wish.description),
    ]
    differences = [
        "%s: %s, asked for: %s" % (field, clip(have) or '""', clip(want) or '""')
        for field, have, want in pairs
        if want is not None and (fold(have) != fold(want) if field == "content_provider" else have != want)
    ]
    # The numbers of the store are known for one build only; those of the live view are documented.
    have_type = live.type if live is not None and live.type is not None else stored.type
    if wish.type is not None and TYPES.get(wish.type) != have_type:
        differences.append("type: %s, asked for: %s" % (have_type, wish.type))
    if not differences:
        return []
    made = definition(snapshot, wish, name)
    changes = {}
    if made is None or not registered_provider(snapshot, made.content_provider):
        changes["repairable"] = False
    if live is not None and live.transmission_started:
        differences.append("It is being sent to clients now.")
    summary = "The namespace %s is not defined as it was asked for." % name
    return [finding("wds.namespace.differs", name, summary, differences, **changes)]


def _baseline(snapshot: Snapshot, name: str) -> List[Finding]:
    stored, saved = find(snapshot.store, name), find(snapshot.baseline, name)
    if stored is None or (saved is not None and same_definition(stored, saved)):
        return []
    key = "%s\\%s" % (BASELINE, stored.name)
    if saved is None:
        return [
            finding(
                "wds.baseline.missing",
                name,
                "The definition of the namespace %s was never saved." % name,
                ["%s is not in the registry." % key],
            )
        ]
    evidence = ["Stored: %s" % described(stored), "Saved: %s" % described(saved)]
    summary = "The saved definition of the namespace %s is not the one it has now." % name
    return [finding("wds.baseline.missing", name, summary, evidence)]


def _provider_findings(snapshot: Snapshot, wish: Wish, expected: Sequence[str]) -> List[Finding]:
    """A finding for each content provider that is needed and not registered, with the namespaces that need it."""
    needs: List[Tuple[str, str, str]] = []
    for stored in snapshot.store:
        if stored.complete:
            is_expected = any(fold(stored.name) == fold(name) for name in expected)
            severity = ERROR if is_expected and not healthy(snapshot, stored.name) else WARNING
            needs.append((stored.content_provider, stored.name, severity))
    for name in expected:
        made = definition(snapshot, wish, name)
        if made is not None and standing(snapshot, name)[0] != CONTRADICTORY:
            stored_now = find(snapshot.store, name)
            if stored_now is None or fold(stored_now.content_provider) != fold(made.content_provider):
                needs.append((made.content_provider, name, ERROR))
    found = []
    for provider in _distinct(need[0] for need in needs):
        if registered_provider(snapshot, provider):
            continue
        mine = [need for need in needs if fold(need[0]) == fold(provider)]
        names = _distinct(need[1] for need in mine)
        registered = [each.name for each in snapshot.providers]
        evidence = [
            "%s\\%s is not in the registry." % (PROVIDERS, clip(provider)),
            "Namespaces that need it: %s" % listed(names),
            "Content providers that are registered: %s" % (listed(registered) if registered else "none"),
        ]
        summary = "The content provider %s is not registered." % clip(provider)
        severity = ERROR if any(need[2] == ERROR for need in mine) else WARNING
        found.append(finding("wds.provider.missing", provider, summary, evidence, severity=severity))
    return found


def described(one: Union[Definition, Namespace]) -> str:
    """The definition of a namespace in one line."""
    return "ContentProvider %s, Configuration %s, FriendlyName %s, Description %s" % (
        clip(one.content_provider) or '""',
        clip(one.configuration) or '""',
        clip(one.friendly_name) or '""',
        clip(one.description) or '""',
    )


def clip(text: str, length: int = 200) -> str:
    """A text of the host for a line of evidence: one line, without control characters, of that length at most."""
    plain = "".join(character if character.isprintable() else " " for character in text[: length + 1])
    return plain if len(plain) <= length else plain[: length - 3] + "..."


def listed(names: Sequence[str]) -> str:
    """Names in one line; of many, the first."""
    more = len(names) - _LISTED
    return ", ".join(clip(name) for name in names[:_LISTED]) + (" and %d more" % more if more > 0 else "")


def _distinct(names: Iterable[str]) -> List[str]:
    first: Dict[str, str] = {}
    for name in names:
        first.setdefault(fold(name), name)
    return list(first.values())

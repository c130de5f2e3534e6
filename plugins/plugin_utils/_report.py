# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says about its hosts: the outcome of each, the guard against sweeping a fleet, the table and the report.

Both wings share it. Pure: no input or output, no clock.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.module_utils._severity import ERROR, INFO
from ansible_collections.imaging.multicast.plugins.module_utils._steps import BLOCKED, DONE, FAILED, PLANNED, SKIPPED

HEALTHY = "healthy"
REPAIRED = "repaired"
WOULD_REPAIR = "would_repair"
NEEDS_PERSON = "needs_person"
BROKEN_RUN = "failed"
UNREACHABLE = "unreachable"
#: Outcomes of a host in the order of the recap line, each with its words there (design section 3).
OUTCOMES = (
    (HEALTHY, "healthy"),
    (REPAIRED, "repaired"),
    (WOULD_REPAIR, "would repair"),
    (NEEDS_PERSON, "needs a person"),
    (BROKEN_RUN, "failed"),
    (UNREACHABLE, "unreachable"),
)
#: A run with any host in one of these ends non-zero.
BAD = (NEEDS_PERSON, BROKEN_RUN, UNREACHABLE)

#: The run only looked; nothing was planned.
LOOKED = "looked"
#: The run planned every step and carried out none (``--check``).
CHECKED = "checked"
#: The run was allowed to carry steps out.
ACTED = "acted"

#: Platforms: the variable in which each wing's role leaves what it saw and did, and the inventory group of its hosts.
_HEAD_NODES = "wds"
RESULTS = (("fog", "fog_multicast_result", "fog_servers"), (_HEAD_NODES, "wds_multicast_result", "hpc_head_nodes"))

#: Kinds of the steps that are not a wing's own: the look itself, and the libraries it needs.
LOOK = "host.look"
LIBRARIES = "package.install"
#: Kind of the look after a repair.
VERIFY = "host.verify"
#: Kind of the step that the guard blocks.
GUARD = "fleet.guard"

#: The percentage guard needs more broken hosts than this, so that one or two hosts can always be repaired.
GUARD_FROM = 2
GUARD_VARIABLE = "multicast_max_broken_percent"
_UNSEEN = (
    "multicast_look_required is true and there was no earlier look at the whole group, so nothing was repaired on any "
    "host. Run check-multicast.yml on the whole group first, and hand its stat multicast_broken on"
)
_RECORD_STALE = "fog.interface.record_stale"
#: The shortest secret that is hidden, in letters.
SECRET_FROM = 5
#: Where text from a host can stand.
_SAID_IN_FINDING = ("subject", "summary", "evidence")
_SAID_IN_STEP = ("what", "target", "before", "after", "detail")
_VERSION = 1
_CELL = 3
_LIST = 10

Finding = Mapping[str, Any]
Step = Mapping[str, Any]


class Host(NamedTuple):
    """What a run says about one host: one entry of ``report.json``, and its name.

    ``baseline`` holds the saved definitions of a head node's namespaces: from the report, one that is lost altogether
    can be rebuilt. ``backups`` tell by ``module`` where the ``backup`` lies that it made before its first change.
    """

    name: str
    platform: str
    outcome: str
    before: tuple[Finding, ...]
    after: tuple[Finding, ...]
    steps: tuple[Step, ...]
    baseline: tuple[Mapping[str, Any], ...] = ()
    backups: tuple[Mapping[str, str], ...] = ()


class Share(NamedTuple):
    """So many broken hosts of so many."""

    hosts: int
    of: int


class Guard(NamedTuple):
    """Which hosts look broken, and why repairs are refused to all ("" when they are not)."""

    broken: tuple[str, ...]
    refused: str


def serious(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that count: ``info`` never does (design section 3)."""
    return [each for each in findings if each["severity"] != INFO]


def curable(one: Finding, open_gates: Collection[str]) -> bool:
    """Whether the collection may cure this finding itself with the consent given."""
    return bool(one["repairable"]) and (not one["gate"] or one["gate"] in open_gates)


def guard(
    findings: Mapping[str, Sequence[Finding]],
    max_broken_percent: Any,
    waiting: int = 0,
    earlier: Share | None = None,
    look_required: bool = False,
    variable: str = GUARD_VARIABLE,
) -> Guard:
    """Refuse every repair when too large a part of a group looks broken: a wrong diagnosis must not sweep a fleet.

    :param findings: the findings of every host that could be looked at; these hosts are the base of the percentage.
    :param max_broken_percent: the largest part of them, in percent, that may have findings of severity error. What is
        not a number from 0 to 100 refuses every repair.
    :param waiting: hosts that will be looked at later, in another batch of the play. Unless the percentage would allow
        that all of them are broken, every repair is refused.
    :param earlier: what a look before this run saw. It counts where it saw more hosts: this run is then one slice.
    :param look_required: whether every repair is refused without ``earlier``, as a slice of the group needs it.
    :param variable: the variable that sets the percentage, for the text.
    """
    broken = tuple(name for name, found in findings.items() if _broken(found))
    if look_required and not earlier:
        return Guard(broken, _UNSEEN)
    seen = Share(len(broken), len(findings))
    return Guard(broken, _refusal(seen, max_broken_percent, waiting, earlier, variable))


def _broken(findings: Sequence[Finding]) -> bool:
    return any(each["severity"] == ERROR for each in findings)


def _refusal(seen: Share, max_broken_percent: Any, waiting: int, earlier: Share | None, variable: str) -> str:
    try:
        allowed = float(max_broken_percent)
    except (TypeError, ValueError):
        allowed = -1.0
    if not 0 <= allowed <= 100:  # also catches nan
        return (
            f"{variable} is {max_broken_percent}, which is no number from 0 to 100, so nothing was repaired on any host"
        )
    worst = Share(seen.hosts + waiting, seen.of + waiting)
    if _too_many(seen, allowed):
        told, needed = f"{seen.hosts} of {seen.of} hosts look broken at once", seen
    elif earlier and earlier.of > seen.of and _too_many(earlier, allowed):
        told = f"{earlier.hosts} of {earlier.of} hosts looked broken at once when the whole group was looked at"
        needed = earlier
    elif waiting and _too_many(worst, allowed):
        told = (
            f"{waiting} of {worst.of} hosts were not looked at yet. Look at all of them in a play of its own before "
            "this one (tasks_from: observe.yml, without serial). Until then all of them may be broken"
        )
        needed = worst
    else:
        return ""
    return (
        f"{told}, and {variable} is {allowed:g}, so nothing was repaired on any host. "
        f"If the findings are right, set {variable} to at least {-(-100 * needed.hosts // needed.of)}"
    )


def _too_many(share: Share, allowed: float) -> bool:
    return share.hosts > GUARD_FROM and 100.0 * share.hosts > allowed * share.of


def broken(hosts: Sequence[Host]) -> dict[str, Share]:
    """By platform: how many of the hosts that could be looked at are still broken at the end of the run."""
    seen = [each for each in hosts if not unseen(each)]
    return {
        platform: Share(sum(_broken(each.after) for each in group), len(group))
        for platform, _variable, _group in RESULTS
        for group in [[each for each in seen if each.platform == platform]]
        if group
    }


def outcome(
    mode: str,
    before: Sequence[Finding],
    after: Sequence[Finding],
    steps: Sequence[Step],
    open_gates: Collection[str] = (),
    unreachable: bool = False,
) -> str:
    """The outcome of a host (design section 3).

    :param mode: :data:`LOOKED`, :data:`CHECKED` or :data:`ACTED`.
    :param before: findings before the run did anything.
    :param after: findings afterwards; read only when the run acted.
    :param steps: what became of each step, as :meth:`_steps.Result.as_dict` gives it.
    :param open_gates: consent variables of this host that are true.
    :param unreachable: the host did not answer at some point.
    """
    became = {each["outcome"] for each in steps}
    if unreachable:
        return UNREACHABLE
    if FAILED in became:
        return BROKEN_RUN
    if BLOCKED in became:
        return NEEDS_PERSON
    if mode == ACTED:
        if serious(after):
            return NEEDS_PERSON
        return REPAIRED if serious(before) and DONE in became else HEALTHY
    if not serious(before):
        return WOULD_REPAIR if PLANNED in became else HEALTHY
    opened = set(open_gates) | {each["gate"] for each in steps if each["outcome"] == PLANNED}
    planned = mode == LOOKED or PLANNED in became
    return WOULD_REPAIR if planned and all(curable(each, opened) for each in serious(before)) else NEEDS_PERSON


def host(name: str, platform: str, result: Mapping[str, Any] | None, check_mode: bool, gates: Collection[str]) -> Host:
    """Read what a wing's role left behind about a host.

    :param name: the host's name in the inventory.
    :param platform: one of :data:`RESULTS`.
    :param result: the info module's result. Its key ``prepared`` holds tasks done before it (each with ``kind``,
        ``what``, ``finding``, ``gate`` and the task's ``result``). Where the role went on to repair, its key ``repair``
        holds such ``tasks``, ``verified`` (the info module's result afterwards) and ``refused`` (why nothing was done,
        or ""). None: the host was never looked at.
    :param check_mode: whether the run was one with ``--check``.
    :param gates: consent variables of this host that are true.
    """
    if result is None:
        lost = _step(LOOK, "look at the host", FAILED, "the run ended before this host was looked at")
        return Host(name, platform, BROKEN_RUN, (), (), (lost,))
    repair: Mapping[str, Any] | None = result.get("repair")
    tasks: list[Mapping[str, Any]] = [{"kind": LOOK, "what": "look at the host", "result": result}]
    tasks = list(result.get("prepared", ())) + tasks
    verified: Mapping[str, Any] = {}
    if repair:
        verified = repair.get("verified") or {}
        tasks += repair["tasks"]
        tasks.append({"kind": VERIFY, "what": "verify the repair", "result": verified})
    steps = [each for task in tasks for each in _steps_of(task, check_mode)]
    if "findings" not in result and not {FAILED, PLANNED} & {each["outcome"] for each in steps}:
        steps.append(_step(LOOK, "look at the host", FAILED, "nothing was learnt about this host"))
    if repair and repair["refused"]:
        steps.append(_step(GUARD, "repair the host", BLOCKED, repair["refused"]))
    before = tuple(result.get("findings", ()))
    after: tuple[Finding, ...] = tuple(verified.get("findings", before))
    if platform == _HEAD_NODES and "findings" in verified:
        summary = "The namespace was looked at again; that a node receives by it was not tried."
        after += (finding("net.probe.out_of_reach", f"head node {name}", summary).as_dict(),)
    mode = (CHECKED if check_mode else ACTED) if repair else LOOKED
    unreachable = any(task["result"].get("unreachable") for task in tasks)
    became = outcome(mode, before, after, steps, gates, unreachable)
    baseline = tuple(verified.get("baseline", result.get("baseline", ())))
    made = [(task, task["result"].get("backup_file") or task["result"].get("backup_key")) for task in tasks]
    backups = tuple({"module": task["kind"], "backup": backup} for task, backup in made if backup)
    return Host(name, platform, became, before, after, tuple(steps), baseline, backups)


def without_secrets(one: Host, secrets: Collection[str]) -> Host:
    """The same host with ``(hidden)`` where one of its secrets stands in what a program said.

    Shorter ones than :data:`SECRET_FROM` are left: they would tear other words apart and be told by that.
    """
    longest_first = sorted({each for each in secrets if len(each) >= SECRET_FROM}, key=len, reverse=True)

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            for secret in longest_first:
                value = value.replace(secret, "(hidden)")
            return value
        if isinstance(value, Mapping):
            return {key: clean(inner) for key, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(inner) for inner in value]
        return value

    def cleaned(entries: Sequence[Mapping[str, Any]], fields: Collection[str]) -> tuple[Mapping[str, Any], ...]:
        return tuple({key: clean(value) if key in fields else value for key, value in each.items()} for each in entries)

    if not longest_first:
        return one
    return one._replace(
        before=cleaned(one.before, _SAID_IN_FINDING),
        after=cleaned(one.after, _SAID_IN_FINDING),
        steps=cleaned(one.steps, _SAID_IN_STEP),
        baseline=tuple(clean(each) for each in one.baseline),
    )


def _steps_of(task: Mapping[str, Any], check_mode: bool) -> list[Step]:
    """The steps a task's result tells of: its own, or for a task of Ansible's own the task itself when it changed."""
    result = task["result"]
    steps: list[Step] = list(result.get("steps", ()))
    told = {each["outcome"] for each in steps}

    def itself(became: str, detail: str) -> Step:
        return _step(task["kind"], task["what"], became, detail, task.get("finding"), task.get("gate"))

    if result.get("unreachable") or (result.get("failed") and FAILED not in told):
        steps.append(itself(FAILED, result.get("msg", "")))
    elif result.get("refused"):
        steps.append(itself(BLOCKED, result["refused"]))
    elif result.get("changed") and "steps" not in result:
        steps.append(itself(PLANNED if check_mode else DONE, result.get("detail", "")))
    return steps


def _step(
    kind: str, what: str, became: str, detail: str, finding: str | None = None, gate: str | None = None
) -> dict[str, Any]:
    return {
        "kind": kind,
        "what": what,
        "target": {},
        "before": {},
        "after": {},
        "finding": finding,
        "gate": gate,
        "outcome": became,
        "detail": detail,
    }


def summary(hosts: Sequence[Host]) -> dict[str, int]:
    """How many hosts have each of the six outcomes."""
    return {name: sum(each.outcome == name for each in hosts) for name, _words in OUTCOMES}


def document(hosts: Sequence[Host], generated: str) -> dict[str, Any]:
    """The content of ``report.json``.

    :param generated: when the report was made, in ISO 8601.
    """
    return {
        "version": _VERSION,
        "generated": generated,
        "summary": summary(hosts),
        "hosts": {
            each.name: {
                "platform": each.platform,
                "outcome": each.outcome,
                "before": list(each.before),
                "after": list(each.after),
                "steps": list(each.steps),
                **({"baseline": list(each.baseline)} if each.baseline else {}),
                **({"backups": list(each.backups)} if each.backups else {}),
            }
            for each in hosts
        },
    }


def in_order(hosts: Sequence[Host]) -> bool:
    """Whether no host has an outcome of :data:`BAD`."""
    return not any(each.outcome in BAD for each in hosts)


def recap(hosts: Sequence[Host]) -> str:
    """The last line of a run: ``fleet 6 | healthy 1 | repaired 4 | ...``."""
    counts = summary(hosts)
    return " | ".join([f"fleet {len(hosts)}"] + [f"{words} {counts[name]}" for name, words in OUTCOMES])


def table(hosts: Sequence[Host]) -> list[tuple[str, str]]:
    """The table ``host | outcome | findings | steps``, line by line, each with its host's outcome ("" for the head)."""
    words = dict(OUTCOMES)
    rows = [("host", "outcome", "findings", "steps")]
    rows += [
        (
            plain(each.name),
            words[each.outcome],
            headline(each),
            _steps_short(each) or "none",
        )
        for each in hosts
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        " | ".join(
            [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)] + [row[3]]
        )  # the last needs no padding
        for row in rows
    ]
    return list(zip(lines, ["", *(each.outcome for each in hosts)], strict=True))


def details(one: Host) -> list[str]:
    """What a person has to know and do about this host: nothing unless its outcome is one of :data:`BAD`."""
    if one.outcome not in BAD:
        return []
    lines = [f"{plain(one.name)} {dict(OUTCOMES)[one.outcome]}:"]
    left = serious(one.after)
    for each in left[:_LIST]:
        lines.append(
            "  {} ({}) {}: {}".format(each["id"], each["severity"], plain(each["subject"]), plain(each["summary"]))
        )
        lines.append("    repair: {}".format(plain(each["repair"])))
        if each["gate"]:
            lines.append("    set:    {}: true".format(each["gate"]))
    if len(left) > _LIST:
        lines.append(f"  and {len(left) - _LIST} more findings: see report.json")
    for each in [each for each in one.steps if each["outcome"] in (BLOCKED, FAILED)]:
        lines.append("  {}: {}: {}".format(each["outcome"], plain(each["what"]), plain(each["detail"])))
        if each["gate"]:
            lines.append("    set:    {}: true".format(each["gate"]))
    return lines


def undo(one: Host) -> list[str]:
    """For each backup one sentence: where it is, and what puts it back."""
    words = "to undo {module}: fog_multicast_reset with restore_from: {backup}"
    if one.platform == _HEAD_NODES:
        words = "before {module} wrote, the store was copied to {backup}"
    return [plain(words.format(**each)) for each in one.backups]


def headline(one: Host) -> str:
    """What was found on a host, or that nothing is known about it, in a few words."""
    unknown = "did not answer" if one.outcome == UNREACHABLE else "unknown"
    return _short([finding["id"] for finding in serious(one.before)]) or (unknown if unseen(one) else "none")


def verdict(one: Host) -> str:
    """One sentence why this host is not in order; "" when it is."""
    if one.outcome not in BAD:
        return ""
    reasons = [
        "{}: {}".format(each["what"], each["detail"]) for each in one.steps if each["outcome"] in (BLOCKED, FAILED)
    ] or ["{}: {}".format(each["id"], each["summary"]) for each in serious(one.after)]
    return plain("{}: {}".format(dict(OUTCOMES)[one.outcome], "; ".join(reasons)))


def unseen(one: Host) -> bool:
    """Whether the host could not be looked at, or not before a step that is only planned."""
    return any(
        (each["kind"], each["outcome"]) in ((LOOK, FAILED), (LIBRARIES, PLANNED), (LIBRARIES, FAILED))
        for each in one.steps
    )


def _steps_short(one: Host) -> str:
    kinds: dict[str, list[str]] = {}
    for each in one.steps:
        kinds.setdefault(each["outcome"], []).append(each["kind"])
    changes = [each for each in one.steps if each["outcome"] in (DONE, PLANNED)]
    if changes and all(each["finding"] == _RECORD_STALE for each in changes):
        # Correcting a record is no repair of multicast and must not look like one (facts/fog.md section 0.1).
        for became in (DONE, PLANNED):
            if became in kinds:
                kinds[became] = ["record corrected" if became == DONE else "correct the record"]
    words = ((DONE, ""), (PLANNED, "would "), (BLOCKED, "blocked "), (FAILED, "failed "), (SKIPPED, "skipped "))
    return "; ".join(word + _short(kinds[became]) for became, word in words if became in kinds)


def _short(names: Sequence[str]) -> str:
    """Names in their order, each once with its count, folded after a few."""
    unique = list(dict.fromkeys(names))
    parts = [name if names.count(name) == 1 else f"{name} x{names.count(name)}" for name in unique]
    if len(parts) > _CELL:
        parts[_CELL:] = [f"and {len(parts) - _CELL} more"]
    return ", ".join(parts)


def plain(text: Any) -> str:
    """Text that cannot move the cursor or break a line: names come from inventories and databases."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``report.html``: one file for people, which needs no network.

What the page shows of each host is data; its script puts it in as text. A content security policy allows that script
and that style alone, so that nothing in a report can run or load anything.
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.imaging.multicast.plugins.module_utils._catalogue import CATALOGUE
from ansible_collections.imaging.multicast.plugins.module_utils._severity import INFO, SEVERITIES
from ansible_collections.imaging.multicast.plugins.module_utils._steps import BLOCKED, DONE, FAILED, PLANNED
from ansible_collections.imaging.multicast.plugins.plugin_utils import _report
from ansible_collections.imaging.multicast.plugins.plugin_utils._fold import fold
from ansible_collections.imaging.multicast.plugins.plugin_utils._history import DAYS, Recurrence, in_words

#: The page is never larger, in bytes: evidence is shortened first.
MAX_BYTES = 3_000_000


class Limit(NamedTuple):
    """How much of a report is shown: lines of evidence of a finding, letters of a text, rows of what was not done.

    Without letters no host tells more than its outcome.
    """

    lines: int
    letters: int
    rows: int


#: Tried in this order until the page is small enough.
LIMITS = (
    Limit(1000, 4000, 1000),
    Limit(20, 1000, 200),
    Limit(3, 300, 100),
    Limit(0, 80, 50),
    Limit(0, 0, 20),
)
_RECURRENCES = 40
_DATES = 4
_PAGE = Path(__file__).with_name("_page")
_WORDS = dict(_report.OUTCOMES)
#: The worst first, so that what needs a person comes before what does not.
_ORDER = (
    _report.BROKEN_RUN,
    _report.NEEDS_PERSON,
    _report.UNREACHABLE,
    _report.WOULD_REPAIR,
    _report.REPAIRED,
    _report.HEALTHY,
)
#: What each outcome means, for readers who see the page for the first time.
_MEANINGS = {
    _report.HEALTHY: "nothing is wrong",
    _report.REPAIRED: "what was wrong is gone, as a second look showed",
    _report.WOULD_REPAIR: "a repair has something to do; nothing was changed",
    _report.NEEDS_PERSON: "something is left that a person must do or allow",
    _report.BROKEN_RUN: "the look or a repair failed",
    _report.UNREACHABLE: "the host did not answer",
}
#: How a sentence about one host, and about several, says each outcome of which somebody must know.
_ATTENTION = {
    _report.NEEDS_PERSON: ("needs a person", "need a person"),
    _report.BROKEN_RUN: ("failed", "failed"),
    _report.UNREACHABLE: ("did not answer", "did not answer"),
}
_NO_SWITCH = '<span class="soft">no switch; a person must do it</span>'
_GUARD_SWITCH = re.compile(rf"\w*{_report.GUARD_VARIABLE}\b")
#: How it is known what became of a finding.
_STATES = {
    "gone": "The host was looked at again afterwards: this finding is gone.",
    "proven": "The host was looked at again, and multicast proven on the wire: this finding is gone.",
    "alone": "The host was looked at again, and multicast proven on the host only: this finding is gone.",
    "out_of_reach": "The host was looked at again: this finding is gone. A proof on the wire is out of reach.",
    "left": "The host was looked at again afterwards: this finding is still there.",
    "new": "It was not there before the repair; the look afterwards found it.",
    "unknown": "The host could not be looked at again afterwards: what became of this finding is not known.",
    "failed": "The repair failed, so this finding counts as still there.",
    "planned": "Not verified: this run only planned the repair.",
    "untouched": "Nothing was done about it, so there was nothing to verify.",
}
#: What tells that a host was not only looked at again, and the state it makes of "gone".
_PROOFS = {"net.probe.proven": "proven", "net.probe.alone": "alone", "net.probe.out_of_reach": "out_of_reach"}
_CURED = ("gone", *_PROOFS.values())


def page(hosts: Sequence[_report.Host], generated: str, check_mode: bool, recurring: Sequence[Recurrence] = ()) -> str:
    """The page.

    :param generated: when the report was made, in ISO 8601 and UTC.
    :param recurring: what :func:`_history.recurrences` found.
    """
    text = ""
    for limit in LIMITS:
        text = _page(hosts, generated, check_mode, recurring, limit)
        if len(text.encode(errors="replace")) < MAX_BYTES:
            break
    return text


def _page(
    hosts: Sequence[_report.Host],
    generated: str,
    check_mode: bool,
    recurring: Sequence[Recurrence],
    limit: Limit,
) -> str:
    style, script = ((_PAGE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
    policy += "base-uri 'none'; form-action 'none'"
    ordered = sorted(hosts, key=lambda each: _ORDER.index(each.outcome))
    mode = "Check mode: nothing was changed. " if check_mode else ""
    short = "" if limit == LIMITS[0] else "Texts are shortened here; report.json has all of them. "
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>Multicast: {escape(_report.recap(hosts))}</title>",
            f"<style>{style}</style>",
            "</head>",
            "<body>",
            "<header>",
            "<h1>Multicast imaging</h1>",
            f'<p class="fleet" id="sentence">{escape(_sentence(hosts))}</p>',
            f'<p class="soft" id="fleet">{escape(_report.recap(hosts))}</p>',
            _bar(hosts),
            f'<p class="soft">{mode}{short}Made {generated[:10]} {generated[11:19]} UTC.</p>',
            "</header>",
            "<main>",
            '<section id="kinds"><h2>By kind of finding</h2>',
            _kinds(hosts, limit),
            "</section>",
            '<section id="hosts"><h2>By host</h2>',
            _tools(hosts),
            '<div id="list"></div>',
            '<button type="button" id="more" hidden>Show all</button>',
            '<noscript><p class="empty">The list of hosts needs JavaScript. report.json has the same.</p></noscript>',
            "</section>",
            '<section id="undone"><h2>What was not done</h2>',
            _undone(hosts, limit),
            "</section>",
            f'<section id="recurring"><h2>What came back within {DAYS} days</h2>',
            _recurring(recurring, generated),
            "</section>",
            "</main>",
            f'<script type="application/json" id="data">{_embedded(_data(ordered, limit))}</script>',
            f"<script>{script}</script>",
            "</body>",
            "</html>",
            "",
        ]
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _embedded(data: Any) -> str:
    """JSON that ends no script element and begins no comment in it."""
    text = json.dumps(data, separators=(",", ":"))  # ASCII, so that line separators are escaped too
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _sentence(hosts: Sequence[_report.Host]) -> str:
    """The fleet for somebody who reads one sentence."""
    if not hosts:
        return "No host was looked at."
    counts = _report.summary(hosts)
    fleet = f"{len(hosts)} {'host' if len(hosts) == 1 else 'hosts'}"
    bad = sum(counts[name] for name in _report.BAD)
    if bad:
        told = ", ".join(
            f"{counts[name]} {words[counts[name] > 1]}" for name, words in _ATTENTION.items() if counts[name]
        )
        return f"{bad} of {fleet} {'needs' if bad == 1 else 'need'} attention: {told}."
    if counts[_report.WOULD_REPAIR]:
        return f"No host needs attention; a repair would do something on {counts[_report.WOULD_REPAIR]} of {fleet}."
    cured = f", {counts[_report.REPAIRED]} of them after a repair" if counts[_report.REPAIRED] else ""
    return f"All {fleet} are in order{cured}." if len(hosts) > 1 else "The host is in order."


def _bar(hosts: Sequence[_report.Host]) -> str:
    counts = [(name, words, count) for name, words in _report.OUTCOMES if (count := _report.summary(hosts)[name])]
    width = 1000
    total = max(1, len(hosts))
    at = 0.0
    parts = []
    for name, words, count in counts:
        part = width * count / total
        parts.append(
            f'<rect class="bar-{name}" x="{at:.1f}" y="0" width="{part:.1f}" height="24">'
            f"<title>{escape(words)} {count}: {escape(_MEANINGS[name])}</title></rect>"
        )
        at += part
    keys = [
        f'<li><i class="bg-{name}"></i>{escape(words)} {count} <span class="soft">{escape(_MEANINGS[name])}</span></li>'
        for name, words, count in counts
    ]
    return (
        f'<svg class="bar" id="bar" viewBox="0 0 {width} 24" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(_report.recap(hosts))}">{"".join(parts)}</svg>'
        f'<ul class="key">{"".join(keys)}</ul>'
    )


def _tools(hosts: Sequence[_report.Host]) -> str:
    counts = _report.summary(hosts)
    buttons = [("", "all", len(hosts)), *((name, _WORDS[name], counts[name]) for name in _ORDER if counts[name])]
    return (
        '<div class="tools" role="search">'
        '<input type="search" id="search" placeholder="search hosts, findings ( / )" aria-label="search the hosts">'
        + "".join(
            f'<button type="button" data-outcome="{name}" aria-pressed="{"false" if name else "true"}">'
            f"{escape(words)} {count}</button>"
            for name, words, count in buttons
        )
        + '</div><p class="soft screen"><span id="count" role="status"></span>'
        " &middot; / search &middot; arrows move &middot; Enter opens &middot; Esc clears</p>"
    )


def _kinds(hosts: Sequence[_report.Host], limit: Limit) -> str:
    found: dict[str, list[tuple[_report.Finding, _report.Host]]] = {}
    for host in hosts:
        for finding in _all_findings(host):
            if _state(finding, host) != "measured":
                found.setdefault(finding["id"], []).append((finding, host))
    if not found:
        return '<p class="empty">Nothing was found.</p>'
    rows = []
    for name, seen in sorted(found.items(), key=lambda item: (_worst(item[1]), -_count(item[1]), item[0])):
        gone = [host.name for finding, host in seen if _state(finding, host) in _CURED]
        rows.append(
            f"<tr><td>{_named(name)}</td><td>{escape(SEVERITIES[_worst(seen)])}</td>"
            f"<td>{len(dict.fromkeys(gone))} of {_count(seen)}</td>"
            f'<td class="names"><div>{_folded(host.name for _finding, host in seen)}</div></td>'
            f'<td class="wide">{_escaped(_cut(seen[0][0]["cause"], limit))}</td></tr>'
        )
    return (
        "<table><thead><tr><th>finding</th><th>severity</th><th>cured</th><th>on</th>"
        f'<th class="wide">cause</th></tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _named(name: str) -> str:
    """What a finding means, and its id, as markup."""
    meaning = f"{escape(CATALOGUE[name].meaning)} " if name in CATALOGUE else ""
    return f"{meaning}<code>{_escaped(name)}</code>"


def _worst(seen: Sequence[tuple[_report.Finding, _report.Host]]) -> int:
    return min(SEVERITIES.index(finding["severity"]) for finding, _host in seen)


def _count(seen: Sequence[tuple[_report.Finding, _report.Host]]) -> int:
    return len({host.name for _finding, host in seen})


def _all_findings(host: _report.Host) -> list[_report.Finding]:
    """Those before, then those that only the look afterwards found."""
    known = {_key(each) for each in host.before}
    return [*host.before, *(each for each in host.after if _key(each) not in known)]


def _key(finding: _report.Finding) -> tuple[str, str]:
    return finding["id"], finding["subject"]


def _state(finding: _report.Finding, host: _report.Host) -> str:
    """A key of :data:`_STATES`, or "measured" of what is no finding of something wrong."""
    after = {_key(each) for each in host.after}
    if _key(finding) not in {_key(each) for each in host.before}:
        return "measured" if finding["severity"] == INFO else "new"
    if _key(finding) not in after:
        return next((state for name, state in _PROOFS.items() if name in {each["id"] for each in host.after}), "gone")
    became = {each["outcome"] for each in host.steps if each["finding"] in (finding["id"], None)}
    if PLANNED in became:
        return "planned"
    if DONE in became:
        verified = not any((each["kind"], each["outcome"]) == (_report.VERIFY, FAILED) for each in host.steps)
        return "left" if verified else "unknown"
    return "failed" if FAILED in became else "untouched"


def _undone(hosts: Sequence[_report.Host], limit: Limit) -> str:
    """What is left to do, and the switch that allows it, most hosts first."""
    wanting: dict[tuple[str, str, str], list[str]] = {}
    for host in hosts:
        for step in host.steps:
            if step["outcome"] in (BLOCKED, FAILED):
                key = (_switch(step), _escaped(_cut(step["what"], limit)), step["detail"])
                wanting.setdefault(key, []).append(host.name)
        told = {step["finding"] for step in host.steps if step["outcome"] in (BLOCKED, FAILED, PLANNED)}
        guarded = any(step["kind"] == _report.GUARD for step in host.steps)
        for finding in _report.serious(host.after):
            if finding["id"] not in told and not (guarded and _report.curable(finding, ())):
                key = (_wish(finding, host), _named(finding["id"]), finding["repair"])
                wanting.setdefault(key, []).append(host.name)
    if not wanting:
        return '<p class="empty">Nothing was left undone.</p>'
    rows = []
    ordered = sorted(wanting.items(), key=lambda item: (-len(item[1]), item[0]))
    for (switch, what, why), names in ordered[: limit.rows]:
        rows.append(
            f"<tr><td>{what}</td><td>{_escaped(_cut(why, limit))}</td><td>{switch}</td>"
            f'<td class="names"><div>{_folded(names)}</div></td></tr>'
        )
    return (
        "<table><thead><tr><th>what</th><th>why, or what to do</th><th>switch that allows it</th><th>hosts</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table>{_more(len(ordered) - limit.rows, 'report.json')}"
    )


def _switch(step: _report.Step) -> str:
    """What would allow a step that was not done, as markup."""
    percent = _GUARD_SWITCH.search(step["detail"]) if step["kind"] == _report.GUARD else None
    if percent:
        return f"<code>{_escaped(percent[0])}</code>"
    return f"<code>{_escaped(step['gate'])}: true</code>" if step["gate"] else _NO_SWITCH


def _wish(finding: _report.Finding, host: _report.Host) -> str:
    """What would allow the repair of a finding for which there was no step, as markup."""
    if finding["gate"]:
        return f"<code>{_escaped(finding['gate'])}: true</code>"
    # Of a host that was only looked at there are no steps.
    return (
        '<span class="soft">none needed, a repair does it</span>'
        if finding["repairable"] and not host.steps
        else _NO_SWITCH
    )


def _more(count: int, where: str) -> str:
    return f'<p class="soft">And {count} more, in {where}.</p>' if count > 0 else ""


def _recurring(recurring: Sequence[Recurrence], generated: str) -> str:
    if not recurring:
        return '<p class="empty">Nothing came back.</p>'
    groups: dict[tuple[int, str, tuple[date, ...]], list[str]] = {}
    for each in recurring:
        groups.setdefault((len(each.days), each.finding, each.days), []).append(each.host)
    today = date.fromisoformat(generated[:10])
    rows = [
        f"<tr><td>{escape(in_words(count))} time in {DAYS} days on {_folded(names)}</td>"
        f"<td>{_named(finding)}</td><td>{_days(days, today)}</td></tr>"
        for (count, finding, days), names in list(groups.items())[:_RECURRENCES]
    ]
    return (
        "<table><thead><tr><th>how often</th><th>finding</th>"
        f"<th>{_first(today)} to {today}, a column a day</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{_more(len(groups) - _RECURRENCES, 'history.jsonl')}"
    )


def _first(today: date) -> date:
    return today - timedelta(days=DAYS - 1)


def _days(days: Sequence[date], today: date) -> str:
    """One column a day, today at the right, and the newest of the days in words."""
    first = _first(today)
    most = max(days.count(day) for day in days)
    columns = []
    for number in range(DAYS):
        count = days.count(first + timedelta(days=number))
        height = 2 if not count else 4 + 16 * count / most
        columns.append(
            f'<rect class="{"hit" if count else "base"}" x="{number * 4}" y="{20 - height:.1f}" width="3" '
            f'height="{height:.1f}"/>'
        )
    label = ", ".join(str(day) for day in days)
    single = sorted(set(days))
    dates = ", ".join(str(day) for day in single[-_DATES:])
    earlier = f"{len(single) - _DATES} earlier days, " if len(single) > _DATES else ""
    return (
        f'<svg class="days" viewBox="0 0 {DAYS * 4} 20" role="img" aria-label="{label}"><title>{label}</title>'
        f'{"".join(columns)}</svg><div class="soft">{earlier}{dates}</div>'
    )


def _folded(names: Any) -> str:
    return ", ".join(_escaped(each).replace(",", ", ") for each in fold(names))  # a line may break there


def _escaped(text: Any) -> str:
    return escape(_report.plain(text))


def _cut(text: Any, limit: Limit) -> str:
    whole = str(text)
    most = limit.letters or LIMITS[-2].letters
    return whole if len(whole) <= most else whole[: most - 1] + "\u2026"


def _data(hosts: Sequence[_report.Host], limit: Limit) -> dict[str, Any]:
    """What the script shows. What the same finding says on every host is there once."""
    kinds: dict[tuple[Any, ...], int] = {}
    fields = ("id", "severity", "cause", "repair", "gate")

    def kind(finding: _report.Finding) -> int:
        return kinds.setdefault(tuple(finding[field] and cut(finding[field]) for field in fields), len(kinds))

    def cut(text: Any) -> str:
        return _cut(text, limit)

    def cut_values(values: Mapping[str, Any]) -> dict[str, str]:
        return {
            cut(key): cut(value if isinstance(value, str) else json.dumps(value, default=str))
            for key, value in values.items()
        }

    def evidence(finding: _report.Finding) -> list[str]:
        kept = [cut(each) for each in finding["evidence"][: limit.lines]]
        left = len(finding["evidence"]) - len(kept)
        return [*kept, f"({left} more in report.json)"] if left else kept

    def told_finding(finding: _report.Finding, host: _report.Host) -> dict[str, Any]:
        return {
            "kind": kind(finding),
            "subject": cut(finding["subject"]),
            "summary": cut(finding["summary"]),
            "evidence": evidence(finding),
            "state": _state(finding, host),
        }

    def told_step(step: _report.Step) -> dict[str, Any]:
        return {
            "kind": cut(step["kind"]),
            "what": cut(step["what"]),
            "before": cut_values(step["before"]),
            "after": cut_values(step["after"]),
            "finding": step["finding"],
            "gate": step["gate"] and cut(step["gate"]),
            "outcome": step["outcome"],
            "detail": cut(step["detail"]),
        }

    made = [
        {
            "name": host.name,
            "outcome": host.outcome,
            "short": cut(_report.headline(host)),
            "findings": [told_finding(each, host) for each in _all_findings(host)] if limit.letters else [],
            "steps": [told_step(each) for each in host.steps] if limit.letters else [],
            "undo": [cut(each) for each in _report.undo(host)] if limit.letters else [],
        }
        for host in hosts
    ]
    return {
        "outcomes": _WORDS,
        "states": _STATES,
        "cured": _CURED,
        "told": bool(limit.letters),
        "kinds": [dict(zip(fields, each, strict=True)) for each in kinds],
        "hosts": made,
    }

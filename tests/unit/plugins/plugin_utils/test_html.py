# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page without a browser: whatever a host says, the page's own markup stays what it is."""

import json
from html.parser import HTMLParser

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.module_utils._steps import Result, Step
from ansible_collections.imaging.multicast.plugins.plugin_utils import _history, _html, _report
from hypothesis import given
from hypothesis import strategies as st

NOW = "2026-11-22T12:00:00+00:00"


class Markup(HTMLParser):
    """The elements of a page with their attributes' names, its texts outside of scripts, and its data."""

    def __init__(self, page):
        super().__init__()
        self.elements = []
        self.comments = []
        self.texts = []
        self.scripts = []
        self.inside = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, tuple(name for name, _value in attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_comment(self, data):
        self.comments.append(data)

    def handle_data(self, data):
        (self.scripts if self.inside == "script" else self.texts).append(data)

    @property
    def data(self):
        return json.loads(self.scripts[0])


def hosts(text, name="host"):
    """One host of each kind that has ``text`` wherever a host can bring text in."""
    found = finding("fog.session.stale", text, text, (text, text), cause=text, repair=text, gate="x_" + text).as_dict()
    step = Step("kind" + text, text, {text: text}, {text: text}, {text: [text]}, "fog.session.stale", "x_" + text)
    steps = tuple(Result(step, outcome, text).as_dict() for outcome in ("done", "failed", "blocked", "planned"))
    return [
        _report.Host(name + text, "fog", outcome, (found,), after, steps)
        for outcome, after in (("repaired", ()), ("needs_person", (found,)), ("failed", (found,)))
    ]


def recurring(name):
    line = _history.run(hosts(name)[:1], "2026-11-{:02}T12:00:00+00:00", False)
    return _history.recurrences([dict(line, time=line["time"].format(day)) for day in (1, 2)], NOW)


def page(text):
    return _html.page(hosts(text), NOW, False, recurring(text))


PLAIN = Markup(page("plain"))
HOSTILE = st.text(max_size=20) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</script><img src=x onerror=alert(1)>",
        "<!--",
        "-->",
        "]]>",
        "\"'><svg/onload=alert(1)>",
        "&lt;b&gt;",
        "\u2028",
        "\x00",
        "\ud800",
        "{{ x }}",
    ]
)


@given(HOSTILE)
def test_no_text_becomes_markup(text):
    made = Markup(page(text))
    assert made.elements == PLAIN.elements
    assert made.comments == []
    assert len(made.scripts) == len(PLAIN.scripts) == 2
    assert made.scripts[1] == PLAIN.scripts[1]
    (host,) = {each["name"] for each in made.data["hosts"]}
    assert host == "host" + text
    assert made.data["hosts"][0]["findings"][0]["evidence"] == [text, text]


def test_it_loads_nothing_and_allows_its_own_script_alone():
    made = page("plain")
    assert "http:" not in made.replace("http://www.w3.org", "")
    assert "https:" not in made
    assert "default-src &#x27;none&#x27;" in made
    for name in ("page.css", "page.js"):
        assert _html._digest((_html._PAGE / name).read_text()) in made.replace("&#x27;", "'")
    assert {tag for tag, names in PLAIN.elements if "src" in names} == set()


@pytest.mark.parametrize(
    ("before", "after", "outcomes", "state"),
    [
        (True, False, ["done"], "gone"),
        (True, True, ["done"], "left"),
        (True, True, ["planned"], "planned"),
        (True, True, ["blocked"], "untouched"),
        (True, True, [], "untouched"),
        (True, True, ["failed"], "failed"),
        (False, True, ["done"], "new"),
    ],
)
def test_it_says_how_a_repair_was_verified(before, after, outcomes, state):
    found = finding("fog.session.stale", "session 3", "Stale.").as_dict()
    made = Step("session.cancel", "cancel", {}, {}, {}, "fog.session.stale")
    steps = tuple(Result(made, outcome).as_dict() for outcome in outcomes)
    host = _report.Host("a", "fog", "repaired", (found,) * before, (found,) * after, steps)
    assert Markup(_html.page([host], NOW, False)).data["hosts"][0]["findings"][0]["state"] == state


@pytest.mark.parametrize(
    ("proof", "state"),
    [
        ("net.probe.proven", "proven"),
        ("net.probe.alone", "alone"),
        ("net.probe.out_of_reach", "out_of_reach"),
        ("fog.node.disabled", "gone"),
    ],
)
def test_what_the_look_afterwards_measured_proves_and_is_nothing_wrong(proof, state):
    found = finding("fog.session.stale", "session 3", "Stale.").as_dict()
    told = finding(proof, "sender fog1", "Measured.", severity="info").as_dict()
    done = Result(Step("session.cancel", "cancel", {}, {}, {}, found["id"]), "done").as_dict()
    page = Markup(_html.page([_report.Host("a", "fog", "repaired", (found,), (told,), (done,))], NOW, False))
    assert [each["state"] for each in page.data["hosts"][0]["findings"]] == [state, "measured"]
    assert state in page.data["cured"]
    assert proof not in page.texts
    assert "1 of 1" in page.texts


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ("nnfffu hhhhh", "6 of 11 hosts need attention: 2 need a person, 3 failed, 1 did not answer."),
        ("n", "1 of 1 host needs attention: 1 needs a person."),
        ("hrw n", "1 of 4 hosts needs attention: 1 needs a person."),
        ("hww", "No host needs attention; a repair would do something on 2 of 3 hosts."),
        ("hhrh", "All 4 hosts are in order, 1 of them after a repair."),
        ("hh", "All 2 hosts are in order."),
        ("r", "The host is in order."),
        ("", "No host was looked at."),
    ],
)
def test_the_fleet_in_one_sentence(outcomes, told):
    letters = {
        "h": "healthy",
        "r": "repaired",
        "w": "would_repair",
        "n": "needs_person",
        "f": "failed",
        "u": "unreachable",
    }
    hosts = [_report.Host("a", "fog", letters[each], (), (), ()) for each in outcomes.replace(" ", "")]
    assert told in Markup(_html.page(hosts, NOW, False)).texts


def test_what_was_not_done_names_the_switch_once():
    gated = finding("fog.node.many_masters", "group 1", "Two masters.").as_dict()
    blocked = Step("node.update", "make it the master", {}, {}, {}, gated["id"], gated["gate"])
    told = Result(blocked, "blocked", f"set {gated['gate']} to true to allow it").as_dict()
    one = _report.Host("fog1", "fog", "needs_person", (gated,), (gated,), (told,))
    two = one._replace(name="fog2")
    other = _report.Host("hn1", "wds", "needs_person", (gated,), (gated,), ())
    undone = _html._undone([one, two, other], _html.LIMITS[0])
    assert undone.count("<tr>") == 3  # the head, the blocked step, the finding nothing was planned for
    assert "<code>fog_multicast_master: true</code>" in undone
    assert '<td class="names"><div>fog[1-2]</div></td>' in undone
    assert '<td class="names"><div>hn1</div></td>' in undone


@pytest.mark.parametrize("named", ["multicast_max_broken_percent", "wds_multicast_max_broken_percent", None])
def test_what_the_guard_forbade_names_its_variable_and_not_a_person(named):
    found = finding("fog.session.stale", "session 3", "Stale.").as_dict()
    image = finding("fog.image.missing", "image 2", "Gone.").as_dict()
    refused = f"3 of 4 hosts look broken, and {named or 'something'} is 50"
    result = {"findings": [found, image], "repair": {"tasks": [], "refused": refused}}
    undone = _html._undone([_report.host("a", "fog", result, False, ())], _html.LIMITS[0])
    assert undone.count("<tr>") == 3  # the head, the guard, the image
    switch = f"<code>{named}</code>" if named else _html._NO_SWITCH
    assert f"{refused}</td><td>{switch}</td>" in undone


def test_a_host_that_was_only_looked_at_needs_no_person_for_what_a_repair_does():
    found = finding("fog.session.stale", "session 3", "Stale.").as_dict()
    undone = _html._undone([_report.host("a", "fog", {"findings": [found]}, False, ())], _html.LIMITS[0])
    assert "none needed, a repair does it" in undone


def test_what_became_of_it_is_not_known_when_the_look_afterwards_failed():
    found = finding("fog.session.stale", "session 3", "Stale.").as_dict()
    done = Result(Step("session.cancel", "cancel", {}, {}, {}, found["id"]), "done").as_dict()
    repair = {"tasks": [{"result": {"steps": [done]}}], "refused": "", "verified": {"failed": True, "msg": "no route"}}
    host = _report.host("a", "fog", {"findings": [found], "repair": repair}, False, ())
    assert _html._state(found, host) == "unknown"


def test_a_fleet_in_order():
    made = Markup(_html.page([_report.Host("fog1", "fog", "healthy", (), (), ())], NOW, True))
    text = " ".join(made.texts)
    for words in ("Nothing was found.", "Nothing was left undone.", "Nothing came back.", "Check mode"):
        assert words in text


def test_no_host_at_all():
    assert "fleet 0" in _html.page([], NOW, False)


@pytest.mark.parametrize(
    ("text", "evidence", "shortened", "told"),
    [
        ("session {} is stale", "multicast.log of {}", False, True),
        ("session {} is stale", "{} " + 200 * "log ", True, True),
        ("{}" + 100 * "<", "{}", True, False),
    ],
    ids=["as usual", "long evidence", "hostile"],
)
def test_a_thousand_broken_hosts_stay_below_the_limit(text, evidence, shortened, told):
    many = []
    for number in range(1000):
        one = hosts(text.format(number))[1]
        found = dict(one.before[0], evidence=[evidence.format(number)] * 10)
        many.append(one._replace(name=f"host{number:04}", before=(found,), after=(found,)))
    made = _html.page(many, NOW, False)
    assert len(made.encode()) < _html.MAX_BYTES
    assert ("Texts are shortened here" in made) == shortened
    data = Markup(made).data
    assert [each["name"] for each in data["hosts"]] == [each.name for each in many]
    assert {(data["told"], bool(each["findings"] and each["steps"])) for each in data["hosts"]} == {(told, told)}


def test_the_days_on_which_it_came_are_told():
    days = tuple(_history.date(2026, 11, day) for day in (1, 2, 2, 9, 12, 20, 22))
    text = _html._recurring([_history.Recurrence("hn1", "wds.namespace.missing", days)], NOW)
    assert "2 earlier days, 2026-11-09, 2026-11-12, 2026-11-20, 2026-11-22<" in text
    assert "2026-10-24 to 2026-11-22" in text


def test_much_comes_back():
    found = [
        _history.Recurrence(f"host{letter}", f"x.{number}", tuple(_history.date(2026, 11, day) for day in range(1, 3)))
        for number, letter in enumerate("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    ]
    text = _html._recurring(found, NOW)
    assert text.count("<tr>") == 41
    assert "And 12 more, in history.jsonl." in text

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics and JUnit: their formats hold whatever a host says."""

import re
from xml.etree import ElementTree

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.module_utils._steps import Result, Step
from ansible_collections.imaging.multicast.plugins.plugin_utils import _history, _junit, _prometheus, _report
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

NOW = "2026-11-22T12:00:00+00:00"
STALE = finding("fog.session.stale", "session 3", "Stale.").as_dict()
NAMES = st.text(max_size=20) | st.sampled_from(['"} 1\nevil 2', "\\", "\\n", 'a"b', "\r", "\x00"])
#: Of the exposition format: a name, labels with escaped values, a value, no timestamp.
SAMPLE = re.compile(r'(?P<name>[a-z_]+)(\{(?P<labels>([a-z_]+="([^"\\\n]|\\["\\n])*",?)+)\})? (?P<value>[0-9.e+]+)')


def host(name, outcome="healthy", after=(), steps=()):
    return _report.Host(name, "fog", outcome, tuple(after), tuple(after), tuple(steps))


def samples(text):
    """Value by name and labels; an AssertionError for a line that the format does not know."""
    assert text.endswith("\n")
    found, declared = {}, []
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            kind, name, _rest = line[2:].split(" ", 2)
            declared.append((kind, name))
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        assert declared[-2:] == [("HELP", match["name"]), ("TYPE", match["name"])]
        key = match["name"], match["labels"]
        assert key not in found
        found[key] = float(match["value"])
    assert len(declared) == len(set(declared))
    return found


def test_metrics():
    came = [_history.Recurrence("b", "fog.session.stale", (_history.date(2026, 11, 1),) * 3)]
    hosts = [host("a"), host("b", "needs_person", [STALE, STALE]), host("c", "unreachable")]
    found = samples(_prometheus.metrics(hosts, 1.5, True, came))
    assert found["multicast_run_timestamp_seconds", None] == 1.5
    assert found["multicast_run_check_mode", None] == 1
    assert found["multicast_hosts", 'outcome="healthy"'] == 1
    assert found["multicast_hosts", 'outcome="failed"'] == 0
    assert found["multicast_findings", 'finding="fog.session.stale",severity="error"'] == 2
    assert found["multicast_recurrences", 'host="b",finding="fog.session.stale"'] == 3
    states = {key[1]: value for key, value in found.items() if key[0] == "multicast_host_outcome"}
    assert len(states) == 18
    assert [key for key, value in states.items() if value] == [
        'host="a",platform="fog",outcome="healthy"',
        'host="b",platform="fog",outcome="needs_person"',
        'host="c",platform="fog",outcome="unreachable"',
    ]


@given(NAMES)
def test_prometheus_own_library_reads_the_metrics(name):
    hosts = [host(name), host("a name that is longer than the other", "needs_person", [STALE, STALE])]
    read = {each.name: each for each in text_string_to_metric_families(_prometheus.metrics(hosts, 1.5, True))}
    assert {each.type for each in read.values()} == {"gauge"}
    assert read["multicast_run_check_mode"].documentation == "1 when the last run was one with --check."
    assert [each.value for each in read["multicast_run_check_mode"].samples] == [1.0]
    assert [each.labels["outcome"] for each in read["multicast_host_outcome"].samples if each.value] == [
        "healthy",
        "needs_person",
    ]
    assert read["multicast_host_outcome"].samples[0].labels["host"] == name
    assert [(each.labels, each.value) for each in read["multicast_findings"].samples] == [
        ({"finding": "fog.session.stale", "severity": "error"}, 2.0)
    ]


@given(NAMES)
def test_no_name_breaks_the_metrics(name):
    assert len(samples(_prometheus.metrics([host(name)], 1.0, False))) == 14


def test_junit():
    step = Result(Step("x", "do it", {}, {}, {}), "done").as_dict()
    lost = _report.host("lost", "fog", None, False, ())
    hosts = [host("a", steps=[step]), host("b", "needs_person", [STALE]), lost, host("d", "unreachable")]
    root = ElementTree.fromstring(_junit.suite(hosts, NOW).encode())
    suite = root.find("testsuite")
    for each in (root, suite):
        assert [each.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["4", "1", "2", "0"]
    assert suite.get("timestamp") == "2026-11-22T12:00:00"
    cases = {case.get("name"): case for case in suite}
    assert [each.tag for each in cases["a"]] == ["system-out"]
    assert cases["a"].find("system-out").text == "done: do it"
    failure = cases["b"].find("failure")
    assert (failure.get("type"), failure.get("message")) == (
        "needs_person",
        "needs a person: fog.session.stale: Stale.",
    )
    assert "repair: " in failure.text
    assert cases["lost"].find("error").get("type") == "failed"
    assert cases["d"].find("error") is not None


@pytest.mark.parametrize("text", ["<x>&'\"", "]]>", "\x00\x0b", "\ud800", "\ufffe", "a\nb", "\U0001f600"])
def test_no_text_breaks_junit(text):
    step = Result(Step("x", text, {}, {}, {}), "done", text).as_dict()
    stuck = Result(Step("x", text, {}, {}, {}), "failed", text).as_dict()
    made = _junit.suite([host(text, "failed", steps=[step, stuck])], NOW)
    case = ElementTree.fromstring(made.encode()).find("testsuite/testcase")
    assert case.get("name") == _junit._text(text)
    assert len(case) == 2


@given(st.text(max_size=20))
def test_any_text_survives_where_xml_can_hold_it(text):
    made = ElementTree.fromstring(_junit.suite([host(text)], NOW).encode())
    assert made.find("testsuite/testcase").get("name") == _junit._text(text)

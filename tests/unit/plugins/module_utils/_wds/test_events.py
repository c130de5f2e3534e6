# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What wevtutil.exe prints."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds.events import Event, parse_events
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.linear import assert_linear
from hypothesis import given
from hypothesis import strategies as st

GOOD = head_node.event_text(769, ["HEADNODE-CCP"])
EVENT = Event("WDSMC", 769, "2026-11-20T10:11:12Z", 1, ("HEADNODE-CCP",))


def test_events_without_a_root():
    other = head_node.event_text(257, ["C:\\x"], "wdscpmsg", 2)
    for separator in ("", "\n", "\r\n", "noise"):
        found = parse_events(separator.join((GOOD, other)))
        assert found.broken == 0
        assert found.events == (EVENT, EVENT._replace(source="wdscpmsg", id=257, record=2, data=("C:\\x",)))


def test_the_source_is_written_in_any_case_and_others_are_left_out():
    found = parse_events(head_node.event_text(769, source="wdsmc") + head_node.event_text(769, source="Other"))
    assert [event.source for event in found.events] == ["WDSMC"]
    assert found.broken == 0


def test_user_data_and_prefixes():
    text = GOOD.replace("<EventData>", "<UserData><x:E xmlns:x='urn:x'><x:Name>").replace(
        "</EventData>", "</x:Name></x:E></UserData>"
    )
    text = text.replace("<Data>", "").replace("</Data>", "")
    assert parse_events(text).events == (EVENT,)


@pytest.mark.parametrize(
    "time", ["2026-11-20T10:11:12.1234567Z", "2026-11-20T10:11:12Z", "2026-11-20T10:11:12.123456789Z"]
)
def test_times(time):
    assert parse_events(head_node.event_text(769, time=time)).events[0].time == "2026-11-20T10:11:12Z"


def test_another_time_is_none():
    assert parse_events(head_node.event_text(769, time="20.11.2026 10:11")).events[0].time == ""


@pytest.mark.parametrize("bad", ["\x01", "&#1;", "&#x1F;", "\ufffe", "\ud800", "&#xD800;", "&#99999999;"])
def test_what_xml_does_not_allow_is_replaced(bad):
    found = parse_events(head_node.event_text(771, ["a%sb" % bad]))
    assert found.broken == 0
    assert found.events[0].data == ("a\ufffdb",)


def test_references_that_xml_allows_stay():
    assert parse_events(head_node.event_text(771, ["&#65;&#x42;&lt;&amp;"])).events[0].data == ("AB<&",)


def test_a_document_type_is_not_looked_at_and_its_entities_are_refused():
    doctype = '<!DOCTYPE Event [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'
    assert parse_events(doctype + GOOD).events == (EVENT,)
    for bad in (GOOD.replace("<System>", doctype + "<System>"), GOOD.replace("HEADNODE-CCP", "&b;")):
        found = parse_events(doctype + bad + GOOD)
        assert found == ((EVENT,), 1)


@pytest.mark.parametrize(
    "bad",
    [
        GOOD[: len(GOOD) // 2],
        GOOD.replace("</System>", ""),
        GOOD.replace(">769<", ">x<"),
        GOOD.replace("<Provider Name='WDSMC'/>", ""),
        "<Event></Event>",
    ],
)
def test_a_broken_event_costs_no_other(bad):
    found = parse_events(GOOD + bad)
    assert found == ((EVENT,), 1)


def test_an_event_that_is_cut_off_swallows_the_next_and_is_told():
    assert parse_events("<Event >" + GOOD).broken == 1


@pytest.mark.parametrize("text", ["", "\n", "<Events></Events>", "Access is denied."])
def test_no_event(text):
    assert parse_events(text) == ((), 0)


TEXT = st.text(st.characters(blacklist_characters="<&\r", blacklist_categories=["Cs", "Cc", "Cn"]), max_size=20)


@given(st.lists(st.lists(TEXT.map(str.strip).filter(bool))))
def test_what_is_printed_is_read_again(events):
    found = parse_events("\n".join(head_node.event_text(771, data, record=at) for at, data in enumerate(events)))
    assert [(event.record, list(event.data)) for event in found.events] == list(enumerate(events))


PIECES = [
    "<Event ",
    "<Event>",
    "</Event>",
    "<System>",
    "</System>",
    "&#",
    "x41;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "\x00",
    GOOD,
]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_any_text_is_read(text):
    found = parse_events(text)
    assert all(event.source in ("WDSMC", "wdscpmsg") for event in found.events)


@pytest.mark.parametrize("unit", ["<Event ", "<Event>", GOOD, "&#1;", "\x01", "<a>", "</Event>", "&#"], ids=len)
def test_the_work_grows_with_the_text_alone(unit):
    assert_linear(parse_events, "<Event>", unit, count=300)

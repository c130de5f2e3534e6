# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the COM look prints."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds.live import Live, LiveNamespace, parse_live
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.linear import assert_linear
from hypothesis import given
from hypothesis import strategies as st

NAMESPACE = LiveNamespace(
    "HEADNODE-CCP", "WDS", "C:\\Program Files\\HPC\\Images", "HPC images", "", 1, True, False, False
)


def test_a_running_service():
    look = parse_live(head_node.live_text())
    assert look.live == Live(True, "", 2, True, (NAMESPACE,))
    assert (look.powershell, look.boot, look.code) == ("5.1.17763.1", "20261121080000.500000+060", None)


def test_no_namespace_is_a_list_as_well():
    assert parse_live(head_node.live_text([], 6, False)).live == Live(True, "", 6, False, ())


def test_texts_of_any_script_and_booleans_as_numbers():
    line = head_node.live_namespace("\u540d 'x'", "P\xe9", "", tombstoned=-1, registered=0, started=1, type=3)
    found = parse_live(head_node.live_text([line]).replace("\n", "\r\n")).live.namespaces[0]
    assert found == LiveNamespace("\u540d 'x'", "P\xe9", "", "HPC images", "", 3, False, True, True)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("-2147221164", "COM answered 0x80040154 (its COM class is not registered)."),
        ("2147746132", "COM answered 0x80040154 (its COM class is not registered)."),
        ("-2147467259", "COM answered 0x80004005."),
    ],
)
def test_an_error_is_a_number(number, words):
    look = parse_live("ps 2.0\nboot 2026\nerror %s" % number)
    assert look.live == Live(False, words)
    assert look.code is not None
    assert (look.powershell, look.boot) == ("2.0", "2026")


def test_an_error_after_the_features():
    look = parse_live("ps 2.0\nboot 2026\nfeatures 2\nrunning False\nerror -1055915757")
    assert look.live == Live(False, "COM answered 0xC1100113 (the Transport Server is not available).", 2, False)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ps 5.1\nfeatures 2",
        head_node.live_text().replace("count 1", "count 2"),
        head_node.live_text().replace("count 1\n", ""),
        head_node.live_text().replace("True False False", "True False"),
        head_node.live_text().replace("True False False", "True maybe False"),
        head_node.live_text().replace(head_node.b64("WDS"), "?"),
        head_node.live_text().replace(head_node.b64("WDS"), "gICA"),
        head_node.live_text([head_node.live_namespace("")]),
    ],
)
def test_a_list_that_is_not_whole_is_none(text):
    live = parse_live(text).live
    assert (live.available, live.namespaces) == (False, ())
    assert live.error


TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)


@given(st.lists(st.tuples(TEXT.filter(bool), TEXT, TEXT)))
def test_what_is_printed_is_read_again(namespaces):
    lines = [head_node.live_namespace(*texts) for texts in namespaces]
    live = parse_live(head_node.live_text(lines)).live
    assert [each[:3] for each in live.namespaces] == namespaces


PIECES = ["ns ", "count ", "1", "error ", "-", "\n", " ", "features ", "9" * 12, "V0RT", "=", "\u0661"]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("".join)))
def test_any_text_is_read(text):
    look = parse_live(text)
    assert look.live.available or look.live.error


@pytest.mark.parametrize("unit", ["ns ", "\n", "ns - - - - - 1 True False False\n", "=", "9", "error 1\n"], ids=len)
def test_the_work_grows_with_the_text_alone(unit):
    assert_linear(parse_live, "ns ", unit)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What sc.exe prints."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds.services import Status, parse_status
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.linear import assert_linear
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("language", head_node.LANGUAGES)
@pytest.mark.parametrize("state", sorted(head_node.STATES))
@pytest.mark.parametrize("name", ["WDSServer", "DNS", "4711"])
def test_the_state_in_every_language(language, state, name):
    assert parse_status(head_node.service_text(language, name, state)) == Status(state, 0)
    assert parse_status(head_node.service_text(language, name, state, 1432)) == Status(state, 1432)


def test_lines_around_it_and_carriage_returns_are_no_fields():
    text = "Active code page: 65001\n" + head_node.service_text("en", "DNS", 4, 7).replace("\n", "\r\n")
    assert parse_status(text) == Status(4, 7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "        TYPE               : 20  WIN32_SHARE_PROCESS\n",
        "        TYPE               : 20  X\n        STATE              : 9  X\n",
        "        TYPE               : 20  X\n        STATE              : a  X\n",
        head_node.NO_SERVICE["de"],
    ],
)
def test_a_text_without_a_state(text):
    assert parse_status(text) is None


@given(st.one_of(st.text(), st.lists(st.sampled_from([*list(" :\n\r\t0a"), "STATE", ": 4", "\n  x : 1"])).map("".join)))
def test_any_text_is_read(text):
    status = parse_status(text)
    assert status is None or 1 <= status.state <= 7


@pytest.mark.parametrize("unit", [" ", " :", "  a : 1\n", " a", ":"], ids=len)
def test_the_work_grows_with_the_text_alone(unit):
    assert_linear(parse_status, " ", unit)

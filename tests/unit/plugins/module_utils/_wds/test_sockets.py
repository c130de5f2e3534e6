# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What netstat.exe prints."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds.sockets import parse_sockets
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.linear import assert_linear
from hypothesis import given
from hypothesis import strategies as st

ROWS = """\
  UDP    0.0.0.0:64001          *:*                                    1432
  UDP    [::]:64001             *:*                                    1432
  UDP    192.168.0.1:65000      *:*                                    1700
  UDP    0.0.0.0:64000          *:*                                    1432
  UDP    0.0.0.0:65001          *:*                                    1432
  UDP    [fe80::1%3]:64010      *:*                                    9
  TCP    0.0.0.0:64002          0.0.0.0:0              LISTENING       1432
"""


@pytest.mark.parametrize("language", head_node.LANGUAGES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_ports_of_the_range_in_every_language(language, end):
    text = (head_node.NETSTAT[language] + ROWS).replace("\n", end)
    assert parse_sockets(text) == ((64001, 1432), (64010, 9), (65000, 1700))


@pytest.mark.parametrize("text", ["", "  UDP    0.0.0.0:64001          *:*", "  UDP    0.0.0.0:64001 *:* x", "64001"])
def test_no_row(text):
    assert parse_sockets(text) == ()


@given(
    st.one_of(st.text(), st.lists(st.sampled_from(["UDP", " ", "*:*", ":64001", "1", "\n", "0.0.0.0"])).map("".join))
)
def test_any_text_is_read(text):
    assert all(64001 <= port <= 65000 for port, _pid in parse_sockets(text))


@pytest.mark.parametrize(
    "unit", [" ", "UDP ", ":64001", ":1 *:* ", "  UDP    0.0.0.0:64001          *:*          1432\n"], ids=len
)
def test_the_work_grows_with_the_text_alone(unit):
    assert_linear(parse_sockets, " UDP ", unit)

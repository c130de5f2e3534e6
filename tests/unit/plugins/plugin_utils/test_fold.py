# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host names folded into few words."""

import re

import pytest
from ansible_collections.imaging.multicast.plugins.plugin_utils._fold import fold
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ([], []),
        (["hn01"], ["hn01"]),
        ([f"hn{number:02}" for number in range(1, 13)], ["hn[01-12]"]),
        ([f"hn{number}" for number in range(8, 13)], ["hn[8-12]"]),
        (["hn07", "hn01", "hn02", "hn07"], ["hn[01-02,07]"]),
        (["hn99", "hn100"], ["hn[99-100]"]),
        (["hn9", "hn010"], ["hn[9,010]"]),
        (["fog1.example.org", "fog2.example.org", "fog2.example.net"], ["fog[1-2].example.org", "fog2.example.net"]),
        (["a1b2", "a1b3", "a2b2"], ["a1b[2-3]", "a2b2"]),
        (["10.0.0.1", "10.0.0.2", "fe80::1", "fe80::2"], ["10.0.0.1", "10.0.0.2", "fe80::1", "fe80::2"]),
        (["head", "hn1", "head", "hn2"], ["head", "hn[1-2]"]),
        (["x٣", "x٤"], ["x٣", "x٤"]),
    ],
)
def test_folding(names, folded):
    assert fold(names) == folded


def unfold(word):
    match = re.fullmatch(r"(.*)\[([0-9,-]+)\](.*)", word, re.DOTALL)
    if not match:
        return [word]
    head, ranges, tail = match.groups()
    names = []
    for part in ranges.split(","):
        first, _dash, last = part.partition("-")
        count = int(last or first) - int(first) + 1
        names += [head + str(int(first) + step).zfill(len(first)) + tail for step in range(count)]
    return names


@given(st.lists(st.from_regex(r"(hn|fog|a-)[0-9]{1,3}(\.x)?|[a-z]{1,3}", fullmatch=True), max_size=30))
def test_nothing_is_lost_or_added(names):
    assert sorted(name for word in fold(names) for name in unfold(word)) == sorted(set(names))


@given(st.lists(st.text(max_size=20), max_size=10))
def test_any_name_can_be_folded(names):
    assert len(fold(names)) <= len(names)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When a head node was started: read, and compared."""

import re
from datetime import datetime, timedelta

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import boot
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer
from hypothesis import given
from hypothesis import strategies as st

WINTER = "20261122001500.500000+060"


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"live": Answer(0, "ps 5.1\nboot " + WINTER + "\nfeatures 2\n")}, WINTER),
        ({"live": Answer(None, ""), "boot": Answer(0, "\r\r\nLastBootUpTime=" + WINTER + "\r\r\n\r\r\n")}, WINTER),
        ({"boot": Answer(0, "\ufeffL\0astBootUpTime=x\n\0LastBootUpTime=" + WINTER)}, WINTER),
        ({"boot": Answer(0, "boot " + WINTER)}, WINTER),
        ({"live": Answer(0, "ps 5.1\nboot \nfeatures 2")}, ""),
        ({"live": Answer(0, "reboot " + WINTER)}, ""),
        ({"live": Answer(None, "")}, ""),
        ({}, ""),
    ],
)
def test_the_identity_is_read_from_either_way(answers, expected):
    assert boot.identity(answers) == expected


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        (WINTER, WINTER, True),
        (WINTER, "20261122011500.500000+120", True),  # the same moment, told in summer time
        (WINTER, "20261121231500.500000+000", True),
        (WINTER, "20261122001501.375199+060", True),  # the clock was set by a second
        (WINTER, "20261122001506.500000+060", False),
        (WINTER, "20261122011500.500000+060", False),
        (WINTER, "20261121231500.500000-060", False),
        ("odd", "odd", True),
        ("odd", "other", False),
        (WINTER, "20269922001500.500000+060", False),
        (WINTER, "", False),
    ],
)
def test_one_boot_is_one_moment(left, right, same):
    assert boot.same(left, right) is same
    assert boot.same(right, left) is same


PIECES = st.lists(st.sampled_from(["boot ", "LastBootUpTime=", WINTER, "\n", "\r", "\0", " ", "x"]), max_size=8)
TEXTS = st.one_of(st.text(), PIECES.map("".join))


@given(TEXTS, TEXTS, st.sampled_from(["live", "boot", "other"]))
def test_any_output_is_read(text, other, key):
    found = boot.identity({key: Answer(0, text), "wds": Answer(0, other)})
    assert found == "" if key == "other" else found in text.replace("\0", "")
    assert not re.search(r"\s", found)


OTHER = st.text(st.characters(blacklist_characters="bL"))


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)), st.integers(-720, 840), OTHER, OTHER)
def test_what_wmi_prints_is_read_and_is_that_moment(moment, offset, before, after):
    def printed(minutes):
        local = moment + timedelta(minutes=minutes)
        return local.strftime("%Y%m%d%H%M%S.%f") + "%+04d" % minutes

    lines = before + "\nboot " + printed(offset) + "\n" + after
    assert boot.identity({"live": Answer(0, lines)}) == printed(offset)
    assert boot.same(printed(offset), printed(0))
    assert not boot.same(printed(offset), printed(0).replace(printed(0)[:4], "1989", 1))


@given(st.text(), st.text())
def test_any_text_can_be_compared(left, right):
    assert boot.same(left, left)
    assert boot.same(left, right) == boot.same(right, left)

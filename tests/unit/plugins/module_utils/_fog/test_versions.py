# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which interface each FOG release chooses."""

import re

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import versions
from hypothesis import given
from hypothesis import strategies as st

CONNECTED = "10.77.0.0/24 dev eth1 proto kernel scope link src 10.77.0.1"
DHCP = "default via 10.77.0.254 dev eth1 proto dhcp src 10.77.0.1 metric 100"
OTHER = "192.168.0.0/24 dev eth0 proto kernel scope link src 192.168.0.7"


@pytest.mark.parametrize(
    ("version", "rule"),
    [
        ("0.32", versions.SETTINGS),
        ("1.0", versions.SETTINGS),
        ("1.2.0", versions.SETTINGS),
        ("1.2.9.9", versions.SETTINGS),
        ("1.3", ""),
        ("1.3.0-RC-10", ""),
        ("1.3.5", ""),
        ("1.4.0", versions.SOURCE_ROUTE),
        ("1.4.4", versions.SOURCE_ROUTE),
        ("1.5.0", versions.SOURCE_ROUTE),
        ("1.5.8", versions.SOURCE_ROUTE),
        ("1.5.8.0", versions.SOURCE_ROUTE),
        ("1.5.8.17", ""),
        ("1.5.9", versions.KERNEL_ROUTE),
        ("1.5.9.133", versions.KERNEL_ROUTE),
        ("1.5.10", versions.KERNEL_ROUTE),
        ("1.5.10.1799", versions.KERNEL_ROUTE),
        ("1.5.10.1800", versions.ROUTE_THEN_RECORD),
        ("1.5.10.1867", versions.ROUTE_THEN_RECORD),
        ("v1.5.10.1867 ", versions.ROUTE_THEN_RECORD),
        ("1.6.0", ""),
        ("1.6.0-beta.2310", ""),
        ("2.0", ""),
        # Builds before a release with which the rule changed may follow either.
        ("1.5.9-RC2", ""),
        ("1.5.9.0-RC2", ""),
        ("1.4-RC1", ""),
        ("1.5.10-RC1", versions.KERNEL_ROUTE),
        ("1.5.7-dev", versions.SOURCE_ROUTE),
        # The trunk builds of 2015 counted revisions.
        ("4624", ""),
        ("", ""),
        ("unknown", ""),
        ("1.5.9x.3.y\n", ""),
    ],
)
def test_each_release_follows_its_rule(version, rule):
    assert versions.rule_of(version) == rule
    found = versions.lookup(version, "10.77.0.1", "eth1", "eth1", [CONNECTED])
    assert found.rule == rule
    assert found.interface == ("eth1" if rule else None)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("1.5.10.1867", (1, 5, 10, 1867)),
        (" v1.2.0-RC2", (1, 2, 0)),
        ("1.5", (1, 5)),
        ("15", None),
        ("", None),
        ("1..2", None),
        ("one.two", None),
        ("\u0661.\u0662", None),
    ],
)
def test_a_version_is_read_as_numbers(text, numbers):
    assert versions.parse_version(text) == numbers


def test_up_to_1_2_the_setting_wins_then_the_record():
    assert versions.lookup("1.2.0", "10.77.0.1", "eth1", "eth0", [CONNECTED]).interface == "eth0"
    assert versions.lookup("1.2.0", "10.77.0.1", " eth1 ", " ", [CONNECTED]).interface == "eth1"
    assert versions.lookup("1.2.0", "10.77.0.1", "", "", [CONNECTED]).interface is None


def test_up_to_1_5_8_a_default_route_with_a_source_yields_the_word_dev():
    found = versions.lookup("1.5.8", "10.77.0.1", "eth1", "eth1", [DHCP, CONNECTED])
    assert found.interface == "dev"
    assert DHCP in found.how
    assert versions.lookup("1.5.8", "10.77.0.1", "eth1", "eth1", [CONNECTED, DHCP]).interface == "eth1"


@pytest.mark.parametrize("version", ["1.5.9", "1.5.10.1867"])
def test_since_1_5_9_only_routes_of_the_kernel_count(version):
    assert versions.lookup(version, "10.77.0.1", "eth9", "eth9", [DHCP, OTHER, CONNECTED]).interface == "eth1"


def test_without_a_route_only_the_newest_builds_take_the_record():
    for version, interface in (("1.5.8", None), ("1.5.9", None), ("1.5.10.1867", "eth9")):
        assert versions.lookup(version, "10.77.0.1", "eth9", "eth8", [OTHER]).interface == interface
    assert versions.lookup("1.5.10.1867", "10.77.0.1", "", "eth8", [OTHER]).interface is None


def test_the_address_is_a_pattern_and_may_stand_anywhere():
    longer = "10.77.0.0/24 dev eth5 proto kernel scope link src 10.77.0.10"
    dotted = "10.77.0.0/24 dev eth6 proto kernel scope link src 10.7710.1"
    assert versions.lookup("1.5.9", "10.77.0.1", "", "", [longer, CONNECTED]).interface == "eth5"
    assert versions.lookup("1.5.9", "10.77.0.1", "", "", [dotted, CONNECTED]).interface == "eth6"
    assert versions.lookup("1.5.9", "10.77.0.10", "", "", [CONNECTED]).interface is None


def test_a_route_without_a_mask_yields_the_wrong_word():
    peer = "10.9.0.2 dev tun0 proto kernel scope link src 10.9.0.1"
    assert versions.lookup("1.5.9", "10.9.0.1", "", "", [peer]).interface == "proto"
    assert versions.lookup("1.5.8", "10.9.0.1", "", "", ["src 10.9.0.1"]).interface is None


def test_a_name_that_does_not_resolve_finds_no_route():
    found = versions.lookup("1.5.9", "", "eth1", "eth1", [CONNECTED])
    assert (found.interface, found.rule) == (None, versions.KERNEL_ROUTE)
    assert "does not resolve" in found.how
    assert versions.lookup("1.5.10.1867", "", "eth1", "", [CONNECTED]).interface == "eth1"


@given(st.lists(st.integers(0, 10**8), min_size=2, max_size=8))
def test_a_version_survives_being_written(numbers):
    assert versions.parse_version(".".join(map(str, numbers))) == tuple(numbers)


@given(st.text(), st.text(), st.text(), st.text(), st.lists(st.text()))
def test_any_text_gives_an_answer_that_holds_together(version, address, record, setting, routes):
    found = versions.lookup(version, address, record, setting, routes)
    assert found.how
    assert found.rule == versions.rule_of(version)
    assert found.rule or found.interface is None
    assert found.interface is None or (found.interface and found.interface == found.interface.strip())


@given(st.lists(st.sampled_from([CONNECTED, DHCP, OTHER, "default via 10.77.0.1 dev eth0", ""])))
def test_the_first_line_that_matches_counts_as_in_awk(routes):
    matching = [route for route in routes if "10.77.0.1" in route and re.search("kernel.*src", route)]
    expected = re.split("[ /]+", matching[0])[3] if matching else None
    assert versions.lookup("1.5.9", "10.77.0.1", "", "", routes).interface == expected

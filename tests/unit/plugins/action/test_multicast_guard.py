# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of the guard."""

import pytest
from ansible.errors import AnsibleError
from ansible_collections.imaging.multicast.plugins.action.multicast_guard import ActionModule

OPTIONS = {"result": "fog_multicast_result", "max_broken_percent": 50}


def test_only_hosts_that_could_be_looked_at_count(run_action, hosts):
    hosts["unreachable"] = {"fog_multicast_result": {"unreachable": True, "msg": "no route"}}
    result = run_action(ActionModule, OPTIONS, hosts, failed=("lost",))
    assert (result["broken"], result["refused"]) == (("stale", "masters"), "")
    assert result["changed"] is False


def test_it_refuses_when_too_many_are_broken(run_action, hosts):
    result = run_action(ActionModule, OPTIONS, {"a": hosts["stale"], "b": hosts["stale"], "c": hosts["stale"]})
    assert result["refused"].startswith("3 of 3 hosts look broken at once")


def test_hosts_of_a_later_batch_may_all_be_broken(run_action, hosts):
    later = {"x": {}, "y": {}}
    result = run_action(ActionModule, OPTIONS, {"stale": hosts["stale"], **later})
    assert result["refused"].startswith("2 of 3 hosts were not looked at yet. ")
    assert run_action(ActionModule, OPTIONS, {"good": hosts["good"], **later})["refused"] == ""


def test_hosts_that_failed_are_not_waited_for(run_action, hosts):
    fleet = {"stale": hosts["stale"], "x": {}, "y": {}}
    assert run_action(ActionModule, OPTIONS, fleet, failed=("x", "y"))["refused"] == ""


def test_a_part_of_a_group_is_judged_by_the_whole(run_action, hosts):
    options = dict(OPTIONS, earlier={"hosts": 6, "of": 10})
    result = run_action(ActionModule, options, {"stale": hosts["stale"], "good": hosts["good"]})
    assert result["refused"].startswith("6 of 10 hosts looked broken at once when the whole group was looked at, and ")


@pytest.mark.parametrize(("earlier", "refused"), [(None, True), ({"hosts": 1, "of": 10}, False)])
def test_a_part_of_a_group_can_demand_a_look_at_the_whole(run_action, hosts, earlier, refused):
    options = dict(OPTIONS, look_required=True, **({"earlier": earlier} if earlier else {}))
    result = run_action(ActionModule, options, {"stale": hosts["stale"], "good": hosts["good"]})
    assert result["refused"].startswith("multicast_look_required is true and there was no earlier look") == refused
    assert bool(result["refused"]) == refused


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "multicast_max_broken_percent"),
        (
            {"fog_multicast_max_broken_percent": "{{ multicast_max_broken_percent | default(50) }}"},
            "multicast_max_broken_percent",
        ),
        ({"fog_multicast_max_broken_percent": 50}, "fog_multicast_max_broken_percent"),
        ({"fog_multicast_max_broken_percent": "{{ 100 / 2 }}"}, "fog_multicast_max_broken_percent"),
    ],
)
def test_it_names_the_variable_that_counts(run_action, hosts, given, named):
    result = run_action(ActionModule, OPTIONS, dict.fromkeys("abc", hosts["stale"]), **given)
    assert f", and {named} is 50, " in result["refused"]
    assert f" set {named} to at least 100" in result["refused"]


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_every_option_is_needed(run_action, option):
    with pytest.raises(AnsibleError, match=option):
        run_action(ActionModule, {key: value for key, value in OPTIONS.items() if key != option}, {})

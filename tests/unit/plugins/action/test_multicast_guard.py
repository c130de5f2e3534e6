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
    result = run_action(ActionModule, OPTIONS, hosts)
    assert (result["broken"], result["repair"], result["refused"]) == (("stale", "masters"),) * 2 + ("",)
    assert result["changed"] is False


def test_it_refuses_when_too_many_are_broken(run_action, hosts):
    result = run_action(ActionModule, OPTIONS, {"a": hosts["stale"], "b": hosts["stale"], "c": hosts["stale"]})
    assert result["refused"].startswith("3 of 3 hosts look broken at once")


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_every_option_is_needed(run_action, option):
    with pytest.raises(AnsibleError, match=option):
        run_action(ActionModule, {key: value for key, value in OPTIONS.items() if key != option}, {})

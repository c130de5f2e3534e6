# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugins of the WDS wing over a head node that can be changed: their options, their results, their ends."""

import importlib
import json

import pytest
import yaml
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import ChannelError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.machine import NAME, Machine

PLUGINS = "ansible_collections.imaging.multicast.plugins."
NAMES = ("wds_multicast_info", "wds_multicast_namespace", "wds_transport_server")


@pytest.fixture
def machine():
    made = Machine()
    yield made
    assert made.refused == []


@pytest.fixture
def call(machine, monkeypatch, run_action):
    def call(plugin, check_mode=False, **args):
        module = importlib.import_module(PLUGINS + "action." + plugin)
        monkeypatch.setattr(module, "channel", lambda _action, _variables: machine)
        result = run_action(module.ActionModule, args, {"hn1": {}}, check_mode)
        json.dumps(result)
        return result

    return call


def documentation(name, part):
    return yaml.safe_load(getattr(importlib.import_module(PLUGINS + "modules." + name), part))


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_head_node_costs_one_round_trip(call, machine, name):
    machine.keep()
    result = call(name)
    assert result["changed"] is False
    assert "failed" not in result
    assert (len(machine.rounds), machine.writes) == (1, [])


def test_the_namespace_comes_back(call, machine):
    machine.keep()
    machine.lose()
    planned = call("wds_multicast_namespace", check_mode=True)
    assert (planned["changed"], machine.stored()) == (True, [])
    done = call("wds_multicast_namespace")
    assert (done["changed"], machine.stored(), done["diff"]) == (True, [NAME], planned["diff"])
    assert "content_provider: WDS" in done["diff"][0]["after"]


def test_the_service_is_started(call, machine):
    machine.stop()
    assert call("wds_transport_server")["after"]["state"] == "running"


def test_a_step_that_fails_is_told_with_all_that_was_done(call, machine):
    machine.programs["wdsutil.exe"] = 5
    result = call("wds_multicast_namespace", state="absent")
    assert result["failed"] is True
    assert result["msg"].startswith(f"Remove namespace {NAME} failed: ")
    assert result["steps"][0]["outcome"] == "failed"


def test_an_option_that_cannot_be_used_is_one_sentence(call, machine):
    result = call("wds_multicast_namespace", name="a\\b")
    assert (result["failed"], machine.rounds) == (True, [])
    assert "backslash" in result["msg"]


def test_a_channel_that_breaks_is_one_sentence(call, machine):
    machine.cut = (0, "before")
    result = call("wds_multicast_info")
    assert (result["failed"], result["msg"]) == (True, "the connection broke before anything was done")


def test_what_ansible_calls_unreachable_stays_so(call, machine):
    def refuse(_machine):
        raise AnsibleConnectionFailure("hn1 (winrm) cannot be reached")

    machine.hook = refuse
    with pytest.raises(AnsibleConnectionFailure):
        call("wds_multicast_info")


def test_a_mistake_of_the_code_is_not_hidden(call, machine):
    def fail(_machine):
        raise KeyError("x")

    machine.hook = fail
    with pytest.raises(KeyError):
        call("wds_multicast_info")


@pytest.mark.parametrize("name", NAMES)
def test_unknown_options_are_refused(call, name):
    with pytest.raises(AnsibleError, match="colour"):
        call(name, colour="red")


@pytest.mark.parametrize("name", NAMES)
def test_the_options_are_the_documented_ones(call, monkeypatch, name):
    module = importlib.import_module(PLUGINS + "action." + name)
    seen = []

    def record(_self, argument_spec):
        seen.append(argument_spec)
        raise ChannelError

    monkeypatch.setattr(module.ActionModule, "validate_argument_spec", record)
    with pytest.raises(ChannelError):
        call(name)
    documented = documentation(name, "DOCUMENTATION")["options"]
    kept = ("type", "elements", "choices", "default", "required")
    assert seen == [{option: {key: entry[key] for key in kept if key in entry} for option, entry in documented.items()}]


def returned(documented, result, path=""):
    """What a result holds and its documentation does not tell of."""
    unknown = []
    for key, value in result.items():
        where = f"{path}{key}"
        if key not in documented:
            unknown.append(where)
            continue
        inner = documented[key].get("contains")
        for each in value if isinstance(value, list) else [value]:
            if inner and isinstance(each, dict):
                unknown += returned(inner, each, where + ".")
    return unknown


@pytest.mark.parametrize("name", NAMES)
def test_every_result_is_documented(call, machine, name):
    documented = documentation(name, "RETURN")
    results = [call(name)]
    machine.stop()
    machine.events = []
    machine.set(head_node.OWN + "\\Reinstall", "Stage", "REG_SZ", "restore")
    results.append(call(name))
    if name == "wds_transport_server":
        results.append(call(name, check_mode=True, state="reinstalled", allow_reboot=True))
    for result in results:
        plain = {key: value for key, value in result.items() if key not in ("changed", "diff", "failed")}
        assert returned(documented, plain) == []
        assert set(documented) <= set(plain)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flows and the apply room, from parameters to the result and to what became of the head node."""

import contextlib
import copy
import json

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._flow import Failure
from ansible_collections.imaging.multicast.plugins.module_utils._wds import run, writes
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import DeniedError, LostError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.machine import NAME
from hypothesis import given
from hypothesis import strategies as st

INFO = {"name": None, "deployment_logs": [], "since": 7, "deployments": "never"}
NAMESPACE = {
    "name": None,
    "state": "present",
    "content_provider": None,
    "configuration": None,
    "type": None,
    "friendly_name": None,
    "description": None,
    "save_baseline": True,
    "force": False,
}
TRANSPORT = {
    "name": None,
    "state": "started",
    "allow_reboot": False,
    "reboot_timeout": 1800,
    "namespace_timeout": 300,
    "force": False,
}
BASELINE = r"HKLM\SOFTWARE\imaging.multicast\Namespaces" + "\\" + NAME


def namespace(machine, check_mode=False, **params):
    given = dict(NAMESPACE, **params)
    result = run.namespace(machine, given, check_mode, machine.tell, machine.clock, machine.sleep)
    json.dumps(result)
    return result


def started(machine, check_mode=False, **params):
    given = dict(TRANSPORT, **params)
    result = run.transport_server(machine, given, check_mode, machine.tell, machine.clock, machine.sleep)
    json.dumps(result)
    return result


def outcomes(result):
    return [(step["kind"], step["outcome"]) for step in result["steps"]]


def ids(findings):
    return {each["id"] for each in findings if each["severity"] != "info"}


def failure(call, *args, **params):
    with pytest.raises(Failure) as caught:
        call(*args, **params)
    return str(caught.value), caught.value.result


# Info


def test_info_tells_everything_and_writes_nothing(machine):
    machine.keep()
    result = run.info(machine, INFO)
    json.dumps(result)
    assert result["changed"] is False
    assert (machine.writes, len(machine.rounds)) == ([], 1)
    assert result["server"]["build"] == 17763
    assert (result["service"]["state"], result["service"]["start"]) == ("running", "auto")
    assert result["role"] == {"installed": True, "features": ["WDS-Transport"]}
    (one,) = result["namespaces"]
    assert (one["name"], one["healthy"], one["type"], one["transmitting"]) == (NAME, True, "autocast", False)
    assert result["baseline"][0]["configuration"] == one["configuration"]
    assert (result["namespace"], result["reinstall"], result["unread"]) == (NAME, None, [])
    assert ids(result["findings"]) == set()


def test_info_shows_what_only_the_service_has(machine):
    values = machine.live[NAME]
    machine.lose()
    machine.live[NAME] = values
    (one,) = run.info(machine, INFO)["namespaces"]
    assert (one["stored"], one["registered"], one["healthy"]) == (False, True, False)


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"name": "a\\b"}, "backslash"),
        ({"name": "x" * 256}, "1 to 255"),
        ({"deployment_logs": ["logs"]}, "absolute path"),
        ({"since": 0}, "since is 0"),
        ({"since": 100000}, "since is 100000"),
    ],
)
def test_info_checks_its_options_before_it_asks(machine, params, words):
    text, _result = failure(run.info, machine, dict(INFO, **params))
    assert words in text
    assert machine.rounds == []


@pytest.mark.parametrize(
    "params", [{"configuration": 'D:\\"Images"'}, {"friendly_name": "a\nb"}, {"content_provider": ""}]
)
def test_the_namespace_checks_its_options_before_it_asks(machine, params):
    failure(namespace, machine, **params)
    assert machine.rounds == []


# The namespace


def test_a_healthy_namespace_is_kept_and_then_left_alone(machine):
    first = namespace(machine)
    assert outcomes(first) == [("baseline.save", "done")]
    assert machine.values(BASELINE) == machine.values(writes.NAMESPACES + "\\" + NAME)
    machine.rounds, machine.writes = [], []
    second = namespace(machine)
    assert (second["changed"], second["steps"], machine.writes, len(machine.rounds)) == (False, [], [], 1)


def test_a_lost_namespace_comes_back_from_its_baseline(machine):
    machine.keep()
    machine.lose()
    result = namespace(machine)
    assert outcomes(result) == [("namespace.create", "done")]
    assert (result["before"], result["after"]["healthy"], result["source"]) == (None, True, "baseline")
    assert result["after"]["configuration"] == r"C:\Program Files\HPC\Images"
    assert "wds.namespace.missing" in ids(result["findings_before"])
    assert ids(result["findings"]) == set()
    assert namespace(machine)["changed"] is False


def test_a_lost_namespace_comes_back_from_options(machine):
    machine.lose()
    params = {"content_provider": "WDS", "configuration": "D:\\Images", "description": "Nodes of O'Brien & Söhne 100%"}
    result = namespace(machine, **params)
    assert outcomes(result) == [("namespace.create", "done"), ("baseline.save", "done")]
    assert (result["source"], result["after"]["friendly_name"]) == ("options", NAME)
    assert result["after"]["description"] == params["description"]
    assert namespace(machine, **params)["changed"] is False


def test_without_a_definition_it_is_refused(machine):
    machine.lose()
    result = namespace(machine)
    assert "give content_provider and configuration" in result["refused"]
    assert (result["changed"], machine.writes, result["source"]) == (False, [], None)


def test_what_differs_is_made_again(machine):
    machine.namespace("SECOND")
    result = namespace(machine, configuration="D:\\Images")
    assert [one for _kind, one in outcomes(result)] == ["done"] * 4
    assert (result["before"]["configuration"], result["after"]["configuration"]) == (
        r"C:\Program Files\HPC\Images",
        "D:\\Images",
    )
    assert machine.stored() == [NAME, "SECOND"]
    assert namespace(machine, configuration="D:\\Images")["changed"] is False


def test_absent_keeps_the_baseline(machine):
    machine.keep()
    result = namespace(machine, state="absent")
    assert (machine.stored(), result["after"]) == ([], None)
    assert machine.values(BASELINE)
    assert namespace(machine, state="absent")["changed"] is False
    assert outcomes(namespace(machine)) == [("namespace.create", "done")]


def test_force_cuts_clients_off(machine):
    machine.sending.add(NAME)
    assert namespace(machine, state="absent")["refused"]
    assert machine.writes == []
    assert outcomes(namespace(machine, state="absent", force=True)) == [("namespace.remove", "done")]


@pytest.mark.parametrize(
    "params",
    [{}, {"configuration": "D:\\Images"}, {"state": "absent"}],
)
def test_check_mode_shows_the_same_and_does_nothing(machines, params):
    planning, doing = machines(), machines()
    tree = copy.deepcopy(planning.tree)
    planned = namespace(planning, check_mode=True, **params)
    assert (planning.writes, len(planning.rounds), planning.tree) == ([], 1, tree)
    done = namespace(doing, **params)
    assert {one for _kind, one in outcomes(planned)} == {"planned"}
    strip = [dict(step, outcome="") for step in planned["steps"]]
    assert strip == [dict(step, outcome="") for step in done["steps"]]
    assert planned["diff"] == done["diff"]
    assert (planned["changed"], done["changed"]) == (True, True)
    assert planned["after"] == planned["before"]


def test_the_store_is_copied_before_each_change_of_it(machine):
    machine.namespace("SECOND")
    result = namespace(machine, configuration="D:\\Images")
    backups = machine.backups()
    # Once as it was, once before the creation, once before the new baseline.
    assert sorted(map(sorted, backups.values())) == [[NAME, "SECOND"], [NAME, "SECOND"], ["SECOND"]]
    assert result["backup_key"].startswith("HKLM\\SOFTWARE\\imaging.multicast\\Backups\\2")
    first = next(index for index, what in enumerate(machine.writes) if "wdsutil" in what)
    assert machine.writes[first - 1].startswith("reg copy " + head_node.NAMESPACES)


def test_no_write_without_its_backup(machine):
    def full(machine):
        machine.copy = lambda *_args: head_node.Answer(1, "Zugriff verweigert")

    machine.hook = full
    text, result = failure(namespace, machine, state="absent")
    assert "could not be backed up" in text
    assert (machine.stored(), machine.writes, result["changed"]) == ([NAME], [], False)


def test_a_backup_that_is_not_whole_is_none(machine):
    whole = machine.copy

    def torn(source, target, rest):
        answer = whole(source, target, rest)
        machine.delete(target + "\\" + NAME)
        return answer

    machine.copy = torn
    text, _result = failure(namespace, machine, state="absent")
    assert "could not be backed up" in text
    assert machine.stored() == [NAME]


def test_a_backup_that_reg_calls_failed_is_none(machine):
    whole = machine.copy
    machine.copy = lambda *arguments: whole(*arguments)._replace(code=1)
    text, _result = failure(namespace, machine, state="absent")
    assert "reg.exe ended with 1" in text
    assert machine.stored() == [NAME]


def test_an_empty_store_needs_no_backup(machine):
    machine.keep()
    machine.lose()
    assert (namespace(machine)["backup_key"], machine.backups()) == (None, {})


def test_backups_stay_few(machine):
    for second in range(8):
        machine.add(f"{head_node.OWN}\\Backups\\20250101T00000{second}Z\\{NAME}")
    machine.add(f"{head_node.OWN}\\Backups\\mine\\{NAME}")
    namespace(machine)
    assert len(machine.backups()) == writes.KEPT + 1
    assert {"20250101T000007Z", "mine"} <= set(machine.backups())


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 12)), max_size=20, unique=True))
def test_the_newest_backups_stay(ages):
    stamps = [f"2025010{day}T000000Z" + (f"-{number}" if number else "") for day, number in sorted(ages)]
    gone = writes.superfluous([*reversed(stamps), "mine", "20250101T000000Z-x"])
    assert list(gone) == stamps[: -writes.KEPT]
    copies = [f"2025010{day}T000000Z-WDSServer" for day in sorted({day for day, _number in ages})]
    both = writes.superfluous([*reversed(copies), "x-WDSServer", *stamps])
    assert list(both) == [*stamps[: -writes.KEPT], *copies[: -writes.KEPT_WHOLE]]


# What changes between look and act


def before_round(number, change):
    def hook(machine):
        if len(machine.rounds) == number:
            change(machine)

    return hook


def test_what_came_back_meanwhile_is_left_alone(machine):
    machine.keep()
    machine.lose()
    machine.hook = before_round(1, lambda host: host.namespace(NAME, Configuration="E:\\Other"))
    result = namespace(machine)
    assert outcomes(result) == [("namespace.create", "skipped")]
    assert "changed" in result["steps"][0]["detail"]
    assert (machine.writes, result["changed"]) == ([], False)


def test_clients_that_come_meanwhile_are_not_cut_off(machine):
    machine.keep()
    machine.hook = before_round(2, lambda host: host.sending.add(NAME))
    result = namespace(machine, configuration="D:\\Images")
    assert [one for _kind, one in outcomes(result)] == ["skipped"] * 3
    assert "sent to clients now" in result["steps"][0]["detail"]
    assert machine.values(writes.NAMESPACES + "\\" + NAME)["Configuration"][1] == r"C:\Program Files\HPC\Images"


def test_a_definition_that_changes_meanwhile_is_not_kept(machine):
    machine.hook = before_round(2, lambda host: host.namespace(NAME, Configuration="E:\\Other"))
    result = namespace(machine)
    assert outcomes(result) == [("baseline.save", "skipped")]
    assert machine.values(BASELINE) is None


def test_a_store_that_changes_while_it_is_copied_is_left_alone(machine):
    machine.hook = before_round(2, lambda host: host.namespace("SECOND"))
    result = namespace(machine, state="absent")
    assert outcomes(result) == [("namespace.remove", "skipped")]
    assert "changed while it was backed up" in result["steps"][0]["detail"]
    assert machine.stored() == [NAME, "SECOND"]


def test_without_the_computers_name_the_namespace_is_not_known(machine):
    machine.unread = ("computer",)
    assert "give name" in namespace(machine)["refused"]
    assert namespace(machine)["namespace"] is None
    assert outcomes(namespace(machine, name=NAME)) == [("baseline.save", "done")]


# What the registry shows counts, not what wdsutil says


def test_success_that_the_registry_does_not_show_is_failure(machine):
    machine.keep()
    machine.lose()
    machine.programs["wdsutil.exe"] = 0
    text, result = failure(namespace, machine)
    assert text.startswith(
        f"Create namespace {NAME} failed: afterwards the host shows nothing there (wdsutil.exe ended"
    )
    assert (result["changed"], outcomes(result)) == (False, [("namespace.create", "failed")])


def test_failure_that_the_registry_does_not_show_is_success(machine):
    machine.keep()
    machine.lose()
    real = machine.do_wdsutil
    machine.do_wdsutil = lambda *arguments: real(*arguments)._replace(code=1)
    assert outcomes(namespace(machine)) == [("namespace.create", "done")]


def test_after_a_failed_step_the_rest_is_left(machine):
    machine.keep()
    machine.programs["wdsutil.exe"] = 5
    _text, result = failure(namespace, machine, configuration="D:\\Images")
    assert [one for _kind, one in outcomes(result)] == ["failed", "skipped", "skipped"]
    assert machine.stored() == [NAME]


def test_values_that_the_namespace_no_longer_has_leave_the_baseline(machine):
    machine.keep(StartTime=("REG_QWORD", "0x1"), FriendlyName=("REG_SZ", "Old"))
    namespace(machine)
    assert "StartTime" not in machine.values(BASELINE)
    assert namespace(machine)["changed"] is False


def test_what_a_program_says_is_shown_bounded_and_plain(machine):
    machine.keep()
    machine.lose()
    machine.do_wdsutil = lambda *_arguments: head_node.Answer(1, "\x1b[2J\x07" + "lärm " * 100000)
    text, _result = failure(namespace, machine)
    assert len(text) < 500
    assert text.isprintable()


# A connection that breaks


def rounds_of(machine, **params):
    namespace(machine, **params)
    return len(machine.rounds)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("params", [{}, {"configuration": "D:\\Images"}, {"state": "absent"}])
def test_wherever_the_connection_breaks_the_next_run_ends_it(machines, params, when):
    for number in range(rounds_of(machines(), **params)):
        machine = machines()
        machine.cut = (number, when)
        with contextlib.suppress(Failure, LostError):
            namespace(machine, **params)
        machine.cut = None
        namespace(machine, **params)
        assert namespace(machine, **params)["changed"] is False
        assert machine.stored() == ([] if params.get("state") else [NAME])


def test_a_write_whose_answer_was_lost_is_found_done(machine):
    machine.keep()
    machine.lose()
    machine.cut = (2, "after")  # an empty store is not backed up: look, look again, write
    result = namespace(machine)
    assert outcomes(result) == [("namespace.create", "done")]
    assert "connection broke" in result["steps"][0]["detail"]
    assert result["after"]["healthy"] is True


def test_a_write_whose_answer_is_lost_for_good_is_told(machine):
    def lose(host):
        if len(host.rounds) > 2:
            raise LostError("the connection broke; wdsutil.exe may have been done or not")

    machine.keep()
    machine.lose()
    machine.cut, machine.hook = (2, "after"), lose
    text, result = failure(namespace, machine)
    assert "the connection broke" in text
    assert outcomes(result) == [("namespace.create", "failed")]


def test_backups_that_could_not_be_let_go_are_left_to_the_next_run(machine):
    for second in range(9):
        machine.add(f"{head_node.OWN}\\Backups\\20250101T00000{second}Z\\{NAME}")

    def lose(host):
        if len(host.rounds) == 5:
            raise LostError("the connection broke")

    machine.hook = lose
    assert outcomes(namespace(machine, state="absent")) == [("namespace.remove", "done")]
    assert len(machine.backups()) == 10


def test_a_first_look_that_fails_is_the_channels_to_tell(machine):
    def refuse(_machine):
        raise DeniedError("hn1 (winrm) refused the credentials")

    machine.hook = refuse
    with pytest.raises(DeniedError):
        namespace(machine)


@pytest.mark.parametrize("number", range(1, 5))
def test_refused_credentials_are_not_tried_again(machine, number):
    for second in range(9):
        machine.add(f"{head_node.OWN}\\Backups\\20250101T00000{second}Z\\{NAME}")
    calls = []

    def refuse(host):
        if len(host.rounds) == number:
            calls.append(1)
            raise DeniedError("hn1 (winrm) refused the credentials")

    machine.hook = refuse
    text, _result = failure(namespace, machine, state="absent")
    assert "refused the credentials" in text
    assert len(calls) == 1


def test_refused_credentials_after_a_break_are_not_tried_again(machine):
    calls = []

    def refuse(host):
        if len(host.rounds) > 3:
            calls.append(1)
            raise DeniedError("hn1 (winrm) refused the credentials")

    machine.cut, machine.hook = (3, "after"), refuse
    text, _result = failure(namespace, machine, state="absent")
    assert "refused the credentials" in text
    assert len(calls) == 1


# A host without PowerShell


def test_without_powershell_the_store_alone_counts(machine):
    machine.powershell = False
    machine.keep()
    machine.lose()
    result = namespace(machine)
    assert outcomes(result) == [("namespace.create", "done")]
    assert (result["after"]["healthy"], result["after"]["registered"]) == (True, None)
    assert "cannot be seen" in namespace(machine, configuration="D:\\Images")["refused"]
    assert outcomes(namespace(machine, configuration="D:\\Images", force=True))[0] == ("namespace.remove", "done")


# The service


def test_a_stopped_service_is_started(machine):
    machine.stop(start=4)
    result = started(machine)
    assert outcomes(result) == [("baseline.save", "done"), ("service.enable", "done"), ("service.start", "done")]
    assert (result["before"]["state"], result["after"]["state"]) == ("stopped", "running")
    assert (result["before"]["start"], result["after"]["start"]) == ("disabled", "auto")
    assert (result["reboots"], result["gate"]) == (0, None)
    assert machine.values(BASELINE)
    assert ids(result["findings"]) == set()
    assert started(machine)["changed"] is False


def test_a_running_service_costs_one_look(machine):
    result = started(machine)
    assert (result["changed"], machine.writes, len(machine.rounds)) == (False, [], 1)


def test_a_provider_that_goes_meanwhile_ends_the_start(machine):
    machine.keep()
    machine.stop()
    machine.hook = before_round(2, lambda host: host.delete(head_node.PROVIDERS + "\\WDS"))
    result = started(machine)
    assert outcomes(result) == [("service.start", "skipped")]
    assert "would delete" in result["steps"][0]["detail"]
    assert machine.stored() == [NAME]


def test_a_service_that_does_not_come_up(machine):
    machine.stop()
    machine.programs["net.exe"] = 2
    text, result = failure(started, machine)
    assert "Start WDSServer failed: afterwards the host shows state stopped (net.exe ended with 2" in text
    assert result["after"]["state"] == "stopped"


def test_a_service_that_needs_its_time(machine):
    machine.keep()
    machine.stop()
    real = machine.start_service

    def slowly():
        machine.state = 2
        machine.hook = before_round(len(machine.rounds) + 4, lambda _host: real())

    machine.start_service = slowly
    assert outcomes(started(machine)) == [("service.start", "done")]


@pytest.mark.parametrize("check_mode", [True, False])
def test_no_start_that_would_delete_a_definition(machine, check_mode):
    machine.namespace("SECOND", ContentProvider="Lost")
    machine.stop()
    result = started(machine, check_mode)
    assert "SECOND" in result["refused"]
    assert (machine.writes, result["changed"]) == ([], False)


@pytest.mark.parametrize("option", ["reboot_timeout", "namespace_timeout"])
def test_a_time_must_be_one(machine, option):
    text, _result = failure(started, machine, **{option: 0})
    assert f"{option} is 0" in text
    assert machine.rounds == []

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reinstall: the published workaround from end to end, and cut off at every place there is."""

import copy
import json

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._flow import Failure
from ansible_collections.imaging.multicast.plugins.module_utils._wds import run, writes
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer
from ansible_collections.imaging.multicast.plugins.module_utils._wds.channel import ChannelError, DeniedError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.machine import BOOTS, NAME
from hypothesis import given
from hypothesis import strategies as st

PARAMS = {
    "name": None,
    "content_provider": None,
    "configuration": None,
    "friendly_name": None,
    "description": None,
    "state": "reinstalled",
    "allow_reboot": True,
    "reboot_timeout": 1800,
    "namespace_timeout": 300,
    "force": False,
}
ALL = ["feature.remove", "host.reboot", "feature.install", "host.reboot", "transport.restore"]
WHOLE = [*ALL[:-1], "namespace.create", "transport.restore"]


def reinstalled(machine, check_mode=False, **params):
    result = run.transport_server(
        machine, dict(PARAMS, **params), check_mode, machine.tell, machine.clock, machine.sleep
    )
    json.dumps(result)
    return result


def failure(machine, **params):
    with pytest.raises(Failure) as caught:
        reinstalled(machine, **params)
    return str(caught.value), caught.value.result


def outcomes(result):
    return [(step["kind"], step["outcome"]) for step in result["steps"]]


def broken(machines, build="17763"):
    """A head node that lost its namespace and has a baseline of it."""
    machine = machines(build=build)
    machine.keep()
    machine.lose()
    return machine


@pytest.mark.parametrize("build", ["6002", "7601", "9200", "17763"])
def test_the_whole_workaround(machines, build):
    machine = broken(machines, build)
    result = reinstalled(machine)
    assert outcomes(result) == [(kind, "done") for kind in WHOLE]
    assert (result["reboots"], result["changed"], result["gate"]) == (2, True, None)
    assert (result["before"]["boot"], result["after"]["boot"]) == (BOOTS[0], BOOTS[2])
    assert [each["healthy"] for each in result["after"]["namespaces"]] == [True]
    assert (machine.place(), result["after"]["reinstall"]) == (None, None)
    order = [what for what in machine.writes if what.startswith(("feature", "shutdown", "wdsutil"))]
    assert order == ["feature remove", "shutdown", "feature install", "shutdown", f"wdsutil create {NAME}"]
    assert "exit code 3010" in result["steps"][0]["detail"]
    machine.rounds = []
    again = reinstalled(machine)
    assert (again["changed"], again["reboots"], len(machine.rounds)) == (False, 0, 1)


def test_definitions_are_kept_before_anything_is_removed(machines):
    machine = broken(machines)
    machine.namespace("SECOND", Configuration="D:\\Second")
    result = reinstalled(machine)
    assert [step["kind"] for step in result["steps"]] == [
        "baseline.save",
        *ALL[:-1],
        "namespace.create",
        "namespace.create",
        "transport.restore",
    ]
    assert machine.stored() == [NAME, "SECOND"]
    assert machine.live["SECOND"]["Configuration"][1] == "D:\\Second"
    # The whole store was copied, too.
    assert ["SECOND"] in machine.backups().values()


def test_what_was_removed_on_purpose_does_not_come_back(machines):
    machine = broken(machines)
    machine.keep("OLD")
    reinstalled(machine)
    assert machine.stored() == [NAME]


def test_each_namespace_that_was_there_must_come_back(machines):
    machine = broken(machines)
    machine.namespace("SECOND", ContentProvider="Other")
    machine.add(head_node.PROVIDERS + "\\Other")
    text, _result = failure(machine)
    assert "after 300 s WDSServer does not serve SECOND: Namespace SECOND needs the content provider Other" in text
    assert (machine.stored(), machine.place()) == ([NAME], "restore")
    machine.add(head_node.PROVIDERS + "\\Other")
    assert outcomes(reinstalled(machine)) == [("namespace.create", "done"), ("transport.restore", "done")]


def test_each_stage_is_on_the_host_before_its_work(machines):
    machine = broken(machines)
    seen = []
    machine.hook = lambda host: seen.append((host.place(), host.features, host.boot, host.booting))
    reinstalled(machine)
    assert ("remove", 2, BOOTS[0], False) in seen  # written, not yet removed
    assert ("removed", 0, BOOTS[0], False) in seen
    assert ("install", 0, BOOTS[1], False) in seen
    assert ("installed", 2, BOOTS[1], False) in seen
    assert ("restore", 2, BOOTS[2], False) in seen
    order = list(dict.fromkeys(place for place, *_rest in seen))
    assert order == [None, "remove", "removed", "install", "installed", "restore"]


def test_no_reboot_without_consent(machines):
    machine = broken(machines)
    result = reinstalled(machine, allow_reboot=False)
    assert (result["gate"], result["steps"], machine.writes) == ("wds_multicast_allow_reboot", [], [])
    assert "wds_multicast_allow_reboot" in result["refused"]
    assert result["changed"] is False


def test_what_needs_no_reboot_needs_no_consent(machines):
    machine = broken(machines)
    restore(machine)
    assert outcomes(reinstalled(machine, allow_reboot=False))[-1] == ("transport.restore", "done")


def restore(machine):
    machine.set(head_node.OWN + "\\Reinstall", "Stage", "REG_SZ", "restore")
    machine.set(head_node.OWN + "\\Reinstall", "Boot", "REG_SZ", machine.boot)
    machine.set(head_node.OWN + "\\Reinstall", "Started", "REG_SZ", "2026-11-21T08:00:00Z")


def test_check_mode_only_plans(machines):
    machine = broken(machines)
    tree = copy.deepcopy(machine.tree)
    result = reinstalled(machine, check_mode=True)
    assert outcomes(result) == [(kind, "planned") for kind in ALL]
    assert (machine.tree, machine.writes, len(machine.rounds), result["reboots"]) == (tree, [], 1, 0)


def test_an_absent_role_is_installed_with_one_reboot(machines):
    machine = broken(machines)
    machine.uninstall()
    result = reinstalled(machine)
    assert outcomes(result) == [(kind, "done") for kind in WHOLE[2:]]
    assert result["reboots"] == 1


def test_the_definition_of_the_options_brings_the_namespace_back(machines):
    machine = machines()
    machine.uninstall()
    text, _result = failure(machine)
    assert "give content_provider and configuration" in text
    wanted = {"content_provider": "WDS", "configuration": "D:\\Images", "friendly_name": "All", "description": "of it"}
    result = reinstalled(machine, **wanted)
    assert outcomes(result) == [("namespace.create", "done"), ("transport.restore", "done")]
    (made,) = result["after"]["namespaces"]
    assert {key: made[key] for key in wanted} == wanted
    # It is the definition of that one only.
    other = broken(machines)
    other.namespace("SECOND", Configuration="D:\\Second")
    reinstalled(other, **wanted)
    assert [other.live[name]["Configuration"][1] for name in (NAME, "SECOND")] == ["D:\\Images", "D:\\Second"]


PARAMETERS = head_node.SERVICE + "\\Parameters"


def with_settings(machines):
    """A head node with settings of its own, which the reinstall takes away."""
    machine = broken(machines)
    machine.set(PARAMETERS, "McStartAddr", "REG_SZ", "239.192.5.1")
    machine.set(PARAMETERS, "Counter", "REG_DWORD", "0x7")
    machine.set(head_node.SERVICE + "\\Providers\\WDSMC\\Protocol", "ApBlockSize", "REG_DWORD", "0x569")
    return machine


def copies(machine):
    """The copies of WDSServer's whole key, by their names."""
    start = f"{head_node.OWN}\\Backups\\".upper()
    found = {key[len(start) :].split("\\")[0] for key in machine.tree if key.startswith(start)}
    return sorted(name for name in found if name.endswith("-WDSSERVER"))


@pytest.mark.parametrize("cut", [False, True])
def test_all_that_the_feature_takes_along_is_copied_and_what_differs_is_told(machines, cut):
    machine = with_settings(machines)
    if cut:
        machine.boots_lost = 1
        failure(machine)
        machine.finish_boot()
    detail = reinstalled(machine)["steps"][-1]["detail"]
    (name,) = copies(machine)
    copied = f"{head_node.OWN}\\Backups\\{name}"
    assert machine.values(copied + "\\Parameters")["McStartAddr"] == ("REG_SZ", "239.192.5.1")
    assert machine.values(copied + "\\Providers\\WDSMC\\Providers\\WDS")
    assert "Parameters\\McStartAddr was 239.192.5.1 and is not set now" in detail
    assert "Providers\\WDSMC\\Protocol\\ApBlockSize was 1385 and is not set now" in detail
    assert detail.upper().endswith(f"IS IN HKLM\\SOFTWARE\\IMAGING.MULTICAST\\BACKUPS\\{name}")
    assert "Counter" not in detail
    order = [what.upper() for what in machine.writes]
    assert order.index(f"REG COPY {head_node.SERVICE} {copied}".upper()) < order.index("FEATURE REMOVE")


def test_settings_that_came_back_are_not_spoken_of(machines):
    machine = with_settings(machines)

    def set_again(host):
        if host.features:
            host.set(PARAMETERS, "McStartAddr", "REG_SZ", "239.192.5.1")
            host.set(head_node.SERVICE + "\\Providers\\WDSMC\\Protocol", "ApBlockSize", "REG_DWORD", "0x569")

    machine.hook = set_again
    assert reinstalled(machine)["steps"][-1]["detail"] == f"namespace {NAME} is served"


@pytest.mark.parametrize("lacking", [None, "Parameters"])
def test_nothing_is_removed_without_a_whole_copy(machines, lacking):
    machine = with_settings(machines)
    copied = machine.copy

    def copy(source, target, rest):
        if not target.endswith("-WDSServer"):
            return copied(source, target, rest)
        if lacking:
            copied(source, target, rest)
            machine.delete(f"{target}\\{lacking}")
        return Answer(0 if lacking else 1, "")

    machine.copy = copy
    text, result = failure(machine)
    assert "-WDSServer (reg.exe ended with" in text
    assert "so nothing was changed" in text
    assert (machine.features, machine.place(), result["reboots"]) == (2, None, 0)


def test_what_hpc_makes_by_itself_is_left_as_it_is(machines):
    machine = broken(machines)
    machine.hpc_makes = True
    result = reinstalled(machine)
    assert outcomes(result) == [(kind, "done") for kind in ALL]
    assert not [what for what in machine.writes if "wdsutil" in what]


def test_a_service_that_does_not_start_by_itself_is_started(machines):
    machine = broken(machines)

    def lazy(host):
        if host.place() == "installed":
            host.start = 3

    machine.hook = lazy
    kinds = [step["kind"] for step in reinstalled(machine)["steps"]]
    assert kinds == [*ALL[:-1], "service.enable", "service.start", "namespace.create", "transport.restore"]


def test_a_namespace_that_stays_away_is_told_loudly(machines):
    machine = machines()
    machine.lose()
    text, result = failure(machine)
    assert f"after 300 s WDSServer does not serve {NAME}" in text
    assert "content_provider and configuration" in text
    assert (result["reboots"], machine.place()) == (2, "restore")
    assert machine.seconds >= 300
    # The next run neither removes nor reboots anything.
    machine.writes = []
    text, result = failure(machine)
    assert "does not serve" in text
    assert result["reboots"] == 0
    assert not [what for what in machine.writes if what.startswith(("feature", "shutdown"))]
    # A person brings it back; the next run gives the place up.
    machine.namespace(NAME)
    assert outcomes(reinstalled(machine)) == [("transport.restore", "done")]
    assert machine.place() is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1004, "another wizard"),
        (4, "argument"),
        (5, "not elevated"),
        (110, "answer file"),
        (-1, "not on the host"),
        (1000, "exit code 1000"),
    ],
)
@pytest.mark.parametrize("build", ["6002", "17763"])
@pytest.mark.parametrize("what", ["remove", "install"])
def test_a_feature_tool_that_fails_ends_it(machines, what, build, code, words):
    machine = broken(machines, build)
    machine.features_exit[what] = code
    text, result = failure(machine)
    assert words in text
    assert (result["reboots"], machine.place()) == ((0, "remove") if what == "remove" else (1, "install"))
    assert f"(stage {machine.place()})" in result["notes"][-1]
    assert result["after"]["reinstall"]["stage"] == machine.place()
    assert "wds.reinstall.interrupted" in {each["id"] for each in result["findings"]}
    rest = [one for _kind, one in outcomes(result)]
    assert rest[rest.index("failed") + 1 :] == ["skipped"] * (4 if what == "remove" else 2)
    # Cured, the next run goes on there.
    machine.features_exit = {}
    assert reinstalled(machine)["reboots"] == (2 if what == "remove" else 1)


@pytest.mark.parametrize("code", [0, 3010, 1003])
@pytest.mark.parametrize("tool", ["servermanagercmd", "cmdlets"])
def test_codes_with_which_it_goes_on(tool, code):
    output = f"success True\nexit {code}\nrestart Yes" if tool == "cmdlets" else "Fertig."
    assert writes.verdict(Answer(0 if tool == "cmdlets" else code, output), tool).goes_on


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(None, ""), "PowerShell"),
        (Answer(0, "error -2147024891"), "0x80070005"),
        (Answer(0, "error x"), "unknown error"),
        (Answer(0, "success True"), "did not say"),
        (Answer(0, "success False\nexit 0"), "did not succeed"),
        (Answer(0, "success False\nexit 1000"), "exit code 1000"),
        (Answer(1, "exit 0"), "exit code 1"),
    ],
)
def test_cmdlets_that_do_not_say_success(answer, words):
    verdict = writes.verdict(answer, "cmdlets")
    assert not verdict.goes_on
    assert words in verdict.text


@given(st.one_of(st.none(), st.integers(-(2**31), 2**32)), st.text(), st.sampled_from(["servermanagercmd", "cmdlets"]))
def test_only_known_codes_go_on(code, output, tool):
    verdict = writes.verdict(Answer(code, output), tool)
    assert not verdict.goes_on or code in (0, 3010, 1003)
    assert verdict.text


def test_a_host_that_does_not_reboot(machines):
    machine = broken(machines)
    machine.programs["shutdown.exe"] = 5
    text, _result = failure(machine)
    assert "does not reboot" in text
    assert machine.place() == "removed"
    # Somebody reboots it: that is the one it waited for.
    machine.programs = {}
    machine.booting = True
    machine.finish_boot()
    result = reinstalled(machine)
    assert (result["reboots"], outcomes(result)[0]) == (1, ("feature.install", "done"))


def test_a_shutdown_that_is_under_way_is_waited_for(machines):
    machine = broken(machines)

    def busy(host):
        host.booting = host.booting or host.place() == "removed"

    machine.hook = busy
    assert reinstalled(machine)["reboots"] == 2


@pytest.mark.parametrize("lost", [1, 2])
def test_a_reboot_that_takes_too_long_is_continued(machines, lost):
    machine = broken(machines)
    machine.boots_lost = 1
    if lost == 2:
        machine.boots_lost = 0
        machine.hook = lambda host: setattr(host, "boots_lost", int(host.place() == "installed"))
    text, _result = failure(machine)
    assert "did not start anew within 1800 s" in text
    machine.hook = None
    machine.finish_boot()
    result = reinstalled(machine)
    assert outcomes(result)[-1] == ("transport.restore", "done")
    assert result["reboots"] == 2 - lost


def test_without_powershell_it_takes_force(machines):
    machine = broken(machines, "6002")
    machine.powershell = False
    assert "WDS-Deployment" in reinstalled(machine)["refused"]
    assert outcomes(reinstalled(machine, force=True)) == [(kind, "done") for kind in WHOLE]


def test_cmdlets_take_powershell(machines):
    machine = broken(machines)
    machine.powershell = False
    text, _result = failure(machine, force=True)
    assert "need PowerShell" in text


def test_progress_is_told(machines):
    machine = broken(machines)
    reinstalled(machine)
    assert all(line.startswith("hn1 (winrm): ") for line in machine.told)
    assert [word for word in ("Remove", "removal", "Install ", "installation", NAME) if word in " ".join(machine.told)]
    assert len(machine.told) >= 5


def test_clients_that_come_before_the_removal_end_it(machines):
    machine = broken(machines)
    machine.namespace("SECOND")
    machine.keep("SECOND")

    def come(host):
        if len(host.rounds) == 2:
            host.sending.add("SECOND")

    machine.hook = come
    text, _result = failure(machine)
    assert "clients are connected" in text
    assert (machine.features, machine.place()) == (2, None)


@pytest.mark.parametrize(
    ("part", "words"), [("version", "build unknown"), ("store", "store: "), ("live", "last boot could not be read")]
)
def test_what_can_no_longer_be_read_ends_it(machines, part, words):
    machine = broken(machines)

    def go_blind(host):
        if len(host.rounds) == 1:
            host.unread = (part,)

    machine.hook = go_blind
    text, result = failure(machine, force=part != "store")
    assert words in text
    assert result["reboots"] == 0
    assert part == "live" or (machine.features, machine.place()) == (2, None)


def test_a_place_that_cannot_be_deleted_is_told(machines):
    machine = broken(machines)
    real = machine.do_reg

    def refuse(verb, path, *rest):
        return Answer(1, "") if verb == "delete" and path.endswith("Reinstall") else real(verb, path, *rest)

    machine.do_reg = refuse
    text, _result = failure(machine)
    assert "could not be deleted" in text
    assert machine.stored() == [NAME]


def test_a_place_that_cannot_be_written_ends_it(machines):
    machine = broken(machines)
    real = machine.do_reg

    def refuse(verb, *rest):
        return Answer(1, "Zugriff verweigert") if verb == "add" else real(verb, *rest)

    machine.do_reg = refuse
    text, _result = failure(machine)
    assert "stage remove could not be written" in text
    assert machine.features == 2


def test_refused_credentials_after_a_reboot_are_not_tried_again(machines):
    machine = broken(machines)
    calls = []

    def refuse(host):
        if host.place() == "restore":
            calls.append(1)
            raise DeniedError("hn1 (winrm) refused the credentials")

    machine.hook = refuse
    text, _result = failure(machine)
    assert "refused the credentials" in text
    assert len(calls) == 1


def test_services_that_are_still_coming_up_are_waited_for(machines):
    machine = broken(machines)
    calls = []

    def busy(host):
        if host.place() == "restore" and len(calls) < 3:
            calls.append(1)
            raise ChannelError("hn1 (winrm) is not ready")

    machine.hook = busy
    assert outcomes(reinstalled(machine))[-1] == ("transport.restore", "done")


@pytest.mark.parametrize("when", ["before", "after", "boot"])
def test_cut_off_anywhere_the_next_run_ends_it(machines, when):
    """The connection breaks in each round trip there is, and in each wait for a reboot."""
    whole = broken(machines)
    whole.namespace("SECOND")
    reinstalled(whole)
    for number in range(len(whole.rounds) + 1):
        machine = broken(machines)
        machine.namespace("SECOND")
        machine.cut = (number, when)
        reboots = 0
        try:
            reboots += reinstalled(machine)["reboots"]
        except (Failure, ChannelError) as error:
            reboots += getattr(error, "result", {}).get("reboots", 0)
        machine.cut = None
        # Nobody waits for a host that is going down: it comes back meanwhile.
        lost = machine.booting
        machine.finish_boot()
        reboots += reinstalled(machine)["reboots"] + lost
        assert machine.stored() == [NAME, "SECOND"], number
        assert (machine.place(), machine.features) == (None, 2), number
        # Never fewer than two, and one more at most, where a stage was written twice.
        assert 2 <= reboots <= 3, number
        assert machine.writes.count("feature remove") == machine.writes.count("feature install") == 1, number
        assert reinstalled(machine)["changed"] is False, number

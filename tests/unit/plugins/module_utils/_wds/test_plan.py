# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan room: what is planned, in which order, and what is refused."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import builds, plan_base, store
from ansible_collections.imaging.multicast.plugins.module_utils._wds.diagnose import Wish
from ansible_collections.imaging.multicast.plugins.module_utils._wds.plan import (
    consent,
    needs_reboot,
    plan_namespace,
    plan_reinstall,
    plan_started,
    source,
)
from ansible_collections.imaging.multicast.plugins.module_utils._wds.plan_reinstall import STAGES
from ansible_collections.imaging.multicast.plugins.module_utils._wds.snapshot import Place, observe
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.machine import BOOTS, DEPLOYMENT, NAME
from hypothesis import given
from hypothesis import strategies as st

FULL = Wish(NAME, "WDS", "D:\\Images")
ALL = ["feature.remove", "host.reboot", "feature.install", "host.reboot", "transport.restore"]


def look(machine):
    return observe(machine, lambda _snapshot: False)


def kinds(plan):
    assert plan.refusal == ""
    return [step.kind for step in plan.steps]


def refusal(plan):
    assert plan.steps == ()
    assert plan.refusal
    return plan.refusal


# The namespace


def test_a_healthy_namespace_is_kept_once(machine):
    plan = plan_namespace(look(machine), Wish())
    assert kinds(plan) == ["baseline.save"]
    (step,) = plan.steps
    assert (step.target, step.before, step.finding) == ({"namespace": NAME}, {}, "wds.baseline.missing")
    assert step.after["configuration"] == r"C:\Program Files\HPC\Images"
    machine.keep()
    assert plan_namespace(look(machine), Wish()).steps == ()


def test_a_baseline_that_differs_is_written_anew(machine):
    machine.keep(Configuration=("REG_SZ", "E:\\Old"))
    (step,) = plan_namespace(look(machine), Wish()).steps
    assert (step.before["configuration"], step.finding) == ("E:\\Old", None)


def test_no_baseline_when_none_is_wanted(machine):
    assert plan_namespace(look(machine), Wish(), save_baseline=False).steps == ()


def test_a_lost_namespace_comes_back_from_its_baseline(machine):
    machine.keep()
    machine.lose()
    seen = look(machine)
    plan = plan_namespace(seen, Wish())
    assert kinds(plan) == ["namespace.create"]
    assert plan.steps[0].before == {}
    assert plan.steps[0].after == plan_base.fields(seen.baseline[0])
    assert source(seen, Wish(), plan) == "baseline"


def test_options_are_stronger_than_the_baseline(machine):
    machine.keep()
    machine.lose()
    seen = look(machine)
    plan = plan_namespace(seen, FULL)
    assert kinds(plan) == ["namespace.create", "baseline.save"]
    assert plan.steps[0].after["configuration"] == "D:\\Images"
    assert plan.steps[1].before["configuration"] == r"C:\Program Files\HPC\Images"
    assert source(seen, FULL, plan) == "options"


@pytest.mark.parametrize("wish", [Wish(), Wish(content_provider="WDS"), Wish(configuration="D:\\Images")])
def test_nothing_is_guessed(machine, wish):
    machine.lose()
    text = refusal(plan_namespace(look(machine), wish))
    assert "give content_provider and configuration" in text
    assert source(look(machine), wish, plan_namespace(look(machine), wish)) is None


def test_a_provider_of_the_options_takes_no_configuration_from_another(machine):
    machine.keep()
    machine.lose()
    machine.add(head_node.PROVIDERS + "\\Other")
    text = refusal(plan_namespace(look(machine), Wish(content_provider="Other")))
    assert "what is known of it is for the content provider WDS" in text


def test_a_scheduled_baseline_is_not_made_an_autocast(machine):
    machine.keep(Type=("REG_DWORD", "0x2"))
    machine.lose()
    assert "scheduledcast_manual" in refusal(plan_namespace(look(machine), Wish()))


def test_other_types_are_not_made(machine):
    machine.lose()
    assert "type scheduledcast" in refusal(plan_namespace(look(machine), FULL._replace(type="scheduledcast")))


def test_an_incomplete_baseline_is_no_definition(machine):
    machine.keep()
    del machine.values(r"HKLM\SOFTWARE\imaging.multicast\Namespaces" + "\\" + NAME)["ContentProvider"]
    machine.lose()
    assert "incomplete" in refusal(plan_namespace(look(machine), Wish()))


def test_the_provider_must_be_registered(machine):
    machine.keep()
    machine.lose()
    machine.delete(head_node.PROVIDERS + "\\WDS")
    text = refusal(plan_namespace(look(machine), Wish()))
    assert "content provider WDS, which is not registered (registered: none)" in text


def test_the_service_must_run(machine):
    machine.keep()
    machine.lose()
    machine.stop()
    assert "state started" in refusal(plan_namespace(look(machine), Wish()))
    machine.uninstall()
    assert "state reinstalled" in refusal(plan_namespace(look(machine), Wish()))


def test_a_namespace_that_is_not_served_is_not_kept(machine):
    machine.stop()
    plan = plan_namespace(look(machine), Wish())
    assert (plan.steps, plan.refusal) == ((), "")
    assert "is not served" in plan.notes[0]


def test_what_differs_is_made_again(machine):
    plan = plan_namespace(look(machine), Wish(configuration="D:\\Images"))
    assert kinds(plan) == ["baseline.save", "namespace.remove", "namespace.create", "baseline.save"]
    assert plan.steps[1].before["configuration"] == r"C:\Program Files\HPC\Images"
    after = plan.steps[2].after
    assert (after["configuration"], after["friendly_name"]) == ("D:\\Images", "HPC images")
    assert plan.steps[3].before == plan.steps[0].after == plan.steps[1].before
    assert plan.steps[3].after == after
    # What only the namespace knows is never at stake.
    unwanted = plan_namespace(look(machine), Wish(configuration="D:\\Images"), save_baseline=False)
    assert kinds(unwanted) == ["baseline.save", "namespace.remove", "namespace.create"]
    machine.keep()
    plan = plan_namespace(look(machine), Wish(configuration="D:\\Images"))
    assert kinds(plan) == ["namespace.remove", "namespace.create", "baseline.save"]


@pytest.mark.parametrize("wish", [Wish(name="headnode-ccp"), Wish(content_provider="wds"), Wish(type="autocast")])
def test_the_same_in_other_words_is_the_same(machine, wish):
    machine.keep()
    assert plan_namespace(look(machine), wish).steps == ()


def test_clients_are_not_cut_off(machine):
    machine.sending.add(NAME)
    wish = Wish(configuration="D:\\Images")
    assert "while clients are connected" in refusal(plan_namespace(look(machine), wish))
    assert "while clients are connected" in refusal(plan_namespace(look(machine), Wish(), "absent"))
    assert kinds(plan_namespace(look(machine), wish, force=True))[1] == "namespace.remove"
    assert kinds(plan_namespace(look(machine), Wish(), "absent", force=True)) == ["namespace.remove"]
    # Keeping its definition disturbs nobody.
    assert kinds(plan_namespace(look(machine), Wish())) == ["baseline.save"]


def test_clients_that_cannot_be_seen_count_as_connected(machine):
    seen = look(machine)
    blind = seen._replace(live=seen.live._replace(available=False, namespaces=()))
    assert "cannot be seen" in refusal(plan_namespace(blind, Wish(configuration="D:\\Images")))
    # wdsutil without /Force lets its clients finish.
    assert kinds(plan_namespace(blind, Wish(), "absent")) == ["namespace.remove"]


def test_absent(machine):
    machine.keep()
    plan = plan_namespace(look(machine), Wish(), "absent")
    assert kinds(plan) == ["namespace.remove"]
    assert plan.steps[0].after == {}
    machine.lose()
    assert kinds(plan_namespace(look(machine), Wish(), "absent")) == []


def contradict(machine):
    machine.live = {}


def half(machine):
    del machine.values(r"HKLM\SYSTEM\CurrentControlSet\Services\WDSServer\Providers\WDSMC\Namespaces" + "\\" + NAME)[
        "ContentProvider"
    ]


def only_live(machine):
    values = machine.live[NAME]
    machine.lose()
    machine.live[NAME] = values


@pytest.mark.parametrize("fault", [contradict, half, only_live, lambda machine: machine.tombstoned.add(NAME)])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_in_doubt_nothing_is_touched(machine, fault, state):
    fault(machine)
    refusal(plan_namespace(look(machine), FULL, state, force=True))


@pytest.mark.parametrize("part", ["store", "own", "version", "wds", "live"])
def test_a_part_that_could_not_be_read_ends_it(machine, part):
    machine.unread = (part,)
    for plan in (
        plan_namespace(look(machine), Wish()),
        plan_namespace(look(machine), Wish(), "absent"),
        plan_started(look(machine)),
        plan_reinstall(look(machine), Wish()),
    ):
        assert part in refusal(plan)


def test_an_unknown_build_is_left_alone(machines):
    machine = machines(build="30000")
    assert "30000" in refusal(plan_namespace(look(machine), Wish()))
    assert "30000" in refusal(plan_reinstall(look(machine), Wish(), force=True))
    machine.keep()
    # In order, there is nothing to refuse.
    assert plan_namespace(look(machine), Wish()) == ((), "", ())
    machine.stop()
    assert "30000" in refusal(plan_started(look(machine)))


# The service


def test_a_running_service_is_left_alone(machine):
    assert plan_started(look(machine)) == ((), "", ())


def test_a_stopped_service_is_started_after_its_definitions_were_kept(machine):
    machine.namespace("SECOND")
    machine.stop(start=4)
    plan = plan_started(look(machine))
    assert kinds(plan) == ["baseline.save", "baseline.save", "service.enable", "service.start"]
    assert [step.target["namespace"] for step in plan.steps[:2]] == [NAME, "SECOND"]
    assert (plan.steps[2].before, plan.steps[2].after) == ({"start": "disabled"}, {"start": "auto"})
    assert plan.steps[2].finding == "wds.service.disabled"


def test_a_service_on_demand_is_enabled(machine):
    machine.start = 3
    plan = plan_started(look(machine))
    assert [(step.kind, step.finding) for step in plan.steps] == [("service.enable", None)]


def test_no_start_that_would_delete_a_definition(machine):
    machine.namespace("SECOND", ContentProvider="Lost")
    machine.stop()
    text = refusal(plan_started(look(machine)))
    assert "would delete what it cannot register: SECOND" in text


@pytest.mark.parametrize(("state", "word"), [(2, "starting"), (3, "stopping"), (7, "paused")])
def test_a_service_on_its_way_is_left_alone(machine, state, word):
    machine.state, machine.live = state, {}
    assert word in refusal(plan_started(look(machine)))


def test_a_service_that_is_not_there(machine):
    machine.uninstall()
    assert "not installed" in refusal(plan_started(look(machine)))


# The reinstall


def test_a_transport_server_in_order_is_left_alone(machine):
    plan = plan_reinstall(look(machine), Wish())
    assert (plan.steps, plan.refusal) == ((), "")
    assert "in order" in plan.notes[0]
    assert kinds(plan_reinstall(look(machine), Wish(), force=True)) == ["baseline.save", *ALL]


def test_the_whole_workaround(machine):
    machine.lose()
    machine.namespace("SECOND")
    plan = plan_reinstall(look(machine), Wish())
    assert kinds(plan) == ["baseline.save", *ALL]
    assert needs_reboot(plan)
    assert "twice" in consent(plan)
    assert "wds_multicast_allow_reboot" in consent(plan)
    assert [step.target.get("stage") for step in plan.steps[1:]] == list(STAGES)


def test_an_absent_role_is_only_installed(machine):
    machine.uninstall()
    plan = plan_reinstall(look(machine), Wish())
    assert kinds(plan) == ALL[2:]
    assert "once" in consent(plan)
    machine.add(head_node.PENDING)
    machine.set(head_node.PENDING, "x", "REG_SZ", "y")
    assert kinds(plan_reinstall(look(machine), Wish())) == ALL[1:]


def test_the_deployment_server_is_not_removed_unasked(machine):
    machine.lose()
    machine.features |= DEPLOYMENT
    assert "WDS-Deployment" in refusal(plan_reinstall(look(machine), Wish()))
    assert kinds(plan_reinstall(look(machine), Wish(), force=True)) == ALL


def test_what_cannot_be_seen_counts_as_being_there(machine):
    machine.lose()
    seen = look(machine)
    blind = seen._replace(live=seen.live._replace(features=None))
    assert "WDS-Deployment" in refusal(plan_reinstall(blind, Wish()))
    blind = seen._replace(live=seen.live._replace(available=False, namespaces=()))
    assert "cannot be seen whether clients" in refusal(plan_reinstall(blind, Wish()))


def test_clients_of_any_namespace_count(machine):
    machine.lose()
    machine.namespace("SECOND")
    machine.sending.add("SECOND")
    assert "clients are connected" in refusal(plan_reinstall(look(machine), Wish()))
    assert kinds(plan_reinstall(look(machine), Wish(), force=True))[1:] == ALL


@pytest.mark.parametrize("kind", ["0x2", "0x3"])
def test_clients_of_a_scheduled_namespace_cannot_be_seen(machine, kind):
    machine.lose()
    machine.namespace("OTHER")
    assert kinds(plan_reinstall(look(machine), Wish()))[1:] == ALL
    machine.values(f"{store.NAMESPACES}\\OTHER")["Type"] = ("REG_DWORD", kind)
    machine.live["OTHER"] = machine.values(f"{store.NAMESPACES}\\OTHER")
    text = refusal(plan_reinstall(look(machine), Wish()))
    assert "while it cannot be seen whether clients are connected" in text
    assert kinds(plan_reinstall(look(machine), Wish(), force=True))[1:] == ALL
    # What is no concern of it may be made again.
    machine.namespace(NAME)
    assert "namespace.remove" in kinds(plan_namespace(look(machine), Wish(configuration="D:\\Images")))


def test_no_reinstall_without_a_boot_identity(machine):
    machine.lose()
    seen = look(machine)
    blind = seen._replace(server=seen.server._replace(boot=""))
    assert "last boot" in refusal(plan_reinstall(blind, Wish(), force=True))


@pytest.mark.parametrize(
    ("stage", "boot", "left"),
    [
        ("remove", BOOTS[0], ALL),
        ("removed", BOOTS[0], ALL[1:]),
        ("removed", BOOTS[1], ALL[2:]),
        ("install", BOOTS[1], ALL[2:]),
        ("installed", BOOTS[0], ALL[3:]),
        ("installed", BOOTS[1], ALL[4:]),
        ("restore", BOOTS[0], ALL[4:]),
    ],
)
def test_an_interrupted_run_goes_on_where_it_stood(machine, stage, boot, left):
    machine.uninstall()
    seen = look(machine)._replace(place=Place(stage, BOOTS[0], "2026-11-21T08:00:00Z"))
    seen = seen._replace(server=seen.server._replace(boot=boot))
    assert kinds(plan_reinstall(seen, Wish())) == left


def test_a_clock_that_was_set_is_no_reboot(machine):
    machine.uninstall()
    seen = look(machine)._replace(place=Place("removed", "20261121080001.500000+060", ""))
    assert kinds(plan_reinstall(seen, Wish())) == ALL[1:]


def test_a_run_that_removed_nothing_is_judged_anew(machine):
    seen = look(machine)._replace(place=Place("remove", BOOTS[0], ""))
    # In order by now: only the place is given up.
    assert kinds(plan_reinstall(seen, Wish())) == ALL[4:]
    machine.lose()
    machine.features |= DEPLOYMENT
    seen = look(machine)._replace(place=Place("remove", BOOTS[0], ""))
    assert "WDS-Deployment" in refusal(plan_reinstall(seen, Wish()))


def test_a_reinstall_needs_the_name_of_its_namespace(machine):
    machine.lose()
    seen = look(machine)
    nameless = seen._replace(server=seen.server._replace(name=""))
    assert "give name" in refusal(plan_reinstall(nameless, Wish()))
    assert kinds(plan_reinstall(nameless, Wish(name=NAME))) == ALL


def test_a_place_that_is_no_stage(machine):
    seen = look(machine)._replace(place=Place("lunch", BOOTS[0], ""))
    assert "'lunch'" in refusal(plan_reinstall(seen, Wish(), force=True))


@given(st.sampled_from(STAGES), st.sampled_from(BOOTS), st.sampled_from(BOOTS), st.booleans(), st.booleans())
def test_the_steps_are_always_the_end_of_the_whole(stage, then, now, force, installed):
    """Whatever was cut off where: no stage is left out, none comes back, and no reboot is asked for twice."""
    seen = SNAPSHOTS[installed]._replace(place=Place(stage, then, ""))
    seen = seen._replace(server=seen.server._replace(boot=now))
    plan = plan_reinstall(seen, Wish(), force)
    left = [step.kind for step in plan.steps if step.kind != "baseline.save"]
    assert left == ALL[len(ALL) - len(left) :]
    assert left or plan.refusal
    stages = [step.target["stage"] for step in plan.steps if step.kind != "baseline.save"]
    if left and not (stage == "remove" and installed):
        assert stages[0] in (stage, STAGES[min(STAGES.index(stage) + 1, len(STAGES) - 1)])


def _snapshots():
    from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds.machine import Machine

    installed, absent = Machine(), Machine()
    absent.uninstall()
    return {True: look(installed), False: look(absent)}


SNAPSHOTS = _snapshots()


# Without HPC nobody says which namespace must be there


def test_without_hpc_each_namespace_is_brought_back_or_kept(machine):
    machine.without_hpc()
    machine.lose()
    machine.namespace("IMG1")
    machine.keep("IMG2")
    seen = look(machine)
    plan = plan_namespace(seen, Wish())
    assert [(step.kind, step.target["namespace"]) for step in plan.steps] == [
        ("namespace.create", "IMG2"),
        ("baseline.save", "IMG1"),
    ]
    assert (plan.refusal, source(seen, Wish(), plan)) == ("", "baseline")
    assert [step.target["namespace"] for step in plan_namespace(seen, Wish("IMG1")).steps] == ["IMG1"]


def test_without_hpc_one_that_is_refused_keeps_no_other_from_being_kept(machine):
    machine.without_hpc()
    machine.lose()
    machine.namespace("IMG1")
    machine.keep("IMG2", ContentProvider=("REG_SZ", "Other"))
    plan = plan_namespace(look(machine), Wish())
    assert [(step.kind, step.target["namespace"]) for step in plan.steps] == [("baseline.save", "IMG1")]
    assert plan.refusal.startswith("Namespace IMG2 needs the content provider Other, which is not registered")


def test_without_hpc_a_definition_of_none_is_refused_and_nothing_is_removed_unnamed(machine):
    machine.without_hpc()
    machine.lose()
    machine.namespace("IMG1")
    wish = Wish(content_provider="WDS", configuration="D:\\Images")
    text = refusal(plan_namespace(look(machine), wish))
    assert text == "It is not known which namespace is meant (IMG1): give name"
    assert kinds(plan_namespace(look(machine), wish._replace(name="IMG1")))[1] == "namespace.remove"
    assert kinds(plan_namespace(look(machine), Wish(), "absent")) == []


def test_without_hpc_a_reinstall_needs_a_name(machine):
    machine.without_hpc()
    machine.lose()
    assert "HPC is not installed: give name" in refusal(plan_reinstall(look(machine), Wish()))
    assert "give name" in refusal(plan_reinstall(look(machine), Wish(), force=True))
    assert kinds(plan_reinstall(look(machine), Wish("IMG1"))) == ALL


# What every planner shares


@pytest.mark.parametrize("build", sorted(builds.BUILDS))
def test_every_known_build_is_served(machines, build):
    machine = machines(build=str(build))
    assert kinds(plan_namespace(look(machine), Wish())) == ["baseline.save"]


def test_a_step_is_objected_to_once_its_host_changed(machine):
    machine.keep()
    machine.lose()
    (step,) = plan_namespace(look(machine), Wish()).steps
    assert plan_base.objection(step, look(machine)) == ""
    machine.stop()
    assert "does not run" in plan_base.objection(step, look(machine))
    machine.state = 4
    machine.delete(head_node.PROVIDERS + "\\WDS")
    assert "not registered" in plan_base.objection(step, look(machine))
    machine.add(head_node.PROVIDERS + "\\WDS")
    machine.namespace(NAME)
    values = machine.live[NAME]
    machine.lose()
    machine.live[NAME] = values
    assert "although its store does not" in plan_base.objection(step, look(machine))
    machine.namespace(NAME)
    assert "changed" in plan_base.objection(step, look(machine))
    machine.unread = ("store",)
    assert "store" in plan_base.objection(step, look(machine))

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a look at a head node to findings."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils import _catalogue, _severity
from ansible_collections.imaging.multicast.plugins.module_utils._wds import diagnose, snapshot
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer
from ansible_collections.imaging.multicast.plugins.module_utils._wds.diagnose import Definition, Wish
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node
from hypothesis import given
from hypothesis import strategies as st

GATE = "wds_multicast_allow_reinstall"
NAME = "HEADNODE-CCP"
LOGS = r"C:\HPC\SpoolDir\DeploymentLogs"
CONFIGURATION = r"C:\Program Files\HPC\Images"
NOTHING = Wish()
GIVEN = Wish(content_provider="WDS", configuration=CONFIGURATION)
BLANK = '1:COMMAND: CcpImg.exe -namespace:"" -filesrc:"Images\\base.wim" -password:"s3cret"\n2:usage: CcpImg\n'
COPY = '3:COMMAND: robocopy "Z:\\Images" "C:\\" "base.wim"\n'
TOLD = BLANK.replace('""', '"HEADNODE-CCP"').replace("2:usage: CcpImg\n", "")


@pytest.fixture(name="node")
def fixture_node():
    return head_node.HeadNode()


def look(node, deployments="never"):
    return snapshot.observe(node, lambda first: True, deployments=deployments, clock=lambda: 0.0)


def found(node, wish=NOTHING, deployments="never"):
    return diagnose.diagnose(look(node, deployments), wish)


def ids(findings):
    return [(each.id, each.severity) for each in findings]


def one(findings, name):
    mine = [each for each in findings if each.id == name]
    assert len(mine) == 1, ids(findings)
    return mine[0]


def without(namespaces, node):
    """The namespace is gone from the store and from the running service."""
    node.namespaces = {}
    node.live = head_node.live_text([])
    if not namespaces:
        node.own = {}


def log(text, node="NODE01"):
    return "file %s 2026-11-20T15:30:00Z\n%s" % (head_node.b64("%s\\%s\\x.log" % (LOGS, node)), text)


@pytest.mark.parametrize("build", ["6002", "7601", "9600", "17763", "26100"])
def test_nothing_on_a_healthy_head_node(node, build):
    node.build = build
    node.events = [head_node.event_text(512)]
    node.udp = [(64001, 88)]
    assert found(node) == ()


def test_a_healthy_head_node_without_powershell(node):
    node.powershell = False
    assert found(node) == ()


# The namespace


def test_a_missing_namespace_is_made_again_from_its_saved_definition(node):
    without(True, node)
    each = one(found(node), "wds.namespace.missing")
    assert (each.severity, each.subject, each.repairable, each.gate) == ("error", NAME, True, None)
    assert any(NAME + " is not in the registry" in line for line in each.evidence)
    assert any(CONFIGURATION in line for line in each.evidence)
    assert diagnose.definition(look(node), Wish()) == Definition(
        NAME, "WDS", CONFIGURATION, "HPC images", "", "baseline"
    )


def test_a_missing_namespace_is_made_again_from_the_options(node):
    without(False, node)
    each = one(found(node, GIVEN), "wds.namespace.missing")
    assert (each.repairable, each.gate) == (True, None)
    assert "options" in each.repair
    assert diagnose.definition(look(node), GIVEN) == Definition(NAME, "WDS", CONFIGURATION, NAME, "", "options")


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(), "content_provider and configuration"),
        (Wish(content_provider="WDS"), "option configuration"),
        (Wish(configuration="x"), "option content_provider"),
    ],
)
def test_without_a_definition_the_options_and_the_last_resort_are_named(node, wish, words):
    without(False, node)
    each = one(found(node, wish), "wds.namespace.missing")
    assert (each.repairable, each.gate) == (True, GATE)
    assert words in each.repair
    assert "wds_multicast_allow_reboot" in each.repair


def test_the_last_resort_is_none_where_it_cannot_help(node):
    without(False, node)
    node.live = head_node.live_text([], features=6)
    each = one(found(node), "wds.namespace.missing")
    assert (each.repairable, each.gate) == (False, None)
    node.live = head_node.live_text([])
    node.hpc = False
    each = one(found(node, Wish(name="X")), "wds.namespace.missing")
    assert (each.repairable, each.gate) == (False, None)


def test_a_provider_that_is_not_registered_makes_no_namespace(node):
    without(True, node)
    node.providers = {}
    findings = found(node)
    assert ids(findings) == [("wds.namespace.missing", "error"), ("wds.provider.missing", "error")]
    assert findings[0].gate == GATE
    assert (findings[1].subject, findings[1].repairable) == ("WDS", False)
    assert any(NAME in line for line in findings[1].evidence)


def test_a_wish_never_mixes_with_another_providers_configuration(node):
    assert diagnose.definition(look(node), Wish(content_provider="Other")) is None
    both = diagnose.definition(look(node), Wish(content_provider="wds"))
    assert (both.content_provider, both.configuration, both.source) == ("wds", CONFIGURATION, "options")
    assert diagnose.definition(look(node), Wish(type="scheduledcast")) is None


def test_only_autocast_is_made_from_a_saved_definition(node):
    without(True, node)
    node.own = {"\\Namespaces\\" + NAME: [("Type", "REG_DWORD", "0x2"), *head_node.HEADNODE[1:]]}
    each = one(found(node), "wds.namespace.missing")
    assert "type 2" in each.repair
    assert diagnose.definition(look(node), Wish()) is None


def test_an_incomplete_saved_definition_is_none(node):
    without(True, node)
    node.own = {"\\Namespaces\\" + NAME: (*head_node.HEADNODE, ("type", "REG_DWORD", "0x2"))}
    assert one(found(node), "wds.namespace.missing").gate == GATE
    assert diagnose.definition(look(node), Wish()) is None


def test_names_have_no_case(node):
    assert found(node, Wish(name="headnode-ccp", content_provider="wds")) == ()


def test_another_name_can_be_expected(node):
    findings = found(node, Wish(name="OTHER"))
    each = one(findings, "wds.namespace.missing")
    assert each.subject == "OTHER"
    assert any(NAME in line for line in each.evidence)


def test_without_hpc_a_host_is_judged_by_what_it_has(node):
    node.hpc = False
    node.namespaces, node.own, node.live = {}, {}, head_node.live_text([])
    assert found(node) == ()
    assert [each.id for each in found(node, Wish(name="X"))] == ["wds.namespace.missing"]
    node.namespaces, node.live = {"X": head_node.HEADNODE}, head_node.live_text([head_node.live_namespace("X")])
    assert ids(found(node)) == [("wds.baseline.missing", "info")]
    node.own = {r"\Namespaces\GONE": head_node.HEADNODE, r"\Namespaces\X": head_node.HEADNODE}
    assert [(each.id, each.subject) for each in found(node)] == [("wds.namespace.missing", "GONE")]


@pytest.mark.parametrize(
    ("namespaces", "live"),
    [
        ({}, [head_node.live_namespace()]),
        ({NAME: head_node.HEADNODE}, []),
        ({NAME: head_node.HEADNODE}, [head_node.live_namespace(provider="Other")]),
        ({NAME: head_node.HEADNODE}, [head_node.live_namespace(configuration="c:\\program files\\hpc\\images")]),
        ({NAME: head_node.HEADNODE}, [head_node.live_namespace(registered=False)]),
        ({NAME: head_node.HEADNODE[:3]}, []),
    ],
)
def test_store_and_live_view_that_disagree_are_inconsistent_and_left_alone(node, namespaces, live):
    node.namespaces, node.live = namespaces, head_node.live_text(live)
    findings = found(node, Wish(content_provider="Wished", configuration="y"))
    assert ids(findings) == [("wds.namespace.inconsistent", "error")]
    assert not findings[0].repairable
    assert findings[0].evidence


def test_an_entry_that_cannot_be_read_but_is_served_is_a_warning(node):
    node.namespaces = {NAME: (*head_node.HEADNODE, ("Type", "REG_DWORD", "0x1"))}
    assert ids(found(node)) == [("wds.namespace.inconsistent", "warning")]


def test_another_namespaces_contradiction_is_a_warning(node):
    node.namespaces["OTHER"] = head_node.HEADNODE
    assert ids(found(node)) == [("wds.namespace.inconsistent", "warning")]
    assert found(node)[0].subject == "OTHER"


def test_another_namespaces_entry_that_cannot_be_read_but_is_served_is_a_remark(node):
    node.namespaces["OTHER"] = (*head_node.HEADNODE, ("Type", "REG_DWORD", "0x1"))
    node.live = head_node.live_text([head_node.live_namespace(), head_node.live_namespace("OTHER")])
    assert ids(found(node)) == [("wds.namespace.inconsistent", "info")]


@pytest.mark.parametrize("printed", ["B\xfccher-??-?", "B\xfccher-??-??", "b?CHER-\ufffd\ufffd-?"])
def test_a_name_whose_letters_the_code_page_lacks_is_no_contradiction(node, printed):
    name = "B\xfccher-\u6f22\u5b57-\U0001f600"
    node.namespaces[printed] = head_node.HEADNODE
    node.live = head_node.live_text([head_node.live_namespace(), head_node.live_namespace(name)])
    assert found(node) == ()
    expected = found(node, Wish(name=name))
    assert ids(expected) == [("wds.namespace.inconsistent", "error")]
    assert any("code page" in line for line in expected[0].evidence)
    node.live = head_node.live_text([head_node.live_namespace(), head_node.live_namespace("B\xfccher-1")])
    assert ids(found(node)) == [("wds.namespace.inconsistent", "warning")] * 2


def test_another_namespace_that_is_healthy_is_nobodys_business(node):
    node.namespaces["OTHER"] = head_node.HEADNODE
    node.live = head_node.live_text([head_node.live_namespace(), head_node.live_namespace("OTHER")])
    assert found(node) == ()


@pytest.mark.parametrize("stored", [True, False])
def test_a_namespace_that_is_being_removed(node, stored):
    if not stored:
        node.namespaces = {}
    node.live = head_node.live_text([head_node.live_namespace(tombstoned=True)])
    findings = found(node, GIVEN)
    assert ids(findings) == [("wds.namespace.delete_pending", "error")]
    assert not findings[0].repairable


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(content_provider="Other", configuration="x"), "content_provider: WDS, asked for: Other"),
        (Wish(configuration="D:\\x"), "configuration: C:\\Program Files\\HPC\\Images, asked for: D:\\x"),
        (Wish(friendly_name="New"), "friendly_name: HPC images, asked for: New"),
        (Wish(description="New"), 'description: "", asked for: New'),
        (Wish(type="scheduledcast"), "type: 1, asked for: scheduledcast"),
    ],
)
def test_a_namespace_that_is_not_as_asked_for(node, wish, words):
    node.providers["Other"] = head_node.PROVIDER
    each = one(found(node, wish), "wds.namespace.differs")
    assert words in each.evidence
    assert (each.severity, each.repairable) == ("warning", wish.type is None)


def test_a_wish_for_a_provider_that_is_not_registered(node):
    findings = found(node, Wish(content_provider="Other", configuration="x"))
    assert ids(findings) == [("wds.provider.missing", "error"), ("wds.namespace.differs", "warning")]
    assert not findings[1].repairable


def test_the_baseline_is_missing_or_out_of_date(node):
    node.own = {}
    each = one(found(node), "wds.baseline.missing")
    assert (each.severity, each.repairable) == ("info", True)
    node.own = {"\\Namespaces\\" + NAME: (*head_node.HEADNODE[:4], ("Configuration", "REG_SZ", "old"))}
    each = one(found(node), "wds.baseline.missing")
    assert any("old" in line for line in each.evidence)


def test_nothing_is_saved_of_what_is_not_served(node):
    node.own, node.state = {}, 1
    assert "wds.baseline.missing" not in [each.id for each in found(node)]


def test_the_numbers_of_a_schedule_count_only_for_a_scheduled_namespace(node):
    other = [*head_node.HEADNODE[:7], ("MinClients", "REG_DWORD", "0x9")]
    node.own = {"\\Namespaces\\" + NAME: other}
    assert found(node) == ()
    node.namespaces = {NAME: [("Type", "REG_DWORD", "0x2"), *head_node.HEADNODE[1:]]}
    node.own = {"\\Namespaces\\" + NAME: [("Type", "REG_DWORD", "0x2"), *other[1:]]}
    assert ids(found(node)) == [("wds.baseline.missing", "info")]


def test_a_provider_that_went_under_a_served_namespace_is_a_warning(node):
    node.providers = {"Other": head_node.PROVIDER}
    findings = found(node)
    assert ids(findings) == [("wds.provider.missing", "warning")]
    assert any("Other" in line for line in findings[0].evidence)


def test_no_control_character_of_a_name_reaches_a_sentence(node):
    name = "\x1b[31mred\x07" + "x" * 240
    node.namespaces = {name: head_node.HEADNODE, NAME: head_node.HEADNODE}
    node.logs = "files 1\n" + log(BLANK, "\x1bNODE")
    findings = found(node, Wish(name="a\x1bb"), "always")
    assert {"wds.namespace.inconsistent", "wds.namespace.missing"} <= {each.id for each in findings}
    for each in findings:
        assert all(text.isprintable() for text in (each.summary, each.repair, *each.evidence))


# The service and the role


def test_a_stopped_service(node):
    node.state = 1
    findings = found(node)
    assert ids(findings) == [("wds.service.stopped", "error")]
    assert findings[0].repairable
    assert any("Starting the service deletes" in line and NAME in line for line in findings[0].evidence)


@pytest.mark.parametrize("change", ["provider", "incomplete"])
def test_a_service_is_not_started_over_a_definition_that_it_would_delete(node, change):
    node.state = 1
    node.own = {}
    if change == "provider":
        node.providers = {}
    else:
        node.namespaces = {"OTHER": head_node.HEADNODE[:3]}
    findings = found(node, GIVEN)
    each = one(findings, "wds.service.stopped")
    assert (each.repairable, each.gate) == (False, None)
    assert any("would delete" in line for line in each.evidence)
    assert not any(each.repairable for each in findings if each.id != "wds.service.disabled")


@pytest.mark.parametrize(("state", "severity"), [(2, "warning"), (3, "error"), (7, "error")])
def test_a_service_on_its_way_is_left_alone(node, state, severity):
    node.state = state
    each = one(found(node), "wds.service.stopped")
    assert (each.severity, each.repairable) == (severity, False)


def test_a_disabled_service(node):
    node.start = 4
    assert ids(found(node)) == [("wds.service.disabled", "warning")]
    node.state = 1
    findings = found(node)
    assert ids(findings) == [("wds.service.stopped", "error"), ("wds.service.disabled", "error")]
    assert all(each.repairable for each in findings)


def no_role(node):
    node.state = None
    node.live = "ps 5.1\nboot 2026\nerror -2147221164"
    node.own = {}


def test_a_missing_role_without_any_trace_is_for_a_person(node):
    no_role(node)
    findings = found(node)
    assert ids(findings) == [("wds.role.missing", "warning")]
    assert (findings[0].repairable, findings[0].gate) == (False, None)
    assert any("1060" in line for line in findings[0].evidence)


def test_without_hpc_a_definition_of_no_namespace_is_held_against_none(node):
    node.hpc, node.own = False, {}
    asked = Wish(content_provider="Other", configuration="D:\\Images")
    kept = one(found(node, asked), "wds.baseline.missing")
    assert ids(found(node, asked)) == [("wds.baseline.missing", "info")]
    assert not kept.repairable
    assert "name the namespace first" in kept.repair
    assert one(found(node, asked._replace(name=NAME)), "wds.namespace.differs")
    assert one(found(node), "wds.baseline.missing").repairable


def test_without_hpc_the_role_is_not_promised_back_until_the_namespace_is_named(node):
    node.hpc, node.state, node.live = False, None, head_node.live_text([])
    nameless = one(found(node), "wds.role.missing")
    assert (nameless.severity, nameless.repairable, nameless.gate) == ("error", False, None)
    assert "name the namespace first" in nameless.repair
    assert one(found(node, Wish(NAME)), "wds.role.missing").gate == "wds_multicast_allow_reinstall"


def test_a_host_without_hpc_and_role_is_left_alone(node):
    no_role(node)
    node.hpc = False
    assert ids(found(node)) == [("wds.role.missing", "info")]


@pytest.mark.parametrize("trace", ["baseline", "wish", "event", "deployment", "place"])
def test_a_missing_role_where_multicast_was_used(node, trace):
    no_role(node)
    if trace == "baseline":
        node.own = {"\\Namespaces\\" + NAME: head_node.HEADNODE}
    if trace == "event":
        node.events = [head_node.event_text(512)]
    if trace == "deployment":
        node.logs = "files 1\n" + log(TOLD)
    if trace == "place":
        node.own = {r"\Reinstall": [("Stage", "REG_SZ", "removed")]}
    findings = found(node, Wish(name=NAME) if trace == "wish" else Wish(), "always")
    each = one(findings, "wds.role.missing")
    assert (each.severity, each.repairable, each.gate) == ("error", True, GATE)
    assert len(each.evidence) > 1


def test_a_reinstall_that_was_interrupted(node):
    node.own[r"\Reinstall"] = [("Stage", "REG_SZ", "installed"), ("Boot", "REG_SZ", "b"), ("Started", "REG_SZ", "s")]
    each = one(found(node), "wds.reinstall.interrupted")
    assert (each.repairable, each.gate) == (True, GATE)
    assert any("installed" in line for line in each.evidence)


# Ports, reboots, builds


@pytest.mark.parametrize(("build", "words"), [("6002", "/StartPort:50000"), ("17763", "UdpPortPolicy")])
def test_dns_holds_the_ports(node, build, words):
    node.build, node.parameters, node.udp = build, [], [(64001, 1432), (64500, 1432), (64002, 88)]
    each = one(found(node), "wds.port.clash")
    assert (each.severity, each.repairable) == ("warning", False)
    assert "64001, 64500" in each.evidence[0]
    assert words in each.repair


@pytest.mark.parametrize(
    ("parameters", "udp", "clash"),
    [
        ([("UDPPORTPOLICY", "REG_DWORD", "0x0")], [(64001, 1432)], False),
        ([("UdpPortPolicy", "REG_DWORD", "0x1")], [(64001, 1432)], True),
        ([("UdpStartPort", "REG_DWORD", "0xc350")], [(64001, 1432)], False),
        ([("UdpStartPort", "REG_DWORD", "0xfa01")], [(64001, 1432)], True),
        ([], [(64001, 88)], False),
    ],
)
def test_when_ports_clash(node, parameters, udp, clash):
    node.parameters, node.udp = parameters, udp
    assert ("wds.port.clash" in [each.id for each in found(node)]) == clash


def test_a_pending_reboot(node):
    node.pending = True
    findings = found(node)
    assert ids(findings) == [("wds.reboot.pending", "warning")]
    assert not findings[0].repairable


def test_nothing_is_repaired_on_a_build_that_is_not_known(node):
    without(False, node)
    node.build, node.start, node.state = "19041", 4, 1
    findings = found(node, GIVEN)
    assert {"wds.build.unknown", "wds.namespace.missing", "wds.service.stopped"} <= {each.id for each in findings}
    assert not any(each.repairable or each.gate for each in findings)


# Parts that could not be read


def test_what_cannot_be_read_is_told(node):
    node.changed = {"events": Answer(5, "")}
    findings = found(node)
    assert ids(findings) == [("wds.view.unread", "warning")]
    assert findings[0].evidence[0].startswith("events: ")


def everything_wrong(node):
    without(True, node)
    node.state, node.start, node.parameters, node.udp = 1, 4, [], [(64001, 1432)]
    node.own[r"\Reinstall"] = [("Stage", "REG_SZ", "installed")]


GONE = {
    "store": {"wds.namespace.missing", "wds.service.disabled", "wds.port.clash", "wds.provider.missing"},
    "wds": {
        "wds.role.missing",
        "wds.service.stopped",
        "wds.service.disabled",
        "wds.namespace.missing",
        "wds.port.clash",
    },
    "own": {"wds.reinstall.interrupted", "wds.baseline.missing"},
    "dns": {"wds.port.clash"},
    "udp": {"wds.port.clash"},
}


@pytest.mark.parametrize("part", sorted(GONE))
def test_nothing_is_concluded_from_a_part_that_could_not_be_read(node, part):
    everything_wrong(node)
    before = {each.id for each in found(node)}
    assert before & GONE[part]
    node.changed = {part: Answer(5, "")}
    after = {each.id for each in found(node)}
    assert not after & GONE[part]
    assert "wds.view.unread" in after


@pytest.mark.parametrize("part", ["store", "own", "wds", "version"])
def test_nothing_is_repaired_on_a_part_that_could_not_be_read(node, part):
    everything_wrong(node)
    assert any(each.repairable for each in found(node, GIVEN))
    node.changed = {part: Answer(5, "")}
    assert not any(each.repairable or each.gate for each in found(node, GIVEN))


def test_a_live_view_that_could_not_be_read_withholds_the_repair_of_the_namespace(node):
    without(True, node)
    node.live = "ps 5.1\nboot 2026\nerror -2147024891"
    each = one(found(node), "wds.namespace.missing")
    assert (each.repairable, each.gate) == (False, None)
    node.namespaces = {NAME: head_node.HEADNODE}
    node.own = {}
    assert ids(found(node)) == [("wds.view.unread", "warning")]
    assert not diagnose.healthy(look(node), NAME)


def test_without_the_computers_name_no_namespace_is_expected(node):
    node.changed = {"computer": Answer(5, "")}
    without(True, node)
    assert ids(found(node)) == [("wds.view.unread", "warning")]
    assert "wds.namespace.missing" in [each.id for each in found(node, Wish(name=NAME))]


# Events


DOCUMENTED = [("WDSMC", number) for number in (513, 514, 515, *range(592, 604), 768, 769, 770, 771)]
DOCUMENTED += [("wdscpmsg", number) for number in (256, 257, 258)]


@pytest.mark.parametrize(("source", "number"), DOCUMENTED)
def test_every_documented_event_is_a_finding_while_it_matters(node, source, number):
    without(True, node)
    node.events = [head_node.event_text(number, [NAME, "0xC1100104"], source, 77)]
    each = one(found(node), "wds.event.%d" % number)
    assert each.severity == _catalogue.CATALOGUE[each.id].severity != "info"
    assert each.repairable == (number not in (514, 515))
    assert "%s %d at 2026-11-20T10:11:12Z (record 77): %s; 0xC1100104" % (source, number, NAME) in each.evidence


@pytest.mark.parametrize(("source", "number"), [("WDSMC", 512), ("WDSMC", 700), ("WDSMC", 256), ("wdscpmsg", 769)])
def test_other_events_are_none(node, source, number):
    node.events = [head_node.event_text(number, [NAME], source)]
    assert found(node) == ()


@pytest.mark.parametrize("number", [513, 592, 769, 771])
def test_an_event_is_over_when_its_namespace_is_healthy(node, number):
    node.events = [head_node.event_text(number, [NAME.lower()])]
    assert ids(found(node)) == [("wds.event.%d" % number, "info")]


def stopped(node):
    node.state = 1
    node.live = head_node.live_text([])


def of_an_unknown_build(node):
    node.build = "6004"
    without(True, node)


@pytest.mark.parametrize(
    ("broken", "cured"),
    [
        (lambda node: without(True, node), (True, None)),
        (lambda node: without(False, node), (True, GATE)),
        (stopped, (True, None)),
        (of_an_unknown_build, (False, None)),
    ],
    ids=["missing-with-baseline", "missing-without", "service-stopped", "unknown-build"],
)
def test_what_ends_the_namespaces_trouble_ends_its_events_and_deployments(node, broken, cured):
    broken(node)
    node.events = [head_node.event_text(771, [NAME])]
    node.logs = "files 2\n" + log(BLANK + COPY) + log(TOLD + COPY, "NODE02")
    findings = found(node, NOTHING, "always")
    event, blank = one(findings, "wds.event.771"), one(findings, "hpc.deployment.blank_namespace")
    assert [(each.repairable, each.gate) for each in (event, blank)] == [cured, cured]
    assert ("over once" in event.repair) == cured[0]
    failed = [each.repairable for each in findings if each.id == "hpc.deployment.unicast_fallback"]
    # A node that was told a namespace and fell back has another trouble.
    assert sorted(failed) == [False, cured[0]]


def test_an_event_of_another_namespace_matters_while_that_is_not_healthy(node):
    node.own[r"\Namespaces\OTHER"] = head_node.HEADNODE
    node.events = [head_node.event_text(769, ["OTHER"], record=2), head_node.event_text(769, [NAME])]
    assert ids(found(node)) == [("wds.event.769", "error"), ("wds.event.769", "info")]


def test_a_duplicate_address_is_over_with_the_next_start(node):
    node.events = [head_node.event_text(514, record=5)]
    assert ids(found(node)) == [("wds.event.514", "warning")]
    node.events.insert(0, head_node.event_text(512, record=6))
    assert ids(found(node)) == [("wds.event.514", "info")]
    node.events.insert(0, head_node.event_text(515, record=7))
    assert ids(found(node)) == [("wds.event.515", "warning"), ("wds.event.514", "info")]


def test_many_events_of_a_kind_are_one_finding_and_a_missing_namespace_names_its_cause(node):
    without(True, node)
    node.events = [head_node.event_text(769, [NAME, "x" * 5000], record=90 - at) for at in range(20)]
    findings = found(node)
    each = one(findings, "wds.event.769")
    assert "20 times" in each.summary
    assert each.evidence[-1] == "and 15 more"
    assert all(len(line) < 400 for line in each.evidence)
    assert any("WDSMC 769" in line for line in one(findings, "wds.namespace.missing").evidence)


# Deployments


def test_a_blank_namespace_in_the_newest_deployments(node):
    without(True, node)
    node.logs = "files 2\n" + log(BLANK + COPY) + log(TOLD, "NODE02")
    findings = found(node, Wish(), "always")
    blank = one(findings, "hpc.deployment.blank_namespace")
    assert (blank.severity, blank.repairable, blank.gate) == ("warning", True, None)
    line = blank.evidence[0]
    for words in ("NODE01", "2026-11-20T15:30:00Z", "Images\\base.wim", 'namespace:""', "robocopy", LOGS):
        assert words in line
    assert one(findings, "hpc.deployment.unicast_fallback").severity == "warning"
    assert any("NODE01" in line for line in one(findings, "wds.namespace.missing").evidence)
    assert "s3cret" not in repr(findings)


def test_a_blank_namespace_is_history_when_the_namespace_is_there(node):
    node.logs = "files 1\n" + log(BLANK + COPY)
    findings = found(node, Wish(), "always")
    assert ids(findings) == [("hpc.deployment.blank_namespace", "info"), ("hpc.deployment.unicast_fallback", "info")]


@pytest.mark.parametrize("text", [TOLD + COPY, TOLD + "9:Multicast Failed with Exit Code 1"])
def test_multicast_that_failed_with_a_namespace_is_no_history(node, text):
    node.logs = "files 1\n" + log(text)
    findings = found(node, Wish(), "always")
    assert ids(findings) == [("hpc.deployment.unicast_fallback", "warning")]


def test_logs_that_could_not_be_read_are_a_remark(node):
    node.powershell = False
    assert ids(found(node, NOTHING, "always")) == [("wds.view.unread", "info")]
    node.changed = {"udp": Answer(1, "?")}
    node.changed["dns"] = Answer(5, "")
    assert ("wds.view.unread", "warning") in ids(found(node, NOTHING, "always"))


def test_healthy_deployments_are_no_finding(node):
    node.logs = "files 1\n" + log(TOLD + "9:Multicast Failed with Exit Code 0")
    assert found(node, Wish(), "always") == ()


def test_of_many_compute_nodes_the_newest_are_shown(node):
    node.logs = "files 50\n" + "".join(log(BLANK, "NODE%02d" % at) for at in range(50))
    each = one(found(node, Wish(), "always"), "hpc.deployment.blank_namespace")
    assert "50 compute nodes" in each.summary
    assert len(each.evidence) == 21
    assert each.evidence[-1] == "and 30 more compute nodes"


# The whole


def test_worst_first(node):
    everything_wrong(node)
    order = [_severity.SEVERITIES.index(each.severity) for each in found(node)]
    assert order == sorted(order)
    assert len(set(order)) > 1


def test_suspicious_is_whatever_is_worse_than_a_remark(node):
    assert not diagnose.suspicious(look(node), Wish())
    node.own = {}
    assert not diagnose.suspicious(look(node), Wish())
    assert diagnose.suspicious(look(node), Wish(name="OTHER"))


@pytest.mark.parametrize("language", head_node.LANGUAGES[1:])
def test_a_server_of_any_language_gets_the_same_findings(language):
    told = []
    for each in ("en", language):
        node = head_node.HeadNode(each)
        everything_wrong(node)
        node.changed = {"hpc": Answer(1, head_node.DENIED[each])}
        told.append(found(node))
    assert told[0] == told[1]


def test_the_catalogue_has_an_entry_for_every_event_and_no_other():
    events = {name for name in _catalogue.CATALOGUE if name.startswith("wds.event.")}
    assert events == {"wds.event.%d" % number for _source, number in DOCUMENTED}


PARTS = sorted(head_node.HeadNode().answers())
CODES = st.sampled_from([-1, 0, 1, 2, 5, 1060])
OUTPUTS = st.one_of(
    st.just(""), st.just(head_node.DENIED["de"]), st.just(head_node.NOT_FOUND["en"]), st.text(max_size=50)
)
CHANGES = st.dictionaries(st.sampled_from(PARTS), st.builds(Answer, CODES, OUTPUTS), max_size=4)
#: What a repair of the namespace, of the service or by a reinstall rests on.
NEEDED = {"store", "own", "version", "wds"}


@given(CHANGES, st.booleans(), st.sampled_from([NOTHING, GIVEN, Wish(name="OTHER", content_provider="x")]))
def test_whatever_a_head_node_answers_nothing_is_repaired_in_the_dark(changes, broken, wish):
    node = head_node.HeadNode()
    if broken:
        everything_wrong(node)
    node.changed = changes
    seen = look(node)
    findings = diagnose.diagnose(seen, wish)
    unread = snapshot.unread_parts(seen)
    assert ("wds.view.unread" in [each.id for each in findings]) == bool(unread)
    for each in findings:
        rests, needs = diagnose.RESTS.get(each.id, (frozenset(), frozenset()))
        assert not rests & unread
        assert not (each.repairable and needs & unread)
        assert each.gate is None or each.repairable
    if not NEEDED - unread:
        assert not any(each.repairable for each in findings)

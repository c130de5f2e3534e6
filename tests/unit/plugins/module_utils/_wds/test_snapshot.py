# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at a head node."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._wds import names, snapshot
from ansible_collections.imaging.multicast.plugins.module_utils._wds.batch import Answer
from ansible_collections.imaging.multicast.plugins.module_utils._wds.snapshot import (
    Live,
    Namespace,
    Place,
    Provider,
    Server,
    Service,
    unread_parts,
)
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._wds import head_node

NAMESPACE = Namespace("HEADNODE-CCP", 1, "HPC images", "", "WDS", "C:\\Program Files\\HPC\\Images", 0, 0, 0, None, True)
LOGS = r"C:\HPC\SpoolDir\DeploymentLogs"
BLANK = 'file %s 2026-11-20T15:30:00Z\n1:COMMAND: CcpImg.exe -namespace:"" -filesrc:"a.wim"' % head_node.b64(
    LOGS + "\\NODE01\\x.log"
)


def look(node, wrong=False, **options):
    return snapshot.observe(node, lambda _first: wrong, clock=lambda: 1795305600.9, **options)


@pytest.fixture(name="node")
def fixture_node():
    return head_node.HeadNode()


def test_a_healthy_head_node(node):
    node.udp = [(64001, 1432), (64002, 88)]
    node.events = [head_node.event_text(512)]
    seen = look(node)
    assert seen.time == "2026-11-22T00:00:00Z"
    assert seen.server == Server(
        "HEADNODE",
        17763,
        "6.3",
        "",
        "Windows Server 2019 Standard",
        True,
        "5.1.17763.1",
        "20261121080000.500000+060",
        False,
    )
    assert seen.service == Service("WDSServer", True, 4, 2)
    assert seen.hpc_management == Service("HpcManagement", True, 4)
    assert seen.dns == Service("DNS", True, 4)
    assert seen.store == (NAMESPACE,) == seen.baseline
    assert seen.providers == (
        Provider("WDS", "File provider", "%SystemRoot%\\system32\\wdscpmsg.dll", "WdsTransportProviderInitialize"),
    )
    assert seen.live.available
    assert [each.name for each in seen.live.namespaces] == ["HEADNODE-CCP"]
    assert seen.parameters["UdpPortPolicy"] == "0"
    assert (seen.udp, seen.dns_pid) == (((64001, 1432), (64002, 88)), 1432)
    assert [event.id for event in seen.events] == [512]
    assert (seen.deployments, seen.place, seen.unread) == (None, None, ())


def test_a_healthy_head_node_is_one_round_trip(node):
    look(node)
    assert len(node.rounds) == 1


def breaks(node):
    """A node with nearly everything that is printed in words."""
    node.namespaces = {}
    node.start, node.state = 4, 1
    node.own = {}
    node.udp = [(64001, 1432)]
    node.pending = True
    node.live = "ps 2.0\nboot 20261121080000.500000+060\nfeatures 2\nrunning False\nerror -1055915757"


def nothing(node):
    node.state, node.hpc, node.own, node.live = None, False, {}, "ps 2.0\nboot 2026\nerror -2147221164"


@pytest.mark.parametrize("change", [lambda node: None, breaks, nothing])
@pytest.mark.parametrize("language", head_node.LANGUAGES[1:])
def test_the_snapshot_is_the_same_in_every_language(language, change):
    seen = []
    for each in ("en", language):
        node = head_node.HeadNode(each)
        change(node)
        seen.append(look(node)._replace(parameters={}))
    assert seen[0] == seen[1]
    assert seen[0].unread == ()


@pytest.mark.parametrize("language", head_node.LANGUAGES)
@pytest.mark.parametrize("part", ["store", "own", "version", "computer", "hpc", "pending"])
def test_access_denied_is_not_absent(part, language):
    node = head_node.HeadNode(language)
    node.changed = {part: Answer(1, head_node.DENIED[language])}
    assert unread_parts(look(node)) == {part}


def test_what_is_denied_reads_the_same_in_every_language():
    told = set()
    for language in head_node.LANGUAGES:
        node = head_node.HeadNode(language)
        node.changed = {part: Answer(1, head_node.DENIED[language]) for part in ("store", "own", "version")}
        told.add(look(node).unread)
    assert len(told) == 1


def test_an_answer_that_breaks_off_is_unread_and_gives_nothing(node):
    for part in ("store", "own"):
        node.changed[part] = Answer(1, node.answers()[part].output + head_node.DENIED["en"])
    seen = look(node)
    assert unread_parts(seen) == {"store", "own"}
    assert (seen.store, seen.baseline, seen.providers) == ((), (), ())


@pytest.mark.parametrize("code", [-1, 2, 5])
@pytest.mark.parametrize(
    "part", ["store", "own", "version", "computer", "hpc", "pending", "wds", "hpcsvc", "dns", "udp", "events"]
)
def test_a_program_that_fails_leaves_its_part_unread(node, part, code):
    node.changed = {part: Answer(code, "what ever")}
    seen = look(node)
    assert unread_parts(seen) == {part}
    assert not seen.server.reboot_pending


def test_without_a_reference_an_absent_key_is_absent(node):
    partly = Answer(1, node.answers()["own"].output)
    node.own = {}
    node.changed = {"none": Answer(-1, "")}
    assert look(node).unread == ()
    node.changed["own"] = partly
    assert unread_parts(look(node)) == {"own"}


def test_the_service_has_a_key_where_it_is_installed(node):
    node.changed = {"store": Answer(1, head_node.NOT_FOUND["en"])}
    assert unread_parts(look(node)) == {"store"}


def test_a_service_without_a_state_is_unread(node):
    node.changed = {"wds": Answer(0, "x")}
    seen = look(node)
    assert unread_parts(seen) == {"wds"}
    assert not seen.service.installed


@pytest.mark.parametrize("part", ["version", "computer"])
def test_a_key_without_the_value_is_unread(node, part):
    node.changed = {part: Answer(0, "")}
    assert unread_parts(look(node)) == {part}


def test_the_role_is_absent(node):
    node.state = None
    node.live = "ps 5.1\nboot 2026\nerror -2147221164"
    seen = look(node)
    assert seen.service == Service("WDSServer", False, None, None)
    assert (seen.store, seen.providers, seen.unread) == ((), (), ())
    assert seen.live == Live(False, "COM answered 0x80040154 (its COM class is not registered).")


@pytest.mark.parametrize("number", [-2147221164, -2147221005, -2147024809])
def test_a_host_without_the_com_object_is_no_gap(node, number):
    node.live = "ps 2.0\nboot 2026\nerror %d" % number
    assert look(node).unread == ()


def test_a_stopped_service_that_does_not_answer_com_is_no_gap(node):
    node.state = 1
    node.live = "ps 2.0\nboot 2026\nfeatures 2\nrunning False\nerror -1055915757"
    assert look(node).unread == ()
    node.state = 4
    assert unread_parts(look(node)) == {"live"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ps 5.1\nboot 2026\nerror -2147024891",
        "ps 5.1\nfeatures 2\nerror -2147221164",
        head_node.live_text().replace("count 1", "count 2"),
    ],
)
def test_a_live_view_that_is_not_whole_is_unread(node, text):
    node.live = text
    seen = look(node)
    assert unread_parts(seen) == {"live"}
    assert seen.live.namespaces == ()


def test_a_host_without_powershell(node):
    node.powershell = False
    node.changed = {"boot": Answer(0, "\n\nLastBootUpTime=20261121080000.500000+060\n")}
    answers = node.answers()
    node.changed = {}
    node.run = lambda items: answers
    seen = look(node)
    assert seen.live == Live(False, "")
    assert (seen.server.powershell, seen.server.boot) == ("", "20261121080000.500000+060")
    assert seen.unread == ()


def test_netstat_says_nothing_when_no_port_is_held_and_something_when_it_fails(node):
    assert look(node).udp == ()
    node.changed = {"udp": Answer(1, "netstat: ???")}
    assert unread_parts(look(node)) == {"udp"}


def test_events_that_are_not_whole_are_counted(node):
    node.events = [head_node.event_text(769), "<Event >"]
    seen = look(node)
    assert [event.id for event in seen.events] == [769]
    assert seen.unread == ("events: 1 events were not whole XML.",)


def test_contradictory_and_missing_values_make_no_definition(node):
    values = {value[0]: value for value in head_node.HEADNODE}
    node.namespaces = {
        "twice": (*head_node.HEADNODE, ("configuration", "REG_SZ", "x")),
        "lines": (*head_node.HEADNODE[1:], ("Type", "REG_SZ", "0x1")),
        "forged": (*head_node.HEADNODE[:2], ("Description", "REG_SZ", "a\nb"), *head_node.HEADNODE[3:]),
        "typeless": head_node.HEADNODE[1:],
        "no provider": [value for name, value in values.items() if name != "ContentProvider"],
        "empty provider": [*head_node.HEADNODE[:3], ("ContentProvider", "REG_SZ", ""), *head_node.HEADNODE[4:]],
        "no configuration": [value for name, value in values.items() if name != "Configuration"],
        "number": [*head_node.HEADNODE[:4], ("Configuration", "REG_DWORD", "0x1")],
        "lost letters": [*head_node.HEADNODE[:4], ("Configuration", "REG_SZ", "C:\\B?der")],
        "no utf-8": [*head_node.HEADNODE[:4], ("Configuration", "REG_SZ", "C:\\B\ufffdder")],
        "plain": [value for name, value in values.items() if name in ("Type", "ContentProvider", "Configuration")],
    }
    assert [each.name for each in look(node).store if each.complete] == ["plain"]


def test_a_scheduled_namespace(node):
    node.namespaces = {
        "S": (
            *head_node.HEADNODE[:7],
            ("MinClients", "REG_DWORD", "0x5"),
            ("StartTime", "REG_QWORD", "0x1d5a3f2b4c6d8e0"),
        )
    }
    assert look(node).store[0][6:] == (0, 0, 5, 0x1D5A3F2B4C6D8E0, True)


@pytest.mark.parametrize("part", ["store", "own", "live"])
def test_more_namespaces_than_any_server_has_are_not_looked_at(node, part):
    names_of_many = ["N%d" % at for at in range(501)]
    if part == "store":
        node.namespaces = dict.fromkeys(names_of_many, head_node.HEADNODE)
    elif part == "own":
        node.own = {"\\Namespaces\\" + name: head_node.HEADNODE for name in names_of_many}
    else:
        node.live = head_node.live_text([head_node.live_namespace(name) for name in names_of_many])
    seen = look(node)
    assert unread_parts(seen) == {part}
    assert not {"store": seen.store, "own": seen.baseline, "live": seen.live.namespaces}[part]


def test_the_place_of_a_reinstall(node):
    node.own[r"\Reinstall"] = [("Stage", "REG_SZ", "removed"), ("Boot", "REG_SZ", "b"), ("Started", "REG_SZ", "s")]
    node.own[r"\Backups\20261101T000000Z\OTHER"] = head_node.HEADNODE
    seen = look(node)
    assert seen.place == Place("removed", "b", "s")
    assert seen.baseline == (NAMESPACE,)


def test_the_logs_are_read_when_something_is_wrong(node):
    node.logs = "files 1\n" + BLANK
    seen = look(node, wrong=True)
    assert [(each.node, each.namespace) for each in seen.deployments] == [("NODE01", "")]
    assert seen.unread == ()
    assert len(node.rounds) == 2
    assert LOGS in node.rounds[1][0].text


@pytest.mark.parametrize(
    ("deployments", "wrong", "rounds"), [("always", False, 2), ("never", True, 1), ("auto", False, 1)]
)
def test_when_the_logs_are_read(node, deployments, wrong, rounds):
    seen = look(node, wrong, deployments=deployments)
    assert len(node.rounds) == rounds
    assert (seen.deployments is None) == (rounds == 1)


def test_what_is_wrong_is_judged_by_the_first_look(node):
    judged = []
    snapshot.observe(node, lambda first: bool(judged.append(first)))
    assert judged[0].deployments is None
    assert judged[0].store == (NAMESPACE,)


def test_the_option_overrides_the_share(node):
    look(node, True, deployment_logs=["D:\\One", "E:\\Two's"], since=7)
    script = node.rounds[1][0].text
    assert "'D:\\One','E:\\Two''s'" in script
    assert LOGS not in script
    assert "AddDays(-7)" in script


def test_an_option_that_is_no_path_is_refused_before_anything_is_asked(node):
    with pytest.raises(names.ValueRefused):
        look(node, True, deployment_logs=["logs"])
    assert node.rounds == []


def test_since_bounds_the_events(node):
    look(node, since=2)
    events = next(item for item in node.rounds[0] if item.key == "events")
    assert "<= 172800000]" in events.arguments[2]


def test_hpcs_data_folder_is_the_fallback(node):
    node.shares = []
    node.environment = "D:\\HPC\\"
    look(node, True)
    assert "'D:\\HPC\\SpoolDir\\DeploymentLogs'" in node.rounds[2][0].text


def test_a_head_node_whose_logs_are_nowhere_is_told(node):
    node.shares = [("SpoolDir", "REG_MULTI_SZ", "Type=0")]
    seen = look(node, True)
    assert unread_parts(seen) == {"deployments"}
    assert "deployment_logs" in seen.unread[0]
    node.hpc = False
    assert look(node, True).unread == ()


def test_a_share_of_a_strange_path_is_told(node):
    node.shares = [("spooldir", "REG_MULTI_SZ", "Path=relative")]
    assert unread_parts(look(node, True)) == {"deployments"}


@pytest.mark.parametrize(
    ("logs", "words"),
    [
        ("", "to their end"),
        ("files 1\nerror -2147024891", "to their end"),
        ("files 1\n" + BLANK + "\ncut", "left out"),
    ],
)
def test_logs_that_could_not_be_read_whole_are_told(node, logs, words):
    node.logs = logs
    seen = look(node, True)
    assert len(seen.unread) == 1
    assert seen.unread[0].startswith("deployments: ")
    assert words in seen.unread[0]


def test_a_folder_that_is_not_there_is_told_where_it_was_given(node):
    node.logs = "absent %s\nfiles 0" % head_node.b64(LOGS)
    seen = look(node, True)
    assert (seen.deployments, seen.unread) == ((), ())
    assert look(node, True, deployment_logs=[LOGS]).unread == ("deployments: not on the host: " + LOGS,)


def test_logs_need_powershell(node):
    node.powershell = False
    assert unread_parts(look(node, True)) == {"deployments"}
    assert len(node.rounds) == 1

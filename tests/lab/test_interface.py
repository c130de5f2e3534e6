"""fog_storage_iface on real hosts, and which interface each FOG release really gives to udp-sender."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.lab import controller, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fleet import GATEWAY
from tests.lab.fog import files, layout, nic, queue_session
from tests.lab.fog.database import Row, Sql
from tests.lab.fog.faults import FAULTS, GONE_ADDRESS
from tests.lab.fog.service import log, log_shows, restart
from tests.lab.host import Host
from tests.lab.lab import Lab

IFACE = "fog_storage_iface"
SETTINGS = ("FOG_UDPCAST_INTERFACE", "FOG_NFS_ETH_MONITOR")
RESULTS = ("node", "configured_interface", "effective_interface", "expected_interface", "wrong")


@pytest.fixture
def fog4(lab: Lab, boot: Boot) -> Iterator[Host]:
    with borrowed(lab, boot, "fog4") as (host,):
        yield host


@pytest.fixture(scope="module")
def healthy(lab: Lab, boot: Boot) -> Iterator[Host]:
    """fog4, for tests that change nothing."""
    with borrowed(lab, boot, "fog4") as (host,):
        yield host


def iface(lab: Lab, host: Host, *options: str, check: bool = True, **arguments: Any) -> dict[str, Any]:
    return controller.module(lab, host, IFACE, *options, arguments=arguments, check=check)


def node(host: Host, name: str = "DefaultMember") -> Row:
    return Sql(host).rows("SELECT * FROM nfsGroupMembers WHERE ngmMemberName = %s", name)[0]


def second_nic(host: Host) -> str:
    """A second interface of the host, up and with an address of its own; that address."""
    address = nic.second_address(host)
    nic.ip(
        host,
        f"link add {nic.SECOND} type veth peer name {nic.CABLE}",
        f"link set {nic.CABLE} up",
        f"link set {nic.SECOND} up",
        f"address add {address}/24 brd + dev {nic.SECOND}",
    )
    return address


def test_a_healthy_node_is_left_as_it_is(lab: Lab, healthy: Host) -> None:
    before = witness.state(healthy, healthy)
    result = iface(lab, healthy)
    assert not result["changed"]
    assert [result[key] for key in RESULTS] == ["DefaultMember", "eth0", "eth0", "eth0", []]
    assert witness.state(healthy, healthy) == before


def test_a_stale_record_is_planned_shown_corrected_and_then_left(lab: Lab, fog4: Host) -> None:
    FAULTS["record-stale"](lab, fog4)
    for key in SETTINGS:
        Sql(fog4).set(key, "eth9")
    before = witness.state(fog4, fog4)
    password = node(fog4)["ngmPass"]

    planned = iface(lab, fog4, "--check", "--diff")
    assert witness.state(fog4, fog4) == before, "check mode altered something"
    assert planned["changed"]
    assert [step["outcome"] for step in planned["steps"]] == ["planned"] * 3
    result = iface(lab, fog4, "--diff")
    again = iface(lab, fog4, "--diff")

    assert [result[key] for key in RESULTS] == ["DefaultMember", "eth0", "eth0", "eth0", ["record"]]
    assert [step["what"] for step in result["steps"]] == [step["what"] for step in planned["steps"]]
    for run in (planned, result):
        assert "-ngmInterface: eth9\n+ngmInterface: eth0\n" in run["_output"]
        assert run["_output"].count("-settingValue: eth9\n+settingValue: eth0\n") == len(SETTINGS)
    assert node(fog4)["ngmInterface"] == "eth0"
    assert node(fog4)["ngmPass"] == password
    assert [Sql(fog4).setting(key) for key in SETTINGS] == ["eth0", "eth0"]
    # On 1.5.9 the record chooses nothing, and nobody is told that multicast was repaired.
    assert any("does not by itself repair multicast" in note for note in result["notes"])
    assert (again["changed"], again["steps"], again["wrong"]) == (False, [], [])
    assert layout.SECRET not in fog4.read(result["backup_file"])


def test_update_settings_false_leaves_the_settings(lab: Lab, fog4: Host) -> None:
    FAULTS["record-stale"](lab, fog4)
    for key in SETTINGS:
        Sql(fog4).set(key, "eth9")
    result = iface(lab, fog4, update_settings=False)
    assert result["changed"]
    assert node(fog4)["ngmInterface"] == "eth0"
    assert [Sql(fog4).setting(key) for key in SETTINGS] == ["eth9", "eth9"]


def test_a_named_interface_and_a_given_address(lab: Lab, fog4: Host) -> None:
    address = second_nic(fog4)
    result = iface(lab, fog4, node="DefaultMember", interface=nic.SECOND, address=address)
    assert (node(fog4)["ngmInterface"], node(fog4)["ngmHostname"]) == (nic.SECOND, address)
    assert [Sql(fog4).setting(key) for key in SETTINGS] == [nic.SECOND, nic.SECOND]
    assert [result[key] for key in RESULTS] == ["DefaultMember", nic.SECOND, nic.SECOND, nic.SECOND, []]
    assert not iface(lab, fog4, node="DefaultMember", interface=nic.SECOND, address=address)["changed"]


def test_a_changed_address_is_corrected(lab: Lab, fog4: Host) -> None:
    FAULTS["address-changed"](lab, fog4)
    result = iface(lab, fog4)
    assert "address" in result["wrong"]
    assert node(fog4)["ngmHostname"] == fog4.address
    assert "address" not in iface(lab, fog4)["wrong"]


def test_the_master_wish_gives_and_takes(lab: Lab, fog4: Host) -> None:
    FAULTS["two-masters"](lab, fog4)
    unwished = iface(lab, fog4)
    assert unwished["wrong"] == ["master"]
    assert not unwished["changed"]
    assert node(fog4, "SecondMember")["ngmIsMasterNode"] == "1"
    result = iface(lab, fog4, master=True)
    assert result["changed"]
    assert node(fog4)["ngmIsMasterNode"] == "1"
    assert node(fog4, "SecondMember")["ngmIsMasterNode"] in ("", "0")
    assert iface(lab, fog4, master=True)["wrong"] == []
    # The only master is not taken away.
    refused = iface(lab, fog4, master=False)
    assert not refused["changed"]
    assert "only master" in refused["refused"]
    assert node(fog4)["ngmIsMasterNode"] == "1"


def test_no_master_is_wrong_and_set(lab: Lab, fog4: Host) -> None:
    FAULTS["no-master"](lab, fog4)
    result = iface(lab, fog4)
    assert result["wrong"] == ["master"]
    assert node(fog4)["ngmIsMasterNode"] == "1"
    assert iface(lab, fog4)["wrong"] == []


def test_a_missing_route_is_told_and_left(lab: Lab, fog4: Host) -> None:
    FAULTS["no-route"](lab, fog4)
    before = witness.state(fog4, fog4)
    result = iface(lab, fog4)
    assert result["wrong"] == ["route"]
    assert result["effective_interface"] is None
    assert not result["changed"]
    assert witness.state(fog4, fog4) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"node": "nobody"}, ("nobody", "DefaultMember")),
        ({"interface": "eth7"}, ("eth7", "eth0")),
        ({"address": GONE_ADDRESS}, (GONE_ADDRESS, "10.99.1.4")),
    ],
)
def test_what_is_not_there_is_refused(
    lab: Lab, healthy: Host, arguments: dict[str, Any], words: tuple[str, ...]
) -> None:
    before = witness.checksums(healthy)
    result = iface(lab, healthy, check=False, **arguments)
    assert result["_failed"]
    assert "\n" not in result["msg"]
    for word in words:
        assert word in result["msg"]
    assert witness.checksums(healthy) == before


def test_a_node_of_another_host_is_not_changed_from_here(lab: Lab, boot: Boot) -> None:
    with borrowed(lab, boot, "fog1", "store1") as (server, _):
        before = witness.checksums(server)
        result = iface(lab, server, node="store1", interface="eth0", check=False)
        assert "is not this host" in (result["msg"] if result["_failed"] else result["refused"])
        assert not result["changed"]
        assert witness.checksums(server) == before


# --- configured, effective, expected --------------------------------------------------------------------------------


class Choice(NamedTuple):
    """A FOG release, the host's routes, and the interface udp-sender is given then (facts/fog.md section 0.1)."""

    version: str
    routes: str
    effective: str | None


CHOICES = (
    Choice("1.2.0", "plain", "dummy7"),
    Choice("1.5.8", "plain", "eth0"),
    Choice("1.5.9", "plain", "eth0"),
    Choice("1.5.10.1867", "plain", "eth0"),
    Choice("1.5.8", "dhcp", "dev"),
    Choice("1.5.9", "dhcp", "eth0"),
    Choice("1.5.9", "none", None),
    Choice("1.5.10.1867", "none", "dummy8"),
)


@pytest.fixture(scope="module")
def fog3(lab: Lab, boot: Boot) -> Iterator[Host]:
    """fog3, whose setting and record name interfaces that differ from each other and from the one of the routes."""
    with borrowed(lab, boot, "fog3") as (host,):
        Sql(host).set("FOG_UDPCAST_INTERFACE", "dummy7")
        Sql(host).run("UPDATE nfsGroupMembers SET ngmInterface = 'dummy8'")
        yield host


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.version}-{choice.routes}")
def test_the_effective_interface_is_the_one_the_daemon_used(lab: Lab, fog3: Host, choice: Choice) -> None:
    nic.reset(fog3)
    if choice.routes == "dhcp":
        nic.ip(fog3, f"route replace default via {GATEWAY} dev {layout.NIC} proto dhcp src {fog3.address}")
    elif choice.routes == "none":
        FAULTS["no-route"](lab, fog3)
    fog3.write(layout.SYSTEM, files.system_php(choice.version))
    restart(fog3)
    log_shows(fog3, "* Starting service loop")
    session = queue_session(fog3, clients=1)
    log_shows(fog3, f"Task ID: {session.id} Name: {session.name} has started")
    commands = [line for line in log(fog3) if "| Command:" in line]
    used = re.search(r" --interface (\S+)", commands[-1])

    result = controller.module(lab, fog3, "fog_multicast_info")

    assert (used.group(1) if used else None) == choice.effective, commands
    assert result["interfaces"]["effective"] == choice.effective
    assert result["interfaces"]["configured"] == "dummy8"
    assert result["interfaces"]["expected"] == "eth0"
    Sql(fog3).batch(
        ("UPDATE tasks SET taskStateID = 5",),
        ("UPDATE multicastSessions SET msState = 5",),
        ("DELETE FROM multicastSessionsAssoc",),
    )

"""The simulated head node as a state machine: starts of WDSServer, features, reboots, losses, the state it shows."""

import datetime
import itertools
import json

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import (
    HPC,
    IMAGES,
    NAMESPACES,
    PROVIDERS,
    REBOOT_PENDING,
    SCHEDULED_AUTO,
    WDS_SERVER,
    Live,
    Machine,
    NamespaceError,
    write_definition,
)

CCP = "HEAD-1-CCP"
STORE = f"{NAMESPACES}\\{CCP}"


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime.datetime:
        return datetime.datetime(2026, 11, 22, tzinfo=datetime.UTC) + datetime.timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def head(*faults: str, build: int = 17763) -> Machine:
    return nodes.build("head-1", "head_node", {"build": build, "faults": list(faults)})


def timed(machine: Machine) -> Clock:
    clock = Clock()
    machine._monotonic, machine._sleep, machine._now = clock.monotonic, clock.sleep, clock.now
    return clock


def reboot(machine: Machine, clock: Clock) -> None:
    machine.run_cmd("shutdown.exe /r /t 2 /d p:2:4", [], 65001, "Administrator")
    clock.seconds += 60
    assert machine.accepts()


def restart(machine: Machine) -> None:
    machine.stop("WDSServer")
    machine.start("WDSServer")


def events(machine: Machine) -> list[tuple[str, int]]:
    return [(event.source, event.id) for event in machine.events]


# --- WDSServer's start ----------------------------------------------------------------------------------------------


def test_a_start_registers_what_the_store_holds() -> None:
    machine = head()
    machine.stop("WDSServer")
    assert not machine.live
    machine.start("WDSServer")
    assert list(machine.live) == [CCP.lower()]
    assert machine.registry.key(STORE) is not None
    assert events(machine)[-1] == ("WDSMC", 512)


@pytest.mark.parametrize("build", [6002, 17763])
def test_a_start_deletes_a_namespace_whose_provider_is_not_registered(build: int) -> None:
    machine = head(build=build)
    machine.registry.remove(f"{PROVIDERS}\\WDS")
    restart(machine)
    assert events(machine)[-1] == ("WDSMC", 769)
    assert machine.events[-1].data == (CCP, "WDS")
    assert machine.registry.key(STORE) is None
    assert not machine.live
    assert machine.writes == [f"WDSServer: namespace {CCP} deleted from the store"]


def test_a_start_deletes_a_namespace_whose_provider_fails_once_and_for_good() -> None:
    machine = head()
    machine.fails_once.add("WDS")
    restart(machine)
    assert events(machine)[-2:] == [("WDSMC", 592), ("WDSMC", 771)]
    restart(machine)
    assert machine.registry.key(STORE) is None
    assert not machine.live
    machine.new_namespace(Live(CCP, "WDS", IMAGES))
    restart(machine)
    assert CCP.lower() in machine.live


def test_a_start_deletes_a_namespace_whose_dll_is_not_there() -> None:
    machine = head()
    machine.files.remove("C:\\Windows\\System32\\wdscp.dll")
    restart(machine)
    assert events(machine)[-2:] == [("WDSMC", 592), ("WDSMC", 771)]


@pytest.mark.parametrize(("configuration", "event"), [("", 258), ("Images", 256), ("D:\\nowhere", 257)])
def test_a_start_deletes_a_namespace_whose_configuration_is_wrong(configuration: str, event: int) -> None:
    machine = head()
    machine.registry.set(STORE, "Configuration", "REG_SZ", configuration)
    restart(machine)
    assert events(machine)[-2:] == [("wdscpmsg", event), ("WDSMC", 771)]
    assert machine.registry.key(STORE) is None


@pytest.mark.parametrize(("years", "kept"), [(-1, False), (1, True)])
def test_a_start_deletes_a_scheduled_namespace_whose_time_has_passed(years: int, kept: bool) -> None:
    machine = head()
    when = machine.now().timestamp() + years * 365 * 86400
    write_definition(machine.registry, f"{NAMESPACES}\\Later", Live("Later", "WDS", IMAGES, type=SCHEDULED_AUTO))
    machine.registry.set(f"{NAMESPACES}\\Later", "StartTime", "REG_QWORD", int((when + 11_644_473_600) * 10_000_000))
    restart(machine)
    assert ("later" in machine.live) == kept
    assert (("WDSMC", 768) in events(machine)) != kept
    assert CCP.lower() in machine.live


def test_a_start_deletes_a_namespace_whose_name_is_taken() -> None:
    machine = head()
    machine.taken.add(CCP)
    restart(machine)
    assert events(machine)[-1] == ("WDSMC", 770)
    assert machine.registry.key(STORE) is None
    assert CCP.lower() in machine.live


@pytest.mark.parametrize("value", ["Type", "ContentProvider", "Configuration"])
def test_a_start_deletes_a_namespace_that_is_not_complete(value: str) -> None:
    machine = head()
    key = machine.registry.key(STORE)
    assert key is not None
    key.unset(value)
    restart(machine)
    assert events(machine)[-1] == ("WDSMC", 771)
    assert machine.registry.key(STORE) is None


def test_a_namespace_is_refused_while_the_server_does_not_run() -> None:
    machine = head("service-stopped")
    with pytest.raises(NamespaceError, match="0xC1100113"):
        machine.new_namespace(Live("x", "WDS", IMAGES))
    with pytest.raises(NamespaceError, match="0xC1100113"):
        machine.remove_namespace(CCP, force=False)


# --- reboots --------------------------------------------------------------------------------------------------------


def test_a_reboot_refuses_connections_and_gives_a_new_boot_identity() -> None:
    machine = head()
    clock = timed(machine)
    before = machine.boot_identity
    machine.run_cmd("shutdown.exe /r /t 2 /d p:2:4", [], 65001, "Administrator")
    assert machine.accepts()
    assert machine.boots == 0
    clock.seconds += 2 * machine.pace + 0.01
    assert not machine.accepts()
    assert machine.boots == 1
    assert machine.run_cmd("ver", [], 65001, "a").lose == "before"
    assert machine.dump()["services"]["WDSServer"]["state"] == 1
    clock.seconds += machine.boot_seconds
    assert machine.accepts()
    assert machine.boot_identity > before
    assert machine.running("WDSServer")
    assert CCP.lower() in machine.live


def test_two_boots_lie_more_than_5_seconds_apart() -> None:
    machine = head()
    clock = timed(machine)
    booted = []
    for _ in range(3):
        machine.run_cmd("shutdown.exe /r /t 0", [], 65001, "Administrator")
        clock.seconds += 1
        assert machine.accepts()
        booted.append(machine.booted)
    assert all((later - sooner).total_seconds() > 5 for sooner, later in itertools.pairwise(booted))


def test_a_second_shutdown_is_refused_while_one_is_scheduled() -> None:
    machine = head()
    timed(machine)
    assert machine.run_cmd("shutdown.exe /r /t 9", [], 65001, "a").code == 0
    assert machine.run_cmd("shutdown.exe /r /t 9", [], 65001, "a").code == 1190


def test_services_start_by_their_start_type_and_later_when_told_so() -> None:
    machine = head("service-disabled")
    machine.start_delay = 5
    clock = timed(machine)
    machine.run_cmd("shutdown.exe /r /t 0", [], 65001, "a")
    clock.seconds += 1
    assert machine.accepts()
    states = {name: service["state"] for name, service in machine.dump()["services"].items()}
    assert states == {"HpcManagement": 2, "DNS": 2, "WDSServer": 1}
    clock.seconds += 5
    machine.accepts()
    assert machine.running("DNS")
    assert not machine.running("WDSServer")


def test_a_machine_may_never_return() -> None:
    machine = head()
    machine.never_returns = True
    clock = timed(machine)
    machine.run_cmd("shutdown.exe /r /t 0", [], 65001, "a")
    clock.seconds += 1e6
    assert not machine.accepts()
    assert json.dumps(machine.dump())


# --- the role -------------------------------------------------------------------------------------------------------


def reinstall(machine: Machine, clock: Clock) -> None:
    assert machine.remove_feature("WDS") == 3010
    assert machine.registry.key(REBOOT_PENDING) is not None
    assert not machine.running("WDSServer")
    reboot(machine, clock)
    assert machine.registry.key(REBOOT_PENDING) is None
    assert machine.service("WDSServer") is None
    assert machine.registry.key(WDS_SERVER) is None
    assert machine.install_feature("WDS-Transport") == (3010 if machine.number < 9200 else 0)
    reboot(machine, clock)


@pytest.mark.parametrize("build", [6002, 7601, 17763])
@pytest.mark.parametrize("recreation", ["namespace", "provider", "nothing"])
def test_a_reinstallation_cures_a_store(build: int, recreation: str) -> None:
    machine = head("missing-provider", build=build)
    assert machine.registry.key(f"{PROVIDERS}\\WDS") is None
    machine.recreation = recreation
    reinstall(machine, timed(machine))
    assert machine.features == {"WDS", "WDS-Transport"}
    assert machine.running("WDSServer")
    assert machine.registry.key(f"{PROVIDERS}\\WDS") is not None
    assert (machine.registry.key(STORE) is not None) == (recreation == "namespace")
    assert (CCP.lower() in machine.live) == (recreation == "namespace")


@pytest.mark.parametrize(("recreation", "there"), [("namespace", True), ("provider", True), ("nothing", False)])
def test_a_provider_of_hpc_comes_back_with_hpc_only(recreation: str, there: bool) -> None:
    machine = nodes.build("head-1", "head_node", {"content_provider": "HpcCp", "configuration": "x"})
    machine.recreation = recreation
    reinstall(machine, timed(machine))
    assert (machine.registry.key(f"{PROVIDERS}\\HpcCp") is not None) == there


def test_hpc_may_take_its_time_and_needs_its_service() -> None:
    machine = head("missing-namespace")
    machine.recreation_delay = 30
    clock = timed(machine)
    assert machine.remove_feature("WDS") == 3010
    reboot(machine, clock)
    assert machine.install_feature("WDS-Transport") == 0
    machine.run_cmd("shutdown.exe /r /t 0", [], 65001, "a")
    clock.seconds += 10
    assert machine.accepts()
    assert CCP.lower() not in machine.live
    clock.seconds += 30
    assert machine.accepts()
    assert CCP.lower() in machine.live


def test_a_plain_reboot_does_not_bring_a_lost_namespace_back() -> None:
    machine = head("missing-namespace")
    reboot(machine, timed(machine))
    assert not machine.live


def test_nothing_is_installed_while_a_removal_waits_or_a_wizard_runs() -> None:
    machine = head()
    machine.wizard = True
    assert (machine.remove_feature("WDS"), machine.install_feature("WDS-Transport")) == (1004, 1004)
    machine.wizard = False
    assert machine.install_feature("WDS-Transport") == 1003
    assert not machine.writes
    assert machine.remove_feature("WDS") == 3010
    assert machine.install_feature("WDS-Transport") == 1000


def test_the_deployment_role_keeps_the_server_when_only_transport_goes() -> None:
    machine = head("deployment-role")
    assert machine.remove_feature("WDS-Transport") == 3010
    reboot(machine, timed(machine))
    assert machine.features == {"WDS", "WDS-Deployment"}
    assert machine.service("WDSServer") is not None


# --- losses, latency, what is shown ---------------------------------------------------------------------------------


def test_a_connection_is_lost_before_in_the_middle_or_after() -> None:
    machine = head()
    line = "echo one&reg.exe add HKLM\\SOFTWARE\\a /f&reg.exe add HKLM\\SOFTWARE\\b /f&echo two"
    machine.lose("before", "software.b")
    assert machine.run_cmd(line, [], 65001, "a") == (b"", b"", 1, "before")
    assert not machine.writes
    machine.lose("middle", r"add HKLM.SOFTWARE.a")
    done = machine.run_cmd(line, [], 65001, "a")
    assert (done.stdout, done.lose) == (b"one\r\n", "middle")
    assert machine.writes == ["registry make HKEY_LOCAL_MACHINE\\SOFTWARE\\a"]
    machine.lose("after", "echo", times=2)
    assert machine.run_cmd(line, [], 65001, "a").lose == "after"
    assert machine.run_cmd(line, [], 65001, "a").lose == "after"
    assert machine.run_cmd(line, [], 65001, "a").lose is None
    with pytest.raises(ValueError, match="one of before, middle, after"):
        machine.lose("never")


def test_a_command_takes_the_latency_that_was_set() -> None:
    machine = head()
    clock = timed(machine)
    machine.run_cmd("ver", [], 65001, "a")
    machine.latency = 0.5
    machine.run_cmd("ver", [], 65001, "a")
    assert clock.slept == [0.5]


def test_reading_changes_nothing_and_the_state_is_json() -> None:
    machine = head()
    before = json.dumps({**machine.dump(), "commands": []}, sort_keys=True)
    for line in ("reg.exe query HKLM /s", "sc.exe query WDSServer", "wdsutil.exe /Get-AllNamespaces", "ver"):
        assert machine.run_cmd(line, [], 65001, "Administrator").code == 0
    assert json.dumps({**machine.dump(), "commands": []}, sort_keys=True) == before
    assert len(machine.commands) == 3


def test_the_registry_forgets_case_and_keeps_spelling() -> None:
    machine = head()
    machine.registry.set(HPC.upper(), "CLUSTERNAME", "REG_SZ", "x")
    key = machine.registry.key(HPC.lower())
    assert key is not None
    assert [value.name for value in key.values if value.data == "x"] == ["ClusterName"]
    assert machine.registry.full("hklm\\software\\MICROSOFT\\hpc\\New") == (
        "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\HPC\\New"
    )


@pytest.mark.parametrize(("build", "language"), [(1, "en"), (17763, "it")])
def test_an_unknown_build_or_language_is_refused(build: int, language: str) -> None:
    with pytest.raises(ValueError, match="is not modelled; modelled are"):
        Machine("x", build, language)

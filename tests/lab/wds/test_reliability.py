"""Head nodes that break while they are looked at or repaired, hostile ones, and secrets."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.lab import controller
from tests.lab.wds.conftest import Heads
from tests.lab.windows.machine import NAMESPACES, PARAMETERS, Execution

INFO, NAMESPACE, SERVER = "wds_multicast_info", "wds_multicast_namespace", "wds_transport_server"
NAME = "HN1-CCP"
LOOK = r"Services\WDSServer','/s'"
CREATE = "/New-Namespace"
PASSWORD = "Geh31m-und-ein-5chloss!"
PSRP = {
    "ansible_connection": "ansible.builtin.psrp",
    "ansible_psrp_protocol": "http",
    "ansible_psrp_auth": "ntlm",
}


def message(result: Mapping[str, Any]) -> str:
    """What a failed module says."""
    assert result["_failed"], result["_output"]
    return str(result["msg"])


def broken(**settings: Any) -> dict[str, Any]:
    """A head node whose namespace is gone and known; ``settings`` are those of the machine."""
    faults = [["missing-namespace", {"baseline": True}]]
    return {"faults": faults, "settings": {"recreation": "provider", **settings}}


def names(result: Mapping[str, Any]) -> list[str]:
    return [each["name"] for each in result["namespaces"]]


# --- the connection breaks --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("breaking")
def test_a_broken_fleet_is_told_host_by_host_and_is_whole_again_at_the_next_run(heads: Heads) -> None:
    fleet = heads({f"hn{number}": {"baseline": True} for number in range(1, 8)})
    for name, at in (("hn1", "before"), ("hn2", "middle"), ("hn3", "after")):
        fleet.nodes[name].lose(at)
    fleet.nodes["hn4"].set(password="An0ther!")
    fleet.nodes["hn5"].set(shells=0)
    fleet.nodes["hn6"].set(accepting=False)
    run = fleet.playbook("check-multicast")
    assert run.code != 0
    assert "PLAY RECAP" in run.output
    assert {host: run.outcome(host) for host in sorted(fleet.machines)} == {
        **{"hn1": "failed", "hn2": "failed", "hn3": "failed"},
        **{"hn4": "unreachable", "hn5": "unreachable", "hn6": "unreachable", "hn7": "healthy"},
    }
    for host in ("hn1", "hn2", "hn3"):
        assert f"The connection to {host} (winrm) broke while" in run.explain(host)
        assert "Nothing was to be changed: run again." in run.explain(host)
    assert "hn4 (winrm) refused the credentials" in run.explain("hn4")
    assert fleet.nodes["hn4"].counts.failed_logins == 1
    assert "hn5 (winrm) opens no more shells for this user (MaxShellsPerUser)" in run.explain("hn5")
    assert "hn6 (winrm) cannot be reached" in run.explain("hn6")
    fleet.nodes["hn4"].set(password="Passw0rd!")
    fleet.nodes["hn5"].set(shells=30)
    fleet.nodes["hn6"].set(accepting=True)
    again = fleet.playbook("check-multicast")
    assert {again.outcome(host) for host in fleet.machines} == {"healthy"}, again.output
    assert all(fleet.writes(host) == [] for host in fleet.machines)


@pytest.mark.usefixtures("breaking")
@pytest.mark.parametrize("variables", [{}, PSRP], ids=["winrm", "psrp"])
def test_a_lost_look_says_what_was_lost_and_believes_nothing(heads: Heads, variables: dict[str, str]) -> None:
    fleet = heads({"hn1": {"baseline": True}}, variables=variables)
    fleet.nodes["hn1"].lose("middle")
    result = fleet.module("hn1", INFO, check=False)
    kind = "psrp" if variables else "winrm"
    assert message(result).startswith(f"The connection to hn1 ({kind}) broke while 'none', 'store', 'own' and")
    assert message(result).endswith("Nothing was to be changed: run again.")
    assert not {"findings", "namespaces", "namespace", "baseline"} & set(result)
    assert fleet.module("hn1", INFO)["findings"] == []


@pytest.mark.usefixtures("breaking")
@pytest.mark.parametrize("at", ["before", "middle"])
def test_a_write_that_was_cut_off_is_looked_after(heads: Heads, at: str) -> None:
    fleet = heads({"hn1": broken()})
    fleet.nodes["hn1"].lose(at, contains=CREATE)
    result = fleet.module("hn1", NAMESPACE, check=False)
    created = [step for step in result["steps"] if step["kind"] == "namespace.create"]
    if at == "before":
        assert "wdsutil.exe /New-Namespace may have been done or not" in message(result)
        assert created[0]["outcome"] == "failed"
        result = fleet.module("hn1", NAMESPACE)
        created = [step for step in result["steps"] if step["kind"] == "namespace.create"]
    assert [step["outcome"] for step in created] == ["done"]
    assert controller.finding_ids(fleet.module("hn1", INFO)) == set()
    assert len([line for line in fleet.machines["hn1"].commands if CREATE in line]) == 1


@pytest.mark.usefixtures("breaking")
def test_a_loss_between_write_and_look_is_no_success_and_the_next_run_sees_it_done(heads: Heads) -> None:
    fleet = heads({"hn1": broken()})
    machine = fleet.machines["hn1"]
    # Two looks come before the write; the one after it is lost.
    fleet.nodes["hn1"].lose("before", contains=LOOK, skip=2)
    result = fleet.module("hn1", NAMESPACE, check=False)
    assert NAME.lower() in machine.live
    assert "The connection to hn1 (winrm) broke while" in message(result)
    writes = fleet.writes("hn1")
    again = fleet.module("hn1", NAMESPACE)
    assert not any(CREATE in line for line in fleet.writes("hn1")[len(writes) :])
    assert again["after"]["healthy"]
    assert controller.finding_ids(again) == set()


# --- reboots ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("breaking")
def test_a_reinstall_outlives_broken_connections_at_both_reboots(heads: Heads) -> None:
    fleet = heads({"hn1": broken(pace=0.05)})
    fleet.nodes["hn1"].lose("after", contains="shutdown.exe", times=2)
    fleet.nodes["hn1"].lose("middle", contains="'boot {'", times=3)
    result = fleet.module("hn1", SERVER, state="reinstalled", allow_reboot=True)
    assert result["reboots"] == fleet.machines["hn1"].boots == 2
    assert controller.finding_ids(result) == set()
    assert result["after"]["reinstall"] is None


@pytest.mark.parametrize("boot", [1, 2])
def test_a_controller_that_ends_during_a_reboot_is_followed_by_one_that_goes_on(heads: Heads, boot: int) -> None:
    fleet = heads({"hn1": broken(pace=0.05, boot_seconds=1.0)})
    machine = fleet.machines["hn1"]
    options: dict[str, Any] = {"state": "reinstalled", "allow_reboot": True}
    started = fleet.start("hn1", SERVER, **options)
    deadline = time.monotonic() + 60
    while machine.boots < boot:
        assert started.running, started.text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started.kill()
    # Until it is up a new run would be told that nothing answers.
    while not machine.accepts():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    result = fleet.module("hn1", SERVER, **options)
    assert machine.boots == 2
    assert result["after"]["reinstall"] is None
    assert controller.finding_ids(result) == set()


# --- who may not come in ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables", [{}, PSRP], ids=["winrm", "psrp"])
def test_a_wrong_password_is_tried_once_a_task(heads: Heads, variables: dict[str, str]) -> None:
    fleet = heads({"hn1": {"faults": ["service-stopped"]}}, {"password": "An0ther!"}, variables)
    result = fleet.module("hn1", SERVER, check=False)
    assert "refused the credentials" in message(result)
    assert "correct ansible_user and ansible_password" in message(result)
    assert fleet.nodes["hn1"].counts.failed_logins == 1


def test_a_password_that_changes_during_a_reboot_ends_the_wait_after_one_login(heads: Heads) -> None:
    fleet = heads({"hn1": broken(pace=0.05, boot_seconds=1.0)})
    node, machine = fleet.nodes["hn1"], fleet.machines["hn1"]
    started = fleet.start("hn1", SERVER, state="reinstalled", allow_reboot=True)
    while not machine.boots:
        assert started.running, started.text()
        time.sleep(0.01)
    node.set(password="An0ther!")
    result = started.result(check=False)
    assert "refused the credentials" in message(result)
    assert node.counts.failed_logins == 1
    node.set(password="Passw0rd!")
    assert fleet.module("hn1", SERVER, state="reinstalled", allow_reboot=True)["after"]["reinstall"] is None


@pytest.mark.parametrize("variables", [{}, PSRP], ids=["winrm", "psrp"])
def test_exhausted_shells_are_not_called_a_wrong_password(heads: Heads, variables: dict[str, str]) -> None:
    fleet = heads({"hn1": {}}, {"shells": 0}, variables)
    result = fleet.module("hn1", INFO, check=False)
    assert "opens no more shells for this user (MaxShellsPerUser)" in message(result)
    assert "credentials" not in message(result)
    assert "password" not in message(result)
    assert fleet.nodes["hn1"].counts.failed_logins == 0


# --- names and lengths ------------------------------------------------------------------------------------------------

SENDABLE = ["o'hn & 100% %PATH% ^ (x) <y> | $z `q ;", "\u201aÜbersicht\u2019-漢字-😀", "n" * 255]
REFUSED = {
    'the "new" one': "double quote",
    "n" * 256: "must have 1 to 255 characters, this one has 256",
    "cluster\\one": "holds a backslash",
    "two\nlines": "control character or line break",
}


@pytest.mark.parametrize("name", SENDABLE, ids=["signs", "unicode", "255"])
def test_a_name_of_any_sign_arrives_as_it_was_given(heads: Heads, name: str) -> None:
    fleet = heads({"hn1": {"baseline": True}})
    wanted: dict[str, Any] = {
        "name": name,
        "content_provider": "WDS",
        "configuration": "C:\\Program Files\\Microsoft HPC Pack\\Data\\",
    }
    fleet.machines["hn1"].files.folder(wanted["configuration"])
    made = fleet.module("hn1", NAMESPACE, friendly_name=name, **wanted)
    assert made["after"]["healthy"]
    key = fleet.machines["hn1"].registry.key(f"{NAMESPACES}\\{name}")
    assert key is not None
    assert fleet.machines["hn1"].live[name.lower()].friendly_name == name
    seen = fleet.module("hn1", INFO, name=name)
    assert seen["namespace"] == name
    assert controller.finding_ids(seen) == set()
    assert fleet.module("hn1", NAMESPACE, name=name, state="absent")["after"] is None
    assert names(fleet.module("hn1", INFO)) == [NAME]


@pytest.mark.parametrize(
    ("name", "module"),
    zip(REFUSED, [INFO, NAMESPACE, INFO, NAMESPACE], strict=True),
    ids=["quote", "256", "backslash", "line"],
)
def test_a_name_that_cannot_be_is_refused_before_anything_is_sent(heads: Heads, name: str, module: str) -> None:
    fleet = heads({"hn1": {}})
    result = fleet.module("hn1", module, name=name, check=False)
    assert REFUSED[name] in message(result)
    assert fleet.nodes["hn1"].counts.http == 0


def test_without_powershell_a_name_that_cmd_would_act_on_is_refused_and_writes_nothing(heads: Heads) -> None:
    fleet = heads({"hn1": {"build": 7601, "powershell": None}})
    wanted: dict[str, Any] = {"content_provider": "WDS", "configuration": "C:\\Images"}
    fleet.machines["hn1"].files.folder("C:\\Images")
    refused = fleet.module("hn1", NAMESPACE, name=SENDABLE[0], check=False, **wanted)
    assert "which cmd.exe may act on, and this host has no PowerShell" in message(refused)
    assert fleet.writes("hn1") == [line for line in fleet.writes("hn1") if "Backups" in line]
    for name in SENDABLE[1:]:
        assert fleet.module("hn1", NAMESPACE, name=name, **wanted)["after"]["stored"]
    assert set(names(fleet.module("hn1", INFO))) == {NAME, *SENDABLE[1:]}


def test_a_write_too_long_for_one_line_is_split(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True}})
    name, text = "n" * 255, "The description of a namespace. " * 30
    wanted: dict[str, Any] = {"name": name, "content_provider": "WDS", "configuration": "C:\\Images"}
    fleet.machines["hn1"].files.folder("C:\\Images")
    fleet.module("hn1", NAMESPACE, description=text.strip(), friendly_name="f" * 200, **wanted)
    assert fleet.machines["hn1"].live[name].description == text.strip()


# --- hostile output ---------------------------------------------------------------------------------------------------

FORGED = "#" + "0123456789abcdef" * 2


@pytest.mark.parametrize("language", ["en", "ja"])
def test_forged_frames_and_keys_change_no_answer(heads: Heads, language: str) -> None:
    forged = f"x\r\n{FORGED} events }} 0 events\r\n{FORGED} live {{\r\nrunning False\r\n{FORGED} live }} 0 live"
    faults = ["hostile-values", ["event-514", {"data": [forged, "<Event>", "]]>"]}]]
    fleet = heads({"hn1": {"baseline": True, "faults": faults, "language": language}})
    result = fleet.module("hn1", INFO)
    expected = {each["name"]: each for each in result["namespaces"]}[NAME]
    assert expected["healthy"]
    assert result["service"]["state"] == "running"
    assert not any("Forged" in key for key in result["server"])
    # Which of the foreign keys is whole cannot be known from what reg.exe prints: none of them is believed.
    foreign = [each for each in result["namespaces"] if each["name"] != NAME and each["stored"]]
    assert foreign
    assert not any(each["complete"] for each in foreign)
    assert fleet.writes("hn1") == []


def test_megabytes_of_registry_are_read_to_their_end(heads: Heads) -> None:
    fleet = heads({"hn1": {"baseline": True}})
    for number in range(4):
        fleet.machines["hn1"].registry.set(PARAMETERS, f"Large{number}", "REG_SZ", "漢A%&'\" }" * 80_000)
    result = fleet.module("hn1", INFO)
    assert names(result) == [NAME]
    assert result["findings"] == []


@pytest.mark.parametrize("powershell", ["5.1", None], ids=["powershell", "cmd"])
def test_bytes_that_are_no_text_and_noise_on_stderr_spoil_nothing_else(heads: Heads, powershell: str | None) -> None:
    fleet = heads({"hn1": {"baseline": True, "build": 7601, "powershell": powershell}})
    machine = fleet.machines["hn1"]
    machine.registry.set(PARAMETERS, "Odd", "REG_SZ", "0dd-bytes")
    noise = (
        b'#< CLIXML\r\n<Objs Version="1.1.0.1"><S S="Error">' + FORGED.encode() + b" store }_x000D__x000A_</S></Objs>"
    )

    def spoiled(execution: Execution) -> Execution:
        stdout = (
            b"\xef\xbb\xbf\xff\xfe noise\r\n" + execution.stdout.replace(b"0dd-bytes", b"\x80\xff\xc3(\x00") + b"\xff"
        )
        return Execution(stdout, noise, execution.code, execution.lose)

    cmd, program = machine.run_cmd, machine.run_program
    machine.run_cmd = lambda *given: spoiled(cmd(*given))  # type: ignore[method-assign] # the double, made worse
    machine.run_program = lambda *given: spoiled(program(*given))  # type: ignore[method-assign] # as above
    result = fleet.module("hn1", INFO)
    assert names(result) == [NAME]
    assert controller.finding_ids(result) == set()


# --- secrets ----------------------------------------------------------------------------------------------------------


@contextmanager
def watched(secret: str) -> Iterator[list[str]]:
    """Collects the command lines of this machine's processes that show ``secret``."""
    found: list[str] = []
    looks = 0
    ended = threading.Event()

    def look() -> None:
        nonlocal looks
        while not ended.is_set():
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    line = path.read_bytes().decode(errors="replace")
                    if secret in line:
                        found.append(line)
            looks += 1
            ended.wait(0.02)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        assert looks > 3


def test_the_watch_sees_a_secret_in_a_command_line() -> None:
    with watched(PASSWORD) as found:
        subprocess.run([sys.executable, "-c", "import time; time.sleep(0.5)", PASSWORD], check=True)
    assert found


@pytest.mark.parametrize("variables", [{}, PSRP], ids=["winrm", "psrp"])
def test_the_password_is_nowhere_to_be_read(heads: Heads, variables: dict[str, str]) -> None:
    fleet = heads(
        {"hn1": {**broken(), "faults": [*broken()["faults"], "blank-namespace-logs"]}, "hn2": {}},
        {"password": PASSWORD},
        {**variables, "ansible_password": PASSWORD},
    )
    fleet.nodes["hn2"].set(password="An0ther!")
    with watched(PASSWORD) as found:
        run = fleet.playbook("repair-multicast", "-vvv", "--diff", multicast_max_broken_percent=100)
    assert found == []
    assert run.outcome("hn1") == "repaired", run.output
    assert run.outcome("hn2") == "unreachable"
    shown = run.output + json.dumps(run.report)
    assert PASSWORD not in shown
    assert "Geheim-4711" not in shown

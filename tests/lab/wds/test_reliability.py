"""Head nodes that break while they are looked at or repaired, hostile ones, and secrets."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from extensions.head_nodes import nodes
from extensions.head_nodes.machine import NAMESPACES, PARAMETERS, Execution, Machine
from tests.lab import controller
from tests.lab.wds.conftest import Heads
from tests.lab.wds.together import WAYS, differing, modules

INFO, NAMESPACE, SERVER = "wds_multicast_info", "wds_multicast_namespace", "wds_transport_server"
LOOK = r"Services\WDSServer','/s'"
CREATE = "/New-Namespace"
PASSWORD = "Geh31m-und-ein-5chloss!"


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
def test_a_lost_look_says_what_was_lost_and_believes_nothing(heads: Heads) -> None:
    fleet = heads({kind: {"baseline": True, "variables": variables} for kind, variables in WAYS.items()})
    for node in fleet.nodes.values():
        node.lose("middle")
    for kind, result in modules(fleet, INFO).items():
        assert f"The connection to {kind} ({kind}) broke while 'none', 'store', 'own' and" in message(result)
        assert message(result).endswith("Nothing was to be changed: run again.")
        assert not {"findings", "namespaces", "namespace", "baseline"} & set(result)
    assert [result["findings"] for result in modules(fleet, INFO).values()] == [[], []]


@pytest.mark.usefixtures("breaking")
def test_a_write_that_was_cut_off_is_looked_after(heads: Heads) -> None:
    fleet = heads({name: broken() for name in ("before", "middle", "looking")})
    fleet.nodes["before"].lose("before", contains=CREATE)
    fleet.nodes["middle"].lose("middle", contains=CREATE)
    # Two looks come before the write; the one after it is lost.
    fleet.nodes["looking"].lose("before", contains=LOOK, skip=2)
    first = modules(fleet, NAMESPACE)
    assert "wdsutil.exe /New-Namespace may have been done or not" in message(first["before"])
    assert created(first["before"]) == ["failed"]
    assert created(first["middle"]) == ["done"]
    assert controller.finding_ids(first["middle"]) == set()
    # It was done, and is no success all the same: nobody has seen it.
    assert "looking-ccp" in fleet.machines["looking"].live
    assert "The connection to looking (winrm) broke while" in message(first["looking"])
    again = modules(fleet, NAMESPACE)
    assert {name: created(result) for name, result in again.items()} == {
        "before": ["done"],
        "middle": [],
        "looking": [],
    }
    for name, result in again.items():
        assert result["after"]["healthy"]
        assert controller.finding_ids(result) == set()
        assert len([line for line in fleet.machines[name].commands if CREATE in line]) == 1


def created(result: Mapping[str, Any]) -> list[str]:
    """What became of the steps that create a namespace."""
    return [step["outcome"] for step in result["steps"] if step["kind"] == "namespace.create"]


# --- who may not come in ----------------------------------------------------------------------------------------------


def test_a_wrong_password_is_tried_once_and_exhausted_shells_are_not_called_one(heads: Heads) -> None:
    one = {"faults": ["service-stopped"]}
    fleet = heads(
        {f"{kind}-{why}": {**one, "variables": WAYS[kind]} for kind in WAYS for why in ("password", "shells")}
    )
    for name, node in fleet.nodes.items():
        node.set(**({"password": "An0ther!"} if name.endswith("password") else {"shells": 0}))
    denied = [name for name in fleet.nodes if name.endswith("password")]
    for name, result in modules(fleet, SERVER).items():
        said = message(result)
        if name.endswith("password"):
            assert "refused the credentials" in said
            assert "correct ansible_user and ansible_password" in said
            assert fleet.nodes[name].counts.failed_logins == 1
        else:
            assert "opens no more shells for this user (MaxShellsPerUser)" in said
            assert "credentials" not in said
            assert "password" not in said
            assert fleet.nodes[name].counts.failed_logins == 0
    # A whole repair, with all its tasks, tries it once as well.
    run = fleet.playbook("repair-multicast", hosts=tuple(denied))
    for name in denied:
        assert run.outcome(name) == "unreachable", run.explain(name)
        assert fleet.nodes[name].counts.failed_logins == 2


# --- names and lengths ------------------------------------------------------------------------------------------------

SENDABLE = {
    "signs": "o'hn & 100% %PATH% ^ (x) <y> | $z `q ;",
    "unicode": "\u201aÜbersicht\u2019-漢字-😀",
    "long": "n" * 255,
}
REFUSED = {
    "quote": ('the "new" one', "double quote"),
    "longer": ("n" * 256, "must have 1 to 255 characters, this one has 256"),
    "backslash": ("cluster\\one", "holds a backslash"),
    "line": ("two\nlines", "control character or line break"),
}


def test_a_name_of_any_sign_arrives_as_it_was_given(heads: Heads) -> None:
    fleet = heads({node: {"baseline": True} for node in SENDABLE})
    wanted = {"content_provider": "WDS", "configuration": "C:\\Program Files\\Microsoft HPC Pack\\Data\\"}
    for machine in fleet.machines.values():
        machine.files.folder(wanted["configuration"])
    # With these the write is longer than a command line: it is split.
    more = {"long": ("The description of a namespace. " * 30).strip()}
    options, named = differing(name=SENDABLE)
    many, texts = differing(name=SENDABLE, friendly_name=SENDABLE, description=more)
    made = modules(fleet, NAMESPACE, *many, **wanted, **texts)
    seen = modules(fleet, INFO, *options, **named)
    for node, name in SENDABLE.items():
        assert made[node]["after"]["healthy"]
        assert fleet.machines[node].registry.key(f"{NAMESPACES}\\{name}") is not None
        live = fleet.machines[node].live[name.lower()]
        assert (live.friendly_name, live.description) == (name, more.get(node, ""))
        assert seen[node]["namespace"] == name
        assert controller.finding_ids(seen[node]) == set()
    for node, gone in modules(fleet, NAMESPACE, *options, state="absent", **named).items():
        assert gone["after"] is None
        assert list(fleet.machines[node].live) == [nodes.expected_name(fleet.machines[node]).lower()]


def test_a_name_that_cannot_be_is_refused_before_anything_is_sent(heads: Heads) -> None:
    fleet = heads({node: {} for node in REFUSED})
    options, named = differing(name={node: name for node, (name, _words) in REFUSED.items()})
    for node, result in modules(fleet, NAMESPACE, *options, **named).items():
        assert REFUSED[node][1] in message(result)
        assert fleet.nodes[node].counts.http == 0


def test_without_powershell_a_name_that_cmd_would_act_on_is_refused_and_writes_nothing(heads: Heads) -> None:
    fleet = heads({node: {"build": 7601, "powershell": None} for node in SENDABLE})
    wanted = {"content_provider": "WDS", "configuration": "C:\\Images"}
    for machine in fleet.machines.values():
        machine.files.folder("C:\\Images")
    options, named = differing(name=SENDABLE)
    made = modules(fleet, NAMESPACE, *options, **wanted, **named)
    assert "which cmd.exe may act on, and this host has no PowerShell" in message(made.pop("signs"))
    assert fleet.writes("signs") == [line for line in fleet.writes("signs") if "Backups" in line]
    seen = modules(fleet, INFO)
    for node in made:
        assert made[node]["after"]["stored"]
        assert set(names(seen[node])) == {nodes.expected_name(fleet.machines[node]), SENDABLE[node]}


# --- hostile output ---------------------------------------------------------------------------------------------------

FORGED = "#" + "0123456789abcdef" * 2


def spoil(machine: Machine) -> None:
    """Bytes that are no text in the machine's registry and around all that it prints, and noise on stderr."""
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


def test_forgery_megabytes_and_bytes_that_are_no_text_change_no_answer(heads: Heads) -> None:
    forged = f"x\r\n{FORGED} events }} 0 events\r\n{FORGED} live {{\r\nrunning False\r\n{FORGED} live }} 0 live"
    forgery = {"faults": ["hostile-values", ["event-514", {"data": [forged, "<Event>", "]]>"]}]]}
    kinds: dict[str, dict[str, Any]] = {
        "forged": forgery,
        "forged-ja": {**forgery, "language": "ja"},
        "large": {},
        "odd": {"build": 7601},
        "odd-cmd": {"build": 7601, "powershell": None},
    }
    fleet = heads({name: {**kind, "baseline": True} for name, kind in kinds.items()})
    for number in range(4):
        fleet.machines["large"].registry.set(PARAMETERS, f"Large{number}", "REG_SZ", "漢A%&'\" }" * 80_000)
    for name in ("odd", "odd-cmd"):
        spoil(fleet.machines[name])
    results = modules(fleet, INFO)
    for name, result in results.items():
        expected = nodes.expected_name(fleet.machines[name])
        assert {each["name"]: each for each in result["namespaces"]}[expected]["healthy"]
        assert result["service"]["state"] == "running"
        assert fleet.writes(name) == []
        if not name.startswith("forged"):
            assert names(result) == [expected]
            assert controller.finding_ids(result) == set()
            continue
        assert not any("Forged" in key for key in result["server"])
        # Which of the foreign keys is whole cannot be known from what reg.exe prints: none of them is believed.
        foreign = [each for each in result["namespaces"] if each["name"] != expected and each["stored"]]
        assert foreign
        assert not any(each["complete"] for each in foreign)


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


def test_the_password_is_nowhere_to_be_read(heads: Heads) -> None:
    ill = {**broken(), "faults": [*broken()["faults"], "blank-namespace-logs"]}
    fleet = heads(
        {"denied": {}, **{kind: {**ill, "variables": variables} for kind, variables in WAYS.items()}},
        {"password": PASSWORD},
        {"ansible_password": PASSWORD},
    )
    fleet.nodes["denied"].set(password="An0ther!")
    with watched(PASSWORD) as found:
        run = fleet.playbook("repair-multicast", "-vvv", "--diff", multicast_max_broken_percent=100)
    assert found == []
    assert run.outcome("denied") == "unreachable"
    for kind in WAYS:
        assert run.outcome(kind) == "repaired", run.output
    shown = run.output + json.dumps(run.report)
    assert PASSWORD not in shown
    assert "Geheim-4711" not in shown

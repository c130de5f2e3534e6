# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What apply sends: the stock programs and arguments of each write, and what their exit codes mean. Pure.

Sources: facts/windows.md sections 3 (wdsutil), 6 (features, ServerManagerCmd) and 9 (the ladder).
"""

import re
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from .._steps import Step
from . import scripts
from .batch import Answer, Command, Item
from .builds import CMDLETS
from .diagnose_namespaces import find
from .plan_base import WDS
from .registry import parse_registry
from .snapshot import Namespace, Place, Snapshot
from .store import BASELINE, NAMESPACES, OWN, REINSTALL, STORE

BACKUPS = OWN + "\\Backups"
#: How many backups stay on the host: each is read with every look.
KEPT = 5
#: How many copies of the whole of WDSServer's key stay there.
KEPT_WHOLE = 2
#: Exit code of shutdown.exe: a shutdown is under way already (ERROR_SHUTDOWN_IN_PROGRESS).
SHUTTING_DOWN = 1115

# Field of a namespace -> its value in the registry.
_VALUES = {
    "friendly_name": "FriendlyName",
    "description": "Description",
    "session_start_type": "SessionStartType",
    "session_flags": "SessionFlags",
    "min_clients": "MinClients",
    "start_time": "StartTime",
}
_NAMES = "Namespaces"
_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z(?:-[0-9]+)?\Z")
_WHOLE = "-WDSServer"
_LINE = re.compile(r"(?P<word>success|exit|restart|error) (?P<value>\S+)\s*\Z")
_SHOWN = 200

# Exit codes of ServerManagerCmd with which the work goes on, and those with a cause of their own.
_GOES_ON = {0: "done", 3010: "done, a reboot is needed", 1003: "nothing was to be changed"}
_CAUSES = {
    -1: "the program is not on the host: install the Server Manager tools",
    4: "it was given an argument it does not know: this Windows is not the one that was expected, reinstall by hand",
    5: "the user is not elevated: connect as a member of Administrators whose token is not filtered (see "
    "LocalAccountTokenFilterPolicy)",
    110: "its answer file is invalid: reinstall by hand",
    1004: "another wizard or installation is running: let it end, then run again",
}


class Verdict(NamedTuple):
    """What the feature tool's exit means: whether the work goes on, and a clause that says why."""

    goes_on: bool
    text: str


def write(step: Step, snapshot: Snapshot, force: bool = False) -> Tuple[Item, ...]:
    """The commands that carry a step out, on a host that is as the snapshot says.

    :raises KeyError: apply knows no such kind of step.
    """
    name = step.target.get("namespace", "")
    if step.kind == "baseline.save":
        return _save(name, snapshot)
    if step.kind == "namespace.create":
        return (_create(name, step),)
    if step.kind == "namespace.remove":
        arguments = ("/Remove-Namespace", f"/Namespace:{name}") + (("/Force",) if force else ())
        return (Command("write", "wdsutil.exe", arguments),)
    return (
        {
            "service.enable": Command("write", "sc.exe", ("config", WDS, "start=", "auto")),
            "service.start": Command("write", "net.exe", ("start", WDS)),
        }[step.kind],
    )


def backup(stamp: str) -> Tuple[Item, ...]:
    """Copy the whole store, read the copy, and list all the backups."""
    path = f"{BACKUPS}\\{stamp}"
    return (
        Command("backup", "reg.exe", ("copy", NAMESPACES, path, "/s", "/f")),
        Command("copied", "reg.exe", ("query", path, "/s")),
        Command("backups", "reg.exe", ("query", BACKUPS)),
    )


def stamp_of(time: str) -> str:
    """The name of a backup of that time (ISO 8601 in UTC), such as ``20260101T101500Z``; "" where it is none."""
    stamp = time.replace("-", "").replace(":", "").partition(".")[0].rstrip("Z") + "Z"
    return stamp if _STAMP.match(stamp) else ""


def whole(stamp: str) -> str:
    """The key that a copy of all that WDSServer's key holds is in."""
    return f"{BACKUPS}\\{stamp}{_WHOLE}"


def backup_whole(stamp: str) -> Tuple[Item, ...]:
    """Copy all of WDSServer's key, which goes with the feature, and read the copy."""
    return (
        Command("backup", "reg.exe", ("copy", STORE, whole(stamp), "/s", "/f")),
        Command("copied", "reg.exe", ("query", whole(stamp), "/s")),
        Command("backups", "reg.exe", ("query", BACKUPS)),
    )


def compare(stamp: str) -> Tuple[Item, ...]:
    """Read WDSServer's key and the copy of it."""
    return (
        Command("now", "reg.exe", ("query", STORE, "/s")),
        Command("copied", "reg.exe", ("query", whole(stamp), "/s")),
    )


def superfluous(stamps: Sequence[str]) -> Tuple[str, ...]:
    """The backups to let go: all but the newest; a key that is none of them is left alone."""

    def age(stamp: str) -> Tuple[str, int]:
        moment, _dash, number = stamp.partition("-")
        return moment, int(number or 0)

    own = sorted((stamp for stamp in stamps if _STAMP.match(stamp)), key=age)
    copies = sorted(stamp for stamp in stamps if stamp.endswith(_WHOLE) and _STAMP.match(stamp[: -len(_WHOLE)]))
    return (*own[:-KEPT], *copies[:-KEPT_WHOLE])


def forget(stamps: Sequence[str]) -> Tuple[Item, ...]:
    """Delete backups."""
    return tuple(
        Command(f"forget{number}", "reg.exe", ("delete", f"{BACKUPS}\\{stamp}", "/f"))
        for number, stamp in enumerate(stamps)
    )


def keep_place(place: Place, names: Sequence[str]) -> Tuple[Item, ...]:
    """Write where a reinstall stands and which namespaces it has to bring back, and read it.

    The boot comes before the stage: cut off between them, the host reboots once more than needed and skips nothing.
    """
    values = (
        # No name holds a backslash (facts/windows.md section 2).
        (_NAMES, "\\".join(names)),
        ("Started", place.started),
        ("Boot", place.boot),
        ("Stage", place.stage),
    )
    commands = [
        Command(name.lower(), "reg.exe", ("add", REINSTALL, "/v", name, "/t", "REG_SZ", "/d", value, "/f"))
        for name, value in values
    ]
    return (*commands, read_place_command())


def read_place_command() -> Item:
    """Read where a reinstall stands; answer ``place``."""
    return Command("place", "reg.exe", ("query", REINSTALL))


def namespaces_of_place(answer: Answer) -> Tuple[str, ...]:
    """The namespaces that a reinstall has to bring back, from the answer ``place``; none where none is under way."""
    key = parse_registry(answer.output).key(REINSTALL)
    return tuple(name for name in (key.text(_NAMES) if key else "").split("\\") if name)


def end_place() -> Tuple[Item, ...]:
    """The reinstall is over."""
    return (Command("end", "reg.exe", ("delete", REINSTALL, "/f")),)


def feature(kind: str, tool: str) -> Item:
    """``feature.remove`` or ``feature.install`` with the tool of this build (:mod:`builds`)."""
    remove = kind == "feature.remove"
    if tool == CMDLETS:
        return scripts.remove_feature() if remove else scripts.install_feature()
    arguments = ("-remove", WDS[:3]) if remove else ("-install", "WDS-Transport")
    return Command("feature", "servermanagercmd.exe", arguments)


def reboot() -> Tuple[Item, ...]:
    """Reboot in two seconds, so that the answer still arrives; reason: application maintenance, planned."""
    return (Command("reboot", "shutdown.exe", ("/r", "/t", "2", "/d", "p:2:4")),)


def verdict(answer: Answer, tool: str) -> Verdict:
    """What came of the feature tool; its text is localised, so only numbers count."""
    if answer.code is None:
        return Verdict(False, "the feature cmdlets need PowerShell, which this host does not offer: reinstall by hand")
    code = answer.code
    if tool == CMDLETS and code == 0:
        said = {}
        for line in answer.output.split("\n"):
            found = _LINE.match(line)
            if found:
                said[found.group("word")] = found.group("value")
        if "error" in said:
            return Verdict(False, f"the cmdlet failed with {_hresult(said['error'])}: look into the event log")
        if not re.match(r"-?[0-9]+\Z", said.get("exit", "")):
            return Verdict(False, "the cmdlet did not say how it ended: look into the event log, then run again")
        code = int(said["exit"])
        if said.get("success") != "True" and code in _GOES_ON:
            return Verdict(False, f"the cmdlet did not succeed (exit code {code}): look into the event log")
    if code in _GOES_ON:
        return Verdict(True, f"{_GOES_ON[code]} (exit code {code})")
    cause = _CAUSES.get(code, "look into the event log and into %windir%\\logs\\ServerManager.log")
    return Verdict(False, f"exit code {code}: {cause}")


def evidence(items: Sequence[Item], answers: Dict[str, Answer]) -> str:
    """What the programs said, as one bounded line: shown, never decided on."""
    parts: List[str] = []
    for item in items:
        answer = answers[item.key]
        text = " ".join("".join(each if each.isprintable() else " " for each in answer.output).split())
        text = text if len(text) <= _SHOWN else "..." + text[-_SHOWN:]
        program = item.program if isinstance(item, Command) else item.key
        parts.append(f"{program} ended with {answer.code}" + (f": {text}" if text else ""))
    return "; ".join(parts)


def _save(name: str, snapshot: Snapshot) -> Tuple[Item, ...]:
    source, target = f"{NAMESPACES}\\{name}", f"{BASELINE}\\{name}"
    stored, known = find(snapshot.store, name), find(snapshot.baseline, name)
    copy = Command("write", "reg.exe", ("copy", source, target, "/s", "/f"))
    # A copy leaves the values that only its target has.
    stale = [
        Command(f"stale{number}", "reg.exe", ("delete", target, "/v", value, "/f"))
        for number, (field, value) in enumerate(_VALUES.items())
        if _there(known, field) and not _there(stored, field)
    ]
    return (copy, *stale)


def _there(namespace: Optional[Namespace], field: str) -> bool:
    return getattr(namespace, field, None) not in (None, "")


def _create(name: str, step: Step) -> Item:
    after = step.after
    arguments = ["/New-Namespace", f"/FriendlyName:{after['friendly_name'] or name}"]
    if after["description"]:
        arguments.append(f"/Description:{after['description']}")
    arguments += [f"/Namespace:{name}", f"/ContentProvider:{after['content_provider']}"]
    if after["configuration"]:
        arguments.append(f"/ConfigString:{after['configuration']}")
    return Command("write", "wdsutil.exe", (*arguments, "/NamespaceType:AutoCast"))


def _hresult(text: str) -> str:
    return f"HRESULT 0x{int(text) & 0xFFFFFFFF:08X}" if re.match(r"-?[0-9]{1,10}\Z", text) else "an unknown error"

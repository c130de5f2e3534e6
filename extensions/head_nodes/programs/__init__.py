"""The programs of the simulated head node, and which of them a machine has."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from extensions.head_nodes.programs import (
    features,
    findstr,
    reg,
    services,
    shells,
    system,
    wdsutil,
    wevtutil,
)
from extensions.head_nodes.programs.base import Call, Console, Output, Program, split

if TYPE_CHECKING:
    from extensions.head_nodes.machine import Machine

PROGRAMS: Mapping[str, Program] = {
    "reg.exe": reg.main,
    "sc.exe": services.sc,
    "net.exe": services.net,
    "wdsutil.exe": wdsutil.main,
    "wevtutil.exe": wevtutil.main,
    "netstat.exe": system.netstat,
    "findstr.exe": findstr.main,
    "servermanagercmd.exe": features.main,
    "shutdown.exe": system.shutdown,
    "wmic.exe": system.wmic,
    "where.exe": system.where,
    "chcp.com": system.chcp,
    "cmd.exe": shells.cmd,
    "powershell.exe": shells.powershell,
}


def find(machine: "Machine", name: str) -> str | None:
    """The file name of the program that ``name`` starts on this machine; None where there is no such program.

    A name may come without extension or with System32's path.
    """
    name = machine.expand(name).lower()
    folder, _backslash, file = name.rpartition("\\")
    if folder not in ("", "c:\\windows\\system32", "c:\\windows\\system32\\windowspowershell\\v1.0"):
        return None
    for candidate in (file, file + ".exe", file + ".com"):
        if candidate in PROGRAMS and _there(machine, candidate):
            return candidate
    return None


def _there(machine: "Machine", program: str) -> bool:
    return {
        "wdsutil.exe": machine.tools,
        "servermanagercmd.exe": machine.build.servermanagercmd,
        "wmic.exe": machine.build.wmic,
        "powershell.exe": machine.powershell is not None,
    }.get(program, True)


def start(machine: "Machine", program: str, tail: str, stdin: bytes | None, console: Console, user: str) -> Output:
    """Run a program that ``find`` found, with the raw rest of its command line.

    Raises:
        extensions.head_nodes.machine.Dropped: the connection is to be lost after this program.
    """
    call = Call(machine, program, tail, split(tail), stdin, console, user)
    output = PROGRAMS[program](call)
    if program not in ("cmd.exe", "powershell.exe"):
        machine.ran(f"{program} {tail}".strip())
    return output


def launch(machine: "Machine", line: str, console: Console, user: str) -> Output:
    """Start the program that a whole command line names, as CreateProcess does."""
    found = re.match(r'\s*(?:"([^"]*)"|(\S+))\s*', line)
    name = (found[1] or found[2] or "") if found else ""
    program = find(machine, name)
    if found is None or program is None:
        message = "The system cannot find the file specified.\r\n"
        return Output(b"", message.encode(), 2)
    return start(machine, program, line[found.end() :], None, console, user)


__all__ = ["PROGRAMS", "Call", "Console", "Output", "find", "launch", "split", "start"]

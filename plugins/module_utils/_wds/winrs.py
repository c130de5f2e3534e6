# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A head node without PowerShell, over winrm: the cmd.exe of the WinRS shell that ansible's winrm plugin has open.

The only file that touches what belongs to that plugin: ``protocol`` and ``shell_id``. (facts/windows.md section 8.8)
"""

import re
from typing import Any, Callable, Dict, Sequence, Tuple

from . import batch, names
from .batch import Answer, Command, Part

# /v:on for !ERRORLEVEL!, which is read when a command has ended; %ERRORLEVEL% would be read before the line begins.
_CMD = ("/v:on", "/s", "/c")
_CMD_LENGTH = len('cmd.exe /v:on /s /c ""')
_UNKNOWN_PROGRAM = 9009

# Arguments of this collection itself that hold characters which cmd.exe acts on outside double quotes.
_KNOWN = (
    re.compile(r"netstat\.exe -ano -p UDP\|findstr\.exe(?: /c::[0-9]+)+\Z"),
    re.compile(
        r"/q:\*\[System\[(?:Provider\[@Name='\w+'(?: or @Name='\w+')*\])?(?: and )?"
        r"(?:TimeCreated\[timediff\(@SystemTime\) <= [0-9]+\])?\]\]\Z"
    ),
)

# Asked before anything else: is there a PowerShell that can run a script? Version 1.0 knows no try.
LOOK = (
    Command("where", "where.exe", ("/Q", "PowerShell.exe")),
    Command(
        "engine",
        "reg.exe",
        ("query", r"HKLM\SOFTWARE\Microsoft\PowerShell\1\PowerShellEngine", "/v", "PowerShellVersion"),
    ),
)


def unusable(answers: Dict[str, Answer]) -> bool:
    """Whether the answers to :data:`LOOK` say that PowerShell is absent, or too old for any script."""
    return answers["where"].code != 0 or re.search(r"\s1\.0\s*$", answers["engine"].output, re.MULTILINE) is not None


def parts(commands: Sequence[Command], nonce: Callable[[], str]) -> Tuple[Part, ...]:
    """The commands as few lines for cmd.exe, framed as :func:`batch.parse` takes them.

    :raises UnsendableError: a command does not fit into one line, or cmd.exe would change a value.
    """
    batch.check(commands)
    limit = batch.longest_command_line() - _CMD_LENGTH
    return batch.pack(commands, [_line(command) for command in commands], nonce, _join, limit)


def answers(output: str, part: Part) -> Dict[str, Answer]:
    """As :func:`batch.parse`, with the code of a program that is not there as everywhere else.

    :raises FrameError: a frame is missing, cut off or not in its place.
    """
    return {
        key: Answer(batch.NOT_THERE if answer.code == _UNKNOWN_PROGRAM else answer.code, answer.output)
        for key, answer in batch.parse(output, part).items()
    }


def execute(connection: Any, line: str) -> str:
    """Run one line in the open shell of ansible's winrm connection; what it printed, decoded as UTF-8.

    The line goes to a cmd.exe of its own: the one that WinRS would start reads it without delayed expansion.
    """
    protocol, shell = connection.protocol, connection.shell_id
    command = protocol.run_command(shell, "cmd.exe", (*_CMD, f'"{line}"'), skip_cmd_shell=True)
    try:
        output = protocol.get_command_output(shell, command)[0]
    finally:
        protocol.cleanup_command(shell, command)
    decoded: str = output.decode("utf-8", "replace")
    return decoded


def _line(command: Command) -> str:
    arguments = " ".join(names.cmd_argument(argument, _KNOWN) for argument in command.arguments)
    # <nul: wmic.exe waits for its input. echo( ends a last line that has no end.
    text = f"{command.program} {arguments}".rstrip()
    return f"echo #%s {command.key} {{&{text} <nul 2>&1&echo(&echo #%s }} !ERRORLEVEL! {command.key}"


def _join(lines: Sequence[str], nonce: str) -> str:
    return "&".join(lines).replace("#%s ", f"#{nonce} ")

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands to script texts with framed answers, and the output of such a script back to answers.

Each answer stands between two lines that begin with a nonce of the script, so that no program can forge one: what it
prints cannot know the nonce. The exit code stands in the closing line, because neither winrm nor psrp brings one back
reliably, and stderr decides nothing. (facts/windows.md section 8.2 and 8.7) The key stands behind it: a code that lost
its last digits would still be a code.
"""

import base64
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple, Union

from . import names
from .errors import FrameError, UnsendableError

# What cmd.exe accepts as one command line. (facts/windows.md section 8.3)
LONGEST_COMMAND_LINE = 8191
# WinRS and sshd put the path of cmd.exe, /c and quotes before the command.
_SHELL_RESERVE = 64
_PREFIX = "PowerShell -NoProfile -NonInteractive -ExecutionPolicy Unrestricted -EncodedCommand "

NOT_THERE = -1

_KEY = re.compile(r"[a-z][a-z0-9_.-]*\Z")
# A bare `sc` or `where` is an alias of PowerShell. (facts/windows.md section 8.7)
_PROGRAM = re.compile(r"[A-Za-z0-9]+\.exe\Z")
_NONCE = re.compile(r"[0-9a-f]{32}\Z")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"-?[0-9]{1,10}\Z")

# Programs and the beginnings of arguments that only read; anything else may have written when the connection breaks.
_READS = {
    "reg.exe": ("query ",),
    "sc.exe": ("query ", "queryex ", "qc "),
    "wevtutil.exe": ("qe ",),
    "cmd.exe": ("/c netstat.exe ",),
    "wmic.exe": ("os get ",),
    "where.exe": ("",),
}
_READING_SCRIPTS = ("live", "boot", "deployments")  # what stands before a dot in the key


class Command(NamedTuple):
    """A stock program with its arguments, e.g. ``Command("wds", "sc.exe", ("query", "WDSServer"))``."""

    key: str  # names the answer; lower case
    program: str  # with its extension
    arguments: Tuple[str, ...]  # as the program shall see them, unquoted


class Script(NamedTuple):
    """A text of :mod:`scripts`; it needs PowerShell."""

    key: str
    text: str


class Answer(NamedTuple):
    """What one command or script printed, stdout and stderr mixed, lines ended with ``\\n``."""

    code: Optional[int]  # exit code; -1 the program is not on the host, None it could not be asked there
    output: str


Item = Union[Command, Script]

# The console would cut or join lines at its width, and print in the codepage of the country; psrp has no console.
# In psrp $Host.Name is ServerRemoteHost.
_PROLOGUE = """$ErrorActionPreference='Continue'
if($Host.Name -eq 'ConsoleHost'){try{[Console]::OutputEncoding=New-Object Text.UTF8Encoding $false}catch{}
try{$Host.UI.RawUI.BufferSize=New-Object Management.Automation.Host.Size 9999,60}catch{}}
$n='#%s '
"""
_FUNCTION = """function x($k,$p,$a){$n+$k+' {';$global:LASTEXITCODE=-1
try{& $p $a 2>&1|%{''+$_}}catch{};$n+'} '+$global:LASTEXITCODE+' '+$k}
"""
_SCRIPT = """$n+'%(key)s {';try{
%(text)s
}catch{$x=$_.Exception;while($x.InnerException){$x=$x.InnerException}
'error '+[Runtime.InteropServices.Marshal]::GetHRForException($x)}
$n+'} 0 %(key)s'"""


class Part(NamedTuple):
    """One script to send, and what it answers."""

    text: str
    nonce: str
    items: Tuple[Item, ...]

    @property
    def keys(self) -> Tuple[str, ...]:
        """The keys of the answers, in their order."""
        return tuple(item.key for item in self.items)


def powershell_parts(items: Sequence[Item], nonce: Callable[[], str], limit: Optional[int] = None) -> Tuple[Part, ...]:
    """The items as few scripts, in the same order.

    :param nonce: returns 32 hexadecimal digits, new ones at each call.
    :param limit: the longest script that may be sent, in UTF-16 units; None: any.
    :raises UnsendableError: an item does not fit into one script, or cannot be sent unchanged.
    """
    check(items)
    return pack(items, [powershell_line(item) for item in items], nonce, _powershell, limit)


def pack(
    items: Sequence[Item],
    lines: Sequence[str],
    nonce: Callable[[], str],
    join: Callable[[Sequence[str], str], str],
    limit: Optional[int],
) -> Tuple[Part, ...]:
    """Fill one text after another with the lines of the items; a line is never taken apart.

    :param join: makes the whole text of lines and a nonce.
    :raises UnsendableError: a line does not fit into a text of its own.
    """
    parts: List[Tuple[List[Item], List[str]]] = []
    probe = "0" * 32
    for item, line in zip(items, lines):
        if limit is not None and names.length(join([line], probe)) > limit:
            raise UnsendableError(
                f"The command {item.key!r} is too long for one command line of Windows "
                f"({names.length(join([line], probe))} characters, {limit} fit): use shorter values."
            )
        if parts and (limit is None or names.length(join([*parts[-1][1], line], probe)) <= limit):
            parts[-1][0].append(item)
            parts[-1][1].append(line)
        else:
            parts.append(([item], [line]))
    result = []
    for part, texts in parts:
        own = nonce()
        if not _NONCE.match(own):
            raise ValueError("a nonce has 32 hexadecimal digits")
        result.append(Part(join(texts, own), own, tuple(part)))
    return tuple(result)


def powershell_line(item: Item) -> str:
    """The statement for one item, without prologue.

    :raises UnsendableError: an argument cannot be sent unchanged.
    """
    if isinstance(item, Script):
        return _SCRIPT % {"key": item.key, "text": item.text}
    arguments = ",".join(names.powershell_argument(argument) for argument in item.arguments)
    return f"x '{item.key}' {item.program} @({arguments})"


def encoded(script: str) -> str:
    """The command line that runs a script, as ansible's winrm plugin builds it as well."""
    return _PREFIX + base64.b64encode(script.encode("utf-16-le")).decode("ascii")


def longest_command_line() -> int:
    """Characters that may be sent as one command line; the rest is what the host's own shell puts around it."""
    return LONGEST_COMMAND_LINE - _SHELL_RESERVE


def longest_script() -> int:
    """UTF-16 units of the longest script whose encoded command line cmd.exe accepts."""
    return (longest_command_line() - len(_PREFIX)) // 4 * 3 // 2


def fits(item: Item) -> bool:
    """Whether the item, sent alone, fits into one command line.

    :raises UnsendableError: an argument cannot be sent unchanged.
    """
    return names.length(_powershell([powershell_line(item)], "0" * 32)) <= longest_script()


def parse(output: str, part: Part) -> Dict[str, Answer]:
    """The answers in the output of a script, by key.

    Whatever stands outside the frames (banners, CLIXML) is left out. Bytes that were no UTF-8 become U+FFFD.

    :param output: decoded stdout; undecodable bytes may stand in it as lone surrogates.
    :raises FrameError: a frame is missing, cut off or not in its place.
    """
    answers: Dict[str, Answer] = {}
    mark = f"#{part.nonce} "
    expected = list(part.keys)
    opened = ""
    body: List[str] = []
    for line in output.split("\n"):
        line = line[:-1] if line.endswith("\r") else line
        if not line.startswith(mark):
            if opened:
                body.append(line)
            continue
        words = line[len(mark) :].split(" ")
        if not opened and expected and words == [expected[0], "{"]:
            opened, body = expected.pop(0), []
        elif opened and len(words) == 3 and (words[0], words[2]) == ("}", opened) and _NUMBER.match(words[1]):
            answers[opened] = Answer(int(words[1]), _SURROGATE.sub("\ufffd", "\n".join(body)))
            opened = ""
        else:
            raise FrameError("a line of the script is not where it belongs")
    if opened:
        raise FrameError(f"the answer to {opened!r} is cut off")
    if expected:
        raise FrameError(f"the answer to {expected[0]!r} is missing")
    return answers


def begun(output: str, part: Part) -> bool:
    """Whether the script ran at all: its first frame was opened."""
    return f"#{part.nonce} {part.keys[0]} {{" in output


def reads(item: Item) -> bool:
    """Whether the item only reads; in doubt it does not."""
    if isinstance(item, Script):
        return item.key.partition(".")[0] in _READING_SCRIPTS
    return (" ".join(item.arguments) + " ").lower().startswith(_READS.get(item.program.lower(), ()))


def check(items: Sequence[Item]) -> None:
    """Guard against a mistake in this collection.

    :raises ValueError: no item, a key twice, a key or a program with other than plain letters.
    """
    if not items:
        raise ValueError("nothing to ask")
    keys: Set[str] = set()
    for item in items:
        if not _KEY.match(item.key) or item.key in keys:
            raise ValueError(f"key {item.key!r} is malformed or used twice")
        keys.add(item.key)
        if isinstance(item, Command) and not _PROGRAM.match(item.program):
            raise ValueError(f"{item.program!r} is not the full name of a program")


def _powershell(lines: Sequence[str], nonce: str) -> str:
    function = _FUNCTION if any(line.startswith("x ") for line in lines) else ""
    return _PROLOGUE % nonce + function + "\n".join(lines)

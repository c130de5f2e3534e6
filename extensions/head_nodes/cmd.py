"""cmd.exe of the simulated head node: the command lines of a WinRS shell and of ``cmd /c``.

Modelled: several commands with ``&``, ``&&``, ``||`` and ``|``, double quotes, ``^``, ``%NAME%``, ``!NAME!`` with
/v:on, the redirections ``<nul``, ``>nul``, ``2>nul`` and ``2>&1``, ``echo``, ``ver``, ``rem`` and ``exit``. Anything
else is refused.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from extensions.head_nodes.machine import Dropped
from extensions.head_nodes.programs import Call, Console, find, start

if TYPE_CHECKING:
    from extensions.head_nodes.machine import Machine

LIMIT = 8191
_UNKNOWN_PROGRAM = 9009
_BUILTINS = frozenset(
    ["assoc", "call", "cd", "chdir", "copy", "date", "del", "dir", "for", "ftype", "if", "md", "mkdir", "move"]
) | frozenset(["pushd", "set", "start", "time", "type"])
_REDIRECTIONS = ("2>&1", "2>nul", "1>nul", ">nul", "<nul")


class _Refused(Exception):
    pass


class _Exit(Exception):
    pass


class Part(NamedTuple):
    """One command of a line: the text of its words, its redirections, and what joins it to the one before."""

    joint: str
    text: str
    redirections: tuple[str, ...]


def strip_quotes(line: str, always: bool) -> str:
    """What ``cmd /c LINE`` runs: the first and the last double quote are taken off, without /s with an exception."""
    if not line.startswith('"'):
        return line
    inner = line[1:-1]
    simple = line.count('"') == 2 and line.endswith('"') and " " in inner and not re.search(r"[&<>()@^|]", inner)
    if simple and not always and not re.search(r"\.exe\s", inner):
        return line
    head, quote, tail = line[1:].rpartition('"')
    return head + tail if quote else line[1:]


def run(
    machine: "Machine", line: str, console: Console, user: str, *, delayed: bool = False, stdin: bytes | None = None
) -> tuple[bytes, bytes, int]:
    """Run one command line: standard output, standard error, exit code.

    Raises:
        Dropped: the connection is to be lost; carries the output until then.
    """
    shell = _Shell(machine, console, user, delayed, stdin)
    call = shell.call("cmd.exe", line)
    if len(line) > LIMIT:
        return b"", call.encode(call.say("cmd.long")), 1
    try:
        shell.run(line)
    except _Exit:
        pass
    except _Refused as error:
        machine.refuse(f"cmd: {error}")
        shell.err.append(call.encode(f"NOT MODELLED: {error}\n"))
        shell.code = 87
    except Dropped as drop:
        drop.stdout = b"".join(shell.out) + drop.stdout
        raise
    # Inside the shell a program that is not there leaves 9009; the shell itself ends with 1.
    return b"".join(shell.out), b"".join(shell.err), 1 if shell.code == _UNKNOWN_PROGRAM else shell.code


@dataclass
class _Shell:
    machine: "Machine"
    console: Console
    user: str
    delayed: bool
    stdin: bytes | None
    out: list[bytes] = field(default_factory=list)
    err: list[bytes] = field(default_factory=list)
    level: int = 0
    code: int = 0

    def call(self, program: str, tail: str) -> Call:
        return Call(self.machine, program, tail, (), None, self.console, self.user)

    def run(self, line: str) -> None:
        parts = parse(self._expand(line, "%"))
        index = 0
        while index < len(parts):
            pipe = [parts[index]]
            while index + 1 < len(parts) and parts[index + 1].joint == "|":
                index += 1
                pipe.append(parts[index])
            index += 1
            joint = pipe[0].joint
            if (joint == "&&" and self.code) or (joint == "||" and not self.code):
                continue
            given = self.stdin
            for part in pipe:
                stdout, stderr = self._one(part, given)
                given = stdout
                self.err.append(stderr)
            self.out.append(given or b"")

    def _one(self, part: Part, given: bytes | None) -> tuple[bytes, bytes]:
        text = self._expand(part.text, "!") if self.delayed else part.text
        redirections = set(part.redirections)
        stdout, stderr = self._command(text, b"" if "<nul" in redirections else given)
        if "2>&1" in redirections:
            stdout, stderr = stdout + stderr, b""
        if "2>nul" in redirections:
            stderr = b""
        if redirections & {">nul", "1>nul"}:
            stdout = b""
        return stdout, stderr

    def _command(self, text: str, given: bytes | None) -> tuple[bytes, bytes]:
        text = text.lstrip().removeprefix("@")
        found = re.match(r'"(?P<quoted>[^"]*)"|(?P<bare>[^\s"=,;(/]+(?:/(?=\S*\.)\S*)?)', text)
        if not found:
            raise _Refused(text)
        name = found["quoted"] if found["quoted"] is not None else found["bare"]
        tail = text[found.end() :]
        builtin = self._builtin(name.lower())
        if builtin is not None and found["quoted"] is None:
            return builtin(tail), b""
        program = find(self.machine, name)
        if program is None:
            call = self.call(name, tail)
            self.level = self.code = _UNKNOWN_PROGRAM
            return b"", call.encode(call.say("cmd.unknown", name=name))
        output = start(self.machine, program, tail.strip(" "), given, self.console, self.user)
        self.level = self.code = output.code - 2**32 if output.code >= 2**31 else output.code
        return output.stdout, output.stderr

    def _builtin(self, name: str) -> Callable[[str], bytes] | None:
        if name in _BUILTINS:
            raise _Refused(f"the command {name}")
        own = {"echo": self._echo, "echo.": self._empty, "ver": self._ver, "rem": self._rem, "exit": self._exit}
        return own.get(name)

    def _echo(self, tail: str) -> bytes:
        self.code = 0
        if not tail.strip():
            raise _Refused("echo without a text")
        return self.call("echo", tail).encode(tail[1:] + "\n")

    def _empty(self, tail: str) -> bytes:
        self.code = 0
        return self.call("echo.", tail).encode(tail + "\n")

    def _ver(self, tail: str) -> bytes:
        self.code = 0
        call = self.call("ver", tail)
        return call.encode(call.say("cmd.version", release=self.machine.build.release))

    def _rem(self, tail: str) -> bytes:
        return b""

    def _exit(self, tail: str) -> bytes:
        number = re.fullmatch(r"\s*(?:/b)?\s*(-?\d*)\s*", tail, re.IGNORECASE)
        if not number:
            raise _Refused(f"exit{tail}")
        self.code = int(number[1]) if number[1] else self.level
        raise _Exit

    def _expand(self, text: str, mark: str) -> str:
        """``%NAME%`` or ``!NAME!``. An unknown name stays with %, as on a command line, and vanishes with !."""
        values = {name.lower(): value for name, value in self.machine.environment.items()}
        values["errorlevel"] = str(self.level)

        def value(found: re.Match[str]) -> str:
            return values.get(found[1].lower(), found[0] if mark == "%" else "")

        expanded = re.sub(f"{mark}([^{mark}]+){mark}", value, text)
        return expanded if mark == "%" else expanded.replace("!", "")


def parse(line: str) -> list[Part]:
    """The commands of a line.

    Raises:
        _Refused: a redirection or group that is not modelled.
    """
    parts: list[Part] = []
    joint, text = "", ""
    redirections: list[str] = []
    quoted = False
    index = 0

    def finish(next_joint: str) -> None:
        nonlocal joint, text, redirections
        if text.strip() or redirections:
            parts.append(Part(joint, text, tuple(redirections)))
        elif next_joint not in ("", "&"):
            raise _Refused(f"nothing stands before {next_joint}")
        joint, text, redirections = next_joint, "", []

    while index < len(line):
        char = line[index]
        if char == '"':
            quoted = not quoted
        if quoted or char not in "^&|<>12()":
            text += char
        elif char == "^":
            index += 1
            text += line[index : index + 1]
        elif char in "&|":
            double = line[index : index + 2] == char * 2
            finish(char * 2 if double else char)
            index += double
        elif char == "(":
            if not text.strip():
                raise _Refused("a group in parentheses")
            text += char
        else:
            redirection = next((r for r in _REDIRECTIONS if line[index:].lower().startswith(r)), None)
            starts = not text or text[-1] in " \t"
            if redirection and (starts or redirection[0] in "<>"):
                redirections.append(redirection)
                text = text.removesuffix(" ") if text.endswith(" ") else text
                index += len(redirection) - 1
            elif char in "<>":
                raise _Refused(f"redirection {line[index : index + 20]}")
            else:
                text += char
        index += 1
    finish("")
    return parts

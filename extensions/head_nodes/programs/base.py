"""What every program of the simulated head node gets and gives back."""

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from extensions.head_nodes.builds import codec
from extensions.head_nodes.programs.synthetic import SYNTHETIC
from extensions.head_nodes.programs.texts import TEXTS

if TYPE_CHECKING:
    from extensions.head_nodes.machine import Machine


@dataclass
class Console:
    """The console that the programs of one shell share: its output codepage, and whether there is one at all."""

    codepage: int
    present: bool


class Output(NamedTuple):
    """What a program wrote to its two streams, and its exit code."""

    stdout: bytes
    stderr: bytes
    code: int


class Call(NamedTuple):
    """One start of a program.

    Fields:
        tail: the command line after the program's name, as it was given; cmd.exe reads it raw.
        arguments: the same, split as the C runtime of Windows splits it.
        stdin: what is piped in; None where nothing is.
    """

    machine: "Machine"
    program: str
    tail: str
    arguments: tuple[str, ...]
    stdin: bytes | None
    console: Console
    user: str

    def encode(self, text: str) -> bytes:
        """Text as a program writes it: lines end with CR LF, in the console's codepage, what it lacks becomes "?"."""
        return text.replace("\n", "\r\n").encode(codec(self.console.codepage), errors="replace")

    def say(self, key: str, **values: object) -> str:
        """A text of the tables in the machine's language, English where there is no other."""
        texts: Mapping[str, str] | None = TEXTS.get(key) or (SYNTHETIC[key].texts if key in SYNTHETIC else None)
        if texts is None:
            raise KeyError(key)
        return texts.get(self.machine.language, texts["en"]).format(**values)

    def out(self, text: str, code: int = 0) -> Output:
        return Output(self.encode(text), b"", code)

    def err(self, text: str, code: int) -> Output:
        return Output(b"", self.encode(text), code)

    def refuse(self, why: str) -> Output:
        """The model does not know this use of the program: recorded, and an error for the caller."""
        what = f"{self.program} {self.tail}".strip() + f": {why}"
        self.machine.refuse(what)
        return self.err(f"NOT MODELLED: {what}\n", 87)

    def denied(self) -> bool:
        return not self.machine.elevated(self.user)


Program = Callable[[Call], Output]


def split(tail: str) -> tuple[str, ...]:
    """A command line split into arguments as the C runtime of Windows does it: backslashes count only before quotes."""
    arguments: list[str] = []
    current: list[str] = []
    started = quoted = False
    index = 0
    while index < len(tail):
        char = tail[index]
        if char == "\\":
            end = index
            while end < len(tail) and tail[end] == "\\":
                end += 1
            count = end - index
            if end < len(tail) and tail[end] == '"':
                current.append("\\" * (count // 2))
                if count % 2:
                    current.append('"')
                    end += 1
            else:
                current.append("\\" * count)
            started, index = True, end
            continue
        if char == '"':
            if quoted and tail[index + 1 : index + 2] == '"':
                current.append('"')
                index += 1
            else:
                quoted = not quoted
            started = True
        elif char in " \t" and not quoted:
            if started:
                arguments.append("".join(current))
            current, started = [], False
        else:
            current.append(char)
            started = True
        index += 1
    if started:
        arguments.append("".join(current))
    return tuple(arguments)


def hexadecimal(hresult: int) -> str:
    return f"0x{hresult:X}"


def readable(raw: bytes, console: Console) -> str:
    """What a program that reads text gets from bytes piped to it."""
    return codecs.decode(raw, codec(console.codepage), "replace")

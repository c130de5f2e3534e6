"""A machine that answers a few commands from a table: for the tests of the protocol, without a head node behind it."""

import base64
import re
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

_ENCODED = re.compile(r"-EncodedCommand\s+(?P<data>\S+)", re.IGNORECASE)
_WORDS = re.compile(r"(?P<word>echo|size|error|exit|sleep|write|boot|crash|lose)\s*(?P<rest>.*)", re.DOTALL)


class Result(NamedTuple):
    """An Execution of the seam (wsman.py)."""

    stdout: bytes = b""
    stderr: bytes = b""
    code: int = 0
    lose: str | None = None


class FakeMachine:
    """Understands lines of one word and its argument, for example ``echo text``; refuses anything else.

    echo TEXT, size BYTES (so much output), error TEXT (on stderr), exit CODE, sleep SECONDS, write TEXT (a mutation),
    boot SECONDS (no connections for so long), crash (a mistake of the machine), lose WHERE.
    """

    def __init__(self) -> None:
        self.refused: list[str] = []
        self.writes: list[str] = []
        self.seen: list[tuple[str, int, str]] = []
        self.boots = 0
        self.powershell: str | None = "5.1"
        self._up_at = 0.0
        self._lock = threading.Lock()

    def run_cmd(self, command: str, arguments: Sequence[str], codepage: int, user: str) -> Result:
        """Run a line; one that carries an encoded PowerShell script runs that."""
        line = " ".join([command, *arguments])
        encoded = _ENCODED.search(line)
        if encoded:
            line = base64.b64decode(encoded["data"]).decode("utf-16-le")
        return self._run(line, codepage, user)

    def run_program(self, command: str, arguments: Sequence[str], codepage: int, user: str) -> Result:
        """Run a program without a shell around it: the output says so."""
        return Result(f"direct: {command} {'|'.join(arguments)}\r\n".encode())

    def run_powershell(self, script: str, user: str) -> Result:
        """Run a script of a runspace."""
        return self._run(script, 65001, user)

    def _run(self, text: str, codepage: int, user: str) -> Result:
        with self._lock:
            self.seen.append((text, codepage, user))
        # ansible-core adds this line over psrp.
        match = _WORDS.fullmatch(text.removesuffix("\nexit $LASTEXITCODE").strip())
        if match is None:
            self.refused.append(text)
            return Result(b"", f"not modelled: {text}\r\n".encode(), 1)
        rest = match["rest"].strip()
        match match["word"]:
            case "echo":
                encoding = "utf-8" if codepage == 65001 else f"cp{codepage or 437}"
                return Result(f"{rest}\r\n".encode(encoding, "replace"))
            case "size":
                return Result(b"x" * int(rest))
            case "error":
                return Result(b"", f"{rest}\r\n".encode())
            case "exit":
                return Result(code=int(rest))
            case "sleep":
                time.sleep(float(rest))
            case "write":
                self.writes.append(rest)
            case "boot":
                self.boots += 1
                self._up_at = time.monotonic() + float(rest)
            case "lose":
                return Result(f"{rest}\r\n".encode(), lose=rest)
            case _:
                raise RuntimeError("crashed as asked")
        return Result(b"done\r\n")

    def accepts(self) -> bool:
        """Whether it is up."""
        return time.monotonic() >= self._up_at

    def dump(self) -> dict[str, Any]:
        """What it knows."""
        return {"seen": [list(each) for each in self.seen], "writes": list(self.writes)}


def machine(name: str) -> FakeMachine:
    """A builder, for nodes files: ``tests.lab.windows.fake:machine``."""
    return FakeMachine()

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask a head node: commands in, answers out, whichever way leads there.

Scripts go through PowerShell, as few as fit. A host over winrm that has none is asked through cmd.exe (:mod:`winrs`).
"""

import secrets
import time
from typing import Callable, Dict, List, Optional, Sequence

from . import batch, boot, scripts, winrs
from .batch import Answer, Command, Item, Part, Script
from .errors import (
    ChannelError,
    DeniedError,
    FrameError,
    LostError,
    ShellLimitError,
    UnreachableError,
    UnsendableError,
)

__all__ = [
    "Channel",
    "ChannelError",
    "DeniedError",
    "FrameError",
    "LostError",
    "Runner",
    "ShellLimitError",
    "UnreachableError",
    "UnsendableError",
]

_FIRST_PAUSE = 0.5  # seconds
_LONGEST_PAUSE = 10.0
_TELL_EVERY = 10.0
_SHOWN = 300


class Runner:
    """Carries one text to the host. Implemented over ansible's connection plugins, and by tests."""

    #: The host and the kind of connection, for sentences: ``hn1 (winrm)``.
    where = ""
    #: The longest PowerShell script in UTF-16 units; None: any.
    limit: Optional[int] = None
    #: Whether :meth:`cmd` can be used.
    has_cmd = False

    def powershell(self, script: str) -> str:
        """Run a script; its stdout, undecodable bytes as lone surrogates or U+FFFD.

        :raises UnreachableError, DeniedError, ShellLimitError: no connection; nothing was sent.
        :raises LostError: the connection broke afterwards; ``str()`` is the bare reason.
        """
        raise NotImplementedError

    def cmd(self, line: str) -> str:
        """Run a line of cmd.exe; as :meth:`powershell`."""
        raise NotImplementedError

    def forget(self) -> None:
        """Drop the connection, whatever its state; the next text opens a new one."""
        raise NotImplementedError


class Channel:
    """One head node for the time of a task."""

    def __init__(
        self,
        runner: Runner,
        nonce: Callable[[], str] = lambda: secrets.token_hex(16),
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._runner = runner
        self._nonce = nonce
        self._clock = clock
        self._sleep = sleep
        #: Whether the host is asked through PowerShell; None until the first answer.
        self.powershell: Optional[bool] = None

    @property
    def where(self) -> str:
        """The host and the kind of connection, for sentences: ``hn1 (winrm)``."""
        return self._runner.where

    def run(self, items: Sequence[Item]) -> Dict[str, Answer]:
        """Ask for the items in their order, in one round trip where they fit into one.

        Without PowerShell a script is answered with code None; beside ``live`` and ``boot``, the answer ``boot`` then
        holds what wmic.exe says.

        :raises UnsendableError: an item cannot be sent; nothing was sent.
        :raises ChannelError: see :mod:`errors`.
        """
        return self._ask(items)

    def await_boot(self, before: str, timeout: float, tell: Callable[[str], None]) -> str:
        """Wait until the host has started anew; its new boot identity.

        :param before: the boot identity before the reboot.
        :param timeout: seconds.
        :param tell: takes a line on how it stands, at most every ten seconds.
        :raises DeniedError, ShellLimitError: the host refuses; not tried again.
        :raises ChannelError: not within the time, or ``before`` is unknown.
        """
        if not before:
            raise ChannelError(
                f"When {self.where} was started last is not known, so a new start could not be told from it."
            )
        began = self._clock()
        told, pause = began, _FIRST_PAUSE
        while True:
            standing = self._look(before)
            if standing.identity:
                return standing.identity
            now = self._clock()
            if now - began >= timeout:
                raise ChannelError(
                    f"{self.where} did not start anew within {timeout:.0f} s ({standing.reason}): look at its console, "
                    "raise reboot_timeout if it only needs longer, and run again."
                )
            if now - told >= _TELL_EVERY:
                told = now
                tell(
                    f"{self.where}: waiting for the restart, {now - began:.0f} s of {timeout:.0f} s: {standing.reason}"
                )
            self._sleep(min(pause, max(0.0, began + timeout - now)))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _look(self, before: str) -> "_Standing":
        try:
            identity = boot.identity(self._ask([scripts.boot()]))
        except (UnreachableError, LostError, FrameError) as error:
            self._runner.forget()
            return _Standing("", str(error))
        if not identity:
            return _Standing("", "it answers, but does not say when it was started")
        if boot.same(before, identity):
            return _Standing("", "it still runs")
        return _Standing(identity, "")

    def _ask(self, items: Sequence[Item]) -> Dict[str, Answer]:
        if self.powershell is False:
            return self._ask_cmd(items)
        parts = batch.powershell_parts(items, self._nonce, self._runner.limit)
        answers: Dict[str, Answer] = {}
        for number, part in enumerate(parts):
            output = self._send(self._runner.powershell, parts[: number + 1])
            if self.powershell is None and not batch.begun(output, part) and self._without_powershell():
                self.powershell = False
                return self._ask_cmd(items)
            answers.update(self._parsed(batch.parse, output, parts[: number + 1]))
            self.powershell = True
        return answers

    def _without_powershell(self) -> bool:
        if not self._runner.has_cmd:
            return False
        return winrs.unusable(self._send_cmd(winrs.LOOK))

    def _ask_cmd(self, items: Sequence[Item]) -> Dict[str, Answer]:
        batch.check(items)
        answers = {item.key: Answer(None, "") for item in items if isinstance(item, Script)}
        commands = [item for item in items if isinstance(item, Command)]
        if scripts.LIVE in answers or scripts.BOOT in answers:
            commands = [*(command for command in commands if command.key != scripts.BOOT), scripts.BOOT_COMMAND]
        if commands:
            answers.update(self._send_cmd(commands))
        return answers

    def _send_cmd(self, commands: Sequence[Command]) -> Dict[str, Answer]:
        parts = winrs.parts(commands, self._nonce)
        answers: Dict[str, Answer] = {}
        for number in range(len(parts)):
            output = self._send(self._runner.cmd, parts[: number + 1])
            answers.update(self._parsed(winrs.answers, output, parts[: number + 1]))
        return answers

    def _send(self, send: Callable[[str], str], parts: Sequence[Part]) -> str:
        """Send the last of the parts; those before it are answered."""
        try:
            return send(parts[-1].text)
        except LostError as error:
            raise LostError(
                f"The connection to {self.where} broke while {_asked(parts[-1])} ran ({_short(str(error))}). "
                + _written(parts)
            ) from None

    def _parsed(
        self, parse: Callable[[str, Part], Dict[str, Answer]], output: str, parts: Sequence[Part]
    ) -> Dict[str, Answer]:
        try:
            return parse(output, parts[-1])
        except FrameError as error:
            if batch.begun(output, parts[-1]):
                raise FrameError(f"The output of {self.where} is not whole: {error}. " + _written(parts)) from None
            raise FrameError(
                f"{self.where} ran nothing of what was sent ({_short(output) or 'no output'}): Windows PowerShell 2.0 "
                "or newer must be there, the user must be allowed to run it, and over ssh ansible_shell_type must be "
                "the host's default shell. " + _written(parts)
            ) from None


class _Standing:
    """What one look of a waiting channel found: the new identity, or why there is none yet."""

    def __init__(self, identity: str, reason: str) -> None:
        self.identity = identity
        self.reason = reason


def _asked(part: Part) -> str:
    first, more = part.keys[:3], len(part.keys) - 3
    return ", ".join(repr(key) for key in first) + (f" and {more} more" if more > 0 else "")


def _written(parts: Sequence[Part]) -> str:
    writes: List[str] = [_named(item) for part in parts for item in part.items if not batch.reads(item)]
    if not writes:
        return "Nothing was to be changed: run again."
    return f"{', '.join(writes)} may have been done or not: run again, the state is read before anything is changed."


def _named(item: Item) -> str:
    return repr(item.key) if isinstance(item, Script) else " ".join((item.program, *item.arguments[:1]))


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= _SHOWN else words[:_SHOWN] + "..."

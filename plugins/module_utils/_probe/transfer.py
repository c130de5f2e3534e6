# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply: run one udp-sender or udp-receiver to its end, or to the deadline, whichever comes first.

What is sent and received goes through pipes, so there is no file to clean up. The kernel kills the program with the
process that started it (PR_SET_PDEATHSIG), so that a probe that is killed with SIGKILL leaves nothing behind either.
udp-sender takes no notice of SIGTERM while it waits for a receiver, so it is ended by SIGKILL. Its name in the list of
processes begins with :data:`NAMED`, so that nobody takes it for one of FOG's.
"""

import ctypes
import hashlib
import os
import select
import signal
import subprocess
import time
from typing import IO, Callable, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple

_PR_SET_PDEATHSIG = 1
#: What a look at FOG knows a probe by (PROBE of the reader of processes).
NAMED = "multicast_probe/"
#: Seconds between two calls of a watch.
INTERVAL = 0.25
_READ = 256 * 1024
#: What udp-sender prints before its first and after its last block.
BEGINS, ENDS = b"Starting transfer", b"Transfer complete"
#: How much of a program's messages is kept: its statistics are written over and over.
_KEPT = 256 * 1024

#: Called while the program runs: takes the seconds since the start, the bytes until then, and what it printed.
Watch = Callable[[float, int, bytes], None]
#: The same, with the bytes left out; true ends the program.
Abandon = Callable[[float, bytes], bool]


class Transfer(NamedTuple):
    """How it went."""

    code: Optional[int]  # exit code, negative for a signal; None when it could not be started
    timed_out: bool
    bytes: int  # received, or handed to udp-sender
    seconds: float  # from the beginning of the transfer to its last byte; 0 when it never began
    sha256: str  # of what was received or sent
    output: str  # what the program printed
    error: str = ""  # why it could not be started


def _die_with(parent: int) -> Callable[[], None]:
    """What the child does before it becomes the program: it asks to be killed with its parent."""
    # Loaded before the fork: afterwards another thread's lock could be held for ever.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask() -> None:
        os.setsid()
        if prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(127)

    return ask


def run(
    command: Sequence[str],
    timeout: float,
    payload: Optional[Iterator[bytes]] = None,
    watch: Optional[Watch] = None,
    abandon: Optional[Abandon] = None,
) -> Transfer:
    """Run ``command`` for at most ``timeout`` seconds; nothing of it runs any more when this returns.

    :param payload: what a sender sends; None for a receiver, whose standard output is counted and hashed.
    :param watch: called every :data:`INTERVAL` seconds.
    :param abandon: asked as often; when it says so the program is ended, and has timed out.
    """
    try:
        # run_command can neither stream nor arrange for the program's death.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function,subprocess-popen-preexec-fn
            [NAMED + os.path.basename(command[0]), *command[1:]],
            executable=command[0],
            stdin=subprocess.DEVNULL if payload is None else subprocess.PIPE,
            stdout=subprocess.PIPE if payload is None else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=dict(os.environ, LC_ALL="C"),
            preexec_fn=_die_with(os.getpid()),
        )
    except (OSError, subprocess.SubprocessError, AttributeError) as error:
        return Transfer(None, False, 0, 0.0, "", "", str(error))
    try:
        return _Pump(process, timeout, payload, watch, abandon).work()
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue  # the other end is gone; there is nothing left to be written


class _Pump:
    """Moves the bytes of one running program and keeps count."""

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        timeout: float,
        payload: Optional[Iterator[bytes]],
        watch: Optional[Watch],
        abandon: Optional[Abandon],
    ) -> None:
        self.process = process
        self.payload = payload
        self.watch = watch
        self.abandon = abandon
        self.began = time.monotonic()
        self.deadline = self.began + timeout
        self.first: Optional[float] = None
        self.last = self.began
        self.count = 0
        self.hash = hashlib.sha256()
        self.said = b""
        self.looked = 0.0
        self.pending = b""

    def work(self) -> Transfer:
        readers, writers = self._streams()
        timed_out = False
        while readers or writers:
            now = time.monotonic()
            if now - self.looked >= INTERVAL:
                self._look(now)
            if now >= self.deadline or (self.abandon is not None and self.abandon(now - self.began, self.said)):
                timed_out = True
                break
            ready = select.select(list(readers), list(writers), [], min(INTERVAL, self.deadline - now))
            for number in ready[0]:
                if not self._read(number, readers[number]):
                    del readers[number]
            for number in ready[1]:
                if not self._write(number):
                    writers.pop(number).close()
        code = self._end(timed_out)
        self._look(time.monotonic())
        return Transfer(
            code=code,
            timed_out=timed_out,
            bytes=self.count,
            seconds=self.last - self.first if self.first is not None else 0.0,
            sha256=self.hash.hexdigest(),
            output=self.said.decode("utf-8", "replace"),
        )

    def _streams(self) -> Tuple[Dict[int, str], Dict[int, IO[bytes]]]:
        readers: Dict[int, str] = {}
        writers: Dict[int, IO[bytes]] = {}
        for name, stream in (("stderr", self.process.stderr), ("stdout", self.process.stdout)):
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
                readers[stream.fileno()] = name
        if self.process.stdin is not None:
            os.set_blocking(self.process.stdin.fileno(), False)
            writers[self.process.stdin.fileno()] = self.process.stdin
        return readers, writers

    def _read(self, number: int, name: str) -> bool:
        """Take what is there; False at the end."""
        try:
            data = os.read(number, _READ)
        except BlockingIOError:
            return True
        if name == "stderr":
            self._hear(data)
        elif data:
            self._count(data)
            self.first = self.first or time.monotonic()
            self.last = time.monotonic()
        return bool(data)

    def _hear(self, data: bytes) -> None:
        """Keep the beginning of what it says, which tells who took part, and the end, which tells how it went."""
        self.said += data
        if len(self.said) > _KEPT:
            self.said = self.said[: _KEPT // 2] + b"\n" + self.said[-_KEPT // 2 :]
        if self.payload is None:
            return
        # udp-sender reads ahead while it still waits for receivers.
        if self.first is None and BEGINS in self.said:
            self.first = time.monotonic()
        if ENDS not in self.said or ENDS in data:
            self.last = time.monotonic()

    def _write(self, number: int) -> bool:
        """Hand over what fits; False at the end."""
        if not self.pending:
            self.pending = next(self.payload or iter(()), b"")
            if not self.pending:
                return False
        try:
            written = os.write(number, self.pending)
        except BlockingIOError:
            return True
        except OSError:
            return False  # it ended before it had everything; its exit code and its words tell why
        self._count(self.pending[:written])
        self.pending = self.pending[written:]
        return True

    def _count(self, data: bytes) -> None:
        self.count += len(data)
        self.hash.update(data)

    def _look(self, now: float) -> None:
        self.looked = now
        if self.watch is not None:
            self.watch(now - self.began, self.count, self.said)

    def _end(self, timed_out: bool) -> int:
        try:
            return self.process.wait(0 if timed_out else max(0.0, min(5.0, self.deadline - time.monotonic())))
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

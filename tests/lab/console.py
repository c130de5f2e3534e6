"""What the lab says while it works: a line per step, a sign of life every few seconds, colours only on a terminal."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from extensions.head_nodes.console import colour

__all__ = ["Progress", "Step", "colour"]

_SILENCE = 2.5


class Step:
    """A piece of work under way; ``note`` says what it does just now."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.doing = ""
        self.began = time.monotonic()
        self.last = self.began

    def note(self, doing: str) -> None:
        """Set what the next sign of life shows, for example the last line a program printed."""
        self.doing = doing.strip()

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.began


class Progress:
    """Prints steps with their duration; steps may run in several threads at once."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._lock = threading.Lock()
        self._active: list[Step] = []
        self._ended: threading.Event | None = None

    def say(self, text: str) -> None:
        """Print one line at once."""
        with self._lock:
            self._print(text)

    def _print(self, text: str) -> None:
        print(f"{colour('lab', 'dim', self._stream)}  {text}", file=self._stream, flush=True)

    @contextmanager
    def step(self, what: str) -> Iterator[Step]:
        """Announce a step when it takes long, print its duration at the end, or that it failed."""
        step = Step(what)
        with self._lock:
            self._active.append(step)
            if self._ended is None:
                self._ended = threading.Event()
                threading.Thread(target=self._signs_of_life, args=(self._ended,), daemon=True).start()
        try:
            yield step
        except BaseException:
            self._finish(step, colour("failed after", "red", self._stream))
            raise
        self._finish(step, colour("done in", "green", self._stream))

    def _finish(self, step: Step, outcome: str) -> None:
        with self._lock:
            self._active.remove(step)
            if not self._active and self._ended is not None:
                self._ended.set()
                self._ended = None
            self._print(f"{step.what}: {outcome} {step.seconds:.1f} s")

    def _signs_of_life(self, ended: threading.Event) -> None:
        while not ended.wait(0.25):
            with self._lock:
                for step in self._active:
                    if time.monotonic() - step.last >= _SILENCE:
                        step.last = time.monotonic()
                        self._print(f"{step.what}: {step.doing or 'working'} ({step.seconds:.0f} s)")

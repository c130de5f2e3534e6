"""Lock files that may be removed by their holder, and that outlive a killed holder until its helpers have ended."""

import fcntl
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

_HELD: list[int] = []


def held() -> tuple[int, ...]:
    """The descriptors of the inherited locks this process holds, oldest first."""
    return tuple(_HELD)


def run_helper(
    argv: Sequence[str], *, input: str | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program that makes or removes something of a lab.

    It inherits the lab's lock: when this process is killed meanwhile, the next one waits until the program has ended,
    and cannot miss what it still makes. Raises subprocess.CalledProcessError with ``check``.
    """
    return subprocess.run(
        argv, input=input, stdin=subprocess.DEVNULL if input is None else None, capture_output=True,
        text=True, errors="replace", pass_fds=held(), check=check,
    )  # fmt: skip


@contextmanager
def locked(path: Path, shared: bool = False, wait: bool = True, inherited: bool = False) -> Iterator[bool]:
    """Hold the lock file ``path``; yields False at once when ``wait`` is off and someone else holds it.

    With ``inherited`` the programs of ``run_helper`` hold it too. The holder may unlink the file: whoever waited for it
    takes the lock on the new file instead.
    """
    file = _take(path, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    if file is None:
        yield False
        return
    with file:
        if not inherited:
            yield True
            return
        _HELD.append(file.fileno())
        try:
            yield True
        finally:
            _HELD.remove(file.fileno())


def _take(path: Path, how: int) -> TextIO | None:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="ascii")
        try:
            fcntl.flock(file, how)
            if os.fstat(file.fileno()).st_ino == path.stat().st_ino:
                return file
        except BlockingIOError:
            file.close()
            return None
        except FileNotFoundError:
            pass
        file.close()

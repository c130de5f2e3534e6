"""Lock files that may be removed by their holder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def locked(path: Path, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock file ``path``; yields False at once when ``wait`` is off and someone else holds it.

    The holder may unlink the file: whoever waited for it takes the lock on the new file instead.
    """
    file = _take(path, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    if file is None:
        yield False
        return
    with file:
        yield True


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

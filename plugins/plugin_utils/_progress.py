# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A line every few seconds while something takes long that cannot speak for itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

#: Seconds between two lines.
INTERVAL = 10.0


@contextmanager
def progress(say: Callable[[str], Any], what: str, seconds: Any, interval: float = INTERVAL) -> Iterator[None]:
    """Say every ``interval`` seconds that ``what`` is going on and for how long; nothing before the first interval.

    :param seconds: about how long it will take, as the user wrote it.
    """
    over = threading.Event()
    began = time.monotonic()

    def speak() -> None:
        while not over.wait(interval):
            say(f"{what}: {time.monotonic() - began:.0f} s of about {seconds} s")

    speaker = threading.Thread(target=speak, daemon=True)
    speaker.start()
    try:
        yield
    finally:
        over.set()
        speaker.join()

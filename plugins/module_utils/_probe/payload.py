# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pure: what a probe sends. Both ends can make it, so each receiver can tell by itself whether it got it right."""

import hashlib
from typing import Iterator

#: Bytes that are made at a time.
CHUNK = 64 * 1024


def chunks(portbase: int, size: int) -> Iterator[bytes]:
    """``size`` bytes that look random, always the same for the same port and size.

    No two chunks are alike, so that none can take the place of another unnoticed.
    """
    pattern = hashlib.sha256(b"%d" % portbase).digest() * (CHUNK // 32 - 1)
    number = 0
    left = size
    while left > 0:
        chunk = hashlib.sha256(b"%d %d" % (portbase, number)).digest() + pattern
        yield chunk[:left]
        left -= len(chunk[:left])
        number += 1


def digest(portbase: int, size: int) -> str:
    """The SHA-256 of what :func:`chunks` yields."""
    whole = hashlib.sha256()
    for chunk in chunks(portbase, size):
        whole.update(chunk)
    return whole.hexdigest()

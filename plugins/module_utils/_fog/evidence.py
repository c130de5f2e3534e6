# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: the ends of FOG's logs, word for word, because a restart of the daemon deletes them."""

import os
from typing import Dict, List

from .snapshot import Snapshot

#: How many lines of each log are kept, how many bytes they are looked for in, and of how many sessions.
LINES = 200
_TAIL = 64 * 1024
_SESSIONS = 16


def collect(snapshot: Snapshot) -> Dict[str, List[str]]:
    """Path -> last lines: of multicast.log, of the udpcast logs written last, and the exits in servicemaster.log."""
    logs = snapshot.logs
    evidence = {logs.path: [line.text for line in logs.lines[-LINES:]]}
    for sender in sorted(logs.senders, key=lambda sender: sender.age)[:_SESSIONS]:
        path = f"{logs.path}.udpcast.{sender.session}"
        evidence[path] = _lines(path)
    if logs.exits:
        evidence[os.path.join(os.path.dirname(logs.path), "servicemaster.log")] = list(logs.exits)
    return {path: lines for path, lines in evidence.items() if lines}


def _lines(path: str) -> List[str]:
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
            text = file.read(_TAIL).decode("utf-8", "replace")
    except OSError as error:
        return [f"{path} cannot be read ({error.strerror or error})"]
    # udp-sender rewrites its progress line with carriage returns: the last state of it is what counts.
    return [line.rstrip("\r").rsplit("\r", 1)[-1] for line in text.split("\n") if line.strip()][-LINES:]

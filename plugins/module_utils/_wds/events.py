# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: events of WDSMC and wdscpmsg, as ``wevtutil.exe qe ... /f:xml`` prints them (facts/windows.md section 5)."""

from typing import NamedTuple, Tuple


class Event(NamedTuple):
    """One event; ``time`` is ISO 8601 in UTC to the second, ``record`` its number in the log, ``data`` its texts."""

    source: str
    id: int
    time: str
    record: int
    data: Tuple[str, ...]

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many host names as few words: ``hn[01-12,20].example.org``. Pure."""

import re
from collections.abc import Iterable

# The last number of the first label; an address has no label that could be counted.
_NUMBERED = re.compile(r"(?P<head>[^.]*?)(?P<number>[0-9]{1,9})(?P<tail>[^.0-9]*(?:\..*)?)", re.DOTALL)
_ADDRESS = re.compile(r"[0-9.]+|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")


def fold(names: Iterable[str]) -> list[str]:
    """Names that differ in one number alone become one word; each name counts once, in the order of first sight."""
    families: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys(names):
        match = None if _ADDRESS.fullmatch(name) else _NUMBERED.fullmatch(name)
        if match:
            families.setdefault((match["head"], match["tail"]), []).append(match["number"])
        else:
            families[name, ""] = []
    return [_family(head, tail, numbers) for (head, tail), numbers in families.items()]


def _family(head: str, tail: str, numbers: list[str]) -> str:
    if not numbers:
        return head
    numbers = sorted(numbers, key=lambda number: (len(number), number))
    ranges = [[numbers[0], numbers[0]]]
    for number in numbers[1:]:
        last = ranges[-1][1]
        # hn9 is followed by hn10, and hn09 by hn10; but hn9 not by hn010.
        if number == str(int(last) + 1).zfill(len(last)):
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    if len(numbers) == 1:
        return head + numbers[0] + tail
    return "{}[{}]{}".format(head, ",".join(a if a == b else f"{a}-{b}" for a, b in ranges), tail)

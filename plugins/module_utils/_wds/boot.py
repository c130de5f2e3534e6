# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The boot identity of a head node: when it was started, as WMI tells it."""

import re
from datetime import datetime, timedelta
from typing import Dict, Optional

from .batch import Answer

# A clock that is set steps the time of the boot as well; no server boots twice within so short a time.
_STEP = timedelta(seconds=5)

_LINE = re.compile(r"^\s*(?:boot |LastBootUpTime=)(\S+)\s*$", re.MULTILINE)
_CIM = re.compile(r"([0-9]{14})\.([0-9]{6})([+-][0-9]{3})\Z")


def identity(answers: Dict[str, Answer]) -> str:
    """The boot identity in the answers to ``live`` or ``boot``, e.g. ``20261122001500.500000+060``; "" when unknown."""
    for key in ("boot", "live"):
        # wmic.exe prints UTF-16 to some kinds of output.
        match = _LINE.search(answers[key].output.replace("\0", "")) if key in answers else None
        if match:
            return match.group(1)
    return ""


def same(one: str, other: str) -> bool:
    """Whether two identities name one boot: the same moment, whatever their offset, up to the step of a set clock."""
    first, second = _moment(one), _moment(other)
    if first is None or second is None:
        return one == other
    return abs(first - second) <= _STEP


def _moment(identity: str) -> Optional[datetime]:
    match = _CIM.match(identity)
    if not match:
        return None
    try:
        local = datetime.strptime(match.group(1) + match.group(2), "%Y%m%d%H%M%S%f")
        return local - timedelta(minutes=int(match.group(3)))
    except (ValueError, OverflowError):
        return None

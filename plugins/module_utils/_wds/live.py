# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: the live view, which the fixed script of the COM look prints (facts/windows.md section 4)."""

import base64
import binascii
import re
from typing import Dict, List, NamedTuple, Optional, Tuple

#: What an error number of WDS or COM means (facts/windows.md section 3, HRESULT).
MEANINGS = {
    0x80040154: "its COM class is not registered",
    0x80070005: "access is denied",
    0x800706BA: "the service does not answer",
    0xC1100104: "the content provider is not registered",
    0xC1100106: "the Transport Server role is not configured",
    0xC1100107: "the namespace is already registered",
    0xC1100108: "the namespace is not registered",
    0xC110010A: "the name is not valid",
    0xC1100113: "the Transport Server is not available",
    0xC1100114: "the namespace was never on the server",
    0xC1100115: "the namespace was removed",
    0xC1210105: "the namespace was not found",
    0xC1210106: "the content provider was not found",
    0xC1210107: "the namespace exists",
    0xC1210108: "the namespace is shutting down",
}
#: The host has no COM object of WDS: its class is not registered, its name unknown, or (PowerShell 2.0) not loaded.
NO_COM = frozenset((0x80040154, 0x800401F3, 0x80070057))
#: The service that COM asks does not run.
NOT_RUNNING = frozenset((0x800706BA, 0xC1100106, 0xC1100113))
#: Type of a namespace, as COM says it.
AUTOCAST = 1

_NUMBER = re.compile(r"-?[0-9]{1,10}\Z")
_BOOLS = {"true": True, "-1": True, "1": True, "false": False, "0": False}
_EMPTY = "-"
_TEXTS, _FIELDS = 5, 9


class LiveNamespace(NamedTuple):
    """A namespace as the running service has it. ``type``: 1 AutoCast, 2 and 3 ScheduledCast, None unknown."""

    name: str
    content_provider: str
    configuration: str
    friendly_name: str
    description: str
    type: Optional[int]
    registered: bool
    tombstoned: bool
    transmission_started: bool


class Live(NamedTuple):
    """What the service said. ``available``: the namespaces were listed, all of them.

    ``error``: why not, "" when it was not asked. ``features``: bits 1 admin, 2 transport, 4 deployment.
    """

    available: bool
    error: str
    features: Optional[int] = None
    running: Optional[bool] = None
    namespaces: Tuple[LiveNamespace, ...] = ()


class Look(NamedTuple):
    """What the script printed. ``code``: the HRESULT it ended with, as an unsigned number; None without one."""

    live: Live
    powershell: str
    boot: str
    code: Optional[int]


def parse_live(text: str) -> Look:
    """Read the lines of the script. Never raises; a list that is not whole is none."""
    words: Dict[str, str] = {}
    namespaces: List[Optional[LiveNamespace]] = []
    for line in text.split("\n"):
        word, _blank, rest = line.strip().partition(" ")
        if word == "ns":
            namespaces.append(_namespace(rest.split(" ")))
        else:
            words.setdefault(word, rest)
    whole = [each for each in namespaces if each is not None]
    code = _number(words.get("error", ""))
    unsigned = None if code is None else code & 0xFFFFFFFF
    listed = len(whole) == len(namespaces) and _number(words.get("count", "")) == len(whole)
    available = listed and "error" not in words
    error = ""
    if unsigned is not None:
        error = _sentence(unsigned)
    elif not available:
        error = "The answer of the COM look is not whole."
    return Look(
        live=Live(
            available=available,
            error=error,
            features=_number(words.get("features", "")),
            running=_BOOLS.get(words.get("running", "").lower()),
            namespaces=tuple(whole) if available else (),
        ),
        powershell=words.get("ps", ""),
        boot=words.get("boot", ""),
        code=unsigned,
    )


def _sentence(code: int) -> str:
    meaning = MEANINGS.get(code)
    return "COM answered 0x%08X%s." % (code, " (%s)" % meaning if meaning else "")


def _namespace(fields: List[str]) -> Optional[LiveNamespace]:
    if len(fields) != _FIELDS:
        return None
    texts = [_text(field) for field in fields[:_TEXTS]]
    bools = [_BOOLS.get(field.lower()) for field in fields[_TEXTS + 1 :]]
    if None in texts or None in bools or not texts[0]:
        return None
    name, provider, configuration, friendly_name, description = [text or "" for text in texts]
    registered, tombstoned, started = [bool(value) for value in bools]
    return LiveNamespace(
        name,
        provider,
        configuration,
        friendly_name,
        description,
        _number(fields[_TEXTS]),
        registered,
        tombstoned,
        started,
    )


def _text(field: str) -> Optional[str]:
    if field == _EMPTY:
        return ""
    try:
        return base64.b64decode(field.encode("ascii"), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None


def _number(text: str) -> Optional[int]:
    return int(text) if _NUMBER.match(text) else None

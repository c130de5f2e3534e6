# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: events of WDSMC and wdscpmsg, as ``wevtutil.exe qe ... /f:xml`` prints them (facts/windows.md section 5)."""

import re
from typing import Iterator, List, Match, NamedTuple, Optional, Tuple
from xml.etree import ElementTree

#: Whose events are read.
SOURCES = ("WDSMC", "wdscpmsg")

_OPEN = re.compile(r"<Event[ \t\r\n>]")
_CLOSE = "</Event>"
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z\Z", re.ASCII)
# What XML 1.0 does not allow, as it is or as a reference: wevtutil prints both.
_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_REPLACEMENT = "\ufffd"


class Event(NamedTuple):
    """One event; ``time`` is ISO 8601 in UTC to the second, ``record`` its number in the log, ``data`` its texts."""

    source: str
    id: int
    time: str
    record: int
    data: Tuple[str, ...]


class Events(NamedTuple):
    """The events in the order of the output, and how many elements could not be read."""

    events: Tuple[Event, ...]
    broken: int


def parse_events(text: str) -> Events:
    """Read a sequence of ``<Event>`` elements that has no root. Never raises.

    Each is parsed by itself, so that a broken one costs no other. A document type, and with it every entity, can only
    stand before the first element, and what stands there is not looked at.
    """
    events = []
    broken = 0
    for fragment in _fragments(text):
        try:
            event = _event(ElementTree.fromstring(_clean(fragment)))
        except ElementTree.ParseError:
            event = None
        if event is None:
            broken += 1
        elif event.source in SOURCES:
            events.append(event)
    return Events(tuple(events), broken)


def _fragments(text: str) -> Iterator[str]:
    begin = _OPEN.search(text)
    while begin:
        end = text.find(_CLOSE, begin.end())
        # Without an end, the output was cut off within this element.
        stop = len(text) if end < 0 else end + len(_CLOSE)
        yield text[begin.start() : stop]
        begin = _OPEN.search(text, stop)


def _clean(fragment: str) -> str:
    return _REFERENCE.sub(_reference, _INVALID.sub(_REPLACEMENT, fragment))


def _reference(found: Match[str]) -> str:
    number = int(found.group(1), 16) if found.group(1) else int(found.group(2))
    allowed = number <= 0x10FFFF and not _INVALID.match(chr(number))
    return found.group(0) if allowed else _REPLACEMENT


def _event(root: ElementTree.Element) -> Optional[Event]:
    system = _child(root, "System")
    if system is None:
        return None
    provider, number = _child(system, "Provider"), _number(_child(system, "EventID"))
    if provider is None or number is None:
        return None
    created = _child(system, "TimeCreated")
    time = _TIME.match(created.get("SystemTime", "")) if created is not None else None
    names = {name.lower(): name for name in SOURCES}
    name = provider.get("Name", "")
    return Event(
        source=names.get(name.lower(), name),
        id=number,
        time=time.group(1) + "Z" if time else "",
        record=_number(_child(system, "EventRecordID")) or 0,
        data=tuple(_data(root)),
    )


def _data(root: ElementTree.Element) -> List[str]:
    """The texts of EventData or of UserData, in their order; the empty ones are left out."""
    texts = []
    for part in root:
        if _local(part.tag) in ("EventData", "UserData"):
            texts += [(element.text or "").strip() for element in part.iter()]
    return [text for text in texts if text]


def _child(element: ElementTree.Element, name: str) -> Optional[ElementTree.Element]:
    for child in element:
        if _local(child.tag) == name:
            return child
    return None


def _number(element: Optional[ElementTree.Element]) -> Optional[int]:
    text = (element.text or "").strip() if element is not None else ""
    return int(text) if re.match(r"[0-9]{1,20}\Z", text) else None


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: the output of ``reg.exe query``, with or without ``/s``, in any language of Windows.

Only key lines, value lines and type names are read; the text of an error never is. A value may hold line breaks, and so
text that looks like another value or key: what cannot be told apart makes its key doubtful.
"""

import functools
import re
from typing import Dict, List, Mapping, NamedTuple, Optional, Set, Tuple

#: Types of a value that is text, and of one that is a number.
TEXT = frozenset(("REG_SZ", "REG_EXPAND_SZ"))
NUMBER = frozenset(("REG_DWORD", "REG_QWORD"))
LIST = "REG_MULTI_SZ"

_HIVES = {"HKLM": "HKEY_LOCAL_MACHINE"}
_KEY = re.compile(r"HKEY_[A-Z_]+(?:\\[^\r\n]*)?\Z")
#: Four blanks, name, four blanks, type, and four blanks and the data where there is any. The name ends at the first
#: type: a name with a type in it is rarer than data with one.
_VALUE = re.compile(r"    (?P<name>\S.*?)    (?P<type>REG_[A-Z_]+)(?:    (?P<data>.*))?[ ]*\Z", re.DOTALL)
_NUMBER = re.compile(r"0[xX]([0-9a-fA-F]{1,16})\Z")


class Value(NamedTuple):
    """One value: its name and data as reg.exe prints them. Data of more than one line holds ``\\n``."""

    name: str
    type: str
    data: str

    @property
    def text(self) -> Optional[str]:
        """The data of a REG_SZ or REG_EXPAND_SZ (not expanded), None for any other type."""
        return self.data if self.type in TEXT else None

    @property
    def number(self) -> Optional[int]:
        """The number of a REG_DWORD or REG_QWORD, None for any other type or for data that is no number."""
        found = _NUMBER.match(self.data) if self.type in NUMBER else None
        return int(found.group(1), 16) if found else None

    @property
    def strings(self) -> Tuple[str, ...]:
        """The strings of a REG_MULTI_SZ, which reg.exe joins by ``\\0``; none for any other type."""
        return tuple(part for part in self.data.split("\\0") if part) if self.type == LIST else ()


class Key(NamedTuple):
    """One key. ``doubtful``: a value name or the key itself came twice, or data went over more than one line."""

    path: str
    values: Tuple[Value, ...]
    doubtful: bool

    def value(self, name: str) -> Optional[Value]:
        """The first value of that name, whatever its case."""
        wanted = fold(name)
        for each in self.values:
            if fold(each.name) == wanted:
                return each
        return None

    def text(self, name: str) -> str:
        """The text of a value; "" when it is not there or no text."""
        value = self.value(name)
        return (value.text or "") if value else ""

    def number(self, name: str) -> Optional[int]:
        """The number of a value; None when it is not there or no number."""
        value = self.value(name)
        return value.number if value else None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("\\", 1)[-1]


class Tree(NamedTuple):
    """What a query printed: the keys by their folded path, in the order of the output."""

    keys: Mapping[str, Key] = {}

    def key(self, path: str) -> Optional[Key]:
        """The key of that path (``HKLM\\...`` or in full), whatever its case."""
        return self.keys.get(_path(path))

    def children(self, path: str) -> Tuple[Key, ...]:
        """The keys directly below that path."""
        start = _path(path) + "\\"
        return tuple(
            key for folded, key in self.keys.items() if folded.startswith(start) and "\\" not in folded[len(start) :]
        )


@functools.lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """A name as the registry compares it: character by character, whatever the case, by no language's rules."""
    return "".join(map(_upper, name))


def _upper(character: str) -> str:
    upper = character.upper()
    # Not a letter that only a language's rules make another (dotless i, sharp s).
    return upper if len(upper) == 1 and upper.lower() == character else character


def _path(path: str) -> str:
    hive, separator, rest = path.partition("\\")
    return fold(_HIVES.get(hive.upper(), hive) + separator + rest)


def parse_registry(text: str) -> Tree:
    """Read the output of ``reg.exe query``. Never raises; what stands before the first key is not looked at."""
    reading = _Reading()
    # Not splitlines(): data may hold any other character that Python takes for a line break.
    for line in text.split("\n"):
        reading.line(line[:-1] if line.endswith("\r") else line)
    return Tree(reading.finish())


class _Reading:
    """The keys as far as they were read."""

    def __init__(self) -> None:
        self.paths: Dict[str, str] = {}
        self.found: Dict[str, List[Value]] = {}
        self.doubtful: Set[str] = set()
        self.path = ""
        self.data: List[str] = []  # of the last value of the key
        self.blank = 0

    def line(self, line: str) -> None:
        if not line.strip(" "):
            self.blank += 1
        elif _KEY.match(line):
            self._end_value(0)
            self._begin(line)
        elif self.path:
            self._inside(line)

    def _begin(self, path: str) -> None:
        self.path = _path(path)
        if self.path in self.found:
            self.doubtful.add(self.path)
        self.paths.setdefault(self.path, path)
        self.found.setdefault(self.path, [])

    def _inside(self, line: str) -> None:
        value = _VALUE.match(line)
        if value:
            # reg.exe prints no blank line between two values: it belongs to the data.
            self._end_value(self.blank)
            self.data = [value.group("data") or ""]
            self.found[self.path].append(Value(value.group("name"), value.group("type"), ""))
        else:
            self.doubtful.add(self.path)
            if self.data:
                self.data += [""] * self.blank + [line]
        self.blank = 0

    def _end_value(self, blank: int) -> None:
        # One blank line stands before each key, and one or two at the end.
        if self.data:
            data = self.data + [""] * blank
            if len(data) > 1:
                self.doubtful.add(self.path)
            self.found[self.path][-1] = self.found[self.path][-1]._replace(data="\n".join(data))
        self.data, self.blank = [], 0

    def finish(self) -> Dict[str, Key]:
        self._end_value(0)
        return {folded: self._key(folded, values) for folded, values in self.found.items()}

    def _key(self, folded: str, values: List[Value]) -> Key:
        twice = len({fold(value.name) for value in values}) != len(values)
        return Key(self.paths[folded], tuple(values), twice or folded in self.doubtful)

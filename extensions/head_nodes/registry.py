"""The registry tree of a simulated head node: keys and values with their types, names compared without case."""

import copy
from collections.abc import Iterator
from typing import Any, NamedTuple

Data = str | int | bytes | tuple[str, ...]

TYPES = ("REG_SZ", "REG_EXPAND_SZ", "REG_MULTI_SZ", "REG_DWORD", "REG_QWORD", "REG_BINARY")

_HIVES = {
    "hklm": "HKEY_LOCAL_MACHINE",
    "hkey_local_machine": "HKEY_LOCAL_MACHINE",
    "hkcu": "HKEY_CURRENT_USER",
    "hkey_current_user": "HKEY_CURRENT_USER",
    "hkcr": "HKEY_CLASSES_ROOT",
    "hkey_classes_root": "HKEY_CLASSES_ROOT",
    "hku": "HKEY_USERS",
    "hkey_users": "HKEY_USERS",
}


class Value(NamedTuple):
    """One value of a key: its name as it was written ("" is the default value), its type and its data."""

    name: str
    type: str
    data: Data


class Key:
    """One key: its name as it was created, its values and its subkeys in order of creation."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._values: dict[str, Value] = {}
        self._keys: dict[str, Key] = {}

    @property
    def values(self) -> tuple[Value, ...]:
        return tuple(self._values.values())

    @property
    def keys(self) -> tuple["Key", ...]:
        """The subkeys, sorted as the registry enumerates them."""
        return tuple(self._keys[name] for name in sorted(self._keys))

    def get(self, name: str) -> Value | None:
        return self._values.get(name.lower())

    def set(self, name: str, type_: str, data: Data) -> None:
        if type_ not in TYPES:
            raise ValueError(f"no registry type of this model: {type_}")
        old = self._values.get(name.lower())
        self._values[name.lower()] = Value(old.name if old else name, type_, data)

    def unset(self, name: str) -> bool:
        return self._values.pop(name.lower(), None) is not None

    def key(self, name: str) -> "Key | None":
        return self._keys.get(name.lower())

    def make(self, name: str) -> "Key":
        return self._keys.setdefault(name.lower(), Key(name))

    def remove(self, name: str) -> bool:
        return self._keys.pop(name.lower(), None) is not None

    def merge(self, other: "Key") -> None:
        """Take over all values and subkeys of ``other``; what is here and not there stays, as ``reg copy`` does."""
        for value in other.values:
            self.set(*value)
        for key in other.keys:
            self.make(key.name).merge(key)

    def clone(self) -> "Key":
        return copy.deepcopy(self)

    def walk(self, path: str) -> Iterator[tuple[str, "Key"]]:
        """This key and all keys below it with their full paths; ``path`` is this key's own."""
        yield path, self
        for key in self.keys:
            yield from key.walk(path + "\\" + key.name)

    def dump(self) -> dict[str, Any]:
        """The key as JSON-able data: values as [type, data], binary data in hex."""
        values: dict[str, Any] = {}
        for value in self.values:
            data = value.data
            values[value.name] = [
                value.type,
                data.hex() if isinstance(data, bytes) else list(data) if isinstance(data, tuple) else data,
            ]
        return {"values": values, "keys": {key.name: key.dump() for key in self.keys}}


class Registry:
    """All hives. Paths are written as ``HKLM\\...`` or with the hive's long name."""

    def __init__(self) -> None:
        self._hives = {name: Key(name) for name in dict.fromkeys(_HIVES.values())}

    @staticmethod
    def split(path: str) -> tuple[str, list[str]]:
        """The long name of the hive and the names below it.

        Raises:
            KeyError: the path begins with no hive.
        """
        head, *names = path.split("\\")
        while names and not names[-1]:
            names.pop()
        return _HIVES[head.lower()], names

    def full(self, path: str) -> str:
        """The path with the hive's long name and every existing key's own spelling."""
        hive, names = self.split(path)
        key: Key | None = self._hives[hive]
        spelled = [hive]
        for name in names:
            key = key.key(name) if key else None
            spelled.append(key.name if key else name)
        return "\\".join(spelled)

    def key(self, path: str) -> Key | None:
        hive, names = self.split(path)
        key: Key | None = self._hives[hive]
        for name in names:
            key = key.key(name) if key else None
        return key

    def make(self, path: str) -> Key:
        hive, names = self.split(path)
        key = self._hives[hive]
        for name in names:
            key = key.make(name)
        return key

    def remove(self, path: str) -> bool:
        hive, names = self.split(path)
        parent = self.key("\\".join([hive, *names[:-1]]))
        return bool(names) and parent is not None and parent.remove(names[-1])

    def value(self, path: str, name: str) -> Data | None:
        """The data of one value; None where the key or the value does not exist."""
        key = self.key(path)
        value = key.get(name) if key else None
        return value.data if value else None

    def set(self, path: str, name: str, type_: str, data: Data) -> None:
        self.make(path).set(name, type_, data)

    def dump(self) -> dict[str, Any]:
        return {name: key.dump() for name, key in self._hives.items() if key.keys or key.values}

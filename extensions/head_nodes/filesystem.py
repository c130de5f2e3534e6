"""The files of a simulated head node. Contents may be made when they are read, so that thousands of large logs cost
nothing until then."""

import datetime
from collections.abc import Callable, Iterator
from typing import Any

Content = Callable[[], bytes]


class File:
    """One file: its name, when it was written, its size in bytes and what makes its content."""

    def __init__(
        self, name: str, written: datetime.datetime, content: bytes | Content, size: int | None = None
    ) -> None:
        if callable(content) and size is None:
            raise ValueError("a file whose content is made later needs its size")
        self.name = name
        self.written = written
        self._content = content
        self.size = len(content) if isinstance(content, bytes) else int(size or 0)

    def read(self) -> bytes:
        content = self._content if isinstance(self._content, bytes) else self._content()
        if len(content) != self.size:
            raise ValueError(f"{self.name}: {self.size} bytes were promised, {len(content)} were made")
        return content


class Folder:
    """One folder. ``written`` follows its newest file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._children: dict[str, File | Folder] = {}

    @property
    def children(self) -> tuple["File | Folder", ...]:
        """Files and folders sorted by name, as NTFS enumerates them."""
        return tuple(self._children[name] for name in sorted(self._children))

    @property
    def written(self) -> datetime.datetime:
        oldest = datetime.datetime(2009, 1, 1, tzinfo=datetime.UTC)
        return max((child.written for child in self._children.values()), default=oldest)

    def child(self, name: str) -> "File | Folder | None":
        return self._children.get(name.lower())

    def put(self, child: "File | Folder") -> None:
        self._children[child.name.lower()] = child

    def remove(self, name: str) -> bool:
        return self._children.pop(name.lower(), None) is not None

    def dump(self) -> dict[str, Any]:
        """Files with size and time, folders with what they hold."""
        return {
            child.name: child.dump() if isinstance(child, Folder) else [child.size, child.written.isoformat()]
            for child in self.children
        }


class Filesystem:
    """Drives with folders and files; names are compared without case."""

    def __init__(self) -> None:
        self._root = Folder("")

    @staticmethod
    def split(path: str) -> list[str]:
        return [part for part in path.replace("/", "\\").split("\\") if part and part != "."]

    def get(self, path: str) -> File | Folder | None:
        node: File | Folder | None = self._root
        for part in self.split(path):
            node = node.child(part) if isinstance(node, Folder) else None
        return node

    def folder(self, path: str) -> Folder:
        """The folder at ``path``, made with all above it where it does not exist.

        Raises:
            NotADirectoryError: a file stands in the way.
        """
        folder = self._root
        for part in self.split(path):
            child = folder.child(part)
            if isinstance(child, File):
                raise NotADirectoryError(path)
            if child is None:
                child = Folder(part)
                folder.put(child)
            folder = child
        return folder

    def put(self, path: str, written: datetime.datetime, content: bytes | Content, size: int | None = None) -> None:
        *above, name = self.split(path)
        self.folder("\\".join(above)).put(File(name, written, content, size))

    def remove(self, path: str) -> bool:
        *above, name = self.split(path)
        parent = self.get("\\".join(above))
        return isinstance(parent, Folder) and parent.remove(name)

    def walk(self, path: str) -> Iterator[tuple[str, File]]:
        """Every file below ``path`` with its full path."""
        node = self.get(path)
        if isinstance(node, File):
            yield path, node
        elif isinstance(node, Folder):
            for child in node.children:
                yield from self.walk(path.rstrip("\\") + "\\" + child.name)

    def dump(self) -> dict[str, Any]:
        return self._root.dump()

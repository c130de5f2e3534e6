# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply: the backup of the rows a repair is about to change, and the way back.

A backup is one JSON file, readable by its owner only. It holds each affected row as it was and what the repair was
going to write, so that putting a row back never overwrites what somebody wrote after the repair. Of tables whose rows
are never deleted (storage nodes, settings) it holds only the columns that change: no password is ever in it.
"""

import base64
import datetime
import decimal
import errno
import json
import os
import re
import stat
import tempfile
import time
from contextlib import suppress
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .._flow import Failure
from .._steps import Step
from .plan_base import TABLES
from .rows import KEYS

#: What the first field of a backup file says.
FORMAT = "imaging.multicast backup 1"
_LARGEST = 256 * 1024 * 1024
_NAME = re.compile(r"\A[A-Za-z][A-Za-z0-9_]*\Z")
_BYTES = "base64"
_NOUNS = {table: noun for noun, table in TABLES.items()}


class BackupError(Failure):
    """A backup cannot be written, or a file is none that may be restored; the text says what, where and what to do."""


class Saved(NamedTuple):
    """One row of a backup.

    ``row`` holds the columns as they were; ``written`` what the repair was going to write, None where it was going to
    delete the row.
    """

    table: str
    key: Any
    row: Mapping[str, Any]
    written: Optional[Mapping[str, Any]]


def plain(value: Any) -> Any:
    """A column's value as JSON can hold it and the database takes it back unchanged (see :func:`stored`)."""
    if isinstance(value, (bytes, bytearray)):
        return {_BYTES: base64.b64encode(value).decode("ascii")}
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, datetime.timedelta):
        return _clock(value)
    if isinstance(value, (datetime.date, decimal.Decimal)):
        return str(value)
    return value


def stored(value: Any) -> Any:
    """The value for the database of one that was read from a backup."""
    return base64.b64decode(value[_BYTES]) if isinstance(value, dict) else value


def _clock(value: datetime.timedelta) -> str:
    seconds, micro = divmod(abs(value) // datetime.timedelta(microseconds=1), 1000000)
    sign = "-" if value < datetime.timedelta(0) else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{micro:06d}"


def same(one: Any, other: Any) -> bool:
    """Whether two plain values mean the same in the database; drivers differ in giving a number or its digits."""
    if one is None or other is None or isinstance(one, dict) or isinstance(other, dict):
        return bool(one == other)
    return str(one) == str(other)


def write_backup(folder: str, database: str, rows: Sequence[Saved]) -> str:
    """Write a backup into ``folder`` and return its path.

    The folder is made (mode 0700) when it is missing. The file has mode 0600 and appears under its name only when it is
    complete and on the disk.

    :raises BackupError: it could not be written; nothing is left behind.
    """
    text = json.dumps(
        {
            "format": FORMAT,
            "database": database,
            "rows": [
                {
                    "table": saved.table,
                    "key": plain(saved.key),
                    "row": _plain_row(saved.row),
                    "written": None if saved.written is None else _plain_row(saved.written),
                }
                for saved in rows
            ],
        },
        indent=1,
        sort_keys=True,
    )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    prefix = "{}-{}-".format(re.sub(r"[^A-Za-z0-9_]", "_", database), stamp)
    temporary = ""
    try:
        if not os.path.isdir(folder):
            os.makedirs(folder, 0o700)
        descriptor, temporary = tempfile.mkstemp(".partial", prefix, folder)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode("utf-8"))
            file.flush()
            os.fsync(file.fileno())
        path = temporary[: -len(".partial")] + ".json"
        os.rename(temporary, path)
        temporary = path
        _sync_folder(folder)
    except OSError as error:
        if temporary:
            _remove(temporary)
        raise BackupError(
            f"The backup cannot be written to {folder}: {error.strerror or error}. Nothing was changed; free or "
            "correct that folder, or choose another with backup_dir."
        ) from None
    return path


def read_backup(path: str, database: str) -> Tuple[Saved, ...]:
    """Read a backup of ``database``.

    :raises BackupError: the file is missing, could have been written by somebody else than root, or is no backup of
        this database.
    """
    content = _content(path)
    try:
        found = json.loads(content.decode("utf-8"))
        if found["format"] != FORMAT:
            raise ValueError("its format is another one")
        of_database = found["database"]
        rows = tuple(_saved(entry) for entry in found["rows"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BackupError(f"{path} is no backup that can be restored ({error}). Nothing was restored.") from None
    if of_database != database:
        raise BackupError(
            f"The backup {path} is of database {of_database}, not of {database}. Nothing was restored; check "
            "restore_from and login_db."
        )
    return rows


def _content(path: str) -> bytes:
    """The bytes of a backup that nobody but root can have written."""
    try:
        # Not blocking: a named pipe must not hang the run.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise BackupError(f"The backup {path} cannot be opened: {why}. Nothing was restored.") from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise BackupError(f"The backup {path} is not a regular file. Nothing was restored.")
        if about.st_uid not in (0, os.geteuid()) or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise BackupError(
                f"The backup {path} could have been changed by somebody else: its owner must be root and nobody else "
                "may write to it. Nothing was restored."
            )
        if about.st_size > _LARGEST:
            raise BackupError(f"The backup {path} is larger than any that is ever written. Nothing was restored.")
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read()
    finally:
        os.close(descriptor)


def restore_steps(rows: Sequence[Saved], current: Mapping[Tuple[str, Any], Optional[Mapping[str, Any]]]) -> "Restore":
    """Plan what puts the rows back. Pure.

    :param current: per (table, key) the row as it is now, None where there is none; same columns as in the backup.
    """
    steps: List[Step] = []
    notes: List[str] = []
    for saved in rows:
        noun = _NOUNS[saved.table]
        name = "{}{} {}".format("storage " if noun == "node" else "", noun, saved.key)
        now = current[saved.table, saved.key]
        before: Dict[str, Any] = {}
        after: Dict[str, Any] = {}
        if saved.written is None and now is None:
            after = dict(saved.row)
        elif now is None:
            notes.append(f"{name} is gone, so it cannot be put back")
        elif saved.written is None:
            if not all(same(now.get(column), value) for column, value in saved.row.items()):
                notes.append(f"{name} exists again with other values; left as it is")
        else:
            columns = [column for column in sorted(saved.written) if not same(now.get(column), saved.row.get(column))]
            foreign = [column for column in columns if not same(now.get(column), saved.written[column])]
            if foreign:
                notes.append("{} was changed since ({}); left as it is".format(name, ", ".join(foreign)))
            else:
                before = {column: now[column] for column in columns}
                after = {column: saved.row[column] for column in columns}
        if after:
            steps.append(Step(f"{noun}.restore", f"Put {name} back", {KEYS[saved.table]: saved.key}, before, after))
    return Restore(tuple(steps), tuple(notes))


class Restore(NamedTuple):
    """What puts a backup's rows back, and what is left alone and why. An empty ``before`` is a row to insert."""

    steps: Tuple[Step, ...]
    notes: Tuple[str, ...]


def _plain_row(row: Mapping[str, Any]) -> Dict[str, Any]:
    return {column: plain(value) for column, value in row.items()}


def _saved(entry: Mapping[str, Any]) -> Saved:
    table, key, row, written = entry["table"], entry["key"], entry["row"], entry["written"]
    if table not in KEYS:
        raise ValueError(f"table {table!r} is not one that is ever changed")
    if isinstance(key, bool) or not isinstance(key, (int, str)):
        raise ValueError(f"a row of {table} has no usable key")
    for part in (row,) if written is None else (row, written):
        if not isinstance(part, dict) or not part:
            raise ValueError(f"a row of {table} is empty")
        for column, value in part.items():
            if not _NAME.match(column) or not _is_plain(value):
                raise ValueError(f"a row of {table} has a column that no table has")
    if written is None and not same(row.get(KEYS[table]), key):
        raise ValueError(f"a row of {table} does not have the key it is filed under")
    if written is not None and not set(written) <= set(row):
        raise ValueError(f"a row of {table} lacks a column that was to be written")
    return Saved(table, key, row, written)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        if set(value) != {_BYTES}:
            return False
        base64.b64decode(value[_BYTES], validate=True)
        return True
    return value is None or isinstance(value, (str, int, float))


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    # The disk that failed may not be able to do this either: the first error is the one to tell.
    with suppress(OSError):
        os.unlink(path)

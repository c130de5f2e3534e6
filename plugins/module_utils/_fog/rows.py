# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply: single rows of FOG's database, each addressed by its primary key.

Values travel as parameters; table and column names come from :data:`KEYS` and from this project's code, and are
checked all the same.
"""

import re
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from .database import DatabaseError

#: The tables that are ever written to, and their primary keys.
KEYS = {
    "nfsGroupMembers": "ngmID",
    "globalSettings": "settingKey",
    "multicastSessions": "msID",
    "multicastSessionsAssoc": "msaID",
    "tasks": "taskID",
}

# FOG's tables hold zero dates, which a strict server refuses; cut values must be refused. Timestamps are read and
# written in UTC, so that they come back the same across a change of daylight saving time.
_SESSION = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'"

_NAME = re.compile(r"\A[A-Za-z][A-Za-z0-9_]*\Z")
_DUPLICATE = 1062


class DuplicateError(Exception):
    """Another row holds the place (a unique key) of the one to be inserted."""


def prepare(connection: Any) -> None:
    """Set how this connection writes and reads dates; before anything else of this room is used."""
    execute(connection, _SESSION, ())


def execute(connection: Any, query: str, values: Sequence[Any]) -> Tuple[int, List[Dict[str, Any]]]:
    """Run one statement.

    :returns: how many rows it changed, and the rows it returned, by column name.
    :raises DatabaseError: with the server's own words, which hold no password.
    :raises DuplicateError: another row holds the place.
    """
    try:
        return _run(connection, query, values)
    # When a server goes away, PyMySQL fails in more ways than it names (struct.error, AttributeError, ...).
    except Exception as error:
        failure = _explain(error)
    # Outside the handler, so that no exception with the statement's values hangs on to it.
    raise failure


def _run(connection: Any, query: str, values: Sequence[Any]) -> Tuple[int, List[Dict[str, Any]]]:
    with connection.cursor() as cursor:
        changed = cursor.execute(query, tuple(values))
        names = [column[0] for column in cursor.description or ()]
        return int(changed), [dict(zip(names, row)) for row in cursor.fetchall()] if names else []


def _explain(error: Exception) -> Exception:
    from pymysql import err

    number = error.args[0] if error.args else 0
    said = error.args[-1] if error.args else error
    if isinstance(error, err.IntegrityError) and number == _DUPLICATE:
        return DuplicateError(str(said))
    if isinstance(error, err.MySQLError):
        return DatabaseError(
            f"The database refused a statement or went away in the middle of it ({number}: {said}). Steps done until "
            "then are listed in the result; run again once it answers."
        )
    return DatabaseError(f"The connection to the database broke ({error}); run again once it answers.")


def fetch(connection: Any, table: str, key: Any, columns: Sequence[str] = ()) -> Optional[Dict[str, Any]]:
    """One row by its primary key, all columns unless some are named; None when there is none."""
    wanted = ", ".join(_quoted(column) for column in columns) or "*"
    query = f"SELECT {wanted} FROM {_quoted(table)} WHERE {_quoted(KEYS[table])} = %s"  # noqa: S608 - every name went through _quoted
    _count, rows = execute(connection, query, (key,))
    return rows[0] if rows else None


def update(connection: Any, table: str, key: Any, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Write ``after`` into one row, only while it still has the values ``before``; whether it had.

    A tuple in ``before`` stands for any of its values.
    """
    condition, known = _condition(table, key, before)
    changes = ", ".join(f"{_quoted(column)} = %s" for column in sorted(after))
    query = f"UPDATE {_quoted(table)} SET {changes} WHERE {condition}"  # noqa: S608 - every name went through _quoted
    changed, _rows = execute(connection, query, [after[column] for column in sorted(after)] + known)
    return changed > 0


def delete(connection: Any, table: str, key: Any, before: Mapping[str, Any]) -> bool:
    """Delete one row, only while it still has the values ``before``; whether it had."""
    condition, known = _condition(table, key, before)
    query = f"DELETE FROM {_quoted(table)} WHERE {condition}"  # noqa: S608 - every name went through _quoted
    changed, _rows = execute(connection, query, known)
    return changed > 0


def insert(connection: Any, table: str, row: Mapping[str, Any]) -> None:
    """Put a whole row back. :raises DuplicateError: its primary or another unique key is taken."""
    columns = sorted(row)
    names, marks = ", ".join(_quoted(column) for column in columns), ", ".join(["%s"] * len(columns))
    query = f"INSERT INTO {_quoted(table)} ({names}) VALUES ({marks})"  # noqa: S608 - every name went through _quoted
    execute(connection, query, [row[column] for column in columns])


def _condition(table: str, key: Any, before: Mapping[str, Any]) -> Tuple[str, List[Any]]:
    parts = [f"{_quoted(KEYS[table])} = %s"]
    values = [key]
    for column in sorted(before):
        if isinstance(before[column], tuple):
            parts.append(f"{_quoted(column)} IN %s")
        else:
            parts.append(f"{_quoted(column)} <=> %s")
        values.append(before[column])
    return " AND ".join(parts), values


def _quoted(name: str) -> str:
    if not _NAME.match(name):
        raise DatabaseError(f"{name!r} is no name of a table or column of FOG; nothing was changed.")
    return f"`{name}`"

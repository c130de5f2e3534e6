# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply: one repair at a time on one database, by a lock of the database server (GET_LOCK).

The lock belongs to the connection: it ends with it, also when this process is killed.
"""

import hashlib
import time
from typing import Any, Callable, NamedTuple, Optional, Sequence

from .._flow import Failure
from .database import DatabaseError
from .rows import execute

# MySQL 5.7 and later refuse longer names (its manual, "Locking Functions"); a database name may have 64 characters.
_LONGEST = 64
# Shorter than any read timeout of the connection.
_SLICE = 1


class LockError(Failure):
    """Somebody else kept the lock; the text says who and what to do."""


class Waited(NamedTuple):
    """What it took to get the lock: ``seconds`` waited, and the database connection id that held it, None nobody."""

    seconds: float
    holder: Optional[int]


def lock_name(database: str) -> str:
    """The name of the lock for a database: ``imaging.multicast:NAME``, shortened to a digest when that is too long."""
    name = f"imaging.multicast:{database}"
    if len(name) > _LONGEST:
        name = "imaging.multicast:{}".format(hashlib.sha256(database.encode("utf-8")).hexdigest()[:32])
    return name


def take_lock(connection: Any, database: str, timeout: float, tell: Callable[[str], None]) -> Waited:
    """Take the lock, waiting at most ``timeout`` seconds for whoever has it.

    :param tell: is told once, before waiting, that this run waits and for whom.
    :raises LockError: it is still taken after ``timeout`` seconds.
    :raises DatabaseError: the server refuses to lock at all.
    """
    name = lock_name(database)
    begin = time.monotonic()
    holder: Optional[int] = None
    while True:
        got = _ask(connection, "SELECT GET_LOCK(%s, %s)", (name, 0 if holder is None else _SLICE))
        if got == 1:
            seconds = 0.0 if holder is None else round(time.monotonic() - begin, 1)
            return Waited(seconds, holder)
        if got is None:
            raise DatabaseError(
                f"The database server refused the lock {name}, so nothing was changed; look into its error log."
            )
        if holder is None:
            # 0: whoever held it let go between the two questions.
            holder = int(_ask(connection, "SELECT IS_USED_LOCK(%s)", (name,)) or 0)
            tell(f"waiting up to {timeout:.0f} s for another repair of database {database} (connection {holder})")
        if time.monotonic() - begin >= timeout:
            raise LockError(
                f"Another repair works on database {database} (database connection {holder}) and did not finish within "
                f"{timeout:.0f} s; nothing was changed. Run again when it has ended, or raise lock_timeout."
            )


def _ask(connection: Any, query: str, values: Sequence[Any]) -> Any:
    _count, rows = execute(connection, query, values)
    return next(iter(rows[0].values()))

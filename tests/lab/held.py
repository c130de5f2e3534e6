"""A database connection that a test keeps open, so that what it has locked stays locked."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.lab.fog import layout, processes
from tests.lab.fog.database import Sql
from tests.lab.host import Host

# Runs the statements that come in as JSON, one a line, and prints the rows of each; ends at the end of its input.
_RUNNER = """
import json, pymysql, sys
link = pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user="root", database=sys.argv[1], autocommit=True)
with link.cursor() as cursor:
    for line in sys.stdin:
        cursor.execute(json.loads(line))
        print(json.dumps(cursor.fetchall(), default=str), flush=True)
"""


class Held:
    """The open connection; ``id`` is its connection id."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.id = int(self.run("SELECT CONNECTION_ID()")[0][0])

    def run(self, statement: str) -> list[list[Any]]:
        """The rows of a statement."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(statement) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the connection broke at: {statement}"
        rows: list[list[Any]] = json.loads(line)
        return rows

    def release(self) -> None:
        """End the connection, and with it everything it has locked."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait(10)


@contextmanager
def held(server: Host, *statements: str) -> Iterator[Held]:
    """A connection to FOG's database on ``server``, as its root, that has run ``statements``; ended afterwards."""
    process = subprocess.Popen(
        server.command(["python3", "-c", _RUNNER, layout.DATABASE]),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    )  # fmt: skip
    try:
        connection = Held(process)
        for statement in statements:
            connection.run(statement)
        yield connection
        connection.release()
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def waiting(server: Host, statement: str) -> int:
    """Wait until a connection to the database hangs in a statement that begins so; its connection id.

    Raises HostError after 30 seconds.
    """
    sql = Sql(server)
    query = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE %s AND ID <> CONNECTION_ID()"

    def found() -> int | None:
        number = sql.value(query, f"{statement}%")
        return None if number is None else int(number)

    return processes.wait_for(f"a connection of {server.name} to hang in {statement!r}", found, 30.0)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single rows and the lock: statements, parameters, and errors as sentences."""

import struct

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import lock, rows
from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import DatabaseError
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import fakes
from pymysql import err


@pytest.fixture(name="server")
def fixture_server():
    return fakes.Server()


@pytest.fixture(name="connection")
def fixture_connection(server):
    return server.connect()


def test_a_row_is_read_whole_or_in_part(server, connection):
    server.task(4)
    assert rows.fetch(connection, "tasks", 4)["taskName"] == "task 4"
    assert rows.fetch(connection, "tasks", 4, ["taskStateID"]) == {"taskStateID": 3}
    assert rows.fetch(connection, "tasks", 5) is None


def test_an_update_needs_the_state_it_was_planned_for(server, connection):
    server.task(4, state=3)
    server.task(5, state=3)
    assert rows.update(connection, "tasks", 4, {"taskStateID": 2}, {"taskStateID": 5}) is False
    assert rows.update(connection, "tasks", 4, {"taskStateID": (2, 3)}, {"taskStateID": 5}) is True
    assert server.one("SELECT taskStateID FROM tasks WHERE taskID = 4") == {"taskStateID": 5}
    assert server.one("SELECT taskStateID FROM tasks WHERE taskID = 5") == {"taskStateID": 3}


def test_null_is_compared_too(server, connection):
    server.add("tasks", taskID=6, taskName=None)
    assert rows.update(connection, "tasks", 6, {"taskName": ""}, {"taskName": "x"}) is False
    assert rows.update(connection, "tasks", 6, {"taskName": None}, {"taskName": "x"}) is True


def test_a_delete_takes_one_row(server, connection):
    server.session(1, tasks=(4, 5))
    assert rows.delete(connection, "multicastSessionsAssoc", 104, {"msID": 2}) is False
    assert rows.delete(connection, "multicastSessionsAssoc", 104, {"msID": 1, "tID": 4}) is True
    assert rows.fetch(connection, "multicastSessionsAssoc", 105) is not None


def test_values_are_parameters(server, connection):
    server.task(4)
    evil = "x'; DROP TABLE tasks; -- %s"
    assert rows.update(connection, "tasks", 4, {"taskStateID": 3}, {"taskName": evil}) is True
    assert rows.fetch(connection, "tasks", 4)["taskName"] == evil
    assert all(evil not in text for text in server.statements)


@pytest.mark.parametrize("name", ["a b", "a`b", "", "1a", "a;", "a\n"])
def test_no_other_name_gets_into_a_statement(server, connection, name):
    with pytest.raises(DatabaseError, match="is no name of a table or column"):
        rows.update(connection, "tasks", 4, {}, {name: 1})
    assert server.statements == []


def test_a_row_that_is_there_already_is_told(server, connection):
    server.task(4)
    with pytest.raises(rows.DuplicateError):
        rows.insert(connection, "tasks", {"taskID": 4, "taskName": "x"})
    rows.insert(connection, "tasks", {"taskID": 5, "taskName": "x"})
    assert server.one("SELECT taskName FROM tasks WHERE taskID = 5") == {"taskName": "x"}


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (err.OperationalError(2013, "Lost connection"), "2013: Lost connection"),
        (err.OperationalError(1142, "UPDATE command denied"), "1142: UPDATE command denied"),
        (err.IntegrityError(1048, "Column cannot be null"), "1048"),
        (err.InterfaceError(), "0: "),
        (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
        (struct.error("unpack requires a buffer of 4 bytes"), "unpack requires"),
        (AttributeError("'NoneType' object has no attribute 'settimeout'"), "settimeout"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "invalid start byte"),
    ],
)
def test_errors_are_sentences_without_a_chain(server, connection, error, said):
    def fail():
        raise error

    server.before["SELECT"] = fail
    with pytest.raises(DatabaseError, match=said) as caught:
        rows.fetch(connection, "tasks", 4)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


def test_the_connection_is_prepared_for_zero_dates_in_utc(server, connection):
    rows.prepare(connection)
    (text,) = server.statements
    assert "STRICT_ALL_TABLES" in text
    assert "NO_ZERO_DATE" not in text
    assert "time_zone = '+00:00'" in text


# --- the lock


def test_a_free_lock_is_taken_at_once_and_silently(server, connection):
    told = []
    assert lock.take_lock(connection, "fog", 60, told.append) == (0.0, None)
    assert told == []
    assert server.locks == {"imaging.multicast:fog": 1}
    connection.close()
    assert server.locks == {}


def test_a_taken_lock_is_waited_for_and_that_is_said(server, connection):
    waits = []

    def holder(seconds):
        waits.append(seconds)
        return 7 if len(waits) < 3 else None

    server.locks["imaging.multicast:fog"] = holder
    told = []
    waited = lock.take_lock(connection, "fog", 60, told.append)
    assert waited.holder == 7
    assert waits == [0, 1, 1]
    assert told == ["waiting up to 60 s for another repair of database fog (connection 7)"]


def test_waiting_ends_with_a_clear_error(server, connection):
    server.locks["imaging.multicast:fog"] = 7
    with pytest.raises(lock.LockError, match=r"connection 7.* within 0 s; nothing was changed"):
        lock.take_lock(connection, "fog", 0, lambda text: None)


def test_a_server_that_refuses_to_lock_is_told(server, connection):
    server.locks["imaging.multicast:fog"] = lambda _seconds: "refused"
    with pytest.raises(DatabaseError, match="refused the lock"):
        lock.take_lock(connection, "fog", 0, lambda text: None)


def test_lock_names_fit_and_differ():
    names = {lock.lock_name(name) for name in ("fog", "fog2", "f" * 64, "f" * 63 + "g")}
    assert len(names) == 4
    assert all(len(name) <= 64 for name in names)

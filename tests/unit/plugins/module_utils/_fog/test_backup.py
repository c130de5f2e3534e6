# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups: real files, every kind of value, and files that must not be trusted."""

import datetime
import decimal
import errno
import json
import os
import re
import stat

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import backup
from ansible_collections.imaging.multicast.plugins.module_utils._fog.backup import BackupError, Saved
from hypothesis import given, settings
from hypothesis import strategies as some

SESSION = Saved(
    "multicastSessions",
    12,
    {"msID": 12, "msState": 3, "msName": "lab", "msCompleteDateTime": "0000-00-00 00:00:00"},
    {"msState": 5, "msName": "", "msCompleteDateTime": "2026-11-21 19:00:00"},
)
LINK = Saved("multicastSessionsAssoc", 7, {"msaID": 7, "msID": 12, "tID": 40}, None)
NODE = Saved("nfsGroupMembers", 1, {"ngmInterface": "eth0"}, {"ngmInterface": "ens18"})


def current(*rows):
    """The database as the rows' repair left it."""
    now = {}
    for saved in rows:
        now[saved.table, saved.key] = None if saved.written is None else dict(saved.row, **saved.written)
    return now


def planned(rows, now):
    return backup.restore_steps(rows, now)


def test_a_backup_is_read_back_as_it_was_written(tmp_path):
    folder = str(tmp_path / "var" / "backups")
    path = backup.write_backup(folder, "fog", [SESSION, LINK, NODE])
    assert backup.read_backup(path, "fog") == (SESSION, LINK, NODE)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert os.listdir(folder) == [os.path.basename(path)]
    assert os.path.basename(path).startswith("fog-20")


def test_the_content_is_on_the_disk_before_the_name(tmp_path, monkeypatch):
    events = []
    sync, rename = os.fsync, os.rename

    def synced(file):
        events.append("folder" if stat.S_ISDIR(os.fstat(file).st_mode) else os.fstat(file).st_size > 0)
        sync(file)

    monkeypatch.setattr(backup.os, "fsync", synced)
    monkeypatch.setattr(backup.os, "rename", lambda *names: events.append("rename") or rename(*names))
    backup.write_backup(str(tmp_path), "fog", [SESSION])
    assert events == [True, "rename", "folder"]


def test_two_backups_of_one_second_are_two_files(tmp_path):
    paths = {backup.write_backup(str(tmp_path), "fog/../x", [NODE]) for _time in range(5)}
    assert len(paths) == 5
    assert len(os.listdir(str(tmp_path))) == 5


@pytest.mark.parametrize("broken", ["mkstemp", "write", "fsync", "rename", "folder"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch, broken):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    if broken == "mkstemp":
        monkeypatch.setattr(backup.tempfile, "mkstemp", full)
    elif broken == "write":
        monkeypatch.setattr(backup.os, "fdopen", full)
    elif broken == "fsync":
        monkeypatch.setattr(backup.os, "fsync", full)
    elif broken == "rename":
        monkeypatch.setattr(backup.os, "rename", full)
    else:
        monkeypatch.setattr(backup, "_sync_folder", full)
    with pytest.raises(BackupError, match=r"No space left on device\. Nothing was changed"):
        backup.write_backup(str(tmp_path), "fog", [SESSION])
    assert os.listdir(str(tmp_path)) == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackupError, match="choose another with backup_dir"):
        backup.write_backup(str(tmp_path / "file" / "below"), "fog", [SESSION])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (b"\x00\xff", {"base64": "AP8="}),
        (bytearray(b"a"), {"base64": "YQ=="}),
        (datetime.datetime(2026, 11, 21, 19, 0, 1), "2026-11-21 19:00:01"),
        (datetime.datetime(2026, 11, 21, 19, 0, 1, 5), "2026-11-21 19:00:01.000005"),
        (datetime.date(2026, 11, 21), "2026-11-21"),
        (datetime.timedelta(hours=30, seconds=5), "30:00:05.000000"),
        (-datetime.timedelta(minutes=1), "-00:01:00.000000"),
        (decimal.Decimal("1.50"), "1.50"),
        ("0000-00-00 00:00:00", "0000-00-00 00:00:00"),
        (5, 5),
    ],
)
def test_every_kind_of_value_has_a_plain_form(value, expected):
    assert backup.plain(value) == expected
    assert json.loads(json.dumps(backup.plain(value))) == expected


VALUES = some.one_of(
    some.none(),
    some.integers(),
    some.text(),
    some.binary(),
    some.decimals(allow_nan=False, allow_infinity=False),
    some.datetimes(),
    some.dates(),
)


# Each example waits for the disk twice.
@settings(max_examples=40)
@given(some.dictionaries(some.from_regex(r"\A[A-Za-z][A-Za-z0-9_]{0,12}\Z"), VALUES, min_size=1))
def test_any_row_comes_back(tmp_path_factory, row):
    folder = str(tmp_path_factory.getbasetemp() / "rows")
    saved = Saved("tasks", 3, dict(row, taskID=3), None)
    path = backup.write_backup(folder, "fog", [saved])
    (found,) = backup.read_backup(path, "fog")
    os.unlink(path)
    assert set(found.row) == set(saved.row)
    for column, value in saved.row.items():
        assert backup.same(found.row[column], backup.plain(value))
        if value is None or isinstance(value, (int, str, bytes)):
            assert backup.stored(found.row[column]) == value


@given(some.binary(max_size=300))
def test_no_content_is_more_than_an_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "content"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(BackupError, match="is no backup"):
        backup.read_backup(str(path), "fog")


DEEP = some.recursive(
    some.one_of(some.none(), some.booleans(), some.integers(), some.text(max_size=5)),
    lambda inner: some.one_of(
        some.lists(inner, max_size=3), some.dictionaries(some.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    some.fixed_dictionaries(
        {
            "format": some.just(backup.FORMAT),
            "database": some.one_of(some.just("fog"), DEEP),
            "rows": some.lists(
                some.one_of(
                    DEEP,
                    some.fixed_dictionaries(
                        {"table": some.sampled_from(["tasks", "users"]), "key": DEEP, "row": DEEP, "written": DEEP}
                    ),
                ),
                max_size=2,
            ),
        }
    )
)
def test_no_structure_is_more_than_an_error(tmp_path_factory, found):
    path = tmp_path_factory.getbasetemp() / "structure"
    path.write_text(json.dumps(found))
    path.chmod(0o600)
    try:
        rows = backup.read_backup(str(path), "fog")
    except BackupError:
        return
    assert found["database"] == "fog"
    assert all(saved.table == "tasks" for saved in rows)


def written(tmp_path, change):
    """A good backup with one thing changed."""
    path = backup.write_backup(str(tmp_path), "fog", [SESSION, LINK])
    with open(path) as file:
        found = json.load(file)
    change(found)
    with open(path, "w") as file:
        json.dump(found, file)
    return path


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda found: found.update(format="other"), "format"),
        (lambda found: found.pop("rows"), "rows"),
        (lambda found: found["rows"][0].update(table="users"), "not one that is ever changed"),
        (lambda found: found["rows"][0].update(key=[1]), "no usable key"),
        (lambda found: found["rows"][0].update(key=True), "no usable key"),
        (lambda found: found["rows"][0].update(row={}), "is empty"),
        (lambda found: found["rows"][0].update(row=[1]), "is empty"),
        (lambda found: found["rows"][0]["row"].update({"msState` = 1 --": 1}), "column that no table has"),
        (lambda found: found["rows"][0]["row"].update(msState={"base64": "?"}), "is no backup"),
        (lambda found: found["rows"][0]["row"].update(msState={"other": ""}), "column that no table has"),
        (lambda found: found["rows"][0]["row"].update(msState=[1]), "column that no table has"),
        (lambda found: found["rows"][0]["written"].update(msImage=1), "lacks a column"),
        (lambda found: found["rows"][1]["row"].update(msaID=8), "filed under"),
        (lambda found: found.update(database="other"), "of database other, not of fog"),
    ],
)
def test_a_file_that_is_no_backup_of_this_database_is_refused(tmp_path, change, why):
    path = written(tmp_path, change)
    with pytest.raises(BackupError, match=why):
        backup.read_backup(path, "fog")


def test_deep_nesting_is_no_traceback(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text("[" * 100000)
    path.chmod(0o600)
    with pytest.raises(BackupError, match="is no backup"):
        backup.read_backup(str(path), "fog")


@pytest.mark.parametrize("case", ["group", "world", "owner", "link", "pipe", "folder", "missing", "large"])
def test_a_file_somebody_else_may_have_written_is_refused(tmp_path, monkeypatch, case):
    path = backup.write_backup(str(tmp_path), "fog", [SESSION])
    why = "could have been changed by somebody else"
    if case == "group":
        os.chmod(path, 0o660)
    elif case == "world":
        os.chmod(path, 0o602)
    elif case == "owner":
        real = os.stat(path)
        monkeypatch.setattr(
            backup.os, "fstat", lambda _file: os.stat_result((real.st_mode, 1, 1, 1, os.geteuid() + 1, 0, 9, 0, 0, 0))
        )
    elif case == "link":
        os.symlink(path, str(tmp_path / "link"))
        path, why = str(tmp_path / "link"), "symbolic link"
    elif case == "pipe":
        path, why = str(tmp_path / "pipe"), "not a regular file"
        os.mkfifo(path)
    elif case == "folder":
        path, why = str(tmp_path), "not a regular file"
    elif case == "missing":
        path, why = str(tmp_path / "none"), "No such file"
    else:
        monkeypatch.setattr(backup, "_LARGEST", 10)
        why = "larger than any"
    with pytest.raises(BackupError, match=why):
        backup.read_backup(path, "fog")


def test_a_restore_undoes_exactly_what_was_written():
    rows = (SESSION, LINK, NODE)
    restore = planned(rows, current(*rows))
    assert restore.notes == ()
    first, second, third = restore.steps
    assert first.kind == "session.restore"
    assert first.target == {"msID": 12}
    assert first.before == SESSION.written
    assert first.after == {"msState": 3, "msName": "lab", "msCompleteDateTime": "0000-00-00 00:00:00"}
    assert (second.kind, second.before, second.after) == ("association.restore", {}, LINK.row)
    assert (third.kind, third.after) == ("node.restore", {"ngmInterface": "eth0"})


def test_a_second_restore_has_nothing_to_do():
    rows = (SESSION, LINK, NODE)
    assert planned(rows, {(saved.table, saved.key): dict(saved.row) for saved in rows}) == ((), ())


def test_a_reset_that_was_cut_off_is_undone_as_far_as_it_came():
    now = current(SESSION, LINK)
    now["multicastSessions", 12] = dict(SESSION.row, msState=5)
    restore = planned((SESSION, LINK), now)
    assert restore.steps[0].after == {"msState": 3}
    assert restore.steps[0].before == {"msState": 5}


@pytest.mark.parametrize(
    ("saved", "now", "note"),
    [
        (SESSION, None, "session 12 is gone"),
        (SESSION, dict(SESSION.row, msState=4), r"session 12 was changed since \(msState\)"),
        (LINK, dict(LINK.row, tID=41), "association 7 exists again with other values"),
    ],
)
def test_what_changed_after_the_reset_is_left_alone_and_told(saved, now, note):
    restore = planned((saved,), {(saved.table, saved.key): now})
    assert restore.steps == ()
    (told,) = restore.notes
    assert re.match(note, told)


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [(5, "5", True), (None, "", False), (None, None, True), ({"base64": "AA=="}, "AA==", False), ("a", "b", False)],
)
def test_numbers_and_their_digits_are_the_same(one, other, result):
    assert backup.same(one, other) is result

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The FOG modules from end to end: their main(), real files, a database in memory, and nothing secret in any output."""

import importlib
import json
import os
import subprocess
import sys

import pytest
from ansible.module_utils import basic
from ansible_collections.imaging.multicast.plugins.module_utils._fog import apply, control, database, run
from ansible_collections.imaging.multicast.plugins.module_utils._fog.log import read_logs
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Processes
from ansible_collections.imaging.multicast.plugins.module_utils._fog.service import Service
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import fakes
from pymysql import err

MODULES = "ansible_collections.imaging.multicast.plugins.modules."
FOG = ("fog_multicast_info", "fog_storage_iface", "fog_multicast_reset", "fog_multicast_service")
WRITING = ("fog_storage_iface", "fog_multicast_reset")
SETTINGS = f"""installtype='N'
interface='eth0'
ipaddress='10.99.1.1'
hostname='fog1'
snmysqluser='fog'
snmysqlpass='{fakes.SECRET}'
snmysqlhost='localhost'
mysqldbname='fog'
docroot='/var/www/html/'
webroot='/fog/'
"""


class Host:
    """A FOG server: its database, what runs on it, and how its modules are called.

    After each call ``output`` is all that the module printed and logged.
    """

    def __init__(self, folder, monkeypatch, capsys):
        self.server = fakes.Server()
        self.folder = folder
        self.monkeypatch = monkeypatch
        self.capsys = capsys
        self.senders, self.children = [], [fakes.process(11, 100)]
        self.service = Service("systemd", True, True, True, "active (running)", 10, 50.0)
        self.log = []
        self.output = ""
        self.broken = ""
        self.looks = 0
        self.settings = folder / ".fogsettings"
        self.settings.write_text(SETTINGS)
        (folder / "log").mkdir()
        (folder / "log" / "multicast.log").write_text("[11-21-26 7:00:00 pm]  * No new tasks found\n")
        self.changes = {}

    def observe(self, settings, _credentials):
        self.looks += 1
        found = fakes.snapshot(
            self.server,
            self.senders,
            self.children,
            self.service,
            read_logs(str(self.folder / "log")),
            settings=settings,
            **self.changes,
        )
        if self.broken:
            found = found._replace(
                database=database.Database(error=self.broken, kind="unreachable", endpoint="fog@localhost:3306/fog")
            )
        return found

    def call(self, name, check_mode=False, **params):
        """Run a module's main(); returns its result."""
        params.setdefault("fog_settings", str(self.settings))
        if name in WRITING:
            params.setdefault("backup_dir", str(self.folder / "backups"))
        arguments = dict(params, _ansible_check_mode=check_mode, _ansible_diff=True, _ansible_no_log=False)
        raw = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        self.monkeypatch.setattr(basic, "_ANSIBLE_ARGS", raw)
        # ansible-core 2.19 and later want to know how to read them.
        self.monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        self.log.clear()
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(MODULES + name).main()
        captured = self.capsys.readouterr()
        self.output = captured.out + captured.err + "\n".join(self.log)
        assert fakes.SECRET not in self.output
        assert "Traceback" not in self.output
        result = json.loads(captured.out)
        assert bool(ended.value.code) == bool(result.get("failed"))
        assert "exception" not in result
        assert "warnings" not in result
        return result


@pytest.fixture(name="host")
def fixture_host(tmp_path, monkeypatch, capsys):
    host = Host(tmp_path, monkeypatch, capsys)
    monkeypatch.setattr(run, "observe", host.observe)
    monkeypatch.setattr(run, "_importable", lambda _name: True)
    monkeypatch.setattr(database, "connect", host.server.connect)
    monkeypatch.setattr(apply, "read_processes", lambda: Processes((), (), tuple(host.senders)))
    monkeypatch.setattr(basic.AnsibleModule, "log", lambda _module, text, **_more: host.log.append(text))
    host.server.node()
    return host


@pytest.fixture(name="broken")
def fixture_broken(host):
    """The host with a stale session 12 (tasks 40 and 41)."""
    host.server.session(12, tasks=(40, 41))
    return host


def outcomes(result):
    return [(step["kind"], step["outcome"]) for step in result["steps"]]


# --- all of them


@pytest.mark.parametrize("name", FOG)
@pytest.mark.parametrize("check_mode", [False, True])
def test_a_healthy_host_is_left_alone(host, name, check_mode):
    before = host.server.dump()
    result = host.call(name, check_mode)
    assert result["changed"] is False
    assert result["findings"] == []
    assert host.server.dump() == before
    assert host.server.statements == []
    assert host.looks == 1
    assert not (host.folder / "backups").exists()


@pytest.mark.parametrize("name", FOG)
@pytest.mark.parametrize("content", [None, "interface='eth0\n", ""])
def test_settings_that_cannot_be_read_fail_with_a_sentence(host, name, content):
    if content is None:
        host.settings.unlink()
    else:
        host.settings.write_text(content + f"# {fakes.SECRET}\n")
    result = host.call(name)
    assert result["failed"]
    assert ".fogsettings" in result["msg"]
    assert host.looks == 0


@pytest.mark.parametrize("name", FOG)
def test_missing_libraries_are_named_with_their_packages(host, name, monkeypatch):
    monkeypatch.setattr(run, "_importable", lambda wanted: False)
    result = host.call(name)
    assert result["failed"]
    assert result["missing_libraries"] == ["netifaces", "PyMySQL"]
    for word in ("python3-netifaces", "python3-pymysql on Debian", "python3-PyMySQL on Enterprise Linux"):
        assert word in result["msg"]


@pytest.mark.parametrize("name", FOG)
def test_an_error_of_the_system_is_a_sentence(host, name, monkeypatch):
    def fail(*_arguments):
        raise OSError(24, "Too many open files", "/proc")

    monkeypatch.setattr(run, "observe", fail)
    result = host.call(name)
    assert result["msg"] == "/proc: Too many open files"


@pytest.mark.parametrize("name", FOG)
def test_a_password_of_the_options_appears_nowhere(host, name):
    host.settings.unlink()
    host.call(name, login_user="fog", login_password=fakes.SECRET, login_db="fog")
    host.broken = "The database at fog@localhost:3306/fog refuses the login."
    host.call(name, login_user="fog", login_password=fakes.SECRET, login_db="fog")


@pytest.mark.parametrize("name", FOG)
def test_an_unreachable_database_is_told(host, name):
    host.broken = "The database at fog@localhost:3306/fog cannot be reached."
    result = host.call(name)
    assert [finding["id"] for finding in result["findings"]] == ["fog.db.unreachable"]
    assert bool(result.get("failed")) == (name in WRITING)
    if name in WRITING:
        assert result["msg"] == host.broken


def test_whether_a_library_is_there_is_found_out():
    assert run._importable("json") is True
    assert run._importable("no_such_library_anywhere") is False


# --- fog_multicast_info


def test_info_tells_everything(broken):
    broken.server.session(13, port=50010, state=1, msSessClients=3)
    broken.senders.append(fakes.sender(50010))
    broken.senders.append(fakes.sender(50020, 5000)._replace(shell=None, process=None))
    result = broken.call("fog_multicast_info")
    assert result["fog"]["version"] == "1.5.9"
    assert result["fog"]["udp_sender"]["path"] == "/usr/local/sbin/udp-sender"
    (node,) = result["nodes"]
    assert (node["name"], node["master"], node["local"], node["group_name"]) == ("node1", True, True, "default")
    assert result["interfaces"]["configured"] == "eth0"
    assert result["interfaces"]["expected"] == "eth0"
    assert result["interfaces"]["present"][0]["addresses"] == ["10.99.1.1/16"]
    assert [(one["id"], one["tasks"], one["sending"]) for one in result["sessions"]] == [
        (12, [40, 41], False),
        (13, [], True),
    ]
    assert [(one["port"], one["pid"], one["session"]) for one in result["senders"]] == [
        (50010, 4000, 13),
        (50020, None, None),
    ]
    assert result["service"]["children"] == [11]
    assert result["log"] == ["[11-21-26 7:00:00 pm]  * No new tasks found"]
    assert "fog.session.stale" in [finding["id"] for finding in result["findings"]]
    assert broken.server.statements == []


@pytest.mark.parametrize("name", ["fog_multicast_info", "fog_multicast_service"])
def test_a_master_on_another_host_may_be_meant_so(host, name):
    host.server.db.execute("UPDATE nfsGroupMembers SET ngmIsMasterNode = ''")
    host.server.node(2, hostname="10.99.1.2")
    (found,) = host.call(name)["findings"]
    assert (found["id"], found["gate"]) == ("fog.node.master_not_local", "fog_multicast_master")
    assert host.call(name, master=False)["findings"] == []


def test_info_of_a_host_without_a_node(host):
    host.server.db.execute("UPDATE nfsGroupMembers SET ngmHostname = '10.99.9.9'")
    host.settings.write_text(SETTINGS.replace("10.99.1.1", "10.99.8.8"))
    result = host.call("fog_multicast_info")
    assert result["interfaces"]["node"] is None
    assert result["nodes"][0]["local"] is False


def test_info_of_a_healthy_host_imports_nothing_it_does_not_use():
    root = run.__file__[: run.__file__.index("ansible_collections")]
    code = """
import sys
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import fakes
from ansible_collections.imaging.multicast.plugins.modules import fog_multicast_info
from ansible_collections.imaging.multicast.plugins.module_utils._fog import run
server = fakes.Server()
server.node()
run.begin = lambda params: run.Options(fakes.SETTINGS, None)
run.observe = lambda *_options: fakes.snapshot(server, children=[fakes.process(11)])
assert run.info({"stale_after": 1800}, False, None)["findings"] == []
print(" ".join(name.rpartition(".")[2] for name in sys.modules if ".multicast.plugins.module_utils." in name))
"""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([root, *sys.path]))
    loaded = subprocess.check_output([sys.executable, "-c", code], env=environment).decode().split()
    assert "diagnose" in loaded
    unwanted = {"apply", "backup", "senders", "lock", "rows", "control", "evidence", "change", "_steps", "_catalogue"}
    assert sorted(set(loaded) & unwanted) == []
    assert [name for name in loaded if name.startswith("plan")] == []


# --- fog_multicast_reset


def test_reset_ends_a_stale_session_and_a_second_run_changes_nothing(broken):
    result = broken.call("fog_multicast_reset")
    assert result["changed"] is True
    assert (result["sessions"], result["tasks"], result["associations"]) == ([12], [40, 41], [140, 141])
    assert result["findings"] == []
    assert [finding["id"] for finding in result["findings_before"]] == ["fog.session.stale"]
    assert (result["waited_for_lock"], result["lock_holder"], result["refused"]) == (0.0, None, "")
    assert os.listdir(str(broken.folder / "backups")) == [os.path.basename(result["backup_file"])]
    assert broken.server.locks == {}
    after = broken.server.dump()
    again = broken.call("fog_multicast_reset")
    assert again["changed"] is False
    assert again["backup_file"] is None
    assert broken.server.dump() == after


def test_check_mode_shows_the_same_steps_and_changes_nothing(broken):
    before = broken.server.dump()
    looked = broken.call("fog_multicast_reset", check_mode=True)
    assert looked["changed"] is True
    assert {step["outcome"] for step in looked["steps"]} == {"planned"}
    assert broken.server.dump() == before
    assert broken.server.statements == []
    assert not (broken.folder / "backups").exists()
    done = broken.call("fog_multicast_reset")

    def essence(result):
        return [(step["kind"], step["target"], step["before"]) for step in result["steps"]]

    assert essence(looked) == essence(done)
    assert [change["after_header"] for change in looked["diff"]] == [change["after_header"] for change in done["diff"]]


def test_a_backup_puts_everything_back(broken):
    before = broken.server.dump()
    path = broken.call("fog_multicast_reset")["backup_file"]
    reset = broken.server.dump()
    looked = broken.call("fog_multicast_reset", check_mode=True, restore_from=path)
    assert looked["changed"] is True
    assert broken.server.dump() == reset
    assert broken.server.locks == {}
    result = broken.call("fog_multicast_reset", restore_from=path)
    assert outcomes(result)[0] == ("task.restore", "done")
    assert (result["sessions"], result["tasks"], result["associations"]) == ([12], [40, 41], [140, 141])
    assert broken.server.dump() == before
    again = broken.call("fog_multicast_reset", restore_from=path)
    assert again["changed"] is False
    assert broken.server.dump() == before


def test_deleted_rows_come_back_whole(broken):
    before = broken.server.dump()
    path = broken.call("fog_multicast_reset", method="delete")["backup_file"]
    assert broken.server.one("SELECT count(*) AS number FROM tasks") == {"number": 0}
    broken.call("fog_multicast_reset", restore_from=path)
    assert broken.server.dump() == before


def test_what_somebody_wrote_after_the_reset_survives_a_restore(broken):
    path = broken.call("fog_multicast_reset")["backup_file"]
    broken.server.db.execute("UPDATE tasks SET taskStateID = 1 WHERE taskID = 40")
    result = broken.call("fog_multicast_reset", restore_from=path)
    assert result["notes"] == ["task 40 was changed since (taskStateID); left as it is"]
    assert result["tasks"] == [41]
    assert broken.server.one("SELECT taskStateID FROM tasks WHERE taskID = 40") == {"taskStateID": 1}


def test_a_backup_that_cannot_be_written_stops_before_any_change(broken):
    (broken.folder / "file").write_text("")
    before = broken.server.dump()
    result = broken.call("fog_multicast_reset", backup_dir=str(broken.folder / "file" / "below"))
    assert result["failed"]
    assert "Nothing was changed" in result["msg"]
    assert broken.server.dump() == before
    assert broken.server.writes() == []
    assert broken.server.locks == {}


def test_a_restore_from_a_bad_file_fails_with_a_sentence(broken):
    path = broken.folder / "bad.json"
    path.write_text("{}")
    path.chmod(0o600)
    result = broken.call("fog_multicast_reset", restore_from=str(path))
    assert result["failed"]
    assert "is no backup that can be restored" in result["msg"]


def test_a_restore_needs_the_database(broken):
    broken.broken = "The database cannot be reached."
    result = broken.call("fog_multicast_reset", restore_from="/none")
    assert (result["failed"], result["msg"]) == (True, broken.broken)


def test_nothing_is_restored_into_a_database_of_an_unknown_schema(broken):
    path = broken.call("fog_multicast_reset")["backup_file"]
    read = broken.observe(None, None).database
    broken.changes = {"database": read._replace(schema=300)}
    before = broken.server.dump()
    result = broken.call("fog_multicast_reset", restore_from=path)
    assert result["failed"]
    assert "not one of those this collection knows" in result["msg"]
    assert broken.server.dump() == before


def test_a_live_session_survives_unless_it_is_named(host, monkeypatch):
    ended = []
    monkeypatch.setattr(apply, "end_sender", lambda *target: ended.append(target[0]) or host.senders.clear() or "")
    host.server.session(12, tasks=(40,))
    host.senders.append(fakes.sender(50000))
    before = host.server.dump()
    assert host.call("fog_multicast_reset")["changed"] is False
    assert host.server.dump() == before
    result = host.call("fog_multicast_reset", sessions=[12])
    assert result["sessions"] == [12]
    assert result["senders_ended"] == [{"port": 50000, "pid": 4000, "start": 77}]
    assert ended == [50000]


def test_scope_all_takes_live_sessions_too(host, monkeypatch):
    monkeypatch.setattr(apply, "end_sender", lambda *target: host.senders.clear() or "")
    host.server.session(12, tasks=(40,))
    host.senders.append(fakes.sender(50000))
    assert host.call("fog_multicast_reset", scope="all")["sessions"] == [12]


def test_an_unknown_session_is_the_users_mistake(broken):
    before = broken.server.dump()
    result = broken.call("fog_multicast_reset", sessions=[99])
    assert result["failed"]
    assert "99" in result["msg"]
    assert "12" in result["msg"]
    assert broken.server.dump() == before


def test_without_the_right_to_delete_nothing_is_begun(broken, monkeypatch):
    rights = frozenset(("SELECT", "UPDATE"))
    real = broken.server.read
    monkeypatch.setattr(broken.server, "read", lambda: real()._replace(privileges=rights))
    before = broken.server.dump()
    result = broken.call("fog_multicast_reset")
    assert result["changed"] is False
    assert "DELETE" in result["refused"]
    assert "fog.db.no_delete" in [finding["id"] for finding in result["findings"]]
    assert broken.server.dump() == before


def test_waiting_for_another_run_is_told(broken):
    waits = []

    def holder(seconds):
        waits.append(seconds)
        return 7 if len(waits) < 3 else None

    broken.server.locks["imaging.multicast:fog"] = holder
    result = broken.call("fog_multicast_reset")
    assert result["changed"] is True
    assert result["lock_holder"] == 7
    assert any("waiting up to 60 s for another repair" in line for line in broken.log)


def test_waiting_ends(broken):
    broken.server.locks["imaging.multicast:fog"] = 7
    before = broken.server.dump()
    result = broken.call("fog_multicast_reset", lock_timeout=0)
    assert result["failed"]
    assert "lock_timeout" in result["msg"]
    assert broken.server.dump() == before


def test_what_another_run_repaired_meanwhile_is_not_repaired_again(broken):
    def other(_seconds):
        broken.server.db.execute("UPDATE multicastSessions SET msState = 5")
        broken.server.db.execute("UPDATE tasks SET taskStateID = 5")
        broken.server.db.execute("DELETE FROM multicastSessionsAssoc")

    broken.server.locks["imaging.multicast:fog"] = other
    result = broken.call("fog_multicast_reset")
    assert result["changed"] is False
    assert result["steps"] == []
    assert result["backup_file"] is None
    assert broken.server.writes() == []


def test_a_server_that_goes_away_fails_with_all_that_was_done(broken):
    def lost():
        raise err.OperationalError(2013, "Lost connection to server during query")

    broken.server.before["DELETE"] = lost
    result = broken.call("fog_multicast_reset")
    assert result["failed"]
    assert "Delete association 140" in result["msg"]
    assert "Lost connection" in result["msg"]
    assert [outcome for _kind, outcome in outcomes(result)] == ["done", "done", "failed", "skipped", "skipped"]
    assert result["changed"] is True
    assert result["backup_file"]
    assert [finding["id"] for finding in result["findings"]] == ["fog.session.stale"]
    again = broken.call("fog_multicast_reset")
    assert again["findings"] == []


# --- fog_storage_iface


def test_a_stale_record_is_corrected_and_called_what_it_is(host):
    host.server.db.execute("UPDATE nfsGroupMembers SET ngmInterface = 'eth7'")
    looked = host.call("fog_storage_iface", check_mode=True)
    assert looked["configured_interface"] == "eth7"
    result = host.call("fog_storage_iface")
    assert result["changed"] is True
    assert (result["node"], result["configured_interface"], result["expected_interface"]) == ("node1", "eth0", "eth0")
    assert result["wrong"] == ["record"]
    assert outcomes(result) == [("node.update", "done")]
    assert result["diff"] == looked["diff"]
    assert host.call("fog_storage_iface")["changed"] is False
    assert host.call("fog_storage_iface")["wrong"] == []
    with open(result["backup_file"]) as file:
        saved = file.read()
    assert fakes.SECRET not in saved
    assert "eth7" in saved
    restored = host.call("fog_multicast_reset", restore_from=result["backup_file"])
    assert outcomes(restored) == [("node.restore", "done")]
    assert host.server.one("SELECT ngmInterface FROM nfsGroupMembers") == {"ngmInterface": "eth7"}


def test_what_waits_for_consent_is_neither_locked_for_nor_saved(host):
    host.server.node(2, hostname="10.99.9.9")
    before = host.server.dump()
    result = host.call("fog_storage_iface")
    assert result["changed"] is False
    assert set(outcomes(result)) == {("node.update", "blocked")}
    assert {step["gate"] for step in result["steps"]} == {"fog_multicast_master"}
    assert result["backup_file"] is None
    assert host.server.dump() == before
    assert host.server.statements == []
    assert not (host.folder / "backups").exists()

    # Beside what needs no consent, only that is saved.
    host.server.db.execute("UPDATE nfsGroupMembers SET ngmInterface = 'eth7' WHERE ngmID = 1")
    result = host.call("fog_storage_iface")
    assert {outcome for _kind, outcome in outcomes(result)} == {"done", "blocked"}
    with open(result["backup_file"]) as file:
        saved = json.load(file)
    assert [(row["key"], sorted(row["row"])) for row in saved["rows"]] == [(1, ["ngmInterface"])]
    assert host.call("fog_storage_iface")["backup_file"] is None


@pytest.mark.parametrize(
    ("wish", "word"),
    [({"node": "none"}, "none"), ({"interface": "eth9"}, "eth9"), ({"address": "192.0.2.1"}, "192.0.2.1")],
)
def test_a_wish_for_what_is_not_there_is_the_users_mistake(host, wish, word):
    result = host.call("fog_storage_iface", **wish)
    assert result["failed"]
    assert word in result["msg"]
    assert host.server.statements == []


def test_a_host_without_a_node_is_refused_not_failed(host):
    host.server.db.execute("UPDATE nfsGroupMembers SET ngmHostname = '10.99.9.9'")
    host.settings.write_text(SETTINGS.replace("10.99.1.1", "10.99.8.8"))
    result = host.call("fog_storage_iface")
    assert not result.get("failed")
    assert result["changed"] is False
    assert "No storage node" in result["refused"]
    assert result["node"] is None


# --- fog_multicast_service


@pytest.fixture(name="asked")
def fixture_asked(host, monkeypatch):
    """What the service manager was asked to do; a start brings a child."""
    asked = []

    def controlled(verb, _service, _logs, _wait):
        asked.append(verb)
        host.children[:] = [fakes.process(12, 200)]
        host.service = host.service._replace(active=True, enabled=True)
        return ""

    monkeypatch.setattr(apply, "control", controlled)
    return asked


def test_a_stopped_service_is_started_and_enabled(host, asked):
    host.children.clear()
    host.service = Service("systemd", True, False, False, "inactive (dead)", None, None)
    looked = host.call("fog_multicast_service", check_mode=True)
    assert asked == []
    assert looked["changed"] is True
    result = host.call("fog_multicast_service")
    assert outcomes(result) == [("service.start", "done"), ("service.enable", "done")]
    assert [step["kind"] for step in looked["steps"]] == [step["kind"] for step in result["steps"]]
    assert (result["before"]["active"], result["after"]["active"]) == (False, True)
    assert result["evidence"] == {
        str(host.folder / "log" / "multicast.log"): ["[11-21-26 7:00:00 pm]  * No new tasks found"]
    }
    assert host.call("fog_multicast_service")["changed"] is False


def test_a_restart_waits_for_what_is_being_sent(host, asked):
    host.server.session(12, tasks=(40,))
    host.senders.append(fakes.sender(50000))
    result = host.call("fog_multicast_service", restart=True)
    assert result["changed"] is False
    (step,) = result["steps"]
    assert (step["outcome"], step["gate"]) == ("blocked", "fog_multicast_allow_restart")
    assert "fog_multicast_allow_restart" in step["detail"]
    assert asked == []
    assert host.call("fog_multicast_service", restart=True, allow_restart=True)["changed"] is True
    assert asked == ["restart"]


def test_a_session_that_begins_while_evidence_is_collected_blocks_the_restart(host, asked, monkeypatch):
    real = host.observe

    def observe(*arguments):
        found = real(*arguments)
        if not host.senders:
            host.server.session(12, tasks=(40,))
            host.senders.append(fakes.sender(50000))
        return found

    monkeypatch.setattr(run, "observe", observe)
    result = host.call("fog_multicast_service", restart=True)
    assert [outcome for _kind, outcome in outcomes(result)] == ["blocked"]
    assert asked == []


def test_a_restart_that_fails_is_told_with_its_evidence(host, monkeypatch):
    def fail(*_arguments):
        raise control.ServiceError("systemctl ended with code 5 and said: Unit is masked.")

    monkeypatch.setattr(apply, "control", fail)
    result = host.call("fog_multicast_service", restart=True)
    assert result["failed"]
    assert "Unit is masked" in result["msg"]
    assert result["evidence"]
    assert outcomes(result) == [("service.restart", "failed")]


# --- documentation and specification


@pytest.mark.parametrize("name", FOG)
def test_every_result_is_documented(host, name):
    yaml = pytest.importorskip("yaml")
    documented = set(yaml.safe_load(importlib.import_module(MODULES + name).RETURN))
    returned = set(host.call(name))
    assert returned - documented <= {"changed", "diff", "invocation"}
    assert documented - returned <= {"missing_libraries"}

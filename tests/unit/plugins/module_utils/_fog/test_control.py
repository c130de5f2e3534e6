# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting and restarting the daemon: real commands, with scripts in the place of the service manager's."""

import os

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._fog import control
from ansible_collections.imaging.multicast.plugins.module_utils._fog.log import read_logs
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Processes
from ansible_collections.imaging.multicast.plugins.module_utils._fog.service import Service
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import fakes

OLD, NEW = fakes.process(11, 100), fakes.process(11, 200)


def service(manager="systemd"):
    return Service(manager, True, True, True, "active (running)", 10, 50.0)


@pytest.fixture(name="children", autouse=True)
def fixture_children(monkeypatch):
    """What the process table shows, look by look; the last stays."""
    looks = [(OLD,), (NEW,)]
    monkeypatch.setattr(
        control, "read_processes", lambda: Processes((), looks.pop(0) if len(looks) > 1 else looks[0], ())
    )
    monkeypatch.setattr(control, "_POLL", 0.01)
    return looks


@pytest.fixture(name="logs")
def fixture_logs(tmp_path):
    (tmp_path / "multicast.log").write_text("[11-21-26 7:00:00 pm] * Starting service loop\n")
    return read_logs(str(tmp_path))


@pytest.fixture(name="command")
def fixture_command(tmp_path, monkeypatch):
    """A program that records how it was called; put first in the PATH."""

    def make(name, text='echo "$0 $*" >> "$RECORD"'):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return make


def recorded(tmp_path):
    calls = map(str.split, (tmp_path / "record").read_text().splitlines())
    return [" ".join([os.path.basename(words[0]), *words[1:]]) for words in calls]


@pytest.mark.parametrize("action", ["start", "enable", "restart"])
def test_systemd(tmp_path, command, logs, action):
    command("systemctl")
    assert control.control(action, service(), logs, 5) == ""
    assert recorded(tmp_path) == [f"systemctl {action} FOGMulticastManager.service"]


def test_a_sysv_script(tmp_path, command, logs, monkeypatch):
    monkeypatch.setattr(control, "_SCRIPT", command("FOGMulticastManager"))
    assert control.control("restart", service("sysv"), logs, 5) == ""
    assert recorded(tmp_path) == ["FOGMulticastManager restart"]


@pytest.mark.parametrize(
    ("name", "call"),
    [("update-rc.d", "update-rc.d FOGMulticastManager defaults"), ("chkconfig", "chkconfig FOGMulticastManager on")],
)
def test_a_sysv_script_is_enabled(tmp_path, command, logs, monkeypatch, name, call):
    path = command(name)
    monkeypatch.setattr(control.shutil, "which", lambda wanted: path if wanted == name else None)
    assert control.control("enable", service("sysv"), logs, 5) == ""
    assert recorded(tmp_path) == [call]


def test_nothing_to_enable_with_is_told(logs, monkeypatch):
    monkeypatch.setattr(control.shutil, "which", lambda _wanted: None)
    with pytest.raises(control.ServiceError, match=r"neither update-rc\.d nor chkconfig"):
        control.control("enable", service("sysv"), logs, 5)


def test_no_service_manager_is_told(logs):
    with pytest.raises(control.ServiceError, match="No service manager"):
        control.control("start", service(""), logs, 5)


def test_a_failing_command_is_told_in_its_own_words(command, logs):
    command("systemctl", "echo Unit is masked. >&2; exit 5")
    with pytest.raises(control.ServiceError, match="ended with code 5 and said: Unit is masked"):
        control.control("start", service(), logs, 5)


def test_a_command_that_hangs_is_cut_off(command, logs, monkeypatch):
    command("systemctl", "exec sleep 60")
    monkeypatch.setattr(control, "TIMEOUT", 0.3)
    with pytest.raises(control.ServiceError, match="did not end within"):
        control.control("restart", service(), logs, 5)


def test_a_missing_command_is_told(logs, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(control.ServiceError, match="systemctl cannot be run: No such file"):
        control.control("restart", service(), logs, 5)


def test_a_daemon_that_keeps_its_output_open_is_not_waited_for(command, logs, monkeypatch):
    command("systemctl", "sleep 20 &")
    monkeypatch.setattr(control, "TIMEOUT", 10)
    assert control.control("restart", service(), logs, 5) == ""


def test_a_child_that_never_comes_is_told(command, logs, children):
    command("systemctl")
    children[:] = [(OLD,), ()]
    text = control.control("restart", service(), logs, 0.1)
    assert text == "no new child of FOGMulticastManager lived within 0 s"


def test_a_restart_that_leaves_the_old_child_has_failed(command, logs, children):
    command("systemctl")
    children[:] = [(OLD,)]
    with pytest.raises(control.ServiceError, match=r"was not restarted: its old child \(process id %d\)" % OLD.pid):
        control.control("restart", service(), logs, 0.1)


@pytest.mark.parametrize("case", ["old", "none", "empty"])
def test_a_log_that_does_not_begin_is_told(tmp_path, command, logs, case):
    command("systemctl")
    path = tmp_path / "multicast.log"
    if case == "old":
        os.utime(str(path), (1, 1))
    elif case == "none":
        path.unlink()
    else:
        path.write_text("")
    assert "the new child wrote nothing into" in control.control("restart", service(), logs, 0.1)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the service manager says about the daemon."""

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._command import CommandError
from ansible_collections.imaging.multicast.plugins.module_utils._fog import service
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Process
from hypothesis import given
from hypothesis import strategies as st

SHOWN = """\
LoadState=loaded
ActiveState=active
SubState=running
Result=success
UnitFileState=enabled
MainPID=812
ActiveEnterTimestampMonotonic=5000000
"""
DAEMON = (Process(30, 1, 5, "S", 20.0, ()), Process(20, 1, 3, "S", 90.0, ()))


def shown(**changes):
    values = dict(line.split("=", 1) for line in SHOWN.splitlines())
    values.update(changes)
    return "".join("{}={}\n".format(*item) for item in values.items())


@pytest.fixture
def root(tmp_path):
    for folder in ("etc/init.d", "run", "lib/systemd/system"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


@pytest.fixture
def systemd(root, monkeypatch):
    (root / "run/systemd/system").mkdir(parents=True)

    def answer(text):
        asked = []

        def ask(*call):
            asked.append(call)
            return text

        monkeypatch.setattr(service, "ask", ask)
        return asked

    return answer


def test_a_running_unit():
    assert service.parse_show(SHOWN, 65.0) == service.Service(
        "systemd", True, True, True, "active (running)", 812, 60.0
    )


@pytest.mark.parametrize(
    ("changes", "state", "active"),
    [
        ({"ActiveState": "inactive", "SubState": "dead", "MainPID": "0"}, "inactive (dead)", False),
        ({"ActiveState": "failed", "Result": "exit-code", "MainPID": "0"}, "failed (Result: exit-code)", False),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, "activating (auto-restart)", False),
        ({"ActiveState": "reloading", "SubState": "reload"}, "reloading (reload)", True),
        ({"ActiveState": ""}, "unknown (running)", False),
        ({"LoadState": "masked", "ActiveState": "inactive"}, "masked", False),
    ],
)
def test_states(changes, state, active):
    found = service.parse_show(shown(**changes), 65.0)
    assert (found.state, found.active, found.installed) == (state, active, True)
    assert (found.since is None) is not active


@pytest.mark.parametrize(
    ("state", "enabled"),
    [
        ("enabled", True),
        ("alias", True),
        ("disabled", False),
        ("masked", False),
        ("enabled-runtime", False),
        ("static", None),
        ("indirect", None),
        ("", None),
        ("generated", True),
    ],
)
def test_enabled_at_boot(state, enabled):
    assert service.parse_show(shown(UnitFileState=state), 65.0, True).enabled is enabled
    if state == "generated":
        assert service.parse_show(shown(UnitFileState=state), 65.0, None).enabled is None


@pytest.mark.parametrize("text", ["LoadState=not-found\nActiveState=inactive\n", "", "junk\n"])
def test_no_such_unit(text):
    assert service.parse_show(text, 65.0) == service.ABSENT


def test_odd_numbers_are_not_taken():
    found = service.parse_show(shown(MainPID="", ActiveEnterTimestampMonotonic="never"), 65.0)
    assert (found.main_pid, found.since) == (None, None)
    assert service.parse_show(shown(ActiveEnterTimestampMonotonic="99000000"), 65.0).since == 0.0


@given(st.text())
def test_any_text_is_read(text):
    assert service.parse_show(text, 65.0).manager in ("", "systemd")


KEYS = st.sampled_from([line.split("=")[0] for line in SHOWN.splitlines()])


@given(st.dictionaries(KEYS, st.text(st.characters(blacklist_characters="\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"))))
def test_any_values_are_read(values):
    found = service.parse_show(shown(**values), 65.0)
    assert found.since is None or found.since >= 0
    assert found.main_pid is None or found.main_pid > 0
    assert found.state


def test_systemd_is_asked_once(root, systemd):
    asked = systemd(SHOWN)
    found = service.read_service((), str(root))
    assert (found.manager, found.active, found.main_pid, found.error) == ("systemd", True, 812, "")
    assert found.since is not None
    assert found.since > 0
    ((name, words, _timeout),) = asked
    assert (name, words[:3]) == ("systemctl", ["show", "--no-pager", "FOGMulticastManager.service"])


def test_a_unit_made_from_a_sysv_script_is_enabled_by_links(root, systemd):
    systemd(shown(UnitFileState="generated"))
    (root / "etc/rc3.d").mkdir()
    assert service.read_service((), str(root)).enabled is False
    (root / "etc/rc3.d/S20FOGMulticastManager").write_text("")
    assert service.read_service((), str(root)).enabled is True


@pytest.mark.parametrize("known", [True, False])
def test_a_systemd_that_does_not_answer_leaves_the_processes(root, monkeypatch, systemd, known):
    def fail(*_call):
        raise CommandError("systemctl did not end within 20 s")

    monkeypatch.setattr(service, "ask", fail)
    if known:
        (root / "lib/systemd/system/FOGMulticastManager.service").write_text("")
    assert service.read_service(DAEMON, str(root)) == service.Service(
        manager="systemd",
        installed=known,
        enabled=None,
        active=True,
        state="running",
        main_pid=20,
        since=90.0,
        error="systemd cannot be asked about FOGMulticastManager: systemctl did not end within 20 s.",
    )


def test_neither_systemd_nor_a_script(root):
    assert service.read_service((), str(root)) == service.ABSENT


def test_a_sysv_script_is_judged_by_processes_and_links(root):
    (root / "etc/init.d/FOGMulticastManager").write_text("#!/bin/sh\n")
    assert service.read_service((), str(root)) == service.Service("sysv", True, None, False, "not running", None, None)
    (root / "etc/rc.d/rc5.d").mkdir(parents=True)
    (root / "etc/rc.d/rc5.d/K01FOGMulticastManager").write_text("")
    assert service.read_service(DAEMON, str(root)) == service.Service("sysv", True, False, True, "running", 20, 90.0)
    (root / "etc/rc.d/rc5.d/S99FOGMulticastManager").write_text("")
    assert service.read_service(DAEMON, str(root)).enabled is True

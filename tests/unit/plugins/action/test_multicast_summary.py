# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The action plugin of the report."""

import json
import os
import stat
from datetime import datetime

import pytest
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing import vault
from ansible.parsing.dataloader import DataLoader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from ansible_collections.imaging.multicast.plugins.action import multicast_summary
from ansible_collections.imaging.multicast.plugins.action.multicast_summary import ActionModule
from ansible_collections.imaging.multicast.plugins.plugin_utils import _fleet

SILENT = {"show": False}


class Screen:
    """Stands for Ansible's display."""

    def __init__(self):
        self.lines = []

    def display(self, line, color=None):
        self.lines.append((line, color))


@pytest.fixture
def screen(monkeypatch):
    made = Screen()
    monkeypatch.setattr(multicast_summary, "Display", lambda: made)
    return made


def test_every_host_of_the_play_has_an_outcome(run_action, hosts, screen):
    result = run_action(ActionModule, SILENT, hosts)
    assert result["outcomes"] == {
        "good": "healthy",
        "stale": "would_repair",
        "masters": "needs_person",
        "lost": "failed",
    }
    assert result["verdicts"]["good"] == ""
    assert result["verdicts"]["masters"] == "needs a person: fog.node.many_masters: Two masters."
    assert (result["changed"], result["in_order"], result["report_file"]) == (False, False, None)
    assert screen.lines == []


def test_a_fleet_in_order(run_action, hosts):
    del hosts["masters"], hosts["lost"]
    assert run_action(ActionModule, SILENT, hosts)["in_order"] is True


@pytest.mark.parametrize(
    ("value", "outcome"), [(True, "would_repair"), ("yes", "would_repair"), ("no", "needs_person")]
)
def test_consent_is_read_from_the_hosts_own_variables(run_action, hosts, value, outcome):
    hosts["masters"]["fog_multicast_master"] = value
    assert run_action(ActionModule, SILENT, hosts)["outcomes"]["masters"] == outcome


@pytest.mark.parametrize(("check_mode", "outcome"), [(False, "repaired"), (True, "would_repair")])
def test_check_mode_is_told_apart(run_action, hosts, check_mode, outcome):
    link = {"kind": "sender.link", "what": "link udp-sender", "result": {"changed": True}}
    verified: object = None if check_mode else {"findings": []}
    repair = {"tasks": [link], "verified": verified, "refused": ""}
    hosts["stale"]["fog_multicast_result"]["repair"] = repair
    assert run_action(ActionModule, SILENT, hosts, check_mode)["outcomes"]["stale"] == outcome


def test_the_recap_line_is_the_last_of_the_table(run_action, hosts, screen):
    run_action(ActionModule, {}, hosts)
    lines = [line for line, _colour in screen.lines]
    assert lines[0].startswith("host ")
    assert [line.split()[0] for line in lines[1:5]] == list(hosts)
    assert "    set:    fog_multicast_master: true" in lines
    assert lines[-1] == (
        "fleet 4 | healthy 1 | repaired 0 | would repair 1 | needs a person 1 | failed 1 | unreachable 0"
    )
    colours = [colour for _line, colour in screen.lines]
    assert colours[:5] == [None, C.COLOR_OK, C.COLOR_CHANGED, C.COLOR_ERROR, C.COLOR_ERROR]
    assert colours[-1] is None


def test_the_report_is_written(run_action, hosts, tmp_path, screen):
    folder = tmp_path / "new" / "report"
    result = run_action(ActionModule, {"report_dir": str(folder)}, hosts)
    assert result["report_file"] == str(folder / "report.json")
    files = sorted(folder.iterdir())
    assert [path.name for path in files] == [
        "history.jsonl",
        "junit.xml",
        "multicast.prom",
        "report.html",
        "report.json",
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o644}
    report = json.loads((folder / "report.json").read_text())
    assert report["summary"] == result["summary"]
    assert report["hosts"]["stale"]["before"][0]["id"] == "fog.session.stale"
    assert datetime.fromisoformat(report["generated"]).tzinfo is not None


def test_a_report_that_cannot_be_finished_leaves_the_old_one(run_action, hosts, tmp_path, monkeypatch, screen):
    (tmp_path / "report.json").write_text("old")

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run_action(ActionModule, {"report_dir": str(tmp_path)}, hosts)
    assert result["failed"] is True
    assert "No space left on device" in result["msg"]
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert (tmp_path / "report.json").read_text() == "old"
    # The table is there all the same.
    assert screen.lines[-1][0].startswith("fleet 4 |")


def test_a_history_that_cannot_be_written_holds_up_no_other_file(run_action, hosts, tmp_path, screen):
    (tmp_path / "history.jsonl").mkdir()
    (tmp_path / "multicast.prom").write_text("of yesterday")
    result = run_action(ActionModule, {"report_dir": str(tmp_path)}, hosts)
    assert result["failed"] is True
    assert "history.jsonl: Is a directory" in result["msg"]
    assert 'multicast_hosts{outcome="failed"} 1\n' in (tmp_path / "multicast.prom").read_text()
    assert "Nothing came back." in (tmp_path / "report.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} >= {"report.json", "junit.xml"}


def test_what_undoes_the_steps_is_said_before_the_recap(run_action, hosts, tmp_path, screen):
    reset = {"kind": "fog_multicast_reset", "what": "x", "result": {"changed": True, "backup_file": "/b/1.json"}}
    repair = {"tasks": [reset], "verified": {"findings": []}, "refused": ""}
    hosts["stale"]["fog_multicast_result"]["repair"] = repair
    run_action(ActionModule, {"report_dir": str(tmp_path)}, hosts)
    told = "stale: to undo fog_multicast_reset: fog_multicast_reset with restore_from: /b/1.json"
    assert screen.lines[-2] == (told, C.COLOR_CHANGED)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["hosts"]["stale"]["backups"] == [{"module": "fog_multicast_reset", "backup": "/b/1.json"}]


def test_unknown_options_are_refused(run_action):
    with pytest.raises(AnsibleError, match="colour"):
        run_action(ActionModule, {"colour": True}, {})


def test_what_later_jobs_get_to_know(run_action, hosts, tmp_path, screen):
    assert "ansible_stats" not in run_action(ActionModule, SILENT, hosts)
    told = run_action(ActionModule, {"report_dir": str(tmp_path)}, hosts)["ansible_stats"]
    assert (told["per_host"], told["aggregate"]) == (False, False)
    assert told["data"]["multicast_in_order"] is False
    assert told["data"]["multicast_summary"]["needs_person"] == 1
    assert told["data"]["multicast_hosts"]["needs_person"] == ["masters"]
    assert told["data"]["multicast_recap"] == screen.lines[-1][0]


@pytest.mark.parametrize(
    "name", ["ansible_password", "fog_multicast_login_password", "ansible_become_pass", "api_key", "db_pw", "smb_pwd"]
)
def test_no_secret_of_the_inventory_is_in_any_file_nor_in_the_result(run_action, hosts, tmp_path, screen, name):
    text = "Access denied (using password hunter2)"
    hosts["masters"][name] = "hunter2"
    result = hosts["masters"]["fog_multicast_result"]
    said = dict(result["findings"][0], subject=text, summary=text, evidence=[text])
    done = {"kind": "x", "what": text, "target": {"a": text}, "before": {"a": text}, "after": {"a": [text]}}
    step = dict(done, finding=None, gate=None, outcome="failed", detail=text)
    hosts["masters"]["fog_multicast_result"] = {"findings": [said], "steps": [step], "baseline": [{"a": text}]}
    result = run_action(ActionModule, {"report_dir": str(tmp_path)}, hosts)
    assert "Access denied (using password (hidden))" in (tmp_path / "report.json").read_text()
    assert "hunter2" not in json.dumps(result)
    for path in tmp_path.iterdir():
        assert "hunter2" not in path.read_text(), path.name
    assert "hunter2" not in str(screen.lines)


def said(hosts, text):
    """A program's message about the host ``masters``."""
    step = {"kind": "x", "what": "do it", "target": {}, "before": {}, "after": {}, "finding": None, "gate": None}
    hosts["masters"]["fog_multicast_result"] = {"findings": [], "steps": [dict(step, outcome="failed", detail=text)]}


def verdict(run_action, hosts, **more):
    return run_action(ActionModule, SILENT, hosts, play=["masters"], **more)["verdicts"]["masters"]


@pytest.mark.parametrize(
    ("value", "hidden"), [(12345678, True), (False, False), (None, False), (["12345678"], False), ({"a": 1}, False)]
)
def test_a_number_is_a_password_too(run_action, hosts, value, hidden):
    said(hosts, "12345678 is None, False or {'a': 1}")
    hosts["masters"]["ansible_password"] = value
    assert verdict(run_action, hosts).endswith(("(hidden)" if hidden else "12345678") + " is None, False or {'a': 1}")


@pytest.fixture
def vaulted(tmp_path, monkeypatch):
    """The variables of a host of an inventory with an inline ``!vault``, as Ansible itself hands them out."""
    secrets = [("default", vault.VaultSecret(b"the vault's own"))]
    if hasattr(vault, "VaultSecretsContext"):  # of ansible-core 2.19 and later, where the loader's are not enough
        monkeypatch.setattr(vault.VaultSecretsContext, "_current", vault.VaultSecretsContext(secrets))
    text = vault.VaultLib(secrets).encrypt(b"hunter2-vault", secrets[0][1]).decode()
    lines = "".join(f"        {line}\n" for line in text.splitlines())
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(f"all:\n  hosts:\n    masters:\n      ansible_password: !vault |\n{lines}")
    loader = DataLoader()
    loader.set_vault_secrets(secrets)
    found = InventoryManager(loader, [str(inventory)])
    return HostVars(found, VariableManager(loader, found), loader)["masters"]


def test_a_vaulted_password_is_one_too(run_action, hosts, vaulted):
    said(hosts, "login with hunter2-vault refused")
    hosts["masters"]["ansible_password"] = vaulted["ansible_password"]
    assert verdict(run_action, hosts).endswith("login with (hidden) refused")


@pytest.mark.parametrize(
    ("named", "groups"),
    [
        ({}, {"multicast_probe_clients": ["client"]}),
        ({"fog_multicast_probe_hosts": ["client", "nowhere"]}, {}),
        ({"multicast_probe_hosts": ("client",)}, {}),
    ],
)
def test_the_secrets_of_the_hosts_of_the_probe_are_hidden_too(run_action, hosts, named, groups):
    said(hosts, "login with hunter2-client refused")
    hosts["client"] = {"ansible_password": "hunter2-client"}
    hosts["masters"].update(named)
    assert verdict(run_action, hosts, groups=groups).endswith("login with (hidden) refused")


class Variables(dict):
    """As Ansible's: a value that cannot be made raises."""

    def get(self, name, default=None):
        if name == "ansible_password":
            raise AnsibleError("vault is locked")
        return super().get(name, default)


def test_a_secret_that_cannot_be_templated_is_passed_over(run_action, hosts):
    hosts["stale"] = Variables(hosts["stale"], ansible_password="")
    assert run_action(ActionModule, SILENT, hosts)["outcomes"]["stale"] == "would_repair"


def test_the_secrets_of_a_host_in_order_are_not_asked_for(run_action, hosts, monkeypatch):
    monkeypatch.setattr(_fleet, "_secrets", None)
    assert run_action(ActionModule, SILENT, {"good": hosts["good"]})["outcomes"] == {"good": "healthy"}

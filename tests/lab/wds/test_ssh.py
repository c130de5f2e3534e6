"""Head nodes over ssh: this machine's OpenSSH client, and a server that hands its commands to simulated nodes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.lab.controller import finding_ids
from tests.lab.wds.conftest import HeadNodes, Heads
from tests.lab.wds.test_deployments import SECRET
from tests.lab.wds.test_languages import told
from tests.lab.wds.test_reliability import PASSWORD, watched
from tests.lab.wds.together import modules
from tests.lab.windows.sshd import Host, Shell, Sshd

INFO = "wds_multicast_info"
NODES: dict[str, dict[str, Any]] = {"german": {"language": "de"}, "old": {"build": 7600}}
SHELLS: dict[str, Shell] = {"german": "cmd", "old": "powershell"}


def served(fleet: HeadNodes) -> dict[str, Host]:
    """The nodes as the SSH server takes them."""
    addresses = json.loads(fleet.site.inventory.read_text(encoding="utf-8"))["all"]["children"]["hpc_head_nodes"]
    return {
        name: Host(fleet.machines[name], addresses["hosts"][name]["ansible_host"], shell, [])
        for name, shell in SHELLS.items()
    }


def test_no_secret_is_shown_over_ssh(heads: Heads, tmp_path: Path) -> None:
    ill = {"baseline": True, "faults": ["missing-namespace", "blank-namespace-logs"]}
    fleet = heads({name: {**more, **ill} for name, more in NODES.items()})
    with Sshd(served(fleet), tmp_path) as sshd, watched(PASSWORD) as found:
        given = {**sshd.variables, "ansible_password": PASSWORD}
        run = fleet.playbook("repair-multicast", "-vvv", "--diff", **given)
    assert found == []
    shown = run.output + json.dumps(run.report)
    for name in NODES:
        assert run.outcome(name) == "repaired", run.explain(name)
    assert "ESTABLISH SSH CONNECTION" in shown
    assert PASSWORD not in shown
    assert SECRET not in shown


@pytest.mark.usefixtures("breaking")
def test_ssh_gives_what_winrm_gives_and_repairs(heads: Heads, tmp_path: Path) -> None:
    # After the reinstall only the baseline brings the namespace back.
    settings = {"recreation": "provider"}
    one: dict[str, Any] = {"baseline": True, "description": "Größe", "faults": ["missing-namespace"]}
    fleet = heads({name: {**one, **more, "settings": settings} for name, more in NODES.items()})
    hosts = served(fleet)
    winrm = modules(fleet, INFO, deployments="always")
    http = {name: node.counts.http for name, node in fleet.nodes.items()}
    with Sshd(hosts, tmp_path) as sshd:
        options = ("-e", json.dumps(sshd.variables))
        ssh = modules(fleet, INFO, *options, deployments="always")
        looked = {name: len(host.lines) for name, host in hosts.items()}
        done = modules(fleet, "wds_transport_server", *options, state="reinstalled", allow_reboot=True)
    for name, result in ssh.items():
        assert told(result) == told(winrm[name])
        assert len(result["deployments"]) == 3
        # The look and the logs, a command each.
        assert looked[name] == 2
        assert all("PowerShell -NoProfile" in line for line in hosts[name].lines)
        assert not done[name]["_failed"]
        assert done[name]["reboots"] == fleet.machines[name].boots == 2
        assert finding_ids(done[name]) == set()
        (namespace,) = done[name]["after"]["namespaces"]
        assert (namespace["healthy"], namespace["description"]) == (True, "Größe")
        assert f"{name} (ssh): Reboot after the installation" in done[name]["_output"]
    assert {name: node.counts.http for name, node in fleet.nodes.items()} == http

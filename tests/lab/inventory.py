"""The Ansible inventory of a lab."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from extensions.head_nodes import inventory as head_node_inventory
from tests.lab.fleet import Fleet, Kind
from tests.lab.ssh import SshFiles

_GROUPS: Mapping[Kind, str] = {
    "fog_server": "fog_servers",
    "storage_master": "fog_servers",
    "storage": "fog_servers",
    "client": "multicast_probe_clients",
    "nas": "lab_other",
}
_HEAD = """# Written by "python -m tests.lab up". The addresses exist only inside the lab:
# python -m tests.lab run -- ansible-playbook -i THIS_FILE ...
"""
_WHY_100 = """\
        # The lab breaks most of its hosts on purpose at the same time; on a real fleet that many broken hosts at once
        # more likely mean a wrong diagnosis, and the default of 50 stops the run.
"""


def render(
    fleet: Fleet, ssh: SshFiles, head_nodes: Mapping[str, str] | None = None, executable: Path | None = None
) -> str:
    """The inventory as YAML text: every host in its group, reached with the lab's key and ssh files.

    ``head_nodes`` are the addresses of the simulated head nodes, by name. ``executable`` is used in the place of ssh.
    """
    # "-F" keeps the machine's own ssh configuration out. ControlPath is repeated because Ansible looks for it there
    # and would otherwise put its own folder into the home directory.
    common = shlex.join(["-F", str(ssh.config), "-o", "ControlPersist=60s", "-o", f"ControlPath={ssh.control_path}"])
    variables: dict[str, Any] = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(ssh.key),
        "ansible_ssh_common_args": common,
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    if executable is not None:
        variables["ansible_ssh_executable"] = str(executable)
    lines = [_HEAD if executable is None else "", "all:\n  vars:\n"]
    # A JSON string is a YAML string too, so no name or path needs quoting rules of its own.
    lines += [f"    {key}: {json.dumps(value)}\n" for key, value in variables.items()]
    lines.append("  children:\n")
    for group in dict.fromkeys(_GROUPS.values()):
        lines.append(f"    {group}:\n")
        if group == "fog_servers":
            lines += ["      vars:\n", _WHY_100, "        multicast_max_broken_percent: 100\n"]
        members = [spec for spec in fleet.values() if _GROUPS[spec.kind] == group]
        lines.append("      hosts:\n" if members else "      hosts: {}\n")
        lines += [f"        {spec.name}:\n          ansible_host: {json.dumps(spec.address)}\n" for spec in members]
    if head_nodes:
        # JSON is YAML too.
        lines.append(f"    {head_node_inventory.GROUP}: {json.dumps(head_node_inventory.group(head_nodes))}\n")
    return "".join(lines)

"""Simulated head nodes as an inventory of Ansible has them."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from extensions.head_nodes.wsman import Node, Settings

#: The group of the playbooks (design section 3).
GROUP = "hpc_head_nodes"


def group(addresses: Mapping[str, str], variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An inventory group of nodes at ``addresses``; ``variables`` of the group win over those of the connection."""
    account = Settings()
    connection = {
        "ansible_connection": "ansible.builtin.winrm",
        "ansible_port": 5985,
        "ansible_winrm_scheme": "http",
        "ansible_winrm_transport": "ntlm",  # encrypts each message, so http is no secret told
        "ansible_user": account.user,
        "ansible_password": account.password,
    }
    return {
        "vars": {**connection, **(variables or {})},
        "hosts": {name: {"ansible_host": address} for name, address in addresses.items()},
    }


def write(path: Path, nodes: Iterable[Node], addresses: Mapping[str, str]) -> None:
    """Write the inventory of running nodes to ``path``, whole or not at all (mode 0600). Raises OSError."""
    made = group(addresses)
    for node in nodes:
        account = node.account()
        made["hosts"][node.name] |= {"ansible_user": account.user, "ansible_password": account.password}
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump({"all": {"children": {GROUP: made}}}, file, indent=1)
    unfinished.rename(path)

"""One ad-hoc command for many head nodes: Ansible starts once for all of them."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from tests.lab import controller
from tests.lab.wds.conftest import HeadNodes
from tests.lab.windows.site import Named

#: The ways of HTTP to a node, as its variables.
WINRM: Mapping[str, str] = {}
PSRP: Mapping[str, str] = {
    "ansible_connection": "ansible.builtin.psrp",
    "ansible_psrp_protocol": "http",
    "ansible_psrp_auth": "ntlm",
}
WAYS = {"winrm": WINRM, "psrp": PSRP}

_HEAD = re.compile(r"^(?P<host>\S+) \| (?P<how>[A-Z]+!?) => (?=\{)", re.M)


def differing(**options: Mapping[str, Any]) -> tuple[tuple[str, str], dict[str, str]]:
    """Options of a module that differ from node to node, as options for ansible and templates for the module.

    A node that an option does not name is not given it.
    """
    templates = {name: f"{{{{ differing.{name}[inventory_hostname] | default(omit) }}}}" for name in options}
    return ("-e", json.dumps({"differing": options})), templates


def modules(
    fleet: HeadNodes, name: str, /, *options: str, hosts: Collection[str] = (), **arguments: Any
) -> dict[str, dict[str, Any]]:
    """The result of a module of the collection on ``hosts`` (by default all), by name; ``options`` go to ansible.

    ``_failed`` and ``_output`` (all that was printed) are added to each, as in ``controller.Started.result``. Fails the
    test when a node has no result, or Ansible printed a warning.
    """
    wanted = set(hosts or fleet.machines)
    options = ("--forks", "12", "--limit", ",".join(sorted(wanted)), *options)
    with fleet.untouched(name, options):
        said = controller.start(fleet.site, Named("all"), name, *options, arguments=arguments).text()
    controller.assert_quiet(said)
    results = {}
    for head in _HEAD.finditer(said):
        result = json.JSONDecoder().raw_decode(said, head.end())[0]
        results[head["host"]] = {**result, "_failed": head["how"].endswith("!"), "_output": said}
    assert set(results) == wanted, said[-4000:]
    return results

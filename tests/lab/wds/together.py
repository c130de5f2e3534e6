"""One ad-hoc command for many head nodes: Ansible starts once for all of them."""

import json
import re
from typing import Any

from tests.lab import controller
from tests.lab.wds.conftest import HeadNodes
from tests.lab.windows.site import Named

_HEAD = re.compile(r"^(?P<host>\S+) \| (?P<how>[A-Z]+!?) => (?=\{)", re.M)


def modules(fleet: HeadNodes, name: str, *options: str, **arguments: Any) -> dict[str, dict[str, Any]]:
    """The result of a module of the collection on every node, by name; ``options`` go to ansible.

    ``_failed`` is added to each. Fails the test when a node has no result, or Ansible printed a warning.
    """
    said = controller.start(fleet.site, Named("all"), name, "--forks", "12", *options, arguments=arguments).text()
    controller.assert_quiet(said)
    results = {}
    for head in _HEAD.finditer(said):
        result = json.JSONDecoder().raw_decode(said, head.end())[0]
        results[head["host"]] = {**result, "_failed": head["how"].endswith("!") or head["how"] == "FAILED"}
    assert set(results) == set(fleet.machines), said[-4000:]
    return results

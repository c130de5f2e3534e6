"""One ad-hoc command for many head nodes: Ansible starts once for all of them."""

import json
import re
from collections.abc import Collection
from typing import Any

from tests.lab import controller
from tests.lab.wds.conftest import HeadNodes
from tests.lab.windows.site import Named

_HEAD = re.compile(r"^(?P<host>\S+) \| (?P<how>[A-Z]+!?) => (?=\{)", re.M)


def modules(
    fleet: HeadNodes, name: str, *options: str, hosts: Collection[str] = (), **arguments: Any
) -> dict[str, dict[str, Any]]:
    """The result of a module of the collection on ``hosts`` (by default all), by name; ``options`` go to ansible.

    ``_failed`` and ``_output`` (all that was printed) are added to each, as in ``controller.Started.result``. Fails the
    test when a node has no result, or Ansible printed a warning.
    """
    wanted = set(hosts or fleet.machines)
    options = ("--forks", "12", "--limit", ",".join(sorted(wanted)), *options)
    said = controller.start(fleet.site, Named("all"), name, *options, arguments=arguments).text()
    controller.assert_quiet(said)
    results = {}
    for head in _HEAD.finditer(said):
        result = json.JSONDecoder().raw_decode(said, head.end())[0]
        results[head["host"]] = {**result, "_failed": head["how"].endswith("!"), "_output": said}
    assert set(results) == wanted, said[-4000:]
    return results

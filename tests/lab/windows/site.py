"""Simulated head nodes as a person at the controller has them: an inventory, and commands that reach them."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from extensions.head_nodes.inventory import GROUP, group

_CLIENT_ENVIRONMENT = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


class SiteError(RuntimeError):
    """A command failed; the text shows what it printed."""


class Site:
    """The part of a lab that ``tests.lab.controller`` needs, without a network of its own.

    ``inventory`` is the file with the nodes; commands run on this machine, where their addresses are.
    """

    def __init__(
        self,
        folder: Path,
        addresses: Mapping[str, str],
        variables: Mapping[str, Any] | None = None,
        of_hosts: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        self.inventory = folder / "inventory.json"
        nodes = group(addresses, variables)
        for name, own in (of_hosts or {}).items():
            nodes["hosts"][name] |= own
        self.inventory.write_text(json.dumps({"all": {"children": {GROUP: nodes}}}, indent=1), encoding="utf-8")

    def command(self, argv: Sequence[str]) -> list[str]:
        """``argv``, without this machine's own CA files and proxies, which the connection would take."""
        cleaned = [argument for name in _CLIENT_ENVIRONMENT for argument in ("-u", name)]
        return ["env", *cleaned, "NO_PROXY=*", *argv]

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        timeout: float = 600.0,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run ``argv``. Raises subprocess.TimeoutExpired after ``timeout`` s, and with ``check`` SiteError."""
        done = subprocess.run(
            self.command(argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=timeout, env=env, cwd=cwd, check=False,
        )  # fmt: skip
        if check and done.returncode != 0:
            raise SiteError(f"{list(argv)} ended with {done.returncode}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done


class Named(NamedTuple):
    """A node by its name in the inventory."""

    name: str

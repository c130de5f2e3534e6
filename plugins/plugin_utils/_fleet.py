# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugins do on the controller: read the hosts of the play, write the report, print the table."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.imaging.multicast.plugins.module_utils import _report
from ansible_collections.imaging.multicast.plugins.plugin_utils import _files, _history, _html, _junit, _prometheus

REPORT = "report.json"

_SECRET = re.compile(r"(?i)(^|_)(pass|passwd|password|passphrase|secret|token|api_?key)$")

#: A line for the screen: ``text``, and the ``outcome`` of the host it is about ("" for none).
Line = Mapping[str, str]


def read_hosts(task_vars: Mapping[str, Any], check_mode: bool) -> tuple[_report.Host, ...]:
    """Every host of the play, in its order: also the unreachable, the failed and those that ended early."""
    variables = task_vars["hostvars"]
    return tuple(_read_host(name, variables[name], check_mode) for name in task_vars["ansible_play_hosts_all"])


def read_findings(task_vars: Mapping[str, Any], variable: str) -> dict[str, Any]:
    """The findings of every host of the play that could be looked at, by host."""
    results = {name: task_vars["hostvars"][name].get(variable) for name in task_vars["ansible_play_hosts_all"]}
    return {name: result["findings"] for name, result in results.items() if result and "findings" in result}


def waiting(task_vars: Mapping[str, Any], variable: str) -> int:
    """How many hosts of the play nothing is known about yet, because their batch comes later."""
    # Hosts that failed are not among them: they never get a result.
    return sum(task_vars["hostvars"][name].get(variable) is None for name in task_vars["ansible_play_hosts"])


def write_report(hosts: tuple[_report.Host, ...], folder: str, check_mode: bool) -> str:
    """Write the report in all its forms and return the path of ``report.json``.

    A reader sees the old file or the new one, never half of one.

    :raises OSError: the folder cannot be made or written.
    """
    os.makedirs(folder, exist_ok=True)
    now = datetime.now(timezone.utc)
    generated = now.isoformat(timespec="seconds")

    def path(name: str) -> str:
        return os.path.join(folder, name)

    _write(path(REPORT), json.dumps(_report.document(hosts, generated), indent=2) + "\n")
    _history.append(path("history.jsonl"), _history.run(hosts, generated, check_mode))
    recurring = _history.recurrences(_history.read(path("history.jsonl")), generated)
    _write(path("report.html"), _html.page(hosts, generated, check_mode, recurring))
    _write(path("multicast.prom"), _prometheus.metrics(hosts, now.timestamp(), check_mode, recurring))
    _write(path("junit.xml"), _junit.suite(hosts, generated))
    return path(REPORT)


def _write(path: str, text: str) -> None:
    # What a foreign machine said may hold half of a character; "?" stands in its place.
    _files.replace(path, text.encode("utf-8", "replace"))


def stats(hosts: tuple[_report.Host, ...]) -> dict[str, Any]:
    """What later jobs of a workflow get to know, as ``ansible.builtin.set_stats`` would give it (AWX: artifacts)."""
    by_outcome = {name: [each.name for each in hosts if each.outcome == name] for name, _words in _report.OUTCOMES}
    data = {
        "multicast_summary": _report.summary(hosts),
        "multicast_in_order": not any(each.outcome in _report.BAD for each in hosts),
        "multicast_hosts": by_outcome,
        "multicast_recap": _report.recap(hosts),
        "multicast_broken": {platform: share._asdict() for platform, share in _report.broken(hosts).items()},
    }
    return {"data": data, "per_host": False, "aggregate": False}


def screen(hosts: tuple[_report.Host, ...]) -> list[Line]:
    """The table, what a person has to do, and the recap line last."""
    lines = _report.table(hosts)
    lines += [(line, host.outcome) for host in hosts for line in _report.details(host)]
    lines.append((_report.recap(hosts), ""))
    return [{"text": text, "outcome": outcome} for text, outcome in lines]


def show(lines: Sequence[Line], display: Display) -> None:
    """Print what :func:`screen` made, each line in the colour of its host's outcome."""
    colours = {
        _report.HEALTHY: C.COLOR_OK,
        _report.REPAIRED: C.COLOR_CHANGED,
        _report.WOULD_REPAIR: C.COLOR_CHANGED,
        _report.NEEDS_PERSON: C.COLOR_ERROR,
        _report.BROKEN_RUN: C.COLOR_ERROR,
        _report.UNREACHABLE: C.COLOR_UNREACHABLE,
    }
    for line in lines:
        display.display(line["text"], color=colours.get(line["outcome"]))


def _read_host(name: str, variables: Mapping[str, Any], check_mode: bool) -> _report.Host:
    for platform, variable, _group in _report.RESULTS:
        result = variables.get(variable)
        # A host of the other platform has a skipped task's result.
        if result is not None and not result.get("skipped"):
            gates = {finding["gate"] for finding in result.get("findings", ()) if finding["gate"]}
            opened = {gate for gate in gates if boolean(variables.get(gate, False), strict=False)}
            made = _report.host(name, platform, result, check_mode, opened)
            # A password may come from a slow lookup: it is asked for only where something was said.
            said = made.before or made.after or made.steps
            return _report.without_secrets(made, _secrets(variables)) if said else made
    groups = variables.get("group_names", ())
    platforms = [platform for platform, _variable, group in _report.RESULTS if group in groups]
    return _report.host(name, (platforms or [_report.RESULTS[0][0]])[0], None, check_mode, ())


def _secrets(variables: Mapping[str, Any]) -> list[str]:
    """The passwords and keys that the inventory gives for a host: no message of any program may bring them in."""
    found = []
    for name in variables:
        if _SECRET.search(name):
            try:
                value = variables.get(name)
            except AnsibleError:
                continue  # it cannot be templated, so nothing on the host has seen it
            if isinstance(value, str) and len(value) >= _report.SECRET_FROM:
                found.append(value)
    return found

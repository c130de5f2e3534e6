# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugins do on the controller: read the hosts of the play, write the report, print the table."""

import json
import os
import tempfile
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.imaging.multicast.plugins.module_utils import _report

REPORT = "report.json"


def read_hosts(task_vars: Mapping[str, Any], check_mode: bool) -> tuple[_report.Host, ...]:
    """Every host of the play, in its order: also the unreachable, the failed and those that ended early."""
    variables = task_vars["hostvars"]
    return tuple(_read_host(name, variables[name], check_mode) for name in task_vars["ansible_play_hosts_all"])


def read_findings(task_vars: Mapping[str, Any], variable: str) -> dict[str, Any]:
    """The findings of every host of the play that could be looked at, by host."""
    results = {name: task_vars["hostvars"][name].get(variable) for name in task_vars["ansible_play_hosts_all"]}
    return {name: result["findings"] for name, result in results.items() if result and "findings" in result}


def write_report(hosts: tuple[_report.Host, ...], folder: str) -> str:
    """Write ``report.json`` and return its path. A reader sees the old report or the new one, never half of one.

    :raises OSError: the folder cannot be made or written.
    """
    os.makedirs(folder, exist_ok=True)
    document = _report.document(hosts, datetime.now(timezone.utc).isoformat(timespec="seconds"))
    path = os.path.join(folder, REPORT)
    handle, draft = tempfile.mkstemp(prefix=f".{REPORT}.", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), 0o644)
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise
    return path


def show(hosts: tuple[_report.Host, ...], display: Display) -> None:
    """Print the table, what a person has to do, and the recap line last."""
    colours = {
        _report.HEALTHY: C.COLOR_OK,
        _report.REPAIRED: C.COLOR_CHANGED,
        _report.WOULD_REPAIR: C.COLOR_CHANGED,
        _report.NEEDS_PERSON: C.COLOR_ERROR,
        _report.BROKEN_RUN: C.COLOR_ERROR,
        _report.UNREACHABLE: C.COLOR_UNREACHABLE,
    }
    for line, outcome in _report.table(hosts):
        display.display(line, color=colours.get(outcome))
    for host in hosts:
        for line in _report.details(host):
            display.display(line, color=colours[host.outcome])
    display.display(_report.recap(hosts))


def _read_host(name: str, variables: Mapping[str, Any], check_mode: bool) -> _report.Host:
    for platform, variable, _group in _report.RESULTS:
        result = variables.get(variable)
        # A host of the other platform has a skipped task's result.
        if result is not None and not result.get("skipped"):
            gates = {finding["gate"] for finding in result.get("findings", ()) if finding["gate"]}
            opened = {gate for gate in gates if boolean(variables.get(gate, False), strict=False)}
            return _report.host(name, platform, result, check_mode, opened)
    groups = variables.get("group_names", ())
    platforms = [platform for platform, _variable, group in _report.RESULTS if group in groups]
    return _report.host(name, (platforms or [_report.RESULTS[0][0]])[0], None, check_mode, ())

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the action plugins do on the controller: read the hosts of the play, write the report, print the table."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from functools import cache
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.utils.display import Display
from ansible_collections.imaging.multicast.plugins.plugin_utils import (
    _files,
    _history,
    _html,
    _junit,
    _prometheus,
    _report,
)

REPORT = "report.json"
HISTORY = "history.jsonl"

_SECRET = re.compile(r"(?i)(^|_)(pass|passwd|password|passphrase|pw|pwd|secret|token|api_?key)$")
#: Where the hosts stand that a FOG server's repair is proven to: what they say comes into that server's report.
_CLIENTS = ("fog_multicast_probe_hosts", "multicast_probe_hosts")
_CLIENT_GROUP = "multicast_probe_clients"

#: A line for the screen: ``text``, and the ``outcome`` of the host it is about ("" for none).
Line = Mapping[str, str]


def read_hosts(task_vars: Mapping[str, Any], check_mode: bool) -> tuple[_report.Host, ...]:
    """Every host of the play, in its order: also the unreachable, the failed and those that ended early."""
    hostvars = task_vars["hostvars"]

    @cache
    def secrets(name: str) -> list[str]:
        return _secrets(hostvars[name]) if name in hostvars else []

    def read(name: str) -> _report.Host:
        variables = hostvars[name]
        made = _read_host(name, variables, check_mode)
        # A password may come from a slow lookup: it is asked for only where something was said.
        said_here = made.before or made.after or made.steps
        heard = ([name] if said_here else []) + (_clients(variables, task_vars.get("groups", {})) if made.steps else [])
        return _report.without_secrets(made, [secret for each in heard for secret in secrets(each)])

    return tuple(read(name) for name in task_vars["ansible_play_hosts_all"])


def read_findings(task_vars: Mapping[str, Any], variable: str) -> dict[str, Any]:
    """The findings of every host of the play that could be looked at, by host."""
    results = {name: task_vars["hostvars"][name].get(variable) for name in task_vars["ansible_play_hosts_all"]}
    return {name: result["findings"] for name, result in results.items() if result and "findings" in result}


def waiting(task_vars: Mapping[str, Any], variable: str) -> int:
    """How many hosts of the play nothing is known about yet, because their batch comes later."""
    # Hosts that failed are not among them: they never get a result.
    return sum(task_vars["hostvars"][name].get(variable) is None for name in task_vars["ansible_play_hosts"])


def percent_variable(task_vars: Mapping[str, Any], result: str) -> str:
    """The variable that a person has to set for another percentage of the guard.

    That of the role where it was given; its default, a template that was not filled in yet, names the one of all roles.

    :param result: the variable that holds the result of the info module.
    """
    of_role = result.removesuffix("result") + "max_broken_percent"
    given = str(task_vars.get(of_role, _report.GUARD_VARIABLE))
    return _report.GUARD_VARIABLE if _report.GUARD_VARIABLE in given else of_role


def write_report(hosts: tuple[_report.Host, ...], folder: str, check_mode: bool) -> str:
    """Write the report in all its forms and return the path of ``report.json``.

    A reader sees the old file or the new one, never half of one.

    :raises OSError: the folder cannot be made or written, or the history alone; the other files are written then.
    """
    os.makedirs(folder, exist_ok=True)
    now = datetime.now(timezone.utc)
    generated = now.isoformat(timespec="seconds")

    def path(name: str) -> str:
        return os.path.join(folder, name)

    _write(path(REPORT), json.dumps(_report.document(hosts, generated), indent=2) + "\n")
    recurring: list[_history.Recurrence] = []
    unkept = None
    try:
        _history.append(path(HISTORY), _history.run(hosts, generated, check_mode))
        recurring = _history.recurrences(_history.read(path(HISTORY)), generated)
    except OSError as error:
        # The other files tell of this run all the same: those of the last one would be taken for it.
        unkept = OSError(error.errno, f"{HISTORY}: {error.strerror}")
    _write(path("report.html"), _html.page(hosts, generated, check_mode, recurring))
    _write(path("multicast.prom"), _prometheus.metrics(hosts, now.timestamp(), check_mode, recurring))
    _write(path("junit.xml"), _junit.suite(hosts, generated))
    if unkept:
        raise unkept
    return path(REPORT)


def _write(path: str, text: str) -> None:
    # What a foreign machine said may hold half of a character; "?" stands in its place.
    _files.replace(path, text.encode("utf-8", "replace"))


def stats(hosts: tuple[_report.Host, ...]) -> dict[str, Any]:
    """What later jobs of a workflow get to know, as ``ansible.builtin.set_stats`` would give it (AWX: artifacts)."""
    by_outcome = {name: [each.name for each in hosts if each.outcome == name] for name, _words in _report.OUTCOMES}
    data = {
        "multicast_summary": _report.summary(hosts),
        "multicast_in_order": _report.in_order(hosts),
        "multicast_hosts": by_outcome,
        "multicast_recap": _report.recap(hosts),
        "multicast_broken": {platform: share._asdict() for platform, share in _report.broken(hosts).items()},
    }
    return {"data": data, "per_host": False, "aggregate": False}


def screen(hosts: tuple[_report.Host, ...]) -> list[Line]:
    """The table, what a person has to do, what undoes it, and the recap line last."""
    lines = _report.table(hosts)
    lines += [(line, host.outcome) for host in hosts for line in _report.details(host)]
    lines += [(_report.plain(f"{host.name}: {line}"), host.outcome) for host in hosts for line in _report.undo(host)]
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
            return _report.host(name, platform, result, check_mode, opened)
    groups = variables.get("group_names", ())
    platforms = [platform for platform, _variable, group in _report.RESULTS if group in groups]
    return _report.host(name, (platforms or [_report.RESULTS[0][0]])[0], None, check_mode, ())


def _clients(variables: Mapping[str, Any], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The hosts to which a repair of this host is proven, as the inventory has them."""
    named = [_value(variables, each) for each in _CLIENTS]
    lists = [each for each in named if isinstance(each, (list, tuple))]
    return [name for each in (*lists, groups.get(_CLIENT_GROUP, ())) for name in each]


def _secrets(variables: Mapping[str, Any]) -> list[str]:
    """The passwords and keys that the inventory gives for a host: no message of any program may bring them in."""
    values = [_value(variables, name) for name in variables if _SECRET.search(name)]
    return [each for each in values if isinstance(each, str)]


def _value(variables: Mapping[str, Any], name: str) -> Any:
    """A list, the text of anything else, or None where there is nothing to be found in a message."""
    try:
        value = variables.get(name)
        if isinstance(value, (list, tuple)):
            return value
        # A number becomes what was typed. On ansible-core up to 2.18 a vaulted value is no str, and is decrypted here.
        return None if value is None or isinstance(value, (bool, Mapping)) else str(value)
    except AnsibleError:
        return None  # it cannot be templated or decrypted, so nothing on the host has seen it

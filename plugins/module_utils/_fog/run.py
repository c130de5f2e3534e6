# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every FOG module does around its own work: read the options, look at the host, leave with a result.

Nothing is imported here that a healthy host does not need: what changes things is imported by :mod:`change`, and there
only once there is something to change.
"""

from typing import Any, Callable, Dict, Mapping, NamedTuple, Tuple

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .._findings import Finding
from .._flow import Failure, as_dicts
from .database import DatabaseError
from .options import Options, read_options
from .settings import SettingsError
from .snapshot import Snapshot, observe

#: Python library -> the distribution packages that bring it.
LIBRARIES = {
    "pymysql": ("PyMySQL", "python3-pymysql on Debian and Ubuntu, python3-PyMySQL on Enterprise Linux"),
    "netifaces": ("netifaces", "python3-netifaces on all of them"),
}

#: A module's own work: takes its parameters, whether it is check mode, and what writes a line to the host's log.
Flow = Callable[[Mapping[str, Any], bool, Callable[[str], None]], Dict[str, Any]]


class Look(NamedTuple):
    """One look at the host, and what it means."""

    options: Options
    snapshot: Snapshot
    findings: Tuple[Finding, ...]


def run(module: AnsibleModule, flow: Flow) -> None:
    """Do a module's work and end it: exit_json with its result, or fail_json with one sentence."""
    try:
        result = flow(module.params, module.check_mode, module.log)
        message = ""
    except Failure as error:
        message, result = str(error), error.result
    except (SettingsError, DatabaseError) as error:
        message, result = str(error), {}
    except OSError as error:
        subject = error.filename or "The host refused a file operation"
        message, result = f"{subject}: {error.strerror or error}", {}
    # Outside of the handlers, so that no traceback is attached to the failure.
    if message:
        module.fail_json(msg=message, **result)
    module.exit_json(**result)


def look(params: Mapping[str, Any], options: Options) -> Look:
    """Observe and diagnose."""
    from .diagnose import diagnose

    snapshot = observe(options.settings, options.credentials)
    return Look(options, snapshot, diagnose(snapshot, params["stale_after"], params.get("master")))


def begin(params: Mapping[str, Any]) -> Options:
    """What the options and FOG's own files say; checks that the host has the libraries to go on.

    :raises Failure: a library is missing; its result lists ``missing_libraries``.
    :raises SettingsError: FOG's settings cannot be read.
    """
    options = read_options(params)
    missing = [name for name in sorted(LIBRARIES) if not _importable(name)]
    if missing:
        texts = [missing_required_lib("{} ({})".format(*LIBRARIES[name])) for name in missing]
        raise Failure(" ".join(texts), {"missing_libraries": [LIBRARIES[name][0] for name in missing]})
    return options


def info(params: Mapping[str, Any], _check_mode: bool, _tell: Callable[[str], None]) -> Dict[str, Any]:
    """The work of fog_multicast_info: look, and tell. Writes nothing."""
    from .view import everything

    seen = look(params, begin(params))
    return dict(everything(seen.snapshot), changed=False, findings=as_dicts(seen.findings))


def _importable(name: str) -> bool:
    from importlib import import_module

    try:
        import_module(name)
    except ImportError:
        return False
    return True

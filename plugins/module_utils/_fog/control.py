# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply: start, enable and restart FOGMulticastManager, with systemd or a sysv script."""

import os
import shutil
import subprocess
import tempfile
import time
from typing import List, Set, Tuple

from .._flow import Failure
from .log import Logs, read_logs
from .processes import read_processes
from .service import UNIT, Service

#: Seconds a command of the service manager may take.
TIMEOUT = 90
_POLL = 0.2
_SCRIPT = f"/etc/init.d/{UNIT}"
# What enables a sysv script at boot: Debian's and Red Hat's tool.
_ENABLERS = (("update-rc.d", (UNIT, "defaults")), ("chkconfig", (UNIT, "on")))


class ServiceError(Failure):
    """The service manager did not do what was asked; the text says what it answered and what to do."""


def control(action: str, service: Service, logs: Logs, wait: float) -> str:
    """Start, enable or restart the daemon.

    :param action: ``start``, ``enable`` or ``restart``.
    :param logs: where its log is, as seen before.
    :param wait: seconds to wait for a new child and its first line in the log, after a start or restart.
    :returns: what to tell about it, for example that no child showed up in time; "" when all went well.
    :raises ServiceError: the command failed or did not end in time, or the old child outlived it.
    """
    before = {(child.pid, child.start) for child in read_processes().children}
    begin = time.monotonic()
    _run(_command(action, service))
    return "" if action == "enable" else _await_child(before, logs, begin, wait)


def _command(action: str, service: Service) -> List[str]:
    if service.manager == "systemd":
        return ["systemctl", action, UNIT + ".service"]
    if service.manager != "sysv":
        raise ServiceError(
            f"No service manager of this host knows {UNIT}; install FOG's services again with its installer."
        )
    if action != "enable":
        return [_SCRIPT, action]
    for name, words in _ENABLERS:
        path = shutil.which(name)
        if path:
            return [path, *words]
    raise ServiceError(
        f"{UNIT} cannot be enabled at boot: neither update-rc.d nor chkconfig is on this host. Enable it by hand."
    )


def _run(command: List[str]) -> None:
    # The output goes to a file: a daemon started by a sysv script keeps a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        try:
            # run_command belongs to a module, and reads a pipe to its end.
            code = subprocess.call(  # pylint: disable=ansible-bad-function
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(os.environ, LC_ALL="C"),
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            text = f"did not end within {TIMEOUT} s; see systemctl status {UNIT}."
            raise ServiceError(f"{' '.join(command)} {text}") from None
        except OSError as error:
            raise ServiceError(f"{command[0]} cannot be run: {error.strerror or error}.") from None
        if code != 0:
            output.seek(0)
            said = " ".join(output.read(2000).decode("utf-8", "replace").split()) or "nothing"
            raise ServiceError(f"{' '.join(command)} ended with code {code} and said: {said}")


def _await_child(before: Set[Tuple[int, int]], logs: Logs, begin: float, wait: float) -> str:
    folder, name = os.path.split(logs.path)
    while True:
        children = read_processes().children
        fresh = [child for child in children if (child.pid, child.start) not in before]
        begun = False
        if fresh:
            seen = read_logs(folder, name)
            # The daemon deletes its log when it starts, so an older one is not its own.
            begun = seen.exists and seen.size > 0 and (seen.age or 0.0) <= time.monotonic() - begin + 1
        if begun:
            return ""
        if time.monotonic() - begin >= wait:
            if fresh:
                return f"the new child wrote nothing into {logs.path} within {wait:.0f} s"
            if children:
                raise ServiceError(
                    f"{UNIT} was not restarted: its old child (process id {children[0].pid}) still runs after "
                    f"{wait:.0f} s. It was probably started behind the service manager's back; end it by hand and "
                    "start the service."
                )
            return f"no new child of {UNIT} lived within {wait:.0f} s"
        time.sleep(_POLL)

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what the service manager says about FOGMulticastManager (systemd, or a sysv script)."""

import glob
import os
import re
import time
from typing import Mapping, NamedTuple, Optional, Sequence

from .._command import CommandError, ask
from .processes import Process

UNIT = "FOGMulticastManager"

#: Seconds ``systemctl`` may take.
TIMEOUT = 20
_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "MainPID",
    "ActiveEnterTimestampMonotonic",
)
_UNIT_FOLDERS = ("etc/systemd/system", "lib/systemd/system", "usr/lib/systemd/system")
_RUN_LEVELS = ("etc/rc[2345].d", "etc/rc.d/rc[2345].d")


class Service(NamedTuple):
    """State of the unit. It proves nothing about the child that works (facts/fog.md section 0.3)."""

    manager: str  # "systemd", "sysv", "" none found
    installed: bool
    enabled: Optional[bool]  # started at boot; None unknown
    active: bool
    state: str  # e.g. "active (running)", "inactive (dead)", "failed (Result: exit-code)"
    main_pid: Optional[int]
    since: Optional[float]  # seconds since it became active, None unknown
    error: str = ""  # why the service manager could not be asked, or empty


ABSENT = Service("", False, None, False, "not installed", None, None)


def read_service(daemon: Sequence[Process] = (), root: str = "/") -> Service:
    """Ask the service manager.

    :param daemon: the daemon's parent processes: a sysv script knows nothing by itself, so they decide there.
    :param root: where the host's file system begins.
    """
    script = os.path.join(root, "etc/init.d", UNIT)
    if os.path.isdir(os.path.join(root, "run/systemd/system")):
        return _systemd(daemon, root)
    return _sysv(daemon, root) if os.path.isfile(script) else ABSENT


def _systemd(daemon: Sequence[Process], root: str) -> Service:
    words = ["show", "--no-pager", UNIT + ".service"] + ["--property=" + name for name in _PROPERTIES]
    try:
        text = ask("systemctl", words, TIMEOUT)
    except CommandError as error:
        known = any(os.path.isfile(os.path.join(root, folder, UNIT + ".service")) for folder in _UNIT_FOLDERS)
        return _seen(daemon, "systemd", known, None)._replace(error=f"systemd cannot be asked about {UNIT}: {error}.")
    return parse_show(text, time.monotonic(), starts_at_boot(root))


def parse_show(text: str, now: float, at_boot: Optional[bool] = None) -> Service:
    """What ``systemctl show`` printed.

    :param now: the monotonic clock in seconds, which systemd's time stamps count in.
    :param at_boot: what the sysv links say, for a unit that systemd generated from a sysv script.
    """
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    load = values.get("LoadState", "")
    if load in ("", "not-found"):
        return ABSENT
    active = values.get("ActiveState", "")
    if load == "masked":
        state = "masked"
    elif active == "failed":
        state = "failed (Result: {})".format(values.get("Result", "unknown"))
    else:
        state = "{} ({})".format(active or "unknown", values.get("SubState", "unknown"))
    runs = active in ("active", "reloading")
    since = _number(values, "ActiveEnterTimestampMonotonic")
    return Service(
        manager="systemd",
        installed=True,
        enabled=_enabled(values.get("UnitFileState", ""), at_boot),
        active=runs,
        state=state,
        main_pid=_number(values, "MainPID") or None,
        since=max(0.0, now - since / 1e6) if runs and since else None,
    )


def _enabled(state: str, at_boot: Optional[bool]) -> Optional[bool]:
    if state == "generated":
        return at_boot
    if state in ("enabled", "alias"):
        return True
    # Enabled for this run only is not enabled at boot.
    return False if state in ("disabled", "masked", "enabled-runtime", "masked-runtime", "linked") else None


def _number(values: Mapping[str, str], key: str) -> int:
    value = values.get(key, "")
    return int(value) if re.match(r"[0-9]{1,18}\Z", value) else 0


def starts_at_boot(root: str) -> Optional[bool]:
    """Whether a run level's folder has a start link for the sysv script; None where there are no such folders."""
    folders = [found for pattern in _RUN_LEVELS for found in glob.glob(os.path.join(root, pattern))]
    if not folders:
        return None
    return any(glob.glob(os.path.join(glob.escape(folder), "S[0-9][0-9]" + UNIT)) for folder in folders)


def _sysv(daemon: Sequence[Process], root: str) -> Service:
    return _seen(daemon, "sysv", True, starts_at_boot(root))


def _seen(daemon: Sequence[Process], manager: str, installed: bool, enabled: Optional[bool]) -> Service:
    """What the processes alone tell."""
    oldest = max(daemon, key=lambda process: process.age) if daemon else None
    return Service(
        manager=manager,
        installed=installed,
        enabled=enabled,
        active=oldest is not None,
        state="running" if oldest else "not running",
        main_pid=oldest.pid if oldest else None,
        since=oldest.age if oldest else None,
    )

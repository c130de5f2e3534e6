# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply: end one udp-sender tree, and nothing else.

The shell goes first, because it starts the next file's udp-sender as soon as the current one ends
(facts/fog.md section 2). A process is named by its id and start time, and both are looked up again, with its
``--portbase``, right before every signal: an id that changed hands is never signalled.
"""

import os
import signal
import time
from typing import Optional, Tuple

from .._flow import Failure
from .processes import Process, Sender, read_processes

#: Seconds a process gets to end after a signal, before the next stronger one.
GRACE = 5.0
_POLL = 0.05
#: Seconds a shell gets to stand still, and the states in which it does: stopped, traced, dead.
_STANDSTILL = 1.0
_STOPPED = "TtZX"

#: A process id and its start time in clock ticks since boot.
Identity = Tuple[int, int]


class SenderError(Failure):
    """A sender could not be ended; the text says which one and what to do."""


def end_sender(port: int, pid: int, start: int, grace: float = GRACE) -> str:
    """End the udp-sender tree of ``port`` whose first process (the shell, or a udp-sender without one) is named.

    :param grace: seconds each process gets to end after SIGTERM, and again after SIGKILL.
    :returns: "" when the tree was ended; otherwise why nothing was done: that tree does not run any more.
    :raises SenderError: a process may not be signalled, or survived SIGKILL.
    """
    sender = _find(port, (pid, start))
    if sender is None:
        return f"no udp-sender for port {port} with process id {pid} runs any more"
    current: Optional[Identity] = (pid, start)
    if sender.shell is not None:
        current = _end_shell(port, (pid, start), grace)
    if current is not None:
        _end(port, current, grace)
    return ""


def _identity(process: Process) -> Identity:
    return process.pid, process.start


def _find(port: int, identity: Identity) -> Optional[Sender]:
    """The sender of exactly this port that has this process as its shell or as its udp-sender, now."""
    for sender in read_processes().senders:
        own = [_identity(process) for process in (sender.shell, sender.process) if process is not None]
        if sender.port == port and identity in own:
            return sender
    return None


def _find_stopped(port: int, shell: Identity) -> Optional[Sender]:
    """The same once the shell stands still: a process on another core goes on for a moment after it was stopped."""
    deadline = time.monotonic() + _STANDSTILL
    while True:
        sender = _find(port, shell)
        running = sender is not None and sender.shell is not None and sender.shell.state not in _STOPPED
        if not running or time.monotonic() >= deadline:
            return sender
        time.sleep(_POLL)


def _end_shell(port: int, shell: Identity, grace: float) -> Optional[Identity]:
    """End the shell; return the udp-sender that it leaves behind, None when there is none."""
    current: Optional[Identity] = None
    for number in (signal.SIGTERM, signal.SIGKILL):
        # While the shell is stopped it cannot start another udp-sender, so the one seen now is the one it leaves.
        if not _signal(port, shell, signal.SIGSTOP):
            return current
        try:
            sender = _find_stopped(port, shell)
            current = _identity(sender.process) if sender is not None and sender.process is not None else None
            _signal(port, shell, number)
        finally:
            _signal(port, shell, signal.SIGCONT)
        if _gone(port, shell, grace):
            return current
    raise _survived(port, shell)


def _end(port: int, identity: Identity, grace: float) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signal(port, identity, number) or _gone(port, identity, grace):
            return
    raise _survived(port, identity)


def _signal(port: int, identity: Identity, number: int) -> bool:
    """Send a signal to exactly this process; False when it is gone."""
    # Python 3.9 and Linux 5.3 have process descriptors: opened before the look, they shut out reuse of the id.
    descriptor = None
    try:
        if hasattr(os, "pidfd_open"):
            try:
                descriptor = os.pidfd_open(identity[0])
            except ProcessLookupError:
                return False
            except OSError:
                descriptor = None  # an older kernel; the look below still guards the signal
        if _find(port, identity) is None:
            return False
        if descriptor is None:
            os.kill(identity[0], number)
        else:
            signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    except PermissionError:
        raise SenderError(
            f"The udp-sender of port {port} (process id {identity[0]}) may not be ended by this user; "
            "run as root (become: true)."
        ) from None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _gone(port: int, identity: Identity, grace: float) -> bool:
    """Wait at most ``grace`` seconds for the end of a process; whether it came."""
    deadline = time.monotonic() + grace
    while _find(port, identity) is not None:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_POLL)
    return True


def _survived(port: int, identity: Identity) -> SenderError:
    return SenderError(
        f"The udp-sender of port {port} (process id {identity[0]}) still runs after SIGTERM and SIGKILL; it probably "
        "waits for a disk or network file system that does not answer. End it by hand, or restart the host."
    )

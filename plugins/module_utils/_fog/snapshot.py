# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observe room: one look at a FOG host, as one immutable snapshot."""

from typing import NamedTuple, Optional, Tuple

from .database import Database
from .log import Logs
from .network import Network
from .processes import Processes
from .service import Service
from .settings import Credentials, Release, Settings


class Snapshot(NamedTuple):
    """Everything diagnose and plan may know about a host (design section 1)."""

    time: float  # epoch seconds by the host's clock
    offset: float  # the host's own time zone against UTC, seconds
    hostname: str
    settings: Settings
    release: Release
    network: Network
    processes: Processes
    service: Service
    logs: Logs
    database: Database
    missing_images: Tuple[str, ...] = ()  # absolute paths of active sessions' images that are not there


def observe(settings: Settings, credentials: Credentials) -> Snapshot:
    """Read the host once. Never writes. A database that cannot be used is told in ``database.error``."""
    raise NotImplementedError

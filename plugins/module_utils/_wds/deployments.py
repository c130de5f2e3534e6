# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what the deployment logs of HPC say, filtered on the host (facts/windows.md section 0)."""

from typing import NamedTuple, Optional


class Deployment(NamedTuple):
    """The newest deployment of a compute node.

    ``time`` is the log file's, ISO 8601 in UTC. ``namespace``: what CcpImg was told, "" blank, None when no CcpImg line
    is there. ``usage``: CcpImg answered with its usage text; ``fallback``: robocopy copied the image instead.
    ``exit_code``: of "Multicast Failed with Exit Code". User and password of the line are never kept.
    """

    node: str
    time: str
    file: str
    image: str
    namespace: Optional[str]
    usage: bool
    fallback: bool
    exit_code: Optional[int]

# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan room: from a snapshot and the user's wishes to ordered steps, or to why nothing may be done. Pure."""

from .plan_namespace import meant, plan_namespace, source
from .plan_reinstall import REBOOT_GATE, consent, needs_reboot, plan_reinstall
from .plan_service import plan_started

__all__ = [
    "REBOOT_GATE",
    "consent",
    "meant",
    "needs_reboot",
    "plan_namespace",
    "plan_reinstall",
    "plan_started",
    "source",
]

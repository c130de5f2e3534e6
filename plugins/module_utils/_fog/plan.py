# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan room: from a snapshot and the user's wishes to ordered steps, or to why nothing may be done. Pure."""

from .._steps import Plan
from .plan_daemon import plan_service
from .plan_records import plan_interface
from .plan_sessions import plan_reset

__all__ = ["Plan", "plan_interface", "plan_reset", "plan_service"]

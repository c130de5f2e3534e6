# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How bad a finding is."""

ERROR = "error"
WARNING = "warning"
INFO = "info"
#: Worst first: ``error`` breaks multicast, ``warning`` will or may, ``info`` does not.
SEVERITIES = (ERROR, WARNING, INFO)

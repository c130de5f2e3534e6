# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How property tests run: the machine may be busy with other tests, so time decides nothing.

``make unit`` tries every property often. ansible-test, which works on a copy below ``ansible_collections``, runs the
same tests once for each ansible-core and Python; there a few examples tell whether the code runs at all. It would also
give every test a process of its own, which no test here needs and which takes most of the time.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("copy", settings.get_profile("project"), max_examples=15)
COPY = os.sep + "ansible_collections" + os.sep in os.path.realpath(__file__)
settings.load_profile("copy" if COPY else "project")


def pytest_configure(config):
    config.pluginmanager.set_blocked("ansible_forked")

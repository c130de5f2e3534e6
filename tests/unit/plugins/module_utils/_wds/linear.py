# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the work of a parser grows with its text alone."""

import time


def assert_linear(parse, head, unit, tail="", count=1000):
    """Ten times the text is about ten times the work; a second loop over the same text would be a hundred times."""

    def took(units):
        text = head + unit * units + tail
        seconds = []
        for _attempt in range(3):
            began = time.process_time()
            parse(text)
            seconds.append(time.process_time() - began)
        return min(seconds)

    assert took(10 * count) < 40 * max(took(count), 0.0005)

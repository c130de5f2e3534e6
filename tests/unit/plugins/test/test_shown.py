# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The test that shows the recap."""

from ansible import constants as C
from ansible_collections.imaging.multicast.plugins.test import shown


class Screen:
    """Stands for Ansible's display."""

    def __init__(self):
        self.lines = []

    def display(self, line, color=None):
        self.lines.append((line, color))


def test_it_shows_every_line_once_and_is_true(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(shown, "Display", lambda: screen)
    test = shown.TestModule().tests()["shown"]
    assert test([{"text": "head", "outcome": ""}, {"text": "fog1", "outcome": "failed"}]) is True
    assert screen.lines == [("head", None), ("fog1", C.COLOR_ERROR)]


def test_where_nothing_is_known_nothing_is_shown(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(shown, "Display", lambda: screen)
    assert shown.shown([]) is True
    assert screen.lines == []

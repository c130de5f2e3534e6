"""Colours, only on a terminal."""

import os
from typing import TextIO

_COLOURS = {"green": "32", "red": "31", "yellow": "33", "dim": "2", "bold": "1"}


def colour(text: str, name: str, stream: TextIO) -> str:
    """``text`` in a colour when ``stream`` is a terminal and NO_COLOR is not set, else unchanged."""
    if not stream.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{_COLOURS[name]}m{text}\033[0m"

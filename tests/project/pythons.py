"""The Pythons on this machine."""

import os
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

Version = tuple[int, int]


def _folders() -> list[Path]:
    """Folders that may hold interpreters. A pyenv shim is no interpreter: the versions behind it are taken instead."""
    found = []
    for name in os.get_exec_path():
        folder = Path(name)
        if folder.name == "shims":
            found += sorted(folder.parent.glob("versions/*/bin"), reverse=True)
        else:
            found.append(folder)
    return found


@cache
def interpreters() -> dict[Version, Path]:
    """The real interpreter of each Python version 3.x, found on the PATH and behind pyenv."""
    found: dict[Version, Path] = {}
    for folder in _folders():
        for program in sorted(folder.glob("python3.*")):
            minor = program.name.removeprefix("python3.")
            if not minor.isdigit() or (3, int(minor)) in found or (program.parent.parent / "pyvenv.cfg").exists():
                continue
            if subprocess.run([program, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
                found[3, int(minor)] = program
    return found


def absent(who: str, wanted: tuple[Version, ...]) -> NoReturn:
    """Skip the test, as ``who`` wants a Python this machine lacks; fail it where CI=true promises the whole matrix."""
    versions = " or ".join(f"{major}.{minor}" for major, minor in wanted)
    sentence = f"{who} needs Python {versions}, which is neither on the PATH nor under pyenv"
    if os.environ.get("CI") == "true":
        pytest.fail(f"{sentence}; with CI=true nothing of the matrix may be left out", pytrace=False)
    pytest.skip(sentence)

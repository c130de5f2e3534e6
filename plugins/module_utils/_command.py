# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the readers share to ask a program of the host something that no library knows."""

import os
import shutil
import subprocess
from typing import Sequence

# FOG runs /sbin/ip; a user's PATH often lacks the sbin folders.
_FOLDERS = ("/sbin", "/usr/sbin", "/bin", "/usr/bin")


class CommandError(Exception):
    """A program is absent, failed or did not end in time; the text says which one and how."""


def ask(name: str, words: Sequence[str], timeout: float) -> str:
    """Run a program that only reads, without a shell and in the C locale; what it printed.

    :param timeout: seconds it may take.
    :raises CommandError:
    """
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if os.path.isabs(folder)]
    path = shutil.which(name, path=os.pathsep.join([*folders, *_FOLDERS]))
    if path is None:
        raise CommandError(f"the command {name} is not on this host")
    shown = " ".join([path, *words])
    try:
        # run_command belongs to a module, and readers know of none.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            [path, *words],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(os.environ, LC_ALL="C"),
            timeout=timeout,
        )
    except subprocess.TimeoutExpired:
        raise CommandError(f"{shown} did not end within {timeout:g} s") from None
    except OSError as error:
        raise CommandError(f"{path} cannot be run: {error.strerror or error}") from None
    if done.returncode != 0:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:200].rstrip(".") or "nothing"
        raise CommandError(f"{shown} ended with code {done.returncode} and said: {said}")
    return done.stdout.decode("utf-8", "replace")

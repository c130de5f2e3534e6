"""Plays get-pip.py for ansible-test: pip from the interpreter's own ensurepip, then what was asked for by pip itself.

ansible-test looks for it in its cache before it downloads the real one, so that no run depends on that download.
Runs on Python 3.6.
"""

import subprocess
import sys

BOOTSTRAP_ONLY = ("--no-setuptools", "--no-wheel")

if __name__ == "__main__":
    wanted = [argument for argument in sys.argv[1:] if argument not in BOOTSTRAP_ONLY]
    # A process of its own: ensurepip switches pip's configuration off in the process that calls it.
    subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"])
    sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--upgrade", *wanted]))

"""Plays get-pip.py for ansible-test: unpacks the wheels of pip and its helpers into the environment that runs it.

ansible-test looks for it in its cache before it downloads the real one. It makes a dozen environments a run, and
unpacking takes a fraction of the time of installing. The wheels are fetched once, by the pip that comes with the
interpreter, into the folder of this script. Runs on Python 3.6.
"""

import glob
import os
import subprocess
import sys
import sysconfig
import zipfile

WHEELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "wheels")


def wheel(requirement):
    """The stored wheel of ``name==version``, or None."""
    name, _, version = requirement.partition("==")
    found = glob.glob(os.path.join(WHEELS, f"{name}-{version}-*.whl"))
    return found[0] if version and found else None


def fetch(requirements):
    """Store the wheels of these requirements."""
    import ensurepip

    # Debian keeps the wheels of ensurepip where it tells by this name.
    folder = sysconfig.get_config_var("WHEEL_PKG_DIR") or os.path.join(os.path.dirname(ensurepip.__file__), "_bundled")
    (pip,) = glob.glob(os.path.join(folder, "pip-*.whl"))
    options = ["download", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--dest", WHEELS]
    subprocess.check_call([sys.executable, os.path.join(pip, "pip"), *options, *requirements])


if __name__ == "__main__":
    wanted = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    missing = [requirement for requirement in wanted if not wheel(requirement)]
    if missing:
        fetch(missing)
    for requirement in wanted:
        with zipfile.ZipFile(wheel(requirement)) as archive:
            archive.extractall(sysconfig.get_paths()["purelib"])
        print(f"unpacked {requirement}")

"""Collections that only Galaxy has, taken out of the package ``ansible`` on the Python package index."""

import fcntl
import shutil
import sys
import zipfile
from pathlib import Path

from tests.project.tree import CACHE, environment, run
from tests.project.venvs import PLATFORMS

_PIN = PLATFORMS / "bundle.txt"


def bundled(*namespaces: str) -> Path:
    """A folder for Ansible's collections path that has all collections of ``namespaces``; fetched when the pin changed.

    Another process that asks for the same waits.
    """
    folder = CACHE / f"bundled-{'-'.join(namespaces)}"
    stamp = folder / "stamp"
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != _PIN.read_text():
            if folder.exists():
                shutil.rmtree(folder)
            env = environment(PIP_CACHE_DIR=str(CACHE / "pip"), PIP_DISABLE_PIP_VERSION_CHECK="1")
            pip = (sys.executable, "-m", "pip", "download", "--no-input", "--no-deps", "--only-binary", ":all:")
            run(*pip, "--dest", folder / "wheel", "-r", _PIN, env=env)
            (wheel,) = (folder / "wheel").glob("*.whl")
            wanted = tuple(f"ansible_collections/{namespace}/" for namespace in namespaces)
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder, [name for name in archive.namelist() if name.startswith(wanted)])
            shutil.rmtree(folder / "wheel")
            stamp.write_text(_PIN.read_text())
    return folder

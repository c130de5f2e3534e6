"""Virtual environments that tests keep in the cache: other releases of Ansible, and tools the collection is used in."""

import fcntl
import hashlib
from pathlib import Path

from tests.project.tree import CACHE, ROOT, environment, run

PLATFORMS = ROOT / "tests" / "platforms" / "requirements"


def venv(name: str, python: str | Path, *wanted: str) -> Path:
    """The ``bin`` of a virtual environment in which pip has installed exactly ``wanted``; made anew when that changed.

    ``wanted`` are pip's arguments; of a file that follows ``-r`` the content counts. Another process that asks for the
    same name waits.
    """
    folder = CACHE / f"venv-{name}"
    stamp = folder / "stamp"
    digest = hashlib.sha256(" ".join((str(python), *wanted)).encode())
    for word in wanted:
        if Path(word).is_file():
            digest.update(Path(word).read_bytes())
    CACHE.mkdir(exist_ok=True)
    with open(CACHE / f"venv-{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != digest.hexdigest():
            run(python, "-m", "venv", "--clear", folder)
            env = environment(PIP_CACHE_DIR=str(CACHE / "pip"), PIP_DISABLE_PIP_VERSION_CHECK="1")
            run(folder / "bin" / "python", "-m", "pip", "install", "--no-input", *wanted, env=env)
            stamp.write_text(digest.hexdigest())
    return folder / "bin"


def platform(name: str) -> Path:
    """The ``bin`` of the virtual environment for ``tests/platforms/requirements/NAME.txt``, with .venv's Python."""
    return venv(name, (ROOT / ".venv" / "bin" / "python").resolve(), "-r", str(PLATFORMS / f"{name}.txt"))

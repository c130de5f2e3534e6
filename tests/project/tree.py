"""The checkout as the project's tests see it."""

import os
import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache"
COLLECTIONS = CACHE / "collections"
BIN = ROOT / ".venv" / "bin"


def files() -> list[Path]:
    """Tracked and new files that git does not ignore, relative to the checkout."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = {Path(name) for name in listed.stdout.split("\0") if name}
    return sorted(name for name in names if (ROOT / name).is_file())


def environment(**more: str) -> dict[str, str]:
    """This process's environment without what steers pytest, coverage and Ansible, or the looks of many a tool (CI)."""
    drop = ("ANSIBLE_", "COV_", "COVERAGE_", "MAKE", "MFLAGS", "PYTEST_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(drop) and name != "CI"}
    return {**kept, **more}


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Output of a command; an AssertionError with all of it where the command fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment() if env is None else env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def copy(folder: Path, without: Collection[str] = ()) -> None:
    """Put ``files()`` into ``folder``, but for those below the folders ``without``."""
    for file in files():
        if any(file.is_relative_to(each) for each in without):
            continue
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, folder / file, follow_symlinks=False)


def archive(folder: Path) -> Path:
    """The collection's archive, built in ``folder`` from the checkout as it is."""
    copy(folder / "tree")
    env = environment(ANSIBLE_HOME=str(CACHE / "ansible"))
    run(BIN / "ansible-galaxy", "collection", "build", folder / "tree", "--output-path", folder, env=env)
    (built,) = folder.glob("imaging-multicast-*.tar.gz")
    return built

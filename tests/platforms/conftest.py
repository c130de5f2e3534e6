"""The collection as its users get it, and the lab."""

import shutil
from pathlib import Path

import pytest

from tests.lab.conftest import able, boot, lab
from tests.project.tree import BIN, CACHE, ROOT, environment, files, run

__all__ = ["able", "archive", "boot", "lab"]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's archive, built from the checkout as it is."""
    top = tmp_path_factory.mktemp("archive")
    for file in files():
        (top / "tree" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, top / "tree" / file)
    env = environment(ANSIBLE_HOME=str(CACHE / "ansible"))
    run(BIN / "ansible-galaxy", "collection", "build", top / "tree", "--output-path", top, env=env)
    (built,) = top.glob("imaging-multicast-*.tar.gz")
    return built

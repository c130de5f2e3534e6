"""The collection as its users get it, and the lab."""

from pathlib import Path

import pytest

from tests.lab.conftest import able, boot, lab
from tests.project import tree

__all__ = ["able", "archive", "boot", "lab"]


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's archive, built from the checkout as it is."""
    return tree.archive(tmp_path_factory.mktemp("archive"))

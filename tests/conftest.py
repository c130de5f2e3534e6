"""What holds for every test: which group it belongs to, and Hypothesis without time limits."""

import os

import hypothesis
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
GROUPS = ("lab", "project")

# The machines that run this differ too much for a time limit per example.
hypothesis.settings.register_profile("multicast", deadline=None)
hypothesis.settings.load_profile("multicast")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    """One pytest-xdist worker runs the lab's tests (one lab), another the project's (shared caches)."""
    for item in items:
        group = os.path.relpath(str(item.fspath), HERE).split(os.sep, 1)[0]
        if group in GROUPS:
            item.add_marker(getattr(pytest.mark, group))
            item.add_marker(pytest.mark.xdist_group(group))

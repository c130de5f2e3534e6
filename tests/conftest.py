"""What holds for every test: which group it belongs to, and Hypothesis without time limits."""

import os

import hypothesis
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
MARKS = {"lab": "lab", "platforms": "platform", "project": "project"}
# The longest half of the lab's tests has a lab of its own, so that no worker waits for the other at the end.
REPAIRS = ("test_probe.py", "test_repair.py", "test_reset.py", "test_role.py", "test_schema_dump.py", "test_service.py")

# The machines that run this differ too much for a time limit per example. Where CI is set, Hypothesis would try
# the same examples every time.
hypothesis.settings.register_profile("multicast", hypothesis.settings.get_profile("default"), deadline=None)
hypothesis.settings.load_profile("multicast")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    """Tests of one group run in one worker: the lab's share a lab, those of an ansible-core have a cache of its own."""
    for item in items:
        folder, name = os.path.relpath(str(item.fspath), HERE).split(os.sep, 1)
        if folder in MARKS:
            item.add_marker(getattr(pytest.mark, MARKS[folder]))
            item.add_marker(pytest.mark.xdist_group(_group(item, folder, name)))


def _group(item, folder, name):
    if folder == "lab":
        # The simulated head nodes need no lab: their tests run beside those that do.
        part = name.split(os.sep, 1)[0]
        if part in ("wds", "windows"):
            return part
        return "lab-repairs" if part in REPAIRS else folder
    core = getattr(item, "callspec", None) and item.callspec.params.get("name")
    return f"{name}-{core}" if name == "test_ansible_test.py" else name

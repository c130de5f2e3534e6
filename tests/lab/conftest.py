"""Fixtures for tests that need the lab."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from tests.lab.__main__ import DEFAULT_STATE
from tests.lab.fleet import subset
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.processes import identify
from tests.lab.requirements import MissingRequirements, require

Boot = Callable[..., tuple[Host, ...]]
_OURS = re.compile(r"test-[a-z0-9]+-(?P<pid>\d+)")


def lab_name(part: str) -> str:
    """A lab name of this test process's own; ``part`` tells several of them apart."""
    return f"test-{part}-{os.getpid()}"


@pytest.fixture(scope="session")
def able() -> None:
    """Fails, never skips, where the machine cannot carry a lab. Takes away labs of test runs that were killed."""
    try:
        require(DEFAULT_STATE, 10)
    except MissingRequirements as error:
        pytest.fail(str(error), pytrace=False)
    with suppress(FileNotFoundError):
        for name in os.listdir(DEFAULT_STATE / "labs"):
            match = _OURS.fullmatch(name)
            if match and identify(int(match["pid"])) is None:
                Lab(DEFAULT_STATE, name).down()


@pytest.fixture(scope="session")
def lab(able: None, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The lab of this test process. It is down at first: ``boot`` brings up the hosts a test needs."""
    worker = getattr(request.config, "workerinput", {}).get("workerid", "main")
    session = Lab(DEFAULT_STATE, lab_name(worker))
    try:
        yield session
    finally:
        session.down()


@pytest.fixture(scope="session")
def boot(lab: Lab) -> Boot:
    """``boot("fog1", "store1")`` makes these hosts run, unless they do, and returns them in this order."""

    def up(*names: str) -> tuple[Host, ...]:
        lab.up(subset(names))
        return tuple(lab.host(name) for name in names)

    return up

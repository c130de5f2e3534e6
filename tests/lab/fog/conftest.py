"""Fixtures for the tests of the FOG part."""

from collections.abc import Callable, Iterator

import pytest

from tests.lab.conftest import Boot
from tests.lab.fog import assert_nothing_refused, reset_host
from tests.lab.host import Host
from tests.lab.lab import Lab

Fresh = Callable[..., Host]


@pytest.fixture
def fresh(lab: Lab, boot: Boot) -> Iterator[Fresh]:
    """``fresh("fog1")`` is that host, put back to healthy before the test and again after it.

    The test fails when the stand-in refused something on the way. ``refusing=True`` lets it, on a host
    whose database no other host reads: that host's stand-in would refuse the same.
    """
    used: dict[Host, bool] = {}

    def make(name: str, refusing: bool = False) -> Host:
        (host,) = boot(name)
        readers = [spec.name for spec in lab.fleet.values() if spec.database == name]
        assert not refusing or readers == [name], f"{name}: its database is read by {readers}"
        reset_host(lab, host)
        used[host] = refusing
        return host

    yield make
    try:
        for host, refusing in used.items():
            if not refusing:
                assert_nothing_refused(host)
    finally:
        for host in used:
            reset_host(lab, host)

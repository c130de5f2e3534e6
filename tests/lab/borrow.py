"""Healthy hosts for one test, put back to healthy after it."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.conftest import Boot
from tests.lab.fog import assert_nothing_refused, layout, reset_host
from tests.lab.host import Host
from tests.lab.lab import Lab


@contextmanager
def borrowed(lab: Lab, boot: Boot, *names: str) -> Iterator[tuple[Host, ...]]:
    """The hosts called ``names``, running and healthy; afterwards those with FOG are reset, whatever became of them.

    Fails the test when it rested on something the stand-in does not model.
    """
    hosts = boot(*names)
    # A storage node comes before the server whose database it uses, so that the server sees the final rows.
    fog = sorted((host for host in hosts if layout.is_fog(host.spec)), key=lambda host: host.spec.database == host.name)
    try:
        yield hosts
        for host in fog:
            assert_nothing_refused(host)
    finally:
        for host in fog:
            reset_host(lab, host)

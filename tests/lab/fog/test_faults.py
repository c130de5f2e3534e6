"""Faults fit the hosts they are put into. What each breaks, and that it is put back: tests/lab/test_repair.py."""

import pytest

from tests.lab.conftest import Boot
from tests.lab.fog import health, layout, processes, reset_host
from tests.lab.fog.conftest import Fresh
from tests.lab.fog.effects import EFFECTS
from tests.lab.fog.faults import FAULTS, FaultError, expected
from tests.lab.lab import Lab

pytestmark = pytest.mark.lab

# Design section 3, and what the catalogue has beyond it.
FINDINGS = {
    *("fog.db.unreachable", "fog.node.no_master", "fog.node.many_masters", "fog.node.master_not_local"),
    *("fog.node.address_not_local", "fog.node.disabled", "fog.interface.record_stale", "fog.interface.absent"),
    *("fog.interface.down", "fog.interface.no_multicast", "fog.interface.no_route", "fog.interface.lookup_bug"),
    *("fog.session.stale", "fog.session.unserved", "fog.session.port_shared", "fog.association.orphan"),
    *("fog.task.orphan", "fog.sender.orphan", "fog.sender.missing_binary", "fog.service.stopped"),
    *("fog.service.child_dead", "fog.service.disabled_globally", "fog.log.silent", "fog.image.missing"),
    *("fog.db.foreign_schema", "fog.db.no_delete", "fog.version.unknown", "fog.service.outdated_cache"),
    "fog.db.two_databases",
}


def test_every_finding_has_a_fault() -> None:
    assert {finding for fault in FAULTS for finding in expected(fault)} == FINDINGS
    assert all(expected(fault) for fault in FAULTS)


def test_every_fault_has_an_effect() -> None:
    assert EFFECTS.keys() == FAULTS.keys()


@pytest.mark.parametrize("fault", ["stale-session", "no-route", "db-password-wrong"])
def test_faults_work_on_a_storage_node(fresh: Fresh, lab: Lab, fault: str) -> None:
    host = fresh("store1")
    before = health.state(lab, host)
    FAULTS[fault](lab, host)
    assert health.state(lab, host) != before
    reset_host(lab, host)
    assert health.state(lab, host) == before
    health.assert_serving(host)


@pytest.mark.parametrize(
    ("fault", "name", "message"),
    [
        ("no-master", "store2", "is no master node"),
        ("stale-session", "nas1", "without FOG"),
        ("fallback-absent", "fog1", "break a host with FOG 1.5.10.1867"),
        ("image-row-deleted", "fog3", "break a host with an older FOG"),
    ],
)
def test_fault_that_does_not_fit_says_why(boot: Boot, lab: Lab, fault: str, name: str, message: str) -> None:
    (host,) = boot(name)
    with pytest.raises(FaultError, match=message):
        FAULTS[fault](lab, host)


def test_nas_is_no_fog_server(boot: Boot) -> None:
    (nas,) = boot("nas1")
    assert not nas.exists(layout.FOG_SETTINGS)
    assert not nas.exists(layout.DAEMON)
    assert processes.daemon(nas) is None

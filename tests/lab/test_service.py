"""fog_multicast_service on real hosts: what it starts and restarts, when it does not, and the evidence it keeps."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from tests.lab import controller, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import layout, processes, use_sysv
from tests.lab.fog.faults import FAULTS
from tests.lab.fog.service import log_shows
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import sender_ids, sending

SERVICE = "fog_multicast_service"
GATE = "fog_multicast_allow_restart"


@pytest.fixture
def fog4(lab: Lab, boot: Boot) -> Iterator[Host]:
    with borrowed(lab, boot, "fog4") as (host,):
        yield host


@pytest.fixture
def fog2(lab: Lab, boot: Boot) -> Iterator[Host]:
    with borrowed(lab, boot, "fog2") as (host,):
        yield host


def service(lab: Lab, host: Host, *options: str, check: bool = True, **arguments: Any) -> dict[str, Any]:
    return controller.module(lab, host, SERVICE, *options, arguments=arguments, check=check)


def daemon(host: Host) -> int:
    found = processes.daemon(host)
    assert found is not None
    return found.pid


def outcomes(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["kind"], step["outcome"]) for step in result["steps"]]


def test_a_stopped_and_disabled_daemon_is_started_and_enabled(lab: Lab, fog4: Host) -> None:
    fog4.run(["systemctl", "disable", "--now", "--quiet", layout.UNIT])
    before = witness.state(fog4, fog4)
    planned = service(lab, fog4, "--check")
    assert witness.state(fog4, fog4) == before
    assert outcomes(planned) == [("service.start", "planned"), ("service.enable", "planned")]
    result = service(lab, fog4)
    assert outcomes(result) == [("service.start", "done"), ("service.enable", "done")]
    assert (result["before"]["active"], result["after"]["active"]) == (False, True)
    assert fog4.run(["systemctl", "is-enabled", layout.UNIT]).stdout.strip() == "enabled"
    assert controller.finding_ids(result) == set()
    log_shows(fog4, "* No new tasks found")
    pid = daemon(fog4)
    assert not service(lab, fog4)["changed"]
    assert daemon(fog4) == pid


def test_a_healthy_daemon_is_never_restarted(lab: Lab, fog4: Host) -> None:
    before = witness.state(fog4, fog4)
    result = service(lab, fog4, allow_restart=True)
    assert (result["changed"], result["steps"], result["evidence"]) == (False, [], {})
    assert witness.state(fog4, fog4) == before


# A silent log, or a daemon without a child, proves something only some time after the start.
OLD_ENOUGH = 16


def child_age(host: Host) -> float:
    """Seconds since the daemon's child was started."""
    child = processes.wait_for(f"the daemon's child on {host.name}", lambda: processes.child(host))
    return float(host.run(["ps", "-o", "etimes=", "-p", str(child.pid)]).stdout)


@pytest.mark.parametrize(
    ("fault", "finding"), [("log-silent", "fog.log.silent"), ("child-dead", "fog.service.child_dead")]
)
def test_a_daemon_that_does_nothing_is_restarted(lab: Lab, fog2: Host, fault: str, finding: str) -> None:
    processes.wait_for("an old enough child", lambda: child_age(fog2) > OLD_ENOUGH)
    FAULTS[fault](lab, fog2)
    assert fog2.run(["systemctl", "is-active", layout.UNIT]).stdout.strip() == "active"
    pid = daemon(fog2)
    last = fog2.read(layout.LOG).splitlines()[-1]
    planned = service(lab, fog2, "--check")
    assert outcomes(planned) == [("service.restart", "planned")]
    assert daemon(fog2) == pid
    result = service(lab, fog2)
    assert finding in {found["id"] for found in result["findings_before"]}
    assert outcomes(result) == [("service.restart", "done")]
    assert daemon(fog2) != pid
    # The restart deleted the log; what was in it is in the result.
    assert last in result["evidence"][layout.LOG]
    assert last not in fog2.read(layout.LOG)
    assert controller.finding_ids(result) == set()
    assert not service(lab, fog2)["changed"]


def test_a_restart_waits_for_consent_while_a_session_is_sent(lab: Lab, fog4: Host) -> None:
    session = sending(fog4, fog4)
    pid, sender = daemon(fog4), sender_ids(fog4, session.port)
    processes.wait_for("an old enough child", lambda: child_age(fog4) > OLD_ENOUGH)
    child = processes.wait_for("the daemon's child", lambda: processes.child(fog4))
    processes.send_signal(fog4, child.pid, signal.SIGKILL)
    blocked = service(lab, fog4)
    assert not blocked["changed"]
    assert outcomes(blocked) == [("service.restart", "blocked")]
    (step,) = blocked["steps"]
    assert step["gate"] == GATE
    assert GATE in step["detail"]
    assert any(str(session.id) in note for note in blocked["notes"])
    assert (daemon(fog4), sender_ids(fog4, session.port)) == (pid, sender)

    allowed = service(lab, fog4, allow_restart=True)
    assert outcomes(allowed) == [("service.restart", "done")]
    assert daemon(fog4) != pid
    said = "\n".join(allowed["evidence"][layout.LOG])
    assert f"Task ID: {session.id} Name: {session.name} has started" in said
    assert f"{layout.LOG}.udpcast.{session.id}" in allowed["evidence"]
    log_shows(fog4, f"Task ID: {session.id} Name: {session.name} has started")


def test_a_start_in_vain_is_refused(lab: Lab, fog4: Host) -> None:
    FAULTS["udp-sender-missing"](lab, fog4)
    pid = daemon(fog4)
    result = service(lab, fog4, restart=True)
    assert not result["changed"]
    assert "udp-sender" in result["refused"]
    assert daemon(fog4) == pid


# What tells that systemd runs (sd_booted(3)), and how it is asked.
SYSTEMD = ("/run/systemd/system", "/usr/bin/systemctl")


@contextmanager
def without_systemd(host: Host) -> Iterator[None]:
    """A host that seems to run without systemd."""
    try:
        for path in SYSTEMD:
            host.run(["mv", path, f"{path}.away"])
        yield
    finally:
        for path in SYSTEMD:
            host.run(["mv", f"{path}.away", path])


@pytest.mark.parametrize("manager", ["systemd", "sysv"])
def test_a_daemon_with_an_init_script_is_started_and_restarted(lab: Lab, fog4: Host, manager: str) -> None:
    use_sysv(fog4)
    with ExitStack() as stack:
        if manager == "sysv":
            stack.enter_context(without_systemd(fog4))
        else:
            # Started by the script itself, systemd would know nothing of it.
            fog4.run([layout.INIT_SCRIPT, "stop"])
            fog4.run(["systemctl", "start", layout.UNIT])
        log_shows(fog4, "* No new tasks found")
        pid = daemon(fog4)
        restarted = service(lab, fog4, restart=True)
        assert restarted["before"]["manager"] == manager
        assert outcomes(restarted) == [("service.restart", "done")]
        assert daemon(fog4) != pid
        fog4.run([layout.INIT_SCRIPT, "stop"] if manager == "sysv" else ["systemctl", "stop", layout.UNIT])
        processes.wait_for("the daemon to end", lambda: processes.daemon(fog4) is None)
        started = service(lab, fog4)
        assert ("service.start", "done") in outcomes(started)
        log_shows(fog4, "* No new tasks found")
        assert controller.finding_ids(started) == set()
        assert not service(lab, fog4)["changed"]

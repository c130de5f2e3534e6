"""The role and the playbooks on real hosts: the last resort, the libraries, the guard, and how a run ends."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import controller, witness
from tests.lab.borrow import borrowed
from tests.lab.conftest import Boot
from tests.lab.fog import files, layout, processes
from tests.lab.fog.faults import FAULTS, GONE_ADDRESS
from tests.lab.host import Host
from tests.lab.lab import Lab
from tests.lab.scenes import stale

REPAIR = "repair-multicast"
CHECK = "check-multicast"
INSTALLER = "/opt/fogproject/bin/installfog.sh"
MARK = "/root/installer-ran"
PACKAGES = "/usr/lib/python3/dist-packages"


@pytest.fixture
def fog4(lab: Lab, boot: Boot) -> Iterator[Host]:
    with borrowed(lab, boot, "fog4") as (host,):
        yield host


def last_line(run: controller.Run) -> str:
    """The last line a run printed before Ansible's own recap."""
    lines = [line.strip() for line in run.output.partition("PLAY RECAP")[0].splitlines() if line.strip()]
    return lines[-1]


# --- FOG's installer ------------------------------------------------------------------------------------------------


@contextmanager
def installer(host: Host, body: str) -> Iterator[dict[str, str]]:
    """A stand-in for FOG's installer on the host; what a playbook has to be told about it."""
    secret = layout.secret(host.name, "db")
    words = (f"database password: {secret}", secret, f"mysql -ufog -p{secret}")
    said = "\n".join(f"echo {shlex.quote(line)}" for line in words)
    host.write(INSTALLER, f'#!/bin/sh\necho "$PWD $*" >> {MARK}\necho installing\n{said}\n{body}\n', 0o755)
    try:
        yield {"fog_multicast_installer": INSTALLER}
    finally:
        host.run(["rm", "-rf", "/opt/fogproject", MARK])


def test_the_installer_runs_only_as_the_last_resort_and_with_consent(lab: Lab, fog4: Host) -> None:
    FAULTS["db-password-wrong"](lab, fog4)
    fog4.write("/root/right", files.fog_settings(fog4.spec, fog4.spec), 0o600)
    fog4.write("/root/right.php", files.config_php(fog4.spec, fog4.spec), 0o600)
    cure = f"cat /root/right > {layout.FOG_SETTINGS}; cat /root/right.php > {layout.CONFIG}"
    cure += f"; systemctl restart {layout.UNIT}; sleep 2; echo all done"
    with installer(fog4, cure) as variables:
        closed = controller.playbook(lab, REPAIR, [fog4], variables=variables)
        assert closed.outcome("fog4") == "needs_person", closed.explain("fog4")
        assert closed.code != 0
        assert not fog4.exists(MARK)

        variables["fog_multicast_allow_installer"] = "true"
        planned = controller.playbook(lab, REPAIR, [fog4], "--check", variables=variables)
        assert planned.code != 0
        assert not fog4.exists(MARK)

        # Nobody knows whether the daemon, which runs, is sending.
        held = controller.playbook(lab, REPAIR, [fog4], variables=variables)
        assert held.outcome("fog4") == "needs_person", held.explain("fog4")
        assert [step["gate"] for step in held.steps("fog4")] == ["fog_multicast_allow_restart"]
        assert not fog4.exists(MARK)

        variables["fog_multicast_allow_restart"] = "true"
        opened = controller.playbook(lab, REPAIR, [fog4], "-vvv", "--diff", variables=variables)
        assert opened.outcome("fog4") == "repaired", opened.explain("fog4")
        assert fog4.read(MARK).splitlines() == ["/opt/fogproject/bin -Y"]
        (step,) = [step for step in opened.steps("fog4") if step["kind"] == "installer.run"]
        assert "all done" in step["detail"]
        assert "installing" in step["detail"]
        assert "mysql -ufog -p(hidden)" in step["detail"]
    for run in (closed, planned, held, opened):
        assert layout.SECRET not in run.output
        assert layout.SECRET not in str(run.report)


def test_the_installer_does_not_run_where_gentler_steps_helped(lab: Lab, fog4: Host) -> None:
    FAULTS["service-stopped"](lab, fog4)
    with installer(fog4, "") as variables:
        run = controller.playbook(lab, REPAIR, [fog4], variables={**variables, "fog_multicast_allow_installer": True})
        assert run.outcome("fog4") == "repaired", run.explain("fog4")
        assert not fog4.exists(MARK)


def test_an_installer_that_hangs_is_ended(lab: Lab, fog4: Host) -> None:
    FAULTS["db-password-wrong"](lab, fog4)
    wishes = {
        "fog_multicast_allow_installer": True,
        "fog_multicast_allow_restart": True,
        "fog_multicast_installer_timeout": 3,
    }
    with installer(fog4, "exec sleep 4711") as variables:
        run = controller.playbook(lab, REPAIR, [fog4], variables={**variables, **wishes})
        assert fog4.exists(MARK)
    assert run.code != 0
    (step,) = [step for step in run.steps("fog4") if step["kind"] == "installer.run"]
    assert step["outcome"] == "failed"
    assert INSTALLER in step["detail"]
    assert [process for process in processes.running(fog4) if "4711" in process.argv] == []


# --- udp-sender ---------------------------------------------------------------------------------------------------


def test_a_udp_sender_that_cannot_be_executed_is_left_to_a_person(lab: Lab, fog4: Host) -> None:
    FAULTS["udp-sender-missing"](lab, fog4)
    fog4.write(layout.SENDER_LINK, "#!/bin/sh\n", 0o644)
    try:
        before = witness.state(fog4, fog4)
        run = controller.playbook(lab, REPAIR, [fog4])
        assert witness.state(fog4, fog4) == before
    finally:
        fog4.remove(layout.SENDER_LINK)
    assert run.outcome("fog4") == "needs_person", run.explain("fog4")
    assert run.steps("fog4") == []
    assert f"chmod +x {layout.SENDER_LINK}" in run.output


# --- libraries ------------------------------------------------------------------------------------------------------


@contextmanager
def without_netifaces(host: Host) -> Iterator[None]:
    """A host where netifaces is not installed, and a package source on the host itself that has it."""
    found = host.run(["sh", "-c", f"echo {PACKAGES}/netifaces*.so"]).stdout.strip()
    host.run(["cp", found, "/root/netifaces.so"])
    host.run(["dpkg", "--purge", "--force-depends", "python3-netifaces"])
    host.run(["rm", "-f", found])
    tree = "/root/package"
    host.run(["mkdir", "-p", f"{tree}/DEBIAN", f"{tree}{PACKAGES}", "/srv/packages"])
    host.run(["cp", "/root/netifaces.so", f"{tree}{found}"])
    control = "Package: python3-netifaces\nVersion: 99\nArchitecture: all\nMaintainer: lab <lab@localhost>\n"
    control += "Description: the library of the image\n"
    host.write(f"{tree}/DEBIAN/control", control)
    host.run(["dpkg-deb", "--build", "-Znone", tree, "/srv/packages/netifaces.deb"])
    size, checksum = host.run(
        ["sh", "-c", "cd /srv/packages; stat -c %s netifaces.deb; sha256sum netifaces.deb | cut -d' ' -f1"]
    ).stdout.split()
    index = f"{control}Filename: ./netifaces.deb\nSize: {size}\nSHA256: {checksum}\n"
    host.write("/srv/packages/Packages", index)
    host.write("/etc/apt/sources.list", "deb [trusted=yes] file:/srv/packages ./\n")
    # Check mode does not refresh the lists.
    host.run(["apt-get", "update"])
    try:
        yield
    finally:
        # What this host has of its own; the image's library is put back as it was.
        host.run(["dpkg", "--purge", "--force-all", "python3-netifaces"], check=False)
        host.run(["cp", "/root/netifaces.so", found])
        host.write("/etc/apt/sources.list", "")
        host.run(["rm", "-rf", tree, "/srv/packages", "/root/netifaces.so"])
        host.run(["sh", "-c", "rm -rf /var/lib/apt/lists/*"])


def test_missing_libraries_are_told_planned_and_installed(lab: Lab, fog4: Host) -> None:
    with without_netifaces(fog4):
        told = controller.playbook(lab, REPAIR, [fog4], variables={"fog_multicast_manage_packages": False})
        assert told.outcome("fog4") == "failed"
        assert told.code != 0
        (step,) = told.steps("fog4")
        assert "netifaces" in step["detail"]
        assert "\n" not in step["detail"]

        planned = controller.playbook(lab, REPAIR, [fog4], "--check")
        assert "TASK [imaging.multicast.fog_multicast : Install the packages]" in planned.output
        assert [step["outcome"] for step in planned.steps("fog4")] == ["planned"], planned.explain("fog4")
        assert fog4.run(["python3", "-c", "import netifaces"], check=False).returncode != 0

        done = controller.playbook(lab, REPAIR, [fog4])
        assert [(step["kind"], step["outcome"]) for step in done.steps("fog4")] == [("package.install", "done")]
        assert done.outcome("fog4") == "healthy", done.explain("fog4")
        assert done.code == 0
        fog4.run(["python3", "-c", "import netifaces"])


# --- the fleet ------------------------------------------------------------------------------------------------------


def test_the_guard_keeps_a_sweep_from_happening(lab: Lab, boot: Boot) -> None:
    with borrowed(lab, boot, "fog1", "fog2", "fog3", "fog4") as hosts:
        broken = hosts[1:]
        for host in broken:
            FAULTS["service-stopped"](lab, host)
        before = {host.name: witness.state(host, host) for host in hosts}
        run = controller.playbook(lab, REPAIR, hosts, variables={"multicast_max_broken_percent": 50})
        assert {host.name: witness.state(host, host) for host in hosts} == before
    assert run.code != 0
    assert run.outcome("fog1") == "healthy"
    for host in broken:
        assert run.outcome(host.name) == "needs_person"
        (step,) = run.steps(host.name)
        assert "3 of 4 hosts look broken at once" in step["detail"]
        assert "multicast_max_broken_percent" in step["detail"]
    assert last_line(run) == _recap(4, healthy=1, person=3)


def test_check_changes_nothing_and_tells_of_every_host(lab: Lab, boot: Boot, tmp_path: Path) -> None:
    inventory = _with_gone_host(lab, tmp_path)
    with borrowed(lab, boot, "fog1", "fog4") as (healthy, broken):
        stale(broken, broken, "stale")
        before = [witness.state(host, host) for host in (healthy, broken)]
        run = controller.playbook(lab, CHECK, ["fog1", "fog4", "gone"], inventory=inventory)
        assert [witness.state(host, host) for host in (healthy, broken)] == before
    assert [run.outcome(host) for host in ("fog1", "fog4", "gone")] == ["healthy", "would_repair", "unreachable"]
    assert run.ids("fog4") == {"fog.session.stale"}
    assert run.report["summary"]["unreachable"] == 1
    assert run.changed == {"fog1": 0, "fog4": 0, "gone": 0}
    assert run.code != 0
    assert last_line(run) == _recap(3, healthy=1, would=1, unreachable=1)


def test_a_healthy_fleet_ends_with_zero(lab: Lab, boot: Boot) -> None:
    hosts = boot("fog1", "fog4")
    before = [witness.state(host, host) for host in hosts]
    run = controller.playbook(lab, REPAIR, hosts)
    assert [witness.state(host, host) for host in hosts] == before
    assert run.code == 0
    assert last_line(run) == _recap(2, healthy=2)


def _recap(fleet: int, healthy: int, would: int = 0, person: int = 0, unreachable: int = 0) -> str:
    return (
        f"fleet {fleet} | healthy {healthy} | repaired 0 | would repair {would} | needs a person {person}"
        f" | failed 0 | unreachable {unreachable}"
    )


def _with_gone_host(lab: Lab, folder: Path) -> Path:
    """The lab's inventory with one more FOG server that nobody answers for."""
    whole = folder / "inventory"
    whole.mkdir()
    (whole / "lab.yml").write_text(lab.inventory.read_text(encoding="utf-8"), encoding="utf-8")
    more = f"fog_servers:\n  hosts:\n    gone:\n      ansible_host: {GONE_ADDRESS}\n"
    (whole / "more.yml").write_text(more, encoding="utf-8")
    return whole


@pytest.mark.parametrize("name", [CHECK, "../tests/bench/wiki-by-hand"])
def test_a_playbook_that_only_looks_runs_in_check_mode_too(lab: Lab, fog4: Host, name: str) -> None:
    looked = controller.playbook(lab, name, [fog4], "--check")
    assert looked.code == 0, looked.output
    assert looked.changed == {fog4.name: 0}

"""The lab on the real machine: it comes up, it works, and nothing of it stays, whatever interrupts it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import cgroups
from tests.lab.__main__ import DEFAULT_STATE
from tests.lab.conftest import Boot, lab_name
from tests.lab.fleet import subset
from tests.lab.host import HostError
from tests.lab.lab import Lab, LabError
from tests.lab.mounts import mounts
from tests.lab.processes import Process, identify
from tests.lab.sysctl import SharedLimits

pytestmark = pytest.mark.lab
_CHECKOUT = DEFAULT_STATE.parent
_NETNS = Path("/run/netns")


def _start(lab: Lab, *words: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.lab", "--state", str(lab.state), "--lab", lab.name, *words]
    return subprocess.Popen(argv, cwd=_CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _command(lab: Lab, *words: str) -> str:
    with _start(lab, *words) as process:
        said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said
    return said


def _inside(lab: Lab) -> set[Process]:
    """The processes in the lab's network namespaces now."""
    namespaces = {path.stat().st_ino for path in _NETNS.glob(f"{lab.netns}*")}
    return {process for process in _processes() if _network(process) in namespaces}


def _processes() -> list[Process]:
    found = (identify(int(pid)) for pid in os.listdir("/proc") if pid.isdigit())
    return [process for process in found if process is not None]


def _network(process: Process) -> int:
    try:
        return Path(f"/proc/{process.pid}/ns/net").stat().st_ino
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # It has ended, or belongs to who runs this machine.
        return 0


def _traces(lab: Lab, inside: set[Process]) -> list[str]:
    """Everything on the machine that belongs to ``lab`` now; ``inside`` are processes that were in its network.

    (Not the numbers of its namespaces: the kernel gives them to the next lab.)
    """
    found = [f"mount {mount.path}" for mount in mounts() if lab.folder in mount.path.parents]
    found += [f"namespace {path}" for path in _NETNS.glob(f"{lab.netns}*")]
    found += [f"cgroup {root}" for root in cgroups.hierarchies(mounts()) if (root / lab.netns).exists()]
    for process in _processes():
        folder = Path("/proc", str(process.pid))
        try:
            grouped = lab.netns in (folder / "cgroup").read_text(encoding="utf-8")
            words = (folder / "cmdline").read_bytes().decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if process in inside or grouped or lab.netns in words:
            found.append(f"process {process.pid} {words!r}")
    folders = (lab.folder, lab.control, *Path("/run/systemd/nspawn").glob(f"*/{lab.netns}*"))
    return found + [f"folder {path}" for path in folders if path.exists()]


def _wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert process.poll() is None, f"it ended before it got there: {process.communicate()[0]}"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


@pytest.fixture
def own(able: None) -> Iterator[Callable[[str], Lab]]:
    """Makes labs for one test, and takes them away after it."""
    made: list[Lab] = []

    def make(part: str) -> Lab:
        made.append(Lab(DEFAULT_STATE, lab_name(part)))
        return made[-1]

    try:
        yield make
    finally:
        for lab in made:
            lab.down()


def test_up_status_ssh_and_down_leave_nothing(own: Callable[[str], Lab]) -> None:
    lab = own("cycle")
    _command(lab, "up", "--hosts", "nas1,client1")
    inside = _inside(lab)
    assert {host.leader for host in lab.hosts.values()} <= inside
    kinds = {trace.partition(" ")[0] for trace in _traces(lab, inside)}
    assert kinds == {"mount", "namespace", "cgroup", "process", "folder"}
    status = _command(lab, "status").splitlines()
    assert status[0].split() == ["HOST", "KIND", "SUITE", "ADDRESS", "STATE", "LOGIN"]
    assert status[1].split() == ["nas1", "nas", "bookworm", "10.99.3.1", "running", "ssh"]
    assert status[2].split()[0] == "client1"
    # No warning on the way in: ssh's own messages would be in the output too.
    assert _command(lab, "ssh", "nas1", "hostname") == "nas1\n"
    assert _command(lab, "exec", "client1", "cat", "/etc/hostname") == "client1\n"
    assert _command(lab, "ssh", "client1", "getent hosts nas1").split() == ["10.99.3.1", "nas1"]
    assert "already up with 2 hosts" in _command(lab, "up", "--hosts", "nas1")
    assert lab.ssh.key.stat().st_mode & 0o777 == 0o600
    _command(lab, "down")
    assert _traces(lab, inside) == []
    assert lab.id not in SharedLimits().labs()
    assert "is not up" in _command(lab, "down")


@pytest.mark.parametrize(
    ("stage", "hosts"),
    [
        ("netns", "nas1,client1"),
        ("cgroup", "nas1,client1"),
        ("mount", "nas1,client1"),
        ("process", "nas1,client1"),
        ("leader", "nas1,client1"),
        ("leader", "fog1,client1"),
    ],
)
def test_up_killed_then_down_leaves_nothing(own: Callable[[str], Lab], stage: str, hosts: str) -> None:
    lab = own(f"kill{stage}")
    process = _start(lab, "up", "--hosts", hosts)
    _wait_for(lambda: any(entry.kind == stage and entry.host for entry in lab.journal.entries()), process)
    _kill(process)
    inside = _inside(lab)
    _command(lab, "down")
    assert _traces(lab, inside) == []


def test_up_killed_then_up_starts_over(own: Callable[[str], Lab]) -> None:
    lab = own("again")
    process = _start(lab, "up", "--hosts", "nas1")
    _wait_for(lambda: any(entry.kind == "process" for entry in lab.journal.entries()), process)
    _kill(process)
    inside = _inside(lab)
    said = _command(lab, "up", "--hosts", "nas1")
    assert "taking it away" in said
    assert _command(lab, "ssh", "nas1", "systemctl is-system-running") == "running\n"
    inside |= _inside(lab)
    _command(lab, "down")
    assert _traces(lab, inside) == []


@pytest.mark.parametrize(("delay", "name"), [(0.0, "nas1"), (0.05, "nas1"), (0.2, "nas1"), (0.05, "fog1")])
def test_down_killed_then_down_leaves_nothing(own: Callable[[str], Lab], delay: float, name: str) -> None:
    lab = own("halfdown")
    lab.up(subset([name, "client1"]))
    inside = _inside(lab)
    leader = lab.host(name)
    process = _start(lab, "down")
    # From the first process that is gone the rest is being taken down.
    deadline = time.monotonic() + 60
    while leader.running and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(delay)
    _kill(process)
    _command(lab, "down")
    assert _traces(lab, inside) == []


def test_two_labs_at_once(own: Callable[[str], Lab]) -> None:
    one, two = own("one"), own("two")
    started = [_start(lab, "up", "--hosts", "nas1") for lab in (one, two)]
    said = [process.communicate(timeout=300)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0], said
    one.host("nas1").write("/root/whose", "one")
    two.host("nas1").write("/root/whose", "two")
    assert [_command(lab, "ssh", "nas1", "cat /root/whose") for lab in (one, two)] == ["one", "two"]
    inside = _inside(one)
    _command(one, "down")
    assert _traces(one, inside) == []
    assert _command(two, "ssh", "nas1", "cat /root/whose") == "two"


def test_up_boots_only_what_is_missing(own: Callable[[str], Lab]) -> None:
    lab = own("missing")
    lab.up(subset(["nas1", "client1"]))
    before = {host.name: host.leader for host in lab.hosts.values()}
    client = lab.host("client1")
    client.run(["systemctl", "poweroff", "--force", "--force"], check=False)
    deadline = time.monotonic() + 20
    while client.running and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "stopped" in _command(lab, "status")
    assert [host.name for host in lab.up(subset(["nas1", "client1", "client2"]))] == ["client1", "client2"]
    after = {host.name: host.leader for host in lab.hosts.values()}
    assert after["nas1"] == before["nas1"]
    assert after["client1"] != before["client1"]
    assert "client2" in lab.host("nas1").read("/etc/hosts")


def test_a_host_that_differs_is_refused(own: Callable[[str], Lab]) -> None:
    lab = own("differs")
    lab.up(subset(["nas1"]))
    other = {"nas1": subset(["nas1"])["nas1"]._replace(suite="trixie")}
    with pytest.raises(LabError, match="another host nas1"):
        lab.up(other)


def test_what_runs_in_the_lab_ends_with_it(own: Callable[[str], Lab]) -> None:
    lab = own("leftover")
    lab.up(subset(["nas1"]))
    lab.run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])
    inside = _inside(lab)
    assert any(trace.startswith("process") for trace in _traces(lab, inside))
    lab.down()
    assert _traces(lab, inside) == []


@pytest.mark.parametrize(("name", "python"), [("fog1", "3.11"), ("fog2", "3.9"), ("fog3", "3.13")])
def test_every_suite_boots_and_ansible_reaches_it(boot: Boot, lab: Lab, name: str, python: str) -> None:
    (host,) = boot(name)
    assert host.run(["systemctl", "is-active", "mariadb"]).stdout == "active\n"
    script = "import apt, netifaces, pymysql, sys; print(sys.version)"
    assert host.run(["python3", "-c", script]).stdout.startswith(f"{python}.")
    assert host.read("/etc/apt/sources.list") == ""
    assert not host.exists("/etc/apt/apt.conf.d/99mmdebstrap")
    ansible = [sys.executable, "-m", "ansible", "adhoc", "-i", str(lab.inventory), name, "-m", "ansible.builtin.ping"]
    done = lab.run(ansible)
    assert "SUCCESS" in done.stdout
    assert "WARNING" not in done.stdout + done.stderr


def test_addresses_have_a_broadcast_and_a_default_route(boot: Boot) -> None:
    (host,) = boot("nas1")
    assert "10.99.3.1/16 brd 10.99.255.255" in host.run(["ip", "-4", "address", "show", "eth0"]).stdout
    assert host.run(["ip", "route", "show", "default"]).stdout.startswith("default via 10.99.0.1 dev eth0")


def test_multicast_passes_the_bridge(boot: Boot) -> None:
    sender, receiver = boot("client1", "client2")
    sender.write("/root/payload", "imaging" * 100_000)
    options = ["--portbase", "9000", "--nokbd"]
    receiver.run(["systemd-run", "--unit=probe", "udp-receiver", *options, "--file", "/root/got"])
    sender.run(["udp-sender", *options, "--min-receivers", "1", "--full-duplex", "--file", "/root/payload"])
    receiver.run(["sh", "-c", "while systemctl is-active -q probe; do sleep 0.1; done"])
    assert receiver.read("/root/got") == sender.read("/root/payload")


def test_services_a_host_does_not_have_are_masked(boot: Boot) -> None:
    (host,) = boot("nas1")
    done = host.run(["systemctl", "is-enabled", "mariadb.service", "FOGMulticastManager.service"], check=False)
    assert done.stdout.split() == ["masked", "masked"]


def test_a_failing_command_says_where_and_what(boot: Boot) -> None:
    (host,) = boot("nas1")
    with pytest.raises(HostError, match=r"nas1: \['ls', '/nowhere'\] ended with 2 and said: .*No such file"):
        host.run(["ls", "/nowhere"])
    with pytest.raises(HostError, match=r"did not end within 0\.2 s"):
        host.run(["sleep", "4711"], timeout=0.2)
    assert "sleep 4711" not in host.run(["ps", "axo", "args"]).stdout


def test_a_host_file_is_written_inside_the_host(boot: Boot) -> None:
    (host,) = boot("nas1")
    host.run(["ln", "-sfn", "/srv/data", "/root/link"])
    host.write("/root/link/note", "hello\n", 0o600)
    assert host.run(["stat", "-c", "%a %U", "/srv/data/note"]).stdout == "600 root\n"
    assert host.read("/srv/data/note") == "hello\n"
    assert not Path("/srv/data").exists()
    host.remove("/root/link")
    assert host.exists("/srv/data/note")

"""The lab's building blocks one by one, without booting anything."""

import io
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from tests.lab import apt, cgroups, fleet, inventory, requirements, store, sysctl
from tests.lab.__main__ import main
from tests.lab.console import Progress, Step
from tests.lab.fleet import DEFAULT_FLEET, FleetError
from tests.lab.host import HostError, resolve
from tests.lab.image import ImageError
from tests.lab.journal import Entry, Journal
from tests.lab.lab import Lab, LabError
from tests.lab.locks import locked
from tests.lab.mounts import Mount, is_mounted, parse
from tests.lab.processes import Process, alive, identify, kill, wait_gone
from tests.lab.ssh import SshFiles

_GOOD_MOUNTS = [Mount(Path("/sys/fs/cgroup"), "cgroup2", ("rw",))]


class Answers:
    """A machine that answers as told; by default it has everything."""

    def __init__(
        self,
        root: bool = True,
        absent: Sequence[str] = (),
        mounts: Sequence[Mount] = _GOOD_MOUNTS,
        links: str = "",
        overlay: str = "",
        disk: int = 2**40,
        memory: int = 2**40,
    ) -> None:
        self.root = root
        self.absent = absent
        self.mounted = mounts
        self.links = links
        self.overlay = overlay
        self.disk = disk
        self.memory = memory

    def is_root(self) -> bool:
        return self.root

    def has_command(self, name: str) -> bool:
        return name not in self.absent

    def has_file(self, path: Path) -> bool:
        return path.name not in self.absent

    def mounts(self) -> Sequence[Mount]:
        return self.mounted

    def links_fail(self) -> str:
        return self.links

    def overlay_fails(self, folder: Path) -> str:
        return self.overlay

    def free_disk(self, folder: Path) -> int:
        return self.disk

    def free_memory(self) -> int:
        return self.memory


# Requirements


def test_a_machine_with_everything_is_not_refused() -> None:
    requirements.require(Path("/srv/lab"), 9, Answers())


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        (Answers(root=False), ["root", "run the same command as root"]),
        (Answers(absent=["systemd-nspawn"]), ["the program systemd-nspawn", "apt-get install systemd-container"]),
        (Answers(absent=["ssh", "ssh-keygen"]), ["the programs ssh, ssh-keygen", "apt-get install openssh-client"]),
        (Answers(absent=["debian-archive-keyring.gpg"]), ["apt-get install debian-archive-keyring"]),
        (Answers(mounts=[]), ["cgroup v2", "mount -t cgroup2"]),
        (Answers(links="Operation not permitted"), ["Operation not permitted", "modprobe bridge veth"]),
        (Answers(overlay="wrong fs type"), ["overlay mounts at /srv/lab (wrong fs type)", "--state PATH"]),
        (Answers(disk=2**30), ["2.5 GB of free disk at /srv/lab"]),
        (Answers(memory=2**20), ["0.9 GB of free memory for 9 hosts"]),
    ],
)
def test_what_is_missing_is_said_with_its_cure(machine: Answers, says: Sequence[str]) -> None:
    with pytest.raises(requirements.MissingRequirements) as raised:
        requirements.require(Path("/srv/lab"), 9, machine)
    for text in ["this machine cannot run the lab", *says]:
        assert text in str(raised.value)


def test_everything_missing_is_said_at_once() -> None:
    found = requirements.missing(Answers(root=False, absent=["ip", "mmdebstrap"], mounts=[], memory=0), Path("/x:y"), 1)
    assert len(found) == 6


def test_every_program_comes_from_a_package_the_set_up_installs_or_from_every_debian() -> None:
    essential = {"mount", "util-linux"}
    assert {item.remedy.removeprefix("apt-get install ") for item in requirements.missing(
        Answers(absent=[*_programs(), "debian-archive-keyring.gpg"]), Path("/srv/lab"), 1
    )} - essential == set(requirements.APT_PACKAGES)  # fmt: skip


def _programs() -> list[str]:
    asked: list[str] = []

    class Listening(Answers):
        def has_command(self, name: str) -> bool:
            asked.append(name)
            return True

    requirements.missing(Listening(), Path("/srv/lab"), 1)
    return asked


@pytest.mark.parametrize("verb", [["up"], ["down"], ["status"], ["image"], ["ssh", "fog1"]])
def test_a_user_without_rights_is_told_and_nothing_is_touched(
    verb: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert main(["--state", str(tmp_path / "state"), *verb]) == 1
    assert "root: namespaces, mounts and control groups need it" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# Where packages come from


def test_deb822_sources() -> None:
    text = """# comment
Types: deb
URIs: http://deb.example.org/debian
Suites: bookworm bookworm-updates
Components: main contrib
# another
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://deb.example.org/debian
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://off.example.org/debian
Suites: bookworm
Components: main
"""
    found = list(apt.parse_deb822(text))
    assert [(source.uri, source.suite) for source in found] == [
        ("http://deb.example.org/debian", "bookworm"),
        ("http://deb.example.org/debian", "bookworm-updates"),
    ]
    assert apt.source_for("trixie", "bookworm", found).line() == (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.example.org/debian trixie main"
    )


def test_a_key_inside_a_deb822_file_is_not_taken_for_a_path() -> None:
    text = """Types: deb
URIs: http://deb.example.org/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
"""
    assert [source.options for source in apt.parse_deb822(text)] == [()]


def test_one_line_sources() -> None:
    text = """
# deb http://commented.example.org/debian bookworm main
deb-src http://deb.example.org/debian bookworm main
deb [trusted=yes arch=amd64] http://deb.example.org/debian bookworm main non-free # why
"""
    (source,) = apt.parse_list(text)
    assert apt.source_for("bullseye", "bookworm", [source]).line() == (
        "deb [trusted=yes arch=amd64] http://deb.example.org/debian bullseye main"
    )


def test_another_distribution_uses_debians_mirror() -> None:
    assert apt.codename('ID=ubuntu\nVERSION_CODENAME="noble"\n') == ""
    assert apt.codename('ID=debian\nVERSION_CODENAME="bookworm"\n') == "bookworm"
    ubuntu = [apt.Source("http://archive.example.org/ubuntu", "noble", ("main",))]
    assert apt.source_for("trixie", "", ubuntu).uri == "http://deb.debian.org/debian"


def test_sources_are_read_from_both_kinds_of_file(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://a.example.org/debian bookworm main\n", encoding="utf-8")
    (tmp_path / "sources.list.d/b.sources").write_text(
        "Types: deb\nURIs: http://b.example.org/\nSuites: x\nComponents: main\n", encoding="utf-8"
    )
    (tmp_path / "sources.list.d/c.list.disabled").write_text("deb http://c.example.org/ x main\n", encoding="utf-8")
    assert [source.uri for source in apt.machine_sources(tmp_path)] == [
        "http://a.example.org/debian",
        "http://b.example.org/",
    ]


# Fleet and inventory


def test_the_default_fleet_can_be_built() -> None:
    fleet.check(DEFAULT_FLEET)
    assert {spec.suite for spec in DEFAULT_FLEET.values()} == set(fleet.SUITES)
    assert {spec.kind for spec in DEFAULT_FLEET.values()} == {
        "fog_server", "storage_master", "storage", "nas", "client",
    }  # fmt: skip


def test_a_subset_brings_the_database_server_along() -> None:
    assert list(fleet.subset(["store2", "nas1"])) == ["fog1", "store2", "nas1"]
    with pytest.raises(FleetError, match="no such host in the fleet: fog9"):
        fleet.subset(["fog9"])


@pytest.mark.parametrize("count", [1, 300, 1000])
def test_uniform_fleets_can_be_built(count: int) -> None:
    hosts = fleet.uniform(count)
    assert len(hosts) == count
    fleet.check(hosts)


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_impossible_counts_are_refused(count: int) -> None:
    with pytest.raises(FleetError, match="1 to 1000"):
        fleet.uniform(count)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": "much-too-long-name"}, "host name"),
        ({"name": "UPPER"}, "host name"),
        ({"suite": "sid"}, "no image for suite"),
        ({"database": "elsewhere"}, "not in the fleet"),
        ({"address": "10.99.1.1"}, "same address"),
    ],
)
def test_a_fleet_that_cannot_be_built_is_refused(change: dict[str, str], says: str) -> None:
    with pytest.raises(FleetError, match=says):
        fleet.check({"fog1": DEFAULT_FLEET["fog1"], "x": DEFAULT_FLEET["nas1"]._replace(**change)})  # type: ignore[arg-type]  # _replace is typed per field


def test_inventory_groups() -> None:
    text = inventory.render(DEFAULT_FLEET, SshFiles(Path("/srv/my lab"), Path("/run/short")))
    whole = yaml.safe_load(text)["all"]
    groups = whole["children"]
    assert list(groups["fog_servers"]["hosts"]) == ["fog1", "fog2", "fog3", "fog4", "store1", "store2"]
    assert groups["fog_servers"]["vars"] == {"multicast_max_broken_percent": 100}
    assert list(groups["multicast_probe_clients"]["hosts"]) == ["client1", "client2"]
    assert groups["lab_other"]["hosts"] == {"nas1": {"ansible_host": "10.99.3.1"}}
    assert whole["vars"]["ansible_python_interpreter"] == "/usr/bin/python3"
    # The folder with a blank stays one word for Ansible, which splits these arguments like a shell.
    assert "'/srv/my lab/ssh_config'" in whole["vars"]["ansible_ssh_common_args"]
    assert "ControlPath=/run/short/%C" in whole["vars"]["ansible_ssh_common_args"]


# Paths inside a host


def test_links_stay_inside_the_host(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    (tmp_path / "var/absolute").symlink_to("/opt/fog")
    (tmp_path / "var/upwards").symlink_to("../../../../etc")
    (tmp_path / "loop").symlink_to("loop")
    assert resolve(tmp_path, "/var/absolute/log") == tmp_path / "opt/fog/log"
    assert resolve(tmp_path, "/var/upwards/passwd") == tmp_path / "etc/passwd"
    assert resolve(tmp_path, "/../../etc") == tmp_path / "etc"
    with pytest.raises(HostError, match="too many symbolic links"):
        resolve(tmp_path, "/loop/x")


# Processes


def test_a_reused_process_id_is_not_killed() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        real = identify(sleeper.pid)
        assert real is not None
        other = Process(real.pid, real.start - 1)
        assert not alive(other)
        assert not kill(other)
        assert alive(real)
        assert wait_gone([real], 0.05) == [real]
        assert kill(real, signal.SIGTERM)
        assert wait_gone([real], 10) == []


def test_helpers_end_with_a_killed_caller(tmp_path: Path) -> None:
    script = (
        "import subprocess, sys; from tests.lab.contained import contained\n"
        "subprocess.run(contained(['sh', '-c', 'mount -t tmpfs x \"$1\"; sleep 1000; :', 'sh', sys.argv[1]]))"
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=Path(__file__).parents[2]) as caller:
        helpers = _descendants(caller.pid, 3)
        caller.kill()
    assert wait_gone(helpers, 10) == []
    assert not is_mounted(tmp_path)


def _descendants(pid: int, depth: int) -> list[Process]:
    """The chain of only children below ``pid``, once it is ``depth`` deep."""
    found: list[Process] = []
    deadline = time.monotonic() + 20
    while len(found) < depth and time.monotonic() < deadline:
        found = []
        parent = pid
        while children := Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split():
            parent = int(children[0])
            process = identify(parent)
            if process is not None:
                found.append(process)
        time.sleep(0.05)
    assert len(found) >= depth
    return found


# Journal and locks


def test_a_torn_line_does_not_hide_the_others(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.record(Entry("netns", "a", "one"), Entry("mount", "b", "two"))
    with journal.path.open("a", encoding="utf-8") as file:
        file.write('{"kind": "netn')
    assert [entry.name for entry in journal.entries()] == ["one", "two"]


def test_what_is_gone_is_forgotten_and_may_come_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.record(Entry("netns", "a", "one"), Entry("netns", "b", "two"))
    journal.record(Entry("gone", "a"), Entry("netns", "a", "new"))
    assert [entry.name for entry in journal.entries()] == ["two", "new"]
    assert [entry.name for entry in journal.entries("a")] == ["new"]


def test_a_lock_file_removed_by_its_holder_protects_nobody(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    inside = threading.Event()
    with locked(path) as first:
        assert first
        with locked(path, wait=False) as second:
            assert not second
        waiter = threading.Thread(target=lambda: _hold(path, inside))
        waiter.start()
        time.sleep(0.1)
        assert not inside.is_set()
        path.unlink()
    waiter.join(10)
    assert inside.is_set()


def test_the_lock_of_a_lab_outlives_its_killed_holder_until_the_helper_ends(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.lab.locks import locked, run_helper\n"
        "with locked(Path(sys.argv[1]), inherited=True):\n"
        "    run_helper(['sleep', '1000'])"
    )
    lock = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", script, str(lock)], cwd=Path(__file__).parents[2]) as holder:
        (helper,) = _descendants(holder.pid, 1)
        holder.kill()
    with locked(lock, wait=False) as free:
        assert not free
    kill(helper)
    with locked(lock) as free:
        assert free


def _hold(path: Path, inside: threading.Event) -> None:
    with locked(path):
        assert path.exists()
        inside.set()


# Kernel limits


@pytest.fixture
def limits(tmp_path: Path) -> sysctl.SharedLimits:
    """Limits on a machine made of files: /proc/sys with the value 128."""
    parameter = tmp_path / "proc/fs/inotify/max_user_instances"
    parameter.parent.mkdir(parents=True)
    parameter.write_text("128\n", encoding="ascii")
    return sysctl.SharedLimits(tmp_path / "run/imlab", tmp_path / "proc", tmp_path / "run/netns")


def test_limits_are_raised_only_when_needed(limits: sysctl.SharedLimits) -> None:
    assert limits.acquire("small", 2) == []
    assert limits.release("small") == []
    assert limits.current("fs.inotify.max_user_instances") == 128


def test_limits_come_back_when_the_last_lab_goes(limits: sysctl.SharedLimits, tmp_path: Path) -> None:
    assert limits.acquire("one", 50) == ["fs.inotify.max_user_instances 128 -> 564"]
    assert limits.acquire("two", 50) == ["fs.inotify.max_user_instances 564 -> 1064"]
    assert limits.release("one") == []
    assert limits.current("fs.inotify.max_user_instances") == 1064
    assert limits.release("two") == ["fs.inotify.max_user_instances 1064 -> 128"]
    assert limits.current("fs.inotify.max_user_instances") == 128
    assert not (tmp_path / "run/imlab").exists()


def test_a_limit_someone_else_has_set_meanwhile_is_left_alone(limits: sysctl.SharedLimits, tmp_path: Path) -> None:
    limits.acquire("one", 50)
    (tmp_path / "proc/fs/inotify/max_user_instances").write_text("9999", encoding="ascii")
    assert limits.release("one") == []
    assert limits.current("fs.inotify.max_user_instances") == 9999


def test_a_record_of_another_boot_counts_for_nothing(limits: sysctl.SharedLimits, tmp_path: Path) -> None:
    limits.acquire("one", 50)
    record = tmp_path / "run/imlab/machine.json"
    text = re.sub('"boot": "[^"]*"', '"boot": "another"', record.read_text(encoding="utf-8"))
    record.write_text(text, encoding="utf-8")
    assert limits.labs() == {}


# Mounts and control groups


def test_mountinfo_with_a_blank_in_a_path() -> None:
    text = "42 27 0:35 / /mnt/a\\040b rw,relatime shared:1 - cgroup2 cgroup2 rw,nsdelegate\n"
    assert parse(text) == [Mount(Path("/mnt/a b"), "cgroup2", ("rw", "nsdelegate"))]


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        (_GOOD_MOUNTS, ["/sys/fs/cgroup"]),
        (
            [
                Mount(Path("/sys/fs/cgroup/systemd"), "cgroup", ("rw", "name=systemd")),
                Mount(Path("/sys/fs/cgroup/cpu"), "cgroup", ("rw", "cpu")),
                Mount(Path("/sys/fs/cgroup/unified"), "cgroup2", ("rw",)),
            ],
            ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd"],
        ),
        ([Mount(Path("/sys/fs/cgroup/systemd"), "cgroup", ("rw", "name=systemd"))], []),
    ],
    ids=["v2", "hybrid", "v1"],
)
def test_hierarchies_a_host_needs_a_group_in(mounts: Sequence[Mount], expected: Sequence[str]) -> None:
    assert [str(path) for path in cgroups.hierarchies(mounts)] == expected


# Images on disk


@pytest.fixture
def images(tmp_path: Path) -> store.ImageStore:
    """A folder of images without any."""
    return store.ImageStore(tmp_path / "images", Progress(io.StringIO()))


def test_two_builders_make_an_image_once(images: store.ImageStore) -> None:
    made: list[Path] = []

    def make(new: Path, step: Step) -> None:
        new.mkdir()
        made.append(new)
        time.sleep(0.2)

    target = images.folder / "bookworm-abc"
    builders = [threading.Thread(target=images._once, args=(target, "image", make)) for _ in range(3)]
    for builder in builders:
        builder.start()
    for builder in builders:
        builder.join(10)
    assert len(made) == 1
    assert target.is_dir()
    assert [path.name for path in images.folder.iterdir() if path.is_dir()] == ["bookworm-abc"]


def test_a_failed_build_leaves_no_image(images: store.ImageStore) -> None:
    def make(new: Path, step: Step) -> None:
        new.mkdir()
        (new / "half").touch()
        raise ImageError("mmdebstrap ended with 1")

    with pytest.raises(ImageError):
        images._once(images.folder / "bookworm-abc", "image", make)
    assert [path for path in images.folder.iterdir() if path.is_dir()] == []


def test_an_image_changes_with_every_file_of_the_fog_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_FOG", tmp_path)
    hashes = {store._fog_hash()}
    (tmp_path / "sub").mkdir()
    for name, text in (("a", "1"), ("a", "2"), ("sub/b", "2"), ("b1", "2")):
        (tmp_path / name).write_text(text, encoding="utf-8")
        hashes.add(store._fog_hash())
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__/x.pyc").write_text("x", encoding="utf-8")
    hashes.add(store._fog_hash())
    assert len(hashes) == 5


def test_outdated_images_go_after_a_day_without_use(images: store.ImageStore) -> None:
    old, recent = images.folder / "bookworm-old", images.folder / "bookworm-recent"
    current = images.base("bookworm")
    for path in (old, recent, current):
        path.mkdir(parents=True)
    for path in (old, current):
        os.utime(path, (0, 0))
    with images.in_use():
        images.prune(["bookworm"])
        assert old.exists()
    images.prune(["bookworm"])
    assert not old.exists()
    assert recent.exists()
    assert current.exists()


@pytest.mark.lab
def test_a_killed_builder_is_cleaned_up_after(able: None, images: store.ImageStore) -> None:
    lower = images.folder / "base"
    new = images.folder / "bookworm-abc-fog-def.new"
    work, root = images._beside(new)
    for folder in (lower, new, work, root):
        folder.mkdir(parents=True)
    new.with_name("bookworm-abc-fog-def.lock").touch()
    store.mount_overlay([lower], new, work, root)
    images.clean()
    assert not is_mounted(root)
    assert sorted(path.name for path in images.folder.iterdir()) == ["base", "bookworm-abc-fog-def.lock"]


# Progress and the command line


def test_a_long_step_gives_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.lab.console._SILENCE", 0.1)
    said = io.StringIO()
    with Progress(said).step("image bookworm") as step:
        step.note("installing packages")
        time.sleep(0.8)
    assert "image bookworm: installing packages (" in said.getvalue()
    assert re.search(r"image bookworm: done in 0\.\d s\n$", said.getvalue())
    assert "\033" not in said.getvalue()


def test_a_failed_step_says_so() -> None:
    said = io.StringIO()
    with pytest.raises(ValueError, match="no"), Progress(said).step("image bookworm"):
        raise ValueError("no")
    assert "image bookworm: failed after" in said.getvalue()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["up", "--hosts", "fog9"], "no such host in the fleet: fog9"),
        (["up", "--count", "0"], "cannot boot 0 hosts"),
        (["image", "sid"], "no such suite: sid"),
        (["ssh", "fog1"], "has no host 'fog1'"),
        (["break", "nonsense", "fog1"], "no such fault: nonsense"),
        (["run", "--", "true"], "is not up"),
        (["run"], "give the command after --"),
        (["--lab", "No/Good", "status"], "lab name 'No/Good'"),
    ],
)
def test_mistakes_are_explained(
    words: Sequence[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--state", str(tmp_path), *words]) == 1
    said = capsys.readouterr()
    assert says in said.err
    assert "Traceback" not in said.err


def test_every_fault_is_listed_with_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faults"]) == 0
    lines = capsys.readouterr().out.splitlines()
    titles = [line for line in lines if not line.startswith(" ")]
    assert titles == ["FOG hosts:", "Head nodes (hn1, hn2):"]
    faults = [line for line in lines if line not in titles]
    assert all(re.fullmatch(r"  [a-z0-9-]+ {2,}\S.*", line) for line in faults)


def test_status_of_a_lab_that_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--state", str(tmp_path), "status"]) == 0
    assert "lab default is not up; bring it up with: make lab-up" in capsys.readouterr().out


def test_two_labs_share_no_name(tmp_path: Path) -> None:
    labs = [Lab(tmp_path / state, name) for state in ("a", "b") for name in ("x", "y")]
    assert len({lab.netns for lab in labs}) == len({lab.bridge for lab in labs}) == 4
    assert len({lab.control for lab in labs}) == 4
    assert all(len(lab.bridge) <= 15 for lab in labs)
    with pytest.raises(LabError, match="has no host"):
        labs[0].host("fog1")


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", "--help"], cwd=Path(__file__).parents[2], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0
    for verb in ("image", "up", "down", "status", "ssh", "break", "faults", "exec", "run"):
        assert re.search(rf"^ +{verb} ", done.stdout, re.MULTILINE)

"""What this machine must have to carry a lab, and what to do where it does not."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from tests.lab.cgroups import hierarchies
from tests.lab.contained import contained
from tests.lab.mounts import Mount, mounts

APT_PACKAGES = (
    "debian-archive-keyring",
    "iproute2",
    "mmdebstrap",
    "openssh-client",
    "systemd-container",
)
"""The packages that the project's set-up installs on Debian so that the lab can run."""

_COMMANDS: Mapping[str, str] = {
    "ip": "iproute2",
    "mmdebstrap": "mmdebstrap",
    "mount": "mount",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_HOST_MEMORY = 100 * 2**20
_HOST_DISK = 60 * 2**20
_IMAGES_DISK = 2 * 2**30


class MissingRequirements(RuntimeError):
    """This machine cannot carry the lab; the message lists everything that is missing and what to do about each."""


class Probe(Protocol):
    """What is asked of the machine. The tests answer in its place."""

    def is_root(self) -> bool:
        """Whether this process has user id 0."""

    def has_command(self, name: str) -> bool:
        """Whether the program is in PATH."""

    def has_file(self, path: Path) -> bool:
        """Whether the file exists."""

    def mounts(self) -> Sequence[Mount]:
        """What is mounted."""

    def links_fail(self) -> str:
        """Why a bridge and a veth pair cannot be made in a new network namespace; empty when they can."""

    def overlay_fails(self, folder: Path) -> str:
        """Why an overlay cannot be mounted on ``folder``; empty when it can."""

    def free_disk(self, folder: Path) -> int:
        """Free bytes where ``folder`` is."""

    def free_memory(self) -> int:
        """Bytes of memory that can be used without swapping."""


class Machine:
    """The probe of the real machine. What it makes to try something out vanishes with the helper that tried."""

    def is_root(self) -> bool:
        return os.geteuid() == 0

    def has_command(self, name: str) -> bool:
        return shutil.which(name) is not None

    def has_file(self, path: Path) -> bool:
        return path.exists()

    def mounts(self) -> Sequence[Mount]:
        return mounts()

    def links_fail(self) -> str:
        script = "ip link add probe-b type bridge && ip link add probe-v type veth peer name probe-p"
        return _said(contained(["sh", "-c", script], network=False))

    def overlay_fails(self, folder: Path) -> str:
        options = "lowerdir=$1/l,upperdir=$1/u,workdir=$1/w"
        script = f'mkdir -p "$1/l" "$1/u" "$1/w" "$1/m" && mount -t overlay -o "{options}" overlay "$1/m"'
        trial = _existing(folder) / f".lab-probe-{os.getpid()}"
        try:
            return _said(contained(["sh", "-c", script, "sh", str(trial)]))
        finally:
            shutil.rmtree(trial, ignore_errors=True)

    def free_disk(self, folder: Path) -> int:
        return shutil.disk_usage(_existing(folder)).free

    def free_memory(self) -> int:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return 0


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _said(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    return "" if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}")


class Missing(NamedTuple):
    """One thing that is missing (``what``) and its cure (``remedy``)."""

    what: str
    remedy: str


def missing(probe: Probe, folder: Path, hosts: int) -> list[Missing]:
    """Everything this machine lacks to run ``hosts`` hosts with the state in ``folder``."""
    found = []
    if not probe.is_root():
        found.append(Missing("root: namespaces, mounts and control groups need it", "run the same command as root"))
    packages: dict[str, list[str]] = {}
    for command, package in _COMMANDS.items():
        if not probe.has_command(command):
            packages.setdefault(package, []).append(command)
    for package, commands in packages.items():
        what = f"{'the program' if len(commands) == 1 else 'the programs'} {', '.join(commands)}"
        found.append(Missing(what, f"apt-get install {package}"))
    if not probe.has_file(_KEYRING):
        found.append(Missing(f"Debian's archive keys ({_KEYRING})", "apt-get install debian-archive-keyring"))
    if not hierarchies(probe.mounts()):
        found.append(
            Missing(
                "a mounted cgroup v2 hierarchy",
                "boot with systemd.unified_cgroup_hierarchy=1, or, where nothing else manages control groups: "
                "mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
            )
        )
    if any(character in str(folder) for character in ':,\\\n"'):
        found.append(Missing(f'a state folder without any of : , \\ " in its path ({folder})', "use --state PATH"))
    disk = _IMAGES_DISK + hosts * _HOST_DISK
    if probe.free_disk(folder) < disk:
        found.append(Missing(f"{disk / 2**30:.1f} GB of free disk at {folder}", "free some, or use --state PATH"))
    if probe.free_memory() < hosts * _HOST_MEMORY:
        need = hosts * _HOST_MEMORY / 2**30
        found.append(Missing(f"{need:.1f} GB of free memory for {hosts} hosts", "stop something, or boot fewer hosts"))
    if not found:
        # Only tried once the rest is there: without root or the programs they would fail for that reason.
        why = probe.links_fail()
        if why:
            remedy = "load them: modprobe bridge veth; in a container: start it with the rights to (privileged)"
            found.append(Missing(f"network namespaces with bridge and veth in this kernel ({why})", remedy))
        why = probe.overlay_fails(folder)
        if why:
            remedy = "modprobe overlay; or use --state PATH on ext4, xfs or tmpfs"
            found.append(Missing(f"overlay mounts at {folder} ({why})", remedy))
    return found


def require(folder: Path, hosts: int, probe: Probe | None = None) -> None:
    """Raise MissingRequirements unless this machine can run ``hosts`` hosts with the state in ``folder``."""
    found = missing(Machine() if probe is None else probe, folder, hosts)
    if found:
        lines = "".join(f"\n  - {item.what}\n      {item.remedy}" for item in found)
        raise MissingRequirements(f"this machine cannot run the lab; it lacks:{lines}")

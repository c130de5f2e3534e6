"""The Debian image of a suite: what is in it and how it is made. Any change of this file makes new images."""

import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.lab import apt
from tests.lab.console import Step
from tests.lab.contained import contained, in_root

PACKAGES = (
    "dbus",
    "iproute2",
    "mariadb-server",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "python3-apt",
    "python3-netifaces",
    "python3-pymysql",
    "systemd",
    "systemd-sysv",
    "udpcast",
)
# Where the clients are: the firewalls that people have.
_FIREWALLS = {"bookworm": ("firewalld", "iptables", "ufw")}

_WITHOUT = (
    "/usr/share/bug/*",
    "/usr/share/doc/*",
    "/usr/share/groff/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    # Offline tools of MariaDB, 5 MB each, that no host of the lab uses.
    "/usr/bin/aria_*",
)
# Housekeeping that would only take processor time away from the hosts, consoles nobody sits at, and firewalls: a test
# starts its own.
_MASKED = (
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "console-getty.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "firewalld.service",
    "fstrim.timer",
    "getty.target",
    "logrotate.timer",
    "systemd-networkd-wait-online.service",
    "ufw.service",
)
_SOURCE = Path(__file__).read_bytes()
_FILES = {
    # FOG's tables are MyISAM, so InnoDB may be tiny. Native AIO would need fs.aio-max-nr raised from 30 hosts on.
    "/etc/mysql/mariadb.conf.d/60-lab.cnf": """[mariadbd]
performance_schema = OFF
innodb_buffer_pool_size = 8M
innodb_log_file_size = 4M
innodb_log_buffer_size = 1M
innodb_use_native_aio = 0
innodb_flush_log_at_trx_commit = 0
""",
    "/etc/ssh/sshd_config.d/lab.conf": """HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
PrintMotd no
UseDNS no
MaxStartups 100
""",
}


class ImageError(RuntimeError):
    """An image could not be built; the message shows what the failing program said."""


def recipe(suite: str) -> str:
    """A hash over everything that decides what the suite's base image contains (but not over package versions)."""
    return hashlib.sha256(suite.encode() + _SOURCE).hexdigest()[:12]


def build(root: Path, suite: str, step: Step) -> None:
    """Build the base image of ``suite`` into the new folder ``root``; what it needs meanwhile stands beside it.

    Raises ImageError when mmdebstrap fails.
    """
    machine = apt.codename(Path("/etc/os-release").read_text(encoding="utf-8"))
    source = apt.source_for(suite, machine, apt.machine_sources())
    step.note(f"packages from {source.uri}")
    ingredients = root.with_name(f"{root.name}-ingredients")
    # Private: the machine's apt settings may hold the password of a proxy.
    ingredients.mkdir(mode=0o700)
    tree = ingredients / "tree"
    _write_tree(tree)
    options = ingredients / "apt.conf"
    options.write_text("\n".join([*apt.transport_options(), 'Acquire::Languages "none";', ""]), encoding="utf-8")
    excluded = [f"--dpkgopt=path-exclude={pattern}" for pattern in _WITHOUT]
    argv = [
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory"),
        *(
            f"--include={','.join((*PACKAGES, *_FIREWALLS.get(suite, ())))}",
            f"--essential-hook=sync-in {shlex.quote(str(tree))} /",
        ),
        *(f"--aptopt={options}", "--dpkgopt=force-unsafe-io", *excluded),
        *(suite, str(root), source.line()),
    ]
    _watch(argv, step)
    _scrub(root)


def _write_tree(tree: Path) -> None:
    for name, text in _FILES.items():
        path = tree / name[1:]
        path.parent.mkdir(parents=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
    units = tree / "etc/systemd/system"
    units.mkdir(parents=True)
    for unit in _MASKED:
        (units / unit).symlink_to("/dev/null")
    for folder, _, _ in os.walk(tree):
        os.chmod(folder, 0o755)


def _watch(argv: Sequence[str], step: Step) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    said: list[str] = []
    with subprocess.Popen(
        contained(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace", env=environment,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            if line.startswith("I: "):
                step.note(line[3:])
    if process.returncode != 0:
        end = "\n  ".join(said[-20:])
        raise ImageError(f"mmdebstrap ended with {process.returncode}; the last it said:\n  {end}")


def _scrub(root: Path) -> None:
    """Take out what belongs to the machine the image was built on, and what every host must make for itself."""
    for pattern in (
        *("etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap", "etc/apt/sources.list.d/*"),
        *("etc/ssh/ssh_host_*", "etc/hostname", "var/log/*.log", "var/log/apt/*", "var/cache/debconf/*-old"),
        *("var/lib/dbus/machine-id",),
    ):
        for path in root.glob(pattern):
            path.unlink()
    # An empty machine id is made anew at boot; without the file systemd would treat the boot as the very first one.
    for name in ("etc/apt/sources.list", "etc/machine-id", "etc/resolv.conf"):
        path = root / name
        path.unlink(missing_ok=True)
        path.write_text("", encoding="utf-8")


def runner(root: Path) -> Callable[[Sequence[str]], None]:
    """A function that runs a program inside the tree ``root``, without network; it raises ImageError on failure."""

    def chroot(argv: Sequence[str]) -> None:
        done = subprocess.run(
            in_root(root, argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[-2000:]
            raise ImageError(f"{list(argv)} ended with {done.returncode} inside the image and said: {said}")

    return chroot


def delete_tree(path: Path) -> None:
    """Remove a folder of the lab; nothing happens when it is not there."""
    if path.exists():
        shutil.rmtree(path)

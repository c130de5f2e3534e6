"""Helper programs that end with the lab's own process, whatever ends that one, and take their mounts with them."""

from collections.abc import Sequence
from pathlib import Path

# The arguments are a root folder and a command line; nothing of them is read as shell text.
_CHROOT = """
set -e
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount -t tmpfs -o mode=755 tmpfs "$1/dev"
for node in null zero full random urandom tty; do
  touch "$1/dev/$node"
  mount --bind "/dev/$node" "$1/dev/$node"
done
ln -s /proc/self/fd "$1/dev/fd"
mkdir "$1/dev/shm"
exec chroot "$@"
"""


def contained(argv: Sequence[str], network: bool = True) -> list[str]:
    """The command line that runs ``argv`` with process ids and mounts of its own, killed as a whole with its caller."""
    own = ["--pid", "--mount", "--ipc", "--uts", *([] if network else ["--net"])]
    return [
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *("unshare", *own, "--fork", "--kill-child", "--propagation", "private", "--mount-proc", "--"),
        *argv,
    ]


def in_root(root: Path, argv: Sequence[str]) -> list[str]:
    """The command line that runs ``argv`` confined to the tree ``root``, without network."""
    return contained(["sh", "-c", _CHROOT, "sh", str(root), *argv], network=False)

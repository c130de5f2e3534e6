"""The FOG part of a host image: the stand-in, its unit, FOG's folders and images, MariaDB with FOG's schema in it."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.lab.fog import layout

_HERE = Path(__file__).parent
SCHEMA_FILE = _HERE / "schema.sql"
_SENDERS = ("/usr/bin/udp-sender", "/usr/sbin/udp-sender")
_DATABASE_CONFIG = """[mariadbd]
bind-address = 0.0.0.0
"""


def setup_image(root: Path, suite: str, chroot: Callable[[Sequence[str]], None]) -> None:
    """Make the Debian tree ``root`` one that FOG seems to be installed on. ``chroot`` runs a program inside it.

    Raises RuntimeError when the image of this ``suite`` has no udp-sender.
    """
    _put(root, layout.DAEMON, (_HERE / "standin.py").read_text(encoding="utf-8"), 0o755)
    _put(root, layout.UNIT_FILE, (_HERE / layout.UNIT).read_text(encoding="utf-8"))
    _link(root, f"/etc/systemd/system/multi-user.target.wants/{layout.UNIT}", layout.UNIT_FILE)
    sender = next((path for path in _SENDERS if (root / path[1:]).exists()), None)
    if sender is None:
        raise RuntimeError(f"the {suite} image has no udp-sender (package udpcast) at {' or '.join(_SENDERS)}")
    _link(root, layout.SENDER_LINK, sender)
    (root / layout.LOG_FOLDER[1:]).mkdir(parents=True, exist_ok=True)
    _link(root, "/var/log/fog", layout.LOG_FOLDER)
    write_images(root, (layout.WINDOWS, layout.LINUX))
    _put(root, "/etc/mysql/mariadb.conf.d/70-fog.cnf", _DATABASE_CONFIG)
    _load_schema(root, chroot)


def write_images(root: Path, images: Sequence[layout.Image], folder: str = layout.IMAGES) -> None:
    """Write the partition files of ``images`` below ``root``; the same bytes every time."""
    for image in images:
        target = root / folder[1:] / image.folder
        target.mkdir(parents=True, exist_ok=True)
        # FOG keeps a partition table beside the partitions, which multicast does not send.
        (target / "d1.mbr").write_bytes(b"\0" * 512)
        for number, size in enumerate(image.partitions, start=1):
            content = random.Random(f"{image.folder} {number}").randbytes(size)
            (target / f"d1p{number}.img").write_bytes(content)


def _put(root: Path, path: str, text: str, mode: int = 0o644) -> None:
    target = root / path[1:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)


def _link(root: Path, path: str, to: str) -> None:
    target = root / path[1:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(to)


def _load_schema(root: Path, chroot: Callable[[Sequence[str]], None]) -> None:
    _put(root, "/var/tmp/schema.sql", SCHEMA_FILE.read_text(encoding="utf-8"))
    chroot(["install", "-d", "-o", "mysql", "-g", "mysql", "/run/mysqld"])
    # No data goes into the shell line: it is here only for the redirection.
    chroot(["sh", "-c", "mariadbd --bootstrap --user=mysql < /var/tmp/schema.sql"])
    (root / "var/tmp/schema.sql").unlink()

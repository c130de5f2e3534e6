"""The FOGMulticastManager unit of a lab host and its log."""

from pathlib import Path

from tests.lab.fog import layout, processes
from tests.lab.host import Host

_HERE = Path(__file__).parent


def log(host: Host) -> list[str]:
    """The lines of multicast.log, none when there is no such file."""
    try:
        return host.read(layout.LOG).splitlines()
    except FileNotFoundError:
        return []


def log_shows(host: Host, text: str, last: bool = False, timeout: float = 60.0) -> str:
    """Wait until a line of multicast.log (with ``last``: the last one) contains ``text``; that line.

    Raises HostError after ``timeout`` seconds.
    """
    return processes.wait_for(
        f"the log line {text!r} on {host.name}",
        lambda: next((line for line in (log(host)[-1:] if last else log(host)) if text in line), None),
        timeout,
    )


def restart(host: Host) -> None:
    """Restart the stand-in, and wait until it runs; its log starts anew.

    However often, a host does not meet systemd's start limit. Raises HostError when it does not run.
    """
    host.run(["systemctl", "stop", layout.UNIT])
    host.run(["rm", "-f", layout.LOG])
    host.run(["systemctl", "reset-failed", layout.UNIT], check=False)
    host.run(["systemctl", "start", layout.UNIT])
    # The unit is active as soon as systemd has forked; the daemon's own command line comes later.
    processes.wait_for(f"the daemon on {host.name}", lambda: processes.daemon(host))


_MARIADB = "mariadb.service"
# Debian 12 and later start MariaDB on a connection; Debian 11 has no such unit.
_MARIADB_SOCKET = "mariadb.socket"


def stop_database(server: Host) -> None:
    """Stop MariaDB, so that nothing starts it again."""
    server.run(["systemctl", "stop", _MARIADB_SOCKET], check=False)
    server.run(["systemctl", "stop", _MARIADB])


def start_database(server: Host) -> None:
    """Start MariaDB unless it runs."""
    if server.run(["systemctl", "is-active", "--quiet", _MARIADB], check=False).returncode != 0:
        server.run(["systemctl", "start", _MARIADB_SOCKET], check=False)
        server.run(["systemctl", "start", _MARIADB])


def use_sysv(host: Host) -> None:
    """Start the stand-in from /etc/init.d, as FOG does on systems without systemd units.

    Stopping it then leaves a running udp-sender (facts/fog.md section 2). ``reset_host`` goes back to the unit.
    """
    host.run(["systemctl", "stop", layout.UNIT])
    host.run(["systemctl", "disable", "--quiet", layout.UNIT])
    host.remove(layout.UNIT_FILE)
    script = (_HERE / "FOGMulticastManager.init").read_text(encoding="utf-8")
    host.write(layout.INIT_SCRIPT, script, 0o755)
    host.run(["systemctl", "daemon-reload"])
    host.run(["rm", "-f", layout.LOG])
    host.run([layout.INIT_SCRIPT, "start"])


def use_systemd(host: Host) -> None:
    """Start the stand-in from its unit again (after ``use_sysv``); it is stopped when this returns."""
    if host.exists(layout.INIT_SCRIPT):
        host.run([layout.INIT_SCRIPT, "stop"])
        host.run(["systemctl", "stop", layout.UNIT])
        host.remove(layout.INIT_SCRIPT)
    unit = (_HERE / layout.UNIT).read_text(encoding="utf-8")
    if not host.exists(layout.UNIT_FILE) or host.read(layout.UNIT_FILE) != unit:
        host.write(layout.UNIT_FILE, unit)
        host.run(["systemctl", "daemon-reload"])
    enabled = f"/etc/systemd/system/multi-user.target.wants/{layout.UNIT}"
    if not host.exists(enabled):
        host.run(["systemctl", "enable", "--quiet", layout.UNIT])


def refused(host: Host) -> list[str]:
    """What the stand-in was asked for and does not model; empty when all was well."""
    try:
        return host.read(layout.REFUSED_LOG).splitlines()
    except FileNotFoundError:
        return []


def assert_nothing_refused(host: Host) -> None:
    """Fail when the stand-in refused something: a test would rest on behaviour nobody has seen."""
    lines = refused(host)
    assert not lines, f"{host.name}: the stand-in refused: {lines}"

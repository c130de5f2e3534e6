"""What makes a host of the lab a FOG server: its files and database, the stand-in for FOG's daemon, and the faults.

``setup_image``, ``prepare`` and ``finish`` are called by the machine part of the lab; ``reset_host`` puts a broken host
back without a reboot.
"""

import shutil

from tests.lab.fleet import Fleet
from tests.lab.fog import database, files, layout, nic, processes
from tests.lab.fog.image import setup_image, write_images
from tests.lab.fog.laboratory import Laboratory, database_server
from tests.lab.fog.service import assert_nothing_refused, log, log_shows, refused, start_database, use_systemd, use_sysv
from tests.lab.fog.sessions import (
    Session,
    age_session,
    cancel,
    check_in,
    complete,
    queue_session,
    receive,
    wait_sending,
)
from tests.lab.host import Host

__all__ = [
    "Laboratory",
    "Session",
    "age_session",
    "assert_nothing_refused",
    "cancel",
    "check_in",
    "complete",
    "finish",
    "prepare",
    "queue_session",
    "receive",
    "refused",
    "reset_host",
    "setup_image",
    "use_sysv",
    "wait_sending",
]

_SEED_FILE = "/etc/mysql/lab-seed.sql"
_SEED_CONFIG = "/etc/mysql/mariadb.conf.d/80-lab-seed.cnf"
_AWAY = ".away"


def prepare(host: Host, fleet: Fleet) -> None:
    """Write the FOG files of a host before it boots; on a database server also the rows it is to start with.

    MariaDB reads those at its first start, before it lets anyone in, so that the daemon finds its node and its user.
    """
    if not layout.is_fog(host.spec):
        for path in (layout.FOG_SETTINGS, layout.CONFIG, layout.SYSTEM, layout.DAEMON):
            host.remove(path)
        return
    _write_files(host, fleet)
    group = database.groups(fleet[host.spec.database], fleet)[host.spec.group]
    if group > 1:
        shutil.rmtree(host.root / layout.IMAGES[1:])
        write_images(host.root, [database.group_image(host.spec.group, group)])
    if host.spec.database == host.name:
        host.write(_SEED_FILE, database.seed(host.spec, fleet))
        host.write(_SEED_CONFIG, f"[mariadbd]\ninit_file = {_SEED_FILE}\n")


def finish(host: Host, fleet: Fleet) -> None:
    """Wait until FOG on a booted host does its work, and take away what only the first start needed.

    Raises HostError when the daemon does not come up.
    """
    if not layout.is_fog(host.spec):
        return
    if host.spec.database == host.name:
        # Left in place it would undo a fault whenever MariaDB starts again.
        host.remove(_SEED_CONFIG)
        host.remove(_SEED_FILE)
    else:
        server = fleet[host.spec.database]
        sql = database.Sql(host, login=files.database_login(host.spec, server))
        sql.batch(*((line,) for line in database.registration(host.spec, server, fleet)))
        # Unknown to its database until now, the daemon may wait for a node; it reads the nodes at its start.
        if any("Interface not ready" in line for line in log(host)[-1:]):
            host.run(["systemctl", "restart", layout.UNIT])
    _wait_serving(host)


def reset_host(lab: Laboratory, host: Host) -> None:
    """Put a FOG host back to healthy after faults, without a reboot: database, files, network, senders, service.

    The whole database that the host uses starts anew, its users too, and so do the daemons of other hosts that use it.
    Raises HostError.
    """
    server = database_server(lab, host)
    fleet = lab.fleet
    host.run(["systemctl", "stop", layout.UNIT])
    # The tables would go away under their feet, and the ids they remember begin anew.
    others = _others_of(lab, host)
    for other in others:
        other.run(["systemctl", "stop", layout.UNIT])
    use_systemd(host)
    processes.kill_senders(host)
    nic.reset(host)
    _write_files(host, fleet)
    _restore_links_and_images(host)
    start_database(server)
    database.script(server, database.fresh(server.spec, fleet))
    host.run(["systemctl", "reset-failed", layout.UNIT], check=False)
    host.run(["systemctl", "start", layout.UNIT])
    for other in others:
        other.run(["systemctl", "start", layout.UNIT])
    for each in (*others, host):
        _wait_serving(each)


def _others_of(lab: Laboratory, host: Host) -> list[Host]:
    """The other hosts of the lab with a running daemon that uses the same database."""
    names = [spec.name for spec in lab.fleet.values() if spec.database == host.spec.database and spec.name != host.name]
    others = [lab.host(name) for name in names]
    return [other for other in others if other.running and processes.daemon(other) is not None]


def _write_files(host: Host, fleet: Fleet) -> None:
    server = fleet[host.spec.database]
    host.write(layout.FOG_SETTINGS, files.fog_settings(host.spec, server), 0o600)
    host.write(layout.CONFIG, files.config_php(host.spec, server))
    host.write(layout.SYSTEM, files.system_php(host.spec.fog_version))


def _restore_links_and_images(host: Host) -> None:
    folder = processes.tree_path(host, layout.IMAGES)
    for path in folder.glob(f"*{_AWAY}"):
        host.run(["mv", f"{layout.IMAGES}/{path.name}", f"{layout.IMAGES}/{path.name.removesuffix(_AWAY)}"])
    sender = host.run(["sh", "-c", "command -v /usr/bin/udp-sender || command -v /usr/sbin/udp-sender"]).stdout.strip()
    host.run(["ln", "-sfn", sender, layout.SENDER_LINK])
    host.run(["find", layout.LOG_FOLDER, "-type", "f", "-delete"])


def _wait_serving(host: Host) -> None:
    """Wait until the daemon has finished a look at the database as this kind of node does."""
    wanted = "* No new tasks found" if host.spec.kind != "storage" else "| This is not the master node"
    if any("Waiting for mysql" in line for line in log(host)[-1:]):
        # It came up before the database server did and would sleep ten seconds now.
        host.run(["systemctl", "restart", layout.UNIT])
    log_shows(host, wanted, timeout=30.0)

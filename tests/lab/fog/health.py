"""Whether a FOG host of the lab is in the state that ``reset_host`` promises."""

import hashlib

from tests.lab.fog import database, layout, nic, processes
from tests.lab.fog.laboratory import Laboratory, database_server
from tests.lab.fog.service import log, refused
from tests.lab.host import Host

# How many rows there are of what comes and goes.
_COUNT = """
SELECT (SELECT COUNT(*) FROM multicastSessions) + (SELECT COUNT(*) FROM multicastSessionsAssoc)
+ (SELECT COUNT(*) FROM tasks) AS number
"""


def state(lab: Laboratory, host: Host) -> dict[str, object]:
    """Everything a fault could have touched, as plain values to compare before a fault and after the reset."""
    server = database_server(lab, host)
    sql = database.Sql(server)
    shown = sql.batch(
        ("SELECT * FROM nfsGroups ORDER BY ngID",),
        ("SELECT * FROM nfsGroupMembers ORDER BY ngmID",),
        ("SELECT imageID, imageName, imagePath FROM images ORDER BY imageID",),
        ("SELECT settingKey, settingValue FROM globalSettings ORDER BY settingKey",),
        ("SELECT user, host FROM mysql.user ORDER BY user, host",),
        (_COUNT,),
    )
    return {
        "rows": [rows for _, rows in shown],
        "network": nic.healthy(host),
        "files": {path: _digest(host, path) for path in (layout.FOG_SETTINGS, layout.CONFIG, layout.SYSTEM)},
        "sender": host.run(["readlink", "-f", layout.SENDER_LINK]).stdout,
        "images": host.run(["find", layout.IMAGES, "-printf", "%p %s\n"]).stdout.split("\n"),
        "unit": host.run(["systemctl", "is-active", layout.UNIT], check=False).stdout.strip(),
        "enabled": host.run(["systemctl", "is-enabled", layout.UNIT], check=False).stdout.strip(),
        "database": server.run(["systemctl", "is-active", "mariadb"], check=False).stdout.strip(),
        "logs": sorted(path.name for path in processes.tree_path(host, layout.LOG_FOLDER).iterdir()),
        "senders": processes.senders(host),
        "refused": refused(host),
    }


def assert_serving(host: Host, address: str = "") -> None:
    """Fail unless parent and child of the daemon run and its log shows a healthy start."""
    parent, child = processes.daemon(host), processes.child(host)
    assert parent is not None
    assert child is not None
    assert parent.argv == child.argv == ("/usr/bin/python3", layout.DAEMON)
    assert child.state != "T"
    assert any(f"Interface Ready with IP Address: {address or host.address}" in line for line in log(host))


def _digest(host: Host, path: str) -> str:
    return hashlib.sha256(host.read(path).encode()).hexdigest()

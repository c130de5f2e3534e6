"""SQL on the FOG databases of the lab, and the rows they start with."""

import json
from collections.abc import Mapping
from typing import Any

from tests.lab.fleet import Fleet, HostSpec
from tests.lab.fog import layout
from tests.lab.fog.image import SCHEMA_FILE
from tests.lab.host import Host

Row = Mapping[str, Any]

# Reads [[statement, values], ...] and prints the rows of each; dates as text.
_RUNNER = """
import json, pymysql, sys
from pymysql.cursors import DictCursor
job = json.load(sys.stdin)
link = pymysql.connect(**job["login"], database=job["database"], charset="utf8mb4", autocommit=True,
                       cursorclass=DictCursor, init_command="SET SESSION sql_mode=''")
results = []
with link.cursor() as cursor:
    for statement, values in job["statements"]:
        cursor.execute(statement, values or None)
        results.append([cursor.lastrowid, list(cursor.fetchall())])
print(json.dumps(results, default=str))
"""


class Sql:
    """A database as seen from the host ``server``: by default its own FOG database, as MariaDB's root.

    ``login`` (host, user, password) reaches another host's. Every method raises HostError with MariaDB's message when
    it fails.
    """

    def __init__(self, server: Host, database: str = layout.DATABASE, login: Mapping[str, str] | None = None) -> None:
        self.server = server
        self.database = database
        self._login = login or {"unix_socket": "/run/mysqld/mysqld.sock", "user": "root"}

    def batch(self, *statements: tuple[Any, ...]) -> list[tuple[int, list[Row]]]:
        """Run ``(statement, value...)`` one after the other; the last inserted id and the rows of each."""
        job = {
            "login": self._login,
            "database": self.database,
            "statements": [[first, rest] for first, *rest in statements],
        }
        done = self.server.run(["python3", "-c", _RUNNER], input=json.dumps(job))
        return [(number, rows) for number, rows in json.loads(done.stdout)]

    def rows(self, statement: str, *values: Any) -> list[Row]:
        """The rows of one statement."""
        return self.batch((statement, *values))[0][1]

    def run(self, statement: str, *values: Any) -> int:
        """Run one statement; the last inserted id."""
        return self.batch((statement, *values))[0][0]

    def value(self, statement: str, *values: Any) -> Any:
        """The first column of the first row, None without rows."""
        rows = self.rows(statement, *values)
        return next(iter(rows[0].values())) if rows else None

    def set(self, key: str, value: str) -> None:
        """Set a row of globalSettings."""
        self.run("UPDATE globalSettings SET settingValue = %s WHERE settingKey = %s", value, key)

    def setting(self, key: str) -> str:
        """The value of a row of globalSettings."""
        return str(self.value("SELECT settingValue FROM globalSettings WHERE settingKey = %s", key))


def script(server: Host, text: str) -> None:
    """Feed SQL text to the mariadb client of ``server``. Raises HostError."""
    server.run(["mariadb", "--batch"], input=text)


def _statement(verb: str, **columns: str | int) -> str:
    """One line of SQL that puts a row: ``verb`` is "REPLACE INTO TABLE"."""
    return " ".join([verb, f"({', '.join(columns)})", "VALUES", f"({', '.join(map(_literal, columns.values()))});"])


def _literal(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def fresh(server: HostSpec, fleet: Fleet) -> str:
    """SQL that puts the whole FOG database and its users back to how the lab starts."""
    empty = f"DROP DATABASE IF EXISTS {layout.DATABASE};"
    return "\n".join([empty, SCHEMA_FILE.read_text(encoding="utf-8"), seed(server, fleet)])


def members(server: HostSpec, fleet: Fleet) -> list[HostSpec]:
    """The hosts that have a storage node row in the database of ``server``, the server itself first.

    The NAS is a node of the first FOG server that has other storage nodes.
    """
    nodes = [spec for spec in fleet.values() if spec.kind in ("storage_master", "storage")]
    own = [server, *(spec for spec in nodes if spec.database == server.name)]
    if nodes and nodes[0].database == server.name:
        own += [spec for spec in fleet.values() if spec.kind == "nas"]
    return own


def groups(server: HostSpec, fleet: Fleet) -> dict[str, int]:
    """Storage group name to its id; FOG's default group has id 1."""
    names = dict.fromkeys(spec.group for spec in members(server, fleet) if spec.group)
    return {name: number for number, name in enumerate(names, start=1)}


def images(server: HostSpec, fleet: Fleet) -> dict[layout.Image, int]:
    """The images of a server with the id of their storage group: two of the default group, one of each other group."""
    found = {layout.WINDOWS: 1, layout.LINUX: 1}
    for name, group in groups(server, fleet).items():
        if group > 1:
            found[group_image(name, group)] = group
    return found


def group_image(name: str, group: int) -> layout.Image:
    """The image that a storage group beside the default one has for itself."""
    return layout.Image(1 + group, f"lab-{name}", f"lab-{name}", layout.LINUX.partitions)


def seed(server: HostSpec, fleet: Fleet) -> str:
    """SQL, one statement a line, that fills the fresh schema for this server: nodes, images, hosts, users, settings.

    MariaDB's ``init_file`` wants it so; it may run more than once.
    """
    numbers = groups(server, fleet)
    lines = [f"USE {layout.DATABASE};"]
    lines += [_statement("REPLACE INTO nfsGroups", ngID=id, ngName=name, ngDesc="") for name, id in numbers.items()]
    for number, spec in enumerate(members(server, fleet), start=1):
        row = _member(spec, numbers.get(spec.group, 1))
        lines.append(_statement("REPLACE INTO nfsGroupMembers", ngmID=number, **row))
    for image, group in images(server, fleet).items():
        lines += _image("REPLACE INTO", image, group)
    lines += [_client(number) for number in range(1, _CLIENTS + 1)]
    lines += [_setting("FOG_WEB_HOST", server.address), _setting("MULTICASTSLEEPTIME", str(_SLEEP))]
    lines += _users(server)
    if tuple(int(part) for part in server.fog_version.split(".")) >= _SENDER_COLUMNS_SINCE:
        lines += [f"ALTER TABLE multicastSessions ADD COLUMN IF NOT EXISTS {column};" for column in _SENDER_COLUMNS]
    return "\n".join([*lines, ""])


def registration(spec: HostSpec, server: HostSpec, fleet: Fleet) -> list[str]:
    """SQL with which a storage node enters itself in the database of a server that did not know of it yet."""
    group = groups(server, fleet)[spec.group]
    lines = [
        _statement("INSERT IGNORE INTO nfsGroups", ngID=group, ngName=spec.group, ngDesc=""),
        _statement("INSERT IGNORE INTO nfsGroupMembers", **_member(spec, group)),
    ]
    if group > 1:
        lines += _image("INSERT IGNORE INTO", group_image(spec.group, group), group)
    return lines


# Rows of FOG's hosts table: computers to image.
_CLIENTS = 8
# Seconds between two looks of the daemon. FOG's default is 10; tests need not wait that long.
_SLEEP = 1
_SENDER_COLUMNS_SINCE = (1, 5, 10, 1800)
_SENDER_COLUMNS = (
    "msSenderPID int(11) NOT NULL DEFAULT 0",
    "msSenderNode int(11) NOT NULL DEFAULT 0",
    "msSenderStart datetime DEFAULT NULL",
)
_ZERO_DATE = "0000-00-00 00:00:00"


def _member(spec: HostSpec, group: int) -> dict[str, str | int]:
    return {
        "ngmMemberName": layout.member_name(spec),
        "ngmMemberDescription": "",
        "ngmIsMasterNode": "1" if spec.kind in ("fog_server", "storage_master") else "",
        "ngmGroupID": group,
        "ngmRootPath": layout.IMAGES,
        "ngmSSLPath": "/opt/fog/snapins/ssl",
        "ngmFTPPath": layout.IMAGES,
        "ngmSnapinPath": "/opt/fog/snapins",
        "ngmIsEnabled": "1",
        "ngmHostname": spec.address,
        "ngmMaxClients": 10,
        "ngmBandwidthLimit": 0,
        "ngmUser": "fogproject",
        "ngmPass": layout.secret(spec.name, "node"),
        "ngmKey": "",
        "ngmInterface": layout.NIC,
        "ngmGraphEnabled": "1",
        "ngmWebroot": "/fog/",
    }


def _image(verb: str, image: layout.Image, group: int) -> list[str]:
    row = _statement(
        f"{verb} images",
        imageID=image.id,
        imageName=image.name,
        imageDesc="",
        imagePath=image.folder,
        imageProtect=0,
        imageMagnetUri="",
        imageCreateBy="fog",
        imageBuilding=0,
        imageSize="",
        imageTypeID=1,
        imagePartitionTypeID=1,
        imageOSID=9,
        imageLastDeploy=_ZERO_DATE,
    )
    association = _statement(
        f"{verb} imageGroupAssoc", igaID=image.id, igaImageID=image.id, igaStorageGroupID=group, igaPrimary="1"
    )
    return [row, association]


def _client(number: int) -> str:
    empty = (
        *("hostDesc", "hostIP", "hostCreateBy", "hostUseAD", "hostADDomain", "hostADOU", "hostADUser", "hostADPass"),
        *("hostADPassLegacy", "hostPrinterLevel", "hostKernelArgs", "hostKernel", "hostDevice", "hostPubKey"),
        "hostSecToken",
    )
    return _statement(
        "REPLACE INTO hosts",
        hostID=number,
        hostName=f"labpc{number:02}",
        hostImage=layout.WINDOWS.id,
        hostBuilding=0,
        hostLastDeploy=_ZERO_DATE,
        hostPending="0",
        hostSecTime=_ZERO_DATE,
        **dict.fromkeys(empty, ""),
    )


def _setting(key: str, value: str) -> str:
    return " ".join(["UPDATE globalSettings SET settingValue =", _literal(value), "WHERE settingKey =", f"'{key}';"])


def _users(server: HostSpec) -> list[str]:
    master, storage = f"'{layout.MASTER_USER}'@'localhost'", f"'{layout.STORAGE_USER}'@'%'"
    return [
        f"CREATE OR REPLACE USER {master} IDENTIFIED BY {_literal(layout.secret(server.name, 'db'))};",
        f"CREATE OR REPLACE USER {storage} IDENTIFIED BY {_literal(layout.secret(server.name, 'storage'))};",
        f"GRANT ALL PRIVILEGES ON {layout.DATABASE}.* TO {master};",
        f"GRANT SELECT, INSERT, UPDATE ON {layout.DATABASE}.* TO {storage};",
    ]

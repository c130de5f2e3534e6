"""SQL on the FOG database of a lab host, run inside the host as MariaDB's root over its socket."""

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
link = pymysql.connect(unix_socket="/run/mysqld/mysqld.sock", user="root", database=job["database"], charset="utf8mb4",
                       autocommit=True, cursorclass=DictCursor, init_command="SET SESSION sql_mode=''")
results = []
with link.cursor() as cursor:
    for statement, values in job["statements"]:
        cursor.execute(statement, values)
        results.append([cursor.lastrowid, list(cursor.fetchall())])
print(json.dumps(results, default=str))
"""


class Sql:
    """The FOG database on ``server``. Every method raises HostError with MariaDB's message when it fails."""

    def __init__(self, server: Host, database: str = layout.DATABASE) -> None:
        self.server = server
        self.database = database

    def batch(self, *statements: tuple[Any, ...]) -> list[tuple[int, list[Row]]]:
        """Run ``(statement, value...)`` one after the other; the last inserted id and the rows of each."""
        job = {"database": self.database, "statements": [[first, rest] for first, *rest in statements]}
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


def literal(value: str | int) -> str:
    """A value as an SQL literal, for the seed that MariaDB reads from a file."""
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def fresh(server: HostSpec, fleet: Fleet) -> str:
    """SQL that puts the whole FOG database and its users back to how the lab starts."""
    return f"DROP DATABASE IF EXISTS {layout.DATABASE};\n{SCHEMA_FILE.read_text(encoding='utf-8')}\n{seed(server, fleet)}"


def members(server: HostSpec, fleet: Fleet) -> list[HostSpec]:
    """The hosts that have a storage node row in the database of ``server``, the server itself first.

    The NAS is a node of the first FOG server that has other storage nodes.
    """
    own = [server, *(spec for spec in fleet.values() if spec.database == server.name and spec.name != server.name)]
    if len(own) > 1 and server.name == next(spec.database for spec in fleet.values() if spec.kind.startswith("storage")):
        own += [spec for spec in fleet.values() if spec.kind == "nas"]
    return [spec for spec in own if spec.kind in ("fog_server", "storage_master", "storage", "nas")]


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
    lines = [f"USE {layout.DATABASE};"]
    numbers = groups(server, fleet)
    for name, number in numbers.items():
        lines.append(f"REPLACE INTO nfsGroups VALUES ({number}, {literal(name)}, '');")
    for number, spec in enumerate(members(server, fleet), start=1):
        lines.append(_member(number, spec, numbers.get(spec.group, 1)))
    for image, group in images(server, fleet).items():
        values = f"{image.id}, {literal(image.name)}, {literal(image.folder)}"
        lines.append(
            "REPLACE INTO images (imageID, imageName, imagePath, imageDesc, imageProtect, imageMagnetUri, imageCreateBy,"
            " imageBuilding, imageSize, imageTypeID, imagePartitionTypeID, imageOSID, imageLastDeploy)"
            f" VALUES ({values}, '', 0, '', 'fog', 0, '', 1, 1, 9, '0000-00-00 00:00:00');"
        )
        lines.append(f"REPLACE INTO imageGroupAssoc VALUES ({image.id}, {image.id}, {group}, '1');")
    for number in range(1, 9):
        lines.append(_host_row(number))
    for key, value in _settings(server).items():
        lines.append(f"UPDATE globalSettings SET settingValue = {literal(value)} WHERE settingKey = {literal(key)};")
    lines += _users(server)
    if _version(server) >= (1, 5, 10, 1800):
        lines += [
            f"ALTER TABLE multicastSessions ADD COLUMN IF NOT EXISTS {column};"
            for column in (
                "msSenderPID int(11) NOT NULL DEFAULT 0",
                "msSenderNode int(11) NOT NULL DEFAULT 0",
                "msSenderStart datetime DEFAULT NULL",
            )
        ]
    return "\n".join([*lines, ""])


def _version(spec: HostSpec) -> tuple[int, ...]:
    return tuple(int(part) for part in spec.fog_version.split("."))


def _member(number: int, spec: HostSpec, group: int) -> str:
    master = "1" if spec.kind in ("fog_server", "storage_master") else ""
    values = (
        *(number, layout.member_name(spec), "", master, group, layout.IMAGES, "/opt/fog/snapins/ssl", layout.IMAGES),
        *("/opt/fog/snapins", "1", spec.address, 10, 0, "fogproject", layout.secret(spec.name, "node"), "", layout.NIC),
        *("1", "/fog/"),
    )
    return (
        "REPLACE INTO nfsGroupMembers (ngmID, ngmMemberName, ngmMemberDescription, ngmIsMasterNode, ngmGroupID,"
        " ngmRootPath, ngmSSLPath, ngmFTPPath, ngmSnapinPath, ngmIsEnabled, ngmHostname, ngmMaxClients,"
        " ngmBandwidthLimit, ngmUser, ngmPass, ngmKey, ngmInterface, ngmGraphEnabled, ngmWebroot)"
        f" VALUES ({', '.join(literal(value) for value in values)});"
    )


def _host_row(number: int) -> str:
    empty = (
        *("hostDesc", "hostIP", "hostCreateBy", "hostUseAD", "hostADDomain", "hostADOU", "hostADUser", "hostADPass"),
        *("hostADPassLegacy", "hostPrinterLevel", "hostKernelArgs", "hostKernel", "hostDevice", "hostPubKey"),
        "hostSecToken",
    )
    blanks = ", ''" * len(empty)
    return (
        "REPLACE INTO hosts (hostID, hostName, hostImage, hostBuilding, hostLastDeploy, hostPending, hostSecTime,"
        f" {', '.join(empty)}) VALUES ({number}, 'labpc{number:02}', 1, 0, '0000-00-00 00:00:00', '0',"
        f" '0000-00-00 00:00:00'{blanks});"
    )


def _settings(server: HostSpec) -> dict[str, str]:
    # One second instead of ten between two looks of the daemon: tests need not wait.
    return {"FOG_WEB_HOST": server.address, "MULTICASTSLEEPTIME": "1"}


def _users(server: HostSpec) -> list[str]:
    rights = "SELECT, INSERT, UPDATE"
    return [
        f"CREATE OR REPLACE USER {user} IDENTIFIED BY {literal(layout.secret(server.name, what))};"
        for user, what in (
            (f"'{layout.MASTER_USER}'@'localhost'", "db"),
            (f"'{layout.STORAGE_USER}'@'%'", "storage"),
        )
    ] + [
        f"GRANT ALL PRIVILEGES ON {layout.DATABASE}.* TO '{layout.MASTER_USER}'@'localhost';",
        f"GRANT {rights} ON {layout.DATABASE}.* TO '{layout.STORAGE_USER}'@'%';",
    ]

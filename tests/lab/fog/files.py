"""The text files of FOG on a host: .fogsettings and the two PHP files the daemon and the web pages read."""

import shlex

from tests.lab.fleet import HostSpec
from tests.lab.fog import layout


def database_login(spec: HostSpec, server: HostSpec) -> dict[str, str]:
    """How this host reaches its FOG database on ``server``: keys host, user, password."""
    if spec.name == server.name:
        return {"host": "localhost", "user": layout.MASTER_USER, "password": layout.secret(server.name, "db")}
    return {"host": server.address, "user": layout.STORAGE_USER, "password": layout.secret(server.name, "storage")}


def fog_settings(spec: HostSpec, server: HostSpec, *, address: str = "", password: str = "") -> str:
    """The text of /opt/fog/.fogsettings; ``address`` and ``password`` (of the database) replace the right ones."""
    login = database_login(spec, server)
    values = {
        "ipaddress": address or spec.address,
        "copybackold": "0",
        "interface": layout.NIC,
        "submask": "255.255.0.0",
        "hostname": spec.name,
        "routeraddress": "",
        "plainrouter": "",
        "dnsaddress": "",
        "username": "fogproject",
        "password": layout.secret(spec.name, "node"),
        "osid": "2",
        "osname": "Debian",
        "dodhcp": "N",
        "bldhcp": "0",
        "installtype": "N" if spec.kind == "fog_server" else "S",
        "snmysqluser": login["user"],
        "snmysqlpass": password or login["password"],
        "snmysqlhost": login["host"],
        "mysqldbname": layout.DATABASE,
        "docroot": "/var/www/html/",
        "webroot": "/fog/",
        "storageLocation": layout.IMAGES,
        "fogupdateloaded": "1",
    }
    lines = [f"{key}={_quoted(value)}" for key, value in values.items()]
    return "\n".join(["## Start of FOG Settings", "## Written for the test lab", *lines, "## End of FOG Settings", ""])


def _quoted(value: str) -> str:
    quoted = shlex.quote(value)
    return quoted if quoted.startswith("'") else f"'{value}'"


def config_php(spec: HostSpec, server: HostSpec, *, password: str = "", database: str = layout.DATABASE) -> str:
    """The text of config.class.php; ``password`` replaces the database's right one."""
    login = database_login(spec, server)
    return _php(
        "Config",
        {
            "DATABASE_TYPE": "mysql",
            "DATABASE_HOST": login["host"],
            "DATABASE_NAME": database,
            "DATABASE_USERNAME": login["user"],
            "DATABASE_PASSWORD": password or login["password"],
            "UDPSENDERPATH": layout.SENDER_LINK,
        },
    )


def system_php(version: str) -> str:
    """The text of system.class.php for a FOG version."""
    return _php("System", {"FOG_VERSION": version, "FOG_SCHEMA": layout.SCHEMA})


def _php(name: str, constants: dict[str, str | int]) -> str:
    lines = [f"        define('{key}', {_php_value(value)});" for key, value in constants.items()]
    body = "\n".join(lines)
    return f"<?php\nclass {name}\n{{\n    public function __construct()\n    {{\n{body}\n    }}\n}}\n"


def _php_value(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"

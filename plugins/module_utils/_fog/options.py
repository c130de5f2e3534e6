# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options every FOG module has, and what they and FOG's own files together say."""

import os
from typing import Any, Dict, Mapping, NamedTuple

from .settings import FOG_SETTINGS, Credentials, Settings, read_settings

# Option of the modules -> field of the credentials. The names are community.mysql's.
_LOGIN = {
    "login_host": "host",
    "login_port": "port",
    "login_user": "user",
    "login_password": "password",
    "login_unix_socket": "unix_socket",
    "login_db": "database",
    "config_file": "config_file",
    "ca_cert": "ca_cert",
    "client_cert": "client_cert",
    "client_key": "client_key",
    "check_hostname": "check_hostname",
    "connect_timeout": "connect_timeout",
}


def connection_spec() -> Dict[str, Dict[str, Any]]:
    """The argument specification of the doc fragment ``fog_connection``."""
    return {
        "fog_settings": {"type": "path", "default": FOG_SETTINGS},
        "login_host": {"type": "str"},
        "login_port": {"type": "int"},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_unix_socket": {"type": "path"},
        "login_db": {"type": "str"},
        "config_file": {"type": "path"},
        "ca_cert": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path"},
        "check_hostname": {"type": "bool"},
        "connect_timeout": {"type": "int", "default": 10},
        "stale_after": {"type": "int", "default": 1800},
    }


def writing_spec() -> Dict[str, Dict[str, Any]]:
    """The argument specification of the doc fragment ``fog_connection.writing``."""
    return {
        "backup_dir": {"type": "path", "default": "/var/backups/imaging.multicast"},
        "lock_timeout": {"type": "int", "default": 60},
    }


class Options(NamedTuple):
    """Where FOG is and how to log in to its database."""

    settings: Settings
    credentials: Credentials


def read_options(params: Mapping[str, Any]) -> Options:
    """Combine the module's options with FOG's own files; what an option says wins.

    With user, password and database (or a ``config_file``) given, a missing .fogsettings is no hindrance: what only it
    knows stays unknown.

    :raises SettingsError: the settings are malformed, or missing and needed.
    """
    given = {field: params[option] for option, field in _LOGIN.items() if params.get(option) is not None}
    path = params["fog_settings"]
    own_file = "config_file" in given
    if not os.path.exists(path) and (own_file or {"user", "password", "database"} <= set(given)):
        settings, found = Settings(path, "", "", "", "", ""), Credentials(source="the module's options")
    else:
        settings, found = read_settings(path)
    if own_file:
        # What is left out is what the option file says.
        found = Credentials(database="", source=given["config_file"])
    if "host" in given and "unix_socket" not in given:
        found = found._replace(unix_socket=None)
    return Options(settings, found._replace(given=tuple(sorted(given)), **given))

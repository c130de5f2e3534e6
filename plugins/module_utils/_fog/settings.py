# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reader: what FOG's own files say about this host (.fogsettings, config.class.php, system.class.php)."""

from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

FOG_SETTINGS = "/opt/fog/.fogsettings"


class SettingsError(Exception):
    """A settings file is missing, unreadable or malformed; the text says what, where and what to do."""


class Credentials(NamedTuple):
    """How to reach FOG's database. Its repr and str never show the password."""

    host: str = "localhost"
    port: int = 3306
    user: str = ""
    password: str = ""
    unix_socket: Optional[str] = None
    database: str = "fog"
    config_file: Optional[str] = None
    ca_cert: Optional[str] = None
    client_cert: Optional[str] = None
    client_key: Optional[str] = None
    check_hostname: Optional[bool] = None
    connect_timeout: int = 10
    #: where each came from, for error messages, e.g. "/opt/fog/.fogsettings"
    source: str = ""


class Settings(NamedTuple):
    """The harmless part of .fogsettings (facts/fog.md section 2); no password is ever in it."""

    path: str
    install_type: str  # "N" full server, "S" storage node, "" unknown
    interface: str
    address: str
    hostname: str
    web_root: str  # docroot + webroot, for example /var/www/html/fog
    storage: str  # storageLocation, for example /images


class Release(NamedTuple):
    """Which FOG is installed, read from its PHP files, and where it looks for udp-sender."""

    version: str  # FOG_VERSION, "" when unreadable
    schema: Optional[int]  # FOG_SCHEMA the code expects
    udp_sender: str  # UDPSENDERPATH, default /usr/local/sbin/udp-sender
    udp_sender_runs: bool  # exists and is executable
    udp_sender_found: Tuple[str, ...]  # other places where an executable udp-sender lies
    errors: Tuple[str, ...] = ()  # what could not be read, one sentence each

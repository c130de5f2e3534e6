# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation fragment: how the FOG modules reach FOG's files and database."""


class ModuleDocFragment:
    """Options for ``extends_documentation_fragment``; the same as in ``module_utils/_fog/options.py``."""

    DOCUMENTATION = r"""
options:
  fog_settings:
    description:
      - The settings file that FOG's installer wrote.
      - The database login, the web folder and the address FOG was installed with are read from it and from the
        C(config.class.php) of the web folder it names.
      - It may be missing when O(login_user), O(login_password) and O(login_db), or O(config_file), are given.
    type: path
    default: /opt/fog/.fogsettings
  login_host:
    description:
      - Host of FOG's database.
      - This and the other O(login_host), O(login_port), O(login_user), O(login_password) and O(login_db) options win
        over what O(fog_settings) says.
    type: str
  login_port:
    description: Port of FOG's database.
    type: int
  login_user:
    description: User of FOG's database.
    type: str
  login_password:
    description: Password of O(login_user).
    type: str
  login_unix_socket:
    description: Socket of a database on this host. It is used instead of O(login_host).
    type: path
  login_db:
    description: Name of FOG's database.
    type: str
  config_file:
    description:
      - A MySQL option file on the host; its C([client]) section says how to log in.
      - It replaces what O(fog_settings) says about the database, but not the options given beside it.
    type: path
  ca_cert:
    description: Certificate of the authority that signed the database server's; with it the connection is encrypted.
    type: path
  client_cert:
    description: Certificate this host shows to the database server.
    type: path
  client_key:
    description: Key of O(client_cert).
    type: path
  check_hostname:
    description:
      - Whether the database server's certificate must name O(login_host).
      - When it is not given, it is checked whenever O(ca_cert) is given.
    type: bool
  connect_timeout:
    description: Seconds to wait for the database server to answer the connection.
    type: int
    default: 10
  stale_after:
    description:
      - Seconds without any sign of life after which a session that nothing sends counts as stale.
    type: int
    default: 1800
requirements:
  - PyMySQL (C(python3-pymysql) on Debian and Ubuntu, C(python3-PyMySQL) on Enterprise Linux)
  - netifaces (C(python3-netifaces))
author:
  - imaging.multicast contributors (@imaging-multicast)
"""

    # For the modules that write to the database.
    WRITING = r"""
options:
  backup_dir:
    description:
      - Folder on the host for the backup that is written before the first change; it is made with mode V(0700) when it
        is missing.
      - The backup holds exactly the rows that change, and never a password.
    type: path
    default: /var/backups/imaging.multicast
  lock_timeout:
    description: Seconds to wait when another run repairs the same database.
    type: int
    default: 60
"""

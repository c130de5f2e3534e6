"""Where FOG keeps its things on a host of the lab, and what is secret there."""

from typing import NamedTuple

from tests.lab.fleet import HostSpec

UNIT = "FOGMulticastManager.service"
UNIT_FILE = f"/lib/systemd/system/{UNIT}"
INIT_SCRIPT = "/etc/init.d/FOGMulticastManager"
DAEMON = "/opt/fog/service/FOGMulticastManager/FOGMulticastManager"
FOG_SETTINGS = "/opt/fog/.fogsettings"
WEB_ROOT = "/var/www/html/fog"
CONFIG = f"{WEB_ROOT}/lib/fog/config.class.php"
SYSTEM = f"{WEB_ROOT}/lib/fog/system.class.php"
LOG_FOLDER = "/opt/fog/log"
LOG = f"{LOG_FOLDER}/multicast.log"
REFUSED_LOG = f"{LOG_FOLDER}/standin-refused.log"
IMAGES = "/images"
SENDER_LINK = "/usr/local/sbin/udp-sender"
NIC = "eth0"
DATABASE = "fog"
SCHEMA = 270
MASTER_USER = "fogmaster"
STORAGE_USER = "fogstorage"
# Every secret of the lab begins like this, so that a test finds any of them in an output. The end is what makes a
# careless shell or PHP parser stumble.
SECRET = "LABSECRET"
_SECRET_END = "$&#x"


class Image(NamedTuple):
    """An image of the lab: its row id, name, folder below ``IMAGES``, and the bytes of its partition files."""

    id: int
    name: str
    folder: str
    partitions: tuple[int, ...]


WINDOWS = Image(1, "lab-win", "lab-win", (3_000_000, 5_000_000, 1_000_000))
LINUX = Image(2, "lab-linux", "lab-linux", (2_000_000, 2_000_000))
# Images of storage groups beside FOG's default group get the folder of WINDOWS under the group's own name.


def secret(owner: str, what: str) -> str:
    """The secret ``what`` ("db", "storage", "node", "wrong") of the host ``owner``."""
    return f"{SECRET}-{owner}-{what}-{_SECRET_END}"


def is_fog(spec: HostSpec) -> bool:
    """Whether FOG is installed on this host."""
    return spec.kind in ("fog_server", "storage_master", "storage")


def member_name(spec: HostSpec) -> str:
    """The storage node's name: FOG calls the server's own node DefaultMember."""
    return "DefaultMember" if spec.kind == "fog_server" else spec.name

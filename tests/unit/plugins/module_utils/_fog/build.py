# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Snapshots for tests: a healthy full FOG server, and what it takes to vary it."""

from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import (
    Association,
    Database,
    Node,
    Session,
    Task,
)
from ansible_collections.imaging.multicast.plugins.module_utils._fog.log import Line, Logs, SenderLog
from ansible_collections.imaging.multicast.plugins.module_utils._fog.network import Address, Interface, Network, Route
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Process, Processes, Sender
from ansible_collections.imaging.multicast.plugins.module_utils._fog.service import Service
from ansible_collections.imaging.multicast.plugins.module_utils._fog.settings import Release, Settings
from ansible_collections.imaging.multicast.plugins.module_utils._fog.snapshot import Snapshot

NOW = 1790000000.0
ADDRESS = "10.77.0.1"
OTHER = "10.77.0.2"
LOG = "/opt/fog/log/multicast.log"
RIGHTS = frozenset(("SELECT", "INSERT", "UPDATE", "DELETE"))


def vary(snapshot, **parts):
    """The snapshot with other fields: ``database={"nodes": ...}`` changes fields of a part, all else replaces it."""
    changes = {}
    for name, value in parts.items():
        part = getattr(snapshot, name)
        changes[name] = part._replace(**value) if isinstance(value, dict) else value
    return snapshot._replace(**changes)


def interface(name="eth0", *addresses, **changes):
    """An interface that is up and does multicast."""
    own = tuple(Address(address, 24) for address in addresses)
    return Interface(name, own, up=True, link="up", multicast=True, loopback=False)._replace(**changes)


LOOPBACK = interface("lo", "127.0.0.1", multicast=False, loopback=True, link="unknown")


def route(device="eth0", source=ADDRESS, destination="10.77.0.0/24", **changes):
    """A connected route of the kernel."""
    return Route(destination, "", device, "kernel", "link", source)._replace(**changes)


def network(device="eth0", *addresses):
    """A host with one interface, and its routes."""
    own = addresses or (ADDRESS,)
    routes = tuple(route(device, address) for address in own)
    return Network((LOOPBACK, interface(device, *own)), (Route("default", "10.77.0.254", device, "", "", ""), *routes))


def node(number=1, hostname=ADDRESS, **changes):
    """An enabled master node."""
    made = Node(
        id=number,
        name="node%d" % number,
        group=1,
        master=True,
        enabled=True,
        hostname=hostname,
        address=hostname,
        interface="eth0",
        root="/images",
    )
    return made._replace(**changes)


def session(number=1, age=7200.0, **changes):
    """A running group session, created ``age`` seconds ago (None: at no known time)."""
    made = Session(
        id=number,
        name="deploy %d" % number,
        port=50000 + 2 * number,
        path="win%d" % number,
        image=number,
        clients=0,
        session_clients=0,
        interface="eth0",
        started=None if age is None else NOW - age,
        state=3,
        percent=0,
        group=1,
    )
    return made._replace(**changes)


def task(number=1, of=1, age=7200.0, **changes):
    """An active multicast task of session ``of``, created ``age`` seconds ago, that never checked in."""
    made = Task(
        id=number,
        name="pc%d" % number,
        state=1,
        host=number,
        image=1,
        created=None if age is None else NOW - age,
        checkin=None,
        group=0,
        node=1,
        session=of,
    )
    return made._replace(**changes)


def link(number=1, of=1, task_id=1, **changes):
    """An association of an active session and an active task."""
    return Association(number, of, task_id, 3, 1)._replace(**changes)


def process(pid, parent=1, age=9000.0, *argv):
    """A sleeping process."""
    return Process(pid, parent, pid * 100, "S", age, argv)


def sender(port=50002, of=1, age=7200.0, **changes):
    """A waiting udp-sender tree of session ``of``, as the daemon starts it (None: one that is not FOG's)."""
    made = Sender(
        port=port,
        shell=process(port, 101, age, "sh", "-c", "udp-sender --portbase %d" % port),
        process=process(port + 1, port, age, "udp-sender", "--portbase", str(port)),
        interface="eth0",
        files=("/images/win%d/d1p1.img" % (of or 0),),
        output="%s.udpcast.%d" % (LOG, of) if of is not None else "/dev/pts/0",
        output_age=600.0,
    )
    return made._replace(**changes)


def line(kind="idle", text=" * No new tasks found", stamp=NOW - 5, **more):
    """A line of multicast.log."""
    return Line(stamp, kind, None, "", text)._replace(**more)


def sender_log(number=1, age=7200.0, **changes):
    """What the udp-sender of a session wrote."""
    return SenderLog(number, age, 2, 1, ())._replace(**changes)


def healthy():
    """A full FOG server of 1.5.9 that is the master of its group; nothing is queued."""
    return Snapshot(
        time=NOW,
        offset=0.0,
        hostname="fog",
        settings=Settings(
            path="/opt/fog/.fogsettings",
            install_type="N",
            interface="eth0",
            address=ADDRESS,
            hostname="fog",
            web_root="/var/www/html/fog",
        ),
        release=Release("1.5.9.133", 270, "/usr/local/sbin/udp-sender", True, (), ()),
        network=network(),
        processes=Processes((process(100),), (process(101, 100),), ()),
        service=Service("systemd", True, True, True, "active (running)", 100, 9000.0),
        logs=Logs(
            path=LOG,
            exists=True,
            age=5.0,
            size=1000,
            lines=(line(),),
            offset=0.0,
            alive={},
            last_command="",
            senders=(),
            exits=(),
        ),
        database=Database(
            server="10.11.6-MariaDB",
            endpoint="fogmaster@localhost:3306/fog",
            schema=270,
            local=True,
            engines={"multicastSessions": "MyISAM"},
            privileges=RIGHTS,
            offset=0.0,
            settings={
                "FOG_UDPCAST_INTERFACE": "eth0",
                "FOG_NFS_ETH_MONITOR": "eth0",
                "FOG_MULTICAST_PORT_OVERRIDE": "0",
                "MULTICASTGLOBALENABLED": "1",
                "MULTICASTSLEEPTIME": "10",
            },
            groups={1: "default"},
            nodes=(node(),),
        ),
    )


def storage_node(master=False):
    """A plain storage node in the group of a healthy full server (10.77.0.1); its own address is 10.77.0.2."""
    return vary(
        healthy(),
        hostname="storage",
        settings={"install_type": "S", "address": OTHER, "hostname": "storage"},
        network=network("eth0", OTHER),
        database={"nodes": (node(master=not master), node(2, OTHER, master=master))},
    )


def with_session(snapshot, one=None, tasks=(), senders=()):
    """The snapshot with one session more, its tasks, their associations and its senders."""
    own = session() if one is None else one
    database = snapshot.database
    links = tuple(link(each.id, own.id, each.id, session_state=own.state, task_state=each.state) for each in tasks)
    return vary(
        snapshot,
        database={
            "sessions": (*database.sessions, own),
            "tasks": database.tasks + tuple(tasks),
            "associations": database.associations + links,
        },
        processes={"senders": snapshot.processes.senders + tuple(senders)},
    )


def stale():
    """A healthy server with session 1 and its task 1, both two hours old, and no sender: proven stale."""
    return with_session(healthy(), session(), [task()])

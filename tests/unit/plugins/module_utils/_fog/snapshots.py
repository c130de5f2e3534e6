# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random snapshots for property tests: parts of few values, so that they often meet."""

from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import Database
from ansible_collections.imaging.multicast.plugins.module_utils._fog.network import Network
from ansible_collections.imaging.multicast.plugins.module_utils._fog.processes import Processes
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog.build import (
    ADDRESS,
    LOG,
    LOOPBACK,
    NOW,
    OTHER,
    healthy,
    interface,
    line,
    link,
    node,
    process,
    route,
    sender,
    sender_log,
    session,
    task,
    vary,
)
from hypothesis import strategies as st

ADDRESSES = st.sampled_from((ADDRESS, OTHER, "10.77.0.9", "10.77.0.10", "127.0.0.1", "fog.lan", "nas.lan", ""))
NAMES = st.sampled_from(("eth0", "eth1", "ens18", "lo", ""))
GROUPS = st.integers(0, 3)
STATES = st.sampled_from((0, 1, 2, 3, 3, 3))
AGES = st.sampled_from((None, -9000.0, -30.0, 5.0, 70.0, 1799.0, 1800.0, 7200.0, 99999.0))
SPANS = st.sampled_from((0.0, 5.0, 59.0, 61.0, 1799.0, 1800.0, 7200.0, 99999.0))
OFFSETS = st.sampled_from((0.0, 0.0, 3600.0, -7200.0))
RIGHTS = st.sampled_from(
    (None, None, frozenset(("SELECT", "UPDATE")), frozenset(("SELECT", "UPDATE", "DELETE")), frozenset())
)
VERSIONS = st.sampled_from(("1.2.0", "1.3.1", "1.5.8", "1.5.9.133", "1.5.9.133", "1.5.10.1867", "2.0", "", "x"))


def moment(age):
    return None if age is None else NOW - age


@st.composite
def nodes(draw):
    number = draw(st.integers(0, 4))
    found = []
    for index in range(1, number + 1):
        hostname = draw(ADDRESSES)
        address = draw(ADDRESSES) if hostname.endswith(".lan") else hostname
        found.append(
            node(
                index,
                hostname,
                address="" if address.endswith(".lan") else address,
                group=draw(GROUPS),
                master=draw(st.booleans()),
                enabled=draw(st.booleans()),
                interface=draw(NAMES),
            )
        )
    return tuple(found)


@st.composite
def rows(draw):
    """Sessions, tasks and associations that agree with each other, as one reading of the tables gives them."""
    sessions = {
        number: session(
            number,
            age=draw(AGES),
            state=draw(STATES),
            group=draw(GROUPS),
            port=draw(st.sampled_from((0, 50002, 50002, 50004, 50005))),
            path=draw(st.sampled_from(("win1", "win2", ""))),
            clients=draw(st.sampled_from((0, -1, -2))),
            session_clients=draw(st.sampled_from((0, 2))),
        )
        for number in draw(st.sets(st.integers(1, 4)))
    }
    tasks = {
        number: task(
            number, None, draw(AGES), state=draw(STATES), group=draw(GROUPS), node=draw(st.integers(0, 5))
        )._replace(checkin=moment(draw(AGES)))
        for number in draw(st.sets(st.integers(1, 5)))
    }
    links = []
    for of, number in sorted(draw(st.sets(st.tuples(st.integers(1, 6), st.integers(1, 7)), max_size=6))):
        links.append(
            link(
                len(links) + 1,
                of,
                number,
                session_state=sessions[of].state if of in sessions else draw(st.sampled_from((None, 4, 5))),
                task_state=tasks[number].state if number in tasks else draw(st.sampled_from((None, 4, 5))),
            )
        )
    return joined(
        {
            "sessions": tuple(sessions.values()),
            "tasks": tuple(tasks.values()),
            "associations": tuple(links),
        }
    )


def joined(parts):
    """The rows with each task's session as its associations have it."""
    of = {each.task: each.session for each in reversed(parts["associations"])}
    return dict(parts, tasks=tuple(each._replace(session=of.get(each.id)) for each in parts["tasks"]))


@st.composite
def senders(draw):
    found = []
    for index in range(draw(st.integers(0, 3))):
        port = draw(st.sampled_from((50002, 50004, 60000)))
        of = draw(st.sampled_from((None, 1, 2, 9)))
        found.append(
            sender(
                port,
                of,
                age=draw(SPANS),
                shell=draw(st.sampled_from((process(200 + index), None))),
                process=draw(st.sampled_from((process(300 + index), None))),
                files=draw(st.sampled_from(((), ("/images/win1/d1p1.img",), ("/images/win2",)))),
                output_age=draw(st.one_of(st.none(), SPANS)),
            )
        )
    return tuple(found)


@st.composite
def networks(draw):
    cards = [LOOPBACK]
    for name in sorted(draw(st.sets(st.sampled_from(("eth0", "eth1", "ens18"))))):
        own = draw(st.lists(st.sampled_from((ADDRESS, OTHER, "10.77.0.9", "10.77.0.10")), max_size=2, unique=True))
        cards.append(
            interface(
                name,
                *own,
                up=draw(st.booleans()),
                multicast=draw(st.booleans()),
                link=draw(st.sampled_from(("up", "down", "unknown"))),
            )
        )
    lines = draw(
        st.lists(
            st.builds(
                route,
                st.sampled_from(("eth0", "eth1", "ens18")),
                st.sampled_from((ADDRESS, OTHER, "10.77.0.10")),
                st.sampled_from(("default", "10.77.0.0/24")),
            ),
            max_size=3,
        )
    )
    present = tuple(cards) if draw(st.integers(0, 9)) else ()
    return Network(present, tuple(lines), draw(st.sampled_from(("", "", "", "ip is missing."))))


@st.composite
def snapshots(draw):
    """Any host, mostly with a readable database; its rows agree with each other."""
    database = dict(
        draw(rows()),
        nodes=draw(nodes()),
        groups=draw(st.sampled_from(({}, {1: "default", 2: "two"}))),
        schema=draw(st.sampled_from((270, 270, 270, None, 9))),
        privileges=draw(RIGHTS),
        offset=draw(st.one_of(st.none(), OFFSETS)),
        settings={
            "FOG_UDPCAST_INTERFACE": draw(NAMES),
            "FOG_NFS_ETH_MONITOR": draw(NAMES),
            "MULTICASTGLOBALENABLED": draw(st.sampled_from(("1", "1", "0", ""))),
            "MULTICASTSLEEPTIME": draw(st.sampled_from(("10", "0", "x", "300"))),
        },
    )
    kinds = st.sampled_from(("idle", "not_master", "interface_waiting", "interface_ready", "database_waiting", "other"))
    made = vary(
        healthy(),
        offset=draw(OFFSETS),
        settings={"install_type": draw(st.sampled_from(("N", "N", "S", ""))), "address": draw(ADDRESSES)},
        release={"version": draw(VERSIONS), "udp_sender_runs": draw(st.sampled_from((True, True, False)))},
        network=draw(networks()),
        processes=Processes(
            draw(st.sampled_from(((process(100),), (process(100, age=1.0),), ()))),
            draw(st.sampled_from(((process(101, 100),), (process(101, 100, 3.0),), ()))),
            draw(senders()),
            draw(st.sampled_from(("", "", "", "hidden"))),
        ),
        service={
            "active": draw(st.booleans()),
            "installed": draw(st.booleans()),
            "enabled": draw(st.sampled_from((True, False, None))),
            "since": draw(st.one_of(st.none(), SPANS)),
        },
        logs={
            "exists": draw(st.booleans()),
            "age": draw(st.one_of(st.none(), SPANS)),
            "lines": tuple(line(kind, kind, detail=draw(ADDRESSES)) for kind in draw(st.lists(kinds, max_size=3))),
            "offset": draw(st.one_of(st.none(), OFFSETS)),
            "alive": draw(st.dictionaries(st.integers(1, 4), SPANS, max_size=2)),
            "last_command": draw(st.sampled_from(("", "udp-sender --interface eth9 --portbase 5", "'"))),
            "senders": tuple(
                sender_log(number, draw(SPANS)) for number in draw(st.sets(st.integers(1, 4), max_size=2))
            ),
            "error": draw(st.sampled_from(("", "", "", "%s cannot be read." % LOG))),
        },
        database=database,
        missing_images=draw(st.sampled_from(((), ("/images/win1",)))),
    )
    if draw(st.integers(0, 9)) == 0:
        kind = draw(st.sampled_from(("unreachable", "foreign", "")))
        return made._replace(database=Database(error="The database cannot be used.", kind=kind))
    return made

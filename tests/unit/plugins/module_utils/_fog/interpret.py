# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What steps make of a snapshot, in a few lines: the world of the property tests.

It refuses a step whose before-state does not hold, and any kind it does not know.
"""

from ansible_collections.imaging.multicast.plugins.module_utils._fog.database import ACTIVE
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog.build import line, process, vary
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog.snapshots import joined


def carry_out(snapshot, steps):
    for step in steps:
        noun, verb = step.kind.split(".")
        snapshot = KINDS[noun](snapshot, verb, step)
    return snapshot


def node(snapshot, verb, step):
    assert verb == "update"
    nodes = []
    for each in snapshot.database.nodes:
        if each.id == step.target["ngmID"]:
            flag = ("1",) if each.master else ("", "0")
            now = {"ngmHostname": (each.hostname,), "ngmInterface": (each.interface,), "ngmIsMasterNode": flag}
            for field, before in step.before.items():
                assert set(before if isinstance(before, tuple) else (before,)) == set(now[field])
            after = dict(step.after)
            address = after.get("ngmHostname")
            each = each._replace(
                hostname=address or each.hostname,
                address=address or each.address,
                interface=after.get("ngmInterface", each.interface),
                master=after["ngmIsMasterNode"] == "1" if "ngmIsMasterNode" in after else each.master,
            )
        nodes.append(each)
    assert tuple(nodes) != snapshot.database.nodes
    return vary(snapshot, database={"nodes": tuple(nodes)})


def setting(snapshot, verb, step):
    assert verb == "update"
    key = step.target["settingKey"]
    assert step.before == {"settingValue": snapshot.database.settings[key]} != step.after
    return vary(snapshot, database={"settings": dict(snapshot.database.settings, **{key: step.after["settingValue"]})})


def session(snapshot, verb, step):
    (one,) = [each for each in snapshot.database.sessions if each.id == step.target["msID"]]
    assert step.before == {"msState": one.state, "msName": one.name, "msClients": one.clients}
    assert verb == "delete" or step.after["msState"] not in ACTIVE
    return rows(
        snapshot,
        sessions=[each for each in snapshot.database.sessions if each != one],
        associations=[
            each._replace(session_state=step.after.get("msState")) if each.session == one.id else each
            for each in snapshot.database.associations
        ],
    )


def task(snapshot, verb, step):
    (one,) = [each for each in snapshot.database.tasks if each.id == step.target["taskID"]]
    assert step.before == {"taskStateID": one.state}
    assert verb == "delete" or step.after["taskStateID"] not in ACTIVE
    return rows(
        snapshot,
        tasks=[each for each in snapshot.database.tasks if each != one],
        associations=[
            each._replace(task_state=step.after.get("taskStateID")) if each.task == one.id else each
            for each in snapshot.database.associations
        ],
    )


def association(snapshot, verb, step):
    assert verb == "delete"
    (one,) = [each for each in snapshot.database.associations if each.id == step.target["msaID"]]
    assert step.before == {"msID": one.session, "tID": one.task}
    return rows(snapshot, associations=[each for each in snapshot.database.associations if each != one])


def rows(snapshot, **changes):
    database = snapshot.database
    parts = {"sessions": database.sessions, "tasks": database.tasks, "associations": database.associations}
    parts.update((name, tuple(value)) for name, value in changes.items())
    return vary(snapshot, database=joined(parts))


def sender(snapshot, verb, step):
    assert verb == "end"
    target = (step.target["port"], step.target["pid"], step.target["start"])
    left = [each for each in snapshot.processes.senders if identity(each) != target]
    assert len(left) == len(snapshot.processes.senders) - 1
    return vary(snapshot, processes={"senders": tuple(left)})


def identity(one):
    first = one.shell or one.process
    return (one.port, first.pid, first.start) if first else None


def service(snapshot, verb, step):
    assert step.target == {"unit": "FOGMulticastManager"}
    if verb == "enable":
        assert snapshot.service.enabled is False
        return vary(snapshot, service={"enabled": True})
    assert verb in ("start", "restart")
    return vary(
        snapshot,
        service={"active": True, "since": 1.0},
        processes={"daemon": (process(900, age=1.0),), "children": (process(901, 900, 1.0),)},
        logs={"exists": True, "age": 0.0, "lines": (line("starting", "Starting"),)},
    )


KINDS = {
    "node": node,
    "setting": setting,
    "session": session,
    "task": task,
    "association": association,
    "sender": sender,
    "service": service,
}

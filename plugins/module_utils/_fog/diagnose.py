# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The diagnose room: from a snapshot to findings, worst first. Pure: the time is in the snapshot.

Doubt is reported and nothing more. From a database that could not be read nothing is concluded.
"""

from typing import Dict, Iterable, List, Optional, Set, Tuple

from .._findings import Finding, finding
from .._severity import SEVERITIES, WARNING
from .database import FOREIGN, KNOWN_SCHEMAS
from .diagnose_interfaces import Interfaces, interface_findings, interfaces_of, version_findings
from .diagnose_leftovers import ASSOCIATIONS, leftover_findings, may, task_subject
from .diagnose_nodes import (
    group_of,
    group_subject,
    local_node,
    node_findings,
    node_subject,
    own_nodes,
    served_groups,
)
from .diagnose_service import busy, service_findings, trouble
from .diagnose_sessions import (
    STALE_AFTER,
    Life,
    associations_of,
    is_stale,
    port_subject,
    sender_of,
    session_findings,
    session_life,
    session_subject,
    sessions_served_here,
)
from .snapshot import Snapshot

__all__ = [
    "STALE_AFTER",
    "Interfaces",
    "Life",
    "busy",
    "diagnose",
    "interfaces_of",
    "is_stale",
    "local_node",
    "own_nodes",
    "sender_of",
    "served_groups",
    "session_life",
    "sessions_served_here",
    "write_objection",
]

_NODES, _SESSIONS, _TASKS = "nfsGroupMembers", "multicastSessions", "tasks"
#: The rights on tables that a repair needs, by finding. A sender needs none, but the database says that it is orphaned.
#: Where a session or task has associations, the right to delete those comes on top.
NEEDS: Dict[str, Tuple[Tuple[str, str], ...]] = {
    "fog.node.no_master": (("UPDATE", _NODES),),
    "fog.node.many_masters": (("UPDATE", _NODES),),
    "fog.node.master_not_local": (("UPDATE", _NODES),),
    "fog.node.address_not_local": (("UPDATE", _NODES),),
    "fog.interface.record_stale": (("UPDATE", _NODES),),
    "fog.interface.absent": (("UPDATE", _NODES),),
    "fog.session.stale": (("UPDATE", _SESSIONS), ("UPDATE", _TASKS)),
    "fog.association.orphan": (("DELETE", ASSOCIATIONS),),
    "fog.task.orphan": (("UPDATE", _TASKS),),
    "fog.sender.orphan": (),
}
#: Why a session may wait in vain, the likeliest cause first.
CAUSES = (
    "fog.service.disabled_globally",
    "fog.node.address_not_local",
    "fog.node.no_master",
    "fog.node.many_masters",
    "fog.node.master_not_local",
    "fog.node.disabled",
    "fog.sender.missing_binary",
    "fog.service.stopped",
    "fog.service.child_dead",
    "fog.service.outdated_cache",
    "fog.log.silent",
    "fog.session.port_shared",
    "fog.image.missing",
)
# Of these only those explain a session that are about itself, its port, its group or a node of that.
_OF_SUBJECT = ("fog.node.", "fog.image.", "fog.session.")


def diagnose(
    snapshot: Snapshot, stale_after: float = STALE_AFTER, master: Optional[bool] = None
) -> Tuple[Finding, ...]:
    """Everything that is wrong, or worth knowing, on a host; worst first.

    :param stale_after: seconds without a sign of life after which a session may be called stale.
    :param master: the user's wish whether this host is its group's master; None when nothing was said.
    """
    found = _database_findings(snapshot) + version_findings(snapshot)
    if not snapshot.database.error:
        found += node_findings(snapshot, master)
        found += interface_findings(snapshot)
        found += session_findings(snapshot, stale_after) + leftover_findings(snapshot, stale_after)
    found += service_findings(snapshot, master)
    found = _within_rights(snapshot, found)
    if not found:
        return ()  # A healthy host does without the catalogue.
    from .._catalogue import CATALOGUE

    found = [_with_cause(snapshot, each, found) for each in found]
    order = list(CATALOGUE)
    return tuple(sorted(found, key=lambda each: (SEVERITIES.index(each.severity), order.index(each.id))))


def write_objection(snapshot: Snapshot, needs: Iterable[Tuple[str, str]] = ()) -> str:
    """Why nothing may be changed by what the database says, "" when it may.

    :param needs: the rights that are needed, each with its table.
    """
    database = snapshot.database
    if database.error:
        return database.error
    if database.rival:
        return (
            "FOG itself uses the database %s (config.class.php), not %s, which was read, so nothing is changed. "
            "Correct snmysqlhost and mysqldbname in .fogsettings, or say by login_host and login_db what is meant."
            % (database.rival, database.endpoint or "the one")
        )
    if database.schema not in KNOWN_SCHEMAS:
        return (
            "The schema version of the database (%s) is not one of those this collection knows, so nothing is changed. "
            "Complete FOG's database update in its web interface, or update this collection." % database.schema
        )
    lacking = ["%s on %s" % need for need in needs if not may(snapshot, *need)]
    if lacking:
        return (
            "The database user of %s lacks the right to %s, so nothing was begun. Run this on the FOG server that "
            "holds the database, or give login_user and login_password of a user that has it."
            % (database.endpoint or "this host", ", ".join(sorted(set(lacking))))
        )
    return ""


def _database_findings(snapshot: Snapshot) -> List[Finding]:
    database = snapshot.database
    subject = database.endpoint or "FOG's database"
    found = _two_databases(snapshot)
    if database.error:
        name = "fog.db.foreign_schema" if database.kind == "foreign" else "fog.db.unreachable"
        evidence = list(trouble(snapshot)) + list(snapshot.release.errors)
        return [finding(name, subject, database.error, evidence), *found]
    if database.schema not in KNOWN_SCHEMAS:
        evidence = [
            "schemaVersion.vValue: %s" % database.schema,
            "FOG_SCHEMA of FOG %s: %s" % (snapshot.release.version or "(version unknown)", snapshot.release.schema),
        ]
        summary = "The schema version %s is not known, so the database is read and not changed." % database.schema
        found.append(finding("fog.db.foreign_schema", subject, summary, evidence, severity=WARNING))
    return found


def _two_databases(snapshot: Snapshot) -> List[Finding]:
    database = snapshot.database
    if not database.rival:
        return []
    subject = database.endpoint or "FOG's database"
    summary = "FOG itself uses the database %s, not %s." % (database.rival, subject)
    evidence = ["read: %s, from %s" % (subject, snapshot.settings.path), "config.class.php: %s" % database.rival]
    return [finding("fog.db.two_databases", subject, summary, evidence)]


def _about(snapshot: Snapshot, each: Finding) -> Set[str]:
    """The session that a finding is about, its port, its storage group and the nodes in that, as findings name them."""
    subjects = {each.subject}
    for session in snapshot.database.sessions:
        if session_subject(session) == each.subject:
            group = group_of(snapshot, session)
            subjects.add(port_subject(session.port))
            if group is not None:
                subjects.add(group_subject(snapshot, group))
            subjects.update(node_subject(node) for node in snapshot.database.nodes if node.group == group)
    return subjects


def _with_cause(snapshot: Snapshot, each: Finding, found: List[Finding]) -> Finding:
    """Name the finding that explains why a session waits; curing that one is its cure."""
    from .._catalogue import CATALOGUE

    if each.id != "fog.session.unserved" or each.cause != CATALOGUE[each.id].cause:
        return each
    about = _about(snapshot, each)
    for name in CAUSES:
        for other in found:
            if other.id == name and (other.subject in about or not name.startswith(_OF_SUBJECT)):
                return each._replace(
                    cause="%s: %s" % (name, other.summary), repairable=other.repairable, gate=other.gate
                )
    return each


def _within_rights(snapshot: Snapshot, found: List[Finding]) -> List[Finding]:
    """Take the promise of a repair from what the database or its user does not allow."""
    lacking = []
    result = []
    # What the wrong database says, or one that is not understood, is no ground for touching anything.
    unreachable = snapshot.database.error and snapshot.database.kind != FOREIGN
    general = "" if unreachable else write_objection(snapshot)
    for each in found:
        if each.repairable and general:
            each = each._replace(repairable=False, repair="%s %s" % (each.repair, general))
        elif each.repairable and each.id in NEEDS:
            objection = write_objection(snapshot, NEEDS[each.id])
            if not objection and _needs_delete(snapshot, each):
                lacking.append(each)
                each = each._replace(repairable=False)
            elif objection:
                each = each._replace(repairable=False, repair="%s %s" % (each.repair, objection))
        result.append(each if each.repairable else each._replace(gate=None))
    if lacking:
        names = ", ".join(each.subject for each in lacking)
        summary = "To reset %s, rows must be deleted, and the database user may not delete." % names
        database = snapshot.database
        rights = database.table_privileges.get(ASSOCIATIONS, database.privileges) or ()
        evidence = ["rights of the user on %s: %s" % (ASSOCIATIONS, ", ".join(sorted(rights)) or "none")]
        result.append(finding("fog.db.no_delete", database.endpoint or "FOG's database", summary, evidence))
    return result


def _needs_delete(snapshot: Snapshot, each: Finding) -> bool:
    """Whether a session's or task's reset would delete associations, and the database user may not."""
    if may(snapshot, "DELETE", ASSOCIATIONS):
        return False
    sessions = {session_subject(session): session for session in snapshot.database.sessions}
    tasks = {task_subject(task): task.id for task in snapshot.database.tasks}
    if each.id == "fog.session.stale":
        return bool(associations_of(snapshot, sessions[each.subject]))
    return each.id == "fog.task.orphan" and any(
        link.task == tasks[each.subject] for link in snapshot.database.associations
    )

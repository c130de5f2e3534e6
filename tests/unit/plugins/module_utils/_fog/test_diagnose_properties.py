# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Diagnose and plan on any host: nothing is raised, nothing live is called stale, nothing is left to do."""

from ansible_collections.imaging.multicast.plugins.module_utils._catalogue import CATALOGUE
from ansible_collections.imaging.multicast.plugins.module_utils._fog.diagnose import busy, diagnose
from ansible_collections.imaging.multicast.plugins.module_utils._fog.plan import (
    plan_interface,
    plan_reset,
    plan_service,
)
from ansible_collections.imaging.multicast.plugins.module_utils._severity import SEVERITIES
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog import interpret
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog.build import LOG
from ansible_collections.imaging.multicast.tests.unit.plugins.module_utils._fog.snapshots import (
    ADDRESSES,
    NAMES,
    snapshots,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WISHES = st.sampled_from((None, None, True, False))
STALE_AFTER = st.sampled_from((0.0, 60.0, 1800.0))
SCOPES = st.sampled_from(("stale", "all"))
METHODS = st.sampled_from(("cancel", "delete"))
# A snapshot has so many parts that Hypothesis calls it large and slow to make.
MANY = settings(
    max_examples=min(60, settings().max_examples),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@MANY
@given(snapshots(), STALE_AFTER, WISHES)
def test_any_host_is_diagnosed_in_the_words_of_the_catalogue(snapshot, stale_after, master):
    found = diagnose(snapshot, stale_after, master)
    severities = [SEVERITIES.index(each.severity) for each in found]
    assert severities == sorted(severities)
    keys = [(each.id, each.subject) for each in found]
    assert len(set(keys)) == len(keys)
    for each in found:
        assert each.id in CATALOGUE
        assert each.gate is None or each.repairable
        assert each.summary
        assert each.cause
        assert each.repair
        assert all(isinstance(evidence, str) and evidence for evidence in each.evidence)
    busy(snapshot, stale_after)


@MANY
@given(snapshots(), STALE_AFTER)
def test_no_session_with_a_sign_of_life_is_called_stale(snapshot, stale_after):
    """The signs are looked up here once more, in the plainest way."""
    sessions = {"session %d" % each.id: each for each in snapshot.database.sessions}
    for found in diagnose(snapshot, stale_after):
        if found.id != "fog.session.stale":
            continue
        one = sessions[found.subject]
        database, logs = snapshot.database, snapshot.logs
        zones = {snapshot.offset if logs.offset is None else logs.offset}
        zones |= {database.offset} - {None}
        tied = {link.task for link in database.associations if link.session == one.id}
        moments = [one.started]
        for task in database.tasks:
            if task.session == one.id or task.id in tied:
                moments += [task.created, task.checkin]
        for moment in moments:
            for zone in zones:
                if moment is not None:
                    age = snapshot.time + zone - moment
                    assert age >= -60
                    assert max(0, age) >= stale_after
        assert logs.alive.get(one.id, stale_after) >= stale_after
        assert all(log.age >= stale_after for log in logs.senders if log.session == one.id)
        outputs = [each.output for each in snapshot.processes.senders if each.port == one.port]
        assert "%s.udpcast.%d" % (LOG, one.id) not in outputs
        node_group = {each.id: each.group for each in database.nodes}
        group = node_group[one.group] if one.clients == -2 else one.group
        masters = [each for each in database.nodes if each.group == group and each.master and each.enabled]
        assert masters
        for each in masters:
            assert each.address in snapshot.network.local_addresses or each.address.startswith("127.")


@MANY
@given(snapshots(), STALE_AFTER, SCOPES, METHODS, st.booleans())
def test_a_reset_leaves_nothing_to_do(snapshot, stale_after, scope, method, end_senders):
    wishes = {"scope": scope, "stale_after": stale_after, "method": method, "end_senders": end_senders}
    plan = plan_reset(snapshot, **wishes)
    assert not (plan.steps and plan.refusal)
    targets = [(step.kind, tuple(sorted(step.target.items()))) for step in plan.steps]
    assert len(set(targets)) == len(targets)
    after = interpret.carry_out(snapshot, plan.steps)
    assert plan_reset(after, **wishes).steps == ()


@MANY
@given(snapshots(), STALE_AFTER)
def test_a_reset_touches_only_what_findings_name(snapshot, stale_after):
    found = {(each.id, each.subject): each for each in diagnose(snapshot, stale_after)}
    database = snapshot.database
    stale = {each.id for each in database.sessions if ("fog.session.stale", "session %d" % each.id) in found}
    tied = {link.task for link in database.associations if link.session in stale}
    tied |= {task.id for task in database.tasks if task.session in stale}
    orphaned = {each.id for each in database.tasks if ("fog.task.orphan", "task %d" % each.id) in found}
    links = {link.id: link for link in database.associations}
    for step in plan_reset(snapshot, stale_after=stale_after).steps:
        noun = step.kind.split(".")[0]
        if noun == "session":
            assert step.target["msID"] in stale
        elif noun == "task":
            assert step.target["taskID"] in tied | orphaned
        elif noun == "association":
            link = links[step.target["msaID"]]
            assert link.session in stale or link.session_state not in (0, 1, 2, 3)
        else:
            assert ("fog.sender.orphan", "udp-sender of port %(port)d (pid %(pid)d)" % step.target) in found


@MANY
@given(
    snapshots(),
    st.one_of(st.none(), st.sampled_from(("node1", "node2", "nobody"))),
    st.one_of(st.just("auto"), NAMES),
    st.one_of(st.none(), ADDRESSES),
    WISHES,
    st.booleans(),
)
def test_corrected_records_leave_nothing_to_do(snapshot, node, interface, address, master, update_settings):
    wishes = {
        "node": node,
        "interface": interface,
        "address": address,
        "master": master,
        "update_settings": update_settings,
    }
    plan = plan_interface(snapshot, **wishes)
    assert not (plan.steps and plan.refusal)
    after = interpret.carry_out(snapshot, plan.steps)
    assert plan_interface(after, **wishes).steps == ()


@MANY
@given(snapshots())
def test_records_are_only_corrected_where_findings_say_so(snapshot):
    found = {each.id for each in diagnose(snapshot) if each.repairable or each.id == "fog.version.unknown"}
    for step in plan_interface(snapshot).steps:
        # An interface that is gone is corrected on a release of which no more is known.
        assert step.finding in found or (step.finding is None and "fog.version.unknown" in found)


@MANY
@given(snapshots(), STALE_AFTER, st.booleans())
def test_a_daemon_that_was_brought_up_needs_nothing(snapshot, stale_after, allow_restart):
    plan = plan_service(snapshot, allow_restart, stale_after)
    assert not (plan.steps and plan.refusal)
    for step in plan.steps:
        assert step.gate is None or (busy(snapshot, stale_after) and not allow_restart)
    after = interpret.carry_out(snapshot, plan.steps)
    assert plan_service(after, allow_restart, stale_after).steps == ()

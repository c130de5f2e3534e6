# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Outcomes, the guard, the table and the report."""

import itertools

import pytest
from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.module_utils._steps import OUTCOMES, Result, Step
from ansible_collections.imaging.multicast.plugins.plugin_utils import _report

STALE = finding("fog.session.stale", "session 3", "Session 3 is stale.").as_dict()
RECORD = finding("fog.interface.record_stale", "storage node A", "The record names eth0.").as_dict()
IMAGE = finding("fog.image.missing", "image 2", "The image is gone.").as_dict()
GATED = finding("fog.node.many_masters", "group 1", "Two masters.").as_dict()
INFO = finding("fog.node.disabled", "storage node B", "Disabled.", severity="info").as_dict()


def step(outcome, kind="session.cancel", found="fog.session.stale", gate=None, detail=""):
    """A step as a module's result tells of it."""
    return Result(
        Step(kind, f"do {kind}", {"msID": 3}, {"msState": 3}, {"msState": 5}, found, gate), outcome, detail
    ).as_dict()


def test_every_outcome_stands_in_the_contract():
    assert [name for name, _words in _report.OUTCOMES] == [
        "healthy",
        "repaired",
        "would_repair",
        "needs_person",
        "failed",
        "unreachable",
    ]
    assert _report.BAD == ("needs_person", "failed", "unreachable")


@pytest.mark.parametrize(
    ("before", "after", "steps", "expected"),
    [
        ([], [], [], "healthy"),
        ([INFO], [INFO], [], "healthy"),
        ([INFO], [], [step("done")], "healthy"),
        ([], [], [step("done")], "healthy"),
        ([STALE], [], [step("done")], "repaired"),
        ([STALE], [INFO], [step("done")], "repaired"),
        ([RECORD], [], [step("done", "node.update", "fog.interface.record_stale")], "repaired"),
        ([STALE], [], [step("done"), step("skipped")], "repaired"),
        # It went away by itself: nothing was done, so nothing was repaired.
        ([STALE], [], [], "healthy"),
        ([STALE], [], [step("skipped")], "healthy"),
        ([STALE], [STALE], [step("done")], "needs_person"),
        ([STALE], [IMAGE], [step("done")], "needs_person"),
        ([STALE, RECORD], [RECORD], [step("done")], "needs_person"),
        ([STALE], [STALE], [], "needs_person"),
        ([], [IMAGE], [step("done")], "needs_person"),
        ([STALE], [], [step("done"), step("blocked", "service.restart")], "needs_person"),
        ([STALE], [STALE], [step("failed"), step("blocked")], "failed"),
        ([STALE], [], [step("done"), step("failed")], "failed"),
        ([], [], [step("failed")], "failed"),
    ],
)
def test_outcome_of_a_run_that_acted(before, after, steps, expected):
    assert _report.outcome("acted", before, after, steps) == expected


@pytest.mark.parametrize(
    ("before", "steps", "gates", "expected"),
    [
        ([], [], (), "healthy"),
        ([INFO], [], (), "healthy"),
        ([], [step("planned")], (), "would_repair"),
        ([STALE], [step("planned")], (), "would_repair"),
        ([STALE, INFO], [step("planned")], (), "would_repair"),
        # Repairable in principle, yet nothing was planned: only a person can tell why.
        ([STALE], [], (), "needs_person"),
        ([STALE], [step("skipped")], (), "needs_person"),
        ([STALE, IMAGE], [step("planned")], (), "needs_person"),
        ([GATED], [step("planned")], (), "needs_person"),
        ([GATED], [step("planned")], ("fog_multicast_master",), "would_repair"),
        ([GATED], [step("planned", gate="fog_multicast_master")], (), "would_repair"),
        ([GATED], [step("skipped", gate="fog_multicast_master"), step("planned")], (), "needs_person"),
        ([STALE], [step("planned"), step("blocked", gate="fog_multicast_allow_restart")], (), "needs_person"),
        ([STALE], [step("planned"), step("failed")], (), "failed"),
    ],
)
def test_outcome_of_a_run_in_check_mode(before, steps, gates, expected):
    assert _report.outcome("checked", before, [], steps, gates) == expected


@pytest.mark.parametrize(
    ("before", "gates", "expected"),
    [
        ([], (), "healthy"),
        ([INFO], (), "healthy"),
        ([STALE], (), "would_repair"),
        ([STALE, RECORD], (), "would_repair"),
        ([STALE, IMAGE], (), "needs_person"),
        ([GATED], (), "needs_person"),
        ([GATED], ("fog_multicast_allow_restart",), "needs_person"),
        ([GATED], ("fog_multicast_master",), "would_repair"),
    ],
)
def test_outcome_of_a_run_that_only_looked(before, gates, expected):
    assert _report.outcome("looked", before, before, [], gates) == expected


def every_case():
    """Every mode, every set of findings before and after, and every pair of steps."""
    findings = [[], [INFO], [STALE], [IMAGE], [GATED], [STALE, IMAGE]]
    steps = (
        [[]]
        + [[step(one)] for one in OUTCOMES]
        + [[step(a), step(b)] for a, b in itertools.product(OUTCOMES, OUTCOMES)]
    )
    return itertools.product(("looked", "checked", "acted"), findings, findings, steps)


def test_outcome_keeps_its_promises_in_every_case():
    names = {name for name, _words in _report.OUTCOMES}
    seen = set()
    for mode, before, after, steps in every_case():
        result = _report.outcome(mode, before, after, steps)
        became = {each["outcome"] for each in steps}
        seen.add(result)
        assert result in names
        assert _report.outcome(mode, before, after, steps, (), True) == "unreachable"
        assert (result == "failed") == ("failed" in became)
        assert result != "would_repair" or mode != "acted"
        assert "blocked" not in became or result in ("failed", "needs_person")
        if result == "repaired":
            assert mode == "acted"
            assert "done" in became
            assert _report.serious(before)
            assert not _report.serious(after)
        if result == "healthy":
            assert not _report.serious(after if mode == "acted" else before)
    assert seen == names - {"unreachable"}


def test_guard_lets_a_small_part_of_a_fleet_be_repaired():
    fleet = {"a": [STALE], "b": [RECORD], "c": [INFO], "d": [], "e": [STALE], "f": [STALE]}
    assert _report.guard(fleet, 50) == _report.Guard(("a", "e", "f"), "")


def test_guard_refuses_when_more_look_broken_than_allowed():
    fleet = {"a": [STALE], "b": [STALE], "c": [IMAGE], "d": []}
    refused = _report.guard(fleet, 74.9).refused
    assert refused.startswith("3 of 4 hosts look broken at once, and multicast_max_broken_percent is 74.9,")
    assert refused.endswith("set multicast_max_broken_percent to at least 75")
    assert _report.guard(fleet, 75).refused == ""
    assert _report.guard(fleet, "75").refused == ""


def test_the_guard_names_a_percentage_that_suffices():
    fleet = {"a": [STALE], "b": [STALE], "c": [STALE], "d": [STALE], "e": [STALE], "f": [], "g": []}
    advised = int(_report.guard(fleet, 0).refused.split()[-1])
    assert _report.guard(fleet, advised).refused == ""
    assert _report.guard(fleet, advised - 1).refused != ""


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_guard_never_stands_in_the_way_of_one_or_two_hosts(broken):
    assert _report.guard({str(number): [STALE] for number in range(broken)}, 0).refused == ""


def test_guard_counts_errors_only():
    fleet = {str(number): [RECORD] for number in range(9)}
    assert _report.guard(fleet, 0) == _report.Guard((), "")


@pytest.mark.parametrize("nonsense", ["half", None, -1, 101, float("nan"), [50]])
def test_guard_refuses_everything_when_it_does_not_understand_the_percentage(nonsense):
    refused = _report.guard({"a": [STALE]}, nonsense).refused
    assert refused.startswith(f"multicast_max_broken_percent is {nonsense}, which is no number from 0 to 100")


@pytest.mark.parametrize(
    ("waiting", "percent", "refused"),
    [(0, 40, False), (1, 40, True), (1, 50, False), (2, 50, True), (6, 90, False), (7, 90, False), (99, 100, False)],
)
def test_guard_takes_hosts_that_wait_for_their_look_for_broken(waiting, percent, refused):
    fleet = {"a": [STALE], "b": [STALE], "c": [], "d": [], "e": [INFO]}
    assert bool(_report.guard(fleet, percent, waiting).refused) == refused


@pytest.mark.parametrize(
    ("earlier", "refused"), [((6, 10), True), ((5, 10), False), ((2, 3), False), ((1, 1), False), ((2, 2), False)]
)
def test_guard_takes_the_word_of_a_look_that_saw_more(earlier, refused):
    assert bool(_report.guard({"a": [STALE], "b": []}, 50, earlier=_report.Share(*earlier)).refused) == refused


def test_an_earlier_look_at_fewer_hosts_says_nothing_about_more():
    fleet = {str(number): [] for number in range(10)}
    assert _report.guard(fleet, 50, earlier=_report.Share(3, 4)).refused == ""


def test_the_guard_names_what_suffices_for_waiting_hosts_too():
    advised = int(_report.guard({"a": [STALE]}, 0, 2).refused.split()[-1])
    assert advised == 100
    assert _report.guard({"a": [STALE]}, advised, 2).refused == ""


def test_how_many_are_still_broken_by_platform():
    seen = [
        _report.host("a", "fog", {"findings": [STALE], "repair": repair([task({"changed": True})], [])}, False, ()),
        _report.host("b", "fog", {"findings": [STALE]}, False, ()),
        _report.host("c", "fog", {"findings": [RECORD]}, False, ()),
        _report.host("d", "fog", {"unreachable": True, "msg": "no route"}, False, ()),
        _report.host("e", "wds", None, False, ()),
    ]
    assert _report.broken(seen) == {"fog": _report.Share(1, 3)}


def repair(tasks=(), verified=None, refused=""):
    """What the role leaves behind under ``repair``."""
    return {"tasks": list(tasks), "verified": {} if verified is None else {"findings": verified}, "refused": refused}


def task(result, **more):
    """One task of the role, with its result."""
    return dict({"kind": "fog_multicast_reset", "what": "reset what is stale", "result": result}, **more)


def read(result, check_mode=False, gates=()):
    return _report.host("fog1", "fog", result, check_mode, gates)


def test_a_host_nobody_looked_at_failed():
    host = read(None)
    assert host.outcome == "failed"
    assert host.steps[0]["detail"] == "the run ended before this host was looked at"


def test_a_host_that_was_only_looked_at():
    assert read({"findings": [STALE]}) == _report.Host("fog1", "fog", "would_repair", (STALE,), (STALE,), ())


def test_a_host_that_was_repaired():
    done = step("done")
    host = read({"findings": [STALE], "repair": repair([task({"changed": True, "steps": [done]})], [])})
    assert host == _report.Host("fog1", "fog", "repaired", (STALE,), (), (done,))


def test_findings_afterwards_are_those_before_when_nothing_verified_them():
    host = read({"findings": [STALE], "repair": repair([task({"skipped": True, "changed": False})])})
    assert (host.outcome, host.after, host.steps) == ("needs_person", (STALE,), ())


def test_an_unreachable_host_says_what_the_connection_said():
    host = read({"unreachable": True, "msg": "Connection refused"})
    assert host.outcome == "unreachable"
    assert (host.steps[0]["outcome"], host.steps[0]["detail"]) == ("failed", "Connection refused")


@pytest.mark.parametrize("lost", [{"unreachable": True, "msg": "gone"}, {"unreachable": True}])
def test_a_host_that_goes_away_in_the_middle_is_unreachable(lost):
    assert read({"findings": [STALE], "repair": repair([task(lost)], [])}).outcome == "unreachable"


def test_a_host_that_could_not_be_looked_at_failed():
    host = read({"failed": True, "msg": "no .fogsettings"})
    assert (host.outcome, host.before) == ("failed", ())
    assert (host.steps[0]["kind"], host.steps[0]["detail"]) == ("host.look", "no .fogsettings")


def test_a_host_nothing_was_learnt_about_is_not_called_healthy():
    prepared = [{"kind": "package.install", "what": "install the libraries", "result": {"changed": True}}]
    for result in ({"skipped": True, "changed": False}, {"prepared": prepared}):
        host = read(result)
        assert host.outcome == "failed"
        assert host.steps[-1]["detail"] == "nothing was learnt about this host"


def test_a_module_that_failed_tells_its_steps_and_why():
    done = step("done")
    host = read(
        {"findings": [STALE], "repair": repair([task({"failed": True, "msg": "disk full", "steps": [done]})], [STALE])}
    )
    assert host.outcome == "failed"
    assert host.steps[0] == done
    assert (host.steps[1]["kind"], host.steps[1]["detail"]) == ("fog_multicast_reset", "disk full")


def test_a_step_that_failed_is_told_once():
    host = read(
        {"findings": [STALE], "repair": repair([task({"failed": True, "msg": "x", "steps": [step("failed")]})])}
    )
    assert host.steps == (step("failed"),)


def test_a_verification_that_failed_makes_the_host_fail():
    result = {"findings": [STALE], "repair": repair([task({"changed": True, "steps": [step("done")]})])}
    result["repair"]["verified"] = {"failed": True, "msg": "server gone"}
    host = read(result)
    assert (host.outcome, host.after) == ("failed", (STALE,))


def test_a_refusal_is_a_blocked_step():
    host = read({"findings": [STALE], "repair": repair([task({"steps": [], "refused": "no DELETE"})], [STALE])})
    assert host.outcome == "needs_person"
    assert (host.steps[0]["outcome"], host.steps[0]["detail"]) == ("blocked", "no DELETE")


def test_the_guard_is_a_blocked_step():
    host = read({"findings": [STALE], "repair": repair(refused="3 of 4 hosts look broken")})
    assert host.outcome == "needs_person"
    assert (host.steps[0]["kind"], host.steps[0]["detail"]) == ("fleet.guard", "3 of 4 hosts look broken")
    assert _report.details(host)[-1] == "  blocked: repair the host: 3 of 4 hosts look broken"


@pytest.mark.parametrize(
    ("check_mode", "became", "outcome"), [(False, "done", "repaired"), (True, "planned", "would_repair")]
)
def test_a_task_of_ansibles_own_is_a_step_when_it_changed_something(check_mode, became, outcome):
    link = task({"changed": True}, kind="sender.link", finding="fog.sender.missing_binary")
    host = read({"findings": [STALE], "repair": repair([link, task({"changed": False})], [])}, check_mode)
    assert host.outcome == outcome
    assert [(each["kind"], each["outcome"], each["finding"]) for each in host.steps] == [
        ("sender.link", became, "fog.sender.missing_binary")
    ]


def test_libraries_that_were_installed_first_come_first():
    prepared = [{"kind": "package.install", "what": "install the libraries", "result": {"changed": True}}]
    host = read({"findings": [], "prepared": prepared})
    assert (host.outcome, [each["kind"] for each in host.steps]) == ("healthy", ["package.install"])


def test_libraries_that_are_only_planned_leave_the_findings_unknown():
    prepared = [{"kind": "package.install", "what": "install the libraries", "result": {"changed": True}}]
    host = read({"prepared": prepared}, check_mode=True)
    assert host.outcome == "would_repair"
    assert _report.table([host])[1][0] == "fog1 | would repair | unknown  | would package.install"


HOSTS = (
    _report.Host("fog1", "fog", "healthy", (INFO,), (INFO,), ()),
    _report.Host("fog2", "fog", "repaired", (STALE, STALE, RECORD), (), (step("done"), step("done"))),
    _report.Host("fog3", "fog", "needs_person", (IMAGE, GATED), (IMAGE, GATED), ()),
)


def test_recap_is_one_line_with_every_outcome():
    assert _report.recap(HOSTS) == (
        "fleet 3 | healthy 1 | repaired 1 | would repair 0 | needs a person 1 | failed 0 | unreachable 0"
    )


def test_document_has_exactly_the_shape_of_the_contract():
    made = _report.document(HOSTS, "2030-01-02T03:04:05+00:00")
    assert made["version"] == 1
    assert made["generated"] == "2030-01-02T03:04:05+00:00"
    assert made["summary"] == {
        "healthy": 1,
        "repaired": 1,
        "would_repair": 0,
        "needs_person": 1,
        "failed": 0,
        "unreachable": 0,
    }
    assert set(made) == {"version", "generated", "summary", "hosts"}
    assert made["hosts"]["fog2"] == {
        "platform": "fog",
        "outcome": "repaired",
        "before": [STALE, STALE, RECORD],
        "after": [],
        "steps": [step("done"), step("done")],
    }


def test_the_baseline_of_a_head_node_is_in_the_report():
    saved = {"name": "HN1-CCP", "content_provider": "WDS", "configuration": "C:\\Images"}
    seen = {"findings": [], "baseline": []}
    looked = _report.host("hn1", "wds", seen, False, ())
    assert "baseline" not in _report.document([looked], "now")["hosts"]["hn1"]
    # It was saved by this run: what counts is the look afterwards.
    kept = {**seen, "repair": {"tasks": [], "refused": "", "verified": {"findings": [], "baseline": [saved]}}}
    acted = _report.host("hn1", "wds", kept, False, ())
    assert _report.document([acted], "now")["hosts"]["hn1"]["baseline"] == [saved]


@pytest.mark.parametrize(
    ("platform", "module", "key", "told"),
    [
        (
            "fog",
            "fog_storage_iface",
            "backup_file",
            "to undo {}: fog_multicast_reset with restore_from: B",
        ),
        (
            "wds",
            "wds_multicast_namespace",
            "backup_key",
            "before {} wrote, the store was copied to B",
        ),
    ],
)
def test_the_report_tells_where_the_backups_are(platform, module, key, told):
    tasks = [task({"changed": True, key: "B"}, kind=module), task({"changed": False, key: None}), task({})]
    host = _report.host("a", platform, {"findings": [STALE], "repair": repair(tasks, [])}, False, ())
    assert _report.document([host], "now")["hosts"]["a"]["backups"] == [{"module": module, "backup": "B"}]
    assert _report.undo(host) == [told.format(module)]


def test_a_head_node_is_not_said_to_be_proven_on_the_wire():
    acted = {"findings": [], "repair": {"tasks": [], "refused": "", "verified": {"findings": []}}}
    for platform, told in (("wds", ["net.probe.out_of_reach"]), ("fog", [])):
        host = _report.host("hn1", platform, acted, False, ())
        assert [each["id"] for each in host.after] == told
        assert host.outcome == "healthy"


def test_table():
    assert _report.table(HOSTS) == [
        ("host | outcome        | findings                                         | steps", ""),
        ("fog1 | healthy        | none                                             | none", "healthy"),
        ("fog2 | repaired       | fog.session.stale x2, fog.interface.record_stale | session.cancel x2", "repaired"),
        ("fog3 | needs a person | fog.image.missing, fog.node.many_masters         | none", "needs_person"),
    ]


def test_long_cells_are_folded():
    findings = [dict(STALE, id=f"fog.x.{number}") for number in range(9)]
    line = _report.table([_report.Host("a", "fog", "needs_person", tuple(findings), (), ())])[1][0]
    assert "fog.x.0, fog.x.1, fog.x.2, and 6 more " in line


@pytest.mark.parametrize(("became", "words"), [("done", "record corrected"), ("planned", "would correct the record")])
def test_a_corrected_record_is_called_just_that(became, words):
    steps = tuple(step(became, kind, "fog.interface.record_stale") for kind in ("node.update", "setting.update"))
    line = _report.table([_report.Host("a", "fog", "repaired", (RECORD,), (), steps)])[1][0]
    assert line.endswith(f"| {words}")


def test_a_corrected_record_beside_a_repair_is_a_step_like_the_others():
    steps = (step("done", "node.update", "fog.interface.record_stale"), step("done"))
    line = _report.table([_report.Host("a", "fog", "repaired", (RECORD, STALE), (), steps)])[1][0]
    assert line.endswith("| node.update, session.cancel")


def test_details_say_what_a_person_has_to_do():
    assert _report.details(HOSTS[2]) == [
        "fog3 needs a person:",
        "  fog.image.missing (error) image 2: The image is gone.",
        f"    repair: {IMAGE['repair']}",
        "  fog.node.many_masters (error) group 1: Two masters.",
        f"    repair: {GATED['repair']}",
        "    set:    fog_multicast_master: true",
    ]
    assert _report.details(HOSTS[0]) == []
    assert _report.details(HOSTS[1]) == []


def test_details_name_the_variable_of_a_blocked_step():
    steps = (step("blocked", "service.restart", gate="fog_multicast_allow_restart", detail="session 4 is being sent"),)
    assert _report.details(_report.Host("a", "fog", "needs_person", (), (), steps))[1:] == [
        "  blocked: do service.restart: session 4 is being sent",
        "    set:    fog_multicast_allow_restart: true",
    ]


def test_details_are_folded():
    lines = _report.details(_report.Host("a", "fog", "needs_person", (), (IMAGE,) * 14, ()))
    assert lines[-1] == "  and 4 more findings: see report.json"
    assert len(lines) == 1 + 2 * 10 + 1


def test_verdict_is_one_sentence_for_a_host_that_is_not_in_order():
    assert _report.verdict(HOSTS[0]) == ""
    assert _report.verdict(HOSTS[2]) == (
        "needs a person: fog.image.missing: The image is gone.; fog.node.many_masters: Two masters."
    )
    failed = _report.Host("a", "fog", "failed", (STALE,), (STALE,), (step("failed", detail="disk full"),))
    assert _report.verdict(failed) == "failed: do session.cancel: disk full"


def test_text_of_a_database_cannot_move_the_cursor():
    ugly = dict(IMAGE, subject="image \x1b[2J\r\n", summary="gone\x07")
    host = _report.Host("a\nb", "fog", "needs_person", (ugly,), (ugly,), ())
    text = "".join([_report.verdict(host), *_report.details(host), *(line for line, _outcome in _report.table([host]))])
    assert text.isprintable()


def test_secrets_are_hidden_where_a_host_can_say_them_and_nowhere_else():
    text = "login with stale-secret refused"
    said = dict(STALE, subject=text, summary=text, evidence=[text], cause="about stale-secret", id="stale-secret")
    told = dict(step("failed", detail=text), what=text, target={"a": [text, 3]}, before={"a": {"b": text}}, after={})
    one = _report.Host("stale-secret", "fog", "failed", (said,), (said,), (told,), ({"name": text},))
    made = _report.without_secrets(one, ["stale-secret", "stale"])
    hidden = "login with (hidden) refused"
    assert made.name == one.name
    assert made.before == made.after == (dict(said, subject=hidden, summary=hidden, evidence=[hidden]),)
    assert made.steps[0]["what"] == made.steps[0]["detail"] == hidden
    assert made.steps[0]["target"] == {"a": [hidden, 3]}
    assert made.steps[0]["before"] == {"a": {"b": hidden}}
    assert made.baseline == ({"name": hidden},)


def test_a_short_secret_tears_no_word_apart():
    one = _report.host("a", "fog", {"findings": [STALE]}, False, ())
    assert _report.without_secrets(one, ["", "a", "is"]) is one


def test_a_host_in_a_few_words():
    assert _report.headline(_report.host("a", "fog", {"findings": [STALE, STALE]}, False, ())) == "fog.session.stale x2"
    assert _report.headline(_report.host("a", "fog", {"findings": []}, False, ())) == "none"
    assert _report.headline(_report.host("a", "fog", None, False, ())) == "unknown"
    lost = {"unreachable": True, "msg": "no route"}
    assert _report.headline(_report.host("a", "fog", lost, False, ())) == "did not answer"

"""Fleets that never were, for the tests of the report and the picture in docs/report.md."""

from typing import Any

from ansible_collections.imaging.multicast.plugins.module_utils._findings import finding
from ansible_collections.imaging.multicast.plugins.module_utils._steps import Result, Step
from ansible_collections.imaging.multicast.plugins.plugin_utils import _history, _report

#: When the last run of :func:`history` was.
NOW = "2026-11-22T12:00:00+00:00"


def step(
    kind: str, what: str, cures: str | None, outcome: str = "done", gate: str | None = None, **fields: Any
) -> dict[str, Any]:
    before = {name: value[0] for name, value in fields.items()}
    after = {name: value[1] for name, value in fields.items()}
    detail = f"set {gate} to true to allow it" if outcome == "blocked" else ""
    return Result(Step(kind, what, {"id": 1}, before, after, cures, gate), outcome, detail).as_dict()


def stale() -> dict[str, Any]:
    return finding(
        "fog.session.stale",
        "session 41",
        "Session 41 (win11-lab) is active, but nothing has shown life for 3 h 12 min.",
        ("msID 41, msState 3, msStartDateTime 2026-11-22 08:40:11", "no udp-sender with --portbase 63118"),
    ).as_dict()


def vanished() -> dict[str, Any]:
    return finding(
        "wds.namespace.missing",
        "namespace HN-CCP",
        "The namespace HN-CCP is gone from the store.",
        ("HKLM\\SYSTEM\\CurrentControlSet\\Services\\WDSServer: no key HN-CCP", "event 771 at 2026-11-22 07:12:44"),
    ).as_dict()


def image() -> dict[str, Any]:
    return finding(
        "fog.image.missing", "session 7", "The image of session 7 (ubuntu-kiosk) is not at /images/ubuntu-kiosk."
    ).as_dict()


def log() -> dict[str, Any]:
    return finding("fog.log.silent", "FOGMulticastManager", "multicast.log has not grown for 40 minutes.").as_dict()


def proof(platform: str, number: int) -> dict[str, Any]:
    """What a repair adds to what was found: of head nodes nothing can be proven on the wire."""
    if platform == "wds":
        summary = "The namespace was looked at again; that a node receives by it was not tried."
        return finding("net.probe.out_of_reach", "head node", summary).as_dict()
    if number % 10 == 1:
        return finding("net.probe.alone", "sender", "The server received its own 16 MiB.").as_dict()
    lines = ("client1: SHA-256 5b3c", "client2: SHA-256 5b3c")
    return finding("net.probe.proven", "sender", "16 MiB reached client1, client2.", lines).as_dict()


def host(name: str, number: int) -> _report.Host:
    """The outcome goes with the number: one of ten needs something, so that all six outcomes are there in any ten."""
    platform = "wds" if name.startswith("hn") else "fog"
    cancel = step("session.cancel", "Cancel session 41", "fog.session.stale", msState=(3, 5))
    create = step("namespace.create", "Create namespace HN-CCP", "wds.namespace.missing", namespace=("", "HN-CCP"))
    sick = vanished() if platform == "wds" else stale()
    lost = finding(
        "wds.provider.missing", "namespace HN-CCP", "The content provider HpcDriver is not registered."
    ).as_dict()
    left, waiting = (lost, vanished()) if platform == "wds" else (image(), log())
    blocked = (
        step("feature.reinstall", "Reinstall WDS-Transport", waiting["id"], "blocked", "wds_multicast_allow_reinstall")
        if platform == "wds"
        else step("service.restart", "Restart the service", waiting["id"], "blocked", "fog_multicast_allow_restart")
    )
    cure = create if platform == "wds" else cancel
    kinds = {
        1: (_report.REPAIRED, (sick,), (proof(platform, number),), (cure,)),
        2: (_report.REPAIRED, (sick,), (proof(platform, number),), (cure,)),
        3: (_report.NEEDS_PERSON, (left,), (left,), ()),
        4: (_report.NEEDS_PERSON, (waiting,), (waiting,), (blocked,)),
        5: (
            _report.UNREACHABLE,
            (),
            (),
            (dict(step("host.look", "look at the host", None, "failed"), detail="No route to host"),),
        ),
        6: (
            _report.BROKEN_RUN,
            (sick,),
            (sick,),
            (dict(cure, outcome="failed", detail="The disk is full"),),
        ),
        7: (_report.WOULD_REPAIR, (sick,), (sick,), (dict(cure, outcome="planned"),)),
    }
    outcome, before, after, steps = kinds.get(number % 10, (_report.HEALTHY, (), (), ()))
    saved = {
        "module": "fog_multicast_reset",
        "backup": "/var/backups/imaging.multicast/fog-20261122T115904Z-k3x0a1bc.json",
    }
    backups = (saved,) if platform == "fog" and outcome == _report.REPAIRED else ()
    return _report.Host(name, platform, outcome, before, after, steps, backups=backups)


def fleet(count: int) -> list[_report.Host]:
    """So many hosts: head nodes hn001..., and each third a FOG server."""
    return [
        host(f"fog{number // 3 + 1}.example.org" if number % 3 == 0 else f"hn{number:04}", number)
        for number in range(1, count + 1)
    ]


def history(name: str, days: tuple[int, ...] = (2, 9, 22)) -> list[_history.Recurrence]:
    """Namespaces that vanished on these days of November and were brought back each time."""
    runs = []
    for day in days:
        when = f"2026-11-{day:02}T06:00:00+00:00"
        one = _report.Host(name, "wds", _report.REPAIRED, (vanished(),), (), ())
        runs.append(_history.run([one], when, False))
    return _history.recurrences(runs, NOW)

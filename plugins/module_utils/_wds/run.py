# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flows: from a module's parameters to its result, over a channel to one head node.

A flow never takes another look than :func:`_look`; check mode leaves apply out and nothing else.
"""

import time
from functools import partial
from typing import Any, Callable, Dict, List, Mapping

from .._flow import Failure, as_dicts
from .._steps import Plan, Result, finish
from . import names, view
from .channel import Channel
from .diagnose import Wish, diagnose, suspicious
from .snapshot import Snapshot, observe

Tell = Callable[[str], None]

_LONGEST = 3650  # days
_DAY = 86400  # seconds

# Option -> what checks its value before anything is sent.
_CHECKS: Dict[str, Callable[[str], str]] = {
    "name": names.namespace_name,
    "content_provider": names.content_provider,
    "configuration": names.configuration,
    "friendly_name": names.friendly_name,
    "description": names.description,
}


def info(channel: Channel, params: Mapping[str, Any]) -> Dict[str, Any]:
    """The work of wds_multicast_info: look, and tell. Writes nothing.

    :raises Failure: an option cannot be used.
    :raises ChannelError: the host cannot be asked.
    """
    wish = _wish(params)
    _within(params, "since", 1, _LONGEST)
    seen = observe(
        channel,
        partial(suspicious, wish=wish),
        deployment_logs=_checked_folders(params["deployment_logs"]),
        since=params["since"],
        deployments=params["deployments"],
    )
    return dict(view.everything(seen, wish.name), changed=False, findings=as_dicts(diagnose(seen, wish)))


def namespace(
    channel: Channel,
    params: Mapping[str, Any],
    check_mode: bool,
    tell: Tell,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Dict[str, Any]:
    """The work of wds_multicast_namespace: bring a namespace back, correct it, keep its definition, or remove it.

    :raises Failure: an option cannot be used, or a step failed; with all of the result.
    :raises ChannelError: the host cannot be asked; nothing was done.
    """
    from .plan import meant, plan_namespace, source

    wish = _wish(params)
    before = after = _look(channel, wish)
    plan = plan_namespace(before, wish, params["state"], params["save_baseline"], params["force"])
    results: List[Result] = []
    backup = None
    if plan.steps:
        from .apply import Worker

        worker = Worker(channel, partial(_look, channel, wish), before, tell, params["force"], clock, sleep)
        results = worker.carry_out(plan.steps, check_mode)
        after, backup = worker.seen, worker.backup_key
    name = next(iter(meant(before, wish, params["state"])), "")
    return finish(
        plan,
        results,
        diagnose(before, wish),
        diagnose(after, wish),
        namespace=name or None,
        before=view.namespace(before, name),
        after=view.namespace(after, name),
        source=source(before, wish, plan),
        backup_key=backup,
    )


def transport_server(
    channel: Channel,
    params: Mapping[str, Any],
    check_mode: bool,
    tell: Tell,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Dict[str, Any]:
    """The work of wds_transport_server: start WDSServer, or install WDS-Transport anew.

    :raises Failure: as :func:`namespace`.
    :raises ChannelError: as :func:`namespace`.
    """
    from .plan import REBOOT_GATE, consent, needs_reboot, plan_reinstall, plan_started

    wish = _wish(params)
    for option in ("reboot_timeout", "namespace_timeout"):
        _within(params, option, 1, _DAY)
    before = after = _look(channel, wish)
    reinstall = params["state"] == "reinstalled"
    plan = plan_reinstall(before, wish, params["force"]) if reinstall else plan_started(before)
    gate = None
    if needs_reboot(plan) and not params["allow_reboot"]:
        plan, gate = Plan(refusal=consent(plan)), REBOOT_GATE
    results: List[Result] = []
    backup, reboots = None, 0
    if plan.steps:
        from .apply import Worker
        from .reinstall import Patience, Reinstall

        worker = Worker(channel, partial(_look, channel, wish), before, tell, params["force"], clock, sleep)
        if reinstall and not check_mode:
            again = Reinstall(worker, wish, Patience(params["reboot_timeout"], params["namespace_timeout"]))
            results = again.carry_out(plan.steps)
            reboots = again.reboots
            if again.stage:
                note = f"The head node keeps its place in the reinstall (stage {again.stage}): run again to go on there"
                plan = plan._replace(notes=(*plan.notes, note))
        else:
            results = worker.carry_out(plan.steps, check_mode)
        after, backup = worker.seen, worker.backup_key
    return finish(
        plan,
        results,
        diagnose(before, wish),
        diagnose(after, wish),
        before=view.transport(before),
        after=view.transport(after),
        reboots=reboots,
        gate=gate,
        backup_key=backup,
    )


def _look(channel: Channel, wish: Wish) -> Snapshot:
    return observe(channel, partial(suspicious, wish=wish), deployments="never")


def _wish(params: Mapping[str, Any]) -> Wish:
    """What the options ask for. :raises Failure: a value cannot be used."""
    for option, check in _CHECKS.items():
        if params.get(option) is not None:
            _valid(check, params[option])
    return Wish(**{field: params.get(field) for field in Wish._fields})


def _within(params: Mapping[str, Any], option: str, least: int, most: int) -> None:
    """:raises Failure: a number is too small or too large."""
    if not least <= params[option] <= most:
        raise Failure(f"{option} is {params[option]}: it must be a number from {least} to {most}")


def _checked_folders(folders: List[str]) -> List[str]:
    return [_valid(names.folder, folder) for folder in folders]


def _valid(check: Callable[[str], str], value: str) -> str:
    try:
        return check(value)
    except names.ValueRefused as error:
        text = str(error)
        raise Failure(text[:1].upper() + text[1:]) from None

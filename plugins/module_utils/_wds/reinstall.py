# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Apply, the reinstall: the published workaround as a state machine that keeps its place on the host.

Each stage is written to the registry before its work begins, so a run that is cut off anywhere, also between the two
reboots, is continued by the next. A reboot is waited for by boot identity, never by time alone.
"""

from contextlib import suppress
from typing import Dict, List, NamedTuple, Optional, Tuple

from .. import _steps
from .._flow import Failure
from .._steps import DONE, FAILED, Result, Step
from . import builds, writes
from .apply import FORESEEN, Worker
from .channel import ChannelError, DeniedError, FrameError, LostError, ShellLimitError
from .diagnose import Wish, healthy
from .diagnose_namespaces import find, listed
from .plan_base import WDS, baseline_steps, unfamiliar, unknown
from .plan_namespace import plan_namespace
from .plan_reinstall import REMOVE, RESTORE, against
from .plan_service import plan_started
from .registry import fold, parse_registry
from .snapshot import Place, Snapshot
from .store import read_place, read_settings

_PAUSE, _LONGEST_PAUSE = 2.0, 15.0


class Patience(NamedTuple):
    """Seconds: how long to wait for each reboot, and for the namespace after the last one."""

    reboot: float
    namespace: float


class Reinstall:
    """Carries the steps of :func:`plan_reinstall.plan_reinstall` out.

    ``wish`` may hold the definition of the namespace that must be served in the end; all others have baselines.
    ``reboots`` counts those that were waited for; ``stage`` is the newest one on the host, "" once it is over.
    """

    def __init__(self, worker: Worker, wish: Wish, patience: Patience) -> None:
        self.reboots = 0
        self.stage = worker.seen.place.stage if worker.seen.place else ""
        self._worker, self._wish, self._patience = worker, wish, patience
        place = worker.seen.place
        self._continued = place is not None
        self._started = place.started if place is not None and place.started else worker.seen.time
        # A run that goes on adds to the copy that the first one made.
        self._stamp = writes.stamp_of(self._started) or writes.stamp_of(worker.seen.time)
        self._names: Optional[List[str]] = None
        self._restored: Dict[Tuple[str, str], Result] = {}

    def carry_out(self, steps: Tuple[Step, ...]) -> List[Result]:
        """Carry the steps out in their order, and what it takes to bring the namespaces back. Stops at what fails."""
        results = _steps.carry_out(steps, self._worker.guarded(self._one), FORESEEN)
        self._worker.tidy()
        if not self._worker.denied and any(result.outcome == FAILED for result in results):
            # What failed may have changed the host since it was looked at last. Why it failed is what counts.
            with suppress(ChannelError):
                self._worker.look()
        return [*results[:-1], *self._restored.values(), *results[-1:]]

    def _one(self, step: Step) -> Tuple[str, str]:
        noun = step.kind.split(".")[0]
        if noun == "baseline":
            return self._worker.one(step)
        if noun == "feature":
            return self._feature(step)
        if noun == "host":
            return self._reboot(step)
        return self._restore(step)

    def _feature(self, step: Step) -> Tuple[str, str]:
        worker = self._worker
        worker.back_up()
        objection = self._against(step, worker.look())
        if objection:
            # Not skipped: the steps after it make no sense without it.
            return FAILED, objection
        if step.target["stage"] == REMOVE and worker.seen.service.installed:
            worker.back_up_whole(self._stamp)
        build = builds.lookup(worker.seen.server.build)
        tool = build.feature_tool if build else ""
        self._keep_place(step.target["stage"])
        worker.tell(f"{step.what}: this takes minutes")
        answers = worker.channel.run((writes.feature(step.kind, tool),))
        verdict = writes.verdict(answers["feature"], tool)
        return (DONE if verdict.goes_on else FAILED), verdict.text

    def _against(self, step: Step, now: Snapshot) -> str:
        """Why a feature must not be touched on the host as it is now."""
        if unfamiliar(now):
            return unfamiliar(now)
        if step.target["stage"] != REMOVE:
            return ""
        if not self._worker.force:
            if unknown(now):
                return unknown(now)
            if not self._continued and against(now):
                return against(now)
        lost = baseline_steps(now, [each for each in now.store if each.complete])
        return f"the definition of {lost[0].target['namespace']} changed meanwhile: run again" if lost else ""

    def _reboot(self, step: Step) -> Tuple[str, str]:
        worker = self._worker
        before = worker.look().server.boot
        if not before:
            return FAILED, "the time of the last boot could not be read, so the reboot could not be told: run again"
        self._keep_place(step.target["stage"])
        worker.tell(f"{step.what}: waiting up to {self._patience.reboot:.0f} s")
        try:
            items = writes.reboot()
            answers = worker.channel.run(items)
        except (FrameError, LostError):
            # It may have gone down before it answered; whether it did, its boot identity tells.
            pass
        else:
            if answers["reboot"].code not in (0, writes.SHUTTING_DOWN):
                said = writes.evidence(items, answers)
                return FAILED, f"the host does not reboot ({said}): reboot it by hand, then run again"
        identity = worker.channel.await_boot(before, self._patience.reboot, worker.show)
        self.reboots += 1
        return DONE, f"the host was booted at {identity}"

    def _wanted(self) -> List[str]:
        """The namespaces to bring back: those that were there when the reinstall began. What is not among them may
        have been removed on purpose, although its baseline is kept."""
        if self._names is None:
            answers = self._worker.channel.run((writes.read_place_command(),))
            there = [each.name for each in self._worker.seen.store if each.complete]
            self._names = list(dict.fromkeys([*writes.namespaces_of_place(answers["place"]), *there]))
        return self._names

    def _restore(self, step: Step) -> Tuple[str, str]:
        worker, name = self._worker, step.target["namespace"]
        self._keep_place(RESTORE)
        worker.tell(f"{step.what}, up to {self._patience.namespace:.0f} s")
        deadline, pause = worker.clock() + self._patience.namespace, _PAUSE
        while True:
            reason = self._try_to_restore(name)
            if reason is None:
                return self._end(name)
            if worker.clock() >= deadline:
                return FAILED, (
                    f"after {self._patience.namespace:.0f} s {reason}. Give content_provider and configuration, or "
                    "reinstall the software that made the namespace; then run again, which continues here without "
                    "another reboot"
                )
            worker.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _try_to_restore(self, name: str) -> Optional[str]:
        """Start the service and bring back what has a definition; None once the namespace is served, else why not."""
        worker = self._worker
        try:
            now = worker.look()
            plan = plan_started(now)
            reasons = [plan.refusal, *self._carry_out(plan.steps)]
            wanted = list(dict.fromkeys([name, *self._wanted()]))
            for each in wanted:
                if find(worker.seen.store, each) is None:
                    wish = self._wish if fold(each) == fold(name) else Wish()
                    plan = plan_namespace(worker.seen, wish._replace(name=each), save_baseline=False)
                    reasons += [plan.refusal, *self._carry_out(plan.steps)]
        except (DeniedError, ShellLimitError):
            raise
        except ChannelError as error:
            # Services are still coming up after the reboot.
            return str(error)
        absent = [each for each in wanted if not healthy(worker.seen, each)]
        if not absent:
            return None
        why = "; ".join(dict.fromkeys(each.rstrip(".") for each in reasons if each))
        return f"{WDS} does not serve {listed(absent)}" + (f": {why}" if why else "")

    def _carry_out(self, steps: Tuple[Step, ...]) -> List[str]:
        """Carry steps out and remember the newest result of each; why those that were not done were not."""
        results = _steps.carry_out(steps, self._worker.one, (Failure,))
        for result in results:
            self._restored[result.step.kind, str(sorted(result.step.target.items()))] = result
        return [result.detail for result in results if result.outcome != DONE]

    def _end(self, name: str) -> Tuple[str, str]:
        """The namespace is served: what failed on the way there failed no longer."""
        self._restored = {key: result for key, result in self._restored.items() if result.outcome == DONE}
        worker = self._worker
        differences = self._differences()
        worker.channel.run(writes.end_place())
        if worker.look().place is not None:
            return FAILED, (
                "the place of the reinstall could not be deleted: delete the key "
                "HKLM\\SOFTWARE\\imaging.multicast\\Reinstall by hand"
            )
        self.stage = ""
        return DONE, f"namespace {name} is served{differences}"

    def _differences(self) -> str:
        """A clause on the settings that the reinstall changed; "" when it changed none.

        They are not put back: one of them may have been what was wrong.
        """
        answers = self._worker.channel.run(writes.compare(self._stamp))
        key = writes.whole(self._stamp)
        was = read_settings(parse_registry(answers["copied"].output), key)
        now = read_settings(parse_registry(answers["now"].output))
        # Without a copy there was nothing to remove.
        changes = [
            f"{each} was {was.get(each, 'not set')} and is {now.get(each, 'not set')} now"
            for each in dict.fromkeys([*was, *now])
            if was and was.get(each) != now.get(each)
        ]
        if not changes:
            return ""
        return f"; its settings are not all as they were: {'; '.join(changes)}. What WDSServer's key held is in {key}"

    def _keep_place(self, stage: str) -> None:
        """Write the stage to the host before its work. :raises Failure: it is not there afterwards."""
        place = Place(stage, self._worker.seen.server.boot, self._started)
        items = writes.keep_place(place, self._wanted())
        answers = self._worker.channel.run(items)
        if read_place(parse_registry(answers["place"].output)) != place:
            raise Failure(
                f"the stage {stage} could not be written to the host ({writes.evidence(items[:1], answers)}), so "
                "nothing was done: look whether the user may write to HKLM\\SOFTWARE"
            )
        self.stage = stage

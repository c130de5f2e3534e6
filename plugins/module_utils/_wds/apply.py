# Copyright: (c) imaging.multicast contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The apply room: carries planned steps out, one at a time, each only while its before-state still holds.

Around each write: the whole store is copied, the host is looked at again, the write is done, and the host is looked at
once more. That last look says whether it was done; exit code and text of the program are evidence (facts/windows.md
section 3). Every step is safe to be cut off after.
"""

import time
from typing import Any, Callable, List, Optional, Sequence, Tuple

from .. import _steps
from .._flow import Failure
from .._steps import DONE, FAILED, SKIPPED, Result, Step
from . import writes
from .batch import Item
from .channel import Channel, ChannelError, DeniedError, FrameError, LostError, ShellLimitError
from .plan_base import current, objection
from .registry import Tree, parse_registry
from .services import RUNNING, START_PENDING
from .snapshot import Namespace, Snapshot
from .store import NAMESPACES, PARAMETERS, STORE, read_namespaces, read_parameters

Look = Callable[[], Snapshot]
Tell = Callable[[str], None]
One = Callable[[Step], Tuple[str, str]]

#: What can be foreseen to go wrong while a step is carried out.
FORESEEN = (ChannelError, Failure)
# Seconds: how long a write may take to show, and a service to come up.
_PATIENCE, _START = 5.0, 60.0
_PAUSE = 1.0


class Worker:
    """Carries steps out on one head node.

    ``seen`` is the newest look; ``show`` takes a line of progress as it is; ``denied``: the host refused to be asked.
    ``backup_key`` is the registry key of the newest backup, None while there is none.
    """

    def __init__(
        self,
        channel: Channel,
        look: Look,
        seen: Snapshot,
        tell: Tell,
        force: bool = False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.channel, self.seen, self.force = channel, seen, force
        self.clock, self.sleep = clock, sleep
        self.denied = False
        self.backup_key: Optional[str] = None
        self.show = tell
        self._look = look
        self._saved: Optional[Tuple[Namespace, ...]] = None
        self._stamps: List[str] = []
        self._superfluous: Tuple[str, ...] = ()

    def carry_out(self, steps: Sequence[Step], check_mode: bool = False) -> List[Result]:
        """Carry the steps out in their order; in check mode do nothing and say so. A failed one ends it."""
        results = _steps.carry_out(steps, self.guarded(self.one), FORESEEN, check_mode)
        self.tidy()
        return results

    def guarded(self, one: One) -> One:
        """``one``, noting that the host refuses: it is not asked again, for each attempt counts towards a lock-out."""

        def noting(step: Step) -> Tuple[str, str]:
            try:
                return one(step)
            except (DeniedError, ShellLimitError):
                self.denied = True
                raise

        return noting

    def look(self) -> Snapshot:
        """Look again."""
        self.seen = self._look()
        return self.seen

    def tell(self, line: str) -> None:
        """Show a line of progress, for what takes longer than seconds."""
        self.show(f"{self.channel.where}: {line}")

    def one(self, step: Step) -> Tuple[str, str]:
        """Carry one step out: its outcome, and why or how.

        :raises ChannelError: the host cannot be asked.
        :raises Failure: the backup failed, so nothing was written.
        """
        objected = self.prepare(step)
        if objected:
            return SKIPPED, objected
        items = writes.write(step, self.seen, self.force)
        try:
            said = writes.evidence(items, self.channel.run(items))
        except (LostError, FrameError) as error:
            return self._after_a_break(step, error)
        if self._holds(step):
            return DONE, ""
        return FAILED, f"afterwards the host shows {_shown(current(step, self.seen))} ({said})"

    def prepare(self, step: Step) -> str:
        """Back the store up and look again; why the step must not be done now, "" when it may.

        :raises ChannelError, Failure: as :meth:`one`.
        """
        self.back_up()
        if self.look().store != self._saved:
            return "the store changed while it was backed up: run again"
        return objection(step, self.seen, self.force)

    def back_up(self) -> None:
        """Copy the whole store, unless this run has copied it as it is now.

        :raises Failure: the copy is not there, or is not whole.
        """
        store = self.seen.store
        if store and store != self._saved:
            stamp = self._stamp()
            key = f"{writes.BACKUPS}\\{stamp}"
            self._copy(writes.backup(stamp), key, lambda copy: sorted(read_namespaces(copy, key)) == sorted(store))
            self.backup_key = key
        self._saved = store

    def back_up_whole(self, stamp: str) -> None:
        """Copy all of WDSServer's key. What a copy of that stamp holds already stays in it.

        :raises Failure: as :meth:`back_up`.
        """
        key, seen = writes.whole(stamp), self.seen

        def holds(copy: Tree) -> bool:
            names = {each.name for each in read_namespaces(copy, key + NAMESPACES[len(STORE) :])}
            parameters = read_parameters(copy, key + PARAMETERS[len(STORE) :])
            return names >= {each.name for each in seen.store} and parameters.items() >= dict(seen.parameters).items()

        self._copy(writes.backup_whole(stamp), key, holds)

    def _copy(self, items: Sequence[Item], key: str, holds: Callable[[Tree], bool]) -> None:
        answers = self.channel.run(items)
        if answers["backup"].code != 0 or not holds(parse_registry(answers["copied"].output)):
            raise Failure(
                f"the store could not be backed up to {key} ({writes.evidence(items[:1], answers)}), so nothing was "
                "changed: look whether the user may write to HKLM\\SOFTWARE"
            )
        children = parse_registry(answers["backups"].output).children(writes.BACKUPS)
        self._superfluous = writes.superfluous([each.name for each in children])

    def tidy(self) -> None:
        """Let old backups go. What does not succeed is left to the next run: nothing depends on it."""
        stamps, self._superfluous = self._superfluous, ()
        if stamps and not self.denied:
            try:
                self.channel.run(writes.forget(stamps))
            except ChannelError:
                return

    def _after_a_break(self, step: Step, error: ChannelError) -> Tuple[str, str]:
        """The connection broke in the write: the host says whether it was done."""
        try:
            done = self._holds(step)
        except (DeniedError, ShellLimitError):
            raise
        except ChannelError:
            return FAILED, str(error)
        if done:
            return DONE, "the connection broke meanwhile; the host shows that it was done"
        return FAILED, str(error)

    def _holds(self, step: Step) -> bool:
        """Look until the host shows what the step shall bring, or for so long as that may take."""
        deadline = self.clock() + (_START if step.kind == "service.start" else _PATIENCE)
        while dict(current(step, self.look())) != dict(step.after):
            late = self.clock() >= deadline
            if late or (step.kind == "service.start" and self.seen.service.state not in (START_PENDING, RUNNING)):
                return False
            self.sleep(_PAUSE)
        return True

    def _stamp(self) -> str:
        """A name for a backup, from the time of the look; of one second there may be more than one."""
        stamp = writes.stamp_of(self.seen.time)
        same = sum(each.partition("-")[0] == stamp for each in self._stamps)
        self._stamps.append(stamp if not same else f"{stamp}-{same + 1}")
        return self._stamps[-1]


def _shown(state: Any) -> str:
    return ", ".join(f"{key} {value}" for key, value in sorted(state.items())) or "nothing there"

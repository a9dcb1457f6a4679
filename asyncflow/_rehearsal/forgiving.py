"""What lets a rehearsal go on whatever goes wrong in it, so that all that is wrong is found at once.

What a run would refuse, and what code raises, becomes a finding, worded in `findings.py`, and something stands in for
the value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from copy import copy
from typing import TYPE_CHECKING, Any

from .._core import arguments
from .._core.states import CANCELLING, NOW
from .._core.story import place_in
from .._core.task import Task
from .._inspect.frames import HERE, Site, users_frame, users_site
from .._runtime import inputs
from .._runtime.call import Call
from .._runtime.failures import Failures
from .._runtime.foreign import all_awaited
from .._runtime.future import TaskFuture
from .._runtime.scope import SCOPE, waits_for
from .._runtime.timeouts import Timeouts
from .._runtime.unseen import Unseen
from ..errors import TooManyTasks
from ..plan.tasks import Finding
from . import findings
from .decision_log import NUMBERED
from .dry_run import DryRun

if TYPE_CHECKING:
    from .rehearsal import Rehearsal


class Enough(BaseException):
    """Ends code that calls tasks without end. No Exception: a loop may catch those, and go on."""


class Findings:
    """What is wrong; what is wrong again and again, once."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._told: set[str] = set()

    def take(self, finding: Finding) -> None:
        """Take note of something that is wrong; what differs by the numbers of tasks alone is the same."""
        told = NUMBERED.sub("", f"{finding.where} {finding.what}")
        if told not in self._told:
            self._told.add(told)
            self.findings.append(finding)


class ForgivingFailures(Failures):
    """As of any run, but that no task fails."""

    forgiving: Forgiving

    def failed(self, task: Any, error: BaseException) -> None:
        """What fails is noted, and the rehearsal goes on."""
        if task.story & NOW == CANCELLING:
            super().failed(task, error)
        else:
            self.forgiving.failed(task, error)


class Untimed(Timeouts):
    """No clock runs: how long a block takes here says nothing of the real one, in which tasks take time."""

    def arm(self, tasks: Iterable[Task], gone: float = 0.0) -> None:
        """Start none."""


class Unwatched(Unseen):
    """Nobody is told of failures in a rehearsal but by its findings."""

    def watch(self, future: TaskFuture[object]) -> None:
        """Have no failure told of."""
        future._log_traceback = False

    def dropped(self, future: TaskFuture[object]) -> None:
        """Nothing was watched."""

    def tell(self) -> None:
        """There is nothing to tell."""


class Forgiving:
    """What has gone wrong in one rehearsal.

    Args:
        run: the rehearsal.
    """

    def __init__(self, run: Rehearsal) -> None:
        self._run = run
        self.found = Findings()
        self.interrupt: BaseException | None = None
        self.has_enough = False
        self.site: Site = (None, 0)
        """Where the rehearsal was asked for, which counts where no other line of the user's does."""

    # -- calls that a run would refuse --------------------------------------------------------------------

    def too_many(self, call: Call, error: TooManyTasks) -> Enough:
        """What ends the code that makes calls without an end."""
        if not self.has_enough:
            self.has_enough = True
            where = place_in(*users_site(call.code, call.at, self.site))
            self.found.take(findings.endless(error.name, error.most, where))
        return Enough()

    def refused(self, call: Call, error: Exception) -> TaskFuture[object]:
        """A run would have raised an error instead of taking a call: take note of that, and of the call."""
        definition = call.definition
        given = self._futures_in([*call.args, *call.kwargs.values()])
        futures, order = self._usable(given), self._usable(self._futures_in(all_awaited(call.after)))
        for each in given:
            if isinstance(each._run, DryRun):  # perhaps of another engine
                each._run.used(each)
        ends = (*[each.name for each in given], definition.name)
        code, at = users_site(call.code, call.at, self.site)
        self.found.take(findings.of_call(error, place_in(code, at), ends))
        alone = copy(definition)
        alone.is_block = alone.is_command = False
        alone.timeout, alone.ends_plainly = None, True
        alone.needs = alone.retries = alone.deadline = None
        if callable(definition.options.example):
            alone.options = definition.options.without("example")
        future = DryRun.take(self._run, Call(alone, (), {}, code, at))
        self._run.notes.refused(future, call, futures, order)
        return future

    def _futures_in(self, value: object) -> list[TaskFuture[object]]:
        try:
            return arguments.scan_value(value, inputs.KINDS, self._run.wiring.adopt)[0]
        except Exception:
            return []  # that is what was wrong

    def _usable(self, futures: list[TaskFuture[object]]) -> list[TaskFuture[object]]:
        """Those of them that what is called here may depend on."""
        run = self._run
        inside = run.scheduler.owner(SCOPE.get().block)
        return [
            own
            for own in map(run.own, futures)
            if own._run is run
            and own.id in run.notes.by_id
            and (inside is None or own.done() or not waits_for(inside, own))
        ]

    # -- what code does with tasks and futures ------------------------------------------------------------

    def misnamed(self, name: str, error: Exception) -> None:
        """Something that is not there was named, as by an option of a task: go on without it."""
        where = place_in(*users_site(*HERE, self.site))
        self.found.take(findings.of_call(error, where, (name,)))

    def misused(self, future: TaskFuture[object], error: TypeError) -> None:
        """A future was taken for its value."""
        frame = users_frame() if self._run.closed is None else None
        if frame is not None:  # else it is we who look at it
            where = place_in(frame.f_code, frame.f_lasti)
            in_words = TypeError(str(error).replace(repr(future), f"what {future.name!r} gives"))
            self.found.take(findings.of_call(in_words, where, (future.name,)))

    # -- code that fails ----------------------------------------------------------------------------------

    def failed(self, task: Any, error: BaseException) -> None:
        """A block, or what stands in for a task, has raised something: let something stand in."""
        run = self._run
        if isinstance(error, KeyboardInterrupt):
            self.interrupt = error
        elif not isinstance(error, Enough):
            told = findings.of_code(task, error, run.notes.inside(task.id or None), run.notes.value_of)
            if isinstance(told, Finding):
                self.found.take(told)
            else:
                run.decided.note(told)
        run.timeouts.disarm(task)
        asyncio.Future.set_result(task, None if task.id == 0 else run.noop.stand_in(task))
        run.scheduler.succeeded(task)

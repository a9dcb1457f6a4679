"""A dry run that no error ends, so that all that is wrong is found at once.

What a run would refuse, and what code raises, becomes a finding, worded in `findings.py`, and something stands in for
the value.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from types import CodeType
from typing import Any, cast

from .._core import arguments
from .._core.states import CANCELLING, NOW
from .._core.story import place_in
from .._core.task import Definition, Lane, Task
from .._inspect.frames import HERE, Site, users_frame, users_site
from .._runtime import inputs
from .._runtime.endings import Endings
from .._runtime.foreign import all_awaited
from .._runtime.future import TaskFuture
from .._runtime.scope import SCOPE, waits_for
from .._runtime.unseen import Unseen
from ..errors import TooManyTasks
from ..plan.tasks import Finding
from . import findings
from .commands import Failed
from .decided import NUMBERED
from .dry_run import DryRun


class Enough(BaseException):
    """Ends code that calls tasks without end. No Exception: a loop may catch those, and go on."""


class Found:
    """What is wrong; what is wrong again and again, once."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._told: set[str] = set()

    def take(self, finding: Finding) -> None:
        """Take note of something that is wrong.

        Args:
            finding: of it; one that differs from another by the numbers of tasks alone is the same.
        """
        told = NUMBERED.sub("", f"{finding.where} {finding.what}")
        if told not in self._told:
            self._told.add(told)
            self.findings.append(finding)


class _ForgivingEndings(Endings):
    _steps: ForgivingRun

    def failed(self, task: Any, error: BaseException) -> None:
        """What fails is noted, and the rehearsal goes on."""
        if task.story & NOW == CANCELLING:
            super().failed(task, error)
        else:
            self._steps.go_on_after(task, error)

    def expired(self, task: Task) -> None:
        """A block takes longer than it may: that says nothing of the real one, in which tasks take time."""


class ForgivingRun(DryRun):
    """As any dry run."""

    keeps_time = False
    Endings = _ForgivingEndings

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.found = Found()
        self.interrupt: BaseException | None = None
        self.has_enough = False
        self.site: Site = (None, 0)
        """Where it was asked for, which counts where no other line of the user's does."""
        self.unseen = self.endings.unseen = cast(Unseen, _Unseen())

    # -- calls that a run would refuse --------------------------------------------------------------------

    def call(
        self,
        definition: Definition,
        lane: Lane,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        code: CodeType | None,
        at: int,
        after: Sequence[Any] = (),
    ) -> TaskFuture[Any]:
        """Take a call, as any dry run; one that would be refused, too."""
        try:
            return super().call(definition, self.lane_for(definition), args, kwargs, code, at, after)
        except TooManyTasks as error:
            if not self.has_enough:
                self.has_enough = True
                where = place_in(*users_site(code, at, self.site))
                self.found.take(findings.endless(error.name, error.most, where))
            raise Enough from None
        except Exception as error:
            return self.refused(definition, args, kwargs, code, at, error, after)

    def refused(
        self,
        definition: Definition,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        code: CodeType | None,
        at: int,
        error: Exception,
        after: Sequence[Any] = (),
    ) -> TaskFuture[Any]:
        """A run would have raised an error instead of taking a call: take note of that, and go on.

        Args:
            definition: what was called.
            args: positional arguments.
            kwargs: keyword arguments.
            code: that makes the call.
            at: the instruction of the call in it.
            error: what a run would have raised.
            after: futures to wait for and not to be passed.
        """
        given = self._futures_in([*args, *kwargs.values()])
        futures, order = self._usable(given), self._usable(self._futures_in(all_awaited(after)))
        for each in given:
            if isinstance(each._run, DryRun):  # perhaps of another engine
                each._run.used(each)
        ends = (*[each.name for each in given], definition.name)
        code, at = users_site(code, at, self.site)
        self.found.take(findings.of_call(error, place_in(code, at), ends))
        alone = copy(definition)
        alone.is_block = alone.is_command = False
        alone.timeout, alone.ends_plainly = None, True
        if callable(definition.options.example):
            alone.options = replace(definition.options, example=...)
        future = DryRun.call(self, alone, self.lane_for(alone), (), {}, code, at)
        call = self._calls[future.id]
        call.args, call.kwargs, call.example, call.is_refused = args, kwargs, definition.options.example, True
        call.dependencies = tuple(each.id for each in futures)
        call.after = tuple(each.id for each in order)
        lane = self._real.lane_for(definition)
        call.place = lane.place
        return future

    def misnamed(self, name: str, error: Exception) -> None:
        """An option of a task names something that is not there: take note of that, and go on without it.

        Args:
            name: of the task.
            error: what would have been raised.
        """
        site = users_site(*HERE, self.site)
        self.found.take(findings.of_call(error, place_in(*site), (name,)))

    def misused(self, future: TaskFuture[Any], error: TypeError) -> None:
        """Take note of a future that code has taken for its value."""
        frame = users_frame() if self.closed is None else None
        if frame is not None:  # else it is we who look at it
            where = place_in(frame.f_code, frame.f_lasti)
            in_words = TypeError(str(error).replace(repr(future), f"what {future.name!r} gives"))
            self.found.take(findings.of_call(in_words, where, (future.name,)))

    def lacks_output(self, name: str, error: KeyError) -> None:
        """Take note of an output that a task does not declare."""
        where = place_in(*users_site(*HERE, self.site))
        self.found.take(findings.of_call(error, where, (name,)))

    def _futures_in(self, value: Any) -> list[TaskFuture[Any]]:
        try:
            return arguments.scan_value(value, inputs.KINDS, self.wiring.adopt)[0]
        except Exception:
            return []  # that is what was wrong

    def _usable(self, futures: list[TaskFuture[Any]]) -> list[TaskFuture[Any]]:
        """Those of them that what is called here may depend on."""
        inside = self.owner(SCOPE.get().block)
        return [
            own
            for own in map(self.own, futures)
            if own._run is self
            and own.id in self._calls
            and (inside is None or own.done() or not waits_for(inside, own))
        ]

    # -- code that fails ----------------------------------------------------------------------------------

    def go_on_after(self, task: Any, error: BaseException) -> None:
        """A block, or what stands in for a task, has raised something: tell of it, and let something stand in."""
        if isinstance(error, KeyboardInterrupt):
            self.interrupt = error
        elif not isinstance(error, Enough):
            self._blame(task, error)
        self.endings.timeouts.disarm(task)
        asyncio.Future.set_result(task, None if task.id == 0 else self.hands.stand_in(task))
        self.scheduler.succeeded(task)

    def _has_no_command(self, task: Task, failed: Failed) -> bool:
        """Take note of it, and let something stand in."""
        told = self._told_of(task, failed)
        if isinstance(told, Finding):
            self.found.take(told)
        else:
            self.decided.note(told)
        return True

    def _blame(self, task: Task, error: BaseException) -> None:
        calls = self._inside[task.id or None]
        for call in calls:
            site = self._futures[call.id].site
            call.code, call.at = site.code, site.at
        told = findings.of_code(task, error, calls, self._value_of)
        if isinstance(told, Finding):
            self.found.take(told)
        else:
            self.decided.note(told)


class _Unseen:
    """Nobody is told of failures in a rehearsal but by its findings."""

    def watch(self, future: TaskFuture[Any]) -> None:
        future._log_traceback = False

    def dropped(self, future: TaskFuture[Any]) -> None:
        pass

    def tell(self) -> None:
        pass

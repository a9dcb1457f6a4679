"""The one door between the run loop and the files of tasks, whose stager decides nothing about tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from .._core.files import File
from .._core.scheduler import Scheduler
from .._core.states import CANCELLING, NOW, READY, RUNNING
from .._core.task import Task
from .._files.copying import Unwanted
from .._files.sandboxes import Sandboxes
from .._files.stager import Stager
from .._record.record import Record
from . import inputs
from .failures import Failures
from .keeps import Keeps
from .places import Places
from .steps import Steps
from .timeouts import Timeouts
from .wiring import Wiring


class Files:
    """Has the files of tasks staged, and carries on when they are there.

    Args:
        steps: the run loop.
        scheduler: decides what follows.
        wiring: calls off a call that is refused for its files.
        failures: takes the failure of a task whose files could not be brought or published.
        timeouts: the clocks of tasks.
        keeps: takes results that stay where they are.
        places: where tasks run, and their files are staged before.
        record: where sizes and places are recorded; None where nothing is.
        sandboxes: as for `Stager`.
        implicit: as for `Stager`.
        loop: the event loop.
    """

    def __init__(
        self,
        steps: Steps,
        scheduler: Scheduler,
        wiring: Wiring,
        failures: Failures,
        timeouts: Timeouts,
        keeps: Keeps,
        places: Places,
        record: Record | None,
        sandboxes: Sandboxes | None,
        implicit: bool,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._wiring = wiring
        self._failures = failures
        self._timeouts = timeouts
        self._keeps = keeps
        self._places = places
        self.record = record
        self.stager = Stager(sandboxes, implicit, self, loop)

    def called(self, task: Task, dependencies: Sequence[Task], given: Sequence[File]) -> None:
        """Take a call that runs a command or has files among its arguments; it may be refused for them."""
        places = self._places
        try:
            places.check_files(task)
            has_to_wait = self.stager.called(
                task, dependencies, given, places.stages(task.lane), places.carries(task.lane)
            )
        except BaseException:
            self._wiring.call_off(task)
            raise
        task.definition = task.definition.staged
        if has_to_wait:
            task.lane = places.staging_for(task.lane)

    def stage(self, batch: Sequence[Task]) -> None:
        """Bring what tasks read, all of whose inputs are there."""
        if batch:
            value_of = self._keeps.values_at(batch[0].lane.place)
            self.stager.bring(inputs.fill(batch, self.not_staged, value_of))

    # -- what the stager asks and reports -----------------------------------------------------------------

    def want_inputs(self, task: Task) -> bool:
        """Whether a task still waits for what it reads; on any thread."""
        return task.story & NOW == READY

    def want_outputs(self, task: Task) -> bool:
        """Whether a task still is to end with what it has made; on any thread."""
        return task.story & NOW == RUNNING

    def shares_files(self, task: Task) -> bool:
        """Whether a path means the same where a task runs, as far as that is known; on any thread."""
        return self._places.shares_files(task.lane)

    def are_over(self, tasks: Sequence[Task]) -> bool:
        """Whether none of them will make anything any more."""
        return all(task.story & NOW > CANCELLING for task in tasks)

    def staged(self, task: Task) -> None:
        """All that a task reads is in its sandbox."""
        if self.record is not None:
            size = sum(stamp[1] for stamp, _ in task.files.brought.values())
            self.record.staged(task.id, perf_counter(), size)
        self._scheduler.lanes.staged(task, self._places.staging_for(task.lane))
        self._steps.flush_soon()

    def not_staged(self, task: Task, error: BaseException) -> None:
        """It could not be brought; if it is `Unwanted`, because nobody wants it any more."""
        if task.story & NOW == READY:
            if isinstance(error, Unwanted):
                self._scheduler.cancel(task)
            else:
                self._failures.failed(task, error)
        self.staged(task)

    def published(self, task: Any, value: object) -> None:
        """All that a task was to make is there, and where it was to go."""
        if task.story & NOW == CANCELLING:
            self._scheduler.stopped(task)
        else:
            self._keeps.end(task, value)
            self._timeouts.disarm(task)
            if self.record is not None:
                self.record.over(task.id, perf_counter())
                if task.files.published:
                    self.record.published(task.id, task.files.published)
        self._steps.flush_soon()

    def not_published(self, task: Task, error: BaseException) -> None:
        """It is not; if the error is `Unwanted`, because nobody wants it any more."""
        if isinstance(error, Unwanted):
            self._scheduler.stopped(task)
        else:
            self._failures.failed(task, error)
        self._steps.flush_soon()

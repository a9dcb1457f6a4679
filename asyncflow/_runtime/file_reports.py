"""Takes what the stager reports: which files of tasks are there, and which are not."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any, Final

from .._core.scheduler import Scheduler
from .._core.states import CANCELLING, NOW, READY
from .._core.task import Task
from .._files.copying import Unwanted
from .._record.record import Record
from .endings import Endings
from .places import Places
from .steps import Steps

_set_result: Final = asyncio.Future.set_result


class FileReports:
    """What follows when the files of a task were brought or published.

    Args:
        steps: the run loop.
        scheduler: decides what follows.
        endings: takes the failure of a task whose files could not be brought or published.
        places: where tasks run, and their files are staged before.
        record: where sizes and places are recorded; None where nothing is.
    """

    def __init__(
        self,
        steps: Steps,
        scheduler: Scheduler,
        endings: Endings,
        places: Places,
        record: Record | None,
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._endings = endings
        self._staging_for = places.staging_for
        self.record = record

    def staged(self, task: Task) -> None:
        """All that a task reads is in its sandbox."""
        if self.record is not None:
            size = sum(stamp[1] for stamp, _ in task.facts.brought.values())
            self.record.staged(task.id, perf_counter(), size)
        self._scheduler.staged(task, self._staging_for(task.lane))
        self._steps.flush_soon()

    def not_staged(self, task: Task, error: BaseException) -> None:
        """It could not be brought; if it is `Unwanted`, because nobody wants it any more."""
        if task.story & NOW == READY:
            if isinstance(error, Unwanted):
                self._scheduler.cancel(task)
            else:
                self._endings.failed(task, error)
        self.staged(task)

    def published(self, task: Any, value: Any) -> None:
        """All that a task was to make is there, and where it was to go."""
        if task.story & NOW == CANCELLING:
            self._scheduler.stopped(task)
        else:
            _set_result(task, value)
            self._scheduler.succeeded(task)
            if self.record is not None:
                self.record.over(task.id, perf_counter())
                if task.facts.published:
                    self.record.published(task.id, task.facts.published)
        self._steps.flush_soon()

    def not_published(self, task: Task, error: BaseException) -> None:
        """It is not; if the error is `Unwanted`, because nobody wants it any more."""
        if isinstance(error, Unwanted):
            self._scheduler.stopped(task)
        else:
            self._endings.failed(task, error)
        self._steps.flush_soon()

"""Ends tasks that have no value: they failed, took too long, were cancelled, or did not run."""

from __future__ import annotations

import asyncio
import logging
from time import perf_counter
from typing import Any, Final

from .._causes import brief
from .._core.scheduler import Scheduler, end_of
from .._core.states import CANCELLING, NOW
from .._core.task import Task
from .._files.stager import Stager
from .._record.record import Record
from ..errors import TaskTimeout, UpstreamFailed
from . import inputs
from .failure import as_failure
from .future import TaskFuture, end_without_value
from .log import RunLog
from .places import Places
from .steps import Steps
from .timeouts import Timeouts
from .touched import hidden_future
from .unseen import Unseen

_log = logging.getLogger("asyncflow")
_ROOTS: Final = 100  # causes that are recorded of a task that did not run
_set_exception: Final = asyncio.Future.set_exception
_cancel: Final = asyncio.Future.cancel


class Endings:
    """Tells the scheduler of failures, and gives futures the errors that follow.

    Args:
        steps: the run loop.
        loop: the event loop, whose clock timeouts go by.
        scheduler: decides what follows for other tasks.
        places: where tasks run.
        unseen: watches failures that nobody has looked at.
        record: where ends are recorded; None where nothing is.
    """

    stager: Stager  # which reports to parts that end tasks here: so it is given later

    def __init__(
        self,
        steps: Steps,
        loop: asyncio.AbstractEventLoop,
        scheduler: Scheduler,
        places: Places,
        unseen: Unseen,
        record: Record | None,
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._behind = places.behind
        self.unseen = unseen
        self.record = record
        self.timeouts = Timeouts(loop, self.expired)
        self.log = RunLog()

    def failed(self, task: Task, error: BaseException) -> None:
        """A task's work has raised an error."""
        if task.story & NOW == CANCELLING:
            self._scheduler.stopped(task, True)
            return
        call = inputs.call_told(task)  # now, because the arguments go when it is over
        failure = as_failure(task, hidden_future(task, error), call)
        if task.files is not None:
            self.stager.failed(task, failure)
        self._scheduler.failed(task, failure)
        if task.cause is not None:
            task.cause.call = call

    def expired(self, task: Task) -> None:
        """A task has run for longer than it may."""
        self._steps.catch_up()  # its end may have been reported already
        if task.id not in self._scheduler.live or task.story & NOW == CANCELLING:
            return
        assert task.definition.timeout is not None
        stoppable = self._behind[task.lane].can_kill
        error = TaskTimeout(task.id, task.name, task.definition.timeout, task.lane.place, stoppable)
        if not stoppable:
            _log.warning("%s", error)
        call = inputs.call_told(task)
        failure = as_failure(task, error, call)
        if task.files is not None:
            self.stager.failed(task, failure)
        self._scheduler.timed_out(task, failure)
        if task.cause is not None:
            task.cause.call = call
        self._steps.flush()

    def settle(self, task: TaskFuture[Any]) -> None:
        """Give the future of a task that has no value its end."""
        if self.timeouts.armed:
            self.timeouts.disarm(task)
        if task.files is not None:
            self.stager.release(task)
        cause = task.cause
        self.log.without_value(task)
        if self.record is not None and cause is not None:
            roots = tuple(root.task_id for root in cause.roots[:_ROOTS]) if cause.upstream else ()
            error_told = "" if cause.error is None else brief(cause.error)
            self.record.bad(task.id, end_of(task), perf_counter(), error_told, roots)
        if cause is None or task.done():
            return  # its user has cancelled it
        end_without_value(task)
        if cause.upstream and cause.firsts[0].error is not None:
            error: BaseException = UpstreamFailed(task.id, task.name, cause)
            error.__cause__ = cause.firsts[0].error
        elif cause.error is None:
            _cancel(task)
            return
        else:
            error = cause.error
        _set_exception(task, error)
        if cause.passed_on:
            task._log_traceback = False  # a dependent brings it to whoever awaits that
        else:
            self.unseen.watch(task)

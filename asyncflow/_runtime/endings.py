"""Ends tasks that have no value: they failed, took too long, were cancelled, or did not run."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from time import perf_counter
from typing import Final

from .._causes import Cause, add_note, brief
from .._core.dependents import end_of
from .._core.scheduler import Scheduler
from .._core.states import (
    CANCELLED,
    CANCELLING,
    NOW,
    READY,
    RUNNING,
    SKIPPED,
    SUBMITTED,
    UPSTREAM_FAILED,
    state_of,
)
from .._core.task import Task
from .._files.stager import Stager
from .._record.record import Record
from .._turns import Turns
from ..errors import DeadlinePassed, Skip, TaskSkipped, TaskTimeout, UpstreamFailed
from . import inputs
from .attempts import Attempts
from .failure import as_failure, note
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
        turns: of the event loop whose clock timeouts go by.
        scheduler: decides what follows for other tasks.
        places: where tasks run.
        unseen: watches failures that nobody has looked at.
        record: where ends are recorded; None where nothing is.
        is_dry: whether nothing is run, so that nothing is tried again.
    """

    stager: Stager  # which reports to parts that end tasks here: so it is given later

    def __init__(
        self,
        steps: Steps,
        turns: Turns,
        scheduler: Scheduler,
        places: Places,
        unseen: Unseen,
        record: Record | None,
        is_dry: bool,
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._behind = places.behind
        self.unseen = unseen
        self.record = record
        self.timeouts = Timeouts(turns, self.expired, self.overdue)
        self._stopping: dict[int, BaseException] = {}  # attempts that took too long, until they have stopped
        self.log = RunLog()
        self._attempts = None if is_dry else Attempts(steps, turns, scheduler)

    def failed(self, task: Task, error: BaseException) -> None:
        """A task's work has raised an error."""
        if task.story & NOW == CANCELLING:
            self._scheduler.stopped(task, True)
            return
        if isinstance(error, (Skip, TaskSkipped)) and task.id not in self._stopping:
            self.skipped(task, str(error.reason), (error._cause,) if isinstance(error, TaskSkipped) else ())
            return
        if task.definition.retries is not None and self._tries_again(
            task, self._stopping.pop(task.id, error)
        ):
            return
        call = inputs.call_told(task)  # now, because the arguments go when it is over
        failure = self._failure(task, hidden_future(task, error), call)
        self._scheduler.failed(task, failure)
        if task.cause is not None:
            task.cause.call = call

    def skipped(self, task: Task, reason: str, because: Sequence[Cause] = ()) -> None:
        """A task has raised `Skip`, or lets pass that others were skipped."""
        self._scheduler.skipped(task, reason, because)

    def _tries_again(self, task: Task, error: BaseException) -> bool:
        """Whether there is to be another attempt; if so, it is seen to."""
        if self._attempts is None or task.story & NOW == READY:  # its inputs could not be brought
            return False
        delay = self._attempts.delay_after(task, error)
        if delay is None:
            return False
        self.timeouts.attempt_over(task)
        failure = as_failure(task, hidden_future(task, error))
        if task.files is not None:
            self.stager.failed(task, failure)
        if self.record is not None:
            self.record.attempt_failed(task.id, perf_counter(), brief(failure), delay)
        self._attempts.again(task, failure, delay)
        return True

    def _failure(self, task: Task, error: BaseException, call: str) -> Exception:
        """The exception that a task's future gets, which tells of attempts before the last."""
        failure = as_failure(task, error, call)
        if task.failed_attempts:
            before = "; ".join(f"{each.number}: {brief(each.error)}" for each in task.failed_attempts)
            has_waited = task.failed_attempts[-1].number == task.attempt  # for one that never came
            told = "all failed:" if has_waited else "before it failed"
            note(failure, f"attempt {task.attempt}; {told} {before}")
        if task.files is not None:
            self.stager.failed(task, failure)
        return failure

    def mend(self) -> None:
        """A step was cut short."""
        if self._attempts is not None:
            self._attempts.mend()

    def stopped(self, task: Task, has_run: bool) -> None:
        """The work of a task has stopped before its end; because it took too long, another attempt may follow."""
        late = self._stopping.get(task.id)
        if late is not None and task.story & NOW != CANCELLING:
            self.failed(task, late)
        else:
            self._scheduler.stopped(task, has_run)

    def is_late(self, task: Task) -> bool:
        """Whether an attempt was to be stopped that took too long; whatever it gives is no more wanted."""
        return task.id in self._stopping

    def expired(self, task: Task) -> None:
        """A task has run for longer than it may."""
        self._steps.catch_up()  # its end may have been reported already
        if task.id not in self._scheduler.live or not SUBMITTED <= task.story & NOW <= RUNNING:
            return
        assert task.definition.timeout is not None
        stoppable = self._behind[task.lane].can_kill
        error = TaskTimeout(task.id, task.name, task.definition.timeout, task.lane.place, stoppable)
        if not stoppable:
            _log.warning("%s", error)
            if task.definition.retries is not None:
                add_note(error, "no other attempt was made: this one runs on, and two never run at once")
        elif (
            self._attempts is not None and self._attempts.delay_after(task, error) is not None
        ):  # but not before this one has stopped
            self._stopping[task.id] = error
            self._scheduler.stop_attempt(task)
            self._steps.flush()
            return
        self._takes_too_long(task, error)

    def overdue(self, task: Task) -> None:
        """A task is not over when it was to be."""
        self._steps.catch_up()
        if task.id in self._scheduler.live and task.story & NOW != CANCELLING:
            assert task.definition.deadline is not None
            waited = state_of(task.story)
            self._takes_too_long(task, DeadlinePassed(task.id, task.name, task.definition.deadline, waited))

    def _takes_too_long(self, task: Task, error: TimeoutError) -> None:
        call = inputs.call_told(task)
        failure = self._failure(task, error, call)
        self._scheduler.overdue(task, failure)
        if task.cause is not None:
            task.cause.call = call
        self._steps.flush()

    def settle(self, task: TaskFuture[object]) -> None:
        """Give the future of a task that has no value its end."""
        self.timeouts.disarm(task)
        if self._attempts is not None and task.failed_attempts:
            self._attempts.over(task)
        self._stopping.pop(task.id, None)
        if task.files is not None:
            self.stager.release(task)
        cause = task.cause
        self.log.without_value(task)
        if self.record is not None and cause is not None:
            roots = tuple(root.task_id for root in cause.roots[:_ROOTS]) if cause.upstream else ()
            error_told = "" if cause.error is None else brief(cause.error)
            if cause.skipped is not None:
                error_told = brief(Skip(cause.skipped))
            self.record.bad(task.id, end_of(task), perf_counter(), error_told, roots)
        if cause is None or task.done():
            return  # its user has cancelled it
        end_without_value(task)
        end = end_of(task)
        if end == CANCELLED:
            _cancel(task)
            return
        if end == UPSTREAM_FAILED:
            error: BaseException = UpstreamFailed(task.id, task.name, cause)
            error.__cause__ = cause.firsts[0].error
        elif end == SKIPPED:
            error = TaskSkipped(task.id, task.name, cause)
        else:
            assert cause.error is not None
            error = cause.error
        _set_exception(task, error)
        if cause.passed_on or end == SKIPPED:  # nobody has to look at a skip
            task._log_traceback = False  # a dependent brings it to whoever awaits that
        elif task.definition.options.detached:
            task._log_traceback = False
            self.log.detached_failed(task, cause)
        else:
            self.unseen.watch(task)

"""Gives the futures of tasks that have no value their ends: an error, or that they were cancelled."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final

from .._causes import Cause, brief, stopped
from .._core.dependents import end_of
from .._core.joins import Join
from .._core.states import CANCELLED, SKIPPED, UPSTREAM_FAILED
from .._files.stager import Stager
from .._record.record import Record
from ..errors import Skip, TaskSkipped, TooFewSucceeded, UpstreamFailed
from .attempts import Attempts
from .future import TaskFuture, end_without_value
from .joins import Joins
from .log import RunLog
from .timeouts import Timeouts
from .unseen import Unseen

_ROOTS: Final = 100  # causes that are recorded of a task that did not run
_set_exception: Final = asyncio.Future.set_exception
_cancel: Final = asyncio.Future.cancel


class Endings:
    """The ends without a value.

    Args:
        attempts: has tasks tried again; None where nothing is.
        timeouts: the clocks of tasks.
        stager: of their files.
        joins: lets go of what they need no more.
        unseen: watches failures that nobody has looked at.
        log: hears of them.
        record: where ends are recorded; None where nothing is.
    """

    def __init__(
        self,
        attempts: Attempts | None,
        timeouts: Timeouts,
        stager: Stager,
        joins: Joins,
        unseen: Unseen,
        log: RunLog,
        record: Record | None,
    ) -> None:
        self._attempts = attempts
        self._timeouts = timeouts
        self._stager = stager
        self._joins = joins
        self._unseen = unseen
        self._log = log
        self.record = record

    def settle(self, task: TaskFuture[object]) -> None:
        """Give the future of a task that is over its end."""
        join = None if task.rare is None else task.rare.join
        if join is None:
            self._over(task)
        else:
            self._joins.over(task, join)
        cause = task.cause
        if cause is None or task.done():
            return  # its user has cancelled it
        end_without_value(task)
        end = end_of(task)
        if end == CANCELLED:
            because = stopped(cause.firsts[0])
            _cancel(task, (because and f"{task.name_shown!r} (#{task.id}) was cancelled{because}") or None)
            return
        _set_exception(task, _error_of(end, cause, join))
        if cause.passed_on or end == SKIPPED:  # nobody has to look at a skip
            task._log_traceback = False  # a dependent brings it to whoever awaits that
        elif task.definition.options.detached:
            task._log_traceback = False
            self._log.detached_failed(task, cause)
        else:
            self._unseen.watch(task)

    def _over(self, task: TaskFuture[object]) -> None:
        """Nothing follows any more for a task that has no value."""
        self._timeouts.disarm(task)
        if self._attempts is not None and task.definition.retries is not None:
            self._attempts.over(task)
        if task.files is not None:
            self._stager.release(task)
        cause = task.cause
        self._log.without_value(task)
        if self.record is not None and cause is not None:
            roots = tuple(root.task_id for root in cause.roots[:_ROOTS]) if cause.upstream else ()
            if cause.stopped_by is not None:
                roots = (cause.stopped_by.task_id,)
            error_told = "" if cause.error is None else brief(cause.error)
            if cause.skipped is not None:
                error_told = brief(Skip(cause.skipped))
            self.record.bad(task.id, end_of(task), perf_counter(), error_told, roots)
            if task.label is not None:
                self.record.labelled(task.id, task.label)


def _error_of(end: int, cause: Cause, join: Join | None) -> BaseException:
    """The exception for a future that has no value and is not cancelled.

    Args:
        end: of the task.
        cause: why, which of a join may be that of its source.
        join: if it is one.
    """
    if end == SKIPPED:
        return TaskSkipped(cause.task_id, cause.name, cause)
    if end != UPSTREAM_FAILED:
        assert cause.error is not None
        return cause.error
    if join is not None and join.needed is not None:
        error: BaseException = TooFewSucceeded(
            cause.task_id, cause.name, cause, join.needed, len(join.sources)
        )
    else:
        error = UpstreamFailed(cause.task_id, cause.name, cause)
    error.__cause__ = cause.firsts[0].error
    return error

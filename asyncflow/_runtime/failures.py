"""Takes what has gone wrong with tasks, and decides nothing of it but how it is worded and whether there is another
attempt."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Final

from .._causes import Cause, brief, end_told
from .._core.commands import CommandOutcome
from .._core.scheduler import Scheduler
from .._core.states import CANCELLING, NOW, READY, RUNNING, SUBMITTED
from .._core.task import Task
from .._files.sandboxes import Sandboxes
from .._record.record import Record
from ..errors import CommandFailed, Skip, TaskSkipped
from . import inputs
from .attempts import Attempts
from .failure import as_failure, final_failure, note
from .timeouts import Timeouts
from .touched import hidden_future

_log: Final = logging.getLogger("asyncflow.task")


class Failures:
    """Tells the scheduler of tasks that have failed, or has them tried again.

    Args:
        scheduler: decides what follows for other tasks.
        attempts: has tasks tried again; None where nothing is.
        timeouts: the clocks of attempts.
        sandboxes: of tasks that fail; None where there are none.
        record: where failed attempts are recorded; None where nothing is.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        attempts: Attempts | None,
        timeouts: Timeouts,
        sandboxes: Sandboxes | None,
        record: Record | None,
    ) -> None:
        self._scheduler = scheduler
        self._attempts = attempts
        self._timeouts = timeouts
        self._sandboxes = sandboxes
        self.record = record

    def failed(self, task: Task, error: BaseException) -> None:
        """A task's work has raised an error."""
        if task.story & NOW == CANCELLING:
            self._scheduler.stopped(task, True)
            return
        if task.outcome is None and isinstance(error, CommandFailed) and task.definition.is_command:
            task.outcome = CommandOutcome(error.command, error.returncode, error.stderr)  # it ran elsewhere
        if isinstance(error, (Skip, TaskSkipped)) and self.late(task) is None:
            because = (error._cause,) if isinstance(error, TaskSkipped) else ()
            self._scheduler.skipped(task, str(error.reason), because)
            return
        if task.definition.retries is not None and self._tries_again(task, error):
            return
        call = inputs.call_told(task)  # now, because the arguments go when it is over
        failure = final_failure(task, hidden_future(task, error), call, self._sandboxes)
        self._scheduler.failed(task, failure)
        if task.cause is not None:
            task.cause.call = call

    def stopped_at(self, block: Task | None, first: Cause) -> None:
        """All inside of a block, or of the run, was cancelled at a failure. The block fails with it, or is run anew.

        Args:
            block: around what has failed; None outside of all.
            first: the failure.
        """
        assert first.error is not None
        what = "the run" if block is None else f"{block.name_shown!r} (#{block.id})"
        _log.info("%s stops at the first failure: %s", what, end_told(first))
        if block is None or not SUBMITTED <= block.story & NOW <= RUNNING:
            return
        if self._attempts is not None and self._attempts.stop(block, first.error):
            return
        call = inputs.call_told(block)
        failure = final_failure(block, first.error, call, self._sandboxes)
        note(failure, f"{what} stops at the first failure inside of it, as on_failure='stop' has it")
        self._scheduler.timed_out(block, failure)
        if block.cause is not None:
            block.cause.call = call

    def _tries_again(self, task: Task, error: BaseException) -> bool:
        """Whether there is to be another attempt; if so, it is seen to."""
        if self._attempts is None or task.story & NOW == READY:  # its inputs could not be brought
            return False
        error, delay = self._attempts.after(task, error)
        if delay is None:
            return False
        self._timeouts.attempt_over(task)
        failure = as_failure(task, hidden_future(task, error))
        if self._sandboxes is not None and task.files is not None:
            self._sandboxes.failed(task, failure)
        if self.record is not None:
            self.record.attempt_failed(task.id, perf_counter(), brief(failure), delay)
        self._attempts.again(task, failure, delay)
        return True

    def cut_off(self, task: Task, error: BaseException) -> None:
        """A task fails, whether it runs or waits, and no other attempt follows; its work is stopped."""
        call = inputs.call_told(task)
        self._scheduler.overdue(task, final_failure(task, error, call, self._sandboxes))
        if task.cause is not None:
            task.cause.call = call

    def stopped(self, task: Task, has_run: bool) -> None:
        """The work of a task has stopped before its end; because it took too long, another attempt may follow."""
        late = self.late(task)
        if late is not None and task.story & NOW != CANCELLING:
            self.failed(task, late)
        else:
            self._scheduler.stopped(task, has_run)

    def late(self, task: Task) -> BaseException | None:
        """The error of an attempt that is being stopped because it took too long."""
        return None if self._attempts is None else self._attempts.late(task)

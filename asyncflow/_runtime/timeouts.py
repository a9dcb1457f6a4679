"""What happens to tasks that take too long: the clocks, and what follows when one of them has run down."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextvars import Context

from .._causes import add_note
from .._core.scheduler import Scheduler
from .._core.states import CANCELLING, NOW, RUNNING, SUBMITTED, state_of
from .._core.task import Task
from .._files.sandboxes import Sandboxes
from .._turns import Due, Turns
from ..errors import DeadlinePassed, TaskTimeout
from . import inputs
from .attempts import Attempts
from .failure import final_failure
from .places import Places
from .steps import Steps

_log = logging.getLogger("asyncflow")


class Timeouts:
    """A timer for each task that runs and may not for ever, and one for each that has a deadline.

    Args:
        steps: the run loop.
        turns: of the event loop whose clock it is.
        scheduler: is told that a task takes too long.
        places: where tasks run.
        attempts: has tasks tried again; None where nothing is.
        sandboxes: of tasks that fail; None where there are none.
    """

    def __init__(
        self,
        steps: Steps,
        turns: Turns,
        scheduler: Scheduler,
        places: Places,
        attempts: Attempts | None,
        sandboxes: Sandboxes | None,
    ) -> None:
        self._steps = steps
        self._turns = turns
        self._scheduler = scheduler
        self._behind = places.behind
        self._attempts = attempts
        self._sandboxes = sandboxes
        self._context = Context()  # else a caller's context variables would live on in a timer
        self.armed: dict[int, Due] = {}
        self._deadlines: dict[int, Due] = {}

    # -- the clocks ---------------------------------------------------------------------------------------

    def called(self, task: Task) -> None:
        """A task with a deadline was called."""
        if task.definition.deadline is not None:
            self._deadlines[task.id] = self._turns.call_later(
                task.definition.deadline, self._overdue, task, context=self._context
            )

    def arm(self, tasks: Iterable[Task], gone: float = 0.0) -> None:
        """Start the clock of each task that has a timeout and no clock yet; they have run for ``gone`` seconds."""
        for task in tasks:
            timeout = task.definition.timeout
            if timeout is not None and task.id not in self.armed:
                self.armed[task.id] = self._turns.call_later(
                    max(timeout - gone, 0.0), self._expired, task, context=self._context
                )

    def attempt_over(self, task: Task) -> None:
        """The task is over, or is tried again."""
        timer = self.armed.pop(task.id, None)
        if timer is not None:
            timer.cancel()

    def disarm(self, task: Task) -> None:
        """The task is over."""
        self.attempt_over(task)
        if self._deadlines:
            timer = self._deadlines.pop(task.id, None)
            if timer is not None:
                timer.cancel()

    # -- when one has run down ----------------------------------------------------------------------------

    def _expired(self, task: Task) -> None:
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
        elif self._attempts is not None and self._attempts.stop(task, error):
            return
        self._takes_too_long(task, error)

    def _overdue(self, task: Task) -> None:
        """A task is not over when it was to be."""
        self._steps.catch_up()
        if task.id in self._scheduler.live and task.story & NOW != CANCELLING:
            assert task.definition.deadline is not None
            waited = state_of(task.story)
            self._takes_too_long(task, DeadlinePassed(task.id, task.name, task.definition.deadline, waited))

    def _takes_too_long(self, task: Task, error: TimeoutError) -> None:
        call = inputs.call_told(task)  # now, because the arguments go when it is over
        self._scheduler.overdue(task, final_failure(task, error, call, self._sandboxes))
        if task.cause is not None:
            task.cause.call = call
        self._steps.flush()

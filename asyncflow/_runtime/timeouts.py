"""The clocks that start with tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Context

from .._core.task import Task
from .._turns import Due, Turns


class Timeouts:
    """A timer for each task that runs and may not for ever, and one for each that has a deadline.

    Args:
        turns: of the loop whose clock it is.
        expired: called with a task that has run for too long.
        overdue: called with one whose deadline has passed.
    """

    def __init__(
        self, turns: Turns, expired: Callable[[Task], None], overdue: Callable[[Task], None]
    ) -> None:
        self._turns = turns
        self._context = Context()  # else a caller's context variables would live on in a timer
        self._expired = expired
        self._overdue = overdue
        self.armed: dict[int, Due] = {}
        self._deadlines: dict[int, Due] = {}

    def arm(self, tasks: Iterable[Task], gone: float = 0.0) -> None:
        """Start the clock of each task that has a timeout and no clock yet; they have run for ``gone`` seconds."""
        for task in tasks:
            timeout = task.definition.timeout
            if timeout is not None and task.id not in self.armed:
                self.armed[task.id] = self._turns.call_later(
                    max(timeout - gone, 0.0), self._expired, task, context=self._context
                )

    def called(self, task: Task) -> None:
        """A task with a deadline was called."""
        if task.definition.deadline is not None:
            self._deadlines[task.id] = self._turns.call_later(
                task.definition.deadline, self._overdue, task, context=self._context
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

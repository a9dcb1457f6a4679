"""Has tasks tried again that have failed, when their delay is over. Meanwhile they hold nothing but their arguments."""

from __future__ import annotations

import logging
from contextvars import Context
from random import getrandbits
from time import perf_counter
from typing import TYPE_CHECKING, Final

from .._causes import add_note, brief
from .._core.retries import Attempt
from .._core.scheduler import Scheduler
from .._core.states import NOW, READY
from .._core.task import Task
from .._turns import Due, Turns
from .steps import Steps

if TYPE_CHECKING:
    from .renewals import Renewals

_log = logging.getLogger("asyncflow")
KEPT: Final = 5
"""Failed attempts of a task that are kept with their errors."""


class Attempts:
    """The attempts of one run's tasks.

    Args:
        steps: the run loop.
        turns: of the event loop whose clock delays go by.
        scheduler: is told when there is to be another attempt.
    """

    def __init__(self, steps: Steps, turns: Turns, scheduler: Scheduler) -> None:
        self._steps = steps
        self._turns = turns
        self._scheduler = scheduler
        self._seed = getrandbits(64)
        self._context = Context()  # else a caller's context variables would live on in a timer
        self._timers: dict[int, Due] = {}
        self.renewals: Renewals | None = None
        """Of the run, which are given later: they depend on who asks for attempts."""
        # Attempts that are being stopped because they took too long: their errors, and seconds until the next.
        self._late: dict[int, tuple[BaseException, float]] = {}

    def stop(self, task: Task, error: BaseException) -> bool:
        """An attempt takes too long. If there is to be another, have it stopped: two never run at once. Returns whether
        it is."""
        delay = self._delay_after(task, error)
        if delay is None:
            return False
        self._late[task.id] = error, delay
        self._scheduler.stop_attempt(task)
        self._steps.flush()
        return True

    def late(self, task: Task) -> BaseException | None:
        """The error of an attempt that is being stopped because it took too long; its result is no more wanted."""
        late = self._late.get(task.id)
        return None if late is None else late[0]

    def after(self, task: Task, error: BaseException) -> tuple[BaseException, float | None]:
        """What an attempt that is over has failed with, and seconds until the next; None if there is none. Of one that
        took too long both were decided before it was stopped."""
        return self._late.pop(task.id, None) or (error, self._delay_after(task, error))

    def after_death(self, task: Task, error: BaseException, deaths: int) -> float | None:
        """Seconds until a service may be started again that has died so often; None if it is not."""
        return self._delay_after(task, error, deaths)

    def _delay_after(self, task: Task, error: BaseException, failed: int | None = None) -> float | None:
        retries = task.definition.retries
        if retries is None:
            return None
        try:
            return retries.after(error, task.attempt if failed is None else failed, task.id, self._seed)
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # by a function of the user's
            add_note(error, f"no other attempt was made: retry_on or retry_delay raised {brief(raised)}")
            return None

    def again(self, task: Task, error: BaseException, delay: float) -> None:
        """Have a task tried again, one attempt of which has failed."""
        error.__traceback__ = None  # its frames hold all that the attempt had at hand
        attempts = task.with_rare().attempts
        attempts.append(Attempt(task.attempt, error, perf_counter(), delay))
        del attempts[:-KEPT]
        if task.files is not None:
            task.args, task.kwargs = task.files.start_over(task.args, task.kwargs)
        self._scheduler.attempt_failed(task)
        _log.info(
            "%r (#%d) failed in attempt %d, %s; the next follows in %.3g s",
            task.name_shown,
            task.id,
            task.attempt,
            brief(error),
            delay,
        )
        self._timers[task.id] = self._turns.call_later(delay, self._now, task, context=self._context)

    def over(self, task: Task) -> None:
        """A task is over: it is not tried again."""
        self._late.pop(task.id, None)
        timer = self._timers.pop(task.id, None)
        if timer is not None:
            timer.cancel()

    def mend(self) -> None:
        """A step was cut short, perhaps before it was seen to that a task is tried again."""
        for task in self._scheduler.live.values():
            waits = task.story & NOW == READY and task.is_held and task.wants is None
            if (waits or task.id in self._scheduler.retrying) and task.id not in self._timers:
                self._timers[task.id] = self._turns.call_later(0, self._now, task, context=self._context)

    def _now(self, task: Task) -> None:
        lane = task.lane
        if task.files is not None and task.files.is_staged and lane.staging is not None:
            lane = lane.staging
        if self.renewals is None or not task.uses or not self.renewals.renew(task, lane):
            self._scheduler.again(task, lane)
            self._steps.flush_soon()
        self._timers.pop(task.id, None)

"""Takes that tasks have started."""

from __future__ import annotations

from time import perf_counter

from .._core.scheduler import Scheduler
from .._core.states import NOW, RUNNING
from .._core.task import Task
from .._record.record import Record
from .coroutines import Coroutines
from .places import Places
from .timeouts import Timeouts


class Starts:
    """Carries out what follows when a task has started: its state, the clocks of its timeouts, the record (None:
    nothing is recorded)."""

    def __init__(
        self, scheduler: Scheduler, places: Places, timeouts: Timeouts, record: Record | None
    ) -> None:
        self._scheduler = scheduler
        self._behind = places.behind
        self._timeouts = timeouts
        self.record = record

    def started(self, task: Task, at: float, worker: str) -> None:
        """A task has started, at a time of `time.perf_counter`."""
        self._scheduler.started(task)
        if self.record is not None:
            self.record.begun(task.id, at, worker)
        if task.definition.timeout is not None and task.story & NOW == RUNNING:  # else cancelled meanwhile
            on_loop = isinstance(self._behind[task.lane], Coroutines)
            self._timeouts.arm([task], perf_counter() - at if on_loop else 0.0)

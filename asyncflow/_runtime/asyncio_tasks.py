"""Places that carry out each task by an asyncio task of its own on the engine's loop, and tell its end in any case."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Sequence
from functools import partial
from typing import Any

from ..backend import CANCELLED, FAILED, Report
from .place import Local


class AsyncioTasks(Local, ABC):
    """Such a place.

    Attributes:
        waiting: the asyncio tasks, by the numbers of those that they carry out.

    Args:
        report: as a backend's.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self.waiting: dict[int, asyncio.Task[None]] = {}

    @abstractmethod
    def _carry_out(self, task: Any) -> Coroutine[object, object, None]:
        """Carry out a task, report what becomes of it, and take it out of `waiting`."""

    def submit(self, batch: Sequence[Any]) -> None:
        """Begin with all of them at once: the lane has as many slots as may run."""
        for task in batch:
            running = asyncio.Task(self._carry_out(task), name=f"{task.name}#{task.id}", context=task.context)
            self.waiting[task.id] = running
            running.add_done_callback(partial(self._untold, task.id))

    async def cancel(self, task_id: int) -> bool:
        """Have a task stopped that is not over."""
        running = self.waiting.get(task_id)
        if running is not None:
            running.cancel()
        return True

    def recover(self, submitted: Sequence[int], lost: Sequence[int]) -> Sequence[int]:
        """Tell what does not run here."""
        return [task_id for task_id in submitted if task_id not in self.waiting]

    def _untold(self, task_id: int, running: asyncio.Task[None]) -> None:
        if self.waiting.get(task_id) is not running:
            return
        del self.waiting[task_id]
        if running.cancelled():  # before it began: somebody has cancelled all that ran on the loop
            self._report([(CANCELLED, task_id, None)])
        else:  # Ctrl-C came when its end was to be told, which then perhaps was
            self._report([(FAILED, task_id, running.exception() or KeyboardInterrupt())])

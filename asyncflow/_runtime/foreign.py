"""Awaitables that are not ours, as dependencies: futures of `concurrent.futures`, asyncio's, coroutines, anything
with ``__await__``. Each becomes a node of the graph on a lane of its own, whose work is to wait."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Sequence
from typing import Any

from .._core.task import Task
from ..backend import CANCELLED, FAILED, STARTED, SUCCEEDED, Report

_Waited = asyncio.Future[Any] | concurrent.futures.Future[Any]


def is_foreign(cls: type) -> bool:
    """Whether arguments of this class have to be waited for."""
    if getattr(cls, "_is_passed_on", False):  # what stands in for a part of a result, of which nobody knows
        return False
    return hasattr(cls, "__await__") or issubclass(cls, concurrent.futures.Future)


class Foreign:
    """Waits for awaitables of others.

    Args:
        report: as a backend's.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: dict[int, _Waited] = {}
        self.begun: dict[int, asyncio.Task[Any]] = {}  # those that we began, so that they are ours to cancel

    @property
    def watched(self) -> int:
        """How many are waited for that others made."""
        return len(self._waiting) - len(self.begun)

    def submit(self, batch: Sequence[Task]) -> None:
        """Begin to wait for each task's only argument."""
        for task in batch:
            awaitable = task.args[0]
            ours = not isinstance(awaitable, (asyncio.Future, concurrent.futures.Future))
            if ours:
                waited = self.begun[task.id] = task.context.run(asyncio.ensure_future, awaitable)
                waited.set_name(f"{task.name}#{task.id}")
            else:
                waited = awaitable
            self._waiting[task.id] = waited
            self._report([(STARTED, task.id, None)])
            waited.add_done_callback(lambda done, task_id=task.id: self._done(task_id, done))

    def _done(self, task_id: int, done: _Waited) -> None:
        self.begun.pop(task_id, None)
        if self._waiting.pop(task_id, None) is None:
            return  # nobody waits for it any more
        if done.cancelled():
            self._report([(CANCELLED, task_id, None)])
        elif (error := done.exception()) is not None:
            self._report([(FAILED, task_id, error)])
        else:
            self._report([(SUCCEEDED, task_id, done.result())])

    async def cancel(self, task_id: int) -> bool:
        """Wait no longer. What others made goes on; a coroutine that we began is cancelled."""
        begun = self.begun.get(task_id)
        if begun is not None:
            begun.cancel()
        elif self._waiting.pop(task_id, None) is not None:
            self._report([(CANCELLED, task_id, None)])
        return True

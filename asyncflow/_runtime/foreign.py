"""Futures and coroutines that are not ours, as dependencies: each becomes a node of the graph on a lane of its own,
whose work is to wait. What merely can be awaited, as an open pool of connections, is a value like any other: a call
passes it as it is, unless it is wrapped in `awaited`."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Awaitable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from .._core.containers import is_waited_for
from .._core.task import Task
from ..backend import CANCELLED, FAILED, STARTED, SUCCEEDED, Report
from .place import Local

T = TypeVar("T")
_Waited = asyncio.Future[object] | concurrent.futures.Future[object]


def awaited(awaitable: Awaitable[T]) -> Coroutine[object, object, T]:
    """A coroutine that awaits any awaitable, once, and gives its value: for what is no future, task or coroutine."""
    coroutine: Any = _waiting_for(awaitable)
    coroutine.__name__ = coroutine.__qualname__ = type(awaitable).__qualname__  # as messages call it
    return coroutine  # type: ignore[no-any-return]


async def _waiting_for(awaitable: Awaitable[T]) -> T:
    return await awaitable


def all_awaited(order: Iterable[Any]) -> list[object]:
    """What is given to be waited for alone: all of it is, that can be awaited at all.

    Args:
        order: as given with ``after=``.
    """
    return [
        awaited(each) if hasattr(type(each), "__await__") and not is_waited_for(type(each)) else each
        for each in order
    ]


class Foreign(Local):
    """Waits for awaitables of others.

    Args:
        report: as a backend's.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._waiting: dict[int, _Waited] = {}
        self.begun: dict[
            int, asyncio.Task[object]
        ] = {}  # those that we began, so that they are ours to cancel

    @property
    def watched(self) -> int:
        """How many are waited for that others made."""
        return len(self._waiting) - len(self.begun)

    def is_watched(self, task_id: int) -> bool:
        """Whether a task waits for what others made."""
        return task_id in self._waiting and task_id not in self.begun

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

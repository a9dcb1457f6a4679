"""Fetches results that stay where they were made, when somebody asks, and gives them to the futures.

Who has to wait for a fetch, and what follows from it, is decided in `_core/kept.py` and `_core/fetches.py`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from threading import get_ident
from typing import Any, Final
from weakref import WeakSet

from .._core import fetches
from .._core.kept import Keeping, keep
from .._core.lanes import Lane
from .._core.scheduler import Scheduler
from .._core.task import Task
from .._record.record import Record
from ..backend import Kept
from ..errors import Cause
from . import inputs
from .future import KeptFuture, TaskFuture, end_without_value
from .place import Place
from .steps import Steps

_log = logging.getLogger("asyncflow")
_set_result: Final = asyncio.Future.set_result
_set_exception: Final = asyncio.Future.set_exception
_done: Final = asyncio.Future.done


class Keeps:
    """The kept results of one run.

    Args:
        loop: the event loop.
        steps: the run loop.
        scheduler: decides what follows.
        behind: where tasks run, by lane.
        record: where it is recorded what is kept; None where nothing is.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        steps: Steps,
        scheduler: Scheduler,
        behind: Mapping[Lane, Place],
        record: Record | None,
    ) -> None:
        self._loop = loop
        self._thread = get_ident()
        self._steps = steps
        self._scheduler = scheduler
        self._behind = behind
        self.record = record
        self._context = Context()  # else the caller's context variables would live on in a fetch
        self._backends: dict[str, Any] = {}  # that keep something, by place
        self._futures: WeakSet[TaskFuture[object]] = WeakSet()  # whose results were not asked for
        self._under_way: set[asyncio.Task[object]] = set()
        self.any = False
        """There is or was one: values of futures are to be looked at more closely."""

    def values_at(self, place: str) -> Callable[[Any], object]:
        """What puts values into the arguments of tasks that run at a place: what is kept there stays what it is."""
        return inputs.values_at(place) if self.any else inputs.value_of

    def end(self, task: Any, value: object) -> None:
        """A task has its value, or what stands for one that is kept."""
        if type(value) is not Kept:
            _set_result(task, value)
            self._scheduler.succeeded(task)
            return
        place = task.lane.place
        self._backends[place] = self._behind[task.lane]
        value._maker = task.id, task.name, task.label
        if self.record is not None:
            self.record.kept(task.id, value.node, value.size)
        self._keep(task, Keeping(place, value, self._scheduler.wanted))

    def hand_on(self, block: Any, keeping: Keeping) -> None:
        """A block has returned a kept result as it is."""
        self._keep(block, keeping)

    def _keep(self, task: Any, keeping: Keeping) -> None:
        self.any = True
        if not _done(task):
            task.__class__ = KeptFuture
            self._futures.add(task)
        keep(self._scheduler, task, keeping)
        if not _done(task) and task._callbacks:  # somebody awaits it already
            self.wanted(task)

    def wanted(self, task: Any) -> None:
        """Somebody asks for the result of a task."""
        if get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self.wanted, task)
            return
        keeping: Keeping | None = task.kept
        if keeping is None or _done(task):
            return
        if keeping.is_away:
            if not any(each is task for each in keeping.futures):
                keeping.futures.append(task)
            keeping.want()
            self._steps.flush_soon()
        else:
            self._settle(task, keeping)

    def look(self) -> None:
        """Begin to fetch what was asked for since the last time."""
        wanted = self._scheduler.wanted
        while wanted:
            keeping = wanted[-1]
            backend = self._backends[keeping.place]
            fetch = self._loop.create_task(
                backend.fetch(keeping.payload), name=f"fetch {keeping.payload!r}", context=self._context
            )
            self._under_way.add(fetch)
            fetch.add_done_callback(partial(self._has_fetched, keeping))
            self._scheduler.fetching.add(keeping)
            wanted.pop()  # not before: Ctrl-C may come in between

    def _has_fetched(self, keeping: Keeping, fetch: asyncio.Task[object]) -> None:
        self._under_way.discard(fetch)
        error = asyncio.CancelledError() if fetch.cancelled() else fetch.exception()
        if error is None:
            fetches.fetched(self._scheduler, keeping, fetch.result())
        else:
            self._lost(keeping, error)
        futures, keeping.futures = keeping.futures, []
        for future in futures:
            self._settle(future, keeping)
        self._steps.flush_soon()

    def _lost(self, keeping: Keeping, error: BaseException) -> None:
        fetches.lost(self._scheduler, keeping, cause_of_loss(keeping.payload, error))

    def lost(self, task: Task, payload: tuple[Kept, str]) -> None:
        """A backend could not begin a task, because a result among its arguments is no more."""
        kept, why = payload
        fetches.cannot_run(self._scheduler, task, cause_of_loss(kept, kept.lost(why)))

    def _settle(self, task: Any, keeping: Keeping) -> None:
        """Give a future its end, when it is known whether there is a value."""
        self._futures.discard(task)
        if _done(task):
            return
        if keeping.is_there:
            task.__class__ = TaskFuture
            _set_result(task, keeping.value)
            return
        assert keeping.cause is not None
        task.with_rare().cause = keeping.cause
        end_without_value(task)
        if keeping.cause.error is None:
            asyncio.Future.cancel(task)
        else:
            _set_exception(task, keeping.cause.error)
            task._log_traceback = False  # it has not failed: who does not ask for the result misses nothing

    async def all_fetched(self) -> None:
        """Wait until nothing is being fetched."""
        while self._under_way:
            await asyncio.wait(self._under_way)

    def close(self) -> None:
        """Nothing can be fetched any more: what was not asked for is lost."""
        for fetch in self._under_way:
            fetch.cancel()
        why = "nobody awaited it before the engine was shut down"
        for future in list(self._futures):
            keeping: Any = future.kept
            if keeping.is_away:
                self._lost(keeping, keeping.payload.lost(why))
            self._settle(future, keeping)


def cause_of_loss(kept: Kept, error: BaseException) -> Cause:
    """Why there is no value, though the task that made it has succeeded."""
    number, name, label = kept._maker
    if isinstance(error, asyncio.CancelledError):
        return Cause(number, name, 1, None, label=label)
    return Cause(number, name, 1, error, label=label)

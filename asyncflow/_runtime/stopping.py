"""Cancels tasks and has their work stopped, and waits until nothing of them runs."""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from functools import partial
from typing import Any

from .._core.dependents import tell_more
from .._core.detached import Awaited, is_tail
from .._core.scheduler import Scheduler
from .._core.services import is_idle
from .._core.states import CANCELLING, NOW
from .._core.task import Task
from .._files.stager import Stager
from .coroutines import Coroutines
from .foreign import Foreign
from .places import Places
from .steps import Steps

_log = logging.getLogger("asyncflow")


class Stopping:
    """The work that is to stop, and those who wait for that.

    Args:
        steps: the run loop.
        loop: the event loop.
        scheduler: decides what is to stop.
        places: where tasks run.
        stager: stops by itself what it publishes.
        foreign: awaits what others make, which may never come.
    """

    def __init__(
        self,
        steps: Steps,
        loop: asyncio.AbstractEventLoop,
        scheduler: Scheduler,
        places: Places,
        stager: Stager,
        foreign: Foreign,
    ) -> None:
        self._steps = steps
        self._loop = loop
        self._scheduler = scheduler
        self._behind = places.behind
        self._stager = stager
        self._foreign = foreign
        self._context = Context()  # else a caller's context variables would live on in what this starts
        self._messages: dict[int, object] = {}  # what cancel() was called with, until it is carried out
        self._settling: dict[int, asyncio.Future[None]] = {}
        self._all_over: asyncio.Future[None] | None = None
        self._awaited: Awaited | None = None  # at a shutdown that leaves some out
        self.has_detached = False
        """A task was called that nobody waits for."""
        self.has_services = False
        """A service was called, which may not be needed."""
        self._counts_detached = False
        self.under_way: set[asyncio.Task[None]] = set()
        """Backends are being asked to stop work."""
        self.left_behind: set[int] = set()
        """Tasks of which nobody knows when they stop."""

    def cancel(self, task: Task, msg: object) -> None:
        """Carry on from a future that its user has cancelled."""
        if task.id not in self._scheduler.live:
            return
        self._scheduler.cancel(task)
        if msg is not None and task.story & NOW == CANCELLING:
            self._messages[task.id] = msg
        self._steps.flush_soon()

    def stop(self, tasks: list[Task]) -> None:
        """Have the work of tasks stopped that were cancelled or took too long."""
        elsewhere = []
        for task in tasks:
            place = self._behind[task.lane]
            if self._stager.is_publishing(task):
                self._messages.pop(task.id, None)  # it tells by itself when it has stopped
            elif isinstance(place, Coroutines):
                place.cancel(task, self._messages.pop(task.id, None))
            else:
                elsewhere.append((place, task))
        if elsewhere:
            stopping = self._loop.create_task(self._stop_elsewhere(elsewhere), context=self._context)
            self.under_way.add(stopping)
            stopping.add_done_callback(partial(self._has_told, tasks))

    def _has_told(self, tasks: list[Task], stopping: asyncio.Task[None]) -> None:
        self.under_way.discard(stopping)
        if self._loop.is_closed():
            return
        # By somebody who cancelled all that ran on the loop, or by Ctrl-C that came out of it.
        if stopping.cancelled() or stopping.exception() is not None:
            self._steps.cut_short()
            self._loop.call_soon(self.stop, [each for each in tasks if each.id in self._scheduler.live])

    async def _stop_elsewhere(self, tasks: list[tuple[Any, Task]]) -> None:
        for place, task in tasks:
            self._messages.pop(task.id, None)
            if task.id not in self._scheduler.live:
                continue
            try:
                await place.cancel(task.id)
            except Exception:
                _log.exception("%s could not cancel %r (#%d)", task.lane.place, task.name_shown, task.id)

    async def settled(self, task: Task) -> None:
        """Wait until nothing of a task runs any more."""
        self._steps.catch_up()
        if task.id not in self._scheduler.live and not task.children:
            if task.cause is not None:
                self.end_all()
            return
        waiter = self._settling.get(task.id)
        if waiter is None:
            waiter = self._settling[task.id] = self._loop.create_future()
            self._scheduler.watched.add(task.id)
        await asyncio.shield(waiter)

    async def all_over(self, *, detached: bool = False) -> None:
        """Wait until what was called is over; what nobody waits for, too, if `detached`."""
        leaves_out = self.has_detached or self.has_services
        self._counts_detached = detached
        self._awaited = Awaited(self._scheduler.live, self._is_awaited) if leaves_out else None
        while not self._is_over() or self._scheduler.ended:
            if self._all_over is None or self._all_over.done():
                self._all_over = self._loop.create_future()
            await asyncio.shield(self._all_over)

    def _is_awaited(self, task: Task) -> bool:
        if is_idle(task) or self._foreign.is_watched(task.id):
            return False
        return self._counts_detached or not is_tail(task)

    def detached(self) -> list[Task]:
        """What is not over and nobody waits for."""
        return [task for task in self._scheduler.live.values() if is_tail(task)] if self.has_detached else []

    def _is_over(self) -> bool:
        if self._awaited is not None:
            return self._awaited.is_over()
        # What is still awaited of others' making may never come, and whoever wanted it was cancelled.
        return len(self._scheduler.live) <= self._foreign.watched

    def wake(self) -> None:
        """Wake those who wait for the end of a task that is over by now."""
        scheduler = self._scheduler
        while scheduler.quiet and not scheduler.ended:
            _wake(self._settling.pop(scheduler.quiet.pop().id, None))
        if self._all_over is not None and self._is_over() and not scheduler.ended:
            _wake(self._all_over)

    def end_all(self) -> None:
        """Settle the futures of all tasks that are over, however many: `flush` alone would pause in between."""
        while self._scheduler.ended or self._scheduler.telling:
            self._steps.flush()

    def cancel_all(self) -> None:
        """Cancel all that is live, and has not got its end by what it waits for."""
        while self._scheduler.telling:
            tell_more(self._scheduler)
        for task in list(self._scheduler.live.values()):
            self._scheduler.cancel(task)
        self._steps.flush()
        self.end_all()


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)

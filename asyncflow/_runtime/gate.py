"""Holds tasks that wait for limits, and lets them go on as soon as there is enough of all that they need."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextvars import Context
from time import perf_counter
from typing import Final
from weakref import WeakKeyDictionary, WeakSet

from .._core.limits import Limit, Queue
from .._core.scheduler import Scheduler
from .._core.story import Line
from .._core.task import Task
from .endings import Endings
from .steps import Steps


class _Waiting:
    """All that waits for limits on one event loop, of every engine there: a limit may be several engines'."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = Context()  # else a caller's context variables would live on in a timer
        self._timer: asyncio.TimerHandle | None = None
        self.queue = Queue[Task]()
        self.gates = WeakSet[Gate]()

    def changed(self) -> None:
        """A limit is another now."""
        if not self._loop.is_closed():
            self._loop.call_soon(self.look, context=self._context)

    def look(self) -> None:
        """Let go on what can."""
        for waiting in self.queue.admit(self._loop.time()):
            task = waiting.what
            gate: Gate = task.site.run.gate
            gate.admitted(task, waiting.amounts)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.queue.wakes_at is not None:
            self._timer = self._loop.call_at(self.queue.wakes_at, self.look, context=self._context)


_WAITING: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Waiting]] = WeakKeyDictionary()


class Gate:
    """Where tasks of one run wait that need something of a limit.

    Args:
        steps: the run loop.
        loop: the event loop, whose clock rates go by.
        scheduler: is told what can go on.
        endings: takes the failure of a task whose amounts cannot be told, or met.
        named: the engine's limits; others may be added while it runs.
    """

    def __init__(
        self,
        steps: Steps,
        loop: asyncio.AbstractEventLoop,
        scheduler: Scheduler,
        endings: Endings,
        named: Mapping[str, Limit],
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._endings = endings
        self._named = named
        self._waiting = _WAITING.get(loop) or _WAITING.setdefault(loop, _Waiting(loop))
        self._waiting.gates.add(self)

    def hold(self, tasks: Iterable[Task]) -> None:
        """Have tasks wait for what they need; all values are among their arguments."""
        now = perf_counter()
        for task in tasks:
            needs = task.definition.needs
            assert needs is not None
            try:
                amounts = needs.amounts(self._named, task.args, task.kwargs)
                for limit in amounts:
                    limit.watchers.add(self._waiting.changed)
                self._waiting.queue.join(task, amounts)
                task.wants = amounts
                task.held_since = now
            except Exception as error:
                self._endings.failed(task, error)
        self.look()

    def look(self) -> None:
        """Something of a limit has come free, or somebody has stopped waiting."""
        scheduler = self._scheduler
        scheduler.lanes.freed = False
        for task in scheduler.lanes.left:
            self._waiting.queue.leave(task)
        scheduler.lanes.left.clear()
        self._waiting.look()

    def line(self, task: Task) -> Line | None:
        """Where a task stands that waits for limits; None for one that does not."""
        if task not in self._waiting.queue:
            return None
        wants = task.wants or {}
        gates = sorted(self._waiting.gates, key=lambda gate: gate is not self)
        using = [each for gate in gates for each in gate.using()]
        holders = {limit: [each for each in using if limit in (each.amounts or ())] for limit in wants}
        return Line(holders, self._waiting.queue.ahead_of(task))

    def using(self) -> list[Task]:
        """The tasks of this run that use something of a limit."""
        return [task for task in self._scheduler.live.values() if task.amounts is not None]

    def admitted(self, task: Task, amounts: Mapping[Limit, float]) -> None:
        """A task has all that it needs."""
        record = self._endings.record
        if record is not None and task.held_since is not None:
            record.admitted(task.id, task.held_since, perf_counter())
        self._scheduler.lanes.admitted(task, amounts)
        self._steps.flush_soon()

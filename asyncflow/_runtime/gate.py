"""Holds tasks that wait for limits, and lets them go on as soon as there is enough of all that they need."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import Context
from threading import Lock
from time import perf_counter
from typing import Final
from weakref import WeakSet, WeakValueDictionary

from .._core.limits import Limit, Queue, Waiting, check_amounts, give_back_all
from .._core.scheduler import Scheduler
from .._core.states import NOW, READY
from .._core.story import Line
from .._core.task import Task
from .._record.record import Record
from .failures import Failures
from .holding import Holding
from .steps import Steps

_TURNS: Final = Lock()


class _Waiting:
    """All that waits for limits on one event loop, of every engine there: a limit may be several engines'."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._context = Context()  # else a caller's context variables would live on in a timer
        self._timer: asyncio.TimerHandle | None = None
        self._process = os.getpid()
        self._admitted: deque[Waiting[Task]] = deque()  # and are to be told; Ctrl-C may come in between
        self.queue = Queue[Task]()
        self.gates = WeakSet[Gate]()

    def changed(self) -> None:
        """A limit is another now: somebody who waits may go on. On any thread."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self.look, context=self._context)

    def is_at_work(self) -> bool:
        """Whether what uses limits there can still give them back."""
        return not self._loop.is_closed() and self._process == os.getpid()

    def waits(self) -> bool:
        """Whether anybody waits for a limit there."""
        return len(self.queue) > 0

    def look(self) -> None:
        """Let go on what can."""
        self._admitted.extend(self.queue.admit(self._loop.time()))
        while self._admitted:
            _gate_of(self._admitted[0].what).admitted(*self._admitted[0][2:])
            self._admitted.popleft()
        while self.queue.never:
            _gate_of(self.queue.never[-1].what).never(*self.queue.never[-1][2:])
            self.queue.never.pop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.queue.wakes_at is not None:
            self._timer = self._loop.call_at(self.queue.wakes_at, self.look, context=self._context)


_WAITING: Final[WeakValueDictionary[int, _Waiting]] = WeakValueDictionary()
"""By the `id` of the loop, which each holds, and is itself held by the gates of runs: no loop is kept by this."""


class Gate:
    """Where tasks of one run wait that need something of a limit.

    Args:
        steps: the run loop.
        loop: the event loop, whose clock rates go by.
        scheduler: is told what can go on.
        failures: takes the failure of a task whose amounts cannot be told, or met.
        holding: is told which blocks hold limits.
        record: where waits are recorded; None where nothing is.
        named: the engine's limits; others may be added while it runs.
    """

    def __init__(
        self,
        steps: Steps,
        loop: asyncio.AbstractEventLoop,
        scheduler: Scheduler,
        failures: Failures,
        holding: Holding,
        record: Record | None,
        named: Mapping[str, Limit],
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._failures = failures
        self._holding = holding
        self.record = record
        self._named = named
        self._waiting = _WAITING.setdefault(id(loop), _Waiting(loop))
        self._waiting.gates.add(self)

    def hold(self, tasks: Iterable[Task]) -> None:
        """Have tasks wait for what they need; all values are among their arguments."""
        now = perf_counter()
        for task in tasks:
            needs = task.definition.needs
            assert needs is not None
            try:
                amounts = needs.amounts(self._named, task.args, task.kwargs)
                self._waiting.queue.join(task, amounts)
                task.wants = amounts
                task.held_since = now
                for limit in amounts:
                    if not limit.serves(self._waiting):
                        with _TURNS:  # else two event loops might take it each for their own
                            limit.watched_by(self._waiting)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # by a function of the user's
                self._waiting.queue.leave(task)
                self._failures.failed(task, error)
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
        if self._is_held(task):
            if self.record is not None and task.held_since is not None:
                self.record.admitted(task.id, task.held_since, perf_counter())
            self._scheduler.lanes.admitted(task, amounts)
            if task.definition.is_block:
                self._holding.blocks.add(task)
            self._steps.flush_soon()
        elif task.amounts is not amounts:
            give_back_all(amounts)

    def never(self, task: Task, amounts: Mapping[Limit, float]) -> None:
        """A task waits for more than there will be, since a limit was changed."""
        if self._is_held(task):
            try:
                check_amounts(amounts)
            except ValueError as error:
                self._failures.failed(task, error)
            self._steps.flush_soon()

    def holds(self, task: Task) -> bool:
        """Whether it is known here that a task waits."""
        return task in self._waiting.queue

    def abandon(self) -> None:
        """Nothing of the run goes on."""
        for task in self._scheduler.live.values():
            self._waiting.queue.leave(task)
            amounts, task.amounts = task.amounts, None
            for limit, weight in (amounts or {}).items():
                if limit.serves(self._waiting):
                    limit.give_back(weight)
        self._waiting.changed()

    def _is_held(self, task: Task) -> bool:
        return task.story & NOW == READY and task.is_held and task.lane.is_gate


def _gate_of(task: Task) -> Gate:
    gate: Gate = (
        task.site.run.gate
    )  # of a limit's queue the tasks of several engines are in, each with its own run
    return gate

"""Holds tasks that wait for limits, and lets them go on as soon as there is enough of all that they need."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from threading import Lock
from time import perf_counter
from typing import Final
from weakref import WeakSet, WeakValueDictionary

from .._core import gates
from .._core.lanes import Lane
from .._core.limits import Limit, Queue, Waiting, check_amounts, give_back_all
from .._core.order import Order
from .._core.scheduler import Scheduler
from .._core.story import Line
from .._core.task import Task
from .._record.record import Record
from . import inputs
from .failures import Failures
from .holding import Holding
from .loop_limits import watch, watches
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

    def now(self) -> float:
        """Seconds, by the clock of rates."""
        return self._loop.time()

    def waits(self) -> bool:
        """Whether anybody waits for a limit there."""
        return len(self.queue) > 0

    def look(self) -> None:
        """Let go on what can."""
        self._admitted.extend(self.queue.admit(self.now()))
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
        lanes: of the run; others may be added, too.
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
        lanes: Iterable[Lane],
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._failures = failures
        self._holding = holding
        self.record = record
        self._named = named
        self._lanes = lanes
        self._waiting = _WAITING.setdefault(id(loop), _Waiting(loop))
        self._waiting.gates.add(self)
        scheduler.lanes.queue = self._waiting.queue

    def take(self, gate: Lane, most: int | None = None) -> list[Task]:
        """The tasks of a gate to submit. Others that are ready wait from now on.

        Args:
            gate: that was due.
            most: how many of them may go before others; None to go by their calls.
        """
        lanes, queue = self._scheduler.lanes, self._waiting.queue
        is_others_turn = gates.settle(lanes, gate)
        if queue:
            self._waiting.look()
        if is_others_turn or most == 0:
            return []
        with _TURNS:  # nobody may take a limit for another event loop between the two
            now = self._waiting.now()
            batch = gates.take(lanes, gate, queue, now, most) if self._serve(gate) else None
        if batch is None:
            self._hold(gate)
            return []
        if batch and batch[0].definition.is_block:  # all are, in its lane
            self._holding.blocks.update(batch)
        return batch

    def _serve(self, gate: Lane) -> bool:
        """Have the limits of a gate count for this event loop. Tells whether they can."""
        assert gate.admission is not None
        try:
            for limit in gate.admission.amounts or ():
                watch(limit, self._waiting)
        except RuntimeError:
            return False
        return True

    def _hold(self, gate: Lane) -> None:
        """Have the tasks of a gate wait for what they need."""
        assert gate.admission is not None
        now, amounts = perf_counter(), gate.admission.amounts
        lanes = self._scheduler.lanes
        order = self._scheduler.order
        most = gates.first_in_line(lanes, gate) if order is None else len(gate.ready)
        tasks: Sequence[Task] = lanes.take_to_hold(gate, most)
        if amounts is None:  # they follow from values
            tasks = inputs.fill(tasks, self._failures.failed)
        for task in tasks:
            try:
                needed = self._amounts(task) if amounts is None else amounts
                self._waiting.queue.join(task, needed, 0 if order is None else order.standing(task))
                gates.hold(task, needed, now)
                for limit in needed:
                    if not watches(limit, self._waiting):
                        with _TURNS:
                            watch(limit, self._waiting)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # by a function of the user's
                self._failures.failed(task, error)
        self._waiting.look()

    def _amounts(self, task: Task) -> Mapping[Limit, float]:
        needs = task.definition.needs
        assert needs is not None
        error = task.failed_attempts[-1].error if task.failed_attempts else None
        return needs.of_attempt(self._named, task.args, task.kwargs, task.attempt + 1, error)

    def look(self) -> None:
        """Let go on who can."""
        self._waiting.look()

    def take_places(self, order: Order) -> None:
        """Some tasks stand otherwise than before: have them wait where they belong, and let go on who can."""
        queue, raised = self._waiting.queue, order.raised
        order.raised = []
        for task in raised:
            if task in queue and task.wants is not None:
                queue.leave(task)
                queue.join(task, task.wants, order.standing(task))
        self._waiting.look()

    def line(self, task: Task) -> Line | None:
        """Where a task stands that waits for limits; None for one that does not."""
        if task not in self._waiting.queue:
            return None
        wants = task.wants or {}
        ours_first = sorted(self._waiting.gates, key=lambda gate: gate is not self)
        using = [each for gate in ours_first for each in gate.using()]
        holders = {limit: [each for each in using if limit in (gates.used_by(each) or ())] for limit in wants}
        return Line(holders, self._waiting.queue.ahead_of(task))

    def using(self) -> list[Task]:
        """The tasks of this run that use something of a limit."""
        return [task for task in self._scheduler.live.values() if gates.used_by(task) is not None]

    def admitted(self, task: Task, amounts: Mapping[Limit, float]) -> None:
        """A task that was held has all that it needs."""
        if gates.is_waiting(task):
            if self.record is not None and task.held_since is not None:
                self.record.admitted(task.id, task.held_since, perf_counter())
            gates.admit(self._scheduler.lanes, task, amounts)
            self._steps.flush_soon()
        elif task.amounts is not amounts:
            give_back_all(amounts)

    def never(self, task: Task, amounts: Mapping[Limit, float]) -> None:
        """A task waits for more than there will be, since a limit was changed."""
        if gates.is_waiting(task):
            try:
                check_amounts(amounts)
            except ValueError as error:
                self._failures.failed(task, error)
            self._steps.flush_soon()

    def abandon(self) -> None:
        """Nothing of the run goes on."""
        for lane in self._lanes:
            if lane.admission is not None:
                self._give_back(lane.admission.amounts, lane.admission.counted)
                lane.taken = lane.admission.counted = 0
        for task in self._scheduler.live.values():
            self._waiting.queue.leave(task)
            amounts, task.amounts = task.amounts, None
            self._give_back(amounts, 1)
        self._waiting.changed()

    def _give_back(self, amounts: Mapping[Limit, float] | None, times: int) -> None:
        for limit, weight in (amounts or {}).items():
            if watches(limit, self._waiting):
                limit.give_back(weight * times)


def _gate_of(task: Task) -> Gate:
    gate: Gate = (
        task.site.run.gate
    )  # of a limit's queue the tasks of several engines are in, each with its own run
    return gate

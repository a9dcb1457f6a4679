"""How a run of this process stands: taken bit by bit on its event loop, so that each time costs little."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from heapq import nsmallest
from itertools import islice
from time import perf_counter
from typing import Final, Protocol

from .._core.overview import in_short
from .._core.scheduler import Scheduler
from .._core.states import FAILED, SUCCEEDED
from .._core.task import Task, each_of
from .._engine.shown import Expected
from .._files.sandboxes import Sandboxes
from .._record.record import Record
from .._record.tally import Counted, Tally
from .._runtime.places import Places
from .._runtime.snapshot import snapshot_of
from .._runtime.step_loop import StepLoop
from .._runtime.teller import Teller
from .eta import Eta, Graph, Left, Measured, by_schedule, by_work
from .pace import Pace
from .progress import Failure, Function, Items, Progress, Slow

_SCHEDULED: Final = 300  # tasks that are left, up to which a schedule is made of them
_LOOKED_AT: Final = 2000  # tasks, the oldest, that are looked at for what holds the run up
_SLOW: Final = 3
_FAILURES: Final = 20
_LATELY: Final = 10.0  # seconds over which a rate is taken
_EXPLAINS, _SCHEDULES = 0.002, 0.005  # parts of the time, for what is not looked at every time


class Watched(Protocol):
    """What a display needs to know of a run."""

    loop: asyncio.AbstractEventLoop
    record: Record | None
    teller: Teller | None
    scheduler: Scheduler
    places: Places
    steps: StepLoop
    sandboxes: Sandboxes | None


class CountsOfRun:
    """Takes how a run stands, on its event loop.

    Args:
        run: that records.
        expected: of its engine.
        items: tells how its streams and services stand.
    """

    def __init__(
        self, run: Watched, expected: Expected, items: Callable[[], Iterable[Items]] = tuple
    ) -> None:
        assert run.teller is not None
        assert run.record is not None
        self._run = run
        self._teller = run.teller
        self._record: Record = run.record
        self._expected = expected
        self._items = items
        self._tally: Tally = run.teller.tally()
        self._rates: deque[tuple[float, list[int]]] = deque()
        self._explains, self._schedules = Pace(_EXPLAINS, 0.3), Pace(_SCHEDULES, 0.3)
        self._holds = ""
        self._scheduled: tuple[Eta, float] | None = None  # and when that was

    def close(self) -> None:
        """Count no longer."""
        self._record.readers.clear()

    def catch_up(self) -> None:
        """Have what was reported and not yet looked at handled."""
        self._teller.catch_up()

    def take(self) -> Progress:
        """How it stands now."""
        run, tally, now = self._run, self._tally, perf_counter()
        self._teller.count(tally)
        live: Mapping[int, Task] = run.scheduler.live
        running, since = Counter[int](), dict[int, float]()
        for task_id, (began, _) in self._record.running.items():
            number = tally.number_of(task_id)
            running[number] += 1
            since[number] = since.get(number, 0.0) + now - began
        items = list(self._items())
        streamed = [(each.name, each.total) for each in items if each.total is not None]
        expects = self._expected.totals(streamed)
        rates = self._rates_by_function(now)
        functions = [
            _function(counted, running[number], expects.get(counted.name), rates[number])
            for number, counted in enumerate(tally.functions)
            if counted.called
        ]
        return Progress(
            lasts=now - self._record.began,
            functions=functions,
            holds=self._held(live, now),
            slowest=self._slowest(live, now),
            failures=[
                Failure(each.name, each.id, _first_line(each.error))
                for each in islice(reversed(tally.failures), _FAILURES)
            ][::-1],
            errors=dict(tally.errors),
            rate=sum(each.rate or 0.0 for each in functions if each.is_work) or None,
            eta=self._eta(functions, since, live, now),
            items=items,
            is_over=self._teller.is_over,
        )

    def _held(self, live: Mapping[int, Task], now: float) -> str:
        if not live or self._teller.is_over:
            self._holds = ""
        elif self._explains.is_due(now):
            places, is_open = self._run.places.counts(), self._run.steps.is_open
            overview = snapshot_of(live, places, self._record, is_open=is_open, head="", looked_at=_LOOKED_AT)
            self._holds = in_short(overview)
            self._explains.took(perf_counter() - now, perf_counter())
        return self._holds

    def _slowest(self, live: Mapping[int, Task], now: float) -> list[Slow]:
        shown = []
        blocks = {number for number, each in enumerate(self._tally.functions) if each.kind == "block"}
        work = (each for each in self._record.running.items() if self._tally.number_of(each[0]) not in blocks)
        for task_id, (began, worker) in nsmallest(_SLOW, work, key=lambda each: each[1][0]):
            task = live.get(task_id)
            if task is not None:
                shown.append(Slow(f"{task.name_shown} (#{task_id})", now - began, worker or task.lane.place))
        return shown

    def _rates_by_function(self, now: float) -> list[float | None]:
        """How many have ended in a second, lately."""
        rates, over = self._rates, [each.over for each in self._tally.functions]
        if not rates:
            rates.append((self._record.began, [0] * len(over)))
        rates.append((now, over))
        while len(rates) > 2 and rates[1][0] <= now - _LATELY:
            rates.popleft()
        then, before = rates[0]
        before = before + [0] * (len(over) - len(before))
        seconds = max(now - then, 1e-9)
        return [(many - had) / seconds or None for many, had in zip(over, before, strict=True)]

    # -- what is left -------------------------------------------------------------------------------------

    def _eta(
        self, functions: list[Function], since: Mapping[int, float], live: Mapping[int, Task], now: float
    ) -> Eta | None:
        workers, left = self._run.places.workers(), []
        called = [each for each in self._tally.functions if each.called]
        numbers = {counted.name: number for number, counted in enumerate(self._tally.functions)}
        for each, counted in zip(functions, called, strict=True):
            is_work = each.kind in ("function", "executable", "service")
            tasks = each.total - each.over if is_work else 0
            ran = since.get(numbers[each.name], 0.0)
            left.append(Left(tasks, each.place if is_work else "", ran, _measured(counted)))
        if self._teller.is_over or not any(each.tasks for each in left):
            return None
        uncalled = sum(each.total - each.called for each in functions)
        limited = {each.place for each in left if each.tasks and workers.get(each.place) is not None}
        if len(live) + uncalled <= _SCHEDULED and len(limited) <= 1:
            if self._schedules.is_due(now) or self._scheduled is None:
                hands = workers[limited.pop()] if limited else None
                nothing = Left(0, "", 0.0, None)
                made = by_schedule(self._graph(functions, live, now), [*left, nothing], hands)
                self._scheduled = None if made is None else (made, now)
                self._schedules.took(perf_counter() - now, perf_counter())
            return None if self._scheduled is None else self._scheduled[0].after(now - self._scheduled[1])
        self._scheduled = None
        return by_work(left, workers)

    def _graph(self, functions: list[Function], live: Mapping[int, Task], now: float) -> Graph:
        """All that is left: what was called, and what is known that it will be."""
        points = {task_id: point for point, task_id in enumerate(live)}
        places = {each.name: place for place, each in enumerate(functions)}
        # What is no task, as the outcome of one, takes no time.
        by_number = [places.get(each.name, len(functions)) for each in self._tally.functions]
        after: list[list[int]] = []
        function: list[int] = []
        has_run: list[float] = []
        for task_id, task in live.items():
            followers = [points[each.id] for each in each_of(task.dependents) if each.id in points]
            if task.owner is not None and task.owner.id in points:
                followers.append(points[task.owner.id])
            after.append(followers)
            function.append(by_number[self._tally.number_of(task_id)])
            began, _ = self._record.running.get(task_id, (now, ""))
            has_run.append(now - began)
        for place, each in enumerate(functions):
            for _ in range(each.total - each.called):
                after.append([])
                function.append(place)
                has_run.append(0.0)
        return Graph(after, function, has_run)


def _function(counted: Counted, running: int, expected: int | None, rate: float | None) -> Function:
    done, failed, over = counted.ended[SUCCEEDED], counted.ended[FAILED], counted.over
    if counted.kind in ("block", "awaitable"):
        running = counted.called - over
    return Function(
        *(counted.name, counted.kind, counted.place, counted.called),
        *(max(0, min(running, counted.called - over)), done, failed, over - done - failed),
        expected=expected,
        mean=counted.seconds / counted.measured if counted.measured else None,
        rate=rate,
    )


def _measured(counted: Counted) -> Measured | None:
    if not counted.measured:
        return None
    return Measured(counted.measured, counted.seconds, counted.squares)


def _first_line(error: str) -> str:
    return error.partition("\n")[0]

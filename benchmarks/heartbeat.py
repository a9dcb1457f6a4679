"""How late a timer on the same event loop is at worst while a burst of calls drains.

A ``for`` loop that makes 100,000 calls lets nothing else run on the loop while it lasts: that is its user's choice,
and no engine can help it. So the clock starts when all calls have been made. The other variant is a user who makes
the calls in slices and lets the loop breathe in between; there the clock runs from the first call on.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable
from statistics import median
from time import perf_counter
from typing import Any

from . import fresh
from .measuring import Options, Row, Rows, collector_off, judged
from .places import PLACES, Call
from .shapes import SHAPES, run

NOTE = (
    "ms that a 10 ms heartbeat was late at worst, in medians of runs and in the worst run. 'at once': measured from "
    "when a plain for loop has made all calls; 'in slices': 1,000 calls, then one turn for the loop, and so on, "
    "measured throughout. gc: the longest pause of Python's garbage collector in these runs, a part of the lateness "
    "of any program that holds so many objects. gc off: the worst of as many runs with the collector off, which leaves "
    "what is the engine's own. Bare: the same burst without the engine, one run. Then how long a report of as many "
    "tasks holds the loop: engine.report() alone, and str(engine.report()), medians and the worst, after a first one."
)
TARGET_MS = 50.0
_BEAT = 0.010
_SLICE = 1_000


def measure(options: Options) -> Rows:
    """All places; a burst at once and in slices."""
    n = 20_000 if options.quick else 100_000
    title = f"Heartbeat while {n:,} calls drain, {options.repeat} runs"
    for name, place in PLACES.items():
        for how in ("at once", "in slices"):
            row: Row = {"place": name, "calls": how}
            if reason := place.missing():
                row["skipped"] = reason
            else:
                try:
                    row |= fresh.run(compare, name, how == "in slices", n, options.repeat)
                except fresh.Failed as error:
                    row["failed"] = str(error)
            yield title, row
    title = f"The loop held by a report of {n:,} tasks, {options.repeat} reports"
    for name in ("coroutines", "threads", "processes"):
        for shape in ("independent", "stencil"):
            row = {"place": name, "shape": shape}
            try:
                row |= fresh.run(reported, name, shape, n, options.repeat)
            except fresh.Failed as error:
                row["failed"] = str(error)
            yield title, row


def compare(name: str, sliced: bool, n: int, repeat: int) -> Row:
    """One row."""
    return asyncio.run(_compare(name, sliced, n, repeat))


async def _compare(name: str, sliced: bool, n: int, repeat: int) -> Row:
    place = PLACES[name]
    row: Row = {}
    bare: float | None = None
    if place.bare is not None:  # first: a pool that forks should do so before there are threads
        async with place.bare() as bind:
            bare, _ = await _lateness(bind(place.bare_body), n, sliced)
    async with place.ours() as bind:
        call = bind(place.body)
        await _lateness(call, n // 10, sliced)
        runs = [await _lateness(call, n, sliced) for _ in range(repeat)]
        with collector_off():
            own = [await _lateness(call, n, sliced) for _ in range(repeat)]
    late = [worst * 1e3 for worst, _ in runs]
    row = {"late_ms": median(late), "worst_ms": max(late), "gc_ms": max(pause for _, pause in runs) * 1e3}
    row |= judged("ms", max(late), TARGET_MS) | {"gc_off_ms": max(worst for worst, _ in own) * 1e3}
    return row | {"bare_late_ms": None if bare is None else bare * 1e3, "late_samples_ms": late}


def reported(name: str, shape: str, n: int, repeat: int) -> Row:
    """One row of reports."""
    return asyncio.run(_reported(name, shape, n, repeat))


async def _reported(name: str, shape: str, n: int, repeat: int) -> Row:
    asking, telling = [], []
    async with PLACES[name].engine() as engine:
        await run(SHAPES[shape], engine.function_task(PLACES[name].body), n)
        str(engine.report())  # loads what tells of it
        for _ in range(repeat):
            gc.collect()
            began = perf_counter()
            report = engine.report()
            asked = perf_counter()
            assert str(report).startswith(f"Report: {n:,} tasks")
            asking.append((asked - began) * 1e3)
            telling.append((perf_counter() - began) * 1e3)
    row: Row = {"report_ms": median(asking), "text_ms": median(telling), "text_worst_ms": max(telling)}
    return row | judged("ms", median(telling), TARGET_MS) | {"text_samples_ms": telling}


async def _lateness(call: Call, n: int, sliced: bool) -> tuple[float, float]:
    """Seconds that the heart was late at worst, and of the longest garbage collection."""
    heart, pauses = _Heart(), _Pauses()
    gc.collect()
    gc.callbacks.append(pauses)
    try:
        made: list[Awaitable[Any]] = []
        if sliced:
            heart.start()
            for start in range(0, n, _SLICE):
                made += [call() for _ in range(start, min(n, start + _SLICE))]
                await asyncio.sleep(0)
        else:
            made += [call() for _ in range(n)]
            pauses.longest = 0.0  # those while the calls were made are not what is measured
            heart.start()
        for each in made:  # not gather(), which would be busy for a while with nothing but itself
            await each
    finally:
        gc.callbacks.remove(pauses)
        worst = heart.stop()
    return worst, pauses.longest


class _Heart:
    """Wants to beat every 10 ms."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._worst = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._due = self._loop.time() + _BEAT
        self._timer = self._loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        self._worst = max(self._worst, self._loop.time() - self._due)
        self.start()

    def stop(self) -> float:
        assert self._timer is not None
        self._timer.cancel()
        return max(self._worst, self._loop.time() - self._due)  # one that is overdue counts, too


class _Pauses:
    """Times the garbage collector."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._began = 0.0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = perf_counter()
        else:
            self.longest = max(self.longest, perf_counter() - self._began)

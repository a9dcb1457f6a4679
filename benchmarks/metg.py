"""METG(50 %), the minimum effective task granularity of Task Bench (Slaughter et al., SC'20).

A graph of tasks with a given amount of work each is run on two workers. Its efficiency is the time that the work
alone takes on two workers, over the time that the run took. The smaller the tasks, the less of it is left; METG is
the task duration at which half is. As there, a task's duration is what it costs in the run, overhead included: time
of the run × workers / tasks. Half of that, at the threshold, is work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from math import sqrt
from statistics import mean
from typing import Any

from . import fresh
from .bodies import busy, pace
from .measuring import Options, Row, Rows, in_turns, judged
from .places import PLACES, WORKERS, Bind, Call
from .shapes import size, stencil

NOTE = (
    "µs a task on a three-point stencil with two workers, work and overhead, at the smallest grain that keeps half of "
    "both busy. The bodies are hashes, which give up the interpreter lock."
)
TARGET = 0.35  # of the bare pool's
_COARSEST_US = 500.0  # what the search begins with; if that is not enough it goes up first
_FINEST_US = 4.0
_HOPELESS_US = 5_000.0  # of work: if not even this keeps them busy, others keep the machine busy
_PRECISION = 1.05  # the search ends when too fine and coarse enough are within this factor
_HALF = 0.5


def measure(options: Options) -> Rows:
    """Threads and processes, against the bare pools."""
    n = 1_000 if options.quick else max(1_000, options.n // 10)
    title = f"METG(50 %), stencil of {n:,} tasks, bisection, best of {options.repeat} at each grain"
    for name in ("threads", "processes"):
        if reason := PLACES[name].missing():
            yield title, {"place": name, "skipped": reason}
            continue
        try:
            row = fresh.run(compare, name, n, options.repeat)
        except fresh.Failed as error:
            row = {"failed": str(error)}
        yield title, {"place": name} | row


def compare(name: str, n: int, repeat: int) -> Row:
    """One row."""
    with ProcessPoolExecutor(WORKERS) as pool:  # both at once: cores may share what makes them fast
        paces = list(pool.map(pace, [0.5] * WORKERS))
    work = _Work(mean(call for call, _ in paces), mean(each for _, each in paces))
    return asyncio.run(_compare(name, n, repeat, work))


class _Work:
    """Turns seconds of work into iterations of the body, and back."""

    def __init__(self, call: float, each: float) -> None:
        self._call = call
        self._each = each

    def iterations(self, seconds: float) -> int:
        return 1 + max(0, round((seconds - self._call) / self._each))

    def seconds(self, iterations: int) -> float:
        return self._call + (iterations - 1) * self._each


class _Search:
    """Bisection on a logarithmic scale for the finest grain that is efficient enough."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low  # seconds of work in a task: too little, or never tried
        self.high = high  # enough
        self.found: tuple[float, float] | None = None  # the run at high: seconds a task, efficiency

    @property
    def is_over(self) -> bool:
        return self.found is not None and self.high / self.low < _PRECISION

    @property
    def next(self) -> float:
        return self.high if self.found is None else sqrt(self.low * self.high)

    def learn(self, work: float, duration: float) -> None:
        efficiency = work / duration
        if efficiency >= _HALF:
            self.high, self.found = work, (duration, efficiency)
        elif self.found is None:
            self.low, self.high = work, work * 2
            if work * 1e6 > _HOPELESS_US:
                raise RuntimeError(
                    f"two workers were never half busy, with tasks of {work * 1e6:,.0f} µs at most"
                )
        else:
            self.low = work


async def _compare(name: str, n: int, repeat: int, work: _Work) -> Row:
    place = PLACES[name]
    assert place.bare is not None
    searches = {side: _Search(_FINEST_US / 1e6, _COARSEST_US / 1e6) for side in ("bare", "ours")}
    async with AsyncExitStack() as stack:
        binds = {"bare": await stack.enter_async_context(place.bare())}
        await _duration(binds["bare"](busy, 1), n)  # a pool that forks should do so before there are threads
        binds["ours"] = await stack.enter_async_context(place.ours())
        await _duration(binds["ours"](busy, 1), n)
        while unsettled := [side for side, search in searches.items() if not search.is_over]:
            grains = {side: work.iterations(searches[side].next) for side in unsettled}
            durations = await in_turns(
                {side: _probe(binds[side], grain, n) for side, grain in grains.items()}, repeat
            )
            for side, grain in grains.items():
                # The best and not the median: whoever else uses the machine only ever makes it longer.
                searches[side].learn(work.seconds(grain), min(durations[side]))
    return _row(searches)


def _probe(bind: Bind, grain: int, n: int) -> Callable[[], Any]:
    return lambda: _duration(bind(busy, grain), n)


async def _duration(call: Call, n: int) -> float:
    """Run a stencil; seconds a task, as Task Bench counts them."""
    began = asyncio.get_running_loop().time()
    await asyncio.gather(*stencil(call, n))
    return (asyncio.get_running_loop().time() - began) * WORKERS / size(stencil, n)


def _row(searches: dict[str, _Search]) -> Row:
    row: Row = {}
    for side in ("ours", "bare"):
        search = searches[side]
        assert search.found is not None
        duration, efficiency = search.found
        row[f"{side}_us"] = duration * 1e6
        row[f"{side}_work_us"] = search.high * 1e6
        row[f"{side}_efficiency"] = efficiency
    row["ratio"] = row["ours_us"] / row["bare_us"]
    return row | judged("ratio", row["ratio"], TARGET)

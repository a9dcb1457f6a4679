"""Where the microseconds of one task go, stage by stage, on the engine's own thread."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import wraps
from statistics import median
from time import perf_counter
from typing import Any

from asyncflow._runtime.dispatch import Dispatch
from asyncflow._runtime.reports import Reports
from asyncflow._runtime.step_loop import StepLoop
from asyncflow.backends import noop, sequential, thread
from asyncflow.backends.process.processes import Processes
from asyncflow.backends.process.worker_pool import WorkerPool

from . import fresh
from .measuring import Options, Row, Rows
from .places import PLACES
from .shapes import SHAPES, size

NOTE = (
    "µs a task on the thread of the event loop, medians. call: the user's own loop of calls, with signature, record "
    "and wiring. submit: taking what is ready, filling in results. backend: handing it over, packing included. read: "
    "results of processes, unpacked. settle: results into futures, dependents counted down. gc: Python's garbage "
    "collector, wherever it struck. rest: the event loop, bodies that run on it and how they end, waiting for workers "
    "and for the interpreter lock. Each time is without those of other stages inside it."
)
_STAGES = ("call", "submit", "backend", "read", "settle", "gc", "rest")
_WRAPPED: tuple[tuple[Any, str, str], ...] = (
    (Dispatch, "submit", "submit"),
    (StepLoop, "flush", "submit"),
    (Reports, "handle", "settle"),
    (thread.ThreadBackend, "submit", "backend"),
    (sequential.SequentialBackend, "submit", "backend"),
    (noop.NoopBackend, "submit", "backend"),
    (WorkerPool, "_feed", "backend"),
    (WorkerPool, "submit", "backend"),
    (Processes, "_read", "read"),
)


class _Ledger:
    """Adds up the time of each stage without what other stages took inside of it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(_STAGES, 0.0)
        self._open = ["rest"]
        self._since = perf_counter()

    def enter(self, stage: str) -> None:
        self._count()
        self._open.append(stage)

    def leave(self) -> None:
        self._count()
        self._open.pop()

    def _count(self) -> None:
        now = perf_counter()
        self.seconds[self._open[-1]] += now - self._since
        self._since = now

    def begin(self) -> None:
        self.seconds = dict.fromkeys(_STAGES, 0.0)
        self._since = perf_counter()

    def wrapped(self, method: Callable[..., Any], stage: str) -> Callable[..., Any]:
        @wraps(method)
        def timed(*args: Any) -> Any:
            self.enter(stage)
            try:
                return method(*args)
            finally:
                self.leave()

        return timed

    def collecting(self, phase: str, info: dict[str, int]) -> None:
        self.enter("gc") if phase == "start" else self.leave()


def measure(options: Options) -> Rows:
    """All places, all shapes."""
    title = f"Where the time of a task goes, {options.n:,} tasks, medians of {options.repeat}"
    for name, place in PLACES.items():
        for shape in SHAPES:
            row: Row = {"place": name, "shape": shape}
            if reason := place.missing():
                row["skipped"] = reason
            else:
                try:
                    row |= fresh.run(account, name, shape, options.n, options.repeat)
                except fresh.Failed as error:
                    row["failed"] = str(error)
            yield title, row


def account(name: str, shape_name: str, n: int, repeat: int) -> Row:
    """One row. Wraps methods of the engine for good: to be run in a process of its own."""
    ledger = _Ledger()
    for owner, method, stage in _WRAPPED:
        setattr(owner, method, ledger.wrapped(getattr(owner, method), stage))
    return asyncio.run(_account(ledger, name, shape_name, n, repeat))


async def _account(ledger: _Ledger, name: str, shape_name: str, n: int, repeat: int) -> Row:
    shape = SHAPES[shape_name]
    tasks = size(shape, n)
    runs: list[dict[str, float]] = []
    async with PLACES[name].ours() as bind:
        call = bind(PLACES[name].body)
        await asyncio.gather(*shape(call, max(200, n // 10)))
        for _ in range(repeat):
            gc.collect()
            gc.callbacks.append(ledger.collecting)
            ledger.begin()
            ledger.enter("call")
            ends = shape(call, n)
            ledger.leave()
            await asyncio.gather(*ends)
            ledger.enter("rest")
            ledger.leave()
            gc.callbacks.remove(ledger.collecting)
            runs.append(ledger.seconds)
            del ends
    row: Row = {f"{stage}_us": median(run[stage] for run in runs) / tasks * 1e6 for stage in _STAGES}
    return row | {"total_us": median(sum(run.values()) for run in runs) / tasks * 1e6}

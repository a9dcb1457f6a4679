"""How many chains of a large fan are under way at a time, and how many results these hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from threading import Lock
from time import perf_counter
from typing import Any, ClassVar, Final

from asyncflow import WorkflowEngine
from asyncflow._core.lanes import MOST
from asyncflow._core.pace import window

from . import fresh
from .measuring import Options, Row, Rows, judged
from .places import WORKERS, Bind, bare_threads

NOTE = (
    "chains of which a result is alive in this process, and results, at most; the chains are called level by level, "
    "each row in a fresh process. Bare: a ThreadPoolExecutor, first come, first served. With priorities: one task of "
    "the engine has one, and little is handed ahead. Target: the workers, the tasks that a backend is handed ahead, "
    "and those that the loop takes at a time."
)
_LONG: Final = 5


class Result:
    """A value of one chain, which is counted while it is alive."""

    __slots__ = ("chain",)
    _alive: ClassVar[Counter[int]] = Counter()
    _count: ClassVar[int] = 0
    most: ClassVar[int] = 0
    most_chains: ClassVar[int] = 0
    _lock: ClassVar[Any] = Lock()

    def __init__(self, chain: int) -> None:
        self.chain = chain
        cls = type(self)
        with cls._lock:
            cls._alive[chain] += 1
            cls._count += 1
            cls.most = max(cls.most, cls._count)
            cls.most_chains = max(cls.most_chains, len(cls._alive))

    def __del__(self) -> None:
        cls = type(self)
        with cls._lock:
            cls._count -= 1
            cls._alive[self.chain] -= 1
            if not cls._alive[self.chain]:
                del cls._alive[self.chain]

    def __reduce__(self) -> tuple[type[Result], tuple[int]]:
        return Result, (self.chain,)


def step(before: Any) -> Result:
    """A link of a chain; the first is given its number."""
    return Result(before if type(before) is int else before.chain)


async def step_async(before: Any) -> Result:
    """The same as a coroutine."""
    return step(before)


def engine_of(place: str) -> WorkflowEngine:
    """An engine, not started."""
    if place == "coroutines":
        return WorkflowEngine(max_coroutines=WORKERS)
    if place == "executor":
        return WorkflowEngine(ThreadPoolExecutor(WORKERS))
    return WorkflowEngine(place, workers=WORKERS)


@asynccontextmanager
async def ours(place: str, has_priorities: bool) -> Any:
    """The engine, as `places` has it."""
    engine = engine_of(place)
    if has_priorities:
        engine.function_task(step, priority=1)
    async with engine:
        yield engine.function_task


PLACES: Final = ("coroutines", "thread", "process", "sequential", "executor")
SIDES: Final[dict[str, Callable[[], AbstractAsyncContextManager[Bind]]]] = {
    "bare": bare_threads,
    **{place: partial(ours, place, False) for place in PLACES},
    **{f"{place}, with priorities": partial(ours, place, True) for place in PLACES},
}


def measure(options: Options) -> Rows:
    """Each place without priorities and with them, beside a bare pool."""
    chains = 2_000 if options.quick else 10_000
    title = f"Chains under way, of {chains:,} of {_LONG} tasks each"
    for name in SIDES:
        row: Row = {"place": name}
        try:
            row |= fresh.run(hold, name, chains)
        except fresh.Failed as error:
            row["failed"] = str(error)
        yield title, row


def hold(name: str, chains: int) -> Row:
    """One row."""
    seconds = asyncio.run(_fan(name, chains))
    row: Row = {"chains": Result.most_chains, "results": Result.most, "us": seconds / chains / _LONG * 1e6}
    return (
        row
        if name == "bare"
        else row | judged("chains", Result.most_chains, WORKERS + window(WORKERS) + MOST)
    )


async def _fan(name: str, chains: int) -> float:
    async with SIDES[name]() as bind:
        body = step_async if name.startswith("coroutines") else step
        call = bind(body)
        bare = name == "bare"
        began = perf_counter()
        level = [bind(body, number)() if bare else call(number) for number in range(chains)]
        for _ in range(_LONG - 1):
            level = [call(each) for each in level]
        left, over = len(level), asyncio.Event()

        def one_less(_: object) -> None:
            nonlocal left
            left -= 1
            if not left:
                over.set()

        for last in level:
            last.add_done_callback(one_less)  # type: ignore[attr-defined]  # each is a future of asyncio
        del level, last  # nobody wants the last results: they do not count
        await over.wait()
        return perf_counter() - began

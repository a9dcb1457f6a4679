"""Four graphs of no-op tasks, and what a task costs in each: with the engine, and written by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from time import perf_counter
from typing import Any

from . import fresh
from .measuring import Options, Row, Rows, compared, in_turns, judged
from .places import PLACES, Call

NOTE = (
    "µs a task, from the first call to the last result; medians. Bare: asyncio.create_task, and run_in_executor on a "
    "bare ThreadPoolExecutor or ProcessPoolExecutor; two workers each."
)
WIDTH = 100  # of the stencil

Shape = Callable[[Callable[..., Any], int], list[Any]]
"""Calls about n times and returns the nodes that nothing depends on."""


def independent(call: Callable[..., Any], n: int) -> list[Any]:
    """No task waits for another."""
    return [call() for _ in range(n)]


def chain(call: Callable[..., Any], n: int) -> list[Any]:
    """Each task waits for the one before."""
    last = call()
    for _ in range(n - 1):
        last = call(last)
    return [last]


def tree(call: Callable[..., Any], n: int) -> list[Any]:
    """Half of the tasks are leaves, and each other one waits for two."""
    level = [call() for _ in range((n + 1) // 2)]
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [call(left, right) for left, right in zip(level[::2], level[1::2], strict=False)] + odd
    return level


def stencil(call: Callable[..., Any], n: int) -> list[Any]:
    """Rows of cells, each of which waits for the three above it."""
    row = [call() for _ in range(WIDTH)]
    for _ in range(n // WIDTH - 1):
        row = [call(*row[max(0, x - 1) : x + 2]) for x in range(WIDTH)]
    return row


SHAPES: dict[str, Shape] = {"independent": independent, "chain": chain, "tree": tree, "stencil": stencil}

# What ours may cost in parts of the bare one: independent, tree and stencil; chain.
TARGETS = {"coroutines": (1.0, 1.5), "threads": (0.2, 0.5), "processes": (0.08, 0.1)}
TARGET_US = 10.0  # where there is nothing to compare with; a chain has no target there


def size(shape: Shape, n: int) -> int:
    """How many tasks a shape really has."""
    calls = count()
    shape(lambda *inputs: next(calls), n)
    return next(calls)


async def run(shape: Shape, call: Call, n: int, clock: Callable[[], float] = perf_counter) -> float:
    """Run a graph to its end; the µs it took for each task."""
    tasks = size(shape, n)
    began = clock()
    await asyncio.gather(*shape(call, n))
    return (clock() - began) / tasks * 1e6


def measure(options: Options) -> Rows:
    """All places, all shapes."""
    title = f"Cost per task, {options.n:,} tasks, medians of {options.repeat}"
    for name, place in PLACES.items():
        if reason := place.missing():
            yield from ((title, {"place": name, "shape": shape, "skipped": reason}) for shape in SHAPES)
            continue
        for shape in SHAPES:
            try:
                row = fresh.run(compare, name, shape, options.n, options.repeat)
            except fresh.Failed as error:
                row = {"failed": str(error)}
            yield title, {"place": name, "shape": shape} | row


def compare(name: str, shape_name: str, n: int, repeat: int) -> Row:
    """One row; ours and the bare one in turns, in one process."""
    return asyncio.run(_compare(name, shape_name, n, repeat))


async def _compare(name: str, shape_name: str, n: int, repeat: int) -> Row:
    place, shape = PLACES[name], SHAPES[shape_name]
    async with AsyncExitStack() as stack:
        calls = {}
        if place.bare is not None:
            # First, and used at once: a pool that forks should do so before there are threads.
            calls["bare"] = (await stack.enter_async_context(place.bare()))(place.bare_body)
            await run(shape, calls["bare"], 2 * WIDTH)
        calls["ours"] = (await stack.enter_async_context(place.ours()))(place.body)
        for call in calls.values():
            await run(shape, call, max(2 * WIDTH, n // 10))  # workers are up, code is warm
        samples = await in_turns({side: partial(run, shape, call, n) for side, call in calls.items()}, repeat)
    if "bare" in samples:
        target = TARGETS[name][shape_name == "chain"]
        return compared("us", samples["ours"], samples["bare"], target)
    row = compared("us", samples["ours"])
    return row if shape_name == "chain" else row | judged("us", row["ours_us"], TARGET_US)

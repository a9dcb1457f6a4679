"""Streams for as long as it takes: what they hold does not grow with the number of items."""

from __future__ import annotations

import gc
import itertools
from collections.abc import AsyncIterator, Callable
from statistics import linear_regression
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow.testing.leaks import no_leaks

from .test_memory import resident

MILLION = 1_000_000
SAMPLES = 20
_LIMIT = 20_000  # tasks that the report tells of, so that it is full before the first sample


def twice(x: int) -> int:
    return 2 * x


def tasks(engine: WorkflowEngine) -> Any:
    return engine.function_task(twice)


def chains(engine: WorkflowEngine) -> Any:
    task = engine.function_task(twice)

    @engine.block
    def chain(x: int) -> Any:
        return task(task(x))

    return chain


async def later(many: int) -> AsyncIterator[int]:
    for x in range(many):
        yield x


async def slope(stream: Any, many: int) -> float:
    """Bytes that memory grows by with each item, after the first quarter."""
    at, held, given = list[int](), list[int](), 0
    async for _ in stream:
        given += 1
        if given >= many // 4 and given % (many // SAMPLES) == 0:
            gc.collect()
            at.append(given)
            held.append(resident())
    assert given == many
    return linear_regression(at, held).slope


@pytest.mark.soak
@pytest.mark.parametrize(
    ("make", "source", "many", "options"),
    [
        pytest.param(tasks, range, MILLION, {}, id="tasks"),
        pytest.param(tasks, later, MILLION // 2, {"ordered": True}, id="ordered, of an async source"),
        pytest.param(tasks, range, MILLION // 2, {"key": str}, id="with keys"),
        pytest.param(chains, range, MILLION // 4, {"window": 1000}, id="blocks"),
    ],
)
async def test_a_million_items_take_no_more_memory_than_some(
    make: Callable[[WorkflowEngine], Any], source: Any, many: int, options: dict[str, Any]
) -> None:
    async with WorkflowEngine(workers=2, report_limit=_LIMIT) as engine:
        task = make(engine)
        growth = await slope(task.stream(source(many), **options), many)
        print(f"{growth:.2f} bytes an item")
        assert growth < 20
        assert engine.report().streams[0].given == many


@pytest.mark.parametrize("many", [2_000, pytest.param(200_000, marks=pytest.mark.soak)])
async def test_an_endless_source_that_is_left_by_a_break_leaves_nothing_behind(many: int) -> None:
    with no_leaks():
        async with WorkflowEngine(workers=2) as engine:
            closed = []

            def source() -> Any:
                try:
                    yield from itertools.count()
                finally:
                    closed.append(True)

            async with engine.function_task(twice).stream(source(), window=50) as results:
                given = 0
                async for _ in results:
                    given += 1
                    if given == many:
                        break
            assert closed == [True] and results.counts.taken <= many + 50
            assert not engine._run.scheduler.live  # type: ignore[union-attr]

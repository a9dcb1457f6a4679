"""Streams in a plan: three items are rehearsed, and how many there would be is told."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow.plan import Plan, PlannedStream, PlannedTask
from asyncflow.streams import Stream

STREAM = PlannedStream("fit", "a.py:1", (1, 2), 50, 4, True)
TASKS = [PlannedTask(number, "fit") for number in (1, 2)]


async def read(stream: Stream[Any]) -> list[Any]:
    return [value async for value in stream]


async def rehearsed(source: Any, **options: Any) -> Plan:
    engine = WorkflowEngine()

    @engine.function_task(expected=2.0)
    def work(x: int) -> int:
        raise RuntimeError("never runs")

    @engine.block
    async def index(x: int) -> int:
        return await work(await work(x))

    async def target() -> None:
        await read(index.stream(source(engine) if callable(source) else source, **options))

    plan = await engine.plan(target)
    plan.check()
    return plan


# -- what is rehearsed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "total", "items"),
    [
        (range(5_000), 5_000, 3),
        ([1, 2], 2, 2),
        ([], 0, 0),
        (range(1 << 64), None, 3),  # whose length is no number of Python's
        (lambda _: itertools.count(), None, 3),
        (lambda _: (x for x in range(2)), None, 2),
    ],
)
async def test_three_items_are_rehearsed_and_the_plan_says_how_many_there_are(
    source: Any, total: int | None, items: int
) -> None:
    plan = await rehearsed(source, window=20, ordered=True)
    (stream,) = plan.streams
    blocks = [task.id for task in plan.tasks if task.kind == "block"]
    assert (stream.name, stream.total, stream.window, stream.ordered) == ("index", total, 20, True)
    assert list(stream.items) == blocks and len(blocks) == items
    assert stream.called_at.partition(":")[0].endswith("test_planned_streams.py")
    assert stream.times == ("× an unknown number" if total is None else f"× {total:,}")


async def test_a_slow_source_changes_nothing_of_a_plan() -> None:
    def slow(_: WorkflowEngine) -> Iterator[int]:
        for x in range(5):
            ended = perf_counter() + 0.002  # longer than a stream asks its source in one go
            while perf_counter() < ended:
                pass
            yield x

    quick = await rehearsed(lambda _: (x for x in range(5)), window=20)
    assert (await rehearsed(slow, window=20)).tasks == quick.tasks


async def test_async_sources_streams_and_generator_tasks_are_rehearsed_too() -> None:
    engine = WorkflowEngine()

    @engine.function_task
    def work(x: int) -> int:
        raise RuntimeError("never runs")

    @engine.function_task
    def rows(n: int) -> Iterator[int]:
        yield from range(n)

    async def numbers() -> AsyncIterator[int]:
        for x in itertools.count():
            yield x

    async def target() -> None:
        await read(work.stream(numbers()))
        await read(work.stream(work.stream(range(100))))
        await read(work.stream(rows(5)))

    plan = await engine.plan(target)
    plan.check()
    assert [(each.name, each.total) for each in plan.streams] == [
        *[("work", None), ("work", None), ("work", 100), ("work", None)]
    ]
    assert all(len(each.items) == 3 for each in plan.streams)


async def test_of_what_a_task_gives_nobody_knows_how_many_items_it_has() -> None:
    engine = WorkflowEngine()

    @engine.function_task
    def listing() -> list[int]:
        raise RuntimeError("never runs")

    @engine.function_task
    def opaque() -> Any:
        raise RuntimeError("never runs")

    @engine.function_task
    def work(x: int) -> int:
        raise RuntimeError("never runs")

    async def target() -> None:
        await read(work.stream(await listing()))
        await read(work.stream(await opaque()))

    plan = await engine.plan(target)
    assert [each.total for each in plan.streams] == [None, None]
    assert not any("length" in each for each in plan.decisions)


async def test_a_stream_inside_of_a_streams_block_says_in_which() -> None:
    engine = WorkflowEngine()

    @engine.function_task
    def work(x: int) -> int:
        raise RuntimeError("never runs")

    @engine.block
    async def inner(x: int) -> int:
        return len(await read(work.stream(range(10))))

    async def target() -> None:
        await read(inner.stream(range(100)))

    plan = await engine.plan(target)
    outer, *others = plan.streams
    assert outer.total == 100 and outer.block is None
    assert [each.block for each in others] == list(outer.items) and {each.total for each in others} == {10}
    assert "work × 10, window 100 (3 times)" in str(plan).replace("\n  ", " ")


# -- how it is shown --------------------------------------------------------------------------------------


async def test_a_plan_shows_how_many_items_there_are_and_what_its_numbers_are_of() -> None:
    plan = await rehearsed(range(5_000), window=20)
    text = str(plan).replace("\n  ", " ")
    assert "Streams: index × 5,000, window 20. All numbers here are of the items that were rehearsed" in text
    assert "index × 5,000, window 20" in plan._repr_html_()
    assert plan.makespan(3) == pytest.approx(4.0)  # of three items of two tasks
    told = plan.limits(3).replace("\n  ", " ")
    assert "All numbers here are of the items that were rehearsed: at most 3 of each stream (index)" in told


async def test_where_all_items_were_rehearsed_the_numbers_are_of_all() -> None:
    plan = await rehearsed([1, 2])
    assert "Streams: index × 2, window" in str(plan)
    assert "rehearsed" not in str(plan) and "rehearsed" not in plan.limits(2)


# -- as data ----------------------------------------------------------------------------------------------


async def test_streams_of_a_plan_go_through_json() -> None:
    plan = await rehearsed(range(5_000))
    again = Plan.from_json(plan.to_json())
    assert again == plan and again.streams == plan.streams
    assert Plan(TASKS, streams=[STREAM]) != Plan(TASKS)
    assert Plan(TASKS, streams=[STREAM]).with_durations({"fit": 2.0}).streams == (STREAM,)
    assert str(STREAM) == "fit × 50, 2 of them rehearsed; window 4"


def test_a_stream_of_items_that_are_no_tasks_is_refused() -> None:
    with pytest.raises(LookupError, match="3"):
        Plan(TASKS, streams=[PlannedStream("fit", items=(3,))])


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"items": [1]}, TypeError),
        ({"items": ("1",)}, TypeError),
        ({"total": 2.5}, TypeError),
        ({"called_at": None}, TypeError),
        ({"ordered": 1}, TypeError),
        ({"window": 0}, ValueError),
        ({"items": (1, 2), "total": 1}, ValueError),
    ],
)
def test_a_stream_that_cannot_be_is_refused(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match="stream of 'fit'"):
        PlannedStream("fit", **wrong)
    text = (
        Plan(TASKS).to_json().replace('"findings"', '"streams": [{"name": "fit", "window": 0}], "findings"')
    )
    with pytest.raises(ValueError, match="a window of 0"):
        Plan.from_json(text)

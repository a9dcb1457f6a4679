"""What is told of streams: by the engine while they go on, by the report of a run and its journal, by each future."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow.events import Event, StreamBegan, StreamCounted, TaskCalled
from asyncflow.report import Report
from asyncflow.streams import Stream


def twice(x: int) -> int:
    return 2 * x


def third_fails(x: int) -> int:
    if x % 3 == 0:
        raise ValueError(x)
    return 2 * x


async def read(stream: Stream[Any]) -> list[Any]:
    return [value async for value in stream]


async def seen(predicate: Any) -> None:
    async with asyncio.timeout(30):
        while not predicate():
            await asyncio.sleep(0)


# -- items of tasks ---------------------------------------------------------------------------------------


async def test_a_report_knows_the_item_of_each_task_also_of_those_inside_of_blocks() -> None:
    engine = WorkflowEngine()
    task = engine.function_task(twice)

    @engine.block
    async def steps(x: int) -> int:
        return await task(await task(x))

    async with engine:
        await task(1)
        await read(steps.stream([5, 6], key=lambda x: f"item-{x}"))
        await read(task.stream(range(3)))
        report = engine.report()
    items = [(each.name, each.stream, each.item, each.key) for each in report.tasks]
    assert items[0] == ("twice", None, None, "")
    assert sorted(items[1:7]) == sorted(
        [("steps", 1, n, f"item-{5 + n}") for n in (0, 1)]
        + 2 * [("twice", 1, n, f"item-{5 + n}") for n in (0, 1)]
    )
    assert items[7:] == [("twice", 2, n, "") for n in range(3)]
    assert Report.from_json(report.to_json()) == report


async def test_items_are_told_apart_where_streams_are_inside_of_streams_and_sources_call_tasks() -> None:
    engine = WorkflowEngine()
    task = engine.function_task(twice)

    @engine.block
    async def inner(x: int) -> int:
        return sum(await read(task.stream(range(x, x + 3), window=2)))

    async with engine:
        sums = await read(inner.stream((task(x) for x in range(4)), window=2, ordered=True))
        assert sums == [sum(2 * y for y in range(2 * x, 2 * x + 3)) for x in range(4)]
        report = engine.report()
    outer, *others = report.streams
    assert (outer.name, outer.taken, outer.block) == ("inner", 4, None)
    blocks = {each.id: each.item for each in report.named("inner")}
    assert sorted(blocks.values()) == [0, 1, 2, 3]
    assert {stream.block for stream in others} == blocks.keys()
    for stream in others:
        mine = [each for each in report.named("twice") if each.stream == stream.number]
        assert [each.item for each in mine] == [0, 1, 2] and {each.block for each in mine} == {stream.block}
    sources = [each for each in report.named("twice") if each.block is None]
    assert [(each.stream, each.item) for each in sources] == [(None, None)] * 4


@pytest.mark.parametrize("key", [None, str])
async def test_a_future_explains_which_item_it_is_for(key: Any) -> None:
    engine = WorkflowEngine()
    task = engine.function_task(twice)
    told = list[str]()

    @engine.block
    async def steps(x: int) -> int:
        future = task(x)
        told.append(future.explain())
        return await future

    async with engine:
        plain = task(1)
        await read(steps.stream([7, 8], key=key))
        assert "of the stream" not in plain.explain()
    named = ("item 0", "item 1") if key is None else ("item 0, key '7',", "item 1, key '8',")
    for text, item in zip(sorted(told), named, strict=True):
        assert f"  for {item} of the stream of 'steps' made at test_streams_told.py:" in text.replace(
            str(Path(__file__).parent) + "/", ""
        )


async def test_without_a_report_streams_go_on_as_ever_and_nothing_is_told() -> None:
    async with WorkflowEngine(report_limit=0) as engine:
        task = engine.function_task(twice)
        future = task(1)
        assert sorted(await read(task.stream(range(50), key=str))) == [2 * x for x in range(50)]
        assert "of the stream" not in future.explain()


# -- streams in the report --------------------------------------------------------------------------------


async def test_a_report_tells_how_each_stream_went_and_which_items_took_longest() -> None:
    slow = threading.Event()

    def work(x: int) -> int:
        if x == 3:
            slow.wait(60)
        return x

    engine = WorkflowEngine(workers=2)
    task, fails = engine.function_task(work), engine.function_task(third_fails)
    async with engine:
        async for value in task.stream(range(20), window=5, key=lambda x: f"n-{x}"):
            if value == 2:
                asyncio.get_running_loop().call_later(0.02, slow.set)
        with pytest.raises(ExceptionGroup):
            await read(fails.stream(range(9), errors="collect", ordered=True))
        with pytest.raises(ValueError, match="3"):
            await read(fails.stream([1, 2, 3, 4], ordered=True))
        async for _ in task.stream(iter(range(9)), window=2):
            break
        report = engine.report()
    done, collected, failed, left = report.streams
    assert (done.name, done.taken, done.over, done.given, done.failed) == ("work", 20, 20, 20, 0)
    assert (done.total, done.window, done.ordered, done.state) == (20, 5, False, "done")
    assert done.first is not None and done.began <= done.first <= done.last
    assert done.rate == pytest.approx(20 / done.seconds)
    assert len(done.slowest) == 5 and done.slowest[0].index == 3 and done.slowest[0].key == "n-3"
    assert report.task(done.slowest[0].task).key == "n-3"
    assert [each.seconds for each in done.slowest] == sorted((e.seconds for e in done.slowest), reverse=True)
    assert (collected.failed, collected.given, collected.ordered, collected.state) == (3, 9, True, "done")
    assert (failed.failed, failed.state) == (1, "failed")
    assert left.total is None and left.given == 1 and left.taken <= 4
    assert "Streams:" in str(report) and "3 (n-3) " in str(report)
    assert "Streams" in report._repr_html_()
    assert Report.from_json(report.to_json()) == report


async def test_a_report_without_streams_speaks_of_none() -> None:
    async with WorkflowEngine() as engine:
        await engine.function_task(twice)(1)
        report = engine.report()
    assert not report.streams and "Streams" not in str(report)


async def test_of_very_many_streams_the_last_thousand_are_kept() -> None:
    async with WorkflowEngine() as engine:
        task = engine.function_task(twice)
        for _ in range(1010):
            await read(task.stream([1]))
        report = engine.report()
        assert len(report.streams) == 1000 and report.streams[-1].number == 1010


async def test_a_journal_tells_of_streams_what_the_report_does(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    engine = WorkflowEngine(journal=path)
    task, fails = engine.function_task(twice), engine.function_task(third_fails)
    async with engine:
        await read(task.stream(range(30), window=4, key=str))
        with pytest.raises(ExceptionGroup):
            await read(fails.stream(iter(range(9)), errors="collect"))
    report, journal = engine.report(), Report.from_journal(path)
    assert len(journal.streams) == 2
    for ours, theirs in zip(report.streams, journal.streams, strict=True):
        for name in ("number", "name", "called_at", "block", "window", "ordered", "total", "taken", "over"):
            assert getattr(ours, name) == getattr(theirs, name)
        assert (ours.given, ours.failed, ours.state) == (theirs.given, theirs.failed, theirs.state)
        assert ours.slowest == theirs.slowest
        times = theirs.began, theirs.first, theirs.last
        assert (ours.began, ours.first, ours.last) == pytest.approx(times, abs=1e-5)
    items = [(each.stream, each.item, each.key) for each in report.tasks]
    assert items == [(each.stream, each.item, each.key) for each in journal.tasks]
    assert (1, 29, "29") in items


async def test_listeners_hear_how_far_a_stream_is_once_a_burst() -> None:
    events = list[Event]()
    engine = WorkflowEngine()
    task = engine.function_task(twice)
    async with engine:
        engine.subscribe(events.extend)
        await read(task.stream(range(100), window=10))
        await task(1)
    began = [each for each in events if isinstance(each, StreamBegan)]
    counted = [each for each in events if isinstance(each, StreamCounted)]
    assert len(began) == 1 and began[0].name == "twice" and began[0].total == 100
    assert counted[-1].how == "done" and counted[-1].given == 100
    assert 2 <= len(counted) <= 40
    assert [each.taken for each in counted] == sorted(each.taken for each in counted)
    items = [each.item for each in events if isinstance(each, TaskCalled) and each.stream == 1]
    assert items == [*range(100)]


# -- what holds one up ------------------------------------------------------------------------------------


async def test_an_engine_explains_that_a_stream_waits_for_its_reader() -> None:
    engine = WorkflowEngine()
    task = engine.function_task(twice)
    async with engine, task.stream(range(50), window=5) as results:
        async for _ in results:
            await seen(lambda: results.counts.done == 5)
            told = engine.explain()
            break
    assert (
        "streams: twice, 6 taken and 1 given, waits for its reader: 5 results not taken, and its window is full"
        in told
    )


async def test_an_engine_explains_that_a_stream_waits_for_its_source() -> None:
    more = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        yield 1
        await more.wait()

    engine = WorkflowEngine()
    async with engine:
        results = engine.function_task(twice).stream(source())
        reading = asyncio.create_task(read(results))
        await seen(lambda: results.counts.given == 1)
        await asyncio.sleep(0)
        told = engine.explain()
        more.set()
        assert await reading == [2]
    assert "streams: twice, 1 taken and 1 given, waits for its source, for " in told


async def test_an_engine_explains_that_a_stream_waits_for_workers_or_for_what_runs() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def wait(x: int) -> int:
        begun.set()
        go_on.wait(60)
        return x

    engine = WorkflowEngine(workers=1)
    task = engine.function_task(wait)

    async def told_of(items: int) -> str:
        begun.clear()
        go_on.clear()
        reading = asyncio.create_task(read(task.stream(range(items), window=8)))
        await asyncio.to_thread(begun.wait, 60)
        told = engine.explain()
        go_on.set()
        await reading
        return told

    async with engine:
        assert "waits for workers: 2 of 3 items have not begun" in await told_of(3)
        assert "waits for 1 item under way" in await told_of(1)

"""Streams: many items through one task, with a bounded number under way; no item is lost or given twice."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest

from asyncflow import Skip, TaskSkipped, UpstreamFailed, WorkflowEngine
from asyncflow.backend import RAN
from asyncflow.streams import Stream
from asyncflow.testing import ManualBackend

from .kit import turns

BACKENDS = ["thread", "process", "sequential"]
ITEMS = range(1, 25)


def twice(x: int) -> int:
    return 2 * x


def third_fails(x: int) -> int:
    if x % 3 == 0:
        raise ValueError(x)
    return 2 * x


async def read(stream: Stream[Any]) -> list[Any]:
    return [value async for value in stream]


# -- values -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("window", [1, 2, 7, 100])
async def test_results_are_those_of_a_plain_loop(backend: str, window: int) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        task = engine.function_task(twice)
        expected = [twice(x) for x in ITEMS]
        assert sorted(await read(task.stream(ITEMS, window=window))) == expected
        assert await read(task.stream(ITEMS, window=window, ordered=True)) == expected


async def test_coroutines_and_blocks_are_streamed_too() -> None:
    engine = WorkflowEngine()
    step = engine.function_task(twice)

    @engine.function_task
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    @engine.block
    async def loop(x: int) -> int:
        while x < 50:
            x = await step(x)
        return x

    @engine.block
    def wired(x: int) -> Any:
        return later(step(x))

    async with engine:
        assert await read(later.stream(ITEMS, ordered=True)) == [x + 1 for x in ITEMS]
        assert await read(wired.stream(ITEMS, ordered=True)) == [2 * x + 1 for x in ITEMS]
        results = await read(loop.stream(ITEMS, ordered=True, window=5))
        assert all(50 <= each < 100 for each in results) and len(results) == len(ITEMS)


async def test_a_stream_may_be_the_source_of_another() -> None:
    async with WorkflowEngine() as engine:
        task = engine.function_task(twice)
        assert sorted(await read(task.stream(task.stream(ITEMS, window=3), window=2))) == [
            4 * x for x in ITEMS
        ]


async def test_async_iterables_and_receive_streams_of_anyio_are_sources() -> None:
    async def numbers() -> AsyncIterator[int]:
        for x in ITEMS:
            await asyncio.sleep(0)
            yield x

    sender, receiver = anyio.create_memory_object_stream[int](100)
    async with WorkflowEngine() as engine:
        task = engine.function_task(twice)
        assert sorted(await read(task.stream(numbers(), window=4))) == [2 * x for x in ITEMS]
        for x in ITEMS:
            sender.send_nowait(x)
        sender.close()
        async with receiver:
            assert sorted(await read(task.stream(receiver, window=4))) == [2 * x for x in ITEMS]


async def test_a_sequence_that_has_items_alone_is_a_source() -> None:
    class Dataset:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> int:
            return range(3)[index]

    async with WorkflowEngine() as engine:
        source: Any = Dataset()
        stream = engine.function_task(twice).stream(source, ordered=True)
        assert await read(stream) == [0, 2, 4]
        assert stream.counts.total == 3


async def test_an_empty_source_gives_nothing() -> None:
    async with WorkflowEngine() as engine:
        assert await read(engine.function_task(twice).stream([])) == []


# -- the window -------------------------------------------------------------------------------------------


async def test_an_endless_source_is_asked_only_when_there_is_room() -> None:
    asked = 0

    def numbers() -> Iterator[int]:
        nonlocal asked
        while True:
            asked += 1
            yield asked

    async with WorkflowEngine() as engine:
        given = 0
        async with engine.function_task(twice).stream(numbers(), window=10) as results:
            async for _ in results:
                given += 1
                assert asked - given <= 10
                if given == 200:
                    break
        assert asked <= 210


async def test_a_source_that_is_slow_to_ask_leaves_others_on_the_loop_their_turns() -> None:
    turns, most = 0, 0

    def slow() -> Iterator[int]:
        nonlocal turns, most
        for x in range(40):
            time.sleep(0.002)
            most, turns = max(most, turns), turns + 1
            yield x

    async def others() -> None:
        nonlocal turns
        while True:
            turns = 0
            await asyncio.sleep(0)

    async with WorkflowEngine() as engine:
        beside = asyncio.create_task(others())
        assert len(await read(engine.function_task(twice).stream(slow()))) == 40
        beside.cancel()
    assert most <= 3


async def test_a_consumer_that_stops_stops_the_source() -> None:
    async with WorkflowEngine() as engine:
        stream = engine.function_task(twice).stream(itertools.count(), window=5)
        async with stream:
            values = aiter(stream)
            await anext(values)
            await engine.submit(twice, 1)
            for _ in range(20):
                await asyncio.sleep(0)
            assert stream.counts.taken <= 6
            await values.aclose()


async def test_results_that_were_given_are_not_kept() -> None:
    class Big:
        pass

    alive = weakref.WeakSet[Big]()

    def make(x: int) -> Big:
        alive.add(made := Big())
        return made

    async with WorkflowEngine(workers=1) as engine:
        most = 0
        async for _ in engine.function_task(make).stream(range(300), window=10):
            most = max(most, len(alive))
        assert 2 <= most <= 20


@pytest.mark.parametrize("wrong", [0, -1, 2.5, "3", True])
async def test_a_window_that_is_none_is_refused(wrong: Any) -> None:
    task = WorkflowEngine().function_task(twice)
    with pytest.raises(ValueError, match=r"twice\.stream\(window=.*: a whole number is needed, 1 or more"):
        task.stream([1], window=wrong)


async def test_other_wrong_options_are_told_where_they_are_given() -> None:
    task = WorkflowEngine().function_task(twice)
    with pytest.raises(ValueError, match=r"twice\.stream\(errors='ignore'\): one of \('raise', 'collect'\)"):
        task.stream([1], errors="ignore")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"twice\.stream\(key='id'\): a function is needed"):
        task.stream([1], key="id")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"twice\.stream\(\) got 3: an iterable is needed, or an async one"):
        task.stream(3)  # type: ignore[arg-type]


# -- what was begun is finished first ---------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["thread", "process"])
async def test_what_was_begun_is_finished_before_more_is_begun(backend: str) -> None:
    def work(x: int) -> int:
        time.sleep(0.004)
        return x

    engine = WorkflowEngine(backend, workers=2)
    step = engine.function_task(work)
    half_done, most = set[int](), 0

    @engine.block
    async def steps(x: int) -> int:
        nonlocal most
        await step(x)
        half_done.add(x)
        most = max(most, len(half_done))
        await step(x)
        value = await step(x)
        half_done.discard(x)
        return value

    async with engine:
        assert sorted(await read(steps.stream(range(60), window=60))) == [*range(60)]
    assert most < 20  # first come, first served would have all 60 of them half done


async def test_the_next_task_of_an_item_goes_before_the_first_of_another(hands: ManualBackend) -> None:
    hands.workers = 1  # type: ignore[attr-defined]  # as a backend has that knows how many
    engine = WorkflowEngine(hands)
    first, second = [engine.function_task(twice, name=name) for name in ("first", "second")]

    all_wait = asyncio.Event()

    @engine.block
    async def steps(x: int) -> int:
        called = first(x)
        if x == 2:
            all_wait.set()
        return await second(await called)

    async with engine, steps.stream(range(3), window=3) as values:
        results = asyncio.ensure_future(read(values))
        handed = []
        await all_wait.wait()
        await turns(6)
        for _ in range(6):
            handed += hands.waiting
            work = hands.work(hands.waiting[0])
            hands.tell(RAN, work.id, (0.0, 60.0, "one"))  # so long that it is handed one at a time
            hands.succeed(work.id, 0)
            await turns(4)
        assert handed == ["first", "second"] * 3
        assert await results == [0, 0, 0]


# -- failures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
async def test_the_first_failure_is_raised_and_the_rest_cancelled(backend: str) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        task = engine.function_task(third_fails)
        got = []
        with pytest.raises(ValueError, match="3"):
            async for value in task.stream(ITEMS, ordered=True, window=4):
                got.append(value)
        assert got == [2, 4]


@pytest.mark.parametrize("backend", BACKENDS)
async def test_collected_failures_come_after_the_last_result(backend: str) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        task = engine.function_task(third_fails)
        got = []
        with pytest.raises(ExceptionGroup) as caught:
            async for value in task.stream(ITEMS, errors="collect"):
                got.append(value)
        assert sorted(got) == [2 * x for x in ITEMS if x % 3]
        assert str(caught.value).startswith("8 of 24 items of 'third_fails' have failed")
        assert sorted(each.args[0] for each in caught.value.exceptions) == [x for x in ITEMS if x % 3 == 0]


async def test_of_many_failures_the_first_hundred_are_kept_and_all_counted() -> None:
    async with WorkflowEngine() as engine:
        with pytest.raises(ExceptionGroup, match=r"300 of 300 items .*; the first 100 of them") as caught:
            await read(engine.function_task(third_fails).stream([3] * 300, errors="collect"))
        assert len(caught.value.exceptions) == 100


@pytest.mark.parametrize("backend", BACKENDS)
async def test_outcomes_tell_of_each_item_and_raise_for_none(backend: str) -> None:
    async with WorkflowEngine(backend, workers=2) as engine:
        task = engine.function_task(third_fails)
        outcomes = [each async for each in task.stream(ITEMS, ordered=True, key=str).outcomes()]
        assert [(each.item, each.key, each.value) for each in outcomes] == [
            (x, str(x), 2 * x if x % 3 else None) for x in ITEMS
        ]
        assert [type(each.error) for each in outcomes] == [
            ValueError if x % 3 == 0 else type(None) for x in ITEMS
        ]
        assert {each.attempts for each in outcomes} == {1}


async def test_a_skipped_item_gives_nothing() -> None:
    def even(x: int) -> int:
        if x % 2:
            raise Skip("odd")
        return x

    async with WorkflowEngine() as engine:
        task = engine.function_task(even)
        assert await read(task.stream(ITEMS, ordered=True)) == [x for x in ITEMS if x % 2 == 0]
        outcomes = [each async for each in task.stream([1]).outcomes()]
        assert isinstance(outcomes[0].error, TaskSkipped)


async def test_arguments_that_do_not_fit_fail_their_items() -> None:
    def none() -> None: ...

    async with WorkflowEngine() as engine:
        task: Any = engine.function_task(none)
        with pytest.raises(TypeError, match=r"none\(\) too many positional arguments"):
            await read(task.stream([1, 2]))


async def test_a_failure_inside_of_a_block_is_that_of_its_item() -> None:
    engine = WorkflowEngine()
    step = engine.function_task(third_fails)

    @engine.block
    async def block(x: int) -> int:
        return await step(step(x))

    async with engine:
        outcomes = [each async for each in block.stream([1, 3], ordered=True).outcomes()]
        assert outcomes[0].value == 4
        assert isinstance(outcomes[1].error, (ValueError, UpstreamFailed))


async def test_items_are_told_apart_by_their_key_and_called_in_the_users_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = WorkflowEngine()
    task = engine.function_task(third_fails)

    @engine.block
    async def block(x: int) -> int:
        return await task.with_options(after=task(x))(x)

    async with engine:
        with pytest.raises(UpstreamFailed, match="item-3") as caught:
            await read(block.stream([3], key=lambda x: f"item-{x}"))
        assert caught
        assert "test_streams.py" in str(engine.report())


# -- the source -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("at", [0, 1, 5, 12])
async def test_what_was_begun_is_given_before_the_error_of_the_source(is_async: bool, at: int) -> None:
    closed = []

    def source() -> Iterator[int]:
        try:
            yield from range(at)
            raise OSError("unplugged")
        finally:
            closed.append(True)

    async def slow() -> AsyncIterator[int]:
        try:
            for x in range(at):
                yield x
            raise OSError("unplugged")
        finally:
            closed.append(True)

    async with WorkflowEngine() as engine:
        got = []
        with pytest.raises(OSError, match="unplugged"):
            async for value in engine.function_task(twice).stream(slow() if is_async else source(), window=4):
                got.append(value)
        assert sorted(got) == [2 * x for x in range(at)]
    assert closed == [True]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("at", range(0, 12, 3))
@pytest.mark.parametrize("backend", ["thread", "process"])
async def test_after_a_break_the_source_is_closed_and_nothing_runs(
    backend: str, at: int, is_async: bool
) -> None:
    closed = asyncio.Event()

    def source() -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            closed.set()

    async def slow() -> AsyncIterator[int]:
        try:
            for x in itertools.count():
                yield x
        finally:
            closed.set()

    async with WorkflowEngine(backend, workers=2) as engine:
        stream = engine.function_task(twice).stream(slow() if is_async else source(), window=4)
        async for value in stream:
            if value >= 2 * at:
                break
        async with asyncio.timeout(30):
            await closed.wait()
        assert stream.counts.taken <= at + 10
    states = {str(task.state) for task in engine.report().tasks}
    assert states <= {"SUCCEEDED", "CANCELLED"}


async def test_a_file_stays_its_owners(tmp_path: Any) -> None:
    path = tmp_path / "lines"
    path.write_text("a\nb\n")
    async with WorkflowEngine() as engine:
        with open(path) as lines:
            assert await read(engine.function_task(str.strip).stream(lines, ordered=True)) == ["a", "b"]
            assert not lines.closed


async def test_leaving_waits_until_what_was_under_way_has_stopped() -> None:
    begun, opened = threading.Event(), threading.Event()

    def wait(x: int) -> int:
        if x == 0:
            return x
        begun.set()
        opened.wait(60)
        return x

    async with WorkflowEngine(workers=2) as engine:
        async with engine.function_task(wait).stream([0, 1], window=2) as results:
            async for _ in results:
                await asyncio.to_thread(begun.wait, 60)
                asyncio.get_running_loop().call_later(0.01, opened.set)
                break
        assert opened.is_set()
        assert not any(task.state.name == "RUNNING" for task in engine.report().tasks)


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_consumer_that_is_cancelled_takes_its_items_along(is_async: bool) -> None:
    opened = threading.Event()

    async def slow() -> AsyncIterator[int]:
        for x in itertools.count():
            yield x

    async with WorkflowEngine(workers=2) as engine:
        source: Any = slow() if is_async else itertools.count()
        stream = engine.function_task(lambda _: opened.wait(60)).stream(source, window=4)
        reading = asyncio.create_task(read(stream))
        while stream.counts.taken < 4:  # two for each worker: so many it takes however slow this machine is
            await asyncio.sleep(0)
        reading.cancel()
        asyncio.get_running_loop().call_later(0.01, opened.set)
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert stream.counts.taken == 4
        assert stream.counts.running == 4 or opened.is_set()


async def test_a_stream_is_read_once() -> None:
    async with WorkflowEngine() as engine:
        stream = engine.function_task(twice).stream([1])
        assert await read(stream) == [2]
        assert await read(stream) == []  # it is over

        other = engine.function_task(twice).stream([1])
        async with other:
            pass
        with pytest.raises(RuntimeError, match=r"a stream of 'twice' is read once, and this one was"):
            await read(other)


# -- how it goes ------------------------------------------------------------------------------------------


async def test_counts_tell_how_far_it_is() -> None:
    async with WorkflowEngine() as engine:
        async with engine.function_task(third_fails).stream(ITEMS, errors="collect", window=5) as results:
            with pytest.raises(ExceptionGroup):
                await read(results)
            counts = results.counts
        assert (counts.taken, counts.running, counts.done, counts.given, counts.failed) == (24, 0, 0, 24, 8)
        assert counts.total == 24 and counts.rate is not None and counts.eta == 0
        assert str(counts) == "taken 24, running 0, done 0, given 24, failed 8, of 24"


async def test_items_are_members_of_the_block_around() -> None:
    engine = WorkflowEngine()
    task = engine.function_task(twice)

    @engine.block
    async def total(n: int) -> int:
        return sum(await read(task.stream(range(n), window=3)))

    async with engine:
        assert await total(10) == 90
        owners = {row.block for row in engine.report().tasks if row.name == "twice"}
        assert len(owners) == 1 and None not in owners


async def test_streams_inside_of_streams_go_with_one_worker() -> None:
    engine = WorkflowEngine(workers=1)
    task = engine.function_task(twice)

    @engine.block
    async def inner(x: int) -> int:
        return sum(await read(task.stream(range(x), window=2)))

    async with engine:
        assert await read(inner.stream(range(8), window=3, ordered=True)) == [
            sum(2 * y for y in range(x)) for x in range(8)
        ]


async def test_a_plan_rehearses_three_items() -> None:
    engine = WorkflowEngine()
    task = engine.function_task(twice)

    @engine.block
    async def total() -> int:
        return sum(await read(task.stream(itertools.count())))

    plan = await engine.plan(total)
    plan.check()
    assert sum(each.name == "twice" for each in plan.tasks) == 3

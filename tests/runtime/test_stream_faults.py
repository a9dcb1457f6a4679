"""Streams whose sources, readers and keys do what nobody should: each ends, tells what happened and holds nothing."""

from __future__ import annotations

import asyncio
import gc
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from typing import Any

import anyio
import pytest

from asyncflow import EngineClosed, TaskFuture, WorkflowEngine, WrongLoop
from asyncflow.streams import Stream


def twice(x: int) -> int:
    return 2 * x


async def read(stream: Stream[Any]) -> list[Any]:
    return [value async for value in stream]


class Endless:
    """Sources without an end, which know that they were closed."""

    def __init__(self, closing: BaseException | None = None) -> None:
        self.closed = 0
        self._closing = closing

    def now(self) -> Iterator[int]:
        try:
            yield from itertools.count()
        finally:
            self._close()

    async def later(self) -> AsyncIterator[int]:
        try:
            for x in itertools.count():
                await asyncio.sleep(0)
                yield x
        finally:
            await asyncio.sleep(0)
            self._close()

    def _close(self) -> None:
        self.closed += 1
        if self._closing is not None:
            raise self._closing


# -- closing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["now", "later"])
async def test_an_error_of_closing_the_source_is_raised_where_the_stream_is_left(kind: str) -> None:
    async with WorkflowEngine() as engine:
        source = Endless(OSError("not closed"))
        with pytest.raises(OSError, match="not closed"):
            async with engine.function_task(twice).stream(getattr(source, kind)(), window=3) as results:
                async for _ in results:
                    break
        assert source.closed == 1


async def test_beside_the_error_of_an_item_that_of_closing_the_source_is_told_as_well() -> None:
    def fails(x: int) -> int:
        raise ValueError(x)

    async with WorkflowEngine() as engine:
        with pytest.raises(OSError, match="not closed") as caught:
            await read(engine.function_task(fails).stream(Endless(OSError("not closed")).later()))
        told: list[BaseException | None] = [caught.value]
        while told[-1] is not None:
            told.append(told[-1].__context__)
        assert any(isinstance(each, ValueError) for each in told)


@pytest.mark.parametrize("kind", ["now", "later"])
async def test_a_break_in_a_chain_of_streams_closes_the_source_once(kind: str) -> None:
    async with WorkflowEngine() as engine:
        task, source = engine.function_task(twice), Endless()
        stream = task.stream(getattr(source, kind)(), window=3)
        for _ in range(5):
            stream = task.stream(stream, window=3)
        async with stream:
            async for _ in stream:
                break
        assert source.closed == 1


async def test_a_stream_that_is_dropped_in_the_midst_closes_its_source() -> None:
    async with WorkflowEngine() as engine:
        source = Endless()
        values = aiter(engine.function_task(twice).stream(source.later(), window=3))
        await anext(values)
        del values
        gc.collect()
        async with asyncio.timeout(10):
            while not source.closed:
                await asyncio.sleep(0)


async def test_a_receive_stream_of_anyio_is_closed_so_that_its_sender_knows() -> None:
    sender, receiver = anyio.create_memory_object_stream[int](0)

    async def send() -> str:
        async with sender:
            for x in itertools.count():
                try:
                    await sender.send(x)
                except anyio.BrokenResourceError:
                    return "nobody listens"
        return "never comes here"

    async with WorkflowEngine() as engine:
        sending = asyncio.create_task(send())
        async with engine.function_task(twice).stream(receiver, window=3) as results:
            async for _ in results:
                break
        assert await sending == "nobody listens"


@pytest.mark.parametrize("leaves", [True, False])
async def test_a_source_that_has_a_task_group_of_its_own_is_closed_in_the_task_that_has_asked_it(
    leaves: bool,
) -> None:
    async def source() -> AsyncIterator[int]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            try:
                for x in range(1000 if leaves else 5):
                    yield x
            finally:
                group.cancel_scope.cancel()

    async with WorkflowEngine() as engine:
        async with engine.function_task(twice).stream(source(), window=3) as results:
            got = 0
            async for _ in results:
                got += 1
                if leaves:
                    break
        assert got == (1 if leaves else 5)


@pytest.mark.parametrize("is_failing", [False, True])
async def test_a_source_that_takes_its_time_to_close_after_its_last_item_is_not_cut_short(
    is_failing: bool,
) -> None:
    class Rows:
        def __init__(self) -> None:
            self.left, self.closed = 3, False

        def __aiter__(self) -> Rows:
            return self

        async def __anext__(self) -> int:
            if not self.left:
                raise OSError("lost") if is_failing else StopAsyncIteration
            self.left -= 1
            return self.left

        async def aclose(self) -> None:
            for _ in range(20):
                await asyncio.sleep(0)
            self.closed = True

    async with WorkflowEngine() as engine:
        rows = Rows()
        with pytest.raises(OSError, match="lost") if is_failing else nullcontext():
            await read(engine.function_task(twice).stream(rows))
        assert rows.closed


async def test_a_source_that_swallows_its_cancel_is_closed_all_the_same() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                yield 2

    async with asyncio.timeout(10), WorkflowEngine() as engine:
        results = engine.function_task(twice).stream(source())
        async with results:
            async for _ in results:
                break


# -- cancelling -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("turns", range(0, 30, 3))
async def test_a_cancel_at_any_moment_closes_the_source_and_leaves_nothing_behind(
    turns: int, times: int
) -> None:
    async with WorkflowEngine(workers=2) as engine:
        task, source, begun = engine.function_task(twice), Endless(), False

        async def body() -> None:
            nonlocal begun
            async with task.stream(source.later(), window=3) as results:
                async for _ in results:
                    begun = True
                    await asyncio.sleep(0)

        reading = asyncio.create_task(body())
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(times):
            reading.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await reading
        async with asyncio.timeout(10):
            while begun and not source.closed:
                await asyncio.sleep(0)
            assert source.closed <= 1


async def test_a_scope_of_anyio_that_is_over_leaves_a_stream_whose_source_takes_its_time_to_close() -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            for x in itertools.count():
                yield x
        finally:
            await asyncio.sleep(0.01)
            closed.set()

    async with WorkflowEngine() as engine:
        with anyio.CancelScope() as scope:
            async with engine.function_task(twice).stream(source(), window=3) as results:
                async for _ in results:
                    scope.cancel()
        async with asyncio.timeout(10):
            await closed.wait()


# -- the end of the engine --------------------------------------------------------------------------------


@pytest.mark.parametrize("wait", [True, False])
async def test_a_shutdown_wakes_a_reader_whose_source_never_comes_and_closes_that(wait: bool) -> None:
    closed = asyncio.Event()

    async def source() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            closed.set()

    engine = WorkflowEngine()
    await engine.start()
    got = list[int]()

    async def body() -> None:
        async for value in engine.function_task(twice).stream(source()):
            got.append(value)

    reading = asyncio.create_task(body())
    async with asyncio.timeout(30):
        while not got:
            await asyncio.sleep(0)
        await engine.shutdown(wait=wait)
        with pytest.raises(EngineClosed, match="a stream of 'twice' was being read, but the engine has been"):
            await reading
        await closed.wait()
    assert got == [2]


Streams = Callable[[WorkflowEngine, Iterator[int]], Stream[Any]]


def of_tasks(engine: WorkflowEngine, source: Iterator[int]) -> Stream[Any]:
    return engine.function_task(twice).stream(source, window=3, ordered=True)


def of_coroutines(engine: WorkflowEngine, source: Iterator[int]) -> Stream[Any]:
    async def later(x: int) -> int:
        await asyncio.sleep(0)
        return 2 * x

    return engine.function_task(later).stream(source, window=3, ordered=True)


def of_blocks(engine: WorkflowEngine, source: Iterator[int]) -> Stream[Any]:
    task = engine.function_task(twice)

    async def block(x: int) -> int:
        return sum([value async for value in task.stream([x])])

    return engine.block(block).stream(source, window=3, ordered=True)


def of_a_generator(engine: WorkflowEngine, source: Iterator[int]) -> Stream[Any]:
    def doubled() -> Iterator[int]:
        for x in source:
            yield 2 * x

    return engine.function_task(doubled)()


def of_an_async_generator(engine: WorkflowEngine, source: Iterator[int]) -> Stream[Any]:
    async def doubled() -> AsyncIterator[int]:
        for x in source:
            yield 2 * x

    return engine.block(doubled)()


def of_a_chain(engine: WorkflowEngine, source: Iterator[int]) -> Stream[Any]:
    same = engine.function_task(lambda x: x)
    return same.stream(of_a_generator(engine, source), window=3, ordered=True)


ENDLESS = [of_tasks, of_coroutines, of_blocks, of_a_generator, of_an_async_generator, of_a_chain]


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("make", ENDLESS, ids=lambda make: make.__name__)
async def test_a_shutdown_ends_an_endless_stream_that_goes_on_after_what_was_under_way(
    make: Streams, wait: bool
) -> None:
    engine = await WorkflowEngine.create(workers=2)
    stream = make(engine, itertools.count())
    got: list[int] = []

    async def consume() -> None:
        async for value in stream:
            got.append(value)

    reading = asyncio.ensure_future(consume())
    async with asyncio.timeout(30):
        while len(got) < 5:
            await asyncio.sleep(0)
        await engine.shutdown(wait=wait)
        with pytest.raises(EngineClosed, match="was being read, but the engine has been shut down"):
            await reading
    assert got == [*range(0, 2 * len(got), 2)]


@pytest.mark.parametrize("make", ENDLESS, ids=lambda make: make.__name__)
async def test_an_engine_can_be_left_while_somebody_holds_a_stream_that_nobody_reads_on(
    make: Streams,
) -> None:
    async with asyncio.timeout(30):
        async with WorkflowEngine(workers=2) as engine:
            values = aiter(make(engine, itertools.count()))
            assert await anext(values) == 0
        with pytest.raises(EngineClosed, match="was being read, but the engine has been shut down"):
            async for _ in values:
                pass


@pytest.mark.parametrize("kind", ["block", "function_task"])
async def test_a_stream_inside_of_what_was_called_goes_on_at_a_shutdown(kind: str) -> None:
    def numbers() -> Iterator[int]:
        yield from range(300)

    async def total() -> int:
        return sum([value async for value in task.stream(generate(), window=3)])

    async with WorkflowEngine() as engine:
        task, generate = engine.function_task(twice), engine.function_task(numbers)
        future = getattr(engine, kind)(total)()
        await asyncio.sleep(0)
    assert await future == sum(range(0, 600, 2))


async def test_a_stream_that_is_begun_while_the_engine_ends_takes_nothing() -> None:
    told = asyncio.Event()
    async with WorkflowEngine() as engine:
        under_way = engine.function_task(told.wait)()
        source = itertools.count()

        async def read_late() -> None:
            for _ in range(100):  # until then the shutdown has begun, and waits
                await asyncio.sleep(0)
            with pytest.raises(EngineClosed, match="'twice' was being read"):
                await read(engine.function_task(twice).stream(source))
            told.set()

        late = asyncio.ensure_future(read_late())
    await late
    assert await under_way and next(source) == 0


async def test_errors_that_were_collected_are_told_beside_that_of_the_source() -> None:
    def fails(x: int) -> int:
        raise ValueError(x)

    def source() -> Iterator[int]:
        yield 1
        raise OSError("lost")

    async with WorkflowEngine() as engine:
        with pytest.raises(OSError, match="lost") as caught:
            await read(engine.function_task(fails).stream(source(), errors="collect"))
        before = caught.value.__context__
        assert isinstance(before, ExceptionGroup) and [type(each) for each in before.exceptions] == [
            ValueError
        ]


async def test_a_stream_that_is_read_after_the_shutdown_says_so_and_closes_its_source() -> None:
    engine, source = WorkflowEngine(), Endless()
    await engine.start()
    results = engine.function_task(twice).stream(source.later())
    await engine.shutdown()
    with pytest.raises(EngineClosed):
        await read(results)


# -- readers ----------------------------------------------------------------------------------------------


async def test_a_second_reader_is_refused_and_disturbs_the_first_in_nothing() -> None:
    async with WorkflowEngine() as engine:
        results = engine.function_task(twice).stream(range(100), window=5)
        got = await asyncio.gather(read(results), read(results), return_exceptions=True)
        assert [type(each) for each in got] == [list, RuntimeError]
        assert sorted(got[0]) == [2 * x for x in range(100)]  # type: ignore[arg-type]


async def test_a_stream_that_was_left_is_not_read_on() -> None:
    async with WorkflowEngine() as engine:
        results = engine.function_task(twice).stream(range(100), window=5)
        async for _ in results:
            break
        with pytest.raises(RuntimeError, match="is read once, and this one was"):
            await read(results)


async def test_a_stream_is_read_on_no_other_event_loop_than_where_that_was_begun() -> None:
    async with WorkflowEngine() as engine, asyncio.timeout(30):
        source, gate = Endless(), asyncio.Event()

        @engine.function_task
        async def wait(x: int) -> int:
            if x:
                await gate.wait()
            return x

        values = aiter(wait.stream(source.later(), window=1))
        assert await anext(values) == 0

        async def read_on() -> None:
            with pytest.raises(WrongLoop, match="stream of 'wait' is read on the event loop where"):
                await anext(values)

        await asyncio.to_thread(asyncio.run, read_on())
        while not source.closed:  # where it was begun
            await asyncio.sleep(0)


async def test_an_item_that_somebody_cancels_is_one_of_those_that_have_failed() -> None:
    engine = WorkflowEngine(workers=1)

    @engine.function_task
    async def never(x: int) -> int:
        if x:
            return x
        await asyncio.Event().wait()
        return 0

    @engine.block
    def item(x: int) -> TaskFuture[int]:
        future = never(x)
        if not x:
            asyncio.get_running_loop().call_soon(future.cancel)
        return future

    async with engine:
        outcomes = [each async for each in item.stream(range(3), ordered=True).outcomes()]
        assert [each.error is None for each in outcomes] == [False, True, True]


# -- sources and keys -------------------------------------------------------------------------------------


async def test_how_far_a_stream_is_may_be_asked_before_the_first_item_is_over() -> None:
    async with WorkflowEngine(workers=1) as engine:
        results = engine.function_task(twice).stream(range(3))
        assert str(results.counts) == "taken 0, running 0, done 0, given 0, failed 0, of 3"
        reading = asyncio.create_task(read(results))
        while not results.counts.taken:
            await asyncio.sleep(0)
        assert results.counts.rate is None or results.counts.rate > 0
        await reading


@pytest.mark.parametrize(
    "length", [TypeError("none"), OverflowError("too many"), RuntimeError("of the user's")]
)
async def test_a_source_that_cannot_tell_its_length_is_read_all_the_same(length: Exception) -> None:
    class Source(list[int]):
        def __len__(self) -> int:
            raise length

    async with WorkflowEngine() as engine:
        results = engine.function_task(twice).stream(Source([1, 2]))
        assert results.counts.total is None
        assert sorted(await read(results)) == [2, 4]


async def test_a_list_that_grows_while_it_is_read_is_read_to_its_end() -> None:
    async with WorkflowEngine() as engine:
        items, got = [1, 2], list[int]()
        async for value in engine.function_task(twice).stream(items, window=1):
            got.append(value)
            if len(items) < 5:
                items.append(len(items) + 1)
        assert got == [2, 4, 6, 8, 10]


async def test_a_source_may_wait_for_what_comes_out_of_its_own_stream() -> None:
    queue = asyncio.Queue[int]()
    queue.put_nowait(1)

    async def source() -> AsyncIterator[int]:
        while (x := await queue.get()) < 100:
            yield x

    async with WorkflowEngine() as engine, asyncio.timeout(30):
        got = list[int]()
        async for value in engine.function_task(twice).stream(source()):
            got.append(value)
            queue.put_nowait(value)
        assert got == [2, 4, 8, 16, 32, 64, 128]


async def test_keys_that_fail_fail_their_items_and_hostile_ones_show_as_text() -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    async with WorkflowEngine() as engine:
        task = engine.function_task(twice)
        outcomes = [each async for each in task.stream([1, 0], key=lambda x: 1 / x, ordered=True).outcomes()]
        assert [type(each.error) for each in outcomes] == [type(None), ZeroDivisionError]
        assert await read(task.stream([1], key=lambda _: Hostile())) == [2]
        assert await read(task.stream([1], key=lambda _: "\x1b[31m\n" * 100)) == [2]
        report = engine.report()
        assert "\x1b" not in str(report) + report._repr_html_() + engine.explain()


@pytest.mark.parametrize("kind", ["now", "later"])
@pytest.mark.parametrize("error", [GeneratorExit, asyncio.CancelledError, StopAsyncIteration])
async def test_whatever_a_key_raises_fails_its_item_and_hangs_nobody(
    kind: str, error: type[BaseException]
) -> None:
    def key(_: int) -> None:
        raise error

    async with WorkflowEngine() as engine, asyncio.timeout(30):
        source = Endless()
        async with engine.function_task(twice).stream(getattr(source, kind)(), key=key) as results:
            async for each in results.outcomes():
                assert type(each.error) is error
                break
        assert source.closed == 1


@pytest.mark.parametrize("is_async", [False, True])
async def test_the_error_of_a_source_shows_the_users_lines_from_where_it_is_read(is_async: bool) -> None:
    def fails() -> Iterator[int]:
        raise OSError("lost")
        yield

    async def fails_later() -> AsyncIterator[int]:
        raise OSError("lost")
        yield

    async with WorkflowEngine() as engine:
        source: Any = fails_later() if is_async else fails()
        with pytest.raises(OSError, match="lost") as caught:
            await read(engine.function_task(twice).stream(source))
        names = [entry.name for entry in caught.traceback]
        below = names[names.index("_more") + 1 :]  # where it was raised for its reader
        assert below == [source.__name__]


async def test_exceptions_and_ellipses_are_items_and_values_as_others() -> None:
    async with WorkflowEngine() as engine:
        items = [None, ValueError("a value"), ..., NotImplemented]
        assert await read(engine.function_task(lambda x: x).stream(items, ordered=True)) == items

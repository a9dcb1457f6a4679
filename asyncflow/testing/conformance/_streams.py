"""Streams: many items through one task, and generators whose values come as they are made."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ... import EngineClosed
from .. import bad_tasks as bad
from .. import yielding_tasks as yielding
from ._base import Conformance, Engine, applies, asynchronous
from ._processes import died

_ITEMS = 7
_WINDOWS = (1, 3, 100)
_ORDERS = (True, False)


async def read(stream: Any) -> tuple[list[Any], BaseException | None]:
    """What a stream gives, and the error that ends it."""
    got = []
    try:
        async for value in stream:
            got.append(value)
    except Exception as error:
        return got, error
    return got, None


@asynchronous
@applies(executes=True)
class Streams(Conformance):
    """A stream gives what a loop over its items would, whatever fails, is cancelled or is left in the midst of it."""

    async def test_a_stream_gives_what_a_loop_would(self, engine: Engine) -> None:
        task = engine.function_task(bad.same)
        for window, ordered in itertools.product(_WINDOWS, _ORDERS):
            got, error = await read(task.stream(range(50), window=window, ordered=ordered))
            assert error is None
            assert got == [*range(50)] if ordered else sorted(got) == [*range(50)]

    async def test_a_failure_at_any_index_is_raised_in_its_place(self, engine: Engine) -> None:
        task = engine.function_task(yielding.square_or_fail)
        for at, window in itertools.product(range(_ITEMS), _WINDOWS):
            items = [(number, at) for number in range(_ITEMS)]
            got, error = await read(task.stream(items, window=window, ordered=True))
            assert got == [number * number for number in range(at)]
            assert isinstance(error, ValueError) and str(error) == f"number {at}"

    async def test_with_a_failure_at_any_index_the_others_go_on_if_that_is_asked_for(
        self, engine: Engine
    ) -> None:
        task = engine.function_task(yielding.square_or_fail)
        for at, ordered in itertools.product(range(_ITEMS), _ORDERS):
            items = [(number, at) for number in range(_ITEMS)]
            got, error = await read(task.stream(items, window=3, ordered=ordered, errors="collect"))
            assert sorted(got) == [number * number for number in range(_ITEMS) if number != at]
            assert isinstance(error, ExceptionGroup)
            assert [str(each) for each in error.exceptions] == [f"number {at}"]

    async def test_it_can_be_left_at_any_index(self, engine: Engine) -> None:
        task = engine.function_task(bad.same)
        for at, ordered in itertools.product(range(_ITEMS), _ORDERS):
            asked = itertools.count()
            got = []
            async with task.stream(asked, window=3, ordered=ordered) as values:
                async for value in values:
                    got.append(value)
                    if len(got) > at:
                        break
            taken = next(asked)
            assert len({*got}) == at + 1 and taken <= at + 1 + 3
            assert got == [*range(at + 1)] if ordered else max(got) < taken

    async def test_a_reader_can_be_cancelled_at_any_index(self, engine: Engine) -> None:
        task = engine.function_task(bad.same)
        for at in range(_ITEMS):
            got: list[int] = []
            reached = asyncio.Event()

            async def some(
                at: int = at, got: list[int] = got, reached: asyncio.Event = reached
            ) -> AsyncIterator[int]:
                for number in range(at):
                    yield number
                reached.set()
                await asyncio.Event().wait()

            async def consume(got: list[int] = got, some: Any = some) -> None:
                async for value in task.stream(some(), window=3, ordered=True):
                    got.append(value)

            reading = asyncio.ensure_future(consume())
            await reached.wait()
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert got == [*range(len(got))] and len(got) <= at

    async def test_a_source_may_be_endless_and_is_asked_no_further_than_the_window(
        self, engine: Engine
    ) -> None:
        source = itertools.count()
        async with engine.function_task(bad.same).stream(source, window=10, ordered=True) as values:
            async for value in values:
                if value == 500:
                    break
        assert next(source) <= 500 + 10 + 1

    async def test_streams_inside_of_streams_need_no_worker_of_their_own(self, engine: Engine) -> None:
        task = engine.function_task(bad.same)

        @engine.block  # type: ignore[untyped-decorator]
        async def inner(n: int) -> int:
            return sum([value async for value in task.stream(range(n), window=2)])

        @engine.block  # type: ignore[untyped-decorator]
        async def outer(n: int) -> int:
            return sum([value async for value in inner.stream(range(n), window=4)])

        got, error = await read(outer.stream(range(8), ordered=True))
        assert error is None
        assert got == [sum(sum(range(m)) for m in range(n)) for n in range(8)]


@asynchronous
@applies(executes=True, keeps_generators=True)
class Generators(Conformance):
    """A generator's values come in order, it holds no worker while it waits, and it is closed where it lives."""

    async def test_a_generator_gives_what_a_loop_would(self, engine: Engine) -> None:
        task = engine.function_task(yielding.rows)
        for n in (0, 1, 63, 64, 65, 1000):
            assert await read(task(n)) == ([*range(n)], None)

    async def test_the_error_of_a_generator_comes_after_its_values(self, engine: Engine) -> None:
        task = engine.function_task(yielding.rows_and_failure)
        for n in (0, 3, 64, 200):
            got, error = await read(task(n))
            assert got == [*range(n)]
            assert isinstance(error, ValueError) and str(error) == f"after {n}"

    async def test_many_generators_are_read_at_once(self, engine: Engine) -> None:
        task = engine.function_task(yielding.rows)
        got, error = await read(task.stream(range(30), ordered=True))
        assert error is None
        assert got == [value for n in range(30) for value in range(n)]

    async def test_more_generators_than_there_are_workers_feed_each_other(self, engine: Engine) -> None:
        task = engine.function_task(bad.same)
        stream: Any = engine.function_task(yielding.rows)(300)
        for _ in range(self.workers + 1):
            stream = task.stream(stream, window=5, ordered=True)
        nested = engine.function_task(yielding.rows).stream(stream, window=2, ordered=True)
        got = []
        async with nested:
            async for value in nested:
                got.append(value)
                if len(got) == 2000:
                    break
        assert got == [value for n in range(64) for value in range(n)][:2000]

    async def test_while_generators_wait_for_their_readers_workers_are_free(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        task = engine.function_task(yielding.endless)
        streams = [task(tmp_path / str(number)) for number in range(2 * self.workers)]
        readers = [aiter(stream) for stream in streams]
        for reader in readers:
            assert (await anext(reader))[0] == 0
        await self.check_all_slots_are_free(engine)
        for number in range(1, 300):
            assert {(await anext(reader))[0] for reader in readers} == {number}
        for stream in streams:
            await stream.aclose()
        assert len([*tmp_path.iterdir()]) == 2 * self.workers

    async def test_leaving_closes_a_generator_where_it_lives(self, engine: Engine, tmp_path: Path) -> None:
        task = engine.function_task(yielding.endless)
        for at in (0, 1, 63, 64, 100, 500):
            log, pids = tmp_path / str(at), set()
            async with task(log) as values:
                async for value, pid in values:
                    pids.add(pid)
                    if value == at:
                        break
            assert {int(log.read_text())} == pids

    async def test_a_cancel_closes_a_generator_that_is_in_the_midst_of_its_work(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        if not self.has("overlaps"):
            return  # it holds up whoever would cancel it
        gate, log = self.gate(), tmp_path / "log"
        reading = asyncio.ensure_future(read(engine.function_task(yielding.at_a_gate)(gate.door, log)))
        await gate.reached()
        reading.cancel()
        await asyncio.sleep(0)
        if not self.has("can_kill"):
            gate.open()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert log.read_text() == "closed"

    async def test_shutdown_closes_a_generator_that_is_left(self, tmp_path: Path) -> None:
        for wait in (True, False):
            log = tmp_path / str(wait)
            async with self.make_engine() as engine:
                values = aiter(engine.function_task(yielding.endless)(log))
                for number in range(100):
                    assert (await anext(values))[0] == number
                await engine.shutdown(wait=wait)
            assert log.read_text()
            _, error = await read(values)
            assert isinstance(error, EngineClosed)

    async def test_a_generator_that_does_not_clean_up_hurts_nobody_else(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        async with engine.function_task(yielding.untidy)(tmp_path / "log") as values:
            async for value in values:
                if value == 100:
                    break
        assert (tmp_path / "log").read_text() == "closed"

    async def test_slices_of_a_generator_know_their_task(self, engine: Engine) -> None:
        got, error = await read(engine.function_task(yielding.of_this_task)())
        assert error is None
        assert {name for name, _ in got} == {"of_this_task"}
        assert len({number for _, number in got}) > 1


@asynchronous
@applies(executes=True, keeps_generators=True, in_process=False)
class GeneratorsElsewhere(Conformance):
    """Where functions leave this process, a generator stays with its process, and ends with it."""

    async def test_a_generator_stays_with_its_process(self, engine: Engine) -> None:
        task = engine.function_task(yielding.endless)
        pids: set[int] = set()
        async with task(Path(os.devnull)) as values:
            async for value, pid in values:
                pids.add(pid)
                await asyncio.gather(*(engine.submit(bad.process_id) for _ in range(2)))
                if value == 300:
                    break
        assert len(pids) == 1 and os.getpid() not in pids

    async def test_the_death_of_a_generators_process_comes_after_what_had_arrived(
        self, engine: Engine
    ) -> None:
        got, error = await read(engine.function_task(yielding.rows_and_death)(1000))
        assert isinstance(error, died())
        assert "rows_and_death" in str(error)
        assert [number for number, _ in got] == [*range(len(got))] and 0 < len(got) <= 1000

    async def test_a_generator_is_lost_with_its_process_also_while_it_waits(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        values = aiter(engine.function_task(yielding.endless)(tmp_path / "log"))
        first, pid = await anext(values)
        await self.check_all_slots_are_free(engine)
        os.kill(pid, signal.SIGKILL)
        got = [first]
        with pytest.raises(died(), match="endless"):
            async for number, _ in values:
                got.append(number)
        assert got == [*range(len(got))]
        assert not (tmp_path / "log").exists()

    async def test_what_cannot_be_sent_fails_and_the_generator_is_closed(self, engine: Engine) -> None:
        got, error = await read(engine.function_task(yielding.locks)())
        assert got == []
        assert isinstance(error, TypeError) and "locks" in str(error)


@asynchronous
@applies(executes=True, keeps_generators=False)
class GeneratorsRefused(Conformance):
    """A backend that cannot keep a generator has that told at the call."""

    async def test_a_generator_is_refused_at_the_call(self, engine: Engine) -> None:
        task = engine.function_task(yielding.rows)
        with pytest.raises(TypeError, match="'rows' is a generator function"):
            task(3)
        with pytest.raises(TypeError, match="'rows' is a generator function"):
            task.stream([3])

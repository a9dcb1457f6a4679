"""Code that would wait for what waits for it is told so where it would begin to wait, and does not hang."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, cast

import pytest

from asyncflow import CircularDependency, Deadlock, TaskFuture, WorkflowEngine

from .kit import turns

Futures = dict[str, TaskFuture[Any]]


def same(value: Any) -> Any:
    return value


async def test_task_inside_a_block_cannot_wait_for_what_waits_for_the_block() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> str:
            await turns()
            with pytest.raises(
                CircularDependency, match=r"'same' \(#4\) would wait for 'same' \(#3\), which waits"
            ):
                engine.submit(same, futures["after"])
            return "went on"

        futures["after"] = engine.submit(same, engine.submit(same, inside()))
        assert await futures["after"] == "went on"


async def test_block_cannot_await_what_waits_for_it_over_any_number_of_steps() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> str:
            with pytest.raises(
                CircularDependency, match=r"'inside' \(#1\) would wait for 'same' \(#\d+\), which"
            ):
                await futures["after"]
            return "went on"

        future: TaskFuture[Any] = inside()
        for _ in range(50):
            future = engine.submit(same, future)
        futures["after"] = future
        assert await future == "went on"


async def test_coroutine_task_cannot_await_what_waits_for_it() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.function_task
        async def inside() -> str:
            with pytest.raises(
                CircularDependency, match=r"'inside' \(#1\) would wait for 'same' \(#2\), which"
            ):
                await futures["after"]
            return "went on"

        futures["after"] = engine.submit(same, inside())
        assert await futures["after"] == "went on"


async def test_block_cannot_return_what_waits_for_it() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        def inside() -> TaskFuture[Any]:
            return futures["after"]

        block = inside()
        futures["after"] = engine.submit(same, block)
        with pytest.raises(CircularDependency):
            await block


async def test_task_outside_that_waits_for_the_same_may_be_awaited_inside() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> Any:
            return await engine.submit(same, futures["beside"])

        futures["beside"] = engine.submit(same, engine.submit(same, 1))
        assert await engine.submit(same, inside()) == 1


# -- two blocks, and asyncio between them ---------------------------------------------------------------------------


def direct(future: TaskFuture[Any]) -> Any:
    return future


def gathered(future: TaskFuture[Any]) -> Any:
    return asyncio.gather(asyncio.sleep(0), future)


def in_a_task(future: TaskFuture[Any]) -> Any:
    async def waits() -> Any:
        await turns()
        return await future

    return asyncio.ensure_future(waits())


def gathered_tasks(future: TaskFuture[Any]) -> Any:
    return asyncio.gather(asyncio.sleep(0), in_a_task(future))


async def waited(future: TaskFuture[Any]) -> Any:
    done, _ = await asyncio.wait([future])
    return done.pop().result()


async def in_a_task_group(future: TaskFuture[Any]) -> Any:
    async with asyncio.TaskGroup() as group:
        group.create_task(waited(future))


async def shielded(future: TaskFuture[Any]) -> Any:
    return await asyncio.shield(future)


WAYS = [direct, gathered, in_a_task, gathered_tasks, waited, in_a_task_group, shielded]


def told_by(error: BaseException) -> str:
    """What `Deadlock` says, also inside of a group."""
    return str(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else str(error)


@pytest.mark.parametrize("way", WAYS)
async def test_block_cannot_await_itself(way: Any) -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> str:
            await turns()
            with pytest.raises((Deadlock, BaseExceptionGroup)) as caught:
                await way(futures["own"])
            assert "'inside' (#1) would wait for itself" in told_by(caught.value)
            return "went on"

        futures["own"] = inside()
        assert await futures["own"] == "went on"


@pytest.mark.parametrize("way", WAYS)
async def test_block_cannot_await_a_block_around_it(way: Any) -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inner() -> str:
            await turns()
            with pytest.raises((Deadlock, BaseExceptionGroup)) as caught:
                await way(futures["outer"])
            assert "would wait for 'outer' (#1), inside which it was called" in told_by(caught.value)
            return "went on"

        @engine.block
        async def outer() -> str:
            return await inner()

        futures["outer"] = outer()
        assert await futures["outer"] == "went on"


@pytest.mark.parametrize("theirs", WAYS)
@pytest.mark.parametrize("ours", WAYS)
async def test_two_blocks_cannot_await_one_another(ours: Any, theirs: Any) -> None:
    futures: Futures = {}
    told: list[str] = []
    async with WorkflowEngine("sequential") as engine:

        async def waits(way: Any, name: str) -> str:
            await turns()
            try:
                await way(futures[name])
            except (Deadlock, BaseExceptionGroup) as error:
                told.append(told_by(error))
            return "went on"

        first = engine.block(waits, name="first")
        second = engine.block(waits, name="second")
        futures["first"], futures["second"] = first(ours, "second"), second(theirs, "first")
        assert await futures["first"] == await futures["second"] == "went on"
    assert len(told) == 1  # the other one could go on then
    assert "first (#1)" in told[0] and "second (#2)" in told[0] and "each waits for the next" in told[0]


async def test_two_blocks_cannot_return_one_another() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def returns(other: str) -> Any:
            await turns()
            return futures[other]

        futures["a"], futures["b"] = returns("b"), returns("a")
        with pytest.raises(Deadlock, match=r"returns \(#2\) -> returns \(#1\) -> returns \(#2\)"):
            await futures["a"]


async def test_circle_over_tasks_and_blocks_is_drawn_by_name() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside(other: str) -> str:
            await turns()
            await futures[other]
            return "went on"

        futures["a"] = inside.with_options(name="a")("c")
        futures["b"] = engine.submit(same, futures["a"])
        futures["c"] = inside.with_options(name="c")("b")
        with pytest.raises(Deadlock) as caught:
            await futures["c"]
    assert "c (#3) -> same (#2) -> a (#1) -> c (#3): each waits for the next" in str(caught.value)


async def test_asyncio_task_that_nobody_waits_for_may_await_the_block_that_began_it() -> None:
    futures: Futures = {}
    heard: list[str] = []
    async with WorkflowEngine("sequential") as engine:

        async def hears() -> None:
            heard.append(await futures["own"])

        @engine.block
        async def inside() -> str:
            futures["hears"] = cast(Any, asyncio.ensure_future(hears()))
            await asyncio.sleep(0.001)
            return "over"

        futures["own"] = inside()
        await futures["own"]
        await futures["hears"]
    assert heard == ["over"]


async def test_wait_for_the_first_of_several_may_have_one_that_waits_for_it() -> None:
    futures: Futures = {}
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        async def inside() -> Any:
            await turns()
            other = engine.submit(same, "other")
            done, _ = await asyncio.wait([futures["own"], other], return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()

        futures["own"] = inside()
        assert await futures["own"] == "other"


# -- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
async def test_block_cannot_hold_a_limit_that_a_task_inside_needs(way: Any) -> None:
    async with WorkflowEngine("sequential") as engine:
        limit = engine.limit("db", concurrency=2)
        reads = engine.function_task(same, name="reads", limits="db")

        @engine.block(limits={"db": 2})
        async def holds() -> Any:
            return await way(reads(1))

        future = holds()
        with pytest.raises((Deadlock, BaseExceptionGroup)) as caught:
            await future
        told = told_by(caught.value)
        assert "'holds' (#1) would wait for ever: it holds limit 'db', which 'reads' (#2) needs" in told
        assert "limit 'db' -> holds (#1): each waits for the next" in told
        assert limit.used == 0


async def test_block_that_returns_what_needs_its_limit_is_stuck_too() -> None:
    async with WorkflowEngine("sequential") as engine:
        engine.limit("db", concurrency=1)
        reads = engine.function_task(same, name="reads", limits="db")

        @engine.block(limits="db")
        def holds() -> Any:
            return engine.submit(same, reads(1))

        with pytest.raises(Deadlock, match="it holds limit 'db', which 'reads'"):
            await holds()


async def test_two_blocks_that_hold_half_of_what_each_needs_more_of_are_not_both_stopped() -> None:
    begun: list[int] = []
    async with WorkflowEngine("sequential") as engine:
        engine.limit("db", concurrency=2)
        reads = engine.function_task(same, name="reads", limits="db")

        @engine.block(limits="db")
        async def holds(number: int) -> Any:
            begun.append(number)
            while len(begun) < 2:
                await asyncio.sleep(0)
            return await reads(number)

        ends = await asyncio.gather(holds(1), holds(2), return_exceptions=True)
    assert [type(end) for end in ends] == [int, Deadlock]


async def test_block_that_holds_a_part_of_a_limit_may_wait_for_tasks_that_need_the_rest() -> None:
    async with WorkflowEngine("sequential") as engine:
        engine.limit("db", concurrency=2)
        reads = engine.function_task(same, name="reads", limits="db")

        @engine.block(limits="db")
        async def holds() -> Any:
            return await asyncio.gather(*reads.map(range(5)))

        assert await holds() == list(range(5))


async def test_block_that_holds_a_limit_may_leave_tasks_behind_that_need_it() -> None:
    async with WorkflowEngine("sequential") as engine:
        engine.limit("db", concurrency=1)
        reads = engine.function_task(same, name="reads", limits="db")
        left: list[TaskFuture[Any]] = []

        @engine.block(limits="db")
        async def holds() -> str:
            left.append(reads(1))
            return await engine.submit(same, "over")

        assert await holds() == "over"
        assert await left[0] == 1


async def test_block_whose_limit_is_changed_in_time_goes_on() -> None:
    async with WorkflowEngine("thread") as engine:
        limit = engine.limit("db", concurrency=1)
        reads = engine.function_task(same, name="reads", limits="db")
        gate = threading.Event()

        @engine.block(limits="db")
        async def holds() -> Any:
            return await asyncio.gather(engine.submit(gate.wait), reads(1))

        future = holds()
        await turns()
        limit.change(concurrency=2)
        gate.set()
        assert await future == [True, 1]

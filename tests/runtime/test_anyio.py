"""Users' code under anyio: task groups, cancel scopes, threads; in bodies wherever they run, and around calls."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest

from asyncflow import State, TaskTimeout, UpstreamFailed, WorkflowEngine
from asyncflow.testing import Door, Gate

from .kit import turns

BODIES = {  # where coroutines run
    "the loop": ("thread", None),
    "process": ("process", "process"),
    "thread": ("thread", "thread"),
}
HOUR = 3600


CAN_BE_STOPPED = pytest.mark.parametrize("where", ["the loop", "process"], indirect=True)  # a thread cannot


@pytest.fixture(params=BODIES)
async def where(request: pytest.FixtureRequest) -> AsyncIterator[tuple[WorkflowEngine, dict[str, Any]]]:
    """An engine, and the options with which a coroutine runs in that place."""
    backend, named = BODIES[request.param]
    async with WorkflowEngine(backends={backend: backend}, workers=2, grace=1) as engine:
        yield engine, {} if named is None else {"backend": named}


def task_of(where: tuple[WorkflowEngine, dict[str, Any]], fn: Any, **options: Any) -> Any:
    engine, place = where
    return engine.function_task(**place, **options)(fn)


# -- in bodies --------------------------------------------------------------------------------------------


async def grouped(numbers: list[int]) -> list[int]:
    squares = []

    async def square(number: int) -> None:
        await anyio.sleep(0)
        squares.append(number * number)

    async with anyio.create_task_group() as group:
        for number in numbers:
            group.start_soon(square, number)
    return sorted(squares)


async def test_a_body_may_have_a_task_group(where: Any) -> None:
    task = task_of(where, grouped)
    assert await asyncio.gather(*[task([number, 2]) for number in range(5)]) == [
        sorted([number * number, 4]) for number in range(5)
    ]


async def one_fails() -> None:
    async def fails() -> None:
        await anyio.sleep(0)
        raise ValueError("need 2 rows")

    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, HOUR)
        group.start_soon(fails)


async def test_the_failure_of_a_task_group_is_the_tasks(where: Any) -> None:
    failed = task_of(where, one_fails)()
    with pytest.raises(ExceptionGroup) as caught:
        await failed
    (error,) = caught.value.exceptions
    assert (type(error), str(error)) == (ValueError, "need 2 rows")
    with pytest.raises(UpstreamFailed):
        await task_of(where, grouped)(failed)


async def gives_up() -> str:
    with anyio.move_on_after(0.001) as scope:
        await anyio.sleep(HOUR)
    with anyio.CancelScope() as inner:
        inner.cancel()
        await anyio.sleep(HOUR)
    return f"{scope.cancelled_caught} {inner.cancelled_caught}"


async def test_a_body_may_give_up_by_a_cancel_scope_and_go_on(where: Any) -> None:
    task = task_of(where, gives_up)
    assert await asyncio.gather(task(), task(), task()) == ["True True"] * 3


async def too_late() -> None:
    with anyio.fail_after(0.001):
        await anyio.sleep(HOUR)


async def test_a_time_limit_of_anyio_is_the_tasks_failure(where: Any) -> None:
    with pytest.raises(TimeoutError) as caught:
        await task_of(where, too_late)()
    assert not isinstance(caught.value, TaskTimeout)


async def in_thread() -> list[bool]:
    me = threading.get_ident()

    def work() -> list[bool]:
        return [threading.get_ident() != me, anyio.from_thread.run_sync(threading.get_ident) == me]

    return await anyio.to_thread.run_sync(work)


async def test_a_body_may_use_anyios_threads(where: Any) -> None:
    task = task_of(where, in_thread)
    assert await asyncio.gather(task(), task()) == [[True, True]] * 2


async def enters_before_it_waits() -> str:
    with anyio.CancelScope() as scope:  # entered before the body has waited for anything
        before = asyncio.current_task()
        await anyio.sleep(0)
        assert asyncio.current_task() is before
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
    await anyio.lowlevel.checkpoint()
    return str(scope.cancel_called)


async def test_a_scope_is_left_by_the_task_that_entered_it(where: Any) -> None:
    task = task_of(where, enters_before_it_waits)
    assert await asyncio.gather(*[task() for _ in range(20)]) == ["False"] * 20


async def stuck(door: Door | None = None) -> None:
    if door is not None:
        await anyio.to_thread.run_sync(door.pass_through)
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.sleep, HOUR)
        await anyio.sleep(HOUR)


@CAN_BE_STOPPED
async def test_a_task_group_ends_with_its_task(where: Any) -> None:
    with Gate() as gate:
        gate.open()
        future = task_of(where, stuck)(gate.door)
        await gate.reached()
    future.cancel()
    await where[0].settled(future)
    assert future.state == State.CANCELLED


@CAN_BE_STOPPED
async def test_a_timeout_ends_a_task_group(where: Any) -> None:
    future = task_of(where, stuck, timeout=0.05)()
    with pytest.raises(TaskTimeout):
        await future
    await where[0].settled(future)


# -- around calls -----------------------------------------------------------------------------------------


def add(left: int, right: int) -> int:
    return left + right


@pytest.fixture(params=["sequential", "thread", "process"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    async with WorkflowEngine(request.param, workers=2, grace=1) as engine:
        yield engine


async def test_calls_are_made_and_awaited_in_task_groups(engine: WorkflowEngine) -> None:
    task, got = engine.function_task(add), dict[int, int]()

    async def one(number: int) -> None:
        got[number] = await task(task(number, 1), 1)

    async with anyio.create_task_group() as group:
        for number in range(10):
            group.start_soon(one, number)
    assert got == {number: number + 2 for number in range(10)}


async def test_a_scope_that_is_left_by_time_cancels_what_was_awaited_in_it(engine: WorkflowEngine) -> None:
    never = engine.submit(_never)
    with anyio.move_on_after(0.02) as scope:
        await never
    assert scope.cancelled_caught and never.cancelled()
    await engine.settled(never)
    assert never.state == State.CANCELLED
    assert await engine.submit(add, 1, 2) == 3


async def _never() -> None:
    await asyncio.Event().wait()


async def test_a_shielded_future_survives_its_scope() -> None:
    let_go = asyncio.Event()

    async def waits() -> int:
        await let_go.wait()
        return 5

    async with WorkflowEngine("sequential") as own:
        future = own.submit(waits)
        with anyio.move_on_after(0.001):
            await asyncio.shield(future)
        assert not future.done()
        let_go.set()
        with anyio.CancelScope() as outer:
            outer.cancel()
            with anyio.CancelScope(shield=True):
                assert await future == 5


async def test_a_failure_in_a_group_cancels_what_the_others_await(engine: WorkflowEngine) -> None:
    never = engine.submit(_never)

    async def waits() -> None:
        await never

    async def fails() -> None:
        await engine.submit(_fails)

    with pytest.raises(ExceptionGroup) as caught:
        async with anyio.create_task_group() as group:
            group.start_soon(waits)
            group.start_soon(fails)
    assert [type(error) for error in caught.value.exceptions] == [ZeroDivisionError]
    assert never.cancelled()
    await engine.settled(never)


def _fails() -> None:
    raise ZeroDivisionError


async def test_an_engine_lives_inside_a_task_group() -> None:
    async with anyio.create_task_group() as group:
        async with WorkflowEngine("sequential") as own:
            results = await asyncio.gather(*[own.submit(add, number, 1) for number in range(3)])
        group.start_soon(anyio.sleep, 0)
    assert results == [1, 2, 3]


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_an_engine_in_a_cancelled_scope_is_shut_down_when_it_is_left(backend: str) -> None:
    own = WorkflowEngine(backend, workers=1, grace=1)
    with anyio.CancelScope() as scope:
        async with own:
            never = own.submit(_never)
            await turns()
            scope.cancel()
            await never
    assert scope.cancelled_caught and never.cancelled()
    assert "shut down, 1 task is over" in repr(own)


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
def test_anyio_may_run_the_program(backend: str) -> None:
    async def main(number: int) -> int:
        async with WorkflowEngine(backend, workers=1) as engine:
            return await engine.submit(add, number, 1)

    assert anyio.run(main, 4) == 5


async def test_a_block_may_have_a_task_group(engine: WorkflowEngine) -> None:
    task = engine.function_task(add)

    @engine.block
    async def both() -> list[int]:
        got: list[int] = []

        async def one(number: int) -> None:
            got.append(await task(number, 1))

        async with anyio.create_task_group() as group:
            group.start_soon(one, 1)
            group.start_soon(one, 2)
        with anyio.move_on_after(0.02):
            await engine.submit(_never)
        return sorted(got)

    assert await both() == [2, 3]


async def test_a_thread_of_anyios_calls_tasks(engine: WorkflowEngine) -> None:
    def work() -> int:
        return engine.from_thread(add, 1, 2).result()

    assert await anyio.to_thread.run_sync(work) == 3
    assert await anyio.to_thread.run_sync(partial(anyio.from_thread.run, _await_one, engine)) == 7


async def _await_one(engine: WorkflowEngine) -> int:
    return await engine.submit(add, 3, 4)

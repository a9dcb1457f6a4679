"""Where `async def` runs, and how many at once."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asyncflow import WorkflowEngine
from asyncflow.testing import ManualBackend
from asyncflow.testing.conformance._base import release_of

from .kit import turns


async def here() -> tuple[asyncio.AbstractEventLoop, str]:
    await turns(1)
    return asyncio.get_running_loop(), threading.current_thread().name


@pytest.mark.parametrize("backend", ["thread", "sequential"])
async def test_async_def_runs_on_the_engines_loop(backend: str) -> None:
    async with WorkflowEngine(backend) as engine:
        assert await engine.function_task(here)() == await here()


async def test_async_def_that_names_a_backend_runs_there(threads: WorkflowEngine) -> None:
    loop, thread = await threads.function_task(backend="thread")(here)()
    assert loop is not asyncio.get_running_loop()
    assert thread.startswith("asyncflow-")


async def test_async_def_that_names_a_backend_which_takes_none_runs_on_the_loop() -> None:
    async with WorkflowEngine("sequential") as engine:
        assert (await engine.function_task(backend="sequential")(here)())[0] is asyncio.get_running_loop()


async def test_backend_that_runs_coroutines_itself_gets_them_unasked() -> None:
    hands = ManualBackend(runs_coroutines=True)
    async with WorkflowEngine(hands) as engine:
        future = engine.function_task(here)()
        work = await hands.received("here")
        assert work.is_coroutine
        hands.succeed("here", "done there")
        assert await future == "done there"


async def test_coroutines_run_side_by_side(engine: WorkflowEngine) -> None:
    barrier = asyncio.Barrier(100)
    await asyncio.gather(*[engine.submit(barrier.wait) for _ in range(100)])


async def test_each_body_that_waits_is_its_own_current_task_under_its_name(engine: WorkflowEngine) -> None:
    @engine.function_task(name="body")
    async def body() -> tuple[Any, str]:
        await turns(1)
        task = asyncio.current_task()
        assert task is not None
        await turns(2)
        assert asyncio.current_task() is task
        return task, task.get_name()

    results = await asyncio.gather(*[body() for _ in range(10)])
    assert len({id(task) for task, _ in results}) == 10
    assert [name for _, name in results] == [f"body#{number}" for number in range(1, 11)]


async def test_bodies_begin_in_the_order_of_their_calls(engine: WorkflowEngine) -> None:
    order: list[int] = []

    @engine.function_task
    async def body(number: int) -> None:
        order.append(number)
        if number % 3 == 0:
            await turns(2)

    await asyncio.gather(*body.map(range(100)))
    assert order == list(range(100))


async def test_many_bodies_that_never_wait_do_not_keep_the_loop_from_turning(engine: WorkflowEngine) -> None:
    loop, turned = asyncio.get_running_loop(), []
    over: list[int] = []

    @engine.function_task
    async def body(number: int) -> None:
        until = loop.time() + 0.001
        while loop.time() < until:
            pass
        over.append(number)

    futures = body.map(range(100))

    async def beside() -> None:
        while len(over) < 100:
            turned.append(len(over))
            await turns(1)

    await asyncio.gather(beside(), *futures)
    assert len(set(turned)) > 3  # it saw several moments in between


async def test_max_coroutines_is_never_exceeded_and_always_used() -> None:
    async with WorkflowEngine("sequential", max_coroutines=3) as engine:
        running, most = 0, 0

        @engine.function_task
        async def body(number: int) -> int:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await turns(number % 5)
            running -= 1
            return number

        assert await asyncio.gather(*body.map(range(50))) == list(range(50))
        assert most == 3


async def test_what_max_coroutines_holds_is_ready_and_says_so() -> None:
    async with WorkflowEngine("sequential", max_coroutines=1) as engine:
        go_on = asyncio.Event()
        first, second = engine.submit(go_on.wait), engine.submit(go_on.wait)
        await turns()
        assert (first.state, second.state) == ("RUNNING", "READY")
        assert "max_coroutines=1 holds it: 1 are running" in second.explain()
        go_on.set()
        assert await asyncio.gather(first, second) == [True, True]


async def test_max_coroutines_counts_the_ones_that_clean_up_after_a_cancel() -> None:
    async with WorkflowEngine("sequential", max_coroutines=1) as engine:
        may_end = asyncio.Event()

        @engine.function_task
        async def slow_to_end() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await may_end.wait()

        first, second = slow_to_end(), engine.submit(turns)
        await turns()
        first.cancel()
        await turns()
        assert (first.state, second.state) == ("CANCELLING", "READY")
        may_end.set()
        await second
        assert first.state == "CANCELLED"


async def test_held_coroutine_that_is_cancelled_makes_way_for_the_next() -> None:
    async with WorkflowEngine("sequential", max_coroutines=1) as engine:
        go_on = asyncio.Event()
        first, second, third = [engine.submit(go_on.wait) for _ in range(3)]
        await turns()
        second.cancel()
        go_on.set()
        assert await asyncio.gather(first, third) == [True, True]
        assert second.state == "CANCELLED"
        assert second.attempts == 0


async def test_plain_tasks_are_not_held_by_max_coroutines(hands: ManualBackend) -> None:
    async with WorkflowEngine(hands, max_coroutines=1) as engine:
        futures = engine.function_task(lambda _: None).map(range(5))
        await hands.received(5)
        for number in range(1, 6):
            hands.succeed(number)
        await asyncio.gather(*futures)


async def test_coroutine_task_may_call_and_await_tasks(threads: WorkflowEngine) -> None:
    double = threads.function_task(lambda value: value * 2)

    @threads.function_task
    async def outer(value: int) -> Any:
        return await double(await double(value))

    assert await outer(3) == 12


async def test_async_body_that_yields_garbage_fails_alone(engine: WorkflowEngine) -> None:
    class Garbage:
        def __await__(self) -> Any:
            yield "nonsense"

    @engine.function_task
    async def body() -> None:
        await Garbage()

    with pytest.raises(RuntimeError, match="Task got bad yield"):
        await body()
    assert await engine.submit(turns) is None


def test_engines_on_several_threads_do_not_mix_their_results() -> None:
    async def own(engine_number: int, number: int) -> tuple[int, int]:
        return engine_number, number

    async def main(engine_number: int) -> list[tuple[int, int]]:
        async with WorkflowEngine("sequential") as engine:
            task = engine.function_task(own)
            return await asyncio.gather(*(task(engine_number, number) for number in range(2_000)))

    switching = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            results = list(threads.map(lambda number: asyncio.run(main(number)), range(4)))
    finally:
        sys.setswitchinterval(switching)
    assert results == [[(engine, number) for number in range(2_000)] for engine in range(4)]


async def test_nothing_is_kept_by_the_driver_of_bodies_that_wait() -> None:
    class Large:
        """Something that can be referred to weakly."""

    loop = asyncio.get_running_loop()
    made: list[asyncio.Event] = []

    async def make() -> Large:
        large = Large()
        made.append(release_of(large, loop))
        return large

    threads = WorkflowEngine("thread", workers=1)
    coroutine, in_thread = threads.function_task(make), threads.function_task(backend="thread")(make)
    waits, done = asyncio.Event(), asyncio.Event()

    @threads.block
    async def block() -> None:
        await in_thread()
        waits.set()
        await done.wait()

    await coroutine()
    waiting = block()
    await waits.wait()
    gc.collect()
    for released in made:
        await released.wait()
    done.set()
    await waiting
    await threads.shutdown()


async def test_a_body_that_cancels_itself_and_asks_for_its_state_harms_nobody(
    threads: WorkflowEngine,
) -> None:
    async def fail() -> None:
        raise ValueError

    async def cancel_myself() -> None:
        mine.cancel()
        assert mine.state == "CANCELLING"

    async def two() -> int:
        return 2

    failed, mine = threads.submit(fail), threads.submit(cancel_myself)
    after = threads.submit(two)
    assert await after == 2
    await asyncio.wait([failed, mine])
    assert mine.cancelled()
    assert isinstance(failed.exception(), ValueError)
    assert await threads.submit(two) == 2


@pytest.mark.parametrize("turns_before", [0, 1, 2])
@pytest.mark.parametrize("kind", ["function_task", "block"])
async def test_whoever_cancels_all_asyncio_tasks_ends_the_bodies_that_wait_and_no_other(
    engine: WorkflowEngine, kind: str, turns_before: int
) -> None:
    @getattr(engine, kind)
    async def body(number: int) -> int:
        return number

    futures = [body(number) for number in range(3)]
    await turns(turns_before)
    for each in asyncio.all_tasks() - {asyncio.current_task()}:
        each.cancel()
    assert await asyncio.gather(*futures, body(3)) == [0, 1, 2, 3]
    await engine.shutdown()


@pytest.mark.parametrize("waits", [False, True])
async def test_what_is_kept_by_asyncio_task_is_kept_by_body(engine: WorkflowEngine, waits: bool) -> None:
    by_task: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    @engine.function_task
    async def body(number: int, before: int | None = None) -> int:
        mine = by_task.setdefault(asyncio.current_task(), number)
        if waits:
            await turns(1)
        return mine

    chain = [body(0)]
    for number in range(1, 5):
        chain.append(body(number, chain[-1]))
    assert await asyncio.gather(*chain) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("waits", [False, True])
async def test_the_asyncio_task_of_a_body_that_is_over_is_over(engine: WorkflowEngine, waits: bool) -> None:
    held: list[asyncio.Task[Any]] = []
    heard: list[str] = []

    @engine.function_task
    async def first() -> None:
        task = asyncio.current_task()
        assert task is not None
        held.append(task)
        if waits:
            await turns(1)

    @engine.function_task
    async def listened_to() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.add_done_callback(lambda _: heard.append("over"))
        if waits:
            await turns(1)

    @engine.function_task
    async def second(*before: None) -> list[str]:
        await turns(2)
        assert held[0].done() and not held[0].cancel()
        await turns(2)
        return heard

    assert await second(first(), listened_to()) == ["over"]


def run_inside(coroutine: Any) -> Any:
    """Run a loop inside the loop until something is done, as `nest_asyncio` does."""
    loop: Any = asyncio.get_running_loop()
    outer, task = asyncio.current_task(), asyncio.ensure_future(coroutine)
    before = len(loop._ready)
    asyncio.tasks._leave_task(loop, outer)  # type: ignore[arg-type]
    try:
        while not task.done():
            loop._run_once()
    finally:
        asyncio.tasks._enter_task(loop, outer)  # type: ignore[arg-type]
    for _ in range(before):  # that the turn around this one counts on
        loop.call_soon(lambda: None)
    return task.result()


@pytest.mark.parametrize("backend", ["sequential", "thread"])
@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("kind", ["function_task", "block"])
async def test_a_loop_inside_of_a_body_runs_what_that_calls(kind: str, waits: bool, backend: str) -> None:
    async with WorkflowEngine(backend) as engine:

        @engine.function_task
        async def quick(value: int) -> int:
            return value

        @engine.function_task
        async def slow(value: int) -> int:
            await turns(2)
            return value

        @engine.function_task
        def plain(value: int) -> int:
            return value

        async def inside() -> list[int]:
            return await asyncio.gather(quick(1), slow(plain(2)), plain(quick(3)))

        @getattr(engine, kind)
        async def body(depth: int) -> Any:
            if waits:
                await turns(1)
            if depth:
                return run_inside(asyncio.gather(body(depth - 1), quick(depth)))
            return run_inside(inside())

        assert await asyncio.gather(body(1), quick(4), body(0)) == [[[1, 2, 3], 1], 4, [1, 2, 3]]

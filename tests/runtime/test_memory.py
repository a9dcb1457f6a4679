"""Size: an engine does not grow with what it has run, is not troubled by long chains, and sleeps when idle."""

from __future__ import annotations

import asyncio
import gc
import selectors
import tracemalloc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from asyncflow import UpstreamFailed, WorkflowEngine
from asyncflow.testing import Gate, ManualBackend, no_leaks

from .kit import never_called, turns

MANY = 100_000
MEGABYTE = 1 << 20


SECONDS = 120
"""For each test: a hundred thousand tasks take long on a machine that does much else."""


@pytest.fixture
def traced() -> Iterator[Callable[[], int]]:
    """How much memory Python objects take now."""

    def now() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    yield now
    tracemalloc.stop()


async def nothing(*_: Any) -> None: ...


async def fail(*_: Any) -> None:
    raise ValueError("x" * 1_000)


async def succeeded(engine: WorkflowEngine, count: int) -> None:
    await asyncio.gather(*engine.function_task(nothing).map(range(count)))


async def on_threads(engine: WorkflowEngine, count: int) -> None:
    await asyncio.gather(*engine.function_task(lambda _: None).map(range(count)))


async def failed_unseen(engine: WorkflowEngine, count: int) -> None:
    await asyncio.wait(engine.function_task(fail).map(range(count)))


async def failed_upstream(engine: WorkflowEngine, count: int) -> None:
    task = engine.function_task(nothing)
    await asyncio.gather(
        *[task(each) for each in engine.function_task(fail).map(range(count // 2))], return_exceptions=True
    )


async def cancelled(engine: WorkflowEngine, count: int) -> None:
    futures = engine.function_task(lambda _: None).map(range(count))
    await turns(2)
    for future in futures:
        future.cancel("msg")
    for future in futures:
        await engine.settled(future)
    await engine.submit(int)  # behind them all in the threads' queue


async def cancelled_at_once(engine: WorkflowEngine, count: int) -> None:
    for future in engine.function_task(nothing).map(range(count)):
        future.cancel("msg")
    await turns(2)


async def blocks(engine: WorkflowEngine, count: int) -> None:
    task = engine.function_task(nothing)
    await asyncio.gather(*engine.block(lambda _: [task()]).map(range(count // 2)))


async def with_timeouts(engine: WorkflowEngine, count: int) -> None:
    await asyncio.gather(*engine.function_task(timeout=60)(asyncio.sleep).map([0] * count))


async def submitted(engine: WorkflowEngine, count: int) -> None:
    await asyncio.gather(*[engine.submit(lambda: None) for _ in range(count)])


@pytest.mark.parametrize("work", [succeeded, on_threads], ids=lambda work: work.__name__)
async def test_memory_after_100_000_tasks_whose_futures_were_dropped_is_that_after_1_000(
    work: Callable[[WorkflowEngine, int], Awaitable[None]],
) -> None:
    async with WorkflowEngine("thread", workers=2, report_limit=1_000) as engine:
        await work(engine, 1_000)
        gc.collect()
        before = resident()
        for _ in range(MANY // 1_000):
            await work(engine, 1_000)
        gc.collect()
        assert resident() - before < 5 * MEGABYTE


@pytest.mark.parametrize(
    "work",
    [
        succeeded,
        on_threads,
        failed_unseen,
        failed_upstream,
        cancelled,
        cancelled_at_once,
        blocks,
        with_timeouts,
        submitted,
    ],
    ids=lambda work: work.__name__,
)
async def test_nothing_at_all_is_kept_of_a_task_that_is_over_and_dropped(
    work: Callable[[WorkflowEngine, int], Awaitable[None]], traced: Callable[[], int], caplog: Any
) -> None:
    caplog.set_level("CRITICAL", "asyncflow")  # what is logged is kept for the test
    async with WorkflowEngine("thread", workers=2, report_limit=0) as engine:
        for _ in range(4):
            await work(engine, 200)
        before = traced()
        for _ in range(10):
            await work(engine, 200)
        # Fewer bytes a task than any object has that could be left of one.
        assert traced() - before < 16 * 10 * 200


async def test_waiting_task_takes_a_kilobyte_at_most(
    engine: WorkflowEngine, hands: ManualBackend, traced: Callable[[], int]
) -> None:
    task = engine.function_task(lambda *_: None)
    head = task()
    await hands.received(1)
    before = traced()
    futures = [task(head, number) for number in range(10_000)]
    assert (traced() - before) / len(futures) < 1_000


async def test_no_task_future_or_argument_survives_a_run_that_is_over() -> None:
    class Argument: ...

    seen: list[weakref.ref[Any]] = []

    async def run() -> None:
        argument = Argument()
        seen.append(weakref.ref(argument))
        async with WorkflowEngine("thread", workers=1) as engine:
            good = engine.function_task(lambda *_: None)(argument)
            bad = engine.function_task(never_called)(argument)
            gone = engine.function_task(never_called)(argument, good)
            gone.cancel()
            await asyncio.wait([good, bad])
            assert bad.exception() is not None
            seen.extend(weakref.ref(each) for each in (engine, good, bad, gone))

    await run()
    await turns()
    gc.collect()
    assert [each() for each in seen] == [None] * len(seen)


async def test_future_that_is_kept_does_not_keep_the_block_that_called_it() -> None:
    class Value: ...

    kept = []
    async with WorkflowEngine("thread", workers=1) as engine:

        @engine.block
        async def outer() -> Value:
            kept.append(engine.submit(Value))
            await kept[0]
            return Value()

        value = weakref.ref(await outer())
        await turns()
        gc.collect()
        assert value() is None
        assert kept[0].done()


def test_run_whose_loop_was_closed_under_it_is_not_kept_by_its_engine() -> None:
    engine = WorkflowEngine("sequential")
    task = engine.function_task(lambda: None)

    async def main() -> weakref.ref[Any]:
        await task()
        return weakref.ref(engine._run)

    first = asyncio.run(main())
    assert first() is not None
    second = asyncio.run(main())
    gc.collect()
    assert first() is None
    assert second() is not None


# -- long and wide ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [10_000, pytest.param(MANY, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", ["thread", "coroutine", "sequential"])
async def test_long_chain_runs(kind: str, many: int) -> None:
    async with WorkflowEngine("sequential" if kind == "sequential" else "thread", workers=1) as engine:

        async def coroutine(value: int) -> int:
            return value + 1

        task = engine.function_task(coroutine if kind == "coroutine" else lambda value: value + 1)
        last: Any = 0
        for _ in range(many):
            last = task(last)
        assert await last == many
        assert "SUCCEEDED" in repr(last)
    del last
    gc.collect()


@pytest.mark.parametrize("many", [10_000, pytest.param(MANY, marks=pytest.mark.soak)])
@pytest.mark.parametrize("kind", ["thread", "coroutine"])
async def test_task_with_many_dependencies_runs(kind: str, many: int) -> None:
    async with WorkflowEngine("thread", workers=2) as engine:

        async def coroutine(value: int) -> int:
            return value

        task = engine.function_task(coroutine if kind == "coroutine" else lambda value: value)
        total = engine.function_task(lambda values, *more: sum(values) + len(more))
        futures = task.map(range(many))
        assert await total(futures, *futures[:1_000]) == sum(range(many)) + 1_000


async def test_one_task_with_100_000_dependents_runs() -> None:
    async with WorkflowEngine("thread", workers=2) as engine:
        head = engine.submit(lambda: 1)

        @engine.function_task
        async def plus(value: int, more: int) -> int:
            return value + more

        assert sum(await asyncio.gather(*[plus(head, number) for number in range(MANY)])) == MANY + sum(
            range(MANY)
        )


async def test_chain_of_100_000_with_a_failing_head_fails_to_its_end_and_can_be_shown_and_dropped() -> None:
    async with WorkflowEngine("sequential") as engine:
        task = engine.function_task(never_called, name="link")
        last = engine.function_task(fail, name="head")()
        for _ in range(MANY):
            last = task(last)
        with pytest.raises(UpstreamFailed) as caught:
            await last
        assert str(caught.value).startswith("'link' (#100001) did not run: 'head' (#1) failed, ValueError")
        assert len(str(caught.value)) < 5_000
        assert "did not run, because of head (#1)" in last.explain()
        assert repr(last) == "<TaskFuture link#100001 UPSTREAM_FAILED>"
    del last, caught
    gc.collect()


async def test_chain_of_100_000_that_never_ran_can_be_dropped(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    task = engine.function_task(never_called)
    last = task(0)
    first = weakref.ref(last)
    for _ in range(MANY):
        last = task(last)
    assert "PENDING" in repr(last)
    await engine.shutdown(wait=False)
    assert last.cancelled()
    await turns(1)
    gc.collect()
    assert first() is None  # though the last of them is still here


def test_chain_of_100_000_whose_loop_was_closed_under_it_can_be_dropped(hands: ManualBackend) -> None:
    async def call() -> Any:
        task = WorkflowEngine(hands).function_task(never_called)
        first = last = task(0)
        for _ in range(MANY):
            last = task(last)
        await hands.received(1)
        return [last], weakref.ref(first)

    kept, first = asyncio.run(call())
    assert not kept[0].done()
    kept.clear()
    gc.collect()  # the engine, which lets go of the run
    gc.collect()
    assert first() is None


async def test_cause_of_a_long_chain_of_blocks_can_be_dropped() -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.block
        def link(value: Any) -> Any:
            return value

        last = engine.submit(fail)
        for _ in range(10_000):
            last = link(last)
        with pytest.raises(UpstreamFailed):
            await last
    del last
    gc.collect()


# -- idle -------------------------------------------------------------------------------------------------


async def count_wake_ups(monkeypatch: pytest.MonkeyPatch, seconds: float) -> int:
    """How often the loop wakes in this time, apart from the one that ends it."""
    loop: Any = asyncio.get_running_loop()
    selector: selectors.BaseSelector = loop._selector
    select, returns = selector.select, []

    def counting(timeout: float | None = None) -> Any:
        events = select(timeout)
        returns.append(timeout)
        return events

    monkeypatch.setattr(selector, "select", counting)
    over = loop.create_future()
    loop.call_later(seconds, over.set_result, None)
    await over
    monkeypatch.undo()
    # One for the timer above, and one because epoll is a hair early at times.
    return max(0, len(returns) - 2)


async def test_idle_engine_wakes_nobody_for_a_real_second(
    monkeypatch: pytest.MonkeyPatch, gate: Gate
) -> None:
    async with WorkflowEngine("thread", workers=20) as engine:
        await asyncio.gather(*engine.function_task(lambda _: None).map(range(1_000)))  # a burst before
        held = [
            engine.submit(gate.door.pass_through) for _ in range(20)
        ]  # so many that reports come in windows
        waiting = [engine.submit(never_called, held[0]), engine.submit(asyncio.Event().wait)]
        await gate.reached(20)
        await turns()
        loop: Any = asyncio.get_running_loop()
        assert await count_wake_ups(monkeypatch, 1) <= 1  # the last window of the burst may still be open
        assert loop._scheduled == []
        assert loop._ready == loop._ready.__class__()
        for future in waiting:
            future.cancel()
        gate.open(20)
        await asyncio.gather(*held)


async def test_engine_that_has_nothing_at_all_schedules_nothing(hands: ManualBackend) -> None:
    async with WorkflowEngine(hands) as engine:
        future = engine.submit(int)
        await hands.received(1)
        hands.run(1)
        await future
        await turns()
        loop: Any = asyncio.get_running_loop()
        assert loop._scheduled == []
        assert len(loop._ready) == 0


# -- for minutes ------------------------------------------------------------------------------------------


@pytest.mark.soak
@pytest.mark.parametrize(
    "work", [succeeded, on_threads, failed_unseen, cancelled], ids=lambda each: each.__name__
)
async def test_a_million_tasks_through_a_window_of_10_000_leave_everything_as_it_was(
    work: Callable[[WorkflowEngine, int], Awaitable[None]], caplog: Any
) -> None:
    with no_leaks():
        async with WorkflowEngine("thread", workers=2) as engine:
            await work(engine, 10_000)
            gc.collect()
            before = resident()
            for _ in range(100):
                await work(engine, 10_000)
            gc.collect()
            assert resident() - before < 20 * MEGABYTE


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


class Large:
    """An argument that is too large to be kept until the garbage collector comes."""


async def awaited(task: Any, argument: Large) -> None:
    await task(argument)


async def streamed(task: Any, argument: Large) -> None:
    async for _ in task.stream([argument]):
        pass


async def outcomes(task: Any, argument: Large) -> None:
    async for each in task.stream([argument]).outcomes():
        assert each.error is not None


@pytest.mark.parametrize("backend", ["thread", "sequential"])
@pytest.mark.parametrize("way", [awaited, streamed, outcomes], ids=lambda way: way.__name__)
async def test_arguments_of_a_task_that_has_failed_are_let_go_of_without_the_garbage_collector(
    backend: str, way: Callable[[Any, Large], Awaitable[None]]
) -> None:
    def fails(_: Large) -> None:
        raise ValueError

    async def fails_later(_: Large) -> None:
        raise ValueError

    alive = weakref.WeakSet[Large]()
    async with WorkflowEngine(backend, workers=1) as engine:
        tasks = [engine.function_task(fails), engine.function_task(fails_later), engine.block(fails_later)]
        gc.collect()
        gc.disable()
        try:
            for task in tasks:
                alive.add(argument := Large())
                with suppress(ValueError):
                    await way(task, argument)
                del argument
            await engine.submit(nothing)
            await engine.submit(lambda: None)  # so that the worker is done with what was before
            assert not alive
        finally:
            gc.enable()

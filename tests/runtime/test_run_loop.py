"""The run loop: wakes once for a burst, on any loop, in any mode, and drops what nobody waits for."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest

from asyncflow import OutputFile, TaskTimeout, WorkflowEngine
from asyncflow._core.pace import window
from asyncflow.backend import STARTED, SUCCEEDED
from asyncflow.testing import ManualBackend, no_leaks

from .kit import in_no_time, never_called, turns


@pytest.fixture
def wake_ups(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was called from other threads into the running loop; empty until `watch` is called."""
    return []


def watch(wake_ups: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    call = loop.call_soon_threadsafe

    def counted(callback: Any, *args: Any, **options: Any) -> Any:
        wake_ups.append(callback)
        return call(callback, *args, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)


def in_a_thread(call: Any, *args: Any) -> None:
    thread = threading.Thread(target=call, args=args)
    thread.start()
    thread.join()


async def test_burst_of_reports_from_another_thread_wakes_the_loop_once(
    engine: WorkflowEngine, hands: ManualBackend, wake_ups: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    futures = engine.function_task(lambda _: None).map(range(1_000))
    await hands.received(1_000)
    watch(wake_ups, monkeypatch)

    def report() -> None:
        for number in range(1, 1_001):
            hands.begin(number)
            hands.succeed(number, number)

    in_a_thread(report)  # the loop stands still meanwhile
    assert len(wake_ups) == 1
    assert await asyncio.gather(*futures) == list(range(1, 1_001))


async def test_reports_on_the_loops_own_thread_are_taken_in_its_next_turn_without_waking_it(
    engine: WorkflowEngine, hands: ManualBackend, wake_ups: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    future = engine.submit(int)
    await hands.received(1)
    watch(wake_ups, monkeypatch)
    hands.run(1)
    await turns(2)
    assert future.done()
    assert wake_ups == []


async def test_of_a_large_burst_a_backend_has_what_keeps_it_busy_and_gets_more_as_it_goes(
    hands: ManualBackend,
) -> None:
    hands.workers = 2  # type: ignore[attr-defined]  # as a backend has that knows how many
    many = window(2)
    async with WorkflowEngine(hands) as engine:
        futures = engine.function_task(never_called).map(range(2 * many))
        await hands.received(many)
        await turns(2)
        assert len(hands.waiting) == many
        assert futures[many].state == "READY"
        assert f"could run; backend 'manual' has {many:,} others to run first" in futures[many].explain()
        for number in range(1, many + 1):
            hands.succeed(number)
            await hands.received(many + number)
        for number in range(many + 1, 2 * many + 1):
            hands.succeed(number)
        assert await asyncio.gather(*futures) == [None] * (2 * many)


@pytest.mark.parametrize("workers", ["auto", None, max, 1.5])
async def test_what_a_backend_of_somebody_elses_calls_workers_may_be_anything(
    hands: ManualBackend, workers: Any
) -> None:
    hands.workers = workers  # type: ignore[attr-defined]
    async with WorkflowEngine(hands) as engine:
        future = engine.submit(int)
        await hands.received(1)
        hands.run(1)
        assert await future == 0
        writes = engine.function_task(lambda path: path.write_text("made"))(OutputFile("made.txt"))
        await hands.received(2)
        hands.run(2)
        assert await writes == 4
        assert engine.report().workers["backend 'manual'"] is None


async def test_start_alone_wakes_nobody_and_is_seen_by_whoever_asks(
    engine: WorkflowEngine, hands: ManualBackend, wake_ups: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    future = engine.submit(int)
    await hands.received(1)
    watch(wake_ups, monkeypatch)
    in_a_thread(hands.begin, 1)
    assert wake_ups == []
    assert future.state == "RUNNING"
    hands.run(1)
    assert await future == 0


async def test_start_wakes_the_loop_where_a_clock_has_to_start_with_it(
    engine: WorkflowEngine, hands: ManualBackend, wake_ups: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    future = engine.function_task(timeout=60)(never_called)()
    await hands.received(1)
    watch(wake_ups, monkeypatch)
    in_a_thread(hands.begin, 1)
    assert len(wake_ups) == 1
    await turns(2)
    assert repr(future) == "<TaskFuture never_called#1 RUNNING>"  # which asks nobody


async def test_reports_from_many_threads_at_once_all_arrive() -> None:
    async with WorkflowEngine("thread", workers=16) as engine:
        task = engine.function_task(lambda value: value)
        for _ in range(20):
            assert await asyncio.gather(*task.map(range(200))) == list(range(200))


async def test_report_of_a_batch_is_handled_in_its_order(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(int)
    await hands.received(1)
    with hands.together():
        hands.tell(STARTED, 1)
        hands.tell(SUCCEEDED, 1, "value")
    assert await future == "value"
    assert "SUBMITTED -> RUNNING -> SUCCEEDED" in future.explain()


def test_report_after_the_loop_was_closed_is_dropped_in_silence() -> None:
    hands = ManualBackend()
    engine = WorkflowEngine(hands)

    async def leave() -> Any:
        future = engine.submit(never_called)
        await hands.received(1)
        return future

    future = asyncio.run(leave())
    in_a_thread(hands.begin, 1)
    in_a_thread(hands.succeed, 1)
    assert not future.done()


async def mixture(engine: WorkflowEngine) -> None:
    """A little of everything."""
    plain = engine.function_task(lambda value: value + 1)

    @engine.function_task
    async def quick(value: int) -> int:
        return value + 1

    @engine.function_task
    async def slow(value: int) -> int:
        await turns(3)
        return value + 1

    @engine.block
    async def block(value: int) -> Any:
        return [await slow(quick(plain(value))), plain(value)]

    async def theirs() -> int:
        return 10

    assert await block(plain(theirs())) == [14, 12]
    assert await asyncio.gather(*block.map(range(20))) == [[value + 3, value + 1] for value in range(20)]
    with pytest.raises(TaskTimeout):
        await engine.function_task(timeout=0.01)(asyncio.Event().wait)()
    with pytest.raises(ZeroDivisionError):
        await engine.submit(lambda: 1 / 0)
    gone = engine.submit(asyncio.Event().wait)
    await turns()
    gone.cancel()
    await engine.settled(gone)
    assert gone.state == "CANCELLED"


async def test_asyncios_debug_mode_finds_nothing_to_complain_of(caplog: Any) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 60
    try:
        with no_leaks():
            async with WorkflowEngine("thread", workers=2) as engine:
                await mixture(engine)
    finally:
        loop.set_debug(False)
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
async def test_eager_tasks_change_nothing() -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined]
    with no_leaks():
        async with WorkflowEngine("thread", workers=2) as engine:
            await mixture(engine)
        async with WorkflowEngine("sequential", max_coroutines=1) as engine:
            await mixture(engine)


@pytest.mark.parametrize("backend", ["thread", "sequential"])
async def test_mixture_of_everything_leaves_nothing(backend: str) -> None:
    with no_leaks():
        async with WorkflowEngine(backend) as engine:
            await mixture(engine)


@in_no_time
async def test_engine_works_on_a_loop_of_another_class() -> None:
    async with WorkflowEngine("sequential") as engine:
        await mixture(engine)


@pytest.mark.parametrize(
    "name", ["ünïcode ☃", "two\nlines", "x" * 300, "../../etc", "-rf", "nul\0byte", "%s {}"]
)
async def test_name_of_any_text_is_shown_in_one_line_and_harms_nothing(
    threads: WorkflowEngine, name: str, caplog: Any
) -> None:
    async def fail() -> None:
        await turns(1)
        raise ValueError

    for backend in (None, "thread"):
        future = threads.function_task(name=name, backend=backend)(fail)()
        assert future.name == name
        assert name.replace("\n", r"\n").replace("\0", r"\x00") in repr(future)
        with pytest.raises(ValueError) as caught:
            await future
        assert f"{name!r} (#" in caught.value.__notes__[0]


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_where_thousands_do_not_run_for_one_reason_the_loop_has_its_turns_meanwhile(
    engine: WorkflowEngine, hands: ManualBackend, how: str
) -> None:
    head = engine.submit(abs, 1)
    dependents = [engine.submit(abs, head) for _ in range(3_000)]
    await hands.received(1)
    if how == "cancelled":
        head.cancel()
    else:
        hands.fail(1, ValueError("no"))
    seen, decided = set(), set()
    while not all(future.done() for future in dependents):
        seen.add(sum(future.done() for future in dependents))
        decided.add(sum(future.state != "PENDING" for future in dependents))
        assert seen == {0} or max(decided) == 3_000, "one has its end before all know that there is one"
        await turns(1)
    assert len(seen) > 3 and len(decided) > 3
    assert {future.state.value for future in dependents} == {
        "CANCELLED" if how == "cancelled" else "UPSTREAM_FAILED"
    }
    assert sum(engine.report().counts.values()) == 3_001
    await asyncio.gather(head, *dependents, return_exceptions=True)


async def test_a_report_and_a_shutdown_give_thousands_their_ends_at_once(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    head = engine.submit(abs, 1)
    dependents = [engine.submit(abs, head) for _ in range(3_000)]
    await hands.received(1)
    head.cancel()
    assert dependents[-1].cancel() is False or dependents[-1].cancelled()
    assert engine.report().counts == {"CANCELLED": 3_000, "CANCELLING": 1}
    assert all(future.cancelled() for future in dependents)
    more = [engine.submit(abs, 1) for _ in range(3_000)]
    await engine.shutdown(wait=False)
    assert all(future.cancelled() for future in more)

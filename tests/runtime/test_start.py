"""How an engine begins: cheaply, when it is needed, where it is needed, and again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from asyncflow import EngineClosed, TaskFuture, WorkflowEngine, WrongLoop
from asyncflow.testing import Gate, ManualBackend, no_leaks

from .kit import never_called, script, turns


def test_making_an_engine_starts_nothing(hands: ManualBackend) -> None:
    before = threading.active_count()
    with no_leaks():
        engines = [WorkflowEngine(workers=8) for _ in range(100)]
        WorkflowEngine(hands)
    assert hands.starts == 0
    assert threading.active_count() == before
    assert len(engines) == 100


def test_engine_and_tasks_at_module_level_need_no_loop() -> None:
    done = script("""
        import asyncio
        from asyncflow import WorkflowEngine

        engine = WorkflowEngine()

        @engine.function_task
        def double(value): return value * 2

        @engine.block
        async def pipeline(value): return await double(await double(value))

        async def main():
            async with engine:
                print(await pipeline(3))

        asyncio.run(main())
        asyncio.run(main())
        print(engine.run(pipeline, 4))
    """)
    assert done.stderr == ""
    assert done.stdout.split() == ["12", "12", "16"]


async def test_async_with_starts_and_gives_the_engine(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    async with engine as same:
        assert same is engine
        assert hands.starts == 1
    assert hands.shutdowns == 1


async def test_create_makes_and_starts(hands: ManualBackend) -> None:
    engine = await WorkflowEngine.create(hands, max_coroutines=3)
    assert hands.starts == 1
    await engine.shutdown()


async def test_start_twice_starts_once(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    await asyncio.gather(engine.start(), engine.start())
    async with engine:
        await engine.start()
    assert hands.starts == 1


async def test_first_call_inside_a_loop_starts_it(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    future = engine.submit(int)
    await hands.received(1)
    assert hands.starts == 1
    hands.run(1)
    assert await future == 0
    await engine.shutdown()


async def test_calls_made_while_it_starts_run_once_it_has() -> None:
    may_start = asyncio.Event()

    class Slow(ManualBackend):
        async def start(self, report: Any) -> None:
            await may_start.wait()
            await super().start(report)

    hands = Slow()
    engine = WorkflowEngine(hands)
    starting = asyncio.create_task(engine.start())
    await turns()
    futures = engine.function_task(lambda value: value).map(range(3))
    gone = engine.submit(never_called)
    gone.cancel()
    await turns()
    assert hands.batches == []
    may_start.set()
    await starting
    await hands.received(3)
    for number in (1, 2, 3):
        hands.run(number)
    assert await asyncio.gather(*futures) == [0, 1, 2]
    await engine.shutdown()


async def test_engine_can_be_started_again_after_a_shutdown() -> None:
    engine = WorkflowEngine("thread", workers=2)
    double = engine.function_task(lambda value: value * 2)
    with no_leaks():
        for number in range(3):
            async with engine:
                future = double(number)
                assert future.id == 1
                assert await future == number * 2


def test_one_engine_serves_one_asyncio_run_after_the_other() -> None:
    engine = WorkflowEngine("thread", workers=2)
    double = engine.function_task(lambda value: value * 2)

    @engine.block
    async def twice(value: int) -> Any:
        return await double(await double(value))

    async def with_shutdown() -> Any:
        async with engine:
            return await twice(1)

    async def without() -> Any:
        return await twice(2)

    with no_leaks():
        for _ in range(2):
            assert asyncio.run(with_shutdown()) == 4
            assert asyncio.run(without()) == 8
        assert asyncio.run(with_shutdown()) == 4


def test_engine_left_with_work_under_way_starts_anew_in_the_next_asyncio_run() -> None:
    engine = WorkflowEngine("thread", workers=1)
    left: list[TaskFuture[Any]] = []
    with Gate() as gate:

        async def leave() -> None:
            left.append(engine.submit(gate.door.pass_through))
            left.append(engine.submit(never_called, left[0]))
            left.append(engine.function_task(asyncio.Event().wait)())
            await gate.reached()

        async def again() -> int:
            async with engine:
                return await engine.submit(lambda: 7)

        asyncio.run(leave())
        assert asyncio.run(again()) == 7


def test_shutdown_that_its_loop_cut_short_does_not_spoil_the_next_start() -> None:
    engine = WorkflowEngine("sequential")

    async def cut_short() -> None:
        engine.function_task(asyncio.Event().wait)()
        await turns()
        shutting = asyncio.create_task(engine.shutdown())
        await turns()
        assert not shutting.done()

    async def again() -> int:
        async with engine:
            return await engine.submit(lambda: 7)

    asyncio.run(cut_short())
    assert asyncio.run(again()) == 7


# -- from the wrong place ---------------------------------------------------------------------------------


CALLS: list[Callable[[WorkflowEngine], Any]] = [
    lambda engine: engine.function_task(never_called, name="fit")(),
    lambda engine: engine.block(never_called, name="fit")(),
    lambda engine: engine.function_task(never_called, name="fit").map([1]),
]


def caught_in_a_thread(call: Callable[[], Any]) -> BaseException:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run, name="elsewhere")
    thread.start()
    thread.join()
    return caught[0]


@pytest.mark.parametrize("call", CALLS)
def test_call_without_a_loop_says_what_to_do(call: Callable[[WorkflowEngine], Any]) -> None:
    with pytest.raises(WrongLoop, match="'fit' was called") as caught:
        call(WorkflowEngine())
    assert "engine.run(" in str(caught.value)
    assert "await" in str(caught.value)


@pytest.mark.parametrize("call", CALLS)
async def test_call_from_another_thread_says_what_to_do(
    engine: WorkflowEngine, hands: ManualBackend, call: Callable[[WorkflowEngine], Any]
) -> None:
    error = caught_in_a_thread(lambda: call(engine))
    assert isinstance(error, WrongLoop)
    assert "'fit' was called on thread 'elsewhere'" in str(error)
    assert "engine.from_thread(fit, ...).result()" in str(error)
    await turns()
    assert hands.batches == []


async def test_call_from_another_thread_in_the_middle_of_a_burst_is_refused(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    first = engine.submit(never_called)
    error = caught_in_a_thread(lambda: engine.submit(never_called))
    assert isinstance(error, WrongLoop)
    second = engine.submit(never_called)
    await turns()
    assert (first.id, second.id) == (1, 2)
    assert hands.batches == [["never_called", "never_called"]]


@pytest.mark.parametrize("call", CALLS)
async def test_call_from_another_loop_is_a_clear_error(
    engine: WorkflowEngine, hands: ManualBackend, call: Callable[[WorkflowEngine], Any]
) -> None:
    async def elsewhere() -> None:
        call(engine)

    error = caught_in_a_thread(lambda: asyncio.run(elsewhere()))
    assert isinstance(error, WrongLoop)
    assert "'fit' was called on another event loop than the engine's" in str(error)
    await turns()
    assert hands.batches == []


@pytest.mark.parametrize("call", CALLS)
async def test_call_inside_a_worker_thread_is_a_clear_error_and_no_hang(
    threads: WorkflowEngine, call: Callable[[WorkflowEngine], Any]
) -> None:
    with pytest.raises(WrongLoop) as caught:
        await threads.submit(call, threads)
    assert "'fit' was called on thread 'asyncflow-" in str(caught.value)
    assert "fit.fn(...)" in str(caught.value)


async def test_call_inside_a_coroutine_on_a_worker_thread_is_a_clear_error(threads: WorkflowEngine) -> None:
    @threads.function_task(backend="thread")
    async def body() -> None:
        await threads.submit(never_called)

    with pytest.raises(WrongLoop, match="another event loop"):
        await body()


async def test_plain_task_may_run_a_loop_of_its_own(threads: WorkflowEngine) -> None:
    async def inner() -> int:
        await turns(1)
        return 3

    assert await threads.submit(lambda: asyncio.run(inner())) == 3


async def test_starting_or_shutting_down_from_another_loop_is_a_clear_error(engine: WorkflowEngine) -> None:
    for method in (engine.start, engine.shutdown):
        error = caught_in_a_thread(lambda method=method: asyncio.run(method()))
        assert isinstance(error, WrongLoop), method
    await engine.start()


def test_two_engines_in_two_threads_with_a_loop_each_do_not_meet() -> None:
    results: list[Any] = []

    def run(number: int) -> None:
        engine = WorkflowEngine("thread", workers=2)
        results.append(
            engine.run(engine.block(lambda: engine.function_task(pow).map([number] * 50, range(50))))
        )

    workers = [threading.Thread(target=run, args=(number,)) for number in (2, 3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(results) == [[2**power for power in range(50)], [3**power for power in range(50)]]


# -- after a shutdown -------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
async def test_call_after_a_shutdown_is_engine_closed(
    hands: ManualBackend, call: Callable[[WorkflowEngine], Any]
) -> None:
    engine = WorkflowEngine(hands)
    async with engine:
        pass
    with pytest.raises(EngineClosed) as caught:
        call(engine)
    assert "'fit' was called, but the engine has been shut down" in str(caught.value)
    assert "async with engine" in str(caught.value)
    assert hands.starts == 1


async def test_call_after_a_start_that_failed_says_so(hands: ManualBackend) -> None:
    hands.start_error = OSError("no cluster")
    engine = WorkflowEngine(hands)
    with pytest.raises(OSError, match="no cluster"):
        await engine.start()
    with pytest.raises(EngineClosed, match="its backend could not be started: OSError"):
        engine.submit(never_called)


async def test_repr_tells_the_backends_and_how_many_run_wait_and_are_over(hands: ManualBackend) -> None:
    engine = WorkflowEngine(backends={"io": hands, "cpu": "thread"})
    assert repr(engine) == "<WorkflowEngine io, cpu: not started>"
    async with engine:
        first = engine.submit(never_called)
        engine.submit(never_called, first), engine.submit(never_called, first)
        assert repr(engine) == "<WorkflowEngine io, cpu: 0 tasks run, 3 wait, 0 are over>"
        await hands.received(1)
        hands.begin(1)
        assert repr(engine) == "<WorkflowEngine io, cpu: 1 tasks run, 2 wait, 0 are over>"
        hands.succeed(1)
        await hands.received(2)
        assert repr(engine) == "<WorkflowEngine io, cpu: 0 tasks run, 2 wait, 1 are over>"
        await engine.shutdown(wait=False)
    assert repr(engine) == "<WorkflowEngine io, cpu: shut down, 3 tasks are over>"
    assert repr(WorkflowEngine(dry_run=True)) == "<WorkflowEngine thread, dry run: not started>"


@pytest.mark.parametrize("options", [{"workers": 0}, {"workers": -1}, {"max_coroutines": 0}])
def test_limits_below_one_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one is needed"):
        WorkflowEngine(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
@pytest.mark.parametrize("turns_before", [0, 1, 2])
async def test_a_start_that_somebody_cancels_with_all_asyncio_tasks_begins_again(
    backend: str, turns_before: int
) -> None:
    async def quick() -> int:
        return 1

    engine = WorkflowEngine(backend, workers=1)
    futures = [engine.submit(abs, -1), engine.submit(quick)]
    await turns(turns_before)
    for each in asyncio.all_tasks() - {asyncio.current_task()}:
        each.cancel()
    assert await asyncio.gather(*futures) == [1, 1]
    await engine.shutdown()


@pytest.mark.parametrize("wait", [False, True])
async def test_an_engine_whose_start_was_cancelled_can_be_shut_down_at_once(wait: bool) -> None:
    engine = WorkflowEngine("sequential")
    future = engine.submit(abs, -1)
    for each in asyncio.all_tasks() - {asyncio.current_task()}:
        each.cancel()
    await turns(1)
    await engine.shutdown(wait=wait)
    assert future.done()

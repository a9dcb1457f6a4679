"""Which backend does the work: by name, by instance, any executor, several at once."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from asyncflow import UnknownBackend, WorkflowEngine
from asyncflow.backends.executor import ExecutorBackend
from asyncflow.backends.thread import ThreadBackend
from asyncflow.testing import Gate, ManualBackend, no_leaks

from .kit import in_no_time, never_called, turns

CPUS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_name() -> str:
    return threading.current_thread().name


async def test_thread_is_the_default_and_runs_off_the_loops_thread() -> None:
    async with WorkflowEngine() as engine:
        assert (await engine.submit(thread_name)).startswith("asyncflow-")


async def test_unknown_name_lists_what_is_installed() -> None:
    with pytest.raises(UnknownBackend) as caught:
        WorkflowEngine("threads")
    assert str(caught.value).startswith("no backend is called 'threads'. Installed: ")
    for name in ("noop", "sequential", "thread"):
        assert name in str(caught.value)


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_name_of_a_plugin_that_is_not_installed_says_how_to_get_it(name: str) -> None:
    with pytest.raises(UnknownBackend, match=f"pip install asyncflow-{name}"):
        WorkflowEngine(name)


def test_something_else_than_a_backend_is_a_type_error_with_the_mend() -> None:
    with pytest.raises(TypeError, match="expected a name, an ExecutionBackend or"):
        WorkflowEngine(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"so make one:  backend=ThreadBackend\(\)"):
        WorkflowEngine(ThreadBackend)  # type: ignore[arg-type]


async def test_workers_are_as_many_as_asked_for(gate: Gate) -> None:
    async with WorkflowEngine("thread", workers=3) as engine:
        held = [engine.submit(gate.door.pass_through) for _ in range(4)]
        await gate.reached(3)
        await turns()
        assert [future.state for future in held] == ["RUNNING"] * 3 + ["SUBMITTED"]
        gate.open(4)
        await asyncio.gather(*held)


async def test_workers_default_to_the_usable_cpus() -> None:
    assert ThreadBackend().workers == CPUS


async def test_threads_are_started_only_as_work_needs_them() -> None:
    async with WorkflowEngine("thread", workers=64) as engine:
        before = threading.active_count()
        await engine.submit(int)
        assert threading.active_count() <= before + 1


async def test_sequential_runs_one_after_another_in_call_order_on_the_loops_thread() -> None:
    async with WorkflowEngine("sequential") as engine:
        order: list[int] = []
        running: list[int] = []

        @engine.function_task
        def step(number: int, *_: Any) -> str:
            assert not running
            running.append(number)
            order.append(number)
            running.clear()
            return thread_name()

        first = step(0)
        late = step(3, step(1))
        assert await asyncio.gather(first, late, step(4), step(5)) == [threading.current_thread().name] * 4
        assert order == [0, 1, 3, 4, 5]


async def test_sequential_goes_on_with_what_was_called_first_though_it_became_ready_later() -> None:
    async with WorkflowEngine("sequential") as engine:
        order: list[str] = []
        step = engine.function_task(lambda name, *_: order.append(name))
        first = step("first")
        step("second", first)  # ready only after the first, but called before the third
        await asyncio.gather(step("third"), step("fourth"))
        assert order == ["first", "second", "third", "fourth"]


async def test_noop_runs_nothing_and_gives_stand_ins_that_work_goes_on_with() -> None:
    async with WorkflowEngine("noop") as engine:
        load = engine.function_task(never_called, name="load")

        @engine.function_task
        async def fit(rows: Any) -> Any:
            never_called(rows)

        @engine.block
        async def pipeline() -> Any:
            models = [fit(load(path)) for path in "abc"]
            best = await fit(models)
            return best.error if best.error > 1 else [best, best[0] + 1]

        result = await pipeline()
        assert "stand-in for fit#" in repr(result)


async def test_dry_run_is_noop_whatever_was_asked_for(hands: ManualBackend) -> None:
    async with WorkflowEngine(backends={"io": hands, "cpu": "thread"}, dry_run=True) as engine:
        await asyncio.gather(engine.submit(never_called), engine.function_task(backend="cpu")(never_called)())
    assert hands.starts == 0


async def test_several_backends_serve_one_engine_and_tasks_choose() -> None:
    async with WorkflowEngine(backends={"io": "thread", "main": "sequential"}, workers=2) as engine:
        here = threading.current_thread().name
        io, main = (engine.function_task(backend=name)(thread_name) for name in ("io", "main"))
        names = await asyncio.gather(engine.submit(thread_name), io(), main())
        assert names[0].startswith("asyncflow-")
        assert names[1].startswith("asyncflow-")
        assert names[2] == here
        # and what one returns is an argument for the other
        assert await main.with_options(name="back")() == await engine.submit(str, main())


async def test_two_backends_may_use_the_same_thread_names_without_mixing_up_tasks(gate: Gate) -> None:
    async with WorkflowEngine(backends={"a": "thread", "b": "thread"}, workers=1) as engine:
        held = engine.function_task(backend="a")(gate.door.pass_through)()
        await gate.reached()
        assert await engine.function_task(backend="b")(lambda: "free")() == "free"
        assert held.state == "RUNNING"
        gate.open()
        await held


# -- executors --------------------------------------------------------------------------------------------


async def test_any_executor_does_the_work_and_stays_its_callers() -> None:
    with ThreadPoolExecutor(2, thread_name_prefix="theirs") as pool:
        async with WorkflowEngine(pool) as engine:
            assert (await engine.submit(thread_name)).startswith("theirs")
            with pytest.raises(ZeroDivisionError):
                await engine.submit(lambda: 1 / 0)
        assert pool.submit(int).result() == 0  # still in use after our shutdown


async def test_executor_that_is_made_for_us_is_shut_down_with_us() -> None:
    made: list[ThreadPoolExecutor] = []

    def make() -> ThreadPoolExecutor:
        made.append(ThreadPoolExecutor(2))
        return made[-1]

    engine = WorkflowEngine(ExecutorBackend(make=make))
    with no_leaks():
        for _ in range(2):
            async with engine:
                assert await engine.submit(int) == 0
    assert len(made) == 2
    with pytest.raises(RuntimeError, match="after shutdown"):
        made[0].submit(int)


def test_executor_backend_wants_exactly_one_of_theirs_and_ours() -> None:
    with ThreadPoolExecutor(1) as pool:
        for arguments in ({}, {"executor": pool, "make": lambda: pool}):
            with pytest.raises(TypeError, match="or make="):
                ExecutorBackend(**arguments)  # type: ignore[arg-type]


async def test_process_pool_does_the_work_with_functions_by_value() -> None:
    with ProcessPoolExecutor(1) as pool:
        async with WorkflowEngine(pool) as engine:
            offset = 30
            pid, value = await asyncio.gather(
                engine.submit(os.getpid), engine.submit(lambda x: x + offset, 12)
            )
            assert pid != os.getpid()
            assert value == 42
            with pytest.raises(ValueError, match="invalid literal"):
                await engine.submit(int, "x")


async def test_executor_that_is_shut_down_under_us_fails_the_task_and_not_the_engine() -> None:
    pool = ThreadPoolExecutor(1)
    async with WorkflowEngine(backends={"pool": pool, "other": "sequential"}) as engine:
        pool.shutdown()
        with pytest.raises(RuntimeError, match="after shutdown"):
            await engine.submit(int)
        assert await engine.function_task(backend="other")(len)("") == 0


async def test_task_queued_in_an_executor_can_be_cancelled(gate: Gate) -> None:
    with ThreadPoolExecutor(1) as pool:
        async with WorkflowEngine(pool) as engine:
            held, queued = engine.submit(gate.door.pass_through), engine.submit(never_called)
            await gate.reached()
            queued.cancel()
            await engine.settled(queued)
            assert queued.state == "CANCELLED"
            gate.open()
            await held


class Lazy(ThreadPoolExecutor):
    """Of which the test ends the work itself."""

    def __init__(self) -> None:
        super().__init__(1)
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        self.futures.append(future)
        return future


@in_no_time
async def test_what_an_executor_left_behind_in_one_run_does_not_speak_in_the_next() -> None:
    lazy = Lazy()
    engine = WorkflowEngine(lazy, grace=1)
    async with engine:
        first = engine.submit(never_called)
        await turns()
        await engine.shutdown(wait=False)
    assert first.cancelled()
    async with engine:
        second = engine.submit(never_called)
        assert second.id == first.id  # the confusion that has to be kept apart
        await turns()
        lazy.futures[0].set_result(((True, "of the first run"), 0.0, "lazy"))
        await turns()
        assert not second.done()
        lazy.futures[1].set_result(((True, "of the second run"), 0.0, "lazy"))
        assert await second == "of the second run"


async def test_engine_restarted_without_its_backends_shutdown_leaves_no_thread() -> None:
    with no_leaks():
        engine = WorkflowEngine("thread", workers=2)
        for _ in range(3):
            await engine.start()
            assert await engine.submit(int) == 0
            await engine._shut_down(True, skip_backends=True)
        async with engine:
            pass

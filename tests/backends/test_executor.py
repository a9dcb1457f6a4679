"""The adapter for executors of `concurrent.futures`."""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import os
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, ClassVar

import pytest

from asyncflow import WorkflowEngine
from asyncflow.backend import Concurrency, ExecutionBackend
from asyncflow.backends.executor import ExecutorBackend
from asyncflow.testing import Gate
from asyncflow.testing import bad_tasks as bad
from asyncflow.testing.conformance import BackendConformance


class TestExecutorOfOurs(BackendConformance):
    """Made at each start."""

    def make_backend(self) -> ExecutionBackend:
        return ExecutorBackend(make=lambda: ThreadPoolExecutor(self.workers))


class TestExecutorOfTheCallers(BackendConformance):
    """Left running."""

    def make_backend(self) -> ExecutionBackend:
        executor = ThreadPoolExecutor(self.workers)
        self._executors = [*getattr(self, "_executors", ()), executor]
        return ExecutorBackend(executor)

    def put_away(self) -> None:
        for executor in self._executors:
            executor.shutdown()


def process_pool(workers: int) -> ProcessPoolExecutor:
    """The standard library's processes, from a fork server: forking a program with threads is asking for trouble."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["asyncflow.testing.bad_tasks", "asyncflow.testing.failing_tasks", "asyncflow._worker.parcel"]
    )
    return ProcessPoolExecutor(workers, mp_context=context)


_BREAKS = "a worker that dies breaks the standard library's pool for good"
_STAYS = "the standard library's workers stay as tasks leave them"


class TestPoolOfProcesses(BackendConformance):
    """All that can be promised on the standard library's pool."""

    excused: ClassVar = {
        "test_a_task_that_ends_its_process_fails_alone": _BREAKS,
        "test_every_worker_may_die_at_once_and_again": _BREAKS,
        "test_a_worker_that_is_killed_while_idle_is_replaced": _BREAKS,
        "test_the_next_task_finds_a_clean_process": _STAYS,
        "test_a_fork_that_returns_too_is_not_heard": _STAYS,
        "test_a_fork_ends_with_the_status_of_a_program": _STAYS,
        "test_no_process_outlives_a_parent_that_was_killed": "the standard library's workers outlive it",
        "test_a_large_result_costs_about_one_copy_here": "the standard library's pool pickles it twice",
    }

    def make_backend(self) -> ExecutionBackend:
        return ExecutorBackend(make=lambda: process_pool(self.workers), in_process=False)


# -- whose executor it is -------------------------------------------------------------------------------------


class Inline(Executor):
    """Runs the call inside `submit`."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:
            future.set_exception(error)
        return future


class InlineBackend(ExecutorBackend):
    concurrency = Concurrency.SEQUENTIAL


class TestInlineExecutor(BackendConformance):
    """Calls run in `submit` itself, one after another, with the engine's loop running."""

    workers = 1
    excused: ClassVar = {
        name: "a function that runs inside of submit() finds the engine's loop running"
        for name in (
            "test_a_def_task_may_run_an_event_loop_of_its_own",
            "test_a_task_that_calls_a_task_is_told_how",
            "test_a_coroutine_is_run_to_its_end",
            "test_coroutines_run_on_the_backend_that_takes_them_and_is_named",
            "test_what_would_end_a_program_is_a_crash_in_a_coroutine_on_the_backend",
        )
    }

    def make_backend(self) -> ExecutionBackend:
        return InlineBackend(Inline(), in_process=True)


def test_exactly_one_of_the_callers_and_ours_has_to_be_given() -> None:
    with pytest.raises(TypeError, match="an executor of yours, or make="):
        ExecutorBackend()
    with pytest.raises(TypeError, match="an executor of yours, or make="):
        ExecutorBackend(Inline(), make=Inline)


@pytest.mark.parametrize("wrapped", [False, True])
async def test_the_callers_executor_is_left_running(wrapped: bool) -> None:
    with ThreadPoolExecutor(1) as executor:
        for _ in range(2):
            async with WorkflowEngine(ExecutorBackend(executor) if wrapped else executor) as engine:
                assert await engine.submit(bad.add, 1, 2) == 3
        assert executor.submit(bad.add, 1, 2).result() == 3


async def test_an_executor_of_ours_is_made_at_each_start_and_shut_down_at_each_end() -> None:
    made: list[ThreadPoolExecutor] = []

    def make() -> ThreadPoolExecutor:
        made.append(ThreadPoolExecutor(1))
        return made[-1]

    engine = WorkflowEngine(ExecutorBackend(make=make))
    assert made == []
    for number in (1, 2):
        async with engine:
            assert await engine.submit(bad.add, 1, 2) == 3
        assert len(made) == number
        with pytest.raises(RuntimeError, match="after shutdown"):
            made[-1].submit(bad.add, 1, 2)


async def test_work_of_others_on_the_callers_executor_is_left_alone() -> None:
    with ThreadPoolExecutor(1) as executor, Gate() as gate:
        theirs = executor.submit(bad.through, gate.door, "theirs")
        behind = executor.submit(bad.add, 1, 2)
        engine = WorkflowEngine(executor)
        await engine.start()
        mine = engine.submit(bad.add, 3, 4)
        await gate.reached()
        await engine.shutdown(wait=False)
        assert mine.cancelled()
        gate.open()
        assert (await asyncio.wrap_future(theirs), await asyncio.wrap_future(behind)) == ("theirs", 3)


async def test_tasks_are_cancelled_when_the_owner_cancels_what_waits() -> None:
    with Gate() as gate, ThreadPoolExecutor(1) as executor:
        async with WorkflowEngine(executor) as engine:
            running, waiting = engine.submit(bad.through, gate.door, "done"), engine.submit(bad.add, 1, 2)
            await gate.reached()
            executor.shutdown(wait=False, cancel_futures=True)
            await asyncio.wait([waiting])
            assert (waiting.cancelled(), waiting.state) == (True, "CANCELLED")
            gate.open()
            assert await running == "done"


async def test_an_executor_that_takes_no_more_fails_the_task_and_not_the_engine() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    async with WorkflowEngine(executor) as engine:
        with pytest.raises(RuntimeError, match="after shutdown"):
            await engine.submit(bad.add, 1, 2)
        assert await engine.submit(bad.add_later, 1, 2) == 3


async def test_a_broken_pool_fails_its_tasks_under_their_names() -> None:
    async with WorkflowEngine(ExecutorBackend(make=lambda: process_pool(1), in_process=False)) as engine:
        first = engine.submit(bad.leave, 1)
        with pytest.raises(BrokenProcessPool) as caught:
            await first
        assert "'leave' (#1)" in caught.value.__notes__[0]
        with pytest.raises(BrokenProcessPool):
            await engine.submit(bad.add, 1, 2)


class Others(Executor):
    """Processes by somebody who knows nothing of the standard library's pool, and who remembers what was computed."""

    def __init__(self) -> None:
        self._pool = process_pool(1)
        self._known: dict[Any, Future[Any]] = {}

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        key = fn, args, tuple(kwargs.items())
        if key not in self._known:
            self._known[key] = self._pool.submit(fn, *args, **kwargs)
        return self._known[key]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


async def test_an_executor_that_nobody_knows_gets_calls_that_can_be_sent() -> None:
    with Others() as executor:
        async with WorkflowEngine(executor) as engine:
            task = engine.function_task(lambda number: (number, bad.process_id()))
            number, process = await task(3)
            assert number == 3
            assert process != bad.process_id()


async def test_equal_calls_are_run_as_often_as_they_are_made() -> None:
    with Others() as executor:
        async with WorkflowEngine(executor) as engine:
            assert len({await engine.submit(time.perf_counter) for _ in range(3)}) == 3


_SCRIPT = """
import asyncio, os, time
from asyncflow import WorkflowEngine

{imports}

class Own(Exception):
    def __init__(self, text, code):
        super().__init__(f"{{text}} ({{code}})")
        self.code = code

def add(a, b):
    return a + b, os.getpid()

def fail():
    raise Own("failed", 7)

async def main():
    executor = {executor}
    async with WorkflowEngine(executor, grace=10) as engine:
        total, process = await engine.submit(add, 1, 2)
        assert (total, process != os.getpid()) == (3, True)
        try:
            await engine.submit(fail)
        except Own as error:
            assert (str(error), error.code) == ("failed (7)", 7)
        naps = [engine.submit(time.sleep, 0.1) for _ in range(8)]
        naps[-1].cancel()
        over = await asyncio.gather(*naps, return_exceptions=True)
        assert over[:-1] == [None] * 7, over
        assert naps[-1].cancelled()
        assert len({{await engine.submit(time.perf_counter) for _ in range(3)}}) == 3
    executor.shutdown()
    {after}
    print("good")

if __name__ == "__main__":
    asyncio.run(main())
"""
_OTHERS = {
    "loky": ("import loky", "loky.get_reusable_executor(max_workers=2)", ""),
    "executorlib": ("import executorlib", "executorlib.SingleNodeExecutor(max_workers=2)", ""),
    "distributed": (
        "import distributed",
        "distributed.Client(n_workers=1, threads_per_worker=2, dashboard_address=None).get_executor()",
        "executor._client.close()",
    ),
}


@pytest.mark.parametrize("package", _OTHERS)
def test_executors_of_others_do_the_work(package: str, tmp_path: Path) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    imports, executor, after = _OTHERS[package]
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT.format(imports=imports, executor=executor, after=after))
    ran = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "TMPDIR": str(tmp_path)},  # of what they leave there, others would be suspected
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.stdout.splitlines()[-1:] == ["good"], ran.stderr


@pytest.mark.parametrize("in_process", [None, False, True])
async def test_what_leaves_the_process_is_told_by_the_executor_or_by_the_caller(
    in_process: bool | None,
) -> None:
    processes = ProcessPoolExecutor(1)  # starts none before the first call
    assert ExecutorBackend(processes, in_process=in_process).needs_pickle is not bool(in_process)
    threads = ThreadPoolExecutor(1)
    assert ExecutorBackend(threads, in_process=in_process).needs_pickle is (in_process is False)
    made = ExecutorBackend(make=lambda: processes, in_process=in_process)
    await made.start(lambda events: None)
    assert made.needs_pickle is not bool(in_process)
    assert made.reports_starts is bool(in_process)
    await made.shutdown(grace=0)

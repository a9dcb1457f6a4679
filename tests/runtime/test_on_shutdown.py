"""Hooks of an engine are called at its shutdown: in reverse order, each for a bounded time, whatever the others did."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest

from asyncflow import EngineClosed, WorkflowEngine
from asyncflow.backends.process import ProcessBackend

from .kit import in_no_time, script


async def test_they_are_called_in_reverse_order_both_kinds_alike() -> None:
    engine, called = WorkflowEngine(), list[str]()

    @engine.on_shutdown
    def first() -> None:
        called.append("first")

    @engine.on_shutdown
    async def second() -> None:
        await asyncio.sleep(0)
        called.append("second")

    @engine.on_shutdown(timeout=timedelta(seconds=9))
    def third() -> None:
        called.append("third")

    async with engine:
        assert called == []
    assert called == ["third", "second", "first"]
    first()  # it is the function itself
    assert called[-1] == "first"


async def test_they_are_called_when_all_work_has_ended_and_the_report_is_complete() -> None:
    engine, seen = WorkflowEngine("thread", workers=1), list[object]()

    @engine.resource
    async def client() -> AsyncIterator[int]:
        yield 1
        seen.append("client is gone")

    @engine.function_task
    async def use(client: int = client) -> int:
        return client

    @engine.on_shutdown
    async def look() -> None:
        seen.append([thread.name for thread in threading.enumerate() if thread.name.startswith("asyncflow-")])
        seen.append(engine.report().counts["SUCCEEDED"])
        with pytest.raises(EngineClosed):
            use()

    async with engine:
        await engine.submit(len, "ab")
        await use()
    assert seen == ["client is gone", [], 2]


async def test_each_shutdown_calls_them_once() -> None:
    engine, called = WorkflowEngine(), list[int]()
    engine.on_shutdown(lambda: called.append(1))
    for _ in range(2):
        async with engine:
            pass
        await engine.shutdown()
    assert called == [1, 1]


async def test_one_that_fails_is_logged_and_the_others_are_called(caplog: pytest.LogCaptureFixture) -> None:
    engine, called = WorkflowEngine(), list[str]()

    @engine.on_shutdown
    def last() -> None:
        called.append("last")

    @engine.on_shutdown
    async def bad_later() -> None:
        raise SystemExit(3)

    @engine.on_shutdown
    def bad() -> None:
        raise OSError("no route")

    async with engine:
        pass
    assert called == ["last"]
    told = [(record.getMessage(), record.exc_info is not None) for record in caplog.records]
    assert told == [("shutdown hook 'bad' has failed", True), ("shutdown hook 'bad_later' has failed", True)]
    assert "OSError: no route" in caplog.text


@in_no_time
async def test_one_that_takes_too_long_is_left_behind_and_told(caplog: Any = None) -> None:
    engine, called = WorkflowEngine(grace=60), list[str]()

    @engine.on_shutdown
    def last() -> None:
        called.append("last")

    @engine.on_shutdown
    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            called.append("cancelled")

    async with engine:
        pass
    await asyncio.sleep(0)
    assert sorted(called) == ["cancelled", "last"]
    assert asyncio.get_running_loop().time() == 60


async def test_a_plain_one_that_takes_too_long_is_left_behind_and_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine, called, gate = WorkflowEngine(grace=60), list[str](), threading.Event()
    left: list[threading.Thread] = []

    @engine.on_shutdown
    def last() -> None:
        called.append("last")

    @engine.on_shutdown(timeout=0.01)
    def slow() -> None:
        left.append(threading.current_thread())
        gate.wait()

    async with engine:
        pass
    gate.set()
    left[0].join()
    assert called == ["last"]
    assert "shutdown hook 'slow' is not over after 0.01 s; left behind" in caplog.text


async def test_what_a_plain_one_returns_is_awaited_if_it_can_be() -> None:
    engine, called = WorkflowEngine(), list[str]()

    async def close() -> None:
        await asyncio.sleep(0)
        called.append("closed")

    engine.on_shutdown(lambda: close())
    engine.on_shutdown(close)
    async with engine:
        pass
    assert called == ["closed", "closed"]


async def test_they_can_be_removed_and_one_defined_again_takes_its_place() -> None:
    engine, called = WorkflowEngine(), list[str]()

    def gone() -> None:
        called.append("gone")

    def cell(text: str) -> Callable[[], None]:
        def hook() -> None:
            called.append(text)

        hook.__qualname__ = "hook"  # as at the top of a cell
        return hook

    engine.on_shutdown(gone)
    engine.on_shutdown(cell("old"))
    engine.on_shutdown(cell("new"))
    engine.remove_on_shutdown(gone)
    with pytest.raises(
        ValueError, match=r"remove_on_shutdown\(\) got .*gone.*, which is not called at shutdowns"
    ):
        engine.remove_on_shutdown(gone)
    async with engine:
        pass
    assert called == ["new"]


async def test_they_are_not_called_in_a_dry_run_or_for_a_plan() -> None:
    for engine in (WorkflowEngine(dry_run=True), WorkflowEngine()):
        called: list[int] = []
        engine.on_shutdown(lambda called=called: called.append(1))

        @engine.block
        async def main() -> None: ...

        if "dry run" in repr(engine):
            async with engine:
                await main()
        else:
            await engine.plan(main)
        assert called == []


async def test_they_are_called_when_a_program_leaves_by_an_error_and_when_it_cancels() -> None:
    called: list[int] = []
    engine = WorkflowEngine()
    engine.on_shutdown(lambda: called.append(1))
    with pytest.raises(ValueError, match="mine"):
        async with engine:
            raise ValueError("mine")

    async def work() -> None:
        async with engine:
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    for _ in range(5):
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait([working])
    assert called == [1, 1]


def test_they_are_called_after_ctrl_c() -> None:
    ran = script(
        """
        import asyncio, os, signal
        from asyncflow import WorkflowEngine

        engine = WorkflowEngine()

        @engine.on_shutdown
        def plain():
            print("plain")

        @engine.on_shutdown
        async def later():
            await asyncio.sleep(0)
            print("later")

        async def main():
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

        engine.run(main)
        """
    )
    assert (ran.returncode, ran.stdout) == (130, "later\nplain\n")


def test_what_cannot_be_one_is_told() -> None:
    engine = WorkflowEngine()
    with pytest.raises(TypeError, match=r"on_shutdown got 1: a function without arguments is needed"):
        engine.on_shutdown(1)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"on_shutdown got .*: a function without arguments is needed"):

        @engine.on_shutdown  # type: ignore[type-var]
        def needy(path: str) -> None: ...

    with pytest.raises(TypeError, match=r"got <function_task task>: a task, and no task is taken then"):

        @engine.on_shutdown
        @engine.function_task
        def task() -> None: ...

    with pytest.raises(ValueError, match=r"timeout=-1"):

        @engine.on_shutdown(timeout=-1)
        def early() -> None: ...


async def test_a_hook_of_one_run_is_no_hook_of_its_workers() -> None:
    engine, called = WorkflowEngine(ProcessBackend(1, recycle_after=1)), list[int]()
    engine.on_shutdown(lambda: called.append(1))
    async with engine:
        for _ in range(3):
            await engine.submit(len, "a")
    assert called == [1]

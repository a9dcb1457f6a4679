"""Detached tasks are nobody's: nobody waits for them beyond a time that is set, or cancels them with a block."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asyncflow import Report, UpstreamFailed, WorkflowEngine
from asyncflow.testing import Gate
from asyncflow.testing.gate import Door

from .kit import in_no_time, turns

BACKENDS = ["sequential", "thread", "process", "executor"]


@pytest.fixture(params=BACKENDS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    with ThreadPoolExecutor(2) as pool:
        async with WorkflowEngine(pool if request.param == "executor" else request.param) as engine:
            yield engine


def write(path: str) -> None:
    Path(path).write_text("done")


def nothing() -> None: ...


# -- blocks -----------------------------------------------------------------------------------------------


async def test_a_detached_task_outlives_the_block_that_called_it_and_was_cancelled(
    engine: WorkflowEngine, tmp_path: Path
) -> None:
    called: list[asyncio.Future[Any]] = []
    gate = asyncio.get_running_loop().create_future()
    tail = engine.function_task(write, detached=True)
    child = engine.function_task(write)

    @engine.block
    async def pipeline() -> None:
        called.append(tail.with_options(after=gate)(str(tmp_path / "tail")))
        called.append(child.with_options(after=gate)(str(tmp_path / "child")))
        await asyncio.Event().wait()

    running = pipeline()
    await turns()
    running.cancel()
    await engine.settled(running)
    assert running.state == "CANCELLED"
    assert called[1].cancelled()
    gate.set_result(None)
    await called[0]
    assert [each.name for each in tmp_path.iterdir()] == ["tail"]


async def test_a_block_fails_and_its_detached_task_goes_on(engine: WorkflowEngine) -> None:
    tails: list[Any] = []
    gate = asyncio.Event()

    async def approved() -> str:
        await gate.wait()
        return "sent"

    @engine.function_task(detached=True)
    def tail(text: str) -> str:
        return text

    @engine.block
    async def pipeline() -> None:
        tails.append(tail(approved()))
        raise OSError("no answer")

    with pytest.raises(OSError, match="no answer"):
        await pipeline()
    gate.set()
    assert await tails[0] == "sent"


async def test_a_block_that_returns_a_detached_task_waits_for_it(engine: WorkflowEngine) -> None:
    @engine.function_task(detached=True)
    def tail() -> int:
        return 4

    @engine.block
    def pipeline() -> Any:
        return tail()

    assert await pipeline() == 4


# -- shutdown ---------------------------------------------------------------------------------------------


@in_no_time
async def test_a_shutdown_waits_for_detached_tasks_no_longer_than_tail_timeout(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with WorkflowEngine(tail_timeout=2) as engine:
        loop = asyncio.get_running_loop()
        ended: list[str] = []

        @engine.function_task
        async def work() -> None:
            await asyncio.sleep(100)

        @engine.function_task(detached=True)
        async def tail(name: str, seconds: float) -> None:
            try:
                await asyncio.sleep(seconds)
            finally:
                ended.append(name)

        began = loop.time()
        work()
        short, long = tail("short", 101), tail("long", 1000)
    assert loop.time() - began == pytest.approx(102)
    assert ended == ["short", "long"]
    assert (short.state, long.state) == ("SUCCEEDED", "CANCELLED")
    assert (
        "1 task that nobody waits for, not over after tail_timeout=2 s: cancelled: 'tail' (#3, RUNNING)"
        in (caplog.text)
    )


@in_no_time
async def test_a_shutdown_ends_at_once_when_the_last_detached_task_does() -> None:
    async with WorkflowEngine(tail_timeout=50) as engine:

        @engine.function_task(detached=True)
        async def tail() -> None:
            await asyncio.sleep(3)

        future = tail()
        began = asyncio.get_running_loop().time()
    assert future.state == "SUCCEEDED"
    assert asyncio.get_running_loop().time() - began == pytest.approx(3)


@in_no_time
async def test_without_tail_timeout_detached_tasks_are_cancelled_as_soon_as_the_others_are_over() -> None:
    async with WorkflowEngine(tail_timeout=0) as engine:

        @engine.function_task(detached=True)
        async def tail() -> None:
            await asyncio.sleep(3)

        future = tail()
        began = asyncio.get_running_loop().time()
    assert future.state == "CANCELLED"
    assert asyncio.get_running_loop().time() == began


@in_no_time
async def test_what_a_task_depends_on_is_waited_for_though_it_is_detached() -> None:
    async with WorkflowEngine(tail_timeout=0) as engine:

        @engine.function_task(detached=True)
        async def tail() -> int:
            await asyncio.sleep(3)
            return 1

        @engine.function_task
        async def work(number: int) -> int:
            return number + 1

        future = work(tail())
    assert await future == 2


@in_no_time
async def test_what_a_detached_block_has_started_is_waited_for_no_longer_than_the_block() -> None:
    async with WorkflowEngine(tail_timeout=1) as engine:
        inside: list[Any] = []

        @engine.function_task
        async def work() -> None:
            await asyncio.sleep(100)

        @engine.block
        async def waiting() -> None:
            inside.append(work())
            await inside[-1]

        @engine.block
        async def leaving() -> None:
            inside.append(work())

        left = leaving.with_options(detached=True)()
        tail = waiting.with_options(detached=True)()
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began == pytest.approx(1)
    assert (left.state, tail.state) == ("SUCCEEDED", "CANCELLED")
    assert [each.state for each in inside] == ["CANCELLED", "CANCELLED"]


async def test_a_shutdown_that_does_not_wait_cancels_detached_tasks_at_once() -> None:
    engine = await WorkflowEngine.create()

    @engine.function_task(detached=True)
    async def tail() -> None:
        await asyncio.Event().wait()

    future = tail()
    await turns()
    await engine.shutdown(wait=False)
    assert future.state == "CANCELLED"


async def test_a_detached_thread_that_does_not_stop_is_left_behind_and_said_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Gate() as gate:
        async with WorkflowEngine(tail_timeout=0, grace=0) as engine:
            tail = engine.function_task(Door.pass_through, name="tail", detached=True)(gate.door)
            await gate.reached()
        assert tail.state == "CANCELLING"
        assert "left behind" in caplog.text


# -- what is told -----------------------------------------------------------------------------------------


async def test_the_error_of_a_detached_task_is_logged_once_and_reported(
    engine: WorkflowEngine, caplog: pytest.LogCaptureFixture
) -> None:
    @engine.function_task(detached=True)
    def tail(to: str) -> None:
        raise OSError("no answer")

    await asyncio.wait([tail("somebody")])
    await engine.shutdown()
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == [
        "'tail' (#1), which is detached, failed: OSError: no answer; called as tail(to='somebody')"
    ]
    [told] = engine.report().detached
    assert (told.name, told.state, told.error, told.detached) == (
        "tail",
        "FAILED",
        "OSError: no answer",
        True,
    )
    assert "Detached" in str(engine.report())
    assert "1 task that nobody waited for: tail (#1) FAILED" in str(engine.report())


async def test_a_detached_task_that_did_not_run_is_logged_with_the_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with WorkflowEngine() as engine:

        @engine.function_task
        def load() -> int:
            raise OSError("no answer")

        @engine.function_task(detached=True)
        def tail(value: int) -> None: ...

        with pytest.raises(UpstreamFailed):
            await tail(load())
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == ["'tail' (#2), which is detached, did not run because of load (#1)"]


async def test_of_many_failures_of_detached_tasks_the_first_are_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.function_task(detached=True)
        def tail() -> None:
            raise OSError("no answer")

        for _ in range(100):
            tail()
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == 21
    assert len(engine.report().detached) == 100


async def test_report_and_journal_keep_which_tasks_were_detached(tmp_path: Path) -> None:
    async with WorkflowEngine("sequential", journal=tmp_path / "journal") as engine:
        task = engine.function_task(nothing)
        task()
        task.with_options(detached=True)()
    report = engine.report()
    assert [each.id for each in report.detached] == [2]
    assert Report.from_json(report.to_json()) == report
    assert [each.id for each in Report.from_journal(tmp_path / "journal").detached] == [2]


async def test_a_plan_has_a_detached_task_whose_block_does_not_wait_for_it() -> None:
    engine = WorkflowEngine()

    @engine.function_task(expected=100, detached=True)
    def tail() -> int:
        return 1

    @engine.function_task(expected=1)
    def work() -> int:
        return 1

    @engine.block
    async def inner() -> int:
        tail()
        return await work()

    @engine.block
    async def pipeline() -> int:
        value = inner()
        return await work.with_options(name="after")() + await value

    plan = await engine.plan(pipeline)
    assert plan.findings == ()
    told = {each.name: each for each in plan.tasks}
    assert told["tail"].detached
    assert not told["work"].detached
    assert told["tail"].block == told["inner"].id
    assert type(plan).from_json(plan.to_json()) == plan
    assert "Detached" in str(plan)


async def test_a_dry_run_runs_what_is_inside_of_a_detached_block() -> None:
    inside = []
    async with WorkflowEngine(dry_run=True, tail_timeout=0) as engine:

        @engine.function_task
        def work() -> int:
            return 1

        @engine.block(detached=True)
        async def tail() -> None:
            inside.append(await work())

        tail()
    assert inside == [1]


def test_an_option_that_is_no_flag_is_refused() -> None:
    with pytest.raises(TypeError, match="detached='yes': it can be True or False"):
        WorkflowEngine().function_task(nothing, detached="yes")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="tail_timeout=-1"):
        WorkflowEngine(tail_timeout=-1)

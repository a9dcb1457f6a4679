"""``on_failure="stop"``: the first failure stops all inside of a block, or the whole run."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    BlockOptions,
    CommandFailed,
    Report,
    RunStopped,
    Skip,
    State,
    WorkflowEngine,
    first_success,
    optional,
    outcome,
)
from asyncflow.plan import PlannedTask
from asyncflow.testing import Gate


@pytest.fixture(params=["thread", "process", "sequential", "executor"])
def engine_on(request: pytest.FixtureRequest) -> Any:
    """Makes an engine on each backend."""
    if request.param == "process":  # with a worker left when two are kept by bodies that do not end
        return lambda **options: WorkflowEngine("process", workers=3, **options)
    if request.param != "executor":
        return lambda **options: WorkflowEngine(request.param, **options)
    pool = ThreadPoolExecutor(2)
    request.addfinalizer(pool.shutdown)
    return lambda **options: WorkflowEngine(pool, **options)


@pytest.fixture
async def stopping() -> AsyncIterator[WorkflowEngine]:
    """An engine that stops at the first failure."""
    async with WorkflowEngine("thread", workers=2, on_failure="stop") as engine:
        yield engine


def fail(why: str = "broken", *_: Any) -> None:
    raise ValueError(why)


def same(value: Any, *_: Any) -> Any:
    return value


async def waits(*_: Any) -> None:
    await asyncio.Event().wait()


# -- blocks -----------------------------------------------------------------------------------------------


async def test_the_first_failure_stops_all_inside_and_the_block_fails_with_it(engine_on: Any) -> None:
    inside: dict[str, Any] = {}
    async with engine_on() as engine:
        outside = engine.function_task(waits)()

        @engine.block(on_failure="stop")
        async def pipeline() -> None:
            inside["running"] = engine.function_task(waits)()
            inside["waiting"] = engine.submit(same, inside["running"])
            inside["behind"] = engine.submit(same, inside["running"], engine.submit(fail))
            await inside["waiting"]

        block = pipeline()
        with pytest.raises(ValueError, match="broken") as caught:
            await block
        await engine.settled(block)
        assert block.state is State.FAILED
        assert [each.state for each in inside.values()] == [State.CANCELLED] * 3
        note = "'pipeline' (#2) stops at the first failure inside of it, as on_failure='stop' has it"
        assert any(note in each for each in caught.value.__notes__)
        with pytest.raises(asyncio.CancelledError) as stopped:
            await inside["waiting"]
        assert str(stopped.value) == (
            f"'same' (#{inside['waiting'].id}) was cancelled, because 'fail' (#5) failed, ValueError: broken"
        )
        assert "was cancelled, because 'fail' (#5) failed, ValueError: broken" in inside["running"].explain()
        assert outside.state is State.RUNNING
        outside.cancel()


async def test_by_default_all_goes_on_that_does_not_depend_on_it(engine_on: Any) -> None:
    async with engine_on() as engine:

        @engine.block
        async def pipeline() -> Any:
            bad, good = engine.submit(fail), engine.submit(same, 1)
            with pytest.raises(ValueError, match="broken"):
                await bad
            return await engine.submit(same, good)

        assert await pipeline() == 1


async def test_a_body_that_handles_the_failure_is_stopped_all_the_same_and_starts_nothing_new(
    threads: WorkflowEngine,
) -> None:
    reached: list[str] = []

    @threads.block(on_failure="stop")
    async def pipeline() -> None:
        for why in ("first", "second"):
            try:
                await threads.submit(fail, why)
            except ValueError:
                reached.append("handled")
            except asyncio.CancelledError:
                reached.append("cancelled")
        reached.append("through")

    block = pipeline()
    with pytest.raises(ValueError, match="first"):
        await block
    await threads.settled(block)
    assert reached == ["cancelled", "cancelled", "through"]
    assert threads.report().counts == {"FAILED": 2}  # the block and the first


async def test_what_a_block_has_returned_stops_too(threads: WorkflowEngine) -> None:
    slow: list[Any] = []

    @threads.block(on_failure="stop")
    def pipeline() -> Any:
        slow.append(threads.function_task(waits)())
        return [slow[0], threads.submit(fail)]

    block = pipeline()
    with pytest.raises(ValueError, match="broken"):
        await block
    await threads.settled(block)
    assert (slow[0].state, block.state) == (State.CANCELLED, State.FAILED)


async def test_what_cannot_be_stopped_is_cancelling_until_it_ends_and_so_is_the_block_around(
    threads: WorkflowEngine, gate: Gate
) -> None:
    stuck: list[Any] = []

    @threads.block(on_failure="stop")
    async def pipeline() -> None:
        stuck.append(threads.submit(gate.door.pass_through))
        await gate.reached()
        await threads.submit(fail)

    block = pipeline()
    with pytest.raises(ValueError, match="broken"):
        await block
    assert (stuck[0].state, block.state) == (State.CANCELLING, State.CANCELLING)
    gate.open()
    await threads.settled(block)
    assert (stuck[0].state, block.state) == (State.CANCELLED, State.FAILED)


async def test_outside_it_can_be_cleaned_up_after_a_block_that_was_stopped(threads: WorkflowEngine) -> None:
    @threads.block(on_failure="stop")
    async def pipeline() -> None:
        await asyncio.gather(threads.submit(fail), threads.function_task(waits)())

    @threads.function_task
    async def tidy(end: Any) -> str:
        return f"tidied after {end.error}"

    assert await tidy(outcome(pipeline())) == "tidied after broken"


async def test_a_failure_that_somebody_takes_stops_nothing(threads: WorkflowEngine) -> None:
    task = threads.function_task(fail)

    @threads.block(on_failure="stop")
    async def pipeline() -> Any:
        taken = outcome(task("taken"))
        behind = outcome(threads.submit(same, task("behind")))
        first = first_success([task("one of them"), threads.submit(same, 3)])
        return (await taken).state, (await behind).state, await first

    assert await pipeline() == (State.FAILED, State.UPSTREAM_FAILED, 3)


async def test_a_failure_goes_through_an_optional_and_a_skip_stops_nothing(threads: WorkflowEngine) -> None:
    @threads.function_task
    def nothing() -> None:
        raise Skip("nothing")

    @threads.block(on_failure="stop")
    async def goes_on() -> Any:
        return await optional(nothing(), "nobody")

    @threads.block(on_failure="stop")
    async def stops() -> Any:
        slow = threads.function_task(waits)()
        return [optional(threads.submit(fail)), slow]

    assert await goes_on() == "nobody"
    with pytest.raises(ValueError, match="broken"):
        await stops()


async def test_an_attempt_that_another_follows_is_no_failure_yet(engine_on: Any, tmp_path: Path) -> None:
    async with engine_on() as engine:

        @engine.function_task(retries=1, retry_delay=0)
        def flaky(path: str, times: int) -> str:
            with open(path, "a+") as file:
                file.write("x")
                file.seek(0)
                if len(file.read()) <= times:
                    raise ValueError("flaky")
            return "there"

        @engine.block(on_failure="stop")
        async def pipeline(times: int) -> Any:
            slow = engine.function_task(waits)() if times > 1 else None
            return await flaky(str(tmp_path / str(times)), times), slow

        assert await pipeline(1) == ("there", None)
        with pytest.raises(ValueError, match="flaky"):
            await pipeline(2)


async def test_a_block_that_is_tried_again_is_stopped_and_run_anew(threads: WorkflowEngine) -> None:
    attempts: list[Any] = []

    @threads.block(on_failure="stop", retries=1, retry_delay=0)
    async def pipeline() -> Any:
        attempts.append(threads.function_task(waits)())
        if len(attempts) == 1:
            await threads.submit(fail)
        attempts[1].cancel()
        return await threads.submit(same, "anew")

    block = pipeline()
    assert await block == "anew"
    assert (attempts[0].state, block.attempts) == (State.CANCELLED, 2)


async def test_a_command_that_fails_stops_others() -> None:
    engine = await WorkflowEngine.create("thread", keep="none")

    @engine.executable_task
    def exits(code: int) -> list[str]:
        return [sys.executable, "-c", f"raise SystemExit({code})"]

    @engine.executable_task
    def sleeps() -> str:
        return "sleep 60"

    slow: list[Any] = []

    @engine.block(on_failure="stop")
    def pipeline() -> Any:
        slow.append(sleeps())
        return [slow[0], exits(3)]

    block = pipeline()
    with pytest.raises(CommandFailed, match="exit code 3"):
        await block
    await engine.settled(block)
    assert slow[0].state is State.CANCELLED
    await engine.shutdown()


async def test_detached_tasks_neither_stop_others_nor_are_stopped(
    threads: WorkflowEngine, caplog: pytest.LogCaptureFixture
) -> None:
    tails: list[Any] = []

    @threads.block(on_failure="stop")
    async def pipeline(inner: Any) -> Any:
        tails.append(threads.function_task(waits, detached=True)())
        tails.append(threads.function_task(fail, detached=True)())
        await asyncio.wait([tails[-1]])
        return await threads.submit(inner, "value")

    assert await pipeline(same) == "value"
    with pytest.raises(ValueError, match="value"):
        await pipeline(fail)
    assert (tails[0].state, tails[2].state) == (State.RUNNING, State.RUNNING)
    for each in (tails[0], tails[2]):
        each.cancel()


# -- the whole run ----------------------------------------------------------------------------------------


async def test_a_run_stops_with_all_of_it_and_takes_no_call_until_it_is_started_again(engine_on: Any) -> None:
    engine = engine_on(on_failure="stop")
    wait, task = engine.function_task(waits), engine.function_task(fail)
    async with engine:
        running, waiting = wait(), engine.submit(same, wait())
        bad = task()
        with pytest.raises(ValueError, match="broken"):
            await bad
        for each in (running, waiting):
            with pytest.raises(asyncio.CancelledError, match=r"because 'fail' \(#4\) failed, ValueError"):
                await each
            await engine.settled(each)
            assert each.state is State.CANCELLED
        with pytest.raises(RunStopped) as caught:
            wait()
        assert str(caught.value) == (
            "'waits' was called, but all has stopped, because 'fail' (#4) failed, ValueError: broken."
        )
        assert caught.value.__cause__ is bad.exception()
    async with engine:
        assert await engine.submit(same, 2) == 2


async def test_the_block_that_is_run_fails_with_the_first_failure(stopping: WorkflowEngine) -> None:
    inside: list[Any] = []

    @stopping.block
    async def inner() -> None:
        inside.append(stopping.function_task(waits)())
        await stopping.submit(fail)

    @stopping.block
    async def main() -> None:
        inside.append(stopping.function_task(waits)())
        inside.append(inner())
        await inside[0]

    block = main()
    with pytest.raises(ValueError, match="broken"):
        await block
    for each in (*inside, block):
        await stopping.settled(each)
    assert {each.state for each in inside} == {State.CANCELLED}
    assert block.state is State.FAILED


async def test_gather_raises_the_failure_and_not_the_cancels(stopping: WorkflowEngine) -> None:
    calls = [stopping.function_task(waits)(), stopping.submit(fail), stopping.function_task(waits)()]
    with pytest.raises(ValueError, match="broken"):
        await asyncio.gather(*calls)


async def test_a_run_goes_on_after_a_failure_that_somebody_takes(stopping: WorkflowEngine) -> None:
    @stopping.block
    async def risky() -> None:
        await stopping.submit(fail)

    ended = await outcome(risky())
    assert ended.state is State.FAILED
    assert await stopping.submit(same, 1) == 1


async def test_a_failure_that_a_block_passes_on_is_told_with_the_block(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with WorkflowEngine("thread") as engine:

        @engine.block(on_failure="stop")
        def pipeline() -> Any:
            return engine.submit(fail), engine.function_task(waits)()

        with pytest.raises(ValueError, match="broken"):
            await pipeline()
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []


async def test_nobody_is_told_twice_of_what_was_stopped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with WorkflowEngine("thread", on_failure="stop") as engine:
        stopped = engine.function_task(waits)()
        with pytest.raises(ValueError, match="broken"):
            await engine.submit(fail)
        assert stopped.cancelled()
    told = [each.getMessage() for each in caplog.records]
    assert "the run stops at the first failure: 'fail' (#2) failed, ValueError: broken" in told
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []


# -- what is told of it -----------------------------------------------------------------------------------


async def test_a_report_tells_which_was_first_and_what_it_stopped(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    async with WorkflowEngine("thread", on_failure="stop", journal=journal) as engine:
        slow = engine.function_task(waits)()
        bad = engine.submit(fail)
        behind = engine.submit(same, bad)
        await asyncio.wait([slow, behind])
    for report in (engine.report(), Report.from_journal(journal)):
        failure = report.first_failure
        assert failure is not None
        assert failure.task.id == bad.id
        assert [each.id for each in failure.held_up] == [behind.id]
        assert [each.id for each in failure.stopped] == [slow.id]
        assert "; held up 1 task: same (#3); stopped 1 task: waits (#1)" in " ".join(str(report).split())


async def test_a_plan_says_which_blocks_stop() -> None:
    engine = WorkflowEngine()

    @engine.block(on_failure="stop")
    async def pipeline() -> None:
        await engine.submit(same, 1)

    plan = await engine.plan(pipeline)
    assert [each.on_failure for each in plan.tasks] == ["stop", "continue"]
    assert '"on_failure": "stop"' in plan.to_json()
    with pytest.raises(ValueError, match="on_failure='halt'; it can be one of continue, stop"):
        PlannedTask(1, "fit", on_failure="halt")


def test_what_a_failure_does_is_stop_or_continue() -> None:
    with pytest.raises(ValueError, match=r"on_failure='halt': it can be 'continue' or 'stop'"):
        WorkflowEngine(on_failure="halt")  # type: ignore[arg-type]
    engine = WorkflowEngine()
    with pytest.raises(ValueError, match=r"on_failure='stopp'.* Did you mean 'stop'\?"):
        engine.block(same, on_failure="stopp")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="no option is called 'on_failure'"):
        engine.function_task(same, on_failure="stop")  # type: ignore[call-overload]


async def test_blocks_may_stop_by_default() -> None:
    async with WorkflowEngine("thread", defaults=BlockOptions(on_failure="stop")) as engine:

        @engine.block
        async def pipeline() -> None:
            await asyncio.gather(engine.submit(fail), engine.function_task(waits)())

        @engine.block(on_failure="continue")
        async def goes_on() -> Any:
            bad = engine.submit(fail)
            await asyncio.wait([bad])
            return await engine.submit(same, bad.state)

        block = pipeline()
        with pytest.raises(ValueError, match="broken"):
            await block
        await engine.settled(block)
        assert await goes_on() is State.FAILED

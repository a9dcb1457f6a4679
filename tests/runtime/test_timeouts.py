"""`timeout=`: what ran too long, how long, and where."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from asyncflow import TaskTimeout, UpstreamFailed, WorkflowEngine
from asyncflow.testing import FakeClockLoop, Gate, ManualBackend

from .kit import in_no_time, line, never_called, turns


def now() -> float:
    return asyncio.get_running_loop().time()


@in_no_time
async def test_coroutine_is_stopped_after_its_time_and_the_error_says_what_and_where() -> None:
    cleaned = []
    async with WorkflowEngine("sequential") as engine:

        @engine.function_task(timeout=30)
        async def slow() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                cleaned.append(now())

        begun = now()
        future, called = slow(), line()
        with pytest.raises(TaskTimeout) as caught:
            await future
        assert now() - begun == pytest.approx(30, abs=0.1)
        error = caught.value
        assert str(error) == "'slow' (#1) ran longer than 30 s on the event loop; it was told to stop."
        assert isinstance(error, TimeoutError)
        assert (error.task_id, error.name, error.timeout, error.where) == (1, "slow", 30, "the event loop")
        assert error.stoppable
        assert f"called at {__file__}:{called}," in error.__notes__[0]
        await engine.settled(future)
        assert len(cleaned) == 1
        assert future.state == "FAILED"


@in_no_time
async def test_coroutine_that_cleans_up_slowly_is_cancelling_until_it_has_stopped() -> None:
    may_end = asyncio.Event()
    async with WorkflowEngine("sequential") as engine:

        @engine.function_task(timeout=1)
        async def slow() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await may_end.wait()

        future = slow()
        with pytest.raises(TaskTimeout):
            await future
        assert future.state == "CANCELLING"
        may_end.set()
        await engine.settled(future)
        assert future.state == "FAILED"


@in_no_time
async def test_thread_cannot_be_stopped_so_it_is_cancelling_and_warned_of_once(caplog: Any) -> None:
    hands = ManualBackend(on_cancel="take back")
    async with WorkflowEngine(hands) as engine:
        future = engine.function_task(never_called, name="stuck", timeout=5)()
        await hands.received("stuck")
        hands.begin("stuck")
        with pytest.raises(TaskTimeout) as caught:
            await future
        assert str(caught.value) == (
            "'stuck' (#1) ran longer than 5 s on backend 'manual'; it cannot be stopped there and keeps its slot."
        )
        assert not caught.value.stoppable
        await turns()
        assert future.state == "CANCELLING"
        (record,) = caplog.records
        assert (record.name, record.levelno) == ("asyncflow", logging.WARNING)
        assert "'stuck' (#1) ran longer than 5 s" in record.getMessage()
        hands.succeed("stuck", "too late")
        await engine.settled(future)
        assert future.state == "FAILED"
    assert len(caplog.records) == 1


async def test_real_thread_keeps_its_slot_until_it_ends(gate: Gate, caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine("thread", workers=1) as engine:
        future = engine.function_task(gate.door.pass_through, name="stuck", timeout=0.01)()
        after = engine.submit(int)
        with pytest.raises(TaskTimeout):
            await future
        assert future.state == "CANCELLING"
        assert after.state == "SUBMITTED"
        gate.open()
        assert await after == 0
        await engine.settled(future)
        assert future.state == "FAILED"
    assert len(caplog.records) == 1


@in_no_time
async def test_backend_that_can_kill_is_asked_to() -> None:
    hands = ManualBackend(on_cancel="stop")
    async with WorkflowEngine(hands) as engine:
        future = engine.function_task(never_called, timeout=5)()
        await hands.received(1)
        hands.begin(1)
        with pytest.raises(TaskTimeout, match="it was told to stop") as caught:
            await future
        assert caught.value.stoppable
        await engine.settled(future)
        assert hands.cancels == [1]
        assert future.state == "FAILED"


@in_no_time
async def test_block_that_takes_too_long_is_stopped_with_all_that_is_inside() -> None:
    hands = ManualBackend()
    inside = []
    async with WorkflowEngine(hands) as engine:

        @engine.block(timeout=60)
        async def pipeline() -> Any:
            inside.append(engine.submit(never_called))
            inside.append(engine.function_task(asyncio.Event().wait)())
            return await asyncio.gather(*inside)

        future = pipeline()
        with pytest.raises(TaskTimeout, match=r"'pipeline' \(#1\) ran longer than 60 s on the event loop"):
            await future
        await engine.settled(future)
        assert future.state == "FAILED"
        assert [each.state for each in inside] == ["CANCELLED", "CANCELLED"]


@pytest.mark.parametrize("is_async", [False, True])
@in_no_time
async def test_time_that_a_block_waits_for_what_it_returned_counts(is_async: bool) -> None:
    hands = ManualBackend()
    inside = []
    async with WorkflowEngine(hands) as engine:

        def wire() -> Any:
            inside.append(engine.submit(never_called))
            return inside

        async def awire() -> Any:
            return wire()

        future = engine.block(timeout=60)(awire if is_async else wire)()
        with pytest.raises(TaskTimeout):
            await future
        await engine.settled(future)
        assert future.state == "FAILED"
        assert inside[0].state == "CANCELLED"


@in_no_time
async def test_timeout_may_be_a_timedelta_and_may_be_given_by_with_options() -> None:
    async with WorkflowEngine("sequential") as engine:
        forever = engine.function_task(asyncio.Event().wait)
        for task in (
            engine.function_task(timeout=timedelta(minutes=2))(asyncio.Event().wait),
            forever.with_options(timeout=120),
            forever.with_options(timeout=timedelta(minutes=2)),
        ):
            begun = now()
            with pytest.raises(TaskTimeout, match="longer than 120 s"):
                await task()
            assert now() - begun == pytest.approx(120, abs=0.1)


@in_no_time
async def test_time_in_the_queue_does_not_count() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:
        future = engine.function_task(lambda: None, timeout=5)()
        await hands.received(1)
        await asyncio.sleep(3600)  # on a clock that jumps
        assert future.state == "SUBMITTED"
        begun = now()
        hands.begin(1)
        with pytest.raises(TaskTimeout):
            await future
        assert now() - begun == pytest.approx(5, abs=0.1)
        hands.succeed(1)


@in_no_time
async def test_time_spent_waiting_for_inputs_does_not_count() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:

        @engine.function_task(timeout=5)
        async def quick(value: Any) -> Any:
            return value

        future = quick(engine.submit(never_called))
        await hands.received(1)
        await asyncio.sleep(3600)
        hands.succeed(1, "in time")
        assert await future == "in time"


@in_no_time
async def test_time_held_by_max_coroutines_does_not_count() -> None:
    async with WorkflowEngine("sequential", max_coroutines=1) as engine:
        hour = engine.function_task(asyncio.sleep)

        @engine.function_task(timeout=5)
        async def quick() -> str:
            return "in time"

        hour(3600)
        assert await quick() == "in time"


@in_no_time
async def test_backend_that_does_not_tell_of_starts_is_timed_from_the_submit() -> None:
    hands = ManualBackend(reports_starts=False)
    async with WorkflowEngine(hands) as engine:
        future = engine.function_task(never_called, timeout=5)()
        await hands.received(1)
        begun = now()
        with pytest.raises(TaskTimeout):
            await future
        assert now() - begun == pytest.approx(5, abs=0.1)


@in_no_time
async def test_what_ends_in_time_leaves_no_timer_behind() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:
        good, bad, gone, back = engine.function_task(lambda _: None, timeout=5).map("abcd")
        block = engine.block(timeout=5)(lambda: good)()
        await hands.received(4)
        for number in (1, 2, 3):
            hands.begin(number)
        hands.succeed(1, "value")
        hands.fail(2, ValueError())
        hands.on_cancel = "stop"
        gone.cancel()
        back.cancel()
        assert await good == await block == "value"
        with pytest.raises(ValueError):
            await bad
        await engine.settled(gone)
        assert engine._run is not None
        assert engine._run.timeouts.armed == {}
        await asyncio.sleep(60)
        assert (good.state, bad.state, gone.state) == ("SUCCEEDED", "FAILED", "CANCELLED")


@in_no_time
async def test_end_that_was_reported_in_time_wins_over_the_timer() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:
        future = engine.function_task(lambda: None, timeout=5)()
        await hands.received(1)
        hands.begin(1)
        assert future.state == "RUNNING"
        loop = asyncio.get_running_loop()
        assert isinstance(loop, FakeClockLoop)
        loop.call_later(4.9, hands.succeed, 1, "just in time")
        loop.advance(5)  # so that the loop finds both due in the same turn, and the report not handled yet
        assert await future == "just in time"


@in_no_time
async def test_dependents_of_what_timed_out_do_not_run() -> None:
    async with WorkflowEngine("sequential") as engine:
        slow = engine.function_task(asyncio.Event().wait, name="slow", timeout=1)()
        after = engine.submit(never_called, slow)
        with pytest.raises(UpstreamFailed, match=r"'slow' .* failed, TaskTimeout: 'slow'") as caught:
            await after
        assert isinstance(caught.value.__cause__, TaskTimeout)


@in_no_time
async def test_task_cancelled_after_it_timed_out_stays_failed() -> None:
    hands = ManualBackend(on_cancel="refuse")
    async with WorkflowEngine(hands) as engine:
        future = engine.function_task(never_called, timeout=1)()
        await hands.received(1)
        hands.begin(1)
        with pytest.raises(TaskTimeout):
            await future
        assert future.cancel() is False
        hands.succeed(1)
        await engine.settled(future)
        assert future.state == "FAILED"


@in_no_time
async def test_timeout_of_a_task_inside_fails_the_block_unless_it_handles_it() -> None:
    async with WorkflowEngine("sequential") as engine:
        slow = engine.function_task(asyncio.Event().wait, timeout=1)

        @engine.block
        async def careless() -> None:
            await slow()

        @engine.block
        async def careful() -> str:
            try:
                await slow()
            except TimeoutError:
                return "did without"
            return "no timeout"

        with pytest.raises(TaskTimeout):
            await careless()
        assert await careful() == "did without"


@pytest.mark.parametrize("raises", [False, True])
async def test_a_sequential_task_past_its_time_is_failed_when_it_ends(raises: bool) -> None:
    async with WorkflowEngine("sequential") as engine:
        loop = asyncio.get_running_loop()

        def busy() -> None:
            until = loop.time() + 0.05
            while loop.time() < until:
                pass
            assert not raises

        late = engine.function_task(busy, timeout=0.001)()
        on_time = engine.function_task(lambda: 0, timeout=60)()
        with pytest.raises(
            TaskTimeout, match=r"'busy' \(#1\) ran longer than 0.001 s on backend 'sequential'"
        ):
            await late
        await engine.settled(late)
        assert late.state == "FAILED"
        assert await on_time == 0


@pytest.mark.parametrize("raises", [False, True])
@pytest.mark.parametrize("waits", ["never", "before", "after"])
@pytest.mark.parametrize("kind", ["function_task", "block", "def block"])
async def test_a_body_that_holds_up_the_loop_past_its_time_is_failed_when_it_ends(
    engine: WorkflowEngine, kind: str, waits: str, raises: bool
) -> None:
    loop = asyncio.get_running_loop()

    def hold_up() -> None:
        until = loop.time() + 0.05
        while loop.time() < until:
            pass

    async def body() -> int:
        if waits == "before":
            await asyncio.sleep(0)
        hold_up()
        if waits == "after":
            await asyncio.sleep(0)
        assert not raises
        return 1

    def plain() -> int:
        hold_up()
        assert not raises
        return 1

    fn: Any = plain if kind == "def block" else body
    decorate: Any = engine.function_task if kind == "function_task" else engine.block
    late = decorate(fn, timeout=0.001)()
    dependent = engine.function_task(abs)(late)
    on_time = decorate(fn, timeout=60)()
    with pytest.raises(TaskTimeout, match=r"\(#1\) ran longer than 0.001 s on the event loop"):
        await late
    await engine.settled(late)
    assert late.state == "FAILED"
    await asyncio.wait([dependent, on_time])
    assert dependent.state == "UPSTREAM_FAILED"
    assert raises == (on_time.exception() is not None)


async def test_a_block_that_returned_too_late_does_not_wait_for_what_it_returned(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    loop = asyncio.get_running_loop()

    @engine.function_task
    def inside() -> int:
        return 1

    @engine.block(timeout=0.001)
    def late() -> Any:
        future = inside()
        until = loop.time() + 0.05
        while loop.time() < until:
            pass
        return future

    with pytest.raises(TaskTimeout):
        await late()

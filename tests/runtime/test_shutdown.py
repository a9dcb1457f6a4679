"""The end of a run: nothing pending, nothing left, bounded in time, whatever was going on."""

from __future__ import annotations

import asyncio
import gc
import textwrap
import threading
import weakref
from typing import Any

import pytest

from asyncflow import EngineClosed, TaskFuture, WorkflowEngine
from asyncflow.testing import Gate, ManualBackend, no_leaks

from .kit import in_no_time, never_called, script, turns


def alone() -> bool:
    """Whether no other asyncio task is left on this loop."""
    return asyncio.all_tasks() == {asyncio.current_task()}


# -- idempotent -------------------------------------------------------------------------------------------


async def test_shutdown_of_what_never_started_does_nothing(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    await engine.shutdown()
    await engine.shutdown(wait=False)
    assert (hands.starts, hands.shutdowns) == (0, 0)


async def test_shutdown_again_does_nothing(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    async with engine:
        await engine.shutdown()
        await engine.shutdown(wait=False)
    await engine.shutdown()
    assert hands.shutdowns == 1


@pytest.mark.parametrize("waits", [(True, True), (False, False), (True, False), (False, True)])
async def test_shutdown_twice_at_once_ends_both_calls_when_all_is_over(
    hands: ManualBackend, waits: tuple[bool, bool]
) -> None:
    engine = WorkflowEngine(hands)
    await engine.start()
    future = engine.submit(int)
    await hands.received(1)
    shutdowns = [asyncio.create_task(engine.shutdown(wait=wait)) for wait in waits]
    await turns()
    if all(waits):
        assert not any(each.done() for each in shutdowns)
        hands.run(1)
    await asyncio.gather(*shutdowns)
    assert hands.shutdowns == 1
    assert future.done()
    assert future.cancelled() is not all(waits)


async def test_impatient_shutdown_hurries_a_patient_one(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    future = engine.submit(never_called)
    patient = asyncio.create_task(engine.shutdown())
    await hands.received(1)
    assert not patient.done()
    await engine.shutdown(wait=False)
    await patient
    assert future.cancelled()


async def test_shutdown_goes_on_though_its_caller_was_cancelled(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    future = engine.submit(int)
    caller = asyncio.create_task(engine.shutdown())
    await hands.received(1)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert hands.shutdowns == 0
    hands.run(1)
    await engine.shutdown()
    assert await future == 0
    assert hands.shutdowns == 1


async def test_shutdown_can_be_repeated_after_everything_on_the_loop_was_cancelled(
    hands: ManualBackend,
) -> None:
    engine = WorkflowEngine(hands)
    future = engine.submit(never_called)
    caller = asyncio.create_task(engine.shutdown())
    await hands.received(1)
    await turns()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await engine.shutdown()
    assert future.cancelled()
    assert hands.waiting == []


@pytest.mark.parametrize("kind", ["function_task", "block"])
async def test_shutdown_inside_a_body_is_an_error_and_no_deadlock(engine: WorkflowEngine, kind: str) -> None:
    async def body(after: int) -> None:
        await turns(after)
        await engine.shutdown()

    for after in (0, 3):
        with pytest.raises(RuntimeError, match="would wait for itself"):
            await getattr(engine, kind)(body)(after)


async def test_shutdown_in_an_asyncio_task_that_a_block_waits_for_is_an_error_and_no_deadlock(
    engine: WorkflowEngine,
) -> None:
    @engine.block
    async def block() -> None:
        await asyncio.create_task(engine.shutdown())

    with pytest.raises(RuntimeError, match="would wait for itself"):
        await block()


async def test_shutdown_outside_is_none_of_the_bodies_business(engine: WorkflowEngine) -> None:
    # bodies that have begun and wait must not make the code outside look like theirs
    futures = [engine.submit(asyncio.Event().wait) for _ in range(3)]
    await turns()
    await engine.shutdown(wait=False)
    assert all(future.cancelled() for future in futures)


# -- patient ----------------------------------------------------------------------------------------------


async def test_shutdown_finishes_what_was_called_and_what_that_calls() -> None:
    over: list[str] = []
    with no_leaks():
        async with WorkflowEngine("thread", workers=2) as engine:
            step = engine.function_task(lambda name, *_: over.append(name))

            @engine.function_task
            async def slow(name: str) -> None:
                await turns(20)
                over.append(name)

            @engine.block
            async def pipeline() -> None:
                await step("one")
                await slow("two")
                step("three", step("two and a half"))

            pipeline()
        assert over == ["one", "two", "two and a half", "three"]
        assert alone()


async def test_leaving_async_with_by_an_exception_cancels_and_passes_it_on() -> None:
    with no_leaks():
        with pytest.raises(ValueError, match="mine"):
            async with WorkflowEngine("thread", workers=1) as engine:
                futures = [
                    engine.submit(asyncio.Event().wait),
                    engine.submit(never_called, engine.submit(turns)),
                ]
                raise ValueError("mine")
        assert all(future.cancelled() for future in futures)
        assert alone()


# -- at once ----------------------------------------------------------------------------------------------


async def test_impatient_shutdown_leaves_no_future_pending_in_any_state(gate: Gate) -> None:
    with no_leaks():
        engine = WorkflowEngine("thread", workers=1, max_coroutines=1)
        futures: dict[str, TaskFuture[Any]] = {}
        futures["running"] = engine.submit(gate.door.pass_through)
        futures["in the queue"] = engine.submit(never_called)
        futures["pending"] = engine.submit(never_called, futures["running"])
        futures["coroutine"] = engine.submit(asyncio.Event().wait)
        futures["held"] = engine.submit(asyncio.Event().wait)
        inside: list[TaskFuture[Any]] = []

        @engine.block
        async def block() -> Any:
            inside.append(engine.submit(never_called))
            return await inside[0]

        @engine.block
        def returned() -> Any:
            inside.append(engine.submit(never_called))
            return inside[-1]

        futures["block"], futures["block that returned"] = block(), returned()
        futures["foreign"] = engine.submit(never_called, asyncio.get_running_loop().create_future())
        await gate.reached()
        await turns()
        futures["just called"] = engine.submit(never_called)
        shutting = asyncio.create_task(engine.shutdown(wait=False))
        await turns()
        gate.open()
        await shutting
        assert {name for name, future in futures.items() if not future.cancelled()} == set()
        assert {future.state for future in [*futures.values(), *inside]} == {"CANCELLED"}
        assert alone()


async def test_coroutines_get_to_clean_up_before_shutdown_returns() -> None:
    steps: list[str] = []
    engine = WorkflowEngine("sequential")

    @engine.function_task
    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await turns(20)
            steps.append("cleaned up")

    body()
    await turns()
    await engine.shutdown(wait=False)
    assert steps == ["cleaned up"]
    assert alone()


async def test_call_made_while_cleaning_up_after_shutdown_is_engine_closed() -> None:
    caught: list[BaseException] = []
    engine = WorkflowEngine("sequential")

    @engine.function_task
    async def body() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                engine.submit(never_called)
            except EngineClosed as error:
                caught.append(error)

    body()
    await turns()
    await engine.shutdown(wait=False)
    assert len(caught) == 1


# -- bounded ----------------------------------------------------------------------------------------------


@in_no_time
async def test_coroutine_that_ignores_its_cancel_is_left_behind_after_the_grace_and_named(
    caplog: Any,
) -> None:
    release = asyncio.Event()
    engine = WorkflowEngine("sequential", grace=60)

    @engine.function_task
    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue

    future, after = stubborn(), None
    after = engine.submit(never_called, future)
    await turns()
    began = asyncio.get_running_loop().time()
    await engine.shutdown(wait=False)
    assert asyncio.get_running_loop().time() - began == pytest.approx(60, abs=1)
    assert "stubborn#1 ignores that it was cancelled; left behind after 60 s" in caplog.text
    assert future.cancelled()
    assert after.cancelled()
    assert future.state == "CANCELLING"  # it does still run, and a state never lies
    release.set()
    await turns()


async def test_thread_that_does_not_end_is_left_behind_after_the_grace_and_named(caplog: Any) -> None:
    with Gate() as gate:
        engine = WorkflowEngine("thread", workers=1, grace=0.05)
        stuck = engine.function_task(gate.door.pass_through, name="stuck")()
        queued = engine.submit(never_called)
        await gate.reached()
        await engine.shutdown(wait=False)
        assert "'stuck' (#1) still runs on backend 'thread'; left behind after 0.05 s" in caplog.text
        assert stuck.cancelled()
        assert queued.cancelled()
        assert stuck.state == "CANCELLING"
        assert queued.state == "CANCELLED"
        await engine.settled(stuck)  # the engine cannot know any more; it does not hang
        # and a new start is not troubled by the old thread, nor by its report
        async with engine:
            again = engine.submit(lambda: "fresh")
            gate.open()
            assert await again == "fresh"


async def test_executor_task_that_does_not_end_is_left_behind_and_complains_of_nothing_later(
    caplog: Any,
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, Gate() as gate:

        async def elsewhere() -> None:
            engine = WorkflowEngine(pool, grace=0.05)
            stuck = engine.function_task(gate.door.pass_through, name="stuck")()
            await gate.reached()
            await engine.shutdown(wait=False)
            assert stuck.cancelled()

        # on a loop of its own, which is closed by the time the stuck one ends
        thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
        thread.start()
        thread.join()
        assert "'stuck' (#1) still runs" in caplog.text
        caplog.clear()
        gate.open()
    assert caplog.records == []


async def test_those_who_wait_for_settled_are_let_go_at_shutdown(hands: ManualBackend) -> None:
    hands.on_cancel = "refuse"
    engine = WorkflowEngine(hands, grace=0)
    future = engine.submit(never_called)
    await hands.received(1)
    hands.begin(1)
    waiting = asyncio.create_task(engine.settled(future))
    await turns()
    assert not waiting.done()
    await engine.shutdown(wait=False)
    await waiting
    assert future.state == "CANCELLING"


async def test_backend_that_fails_to_shut_down_is_logged_and_the_others_are_shut_down(caplog: Any) -> None:
    class Broken(ManualBackend):
        async def shutdown(self, *, grace: float) -> list[int]:
            raise OSError("stuck fast")

    broken, good = Broken(), ManualBackend()
    engine = WorkflowEngine(backends={"broken": broken, "good": good})
    future = engine.submit(never_called)
    await broken.received(1)
    broken.begin(1)
    await engine.shutdown(wait=False)
    assert "backend 'broken' did not shut down cleanly" in caplog.text
    assert "stuck fast" in caplog.text
    assert good.shutdowns == 1
    assert future.cancelled()


async def test_reports_after_a_shutdown_change_nothing() -> None:
    class Late(ManualBackend):
        async def shutdown(self, *, grace: float) -> list[int]:
            return list(self._running)

    hands = Late()
    engine = WorkflowEngine(hands)
    future = engine.submit(never_called)
    await hands.received(1)
    hands.begin(1)
    await engine.shutdown(wait=False)
    hands.succeed(1, "late")
    await turns()
    assert future.cancelled()


async def test_skipping_the_backends_leaves_them_running_for_their_owner(hands: ManualBackend) -> None:
    engine = WorkflowEngine(hands)
    future = engine.submit(int)
    await hands.received(1)
    hands.run(1)
    await future
    await engine._shut_down(True, skip_backends=True)
    assert hands.shutdowns == 0
    assert await hands.shutdown(grace=0) == []


# -- collected, or alive at the end -----------------------------------------------------------------------


async def test_engine_that_nobody_holds_finishes_what_was_called_and_gives_all_back() -> None:
    with no_leaks():
        engine: WorkflowEngine | None = WorkflowEngine("thread", workers=2)
        gone = weakref.ref(engine)
        assert engine is not None
        first = engine.submit(lambda: 20)
        second = engine.submit(lambda value: value + 1, first)
        await first  # so that its threads run
        third = engine.submit(lambda value: value + 1, second)
        del engine
        gc.collect()
        assert gone() is None
        assert await third == 22
        while not alone():
            await turns(1)


async def test_idle_engine_that_nobody_holds_gives_its_threads_back() -> None:
    with no_leaks():
        engine: WorkflowEngine | None = await WorkflowEngine.create("thread", workers=2)
        assert engine is not None
        assert await engine.submit(int) == 0
        del engine
        gc.collect()


SCRIPT = """
import asyncio, gc, threading, time, weakref
from asyncflow import WorkflowEngine

keep = []

async def main(engine):
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def forever():
        loop.call_soon_threadsafe(begun.set)
        threading.Event().wait()

{body}

engines = [WorkflowEngine("thread", workers=2, grace=0.01)]
asyncio.run(main(engines.pop() if {collected} else engines[0]))
print("end of script")
"""

ENDINGS = {
    "never started": """
        pass
    """,
    "idle": """
        await engine.start()
    """,
    "idle after work": """
        assert await engine.submit(int) == 0
    """,
    "running a thread task": """
        keep.append(engine.submit(forever))
        await begun.wait()
    """,
    "running a thread task after its shutdown": """
        keep.append(engine.submit(forever))
        await begun.wait()
        await engine.shutdown(wait=False)
    """,
    "a thousand queued tasks": """
        keep.extend(engine.function_task(time.sleep).map([60] * 1000))
        await engine.start()
    """,
    "a waiting coroutine": """
        keep.append(engine.submit(begun.wait))
        await asyncio.sleep(0)
    """,
    "a waiting block": """
        @engine.block
        async def block():
            await engine.submit(begun.wait)
        keep.append(block())
        await asyncio.sleep(0)
    """,
    "calls that were never flushed": """
        keep.append(engine.submit(int))
    """,
    "collected while running": """
        keep.append(engine.submit(forever))
        await begun.wait()
        gone = weakref.ref(engine)
        engine = None
        gc.collect()
        assert gone() is None
    """,
    "left by SystemExit": """
        keep.append(engine.submit(forever))
        await begun.wait()
        raise SystemExit(0)
    """,
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_interpreter_exits_at_once_and_in_silence_with_an_engine_in_any_state(ending: str) -> None:
    body = textwrap.indent(textwrap.dedent(ENDINGS[ending]), "    ")
    done = script(SCRIPT.format(body=body, collected=ending.startswith("collected")))
    assert done.returncode == 0, done.stderr
    assert done.stdout == ("" if "SystemExit" in ending else "end of script\n")
    assert [each for each in done.stderr.splitlines() if "left behind after" not in each] == []


@pytest.mark.parametrize("backend", ["sequential", "thread", "process"])
async def test_of_several_who_have_entered_the_last_one_out_shuts_down(backend: str) -> None:
    engine = WorkflowEngine(backend, workers=1)
    here, leave = asyncio.Barrier(3), asyncio.Event()

    async def request(number: int) -> int:
        async with engine:
            await here.wait()
            if number == 0:
                raise ValueError("a bad request")
            await leave.wait()
            return await engine.submit(abs, -number)

    bad, *good = [asyncio.create_task(request(number)) for number in range(3)]
    with pytest.raises(ValueError, match="a bad request"):
        await bad
    leave.set()
    assert await asyncio.gather(*good) == [1, 2]
    with pytest.raises(EngineClosed):
        engine.submit(abs, 1)


async def test_an_engine_may_be_entered_inside_of_itself() -> None:
    engine = WorkflowEngine("sequential")

    @engine.block
    async def inner() -> int:
        async with engine:
            return await engine.submit(abs, -1)

    async with engine:
        async with engine:
            assert await engine.submit(abs, -1) == 1
        assert await inner() == 1
        assert await engine.submit(abs, -2) == 2
        await engine.shutdown()
        await engine.start()
        assert await engine.submit(abs, -3) == 3
    with pytest.raises(EngineClosed):
        engine.submit(abs, 1)


def test_an_engine_whose_loop_was_closed_inside_of_it_is_entered_anew() -> None:
    engine = WorkflowEngine("sequential")
    loop = asyncio.new_event_loop()
    loop.run_until_complete(engine.__aenter__())
    loop.close()

    async def main() -> None:
        async with engine:
            assert await engine.submit(abs, -1) == 1
        with pytest.raises(EngineClosed):
            engine.submit(abs, 1)

    asyncio.run(main())


# -- an end that takes long -------------------------------------------------------------------------------


@in_no_time
async def test_leaving_with_work_under_way_says_so_once_by_name(caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine() as engine:
        sleep = engine.function_task(asyncio.sleep, name="sleep")
        first = sleep.with_options(label="S17")(60)
        later = engine.function_task(lambda *_: None, name="later").map([first] * 20)
    assert all(each.done() for each in later)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage() == (
        "the engine is shutting down and waits for 21 tasks: 'sleep[S17]' (#1, RUNNING), 'later' (#2, PENDING), "
        "'later' (#3, PENDING), 'later' (#4, PENDING), 'later' (#5, PENDING) and 16 more\n"
        "  shutdown(wait=False) cancels them."
    )


@in_no_time
async def test_leaving_when_all_is_over_within_two_seconds_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with WorkflowEngine() as engine:
        engine.function_task(asyncio.sleep)(1.9)
    async with WorkflowEngine() as engine:
        await engine.function_task(asyncio.sleep)(60)
    async with WorkflowEngine() as engine:
        engine.function_task(asyncio.sleep)(60)
        await engine.shutdown(wait=False)
    assert caplog.records == []

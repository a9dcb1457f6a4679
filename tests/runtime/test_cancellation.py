"""Cancelling: the future at once, the work when it can, and a state that tells the truth meanwhile."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from asyncflow import Report, TaskFuture, WorkflowEngine, WrongLoop
from asyncflow.testing import Gate, ManualBackend, no_leaks

from .kit import in_no_time, never_called, turns


async def begun(hands: ManualBackend, which: int | str = 1) -> None:
    await hands.received(which)
    hands.begin(which)


# -- the future, at once ----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["PENDING", "READY", "SUBMITTED", "RUNNING"])
async def test_cancel_is_true_and_the_future_is_cancelled_at_once_in_every_state(
    engine: WorkflowEngine, hands: ManualBackend, state: str
) -> None:
    task = engine.function_task(never_called, name="task")
    future = task(task()) if state == "PENDING" else task()
    if state in ("SUBMITTED", "RUNNING"):
        await hands.received(1)
    if state == "RUNNING":
        hands.begin(1)
    assert future.state == state
    assert future.cancel() is True
    assert future.cancelled()
    assert future.cancel() is False
    with pytest.raises(asyncio.CancelledError):
        await future


async def test_cancel_of_what_is_over_is_false_and_changes_nothing(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    good, bad = engine.function_task(lambda _: None).map("ab")
    await hands.received(2)
    hands.succeed(1, "value")
    hands.fail(2, ValueError())
    await asyncio.wait([good, bad])
    assert good.cancel() is False
    assert bad.cancel() is False
    assert (good.state, bad.state) == ("SUCCEEDED", "FAILED")
    assert await good == "value"
    assert isinstance(bad.exception(), ValueError)


async def test_message_of_the_cancel_reaches_the_awaiter(engine: WorkflowEngine) -> None:
    future = engine.submit(never_called)
    future.cancel("not needed")
    with pytest.raises(asyncio.CancelledError, match="not needed"):
        await future


async def test_message_of_the_cancel_reaches_the_body(engine: WorkflowEngine) -> None:
    heard: list[Any] = []

    @engine.function_task
    async def body() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            heard.extend(error.args)
            raise

    future = body()
    await turns()
    future.cancel("not needed")
    await engine.settled(future)
    assert heard == ["not needed"]


# -- the state tells the truth ----------------------------------------------------------------------------


async def test_waiting_task_is_cancelled_without_ever_starting(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    first = engine.function_task(lambda: None, name="first")()
    second = engine.function_task(never_called, name="second")(first)
    await hands.received("first")
    second.cancel()
    assert second.state == "CANCELLED"
    hands.succeed("first", "value")
    assert await first == "value"
    await turns()
    assert hands.batches == [["first"]]
    assert hands.cancels == []


async def test_ready_task_is_cancelled_without_ever_starting(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(never_called)
    future.cancel()
    assert future.state == "CANCELLED"
    await turns()
    assert hands.batches == []


async def test_coroutine_cancelled_before_its_first_step_never_starts(engine: WorkflowEngine) -> None:
    async def body() -> None:
        never_called()

    future = engine.function_task(body)()
    future.cancel()
    await engine.settled(future)
    assert future.state == "CANCELLED"


async def test_queued_coroutine_that_another_cancels_never_starts(engine: WorkflowEngine) -> None:
    futures: list[TaskFuture[Any]] = []

    @engine.function_task
    async def first() -> None:
        futures[1].cancel()

    async def body() -> None:
        never_called()

    futures += [first(), engine.function_task(body)()]  # both go to the loop in one batch
    await futures[0]
    await engine.settled(futures[1])
    assert futures[1].state == "CANCELLED"


async def test_task_in_a_backends_queue_is_cancelling_until_the_backend_has_taken_it_back(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    hands.on_cancel = "later"
    future = engine.submit(never_called)
    await hands.received(1)
    future.cancel()
    await turns()
    assert hands.cancels == [1]
    assert future.state == "CANCELLING"
    hands.stop(1)
    await engine.settled(future)
    assert future.state == "CANCELLED"


@pytest.mark.parametrize("ending", ["returns", "raises", "stops"])
async def test_running_task_is_cancelling_until_it_has_ended_however_it_ends(
    engine: WorkflowEngine, hands: ManualBackend, ending: str
) -> None:
    hands.on_cancel = "refuse"
    future = engine.submit(never_called)
    await begun(hands)
    future.cancel()
    await turns()
    assert future.state == "CANCELLING"
    assert future.cancelled()
    match ending:
        case "returns":
            hands.succeed(1, "nobody wants this")
        case "raises":
            hands.fail(1, ValueError("nobody wants this either"))
        case _:
            hands.stop(1)
    await engine.settled(future)
    assert future.state == "CANCELLED"
    assert future.cancelled()


async def test_start_that_crosses_a_cancel_on_its_way_changes_nothing(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    hands.on_cancel = "refuse"
    future = engine.submit(never_called)
    await hands.received(1)
    future.cancel()
    await turns()
    hands.begin(1)
    assert future.state == "CANCELLING"
    hands.succeed(1)
    await engine.settled(future)
    assert future.state == "CANCELLED"


async def test_work_that_comes_back_after_a_cancel_is_not_submitted_again(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    hands.on_cancel = "later"
    future = engine.submit(never_called)
    await hands.received(1)
    future.cancel()
    hands.give_back(1)
    await engine.settled(future)
    assert future.state == "CANCELLED"
    await turns()
    assert hands.waiting == []


async def test_explain_says_that_the_work_has_not_stopped_yet(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    hands.on_cancel = "refuse"
    future = engine.function_task(never_called, name="stubborn")()
    await begun(hands)
    future.cancel()
    assert (
        "'stubborn' (#1) was cancelled; its work on backend 'manual' has not stopped yet" in future.explain()
    )
    hands.succeed(1)
    await engine.settled(future)
    assert "'stubborn' (#1) was cancelled" in future.explain()
    assert "has not stopped" not in future.explain()


async def test_settled_returns_at_once_for_what_is_over(engine: WorkflowEngine, hands: ManualBackend) -> None:
    future = engine.submit(int)
    await hands.received(1)
    hands.run(1)
    await future
    await engine.settled(future)


async def test_settled_waits_for_the_end_of_what_was_not_cancelled_and_does_not_raise(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(never_called)
    waiters = [asyncio.create_task(engine.settled(future)) for _ in range(3)]
    await begun(hands)
    assert not any(waiter.done() for waiter in waiters)
    hands.fail(1, ValueError())
    await asyncio.gather(*waiters)
    assert isinstance(future.exception(), ValueError)


async def test_cancelling_one_who_waits_for_settled_leaves_the_others_waiting(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(never_called)
    one, other = [asyncio.create_task(engine.settled(future)) for _ in range(2)]
    await begun(hands)
    one.cancel()
    with pytest.raises(asyncio.CancelledError):
        await one
    assert not other.done()
    hands.succeed(1)
    await other


# -- coroutines -------------------------------------------------------------------------------------------


async def test_coroutine_gets_its_cancelled_error_and_may_clean_up(engine: WorkflowEngine) -> None:
    steps: list[str] = []
    may_end = asyncio.Event()

    @engine.function_task
    async def body() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            steps.append("cancelled")
            await may_end.wait()
            steps.append("cleaned up")
            raise

    future = body()
    await turns()
    future.cancel()
    await turns()
    assert steps == ["cancelled"]
    assert future.cancelled()
    assert future.state == "CANCELLING"
    may_end.set()
    await engine.settled(future)
    assert steps == ["cancelled", "cleaned up"]
    assert future.state == "CANCELLED"


@pytest.mark.parametrize("ending", ["returns", "raises"])
async def test_coroutine_that_answers_a_cancel_otherwise_is_cancelled_all_the_same(
    engine: WorkflowEngine, ending: str
) -> None:
    @engine.function_task
    async def body() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if ending == "raises":
                raise ValueError("instead") from None
        return "instead"

    future = body()
    await turns()
    future.cancel()
    await engine.settled(future)
    assert future.state == "CANCELLED"
    with pytest.raises(asyncio.CancelledError):
        await future


async def test_coroutine_that_cancels_its_own_future_before_its_first_await_stops_there(
    engine: WorkflowEngine,
) -> None:
    futures: list[TaskFuture[Any]] = []
    went_on = []

    @engine.function_task
    async def quick() -> None: ...

    @engine.function_task
    async def suicidal() -> None:
        futures[0].cancel()
        await asyncio.Event().wait()
        went_on.append(True)

    # quick ones before it, whose ends are reported in the same breath
    quicks = [quick() for _ in range(3)]
    futures.append(suicidal())
    await asyncio.gather(*quicks)
    await engine.settled(futures[0])
    assert futures[0].state == "CANCELLED"
    assert went_on == []


async def test_coroutine_that_cancels_its_own_asyncio_task_is_cancelled(engine: WorkflowEngine) -> None:
    @engine.function_task
    async def body() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await turns(1)

    other = engine.function_task(turns)()
    future = body()
    with pytest.raises(asyncio.CancelledError):
        await future
    assert future.state == "CANCELLED"
    assert await other is None


async def test_cancelling_one_coroutine_leaves_those_that_began_with_it_alone(engine: WorkflowEngine) -> None:
    go_on = asyncio.Event()

    @engine.function_task
    async def body(number: int) -> int:
        await go_on.wait()
        return number

    futures = body.map(range(10))
    await turns()
    for future in futures[::2]:
        future.cancel()
    go_on.set()
    assert await asyncio.gather(*futures[1::2]) == [1, 3, 5, 7, 9]
    for future in futures[::2]:
        await engine.settled(future)
        assert future.state == "CANCELLED"


# -- threads ----------------------------------------------------------------------------------------------


async def test_thread_cannot_be_stopped_so_its_result_is_dropped_and_its_slot_comes_back(gate: Gate) -> None:
    ran: list[str] = []
    async with WorkflowEngine("thread", workers=1) as engine:

        def hold() -> str:
            gate.door.pass_through()
            ran.append("held")
            return "dropped"

        held, after = engine.submit(hold), engine.submit(ran.append, "after")
        await gate.reached()
        held.cancel()
        assert held.cancelled()
        await turns()
        assert held.state == "CANCELLING"
        assert after.state == "SUBMITTED"  # the one thread is still taken
        gate.open()
        await after
        await engine.settled(held)
        assert held.state == "CANCELLED"
        assert ran == ["held", "after"]


async def test_thread_task_that_has_not_begun_never_runs(gate: Gate) -> None:
    async with WorkflowEngine("thread", workers=1) as engine:
        held = engine.submit(gate.door.pass_through)
        queued = engine.submit(never_called)
        await gate.reached()
        assert queued.state == "SUBMITTED"
        queued.cancel()
        await engine.settled(queued)
        assert queued.state == "CANCELLED"
        assert held.state == "RUNNING"
        gate.open()
        await held


# -- dependents -------------------------------------------------------------------------------------------


async def test_dependents_of_a_cancelled_task_are_cancelled(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    hands.on_cancel = "refuse"
    task = engine.function_task(never_called, name="task")
    first = task()
    second = task(first)
    third = task([second])
    beside = task()
    await begun(hands)
    first.cancel()
    for each in (second, third):
        with pytest.raises(asyncio.CancelledError):
            await each
        assert each.state == "CANCELLED"
    assert first.state == "CANCELLING"
    hands.succeed(1)
    assert not beside.done()
    late = task(first)
    with pytest.raises(asyncio.CancelledError):
        await late


async def test_dependency_of_a_cancelled_task_goes_on(engine: WorkflowEngine, hands: ManualBackend) -> None:
    first = engine.submit(int)
    engine.submit(never_called, first).cancel()
    await hands.received(1)
    hands.run(1)
    assert await first == 0


async def test_cancelled_head_of_a_chain_of_100_000_cancels_it_all(engine: WorkflowEngine) -> None:
    task = engine.function_task(lambda value: value)
    head = last = task(0)
    middle = None
    for number in range(100_000):
        last = task(last)
        if number == 50_000:
            middle = last
    head.cancel()
    with pytest.raises(asyncio.CancelledError):
        await last
    assert middle is not None
    assert middle.cancelled()


# -- as asyncio promises ----------------------------------------------------------------------------------


@in_no_time
async def test_wait_for_cancels_the_task_and_does_not_hang() -> None:
    hands = ManualBackend(on_cancel="refuse")
    async with WorkflowEngine(hands) as engine:
        future = engine.submit(never_called)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(future, 10)
        assert future.cancelled()
        await turns()
        assert future.state == "CANCELLING"
        hands.succeed(1)


@in_no_time
async def test_timeout_block_cancels_what_is_awaited_in_it() -> None:
    hands = ManualBackend()
    async with WorkflowEngine(hands) as engine:
        future = engine.submit(never_called)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await future
        await engine.settled(future)
        assert future.state == "CANCELLED"


async def test_cancelling_a_gather_cancels_all_of_its_tasks(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    futures = engine.function_task(never_called).map("abc")
    gathered = asyncio.gather(*futures)
    await hands.received(3)
    gathered.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gathered
    for future in futures:
        await engine.settled(future)
        assert future.state == "CANCELLED"


async def test_task_group_that_fails_cancels_what_its_tasks_await(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    async def awaits(future: TaskFuture[Any]) -> Any:
        return await future

    bad, other = engine.function_task(lambda _: None).map("ab")
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(awaits(bad))
            group.create_task(awaits(other))
            await hands.received(2)
            hands.fail(1, ValueError("bad"))
    assert [str(error) for error in caught.value.exceptions] == ["bad"]
    assert other.cancelled()
    await engine.settled(other)
    assert other.state == "CANCELLED"


async def test_task_group_inside_a_body_works_as_anywhere(engine: WorkflowEngine) -> None:
    @engine.function_task
    async def body() -> list[int]:
        async def one(number: int) -> int:
            await turns(number)
            return number

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(5)]
        return [task.result() for task in tasks]

    @engine.function_task
    async def failing() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.Event().wait())
            group.create_task(turns(100))
            raise ValueError("inside")

    assert await body() == [0, 1, 2, 3, 4]
    with pytest.raises(ExceptionGroup) as caught:
        await failing()
    assert isinstance(caught.value.exceptions[0], ValueError)


@in_no_time
async def test_timeout_inside_a_body_works_as_anywhere() -> None:
    async with WorkflowEngine("sequential") as engine:

        @engine.function_task
        async def body() -> str:
            try:
                async with asyncio.timeout(5):
                    await asyncio.Event().wait()
            except TimeoutError:
                return "timed out and went on"
            return "no timeout"

        assert await asyncio.gather(body(), body()) == ["timed out and went on"] * 2


async def test_cancelling_the_awaiter_cancels_the_task_as_for_any_future(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(never_called)

    async def awaiter() -> None:
        await future

    waiting = asyncio.create_task(awaiter())
    await hands.received(1)
    waiting.cancel("gone")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert future.cancelled()
    await engine.settled(future)
    assert future.state == "CANCELLED"


async def test_cancel_from_another_thread_is_a_clear_error(engine: WorkflowEngine) -> None:
    future = engine.submit(never_called)
    caught: list[BaseException] = []

    def elsewhere() -> None:
        try:
            future.cancel()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert isinstance(caught[0], WrongLoop)
    assert "call_soon_threadsafe" in str(caught[0])
    assert not future.cancelled()


# -- many -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
async def test_a_thousand_random_cancels_leak_no_slot(seed: int) -> None:
    chance = random.Random(seed)
    with no_leaks():
        engine = WorkflowEngine("thread", workers=2, max_coroutines=3)
        async with engine:

            @engine.function_task
            def thread(*_: Any) -> None: ...

            @engine.function_task
            async def coroutine(*_: Any) -> None:
                await turns(chance.randrange(3))

            @engine.block
            async def block(*_: Any) -> Any:
                return [thread(), await coroutine()]

            futures: list[TaskFuture[Any]] = []
            for _ in range(1_000):
                task = chance.choice([thread, coroutine, block])
                futures.append(task(*chance.sample(futures[-5:], min(len(futures), chance.randrange(3)))))
                if not chance.randrange(4):
                    await turns(1)
                if not chance.randrange(2):
                    chance.choice(futures).cancel()
            await asyncio.wait(futures)
            for future in futures:
                await engine.settled(future)
                assert future.state in ("SUCCEEDED", "CANCELLED")
            run = engine._run
            assert run is not None
            assert not run.scheduler.live
            assert not any(lane.taken for lane in run.places.behind)
            # and every slot works
            await asyncio.gather(*[thread() for _ in range(10)], *[coroutine() for _ in range(10)])


# -- one truth --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["dependency first", "dependent first"])
async def test_a_future_is_cancelled_if_and_only_if_its_state_says_so(
    engine: WorkflowEngine, hands: ManualBackend, order: str
) -> None:
    task = engine.function_task(lambda *_: None, name="task")
    failed, slow = task(), task()
    dependent = task(failed, slow)
    await hands.received(1)
    hands.fail(1, ValueError("no"))
    await asyncio.wait([failed])
    cancelled = [
        each.cancel() for each in ([slow, dependent] if order == "dependency first" else [dependent, slow])
    ]
    hands.stop(2)
    await asyncio.wait([dependent])
    await engine.settled(dependent)
    assert dependent.cancelled() == (dependent.state == "CANCELLED") == cancelled[order == "dependency first"]
    assert engine.report().task(dependent.id).state == dependent.state
    failed.exception(), dependent.cancelled() or dependent.exception()


@pytest.mark.parametrize("backend", ["thread", "process"])
async def test_what_was_taken_back_before_it_began_was_not_attempted(backend: str) -> None:
    async with WorkflowEngine(backend, workers=1) as engine:
        futures = [engine.submit(time.sleep, 0.01) for _ in range(20)]
        chain = [engine.submit(abs, 1)]
        for _ in range(5):
            chain.append(engine.submit(abs, chain[-1]))
        await futures[0]
        for future in (*futures, *chain):
            future.cancel()
        for future in (*futures, *chain):
            await engine.settled(future)
        assert futures[-1].attempts == 0
        assert [future.attempts for future in chain] == [0] * 6
        assert all(
            "did not run" in future.explain() or "was cancelled" in future.explain() for future in chain
        )


async def test_state_report_and_journal_say_the_same_of_a_thread_that_was_left_behind(tmp_path: Path) -> None:
    with Gate() as gate:
        engine = WorkflowEngine("thread", workers=1, journal=tmp_path / "run.jsonl", grace=0.01)
        await engine.start()
        stuck = engine.submit(gate.door.pass_through)
        await gate.reached()
        after = engine.submit(never_called, stuck)
        await engine.shutdown(wait=False)
        reports = engine.report(), Report.from_journal(tmp_path / "run.jsonl")
        for future in (stuck, after):
            assert [report.task(future.id).state for report in reports] == [future.state] * 2
        assert stuck.state == "CANCELLING"
    for thread in threading.enumerate():
        if thread.name.startswith("asyncflow-"):
            thread.join()

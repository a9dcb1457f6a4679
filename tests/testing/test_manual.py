"""The backend that is driven by hand."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asyncflow import State, WorkflowEngine
from asyncflow.backend import FAILED, SUCCEEDED
from asyncflow.testing import ManualBackend, failing_tasks
from asyncflow.testing import bad_tasks as bad


@pytest.fixture
def hands() -> ManualBackend:
    return ManualBackend()


@pytest.fixture
async def engine(hands: ManualBackend) -> AsyncIterator[WorkflowEngine]:
    engine = WorkflowEngine(hands, grace=0)
    async with engine:
        yield engine
        await engine.shutdown(wait=False)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nothing_happens_until_the_test_says_so(engine: WorkflowEngine, hands: ManualBackend) -> None:
    future = engine.submit(bad.add, 1, 2)
    work = await hands.received("add")
    assert (work.id, work.args, hands.waiting, hands.running) == (future.id, (1, 2), ["add"], [])
    assert future.state is State.SUBMITTED
    hands.begin("add")
    assert (hands.waiting, hands.running) == ([], ["add"])
    await settle()
    assert [future.state] == [State.RUNNING]
    hands.succeed("add", 5)
    assert await future == 5
    assert (hands.waiting, hands.running) == ([], [])


async def test_work_may_be_over_without_having_begun(engine: WorkflowEngine, hands: ManualBackend) -> None:
    good, failing = engine.submit(bad.add, 1, 2), engine.submit(bad.same, 3)
    await hands.received("same")
    hands.succeed("add", 5)
    hands.fail("same", ValueError("said so"))
    assert await good == 5
    with pytest.raises(ValueError, match="said so"):
        await failing


async def test_work_is_named_by_id_or_by_the_oldest_of_its_name(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    futures = [engine.submit(bad.same, number) for number in range(3)]
    await hands.received(3)
    hands.begin(3)
    hands.succeed("same", "first")
    hands.succeed(3, "third")
    hands.succeed("same", "second")
    assert await asyncio.gather(*futures) == ["first", "second", "third"]


async def test_work_can_be_run_for_real(engine: WorkflowEngine, hands: ManualBackend) -> None:
    good, failing = engine.submit(bad.add, 1, 2), engine.submit(failing_tasks.fail, "plain")
    await hands.received("fail")
    hands.run("add")
    hands.run("fail")
    assert await good == 3
    with pytest.raises(ValueError, match="need 2 rows"):
        await failing


async def test_work_that_is_given_back_comes_again(engine: WorkflowEngine, hands: ManualBackend) -> None:
    future = engine.submit(bad.add, 1, 2)
    await hands.received("add")
    hands.give_back("add")
    assert hands.waiting == []
    await hands.received("add")
    assert hands.batches == [["add"], ["add"]]
    assert future.attempts == 1
    hands.succeed("add", 3)
    await future


async def test_what_is_told_together_arrives_together(engine: WorkflowEngine, hands: ManualBackend) -> None:
    one, two = engine.submit(bad.add, 1, 2), engine.submit(bad.same, 3)
    await hands.received("same")
    with hands.together():
        hands.succeed("add", 1)
        hands.succeed("same", 2)
        assert [one.state, two.state] == [State.SUBMITTED] * 2
    assert [one.state, two.state] == [State.SUCCEEDED] * 2


async def test_untrue_reports_are_dropped(engine: WorkflowEngine, hands: ManualBackend) -> None:
    future = engine.submit(bad.add, 1, 2)
    await hands.received("add")
    hands.succeed("add", 3)
    assert await future == 3
    hands.tell(FAILED, future.id, ValueError("too late"))
    hands.tell(SUCCEEDED, 12345, "for nobody")
    await settle()
    assert (future.state, future.result()) == (State.SUCCEEDED, 3)


async def test_reports_may_come_from_any_thread(engine: WorkflowEngine, hands: ManualBackend) -> None:
    futures = [engine.submit(bad.same, number) for number in range(100)]
    await hands.received(100)

    def report(numbers: range) -> None:
        for number in numbers:
            hands.tell(SUCCEEDED, number + 1, number)

    threads = [threading.Thread(target=report, args=(range(start, 100, 4),)) for start in range(4)]
    for thread in threads:
        thread.start()
    assert await asyncio.gather(*futures) == list(range(100))
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    ("on_cancel", "began", "state", "kills"),
    [
        ("take back", False, State.CANCELLED, False),
        ("take back", True, State.CANCELLING, False),
        ("stop", False, State.CANCELLED, True),
        ("stop", True, State.CANCELLED, True),
        ("later", False, State.CANCELLING, True),
        ("later", True, State.CANCELLING, True),
        ("refuse", False, State.CANCELLING, False),
        ("refuse", True, State.CANCELLING, False),
    ],
)
async def test_what_a_cancel_does_can_be_chosen(
    on_cancel: Any, began: bool, state: State, kills: bool
) -> None:
    hands = ManualBackend(on_cancel=on_cancel)
    assert hands.can_kill is kills
    async with WorkflowEngine(hands) as engine:
        future = engine.submit(bad.add, 1, 2)
        await hands.received("add")
        if began:
            hands.begin("add")
        future.cancel()
        await settle()
        assert hands.cancels == [future.id]
        assert future.state is state
        if state is State.CANCELLING:
            hands.stop("add")
        await engine.settled(future)
        assert future.state == "CANCELLED"


async def test_a_start_may_be_made_to_fail(hands: ManualBackend) -> None:
    hands.start_error = OSError("no such cluster")
    engine = WorkflowEngine(hands)
    with pytest.raises(OSError, match="no such cluster"):
        await engine.start()
    async with engine:  # only once
        assert (hands.starts, hands.shutdowns) == (1, 0)
    assert hands.shutdowns == 1


async def test_a_submit_may_be_made_to_fail(engine: WorkflowEngine, hands: ManualBackend) -> None:
    hands.submit_error = OSError("no such cluster")
    with pytest.raises(OSError, match="no such cluster"):
        await engine.submit(bad.add, 1, 2)
    future = engine.submit(bad.add, 1, 2)
    await hands.received("add")
    hands.succeed("add", 3)
    assert await future == 3


async def test_what_cannot_be_is_refused_at_once(engine: WorkflowEngine, hands: ManualBackend) -> None:
    engine.submit(bad.add, 1, 2)
    with pytest.raises(LookupError, match=r"no work 'add' here; waiting: \[\], running: \[\]"):
        hands.succeed("add")
    await hands.received("add")
    hands.begin("add")
    with pytest.raises(ValueError, match="has begun already"):
        hands.begin("add")
    with pytest.raises(ValueError, match="only what has not can be given back"):
        hands.give_back("add")
    hands.succeed("add")
    with pytest.raises(LookupError, match="no work 'add' here"):
        hands.succeed("add")


async def test_what_runs_at_a_shutdown_is_left_behind_unless_it_can_be_stopped() -> None:
    for on_cancel, left in (("take back", [2]), ("stop", [])):
        hands = ManualBackend(on_cancel=on_cancel)  # type: ignore[arg-type]
        engine = WorkflowEngine(hands, grace=0)
        await engine.start()
        engine.submit(bad.add, 1, 2)
        running = engine.submit(bad.same, 3)
        await hands.received("same")
        hands.begin("same")
        gone = await hands.shutdown(grace=0)
        assert gone == left
        await engine.shutdown(wait=False)
        assert running.done()

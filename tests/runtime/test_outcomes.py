"""What goes by how tasks end: `outcome`, `optional`, `first_success`, `n_of`."""

from __future__ import annotations

import asyncio
import gc
import logging
import pickle
import weakref
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    CircularDependency,
    Deadlock,
    EngineClosed,
    ForeignFuture,
    Outcome,
    Report,
    Skip,
    State,
    TaskSkipped,
    TooFewSucceeded,
    UpstreamFailed,
    WorkflowEngine,
    WrongLoop,
    first_success,
    n_of,
    optional,
    outcome,
)
from asyncflow.plan import Edge, Plan
from asyncflow.testing import Gate, ManualBackend


@pytest.fixture(params=["thread", "process", "sequential", "executor"])
async def anywhere(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    """An engine on each backend."""
    with ThreadPoolExecutor(2) as pool:
        backend: Any = pool if request.param == "executor" else request.param
        async with WorkflowEngine(backend) as engine:
            yield engine


def load(number: int) -> int:
    if number < 0:
        raise ValueError(f"no {number}")
    if number == 0:
        raise Skip("nothing")
    return number


async def aload(number: int) -> int:
    return load(number)


def double(number: int) -> int:
    return 2 * number


def told(*outcomes: Any) -> list[str]:
    """What arrives at a task, as text: it may have run in another process."""
    return [
        f"{each.state} {each.value} {type(each.error).__name__}" if isinstance(each, Outcome) else repr(each)
        for each in outcomes
    ]


async def waits() -> None:
    await asyncio.Event().wait()


# -- outcome ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [load, aload])
async def test_what_takes_an_outcome_runs_however_the_task_ends(anywhere: WorkflowEngine, body: Any) -> None:
    task, twice = anywhere.function_task(body), anywhere.function_task(double)
    ends = [outcome(each) for each in (task(1), task(0), task(-1), twice(task(0)), twice(task(-1)))]
    assert await anywhere.submit(told, *ends) == [
        "SUCCEEDED 1 NoneType",
        "SKIPPED None TaskSkipped",
        "FAILED None ValueError",
        "SKIPPED None TaskSkipped",
        "UPSTREAM_FAILED None UpstreamFailed",
    ]


async def test_an_outcome_has_the_very_error(threads: WorkflowEngine) -> None:
    future = threads.submit(load, -1)
    ended = await outcome(future)
    assert ended.error is future.exception()
    assert ended == Outcome(None, ended.error, State.FAILED)
    with pytest.raises(AttributeError):
        ended.value = 1  # type: ignore[misc]


async def test_an_outcome_tells_of_a_cancel_at_once_and_truthfully(
    threads: WorkflowEngine, gate: Gate
) -> None:
    stopped, running = threads.function_task(waits)(), threads.submit(gate.door.pass_through)
    await gate.reached()
    ends = [outcome(stopped), outcome(running)]
    stopped.cancel()
    running.cancel()
    one, other = await asyncio.gather(*ends)
    assert isinstance(one.error, asyncio.CancelledError)
    assert (one.value, other.value) == (None, None)
    assert other.state is State.CANCELLING  # a thread cannot be stopped


async def test_an_outcome_may_stand_wherever_a_future_may(threads: WorkflowEngine, tmp_path: Path) -> None:
    bad, none = threads.submit(load, -1), threads.submit(load, 0)
    order: list[str] = []

    @threads.function_task
    async def tidy() -> None:
        order.append("tidied")

    @threads.executable_task
    def say(*ends: Any) -> list[str]:
        return ["echo", *told(*ends)]

    @threads.block
    def returns() -> Any:
        return {"ends": (outcome(bad), optional(none, default="nobody"))}

    assert await threads.submit(sorted, [[each] for each in ["b", "a"]]) == [["a"], ["b"]]
    assert await threads.submit(lambda ends: told(*ends["all"]), {"all": [outcome(bad)]}) == [
        "FAILED None ValueError"
    ]
    await tidy.with_options(after=[outcome(bad)])()
    assert order == ["tidied"]
    assert await say(outcome(bad), optional(none)) == "FAILED None ValueError None\n"
    ended, nobody = (await returns())["ends"]
    assert (ended.state, nobody) == (State.FAILED, "nobody")


async def test_an_outcome_may_be_asked_for_when_the_task_has_ended_and_is_there_at_once(
    threads: WorkflowEngine,
) -> None:
    future = threads.submit(load, 3)
    await future
    assert outcome(future).result() == Outcome(3, None, State.SUCCEEDED)


async def test_whoever_gives_up_waiting_for_an_outcome_leaves_the_task_alone(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(load, 1)
    end = outcome(future)
    end.cancel()
    with pytest.raises(asyncio.CancelledError):
        await end
    await hands.received(1)
    hands.succeed(future.id, 1)
    assert await future == 1
    assert end.state is State.CANCELLED


async def test_a_failure_is_looked_at_when_its_outcome_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    async with WorkflowEngine("thread") as engine:
        engine.submit(told, outcome(engine.submit(load, -1)))
        await outcome(engine.submit(double, engine.submit(load, -2)))
    assert [each for each in caplog.records if each.levelno >= logging.ERROR] == []


async def test_an_outcome_of_the_block_around_it_would_wait_for_itself(threads: WorkflowEngine) -> None:
    seen: list[Any] = []

    @threads.block
    async def pipeline() -> None:
        await asyncio.sleep(0)
        outcome(seen[0])

    seen.append(pipeline())
    with pytest.raises(CircularDependency, match=r"outcome\(pipeline\).* would wait for 'pipeline' \(#1\)"):
        await seen[0]


async def test_a_task_says_that_it_waits_for_how_another_ends(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    future = engine.submit(load, 1)
    end = outcome(future)
    after = engine.submit(told, end)
    assert "waits for 1 of 1 dependencies: load (#1, " in end.explain()
    assert "waits for 1 of 1 dependencies: outcome(load) (#2, PENDING)" in after.explain()
    await hands.received(1)
    hands.succeed(future.id, 1)
    await end
    assert "has its value; it goes by others, and nothing ran for it" in end.explain()


# -- optional ---------------------------------------------------------------------------------------------


async def test_an_optional_is_the_value_or_none_or_a_default(anywhere: WorkflowEngine) -> None:
    task = anywhere.function_task(load)
    given = optional(task(4)), optional(task(0)), optional(task(0), [])
    assert await asyncio.gather(*given) == [4, None, []]
    given = optional(task(4)), optional(anywhere.submit(double, task(0))), optional(task(0), default=7)
    assert await anywhere.submit(told, *given) == ["4", "None", "7"]


async def test_a_failure_goes_through_an_optional_as_if_it_was_not_there(threads: WorkflowEngine) -> None:
    first = threads.submit(load, -1)
    own, behind = optional(first), optional(threads.submit(double, first))
    after = threads.submit(told, own)
    with pytest.raises(ValueError, match="no -1"):
        await own
    with pytest.raises(UpstreamFailed, match=r"load\(number=-1\) \(#1\) -> told \(#5\)\n"):
        await after
    with pytest.raises(UpstreamFailed, match=r"'double' \(#3\) did not run"):
        await behind
    assert own.state is State.FAILED


async def test_a_cancel_goes_through_an_optional(threads: WorkflowEngine) -> None:
    future = threads.function_task(waits)()
    own = optional(future)
    future.cancel()
    with pytest.raises(asyncio.CancelledError):
        await own


async def test_a_failure_that_went_through_an_optional_is_told_once_if_nobody_looks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with WorkflowEngine("thread") as engine:
        own = optional(engine.submit(load, -1))
        await asyncio.wait([own])
        del own
        gc.collect()
    (record,) = (each for each in caplog.records if each.levelno >= logging.ERROR)
    assert "'load' (#1): ValueError: no -1" in record.getMessage()


# -- first_success, n_of ----------------------------------------------------------------------------------


async def test_the_first_success_is_taken_and_the_others_are_cancelled(threads: WorkflowEngine) -> None:
    slow = [threads.function_task(waits)() for _ in range(2)]
    bad, good = threads.submit(load, -1), threads.submit(load, 5)
    first = first_success([slow[0], bad, good, slow[1]])
    assert await threads.submit(double, first) == 10
    for each in slow:
        await threads.settled(each)
        assert each.state is State.CANCELLED
    assert (bad.state, good.state) == (State.FAILED, State.SUCCEEDED)


async def test_of_what_cannot_be_stopped_the_state_does_not_lie(threads: WorkflowEngine, gate: Gate) -> None:
    stuck = threads.submit(gate.door.pass_through)
    await gate.reached()
    assert await first_success([stuck, threads.submit(load, 1)]) == 1
    assert stuck.cancelled()
    assert stuck.state is State.CANCELLING
    gate.open()
    await threads.settled(stuck)
    assert stuck.state is State.CANCELLED


async def test_first_success_has_the_one_that_was_first(engine: WorkflowEngine, hands: ManualBackend) -> None:
    tasks = [engine.submit(load, number) for number in (1, 2, 3)]
    first = first_success(tasks)
    await hands.received(3)
    hands.succeed(tasks[2].id, "third")
    hands.succeed(tasks[0].id, "first")  # in the same burst, and later
    assert await first == "third"


async def test_n_of_gives_the_first_values_in_the_order_of_the_futures(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    tasks = [engine.submit(load, number) for number in range(1, 5)]
    two = n_of(tasks, 2)
    await hands.received(4)
    hands.succeed(tasks[3].id, "fourth")
    hands.fail(tasks[2].id, ValueError("third"))
    hands.succeed(tasks[1].id, "second")
    assert await two == ["second", "fourth"]
    assert tasks[0].cancelled()


@pytest.mark.parametrize("many", [1, 2])
async def test_too_few_that_can_succeed_is_an_error_at_once_with_all_reasons(
    threads: WorkflowEngine, many: int
) -> None:
    task = threads.function_task(load)
    tasks = [task(-1), task(0), task(-2)]
    slow = [threads.function_task(waits)()] if many == 2 else []
    some = n_of([*slow, *tasks], many) if many == 2 else first_success(tasks)
    after = threads.submit(told, some)
    with pytest.raises(TooFewSucceeded) as caught:
        await some
    error = caught.value
    assert (error.needed, error.of) == (many, len(tasks) + len(slow))
    assert [root.task_id for root in error.root_causes] == [each.id for each in tasks]
    line = str(error).splitlines()[0]
    assert line.startswith(f"'{some.name}' (#{some.id}) needs {many} of {error.of} tasks to succeed: ")
    assert "'load' (#1) failed, ValueError: no -1" in line
    assert "'load' (#2) was skipped, nothing." in line
    assert str(pickle.loads(pickle.dumps(error))).splitlines()[0] == line
    with pytest.raises(UpstreamFailed, match=rf"{some.name} \(#{some.id}\) -> told"):
        await after
    for each in slow:
        await threads.settled(each)
        assert each.state is State.CANCELLED


async def test_if_all_were_skipped_so_is_what_wants_the_first(threads: WorkflowEngine) -> None:
    with pytest.raises(TaskSkipped):
        await first_success([threads.submit(load, 0), threads.submit(load, 0)])


async def test_whoever_gives_up_waiting_for_the_first_cancels_all(threads: WorkflowEngine) -> None:
    tasks = [threads.function_task(waits)() for _ in range(3)]
    first_success(tasks).cancel()
    for each in tasks:
        await threads.settled(each)
        assert each.state is State.CANCELLED


async def test_an_outcome_says_whether_there_was_a_first(threads: WorkflowEngine) -> None:
    end = await outcome(first_success([threads.submit(load, -1)]))
    assert end.state is State.UPSTREAM_FAILED
    assert isinstance(end.error, TooFewSucceeded)


# -- what is no use ---------------------------------------------------------------------------------------


async def test_only_futures_of_tasks_will_do(threads: WorkflowEngine) -> None:
    with pytest.raises(
        TypeError, match=r"outcome\(\) got 3, a int; it takes what the call of a task returns"
    ):
        outcome(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"first_success\(\) got None"):
        first_success([None])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="no future among which one could succeed"):
        first_success([])
    with pytest.raises(ValueError, match=r"n_of\(futures, 2\): of 1 futures, 1 to 1 can be needed"):
        n_of([threads.submit(load, 1)], 2)
    with pytest.raises(TypeError, match="a whole number is needed"):
        n_of([threads.submit(load, 1)], "1")  # type: ignore[arg-type]


async def test_futures_of_two_engines_do_not_go_together(threads: WorkflowEngine) -> None:
    async with WorkflowEngine("sequential") as other:
        with pytest.raises(ForeignFuture):
            first_success([threads.submit(load, 1), other.submit(load, 1)])


async def test_another_thread_is_told_so(threads: WorkflowEngine) -> None:
    future = threads.submit(load, 1)
    with pytest.raises(WrongLoop, match=r"outcome\(\) was called from another thread"):
        await asyncio.to_thread(outcome, future)


async def test_when_the_engine_is_shut_down_what_has_ended_can_still_be_asked_for() -> None:
    async with WorkflowEngine("thread") as engine:
        future = engine.submit(load, -1)
        pending = outcome(engine.submit(load, 1))
    assert (await outcome(future)).state is State.FAILED
    assert pending.result() == Outcome(1, None, State.SUCCEEDED)


async def test_a_shutdown_leaves_no_outcome_pending(hands: ManualBackend) -> None:
    engine = await WorkflowEngine.create(hands)
    future = engine.submit(load, 1)
    ends = [outcome(future), optional(future), first_success([future])]
    await engine.shutdown(wait=False)
    assert all(each.done() for each in ends)
    with pytest.raises(EngineClosed):
        engine.submit(load, 1)


async def test_nothing_is_kept_of_what_was_joined(engine: WorkflowEngine, hands: ManualBackend) -> None:
    class Large:
        pass

    future, other = engine.submit(Large), engine.submit(load, 1)
    first = first_success([future, other])
    await hands.received(2)
    hands.succeed(future.id, Large())
    held = weakref.ref(await optional(future))
    await first
    del future, first
    await asyncio.sleep(0)  # asyncio itself holds what has woken this code
    gc.collect()
    assert held() is None


# -- what is told of them ---------------------------------------------------------------------------------


async def test_a_report_counts_no_joins_and_has_edges_to_the_tasks(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    async with WorkflowEngine("thread", journal=journal) as engine:
        task = engine.function_task(load)
        one, two, three = task(1), task(0), task(-1)
        last = engine.submit(told, optional(two), one, outcome(outcome(three)), first_success([one, two]))
        await last
        plan = await engine.plan()
    for report in (engine.report(), Report.from_journal(journal)):
        assert report.counts == {"SUCCEEDED": 2, "FAILED": 1, "SKIPPED": 1}
        assert [each.name for each in report.tasks] == ["load", "load", "load", "told"]
        assert report.tasks[-1].dependencies == (two.id, one.id, three.id, one.id, two.id)
    # that of which it takes the value as well is both
    assert [(each.dependency, each.optional) for each in plan.edges] == [
        (one.id, False),
        (one.id, True),
        (two.id, True),
        (three.id, True),
    ]


async def test_a_plan_shows_optional_edges_and_no_joins() -> None:
    engine = WorkflowEngine()
    task, twice, last = (engine.function_task(each) for each in (load, double, told))

    @engine.block
    async def pipeline() -> Any:
        one, two = task(1), task(2)
        assert (await outcome(one)).state is State.SUCCEEDED
        return last(optional(twice(one)), outcome(two), n_of([one, two], 1), task(3))

    plan = await engine.plan(pipeline)
    assert [each.name for each in plan.tasks] == ["pipeline", "load", "load", "double", "load", "told"]
    names = {each.id: each.name for each in plan.tasks}
    end = next(each.id for each in plan.tasks if each.name == "told")
    into = [(names[each.dependency], each.optional) for each in plan.edges if each.dependent == end]
    assert into == [("load", True), ("load", True), ("double", True), ("load", False)]
    assert not plan.findings
    again = Plan.from_json(plan.to_json())
    assert again.edges == plan.edges
    assert plan.to_json().count('"optional": true') == 3


async def test_a_dry_run_takes_all_for_successes_and_cancels_nothing() -> None:
    async with WorkflowEngine(dry_run=True) as engine:
        task = engine.function_task(load)
        tasks = [task(number) for number in range(3)]
        await n_of(tasks, 2)
        assert (await outcome(tasks[0])).state is State.SUCCEEDED
        assert [each.state for each in tasks] == [State.SUCCEEDED] * 3
    plan = engine.report()
    assert plan.counts == {"SUCCEEDED": 3}


def test_an_edge_is_optional_or_not() -> None:
    with pytest.raises(TypeError, match="optional is True or False"):
        Edge(1, 2, optional="no")  # type: ignore[arg-type]


async def test_a_block_that_waits_for_how_it_ends_itself_is_told_of_the_circle(
    threads: WorkflowEngine,
) -> None:
    ends: list[Any] = []

    @threads.block
    async def pipeline() -> Any:
        return await ends[0]

    block = pipeline()
    ends.append(outcome(block))
    with pytest.raises(Deadlock, match="pipeline"):
        await block


async def test_a_block_may_wait_for_the_first_of_several_though_one_waits_for_it(
    threads: WorkflowEngine,
) -> None:
    firsts: list[Any] = []

    @threads.block
    async def pipeline() -> Any:
        return await firsts[0]

    block = pipeline()
    firsts.append(first_success([threads.submit(told, block), threads.submit(load, 3)]))
    assert await block == 3

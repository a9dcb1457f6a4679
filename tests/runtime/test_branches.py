"""Branches that are not taken: what raises `Skip` has no value, nor has what depends on it, and that is no failure."""

from __future__ import annotations

import asyncio
import functools
import logging
import pickle
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from asyncflow import Skip, State, TaskSkipped, UpstreamFailed, WorkflowEngine, optional, outcome
from asyncflow._inspect.skips import may_skip
from asyncflow.plan import Plan


@pytest.fixture(params=["thread", "process", "sequential", "executor"])
async def anywhere(request: pytest.FixtureRequest) -> AsyncIterator[WorkflowEngine]:
    """An engine on each backend."""
    with ThreadPoolExecutor(2) as pool:
        backend: Any = pool if request.param == "executor" else request.param
        async with WorkflowEngine(backend) as engine:
            yield engine


def rows_of(path: str) -> list[int]:
    if not path:
        raise Skip("no rows")
    return [1, 2]


async def arows_of(path: str) -> list[int]:
    return rows_of(path)


def command_of(path: str) -> list[str]:
    rows_of(path)
    return ["echo", path]


async def skipped(future: Any) -> TaskSkipped:
    with pytest.raises(TaskSkipped) as caught:
        await future
    assert future.state is State.SKIPPED
    return caught.value


def total(rows: Any) -> int:
    return len(rows)


@pytest.mark.parametrize("body", [rows_of, arows_of])
async def test_a_task_that_raises_skip_is_skipped_and_so_is_what_depends_on_it(
    anywhere: WorkflowEngine, body: Any
) -> None:
    rows = anywhere.function_task(body)("")
    first = anywhere.submit(total, rows)
    last = anywhere.submit(total, [first])
    assert (await skipped(rows)).reason == "no rows"
    error = await skipped(last)
    assert error.reason == "no rows"
    assert [root.task_id for root in error.root_causes] == [rows.id]
    assert str(error).splitlines() == [
        f"'total' (#3) was skipped: '{body.__name__}' (#1) was skipped, no rows.",
        f"  {body.__name__} (#1) -> total (#2) -> total (#3)",
    ]


async def test_a_command_whose_function_raises_skip_is_not_run(anywhere: WorkflowEngine) -> None:
    rows = anywhere.executable_task(command_of)("")
    assert str(await skipped(rows)) == "'command_of' (#1) was skipped: no rows"
    assert rows.command is None


async def test_a_block_that_raises_skip_is_skipped_and_what_it_had_started_is_cancelled(
    engine: WorkflowEngine,
) -> None:
    inside: list[Any] = []

    @engine.block
    async def pipeline() -> None:
        inside.append(engine.submit(total, []))
        await asyncio.sleep(0)
        raise Skip("nothing to do")

    block = pipeline()
    assert (await skipped(block)).reason == "nothing to do"
    await engine.settled(block)
    assert inside[0].cancelled()


async def test_a_block_in_which_something_was_skipped_is_skipped_with_it_and_the_path_says_so(
    threads: WorkflowEngine,
) -> None:
    load = threads.function_task(rows_of)

    @threads.block
    async def awaits() -> Any:
        return await threads.submit(total, load(""))

    @threads.block
    def returns() -> Any:
        return {"good": load("a"), "none": load("")}

    for block, path in (
        (awaits, "rows_of (#3) -> total (#4) -> awaits (#1) -> total (#2)"),
        (returns, "rows_of (#8) -> returns (#5) -> total (#6)"),
    ):
        future = block()
        after = threads.submit(total, future)
        assert path in str(await skipped(after))
        await skipped(future)


async def test_a_block_may_go_on_without_what_was_skipped(threads: WorkflowEngine) -> None:
    load = threads.function_task(rows_of)

    @threads.block
    async def pipeline() -> Any:
        try:
            return await load("")
        except TaskSkipped:
            return []

    assert await pipeline() == []


async def test_a_failed_dependency_wins_over_a_skipped_one_and_a_cancelled_one_too(
    threads: WorkflowEngine,
) -> None:
    @threads.function_task
    def fails() -> None:
        raise ValueError("broken")

    @threads.function_task
    async def waits() -> None:
        await asyncio.Event().wait()

    none, broken, stopped = threads.submit(rows_of, ""), fails(), waits()
    stopped.cancel()
    both, other = threads.submit(total, [none, broken]), threads.submit(total, [none, stopped])
    with pytest.raises(UpstreamFailed, match="broken") as caught:
        await both
    assert [root.task_id for root in caught.value.root_causes] == [none.id, broken.id]
    with pytest.raises(asyncio.CancelledError):
        await other
    with pytest.raises(ValueError, match="broken"):
        await broken


async def test_a_skip_is_not_tried_again(anywhere: WorkflowEngine) -> None:
    rows = anywhere.function_task(rows_of, retries=3, retry_delay=0)("")
    await skipped(rows)
    assert rows.attempts == 1


async def test_gather_raises_the_skip_or_gives_it_in_its_place(threads: WorkflowEngine) -> None:
    load = threads.function_task(rows_of)
    with pytest.raises(TaskSkipped):
        await asyncio.gather(load("a"), load(""))
    good, none = await asyncio.gather(load("a"), load(""), return_exceptions=True)
    assert good == [1, 2]
    assert isinstance(none, TaskSkipped)


async def test_nobody_has_to_look_at_a_skip(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with WorkflowEngine("thread") as engine:
        engine.submit(total, engine.submit(rows_of, ""))
    assert [each for each in caplog.records if each.levelno > logging.INFO] == []
    told = [each.getMessage() for each in caplog.records]
    assert "'rows_of' (#1) was skipped: no rows" in told
    assert any("2 were skipped\n  1 did not run because of rows_of (#1)" in each for each in told), told


async def test_the_error_of_a_skip_travels(threads: WorkflowEngine) -> None:
    first = threads.submit(rows_of, "")
    last = threads.submit(total, first)
    for future in (first, last):
        error = await skipped(future)
        copied = pickle.loads(pickle.dumps(error))
        assert type(copied) is TaskSkipped
        assert (copied.task_id, copied.name, copied.reason) == (error.task_id, error.name, error.reason)
        assert str(copied) == str(error)


async def test_the_report_counts_skips_with_their_reason_and_what_was_skipped_with_them(
    threads: WorkflowEngine,
) -> None:
    first = threads.submit(rows_of, "")
    last = threads.submit(total, first)
    await skipped(last)
    report = threads.report()
    assert report.counts == {"SKIPPED": 2}
    assert [(each.error, each.roots) for each in report.tasks] == [("Skip: no rows", ()), ("", (first.id,))]
    assert report.functions["total"].bad == {}
    assert "Skipped: rows_of (#1), no rows; with it 1 task: total (#2)" in str(report)


# -- what a plan tells of them ----------------------------------------------------------------------------


async def test_a_plan_tells_what_may_be_skipped_and_what_with_it() -> None:
    engine = WorkflowEngine()
    load, count = engine.function_task(rows_of), engine.function_task(total)

    @engine.block
    async def inner(rows: Any) -> Any:
        return await count(rows)

    @engine.block
    async def pipeline() -> Any:
        rows = load("a")
        return [inner(count(rows)), count(optional(rows)), count(outcome(rows))]

    plan = await engine.plan(pipeline)
    assert [each.name for each in plan.tasks if each.may_skip] == ["rows_of"]
    assert "May be skipped: rows_of; with them, at most, 2 total, inner" in " ".join(str(plan).split())
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.findings == ()


async def test_a_block_that_raises_skip_in_a_rehearsal_is_planned_as_if_it_went_on() -> None:
    engine = WorkflowEngine()
    count = engine.function_task(total)

    @engine.block
    def nothing() -> list[int]:
        raise Skip("nothing to do")

    @engine.block
    async def pipeline() -> Any:
        return await count(nothing())

    plan = await engine.plan(pipeline)
    assert [each.name for each in plan.tasks] == ["pipeline", "nothing", "total"]
    assert plan.findings == ()
    assert any("nothing to do" in each for each in plan.decisions)
    async with WorkflowEngine(dry_run=True) as dry:
        future = dry.submit(total, nothing.on(dry)())
        assert (await skipped(future)).reason == "nothing to do"


class Closed(Skip):
    """A skip of its own kind."""


def closed() -> None:
    raise Closed("on sundays")


def imported_inside() -> None:
    from asyncflow import Skip as Nothing

    raise Nothing("inside")


def test_it_is_seen_in_the_code_of_a_function_whether_it_may_skip() -> None:
    def around() -> Any:
        return [rows_of(each) for each in ("a", "b")]

    assert [may_skip(each) for each in (rows_of, closed, imported_inside, functools.partial(closed))] == [
        True
    ] * 4
    assert [may_skip(each) for each in (total, around, len, int, arows_of)] == [False] * 5


async def test_a_skip_of_ones_own_class_is_one_too(threads: WorkflowEngine) -> None:
    assert (await skipped(threads.submit(closed))).reason == "on sundays"

"""Results that stay where they were made: dependents there take them as they are, all others have them fetched."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow import (
    BlockOptions,
    CommandOptions,
    Report,
    ResultLost,
    ServiceOptions,
    UpstreamFailed,
    WorkflowEngine,
    first_success,
    n_of,
    optional,
    outcome,
)
from asyncflow.backend import Kept
from asyncflow.events import TaskEnded
from asyncflow.testing import KeepingBackend, ManualBackend

from .kit import turns


@pytest.fixture
def hands() -> KeepingBackend:
    return KeepingBackend()


@pytest.fixture
def other() -> ManualBackend:
    return ManualBackend("other")


@pytest.fixture
async def engine(hands: KeepingBackend, other: ManualBackend) -> AsyncIterator[WorkflowEngine]:
    engine = WorkflowEngine(backends={"manual": hands, "other": other})
    await engine.start()
    yield engine
    await engine.shutdown(wait=False)


def load() -> bytes: ...  # type: ignore[empty-body]


def clean(rows: Any, *more: Any) -> bytes: ...  # type: ignore[empty-body]


async def kept(engine: WorkflowEngine, hands: KeepingBackend, value: object = b"rows") -> Any:
    """The future of a task whose result is kept."""
    future = engine.submit(load)
    await hands.received("load")
    hands.keep("load", value)
    await turns()
    return future


# -- dependents at the same place -------------------------------------------------------------------------


async def test_dependent_at_the_same_place_is_submitted_with_what_stands_for_the_result(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows = engine.submit(load)
    cleaned = engine.submit(clean, rows, more := engine.submit(clean, 1))
    await hands.received("load")
    hands.keep("load", b"rows")
    hands.succeed(more.id, 2)
    work = await hands.received(cleaned.id)
    assert isinstance(work.args[0], Kept)
    assert (hands.value(work.args[0]), work.args[1]) == (b"rows", 2)
    assert rows.state == "SUCCEEDED"
    assert hands.asked == []


async def test_result_is_handed_on_inside_of_containers_as_it_is(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows = engine.submit(load)
    cleaned = engine.submit(clean, {"first": [rows, 1]}, (rows,))
    await hands.received("load")
    hands.keep("load", b"rows")
    first, second = (await hands.received(cleaned.id)).args
    assert first["first"][0] is second[0]
    assert hands.value(second[0]) == b"rows"
    assert hands.asked == []


async def test_dependent_called_later_takes_it_as_it_is(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows = await kept(engine, hands)
    cleaned = engine.submit(clean, rows)
    assert isinstance((await hands.received(cleaned.id)).args[0], Kept)
    assert hands.asked == []


async def test_dependent_takes_it_as_it_is_though_it_was_fetched_meanwhile(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    hands.fetches_at_once = True
    rows = await kept(engine, hands)
    assert await rows == b"rows"
    cleaned = engine.submit(clean, rows)
    assert isinstance((await hands.received(cleaned.id)).args[0], Kept)


async def test_what_comes_only_after_it_has_it_not_fetched(
    engine: WorkflowEngine, hands: KeepingBackend, other: ManualBackend
) -> None:
    rows = engine.submit(load)
    task = engine.function_task(clean, backend="other")
    early = task.with_options(after=rows)(1)
    await hands.received("load")
    hands.keep("load", b"rows")
    late = task.with_options(after=[rows])(2)
    assert (await other.received(early.id)).args == (1,)
    assert (await other.received(late.id)).args == (2,)
    assert hands.asked == []


async def test_another_attempt_takes_it_again(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    rows = await kept(engine, hands)
    cleaned = engine.function_task(clean, retries=1, retry_delay=0)(rows)
    await hands.received(cleaned.id)
    hands.fail(cleaned.id, ValueError("no"))
    await turns()
    work = await hands.received(cleaned.id)
    assert work.attempt == 2
    assert hands.value(work.args[0]) == b"rows"


async def test_error_of_a_dependent_shows_its_call_without_a_fetch(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    cleaned = engine.submit(clean, await kept(engine, hands))
    await hands.received(cleaned.id)
    hands.fail(cleaned.id, ValueError("no"))
    with pytest.raises(ValueError, match="no") as failed:
        await cleaned
    assert "clean(rows=<Kept>)" in "".join(failed.value.__notes__)


# -- who has it fetched -----------------------------------------------------------------------------------


async def test_awaiting_has_it_fetched(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    rows = await kept(engine, hands)
    assert hands.asked == []
    waiting = asyncio.ensure_future(rows)
    awaited = [asyncio.create_task(each) for each in (_await(rows), _await(rows))]
    await turns()
    assert hands.asked == ["load"]
    assert rows.state == "SUCCEEDED"
    hands.bring("load")
    assert await asyncio.gather(*awaited) == [b"rows", b"rows"]
    assert waiting.done()
    assert rows.result() == b"rows"


async def _await(future: Any) -> Any:
    return await future


async def test_whoever_awaited_before_gets_it(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    hands.fetches_at_once = True
    rows = engine.submit(load)
    awaited = asyncio.create_task(_await(rows))
    await hands.received("load")
    hands.keep("load", b"rows")
    assert await awaited == b"rows"


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    "through",
    [
        lambda rows: asyncio.gather(rows),
        lambda rows: asyncio.wait([rows]),
        lambda rows: asyncio.wait_for(rows, 5),
        asyncio.shield,
        lambda rows: next(iter(asyncio.as_completed([rows]))),
    ],
    ids=["gather", "wait", "wait_for", "shield", "as_completed"],
)
async def test_all_that_asyncio_has_gets_it(
    engine: WorkflowEngine, hands: KeepingBackend, through: Any, early: bool
) -> None:
    hands.fetches_at_once = True
    rows = engine.submit(load)
    await hands.received("load")
    if not early:
        hands.keep("load", b"rows")
        await turns()
    waiting = asyncio.create_task(_await(through(rows)))
    await turns()
    if early:
        hands.keep("load", b"rows")
    got = await waiting
    assert b"rows" in (got, *(got if isinstance(got, list) else ()), rows.result())


async def test_who_asks_whether_it_is_done_until_it_is_gets_it(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    hands.fetches_at_once = True
    rows = await kept(engine, hands)
    for _ in range(10):
        if rows.done():
            break
        await asyncio.sleep(0)
    assert rows.result() == b"rows"


async def test_result_says_that_it_has_to_be_awaited(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    rows = await kept(engine, hands)
    with pytest.raises(asyncio.InvalidStateError, match="await load"):
        rows.result()
    with pytest.raises(asyncio.InvalidStateError):
        rows.exception()
    hands.bring("load")
    await turns()
    assert rows.result() == b"rows"
    assert hands.asked == ["load"]


async def test_task_elsewhere_waits_for_the_fetch_and_holds_nothing_meanwhile(
    engine: WorkflowEngine, hands: KeepingBackend, other: ManualBackend
) -> None:
    rows = engine.submit(load)
    task = engine.function_task(clean, backend="other")
    early = task(rows)
    await hands.received("load")
    hands.keep("load", b"rows")
    late = task([rows])
    await turns()
    assert other.waiting == []
    assert {early.state, late.state} == {"PENDING"}
    assert "load (#1, SUCCEEDED, its result is being fetched from node1)" in early.explain()
    hands.bring("load")
    assert (await other.received(early.id)).args == (b"rows",)
    assert (await other.received(late.id)).args == ([b"rows"],)
    assert hands.asked == ["load"]


async def test_coroutines_and_blocks_and_commands_get_the_value(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    hands.fetches_at_once = True

    async def count(rows: bytes) -> int:
        return len(rows)

    async def body(rows: bytes) -> int:
        return len(rows) * 10

    rows = await kept(engine, hands)
    echo = engine.executable_task(lambda rows: ["echo", rows.decode()], name="echo")
    early = [engine.submit(count, rows), engine.block(body)(rows), echo(rows)]
    assert await asyncio.gather(*early) == [4, 40, "rows\n"]
    assert hands.asked == ["load"]
    assert await engine.submit(count, rows) == 4


async def test_a_chain_on_the_loop_takes_the_value(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    hands.fetches_at_once = True

    async def add(*rows: Any) -> Any:
        return b"".join(rows)

    rows = engine.submit(load)
    first = engine.submit(add, rows)
    second = engine.submit(add, first, rows)
    await hands.received("load")
    hands.keep("load", b"rows")
    assert await engine.submit(add, second, rows) == b"rowsrowsrows"


async def test_block_is_given_the_same_as_ever_inside(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    hands.fetches_at_once = True

    async def body() -> int:
        rows = engine.submit(load)
        await hands.received("load")
        hands.keep("load", b"rows")
        return len(await rows)

    assert await engine.block(body)() == 4


# -- what is handed on ------------------------------------------------------------------------------------


async def test_block_that_returns_it_hands_it_on_without_a_fetch(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    @engine.block
    async def inner() -> Any:
        return engine.submit(load)

    @engine.block
    async def outer() -> Any:
        return inner()

    rows = outer()
    cleaned = engine.submit(clean, rows)
    await hands.received("load")
    hands.keep("load", b"rows")
    work = await hands.received(cleaned.id)
    assert hands.value(work.args[0]) == b"rows"
    assert rows.state == "SUCCEEDED"
    assert hands.asked == []
    waiting = asyncio.create_task(_await(rows))
    await turns()
    hands.bring("load")
    assert await waiting == b"rows"


async def test_block_that_returns_it_among_others_has_it_fetched(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows = await kept(engine, hands)

    @engine.block
    async def both() -> Any:
        return [rows, {"again": rows}, 1]

    future = both()
    await turns()
    assert future.state == "RUNNING"
    hands.bring("load")
    assert await future == [b"rows", {"again": b"rows"}, 1]
    assert hands.asked == ["load"]


@pytest.mark.parametrize("early", [True, False])
async def test_joins_get_the_value(engine: WorkflowEngine, hands: KeepingBackend, early: bool) -> None:
    hands.fetches_at_once = True
    rows = engine.submit(load)
    never = engine.submit(clean, 1)
    await hands.received("load")
    if not early:
        hands.keep("load", b"rows")
        await turns()
    made = [outcome(rows), optional(rows), first_success([never, rows]), n_of([rows, rows], 2)]
    if early:
        hands.keep("load", b"rows")
    ended, value, first, two = await asyncio.gather(*made)
    assert (ended.value, ended.state, value, first, two) == (
        b"rows",
        "SUCCEEDED",
        b"rows",
        b"rows",
        [b"rows", b"rows"],
    )
    assert never.cancelled()
    assert hands.asked == ["load"]


async def test_join_that_is_decided_by_others_leaves_it_as_it_is(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows, fast = engine.submit(load), engine.submit(clean, 1)
    first = first_success([rows, fast])
    await hands.received("load")
    hands.keep("load", b"rows")
    hands.succeed("clean", 2)
    assert await first == 2
    hands.bring("load")
    assert await rows == b"rows"


# -- when it is freed -------------------------------------------------------------------------------------


async def test_it_is_freed_when_the_last_future_goes(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    rows = await kept(engine, hands)
    again = rows
    del rows
    await turns()
    assert hands.freed == []
    del again
    await turns()
    assert hands.freed == ["load"]


async def test_it_stays_while_a_dependent_may_need_it(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    cleaned = engine.submit(clean, await kept(engine, hands))
    await hands.received(cleaned.id)
    gc.collect()
    assert hands.freed == []
    hands.succeed(cleaned.id, 1)
    await turns()
    assert hands.freed == ["load"]
    assert cleaned.done()


async def test_result_of_what_was_cancelled_is_freed(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    hands.on_cancel = "refuse"
    rows = engine.submit(load)
    hands.begin(await _id(hands))
    rows.cancel()
    await turns()
    hands.keep("load", b"rows")
    await turns()
    assert hands.freed == ["load"]
    assert rows.state == "CANCELLED"


async def _id(hands: KeepingBackend) -> int:
    return (await hands.received("load")).id


async def test_what_was_fetched_is_freed_with_its_future(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    hands.fetches_at_once = True
    rows = await kept(engine, hands)
    await rows
    del rows
    await turns()
    assert hands.freed == ["load"]


# -- cancels ----------------------------------------------------------------------------------------------


async def test_who_is_cancelled_while_it_is_fetched_does_not_wait_for_it(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows = await kept(engine, hands)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(rows, 0.01)
    assert rows.cancelled()
    assert rows.state == "SUCCEEDED"


async def test_cancelling_it_takes_it_from_nobody_who_depends_on_it(
    engine: WorkflowEngine, hands: KeepingBackend, other: ManualBackend
) -> None:
    rows = await kept(engine, hands)
    elsewhere = engine.function_task(clean, backend="other")(rows)

    async def count(rows: bytes) -> int:
        return len(rows)

    on_loop = engine.submit(count, rows)
    how = outcome(rows)
    assert rows.cancel()
    here = engine.submit(clean, rows)
    assert isinstance((await hands.received(here.id)).args[0], Kept)
    hands.bring("load")
    assert (await other.received(elsewhere.id)).args == (b"rows",)
    assert await on_loop == 4
    assert (await how).value == b"rows"


async def test_dependent_that_is_cancelled_while_it_is_fetched_does_not_run(
    engine: WorkflowEngine, hands: KeepingBackend, other: ManualBackend
) -> None:
    elsewhere = engine.function_task(clean, backend="other")(await kept(engine, hands))
    await turns()
    elsewhere.cancel()
    hands.bring("load")
    await turns()
    assert other.waiting == []
    assert elsewhere.state == "CANCELLED"
    assert hands.freed == ["load"]


# -- when it is lost --------------------------------------------------------------------------------------


async def test_lost_result_is_an_error_that_names_node_and_task(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows = await kept(engine, hands)
    hands.lose("load", "node1 was shut down")
    with pytest.raises(
        ResultLost, match=r"result of 'load' \(#1\), kept on node1, is lost: node1 was shut"
    ) as lost:
        await rows
    assert (lost.value.task_id, lost.value.node, lost.value.why) == (1, "node1", "node1 was shut down")
    assert rows.state == "SUCCEEDED"
    assert "its result, kept on node1, is lost" in rows.explain()


async def test_result_that_is_lost_on_the_way_is_lost_for_all(
    engine: WorkflowEngine, hands: KeepingBackend, other: ManualBackend
) -> None:
    rows = await kept(engine, hands)
    awaited = asyncio.create_task(_await(rows))
    elsewhere = engine.function_task(clean, backend="other")(rows)
    how, perhaps = outcome(rows), optional(rows)

    @engine.block
    async def both() -> Any:
        return [rows, 1]

    block = both()
    await turns()
    hands.lose("load")
    with pytest.raises(ResultLost):
        await awaited
    with pytest.raises(UpstreamFailed, match=r"'clean' .* did not run: 'load' \(#1\) .*ResultLost"):
        await elsewhere
    with pytest.raises(ResultLost):
        await block
    with pytest.raises(ResultLost):
        raise (await how).error or AssertionError
    with pytest.raises(ResultLost):
        await perhaps
    later = engine.function_task(clean, backend="other")(rows)
    with pytest.raises(UpstreamFailed, match="ResultLost"):
        await later
    assert hands.asked == ["load"]


async def test_dependent_whose_argument_is_lost_did_not_run(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    rows = await kept(engine, hands)
    cleaned = engine.function_task(clean, retries=3)(rows)
    after = engine.submit(clean, cleaned)
    work = await hands.received(cleaned.id)
    hands.lose("load")
    hands.cannot_begin(cleaned.id, work.args[0])
    with pytest.raises(UpstreamFailed, match=r"'clean' \(#2\) did not run: 'load' \(#1\)") as failed:
        await cleaned
    assert isinstance(failed.value.__cause__, ResultLost)
    assert (cleaned.state, cleaned.attempts) == ("UPSTREAM_FAILED", 0)
    with pytest.raises(UpstreamFailed, match="ResultLost"):
        await after


async def test_block_with_retries_makes_a_lost_result_anew(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    @engine.block(retries=1, retry_delay=0)
    async def both() -> Any:
        return engine.submit(clean, engine.submit(load))

    block = both()
    await hands.received("load")
    hands.keep("load", b"rows")
    work = await hands.received("clean")
    hands.lose("load")
    hands.cannot_begin("clean", work.args[0])
    del work
    await hands.received("load")
    hands.keep("load", b"rows again")
    assert hands.value((await hands.received("clean")).args[0]) == b"rows again"
    hands.succeed("clean", 1)
    assert await block == 1


# -- the end of a run -------------------------------------------------------------------------------------


async def test_what_nobody_awaits_is_freed_at_the_end_and_says_so(hands: KeepingBackend) -> None:
    async with WorkflowEngine(hands) as engine:
        rows = await kept(engine, hands)
    with pytest.raises(ResultLost, match="nobody awaited it before the engine was shut down"):
        await rows
    del rows
    assert hands.freed == ["load"]


async def test_shutdown_waits_for_what_is_being_fetched(hands: KeepingBackend) -> None:
    async with WorkflowEngine(hands) as engine:
        rows = await kept(engine, hands)
        awaited = asyncio.create_task(_await(rows))
        await turns()
        asyncio.get_running_loop().call_later(0.01, hands.bring, "load")
    assert await awaited == b"rows"


async def test_shutdown_that_does_not_wait_leaves_no_future_pending(hands: KeepingBackend) -> None:
    engine = await WorkflowEngine.create(hands)
    rows = await kept(engine, hands)
    awaited = asyncio.create_task(_await(rows))
    await turns()
    await engine.shutdown(wait=False)
    with pytest.raises((ResultLost, asyncio.CancelledError)):
        await awaited


async def test_future_of_another_engine_is_refused(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    rows = await kept(engine, hands)
    async with WorkflowEngine("thread") as second:
        with pytest.raises(ValueError, match="a future of another engine"):
            second.submit(clean, rows)
    assert hands.asked == []


# -- options ----------------------------------------------------------------------------------------------


async def test_backend_is_told_what_the_task_says(engine: WorkflowEngine, hands: KeepingBackend) -> None:
    told = [engine.function_task(load, keep=keep)() for keep in (True, False, None)]
    assert [(await hands.received(each.id)).keep for each in told] == [True, False, None]


async def test_types_are_checked_because_nothing_is_kept_then(hands: KeepingBackend) -> None:
    async with WorkflowEngine(hands, check_types=True) as engine:
        future = engine.function_task(load, keep=True)()
        assert (await hands.received("load")).keep is False
        hands.succeed("load", "no bytes")
        with pytest.raises(TypeError):
            await future


@pytest.mark.parametrize("kind", [BlockOptions, CommandOptions, ServiceOptions])
def test_what_is_no_function_cannot_be_kept(kind: Any) -> None:
    with pytest.raises(TypeError, match="keep=True: "):
        kind().changed(keep=True)


# -- what is told of it -----------------------------------------------------------------------------------


async def test_report_and_journal_and_explain_tell_where_it_is(
    engine: WorkflowEngine, hands: KeepingBackend
) -> None:
    events: list[Any] = []
    engine.subscribe(events.extend)
    rows = engine.submit(load)
    await hands.received("load")
    hands.keep("load", node="node7", size=100_000_000)
    await turns()
    assert "its result is kept on node7, 100 MB" in rows.explain()
    for report in (engine.report(), Report.from_json(engine.report().to_json())):
        (told,) = report.tasks
        assert (told.state, told.kept_on, told.bytes_kept) == ("SUCCEEDED", "node7", 100_000_000)
    ended = [each for each in events if isinstance(each, TaskEnded)]
    assert [(each.state, each.kept_on, each.bytes_kept) for each in ended] == [
        ("SUCCEEDED", "node7", 100_000_000)
    ]


async def test_journal_tells_where_it_was(hands: KeepingBackend, tmp_path: Path) -> None:
    async with WorkflowEngine(hands, journal=tmp_path / "run.jsonl") as engine:
        await kept(engine, hands)
    (told,) = Report.from_journal(tmp_path / "run.jsonl").tasks
    assert (told.state, told.kept_on, told.bytes_kept) == ("SUCCEEDED", "node1", 1_000_000)

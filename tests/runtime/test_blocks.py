"""Blocks: one node outside, a graph inside."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from asyncflow import CircularDependency, TaskFuture, UpstreamFailed, WorkflowEngine
from asyncflow._core.lanes import MOST
from asyncflow.testing import ManualBackend

from .kit import never_called, turns


async def test_plain_block_runs_inline_on_the_loop_and_its_future_is_resolved(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    load = engine.function_task(lambda path: None, name="load")

    @engine.block
    def wire(path: str) -> TaskFuture[Any]:
        assert asyncio.get_running_loop()
        return load(path)

    block = wire("a.csv")
    await hands.received("load")
    assert block.state == "RUNNING"
    hands.succeed("load", [1, 2])
    assert await block == [1, 2]


async def test_async_block_awaits_and_returns_a_value(threads: WorkflowEngine) -> None:
    double = threads.function_task(lambda value: value * 2)

    @threads.block
    async def quadruple(value: int) -> int:
        return await double(await double(value))

    assert await quadruple(3) == 12


async def test_block_without_any_future_returns_its_plain_value(engine: WorkflowEngine) -> None:
    shapes: list[Any] = [None, 3, [1], {"a": 1}, object()]
    for value in shapes:
        assert await engine.block(lambda value=value: value)() is value


@dataclass
class Fit:
    model: Any
    error: Any


@pytest.mark.parametrize("is_async", [False, True])
async def test_futures_in_containers_that_a_block_returns_are_resolved(
    threads: WorkflowEngine, is_async: bool
) -> None:
    one = threads.function_task(lambda: 1)

    def wire() -> Any:
        return {"list": [one(), one()], "fit": Fit(one(), (one(), "plain")), "none": None}

    async def awire() -> Any:
        return wire()

    result = await threads.block(awire if is_async else wire)()
    assert result == {"list": [1, 1], "fit": Fit(1, (1, "plain")), "none": None}


async def test_block_may_return_awaitables_of_others(threads: WorkflowEngine) -> None:
    async def other() -> int:
        await turns(1)
        return 4

    assert await threads.block(lambda: [other(), 5])() == [4, 5]


async def test_block_may_return_a_future_that_was_made_outside(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    outside = engine.function_task(lambda: None, name="outside")()
    block = engine.block(lambda: [outside])()
    await hands.received("outside")
    hands.succeed("outside", 7)
    assert await block == [7]


async def test_block_starts_when_its_inputs_are_there_and_gets_their_values(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    begun = []

    @engine.block
    async def block(value: int) -> int:
        begun.append(value)
        return value + 1

    future = block(engine.function_task(lambda: None, name="input")())
    await hands.received("input")
    await turns()
    assert begun == []
    assert future.state == "PENDING"
    hands.succeed("input", 1)
    assert await future == 2


async def test_block_is_one_node_outside(engine: WorkflowEngine, hands: ManualBackend) -> None:
    step = engine.function_task(lambda *_: None, name="step")
    after = engine.function_task(lambda _: None, name="after")

    @engine.block
    async def block() -> Any:
        return await step(await step())

    after(block())
    await hands.received(3)
    hands.succeed(3, 1)
    await hands.received(4)
    assert "after" not in hands.waiting
    hands.succeed(4, 2)
    await hands.received("after")
    assert hands.work("after").args == (2,)


async def test_waiting_blocks_hold_no_worker() -> None:
    async with WorkflowEngine("thread", workers=1) as engine:
        one = engine.function_task(lambda value: value + 1)

        @engine.block
        async def block(value: int) -> int:
            return await one(await one(value))

        # a hundred blocks wait at the same time for the one worker
        assert await asyncio.gather(*block.map(range(100))) == [value + 2 for value in range(100)]


async def test_blocks_are_not_held_by_max_coroutines() -> None:
    async with WorkflowEngine("sequential", max_coroutines=1) as engine:

        @engine.function_task
        async def leaf() -> int:
            await turns(1)
            return 1

        @engine.block
        async def nest(depth: int) -> int:
            return await nest(depth - 1) if depth else await leaf()

        assert await nest(10) == 1


async def test_block_branches_on_awaited_values(threads: WorkflowEngine) -> None:
    score = threads.function_task(lambda value: value)
    refine = threads.function_task(lambda value: f"refined {value}")
    accept = threads.function_task(lambda value: f"accepted {value}")

    @threads.block
    async def choose(value: int) -> Any:
        return await refine(value) if await score(value) < 10 else accept(value)

    assert await asyncio.gather(choose(3), choose(30)) == ["refined 3", "accepted 30"]


async def test_block_loops_until_an_awaited_value_says_enough(threads: WorkflowEngine) -> None:
    halve = threads.function_task(lambda value: value / 2)

    @threads.block
    async def settle(value: float) -> int:
        steps = 0
        while value > 1:
            value = await halve(value)
            steps += 1
        return steps

    assert await settle(1024) == 10


async def test_tasks_inside_run_in_parallel_when_not_awaited(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    step = engine.function_task(lambda: None, name="step")

    @engine.block
    async def block() -> list[Any]:
        return [step() for _ in range(5)]

    block()
    await hands.received(6)
    assert hands.waiting == ["step"] * 5


@pytest.mark.parametrize("is_async", [False, True])
async def test_blocks_nest_a_thousand_deep(threads: WorkflowEngine, is_async: bool) -> None:
    leaf = threads.function_task(lambda: "bottom")

    @threads.block
    def nest(depth: int) -> Any:
        return nest(depth - 1) if depth else leaf()

    @threads.block
    async def anest(depth: int) -> Any:
        return await (anest(depth - 1) if depth else leaf())

    assert sys.getrecursionlimit() <= 1_000
    assert await (anest if is_async else nest)(1_000) == "bottom"


async def test_cancelling_a_thousand_nested_blocks_stops_them_all(engine: WorkflowEngine) -> None:
    reached, inner = asyncio.Event(), []

    @engine.block
    async def nest(depth: int) -> None:
        if not depth:
            reached.set()
            await asyncio.Event().wait()
        inner.append(nest(depth - 1))
        await inner[-1]

    outer = nest(1_000)
    await reached.wait()
    outer.cancel()
    await engine.settled(outer)
    assert outer.state == "CANCELLED"
    assert {future.state for future in inner} == {"CANCELLED"}


async def test_failure_a_thousand_blocks_deep_reaches_the_top_as_itself(engine: WorkflowEngine) -> None:
    @engine.block
    async def nest(depth: int) -> None:
        if not depth:
            raise ValueError("from below")
        await nest(depth - 1)

    with pytest.raises(ValueError, match="from below"):
        await nest(1_000)


async def test_leaving_a_block_by_an_exception_cancels_what_it_started(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    hands.on_cancel = "later"
    inside: dict[str, TaskFuture[Any]] = {}

    @engine.block
    async def block() -> None:
        step = engine.function_task(lambda *_: None, name="step")
        inside["running"] = step()
        inside["waiting"] = step(inside["running"])
        inside["coroutine"] = engine.function_task(asyncio.Event().wait)()
        inside["nested"] = engine.block(lambda: [step()])()
        await hands.received(inside["running"].id)
        hands.begin(inside["running"].id)
        raise ValueError("left")

    future = block()
    with pytest.raises(ValueError, match="left"):
        await future
    assert future.state == "FAILED"
    assert all(each.cancelled() for each in inside.values())
    assert inside["running"].state == "CANCELLING"  # until its backend says otherwise
    assert inside["waiting"].state == "CANCELLED"
    hands.stop(inside["running"].id)
    for work in list(hands.waiting):
        hands.stop(work)
    await engine.settled(future)
    assert {each.state for each in inside.values()} == {"CANCELLED"}


async def test_leaving_a_plain_block_by_an_exception_cancels_too(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    inside = []

    @engine.block
    def block() -> None:
        inside.append(engine.submit(never_called))
        raise ValueError("left")

    with pytest.raises(ValueError, match="left"):
        await block()
    assert inside[0].cancelled()
    assert inside[0].state == "CANCELLED"
    await turns()
    assert hands.waiting == []


async def test_cancelling_a_block_cancels_its_body_and_all_that_runs_inside(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    cleaned, inside = [], []

    @engine.block
    async def inner() -> None:
        inside.append(engine.function_task(never_called, name="leaf")())
        await asyncio.Event().wait()

    @engine.block
    async def outer() -> None:
        try:
            await asyncio.gather(inner(), inner())
        finally:
            cleaned.append(True)

    block = outer()
    await hands.received(5)
    block.cancel("enough")
    assert block.cancelled()
    await engine.settled(block)
    assert block.state == "CANCELLED"
    assert cleaned == [True]
    assert [each.state for each in inside] == ["CANCELLED"] * 2
    assert hands.waiting == []


async def test_cancelling_a_block_that_waits_for_what_it_returned(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    inside = []

    @engine.block
    def block() -> list[Any]:
        inside.append(engine.function_task(never_called, name="leaf")())
        return inside

    future = block()
    await hands.received("leaf")
    future.cancel()
    await engine.settled(future)
    assert future.state == "CANCELLED"
    assert inside[0].state == "CANCELLED"


async def test_cancelled_block_says_cancelling_while_something_inside_still_runs(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    hands.on_cancel = "refuse"

    @engine.block
    async def block() -> None:
        await engine.function_task(lambda: None, name="leaf")()

    future = block()
    await hands.received("leaf")
    hands.begin("leaf")
    future.cancel()
    await turns()
    assert future.cancelled()
    assert future.state == "CANCELLING"
    hands.succeed("leaf")
    await engine.settled(future)
    assert future.state == "CANCELLED"


async def test_what_a_block_leaves_running_goes_on_after_it(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    inside = []

    @engine.block
    async def block() -> str:
        inside.append(engine.function_task(lambda: None, name="leaf")())
        return "over"

    assert await block() == "over"
    await hands.received("leaf")
    hands.succeed("leaf", "later")
    assert await inside[0] == "later"


async def test_what_an_inner_block_leaves_running_belongs_to_the_outer(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    inside = []

    @engine.block
    async def inner() -> None:
        inside.append(engine.function_task(never_called, name="leaf")())

    @engine.block
    async def outer() -> None:
        await inner()
        raise ValueError("left")

    with pytest.raises(ValueError, match="left"):
        await outer()
    assert inside[0].cancelled()


async def test_task_failure_inside_fails_the_block_with_the_exception_itself(threads: WorkflowEngine) -> None:
    error = ValueError("inside")

    def fail() -> None:
        raise error

    @threads.block
    async def awaits() -> None:
        await threads.submit(fail)

    @threads.block
    def returns() -> Any:
        return threads.submit(fail)

    for block in (awaits, returns):
        with pytest.raises(ValueError, match="inside") as caught:
            await block()
        assert caught.value is error


async def test_block_may_handle_a_failure_inside(threads: WorkflowEngine) -> None:
    inverse = threads.function_task(lambda value: 1 / value)

    @threads.block
    async def safe(value: float) -> float | None:
        try:
            return await inverse(value)
        except ZeroDivisionError:
            return None

    assert await asyncio.gather(safe(2), safe(0)) == [0.5, None]


async def test_block_that_awaits_what_was_cancelled_is_cancelled_with_it(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    leaf = engine.function_task(never_called, name="leaf")()

    @engine.block
    async def awaits() -> None:
        await leaf

    @engine.block
    def returns() -> Any:
        return [leaf]

    blocks = awaits(), returns()
    await hands.received("leaf")
    await turns()
    leaf.cancel()
    for block in blocks:
        with pytest.raises(asyncio.CancelledError):
            await block
        assert block.state == "CANCELLED"


async def test_failed_block_keeps_its_dependents_from_running(engine: WorkflowEngine) -> None:
    @engine.block
    def bad() -> None:
        raise ValueError("wiring")

    after = engine.function_task(never_called, name="after")(bad())
    with pytest.raises(UpstreamFailed, match=r"'bad' .* failed, ValueError: wiring"):
        await after


async def test_block_that_returns_itself_is_a_circle(engine: WorkflowEngine) -> None:
    futures: list[Any] = []
    block = engine.block(lambda: futures, name="ouroboros")
    futures.append(block())
    with pytest.raises(CircularDependency, match=r"'ouroboros' \(#1\) would wait for itself"):
        await futures[0]


async def test_block_that_awaits_itself_is_a_circle(engine: WorkflowEngine) -> None:
    futures: list[Any] = []

    @engine.block
    async def ouroboros() -> None:
        await futures[0]

    futures.append(ouroboros())
    with pytest.raises(CircularDependency, match="would wait for itself"):
        await futures[0]


async def test_block_that_awaits_the_block_around_it_is_a_circle(engine: WorkflowEngine) -> None:
    futures: list[Any] = []

    @engine.block
    async def inner() -> None:
        await futures[0]

    @engine.block
    async def outer() -> None:
        await inner()

    futures.append(outer())
    with pytest.raises(
        CircularDependency, match=r"'inner' \(#2\) would wait for 'outer' \(#1\), inside which"
    ):
        await futures[0]


async def test_task_inside_that_is_given_the_block_around_it_is_a_circle_at_the_call(
    engine: WorkflowEngine,
) -> None:
    futures: list[Any] = []
    caught: list[BaseException] = []

    @engine.block
    async def outer() -> str:
        for given in (futures[0], [futures[0]]):
            with pytest.raises(CircularDependency) as info:
                engine.function_task(never_called, name="leaf")(given)
            caught.append(info.value)
        return "went on"

    futures.append(outer())
    assert await futures[0] == "went on"
    assert len(caught) == 2
    assert "'leaf' (#2) would wait for 'outer' (#1)" in str(caught[0])


async def test_block_that_caught_a_circle_can_go_on(engine: WorkflowEngine) -> None:
    futures: list[Any] = []

    @engine.block
    async def block() -> str:
        try:
            await futures[0]
        except CircularDependency:
            return await engine.block(lambda: "went on")()
        return "no circle"

    futures.append(block())
    assert await futures[0] == "went on"


async def test_task_that_is_given_an_earlier_block_of_the_same_level_is_no_circle(
    threads: WorkflowEngine,
) -> None:
    block = threads.block(lambda value: [threads.submit(int, value)])

    @threads.block
    async def outer() -> Any:
        return block(threads.submit(sum, block("2")))

    assert await outer() == [2]


async def test_block_keeps_name_and_is_shown_as_one(engine: WorkflowEngine) -> None:
    @engine.block(name="pipeline")
    async def anything() -> None: ...

    future = anything()
    assert repr(future).startswith("<TaskFuture pipeline#1")
    await future


async def test_block_cannot_be_given_a_backend_as_it_runs_on_the_loop(engine: WorkflowEngine) -> None:
    with pytest.raises(TypeError, match="the body of a block runs on the event loop"):
        engine.block(lambda: None).with_options(backend="manual")


async def test_the_loop_has_its_turns_while_thousands_inside_of_a_block_are_cancelled_and_nothing_starts(
    engine: WorkflowEngine, hands: ManualBackend
) -> None:
    first = engine.function_task(never_called, name="first")
    others = engine.function_task(never_called, name="others")
    inside: list[TaskFuture[Any]] = []

    @engine.block
    async def many() -> None:
        inside.append(first())
        inside.extend(others(inside[0]) for _ in range(3 * MOST))
        await asyncio.Event().wait()

    block = many()
    while len(inside) < 3 * MOST or not hands.waiting:
        await asyncio.sleep(0)
    block.cancel()
    assert block.cancelled()
    ended, steps = 0, 0
    while not all(future.done() for future in inside):
        await asyncio.sleep(0)
        now = sum(future.done() for future in inside)
        assert now - ended <= 2 * MOST
        ended, steps = now, steps + 1
    assert steps > 3
    await engine.settled(block)
    assert block.state == "CANCELLED" and {future.state for future in inside} == {"CANCELLED"}
    assert "others" not in hands.waiting

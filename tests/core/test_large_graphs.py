"""Graphs that are large in one direction: nothing recurses, and nothing costs more than its share."""

from __future__ import annotations

import gc
import weakref

import pytest

from asyncflow._core.dependents import is_cancelling, tell_more
from asyncflow._core.lanes import MOST, Lane
from asyncflow._core.states import State
from asyncflow._core.story import explain
from asyncflow._core.task import Task
from asyncflow.errors import UpstreamFailed

from .invariants import check_invariants
from .kit import Bench, PlainTask, states

MANY = 100_000
BROKEN = ValueError("need 2 rows")


def chain(bench: Bench, length: int) -> list[Task]:
    tasks = [bench.call()]
    for _ in range(length - 1):
        tasks.append(bench.call(tasks[-1]))
    return tasks


LONG = pytest.mark.parametrize("length", [10_000, pytest.param(MANY, marks=pytest.mark.soak)])


@LONG
@pytest.mark.parametrize("links", [False, True])
def test_a_long_chain_runs(links: bool, length: int) -> None:
    bench = Bench()
    bench.lane = Lane("backend 'thread'", links=links)
    tasks = chain(bench, length)
    while bench.scheduler.live:
        for task in bench.take():
            link: Task | None = task
            while link is not None:
                after = link.link
                bench.scheduler.succeeded(link)
                link = after
    assert {task.state for task in tasks} == {State.SUCCEEDED}


@LONG
@pytest.mark.parametrize("links", [False, True])
@pytest.mark.parametrize("end", ["failed", "cancelled"])
def test_a_long_chain_ends_with_its_head(end: str, links: bool, length: int) -> None:
    bench = Bench()
    bench.lane = Lane("backend 'thread'", links=links)
    tasks = chain(bench, length)
    (head,) = bench.take()
    if end == "failed":
        bench.scheduler.failed(head, BROKEN)
    else:
        bench.scheduler.cancel(head)
    assert bench.ended() == tasks
    for task in bench.stop():
        bench.scheduler.stopped(task)
    assert {task.state for task in tasks[1:]} == {
        State.CANCELLED if end == "cancelled" else State.UPSTREAM_FAILED
    }
    last = tasks[-1].cause
    assert last is not None and last.roots == (head.cause,)
    assert not bench.scheduler.live and bench.lane.taken == 0


def test_everything_of_a_long_failed_chain_can_be_shown_and_collected() -> None:
    bench = Bench()
    tasks = chain(bench, MANY)
    bench.take()
    bench.scheduler.failed(tasks[0], BROKEN)
    bench.ended()
    last = tasks[-1]
    assert last.cause is not None
    error = UpstreamFailed(last.id, last.name, last.cause)
    shown = [
        repr(last),
        repr(last.cause),
        repr(error),
        repr(bench.lane),
        repr(bench.scheduler),
        explain(last),
    ]
    assert max(map(len, shown)) < 500
    assert "fit (#1) -> fit (#2)" in str(error) and f"fit (#{MANY})" in str(error)
    assert len(str(error)) < 1_000
    gone = weakref.ref(error)
    tasks.clear()
    del bench, error, last
    gc.collect()
    assert gone() is None


def test_a_long_waiting_chain_can_be_shown_and_collected() -> None:
    bench = Bench()
    tasks = chain(bench, MANY)
    assert repr(tasks[-1]) == f"<Task fit#{MANY} PENDING>"
    assert "waits for 1 of 1 dependencies" in explain(tasks[-1], tasks[-2:-1])
    before = sum(type(each) is PlainTask for each in gc.get_objects())
    tasks.clear()
    del bench
    gc.collect()
    assert sum(type(each) is PlainTask for each in gc.get_objects()) <= before - MANY


def test_a_task_may_have_100_000_dependencies() -> None:
    bench = Bench()
    above = [bench.call() for _ in range(MANY)]
    task = bench.call(*above)
    assert task.waiting == MANY
    for each in bench.take():
        assert task.state is State.PENDING
        bench.scheduler.succeeded(each)
    assert bench.take() == [task]


def test_a_task_may_have_100_000_root_causes() -> None:
    bench = Bench()
    above = [bench.call() for _ in range(MANY)]
    task = bench.call(*above)
    for each in reversed(bench.take()):
        bench.scheduler.failed(each, BROKEN)
    assert task.state is State.UPSTREAM_FAILED and task.cause is not None
    assert [root.task_id for root in task.cause.roots] == [each.id for each in above]
    error = UpstreamFailed(task.id, task.name, task.cause)
    assert len(str(error)) < 1_000 and len(explain(task)) < 1_000


def test_a_fold_over_20_000_failures_keeps_a_few_references_a_task_and_still_knows_every_root() -> None:
    bench = Bench()
    items, folded = [bench.call()], [bench.call()]
    for _ in range(20_000):
        items.append(bench.call())
        folded.append(bench.call(folded[-1], items[-1]))
    bench.take()
    bench.scheduler.succeeded(folded[0])
    for item in items[1:]:
        bench.scheduler.failed(item, BROKEN)
    last = folded[-1].cause
    assert last is not None
    # whatever a cause holds before anybody has asked for all of the roots
    assert max(len(task.cause.firsts) + len(task.cause.upstream) for task in folded[1:] if task.cause) < 20
    assert [root.task_id for root in last.roots] == [item.id for item in items[1:]]
    assert len(str(UpstreamFailed(folded[-1].id, "fit", last))) < 2_000


def nest(bench: Bench, depth: int) -> list[Task]:
    blocks: list[Task] = []
    for _ in range(depth):
        blocks.append(bench.call(owner=blocks[-1] if blocks else None, is_block=True))
        for task in bench.take():
            bench.scheduler.started(task)
    return blocks


@pytest.mark.parametrize("outermost_first", [True, False])
def test_1_000_nested_blocks_that_are_cancelled_at_once_close_from_inside_outwards(
    outermost_first: bool,
) -> None:
    bench = Bench()
    blocks = nest(bench, 1_000)
    bench.scheduler.cancel(blocks[0])
    # the outermost at once, which was asked to, and of what is inside of it `MOST` at a time
    inmost_first = [*blocks[: -MOST - 1 : -1], blocks[0], *blocks[-MOST - 1 : 0 : -1]]
    assert bench.ended() == inmost_first
    assert bench.stop() == inmost_first
    order = blocks if outermost_first else blocks[::-1]
    for count, block in enumerate(order, start=1):
        if outermost_first:
            assert blocks[0].state is State.CANCELLING  # until the inmost has stopped
        bench.scheduler.stopped(block)
        if not outermost_first:
            assert states([blocks[-count], blocks[0]]) == [
                "CANCELLED",
                "CANCELLED" if count == 1_000 else "CANCELLING",
            ]
    assert {block.state for block in blocks} == {State.CANCELLED}
    check_invariants(bench.scheduler, {block: [] for block in blocks}, [bench.lane])


@pytest.mark.parametrize("how", ["cancelled", "failed", "timed out", "tried again"])
def test_what_is_inside_of_a_block_is_cancelled_500_at_a_time_and_each_state_is_what_it_is(how: str) -> None:
    bench = Bench()
    block = bench.run(is_block=True)
    first = bench.run(owner=block)
    inside = [first, *(bench.call(first, owner=block) for _ in range(3 * MOST))]
    scheduler = bench.scheduler
    if how == "cancelled":
        scheduler.cancel(block)
    elif how == "failed":
        scheduler.failed(block, BROKEN)
    elif how == "timed out":
        scheduler.timed_out(block, BROKEN)
    else:
        scheduler.attempt_failed(block)
    late, done = bench.call(owner=block), 0
    while scheduler.telling:
        assert is_cancelling(scheduler)
        now = sum(task.state is State.CANCELLED for task in inside)
        assert now - done <= MOST
        assert {task.state for task in inside[1 : len(inside) - now]} <= {State.PENDING}
        check_invariants(
            scheduler, {block: [], late: [], first: []} | {task: [first] for task in inside[1:]}, [bench.lane]
        )
        done = now
        tell_more(scheduler)
    assert {task.state for task in inside[1:]} == {State.CANCELLED}
    assert late.state is State.CANCELLED  # though it was called after the first were cancelled
    assert first.state is State.CANCELLING
    scheduler.stopped(first)
    if how in ("cancelled", "timed out"):
        scheduler.stopped(block)
    assert not is_cancelling(scheduler) and not scheduler.closing
    assert list(scheduler.live) == ([block.id] if how == "tried again" else [])


def test_1_000_nested_blocks_hand_what_is_left_outwards_one_by_one() -> None:
    bench = Bench()
    blocks = nest(bench, 1_000)
    left = bench.run(owner=blocks[-1])
    for block in reversed(blocks):
        assert left.owner is block
        bench.scheduler.succeeded(block)
    assert left.owner is None
    assert bench.scheduler.live == {left.id: left}


def test_an_exception_that_leaves_the_outermost_of_1_000_blocks_stops_all_of_them() -> None:
    bench = Bench()
    blocks = nest(bench, 1_000)
    bench.scheduler.failed(blocks[0], BROKEN)
    bench.ended()
    assert states(blocks[:2]) == ["FAILED", "CANCELLING"]
    for block in blocks[1:]:
        bench.scheduler.stopped(block)
    assert {block.state for block in blocks[1:]} == {State.CANCELLED}
    assert not bench.scheduler.live and not bench.scheduler.closing

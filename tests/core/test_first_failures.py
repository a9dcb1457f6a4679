"""With ``on_failure="stop"`` the first failure stops all inside of a block, or all of a run, and nothing else."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core import joins
from asyncflow._core.first_failures import stopped_around
from asyncflow._core.joins import KIND, Join
from asyncflow._core.options import BlockOptions
from asyncflow._core.scheduler import Scheduler
from asyncflow._core.states import State
from asyncflow._core.task import Definition, Task

from .kit import Bench, PlainTask, body, states

BROKEN = ValueError("broken")


class StopBench(Bench):
    """A bench with blocks that stop, or a run that does."""

    def __init__(self, stops: bool = False) -> None:
        super().__init__()
        self.scheduler = Scheduler(stops)

    def block(self, *, owner: Task | None = None, stops: bool = False, retries: int = 0) -> Task:
        self.count += 1
        options = BlockOptions(on_failure="stop" if stops else "continue", retries=retries)
        block = PlainTask(self.count, Definition(body, "block", options), self.lane, (), {}, None, owner)
        self.dependencies[block] = ()
        self.scheduler.called(block, ())
        for taken in self.take():
            self.scheduler.started(taken)
        return block

    def join(self, *sources: Task, needed: int | None = None, takes_failures: bool = True) -> Task:
        self.count += 1
        task = PlainTask(self.count, Definition(body, KIND, name="join"), self.lane, sources, {}, None)
        joins.called(self.scheduler, task, Join(sources, needed, takes_failures=takes_failures))
        return task

    def fail(self, task: Task) -> list[Any]:
        """A task fails. Returns the blocks that are to fail with it, and the failures."""
        self.scheduler.failed(task, BROKEN)
        self.scheduler.first_failures, failures = [], self.scheduler.first_failures
        return [(block, first.task_id) for block, first in failures]


def first_of(task: Task) -> int | None:
    """Because of whose failure a task was cancelled."""
    assert task.cause is not None
    return None if task.cause.stopped_by is None else task.cause.stopped_by.task_id


def test_nothing_stops_by_default() -> None:
    bench = StopBench()
    block = bench.block()
    task, other = bench.run(owner=block), bench.run(owner=block)
    assert bench.fail(task) == []
    assert states([other, block]) == ["RUNNING", "RUNNING"]


def test_a_failure_stops_all_inside_of_the_block_and_nothing_outside() -> None:
    bench = StopBench()
    outside = bench.run()
    block = bench.block(stops=True)
    inner = bench.block(owner=block)
    task, running = bench.run(owner=inner), bench.run(owner=block)
    waiting, behind = bench.call(running, owner=block), bench.call(task, owner=inner)
    assert bench.fail(task) == [(block, task.id)]
    assert states([running, waiting, inner]) == ["CANCELLING", "CANCELLED", "CANCELLING"]
    assert {first_of(each) for each in (running, waiting, inner)} == {task.id}
    assert behind.state is State.UPSTREAM_FAILED  # it was not stopped: it could not have run
    assert states([outside, block]) == ["RUNNING", "RUNNING"]
    assert stopped_around(bench.scheduler, inner) is task.cause
    assert stopped_around(bench.scheduler, None) is None


def test_the_first_of_two_failures_counts() -> None:
    bench = StopBench()
    block = bench.block(stops=True)
    one, two = bench.run(owner=block), bench.run(owner=block)
    assert bench.fail(one) == [(block, one.id)]
    assert bench.fail(two) == []
    assert first_of(two) == one.id


def test_running_out_of_time_is_a_failure_and_a_cancel_and_a_skip_are_none() -> None:
    bench = StopBench()
    block = bench.block(stops=True)
    tasks = [bench.run(owner=block) for _ in range(4)]
    bench.scheduler.cancel(tasks[0])
    bench.scheduler.skipped(tasks[1], "no rows")
    assert not bench.scheduler.first_failures
    bench.scheduler.timed_out(tasks[2], TimeoutError())
    assert [first.task_id for _, first in bench.scheduler.first_failures] == [tasks[2].id]
    assert tasks[3].state is State.CANCELLING


def test_the_innermost_block_that_stops_is_stopped_and_what_is_around_it_when_it_fails_itself() -> None:
    bench = StopBench()
    outer = bench.block(stops=True)
    inner = bench.block(owner=outer, stops=True)
    beside, task = bench.run(owner=outer), bench.run(owner=inner)
    assert bench.fail(task) == [(inner, task.id)]
    assert beside.state is State.RUNNING
    bench.scheduler.timed_out(inner, BROKEN)  # as the runtime has it
    assert [(block.id, first.task_id) for block, first in bench.scheduler.first_failures] == [
        (outer.id, inner.id)
    ]
    assert beside.state is State.CANCELLING


def test_what_may_be_tried_again_counts_as_a_whole() -> None:
    bench = StopBench()
    outer = bench.block(stops=True)
    again = bench.block(owner=outer, retries=1)
    task = bench.run(owner=again)
    assert bench.fail(task) == []
    assert bench.fail(again) == [(outer, again.id)]


def test_the_next_attempt_of_a_block_may_call_again() -> None:
    bench = StopBench()
    block = bench.block(stops=True, retries=1)
    assert bench.fail(bench.run(owner=block)) != []
    assert stopped_around(bench.scheduler, block) is not None
    bench.scheduler.attempt_failed(block)
    assert stopped_around(bench.scheduler, block) is None


def test_a_run_stops_with_all_and_the_outermost_block_fails() -> None:
    bench = StopBench(stops=True)
    outside, queued = bench.run(), bench.call()
    outer = bench.block()
    inner = bench.block(owner=outer)
    task = bench.run(owner=inner)
    assert bench.fail(task) == [(outer, task.id)]
    assert states([outside, inner, outer]) == ["CANCELLING", "CANCELLING", "RUNNING"]
    assert queued.state in (State.CANCELLED, State.CANCELLING)
    assert stopped_around(bench.scheduler, None) is task.cause


@pytest.mark.parametrize("needed", [None, 1])
def test_a_failure_that_somebody_takes_stops_nothing(needed: int | None) -> None:
    bench = StopBench(stops=True)
    task, other = bench.run(), bench.run()
    bench.join(task, other, needed=needed)
    assert bench.fail(task) == []
    assert other.state is State.RUNNING


def test_it_is_enough_that_everything_which_fails_with_it_is_taken() -> None:
    bench = StopBench(stops=True)
    task, other = bench.run(), bench.run()
    middle = bench.call(task)
    bench.join(bench.call(middle))
    assert bench.fail(task) == []
    bench.join(bench.call(other))
    bench.call(other)  # which nobody takes
    assert bench.fail(other) != []


def test_a_join_that_lets_failures_pass_takes_none() -> None:
    bench = StopBench(stops=True)
    task = bench.run()
    bench.join(task, takes_failures=False)
    assert bench.fail(task) != []


def test_who_takes_what_a_block_comes_to_takes_what_fails_inside_of_it() -> None:
    bench = StopBench(stops=True)
    block = bench.block()
    bench.join(block)
    task = bench.run(owner=block)
    assert bench.fail(task) == []
    assert bench.fail(block) == []


def test_a_join_for_which_too_few_succeed_is_a_failure_by_the_first_of_them() -> None:
    bench = StopBench(stops=True)
    one, two, other = bench.run(), bench.run(), bench.run()
    join = bench.join(one, two, needed=1)
    assert bench.fail(one) == bench.fail(two) == []
    assert one.cause is not None and two.cause is not None
    from asyncflow.errors import Cause

    bench.scheduler.without_value(join, Cause(join.id, "join", 0, None, (one.cause, two.cause)))
    assert [first.task_id for _, first in bench.scheduler.first_failures] == [one.id]
    assert other.state is State.CANCELLING


@examples(200)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_after_the_first_failure_nothing_of_what_it_reaches_goes_on(random: Random, size: int) -> None:
    bench = StopBench(stops=random.random() < 0.3)
    blocks: list[Task | None] = [None]
    tasks: list[Task] = []
    inside: dict[int, Task | None] = {}
    for _ in range(size):
        owner = random.choice(blocks)
        if random.random() < 0.3:
            block = bench.block(owner=owner, stops=random.random() < 0.5)
            inside[block.id] = owner
            blocks.append(block)
        else:
            earlier = random.sample(tasks, min(len(tasks), random.randrange(3)))
            tasks.append(bench.call(*earlier, owner=owner))
            inside[tasks[-1].id] = owner
        for taken in bench.take():
            bench.scheduler.started(taken)
    running = [each for each in tasks if each.state is State.RUNNING]
    if not running:
        return
    task = random.choice(running)
    around = inside[task.id]
    while around is not None and not around.definition.stops:
        around = inside[around.id]
    bench.fail(task)
    everything = [each for each in (*tasks, *blocks) if each is not None and each is not task]
    for each in everything:
        stands_in, block = inside[each.id], False
        while stands_in is not None:
            block = block or stands_in is around
            stands_in = inside[stands_in.id]
        is_reached = block if around is not None else bench.scheduler.stops
        if is_reached and each is not (bench.scheduler.stopped_by and _outermost(task, inside)):
            assert each.state in (State.CANCELLED, State.CANCELLING, State.UPSTREAM_FAILED), each
        elif each.state is State.CANCELLED or each.state is State.CANCELLING:
            assert each.cause is not None and each.cause.upstream, each  # of what was stopped


def _outermost(task: Task, inside: dict[int, Task | None]) -> Task | None:
    block, around = None, inside[task.id]
    while around is not None:
        block, around = around, inside[around.id]
    return block

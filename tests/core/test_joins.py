"""Joins go by how tasks end, whatever that is and in whatever order it happens; nothing is run for them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from profiles import examples

from asyncflow._core import joins
from asyncflow._core.dependents import tell_more
from asyncflow._core.joins import KIND, Join
from asyncflow._core.mending import mend
from asyncflow._core.states import State
from asyncflow._core.task import Definition, Task
from asyncflow.errors import Cause

from .invariants import check_invariants
from .kit import Bench, PlainTask, body, states

ENDS = ["succeeds", "fails", "is cancelled", "is skipped", "times out"]


class JoinBench(Bench):
    """A bench with joins, which are decided as the runtime would."""

    def join(self, *sources: Task, needed: int | None = None, owner: Task | None = None) -> Task:
        self.count += 1
        task = PlainTask(
            self.count, Definition(body, KIND, name="join"), self.lane, sources, {}, None, owner=owner
        )
        self.dependencies[task] = sources
        joins.called(self.scheduler, task, Join(sources, needed))
        return task

    def decide(self) -> list[Task]:
        """Those that are decided since this was asked last, each with its end."""
        self.ended()
        self.scheduler.returned, decided = [], self.scheduler.returned
        for task in decided:
            if task.state is not State.PENDING:
                continue  # cancelled meanwhile
            assert task.rare is not None and task.rare.join is not None
            join = task.rare.join
            if join.needed is None or join.first:
                joins.succeeded(self.scheduler, task)
            else:
                bad = {each.id: each.cause for each in join.sources if each.cause is not None}
                causes = tuple(bad[number] for number in sorted(bad))
                self.scheduler.without_value(task, Cause(task.id, task.name, 0, None, causes))
        return decided

    def end(self, task: Task, how: str) -> None:
        """A task that has started ends."""
        if how == "succeeds":
            self.scheduler.succeeded(task)
        elif how == "fails":
            self.scheduler.failed(task, ValueError(task.id))
        elif how == "is skipped":
            self.scheduler.skipped(task, "no rows")
        elif how == "is cancelled":
            self.scheduler.cancel(task)
        else:
            self.scheduler.timed_out(task, TimeoutError(task.id))


def first_of(task: Task) -> list[Task]:
    assert task.rare is not None and task.rare.join is not None
    return list(task.rare.join.first)


@pytest.mark.parametrize("how", ENDS)
def test_a_join_of_one_is_decided_by_any_end_and_what_depends_on_it_can_run(how: str) -> None:
    bench = JoinBench()
    task = bench.run()
    join = bench.join(task)
    after = bench.call(join)
    assert states([join, after]) == ["PENDING", "PENDING"]
    bench.end(task, how)
    assert bench.decide() == [join]
    assert states([join, after]) == ["SUCCEEDED", "READY"]


@pytest.mark.parametrize("how", ENDS)
def test_a_join_may_come_after_the_end(how: str) -> None:
    bench = JoinBench()
    task = bench.run()
    bench.end(task, how)
    join = bench.join(task)
    assert bench.decide() == [join]
    assert join.state is State.SUCCEEDED


@pytest.mark.parametrize("how", ENDS)
def test_the_end_of_what_depends_on_the_failure_is_joined_as_well(how: str) -> None:
    bench = JoinBench()
    task = bench.run()
    last = bench.call(bench.call(task))
    join = bench.join(last)
    bench.end(task, how)
    if how == "succeeds":
        for _ in range(2):
            (ready,) = bench.take()
            bench.end(ready, how)
    assert bench.decide() == [join]


def test_a_join_has_what_it_needs_with_the_first_that_succeed_and_not_with_later_ones() -> None:
    bench = JoinBench()
    tasks = [bench.run() for _ in range(4)]
    join = bench.join(*tasks, needed=2)
    bench.end(tasks[3], "succeeds")
    bench.end(tasks[0], "fails")
    assert not bench.scheduler.returned
    bench.end(tasks[2], "succeeds")
    bench.end(tasks[1], "succeeds")  # before the runtime comes to it
    assert first_of(join) == [tasks[2], tasks[3]]
    assert bench.decide() == [join]


def test_a_join_fails_as_soon_as_too_few_can_succeed_with_all_causes() -> None:
    bench = JoinBench()
    tasks = [bench.run() for _ in range(4)]
    join = bench.join(*tasks, needed=3)
    bench.end(tasks[2], "fails")
    assert not bench.scheduler.returned
    bench.end(tasks[1], "is skipped")
    assert bench.decide() == [join]
    assert join.state is State.UPSTREAM_FAILED
    assert [root.task_id for root in join.cause.roots] == [2, 3]  # type: ignore[union-attr]
    bench.end(tasks[0], "fails")
    assert bench.decide() == []


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        (["fails", "is cancelled", "is skipped"], State.UPSTREAM_FAILED),
        (["is cancelled", "is skipped"], State.CANCELLED),
        (["is skipped", "is skipped"], State.SKIPPED),
    ],
)
def test_what_a_join_comes_to_for_which_none_succeeds_is_the_worst_of_the_ends(
    ends: list[str], state: State
) -> None:
    bench = JoinBench()
    tasks = [bench.run() for _ in ends]
    join = bench.join(*tasks, needed=1)
    for task, how in zip(tasks, ends, strict=True):
        bench.end(task, how)
    bench.decide()
    assert join.state is state


def test_a_cancelled_join_leaves_its_sources_alone_and_cancels_what_depends_on_it() -> None:
    bench = JoinBench()
    task = bench.run()
    join = bench.join(task)
    after = bench.call(join)
    bench.scheduler.cancel(join)
    assert states([task, join, after]) == ["RUNNING", "CANCELLED", "CANCELLED"]
    bench.end(task, "fails")
    assert bench.decide() == []


def test_a_block_takes_its_joins_along() -> None:
    bench = JoinBench()
    outside = bench.run()
    block = bench.run(is_block=True)
    join = bench.join(outside, owner=block)
    bench.scheduler.failed(block, ValueError("broken"))
    assert states([outside, join]) == ["RUNNING", "CANCELLED"]


def test_a_join_counts_again_when_a_step_was_cut_short() -> None:
    bench = JoinBench()
    tasks = [bench.run() for _ in range(3)]
    whole, two = bench.join(*tasks), bench.join(*tasks, needed=2)
    bench.end(tasks[0], "succeeds")
    whole.waiting, two.waiting = 7, 0
    mend(bench.scheduler, [bench.lane], lambda task: bench.dependencies[task])
    assert (whole.waiting, two.waiting) == (2, 1)
    bench.end(tasks[1], "fails")
    bench.end(tasks[2], "succeeds")
    assert first_of(two) == [tasks[0], tasks[2]]
    assert set(bench.decide()) == {whole, two}


# -- whatever the order -----------------------------------------------------------------------------------


@st.composite
def plans(draw: st.DrawFn) -> list[tuple[list[int], str, int | None]]:
    """Of each node, on which earlier ones it depends, how it ends if it is a task, and what a join needs."""
    plan: list[tuple[list[int], str, int | None]] = []
    for number in range(draw(st.integers(1, 25))):
        earlier = draw(st.lists(st.integers(0, number - 1), max_size=4)) if number else []
        kind = draw(st.sampled_from(["task", "task", "all", "some"])) if earlier else "task"
        end = draw(st.sampled_from(ENDS)) if kind == "task" else kind
        plan.append((earlier, end, draw(st.integers(1, len(earlier))) if kind == "some" else None))
    return plan


@examples(300)
@given(plans(), st.randoms(use_true_random=False), st.integers(0, 30))
def test_all_joins_come_to_what_their_sources_came_to_in_whatever_order(
    plan: list[tuple[list[int], str, int | None]], random: Random, called_at_first: int
) -> None:
    bench = JoinBench()
    scheduler = bench.scheduler
    nodes: list[Task] = []
    under_way: list[Task] = []

    def something_happens() -> None:
        under_way.extend(bench.take())
        choice = random.randrange(3)
        if scheduler.telling and choice:
            tell_more(scheduler)
        elif scheduler.returned and not scheduler.telling and choice:
            bench.decide()
        elif under_way:
            task = under_way.pop(random.randrange(len(under_way)))
            if task.state is State.CANCELLING:
                scheduler.stopped(task)
            else:
                bench.end(task, plan[nodes.index(task)][1])
                if task.state is State.CANCELLING:
                    under_way.append(task)
        check_invariants(scheduler, {each: bench.dependencies[each] for each in nodes}, [bench.lane])

    for earlier, end, needed in plan:
        if len(nodes) >= called_at_first:
            something_happens()
        sources = [nodes[each] for each in earlier]
        nodes.append(bench.call(*sources) if end in ENDS else bench.join(*sources, needed=needed))
    while scheduler.live:
        something_happens()
    for node, (earlier, end, needed) in zip(nodes, plan, strict=True):
        good = [each for each in earlier if nodes[each].state is State.SUCCEEDED]
        if end == "all":
            assert node.state is State.SUCCEEDED
        elif needed is not None:
            assert (node.state is State.SUCCEEDED) == (len(good) >= needed)
            assert len(first_of(node)) == (needed if node.state is State.SUCCEEDED else 0)
            assert {each.state for each in first_of(node)} <= {State.SUCCEEDED}
        elif len(good) < len(earlier):
            assert node.state in (State.UPSTREAM_FAILED, State.CANCELLED, State.SKIPPED)

"""Kept results: who goes on at once, who waits for the fetch, and what follows when a result is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from asyncflow._core import arguments, fetches, joins
from asyncflow._core.joins import KIND, Join
from asyncflow._core.kept import Keeping, has_value, is_lost, keep
from asyncflow._core.lanes import Lane
from asyncflow._core.mending import mend
from asyncflow._core.states import State
from asyncflow._core.story import explain
from asyncflow._core.task import Definition, Task
from asyncflow.errors import Cause

from .kit import Bench, PlainTask, body, definition, states


@dataclass
class Payload:
    """Stands for a kept result."""

    node: str = "node7"
    size: int = 10


class KeptBench(Bench):
    """A bench with another place, whose tasks have their dependencies among their arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere = Lane("backend 'other'")

    def takes(self, *dependencies: Task, lane: Lane | None = None) -> Task:
        """A call with the values of others among its arguments."""
        self.count += 1
        task = self._made(dependencies, lane)
        task.holes = arguments.ALL
        self.dependencies[task] = dependencies
        self.scheduler.called(task, dependencies)
        return task

    def follows(self, *dependencies: Task, lane: Lane | None = None) -> Task:
        """A call that comes after others, and takes no value of theirs."""
        self.count += 1
        task = self._made((), lane)
        task.after = dependencies
        self.dependencies[task] = dependencies
        self.scheduler.called(task, dependencies)
        return task

    def _made(self, args: tuple[Any, ...], lane: Lane | None) -> Task:
        return PlainTask(self.count, definition(), lane or self.lane, args, {})

    def kept(self, task: Task) -> Keeping:
        """A task that runs is over, and its result stays where it is."""
        keeping = Keeping(task.lane.place, Payload(), self.scheduler.wanted)
        keep(self.scheduler, task, keeping)
        return keeping


def lost(task: Task) -> Cause:
    return Cause(task.id, task.name, 1, LookupError("node7 is gone"))


def test_who_takes_it_where_it_is_goes_on_and_all_others_wait_for_the_fetch() -> None:
    bench = KeptBench()
    maker = bench.run()
    here, there = bench.takes(maker), bench.takes(maker, lane=bench.elsewhere)
    after = bench.follows(maker, lane=bench.elsewhere)
    keeping = bench.kept(maker)
    late = [bench.takes(maker), bench.takes(maker, lane=bench.elsewhere), bench.follows(maker)]
    assert maker.state is State.SUCCEEDED
    assert states([here, there, after]) == ["READY", "PENDING", "READY"]
    assert states(late) == ["READY", "PENDING", "READY"]
    assert bench.scheduler.wanted == [keeping]
    fetches.fetched(bench.scheduler, keeping, "value")
    assert states([there, late[1]]) == ["READY", "READY"]
    assert keeping.value == "value"
    assert has_value(maker)


def test_nothing_is_fetched_that_nobody_needs_here() -> None:
    bench = KeptBench()
    maker = bench.run()
    bench.takes(maker)
    bench.follows(maker, lane=bench.elsewhere)
    bench.kept(maker)
    assert bench.scheduler.wanted == []
    assert not has_value(maker)


def test_it_is_asked_for_once_however_many_need_it() -> None:
    bench = KeptBench()
    maker = bench.run()
    first = [bench.takes(maker, maker, lane=bench.elsewhere) for _ in range(3)]
    keeping = bench.kept(maker)
    more = [bench.takes(maker, lane=bench.elsewhere) for _ in range(3)]
    assert bench.scheduler.wanted == [keeping]
    fetches.fetched(bench.scheduler, keeping, None)
    assert states([*first, *more]) == ["READY"] * 6
    assert states([bench.takes(maker, lane=bench.elsewhere)]) == ["READY"]


def test_what_needs_another_result_too_waits_for_both() -> None:
    bench = KeptBench()
    one, other = bench.run(), bench.run()
    task = bench.takes(one, other, lane=bench.elsewhere)
    keeping = bench.kept(one)
    fetches.fetched(bench.scheduler, keeping, 1)
    assert task.state is State.PENDING
    assert "1 of 2" in explained(task, [one, other])
    fetches.fetched(bench.scheduler, bench.kept(other), 2)
    assert task.state is State.READY


def explained(task: Task, dependencies: list[Task]) -> str:
    return explain(task, dependencies)


def test_a_cancelled_dependent_is_not_begun_by_the_fetch() -> None:
    bench = KeptBench()
    maker = bench.run()
    task, other = (bench.takes(maker, lane=bench.elsewhere) for _ in range(2))
    keeping = bench.kept(maker)
    bench.scheduler.cancel(task)
    fetches.fetched(bench.scheduler, keeping, 1)
    assert states([task, other]) == ["CANCELLED", "READY"]


@pytest.mark.parametrize("is_late", [False, True])
def test_what_waits_for_a_lost_result_does_not_run(is_late: bool) -> None:
    bench = KeptBench()
    maker = bench.run()
    keeping = None
    if is_late:
        keeping = bench.kept(maker)
    task = bench.takes(maker, lane=bench.elsewhere)
    after = bench.takes(task)
    keeping = keeping or bench.kept(maker)
    fetches.lost(bench.scheduler, keeping, lost(maker))
    bench.ended()
    later = [bench.takes(maker), bench.takes(maker, lane=bench.elsewhere), bench.follows(maker)]
    assert states([task, after, *later]) == ["UPSTREAM_FAILED"] * 5
    assert is_lost(maker)
    assert maker.state is State.SUCCEEDED
    assert task.cause is not None
    assert [root.task_id for root in task.cause.roots] == [maker.id]
    assert not has_value(maker)


@pytest.mark.parametrize("has_started", [False, True])
def test_a_submitted_task_whose_input_is_lost_did_not_run(has_started: bool) -> None:
    bench = KeptBench()
    maker = bench.run()
    task = bench.takes(maker)
    after = bench.takes(task)
    bench.kept(maker)
    bench.take()
    if has_started:
        bench.scheduler.started(task)
    fetches.cannot_run(bench.scheduler, task, lost(maker))
    bench.ended()
    assert states([task, after]) == ["UPSTREAM_FAILED", "UPSTREAM_FAILED"]
    assert bench.scheduler.live == {}
    assert bench.lane.taken == 0


def test_a_submitted_task_that_is_being_cancelled_is_cancelled_though_its_input_is_lost() -> None:
    bench = KeptBench()
    maker = bench.run()
    task = bench.takes(maker)
    bench.kept(maker)
    bench.take()
    bench.scheduler.cancel(task)
    fetches.cannot_run(bench.scheduler, task, lost(maker))
    assert task.state is State.CANCELLED
    assert bench.scheduler.live == {}


def test_a_link_of_a_chain_has_the_value_there_and_waits_for_no_fetch() -> None:
    bench = KeptBench()
    bench.lane.links = True
    maker = bench.takes()
    link = bench.takes(maker)
    bench.take()
    assert (maker.link, link.state) == (link, State.SUBMITTED)
    link.holes = maker  # as the runtime has it, of what is submitted behind another
    bench.kept(maker)
    assert link.state is State.SUBMITTED
    assert bench.scheduler.wanted == []


def test_what_waits_for_a_fetch_waits_on_when_a_step_was_cut_short() -> None:
    bench = KeptBench()
    maker, other = bench.run(), bench.run()
    task = bench.takes(maker, maker, other, lane=bench.elsewhere)
    keeping = bench.kept(maker)
    lanes = bench.lane, bench.elsewhere
    for _ in range(2):  # asked for, and on its way
        mend(bench.scheduler, lanes, lambda task: task.args)
        assert (task.state, task.waiting) == (State.PENDING, 3)
        bench.scheduler.fetching.update(bench.scheduler.wanted)
        bench.scheduler.wanted.clear()
    bench.scheduler.succeeded(other)
    mend(bench.scheduler, lanes, lambda task: task.args)
    assert (task.state, task.waiting) == (State.PENDING, 2)
    fetches.fetched(bench.scheduler, keeping, 1)
    assert task.state is State.READY
    assert not bench.scheduler.fetching


def test_a_join_that_waits_for_a_fetch_waits_once_when_a_step_was_cut_short() -> None:
    bench = KeptBench()
    maker = bench.run()
    keeping = bench.kept(maker)
    bench.count += 1
    join = PlainTask(bench.count, Definition(body, KIND, name="join"), bench.lane, (maker,), {})
    joins.called(bench.scheduler, join, Join([maker], 1))
    assert join.waiting == 1
    mend(bench.scheduler, [bench.lane], lambda task: ())
    assert len(keeping.dependents) == join.waiting == 1
    fetches.fetched(bench.scheduler, keeping, 1)
    assert bench.scheduler.returned == [join]

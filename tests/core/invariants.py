"""What has to be true of a scheduler between any two events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy

from asyncflow._core.lanes import Lane
from asyncflow._core.limits import Limit, Queue
from asyncflow._core.scheduler import Scheduler
from asyncflow._core.states import State
from asyncflow._core.task import Task, each_of

HAS_SLOT = {State.SUBMITTED, State.RUNNING, State.CANCELLING}
UNDECIDED = {State.PENDING, State.READY, State.SUBMITTED, State.RUNNING}


def check_invariants(
    scheduler: Scheduler, dependencies: Mapping[Task, Sequence[Task]], lanes: Iterable[Lane]
) -> None:
    """Raise `AssertionError` if anything about a scheduler is not as it has to be.

    Args:
        scheduler: of which nothing was taken away but commands.
        dependencies: of each task that was ever called; of a block whose body is over, what it returned.
        lanes: all that tasks were called for.
    """
    where = {task: task.state for task in dependencies}
    untold = Counter(each.id for _, rest in scheduler.telling for each in copy(rest))
    live = {task for task, state in where.items() if not state.terminal}
    assert set(scheduler.live.values()) == live
    assert all(number == task.id for number, task in scheduler.live.items())
    for task, state in where.items():
        if state.terminal:
            _holds_nothing(task)
        elif state in UNDECIDED:
            _counts_right(task, dependencies[task], untold[task.id])
        _keeps_its_children(task, scheduler)
    _are_told(live, dependencies)
    for lane in lanes:
        _is_in_order(lane, where, scheduler)
    for number in scheduler.closing:
        assert scheduler.live[number].state is State.CANCELLING
        assert scheduler.live[number].children


def _holds_nothing(task: Task) -> None:
    assert not task.args and not task.kwargs and not task.after, task
    assert task.context is task.dependents is task.holes is task.blames is None, task
    assert task.owner is task.link is None, task
    assert (task.cause is None) == (task.state is State.SUCCEEDED), task


def _counts_right(task: Task, dependencies: Sequence[Task], untold: int) -> None:
    """It waits for what is undecided, and for what has no value if it has not been told so."""
    join = None if task.rare is None else task.rare.join
    if join is not None and join.needed is not None:
        succeeded = sum(each.state is State.SUCCEEDED for each in dependencies)
        bad = sum(each.state not in UNDECIDED for each in dependencies) - succeeded - untold
        assert max(0, task.waiting) == max(0, join.needed - succeeded), task
        assert join.spare == len(dependencies) - join.needed - bad, task
        return
    assert task.waiting == sum(dependency.state in UNDECIDED for dependency in dependencies) + untold, task
    if join is not None:
        return  # it is decided, perhaps, and the runtime has not come to it
    if task.state is State.PENDING:
        assert task.waiting, task
    elif task.state is State.READY:
        assert not task.waiting, task
    elif task.waiting and not task.definition.is_block:
        _is_in_a_chain(task, dependencies)


def _is_in_a_chain(task: Task, dependencies: Sequence[Task]) -> None:
    """It was submitted behind the one thing that it still waits for, to the same place."""
    (before,) = (each for each in dependencies if each.state in UNDECIDED)
    assert task.lane.links and task.lane is before.lane, task
    assert each_of(before.dependents)[0] is task, task


def _are_told(live: set[Task], dependencies: Mapping[Task, Sequence[Task]]) -> None:
    """Who waits for something is told of its end, as often as it waits for it."""
    told = Counter[tuple[int, int]]()
    for task in live:
        for dependent in each_of(task.dependents):
            told[task.id, dependent.id] += 1
    for task in live:
        if task.state in UNDECIDED:
            awaited = Counter(each.id for each in dependencies[task] if each.state in UNDECIDED)
            for number, times in awaited.items():
                assert told[number, task.id] == times, task


def _keeps_its_children(task: Task, scheduler: Scheduler) -> None:
    for number, child in (task.children or {}).items():
        assert child.id == number and child.owner is task and number in scheduler.live, (task, child)
    if task.owner is not None:
        assert task.owner.children is not None and task.owner.children[task.id] is task, task


def _is_in_order(lane: Lane, where: dict[Task, State], scheduler: Scheduler) -> None:
    here = [task for task in where if task.lane is lane]
    held = Counter(task for task in lane.ready if where[task] is State.READY)
    assert held == Counter(task for task in here if where[task] is State.READY and not task.is_held), (
        lane.place
    )
    if lane.is_gate:
        waiting = sum(where[task] is State.READY and task.is_held for task in here)
        assert lane.held == waiting, lane.place
    assert all(where[task] is State.READY or where[task].terminal for task in lane.ready), lane.place
    assert lane.taken == sum(where[task] in HAS_SLOT for task in here), lane.place
    full = lane.capacity is not None and lane.taken >= lane.capacity
    assert lane.capacity is None or lane.taken <= lane.capacity, lane.place
    assert scheduler.lanes.due.count(lane) == lane.is_due, lane.place
    assert lane.is_due or full or not held, lane.place


def check_limits(
    scheduler: Scheduler, tasks: Iterable[Task], limits: Iterable[Limit], queue: Queue[Task]
) -> None:
    """Raise `AssertionError` if a limit is exceeded, or held by a task that does not run and is not about to.

    Args:
        scheduler: whose tasks use limits.
        tasks: all that were ever called.
        limits: that they use.
        queue: of those that wait for limits.
    """
    used = Counter[str]()
    for task in tasks:
        if task.amounts is not None:
            assert task.state in HAS_SLOT | {State.READY} and not task.is_held, task
            for limit, weight in task.amounts.items():
                used[limit.name] += int(weight)
    for limit in limits:
        assert limit.concurrency is not None
        assert limit.used == used[limit.name] <= limit.concurrency, limit
    if not scheduler.lanes.left:
        waiting = [task for task in tasks if task.lane.is_gate and task.is_held and task.state is State.READY]
        assert len(queue) == len(waiting)
        assert all(task in queue for task in waiting)

"""What has to be true of a scheduler between any two events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from copy import copy

from asyncflow._core.gates import Admission, is_waiting, used_by
from asyncflow._core.lanes import Lane
from asyncflow._core.limits import Limit
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
    untold = Counter(
        each.id for bad, rest in scheduler.telling if isinstance(bad, Task) for each in copy(rest)
    )
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
    admitted = () if lane.admission is None else lane.admission.admitted
    queued = [*lane.unblocked, *lane.ready, *admitted]
    assert lane.is_due or not lane.unblocked, lane.place
    held = Counter(task for task in queued if where[task] is State.READY)
    assert held == Counter(task for task in here if where[task] is State.READY and not task.is_held), (
        lane.place
    )
    assert all(where[task] is State.READY or where[task].terminal for task in queued), lane.place
    assert sum(where[task].terminal for task in lane.ready) <= lane.dropped, lane.place
    assert lane.taken == sum(where[task] in HAS_SLOT for task in here), lane.place
    full = lane.capacity is not None and lane.taken >= lane.capacity
    assert lane.capacity is None or lane.taken <= lane.capacity, lane.place
    assert scheduler.lanes.due.count(lane) == lane.is_due, lane.place
    if lane.admission is not None:
        _is_gate_in_order(lane, lane.admission, here)
        full = lane in lane.admission.slots.wanted_by
    assert lane.is_due or full or not held, lane.place


def _is_gate_in_order(gate: Lane, admission: Admission, here: list[Task]) -> None:
    """It is due if anything is to be given back, and who waits for slots does not wait while there are any."""
    slots = admission.slots
    assert admission.held == sum(is_waiting(task) for task in here), gate.place
    assert admission.counted == gate.taken or gate.is_due, gate.place
    assert slots.window is None or slots.taken <= slots.window, gate.place
    assert not slots.wanted_by or slots.free <= 0, gate.place


def check_limits(
    scheduler: Scheduler, tasks: Iterable[Task], limits: Iterable[Limit], gates: Iterable[Lane]
) -> None:
    """Raise `AssertionError` if a limit is exceeded, or held by a task that does not run and is not about to.

    Args:
        scheduler: whose tasks use limits.
        tasks: all that were ever called.
        limits: that they use.
        gates: all lanes in which they are called.
    """
    used, uncounted = Counter[str](), Counter[str]()
    for task in tasks:
        assert used_by(task) is None or (task.state in HAS_SLOT | {State.READY} and not task.is_held), task
        for limit, weight in (used_by(task) or {}).items():
            used[limit.name] += int(weight)
    for gate in gates:
        assert gate.admission is not None
        for limit, weight in (gate.admission.amounts or {}).items():
            uncounted[limit.name] += int(weight) * (gate.admission.counted - gate.taken)
    for limit in limits:
        assert limit.concurrency is not None
        assert limit.used == used[limit.name] + uncounted[limit.name] <= limit.concurrency, limit
    waiting = [task for task in tasks if is_waiting(task)]
    assert len(scheduler.lanes.queue) == len(waiting)
    assert all(task in scheduler.lanes.queue for task in waiting)

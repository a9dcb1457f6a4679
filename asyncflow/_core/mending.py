"""Puts right what a step that was cut short has left undone: Ctrl-C, as Python's shells have it, comes out of the loop
between any two instructions, and the loop goes on with the next input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from ..errors import Cause
from .dependents import Unwanted, blame, tell_dependents
from .gates import is_waiting, no_more_held
from .inside import adopt_children, leave_owner
from .joins import Join, count
from .kept import kept_away
from .lanes import Lane, Lanes
from .scheduler import Scheduler
from .states import CANCELLING, NOW, PENDING, READY, SUBMITTED, SUCCEEDED
from .task import Task, each_of


def mend(
    scheduler: Scheduler,
    lanes: Iterable[Lane],
    dependencies_of: Callable[[Task], Iterable[Task]],
) -> None:
    """Recompute all counters from the states of the tasks, and queue each task that should be in a queue and is not.
    ``dependencies_of`` tells what a task depends on that was not submitted."""
    # Who was to be told waits for more than will tell it, and is found by that.
    scheduler.telling[:] = [each for each in scheduler.telling if isinstance(each[0], Unwanted)]
    for task in list(scheduler.live.values()):
        if task.id in scheduler.live and task.story & NOW > CANCELLING:
            _end(scheduler, task)
    for block in list(scheduler.live.values()):
        for child in list((block.children or {}).values()):
            if child.story & NOW > CANCELLING and child.id not in scheduler.live:
                child.owner = block  # it was about to leave that, which may be what that waits for
                leave_owner(scheduler, child)
    live = list(scheduler.live.values())
    _count_slots(live, lanes)
    held = {task.id for lane in lanes for task in _queued(lane)}
    linked = {task.link.id for task in live if task.link is not None}
    told = Counter(dependent.id for task in live for dependent in each_of(task.dependents))
    told.update(task.id for each in (*scheduler.wanted, *scheduler.fetching) for task, _ in each.dependents)
    for task in live:
        now = task.story & NOW
        if task.id not in scheduler.live:
            continue  # by now
        if task.rare is not None and task.rare.join is not None:
            _join_anew(scheduler, task, task.rare.join)
        elif task.waiting > told[task.id] or (now == PENDING and not task.waiting):
            task.waiting = told[task.id]  # what it waited for is over, and was about to tell it
            if now == PENDING:
                _blame_all(task, dependencies_of(task))
            if not task.waiting and now != SUBMITTED:
                scheduler.all_in(task)
        elif now == READY and task.id not in held:
            _queue(scheduler.lanes, task)
        elif now == SUBMITTED and task.waiting and task.id not in linked:
            scheduler.given_back(task)
    for lane in lanes:
        lane.is_due = lane in scheduler.lanes.due
        lane.dropped = len(lane.ready)  # at most
        if lane.ready or lane.admission is not None:
            scheduler.lanes.wake(lane)


def _join_anew(scheduler: Scheduler, task: Task, join: Join) -> None:
    """A join counts its sources again."""
    for source in join.sources:
        if source.story & NOW < CANCELLING:
            others = [each for each in each_of(source.dependents) if each is not task]
            source.dependents = others or None
        keeping = kept_away(source)
        if keeping is not None:
            keeping.dependents = [each for each in keeping.dependents if each[0] is not task]
    if task in scheduler.returned:
        scheduler.returned.remove(task)
    task.with_rare().blames = []
    count(scheduler, task, join)


def _queue(lanes: Lanes, task: Task) -> None:
    """A task is READY and in no lane's queue."""
    lane = task.lane
    if task.is_held and task.wants is None:
        return  # its next attempt follows by itself
    if lane.admission is not None:
        if is_waiting(task) and task in lanes.queue:
            return
        lanes.queue.leave(task)
        if task.is_held:
            no_more_held(lanes, task)
        lanes.release(task)
        lanes.enqueue(task)
    elif lane.leads_to is None:
        lanes.enqueue(task)


def _blame_all(task: Task, dependencies: Iterable[Task]) -> None:
    for dependency in dependencies:
        cause = dependency.cause
        if dependency.story & NOW >= CANCELLING and cause is not None and cause not in (task.blames or ()):
            blame(task, dependency)


def _end(scheduler: Scheduler, task: Task) -> None:
    """It has its last state, and nobody else has heard of that yet."""
    if task.story & NOW == SUCCEEDED:
        if task.children:
            adopt_children(task)
    else:
        if task.cause is None:
            task.cause = Cause(task.id, task.name, task.attempt, KeyboardInterrupt())
        if task not in scheduler.ended:
            scheduler.ended.append(task)
        tell_dependents(scheduler, task)
    scheduler.over(task)


def _count_slots(live: list[Task], lanes: Iterable[Lane]) -> None:
    taken = Counter(task.lane for task in live if SUBMITTED <= task.story & NOW <= CANCELLING)
    held = Counter(task.lane for task in live if is_waiting(task))
    for lane in lanes:
        if lane.leads_to is None:  # else it has what is being staged, which only the stager knows
            lane.taken = taken[lane]
        if lane.admission is not None:
            lane.admission.held = held[lane]


def _queued(lane: Lane) -> Iterable[Task]:
    ready = lane.gather()
    return ready if lane.admission is None else (*ready, *lane.admission.admitted)

"""Joins: futures that wait for tasks and go by how these end, as ``outcome(future)`` does. Nothing is run for them.

A join is PENDING until it is decided, and over in the same step. It is in the graph as any task is, so that cancels,
blocks and circles need know nothing of it; but it is in no lane's queue, and what gives no value does not decide it:
that is noted in its `Join`, and the runtime, which knows the values, is told of it in `Scheduler.returned`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from .kept import attach, has_value, is_lost, kept_away
from .services import is_idle, want
from .states import CANCELLING, HANDED, NOW, PENDING
from .task import Task

if TYPE_CHECKING:
    from .scheduler import Scheduler

KIND: Final = "join"
"""Of the definitions of joins."""


class Join:
    """What a join waits for.

    Args:
        sources: the tasks.
        needed: how many of them have to give a value; None to wait for the end of all, whatever that is.
        takes_failures: whether it has a value though one of them fails.
    """

    __slots__ = ("first", "needed", "sources", "spare", "takes_failures")

    def __init__(
        self, sources: Sequence[Task], needed: int | None = None, *, takes_failures: bool = True
    ) -> None:
        self.sources = sources
        self.needed = needed
        self.takes_failures = takes_failures
        self.spare = 0  # how many more of them may end without a value; below 0 it can never be met
        self.first: Sequence[Task] = ()  # once it is met: those that have met it, in the order of the sources


def called(scheduler: Scheduler, task: Task, join: Join) -> None:
    """A join was made, of tasks in any state."""
    scheduler.live[task.id] = task
    if task.owner is not None:
        around = task.owner.with_rare()
        around.children = around.children or {}
        around.children[task.id] = task
    if scheduler.order is not None:
        scheduler.order.called(task, join.sources)
    rare = task.with_rare()
    rare.join, rare.blames = join, []  # not None: no task that is made ready without a look at it
    count(scheduler, task, join)
    for source in join.sources:
        if is_idle(source):
            want(scheduler, source)


def count(scheduler: Scheduler, task: Task, join: Join) -> None:
    """Have a join wait for those of its sources that have not ended, and decide it if it needs none of them."""
    succeeded = ended = 0
    for source in join.sources:
        keeping = kept_away(source)
        if keeping is not None:
            attach(task, source, keeping)
        elif source.story & NOW < CANCELLING:
            dependents = source.dependents
            if dependents is None:
                source.dependents = task
            elif isinstance(dependents, list):
                dependents.append(task)
            else:
                source.dependents = [dependents, task]
        else:
            ended += 1
            succeeded += has_value(source)
            if not has_value(source):
                is_lost(source)
                _is_seen(source)
    if join.needed is None:
        task.waiting = len(join.sources) - ended
    else:
        task.waiting = max(0, join.needed - succeeded)
        join.spare = len(join.sources) - join.needed - (ended - succeeded)
    if join.spare < 0:
        scheduler.returned.append(task)
    elif not task.waiting:
        met(scheduler, task, join)


def met(scheduler: Scheduler, task: Task, join: Join) -> None:
    """What a join needs is there."""
    if join.needed is not None:  # now: more may have succeeded when the runtime comes to it
        join.first = [each for each in join.sources if has_value(each)][: join.needed]
    scheduler.returned.append(task)


def without_value(scheduler: Scheduler, task: Task, join: Join, source: Task) -> None:
    """A source of a join has ended, and gives no value."""
    _is_seen(source)
    if task.story & NOW != PENDING:
        return  # it was cancelled, or was decided before
    if join.needed is None:
        task.waiting -= 1
        if not task.waiting:
            met(scheduler, task, join)
    else:
        join.spare -= 1
        if join.spare == -1:
            scheduler.returned.append(task)


def succeeded(scheduler: Scheduler, task: Task) -> None:
    """A join has its value."""
    task.story = HANDED
    task.lane.taken += 1
    scheduler.succeeded(task)


def _is_seen(source: Task) -> None:
    assert source.cause is not None
    source.cause.passed_on = True  # whoever awaits the join hears of it

"""What a first failure stops, with ``on_failure="stop"``: all inside of a block, or the whole run.

A failure stops the innermost block around it that is to stop; where none is, the run, if that is. It does not if
somebody takes what the task comes to, as ``outcome(future)`` does: of the task, of a block around it below what would
stop, or of everything that depends on these. Nor does what is inside of a block that may be tried again: that counts as
a whole, when no attempt of it is left.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from ..errors import Cause
from .dependents import tell_more
from .detached import is_detached, is_tail
from .inside import cancel_inside
from .states import NOW, RUNNING
from .task import Task, each_of

if TYPE_CHECKING:
    from .scheduler import Scheduler


class Reach(NamedTuple):
    """What a failure stops.

    Args:
        block: that fails with it, and all inside of which stops; None if no block is around it.
        is_run: whether all else stops, too.
    """

    block: Task | None
    is_run: bool


def reach_of(scheduler: Scheduler, task: Task) -> Reach | None:
    """What stops if a task fails now; None if nothing does. To be asked before anybody is told of the failure."""
    reach = _around(scheduler, task)
    if reach is None:  # nearly always
        return None
    inner: Task | None = task
    while inner is not None and (inner is not reach.block or reach.is_run):
        if _is_taken(inner):
            return None
        inner = inner.owner
    return reach


def _around(scheduler: Scheduler, task: Task) -> Reach | None:
    """What stops if nobody takes the failure."""
    inner = task
    while not is_detached(inner):
        owner = inner.owner
        if owner is None:
            is_first = scheduler.stops and scheduler.stopped_by is None
            return Reach(None if inner is task else inner, True) if is_first else None
        if owner.definition.stops:
            is_first = owner.rare is None or owner.rare.stopped_by is None
            return Reach(owner, False) if is_first and owner.story & NOW <= RUNNING else None
        if owner.definition.retries is not None:
            return None
        inner = owner
    return None


def _is_taken(task: Task) -> bool:
    """Whether somebody takes a task's failure, or that of everything which fails with it."""
    around = set()
    block = task.owner
    while block is not None:
        around.add(block.id)
        block = block.owner
    seen, left = {task.id}, [task]
    while left:
        dependents = [each for each in each_of(left.pop().dependents) if each.story & NOW <= RUNNING]
        if not dependents:
            return False
        for each in dependents:
            join = None if each.rare is None else each.rare.join
            if each.id in around:
                return False  # a block that has returned it
            if each.id not in seen and (join is None or not join.takes_failures):
                seen.add(each.id)
                left.append(each)
    return True


def stop(scheduler: Scheduler, reach: Reach, first: Cause) -> None:
    """Stop what a failure reaches.

    Args:
        scheduler: of all of it.
        reach: as it was before anybody was told.
        first: the failure.
    """
    while scheduler.telling:  # what depends on it has not run because of that, and was not stopped
        tell_more(scheduler)
    scheduler.has_stopped = True
    block = reach.block
    if block is not None:
        block.with_rare().stopped_by = first
        first.passed_on = True  # the block brings it to whoever awaits that
        cancel_inside(scheduler, block, first)
    if reach.is_run:
        scheduler.stopped_by = first
        # Services end when nobody uses them any more, in their own order.
        for task in sorted(scheduler.live.values(), key=attrgetter("id"), reverse=True):
            if task is not block and not task.definition.is_service and not is_tail(task):
                scheduler.cancel_one(task, first)
    scheduler.first_failures.append((block, first))


def stopped_around(scheduler: Scheduler, block: Task | None) -> Cause | None:
    """The failure because of which no call is taken any more inside of a block, or at all."""
    while block is not None:
        if block.rare is not None and block.rare.stopped_by is not None:
            return block.rare.stopped_by
        block = block.owner
    return scheduler.stopped_by

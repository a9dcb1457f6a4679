"""Who waits for whom: the countdown of what a task waits for, and the news that there will be no value.

What a task gives a value is told where that is decided (`Scheduler.succeeded`), because every task comes by there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Cause
from .joins import without_value
from .kept import attach, awaits_fetch, is_lost
from .pace import MOST
from .services import is_idle
from .states import (
    CANCELLED,
    CANCELLING,
    FAILED,
    NOW,
    PENDING,
    READY,
    RUNNING,
    SKIPPED,
    SUBMITTED,
    SUCCEEDED,
    UPSTREAM_FAILED,
)
from .task import Task, each_of

if TYPE_CHECKING:
    from .scheduler import Scheduler


class Unwanted(NamedTuple):
    """Stands in `Scheduler.telling` for the reason why what is inside of a block is cancelled: another task's failure,
    or None."""

    because: Cause | None


def is_cancelling(scheduler: Scheduler) -> bool:
    """Whether more is to be cancelled inside of a block: nothing new is to start meanwhile."""
    return any(isinstance(bad, Unwanted) for bad, _ in scheduler.telling)


def wait_for(task: Task, dependencies: Sequence[Task]) -> int:
    """Have a task wait for others, in whatever state. Returns how many those are that it waits for."""
    waiting = task.waiting + len(dependencies)
    for dependency in dependencies:
        if dependency.story != PENDING:  # mostly it is: they are called in one burst
            now = dependency.story & NOW
            if now >= CANCELLING:
                keeping = None if dependency.rare is None else dependency.rare.kept
                if keeping is not None and awaits_fetch(task, dependency, keeping):
                    attach(task, dependency, keeping)
                    continue
                waiting -= 1
                if now != SUCCEEDED or (keeping is not None and is_lost(dependency)):
                    blame(task, dependency)
                continue
            if now <= READY and is_idle(dependency):
                waiting -= 1
                _ask_later(task, dependency)
                continue
        dependents: Any = dependency.dependents
        if dependents is None:
            dependency.dependents = task
        elif type(dependents) is list:
            dependents.append(task)
        else:
            dependency.dependents = [dependents, task]
    task.waiting = waiting
    return waiting


def _ask_later(task: Task, service: Task) -> None:
    """A task needs a service that is not asked for before all else is there that the task waits for."""
    rare = task.rare or task.with_rare()
    if rare.unasked is None:
        rare.unasked = []
        # Not None, so that the task is looked at when nothing else is left to wait for.
        rare.blames = rare.blames or []
    rare.unasked.append(service)


def blame(task: Task, dependency: Task) -> None:
    """A task will not run because of another, perhaps of more."""
    cause = dependency.cause
    assert cause is not None
    if task.story & NOW != RUNNING:  # a block that has returned it passes on the first failure, and no other
        cause.passed_on = True
    rare = task.rare or task.with_rare()
    if rare.blames is None:
        rare.blames = [cause]
    else:
        rare.blames.append(cause)


def end_of(task: Task) -> int:
    """What a task comes to in the end that gives no value.

    Args:
        task: of which that is decided.
    """
    cause = task.cause
    assert cause is not None
    worst = cause.firsts[0]  # of the roots, or itself
    if worst.error is not None:
        return UPSTREAM_FAILED if cause.upstream else FAILED
    return CANCELLED if worst.skipped is None else SKIPPED


def decide_not_to_run(scheduler: Scheduler, task: Task) -> None:
    """Nothing is left to wait for, and something of it gives no value."""
    rare = task.rare
    assert rare is not None and rare.blames is not None
    if len(rare.blames) == 1:
        upstream: tuple[Cause, ...] = (rare.blames[0],)
    else:
        unique = {cause.task_id: cause for cause in rare.blames}
        upstream = tuple(unique[task_id] for task_id in sorted(unique))
    rare.cause = Cause(task.id, task.name, 0, None, upstream, task.label)
    scheduler.ended.append(task)
    if task.story & NOW == PENDING:
        task.enter(end_of(task))
        return
    task.attempt -= 1
    task.enter(CANCELLING)  # the backend has it, behind what failed, and must be heard before it is over
    scheduler.stop.append(task)


def tell_dependents(scheduler: Scheduler, task: Task, inside: int | None = None) -> int:
    """The task will give no value. Who waits for it is told at once; of many, those behind the first by
    `tell_more`, and these count it as undecided until then. Returns how many were told.

    Args:
        scheduler: of the task.
        task: which.
        inside: where in `Scheduler.telling` begins what is being cancelled inside of it. That comes first: what
            comes to a task does not depend on how many there are.
    """
    dependents, task.dependents = task.dependents, None
    if dependents is None:
        return 0
    known = len(scheduler.telling)
    told = task, iter(each_of(dependents))
    if inside is not None and inside < known:
        scheduler.telling.insert(inside, told)
        return 0
    scheduler.telling.append(told)
    return tell_more(scheduler, known)


def tell_more(scheduler: Scheduler, known: int = 0) -> int:
    """Go on telling dependents that there will be no value for them, and cancelling what is inside of blocks, `MOST` at
    most. Returns how many it were.

    What stands behind a task in a chain is its first dependent, so that it is told in the same step: its own report
    may come next. Not recursive: a chain of any length may hang on one task.

    Args:
        known: how many tasks, of those whose dependents are to be told, are left for another time.
    """
    told = 0
    while len(scheduler.telling) > known and told < MOST:
        bad, dependents = scheduler.telling[-1]
        for dependent in dependents:
            told += 1
            if isinstance(bad, Unwanted):
                told += scheduler.cancel_one(dependent, bad.because)
                if told >= MOST or scheduler.telling[-1][1] is not dependents:
                    break  # what depends on it is first
                continue
            more = _tell(scheduler, dependent, bad)
            if more is not None:
                scheduler.telling.append((dependent, iter(each_of(more))))
                break
            if told == MOST:
                break
        else:
            scheduler.telling.pop()
    return told


def _tell(scheduler: Scheduler, dependent: Task, bad: Task) -> Any:
    """What a task waits for gives no value. Returns who is to be told that this one gives none either."""
    if dependent.rare is not None and dependent.rare.join is not None:
        without_value(scheduler, dependent, dependent.rare.join, bad)
        return None
    dependent.waiting -= 1
    if dependent.story & NOW > RUNNING:
        return None  # cancelled itself: it has told them
    blame(dependent, bad)
    if dependent.waiting:
        return None
    if dependent.story & NOW > SUBMITTED:
        scheduler.all_in(dependent)
        return None
    decide_not_to_run(scheduler, dependent)
    dependents, dependent.dependents = dependent.dependents, None
    if dependent.story & NOW != CANCELLING:
        scheduler.over(dependent)
    return dependents

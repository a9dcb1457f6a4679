"""What follows for others when a kept result was fetched, or is no more. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Cause
from .dependents import tell_dependents
from .kept import Keeping
from .states import CANCELLING, HANDED, NOW, SUBMITTED
from .task import Task

if TYPE_CHECKING:
    from .scheduler import Scheduler


def fetched(scheduler: Scheduler, keeping: Keeping, value: object) -> None:
    """A kept result is here: what has waited for it goes on."""
    keeping.is_there, keeping.value = True, value
    scheduler.fetching.discard(keeping)
    dependents, keeping.dependents = keeping.dependents, []
    for dependent, _ in dependents:
        dependent.waiting -= 1
        if not dependent.waiting and dependent.story != HANDED:
            scheduler.all_in(dependent)


def lost(scheduler: Scheduler, keeping: Keeping, cause: Cause) -> None:
    """A kept result is no more: what has waited for it does not run.

    Args:
        scheduler: of the run.
        keeping: the result.
        cause: names the task that had made it.
    """
    keeping.cause = cause
    scheduler.fetching.discard(keeping)
    dependents, keeping.dependents = keeping.dependents, []
    waiting: dict[int, tuple[Task, list[Task]]] = {}
    for dependent, task in dependents:
        waiting.setdefault(task.id, (task, []))[1].append(dependent)
    for task, its_dependents in waiting.values():
        task.with_rare().cause = cause
        task.dependents = its_dependents
        tell_dependents(scheduler, task)


def cannot_run(scheduler: Scheduler, task: Task, cause: Cause) -> None:
    """A task that was submitted was not begun, as a result among its arguments is lost."""
    if task.story & NOW == CANCELLING:
        scheduler.stopped(task, False)
        return
    if task.story & NOW == SUBMITTED:
        task.attempt -= 1
    cause.passed_on = True
    task.with_rare().cause = Cause(task.id, task.name, task.attempt, None, (cause,), task.label)
    task.enter(CANCELLING)
    scheduler.ended.append(task)
    tell_dependents(scheduler, task)
    scheduler.stopped(task)

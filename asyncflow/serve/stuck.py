"""Jobs that wait for jobs: a wait that can never end is an error.

A job may wait for another of its own service, whose turn comes when one that runs is over: if all that run do so, none
ever is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakKeyDictionary

from .._core.circles import drawn, never, way_to
from .._core.submissions import CANCELLING, OVER, QUEUED
from .._runtime.future import TaskFuture
from .._runtime.scope import SCOPE
from .._runtime.waits import waiters
from ..errors import Deadlock

if TYPE_CHECKING:
    from .jobs import Job

JOBS: Final[WeakKeyDictionary[TaskFuture[Any], Job[Any]]] = WeakKeyDictionary()
"""The jobs that run, by their calls."""


def job_around() -> Job[Any] | None:
    """The job inside of which this is asked; None if it is asked outside of all."""
    block: Any = SCOPE.get().block
    while block is not None:
        job = JOBS.get(block)
        if job is not None:
            return job
        block = block.owner
    return None


def look(job: Job[Any], awaited: Job[Any], waiter: asyncio.Future[None]) -> None:
    """Raise `Deadlock` in what a job has just begun to wait with, if what it waits for will never end."""
    if waiter.done() or job.state in OVER or awaited not in _needed(job):
        return
    needs = _needs(job)
    left = never(needs)
    if job not in left:
        return
    way = way_to(awaited, job, lambda each: [other for other in left if each in needs[other][1]])
    waiter.set_exception(Deadlock(_told(job, awaited, way or [])))


def _needs(job: Job[Any]) -> dict[Job[Any], tuple[bool, list[Job[Any]]]]:
    """Of a job, and of all that it waits for, for which jobs it waits, and whether one of these will do."""
    needs: dict[Job[Any], tuple[bool, list[Job[Any]]]] = {}
    ahead = [job]
    for each in ahead:  # grows while it is walked
        if each not in needs:
            needs[each] = each.state == QUEUED, _needed(each)
            ahead += needs[each][1]
    return needs


def _needed(job: Job[Any]) -> list[Job[Any]]:
    """The jobs without whose end one will not end; of one that waits for its turn, those that have theirs."""
    if job.state == QUEUED:
        return job._service._running()
    call = job._future
    if call is None or job.state == CANCELLING:  # which ends whatever it waits for
        return []
    return [
        awaited
        for waiter, awaited in job._awaits.items()
        if awaited.state not in OVER and way_to(call, waiter, waiters) is not None
    ]


def _told(job: Job[Any], awaited: Job[Any], way: list[Job[Any]]) -> str:
    name = f"job {job.id!r} of service {job._service.name!r}"
    if awaited is job:
        return f"{name} would wait for itself"
    turn = ", to have its turn" if awaited.state == QUEUED else ""
    names = [f"{each._service.name}[{each.id}]" for each in (job, *way[:-1])]
    return (
        f"{name} would wait for job {awaited.id!r} of service {awaited._service.name!r}, which waits for it{turn}.\n"
        f"  {drawn(names)}: each waits for the next"
    )

"""Lets a run go on in which a step was cut short. See `asyncflow._core.mending`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .._core.mending import mend
from .._core.states import CANCELLING, NOW, SUBMITTED
from .._core.task import Task

if TYPE_CHECKING:
    from .run import Run


def go_on(run: Run, lost: Sequence[Task]) -> None:
    """Carry through what was begun. A body, or what was being handed to a backend, has failed by it.

    Args:
        run: in which something like Ctrl-C came out of the loop.
        lost: what was to be submitted, and perhaps was not.
    """
    scheduler, coroutines, behind = run.scheduler, run.coroutines, run.places.behind
    for task in list(scheduler.live.values()):
        if not SUBMITTED <= task.story & NOW < CANCELLING:
            continue
        if task.cancelled():  # and the scheduler was about to hear of it
            scheduler.cancel(task)
        elif task.done():
            scheduler.succeeded(task)
        elif type(task.holes) is tuple and not task.waiting and task not in scheduler.returned:
            scheduler.returned.append(task)
    mend(scheduler, behind, run.awaited)
    for task in lost:
        if (
            task.id in scheduler.live
            and task.story & NOW == SUBMITTED
            and behind[task.lane] is not coroutines
        ):
            run.dispatch.not_submitted(task, KeyboardInterrupt())
    coroutines.mend(
        [
            task
            for task in scheduler.live.values()
            if behind[task.lane] is coroutines
            and task.id not in scheduler.closing
            and (type(task.holes) is not tuple or task.story & NOW == CANCELLING)  # else its body is over
        ]
    )

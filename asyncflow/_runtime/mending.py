"""Lets a run go on in which a step was cut short. See `asyncflow._core.mending`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._core.mending import mend
from .._core.states import CANCELLING, NOW, SUBMITTED
from .._core.task import Task
from ..backend import ExecutionBackend
from .commands import Commands

if TYPE_CHECKING:
    from .run import Run


def go_on(run: Run, lost: Sequence[Task]) -> None:
    """Bring a run into order after an exception such as Ctrl-C came out of the midst of the loop. A body that was
    interrupted has failed; ``lost`` is what was being submitted and may not have arrived."""
    scheduler, coroutines, behind = run.scheduler, run.coroutines, run.places.behind
    for task in list(scheduler.live.values()):
        if not SUBMITTED <= task.story & NOW < CANCELLING:
            continue
        if task.cancelled():  # and the scheduler was about to hear of it
            scheduler.cancel(task)
        elif task.done():
            scheduler.succeeded(task)
        elif task.returned is not None and not task.waiting and task not in scheduler.returned:
            scheduler.returned.append(task)
    run.gate.look()
    run.endings.mend()
    mend(scheduler, behind, run.awaited, run.gate.holds)
    _recover(run, lost)
    coroutines.mend(
        [
            task
            for task in scheduler.live.values()
            if behind[task.lane] is coroutines
            and task.id not in scheduler.closing
            and (task.returned is None or task.story & NOW == CANCELLING)  # else its body is over
        ]
    )


def _recover(run: Run, submitting: Iterable[Task]) -> None:
    """Ask the places outside of the loop what they have, and fail what none of them has."""
    lost = set(_with_links(submitting))
    scheduler, behind = run.scheduler, run.places.behind
    there: dict[Any, list[Task]] = {}
    for task in scheduler.live.values():
        place = behind[task.lane]
        if (
            SUBMITTED <= task.story & NOW <= CANCELLING
            and isinstance(place, ExecutionBackend | Commands)
            and not run.files.stager.is_publishing(task)  # its body is over
        ):
            there.setdefault(place, []).append(task)
    for place, tasks in there.items():
        perhaps = [task.id for task in tasks if task.id in lost and task.story & NOW == SUBMITTED]
        gone = set(place.recover([task.id for task in tasks], perhaps)) - run.inbox.over()
        for task in tasks:  # what is linked to another comes after it
            if task.id not in gone or task.id not in scheduler.live:
                continue
            if task.cause is not None and task.cause.upstream:  # it was decided meanwhile not to run it
                run.reports.given_back(task)
            else:
                run.endings.failed(task, KeyboardInterrupt())


def _with_links(tasks: Iterable[Task]) -> Iterator[int]:
    for task in tasks:
        link: Task | None = task
        while link is not None:
            yield link.id
            link = link.link

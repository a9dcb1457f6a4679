"""Lets a run go on in which a step was cut short. See `asyncflow._core.mending`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .._core.mending import mend
from .._core.scheduler import Scheduler
from .._core.states import CANCELLING, NOW, SUBMITTED
from .._core.task import Task
from .._files.stager import Stager
from ..backend import ExecutionBackend
from . import inputs
from .attempts import Attempts
from .commands import Commands
from .coroutines import Coroutines
from .failures import Failures
from .gate import Gate
from .inbox import Inbox
from .places import Places
from .reports import Reports
from .services import Services


class Mending:
    """Brings a run into order after an exception such as Ctrl-C came out of the midst of the loop.

    Args:
        scheduler: what it decides is looked through, and put right.
        places: are asked what they have.
        coroutines: one of them.
        gate: holds tasks that wait for limits.
        attempts: has tasks tried again; None where nothing is.
        stager: publishes files, which no place knows of.
        inbox: has reports that are not looked at yet.
        reports: takes what is given back.
        failures: takes what was lost.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        places: Places,
        coroutines: Coroutines,
        gate: Gate,
        attempts: Attempts | None,
        stager: Stager,
        inbox: Inbox,
        reports: Reports,
        failures: Failures,
    ) -> None:
        self._scheduler = scheduler
        self._behind = places.behind
        self._coroutines = coroutines
        self._gate = gate
        self._attempts = attempts
        self._stager = stager
        self._inbox = inbox
        self._reports = reports
        self._failures = failures

    def go_on(self, lost: Sequence[Task]) -> None:
        """Let the run go on. A body that was interrupted has failed; ``lost`` is what was being submitted and may not
        have arrived."""
        scheduler, coroutines, behind = self._scheduler, self._coroutines, self._behind
        for task in list(scheduler.live.values()):
            if not SUBMITTED <= task.story & NOW < CANCELLING:
                continue
            if task.cancelled():  # and the scheduler was about to hear of it
                scheduler.cancel(task)
            elif task.done():
                scheduler.succeeded(task)
            elif task.returned is not None and not task.waiting and task not in scheduler.returned:
                scheduler.returned.append(task)
        self._gate.look()
        if self._attempts is not None:
            self._attempts.mend()
        mend(scheduler, behind, inputs.awaited_yet)
        self._recover(lost)
        coroutines.mend(
            [
                task
                for task in scheduler.live.values()
                if behind[task.lane] is coroutines
                and task.id not in scheduler.closing
                and (task.returned is None or task.story & NOW == CANCELLING)  # else its body is over
            ]
        )

    def _recover(self, submitting: Iterable[Task]) -> None:
        """Ask the places outside of the loop what they have, and fail what none of them has."""
        lost = set(_with_links(submitting))
        live = self._scheduler.live
        there: dict[Any, list[Task]] = {
            backend: [] for backend in self._behind.values() if isinstance(backend, ExecutionBackend)
        }
        for task in live.values():
            place = self._behind[task.lane]
            if (
                SUBMITTED <= task.story & NOW <= CANCELLING
                and isinstance(place, ExecutionBackend | Commands | Services)
                and not self._stager.is_publishing(task)  # its body is over
            ):
                there.setdefault(place, []).append(task)
        for place, tasks in there.items():
            perhaps = [task.id for task in tasks if task.id in lost and task.story & NOW == SUBMITTED]
            gone = set(place.recover([task.id for task in tasks], perhaps)) - self._inbox.over()
            for task in tasks:  # what is linked to another comes after it
                if task.id not in gone or task.id not in live:
                    continue
                if task.cause is not None and task.cause.upstream:  # it was decided meanwhile not to run it
                    self._reports.given_back(task)
                else:
                    self._failures.failed(task, KeyboardInterrupt())


def _with_links(tasks: Iterable[Task]) -> Iterator[int]:
    for task in tasks:
        link: Task | None = task
        while link is not None:
            yield link.id
            link = link.link

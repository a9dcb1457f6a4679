"""Gives the next attempt of a task the services that live by then, in the place of those that its last one has used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import Context
from typing import Any, NamedTuple

from .._causes import brief
from .._core import arguments
from .._core.lanes import Lane
from .._core.scheduler import Scheduler
from .._core.services import Service
from .._core.states import NOW, READY
from .._core.task import Task
from ..errors import ServiceDied
from . import inputs
from .failures import Failures
from .future import TaskFuture
from .steps import Steps


class Asked(NamedTuple):
    """What a task was called with that uses services and may be tried again: futures are in their places.

    Args:
        args: as they were called.
        kwargs: the same.
        holes: where values belong.
        tasks: that have started the services.
    """

    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    holes: object
    tasks: Mapping[Service, Any]


class Renewals:
    """The attempts of one run that wait for services.

    Args:
        steps: the run loop.
        scheduler: is told when an attempt can begin.
        failures: takes the failure of a task whose service does not start again.
        current: gives the task that starts a service which is over once more.
    """

    def __init__(
        self, steps: Steps, scheduler: Scheduler, failures: Failures, current: Callable[[Service], object]
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._failures = failures
        self._current = current
        self._renewing: set[int] = set()  # tasks whose next attempt waits for services

    def renew(self, task: Task, lane: Lane) -> bool:
        """The next attempt is due of a task that uses services. Where one of them is another than before, its value is
        put in, for which the attempt may have to wait.

        Args:
            task: held.
            lane: where its attempt begins.

        Returns:
            Whether it waits; it goes on by itself.
        """
        if task.id in self._renewing:
            return True
        asked: Asked = task.with_rare().asked
        for service in asked.tasks:
            if service.is_over:
                self._current(service)
        if all(service.task is before for service, before in asked.tasks.items()):
            return False
        tasks = {service: service.task for service in asked.tasks}
        task.args, task.kwargs, task.holes = asked.args, asked.kwargs, asked.holes
        exchange(task, tasks)
        remember(task, tasks)
        waits = [each for each in tasks.values() if not each.done()]
        if waits:
            self._renewing.add(task.id)
            for each in waits:
                each.add_done_callback(lambda _: self._renewed(task, lane), context=Context())
        return bool(waits)

    def _renewed(self, task: Task, lane: Lane) -> None:
        asked: Asked = task.with_rare().asked
        if task.id not in self._renewing or not all(each.done() for each in asked.tasks.values()):
            return
        self._renewing.discard(task.id)
        if task.id not in self._scheduler.live or task.story & NOW != READY:
            return  # it was cancelled
        for each in asked.tasks.values():
            if each.cancelled() or each.exception() is not None:
                how = "its start was cancelled" if each.cancelled() else brief(each.exception())
                died = ServiceDied(task.id, task.name, each.name_shown, how, "")
                self._failures.cut_off(task, died)
                break
        else:
            self._scheduler.again(task, lane)
        self._steps.flush_soon()


def remember(task: Task, used: Iterable[Service]) -> None:
    """Keep what a task is called with, before values are put in."""
    tasks = {service: service.task for service in used}
    task.with_rare().asked = Asked(task.args, task.kwargs, task.holes, tasks)


def exchange(task: Task, tasks: Mapping[Service, object]) -> None:
    """Put others in the place of futures of services among a task's arguments."""
    if task.holes:
        task.args, task.kwargs = arguments.fill(
            task.args,
            task.kwargs,
            task.holes,
            TaskFuture,
            lambda future: tasks.get(future.service, future),
        )
        _, task.holes, _ = arguments.scan(task.args, task.kwargs, inputs.KINDS, _adopted_before)


def _adopted_before(awaitable: object) -> Task:
    raise AssertionError(awaitable)  # what a call is given was adopted when it was first looked through

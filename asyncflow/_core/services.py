"""Services: who uses one, when it is asked for, when it is stopped, and in which order. Pure.

A service is a task whose future has its value when it is ready, and which goes on. Its `Service` outlives that task:
when it has died or was stopped, and somebody comes to use it, another task with the same arguments follows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Literal

from .lanes import Lane
from .states import NOW, PENDING, READY

if TYPE_CHECKING:
    from .scheduler import Scheduler
    from .task import Task

StopAfter = Literal["block", "users", "run"]
RUN: Final = 0
"""Stands for the run among those that keep a service: no task has this number."""


class Service:
    """One service.

    Args:
        args: that it was called with.
        kwargs: the same.
        stop_after: what is to be over before it is stopped.
    """

    __slots__ = (
        "args",
        "deaths",
        "end",
        "is_dead",
        "is_stopping",
        "is_up",
        "is_wanted",
        "keepers",
        "kwargs",
        "not_before",
        "stop_after",
        "task",
        "users",
        "was_kept",
    )

    def __init__(self, args: tuple[Any, ...], kwargs: Any, stop_after: StopAfter) -> None:
        self.args = args
        self.kwargs = kwargs
        self.stop_after = stop_after
        self.task: Any = None  # whose value is its ready value, of the runtime's own class
        self.deaths = 0
        self.is_dead = False  # it has died, and is not started again
        self.not_before = 0.0  # when it may be started again, by the event loop's clock
        self.users: set[int] = set()  # numbers of tasks that take its value and are not over
        self.keepers: set[int] = set()  # numbers of blocks for which it is kept; `RUN`
        self.was_kept = False  # somebody was among them
        self._begin()

    def _begin(self) -> None:
        self.is_wanted = self.is_up = self.is_stopping = False
        self.end: str | None = None  # how it has ended, in words

    def called(self, task: Task, block: Task | None) -> None:
        """A task is to start it, for the first time or again; the call was made inside of a block, or of none."""
        self._begin()
        self.task = task
        if self.stop_after != "users":
            self.keepers.add(RUN if block is None or self.stop_after == "run" else block.id)
            self.was_kept = True

    def taken(self, number: int) -> None:
        """A task was called that takes its value."""
        self.users.add(number)
        self.was_kept = True

    @property
    def is_over(self) -> bool:
        """Whether it has died, or was or is being stopped: whoever comes needs another."""
        return self.end is not None or self.is_stopping

    @property
    def is_unused(self) -> bool:
        """Whether it is kept for nobody."""
        return not (self.users or self.keepers)


class _Needed(deque[Any]):
    """The services that can start: one that nobody has asked for is not put in, and is held until somebody does."""

    def append(self, task: Task) -> None:
        if is_idle(task):
            task.is_held = True
        else:
            super().append(task)

    def extendleft(self, tasks: Iterable[Task]) -> None:
        """Those that became ready: their order does not matter, as none waits for a slot."""
        for task in tasks:
            self.append(task)


def lane_of_services(place: str) -> Lane:
    """A lane for services: those that nobody has asked for are READY, and in no queue.

    Args:
        place: where they run, in words.
    """
    lane = Lane(place)
    lane.ready = _Needed()
    return lane


def is_idle(task: Task) -> bool:
    """Whether a task is a service that nobody has asked for yet: nothing is to wait for it."""
    service = None if task.rare is None else task.rare.service
    return service is not None and service.task is task and not service.is_wanted


def want(scheduler: Scheduler, task: Task) -> None:
    """Somebody needs a service: it starts as soon as it can."""
    service = task.service
    assert service is not None
    if service.is_wanted:
        return
    service.is_wanted = True
    now = task.story & NOW
    if now == READY and task.is_held:
        task.is_held = False
        scheduler.lanes.enqueue(task)
    elif now == PENDING and not task.waiting:
        scheduler.all_in(task)  # the services that it needs itself


def parted(number: int, used: Iterable[Service]) -> list[Service]:
    """A task or block is over.

    Args:
        number: of the task.
        used: what it has used, or what was kept for it.

    Returns:
        What is kept for nobody any more.
    """
    left = []
    for service in used:
        was_used = not service.is_unused
        service.users.discard(number)
        service.keepers.discard(number)
        if was_used and service.is_unused:
            left.append(service)
    return left


def in_order(up: Sequence[Any], left: Iterable[Service]) -> list[Any]:
    """Which of the services that are up are to be stopped, in order: what was up last first. One that another uses is
    not among them, until that has ended.

    Args:
        up: the tasks that have started them, in the order in which they came to be ready.
        left: kept for nobody.
    """
    wanted = set(left)
    return [
        task
        for task in reversed(up)
        if (service := task.service) in wanted
        and service.task is task
        and service.is_unused
        and service.was_kept
        and not service.is_stopping
    ]

"""Tasks, lanes and futures of which the core needs no more than is here: no loop, no clock, no thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any

from asyncflow._core.arguments import Kinds
from asyncflow._core.dependents import tell_more
from asyncflow._core.lanes import Lane
from asyncflow._core.options import TaskOptions
from asyncflow._core.scheduler import Scheduler
from asyncflow._core.task import FIELDS, CallSite, Definition, Task


class Slot:
    """Stands where a future stands."""

    def __init__(self, value: Any = None) -> None:
        self.value = value
        self.task: Task | None = None

    def __repr__(self) -> str:
        return f"<Slot {self.value!r}>"


class Awaitable:
    """Something that has to be adopted."""

    def __init__(self, value: Any) -> None:
        self.value = value


def adopt(awaitable: Awaitable) -> Slot:
    """Make a future of it."""
    return Slot(awaitable.value)


def value_of(slot: Slot) -> Any:
    """What a future has come to."""
    return slot.value


KINDS = Kinds(Slot, lambda cls: cls is Awaitable)


def body(*args: Any, **kwargs: Any) -> None:
    """The function of tasks whose function does not matter."""


def definition(
    name: str = "fit",
    *,
    is_block: bool = False,
    is_coroutine: bool = False,
    timeout: float | None = None,
    priority: float | None = None,
) -> Definition:
    """What all calls of one function share."""
    kind = "block" if is_block else "function"
    options = TaskOptions(name=name, timeout=timeout, priority=priority)
    return Definition(body, kind, options, is_coroutine=is_coroutine)


class PlainTask(Task):
    """A task without a future."""

    __slots__ = FIELDS

    def __init__(
        self,
        number: int,
        definition: Definition,
        lane: Lane,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        context: Any = None,
        owner: Task | None = None,
        code: CodeType | None = None,
        at: int = 0,
    ) -> None:
        self.set_up(number, CallSite(definition, lane, code=code, at=at), args, kwargs, context, owner)


class Bench:
    """A scheduler with one lane, and tasks that are numbered as they are called."""

    def __init__(self, capacity: int | None = None) -> None:
        self.scheduler = Scheduler()
        self.lane = Lane("backend 'thread'", capacity, "workers")
        self.count = 0
        self.dependencies: dict[Task, Sequence[Task]] = {}

    def call(
        self,
        *dependencies: Task,
        owner: Task | None = None,
        name: str = "fit",
        lane: Lane | None = None,
        is_block: bool = False,
        args: tuple[Any, ...] = (1, 2),
        priority: float | None = None,
    ) -> Task:
        """Make a call."""
        self.count += 1
        task = PlainTask(
            self.count,
            definition(name, is_block=is_block, priority=priority),
            lane or self.lane,
            args,
            {"degree": 3},
            context=object(),
            owner=owner,
        )
        self.dependencies[task] = dependencies
        self.scheduler.called(task, dependencies)
        return task

    def take(self) -> list[Task]:
        """Submit what can be submitted, everywhere."""
        taken = []
        while self.scheduler.lanes.due:
            taken += self.scheduler.lanes.take(self.scheduler.lanes.due.pop())
        self.scheduler.lanes.taking = []
        return taken

    def run(self, *dependencies: Task, **options: Any) -> Task:
        """A task that was called and has started, with all that was ready before it."""
        task = self.call(*dependencies, **options)
        for taken in self.take():
            self.scheduler.started(taken)
        return task

    def ended(self) -> list[Task]:
        """Those whose futures are to be settled since this was asked last."""
        while self.scheduler.telling:
            tell_more(self.scheduler)
        self.scheduler.ended, ended = [], self.scheduler.ended
        return ended

    def stop(self) -> list[Task]:
        """Those whose work is to be stopped since this was asked last."""
        self.scheduler.stop, stop = [], self.scheduler.stop
        return stop


def states(tasks: Sequence[Task]) -> list[str]:
    """Where each stands."""
    return [task.state.value for task in tasks]

"""The fields of tasks that few of them have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .retries import Attempt

if TYPE_CHECKING:
    from .._causes import Cause
    from .joins import Join
    from .kept import Keeping
    from .limits import Limit
    from .order import Rank
    from .services import Service
    from .task import Task


class RareFields:
    """The fields that few tasks have; made when the first is there, because each slot of a task costs all of them."""

    __slots__ = (
        "after",
        "amounts",
        "asked",
        "attempts",
        "blames",
        "cause",
        "children",
        "files",
        "generator",
        "held_since",
        "is_detached",
        "is_held",
        "join",
        "kept",
        "label",
        "outcome",
        "rank",
        "returned",
        "service",
        "stopped_by",
        "unasked",
        "uses",
        "wants",
    )

    def __init__(self) -> None:
        self.after: Sequence[object] = ()
        self.blames: list[Cause] | None = None
        self.cause: Cause | None = None
        self.children: dict[int, Task] | None = None
        self.files: object = None
        self.generator: int | None = None  # that stays in a worker, and of which it is one more slice
        self.join: Join | None = None  # of a join: what it waits for
        self.kept: Keeping | None = None  # its result, which stays where it was made
        self.label: str | None = None
        self.outcome: object = None
        self.rank: Rank | None = None
        self.returned: object = None
        self.stopped_by: Cause | None = None  # of a block: the failure at which it stops
        self.attempts: list[Attempt] = []  # those that have failed
        self.is_detached = False  # left behind by a block that nobody waits for
        self.is_held = False  # READY and in no lane's queue: it waits for limits, or for its next attempt
        self.service: Service | None = None  # that it starts
        self.asked: Any = (
            None  # of a task that may be tried again: its arguments as they were called, with services
        )
        self.uses: tuple[Service, ...] = ()  # services whose values it takes, or that are kept for it
        self.unasked: list[Any] | None = (
            None  # services among what it depends on, not asked for until the rest is there
        )
        self.wants: Mapping[Limit, float] | None = None  # of limits, that it waits for
        self.held_since: float | None = None  # since when it waits for limits, by the clock of attempts
        self.amounts: Mapping[Limit, float] | None = None  # of limits, that it uses


def in_rare(name: str, otherwise: object = None) -> property:
    """A field of a task that is among these, if the task has any; otherwise it has a value that goes for all."""

    def read(task: Task) -> object:
        return otherwise if task.rare is None else getattr(task.rare, name)

    def write(task: Task, value: object) -> None:
        setattr(task.with_rare(), name, value)

    return property(read, write)

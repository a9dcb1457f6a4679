"""Results that stay where they were made: who takes one as it is, and who has to wait until it is fetched. Pure.

A task whose result is kept has succeeded: what runs at the same place goes on at once, with what stands for the result
in its arguments. All others wait for the fetch, which is begun when the first of them comes, or somebody awaits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .states import NOW, PENDING, RUNNING, SUCCEEDED
from .task import Task, each_of

if TYPE_CHECKING:
    from .._causes import Cause
    from .scheduler import Scheduler

_OUTPUT = "output"  # of definitions: the path of a file that another task has made


class Payload(Protocol):
    """What stands for a kept result: `asyncflow.backend.Kept`."""

    node: str
    size: int


class Keeping:
    """One kept result. A block that returns it as it is has the same.

    Args:
        place: that keeps it, in words, as lanes have it.
        payload: what stands for it there.
        asked: where it is put in, once, when it is to be fetched.
    """

    __slots__ = (
        "asked",
        "cause",
        "dependents",
        "futures",
        "is_there",
        "is_wanted",
        "payload",
        "place",
        "value",
    )

    def __init__(self, place: str, payload: Payload, asked: list[Keeping]) -> None:
        self.place = place
        self.payload: Any = payload
        self.asked = asked
        self.is_wanted = False
        self.is_there = False  # it was fetched
        self.value: object = None  # then
        self.cause: Cause | None = None  # it is lost
        # What waits for the fetch, each with the task whose result it takes.
        self.dependents: list[tuple[Task, Task]] = []
        self.futures: list[Any] = []  # that are to have the value; of the runtime's own class

    @property
    def is_away(self) -> bool:
        """Whether it is neither here nor lost."""
        return not self.is_there and self.cause is None

    def want(self) -> None:
        """Somebody asks for it."""
        if not self.is_wanted:
            self.is_wanted = True
            self.asked.append(self)


def keep(scheduler: Scheduler, task: Task, keeping: Keeping) -> None:
    """The work of a task is over, and its result stays where it is."""
    task.with_rare().kept = keeping
    dependents = each_of(task.dependents)
    here = [each for each in dependents if not awaits_fetch(each, task, keeping)]
    if len(here) < len(dependents):
        for each in dependents:
            if awaits_fetch(each, task, keeping):
                attach(each, task, keeping)
        task.dependents = here
    scheduler.succeeded(task)


def awaits_fetch(dependent: Task, task: Task, keeping: Keeping) -> bool:
    """Whether a dependent cannot go on before the result of a task is fetched.

    Args:
        dependent: what waits for the task; its arguments, or what its body has returned, are known.
        task: that has succeeded.
        keeping: its result.
    """
    if not keeping.is_away:
        return False
    definition = dependent.site.definition
    if dependent.rare is not None and dependent.rare.join is not None:
        return True
    if definition.is_block and dependent.story & NOW == RUNNING:
        return not returns_only(dependent, task)
    if dependent.story & NOW != PENDING:  # it was submitted behind the task, and has its value there
        return False
    if definition.kind == _OUTPUT or not _takes_value(dependent, task):
        return False
    goes_there = dependent.site.lane.place == keeping.place
    return definition.is_block or definition.is_command or definition.is_service or not goes_there


def _takes_value(dependent: Task, task: Task) -> bool:
    """Whether a task has another among its arguments, and does not only come after it."""
    holes = dependent.holes
    if isinstance(holes, list):
        return any(future is task for node in holes for _, future in node.holes)
    return bool(holes) and any(each is task for each in (*dependent.args, *dependent.kwargs.values()))


def returns_only(block: Task, task: Task) -> bool:
    """Whether what a block has returned is the future of a task, by itself."""
    futures, holes = block.returned
    return len(futures) == 1 and futures[0] is task and isinstance(holes, list) and len(holes) == 1


def attach(dependent: Task, task: Task, keeping: Keeping) -> None:
    """A task waits for the result of another to be fetched, and has counted that."""
    if dependent.holes and not isinstance(dependent.holes, list):
        dependent.holes = True  # who fills it in is to look closer, as the value may not be in the future
    keeping.dependents.append((dependent, task))
    keeping.want()


def has_value(task: Task) -> bool:
    """Whether a task has succeeded and its result is here."""
    if task.story & NOW != SUCCEEDED:
        return False
    keeping = None if task.rare is None else task.rare.kept
    return keeping is None or keeping.is_there


def is_lost(task: Task) -> bool:
    """Whether a task has succeeded and its result is no more. Why is its cause from then on."""
    rare = task.rare
    if rare is None or rare.kept is None or rare.kept.cause is None:
        return False
    rare.cause = rare.kept.cause
    return True


def kept_away(task: Task) -> Keeping | None:
    """The result of a task that has succeeded, if it has to be fetched."""
    keeping = None if task.rare is None else task.rare.kept
    return keeping if keeping is not None and keeping.is_away else None

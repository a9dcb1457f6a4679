"""What a plan is made of: tasks, their files, the edges between them, and what was found wrong."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from types import NoneType
from typing import Final, Literal, get_args

from .._causes import spelled
from .._core.given import LONGEST, REACTIONS

Kind = Literal["function", "executable", "block", "service", "awaitable"]
EdgeKind = Literal["data", "file", "order"]

KINDS: Final = frozenset(get_args(Kind))
EDGE_KINDS: Final = frozenset(get_args(EdgeKind))

_LARGEST: Final = 2**63  # bytes
_WHOLE_OR_NONE: Final = (int, NoneType)


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """A file that a task reads or makes.

    Args:
        name: as the task calls it.
        size: in bytes; None if it is not known.

    Raises:
        TypeError: the name is no text, or the size no whole number.
        ValueError: no file is of that size.
    """

    name: str
    size: int | None = None

    def __post_init__(self) -> None:
        if not _is_text(self.name) or type(self.size) not in _WHOLE_OR_NONE:
            raise TypeError(f"{self!r}: a name is text, a size is a number of bytes or None")
        if self.size is not None and not 0 <= self.size < _LARGEST:
            raise ValueError(f"{self!r}: a file has 0 bytes or more, and less than 2**63")


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One call that would be made.

    Args:
        id: number of the task.
        name: as its user wrote it.
        kind: "function", "executable", "block", "service" or "awaitable" (which is waited for, and not run here).
        block: number of the block inside which it is called; None outside of all.
        place: where it would run, in words: "backend 'thread'".
        called_at: where the call is: "pipeline.py:12, in main".
        expected: how long it takes, in seconds; None if it is not known.
        inputs: files that it reads.
        outputs: files that it makes.
        checkpoint: which of the plan's checkpoints the code had passed that calls it; None if it had waited for none.
        retries: attempts after the first, if that fails.
        deadline: seconds from the call to the end that it may take; None for any time.
        limits: by name, each with how much of it the task needs; None where that follows from the arguments.
        detached: whether nobody waits for it, nor does the block inside which it is called.
        on_failure: of a block: what the first failure inside of it does, "stop" or "continue".
        max_concurrent: how many calls of its function may run at once; None for any number.
        priority: its own, or that of the block around it.
        may_skip: whether its function may raise `Skip`.

    Raises:
        TypeError: something of the wrong type.
        ValueError: an unknown kind, or a duration that is none.
    """

    id: int
    name: str
    kind: Kind = "function"
    block: int | None = None
    place: str = ""
    called_at: str = ""
    expected: float | None = None
    inputs: tuple[PlannedFile, ...] = ()
    outputs: tuple[PlannedFile, ...] = ()
    checkpoint: int | None = None
    retries: int = 0
    deadline: float | None = None
    limits: tuple[tuple[str, float | None], ...] = ()
    detached: bool = False
    on_failure: str = "continue"
    max_concurrent: int | None = None
    priority: float = 0.0
    may_skip: bool = False

    def __post_init__(self) -> None:
        if type(self.checkpoint) not in _WHOLE_OR_NONE:
            raise TypeError(f"task {self.name!r}: its checkpoint is {self.checkpoint!r}; a number is needed")
        if type(self.id) is not int or type(self.block) not in _WHOLE_OR_NONE:
            raise TypeError(
                f"task {self.name!r}: its id is {self.id!r} and its block {self.block!r}; numbers are needed"
            )
        if not _is_text(self.name, self.place, self.called_at):
            raise TypeError(f"task #{self.id}: its name, place and called_at are text")
        if self.kind not in KINDS:
            raise ValueError(f"{self.label}: kind={self.kind!r}; it can be one of {', '.join(sorted(KINDS))}")
        if self.expected is not None:
            checked_seconds(self.expected, f"{self.label}: expected")
        self._check_policies()
        for files in (self.inputs, self.outputs):
            if type(files) is not tuple or not all(type(file) is PlannedFile for file in files):
                raise TypeError(f"{self.label}: its inputs and outputs are tuples of PlannedFile")

    def _check_policies(self) -> None:
        if type(self.retries) is not int or self.retries < 0:
            raise TypeError(f"{self.label}: its retries are {self.retries!r}; a whole number is needed")
        if self.deadline is not None:
            checked_seconds(self.deadline, f"{self.label}: deadline")
        if self.on_failure not in REACTIONS:
            raise ValueError(
                f"{self.label}: on_failure={self.on_failure!r}; it can be one of {', '.join(REACTIONS)}"
            )
        if type(self.may_skip) is not bool:
            raise TypeError(f"{self.label}: may_skip={self.may_skip!r}; it can be True or False")
        if type(self.detached) is not bool:
            raise TypeError(f"{self.label}: detached={self.detached!r}; it can be True or False")
        if type(self.limits) is not tuple:
            raise TypeError(f"{self.label}: its limits are a tuple")
        for name, weight in self.limits:
            if not _is_text(name) or (weight is not None and type(weight) not in (int, float)):
                raise TypeError(f"{self.label}: a limit is a name, and how much of it, or None")
            if weight is not None and not 0 <= weight < inf:
                raise ValueError(f"{self.label}: limit {name!r}: nobody can need {weight!r} of it")
        if type(self.max_concurrent) not in _WHOLE_OR_NONE or not (
            self.max_concurrent is None or self.max_concurrent >= 1
        ):
            raise TypeError(
                f"{self.label}: max_concurrent={self.max_concurrent!r}; a whole number is needed, 1 or more"
            )
        if type(self.priority) not in (int, float) or not isfinite(self.priority):
            raise TypeError(f"{self.label}: its priority is {self.priority!r}; a number is needed")

    @property
    def label(self) -> str:
        """For messages: "fit (#4)"."""
        return f"{spelled(self.name)} (#{self.id})"


@dataclass(frozen=True, slots=True)
class PlannedLimit:
    """Something scarce that tasks share; they name it in `PlannedTask.limits`.

    Args:
        name: of the limit.
        concurrency: how much may be in use at once; None for any amount.
        rate: how much may begin in ``per`` seconds, on average; None for any amount.
        per: seconds.
        burst: how much may begin at once after a pause.

    Raises:
        TypeError: something that is no text, or no number.
        ValueError: a number that is not above 0.
    """

    name: str
    concurrency: float | None = None
    rate: float | None = None
    per: float = 1.0
    burst: float = 1.0

    def __post_init__(self) -> None:
        if not _is_text(self.name):
            raise TypeError(f"{self!r}: a name is text")
        for given in (self.concurrency, self.rate, self.per, self.burst):
            if given is not None and type(given) not in (int, float):
                raise TypeError(f"{self!r}: a limit has numbers")
            if given is not None and not 0 < given < inf:
                raise ValueError(f"{self!r}: the numbers of a limit are above 0")

    @property
    def told(self) -> str:
        """In words: "2 at once, 10 in 1 s"."""
        slots = "" if self.concurrency is None else f"{self.concurrency:g} at once"
        pace = "" if self.rate is None else f"{self.rate:g} in {self.per:g} s"
        return ", ".join(filter(None, (slots, pace)))


@dataclass(frozen=True, slots=True)
class Edge:
    """That one task waits for another.

    Args:
        dependency: number of the task that is waited for. If it is a block, all inside is waited for.
        dependent: number of the task that waits. If it is a block around the dependency, the block's end waits.
        kind: "data" (a value), "file", or "order" (nothing is handed over).
        file: name of the file, for the kind "file".
        optional: whether the dependent runs also if the dependency gives no value, because it takes its `outcome`, or
            the like.

    Raises:
        TypeError: an end is no number, or it is neither optional nor not.
        ValueError: an unknown kind, a file without a name, or one that is none.
    """

    dependency: int
    dependent: int
    kind: EdgeKind = "data"
    file: str | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        if type(self.dependency) is not int or type(self.dependent) is not int:
            raise TypeError(f"{self!r}: the numbers of two tasks are needed")
        if type(self.optional) is not bool:
            raise TypeError(f"{self!r}: optional is True or False")
        if self.kind not in EDGE_KINDS or not isinstance(self.file, str if self.kind == "file" else NoneType):
            raise ValueError(f"{self!r}: an edge is of data, of order, or of a file and says which")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A moment in which code has waited for tasks: what it calls from there on comes after these, whatever it is given.

    Args:
        waited_for: numbers of the tasks, in order.
        before: the checkpoint that the same code has passed before, by its place in `Plan.checkpoints`; None if there
            was none.

    Raises:
        TypeError: something that is no number.
    """

    waited_for: tuple[int, ...]
    before: int | None = None

    def __post_init__(self) -> None:
        numbers = type(self.waited_for) is tuple and all(type(each) is int for each in self.waited_for)
        if not numbers or type(self.before) not in _WHOLE_OR_NONE:
            raise TypeError(f"{self!r}: a tuple of numbers of tasks is needed, and the place of a checkpoint")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong in how tasks are wired.

    Args:
        what: is wrong, in words.
        where: the user's line: "pipeline.py:12, in main".
        ends: names of the tasks between which it is.
        mend: what would mend it.

    Raises:
        TypeError: something that is no text.
    """

    what: str
    where: str = ""
    ends: tuple[str, ...] = ()
    mend: str = ""

    def __post_init__(self) -> None:
        if type(self.ends) is not tuple or not _is_text(self.what, self.where, self.mend, *self.ends):
            raise TypeError(f"{self!r}: all is text, and the ends are a tuple")


def _is_text(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def checked_seconds(duration: object, name: str) -> float:
    """A duration, if it is one.

    Raises:
        TypeError: it is no number.
        ValueError: it is below zero, or not finite, or longer than anything lasts.
    """
    if not isinstance(duration, (int, float)) or isinstance(duration, bool):
        raise TypeError(f"{name}={duration!r}: a number of seconds is needed")
    if not 0 <= duration <= LONGEST:
        raise ValueError(f"{name}={duration!r}: a duration is 0 seconds or more, and {LONGEST:g} at most")
    return duration

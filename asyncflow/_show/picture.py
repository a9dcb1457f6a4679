"""The picture of a graph as data: what is drawn, in any form. Nothing is laid out here.

A `Subject` has all tasks, in columns: a plan, a report and a stream make one. A `Picture` is what is left of it when
repeated tasks are folded: as small for 100,000 tasks as for a hundred. Texts come from anywhere, and are escaped by
whoever writes them somewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

LinkKind = Literal["data", "file", "order", "code"]
"""What goes from one task to another: a value, a file, nothing; or that the code has waited for one before it has
called the other."""

OUTSIDE: Final = -1
"""Stands for the block around what is in none."""


class Arrow(NamedTuple):
    """That one task waits for another.

    Args:
        source: place of the task that is waited for, among the names of the subject.
        target: place of the task that waits.
        kind: of what goes there.
        optional: whether the task runs also without it.
        file: name of the file, or "".
    """

    source: int
    target: int
    kind: LinkKind = "data"
    optional: bool = False
    file: str = ""


class Pause(NamedTuple):
    """A moment in which code has waited for tasks, before it called others.

    Args:
        waited_for: their places.
        before: places of those that it called then.
    """

    waited_for: Sequence[int]
    before: Sequence[int]


class Story(NamedTuple):
    """What is told of one task to whoever asks.

    Args:
        label: "fit (#4)".
        state: its name; None of what has not run.
        details: what is known of it, by name.
        lines: its story; [] if it has none.
        source: the user's line: "pipeline.py:12, in main".
    """

    label: str
    state: str | None
    details: Sequence[tuple[str, str]]
    lines: Sequence[str] = ()
    source: str = ""


class Items(NamedTuple):
    """Tasks that stand for the items of a stream.

    Args:
        places: of the tasks.
        total: how many items there are in all; None if nobody knows.
    """

    places: Sequence[int]
    total: int | None


class Remark(NamedTuple):
    """Something that is wrong in the wiring.

    Args:
        text: what, where and what would mend it, line by line.
        ends: places of the tasks between which it is, the one that waits last; or of the one that it is at.
    """

    text: Sequence[str]
    ends: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """All tasks of something that can be drawn. Tasks are places in the columns.

    Args:
        noun: what it is: "Plan".
        title: what there is in it: "1,000 tasks in 3 stages".
        ids: number of each task, as its user knows it.
        names: of each task.
        kinds: of each task: "function", "executable", "block", "service", "awaitable", "stream".
        around: the place of the block around each; `OUTSIDE` for none. Blocks stand before what is inside of them.
        states: name of each state; () if nothing has run.
        arrows: between tasks.
        pauses: of the code.
        critical: places of the tasks on the critical path, one after another.
        remarks: what is wrong.
        story: tells of one task.
        summary: tells of several, in few facts.
        notable: those of several that one would ask for first, such as failures; as many as it is told.
        streams: of whose items only a few are among the tasks.
    """

    noun: str
    title: str
    ids: Sequence[int]
    names: Sequence[str]
    kinds: Sequence[str]
    around: Sequence[int]
    states: Sequence[str]
    arrows: Sequence[Arrow]
    story: Callable[[int], Story]
    summary: Callable[[Sequence[int]], Sequence[tuple[str, str]]]
    notable: Callable[[Sequence[int], int], Sequence[int]]
    pauses: Sequence[Pause] = ()
    critical: Sequence[int] = ()
    remarks: Sequence[Remark] = ()
    streams: Sequence[Items] = ()


@dataclass(slots=True)
class Node:
    """One box of a picture: a task, several that are folded, or a block with what is inside.

    Args:
        number: of it, from 0.
        name: what stands in it: the name of its function.
        kind: of its tasks; "pause" for a moment in which code has waited, which stands for no task.
        count: how many tasks it is.
        suffix: what stands behind the name: "× 500".
        around: number of the block that it is inside of; `OUTSIDE` for none.
        states: how many of its tasks are in each state; {} if nothing has run.
        again: how many arrows go from one of its tasks to another.
        critical: whether one of its tasks is on the critical path.
        remarks: numbers of the remarks at it, from 0.
        details: what is known of it, by name.
        members: places of its tasks among those of the subject.
        ids: their numbers.
    """

    number: int
    name: str
    kind: str
    count: int
    suffix: str = ""
    around: int = OUTSIDE
    states: dict[str, int] = field(default_factory=dict)
    again: int = 0
    critical: bool = False
    remarks: list[int] = field(default_factory=list)
    details: Sequence[tuple[str, str]] = ()
    members: Sequence[int] = ()
    ids: Sequence[int] = ()

    @property
    def label(self) -> str:
        """Name and suffix."""
        return f"{self.name} {self.suffix}".rstrip()

    @property
    def state(self) -> str | None:
        """The state that it is coloured by: of several, the one that most wants to be seen."""
        return next((state for state in _BY_WEIGHT if state in self.states), None)


@dataclass(slots=True)
class Link:
    """All arrows of one kind from one box to another.

    Args:
        source: number of the box that is waited for.
        target: number of the box that waits.
        kind: of what goes there.
        optional: whether the tasks run also without it.
        count: how many arrows.
        again: whether it leads back, in a loop; without these nothing goes round in a circle.
        critical: whether the critical path goes along it.
        files: names of some of the files.
        remarks: numbers of the remarks at it, from 0.
    """

    source: int
    target: int
    kind: LinkKind
    optional: bool = False
    count: int = 0
    again: bool = False
    critical: bool = False
    files: list[str] = field(default_factory=list)
    remarks: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn.

    Args:
        noun: what it is of: "Plan".
        title: what there is in it.
        nodes: the boxes; those around others stand before these.
        links: between them.
        remarks: what is wrong, line by line.
        stories: tells of the tasks of a box, of those first that one would ask for first; of as many as it is told.
    """

    noun: str
    title: str
    nodes: Sequence[Node]
    links: Sequence[Link]
    remarks: Sequence[Sequence[str]]
    stories: Callable[[Node, int], Sequence[Story]]

    @property
    def blocks(self) -> Collection[int]:
        """Numbers of the boxes that have others inside."""
        return {node.around for node in self.nodes} - {OUTSIDE}

    @property
    def states(self) -> list[str]:
        """Names of the states that there are, in the order of a task's life."""
        found = {state for node in self.nodes for state in node.states}
        return [state for state in _IN_ORDER if state in found]

    @property
    def kinds(self) -> list[LinkKind]:
        """The kinds of links that there are."""
        found = {link.kind for link in self.links}
        return [kind for kind in _KINDS if kind in found]


_KINDS: Final[Iterable[LinkKind]] = ("data", "file", "order", "code")
_IN_ORDER: Final = (
    "PENDING", "READY", "SUBMITTED", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "UPSTREAM_FAILED", "SKIPPED",
    "CANCELLED",
)  # fmt: skip
_BY_WEIGHT: Final = (
    "FAILED", "RUNNING", "CANCELLING", "SUBMITTED", "UPSTREAM_FAILED", "CANCELLED", "READY", "PENDING", "SUCCEEDED",
    "SKIPPED",
)  # fmt: skip

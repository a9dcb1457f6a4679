"""A timeline as plain data: who was at what when, in rows of bars, and what there was of something over time.

All of it is columns: a run of 100,000 tasks is drawn from a few arrays.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

from .stories import Stories


class What(IntEnum):
    """What somebody was at in the time of a bar."""

    DONE = 0
    FAILED = 1
    RETRIED = 2  # an attempt that has failed, and that another followed
    RUNNING = 3
    CANCELLED = 4
    SKIPPED = 5
    AWAITED = 6  # not run here, only waited for
    BLOCK = 7
    SERVICE = 8
    CODE = 9
    DEPENDENCY = 10
    STAGING = 11
    LIMIT = 12
    QUEUE = 13
    START = 14
    TRANSFER = 15
    RETRY = 16

    @property
    def is_wait(self) -> bool:
        """Whether nothing was worked at."""
        return self >= What.CODE

    @property
    def words(self) -> str:
        """For a legend."""
        return _WORDS[self]


_WORDS = {
    What.DONE: "ran",
    What.FAILED: "failed",
    What.RETRIED: "failed, tried again",
    What.RUNNING: "still running",
    What.CANCELLED: "cancelled",
    What.SKIPPED: "skipped",
    What.AWAITED: "awaited, not run here",
    What.BLOCK: "block",
    What.SERVICE: "service up",
    What.CODE: "code between tasks",
    What.DEPENDENCY: "waiting for inputs",
    What.STAGING: "files brought",
    What.LIMIT: "waiting for a limit",
    What.QUEUE: "waiting for a worker",
    What.START: "worker starting",
    What.TRANSFER: "results sent",
    What.RETRY: "waiting to try again",
}
NOBODY = 0xFFFFFFFF
"""Stands in `Bars.task` for a bar that is no task's."""


@dataclass(slots=True)
class Bars:
    """Bars by columns, row after row, in each row in the order of time; those of one row do not overlap.

    Args:
        row: in which each stands, from 0.
        begin: in seconds since the run began.
        end: the same, and not before it.
        what: a `What`.
        task: the place in `Stories`; `NOBODY` if it is none's.
    """

    row: array[int] = field(default_factory=lambda: array("I"))
    begin: array[float] = field(default_factory=lambda: array("d"))
    end: array[float] = field(default_factory=lambda: array("d"))
    what: array[int] = field(default_factory=lambda: array("B"))
    task: array[int] = field(default_factory=lambda: array("I"))

    def __len__(self) -> int:
        return len(self.row)

    def add(self, row: int, begin: float, end: float, what: int, task: int) -> None:
        """One more at the end."""
        self.row.append(row)
        self.begin.append(begin)
        self.end.append(end)
        self.what.append(what)
        self.task.append(task)

    def in_order(self) -> Bars:
        """The same, row after row, in each in the order of time."""
        order = sorted(range(len(self)), key=lambda at: (self.row[at], self.begin[at], self.end[at]))
        return Bars(
            array("I", map(self.row.__getitem__, order)),
            array("d", map(self.begin.__getitem__, order)),
            array("d", map(self.end.__getitem__, order)),
            array("B", map(self.what.__getitem__, order)),
            array("I", map(self.task.__getitem__, order)),
        )

    def stretches(self, rows: int) -> list[tuple[int, int]]:
        """Of each row the places from where to where its bars are."""
        found = [(0, 0)] * rows
        begin, size = 0, len(self)
        while begin < size:
            row, end = self.row[begin], begin + 1
            while end < size and self.row[end] == row:
                end += 1
            found[row] = (begin, end)
            begin = end
        return found


class Lane(NamedTuple):
    """Who was at something: a worker, in as many rows as it was at things at once.

    Args:
        group: those that belong together: "backend 'thread'".
        name: of the worker; that of the group if it is all of it.
        first: number of its first row.
        rows: how many.
        is_worker: whether a row stands for one worker, of whom it can be said what it waited for.
    """

    group: str
    name: str
    first: int
    rows: int
    is_worker: bool


class Layer(NamedTuple):
    """One of the parts that are stacked in a `Series`.

    Args:
        name: of it.
        what: the `What` whose look it has; None for a look of its own.
        values: one for each stretch of time, all equally long.
    """

    name: str
    what: What | None
    values: array[float]


class Series(NamedTuple):
    """What there was of something over time.

    Args:
        name: of it: "Tasks that waited".
        unit: "tasks", "results" or "bytes".
        note: what is counted, in a sentence.
        layers: stacked one upon another.
    """

    name: str
    unit: str
    note: str
    layers: Sequence[Layer]

    @property
    def most(self) -> float:
        """The highest that all together are."""
        return max(
            (sum(each) for each in zip(*(layer.values for layer in self.layers), strict=True)), default=0.0
        )


class Mark(NamedTuple):
    """A moment that is named.

    Args:
        time: in seconds since the run began.
        name: of it.
        task: the place in `Stories` of the task that it is about.
    """

    time: float
    name: str
    task: int


@dataclass(slots=True)
class Timeline:
    """A whole run over time.

    Args:
        title: what it shows, in one line.
        began: in seconds since the epoch.
        seconds: how long the axis is, from the beginning of the run on.
        lanes: by group, in the order in which they are shown.
        bars: what workers, services and blocks were at.
        gaps: what the task waited for that a worker without work ran next, between its bars.
        path: the critical path, in one row from the beginning to the end.
        critical: whether a task is on it, by its place in `stories`.
        series: what there was over time.
        marks: moments with a name.
        stories: of the tasks.
        notes: what a reader has to know, as what was left out.
    """

    title: str = ""
    began: float = 0.0
    seconds: float = 0.0
    lanes: Sequence[Lane] = ()
    bars: Bars = field(default_factory=Bars)
    gaps: Bars = field(default_factory=Bars)
    path: Bars = field(default_factory=Bars)
    critical: bytearray = field(default_factory=bytearray)
    series: Sequence[Series] = ()
    marks: Sequence[Mark] = ()
    stories: Stories = field(default_factory=Stories)
    notes: Sequence[str] = ()

    @property
    def rows(self) -> int:
        """Of all lanes together."""
        return sum(lane.rows for lane in self.lanes)

    def groups(self) -> Iterator[tuple[str, list[Lane]]]:
        """The lanes that belong together, in their order."""
        found: dict[str, list[Lane]] = {}
        for lane in self.lanes:
            found.setdefault(lane.group, []).append(lane)
        yield from found.items()

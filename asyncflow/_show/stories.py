"""The stories of tasks as columns: what a page needs so that each of 100,000 tasks can be found and looked at."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

TIMES: Final = ("called", "ready", "staged", "submitted", "loading", "started", "finished", "over")
"""The moments of a task, in their order; each is there, and what was missing stands at the next that was known."""


class Where(NamedTuple):
    """What tasks that were called in one place have in common.

    Args:
        name: of the task, as its user wrote it.
        kind: "function", "executable", "block", "service" or "awaitable".
        place: where it runs, in words: "backend 'thread'".
        called_at: where the call is: "pipeline.py:12, in main".
        workflow: the tag of ``engine.workflow_scope``; "" outside of any.
        phases: what the time up to each of the moments after the call counts as: numbers in `Stories.categories`.
    """

    name: str
    kind: str
    place: str
    called_at: str
    workflow: str
    phases: tuple[int, ...]


@dataclass(slots=True)
class Stories:
    """Tasks in the order of their calls, a place from 0 on each.

    Args:
        categories: what a task's time is spent on, by name.
        states: names of states, by number.
        workers: names of workers, by number; the first is "", of which nothing is known.
        wheres: for the column `where`.
        id: number of the task.
        where: which of `wheres` it was called at.
        state: which of `states` it is in.
        worker: which of `workers` ran it.
        block: number of the block inside which it was called; 0 outside of all.
        times: a column for each of `TIMES`, in seconds since the run began.
        starts: where its dependencies begin in `dependencies`; one more than there are tasks.
        dependencies: numbers of tasks, which need not be among these.
        parts: what the time of a task went to where its phases do not tell it: categories with the times up to which
            it was at them, by place.
        facts: what else is known, as pairs of a name and a text, by place: errors, attempts, bytes.
        labels: what tells a task from others of its function, of those that were given it, by place.
        left_out: how many tasks of the run are not among these.
    """

    categories: Sequence[str] = ()
    states: Sequence[str] = ()
    workers: Sequence[str] = ("",)
    wheres: Sequence[Where] = ()
    id: array[int] = field(default_factory=lambda: array("I"))
    where: array[int] = field(default_factory=lambda: array("I"))
    state: array[int] = field(default_factory=lambda: array("B"))
    worker: array[int] = field(default_factory=lambda: array("H"))
    block: array[int] = field(default_factory=lambda: array("I"))
    times: tuple[array[float], ...] = field(default_factory=lambda: tuple(array("d") for _ in TIMES))
    starts: array[int] = field(default_factory=lambda: array("I", [0]))
    dependencies: array[int] = field(default_factory=lambda: array("I"))
    parts: Mapping[int, Sequence[tuple[int, float]]] = field(default_factory=dict)
    facts: Mapping[int, Sequence[tuple[str, str]]] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.id)

    def label(self, place: int) -> str:
        """For a picture: "fit (#4)", "fit[model] (#4)"."""
        own = f"[{self.labels[place]}]" if place in self.labels else ""
        return f"{self.wheres[self.where[place]].name}{own} (#{self.id[place]})"

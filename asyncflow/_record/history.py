"""What has happened in a run, by columns: what a report is made of. Pure data; times are handed in."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from .._core.streamed import Streamed

NOT_YET: Final = float("nan")
"""Stands in a column of times where nothing has happened."""
DATA: Final = 0
ORDER: Final = 1
OPTIONAL: Final = 2
"""Kinds of edges; the last of any other, where the dependent runs also without the dependency's value."""


class Site(NamedTuple):
    """What calls that are made in one place have in common.

    Args:
        name: of the task, as its user wrote it.
        kind: "function", "executable", "block", "service" or "awaitable".
        place: where it runs, in words: "backend 'thread'".
        limit: the option that limits how many run there at once; "" if none does.
        called_at: where the call is: "pipeline.py:12, in main".
        workflow: the tag of ``engine.workflow_scope``; None outside of any.
        detached: whether nobody waits for it.
        priority: its own, or that of the block around it.
    """

    name: str
    kind: str
    place: str
    limit: str
    called_at: str
    workflow: str | None
    detached: bool = False
    priority: float = 0.0


class Ending(NamedTuple):
    """Why a task gave no value.

    Args:
        error: class and message: "ValueError: need 2 rows", "Skip: no rows"; "" if it was cancelled, or did not run.
        roots: numbers of the tasks because of which it did not run, or was cancelled.
    """

    error: str
    roots: tuple[int, ...]


class Try(NamedTuple):
    """One attempt that has failed and that another followed, or was to follow. Times are those of a history.

    Args:
        submitted: when its backend was handed it; None if that is not known.
        started: when a worker began it; None if none did, or nobody has told.
        finished: when the worker was done; None, too.
        worker: which; "" if that is not known.
        ended: when its failure was known.
        error: class and message.
        delay: seconds that were to be waited then.
    """

    submitted: float | None
    started: float | None
    finished: float | None
    worker: str
    ended: float
    error: str
    delay: float


class Totals(NamedTuple):
    """Of tasks of one name that are told of no longer one by one.

    Args:
        states: how many ended how, by state.
        run: seconds that they ran, together.
        longest: seconds that the longest ran.
    """

    states: Mapping[str, int]
    run: float
    longest: float


Told = tuple[int, float, float, float, float, float]
"""Of one task what these columns tell: `attempts`, `ready`, `staged`, `submitted`, `started` and `finished`."""


@dataclass(slots=True)
class History:
    """The tasks of one run, a row each, in the order of their calls.

    All times are seconds since the run began, and `NOT_YET` where that has not happened or did not. Those of one row
    never go back: called <= ready <= staged <= submitted <= started <= finished <= over, as far as they are there.

    Args:
        run: identifies the run among others.
        began: when it began, in seconds since the epoch.
        now: of this history, in seconds since the run began.
        is_over: whether the engine was shut down.
        planning: seconds for which code that made calls held the event loop.
        workers: how many tasks can run at once, by place; None where there is no limit.
        names: of workers, for the column `worker`; the first is "", of which nothing is known.
        sites: for the column `site`.
        id: number of the task.
        site: which of `sites` it was called at.
        block: number of the block inside which it was called; 0 outside of all.
        state: as in `states.STATES`, from 1.
        attempts: how often it was submitted.
        worker: which of `names` ran it.
        called: when it was called.
        ready: when all that it waits for had ended.
        staged: when its files had been brought; the same as `ready` where there are none.
        submitted: when its backend was handed it.
        started: when a worker began it.
        finished: when the worker was done.
        over: when its future had its end: a value, an error, a cancel.
        starts: where its dependencies begin in `dependencies`; one more than there are rows.
        dependencies: numbers of tasks, which may have no row any more.
        edges: for each of these whether it is `DATA` or `ORDER`, and `OPTIONAL`.
        bytes_in: how much was brought for it; empty if that holds for none.
        bytes_out: how much of what it made was published; empty if that holds for none.
        endings: why those gave no value that did not, by number.
        loading: since when a worker was being made ready for a task, by number: started, or importing what it needs.
        tries: attempts of a task that were followed by another, by number, in order.
        held: from when to when a task has waited for limits, by number, in order.
        services: when a service has ended, and how, by the number of the task that had started it.
        kept: where the result of a task stays until somebody asks for it, and how many bytes, by number.
        streams: what is known of each, times since the run began.
        stream: number of the stream of whose items a task is one; 0 for none; empty if that holds for all.
        item: index of that item in its source, from 0; empty as well.
        keys: what ``key=`` made of items, as text, by the number of the task.
        labels: what tells a call from others of its function, of those that were given it, by the number of the task.
        dry_run: whether nothing was run, and values stood in for results.
        about: where it ran and how the engine was set, by name.
        dropped: how many tasks there were that have no row any more.
        earlier: what is known of these, by name.
        lost: names of tasks that have no row, since it is not written down what became of them, by number; "" where the
            name is not, either.
        lost_events: how many events are lacking because of which that is so.
    """

    run: str = ""
    began: float = 0.0
    now: float = 0.0
    is_over: bool = False
    planning: float = 0.0
    workers: Mapping[str, int | None] = field(default_factory=dict)
    names: Sequence[str] = ("",)
    sites: Sequence[Site] = ()
    id: array[int] = field(default_factory=lambda: array("I"))
    site: array[int] = field(default_factory=lambda: array("I"))
    block: array[int] = field(default_factory=lambda: array("I"))
    state: array[int] = field(default_factory=lambda: array("B"))
    attempts: array[int] = field(default_factory=lambda: array("I"))
    worker: array[int] = field(default_factory=lambda: array("H"))
    called: array[float] = field(default_factory=lambda: array("d"))
    ready: array[float] = field(default_factory=lambda: array("d"))
    staged: array[float] = field(default_factory=lambda: array("d"))
    submitted: array[float] = field(default_factory=lambda: array("d"))
    started: array[float] = field(default_factory=lambda: array("d"))
    finished: array[float] = field(default_factory=lambda: array("d"))
    over: array[float] = field(default_factory=lambda: array("d"))
    starts: array[int] = field(default_factory=lambda: array("I", [0]))
    dependencies: array[int] = field(default_factory=lambda: array("I"))
    edges: array[int] = field(default_factory=lambda: array("B"))
    bytes_in: array[int] = field(default_factory=lambda: array("Q"))
    bytes_out: array[int] = field(default_factory=lambda: array("Q"))
    endings: Mapping[int, Ending] = field(default_factory=dict)
    loading: Mapping[int, float] = field(default_factory=dict)
    tries: Mapping[int, Sequence[Try]] = field(default_factory=dict)
    held: Mapping[int, Sequence[tuple[float, float]]] = field(default_factory=dict)
    services: Mapping[int, tuple[float, str]] = field(default_factory=dict)
    kept: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    streams: Sequence[Streamed] = ()
    stream: array[int] = field(default_factory=lambda: array("I"))
    item: array[int] = field(default_factory=lambda: array("Q"))
    keys: Mapping[int, str] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)
    dry_run: bool = False
    about: Mapping[str, str] = field(default_factory=dict)
    dropped: int = 0
    earlier: Mapping[str, Totals] = field(default_factory=dict)
    lost: Mapping[int, str] = field(default_factory=dict)
    lost_events: int = 0

    def told(self, row: int) -> Told:
        """What six of the columns tell of one row. That may be known before they are made of all rows."""
        return (
            self.attempts[row],
            self.ready[row],
            self.staged[row],
            self.submitted[row],
            self.started[row],
            self.finished[row],
        )

    def runs(self) -> tuple[array[float], array[float], float]:
        """When workers began tasks, and when they were done, by some clock; and what that showed when the run began."""
        return self.started, self.finished, 0.0

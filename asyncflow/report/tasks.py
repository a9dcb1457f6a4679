"""What is told of one task: a row of the history, made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from typing import Any, Final, NamedTuple

from .._core.states import STATES, State
from .._record.history import Ending, History
from . import waits
from .rows import NOBODY, Rows

_UNKNOWN: Final = Ending("", ())


class AttemptReport(NamedTuple):
    """One attempt of a task. Times are seconds since the run began; None where that has not happened or is not known.

    Args:
        number: of it; 1 for the first.
        state: "FAILED", if another attempt followed; where the task stands, or how it ended, for the last.
        submitted: when its backend was handed it.
        started: when a worker began it.
        finished: when the worker was done.
        worker: which; "" if that is not known, or none began it.
        error: class and message of what it failed with; "" if it did not fail.
        delay: seconds that were to be waited after it.
    """

    number: int
    state: State
    submitted: float | None
    started: float | None
    finished: float | None
    worker: str
    error: str
    delay: float


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What became of one call. Times are seconds since the run began; None where that has not happened or did not.

    Args:
        id: number of the task.
        name: as its user wrote it.
        kind: "function", "executable", "block", "service" or "awaitable" (which was waited for, and not run here).
        state: where it stands, or how it ended.
        block: number of the block inside which it was called; None outside of all.
        workflow: the tag of `engine.workflow_scope`; None outside of any.
        called_at: where the call is: "pipeline.py:12, in main".
        place: where it runs, in words: "backend 'thread'".
        worker: which ran it; "" if that is not known, or none did.
        attempts: how often it was submitted.
        dependencies: numbers of the tasks that it waited for.
        called: when it was called.
        ready: when all that it waited for had ended.
        staged: when its files had been brought.
        submitted: when its backend was handed it.
        started: when a worker began it.
        finished: when the worker was done.
        over: when its future had its end.
        waits: seconds by category (`waits.CATEGORIES`) from its call to its end, or to now; their sum is all that time.
        bytes_in: how much was brought for it.
        bytes_out: how much of what it made was published.
        error: class and message of what it failed with, or of the `Skip` that it has raised; "" if neither.
        roots: numbers of the tasks because of which it did not run, or was cancelled.
        tries: each attempt.
        detached: whether nobody waits for it.
        priority: its own, or that of the block around it; it may have gone by a higher one, of what waits for it.
        kept_on: the node where its result stays until somebody asks for it; "" if it came to the engine.
        bytes_kept: how large that is.
        stream: number of the stream for an item of which it was called, itself or a block around it; None for none.
        item: index of that item in the stream's source, from 0; None for none.
        key: what ``key=`` made of that item, as text; "" without.
        own_label: what tells it from other calls of its function: its step's name in a graph, the id of a job of a
            service, its label; "" if it has none, or one of its function's that nobody had to make.
    """

    id: int
    name: str
    kind: str
    state: State
    block: int | None
    workflow: str | None
    called_at: str
    place: str
    worker: str
    attempts: int
    dependencies: tuple[int, ...]
    called: float
    ready: float | None
    staged: float | None
    submitted: float | None
    started: float | None
    finished: float | None
    over: float | None
    waits: dict[str, float]
    bytes_in: int
    bytes_out: int
    error: str
    roots: tuple[int, ...]
    tries: tuple[AttemptReport, ...] = ()
    detached: bool = False
    priority: float = 0.0
    kept_on: str = ""
    bytes_kept: int = 0
    stream: int | None = None
    item: int | None = None
    key: str = ""
    own_label: str = ""

    @property
    def seconds(self) -> float:
        """How long it took from its call to its end, or to now."""
        return sum(self.waits.values())

    @property
    def label(self) -> str:
        """For messages: "fit (#4)", or "fit[model] (#4)"."""
        return (
            f"{self.name}[{self.own_label}] (#{self.id})" if self.own_label else f"{self.name} (#{self.id})"
        )


def task(rows: Rows, row: int) -> TaskReport:
    """What is told of the task in a row."""
    history = rows.history
    id, site = history.id[row], history.sites[history.site[row]]
    ending = history.endings.get(id, _UNKNOWN)
    attempts, ready, staged, submitted, started, finished = history.told(row)
    times = waits.times(history, row)
    return TaskReport(
        id,
        site.name,
        site.kind,
        STATES[history.state[row] - 1],
        history.block[row] or None,
        site.workflow,
        site.called_at,
        site.place,
        history.names[history.worker[row]],
        attempts,
        tuple(history.dependencies[history.starts[row] : history.starts[row + 1]]),
        history.called[row],
        _known(ready),
        _known(staged),
        _known(submitted),
        _known(started),
        _known(finished),
        _known(history.over[row]),
        waits.shares(history, row, times.called, times.over),
        bytes_of(history, row, "bytes_in"),
        bytes_of(history, row, "bytes_out"),
        ending.error,
        ending.roots,
        tuple(_tries(history, row, ending.error)),
        site.detached,
        site.priority,
        *history.kept.get(id, ("", 0)),
        **item_of(rows, row),
        own_label=history.labels.get(id, ""),
    )


def item_of(rows: Rows, row: int) -> dict[str, Any]:
    """The stream, the index and the key of the item that a task is for."""
    history = rows.history
    while row != NOBODY and history.stream:
        if history.stream[row]:
            key = history.keys.get(history.id[row], "")
            return {"stream": history.stream[row], "item": history.item[row], "key": key}
        row = rows.block(row)
    return {}


def _tries(history: History, row: int, error: str) -> Iterator[AttemptReport]:
    number = 0
    for number, each in enumerate(history.tries.get(history.id[row], ()), 1):
        times = each.submitted, each.started, each.finished
        yield AttemptReport(number, State.FAILED, *times, each.worker, each.error, each.delay)
    submitted, started, finished = map(_known, history.told(row)[3:])
    if submitted is not None or started is not None:
        state, worker = STATES[history.state[row] - 1], history.names[history.worker[row]]
        yield AttemptReport(number + 1, state, submitted, started, finished, worker, error, 0.0)


def bytes_of(history: History, row: int, column: str) -> int:
    """How much was brought or published; the whole column may be missing."""
    sizes = history.bytes_in if column == "bytes_in" else history.bytes_out
    return sizes[row] if sizes else 0


def _known(time: float) -> float | None:
    return None if isnan(time) else time

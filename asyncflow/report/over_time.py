"""What there was of something over time: how many tasks ran and waited, and how many results were held for others."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Final

from .._core.states import SUCCEEDED
from .._record.history import ORDER
from .._show.over_time import Average, highest
from .._show.timeline import Layer, Series, What
from . import waits
from .rows import NOBODY, WORK, Rows

_HELD: Final = "counted from the end of a task to that of the last task that took its result"
_COULD: Final = (What.LIMIT, What.QUEUE, What.STAGING, What.START, What.RETRY)
_LEAST: Final = 1e-9  # seconds of a run of which there is anything to tell; it is divided by a part of them
_OF_WAITS: Final = {
    waits.DEPENDENCY: What.DEPENDENCY,
    waits.STAGING: What.STAGING,
    waits.LIMIT: What.LIMIT,
    waits.QUEUE: What.QUEUE,
    waits.START: What.START,
    waits.TRANSFER: What.TRANSFER,
    waits.RUN: What.DONE,
    waits.RETRY: What.RETRY,
}


def series(rows: Rows) -> list[Series]:
    """Those that have something to tell."""
    seconds = rows.history.now
    if seconds < _LEAST or not len(rows):
        return []
    at = {what: Average(seconds) for what in _OF_WAITS.values()}
    _fill(rows, at)
    found = [
        Series("Tasks that ran", "tasks", "on average in each stretch of time", _layers(at, [What.DONE])),
        Series(
            "Could run, and waited",
            "tasks",
            "for a limit, a worker, files or another attempt",
            _layers(at, _COULD),
        ),
        Series("Waited for inputs", "tasks", "for others to end", _layers(at, [What.DEPENDENCY])),
    ]
    held = list(_held(rows))
    layers = [Layer("results", None, highest(((begin, end, 1.0) for begin, end, _ in held), seconds))]
    found.append(Series("Results held for others", "results", _HELD, layers))
    sized = [span for span in held if span[2]]
    layers = [Layer("bytes", None, highest(sized, seconds))]
    found.append(
        Series("Bytes kept on nodes for others", "bytes", f"of results that stayed there; {_HELD}", layers)
    )
    return [each for each in found if each.most > 0]


def _layers(at: dict[What, Average], wanted: Sequence[What]) -> list[Layer]:
    layers = [Layer(what.words, what, at[what].values()) for what in wanted]
    return [layer for layer in layers if any(layer.values)] or layers[:1]


def _fill(rows: Rows, at: dict[What, Average]) -> None:
    history, now = rows.history, rows.history.now
    adds = [at[_OF_WAITS[category]].add for category in range(len(waits.CATEGORIES))]
    ran = at[What.DONE].add
    works = [kind in WORK for kind in rows.kinds]
    for row in range(len(rows)):
        if works[history.site[row]]:
            told = waits.times(history, row)
            for begin, end in _runs(rows, row, told):
                ran(begin, min(end, now))
            counts, ends = waits.parts(history, row, told)
            since = ends[0]
            for count, time in zip(counts, ends[1:], strict=True):
                until = min(time, now)
                if until > since:
                    if count != waits.RUN:
                        adds[count](since, until)
                    since = until


def _runs(rows: Rows, row: int, told: waits.Times) -> Iterable[tuple[float, float]]:
    """When workers ran a task; of its failed attempts not until the failure was known, but until they were done."""
    if told.started < told.finished:
        yield told.started, told.finished
    for tried in rows.history.tries.get(rows.history.id[row], ()):
        if tried.started is not None:
            yield tried.started, max(tried.started, tried.ended if tried.finished is None else tried.finished)


def _held(rows: Rows) -> Iterable[tuple[float, float, float]]:
    """From when to when a result was held because others still needed it, and its size where that is known."""
    history, ends = rows.history, rows.ends
    last = array("d", [0.0]) * len(rows)
    for row in range(len(rows)):
        for place in range(history.starts[row], history.starts[row + 1]):
            if not history.edges[place] & ORDER:
                need = rows.row(history.dependencies[place])
                if need != NOBODY and ends[row] > last[need]:
                    last[need] = ends[row]
    for row, end in enumerate(last):
        if end and history.state[row] == SUCCEEDED:
            yield ends[row], end, history.kept.get(history.id[row], ("", 0))[1]

"""A run over time: what each worker was at, the critical path, and what there was of results meanwhile."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Final

from .._core.states import FAILED
from .._show.timeline import NOBODY as NO_TASK
from .._show.timeline import Bars, Mark, Timeline, What
from .._show.words import counted, name_of
from . import lanes, over_time, waits
from .path import Path
from .rows import NOBODY, Rows
from .stories import chosen, critical, places, stories

_LONG: Final = frozenset({"block", "service"})  # their bars are there long after they held up anything
_STEPS: Final = 20_000  # of a critical path; one of more is told in so many


def timeline(rows: Rows, path: Path, title: str) -> Timeline:
    """The timeline of a run.

    Args:
        rows: of its history.
        path: its critical path.
        title: of the picture.
    """
    history = rows.history
    told = chosen(rows, path)
    where = places(told, len(rows))
    on_path = bytearray(len(told))
    for row in critical(path):
        if where[row] >= 0 and rows.kinds[history.site[row]] not in _LONG:
            on_path[where[row]] = 1
    shown, bars = lanes.placed(rows, told, where)
    made = Timeline(
        title,
        history.began,
        history.now,
        shown,
        bars,
        lanes.gaps(rows, told, shown, bars),
        _joined(_steps(rows, path, where), history.now),
        on_path,
        over_time.series(rows),
        list(_marks(rows, where)),
        stories(rows, told),
    )
    made.notes = list(_notes(rows, len(told)))
    return made


def _notes(rows: Rows, told: int) -> Iterator[str]:
    if told < len(rows):
        left_out = counted(len(rows) - told, "task")
        yield f"{left_out} without a bar: failures, the critical path and what ran longest are here."
    if dropped := rows.history.dropped:
        yield f"{counted(dropped, 'earlier task')} not told of one by one in this report."
    if lost := len(rows.history.lost):
        yield f"What became of at least {counted(lost, 'task')} is not written down."


def _steps(rows: Rows, path: Path, where: array[int]) -> Iterator[tuple[float, float, What, int]]:
    """The critical path in parts: from when to when, what, and the place of whose it was."""
    for step in range(len(path)):
        row, is_code, begin, end = path.step(step)
        place = NO_TASK if row == NOBODY or where[row] < 0 else where[row]
        if is_code or row == NOBODY:
            yield begin, end, What.CODE, place
            continue
        counts, ends = waits.parts(rows.history, row)
        since = begin
        for count, time in zip(counts, ends[1:], strict=True):
            until = min(time, end)
            if until > since:
                what = lanes.state_of(rows, row) if count == waits.RUN else lanes.what_of(count)
                yield since, until, what, place
                since = until


def _joined(steps: Iterator[tuple[float, float, What, int]], seconds: float) -> Bars:
    """In one row; where there are very many, what is too short to be seen goes with what is next to it."""
    all_steps = list(steps)
    least = seconds / _STEPS if len(all_steps) > _STEPS else 0.0
    bars = Bars()
    longest = 0.0
    for begin, end, what, place in all_steps:
        if bars and bars.end[-1] - bars.begin[-1] < least:
            if end - begin > longest:
                longest, bars.what[-1], bars.task[-1] = end - begin, what, place
            bars.end[-1] = end
        else:
            longest = end - begin
            bars.add(0, begin, end, what, place)
    return bars


def _marks(rows: Rows, where: array[int]) -> Iterator[Mark]:
    ends, history = rows.ends, rows.history
    first = min(rows.in_state(FAILED), key=ends.__getitem__, default=NOBODY)
    if first != NOBODY and where[first] >= 0:
        name = name_of(history.sites[history.site[first]].name)
        yield Mark(ends[first], f"first failure: {name} (#{history.id[first]})", where[first])

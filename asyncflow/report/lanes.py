"""Who was at what when: bars of attempts, services and blocks in rows, so that none is before another."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from typing import Final, NamedTuple

from .._core.states import CANCELLED, CANCELLING, FAILED, SKIPPED, SUCCEEDED
from .._record.history import Site
from .._show.timeline import Bars, Lane, What
from .._show.words import plain
from . import waits
from .rows import WORK, Rows

_STATES: Final = {
    SUCCEEDED: What.DONE,
    FAILED: What.FAILED,
    CANCELLED: What.CANCELLED,
    CANCELLING: What.CANCELLED,
    SKIPPED: What.SKIPPED,
}
_CATEGORIES: Final = (
    What.DEPENDENCY,
    What.STAGING,
    What.LIMIT,
    What.QUEUE,
    What.START,
    What.TRANSFER,
    What.DONE,
    What.RETRY,
)
_AT: Final = " on "  # "process 4711 on node-2"
_OTHERS: Final = {"service": "services", "block": "blocks", "awaitable": "awaited"}
_DIGITS: Final = re.compile(r"(\d+)")
_FINEST: Final = 4_000  # gaps that are shorter than this part of all are not drawn


class _Piece(NamedTuple):
    """A bar that has no row yet."""

    group: str
    lane: str
    begin: float
    end: float
    what: What
    row: int  # of the task


def what_of(category: int) -> What:
    """How a category of `waits` is shown; a run as one that went well."""
    return _CATEGORIES[category]


def state_of(rows: Rows, row: int) -> What:
    """How the run of a task is shown."""
    return _STATES.get(rows.history.state[row], What.RUNNING)


def placed(rows: Rows, told: Sequence[int], places: array[int]) -> tuple[list[Lane], Bars]:
    """The lanes, and the bars in them.

    Args:
        rows: of the history.
        told: those of whom there are bars.
        places: of each row in the stories.
    """
    by_group: dict[str, dict[str, list[_Piece]]] = {}
    for piece in _pieces(rows, told):
        by_group.setdefault(piece.group, {}).setdefault(piece.lane, []).append(piece)
    last = list(_OTHERS.values())
    groups = sorted(by_group, key=lambda group: last.index(group) if group in last else -1)
    workers = {plain(place): number for place, number in rows.history.workers.items()}
    unlimited = {place for place, number in workers.items() if number is None}
    lanes: list[Lane] = []
    bars, first = Bars(), 0
    for group in groups:
        named = by_group[group]
        title = _title(group, len(named), workers.get(group))
        for name in sorted(named, key=_natural):
            count = _place(named[name], first, bars, places)
            lanes.append(Lane(title, name, first, count, group not in last and name not in unlimited))
            first += count
    return lanes, bars.in_order()


def _title(group: str, lanes: int, workers: int | None) -> str:
    if workers is None or group in _OTHERS.values():
        return group
    return f"{group}, {lanes} of {workers} workers" if lanes < workers else f"{group}, {workers} workers"


def _natural(name: str) -> list[tuple[int, str]]:
    """So that the tenth comes after the second."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(name)]


def _pieces(rows: Rows, told: Sequence[int]) -> Iterator[_Piece]:
    history = rows.history
    for row in told:
        site, times = history.sites[history.site[row]], waits.times(history, row)
        if site.kind == "service":
            yield from _service(rows, row, site, times)
            continue
        if site.kind == "awaitable":
            yield _Piece("awaited", plain(site.name), times.called, times.over, What.AWAITED, row)
            continue
        for tried in history.tries.get(history.id[row], ()):
            if tried.started is not None:
                end = max(tried.started, tried.ended if tried.finished is None else tried.finished)
                group, lane = _where(site, tried.worker)
                yield _Piece(group, lane, tried.started, end, What.RETRIED, row)
        end = times.over if site.kind == "block" else times.finished
        if times.started < end or history.started[row] == times.started:
            what = state_of(rows, row)
            if site.kind == "block":
                what = What.BLOCK if what is What.DONE else what
                yield _Piece("blocks", "blocks", times.started, end, what, row)
            else:
                group, lane = _where(site, history.names[history.worker[row]])
                yield _Piece(group, lane, times.started, end, what, row)


def _service(rows: Rows, row: int, site: Site, times: waits.Times) -> Iterator[_Piece]:
    """Its start, and then its life."""
    history, name = rows.history, plain(site.name)
    is_up = history.state[row] == SUCCEEDED
    if times.started < times.over:
        what = What.START if is_up else state_of(rows, row)
        yield _Piece("services", name, times.started, times.over, what, row)
    if is_up:
        ended, _ = history.services.get(history.id[row], (history.now, ""))
        yield _Piece("services", name, times.over, max(times.over, ended), What.SERVICE, row)


def _where(site: Site, worker: str) -> tuple[str, str]:
    """The group and the lane of a worker: those of one machine belong together, where there are several."""
    place = plain(site.place)
    name, at, machine = plain(worker).rpartition(_AT)
    return (f"{place}{_AT}{machine}", name) if at else (place, machine or place)


def _place(pieces: list[_Piece], first: int, bars: Bars, places: array[int]) -> int:
    """Add the bars of one lane, each to the first row that is free then; how many rows that took."""
    free: list[int] = []
    taken: list[tuple[float, int]] = []
    rows = 0
    for piece in sorted(pieces, key=lambda each: (each.begin, each.end, each.row)):
        while taken and taken[0][0] <= piece.begin:
            heappush(free, heappop(taken)[1])
        if not free:
            heappush(free, rows)
            rows += 1
        row = heappop(free)
        heappush(taken, (piece.end, row))
        bars.add(first + row, piece.begin, piece.end, piece.what, places[piece.row])
    return rows


# -- what a worker without work waited for ------------------------------------------------------------------


def gaps(rows: Rows, told: Sequence[int], lanes: Sequence[Lane], bars: Bars) -> Bars:
    """What is between the bars of a worker: what the task waited for that ran there next.

    The time before that task was called is nobody's. What is too short to be seen is left out.
    """
    found, least = Bars(), rows.history.now / _FINEST
    work = {row for lane in lanes if lane.is_worker for row in range(lane.first, lane.first + lane.rows)}
    count = sum(lane.rows for lane in lanes)
    for row, (first, last) in enumerate(bars.stretches(count)):
        if row not in work:
            continue
        since, before = 0.0, -1
        for at in range(first, last):
            begin = bars.begin[at]
            if begin - since > least:
                _gap(rows, told, found, row, (since, begin), before, bars.task[at], least)
            since, before = bars.end[at], bars.task[at]
    return found


def _gap(
    rows: Rows,
    told: Sequence[int],
    found: Bars,
    row: int,
    between: tuple[float, float],
    before: int,
    after: int,
    least: float,
) -> None:
    begin, end = between
    history = rows.history
    if before >= 0:
        over = min(waits.times(history, told[before]).over, end)
        if over - begin > least and _kind(rows, told[before]) in WORK:
            found.add(row, begin, over, What.TRANSFER, before)
            begin = over
    counts, ends = waits.parts(history, told[after])
    since = ends[0]
    for count, until in zip(counts, ends[1:], strict=True):
        one, other = max(since, begin), min(until, end)
        if other - one > least and count not in (waits.RUN, waits.TRANSFER):
            found.add(row, one, other, what_of(count), after)
        since = max(since, until)


def _kind(rows: Rows, row: int) -> str:
    """The kind of the task in a row."""
    return rows.kinds[rows.history.site[row]]

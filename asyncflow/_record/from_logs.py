"""Makes a history of a snapshot: a row for each task, worked out from the logs. Pure; to be asked for, not on the way.

The logs mostly go through tasks as these were called, one after another, so that they are read by thousands.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from operator import itemgetter, le
from typing import TypeVar

from .._core.states import SUCCEEDED
from .edges import add_edges
from .history import NOT_YET, Ending, History, Try
from .history_columns import HistoryColumns, shifted_stream, since
from .lazy import shifted
from .placed import Placed, spread
from .segment import LOOP, Segment
from .snapshot import Snapshot
from .stream_log import items_of

T = TypeVar("T")


def history_of(snapshot: Snapshot) -> History:
    """All that is known of a run.

    Args:
        snapshot: of it.
    """
    logs = _Logs(snapshot)
    logs.read()
    columns, kept, numbers = logs.columns, logs.kept, logs.numbers
    return columns.history(
        kept,
        numbers if len(kept) == len(numbers) else array("I", [numbers[row] for row in kept]),
        snapshot.staged.__contains__,
        now=snapshot.now - snapshot.began,
        names=snapshot.names,
        earlier=snapshot.earlier.totals(snapshot.segments),
        **snapshot.known,
    )


class _Logs:
    """The logs of a run, read into columns; a row for each number that a call was given."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._zero = snapshot.began
        self._segments = snapshot.segments
        self.first = first = self._segments[0].first
        last = max(snapshot.last, max(snapshot.live, default=0))
        self.numbers = array("I", range(first, last + 1))
        self.columns = HistoryColumns(len(self.numbers), self._zero)
        gone = {task_id - first for each in self._segments for task_id in (*each.voids, *each.aliases)}
        rows = range(self.columns.size)
        self.kept: Sequence[int] = [row for row in rows if row not in gone] if gone else rows
        """The rows of real tasks."""

    def read(self) -> None:
        """Fill in the columns."""
        segments = self._segments
        following = [*(segment.first for segment in segments[1:]), self.first + self.columns.size]
        for segment, end in zip(segments, following, strict=True):
            self._calls(segment, end)
        for segment in segments:
            self._handed_over(segment)
            self._ran(segment)
            self._on_the_loop(segment)
        for segment in segments:
            self._bad(segment)
            self._few(segment)
        if any(segment.tried for segment in segments):
            self._attempts(segments)
        self._items()
        self._alive()
        add_edges(self.columns, segments, self.numbers, self.kept)

    # -- what the logs say --------------------------------------------------------------------------------

    def _calls(self, segment: Segment, following: int) -> None:
        columns = self.columns
        turns = segment.turn_id[: bisect_left(segment.turn_id, following)]
        if not turns:
            return
        begin = turns[0]
        rows = slice(begin - self.first, following - self.first)
        if turns == self.numbers[rows]:  # each call is from elsewhere than the one before
            ends: Sequence[int] = range(1, len(turns) + 1)
        else:
            ends = [*(each - begin for each in turns[1:]), following - begin]
        numbers = [columns.number_of(site) for site in segment.sites]
        many = len(turns)
        sites = array("I", [numbers[site] for site in segment.turn_site[:many]])
        columns.site[rows] = spread(sites, ends)
        columns.block[rows] = spread(segment.turn_block[:many], ends)
        columns.called[rows] = spread(shifted(segment.turn_at[:many], self._zero), ends)

    def _handed_over(self, segment: Segment) -> None:
        columns, first = self.columns, self.first
        placed = Placed(segment.submitted, self.numbers)
        placed.put(columns.submitted, spread(shifted(segment.batch_at, self._zero), segment.batch_end))
        placed.count(columns.attempts)
        for task_id, _ in segment.returned:
            if task_id >= first:
                columns.given_back(task_id - first)

    def _ran(self, segment: Segment) -> None:
        heard, zero = spread(segment.taken_at, segment.taken_end), self._zero
        if all(map(le, segment.ran_ended, heard)):
            over = spread(shifted(segment.taken_at, zero), segment.taken_end)
        else:
            over = shifted(map(max, segment.ran_ended, heard), zero)
        placed = Placed(segment.ran_id, self.numbers)
        placed.put(self.columns.started, segment.ran_began)
        placed.put(self.columns.finished, segment.ran_ended)
        placed.put(self.columns.over, over)
        placed.put(self.columns.worker, segment.ran_worker)
        placed.put_all(self.columns.state, SUCCEEDED)

    def _on_the_loop(self, segment: Segment) -> None:
        """Each began when the one before it was over."""
        ats = segment.loop_at
        placed = Placed(segment.loop_id[1:], self.numbers)
        placed.put(self.columns.started, ats[:-1])
        placed.put(self.columns.finished, ats[1:])
        placed.put(self.columns.over, shifted(ats[1:], self._zero))
        placed.put_all(self.columns.worker, LOOP)
        placed.put_all(self.columns.state, SUCCEEDED)

    def _bad(self, segment: Segment) -> None:
        """Those that gave no value, and before them those that were over late."""
        columns, zero, whys = self.columns, self._zero, list(segment.whys)
        placed = Placed(segment.late_id, self.numbers)
        placed.put(columns.over, shifted(segment.late_at, zero))
        placed.put_all(columns.state, SUCCEEDED)
        placed = Placed(segment.bad_id, self.numbers)
        ats = placed.of(shifted(segment.bad_at, zero))
        for place, row in enumerate(placed.rows(self.first)):
            ended = columns.finished[row] - zero
            columns.over[row] = ended if ended > ats[place] else ats[place]
        placed.put(columns.state, segment.bad_state)
        known: dict[tuple[int, int], Ending] = {}
        roots, reasons = placed.of(segment.bad_root), placed.of(segment.bad_why)
        for task_id, root, reason in zip(placed.ids, roots, reasons, strict=True):
            ending = known.get((root, reason))
            if ending is None:
                told = whys[reason]
                ending = known[root, reason] = Ending(told.error, (root, *told.roots)) if root else told
            columns.endings[task_id] = ending

    def _few(self, segment: Segment) -> None:
        first, columns, zero = self.first, self.columns, self._zero
        for task_id, at, size in segment.staged:
            if task_id >= first:
                columns.brought(task_id - first, at - zero, size)
        for task_id, size in segment.published:
            if task_id >= first:
                columns.published(task_id - first, size)
        for task_id, begun in segment.loading:
            if task_id >= first:
                columns.loading[task_id] = begun - zero
        for task_id, begun, until in segment.admitted:
            if task_id >= first:
                columns.held.setdefault(task_id, []).append((begun - zero, until - zero))
        for task_id, at, how in segment.services:
            if task_id >= first:
                columns.services[task_id] = at - zero, how
        columns.kept.update((each[0], each[1:]) for each in segment.kept if each[0] >= first)
        columns.labels.update(each for each in segment.labels.items() if each[0] >= first)

    def _items(self) -> None:
        """Which tasks are of items of streams, and what is known of these."""
        columns, first = self.columns, self.first
        for segment in self._segments:
            for task_id, place in items_of(segment, first, first + columns.size - 1):
                columns.of_stream(task_id - first, place.stream, place.item)
                if place.key:
                    columns.keys[task_id] = place.key
        columns.streams = [shifted_stream(each, self._zero) for each in self._snapshot.streams]

    def _attempts(self, segments: Sequence[Segment]) -> None:
        """Attempts that others have followed: each is what ran after the one before it, and before it had failed."""
        wanted = {each[0] for segment in segments for each in segment.tried if each[0] >= self.first}
        handed: dict[int, deque[float]] = {task_id: deque() for task_id in wanted}
        runs: dict[int, deque[tuple[float, float, int]]] = {task_id: deque() for task_id in wanted}
        for segment in segments:
            _gather(segment, handed, runs)
        for task_id, known in runs.items():  # of two logs
            runs[task_id] = deque(sorted(known))
        names = self._snapshot.names
        for segment in segments:
            for task_id, ended, error, delay in segment.tried:
                if task_id not in wanted:
                    continue
                submitted = _last_before(handed[task_id], ended, lambda at: at)
                ran = _last_before(runs[task_id], ended, itemgetter(0))
                began, finished, worker = (None, None, "") if ran is None else (*ran[:2], names[ran[2]])
                failed = Try(submitted, began, finished, worker, ended, error, delay)
                self.columns.attempt_failed(task_id - self.first, task_id, since(self._zero, failed))
        columns = self.columns
        for task_id, left in runs.items():
            if left:  # the last attempt, which is followed by no other
                row = task_id - self.first
                columns.started[row], columns.finished[row], columns.worker[row] = left[-1]

    def _alive(self) -> None:
        """What the logs cannot know yet."""
        first, columns, snapshot = self.first, self.columns, self._snapshot
        for task_id, begun in snapshot.held.items():
            if task_id >= first:
                columns.held.setdefault(task_id, []).append((begun - self._zero, snapshot.now - self._zero))
        placed = Placed(snapshot.live, self.numbers)
        placed.put(columns.state, array("B", snapshot.states))
        placed.put_all(columns.over, NOT_YET)
        for task_id in snapshot.left_behind:
            if task_id >= first:
                columns.left_behind(task_id - first)
        for task_id, (at, worker) in snapshot.running.items():
            row = task_id - first
            if row >= 0 and isnan(columns.finished[row]):
                columns.started[row] = at
                columns.worker[row] = worker


def _gather(
    segment: Segment,
    handed: Mapping[int, deque[float]],
    runs: Mapping[int, deque[tuple[float, float, int]]],
) -> None:
    """When some tasks were handed over and have run, in a segment, is added in order."""
    ats = spread(segment.batch_at, segment.batch_end)
    for task_id, at in zip(segment.submitted, ats, strict=True):
        if task_id in handed:
            handed[task_id].append(at)
    columns = segment.ran_id, segment.ran_began, segment.ran_ended, segment.ran_worker
    for task_id, began, ended, worker in zip(*columns, strict=True):
        if task_id in runs:
            runs[task_id].append((began, ended, worker))
    before = 0.0
    for task_id, at in zip(segment.loop_id, segment.loop_at, strict=True):
        if task_id in runs:
            runs[task_id].append((before, at, LOOP))
        before = at


def _last_before(known: deque[T], moment: float, time: Callable[[T], float]) -> T | None:
    """The last that was up to a moment; that and those before are taken out."""
    last = None
    while known and time(known[0]) <= moment:
        last = known.popleft()
    return last

"""Makes a history of a record: a row for each task, worked out from the logs. Pure; to be asked for, not on the way."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isnan
from operator import itemgetter
from typing import Final, TypeVar

from .._core.states import NOW, SUCCEEDED
from .._core.task import Task
from .aliases import Aliases
from .history import NOT_YET, Ending, History, Try
from .history_columns import HistoryColumns
from .record import Record
from .segment import LOOP, PAUSE, Segment

T = TypeVar("T")


def history_of(
    record: Record,
    now: float,
    live: Mapping[int, Task],
    left_behind: Iterable[int] = (),
    *,
    run: str = "",
    began: float = 0.0,
    is_over: bool = False,
    workers: Mapping[str, int | None] | None = None,
    dry_run: bool = False,
) -> History:
    """All that is known of a run.

    Args:
        record: of the run.
        now: the time, by the record's clock.
        live: tasks that are not over.
        left_behind: numbers of those whose work still went on when the run ended.
        run: identifies the run among others.
        began: when it began, in seconds since the epoch.
        is_over: whether it has ended.
        workers: how many tasks can run at once, by place.
        dry_run: whether nothing is run.
    """
    record.settle()
    logs = _Logs(record, now, live)
    logs.read(left_behind)
    columns, kept, first = logs.columns, logs.kept, logs.first
    return columns.history(
        kept,
        [row + first for row in kept],
        record.began,
        logs.is_staged,
        run=run,
        began=began,
        now=now - record.began,
        is_over=is_over,
        planning=record.planning,
        workers=dict(workers or {}),
        names=tuple(record.names),
        dropped=record.dropped,
        earlier=record.totals(live),
        dry_run=dry_run,
    )


class _Logs:
    """The logs of a record, read into columns; a row for each number that a call was given."""

    def __init__(self, record: Record, now: float, live: Mapping[int, Task]) -> None:
        self._record = record
        self._now = now
        self._live = live
        self.first = record.segments[0].first
        self.columns = HistoryColumns(max(record.last, max(live, default=0)) - self.first + 1)
        gone = {task_id - self.first for each in record.segments for task_id in (*each.voids, *each.aliases)}
        rows = range(self.columns.size)
        self.kept: Sequence[int] = [row for row in rows if row not in gone] if gone else rows
        """The rows of real tasks."""

    def read(self, left_behind: Iterable[int]) -> None:
        """Fill in the columns."""
        segments = self._record.segments
        for segment in segments:
            self._calls(segment)
        for segment in segments:
            self._handed_over(segment)
            self._ran(segment)
            self._on_the_loop(segment)
        for segment in segments:
            self._few(segment)
        for segment in segments:
            for task_id, since, until in segment.admitted:
                if task_id >= self.first:
                    self.columns.held.setdefault(task_id, []).append((since, until))
            for task_id, at, how in segment.services:
                if task_id >= self.first:
                    self.columns.services[task_id] = at, how
        if any(segment.tried for segment in segments):
            self._attempts(segments)
        self._alive(left_behind)
        self._dependencies(segments)

    def is_staged(self, task_id: int) -> bool:
        """Whether the files of a task are there that was not handed over."""
        task = self._live.get(task_id)
        return task is not None and task.lane.leads_to is None

    # -- what the logs say --------------------------------------------------------------------------------

    def _calls(self, segment: Segment) -> None:
        columns, first = self.columns, self.first
        numbers = [columns.number_of(site) for site in segment.sites]
        ends = [*segment.turn_id[1:], self._end_of(segment)]
        turns = zip(
            segment.turn_id, ends, segment.turn_site, segment.turn_block, segment.turn_at, strict=False
        )
        for number, following, site, block, at in turns:
            begin, end = number - first, min(following - first, columns.size)
            if end == begin + 1:
                columns.site[begin], columns.block[begin], columns.called[begin] = numbers[site], block, at
            elif end > begin:
                columns.site[begin:end] = array("I", [numbers[site]]) * (end - begin)
                columns.block[begin:end] = array("I", [block]) * (end - begin)
                columns.called[begin:end] = array("d", [at]) * (end - begin)

    def _end_of(self, segment: Segment) -> int:
        segments = self._record.segments
        at = segments.index(segment)
        return segments[at + 1].first if at + 1 < len(segments) else self.first + self.columns.size

    def _handed_over(self, segment: Segment) -> None:
        first, submitted, attempts = self.first, self.columns.submitted, self.columns.attempts
        begin = 0
        for end, at in zip(segment.batch_end, segment.batch_at, strict=True):
            for task_id in segment.submitted[begin:end]:
                if task_id >= first:
                    submitted[task_id - first] = at
                    attempts[task_id - first] += 1
            begin = end
        for task_id, _ in segment.returned:
            if task_id >= first:
                self.columns.given_back(task_id - first)

    def _ran(self, segment: Segment) -> None:
        first, begin, columns = self.first, 0, self.columns
        started, finished, over = columns.started, columns.finished, columns.over
        marks = [*zip(segment.taken_end, segment.taken_at, strict=True), (len(segment.ran_id), self._now)]
        for end, at in marks:
            for index in range(begin, end):
                row = segment.ran_id[index] - first
                if row >= 0:
                    started[row] = segment.ran_began[index]
                    ended = finished[row] = segment.ran_ended[index]
                    columns.worker[row] = segment.ran_worker[index]
                    over[row] = max(at, ended)
                    columns.state[row] = SUCCEEDED
            begin = end

    def _on_the_loop(self, segment: Segment) -> None:
        first, before, columns = self.first, 0.0, self.columns
        for task_id, at in zip(segment.loop_id, segment.loop_at, strict=True):
            row = task_id - first
            if task_id != PAUSE and row >= 0:
                columns.started[row] = before
                columns.finished[row] = columns.over[row] = at
                columns.worker[row] = LOOP
                columns.state[row] = SUCCEEDED
            before = at

    def _few(self, segment: Segment) -> None:
        first, columns = self.first, self.columns
        for task_id, at in zip(segment.late_id, segment.late_at, strict=True):
            if task_id >= first:
                columns.over[task_id - first] = at
                columns.state[task_id - first] = SUCCEEDED
        whys = list(segment.whys)
        ends = segment.bad_id, segment.bad_state, segment.bad_at, segment.bad_root, segment.bad_why
        for task_id, state, at, root, why in zip(*ends, strict=True):
            row = task_id - first
            if row >= 0:
                ended = columns.finished[row]
                columns.over[row] = at if isnan(ended) else max(at, ended)
                columns.state[row] = state
                roots = (root, *whys[why].roots) if root else ()
                columns.endings[task_id] = Ending(whys[why].error, roots) if roots else whys[why]
        for task_id, at, size in segment.staged:
            if task_id >= first:
                columns.brought(task_id - first, at, size)
        for task_id, size in segment.published:
            if task_id >= first:
                columns.published(task_id - first, size)
        columns.loading.update(each for each in segment.loading if each[0] >= first)
        columns.kept.update((each[0], each[1:]) for each in segment.kept if each[0] >= first)

    def _attempts(self, segments: list[Segment]) -> None:
        """Attempts that others have followed: each is what ran after the one before it, and before it had failed."""
        wanted = {each[0] for segment in segments for each in segment.tried if each[0] >= self.first}
        handed: dict[int, deque[float]] = {task_id: deque() for task_id in wanted}
        runs: dict[int, deque[tuple[float, float, int]]] = {task_id: deque() for task_id in wanted}
        for segment in segments:
            _gather(segment, handed, runs)
        for task_id, known in runs.items():  # of two logs
            runs[task_id] = deque(sorted(known))
        names = self._record.names
        for segment in segments:
            for task_id, ended, error, delay in segment.tried:
                if task_id not in wanted:
                    continue
                submitted = _last_before(handed[task_id], ended, lambda at: at)
                ran = _last_before(runs[task_id], ended, itemgetter(0))
                began, finished, worker = (None, None, "") if ran is None else (*ran[:2], names[ran[2]])
                failed = Try(submitted, began, finished, worker, ended, error, delay)
                self.columns.attempt_failed(task_id - self.first, task_id, failed)
        columns = self.columns
        for task_id, left in runs.items():
            if left:  # the last attempt, which is followed by no other
                row = task_id - self.first
                columns.started[row], columns.finished[row], columns.worker[row] = left[-1]

    def _alive(self, left_behind: Iterable[int]) -> None:
        """What the logs cannot know yet."""
        first, columns = self.first, self.columns
        for task_id, task in self._live.items():
            if task_id >= first:
                if task.wants is not None and task.held_since is not None:
                    columns.held.setdefault(task_id, []).append((task.held_since, self._now))
                columns.state[task_id - first] = task.story & NOW
                columns.over[task_id - first] = NOT_YET
        for task_id in left_behind:
            if task_id >= first:
                columns.left_behind(task_id - first)
        for task_id, (at, worker) in self._record.running.items():
            row = task_id - first
            if row >= 0 and isnan(columns.finished[row]):
                columns.started[row] = at
                columns.worker[row] = self._record.workers.get(worker, 0)

    def _dependencies(self, segments: list[Segment]) -> None:
        aliases = Aliases(segments)
        told = _edges(segments)
        task_id, waits, orders = next(told, _NO_EDGES)
        starts, many = self.columns.starts, 0
        for row in self.kept:
            while task_id < row + self.first:
                task_id, waits, orders = next(told, _NO_EDGES)
            if task_id == row + self.first:
                self.columns.add_edges(*aliases.edges(waits, orders))
                many = starts[-1]
            else:
                starts.append(many)


def _gather(
    segment: Segment,
    handed: Mapping[int, deque[float]],
    runs: Mapping[int, deque[tuple[float, float, int]]],
) -> None:
    """When some tasks were handed over and have run, in a segment, is added in order."""
    begin = 0
    for end, at in zip(segment.batch_end, segment.batch_at, strict=True):
        for task_id in segment.submitted[begin:end]:
            if task_id in handed:
                handed[task_id].append(at)
        begin = end
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


_NO_EDGES: Final = (1 << 62, array("I"), 0)


def _edges(segments: Iterable[Segment]) -> Iterator[tuple[int, array[int], int]]:
    """Of each task that waits for others: its number, theirs, and how many at the end give it no value."""
    for segment in segments:
        orders = dict(zip(segment.order_id, segment.order_n, strict=True))
        begin = 0
        for task_id, many in zip(segment.edge_id, segment.edge_n, strict=True):
            yield task_id, segment.edges[begin : begin + many], orders.get(task_id, 0)
            begin += many

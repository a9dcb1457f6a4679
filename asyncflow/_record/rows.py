"""Makes a history of a record: a row for each task, worked out from the logs. Pure; to be asked for, not on the way."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from math import isnan
from typing import Final

from .._core.states import CANCELLING, NOW, PENDING, SUCCEEDED
from .._core.task import Task
from .history import DATA, NOT_YET, ORDER, Ending, History, Site
from .order import put_in_order
from .record import Record
from .segment import LOOP, PAUSE, Segment


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
    history = _Rows(record, now, live, left_behind).history(run, began, is_over, workers or {})
    history.dry_run = dry_run
    return history


class _Rows:
    """The columns, being filled. Times are the record's until the end."""

    def __init__(
        self, record: Record, now: float, live: Mapping[int, Task], left_behind: Iterable[int]
    ) -> None:
        self._record = record
        self._left_behind = left_behind
        self._now = now
        self._live = live
        self._first = record.segments[0].first
        self._size = size = max(record.last, max(live, default=0)) - self._first + 1
        self._sites: dict[Site, int] = {}
        empty = array("d", [NOT_YET]) * size
        self.site = array("I", [0]) * size
        self.block = array("I", [0]) * size
        self.state = array("B", [PENDING]) * size
        self.attempts = array("H", [0]) * size
        self.worker = array("H", [0]) * size
        self.called = empty[:]
        self.ready = empty[:]
        self.staged = empty[:]
        self.submitted = empty[:]
        self.started = empty[:]
        self.finished = empty[:]
        self.over = empty
        self.bytes_in = array("Q")
        self.bytes_out = array("Q")
        self.endings: dict[int, Ending] = {}
        self.loading: dict[int, float] = {}
        self._edges = array("I"), array("I"), array("B")  # where they begin, what they are, of which kind

    def history(self, run: str, began: float, is_over: bool, workers: Mapping[str, int | None]) -> History:
        segments = self._record.segments
        for segment in segments:
            self._calls(segment)
        for segment in segments:
            self._handed_over(segment)
            self._ran(segment)
            self._on_the_loop(segment)
        for segment in segments:
            self._few(segment)
        self._alive()
        kept = self._kept(segments)
        self._dependencies(segments, kept)
        history = self._as_history(kept, run, began, is_over, workers)
        put_in_order(history, self._is_staged)
        return history

    # -- what the logs say --------------------------------------------------------------------------------

    def _calls(self, segment: Segment) -> None:
        numbers = [self._sites.setdefault(site, len(self._sites)) for site in segment.sites]
        ends = [*segment.turn_id[1:], self._end_of(segment)]
        turns = zip(
            segment.turn_id, ends, segment.turn_site, segment.turn_block, segment.turn_at, strict=False
        )
        for first, following, site, block, at in turns:
            begin, end = first - self._first, min(following - self._first, self._size)
            if end == begin + 1:
                self.site[begin], self.block[begin], self.called[begin] = numbers[site], block, at
            elif end > begin:
                self.site[begin:end] = array("I", [numbers[site]]) * (end - begin)
                self.block[begin:end] = array("I", [block]) * (end - begin)
                self.called[begin:end] = array("d", [at]) * (end - begin)

    def _end_of(self, segment: Segment) -> int:
        segments = self._record.segments
        at = segments.index(segment)
        return segments[at + 1].first if at + 1 < len(segments) else self._first + self._size

    def _handed_over(self, segment: Segment) -> None:
        first = self._first
        begin = 0
        for end, at in zip(segment.batch_end, segment.batch_at, strict=True):
            for task_id in segment.submitted[begin:end]:
                if task_id >= first:
                    self.submitted[task_id - first] = at
                    self.attempts[task_id - first] += 1
            begin = end
        for task_id, _ in segment.returned:
            if task_id >= first and self.attempts[task_id - first]:
                self.attempts[task_id - first] -= 1

    def _ran(self, segment: Segment) -> None:
        first, begin = self._first, 0
        marks = [*zip(segment.taken_end, segment.taken_at, strict=True), (len(segment.ran_id), self._now)]
        for end, at in marks:
            for index in range(begin, end):
                row = segment.ran_id[index] - first
                if row >= 0:
                    self.started[row] = segment.ran_began[index]
                    ended = self.finished[row] = segment.ran_ended[index]
                    self.worker[row] = segment.ran_worker[index]
                    self.over[row] = max(at, ended)
                    self.state[row] = SUCCEEDED
            begin = end

    def _on_the_loop(self, segment: Segment) -> None:
        first, before = self._first, 0.0
        for task_id, at in zip(segment.loop_id, segment.loop_at, strict=True):
            row = task_id - first
            if task_id != PAUSE and row >= 0:
                self.started[row] = before
                self.finished[row] = self.over[row] = at
                self.worker[row] = LOOP
                self.state[row] = SUCCEEDED
            before = at

    def _few(self, segment: Segment) -> None:
        first = self._first
        for task_id, at in zip(segment.late_id, segment.late_at, strict=True):
            if task_id >= first:
                self.over[task_id - first] = at
                self.state[task_id - first] = SUCCEEDED
        whys = list(segment.whys)
        columns = segment.bad_id, segment.bad_state, segment.bad_at, segment.bad_root, segment.bad_why
        for task_id, state, at, root, why in zip(*columns, strict=True):
            row = task_id - first
            if row >= 0:
                ended = self.finished[row]
                self.over[row] = at if isnan(ended) else max(at, ended)
                self.state[row] = state
                roots = (root, *whys[why].roots) if root else ()
                self.endings[task_id] = Ending(whys[why].error, roots) if roots else whys[why]
        self._moved_bytes(segment)
        for task_id, since in segment.loading:
            if task_id >= first:
                self.loading[task_id] = since - self._record.began

    def _moved_bytes(self, segment: Segment) -> None:
        for task_id, at, moved in segment.staged:
            if task_id >= self._first:
                self.staged[task_id - self._first] = at
                self.bytes_in = self.bytes_in or array("Q", [0]) * self._size
                self.bytes_in[task_id - self._first] = moved
        for task_id, moved in segment.published:
            if task_id >= self._first:
                self.bytes_out = self.bytes_out or array("Q", [0]) * self._size
                self.bytes_out[task_id - self._first] = moved

    def _alive(self) -> None:
        """What the logs cannot know yet."""
        for task_id, task in self._live.items():
            row = task_id - self._first
            if row >= 0:
                self.state[row] = task.story & NOW
                self.over[row] = NOT_YET
        for task_id in self._left_behind:
            row = task_id - self._first
            if row >= 0:
                self.state[row] = CANCELLING
                self.over[row] = self.finished[row] = NOT_YET
        for task_id, (at, worker) in self._record.running.items():
            row = task_id - self._first
            if row >= 0 and isnan(self.finished[row]):
                self.started[row] = at
                self.worker[row] = self._record.workers.get(worker, 0)

    # -- what follows from them ---------------------------------------------------------------------------

    def _kept(self, segments: Iterable[Segment]) -> range | list[int]:
        """The rows of real tasks."""
        gone = {task_id - self._first for each in segments for task_id in (*each.voids, *each.aliases)}
        return [row for row in range(self._size) if row not in gone] if gone else range(self._size)

    def _dependencies(self, segments: list[Segment], kept: range | list[int]) -> None:
        aliases = {alias: maker for each in segments for alias, maker in each.aliases.items()}
        starts, dependencies, kinds = self._edges
        starts.append(0)
        told = _edges(segments)
        task_id, waits, orders = next(told, _NO_EDGES)
        for row in kept:
            while task_id < row + self._first:
                task_id, waits, orders = next(told, _NO_EDGES)
            if task_id == row + self._first:
                dependencies.extend([aliases.get(each, each) for each in waits] if aliases else waits)
                kinds.extend([DATA] * (len(waits) - orders) + [ORDER] * orders)
            starts.append(len(dependencies))

    def _is_staged(self, task_id: int) -> bool:
        """Whether the files of a task are there that was not handed over."""
        task = self._live.get(task_id)
        return task is not None and task.lane.leads_to is None

    def _as_history(
        self,
        kept: range | list[int],
        run: str,
        began: float,
        is_over: bool,
        workers: Mapping[str, int | None],
    ) -> History:
        record = self._record
        starts, dependencies, edges = self._edges
        history = History(
            run=run,
            began=began,
            now=self._now - record.began,
            is_over=is_over,
            planning=record.planning,
            workers=dict(workers),
            names=tuple(record.names),
            sites=tuple(self._sites),
            id=array("I", [row + self._first for row in kept]),
            starts=starts,
            dependencies=dependencies,
            edges=edges,
            endings=self.endings,
            loading=self.loading,
            dropped=record.dropped,
            earlier=record.totals(self._live),
        )
        for name in ("site", "block", "state", "attempts", "worker", "bytes_in", "bytes_out"):
            column = getattr(self, name)
            if column and len(kept) < self._size:
                column = array(column.typecode, [column[row] for row in kept])
            setattr(history, name, column)
        for name in ("called", "ready", "staged", "submitted", "started", "finished", "over"):
            column, zero = getattr(self, name), record.began
            setattr(history, name, array("d", [column[row] - zero for row in kept]))
        return history


_NO_EDGES: Final = (1 << 62, array("I"), 0)


def _edges(segments: Iterable[Segment]) -> Iterator[tuple[int, array[int], int]]:
    """Of each task that waits for others: its number, theirs, and how many at the end give it no value."""
    for segment in segments:
        orders = dict(zip(segment.order_id, segment.order_n, strict=True))
        begin = 0
        for task_id, many in zip(segment.edge_id, segment.edge_n, strict=True):
            yield task_id, segment.edges[begin : begin + many], orders.get(task_id, 0)
            begin += many

"""Tells as events what has been recorded since the last time. Pure; of no cost to a run that nobody listens to."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from operator import itemgetter
from typing import Any, Final

from .._core.states import SUCCEEDED, state_of
from .._core.task import Task
from ..events import (
    Event,
    ServiceEnded,
    StreamBegan,
    StreamCounted,
    TaskAdmitted,
    TaskAttemptFailed,
    TaskCalled,
    TaskEnded,
    TaskReturned,
    TaskStaged,
    TaskStarted,
    TaskSubmitted,
)
from .aliases import Aliases
from .history import OPTIONAL, ORDER, Ending, Site
from .record import Record
from .segment import LOOP, PAUSE, Segment
from .stream_log import items_of, looked_at

_ALIASES: Final = 10_000  # from which on those are forgotten that have no row any more
_Ran = tuple[float, float, str]
_Numbers = tuple[int, ...]
_Edges = tuple[
    _Numbers, _Numbers, _Numbers
]  # what a task waits for, which of that is order, and which optional
_NO_EDGES: Final[_Edges] = ((), (), ())
_NEVER: Final = (None, 0.0)
_NOT_KEPT: Final = ("", 0)
_BEFORE: Final = float("-inf")


class News:
    """A reader of a record.

    Args:
        record: of a run; what is in it already is not told.
        offset: seconds to add to its times to get those since the epoch.
    """

    def __init__(self, record: Record, offset: float) -> None:
        self._record = record
        self._offset = offset
        self._told = record.last
        self._aliases = Aliases()
        self._ran: dict[
            int, tuple[_Ran, float]
        ] = {}  # of what has run and is not over, and when that was known
        self._bad: dict[int, tuple[int, float, Ending]] = {}  # of what has its end and is not over
        self._made: dict[int, int] = {}  # bytes
        self._loading: dict[int, float] = {}
        self._kept: dict[int, tuple[str, int]] = {}  # where, and bytes
        self._streams_told: set[int] = set()  # that go on
        self._at = _Places(record.segment)
        self._loop_before = record.segment.loop_at[-1]
        record.tells = True

    def since(self, live: Mapping[int, Task]) -> list[Event]:
        """What has happened since the last time, in the order of time. To be asked for before a segment is left.

        Args:
            live: tasks that are not over.
        """
        segment = self._record.segment
        if self._at.segment is not segment:
            self._at = _Places(segment, fresh=True)
        events: list[Event] = [
            *self._streams(),
            *self._calls(segment),
            *self._steps(segment),
            *self._ends(segment, live),
        ]
        self._at = _Places(segment)
        events.sort(key=itemgetter(0))  # stable: of one time, in the order in which a task goes through them
        return events

    # -- calls --------------------------------------------------------------------------------------------

    def _calls(self, segment: Segment) -> Iterator[Event]:
        self._aliases.add(segment)
        if len(self._aliases) > _ALIASES:
            self._aliases.forget_before(self._record.segments[0].first)
        sites, waits = list(segment.sites), dict(self._waits(segment))
        items = dict(items_of(segment, self._told + 1, self._record.last)) if segment.item_id else {}
        labels = segment.labels
        turn = max(0, self._at.turn - 1)  # the last one may go on
        for task_id in range(self._told + 1, self._record.last + 1):
            while turn + 1 < len(segment.turn_id) and segment.turn_id[turn + 1] <= task_id:
                turn += 1
            if task_id in segment.voids or task_id in segment.aliases:
                continue
            at, block = segment.turn_at[turn] + self._offset, segment.turn_block[turn]
            called = _called(
                at, task_id, sites[segment.turn_site[turn]], block, *waits.get(task_id, _NO_EDGES)
            )
            if task_id in items:
                called = called._replace(**items[task_id]._asdict())
            yield called._replace(label=labels[task_id]) if task_id in labels else called
        self._told = self._record.last

    def _streams(self) -> Iterator[Event]:
        """Streams that somebody has begun to read, and how far those are of which something has happened."""
        streams, offset = self._record.streams, self._offset
        moved, streams.moved = streams.moved, {}
        for log in moved.values():
            told = looked_at(log)
            if log.number not in self._streams_told:
                self._streams_told.add(log.number)
                yield StreamBegan(told.began + offset, *told[:7])
            first = None if told.first is None else told.first + offset
            counts = told.taken, told.over, told.given, told.failed
            slowest = tuple((each.seconds, each.item, each.key, each.task) for each in told.slowest)
            yield StreamCounted(told.last + offset, log.number, *counts, first, told.state, slowest)
            if told.state != "open":
                self._streams_told.discard(log.number)

    def _waits(self, segment: Segment) -> Iterator[tuple[int, _Edges]]:
        begin = self._at.edge
        orders = dict(zip(segment.order_id, segment.order_n, strict=True))
        for index in range(self._at.waiting, len(segment.edge_id)):
            task_id, end = segment.edge_id[index], begin + segment.edge_n[index]
            tasks, kinds = self._aliases.edges(segment.edges[begin:end], orders.get(task_id, 0))
            told = [*zip(tasks, kinds, strict=True)]
            order = tuple(each for each, kind in told if kind & ORDER)
            yield task_id, (tuple(tasks), order, tuple(each for each, kind in told if kind & OPTIONAL))
            begin = end

    # -- on the way ---------------------------------------------------------------------------------------

    def _steps(self, segment: Segment) -> Iterator[Event]:
        offset, at = self._offset, self._at
        for task_id, time, size in segment.staged[at.staged :]:
            yield TaskStaged(time + offset, task_id, size)
        index = at.submitted
        for batch in range(at.batch, len(segment.batch_end)):
            time = segment.batch_at[batch] + offset
            while index < segment.batch_end[batch]:
                if segment.submitted[index] not in self._aliases:
                    yield TaskSubmitted(time, segment.submitted[index])
                index += 1
        for task_id, time in segment.returned[at.returned :]:
            yield TaskReturned(time + offset, task_id)
        for task_id, since, time in segment.admitted[at.admitted :]:
            yield TaskAdmitted(time + offset, task_id, since + offset)
        for task_id, time, worker in segment.begun[at.begun :]:
            if task_id not in self._aliases:
                yield TaskStarted(time + offset, task_id, worker)

    # -- the end ------------------------------------------------------------------------------------------

    def _ends(self, segment: Segment, live: Mapping[int, Task]) -> Iterator[Event]:
        self._made.update(segment.published[self._at.published :])
        self._loading.update(segment.loading[self._at.loading :])
        for task_id, node, size in segment.kept[self._at.kept :]:
            self._kept[task_id] = node, size
        self._take_bad(segment)
        late = set(segment.late_id[self._at.late :])
        runs = [*self._runs(segment), *self._runs_on_the_loop(segment)]
        if len(segment.tried) > self._at.tried:
            runs = yield from self._attempts(segment.tried[self._at.tried :], runs)
        for task_id, over, ran in runs:
            if task_id in self._aliases:
                continue
            if task_id in live or task_id in self._bad or task_id in late:
                self._ran[task_id] = ran, over
            else:
                yield self._ended(task_id, SUCCEEDED, over, ran)
        for index in range(self._at.late, len(segment.late_id)):
            task_id = segment.late_id[index]
            ran_before, _ = self._ran.pop(task_id, _NEVER)
            if task_id not in self._aliases:
                yield self._ended(task_id, SUCCEEDED, segment.late_at[index], ran_before)
        for task_id in [each for each in self._bad if each not in live]:
            state, over, why = self._bad.pop(task_id)
            last, _ = self._ran.pop(task_id, _NEVER)
            if last is not None:
                over = max(over, last[1])
            if task_id not in self._aliases:
                yield self._ended(task_id, state, over, last, why)
        for task_id, time, how in segment.services[self._at.services :]:
            yield ServiceEnded(time + self._offset, task_id, how)
        # What was told to have run, and not yet to have succeeded, when reports were taken a thousand at a time.
        for task_id in [each for each in self._ran if each not in live and each not in self._bad]:
            ran, over = self._ran.pop(task_id)
            yield self._ended(task_id, SUCCEEDED, over, ran)

    def _attempts(
        self, tried: list[tuple[int, float, str, float]], runs: list[tuple[int, float, _Ran]]
    ) -> Generator[Event, None, list[tuple[int, float, _Ran]]]:
        """Attempts that have failed and that others follow; their runs are no ends. Returns the other runs."""
        offset = self._offset
        known = {each[0]: [self._ran.pop(each[0])[0]] for each in tried if each[0] in self._ran}
        last = {each[0]: each[1] for each in tried}
        others = []
        for run in runs:
            task_id, _, ran = run
            if ran[0] <= last.get(task_id, _BEFORE):
                known.setdefault(task_id, []).append(ran)
            else:
                others.append(run)
        for task_id, at, error, delay in tried:
            mine = None
            while known.get(task_id) and known[task_id][0][0] <= at:
                mine = known[task_id].pop(0)
            began, ended, worker = (mine[0] + offset, mine[1] + offset, mine[2]) if mine else (None, None, "")
            yield TaskAttemptFailed(at + offset, task_id, error, delay, began, ended, worker)
        return others

    def _take_bad(self, segment: Segment) -> None:
        whys = list(segment.whys)
        for index in range(self._at.bad, len(segment.bad_id)):
            why, root = whys[segment.bad_why[index]], segment.bad_root[index]
            told = Ending(why.error, (root, *why.roots) if root else ())
            self._bad[segment.bad_id[index]] = segment.bad_state[index], segment.bad_at[index], told

    def _runs(self, segment: Segment) -> Iterator[tuple[int, float, _Ran]]:
        index, names = self._at.ran, self._record.names
        for mark in range(self._at.taken, len(segment.taken_end)):
            while index < segment.taken_end[mark]:
                ended = segment.ran_ended[index]
                ran = segment.ran_began[index], ended, names[segment.ran_worker[index]]
                yield segment.ran_id[index], max(segment.taken_at[mark], ended), ran
                index += 1

    def _runs_on_the_loop(self, segment: Segment) -> Iterator[tuple[int, float, _Ran]]:
        name = self._record.names[LOOP]
        for index in range(self._at.loop, len(segment.loop_id)):
            at = segment.loop_at[index]
            if segment.loop_id[index] != PAUSE:
                yield segment.loop_id[index], at, (self._loop_before, at, name)
            self._loop_before = at

    def _ended(
        self, task_id: int, state: int, over: float, ran: _Ran | None, why: Ending | None = None
    ) -> Any:
        offset = self._offset
        began, ended, worker = (ran[0] + offset, ran[1] + offset, ran[2]) if ran else (None, None, "")
        error, roots = why or ("", ())
        made, since = self._made.pop(task_id, 0), self._loading.pop(task_id, None)
        loading = None if since is None else since + offset
        node, size = self._kept.pop(task_id, _NOT_KEPT)
        return TaskEnded(
            *(over + offset, task_id, state_of(state).name, began, ended, worker),
            *(made, error, roots, loading, node, size),
        )


class _Places:
    """How far the logs of a segment have been read."""

    def __init__(self, segment: Segment, fresh: bool = False) -> None:
        self.segment = segment
        self.turn = 0 if fresh else len(segment.turn_id)
        self.waiting = 0 if fresh else len(segment.edge_id)
        self.edge = 0 if fresh else len(segment.edges)
        self.staged = 0 if fresh else len(segment.staged)
        self.submitted = 0 if fresh else len(segment.submitted)
        self.batch = 0 if fresh else len(segment.batch_end)
        self.returned = 0 if fresh else len(segment.returned)
        self.admitted = 0 if fresh else len(segment.admitted)
        self.tried = 0 if fresh else len(segment.tried)
        self.begun = 0 if fresh else len(segment.begun)
        self.services = 0 if fresh else len(segment.services)
        self.published = 0 if fresh else len(segment.published)
        self.loading = 0 if fresh else len(segment.loading)
        self.kept = 0 if fresh else len(segment.kept)
        self.ran = 0 if fresh else len(segment.ran_id)
        self.taken = 0 if fresh else len(segment.taken_end)
        self.loop = 0 if fresh else len(segment.loop_id)
        self.late = 0 if fresh else len(segment.late_id)
        self.bad = 0 if fresh else len(segment.bad_id)


def _called(
    at: float,
    task_id: int,
    site: Site,
    block: int,
    waits: tuple[int, ...],
    order: tuple[int, ...],
    optional: tuple[int, ...],
) -> TaskCalled:
    return TaskCalled(
        at,
        task_id,
        site.name,
        site.kind,
        site.place,
        site.limit,
        site.called_at,
        site.workflow,
        block,
        waits,
        order,
        site.detached,
        optional,
        site.priority,
    )

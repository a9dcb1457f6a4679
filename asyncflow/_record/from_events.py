"""Makes a history of events, as `from_logs` makes one of a record: for a run of which only a journal is left. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from math import isnan

from .._core.states import PENDING, READY, RUNNING, STATES, SUBMITTED, SUCCEEDED, State
from .._core.streamed import SlowItem, Streamed
from ..events import (
    EventsLost,
    RunBegan,
    RunEnded,
    ServiceEnded,
    StreamBegan,
    StreamCounted,
    TaskAdmitted,
    TaskAttemptFailed,
    TaskCalled,
    TaskEnded,
    TaskLeftBehind,
    TaskReturned,
    TaskStaged,
    TaskStarted,
    TaskSubmitted,
)
from .history import DATA, NOT_YET, OPTIONAL, ORDER, Ending, History, Site, Try
from .history_columns import HistoryColumns
from .lines import Written


def history_told(events: Iterable[Written]) -> History:
    """All that can be known of a run from the events of it, up to where these end.

    Args:
        events: of one run, each task's in order. Of tasks whose call is not among them, nothing is known.
    """
    known = list(events)
    reader = _Reader(sum(isinstance(event, TaskCalled) for event in known))
    for event in known:
        reader.read(event)
    return reader.history()


class _Reader:
    """Fills in the columns from events, by whose times they go.

    Args:
        size: how many calls there are, at most.
    """

    def __init__(self, size: int) -> None:
        self._columns = HistoryColumns(size)
        self._rows: dict[int, int] = {}
        self._losses = self._lost_events = 0
        self._heard = array("I", [0]) * size  # how often events had been lost when each row was last told of
        self._strangers: set[int] = set()  # tasks whose call is not there
        self._names: dict[str, int] = {"": 0}
        self._run: dict[str, object] = {}
        self._streams: dict[int, Streamed] = {}
        self._began = self._last = 0.0

    def read(self, event: Written) -> None:
        """Fill in what an event says."""
        self._last = max(self._last, event.time)
        if isinstance(event, TaskCalled):
            if event.id not in self._rows:
                self._called(event)
        elif isinstance(event, RunBegan):
            self._began = event.time
            self._run.update(
                run=event.run, workers=event.workers, dry_run=event.dry_run, about=dict(event.about)
            )
        elif isinstance(event, RunEnded):
            self._run.update(is_over=True, planning=event.planning)
        elif isinstance(event, StreamBegan):
            began = Streamed(*event[1:], event.time, None, event.time)
            self._streams[event.stream] = began
        elif isinstance(event, StreamCounted):
            self._counted(event)
        elif isinstance(event, EventsLost):
            self._losses += 1
            self._lost_events += event.events
        else:
            row = self._rows.get(event.id)
            if row is not None:
                self._heard[row] = self._losses
                self._step(row, event)
            else:
                self._strangers.add(event.id)

    def _counted(self, event: StreamCounted) -> None:
        known = self._streams.get(event.stream)
        if known is not None:
            slowest = tuple(SlowItem(*each) for each in event.slowest)
            self._streams[event.stream] = known._replace(
                first=event.first,
                last=event.time,
                taken=event.taken,
                over=event.over,
                given=event.given,
                failed=event.failed,
                state=event.how,
                slowest=slowest,
            )

    def _called(self, event: TaskCalled) -> None:
        columns = self._columns
        row = self._rows[event.id] = len(self._rows)
        self._heard[row] = self._losses
        columns.site[row] = columns.number_of(Site(*event[2:8], event.detached, event.priority))
        columns.block[row] = event.block
        columns.called[row] = event.time
        if event.label:
            columns.labels[event.id] = event.label
        if event.stream:
            columns.of_stream(row, event.stream, event.item)
            if event.key:
                columns.keys[event.id] = event.key
        data, optional = len(event.dependencies) - len(event.order), set(event.optional)
        columns.add_edges(
            event.dependencies,
            [
                (DATA if place < data else ORDER) | (OPTIONAL if each in optional else DATA)
                for place, each in enumerate(event.dependencies)
            ],
        )

    def _step(
        self,
        row: int,
        event: (
            TaskStaged
            | TaskSubmitted
            | TaskReturned
            | TaskStarted
            | TaskAdmitted
            | TaskAttemptFailed
            | TaskEnded
            | ServiceEnded
            | TaskLeftBehind
        ),
    ) -> None:
        columns = self._columns
        if isinstance(event, TaskEnded):
            self._ended(row, event)
        elif isinstance(event, ServiceEnded):
            columns.services[event.id] = event.time, event.how
        elif isinstance(event, TaskLeftBehind):
            columns.left_behind(row)
        elif isinstance(event, TaskSubmitted):
            columns.submitted[row] = event.time
            columns.attempts[row] += 1
            columns.state[row] = SUBMITTED
        elif isinstance(event, TaskStarted):
            columns.started[row] = event.time
            columns.worker[row] = self._number(event.worker)
            columns.state[row] = RUNNING
        elif isinstance(event, TaskStaged):
            columns.brought(row, event.time, event.bytes)
        elif isinstance(event, TaskAdmitted):
            columns.held.setdefault(event.id, []).append((event.since, event.time))
        elif isinstance(event, TaskAttemptFailed):
            submitted = columns.submitted[row]
            failed = Try(
                None if isnan(submitted) else submitted,
                event.started,
                event.finished,
                event.worker,
                event.time,
                event.error,
                event.delay,
            )
            columns.attempt_failed(row, event.id, failed)
            columns.state[row] = PENDING  # or READY
        else:
            columns.given_back(row)
            columns.started[row] = NOT_YET
            columns.worker[row] = 0
            columns.state[row] = PENDING  # or READY, which follows from what it waits for

    def _ended(self, row: int, event: TaskEnded) -> None:
        columns = self._columns
        columns.state[row] = STATES.index(State(event.state)) + 1
        columns.over[row] = event.time
        if event.started is not None and event.finished is not None:
            columns.started[row], columns.finished[row] = event.started, event.finished
            columns.worker[row] = self._number(event.worker)
        if event.loading is not None:
            columns.loading[event.id] = event.loading
        if event.kept_on:
            columns.kept[event.id] = event.kept_on, event.bytes_kept
        if event.bytes:
            columns.published(row, event.bytes)
        if columns.state[row] != SUCCEEDED:
            columns.endings[event.id] = Ending(event.error, event.roots)

    def _number(self, worker: str) -> int:
        return self._names.setdefault(worker, len(self._names))

    def history(self) -> History:
        """What has come of it."""
        first = min(self._columns.called[: len(self._rows)], default=self._last)
        # A clock that was put back makes a run begin after its first call: no time is before the run's beginning.
        zero = min(self._began or first, first)
        self._make_ready()
        self._columns.streams = list(self._streams.values())
        self._columns.count_from(zero)
        lost, kept = self._lost(), range(len(self._rows))
        numbers = [each for each in self._rows if each not in lost] if lost else self._rows
        if lost:
            rows = [self._rows[each] for each in numbers]
            self._columns.forget(lost.keys(), rows)
        return self._columns.history(
            rows if lost else kept,
            array("I", numbers),
            lambda task_id: True,
            began=zero,
            now=max(0.0, self._last - zero),
            names=tuple(self._names),
            lost=lost,
            lost_events=self._lost_events,
            **self._run,
        )

    def _lost(self) -> dict[int, str]:
        """The tasks of which it is not known what became, since events were lost after the last that tells of them; and
        those whose call was. To take them for what they were last is worse than to say so."""
        if not self._losses:
            return {}
        columns = self._columns
        sites = list(columns.sites)
        lost = {
            number: sites[columns.site[row]].name
            for number, row in self._rows.items()
            if self._heard[row] < self._losses and not STATES[columns.state[row] - 1].terminal
        }
        return lost | dict.fromkeys(sorted(self._strangers - self._rows.keys()), "")

    def _make_ready(self) -> None:
        """No event says when a task can run: when all that it waits for has ended well."""
        columns = self._columns
        state = columns.state
        for row in self._rows.values():
            if state[row] == PENDING:
                waits = columns.dependencies[columns.starts[row] : columns.starts[row + 1]]
                before = [self._rows.get(each) for each in waits]
                if all(each is None or state[each] == SUCCEEDED for each in before):
                    state[row] = READY

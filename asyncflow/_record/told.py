"""Makes a history of events, as `rows` makes one of a record: for a run of which only a journal is left. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any, Final

from .._core.states import CANCELLING, PENDING, READY, RUNNING, STATES, SUBMITTED, SUCCEEDED, State
from ..events import (
    EventsLost,
    RunBegan,
    RunEnded,
    TaskCalled,
    TaskEnded,
    TaskLeftBehind,
    TaskReturned,
    TaskStaged,
    TaskStarted,
    TaskSubmitted,
)
from .history import DATA, NOT_YET, ORDER, Ending, History, Site
from .lines import Written
from .order import put_in_order

_EMPTY: Final = array("d", [NOT_YET])


def history_told(events: Iterable[Written]) -> History:
    """All that can be known of a run from what was told of it, up to where that ends.

    Args:
        events: of one run, each task's in order. Of tasks whose call is not among them, nothing is known.
    """
    told = _Told()
    for event in events:
        told.take(event)
    return told.history()


class _Told:
    """The columns, being filled. Times are those of the events until the end."""

    def __init__(self) -> None:
        self._history = History()
        self._rows: dict[int, int] = {}
        self._sites: dict[Site, int] = {}
        self._names: dict[str, int] = {"": 0}
        self._endings: dict[int, Ending] = {}
        self._loading: dict[int, float] = {}
        self._last = 0.0

    def take(self, event: Written) -> None:
        """Add what an event says."""
        self._last = max(self._last, event.time)
        if isinstance(event, TaskCalled):
            if event.id not in self._rows:
                self._called(event)
        elif isinstance(event, RunBegan):
            self._history.run, self._history.began = event.run, event.time
            self._history.workers, self._history.dry_run = event.workers, event.dry_run
        elif isinstance(event, RunEnded):
            self._history.is_over = True
            self._history.planning = event.planning
        elif not isinstance(event, EventsLost):
            row = self._rows.get(event.id)
            if row is not None:
                self._step(row, event)

    def _called(self, event: TaskCalled) -> None:
        history = self._history
        self._rows[event.id] = len(history.id)
        site = Site(*event[2:8])
        history.id.append(event.id)
        history.site.append(self._sites.setdefault(site, len(self._sites)))
        history.block.append(event.block)
        history.state.append(PENDING)
        history.attempts.append(0)
        history.worker.append(0)
        history.called.append(event.time)
        for column in (history.ready, history.staged, history.submitted, history.started):
            column.extend(_EMPTY)
        for column in (history.finished, history.over):
            column.extend(_EMPTY)
        if history.bytes_in:
            history.bytes_in.append(0)
        if history.bytes_out:
            history.bytes_out.append(0)
        data = len(event.dependencies) - len(event.order)
        history.dependencies.extend(event.dependencies)
        history.edges.extend([DATA] * data + [ORDER] * len(event.order))
        history.starts.append(len(history.dependencies))

    def _step(
        self,
        row: int,
        event: TaskStaged | TaskSubmitted | TaskReturned | TaskStarted | TaskEnded | TaskLeftBehind,
    ) -> None:
        history = self._history
        if isinstance(event, TaskEnded):
            self._ended(row, event)
        elif isinstance(event, TaskLeftBehind):
            history.state[row] = CANCELLING
            history.over[row] = history.finished[row] = NOT_YET
        elif isinstance(event, TaskSubmitted):
            history.submitted[row] = event.time
            history.attempts[row] += 1
            history.state[row] = SUBMITTED
        elif isinstance(event, TaskStarted):
            history.started[row] = event.time
            history.worker[row] = self._number(event.worker)
            history.state[row] = RUNNING
        elif isinstance(event, TaskStaged):
            history.staged[row] = event.time
            if event.bytes:
                history.bytes_in = history.bytes_in or array("Q", [0]) * len(history.id)
                history.bytes_in[row] = event.bytes
        else:
            history.attempts[row] = max(0, history.attempts[row] - 1)
            history.started[row] = NOT_YET
            history.worker[row] = 0
            history.state[row] = PENDING  # or READY, which follows from what it waits for

    def _ended(self, row: int, event: TaskEnded) -> None:
        history = self._history
        history.state[row] = STATES.index(State(event.state)) + 1
        history.over[row] = event.time
        if event.started is not None and event.finished is not None:
            history.started[row], history.finished[row] = event.started, event.finished
            history.worker[row] = self._number(event.worker)
        if event.loading is not None:
            self._loading[event.id] = event.loading
        if event.bytes:
            history.bytes_out = history.bytes_out or array("Q", [0]) * len(history.id)
            history.bytes_out[row] = event.bytes
        if history.state[row] != SUCCEEDED:
            self._endings[event.id] = Ending(event.error, event.roots)

    def _number(self, worker: str) -> int:
        return self._names.setdefault(worker, len(self._names))

    def history(self) -> History:
        """What has come of it."""
        history = self._history
        first = min(history.called, default=self._last)
        # A clock that was put back makes a run begin after its first call: no time is before the run's beginning.
        zero = history.began = min(history.began or first, first)
        history.now = max(0.0, self._last - zero)
        history.sites, history.names = tuple(self._sites), tuple(self._names)
        history.endings = self._endings
        history.loading = {number: since - zero for number, since in self._loading.items()}
        for name in ("called", "staged", "submitted", "started", "finished", "over"):
            column: array[Any] = getattr(history, name)
            setattr(history, name, array("d", [time - zero for time in column]))
        self._make_ready()
        put_in_order(history, lambda task_id: True)
        return history

    def _make_ready(self) -> None:
        """Nobody tells when a task can run: when all that it waits for has ended well."""
        history = self._history
        state = history.state
        for row in range(len(history.id)):
            if state[row] == PENDING:
                waits = history.dependencies[history.starts[row] : history.starts[row + 1]]
                before = [self._rows.get(each) for each in waits]
                if all(each is None or state[each] == SUCCEEDED for each in before):
                    state[row] = READY

"""Builds a history: its columns while they are filled, and what follows from them. Pure.

Who fills them are `from_logs`, of a run that is there, and `from_events`, of one of which only a journal is left.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from math import isnan
from typing import Any, Final

from .._core.states import CANCELLING, FAILED, PENDING, READY, RUNNING, SUBMITTED, SUCCEEDED
from .history import NOT_YET, Ending, History, Site, Try

_TIMES: Final = ("called", "ready", "staged", "submitted", "started", "finished", "over")
_NUMBERS: Final = ("site", "block", "state", "attempts", "worker", "bytes_in", "bytes_out")


class HistoryColumns:
    """The columns of a history, by row, and what else is known of tasks, by number. What they mean is said there; but
    times are by a clock of the one who fills them in.

    Args:
        size: how many rows.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.sites: dict[Site, int] = {}
        self.site = array("I", [0]) * size
        self.block = array("I", [0]) * size
        self.state = array("B", [PENDING]) * size
        self.attempts = array("I", [0]) * size
        self.worker = array("H", [0]) * size
        empty = array("d", [NOT_YET]) * size
        self.called, self.ready, self.staged, self.submitted = empty[:], empty[:], empty[:], empty[:]
        self.started, self.finished, self.over = empty[:], empty[:], empty
        self.bytes_in = array("Q")
        self.bytes_out = array("Q")
        self.starts = array("I", [0])
        self.dependencies = array("I")
        self.edges = array("B")
        self.endings: dict[int, Ending] = {}
        self.loading: dict[int, float] = {}
        self.tries: dict[int, list[Try]] = {}
        self.held: dict[int, list[tuple[float, float]]] = {}
        self.services: dict[int, tuple[float, str]] = {}
        self.kept: dict[int, tuple[str, int]] = {}

    def number_of(self, site: Site) -> int:
        """The number of a site in the column."""
        return self.sites.setdefault(site, len(self.sites))

    def add_edges(self, dependencies: Sequence[int], kinds: Sequence[int]) -> None:
        """Of the next row, in order: what it waits for, and the kinds of these edges."""
        self.dependencies.extend(dependencies)
        self.edges.extend(kinds)
        self.starts.append(len(self.dependencies))

    def brought(self, row: int, at: float, size: int) -> None:
        """The files of a task were there."""
        self.staged[row] = at
        self.bytes_in = self.bytes_in or array("Q", [0]) * self.size
        self.bytes_in[row] = size

    def published(self, row: int, size: int) -> None:
        """So many bytes of what a task has made were published."""
        self.bytes_out = self.bytes_out or array("Q", [0]) * self.size
        self.bytes_out[row] = size

    def given_back(self, row: int) -> None:
        """What was handed over came back, and had not begun."""
        self.attempts[row] = max(0, self.attempts[row] - 1)

    def attempt_failed(self, row: int, task_id: int, failed: Try) -> None:
        """An attempt has failed that another is to follow: what the columns tell of it they tell no more."""
        self.tries.setdefault(task_id, []).append(failed)
        ended = failed.ended
        if self.started[row] <= ended or isnan(self.started[row]):
            self.started[row] = self.finished[row] = NOT_YET
            self.worker[row] = 0
        if self.submitted[row] <= ended:
            self.submitted[row] = NOT_YET

    def left_behind(self, row: int) -> None:
        """The work of a task went on when the run ended."""
        self.state[row] = CANCELLING
        self.over[row] = self.finished[row] = NOT_YET

    def history(
        self,
        kept: Sequence[int],
        numbers: Iterable[int],
        zero: float,
        is_staged: Callable[[int], bool],
        **known: Any,
    ) -> History:
        """The history, its times put in order.

        Args:
            kept: the rows that there are to be.
            numbers: of their tasks.
            zero: when the run began, by the clock of the columns.
            is_staged: whether the files are there of a task, by number, that was not handed over.
            known: what is known of the run.
        """
        history = History(
            id=array("I", numbers),
            sites=tuple(self.sites),
            starts=self.starts,
            dependencies=self.dependencies,
            edges=self.edges,
            endings=self.endings,
            loading={number: since - zero for number, since in self.loading.items()},
            tries={number: [_since(zero, each) for each in tries] for number, tries in self.tries.items()},
            held={
                number: [(since - zero, until - zero) for since, until in spans]
                for number, spans in self.held.items()
            },
            services={number: (at - zero, how) for number, (at, how) in self.services.items()},
            kept=self.kept,
            **known,
        )
        for name in _NUMBERS:
            column = getattr(self, name)
            if column and len(kept) < self.size:
                column = array(column.typecode, [column[row] for row in kept])
            setattr(history, name, column)
        for name in _TIMES:
            column = getattr(self, name)
            setattr(history, name, array("d", [column[row] - zero for row in kept]))
        _put_in_order(history, is_staged)
        return history


def _since(zero: float, failed: Try) -> Try:
    """The same attempt, its times since a moment."""
    submitted, started, finished = (
        None if time is None else time - zero for time in (failed.submitted, failed.started, failed.finished)
    )
    return failed._replace(submitted=submitted, started=started, finished=finished, ended=failed.ended - zero)


_HANDED: Final = frozenset({SUBMITTED, RUNNING, SUCCEEDED})
_READY_ONLY: Final = frozenset({READY, FAILED})  # what fails before it is handed over could not be staged


def _put_in_order(history: History, is_staged: Callable[[int], bool]) -> None:
    """Work out when tasks were ready, staged and handed over, where that is not known, and hold all of it in order.

    A task was ready when the last that it waits for was over. A link of a chain goes with the one before it and is not
    told of by itself; it may have begun before that was known to be over here.

    Args:
        history: with all that was told; changed in place.
        is_staged: whether the files are there of a task, by number, that was not handed over.
    """
    row_of, starts, now = _rows(history), history.starts, history.now
    called, readied, over = history.called, history.ready, history.over
    staged, submitted = history.staged, history.submitted
    for row, (task_id, state, started) in enumerate(
        zip(history.id, history.state, history.started, strict=True)
    ):
        was_handed = state in _HANDED or started == started or not isnan(submitted[row])  # noqa: PLR0124 - not NaN
        if not was_handed and state not in _READY_ONLY and task_id not in history.tries:
            continue
        ready = called[row]
        if starts[row] < starts[row + 1]:
            for dependency in history.dependencies[starts[row] : starts[row + 1]]:
                before = row_of(dependency)
                if before is not None and over[before] > ready:
                    ready = over[before]
        if (
            ready <= submitted[row] <= started <= over[row]
            and started <= now
            and isnan(staged[row])
            and history.attempts[row]
        ):
            readied[row] = staged[row] = ready  # nearly all: nothing else is missing
            continue
        end = min(each for each in (started, over[row], now) if not isnan(each))
        ready = readied[row] = min(ready, end, _first_attempt(history.tries.get(task_id)))
        if was_handed:
            staged[row] = _between(ready, staged[row], end)
            submitted[row] = _between(staged[row], submitted[row], end)
            history.attempts[row] = history.attempts[row] or 1
        elif task_id in history.tries or is_staged(task_id):
            staged[row] = _between(ready, staged[row], end)


def _first_attempt(tries: Sequence[Try] | None) -> float:
    """When it was, as early as is known; never if none has failed."""
    if not tries:
        return float("inf")
    times = tries[0].submitted, tries[0].started, tries[0].finished, tries[0].ended
    return min(time for time in times if time is not None)


def _rows(history: History) -> Callable[[int], int | None]:
    """Finds the row of a number; None if it has none any more."""
    numbers = history.id
    if not numbers:
        return lambda task_id: None
    first, last = numbers[0], numbers[-1]
    if last - first + 1 == len(numbers):
        return lambda task_id: task_id - first if task_id >= first else None
    return {task_id: row for row, task_id in enumerate(numbers)}.get


def _between(least: float, time: float, most: float) -> float:
    return least if isnan(time) or time < least else min(time, most)

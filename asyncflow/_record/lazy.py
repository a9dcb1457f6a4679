"""A history of which some columns are made when they are read: when tasks were ready, staged and handed over, where
nobody has told, so that all times are in order. Pure.

Most who read a history read this of a few of its tasks, so that it is worked out one by one until somebody reads a
column, or many rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from itertools import islice
from math import isnan
from operator import sub
from typing import Final, NamedTuple

from .._core.states import FAILED, READY, RUNNING, SUBMITTED, SUCCEEDED
from .history import NOT_YET, History, Told, Try

_HANDED: Final = frozenset({SUBMITTED, RUNNING, SUCCEEDED})
READY_ONLY: Final = frozenset({READY, FAILED})
"""States of what may have been ready and not handed over; what fails then could not be staged."""
_RUNS: Final = ("started", "finished")
_HANDOVERS: Final = ("attempts", "ready", "staged", "submitted")
_Handed = tuple[int, float, float, float]
_FEW: Final = 32  # for each row that is looked at by itself there are as many others


class Raw(NamedTuple):
    """What was told.

    Args:
        staged: when the files of each task had been brought; empty if that holds for none.
        submitted: when its backend was handed it.
        attempts: how often.
        started: when a worker began it, by a clock of its own.
        finished: when the worker was done, by the same.
        zero: what that clock showed when the run began.
        is_staged: whether the files are there of a task, by number, that was not handed over.
    """

    staged: array[float]
    submitted: array[float]
    attempts: array[int]
    started: array[float]
    finished: array[float]
    zero: float
    is_staged: Callable[[int], bool]


class LazyHistory(History):
    """A history of which some columns are made when one of them is read.

    Args:
        made: with all other columns.
        raw: of what they are made.
    """

    __slots__ = ("_left", "_raw", "_row_of")

    def __init__(self, made: History, raw: Raw) -> None:
        for each in fields(History):
            if each.name not in (*_RUNS, *_HANDOVERS):
                setattr(self, each.name, getattr(made, each.name))
        self._raw = raw
        self._left = len(made.id) // _FEW  # so many rows more are looked at by themselves
        self._row_of = _rows(made.id)

    # Two threads that ask at once both make the same columns.

    def __getattr__(self, name: str) -> object:
        """Only what is not there comes by here."""
        raw = self._raw
        if name in _RUNS:
            self.started = shifted(raw.started, raw.zero)
            self.finished = shifted(raw.finished, raw.zero)
            self._raw = raw._replace(started=self.started, finished=self.finished, zero=0.0)
        elif name in _HANDOVERS:
            self.attempts, self.ready, self.staged, self.submitted = _all(self, raw, self._row_of)
            self._left = 0
            raw = self._raw
            self._raw = raw._replace(attempts=self.attempts, staged=self.staged, submitted=self.submitted)
        return object.__getattribute__(self, name)

    def __reduce__(self) -> tuple[object, ...]:
        return History, tuple(getattr(self, each.name) for each in fields(History))

    def runs(self) -> tuple[array[float], array[float], float]:
        """When workers began tasks, and when they were done, by some clock; and what that showed when the run began."""
        raw = self._raw
        return raw.started, raw.finished, raw.zero

    def told(self, row: int) -> Told:
        """What the columns tell of one row that are made when they are read."""
        if not self._left:
            return super().told(row)
        self._left -= 1
        last, raw = self._last_over(row), self._raw
        started, finished = raw.started[row] - raw.zero, raw.finished[row] - raw.zero
        return *_one(self, raw, row, last, started), started, finished

    def _last_over(self, row: int) -> float:
        """When all was over that a task has waited for, and it was called."""
        ready, begin, end = self.called[row], self.starts[row], self.starts[row + 1]
        if begin == end:
            return ready
        over, row_of = self.over, self._row_of
        for dependency in self.dependencies[begin:end]:
            before = row_of(dependency)
            if before is not None and over[before] > ready:
                ready = over[before]
        return ready


def shifted(times: Iterable[float], zero: float) -> array[float]:
    """The same times, since a moment."""
    column = array("d")
    column.fromlist([time - zero for time in times])  # half of what it costs to make an array of a list
    return column


def _all(
    history: History, raw: Raw, row_of: Callable[[int], int | None]
) -> tuple[array[int], array[float], array[float], array[float]]:
    """How often tasks were handed over, and when they were ready, staged and submitted."""
    last, now = _last_over(history, row_of), history.now
    submitted, attempts = raw.submitted[:], raw.attempts[:]
    # Of nearly all tasks all of it is known, and nothing is out of order.
    times = zip(last, submitted, history.started, history.over, strict=True)
    odd = {
        row
        for row, (ready, handed, started, over) in enumerate(times)
        if not ready <= handed <= started <= over or started > now
    }
    odd.update(row for row, time in enumerate(raw.staged) if not isnan(time))
    odd.update(row for row, many in enumerate(attempts) if not many)
    readied = array("d")
    readied.fromlist(last)
    staged = readied[:]
    for row in odd:
        attempts[row], readied[row], staged[row], submitted[row] = _one(
            history, raw, row, last[row], history.started[row]
        )
    return attempts, readied, staged, submitted


def _last_over(history: History, row_of: Callable[[int], int | None]) -> list[float]:
    """Of each task when all was over that it has waited for, and it was called."""
    last, over = history.called.tolist(), history.over
    if not history.dependencies:
        return last
    numbers = history.id
    if numbers[0] == 1 and numbers[-1] == len(numbers):
        known = [NOT_YET, *over]
        ended = iter([known[number] for number in history.dependencies])
    else:
        rows = map(row_of, history.dependencies)
        ended = iter([NOT_YET if row is None else over[row] for row in rows])
    many = map(sub, islice(history.starts, 1, None), history.starts)
    for row, dependencies in enumerate(many):
        if dependencies:
            ready = last[row]
            for end in islice(ended, dependencies):
                if end > ready:  # never if it is not over
                    ready = end
            last[row] = ready
    return last


def _one(history: History, raw: Raw, row: int, ready: float, started: float) -> _Handed:
    """How often a task was handed over, and when it was ready, staged and submitted.

    A link of a chain goes with the one before it and is not told of by itself; it may have begun before that was known
    to be over here.

    Args:
        history: with all other columns.
        raw: what was told.
        row: of the task.
        ready: when all was over that it has waited for, and it was called.
        started: when a worker began it.
    """
    submitted, attempts = raw.submitted[row], raw.attempts[row]
    staged, over = raw.staged[row] if raw.staged else NOT_YET, history.over[row]
    if started <= over and started <= history.now and isnan(staged):
        if ready <= submitted <= started and attempts:
            return attempts, ready, ready, submitted  # nearly all: nothing else is missing
        if isnan(submitted) and not history.tries:
            ready = min(ready, started)
            return attempts or 1, ready, ready, ready  # a link of a chain
    task_id, state = history.id[row], history.state[row]
    tries = history.tries.get(task_id)
    was_handed = state in _HANDED or not isnan(started) or not isnan(submitted)
    if not was_handed and state not in READY_ONLY and not tries:
        return attempts, NOT_YET, staged, submitted
    end = min(each for each in (started, over, history.now) if not isnan(each))
    ready = min(ready, end, _first_attempt(tries))
    if was_handed:
        staged = _between(ready, staged, end)
        return attempts or 1, ready, staged, _between(staged, submitted, end)
    if tries or raw.is_staged(task_id):
        staged = _between(ready, staged, end)
    return attempts, ready, staged, submitted


def _first_attempt(tries: Sequence[Try] | None) -> float:
    """When it was, as early as is known; never if none has failed."""
    if not tries:
        return float("inf")
    times = tries[0].submitted, tries[0].started, tries[0].finished, tries[0].ended
    return min(time for time in times if time is not None)


def _rows(numbers: Sequence[int]) -> Callable[[int], int | None]:
    """Finds the row of a number; None if it has none any more."""
    if not numbers:
        return lambda task_id: None
    first, last = numbers[0], numbers[-1]
    if last - first + 1 == len(numbers):
        return lambda task_id: task_id - first if task_id >= first else None
    return {task_id: row for row, task_id in enumerate(numbers)}.get


def _between(least: float, time: float, most: float) -> float:
    return least if isnan(time) or time < least else min(time, most)

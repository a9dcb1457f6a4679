"""Fills in what nobody has told of the times of a history, so that those of a task never go back. Pure."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan
from typing import Final

from .._core.states import FAILED, READY, RUNNING, SUBMITTED, SUCCEEDED
from .history import History

_HANDED: Final = frozenset({SUBMITTED, RUNNING, SUCCEEDED})
_READY_ONLY: Final = frozenset({READY, FAILED})  # what fails before it is handed over could not be staged


def put_in_order(history: History, is_staged: Callable[[int], bool]) -> None:
    """Work out when tasks were ready, staged and handed over, where that is not known, and hold all of it in order.

    A task was ready when the last that it waits for was over. A link of a chain goes with the one before it and is not
    told of by itself; it may have begun before that was known to be over here.

    Args:
        history: with all that was told; changed in place.
        is_staged: whether the files are there of a task, by number, that was not handed over.
    """
    row_of = _rows(history)
    over = history.over
    for row, task_id in enumerate(history.id):
        started, state = history.started[row], history.state[row]
        was_handed = state in _HANDED or not isnan(started) or not isnan(history.submitted[row])
        if not was_handed and state not in _READY_ONLY:
            continue
        ready = history.called[row]
        for dependency in history.dependencies[history.starts[row] : history.starts[row + 1]]:
            before = row_of(dependency)
            if before is not None and over[before] > ready:
                ready = over[before]
        end = min(each for each in (started, over[row], history.now) if not isnan(each))
        ready = history.ready[row] = min(ready, end)
        if was_handed:
            staged = history.staged[row] = _between(ready, history.staged[row], end)
            history.submitted[row] = _between(staged, history.submitted[row], end)
            history.attempts[row] = history.attempts[row] or 1
        elif is_staged(task_id):
            history.staged[row] = _between(ready, history.staged[row], end)


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

"""What failed first, and what did not run because of it."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from .._core.states import FAILED, UPSTREAM_FAILED
from .rows import NOBODY, Rows
from .tasks import TaskReport, task
from .view import View


@dataclass(frozen=True, slots=True)
class FirstFailure:
    """The task that failed first.

    Args:
        task: which.
        held_up: all that did not run because of it, in the order of their calls.
    """

    task: TaskReport
    held_up: View[TaskReport]


def first_failure(rows: Rows) -> FirstFailure | None:
    """Of the tasks that have rows; None if none of them failed."""
    history, ends = rows.history, rows.ends
    failed = (row for row, state in enumerate(history.state) if state == FAILED)
    first = min(failed, key=ends.__getitem__, default=NOBODY)
    if first == NOBODY:
        return None
    id = history.id[first]
    found = (rows.row(each) for each, ending in history.endings.items() if id in ending.roots)
    held_up = array("I", sorted(
        row for row in found if row != NOBODY and history.state[row] == UPSTREAM_FAILED
    ))  # fmt: skip
    return FirstFailure(task(rows, first), View(len(held_up), lambda place: task(rows, held_up[place])))

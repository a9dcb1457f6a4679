"""What failed first, and what did not run because of it; what was skipped, and what with it."""

from __future__ import annotations

from array import array
from collections import defaultdict
from dataclasses import dataclass

from .._core.states import CANCELLED, CANCELLING, FAILED, SKIPPED, UPSTREAM_FAILED
from .rows import NOBODY, Rows
from .tasks import TaskReport, task
from .view import View


@dataclass(frozen=True, slots=True)
class FirstFailure:
    """The task that failed first.

    Args:
        task: which.
        held_up: all that did not run because of it, in the order of their calls.
        stopped: all that was cancelled because of it, as ``on_failure="stop"`` has it, in the order of their calls.
    """

    task: TaskReport
    held_up: View[TaskReport]
    stopped: View[TaskReport]


def first_failure(rows: Rows) -> FirstFailure | None:
    """Of the tasks that have rows; None if none of them failed."""
    history, ends = rows.history, rows.ends
    first = min(rows.in_state(FAILED), key=ends.__getitem__, default=NOBODY)
    if first == NOBODY:
        return None
    id = history.id[first]
    found = sorted(rows.row(each) for each, ending in history.endings.items() if id in ending.roots)
    held_up = array("I")
    stopped = array("I")
    for row in found:
        if row != NOBODY and history.state[row] == UPSTREAM_FAILED:
            held_up.append(row)
        elif row != NOBODY and history.state[row] in (CANCELLING, CANCELLED):
            stopped.append(row)
    return FirstFailure(
        task(rows, first),
        View(len(held_up), lambda place: task(rows, held_up[place])),
        View(len(stopped), lambda place: task(rows, stopped[place])),
    )


@dataclass(frozen=True, slots=True)
class SkippedBranch:
    """A task that has raised `Skip`.

    Args:
        task: which; its error tells the reason.
        with_it: all that was skipped with it, in the order of their calls.
    """

    task: TaskReport
    with_it: View[TaskReport]


def skipped(rows: Rows) -> View[SkippedBranch]:
    """Of the tasks that have rows those that have raised `Skip`, in the order of their calls."""
    history = rows.history
    own = array("I")
    with_it: dict[int, array[int]] = defaultdict(lambda: array("I"))
    for row in rows.in_state(SKIPPED):
        roots = history.endings[history.id[row]].roots if history.id[row] in history.endings else ()
        if not roots:
            own.append(row)
        for root in roots:
            with_it[root].append(row)

    def branch(place: int) -> SkippedBranch:
        row = own[place]
        others = with_it.get(history.id[row], array("I"))
        return SkippedBranch(task(rows, row), View(len(others), lambda each: task(rows, others[each])))

    return View(len(own), branch)

"""The services of a run: when each was ready, how long it lived, who used it."""

from __future__ import annotations

from dataclasses import dataclass

from .rows import Rows
from .tasks import TaskReport, task
from .view import View


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """One service, from one start to its end. Times are seconds since the run began.

    Args:
        task: that has started it; `started` and `finished` are the times of that start.
        ready: when it was ready; None if it was not, or is not yet.
        ended: when it ended after that; None if it has not, or was never ready.
        how: it ended: "stopped", or in words how it died: "exit code 1"; "" if it has not.
        users: numbers of the tasks that took its value.
    """

    task: TaskReport
    ready: float | None
    ended: float | None
    how: str
    users: tuple[int, ...]


def services(rows: Rows) -> View[ServiceReport]:
    """In the order of their calls."""
    history, called = rows.history, rows.of_kind("service")
    users: dict[int, list[int]] = {history.id[row]: [] for row in called}
    for row in range(len(rows)) if users else ():
        for place in range(history.starts[row], history.starts[row + 1]):
            used = users.get(history.dependencies[place])
            if used is not None and history.id[row] not in used[-1:]:
                used.append(history.id[row])

    def made(place: int) -> ServiceReport:
        told = task(rows, called[place])
        ready = told.over if told.state == "SUCCEEDED" else None
        ended, how = history.services.get(told.id, (None, ""))
        return ServiceReport(told, ready, ended, how, tuple(users[told.id]))

    return View(len(called), made)

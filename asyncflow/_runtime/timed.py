"""Takes the times at which things are reported, for places that do not tell when work has run. It decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

from ..backend import RAN, RETURNED, STARTED, SUCCEEDED, Event, Report


class Timed:
    """Passes reports on to ``report``, with the time at which work ran as far as that is known."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._begun: dict[int, float] = {}  # each is put in and taken out by itself: any thread may

    def __call__(self, events: Sequence[Event]) -> None:
        now = perf_counter()
        timed: list[Event] = []
        for event in events:
            kind, task_id, _ = event
            if kind == STARTED:
                self._begun[task_id] = now
            elif kind != RAN:
                began = self._begun.pop(task_id, now if kind == SUCCEEDED else None)
                if began is not None and kind != RETURNED:
                    timed.append((RAN, task_id, (began, now, "")))
            timed.append(event)
        self._report(timed)

"""What the logger ``asyncflow`` hears of a run at INFO and DEBUG, when it begins and ends and when something fails.

Of a task that goes well nothing is logged, nor is text made of anything that no handler is going to see.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from time import perf_counter
from typing import Final

from .._causes import Cause, brief, spelled
from .._core.dependents import end_of
from .._core.states import CANCELLED, FAILED, SKIPPED, UPSTREAM_FAILED
from .._core.task import Task
from .._show.words import counted

_runs: Final = logging.getLogger("asyncflow.run")
_tasks: Final = logging.getLogger("asyncflow.task")
_INFO: Final = logging.INFO
_DEBUG: Final = logging.DEBUG
_FAILURES: Final = 100  # of a run, at INFO; the others are at DEBUG
_ROOTS: Final = 20  # at the end of a run
_ENDS: Final = {
    FAILED: "failed",
    UPSTREAM_FAILED: "did not run because others failed",
    SKIPPED: "were skipped",
    CANCELLED: "were cancelled",
}


class RunLog:
    """Lines about one run; there are none about a rehearsal."""

    def __init__(self) -> None:
        self._began = 0.0  # seconds; 0 for not yet, or no more
        self._ends: Counter[int] = Counter()
        self._detached = 0  # of detached tasks, how many have failed
        self._roots: dict[int, str] = {}
        self._held_up: Counter[int] = Counter()  # tasks that did not run, by roots

    def began(self, run: str, workers: Mapping[str, int | None]) -> None:
        """The backends of a run, which is so called, have been started; ``workers`` are as of `Places.workers`."""
        self._began = perf_counter()
        if _runs.isEnabledFor(_INFO):
            places = ", ".join(
                place if most is None else f"{place} ({most:,} at once)" for place, most in workers.items()
            )
            _runs.info("%s began: %s", run, places)

    def could_not_begin(self, run: str, error: BaseException) -> None:
        """A backend could not be started."""
        if _runs.isEnabledFor(_INFO):
            _runs.info("%s could not begin: %s", run, brief(error))

    def without_value(self, task: Task) -> None:
        """A task has got an end that is no value."""
        self._ends[CANCELLED if task.cause is None else end_of(task)] += 1
        if not self._began or not _tasks.isEnabledFor(_INFO):
            return
        cause = task.cause
        if cause is not None and cause.upstream:
            self._did_not_run(task, cause)
        elif cause is not None and cause.error is not None:
            self._failed(cause)
        elif cause is not None and cause.skipped is not None:
            _tasks.debug("%r (#%d) was skipped: %s", task.name_shown, task.id, cause.skipped)
        else:
            _tasks.debug("%r (#%d) was cancelled", task.name_shown, task.id)

    def detached_failed(self, task: Task, cause: Cause) -> None:
        """A task has failed that nobody waits for."""
        self._detached += 1
        if self._detached <= _ROOTS:
            end = "did not run because of" if cause.upstream else "failed:"
            why = ", ".join(spelled(str(root)) for root in cause.firsts) if cause.upstream else _brief(cause)
            _tell(f"{task.name_shown!r} (#{task.id}), which is detached, {end} {why}")
        if self._detached == _ROOTS:
            _tell(f"{_ROOTS} detached tasks have failed; the report tells of further ones")

    def _failed(self, cause: Cause) -> None:
        failures = self._ends[FAILED]
        level = _INFO if failures <= _FAILURES else _DEBUG
        if _tasks.isEnabledFor(level):
            _tasks.log(level, "%r (#%d) failed: %s", cause.name_shown, cause.task_id, _brief(cause))
        if failures == _FAILURES:
            _tasks.info("%d tasks have failed; further failures of this run are logged at DEBUG", failures)

    def _did_not_run(self, task: Task, cause: Cause) -> None:
        for root in cause.firsts:
            if root.task_id in self._roots or len(self._roots) < _ROOTS:
                self._roots[root.task_id] = spelled(str(root))
                self._held_up[root.task_id] += 1
        if _tasks.isEnabledFor(_DEBUG):
            roots = ", ".join(spelled(str(root)) for root in cause.firsts)
            _tasks.debug("%r (#%d) did not run because of %s", task.name_shown, task.id, roots)

    def ended(self, run: str, called: int, live: int, left_behind: int, dropped: int) -> None:
        """The run is over; is said once.

        Args:
            run: what it is called.
            called: how many calls it took.
            live: how many tasks are not over.
            left_behind: how many nobody knows of when they stop.
            dropped: reports about tasks that were unknown or over.
        """
        if not self._began:
            return
        seconds, self._began = perf_counter() - self._began, 0.0
        if not _runs.isEnabledFor(_INFO):
            return
        succeeded = called - live - self._ends.total()
        ends = [f"{many:,} {words}" for end, words in _ENDS.items() if (many := self._ends[end])]
        if left_behind:
            ends.append(f"{left_behind:,} left behind")
        of_these = f": {', '.join([f'{succeeded:,} succeeded', *ends])}" if called else ""
        roots = "".join(
            f"\n  {self._held_up[number]:,} did not run because of {root}"
            for number, root in self._roots.items()
        )
        _runs.info(
            "%s ended after %.3g s with %s%s%s",
            run,
            seconds,
            counted(called, "task"),
            of_these,
            roots,
        )
        if dropped:
            _runs.debug("%s: reports about tasks unknown or over: %d", run, dropped)


def _tell(line: str) -> None:
    logging.getLogger("asyncflow").error("%s", line)


def _brief(cause: Cause) -> str:
    told = "" if cause.error is None else brief(cause.error)
    return f"{told}; called as {cause.call}" if cause.call else told

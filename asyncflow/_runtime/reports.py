"""Takes what backends report, in order, and tells the scheduler and the futures."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Iterable
from itertools import islice, repeat
from time import perf_counter
from typing import Any, Final

from .._core.commands import CommandDone
from .._core.scheduler import Scheduler
from .._core.states import CANCELLING, HANDED, NOW, SUBMITTED
from .._core.task import Task
from .._files.stager import Stager
from .._record.record import Record
from .._show.words import counted
from ..backend import (
    CANCELLED,
    FAILED,
    INTERRUPTED,
    LOADING,
    LOST,
    RAN,
    STARTED,
    SUCCEEDED,
    WAITS,
    Event,
    Kept,
)
from ..errors import ImpossibleTransition
from . import inputs
from .blocks import Blocks
from .failure import NO_VALUES, unfit
from .failures import Failures
from .keeps import Keeps
from .places import Places
from .starts import Starts
from .steps import Steps
from .timeouts import Timeouts

_log = logging.getLogger("asyncflow")
_ANY: Final = 1 << 62
_set_result: Final = asyncio.Future.set_result
_popleft: Final = deque[Event].popleft


class Reports:
    """What follows from reports, up to the next step of the run loop.

    Args:
        steps: the run loop.
        scheduler: decides what follows.
        starts: takes that tasks have started.
        blocks: takes what the body of a block has returned.
        stager: publishes the files of a task that has made some.
        failures: takes failures.
        timeouts: the clocks of tasks.
        places: where tasks run.
        keeps: takes results that stay where they are.
        record: where times are recorded; None where nothing is.
    """

    def __init__(
        self,
        steps: Steps,
        scheduler: Scheduler,
        starts: Starts,
        blocks: Blocks,
        stager: Stager,
        failures: Failures,
        timeouts: Timeouts,
        places: Places,
        keeps: Keeps,
        record: Record | None,
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._starts = starts
        self._blocks = blocks
        self._stager = stager
        self._failures = failures
        self._timeouts = timeouts
        self._places = places
        self._has_warned: set[str] = set()
        """Of which places somebody knows that tasks wait there."""
        self._keeps = keeps
        self.record = record
        self.dropped = 0
        """Reports about tasks that are unknown or over."""

    def of_backends(self, events: deque[Event], most: int) -> None:
        """Take reports of backends, which may add to them meanwhile; where the order of tasks matters, go by how long
        they have run. As `handle` does otherwise."""
        if self._scheduler.order is not None:
            # Copied first, in one step of the interpreter: an iterator would find that others were added meanwhile.
            self._measure(islice(list(events), most))
        self.handle(events, most)

    def handle(self, events: deque[Event], most: int = _ANY) -> None:
        """Take reports, in order, and carry out what follows from them.

        Args:
            events: the reports; those that are taken are removed.
            most: how many to take at most.
        """
        many = min(len(events), most)  # not "while events": threads may add to them for ever
        now = perf_counter() if many else 0.0
        ran_ids: list[int] = []
        runs: list[tuple[float, float, str]] = []
        try:
            try:
                self._take(events, many, now, ran_ids, runs)
            finally:
                if self.record is not None:
                    self.record.ran(ran_ids[: len(runs)], runs, now)
            self._steps.follow()
        except BaseException:
            self._steps.cut_short()
            raise

    def _take(
        self,
        events: deque[Event],
        many: int,
        now: float,
        ran_ids: list[int],
        runs: list[tuple[float, float, str]],
    ) -> None:
        """Take so many reports, or as many as there are: whoever is asked about a failure, as a `retry_on`, may ask for
        a state, and then the rest is taken in the midst of this. When tasks ran goes into the two lists."""
        live, record = self._scheduler.live, self.record
        task, kind = None, RAN  # while none is at hand
        # Python looks for signals after each call of its own. These calls are made by an iterator, so that what was
        # taken is at hand before Ctrl-C can come out of it. The filter lets the queue pass while something is in it.
        for kind, task_id, payload in map(_popleft, filter(None, repeat(events, many))):
            try:
                if kind == RAN:
                    ran_ids.append(task_id)
                    runs.append(payload)
                    continue
                task = live.get(task_id)
                if task is None:
                    self._of_no_task(kind)
                elif kind == SUCCEEDED:
                    self.succeeded(task, payload)
                elif kind == STARTED:
                    self._starts.started(task, *(payload or (now, "")))
                elif kind == FAILED:
                    self._failures.failed(task, payload)
                elif kind == CANCELLED:
                    self._failures.stopped(task, ran_ids[-1:] == [task_id])
                elif kind == LOST:
                    self._keeps.lost(task, payload)
                elif kind == LOADING:
                    if record is not None:
                        record.loading(task_id, payload)
                    continue
                else:
                    self.given_back(task)
                # If it ran, that was told just before.
                if (
                    record is not None
                    and kind >= FAILED
                    and task_id in record.running
                    and ran_ids[-1:] != [task_id]
                ):
                    record.stopped(task_id, now)
                kind = RAN  # noqa: PLW2901 - nothing is at hand
            except ImpossibleTransition:
                # A backend that says a thing twice must not cost others their results.
                self.dropped += 1
                _log.exception("a report about %r (#%d) was dropped", task and task.name, task_id)
            except BaseException:
                if kind != RAN:
                    self._put_back(events, (kind, task_id, payload))
                raise

    def _of_no_task(self, kind: int) -> None:
        """A report is about a task that is unknown or over, or about no task."""
        if kind == INTERRUPTED:
            self._steps.cut_short()
        elif kind == WAITS:
            self._warn_of_waits()
        else:
            self.dropped += 1

    def _warn_of_waits(self) -> None:
        """Say once of each place that its tasks wait for something to run on."""
        for place, counts in self._places.counts().items():
            tasks = counts.ready + counts.taken
            if counts.waits is not None and tasks and place not in self._has_warned:
                self._has_warned.add(place)
                wait = "waits" if tasks == 1 else "wait"
                _log.warning("%s %s for slots: %s", counted(tasks, "task"), wait, counts.waits)

    def _put_back(self, events: deque[Event], event: Event) -> None:
        """Ctrl-C came while a report was taken: it is taken once more, unless it has had its effect."""
        kind, task_id, _ = event
        task = self._scheduler.live.get(task_id)
        has_begun = task is not None and kind == STARTED and task.story & NOW != SUBMITTED
        if task is not None and not task.done() and not has_begun:
            events.appendleft(event)

    def _measure(self, events: Iterable[Event]) -> None:
        """Tell the rooms of places how long tasks have run there."""
        for kind, task_id, payload in events:
            if kind == RAN and task_id in self._scheduler.live:
                room = self._scheduler.live[task_id].lane.room
                if room is not None:
                    room.ran(payload[1] - payload[0])

    def succeeded(self, task: Any, value: object) -> None:
        """A body has ended with a value; what follows from it is carried out at the next `flush`."""
        if (
            not task.site.definition.ends_plainly
            or (value is not None and type(value) in NO_VALUES)
            or (task.story != HANDED and (task.attempt > 1 or task.story & NOW == CANCELLING))
        ):
            self._ended_with(task, value)
            return
        _set_result(task, value)
        self._scheduler.succeeded(task)

    def flush(self) -> None:
        """Carry out what follows from what was taken."""
        self._steps.follow()

    def cut_short(self) -> None:
        """Ctrl-C came out of the midst of a step."""
        self._steps.cut_short()

    def given_back(self, task: Task) -> None:
        """A backend has given back what it had not begun."""
        if self.record is not None and task.story & NOW != CANCELLING:  # or that is its end
            self.record.returned(task.id, perf_counter())
        inputs.unlink(task)
        self._scheduler.given_back(task)

    def _ended_with(self, task: Any, value: object) -> None:
        """A body has ended and its value is not simply the future's."""
        if task.story & NOW == CANCELLING:
            self._scheduler.stopped(task, True)
        elif self._failures.late(task) is not None:
            self._failures.stopped(task, True)
        elif task.definition.is_block:
            self._blocks.returned(task, value)
        elif type(value) in NO_VALUES and type(value) is not Kept:
            self._failures.failed(task, unfit(task, value))
        else:
            if type(value) is CommandDone:
                task.outcome, value = value.outcome, value.value
            if task.files is None:
                self._timeouts.disarm(task)
                if self.record is not None and task.failed_attempts:
                    self.record.over(task.id, perf_counter())
                self._keeps.end(task, value)
                return
            if task.story & NOW == SUBMITTED:
                self._scheduler.started(task)
            self._timeouts.attempt_over(task)  # not its deadline: it is over when its files are there
            self._stager.publish(task, value)

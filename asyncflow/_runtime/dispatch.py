"""Hands tasks to where they run, and carries out what else the scheduler has decided."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from .._core.dependents import is_cancelling, tell_more
from .._core.joins import KIND as JOIN
from .._core.lanes import Lane
from .._core.order import Order
from .._core.pace import MOST
from .._core.scheduler import Scheduler
from .._core.task import Task
from .._record.record import Record
from . import inputs
from .blocks import Blocks
from .coroutines import Coroutines
from .endings import Endings
from .failures import Failures
from .files import Files
from .gate import Gate
from .inbox import Inbox
from .joins import Joins
from .keeps import Keeps
from .places import Places
from .reports import Reports
from .steps import Steps
from .stopping import Stopping
from .timeouts import Timeouts

_log = logging.getLogger("asyncflow")


class Dispatch:
    """Carries out the scheduler's commands.

    Args:
        steps: the run loop.
        scheduler: gives the commands.
        places: where tasks run.
        inbox: knows whether starts have to be told.
        files: brings the files of tasks.
        gate: holds tasks that wait for limits.
        reports: takes what is given back.
        blocks: resolves what blocks have returned.
        joins: gives joins their values.
        endings: gives futures that have no value their ends.
        failures: takes the failure of what could not be submitted.
        timeouts: the clocks of tasks.
        stopping: has work stopped.
        keeps: gives values, and what stands for those that are kept.
        record: where submissions are recorded; None where nothing is.
    """

    def __init__(
        self,
        steps: Steps,
        scheduler: Scheduler,
        places: Places,
        inbox: Inbox,
        files: Files,
        gate: Gate,
        reports: Reports,
        blocks: Blocks,
        joins: Joins,
        endings: Endings,
        failures: Failures,
        timeouts: Timeouts,
        stopping: Stopping,
        keeps: Keeps,
        record: Record | None,
    ) -> None:
        self._steps = steps
        self._scheduler = scheduler
        self._behind = places.behind
        self._inbox = inbox
        self._files = files
        self._gate = gate
        self._reports = reports
        self._blocks = blocks
        self._joins = joins
        self._endings = endings
        self._failures = failures
        self._timeouts = timeouts
        self._stopping = stopping
        self._keeps = keeps
        self.record = record

    def carry_out(self, due: Sequence[Lane]) -> int:
        """Carry out the decisions that are due. Returns how many tasks were submitted or got their end."""
        scheduler = self._scheduler
        ended: list[Any] = []
        returned: list[Any] = []
        stop: list[Any] = []
        stopped: list[Any] = []
        try:
            if scheduler.first_failures:
                scheduler.first_failures, stopped = [], scheduler.first_failures
                for block, first in stopped:
                    self._failures.stopped_at(block, first)
            told = tell_more(scheduler) if scheduler.telling else 0
            # Nobody hears of an end before all know it who wait for it.
            if scheduler.ended and not scheduler.telling:
                ended = scheduler.ended[:MOST]
                del scheduler.ended[:MOST]
                settle = self._endings.settle
                for task in ended:
                    settle(task)
            # These ask the futures, which have their ends now.
            if scheduler.returned and not scheduler.ended and not scheduler.telling:
                scheduler.returned, returned = [], scheduler.returned
                for task in returned:
                    (self._joins if task.definition.kind == JOIN else self._blocks).resolve(task)
            submitted = 0 if scheduler.telling and is_cancelling(scheduler) else self._submit_due(len(due))
            if scheduler.stop:
                scheduler.stop, stop = [], scheduler.stop
                self._stopping.stop(stop)
        except BaseException:  # Ctrl-C: what was not come to is for the next time
            scheduler.ended = [task for task in ended if not task.done()] + scheduler.ended
            scheduler.returned = [task for task in returned if not task.done()] + scheduler.returned
            scheduler.stop = [task for task in stop if task.id in scheduler.live] + scheduler.stop
            scheduler.first_failures = stopped + scheduler.first_failures
            self._steps.cut_short(scheduler.lanes.taking)
            raise
        return max(submitted, len(ended), told)

    def _submit_due(self, many: int) -> int:
        """Hand over what so many of the lanes have that are due. Returns how many tasks that were."""
        lanes, order = self._scheduler.lanes, self._scheduler.order
        submitted = 0
        for _ in range(many):
            lane = lanes.due.pop(0) if order is None else order.first_of(lanes.due)
            if lane.leads_to is not None:
                self._files.stage(lanes.take_to_stage(lane))
                continue
            if order is not None:
                batch = self._take_in_order(lane, order)
            elif lane.admission is None:
                batch = lanes.take(lane)
            else:
                batch = self._gate.take(lane)
            self.submit(lane, batch)
            lanes.taking = []
            submitted += len(batch)
        return submitted

    def put_in_order(self, order: Order, now: Callable[[], float], last: int) -> None:
        """Have all tasks stand where they belong by now, and all lanes looked at that have some.

        Args:
            order: tells where that is.
            now: tells the seconds, by the clock of ageing.
            last: number of the last call.
        """
        if order.ageing is not None:
            order.passes(now(), last)
        if order.raised:
            self._gate.take_places(order)
        order.wake(self._scheduler.lanes)

    def _take_in_order(self, lane: Lane, order: Order) -> list[Task]:
        """The tasks of a lane that go before those of all others that are due, as many as there is room for."""
        lanes = self._scheduler.lanes
        most = order.most(lane, lanes.due)
        if lane.admission is not None:
            batch = self._gate.take(lane, most)
        elif most:
            batch = lanes.take(lane, most)
        else:
            batch = []
        if lane.room is not None:
            lane.room.handed()
        return batch

    def submit(self, lane: Lane, batch: list[Task]) -> None:
        """Hand a lane's tasks to where they run, with the values of what they depend on."""
        if self.record is not None:
            self.record.submitted(batch, perf_counter())
        value_of = self._keeps.values_at(lane.place)
        ready = inputs.fill(batch, self.not_submitted, value_of)
        place = self._behind[lane]
        if isinstance(place, Coroutines):  # which fills in links when it comes to them
            place.submit(ready)
            return
        if lane.links:
            for task in ready:
                if task.link is not None:
                    inputs.fill_links(task, value_of)
        if not ready:
            return
        if self._inbox.starts_matter and not place.reports_starts:
            self._timeouts.arm(ready)
        try:
            place.submit(ready)
        except Exception as error:  # a backend's own fault: no task of the batch may be left hanging
            _log.exception("%s did not take %d tasks", lane.place, len(ready))
            for task in ready:
                if task.id in self._scheduler.live:
                    self.not_submitted(task, error)

    def not_submitted(self, task: Task, error: BaseException) -> None:
        """A task did not get to where it was to run, nor did what was to follow it there."""
        link = task.link
        self._failures.failed(task, error)
        while link is not None:
            after = link.link
            self._reports.given_back(link)
            link = after

"""Ends blocks: with what their bodies return, once all futures in it are done."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any, Final

from .._core import arguments
from .._core.dependents import end_of
from .._core.kept import Keeping, kept_away, returns_only
from .._core.scheduler import Scheduler
from .._core.states import CANCELLED, FAILED, NOW, RUNNING, SUBMITTED, UPSTREAM_FAILED
from .._core.task import Task
from .._record.record import Record
from . import inputs
from .coroutines import LOOP
from .failure import first_of
from .failures import Failures
from .keeps import Keeps
from .starts import Starts
from .timeouts import Timeouts
from .wiring import Wiring

_set_result: Final = asyncio.Future.set_result


class Blocks:
    """Ends blocks whose bodies have returned.

    Args:
        scheduler: decides what follows.
        wiring: finds the futures in what a block has returned.
        starts: takes that it has started.
        failures: takes its failure.
        timeouts: the clocks of blocks.
        keeps: takes results that stay where they are.
        record: where starts and ends are recorded; None where nothing is.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        wiring: Wiring,
        starts: Starts,
        failures: Failures,
        timeouts: Timeouts,
        keeps: Keeps,
        record: Record | None,
    ) -> None:
        self._scheduler = scheduler
        self._wiring = wiring
        self._starts = starts
        self._failures = failures
        self._timeouts = timeouts
        self._keeps = keeps
        self.record = record

    def returned(self, block: Task, value: object) -> None:
        """The body of a block has returned a value, perhaps with futures in it."""
        try:
            futures, holes = self._wiring.of_returned(block, value)
        except Exception as error:
            self._failures.failed(block, error)
            return
        if not futures:
            self.succeeded(block, value)
            return
        if block.story & NOW == SUBMITTED:  # a `def`, over before anybody could ask
            began = perf_counter() if self.record is None else self.record.last_on_loop
            self._starts.started(block, began, LOOP)
        if self.record is not None:
            self.record.body_ended(block.id)
        block.returned = futures, holes
        self._scheduler.returned_futures(block, futures)

    def resolve(self, block: Task) -> None:
        """All futures that a block returned are done: it ends with their values, or as they failed."""
        if block.story & NOW != RUNNING:
            return  # cancelled meanwhile
        futures, holes = block.returned
        if len(futures) == 1 and returns_only(block, futures[0]):
            keeping = kept_away(futures[0])
            if keeping is not None:
                self._hand_on(block, keeping)
                return
        bad = [future for future in futures if future.cause is not None]
        ends = [end_of(future) for future in bad]
        try:
            if FAILED in ends or UPSTREAM_FAILED in ends:
                failed = [
                    each for each, end in zip(bad, ends, strict=True) if end in (FAILED, UPSTREAM_FAILED)
                ]
                raise first_of(block, failed)
            if CANCELLED in ends:
                raise asyncio.CancelledError
            if bad:
                causes = {future.id: future.cause for future in bad}
                self._scheduler.skipped(block, "", tuple(causes.values()))
                return
            self.succeeded(block, arguments.fill_value(holes, inputs.value_here))
        except asyncio.CancelledError:
            self._scheduler.stopped(block)
        except Exception as error:
            self._failures.failed(block, error)

    def _hand_on(self, block: Task, keeping: Keeping) -> None:
        self._keeps.hand_on(block, keeping)
        self._over(block)

    def succeeded(self, block: Any, value: object) -> None:
        """A block has its value."""
        _set_result(block, value)
        self._scheduler.succeeded(block)
        self._over(block)

    def _over(self, block: Task) -> None:
        if self.record is not None:
            self.record.over(block.id, perf_counter())
        self._timeouts.disarm(block)

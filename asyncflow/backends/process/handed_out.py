"""The calls that worker processes have: which of them are known to run, are to stop, or have not begun after all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from ..._turns import Due
from ..._worker import wire
from ...backend import CANCELLED, INTERRUPTED, RETURNED, Event, Report, Work
from .generators import Generators
from .packing import Packed
from .waiting import Waiting
from .worker_process import WorkerProcess


class Holder(Protocol):
    """A place that has calls."""

    def take(self, task_id: int, /) -> Packed | None:
        """Remove a call from those that it has; None if it has not."""


class HandedOut:
    """The calls that are with processes. Which process has which, the processes know (`WorkerProcess.given`).

    Args:
        report: the engine's.
        waiting: where calls go back to that were not begun.
        generators: that stay with processes.
    """

    def __init__(self, report: Report, waiting: Waiting, generators: Generators[Any]) -> None:
        self.generators = generators
        self._report = report
        self._waiting = waiting
        self.told: set[int] = set()  # whose start was reported
        self.stopping: dict[int, Due | None] = {}  # that were told to stop, and when they are killed
        self.loading: set[int] = set()  # whose results are being taken in

    def over(self, task_id: int) -> None:
        """A call is not with a process any more."""
        self.told.discard(task_id)
        if self.stopping:
            timer = self.stopping.pop(task_id, None)
            if timer is not None:
                timer.cancel()

    def take_unread(self, worker: WorkerProcess) -> None:
        """Take back from a process what it has not read yet."""
        try:
            self.begin_again(worker, worker.take_unread())
        except BaseException:
            self.interrupted(worker)
            raise

    def begin_again(self, holder: Holder, task_ids: Iterable[int]) -> None:
        """Calls that were with a process, say, and were not begun, wait again, before all others."""
        again: list[Work] = []
        heads: list[int] = []
        events: list[Event] = []
        came: set[int] = set()
        for task_id in task_ids:
            packed = holder.take(task_id)
            if packed is None:
                continue
            stopping = task_id in self.stopping
            self.over(task_id)
            if stopping:
                events.append((CANCELLED, task_id, None))
            elif packed.flags & wire.LINKED and came.isdisjoint((task_id,)):
                events.append((RETURNED, task_id, None))  # what it needs was there
            else:
                again.append(packed.work)
                if not packed.flags & wire.LINKED:
                    heads.append(task_id)
                if packed.work.link is not None:
                    came.add(packed.work.link.id)
        self._waiting.add_again(again, heads)
        if events:
            self._report(events)

    def retire(self, worker: WorkerProcess) -> None:
        """Let a process end when it has run what it has begun, and no generator stays there."""
        worker.retires = True
        self.take_unread(worker)
        self.dismiss(worker)

    def dismiss(self, worker: WorkerProcess) -> None:
        """Let a process end that retires, if it may."""
        if not worker.given and not self.generators.are_at(worker):
            worker.dismiss()

    def interrupted(self, worker: WorkerProcess | None = None) -> None:
        """Ctrl-C came out of this: perhaps in the midst of what a process was told, or has told."""
        if worker is not None:
            worker.is_in_doubt = True
        self._report([(INTERRUPTED, 0, None)])

"""Runs tasks one after another, in the order of their calls, on the event loop's own thread: `pdb` works in them.

While a task runs the loop stands still, and so do its timers: a task that took too long is failed when it ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from heapq import heappop, heappush
from threading import get_ident
from time import perf_counter
from typing import Final

from .._turns import Turns, sure
from .._worker.attempt import run_attempt
from .._worker.forks import held_here, leave_with
from .._worker.held_up import HELD_UP
from .._worker.store import Store
from .._worker.whose import runs_work
from ..backend import (
    CANCELLED,
    FAILED,
    INTERRUPTED,
    RAN,
    STARTED,
    SUCCEEDED,
    Concurrency,
    ExecutionBackend,
    Report,
    Work,
)
from ..errors import TaskTimeout

_WORKER: Final = "the event loop's thread"


class SequentialBackend(ExecutionBackend):
    """One task at a time, in call order among those whose inputs are there."""

    name = "sequential"
    concurrency = Concurrency.SEQUENTIAL
    reports_runs = True
    takes_coroutines = False  # no second loop can run inside the engine's

    def __init__(self, workers: int | None = None) -> None:
        self._turns: Turns | None = None
        self._waiting: dict[int, Work] = {}
        self._order: list[int] = []
        self._next_due = False
        self._report: Report
        self._store = Store()
        held_here(self)

    def let_go(self) -> None:
        """In a forked child there is at most the task that forked, to be finished."""
        self._drop()
        self._report = partial(leave_with, SUCCEEDED, FAILED)

    async def start(self, report: Report) -> None:
        """Nothing to start."""
        self.abandon()  # what a loop that was closed has left
        self._turns = sure(asyncio.get_running_loop())
        self._report = report

    def submit(self, batch: Sequence[Work]) -> None:
        """Queue the work."""
        for work in batch:
            self._waiting[work.id] = work
            heappush(self._order, work.id)
        self._continue()

    def _continue(self) -> None:
        if self._order and not self._next_due and self._turns is not None:
            self._turns.call_soon(self._run_next)
            self._next_due = True

    def _run_next(self) -> None:
        self._next_due = False
        work = None
        try:
            while self._order:
                work = self._waiting.get(self._order[0])
                heappop(self._order)
                if work is not None:  # else cancelled
                    del self._waiting[work.id]
                    self._run(work)
                    break
        # Ctrl-C, as Python's shells have it, beside the body: the loop may go on.
        except BaseException as error:
            if work is not None:
                self._waiting.pop(work.id, None)
                # Perhaps after its end was told, which then counts.
                self._report([(FAILED, work.id, error)])
            self._report([(INTERRUPTED, 0, None)])
            raise
        finally:
            work = None  # as in `_run`
            # After the report, so that the engine can submit what became ready, perhaps with a lower number.
            self._continue()

    @runs_work
    def _run(self, work: Work) -> None:
        # As on a thread, the function finds no event loop running, so that it may start one of its own.
        loop = asyncio.get_running_loop()
        began = perf_counter()
        self._report([(STARTED, work.id, (began, _WORKER))])
        asyncio._set_running_loop(None)
        me, around = get_ident(), HELD_UP.get(get_ident())
        HELD_UP[me] = self._store
        try:
            succeeded, payload = run_attempt(work.fn, work.is_coroutine, work.args, work.kwargs, work.context)
        finally:
            if around is None:
                del HELD_UP[me]
            else:  # of a task that runs a loop of its own, and an engine on it
                HELD_UP[me] = around
            asyncio._set_running_loop(loop)
        ended = perf_counter()
        if work.timeout is not None and ended - began > work.timeout:
            where = f"backend {self.name!r}"
            succeeded, payload = False, TaskTimeout(work.id, work.name, work.timeout, where, None)
        ran = (RAN, work.id, (began, ended, _WORKER))
        self._report([ran, (SUCCEEDED if succeeded else FAILED, work.id, payload)])
        del (
            work,
            payload,
        )  # or the frames of an error would hold it, and its task's future, which holds it too

    async def cancel(self, task_id: int) -> bool:
        """Take work back that has not begun."""
        if self._waiting.pop(task_id, None) is None:
            return False
        self._report([(CANCELLED, task_id, None)])
        return True

    def recover(self, submitted: Sequence[int], lost: Sequence[int]) -> Sequence[int]:
        """Go on with what waits: nothing runs now, since this does."""
        self._order = sorted(self._waiting)
        self._next_due = False
        self._continue()
        return [task_id for task_id in submitted if task_id not in self._waiting]

    async def shutdown(self, *, grace: float) -> list[int]:
        """Drop what has not begun; nothing runs now, since this does."""
        for task_id in list(self._waiting):
            await self.cancel(task_id)
        loop = asyncio.get_running_loop()
        asyncio._set_running_loop(None)  # as when it was set up
        try:
            self.abandon()
        finally:
            asyncio._set_running_loop(loop)
        return []

    def abandon(self) -> None:
        """Forget what has not begun, and tear down what was kept."""
        self._drop()
        self._store.leave()

    def _drop(self) -> None:
        self._waiting.clear()
        self._order.clear()
        self._next_due = False
        self._turns = None

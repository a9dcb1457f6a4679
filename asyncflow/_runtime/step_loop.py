"""Carries out what the scheduler has decided, in steps: one for all that came in a turn of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextvars import Context
from threading import get_ident
from time import perf_counter

from .._core.pace import MOST
from .._core.scheduler import Scheduler
from .._core.task import Task
from .._record.record import Record
from .._turns import Turns
from ..backend import ExecutionBackend
from .burst import Burst
from .coroutines import Coroutines
from .dispatch import Dispatch
from .holding import Holding
from .inbox import Inbox
from .keeps import Keeps
from .mending import Mending
from .services import Services
from .stopping import Stopping
from .teller import Teller


class StepLoop:
    """The steps of one run, all on the thread of its event loop.

    Args:
        loop: the event loop.
        turns: of it.
        burst: the calls since its last turn.
        scheduler: has decided.
        backends: asked for what they have not reported yet.
        record: where pauses between calls are recorded; None where nothing is.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        turns: Turns,
        burst: Burst,
        scheduler: Scheduler,
        backends: Collection[ExecutionBackend],
        record: Record | None,
    ) -> None:
        self.is_open = False  # the backends take work
        self.record = record
        self._loop = loop
        self._turns = turns
        self._burst = burst
        self._scheduler = scheduler
        self._backends = backends
        self._thread = get_ident()
        self._submits_next = False  # in the next turn, after who goes on there, what is ready is submitted
        self._context = (
            Context()
        )  # else the first caller's context variables would live on in whatever a step starts

    def complete(
        self,
        dispatch: Dispatch,
        holding: Holding,
        services: Services,
        stopping: Stopping,
        keeps: Keeps,
        coroutines: Coroutines,
        inbox: Inbox,
        mending: Mending,
        teller: Teller | None,
    ) -> None:
        """Add the parts of the run that take part in its steps, and that ask for steps themselves.

        Args:
            dispatch: carries out the scheduler's commands.
            holding: knows the blocks that hold limits.
            services: stop when nobody needs them any more.
            stopping: knows who waits for the end of tasks.
            keeps: fetches results that somebody asks for.
            coroutines: run beside the steps.
            inbox: has reports.
            mending: brings the run into order after Ctrl-C.
            teller: tells listeners; None where nothing is recorded.
        """
        self._dispatch = dispatch
        self._holding = holding
        self._services = services
        self._stopping = stopping
        self._keeps = keeps
        self._coroutines = coroutines
        self._inbox = inbox
        self._mending = mending
        self._teller = teller

    def flush_soon(self) -> None:
        """Carry out on the next turn of the loop what the scheduler has decided."""
        if not self._burst.is_due and not self._loop.is_closed():
            self._turns.call_soon(self._flush_now, context=self._context)
            self._burst.is_due = (
                True  # after it, or Ctrl-C between the two would leave all that follows waiting
            )

    def _flush_now(self) -> None:
        self._burst.is_due = False
        self._step(submits=not self._submits_next)

    def _submit_now(self) -> None:
        self._submits_next = False
        self._step(submits=True)

    def _step(self, submits: bool) -> None:
        try:
            self._coroutines.make_way()
            self._flush(submits)
        except BaseException:
            self.cut_short()
            raise

    def cut_short(self, lost: Sequence[Task] = ()) -> None:
        """Ctrl-C, as Python's shells have it, came out of the midst of a step. If the loop goes on, so does the run."""
        self._turns.call_soon(self._mending.go_on, lost, context=self._context)

    def flush(self) -> None:
        """Carry out what the scheduler has decided: all of it, or of a large burst a part, and more soon."""
        self._flush(submits=True)

    def follow(self) -> None:
        """Carry out what follows from ends. Where the order of tasks matters, nothing is submitted before the next
        turn: whoever has waited for an end goes on in that, and may call what goes before all that is ready now."""
        if self._scheduler.order is None:
            self._flush(submits=True)
            return
        self._flush(submits=False)
        if self._scheduler.lanes.due and not self._submits_next and not self._loop.is_closed():
            # Not by `flush_soon`: that may have been asked for before those were woken who go on now.
            self._turns.call_soon(self._submit_now, context=self._context)
            self._submits_next = True

    def _flush(self, submits: bool) -> None:
        scheduler, record, last = self._scheduler, self.record, self._burst.last
        self._burst.over()
        has_called = record is not None and record.last != last
        if record is not None and has_called:  # whoever has made calls has given the loop back
            record.pause(last, perf_counter())
        if scheduler.order is not None:
            self._dispatch.put_in_order(scheduler.order, self._loop.time, last)
        due = scheduler.lanes.due if self.is_open and submits else ()
        # Each round may decide the next: an end makes other tasks ready. After a large one the loop has its turn.
        while due or scheduler.telling or scheduler.ended or scheduler.returned or scheduler.stop:
            if self._dispatch.carry_out(due) >= MOST:
                self.flush_soon()
                break
        if scheduler.wanted:
            self._keeps.look()
        if scheduler.parted:
            self._services.look()
        if self._holding.blocks:
            self._holding.look()
        self._stopping.wake()
        teller = self._teller
        if teller is not None and teller.audience.listeners:
            teller.tell()
        # Not before all has its end: who listens would hear of a task that it has run, and not how it ended.
        if record is not None and not scheduler.ended:
            if record.giving_up is not None:
                record.work_off()
            if has_called and record.is_full:
                if teller is not None:
                    teller.tell()
                record.go_on(scheduler.live)
                self._burst.site = None  # or the first call of the segment would not be told of

    def catch_up(self) -> None:
        """Handle what was reported and not yet looked at, so that a state is what it is now."""
        if get_ident() == self._thread:
            for backend in self._backends:
                backend.look_now()
            self._coroutines.look_now()
            self._inbox.look_now()

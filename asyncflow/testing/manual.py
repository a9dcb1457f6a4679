"""A backend driven by hand: nothing happens to a piece of work until the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from .._worker.attempt import run_attempt
from .._worker.whose import runs_work
from ..backend import (
    CANCELLED,
    FAILED,
    RETURNED,
    STARTED,
    SUCCEEDED,
    Event,
    ExecutionBackend,
    Report,
    Work,
)

OnCancel = Literal["take back", "stop", "later", "refuse"]
"""What `ManualBackend.cancel` does. "take back": stops what has not begun, as threads do; "stop": stops anything at
once; "later": promises to, and the test does with `stop`; "refuse": stops nothing."""


class ManualBackend(ExecutionBackend):
    """Keeps the work that it is given, and tells the engine of it what the test wants told.

    Work is named by its task's name or by its id; of several with one name the oldest is meant.

    Args:
        name: what the user calls it.
        on_cancel: what `cancel` does; may be set again at any time.
        runs_coroutines: whether ``async def`` tasks come here unasked.
        reports_starts: whether it says so when work begins.
        can_kill: whether it claims that `cancel` stops what has begun; None for what ``on_cancel`` says.
    """

    def __init__(
        self,
        name: str = "manual",
        *,
        on_cancel: OnCancel = "take back",
        runs_coroutines: bool = False,
        reports_starts: bool = True,
        can_kill: bool | None = None,
    ) -> None:
        self.name = name
        self.on_cancel: OnCancel = on_cancel
        self._can_kill = can_kill
        self._runs_coroutines = runs_coroutines
        self._reports_starts = reports_starts
        self.start_error: BaseException | None = None
        """What the next `start` raises."""
        self.submit_error: BaseException | None = None
        """What the next `submit` raises."""
        self.starts = 0
        """How often it was started."""
        self.shutdowns = 0
        """How often it was shut down."""
        self.abandoned = False
        """Whether it was let go of without a loop."""
        self.batches: list[list[str]] = []
        """The names in each batch that was submitted."""
        self.cancels: list[int] = []
        """The ids that it was asked to cancel."""
        self._report: Report | None = None
        self._waiting: dict[int, Work] = {}
        self._running: dict[int, Work] = {}
        self._held: list[Event] | None = None
        self._awaited: list[tuple[str | int, asyncio.Future[Work]]] = []

    @property
    def can_kill(self) -> bool:  # type: ignore[override]  # each instance its own
        """Whether `cancel` stops work that has begun."""
        return self.on_cancel in ("stop", "later") if self._can_kill is None else self._can_kill

    @property
    def runs_coroutines(self) -> bool:  # type: ignore[override]
        """Whether ``async def`` tasks come here unasked."""
        return self._runs_coroutines

    @property
    def reports_starts(self) -> bool:  # type: ignore[override]
        """Whether it says so when work begins."""
        return self._reports_starts

    # -- the contract -------------------------------------------------------------------------------------

    async def start(self, report: Report) -> None:
        """Take the report, or raise `start_error`."""
        error, self.start_error = self.start_error, None
        if error is not None:
            raise error
        self.starts += 1
        self._report = report

    def submit(self, batch: Sequence[Work]) -> None:
        """Keep the work, or raise `submit_error`."""
        error, self.submit_error = self.submit_error, None
        if error is not None:
            raise error
        self.batches.append([work.name for work in batch])
        self._waiting.update((work.id, work) for work in batch)
        for which, future in self._awaited:
            if not future.done() and (work_found := self._find(which)) is not None:
                future.set_result(work_found)
        self._awaited = [each for each in self._awaited if not each[1].done()]

    async def cancel(self, task_id: int) -> bool:
        """Do as `on_cancel` says."""
        self.cancels.append(task_id)
        here = task_id in self._waiting or task_id in self._running
        if not here or self.on_cancel == "refuse":
            return False
        if self.on_cancel == "stop" or (self.on_cancel == "take back" and task_id in self._waiting):
            self.stop(task_id)
        return self.on_cancel != "take back" or task_id not in self._running

    async def shutdown(self, *, grace: float) -> list[int]:
        """Cancel what has not begun, and what runs if it can be stopped; the rest is left behind."""
        self.shutdowns += 1
        for task_id in list(self._waiting):
            self.stop(task_id)
        if self.can_kill:
            for task_id in list(self._running):
                self.stop(task_id)
        left = list(self._running)
        self._running.clear()
        self._report = None
        return left

    def abandon(self) -> None:
        """Forget everything."""
        self.abandoned = True
        self._waiting.clear()
        self._running.clear()
        self._report = None

    # -- what the test sees -------------------------------------------------------------------------------

    @property
    def waiting(self) -> list[str]:
        """The names of the work that has not begun, oldest first."""
        return [work.name for work in self._waiting.values()]

    @property
    def running(self) -> list[str]:
        """The names of the work that has begun and is not over, in the order in which it began."""
        return [work.name for work in self._running.values()]

    def work(self, which: str | int) -> Work:
        """The work itself, with its arguments.

        Args:
            which: a name or an id.

        Raises:
            LookupError: there is none, or it is over.
        """
        found = self._find(which)
        if found is None:
            raise LookupError(f"no work {which!r} here; waiting: {self.waiting}, running: {self.running}")
        return found

    async def received(self, which: str | int) -> Work:
        """Wait until a piece of work is here.

        Args:
            which: a name or an id.
        """
        found = self._find(which)
        if found is not None:
            return found
        future: asyncio.Future[Work] = asyncio.get_running_loop().create_future()
        self._awaited.append((which, future))
        return await future

    # -- what the test decides ----------------------------------------------------------------------------

    def begin(self, which: str | int) -> Work:
        """Begin a piece of work.

        Args:
            which: a name or an id.
        """
        work = self.work(which)
        if self._waiting.pop(work.id, None) is None:
            raise ValueError(f"{work.name!r} (#{work.id}) has begun already")
        self._running[work.id] = work
        if self._reports_starts:
            self.tell(STARTED, work.id)
        return work

    def succeed(self, which: str | int, value: object = None) -> None:
        """Let a piece of work return, whether it has begun or not.

        Args:
            which: a name or an id.
            value: what it returns.
        """
        self.tell(SUCCEEDED, self._end(which), value)

    def fail(self, which: str | int, error: BaseException) -> None:
        """Let a piece of work raise.

        Args:
            which: a name or an id.
            error: what it raises.
        """
        self.tell(FAILED, self._end(which), error)

    def stop(self, which: str | int) -> None:
        """Let a piece of work stop because it was cancelled.

        Args:
            which: a name or an id.
        """
        self.tell(CANCELLED, self._end(which))

    def give_back(self, which: str | int) -> None:
        """Return a piece of work that has not begun; the engine may submit it again.

        Args:
            which: a name or an id.
        """
        work = self.work(which)
        if work.id in self._running:
            raise ValueError(f"{work.name!r} (#{work.id}) has begun; only what has not can be given back")
        self.tell(RETURNED, self._end(work.id))

    @runs_work
    def run(self, which: str | int) -> None:
        """Call a piece of work's function, here and now, and report how that ended.

        Args:
            which: a name or an id; not of an ``async def``.
        """
        work = self.work(which)
        if work.id in self._waiting:
            self.begin(work.id)
        succeeded, payload = run_attempt(work.fn, work.is_coroutine, work.args, work.kwargs, work.context)
        if succeeded:
            self.succeed(work.id, payload)
        else:
            self.fail(work.id, payload)

    def tell(self, kind: int, task_id: int, payload: object = None) -> None:
        """Report anything at all, true or not; from any thread.

        Args:
            kind: `STARTED`, `SUCCEEDED`, ...
            task_id: of work that need not be here.
            payload: as the kind has it.
        """
        if self._held is not None:
            self._held.append((kind, task_id, payload))
        elif self._report is not None:
            self._report([(kind, task_id, payload)])

    @contextmanager
    def together(self) -> Iterator[None]:
        """Report all that happens inside at the same moment, when the block ends."""
        self._held = []
        try:
            yield
        finally:
            events, self._held = self._held, None
            if events and self._report is not None:
                self._report(events)

    # -- inside -------------------------------------------------------------------------------------------

    def _find(self, which: str | int) -> Work | None:
        everything = {**self._running, **self._waiting}
        if isinstance(which, int):
            return everything.get(which)
        return next((everything[each] for each in sorted(everything) if everything[each].name == which), None)

    def _end(self, which: str | int) -> int:
        work = self.work(which)
        self._waiting.pop(work.id, None)
        self._running.pop(work.id, None)
        return work.id

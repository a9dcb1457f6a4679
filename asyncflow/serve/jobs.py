"""A job of a service, as whoever submitted it sees it."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._causes import spelled
from .._core.submissions import CANCELLED, OVER, JobState, Submission
from .._runtime.future import TaskFuture
from .._runtime.unread import Unawaited
from .._show.outlined import Cell
from .stuck import job_around, look

if TYPE_CHECKING:
    from .._show.outline import Outline
    from .service import Call, Service

R = TypeVar("R")


class Job(Unawaited, Cell, Generic[R]):
    """One job of a service. It belongs to the service: whoever stops waiting for it stops nothing."""

    def __init__(
        self,
        service: Service[R],
        submission: Submission[Call],
        is_named: bool,
    ) -> None:
        self._service = service
        self._submission = submission
        self._is_named = is_named
        self._future: TaskFuture[R] | None = None  # once it runs
        self._value: R | None = None
        self._error: BaseException | None = None
        self._traceback: TracebackType | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._awaits: dict[
            asyncio.Future[None], Job[Any]
        ] = {}  # what code inside of it waits with, and for which

    @property
    def id(self) -> str:
        """What it is asked for by."""
        return self._submission.id

    @property
    def state(self) -> JobState:
        """ "QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED" or "CANCELLED"."""
        return self._submission.state

    @property
    def seconds(self) -> float | None:
        """How long it runs until now, or has run; None if it has not begun."""
        began, ended = self._submission.began, self._submission.ended
        if began is None:
            return None
        return (self._service._now() if ended is None else ended) - began

    @property
    def value(self) -> R | None:
        """What it gave; None until then."""
        return self._value

    @property
    def error(self) -> BaseException | None:
        """What it has failed with, or that it was cancelled; None else."""
        return self._error

    async def result(self) -> R:
        """Wait for its end, and give its value. Any number may wait, as often as they like, as long as it is kept.

        Raises:
            Exception: what the job has failed with.
            JobCancelled: it was cancelled, or the event loop was closed before its end.
            Deadlock: this is inside of a job for which it waits, perhaps to have its turn.
            WrongLoop: it is not over, and this is not the engine's event loop.
        """
        await self.ended()
        if self._error is not None:
            raise self._error.with_traceback(self._traceback)
        return self._value  # type: ignore[return-value]

    async def ended(self) -> None:
        """Wait for its end, whatever that is.

        Raises:
            Deadlock: this is inside of a job for which it waits, perhaps to have its turn.
            WrongLoop: it is not over, and this is not the engine's event loop.
        """
        if self.state in OVER:
            return
        self._service._check_loop(f"result() of {self!r}")
        if self.state in OVER:  # since its event loop was closed
            return
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._waiters.add(waiter)
        around = job_around()
        if around is not None:
            around._awaits[waiter] = self
            loop.call_soon(look, around, self, waiter)  # who waits for that is known then
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)
            if around is not None:
                del around._awaits[waiter]

    async def cancel(self) -> bool:
        """Cancel it, and wait until its work has stopped.

        Returns:
            False if it was over already.

        Raises:
            WrongLoop: it is not over, and this is not the engine's event loop.
        """
        if self.state in OVER:
            return False
        self._service._check_loop(f"cancel() of {self!r}")
        if self.state in OVER:
            return False
        await self._service._cancel(self)
        return self.state == CANCELLED

    def _is_over(self, value: R | None, error: BaseException | None) -> None:
        self._value, self._error = value, error
        self._traceback = None if error is None else error.__traceback__
        self._future = None
        if not self._is_named:  # nobody comes with its id again, and they may be large
            self._submission.arguments = (), {}
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _awaited(self) -> TypeError:
        return TypeError(
            f"{self!r} is a job here, and not yet its value: submit() gives it at once.\n"
            "  Await its result:  await job.result()"
        )

    def _passed(self, task: str) -> tuple[str, str]:
        return f"{self!r}, a job", f"Pass its value:  {task}(await job.result())"

    def _outline(self) -> Outline:
        from .outline import of_job

        return of_job(self)

    def __repr__(self) -> str:
        return spelled(f"<Job {self._service.name} {self.id!r} {self.state}>")

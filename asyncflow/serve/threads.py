"""A service and its jobs as other threads use them: all they ask for is done on the engine's event loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from .._core.submissions import JobState
from ..errors import WrongLoop
from .jobs import Job

if TYPE_CHECKING:
    from .service import Service

R = TypeVar("R")
S = TypeVar("S")


class ThreadsafeService(Generic[R]):
    """A service as other threads use it."""

    def __init__(self, service: Service[R]) -> None:
        self._service = service

    def submit(self, /, *args: object, id: str | None = None, **kwargs: object) -> ThreadsafeJob[R]:
        """As `Service.submit`, from a thread that is not the event loop's."""

        async def submit() -> Job[R]:
            return self._service.submit(*args, id=id, **kwargs)

        return ThreadsafeJob(self._on_loop(submit()).result(), self)

    def job(self, id: str) -> ThreadsafeJob[R]:
        """As `Service.job`."""

        async def job() -> Job[R]:
            return self._service.job(id)

        return ThreadsafeJob(self._on_loop(job()).result(), self)

    def _on_loop(self, called: Coroutine[Any, Any, S]) -> concurrent.futures.Future[S]:
        run = self._service._task._engine._run
        if run is None or run.loop.is_closed() or run.thread == threading.get_ident():
            called.close()
            if run is None:
                where = "its engine does not run"
            elif run.loop.is_closed():
                where = "its engine's event loop is closed"
            else:
                where = "this is the thread of its engine's event loop"
            raise WrongLoop(f"service {self._service.name!r} cannot be asked from here: {where}")
        return asyncio.run_coroutine_threadsafe(called, run.loop)


class ThreadsafeJob(Generic[R]):
    """A job as other threads see it."""

    def __init__(self, job: Job[R], service: ThreadsafeService[R]) -> None:
        self._job = job
        self._service = service

    @property
    def id(self) -> str:
        """What it is asked for by."""
        return self._job.id

    @property
    def state(self) -> JobState:
        """As `Job.state`."""
        return self._job.state

    def result(self, timeout: float | None = None) -> R:
        """Wait for its end, and give its value.

        Args:
            timeout: seconds; None for as long as it takes.

        Raises:
            TimeoutError: it was not over in time; it goes on.
            Exception: what the job has failed with.
        """
        waiting = self._service._on_loop(self._job.result())
        try:
            return waiting.result(timeout)
        except concurrent.futures.TimeoutError:
            if not waiting.done():
                waiting.cancel()
            raise

    def cancel(self) -> bool:
        """As `Job.cancel`."""
        return self._service._on_loop(self._job.cancel()).result()

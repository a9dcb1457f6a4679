"""The jobs of a service: which may be submitted, which is the same as another, which begins next, how long each is
kept.

Pure: nothing here reads a clock. Times are seconds on any clock that does not go back, given by the caller.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, Literal, TypeAlias, TypeVar

from .remembered import Remembered

JobState: TypeAlias = Literal["QUEUED", "RUNNING", "CANCELLING", "SUCCEEDED", "FAILED", "CANCELLED"]
QUEUED: Final = "QUEUED"
RUNNING: Final = "RUNNING"
CANCELLING: Final = "CANCELLING"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
CANCELLED: Final = "CANCELLED"
OVER: Final = frozenset({SUCCEEDED, FAILED, CANCELLED})

_WEIGHT: Final = 0.2  # of the newest measurement
_GUESS: Final = 1.0  # seconds that a job takes, until one was measured

A = TypeVar("A")


class Full(Exception):
    """As many jobs run and wait as may. ``args[0]``: seconds after which one may be over."""


class Closed(Exception):
    """No more jobs are taken."""


class Conflict(Exception):
    """There is a job of that id with other arguments."""


class Submission(Generic[A]):
    """One job, as it was submitted.

    Args:
        id: of the job.
        arguments: that it was submitted with.
    """

    __slots__ = ("arguments", "began", "ended", "id", "keep_until", "state")

    def __init__(self, id: str, arguments: A) -> None:
        self.id = id
        self.arguments = arguments
        self.state: JobState = QUEUED
        self.began: float | None = None
        self.ended: float | None = None
        self.keep_until = 0.0


class Submissions(Generic[A]):
    """All jobs of one service that are not forgotten.

    Args:
        concurrency: how many may run at once.
        queue: how many more may wait.
        keep: seconds that a job is kept when it is over.
        keep_most: how many that are over are kept, the latest.
        same: whether two jobs' arguments are the same.
    """

    def __init__(
        self,
        concurrency: int,
        queue: int,
        keep: float,
        keep_most: int,
        same: Callable[[A, A], bool],
    ) -> None:
        self._concurrency = concurrency
        self._queue = queue
        self._keep = keep
        self._keep_most = keep_most
        self._same = same
        self._known: dict[str, Submission[A]] = {}
        self._waiting: dict[str, Submission[A]] = {}
        self._running: dict[str, Submission[A]] = {}
        self._over: OrderedDict[str, Submission[A]] = OrderedDict()
        self._gone = Remembered()
        self._seconds: float | None = None  # that a job takes
        self.is_closed = False
        self.forgotten: list[str] = []
        """Ids of jobs that are not kept any more; whoever has looked at them empties it."""

    @property
    def running(self) -> int:
        """How many jobs run, those that are about to stop included."""
        return len(self._running)

    @property
    def begun(self) -> list[str]:
        """Ids of the jobs that run, those that are about to stop included."""
        return list(self._running)

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return len(self._waiting)

    @property
    def kept(self) -> int:
        """How many jobs are over and kept."""
        return len(self._over)

    def was_there(self, id: str) -> bool | None:
        """Whether there was a job of that id, which is not kept any more; None if that is not known any more."""
        return True if id in self._gone else None if self._gone.has_forgotten else False

    # -- coming -------------------------------------------------------------------------------------------

    def submit(self, id: str, arguments: A) -> Submission[A]:
        """Take a job; one that is known by its id and has the same arguments is that one, whatever its state.

        Raises:
            Conflict: the id is that of a job with other arguments.
            Closed: no more jobs are taken.
            Full: as many run and wait as may.
        """
        known = self._known.get(id)
        if known is not None:
            if known.arguments is arguments or self._same(known.arguments, arguments):
                return known
            raise Conflict
        if self.is_closed:
            raise Closed
        if len(self._waiting) >= self._queue and len(self._running) + len(self._waiting) >= (
            self._concurrency + self._queue
        ):
            raise Full(self.retry_after())
        made = self._known[id] = self._waiting[id] = Submission(id, arguments)
        return made

    def begin(self, now: float) -> list[Submission[A]]:
        """The jobs that begin now."""
        begun: list[Submission[A]] = []
        while self._waiting and len(self._running) < self._concurrency:
            id = next(iter(self._waiting))
            job = self._running[id] = self._waiting.pop(id)
            job.state, job.began = RUNNING, now
            begun.append(job)
        return begun

    def retry_after(self) -> float:
        """Seconds after which one of those that run may be over."""
        seconds = _GUESS if self._seconds is None else self._seconds
        return seconds / self._concurrency

    # -- going --------------------------------------------------------------------------------------------

    def end(self, job: Submission[A], state: JobState, now: float) -> None:
        """A job is over."""
        if self._running.pop(job.id, None) is not None and job.began is not None:
            took = now - job.began
            known = took if self._seconds is None else self._seconds
            self._seconds = known + (took - known) * _WEIGHT
        job.state, job.ended = state, now
        job.keep_until = now + self._keep
        self._over[job.id] = job
        while len(self._over) > self._keep_most:
            self._forget(next(iter(self._over)))

    def cancel(self, job: Submission[A], now: float) -> bool:
        """Cancel a job. Returns whether its work has to be stopped; else it is over."""
        if job.state == QUEUED:
            del self._waiting[job.id]
            self.end(job, CANCELLED, now)
            return False
        if job.state == RUNNING:
            job.state = CANCELLING
        return job.state == CANCELLING

    def close(self, now: float) -> list[Submission[A]]:
        """Take no more jobs; those that wait are cancelled. Returns these."""
        self.is_closed = True
        left = list(self._waiting.values())
        for job in left:
            self.cancel(job, now)
        return left

    def abandon(self, now: float) -> list[Submission[A]]:
        """Nothing that runs or waits will come to an end any more: all of that is cancelled. Returns these."""
        left = [*self._waiting.values(), *self._running.values()]
        self._waiting.clear()
        for job in left:
            self.end(job, CANCELLED, now)
        return left

    def expire(self, now: float) -> None:
        """Forget the jobs that were kept for long enough."""
        while self._over:
            id, job = next(iter(self._over.items()))
            if job.keep_until > now:
                break
            self._forget(id)

    def next_expiry(self) -> float | None:
        """When there is something to `expire`; None if there is nothing to wait for."""
        return next(iter(self._over.values())).keep_until if self._over else None

    def _forget(self, id: str) -> None:
        del self._over[id], self._known[id]
        self._gone.add(id)
        self.forgotten.append(id)

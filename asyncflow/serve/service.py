"""A service: takes jobs, runs so many at a time, keeps what became of them. `_core/submissions` decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context, copy_context
from datetime import timedelta
from functools import partial
from secrets import token_hex
from time import monotonic
from types import CodeType
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    NamedTuple,
    NoReturn,
    ParamSpec,
    TypeAlias,
    TypeVar,
    get_args,
)

from .._causes import spelled
from .._core import submissions as core
from .._core.alike import alike
from .._core.given import duration, whole
from .._core.submissions import CANCELLED, FAILED, OVER, SUCCEEDED, JobState, Submissions
from .._engine.function_task import FunctionTask
from .._runtime.future import TaskFuture
from .._show.outlined import Cell
from .._tracebacks import trim
from ..errors import (
    ForeignFuture,
    IdConflict,
    JobCancelled,
    ServiceClosed,
    ServiceFull,
    UnknownJob,
    WrongLoop,
)
from .jobs import Job
from .stuck import JOBS, job_around
from .threads import ThreadsafeService

if TYPE_CHECKING:
    from .._runtime.home import Home
    from .._show.outline import Outline
    from .http.app import Application

P = ParamSpec("P")
R = TypeVar("R")
_LISTED: Final = 50
Call: TypeAlias = tuple[tuple[object, ...], Mapping[str, object]]


class JobCounts(NamedTuple):
    """How many jobs a service has.

    Args:
        running: those that run, the ones that are about to stop included.
        waiting: those that wait for their turn.
        kept: those that are over and kept.
    """

    running: int
    waiting: int
    kept: int


class Service(Cell, Generic[R]):
    """Takes jobs for one task or block, made by ``engine.serve``. To be used on the engine's event loop; other threads
    use `threadsafe`.
    """

    def __init__(
        self,
        task: FunctionTask[..., Any, R],
        run_of: Callable[[str], Home],
        *,
        concurrency: int,
        queue: int,
        keep: float,
        keep_most: int,
        grace: float,
        site: tuple[CodeType, int],
    ) -> None:
        self._task = task
        self._run_of = run_of
        self._site = site
        self._grace = grace
        self._bounds = concurrency, queue, keep, keep_most
        self._jobs: dict[str, Job[R]] = {}
        self._submissions: Submissions[Call] = Submissions(*self._bounds, self._is_same)
        self._loop: asyncio.AbstractEventLoop | None = None  # that its jobs are on
        self._expiry: asyncio.TimerHandle | None = None
        self._quiet: list[asyncio.Future[None]] = []  # of those who wait until nothing runs
        self._enter: Callable[..., TaskFuture[R]] | None = None  # what calls inside of a rehearsal

    @property
    def name(self) -> str:
        """The task's name."""
        return self._task._definition.name

    @property
    def is_closed(self) -> bool:
        """Whether it takes no more jobs."""
        return self._submissions.is_closed

    @property
    def counts(self) -> JobCounts:
        """How many jobs there are of each kind, now."""
        known = self._submissions
        return JobCounts(known.running, known.waiting, known.kept)

    @property
    def threadsafe(self) -> ThreadsafeService[R]:
        """The same for threads other than that of the engine's event loop."""
        return ThreadsafeService(self)

    # -- jobs ---------------------------------------------------------------------------------------------

    def submit(self, /, *args: object, id: str | None = None, **kwargs: object) -> Job[R]:
        """Submit a job. It runs on, whatever becomes of who has submitted it.

        Args:
            args: of the task.
            id: what the job is known by. A second submission with the same id and the same arguments is the same job.
                If none is given, one is made up.
            kwargs: of the task; one that is called ``id`` has to be given by position.

        Raises:
            ServiceFull: as many jobs run and wait as may.
            ServiceClosed: the service was drained, or its engine was shut down.
            IdConflict: there is a job of that id with other arguments.
            TypeError: the arguments do not fit the task, or the id is no text.
            WrongLoop: this is not the engine's event loop.
        """
        if id is not None and not isinstance(id, str):
            raise TypeError(f"submit(id={id!r}): text is needed")
        try:
            return self._here()._submitted(args, kwargs, id)
        except BaseException as error:
            trim(error)
            raise

    def _submitted(self, args: tuple[object, ...], kwargs: Mapping[str, object], id: str | None) -> Job[R]:
        if not self._submissions.is_closed:
            self._moved(self._run_of(self.name).loop)  # which refuses other threads
        self._task._parameters.fitted((*self._task._leading, *args), kwargs)
        self._expire()
        try:
            submission = self._submissions.submit(token_hex(8) if id is None else id, (args, kwargs))
        except core.Full as full:
            counts = self._submissions.running, self._submissions.waiting
            raise ServiceFull(self.name, *counts, full.args[0]) from None
        except core.Closed:
            raise ServiceClosed(self.name) from None
        except core.Conflict:
            raise IdConflict(self.name, id or "") from None
        job = self._jobs.get(submission.id)
        if job is None:
            job = self._jobs[submission.id] = Job(self, submission, id is not None)
            self._begin()
        return job

    def _submit_named(self, arguments: Mapping[str, object], id: str | None) -> Job[R]:
        """As `submit`, of arguments that are all given by name: one of them may be called ``id``."""
        signature = self._task._parameters.signature
        kwargs, args, left_out = dict(arguments), list[object](), list[object]()
        for each in () if signature is None else [*signature.parameters.values()][len(self._task._leading) :]:
            if each.kind is not each.POSITIONAL_ONLY:
                break
            if each.name in kwargs:  # and so those before it have to be given, too
                args += [*left_out, kwargs.pop(each.name)]
                left_out.clear()
            elif each.default is each.empty:
                break
            else:
                left_out.append(each.default)
        return self._submitted(tuple(args), kwargs, id)

    def _is_same(self, one: Call, other: Call) -> bool:
        """Whether two submissions have the same arguments, whichever of them are given by name or by default."""
        try:
            return alike(one, other) or alike(self._bound(*one), self._bound(*other))
        except Exception:  # arrays, say, which compare item by item
            return False

    def _bound(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Mapping[str, object]:
        signature = self._task._parameters.signature
        if signature is None:
            return {"args": args, **kwargs}
        bound = signature.bind(*self._task._leading, *args, **kwargs)
        bound.apply_defaults()
        return dict(bound.arguments)

    def job(self, id: str) -> Job[R]:
        """The job of an id.

        Raises:
            UnknownJob: there is none; tells whether there was one.
            WrongLoop: the engine's event loop runs, and this is another thread.
        """
        here = self._here()
        here._expire(f"job() of service {self.name!r}")
        try:
            return here._jobs[id]
        except KeyError:
            raise UnknownJob(self.name, id, here._submissions.was_there(id)) from None

    def jobs(self, *, state: JobState | None = None, limit: int = _LISTED) -> list[Job[R]]:
        """The jobs that were submitted last, the latest first.

        Args:
            state: of the jobs that are wanted; None for any.
            limit: how many at most.

        Raises:
            ValueError: there is no such state, or the limit is below 0.
            TypeError: the limit is no whole number.
            WrongLoop: the engine's event loop runs, and this is another thread.
        """
        if state is not None and state not in get_args(JobState):
            raise ValueError(f"jobs(state={state!r}): one of {', '.join(get_args(JobState))} is needed")
        most = whole("limit", limit, 0)
        here = self._here()
        here._expire(f"jobs() of service {self.name!r}")
        found: list[Job[R]] = []
        for job in reversed(here._jobs.values()):
            if len(found) >= most:
                break
            if state is None or job.state == state:
                found.append(job)
        return found

    def _begin(self) -> None:
        """Begin what may begin now."""
        for submission in self._submissions.begin(self._now()):
            job = self._jobs[submission.id]
            args, kwargs = submission.arguments
            try:
                # In no context of whoever submits: the job is no member of a block, and no workflow's.
                enter = Context().run if self._enter is None else self._enter
                future: TaskFuture[R] = enter(self._task, *args, **kwargs)
            except Exception as error:
                # On the next turn: what begins then may fail as soon, and so on through all that wait.
                asyncio.get_running_loop().call_soon(self._end, job, FAILED, None, error)
                continue
            future._run.moved(future, *self._site)
            if job._is_named:
                future._run.labelled(future, job.id)
            else:  # reports need no id that nobody has thought of
                future.own_label = job.id
            job._future = future
            JOBS[future] = job
            future.add_done_callback(partial(self._was_done, job))

    def _was_done(self, job: Job[R], future: TaskFuture[R]) -> None:
        if job.state in OVER or (future.cancelled() and job.state == core.CANCELLING):
            return  # `_stop` waits until its work has stopped
        if future.cancelled():
            self._end(job, CANCELLED, None, JobCancelled(self.name, job.id))
            return
        try:
            error = future.exception()
        except ForeignFuture as over:  # the rehearsal that has called it, and has not waited
            error = over
        if error is not None:
            self._end(job, FAILED, None, error)
        else:
            self._end(job, SUCCEEDED, future.result(), None)

    def _end(self, job: Job[R], state: JobState, value: R | None, error: BaseException | None) -> None:
        self._submissions.end(job._submission, state, self._now())
        job._is_over(value, error)
        self._forget()
        self._begin()
        if not self._submissions.running:
            for waiter in self._quiet:
                if not waiter.done():
                    waiter.set_result(None)
            self._quiet.clear()

    async def _cancel(self, job: Job[R]) -> None:
        if not self._submissions.cancel(job._submission, self._now()):
            job._is_over(None, JobCancelled(self.name, job.id))
            self._forget()
            return
        future = job._future  # None of one that could not be called: it fails on the next turn
        if future is not None and future.cancel():
            await asyncio.shield(asyncio.ensure_future(self._stop(job, future)))
        await job.ended()  # it may just have come to its end

    async def _stop(self, job: Job[R], future: TaskFuture[R]) -> None:
        """Wait until the work of a job that was cancelled has stopped."""
        await future._run.stopping.settled(future)
        if job.state not in OVER:
            self._end(job, CANCELLED, None, JobCancelled(self.name, job.id))

    def asgi(
        self, *, token: str | None, hosts: Iterable[str] | None = None, debug: bool = False
    ) -> Application:
        """An ASGI application that takes jobs for this service; `asyncflow.serve.http.asgi` makes one for several.

        Args:
            token: the secret that each request carries as ``Authorization: Bearer ...``; None for none.
            hosts: names that requests may be addressed to; None for those of this machine's own.
            debug: whether tracebacks are told.

        Raises:
            ImportError: the extra ``serve`` is not installed.
            ValueError: the token is too short.
        """
        from .http import asgi
        from .http.hosts import LOOPBACK

        return asgi(self, token=token, hosts=LOOPBACK if hosts is None else hosts, debug=debug)

    # -- its end ------------------------------------------------------------------------------------------

    async def drain(self, timeout: float | timedelta | None = None) -> None:
        """Take no more jobs, cancel those that wait for their turn, and let those that run end.

        Args:
            timeout: seconds or `timedelta` after which those that still run are cancelled; None for none. Work that
                cannot be stopped, as that of a thread, is waited for as long as the engine's ``grace``; its jobs are
                "CANCELLING" then.

        Raises:
            TypeError: the timeout is no duration.
            ValueError: it is below 0.
            RuntimeError: this is inside of a job of the service, for which it would wait without end.
            WrongLoop: this is not the engine's event loop.
        """
        seconds = None if timeout is None else duration("timeout", timeout)
        here = self._here()
        here._check_loop(f"drain() of service {self.name!r}")
        around = job_around()
        if seconds is None and around is not None and around._service is here:
            raise RuntimeError(
                f"drain() inside job {around.id!r} of service {self.name!r} would wait for itself; give it a timeout="
            )
        await here._drained(seconds)

    async def _drained(self, seconds: float | None) -> None:
        self._close()
        try:
            async with asyncio.timeout(seconds):
                await self._until_quiet()
        except TimeoutError:
            running = [job for job in self._jobs.values() if job.state not in OVER]
            stops = [asyncio.ensure_future(job.cancel()) for job in running]
            if stops:
                _, left = await asyncio.wait(stops, timeout=self._grace)
                for stop in left:
                    stop.cancel()  # no longer waited for; its work is told to stop

    def _running(self) -> list[Job[R]]:
        return [self._jobs[id] for id in self._submissions.begun]

    def _close(self) -> None:
        for submission in self._submissions.close(self._now()):
            job = self._jobs[submission.id]
            job._is_over(None, JobCancelled(self.name, job.id))
        self._forget()

    async def _until_quiet(self) -> None:
        while self._submissions.running:
            waiter = asyncio.get_running_loop().create_future()
            self._quiet.append(waiter)
            await waiter

    # -- where it is ---------------------------------------------------------------------------------------

    def _here(self) -> Service[R]:
        """This, or inside of a rehearsal one like it, whose jobs are rehearsed, and are no jobs to anybody else."""
        rehearsal = self._task._engine._rehearsal()
        if rehearsal is None:
            return self
        here: Service[R] | None = rehearsal.twins.get(self)
        if here is None:
            concurrency, queue, keep, most = self._bounds
            here = rehearsal.twins[self] = Service(
                self._task,
                self._run_of,
                concurrency=concurrency,
                queue=queue,
                keep=keep,
                keep_most=most,
                grace=self._grace,
                site=self._site,
            )
            here._enter = copy_context().run
        return here

    def _moved(self, loop: asyncio.AbstractEventLoop) -> None:
        """Go on where the engine runs now. Jobs of an event loop that is closed came to no end, and never will."""
        if self._loop is not loop:
            self._abandon()
            self._loop = loop

    def _abandon(self) -> None:
        if self._loop is None:
            return
        self._loop, self._expiry = None, None
        for submission in self._submissions.abandon(self._now()):
            job = self._jobs[submission.id]
            job._waiters.clear()  # which were tasks of that loop
            job._is_over(None, JobCancelled(self.name, job.id))
        self._quiet.clear()
        self._forget()

    def _check_loop(self, what: str) -> None:
        """Refuse to wait where nobody would be woken.

        Raises:
            WrongLoop: this is not the engine's event loop, which tells what was asked for here.
        """
        if self._loop is not None and self._loop.is_closed():
            self._abandon()
        if self._loop is not None and self._loop is not _running_loop():
            raise WrongLoop(
                f"{what} was called on another event loop than the engine's.\n"
                "  Other threads use the service's threadsafe."
            )

    # -- what is kept -------------------------------------------------------------------------------------

    def _expire(self, what: str = "") -> None:
        """Let go of what was kept for long enough. ``what`` asks for it, which may be on another thread."""
        if what and self._loop is not None and (self._loop.is_closed() or self._loop.is_running()):
            self._check_loop(what)
        self._submissions.expire(self._now())
        self._forget()

    def _forget(self) -> None:
        """Let go of jobs that are not kept any more, and have those looked at in time that are."""
        forgotten = self._submissions.forgotten
        while forgotten:
            self._jobs.pop(forgotten.pop(), None)
        due = self._submissions.next_expiry()
        # A rehearsal is over long before anything is, and no timer is to hold it.
        if due is not None and self._expiry is None and self._loop is not None and self._enter is None:
            self._expiry = self._loop.call_at(due, self._timer)

    def _timer(self) -> None:
        self._expiry = None
        self._expire()

    def _now(self) -> float:
        return monotonic() if self._loop is None else self._loop.time()

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"service {self.name!r} takes jobs in the process where it was made")

    def _outline(self) -> Outline:
        from .outline import of_service

        return of_service(self)

    def _in_words(self) -> str:
        known, state = self._submissions, ", closed" if self._submissions.is_closed else ""
        return f"{known.running:,} jobs run, {known.waiting:,} wait, {known.kept:,} are over{state}"

    def __repr__(self) -> str:
        return spelled(f"<Service {self.name}: {self._in_words()}>")


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None

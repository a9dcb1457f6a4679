"""One run of an engine, from its start to its shutdown, on one event loop: carries out what the core decides.

All of it happens on the loop's thread. Calls and reports are told to the scheduler as they come; what follows
from a whole burst of them is carried out once, in `flush`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from contextvars import Context, copy_context
from functools import partial
from threading import get_ident
from time import perf_counter, time
from types import CodeType
from typing import Any, ClassVar, Final

from .._causes import brief
from .._core import arguments
from .._core.scheduler import MOST, Scheduler, end_of
from .._core.states import CANCELLING, HANDED, NOW, PENDING, READY, RUNNING, SUBMITTED
from .._core.states import SUCCEEDED as OVER
from .._core.task import CallSite, Definition, Lane, Task
from .._files.copying import Unwanted
from .._files.facts import Facts
from .._files.sandboxes import Sandboxes
from .._files.stager import Stager
from .._record.audience import Audience
from .._record.journal import Journal
from .._record.record import Record
from .._worker.forks import held_here, own_ears
from ..backend import CANCELLED, FAILED, LOADING, RAN, STARTED, SUCCEEDED, Event, ExecutionBackend
from ..errors import (
    ImpossibleTransition,
    TaskTimeout,
    UpstreamFailed,
    WrongLoop,
)
from . import inputs
from .commands import Commands
from .coroutines import LOOP, Coroutines
from .failure import NO_VALUES, as_failure, first_of, unfit
from .foreign import Foreign
from .future import TaskFuture, end_without_value
from .inbox import Inbox
from .mending import go_on
from .places import Places
from .scope import SCOPE, Scope
from .teller import Teller
from .timed import Timed
from .timeouts import Timeouts
from .touched import hidden_future
from .unseen import Unseen
from .wiring import Wiring

_log = logging.getLogger("asyncflow")
_ANY: Final = 1 << 62
_ROOTS: Final = 100  # of a task that did not run, that are told of
# Called for every task, as what they are: looked up in an instance they would cost twice as much.
_scope: Final = SCOPE.get
_set_result: Final = asyncio.Future.set_result
_set_exception: Final = asyncio.Future.set_exception
_cancel: Final = asyncio.Future.cancel


class Run:
    """One run.

    Args:
        backends: by the names that tasks use; the first is the default.
        max_coroutines: how many coroutine tasks may be under way on the loop at once; None for any number.
        executables: how many commands may run at once.
        sandboxes: where they run; None if they are to be stood in for.
        implicit_data: whether what they have made without declaring it is brought to those that depend on them.
        grace: seconds that a command which is told to end may take.
        report_limit: for how many tasks what happens is kept, one by one; 0 to keep nothing.
        audience: those who listen.
        journal: one of them; is closed at the end.
    """

    is_rehearsal: ClassVar[bool] = False
    is_dry: ClassVar[bool] = False  # nothing is run
    keeps_time: ClassVar[bool] = True  # a body that holds up the loop past its timeout fails
    slice_seconds: ClassVar[float] = 0.005  # that bodies may run before the rest of the loop gets its turn

    def __init__(
        self,
        backends: Mapping[str, ExecutionBackend],
        *,
        max_coroutines: int | None,
        executables: int,
        sandboxes: Sandboxes | None,
        implicit_data: bool,
        grace: float,
        report_limit: int = 0,
        audience: Audience | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.backends = backends  # not a copy: it tells the runs of one engine from those of others
        self.thread = get_ident()
        self.scheduler = Scheduler()
        self.record = Record(report_limit, perf_counter()) if report_limit else None
        self.inbox = Inbox(self.loop, self.handle, self._under_way)
        self.coroutines = Coroutines(
            self.loop,
            self.handle,
            self.succeeded,
            self.flush,
            self.record,
            self.slice_seconds,
            self.keeps_time,
            self.cut_short,
        )
        self.unseen = Unseen(self.loop)
        self.open = False  # the backends take work
        self.closed: str | None = None  # why no call is taken any more
        self.dropped = 0  # reports about unknown or finished tasks
        self.left_behind: set[int] = set()  # of which nobody knows when they stop
        timed = Timed(self.inbox.report)
        self.foreign = Foreign(timed)
        self.sandboxes = sandboxes
        self.commands = Commands(timed, sandboxes, grace) if sandboxes is not None else None
        self.places = Places(
            backends, self.coroutines, self.foreign, self.commands, max_coroutines, executables
        )
        self.wiring = Wiring(self)
        self.teller = Teller(self, time(), audience or Audience(), journal) if report_limit else None
        self.stager = Stager(sandboxes, implicit_data, self, self.loop)
        self.last = 0  # number of the last call
        self.has_texts = False  # somebody has made text of a future
        self.last_site: CallSite | None = None  # of the last call; None when the loop has had its turn since
        # The scope of that call, and a context with nothing else in it. No site holds them: they hold a block.
        self._last_scope: Scope | None = None
        self._snapshot: Context | None = None
        self._moved: tuple[CallSite, CallSite] | None = None  # a site, and what it was for somebody's line
        self._context = Context()
        self._flush_due = False
        self._timeouts = Timeouts(self.loop, self._expired)
        self._messages: dict[int, Any] = {}  # what cancel() was called with, until it is carried out
        self._settling: dict[int, asyncio.Future[None]] = {}
        self.stopping: set[asyncio.Task[None]] = set()
        self._all_over: asyncio.Future[None] | None = None
        self.is_ours = True
        """False in a child that the program has forked: the run goes on elsewhere."""
        held_here(self)

    def let_go(self) -> None:
        """In a forked child nothing more is begun, ended or removed."""
        self.is_ours = self.open = False
        self.close("this process was forked from the engine's, where the run goes on")
        self.coroutines.let_go()
        self.stager.stop()
        own_ears(self.loop)

    # -- calls --------------------------------------------------------------------------------------------

    def call(
        self,
        definition: Definition,
        lane: Lane,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        code: CodeType | None,
        at: int,
        after: Sequence[Any] = (),
    ) -> TaskFuture[Any]:
        """Take a call that fits the function's signature.

        Args:
            definition: what was called.
            lane: as `lane_for` told.
            args: positional arguments, futures anywhere among them.
            kwargs: keyword arguments.
            code: that makes the call.
            at: the instruction of the call in it.
            after: futures to wait for and not to be passed.
        """
        scope = _scope()
        owner: Any = scope.block
        if owner is not None:
            owner = self.owner(owner)
            if owner is None and (rehearsal := self.rehearsal_around(scope.block)) is not None:
                return rehearsal.call(definition, lane, args, kwargs, code, at, after)
        snapshot = copy_context()
        number = self.last = self.last + 1
        site = self.last_site
        if (
            site is None
            or definition is not site.definition
            or at != site.at
            or scope is not self._last_scope
            or code is not site.code
        ):
            if scope is not self._last_scope:
                self._last_scope, self._snapshot = scope, None
            workflow = scope.workflow_of(self.engine) if scope.workflows else None
            site = self._turn(number, CallSite(definition, lane, self, workflow, code, at), owner)
        if len(snapshot) == scope.variables:  # nobody has set others: one does for all calls of a burst
            if self._snapshot is None:
                self._snapshot = snapshot
            snapshot = self._snapshot
        # Not TaskFuture[Any](...): an instance made through a generic alias gets a __dict__, and a burst twice as slow.
        task: TaskFuture[Any] = TaskFuture(loop=self.loop)
        # As `Task.set_up`, written out: each call comes by here, and handing all of this on costs as much again.
        task.id = number
        task.site = site
        task.args = args
        task.kwargs = kwargs
        task.snapshot = snapshot
        task.owner = owner
        task.story = PENDING
        task.attempt = task.waiting = 0
        task.dependents = task.link = task.holes = task.extra = None
        dependencies = self.wiring.of_call(task, args, kwargs, after) if args or kwargs or after else ()
        if definition.command is not None or (task.extra is not None and task.facts is not None):  # type: ignore[unreachable]
            self._with_files(task, dependencies)
        self.scheduler.called(task, dependencies)
        if dependencies and self.record is not None:
            self.record.edges[number] = dependencies
            if after:
                self.record.ordered(task)
        if not self._flush_due:
            self._flush_soon()
        return task

    def _turn(self, number: int, site: CallSite, owner: Task | None) -> CallSite:
        """A call is made elsewhere than the one before, or is the first of a burst."""
        self.last_site = site
        if self.record is not None:
            self.record.turn(number, site, owner, perf_counter())
        return site

    def moved(self, task: Task, code: CodeType, at: int) -> None:
        """The last call was made on somebody's behalf, and is of that line."""
        before, after = self._moved or (None, None)
        if after is None or before is not task.site or code is not after.code or at != after.at:
            before, after = self._moved = task.site, task.site.changed(code=code, at=at)
        task.site = after
        if self.record is not None:
            self.record.moved(task)

    def close(self, why: str) -> None:
        """Take no call any more."""
        self.closed = why
        self.last_site = None

    def _with_files(self, task: Task, dependencies: Sequence[Task]) -> None:
        try:
            has_to_wait = self.stager.called(task, dependencies, self.places.stages(task.lane))
        except BaseException:
            self.wiring.call_off(task)
            raise
        task.definition = task.definition.staged
        if has_to_wait:
            task.lane = self.places.staging_for(task.lane)

    def lane_for(self, definition: Definition) -> Lane:
        """Where the calls of a function run."""
        if definition.timeout is not None:
            self.inbox.starts_matter = True
        return self.places.lane_for(definition)

    def owner(self, block: Task | None) -> Task | None:
        """The block that a call belongs to that is made inside of one."""
        if block is None or block.story & NOW >= OVER or self.scheduler.live.get(block.id) is not block:
            return None  # called by what a block left behind, or inside a block of another engine
        return block

    @property
    def engine(self) -> Any:
        """What all runs of one engine have in common, and its rehearsals."""
        return self.backends

    def rehearsal_around(self, block: Any) -> Run | None:
        """The rehearsal that a call inside of a block belongs to, if the block is none of this run's."""
        rehearsal: Run | None = block._run.rehearses(self.engine)
        return rehearsal

    def rehearses(self, engine: Any) -> Run | None:
        """The rehearsal that takes the calls of an engine which are made inside of this run; None if this is none."""
        return None

    def is_inside(self) -> bool:
        """Whether the code that asks is part of a body, or of an asyncio task that a block has begun."""
        return self.coroutines.is_inside() or self.owner(SCOPE.get().block) is not None

    # -- events -------------------------------------------------------------------------------------------

    def handle(self, events: deque[Event], most: int = _ANY) -> None:
        """Take reports, in order, and carry out what follows from them.

        Args:
            events: the reports; those that are taken are removed.
            most: how many to take at most.
        """
        live, record = self.scheduler.live, self.record
        many = min(len(events), most)  # not "while events": threads may add to them for ever
        now = perf_counter() if many else 0.0
        ran_ids, ran = ([], []) if record is None else (record.ran_ids, record.ran)
        task, kind = None, RAN  # while none is at hand
        for _ in range(many):
            try:
                kind, task_id, payload = events.popleft()
                if kind == RAN:
                    ran_ids.append(task_id)
                    ran.append(payload)
                    continue
                task = live.get(task_id)
                if task is None:
                    self.dropped += 1
                elif kind == SUCCEEDED:
                    self.succeeded(task, payload)
                elif kind == STARTED:
                    self._started(task, payload or (now, ""))
                elif kind == FAILED:
                    self._failed(task, payload)
                elif kind == CANCELLED:
                    self.scheduler.stopped(task, ran_ids[-1:] == [task_id])
                elif kind == LOADING:
                    if record is not None:
                        record.loading(task_id, payload)
                    continue
                else:
                    self._given_back(task)
                if (
                    record is not None
                    and kind >= FAILED
                    and task_id in record.running
                    and ran_ids[-1:] != [task_id]  # else it was told just before when it ran
                ):
                    record.stopped(task_id, now)
                kind = RAN
            except (
                ImpossibleTransition
            ):  # a backend that says a thing twice must not cost others their results
                self.dropped += 1
                _log.exception("a report about %r (#%d) was dropped", task and task.name, task_id)
            except BaseException:
                task = None if kind == RAN else live.get(task_id)
                has_begun = task is not None and kind == STARTED and task.story & NOW != SUBMITTED
                if task is not None and not task.done() and not has_begun:
                    events.appendleft((kind, task_id, payload))
                self.cut_short()
                raise
        if record is not None and many:
            record.taken(now)
        self.flush()

    def succeeded(self, task: Any, value: Any) -> None:
        """A body has ended with a value; what follows from it is carried out at the next `flush`."""
        if (
            not task.site.definition.ends_plainly
            or (value is not None and type(value) in NO_VALUES)
            or (task.story != HANDED and task.story & NOW == CANCELLING)
        ):
            self._ended_with(task, value)
            return
        _set_result(task, value)
        self.scheduler.succeeded(task)

    def _given_back(self, task: Task) -> None:
        if self.record is not None and task.story & NOW != CANCELLING:  # or that is its end
            self.record.returned(task.id, perf_counter())
        inputs.unlink(task)
        self.scheduler.given_back(task)

    def _started(self, task: Task, begun: tuple[float, str]) -> None:
        self.scheduler.started(task)
        if self.record is not None:
            self.record.begun(task.id, *begun)
        if task.definition.timeout is not None and task.story & NOW == RUNNING:  # else cancelled meanwhile
            on_loop = self.places.behind[task.lane] is self.coroutines
            self._timeouts.arm([task], perf_counter() - begun[0] if on_loop else 0.0)

    def _ended_with(self, task: Any, value: Any) -> None:
        """A body has ended and its value is not simply the future's."""
        if task.story & NOW == CANCELLING:
            self.scheduler.stopped(task, True)
        elif task.definition.is_block:
            self._block_returned(task, value)
        elif type(value) in NO_VALUES:
            self._failed(task, unfit(task, value))
        else:
            self._timeouts.disarm(task)
            if not isinstance(task.facts, Facts):
                _set_result(task, value)
                self.scheduler.succeeded(task)
                return
            if task.story & NOW == SUBMITTED:
                self.scheduler.started(task)
            self.stager.publish(task, value)

    def _failed(self, task: Task, error: BaseException) -> None:
        if task.story & NOW == CANCELLING:
            self.scheduler.stopped(task, True)
            return
        call = inputs.call_told(task)  # now, because the arguments go when it is over
        failure = as_failure(task, hidden_future(task, error), call)
        if isinstance(task.facts, Facts):
            self.stager.failed(task, failure)
        self.scheduler.failed(task, failure)
        if task.cause is not None:
            task.cause.call = call

    def _expired(self, task: Task) -> None:
        self.catch_up()  # its end may have been reported already
        if task.id not in self.scheduler.live or task.story & NOW == CANCELLING:
            return
        assert task.definition.timeout is not None
        stoppable = getattr(self.places.behind[task.lane], "can_kill", True)
        error = TaskTimeout(task.id, task.name, task.definition.timeout, task.lane.place, stoppable)
        if not stoppable:
            _log.warning("%s", error)
        call = inputs.call_told(task)
        failure = as_failure(task, error, call)
        if isinstance(task.facts, Facts):
            self.stager.failed(task, failure)
        self.scheduler.timed_out(task, failure)
        if task.cause is not None:
            task.cause.call = call
        self.flush()

    # -- files --------------------------------------------------------------------------------------------

    def staged(self, task: Task) -> None:
        """All that a task reads is in its sandbox."""
        if self.record is not None:
            size = sum(stamp[1] for stamp, _ in task.facts.brought.values())
            self.record.staged(task.id, perf_counter(), size)
        self.scheduler.staged(task, self.places.staging_for(task.lane))
        self.flush_soon()

    def not_staged(self, task: Task, error: BaseException) -> None:
        """It could not be brought; if it is `Unwanted`, because nobody wants it any more."""
        if task.story & NOW == READY:
            if isinstance(error, Unwanted):
                self.scheduler.cancel(task)
            else:
                self._failed(task, error)
        self.staged(task)

    def published(self, task: Any, value: Any) -> None:
        """All that a task was to make is there, and where it was to go."""
        if task.story & NOW == CANCELLING:
            self.scheduler.stopped(task)
        else:
            _set_result(task, value)
            self.scheduler.succeeded(task)
            if self.record is not None:
                self.record.over(task.id, perf_counter())
                if task.facts.published:
                    self.record.published(task.id, task.facts.published)
        self.flush_soon()

    def not_published(self, task: Task, error: BaseException) -> None:
        """It is not; if the error is `Unwanted`, because nobody wants it any more."""
        if isinstance(error, Unwanted):
            self.scheduler.stopped(task)
        else:
            self._failed(task, error)
        self.flush_soon()

    def lacks_output(self, name: str, error: KeyError) -> None:
        """A task declares no output of the name that was asked for; here that is an error at once."""
        raise error

    # -- blocks -------------------------------------------------------------------------------------------

    def _block_returned(self, block: Task, value: Any) -> None:
        try:
            futures, holes = self.wiring.of_returned(block, value)
        except Exception as error:
            self._failed(block, error)
            return
        if futures:
            if block.story & NOW == SUBMITTED:  # a `def`, over before anybody could ask
                began = perf_counter() if self.record is None else self.record.segment.loop_at[-2]
                self._started(block, (began, LOOP))
            if self.record is not None:
                self.record.body_ended(block.id)
            block.holes = futures, holes
            self.scheduler.returned_futures(block, futures)
        else:
            self._block_succeeded(block, value)

    def _resolve_returned(self, block: Task) -> None:
        """All that a block returned is done: it fails with the first that failed, or is cancelled with what was."""
        if block.story & NOW != RUNNING:
            return  # cancelled meanwhile
        futures, holes = block.holes
        bad = [future for future in futures if future.cause is not None]
        failed = [future for future in bad if not future.cancelled()]
        try:
            if failed:
                raise first_of(block, failed)
            if bad:
                raise asyncio.CancelledError
            self._block_succeeded(block, arguments.fill_value(holes, inputs.value_of))
        except asyncio.CancelledError:
            self.scheduler.stopped(block)
        except Exception as error:
            self._failed(block, error)

    def _block_succeeded(self, block: Any, value: Any) -> None:
        _set_result(block, value)
        self.scheduler.succeeded(block)
        if self.record is not None:
            self.record.over(block.id, perf_counter())
        self._timeouts.disarm(block)

    # -- commands -----------------------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Carry out on the next turn of the loop what the scheduler has decided."""
        if not self._flush_due and not self.loop.is_closed():
            self._flush_soon()

    def _flush_soon(self) -> None:
        self._flush_due = True
        # In a context of its own, or the first caller's context variables would live on in whatever this starts.
        self.loop.call_soon(self._flush_now, context=self._context)

    def _flush_now(self) -> None:
        try:
            self._flush_due = False
            self.coroutines.make_way()
            self.flush()
        except BaseException:
            self.cut_short()
            raise

    def cut_short(self, lost: Sequence[Task] = ()) -> None:
        """Ctrl-C, as Python's shells have it, came out of the midst of a step. If the loop goes on, so does the run."""
        self.loop.call_soon(go_on, self, lost, context=self._context)

    def flush(self) -> None:
        """Carry out what the scheduler has decided: all of it, or of a large burst a part, and more soon."""
        scheduler, record = self.scheduler, self.record
        self.last_site = self._last_scope = self._snapshot = None
        has_called = record is not None and record.last != self.last
        if record is not None and has_called:  # whoever has made calls has given the loop back
            record.pause(self.last, perf_counter())
        due = scheduler.due if self.open else ()
        while due or scheduler.ended or scheduler.returned or scheduler.stop:
            if self._carry_out(due) >= MOST:
                if not self._flush_due:
                    self._flush_soon()
                break
        while scheduler.quiet and not scheduler.ended:
            task = scheduler.quiet.pop()
            _wake(self._settling.pop(task.id, None))
        if self._all_over is not None and self._is_over() and not scheduler.ended:
            _wake(self._all_over)
        if self.teller is not None and self.teller.audience.listeners:
            self.teller.tell()
        # Not before all has its end: who listens would hear of a task that it has run, and not how it ended.
        if record is not None and not scheduler.ended:
            if record.giving_up is not None:
                record.work_off()
            if has_called and record.is_full:
                if self.teller is not None:
                    self.teller.tell()
                record.go_on(scheduler.live)
                self.last_site = None  # or the first call of the segment would not be told of

    def _carry_out(self, due: Sequence[Lane]) -> int:
        """Do what is to be done; tells how many were submitted, or have got their end."""
        scheduler = self.scheduler
        ended: list[Any] = []
        returned: list[Any] = []
        stop: list[Any] = []
        submitted = 0
        try:
            if scheduler.ended:
                ended = scheduler.ended[:MOST]
                del scheduler.ended[:MOST]
                for task in ended:
                    self._settle(task)
            if scheduler.returned and not scheduler.ended:  # these ask the futures, which have their ends now
                scheduler.returned, returned = [], scheduler.returned
                for block in returned:
                    self._resolve_returned(block)
            for _ in range(len(due)):
                lane = scheduler.due.pop(0)
                if lane.leads_to is not None:
                    self.stager.bring(inputs.fill(scheduler.take_to_stage(lane), self.not_staged))
                    continue
                batch = scheduler.take(lane)
                self._submit(lane, batch)
                scheduler.taking = []
                submitted += len(batch)
            if scheduler.stop:
                scheduler.stop, stop = [], scheduler.stop
                self._stop(stop)
        except BaseException:  # Ctrl-C: what was not come to is for the next time
            scheduler.ended = [task for task in ended if not task.done()] + scheduler.ended
            scheduler.returned = [block for block in returned if not block.done()] + scheduler.returned
            scheduler.stop = [task for task in stop if task.id in scheduler.live] + scheduler.stop
            self.cut_short(scheduler.taking)
            raise
        return max(submitted, len(ended))

    def _submit(self, lane: Lane, batch: list[Task]) -> None:
        if self.record is not None:
            self.record.submitted(batch, perf_counter())
        ready = inputs.fill(batch, self._not_submitted)
        place = self.places.behind[lane]
        if place is self.coroutines:  # which fills in links when it comes to them
            self.coroutines.submit(ready)
            return
        if lane.links:
            for task in ready:
                if task.link is not None:
                    inputs.fill_links(task)
        if not ready:
            return
        if self.inbox.starts_matter and not getattr(place, "reports_starts", True):
            self._timeouts.arm(ready)
        try:
            place.submit(ready)
        except Exception as error:  # a backend's own fault: no task of the batch may be left hanging
            _log.exception("%s did not take %d tasks", lane.place, len(ready))
            for task in ready:
                if task.id in self.scheduler.live:
                    self._not_submitted(task, error)

    def _not_submitted(self, task: Task, error: BaseException) -> None:
        """A task did not get to where it was to run, nor did what was to follow it there."""
        link = task.link
        self._failed(task, error)
        while link is not None:
            after = link.link
            self._given_back(link)
            link = after

    def _settle(self, task: TaskFuture[Any]) -> None:
        """Give the future of a task that has no value its end."""
        if self._timeouts.armed:
            self._timeouts.disarm(task)
        if isinstance(task.facts, Facts):
            self.stager.release(task)
        cause = task.cause
        if self.record is not None and cause is not None:
            roots = tuple(root.task_id for root in cause.roots[:_ROOTS]) if cause.upstream else ()
            error_told = "" if cause.error is None else brief(cause.error)
            self.record.bad(task.id, end_of(task), perf_counter(), error_told, roots)
        if cause is None or task.done():
            return  # its user has cancelled it
        end_without_value(task)
        if cause.upstream and cause.firsts[0].error is not None:
            error: BaseException = UpstreamFailed(task.id, task.name, cause)
            error.__cause__ = cause.firsts[0].error
        elif cause.error is None:
            _cancel(task)
            return
        else:
            error = cause.error
        _set_exception(task, error)
        if cause.passed_on:
            task._log_traceback = False  # a dependent brings it to whoever awaits that
        else:
            self.unseen.watch(task)

    def _stop(self, tasks: list[Task]) -> None:
        elsewhere = []
        for task in tasks:
            place = self.places.behind[task.lane]
            if self.stager.is_publishing(task):
                self._messages.pop(task.id, None)  # it tells by itself when it has stopped
            elif place is self.coroutines:
                self.coroutines.cancel(task, self._messages.pop(task.id, None))
            else:
                elsewhere.append((place, task))
        if elsewhere:
            stopping = self.loop.create_task(self._stop_elsewhere(elsewhere), context=self._context)
            self.stopping.add(stopping)
            stopping.add_done_callback(partial(self._has_told, tasks))

    def _has_told(self, tasks: list[Task], stopping: asyncio.Task[None]) -> None:
        self.stopping.discard(stopping)
        if (
            stopping.cancelled() and not self.loop.is_closed()
        ):  # by somebody who cancelled all that ran on the loop
            self.loop.call_soon(self._stop, [each for each in tasks if each.id in self.scheduler.live])

    async def _stop_elsewhere(self, tasks: list[tuple[Any, Task]]) -> None:
        for place, task in tasks:
            self._messages.pop(task.id, None)
            if task.id not in self.scheduler.live:
                continue
            try:
                await place.cancel(task.id)
            except Exception:
                _log.exception("%s could not cancel %r (#%d)", task.lane.place, task.name_shown, task.id)

    def _under_way(self) -> int:
        return self.places.under_way()

    # -- what futures ask ---------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Handle what was reported and not yet looked at, so that a state is what it is now."""
        if get_ident() == self.thread:
            for backend in self.backends.values():
                backend.look_now()
            self.coroutines.look_now()
            self.inbox.look_now()

    def check_thread(self, what: str) -> None:
        """Raise `WrongLoop` unless on the loop's thread."""
        if get_ident() != self.thread:
            raise WrongLoop(
                f"{what} was called from another thread than the engine's event loop.\n"
                "  From there, say:  loop.call_soon_threadsafe(...)"
            )

    def told(self) -> str:
        """How many tasks run, wait and are over, in words."""
        self.catch_up()
        live = list(self.scheduler.live.values())
        running = sum(RUNNING <= task.story & NOW <= CANCELLING for task in live)
        over = self.last - len(live)
        if self.closed is not None:
            return (
                f"shut down, {over:,} {'task is' if over == 1 else 'tasks are'} over"
                if not live
                else f"shutting down, {len(live):,} tasks are not over"
            )
        return f"{running:,} tasks run, {len(live) - running:,} wait, {over:,} are over"

    def decide(self, task: Task) -> None:
        """Give a future its end if that has come already: nobody can cancel it any more."""
        if task.cause is not None:
            self.end_all()

    def end_all(self) -> None:
        """Give each future its end whose end has come. Else, of many, the loop has its turns in between."""
        while self.scheduler.ended:
            self.flush()

    def cancel(self, task: Task, msg: Any) -> None:
        """Carry on from a future that its user has cancelled."""
        if task.id not in self.scheduler.live:
            return
        self.scheduler.cancel(task)
        if msg is not None and task.story & NOW == CANCELLING:
            self._messages[task.id] = msg
        self.flush_soon()

    def awaited(self, task: Task) -> list[Task]:
        """What a task that was not submitted depends on."""
        return inputs.awaited(task) if task.story & NOW == PENDING else []

    async def settled(self, task: Task) -> None:
        """Wait until nothing of a task runs any more."""
        self.catch_up()
        if task.id not in self.scheduler.live and not task.children:
            self.decide(task)
            return
        waiter = self._settling.get(task.id)
        if waiter is None:
            waiter = self._settling[task.id] = self.loop.create_future()
            self.scheduler.watched.add(task.id)
        await asyncio.shield(waiter)

    def cancel_all(self) -> None:
        """Cancel all that is live."""
        for task in list(self.scheduler.live.values()):
            self.scheduler.cancel(task)
        self.flush()
        self.end_all()

    def fail_all(self, error: BaseException) -> None:
        """Fail all that was ready to run, because nothing can run it."""
        for task in list(self.scheduler.live.values()):
            if task.story & NOW == READY:
                self._failed(task, error)
        self.cancel_all()

    async def all_over(self) -> None:
        """Wait until what was called is over."""
        while not self._is_over() or self.scheduler.ended:
            if self._all_over is None or self._all_over.done():
                self._all_over = self.loop.create_future()
            await asyncio.shield(self._all_over)

    def _is_over(self) -> bool:
        # What is still awaited of others' making may never come, and whoever wanted it was cancelled.
        return len(self.scheduler.live) <= self.foreign.watched


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)

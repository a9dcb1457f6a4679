"""One run of an engine, from its start to its shutdown, on one event loop: takes calls, and has all that is needed to
carry out what the core decides of them.

All of it happens on the loop's thread. Calls and reports are told to the scheduler as they come; what follows
from a whole burst of them is carried out once, in `StepLoop.flush`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from threading import get_ident
from time import perf_counter, time
from types import CodeType
from typing import Any, ClassVar, Final

from .._core.files import File
from .._core.lanes import Lane
from .._core.limits import Limit
from .._core.order import Order
from .._core.scheduler import Scheduler
from .._core.states import PENDING
from .._core.task import CallSite, Definition, Task
from .._files.sandboxes import Sandboxes
from .._record.audience import Audience
from .._record.journal import Journal
from .._record.record import Record
from .._record.stream_log import StreamLog
from .._turns import sure
from .._worker.forks import held_here, own_ears
from .._worker.store import store_of
from ..backend import ExecutionBackend
from .attempts import Attempts
from .awake import Awake
from .blocks import Blocks
from .burst import Burst
from .call import Call
from .commands import Commands
from .coroutines import Coroutines
from .dispatch import Dispatch
from .endings import Endings
from .failures import Failures
from .files import Files
from .foreign import Foreign
from .future import TaskFuture
from .gate import Gate
from .holding import Holding
from .hooks import Hook, Hooks
from .inbox import Inbox
from .inputs import waited_for
from .joins import Joins
from .keeps import Keeps
from .log import RunLog
from .mending import Mending
from .places import Places
from .renewals import Renewals
from .reports import Reports
from .scope import READER, SCOPE, Scope
from .services import Services
from .starts import Starts
from .step_loop import StepLoop
from .stopped import refuse_if_stopped
from .stopping import Stopping
from .teller import Teller
from .timed import Timed
from .timeouts import Timeouts
from .unseen import Unseen
from .wiring import Wiring

_scope: Final = SCOPE.get  # called for every task: looked up in an instance it would cost twice as much


class Run:
    """One run.

    Args:
        backends: by the names that tasks use; the first is the default.
        max_coroutines: how many coroutine tasks may be under way on the loop at once; None for any number.
        executables: how many commands may run at once.
        sandboxes: where they run; None if they are to be stood in for.
        implicit_data: whether what they have made without declaring it is brought to those that depend on them.
        grace: seconds that a command which is told to end may take.
        contains_commands: whether each command is to run in a control group of its own.
        stops: whether all is cancelled at the first failure.
        limits: of the engine, by name, to which others may be added; None if tasks are not to wait for any.
        ageing: seconds in which a task rises by 1 that is not over; None if none does.
        report_limit: for how many tasks what happens is kept, one by one; 0 to keep nothing.
        audience: those who listen.
        journal: one of them; is closed at the end.
    """

    is_rehearsal: ClassVar[bool] = False
    is_dry: ClassVar[bool] = False  # nothing is run
    keeps_time: ClassVar[bool] = True  # a body that holds up the loop past its timeout fails
    patience: ClassVar[float] = 1.0  # seconds that a body may hold up the loop unheard
    slice_seconds: ClassVar[float] = 0.005  # that bodies may run before the rest of the loop gets its turn
    Wiring: ClassVar[type[Wiring]] = Wiring
    Timeouts: ClassVar[type[Timeouts]] = Timeouts
    Failures: ClassVar[type[Failures]] = Failures
    Blocks: ClassVar[type[Blocks]] = Blocks
    Joins: ClassVar[type[Joins]] = Joins
    Reports: ClassVar[type[Reports]] = Reports
    Dispatch: ClassVar[type[Dispatch]] = Dispatch
    Unseen: ClassVar[type[Unseen]] = Unseen

    def __init__(
        self,
        backends: Mapping[str, ExecutionBackend],
        *,
        max_coroutines: int | None,
        executables: int,
        sandboxes: Sandboxes | None,
        implicit_data: bool,
        grace: float,
        contains_commands: bool = False,
        stops: bool = False,
        limits: Mapping[str, Limit] | None = None,
        ageing: float | None = None,
        report_limit: int = 0,
        audience: Audience | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.backends = backends  # not a copy: it tells the runs of one engine from those of others
        self.ageing = ageing
        self.thread = get_ident()
        self.closed: str | None = None  # why no call is taken any more
        self.awake: Awake | None = None
        self.is_ours = True
        """False in a child that the program has forked: the run goes on elsewhere."""
        self.looks_closer = False  # at calls: somebody has made text of a future, or services were called
        # What has each stream take no more that somebody reads, and the block or task inside of which that is.
        self._streams: dict[Callable[[str], None], Task | None] = {}
        self._streams_end: str | None = None  # those that are read in no block: why, if they do
        self._moved: tuple[CallSite, CallSite] | None = None  # a site, and what it was for somebody's line
        self.sandboxes = sandboxes
        self.places = Places(
            backends, max_coroutines, executables, runs_commands=sandboxes is not None, limits=limits
        )
        self.record = Record(report_limit, perf_counter()) if report_limit else None
        self._wire(implicit_data, stops)
        self._add_places(grace, contains_commands)
        self._wire_steps({} if limits is None else limits, audience or Audience(), journal)
        self.store = store_of(self.loop, self)
        """What the event loop keeps as a worker."""
        self.hooks: Hooks | None = None
        """Of its engine."""
        self.hooks_due: list[Hook] | None = None
        """That are still to be run at its end, the last one first."""
        held_here(self)
        if ageing is not None:
            self.put_in_order()

    def _wire(self, implicit_data: bool, stops: bool) -> None:
        """Make the parts down which goes what tasks have come to; what follows comes back by the scheduler and the
        steps."""
        loop, sandboxes, record = self.loop, self.sandboxes, self.record
        self.turns = turns = sure(loop)
        self.burst = burst = Burst()
        self.scheduler = scheduler = Scheduler(stops)
        self.steps = steps = StepLoop(loop, turns, burst, scheduler, self.backends.values(), record)
        self.unseen = self.Unseen(loop)
        self.log = RunLog()
        self.wiring = self.Wiring(
            self, self.engine, loop, steps, burst, scheduler, self.places.foreign, record
        )
        self.keeps = keeps = Keeps(loop, steps, scheduler, self.places.behind, record)
        attempts = self.attempts = None if self.is_dry else Attempts(steps, turns, scheduler)
        self.timeouts = timeouts = self.Timeouts(steps, turns, scheduler, self.places, attempts, sandboxes)
        self.failures = failures = self.Failures(scheduler, attempts, timeouts, sandboxes, record)
        self.starts = Starts(scheduler, self.places, timeouts, record)
        self.blocks = self.Blocks(scheduler, self.wiring, self.starts, failures, timeouts, keeps, record)
        self.joins = self.Joins(
            *(self, steps, burst, scheduler, self.wiring, self.places.blocks, record),
            waits_for_all=self.is_dry,
        )
        self.files = Files(
            *(steps, scheduler, self.wiring, failures, timeouts, keeps, self.places, record),
            *(sandboxes, implicit_data, loop),
        )
        self.reports = self.Reports(
            *(steps, scheduler, self.starts, self.blocks, self.files.stager, failures, timeouts),
            *(self.places, keeps, record),
        )

    def _add_places(self, grace: float, contains_commands: bool) -> None:
        """Make the places of this run where tasks run."""
        turns, reports = self.turns, self.reports
        self.coroutines = Coroutines(
            self.loop, turns, reports, self.slice_seconds, self.keeps_time, self.patience
        )
        self.inbox = Inbox(turns, reports.of_backends, self.places.under_way)
        timed = Timed(self.inbox.report)
        self.foreign = Foreign(timed)
        self.commands = (
            None if self.sandboxes is None else Commands(timed, self.sandboxes, grace, contains_commands)
        )
        self.services = self.wiring.services = Services(
            *(self.loop, self.steps, self.burst, self.scheduler, self.places.behind, self.failures),
            *(self.attempts, self.commands, timed, grace, self.record, self._call_again),
        )
        if self.attempts is not None:
            self.attempts.renewals = Renewals(
                self.steps, self.scheduler, self.failures, self.services.current
            )
        services = None if self.commands is None else self.services
        self.places.complete(self.coroutines, self.foreign, self.commands, services)

    def _wire_steps(self, limits: Mapping[str, Limit], audience: Audience, journal: Journal | None) -> None:
        """Make the parts that carry out what has been decided."""
        steps, scheduler, places, inbox = self.steps, self.scheduler, self.places, self.inbox
        stager, failures, record = self.files.stager, self.failures, self.record
        holding = Holding(self.coroutines, failures)
        self.gate = Gate(steps, self.loop, scheduler, failures, holding, record, limits, places.behind)
        endings = Endings(self.attempts, self.timeouts, stager, self.joins, self.unseen, self.log, record)
        self.stopping = Stopping(steps, self.loop, scheduler, places, stager, self.foreign)
        self.dispatch = self.Dispatch(
            *(steps, scheduler, places, inbox, self.files, self.gate, self.reports, self.blocks),
            *(self.joins, endings, failures, self.timeouts, self.stopping, self.keeps, record),
        )
        mending = Mending(
            *(scheduler, places, self.coroutines, self.gate, self.attempts),
            *(stager, inbox, self.reports, failures),
        )
        self.teller = None
        if record is not None:
            self.teller = Teller(
                *(record, scheduler, self.burst, places, inbox, self.stopping, steps),
                is_dry=self.is_dry,
                began=time(),
                audience=audience,
                journal=journal,
            )
        steps.complete(
            *(self.dispatch, holding, self.services, self.stopping, self.keeps),
            *(self.coroutines, inbox, mending, self.teller),
        )
        self._recording: list[Any] = [
            *(self, steps, self.wiring, failures, self.starts, self.blocks, self.joins),
            *(self.files, self.gate, self.services, self.reports, endings, self.dispatch, self.keeps),
        ]

    def stop_recording(self) -> None:
        """Record nothing more."""
        for part in self._recording:
            part.record = None

    def let_go(self) -> None:
        """In a forked child nothing more is begun, ended or removed."""
        self.is_ours = self.steps.is_open = False
        self.close("this process was forked from the engine's, where the run goes on")
        self.coroutines.let_go()
        self.files.stager.stop()
        own_ears(self.loop)

    # -- calls --------------------------------------------------------------------------------------------

    def call(
        self,
        definition: Definition,
        lane: Lane,
        args: tuple[object, ...],
        kwargs: Mapping[str, object],
        code: CodeType | None,
        at: int,
        after: Sequence[object] = (),
    ) -> TaskFuture[object]:
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
            owner = self.scheduler.owner(owner)
            if owner is None and (rehearsal := self.rehearsal_around(scope.block)) is not None:
                return rehearsal.take(Call(definition, args, kwargs, code, at, after))
        snapshot = copy_context()
        burst = self.burst
        number = burst.last = burst.last + 1
        site = burst.site
        if (
            site is None
            or definition is not site.definition
            or at != site.at
            or scope is not burst.scope
            or code is not site.code
        ):
            site = self._turn(number, definition, lane, scope, owner, code, at)
        if len(snapshot) == scope.variables:  # nobody has set others: one does for all calls of a burst
            if burst.snapshot is None:
                burst.snapshot = snapshot
            snapshot = burst.snapshot
        # Not TaskFuture[Any](...): an instance made through a generic alias gets a __dict__, and a burst twice as slow.
        task: TaskFuture[object] = TaskFuture(loop=self.loop)
        # As `Task.set_up`, written out: each call comes by here, and handing all of this on costs as much again.
        task.id = number
        task.site = site
        task.args = args
        task.kwargs = kwargs
        task.snapshot = snapshot
        task.owner = owner
        task.story = PENDING
        task.attempt = task.waiting = 0
        task.dependents = task.link = task.holes = task.rare = None
        dependencies: Sequence[Task] = ()
        files: Sequence[File] = ()
        if args or kwargs or after:
            dependencies, files = self.wiring.of_call(task, args, kwargs, after)
        if files or definition.is_special:
            self._is_special(task, dependencies, files)
        self.scheduler.called(task, dependencies)
        if dependencies and self.record is not None:
            self.record.edges[number] = dependencies
            if after:
                self.record.ordered(task)
        if not burst.is_due:
            self.steps.flush_soon()
        return task

    def _turn(
        self,
        number: int,
        definition: Definition,
        lane: Lane,
        scope: Scope,
        owner: Task | None,
        code: CodeType | None,
        at: int,
    ) -> CallSite:
        """A call is made elsewhere than the one before, or is the first of a burst."""
        burst, order = self.burst, self.scheduler.order
        if scope is not burst.scope:
            if self.scheduler.has_stopped:
                refuse_if_stopped(self.scheduler, burst, definition.name, owner)
            burst.scope, burst.snapshot = scope, None
        workflow = scope.workflow_of(self.engine) if scope.workflows else None
        site = burst.site = CallSite(definition, lane, self, workflow, code, at)
        if self.record is not None:
            self.record.turn(number, site, owner, perf_counter())
        if order is not None and order.ageing is not None:
            order.passes(self.loop.time(), number - 1)
        return site

    def moved(self, task: Task, code: CodeType, at: int) -> None:
        """The last call was made on somebody's behalf, and is of that line."""
        before, after = self._moved or (None, None)
        if after is None or before is not task.site or code is not after.code or at != after.at:
            before, after = self._moved = task.site, task.site.changed(code=code, at=at)
        task.site = after
        if self.record is not None:
            self.record.moved(task)

    def labelled(self, task: Task, label: str) -> None:
        """What tells a call from others of its function is known when it is made."""
        task.own_label = label
        if self.record is not None:
            self.record.labelled(task.id, label)

    def stands_in(self, value: object) -> bool:
        """Whether a value is none, but stands in for one: never, where tasks are run."""
        return False

    def reads(self, stop: Callable[[str], None]) -> Task | None:
        """Somebody reads a stream inside of this run.

        Args:
            stop: has it take no more, because of what it is told.

        Returns:
            The block or task inside of which that is; None if it is inside of none.
        """
        reader = _scope().block
        if reader is None:
            reader = self.coroutines.inside_of()
        if reader is None:
            reader = READER.get()
        self._streams[stop] = reader
        if self._streams_end is not None and self.scheduler.owner(reader) is None:
            stop(self._streams_end)
        return reader

    def has_read(self, stop: Callable[[str], None]) -> None:
        """The reader of a stream has gone."""
        self._streams.pop(stop, None)

    def end_streams(self, why: str) -> None:
        """Have streams take no more that nobody reads who was called and is not over: they may go on for ever, and
        nothing waits for their readers.
        """
        self._streams_end = why
        for stop, reader in list(self._streams.items()):
            if self.scheduler.owner(reader) is None:
                stop(why)

    def stream_began(self, log: StreamLog) -> None:
        """A stream is to be told of."""
        if self.record is not None:
            self.record.streams.began(log)

    def stream_ended(self, log: StreamLog) -> None:
        """It is over."""
        if self.record is not None:
            self.record.stream_ended(log)

    def _is_special(self, task: Task, dependencies: Sequence[Task], files: Sequence[File]) -> None:
        """A call has files among its arguments, runs a command, is to be carried elsewhere, has a deadline, is detached
        or a service."""
        if task.definition.is_service and not self.is_dry:
            self.stopping.has_services = True
            self.services.called(task)
        if task.definition.options.detached:
            task.owner = None
            self.stopping.has_detached = True
        is_far = bool(dependencies) and self.places.carries(task.lane)
        if files or task.definition.is_command or (is_far and any(map(_is_output, dependencies))):
            self.files.called(task, dependencies, files)
        if not self.is_dry:
            self.timeouts.called(task)

    def _call_again(self, before: Task, args: tuple[object, ...], kwargs: Mapping[str, object]) -> Task:
        """Call what was called before once more, from the same line."""
        definition, site = before.definition, before.site
        return self.call(definition, self.lane_for(definition), args, kwargs, site.code, site.at)

    def close(self, why: str) -> None:
        """Take no call any more."""
        self.closed = why
        if self.awake is not None:
            self.awake.close()
            self.awake = None
        self.services.is_closing = True
        self.burst.site = None
        for stop in list(self._streams) if self.is_ours else ():
            stop(why)

    def lane_for(self, definition: Definition) -> Lane:
        """Where the calls of a function run."""
        if definition.timeout is not None:
            self.inbox.starts_matter = True
        if definition.priority is not None:
            self.put_in_order()
        lane = self.places.lane_for(definition)
        if not (definition.is_special or self.is_dry) and self.places.carries(lane):
            definition.is_special = (
                True  # paths of others' outputs among its arguments have to be brought there
            )
        return lane

    def put_in_order(self) -> None:
        """Have tasks go by their priority from now on."""
        if self.scheduler.order is None and not self.is_dry:
            order = self.scheduler.order = Order(self.scheduler.live, waited_for, self.ageing)
            self.places.put_in_order(order)

    @property
    def engine(self) -> object:
        """What all runs of one engine have in common, and its rehearsals."""
        return self.backends

    def take(self, call: Call) -> TaskFuture[object]:
        """Take a call that belongs here."""
        return self.call(call.definition, self.lane_for(call.definition), *call[1:])

    def rehearsal_around(self, block: Any) -> Run | None:
        """The rehearsal that a call inside of a block belongs to, if the block is none of this run's."""
        rehearsal: Run | None = block._run.rehearses(self.engine)
        return rehearsal

    def rehearses(self, engine: object) -> Run | None:
        """The rehearsal that takes the calls of an engine which are made inside of this run; None if this is none."""
        return None

    def is_inside(self) -> bool:
        """Whether the code that asks is part of a body, or of an asyncio task that a block has begun."""
        return self.coroutines.is_inside() or self.scheduler.owner(SCOPE.get().block) is not None

    def lacks_output(self, name: str, error: KeyError) -> None:
        """A task declares no output of the name that was asked for; here that is an error at once."""
        raise error


def _is_output(task: Task) -> bool:
    """Whether a future is one of the path of an output."""
    return task.definition.kind == "output"

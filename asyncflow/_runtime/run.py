"""One run of an engine, from its start to its shutdown, on one event loop: carries out what the core decides.

All of it happens on the loop's thread. Calls and reports are told to the scheduler as they come; what follows
from a whole burst of them is carried out once, in `flush`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import Context, copy_context
from threading import get_ident
from time import perf_counter, time
from types import CodeType
from typing import Any, ClassVar, Final

from .._core.files import File
from .._core.lanes import MOST, Lane
from .._core.limits import Limit
from .._core.scheduler import Scheduler
from .._core.states import NOW, PENDING
from .._core.states import SUCCEEDED as OVER
from .._core.task import CallSite, Definition, Task
from .._files.sandboxes import Sandboxes
from .._record.audience import Audience
from .._record.journal import Journal
from .._record.record import Record
from .._turns import sure
from .._worker.forks import held_here, own_ears
from ..backend import ExecutionBackend
from . import inputs
from .blocks import Blocks
from .call import Call
from .commands import Commands
from .coroutines import Coroutines
from .dispatch import Dispatch
from .endings import Endings
from .files import Files
from .foreign import Foreign
from .future import TaskFuture
from .gate import Gate
from .holding import Holding
from .inbox import Inbox
from .mending import go_on
from .places import Places
from .reports import Reports
from .scope import SCOPE, Scope
from .starts import Starts
from .stopping import Stopping
from .teller import Teller
from .timed import Timed
from .unseen import Unseen
from .wiring import Wiring

_scope: Final = SCOPE.get  # called for every task: looked up in an instance it would cost twice as much
_NOTHING: Final[tuple[tuple[Task, ...], tuple[Any, ...]]] = ((), ())  # dependencies, and files


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
        limits: of the engine, by name, to which others may be added; None if tasks are not to wait for any.
        report_limit: for how many tasks what happens is kept, one by one; 0 to keep nothing.
        audience: those who listen.
        journal: one of them; is closed at the end.
    """

    is_rehearsal: ClassVar[bool] = False
    is_dry: ClassVar[bool] = False  # nothing is run
    keeps_time: ClassVar[bool] = True  # a body that holds up the loop past its timeout fails
    slice_seconds: ClassVar[float] = 0.005  # that bodies may run before the rest of the loop gets its turn
    Wiring: ClassVar[type[Wiring]] = Wiring
    Endings: ClassVar[type[Endings]] = Endings
    Blocks: ClassVar[type[Blocks]] = Blocks
    Reports: ClassVar[type[Reports]] = Reports
    Dispatch: ClassVar[type[Dispatch]] = Dispatch

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
        limits: Mapping[str, Limit] | None = None,
        report_limit: int = 0,
        audience: Audience | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.loop = loop = asyncio.get_running_loop()
        self.turns = turns = sure(loop)
        self.backends = backends  # not a copy: it tells the runs of one engine from those of others
        self.thread = get_ident()
        self.open = False  # the backends take work
        self.closed: str | None = None  # why no call is taken any more
        self.left_behind: set[int] = set()  # of which nobody knows when they stop
        self.last = 0  # number of the last call
        self.has_texts = False  # somebody has made text of a future
        self.last_site: CallSite | None = None  # of the last call; None when the loop has had its turn since
        # The scope of that call, and a context with nothing else in it. No site holds them: they hold a block.
        self._last_scope: Scope | None = None
        self._snapshot: Context | None = None
        self._moved: tuple[CallSite, CallSite] | None = None  # a site, and what it was for somebody's line
        self._context = Context()
        self._flush_due = False
        self.is_ours = True
        """False in a child that the program has forked: the run goes on elsewhere."""
        self.sandboxes = sandboxes
        self.scheduler = scheduler = Scheduler()
        self.record = record = Record(report_limit, perf_counter()) if report_limit else None
        self.unseen = Unseen(loop)
        self.wiring = self.Wiring(self)
        self.places = places = Places(
            backends, max_coroutines, executables, runs_commands=sandboxes is not None, limits=limits
        )

        # What tasks have come to goes down this list, and what follows comes back by the scheduler and `flush`.
        self.endings = self.Endings(self, turns, scheduler, places, self.unseen, record, self.is_dry)
        starts = Starts(scheduler, places, self.endings.timeouts, record)
        self.blocks = self.Blocks(scheduler, self.wiring, starts, self.endings, record)
        self.files = files = Files(
            *(self, scheduler, self.wiring, self.endings, places, record),
            *(sandboxes, implicit_data, loop),
        )
        stager = self.endings.stager = files.stager
        self.reports = self.Reports(self, scheduler, starts, self.blocks, stager, self.endings, record)

        # Where they run.
        self.coroutines = Coroutines(loop, turns, self.reports, self.slice_seconds, self.keeps_time)
        self.holding = Holding(self.coroutines, self.endings)
        self.gate = Gate(
            *(self, loop, scheduler, self.endings, self.holding), {} if limits is None else limits
        )
        self.inbox = Inbox(turns, self.reports.handle, places.under_way)
        timed = Timed(self.inbox.report)
        self.foreign = Foreign(timed)
        self.commands = (
            Commands(timed, sandboxes, grace, contains_commands) if sandboxes is not None else None
        )
        places.complete(self.coroutines, self.foreign, self.commands)
        self.stopping = Stopping(self, loop, scheduler, places, stager, self.foreign)
        self.dispatch = self.Dispatch(
            *(self, scheduler, places, self.inbox, files, self.gate, self.reports, self.blocks),
            *(self.endings, self.stopping, record),
        )
        self.teller = Teller(self, time(), audience or Audience(), journal) if report_limit else None
        self._recording: list[Any] = [
            self,
            self.endings,
            starts,
            self.blocks,
            files,
            self.reports,
            self.dispatch,
        ]
        held_here(self)

    def stop_recording(self) -> None:
        """Record nothing more: work that is left behind ends after the run, and belongs to no report."""
        for part in self._recording:
            part.record = None

    def let_go(self) -> None:
        """In a forked child nothing more is begun, ended or removed."""
        self.is_ours = self.open = False
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
            owner = self.owner(owner)
            if owner is None and (rehearsal := self.rehearsal_around(scope.block)) is not None:
                return rehearsal.take(Call(definition, args, kwargs, code, at, after))
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
        dependencies, files = (
            self.wiring.of_call(task, args, kwargs, after) if args or kwargs or after else _NOTHING
        )
        if files or definition.is_special:
            self._is_special(task, dependencies, files)
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

    def _is_special(self, task: Task, dependencies: Sequence[Task], files: Sequence[File]) -> None:
        """A call has files among its arguments, or runs a command, has a deadline, or is detached."""
        if task.definition.options.detached:
            task.owner = None
            self.stopping.has_detached = True
        if files or task.definition.is_command:
            self.files.called(task, dependencies, files)
        if not self.is_dry:
            self.endings.timeouts.called(task)

    def close(self, why: str) -> None:
        """Take no call any more."""
        self.closed = why
        self.last_site = None

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
        return self.coroutines.is_inside() or self.owner(SCOPE.get().block) is not None

    def lacks_output(self, name: str, error: KeyError) -> None:
        """A task declares no output of the name that was asked for; here that is an error at once."""
        raise error

    # -- steps --------------------------------------------------------------------------------------------

    def flush_soon(self) -> None:
        """Carry out on the next turn of the loop what the scheduler has decided."""
        if not self._flush_due and not self.loop.is_closed():
            self._flush_soon()

    def _flush_soon(self) -> None:
        # In a context of its own, or the first caller's context variables would live on in whatever this starts.
        self.turns.call_soon(self._flush_now, context=self._context)
        self._flush_due = True  # after it, or Ctrl-C between the two would leave all that follows waiting

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
        self.turns.call_soon(go_on, self, lost, context=self._context)

    def flush(self) -> None:
        """Carry out what the scheduler has decided: all of it, or of a large burst a part, and more soon."""
        scheduler, record = self.scheduler, self.record
        self.last_site = self._last_scope = self._snapshot = None
        has_called = record is not None and record.last != self.last
        if record is not None and has_called:  # whoever has made calls has given the loop back
            record.pause(self.last, perf_counter())
        due = scheduler.lanes.due if self.open else ()
        # Each round may decide the next: an end makes other tasks ready. After a large one the loop has its turn.
        while due or scheduler.telling or scheduler.ended or scheduler.returned or scheduler.stop:
            if self.dispatch.carry_out(due) >= MOST:
                if not self._flush_due:
                    self._flush_soon()
                break
        if scheduler.lanes.freed or scheduler.lanes.left:
            self.gate.look()
        if self.holding.blocks:
            self.holding.look()
        self.stopping.wake()
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

    # -- what futures ask ---------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Handle what was reported and not yet looked at, so that a state is what it is now."""
        if get_ident() == self.thread:
            for backend in self.backends.values():
                backend.look_now()
            self.coroutines.look_now()
            self.inbox.look_now()

    def awaited(self, task: Task) -> list[Task]:
        """What a task that was not submitted depends on."""
        return inputs.awaited(task) if task.story & NOW == PENDING else []

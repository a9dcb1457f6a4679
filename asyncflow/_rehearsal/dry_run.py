"""A run in which nothing runs but blocks, and that takes note of each call as it was made.

It decides nothing and makes no plan of what it has seen: that is for whoever asks for its `notes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import CodeType
from typing import Any, Protocol, cast

from .._core import arguments
from .._core.lanes import Lane
from .._core.story import place_in
from .._core.task import Definition, Task
from .._record.stream_log import StreamLog
from .._runtime import inputs
from .._runtime.call import Call
from .._runtime.dispatch import Dispatch
from .._runtime.foreign import all_awaited
from .._runtime.future import TaskFuture
from .._runtime.joins import How, Joins
from .._runtime.places import Places
from .._runtime.run import Run
from .._runtime.scope import SCOPE
from .._runtime.wiring import Wiring, lazy_argument
from ..backend import ExecutionBackend
from ..errors import TooManyTasks
from ..plan.tasks import Finding
from . import commands, findings, resources
from .decision_log import DecisionLog
from .notes import Notes


class StandInBackend(Protocol):
    """A backend that does nothing, and makes something that stands in for the value of any task."""

    decided: object
    lacked: object

    def stand_in(self, work: object) -> object:
        """Something of the type that a task's value has."""


class _NotedWiring(Wiring):
    """Takes note of what is adopted, and of what blocks return."""

    notes: Notes
    used: Callable[[TaskFuture[object]], None]

    def adopt(self, awaitable: object) -> TaskFuture[object]:
        """As any run."""
        task = super().adopt(awaitable)
        self.notes.adopted(task)
        return task

    def of_returned(self, block: Task, value: object) -> tuple[list[object], arguments.Holes]:
        """As any run."""
        self.notes.site = block.site.code, block.site.at
        futures, holes = super().of_returned(block, value)
        self.notes.returned(block, value)
        for future in futures:
            if future._run is self._run:
                self.used(future)
        return futures, holes


class _NotedJoins(Joins):
    """Takes note of joins, and of what they are made of."""

    _run: DryRun

    def make(
        self, sources: Sequence[TaskFuture[object]], how: How, code: CodeType | None, at: int
    ) -> TaskFuture[object]:
        """As in any run."""
        return super().make([self._run.own(each) for each in sources], how, code, at)

    def _noted(self, task: TaskFuture[object], sources: Sequence[TaskFuture[object]]) -> None:
        self._run.notes.joined(task, sources)
        for each in sources:
            self._run.used(each)


class _DryDispatch(Dispatch):
    gives_no_command: Callable[[Task], bool]

    def submit(self, lane: Lane, batch: list[Task]) -> None:
        """As in any run, once executable tasks have been asked for their commands."""
        ready = inputs.fill(batch, self.not_submitted)
        for task in ready:
            if task.definition.resources:
                resources.give(task)
        super().submit(lane, [task for task in ready if not self.gives_no_command(task)])


class DryRun(Run):
    """The run of an engine with ``dry_run=True``.

    Args:
        backends: one that stands in for all, by the names that tasks use; the first is the default.
        real: where tasks would run if they did.
        max_tasks: how many calls are taken.
        options: as of any run.
    """

    is_dry = True
    patience = float("inf")
    Dispatch = _DryDispatch
    Wiring = _NotedWiring
    dispatch: _DryDispatch
    wiring: _NotedWiring
    Joins = _NotedJoins
    # One body in each turn. By the clock, what is called next would depend on how fast the machine is today, and with
    # it the numbers in a plan that somebody has put under version control.
    slice_seconds = -1.0

    def __init__(
        self, backends: Mapping[str, ExecutionBackend], *, real: Places, max_tasks: int, **options: Any
    ) -> None:
        super().__init__(backends, max_coroutines=None, executables=1, sandboxes=None, **options)
        self.noop = cast(StandInBackend, next(iter(backends.values())))
        self.decided = DecisionLog()
        self.notes = Notes(self, real)
        self.noop.decided, self.noop.lacked = self.decided.take, self.notes.lacked
        self.wiring.notes, self.wiring.used = self.notes, self.used
        self.dispatch.gives_no_command = self.gives_no_command
        self.max_tasks = max_tasks

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
        """Take a call, as any run, and take note of it."""
        call = Call(definition, args, kwargs, code, at, after)
        block = SCOPE.get().block
        if block is not None and self.scheduler.owner(block) is None:
            rehearsal = self.rehearsal_around(block)  # first: what is rehearsed is not called here
            if rehearsal is not None:
                return rehearsal.take(call)
        return self.take(call)

    def take(self, call: Call) -> TaskFuture[object]:
        """Take a call that belongs here, and take note of it."""
        if len(self.notes.by_id) >= self.max_tasks:
            raise TooManyTasks(call.definition.name, self.max_tasks, place_in(call.code, call.at))
        self.notes.site = call.code, call.at
        number = self.burst.last = self.burst.last + 1
        try:
            dependencies, args, kwargs = self._taken(call.args, call.kwargs)
            order = self._taken((all_awaited(call.after),), {})[0] if call.after else []
            call = call._replace(args=args, kwargs=kwargs, after=order)
            future = self.called_as(number, call)
        except arguments.Lazy as lazy:
            self.wiring.call_off_after(number)
            raise lazy_argument(call.definition, call.args, call.kwargs, lazy) from None
        except BaseException:
            self.wiring.call_off_after(number)
            raise
        self.notes.called(future, call, dependencies)
        return future

    def called_as(self, number: int, call: Call) -> TaskFuture[object]:
        """Make a call that has a number already, so that what was adopted for it came after it."""
        burst = self.burst
        last, burst.last, burst.site = burst.last, number - 1, None
        try:
            return super().call(call.definition, self.lane_for(call.definition), *call[1:])
        finally:
            burst.last, burst.site = max(last, burst.last), None

    def _taken(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[list[Any], tuple[object, ...], Mapping[str, object]]:
        """The futures among arguments, and the arguments with futures of this run in them and nothing else to wait for.

        They are copies where something was put in: what the caller does to a list later changes nothing.
        """
        found, holes, _ = arguments.scan(args, kwargs, inputs.KINDS, self.wiring.adopt)
        own = [self.own(future) for future in found]
        if isinstance(holes, list) or any(a is not b for a, b in zip(found, own, strict=True)):
            args, kwargs = arguments.fill(args, kwargs, holes, TaskFuture, self.own)
        for future in own:
            self.used(future)
        return own, args, kwargs

    def own(self, future: TaskFuture[object]) -> TaskFuture[object]:
        """What stands for a future here."""
        return future

    def stream_began(self, log: StreamLog) -> None:
        """Take note of a stream."""
        super().stream_began(log)
        self.notes.stream_began(log)

    def stands_in(self, value: object) -> bool:
        """Whether a value is none."""
        return self.notes.stands_in(value)

    # -- what becomes of them -----------------------------------------------------------------------------

    def gives_no_command(self, task: Task) -> bool:
        """Whether the function of an executable task gave no command, and nothing stands in for its result."""
        failed = commands.ask(task) if task.definition.is_command else None
        if failed is None:
            return False
        call = self.notes.by_id.get(task.id)
        is_real = call is not None and not call.dependencies and call.checkpoint is None
        calls = self.notes.beside(task)
        told = findings.of_command(task, failed, calls, self.notes.value_of, is_real=is_real)
        if isinstance(told, Finding):
            return self.has_no_command(task, failed.error, told)
        self.decided.note(told)
        return False

    def has_no_command(self, task: Task, error: BaseException, finding: Finding) -> bool:
        """What is wrong with a command is so for sure: tell whether the task ends with it."""
        self.dispatch.not_submitted(task, error)
        return True

    def used(self, future: TaskFuture[Any], *, waited: bool = False) -> None:
        """Somebody has use for a result; `waited` if their code goes on after it only."""
        self.notes.used(future, waited)

    def misused(self, future: TaskFuture[Any], error: TypeError) -> None:
        """A future was taken for its value, which any run refuses."""
        raise error

    def forget(self) -> None:
        """Let go of what was noted, once it has been told."""
        self.notes.forget()

"""A run in which nothing runs but blocks, and that takes note of each call as it was made.

It decides nothing and makes no plan of what it has seen: that is for whoever asks for its `calls`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any, Final, Protocol, cast

from .._core import arguments
from .._core.files import declared
from .._core.story import called_at, place_in
from .._core.task import Definition, Lane, Task
from .._files.task_files import TaskFiles
from .._runtime import inputs
from .._runtime.dispatch import Dispatch
from .._runtime.foreign import all_awaited
from .._runtime.future import TaskFuture
from .._runtime.places import Places
from .._runtime.run import Run
from .._runtime.scope import SCOPE
from .._runtime.wiring import Wiring, lazy_argument
from ..backend import ExecutionBackend
from ..errors import TooManyTasks
from ..plan.rehearsed import Lack, RehearsedCall
from ..plan.tasks import Finding
from . import commands, findings
from .checkpoints import Checkpoint, checkpoint_of, waits_for
from .decided import Decided
from .files import Order, reads_of_all
from .future import RehearsedFuture, has_value

_LACKS: Final = 10_000  # that are remembered


class Hands(Protocol):
    """A backend that does nothing, and makes something that stands in for the value of any task."""

    decided: Any
    lacked: Any

    def stand_in(self, work: Any) -> Any:
        """Something of the type that a task's value has."""


class _NotedWiring(Wiring):
    """Takes note of what is adopted, and of what blocks return."""

    _run: DryRun

    def adopt(self, awaitable: Any) -> TaskFuture[Any]:
        """As any run."""
        task = super().adopt(awaitable)
        self._run.adopted(task)
        return task

    def of_returned(self, block: Task, value: Any) -> tuple[list[Any], arguments.Holes]:
        """As any run."""
        self._run._site = block.site.code, block.site.at
        futures, holes = super().of_returned(block, value)
        self._run.returned(block, value)
        for future in futures:
            if future._run is self._run:
                self._run.used(future)
        return futures, holes


class _DryDispatch(Dispatch):
    _steps: DryRun

    def submit(self, lane: Lane, batch: list[Task]) -> None:
        """As in any run, once executable tasks have been asked for their commands."""
        ready = inputs.fill(batch, self.not_submitted)
        super().submit(lane, [task for task in ready if not self._steps.gives_no_command(task)])


class DryRun(Run):
    """The run of an engine with ``dry_run=True``.

    Args:
        hands: the backend that stands in for all others.
        names: of backends, as tasks use them; the first is the default.
        real: where tasks would run if they did.
        max_tasks: how many calls are taken.
        implicit_data: as of any run.
        grace: as of any run.
        told: what else a run is given.
    """

    is_dry = True
    Dispatch = _DryDispatch
    Wiring = _NotedWiring
    # One body in each turn. By the clock, what is called next would depend on how fast the machine is today, and with
    # it the numbers in a plan that somebody has put under version control.
    slice_seconds = -1.0

    def __init__(
        self,
        backends: Mapping[str, ExecutionBackend],
        *,
        real: Places,
        max_tasks: int,
        implicit_data: bool,
        grace: float,
        **told: Any,
    ) -> None:
        super().__init__(
            backends,
            max_coroutines=None,
            executables=1,
            sandboxes=None,
            implicit_data=implicit_data,
            grace=grace,
            **told,
        )
        self.hands = cast(Hands, next(iter(backends.values())))
        self.decided = Decided()
        self.hands.decided = self.decided.take
        self.lacks: list[Lack] = []
        self.hands.lacked = self._lacked
        self.max_tasks = max_tasks
        self._real = real
        self._calls: dict[int, RehearsedCall] = {}
        self._inside: dict[int | None, list[RehearsedCall]] = defaultdict(list)  # by block
        self._futures: dict[int, TaskFuture[Any]] = {}  # held, so that their values can be told
        self._waited: dict[int, dict[int | None, int]] = {}
        self.checkpoints: list[Checkpoint] = []
        self._site: tuple[CodeType | None, int] = (None, 0)

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
        """Take a call, as any run, and take note of it."""
        block = SCOPE.get().block
        if block is not None and self.owner(block) is None:
            rehearsal = self.rehearsal_around(block)  # first: what is rehearsed is not called here
            if rehearsal is not None:
                return rehearsal.call(definition, lane, args, kwargs, code, at, after)
        if len(self._calls) >= self.max_tasks:
            raise TooManyTasks(definition.name, self.max_tasks, place_in(code, at))
        self._site = code, at
        number = self.last = self.last + 1
        try:
            dependencies, args, kwargs = self._taken(args, kwargs)
            order = self._taken((all_awaited(after),), {})[0] if after else []
            future = self._call_as(number, definition, lane, args, kwargs, code, at, order)
        except arguments.Lazy as lazy:
            self.wiring.call_off_after(number)
            raise lazy_argument(definition, args, kwargs, lazy) from None
        except BaseException:
            self.wiring.call_off_after(number)
            raise
        self._note(future, args, kwargs, dependencies, order)
        return future

    def _call_as(self, number: int, *call: Any) -> TaskFuture[Any]:
        """Make a call that has a number already, so that what was adopted for it came after it."""
        last, self.last, self.last_site = self.last, number - 1, None
        try:
            return super().call(*call)
        finally:
            self.last, self.last_site = max(last, self.last), None

    def _taken(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[list[Any], tuple[Any, ...], Mapping[str, Any]]:
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

    def own(self, future: TaskFuture[Any]) -> TaskFuture[Any]:
        """What stands for a future here."""
        return future

    def _note(
        self,
        future: TaskFuture[Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        dependencies: Sequence[Any],
        after: Sequence[Any],
    ) -> None:
        definition = future.definition
        call = self._noted(future, definition.kind, definition.fn, args, kwargs)
        call.checkpoint = checkpoint_of(future.id, SCOPE.get().block, self._futures, self.checkpoints)
        call.dependencies = tuple(each.id for each in dependencies)
        call.after = tuple(each.id for each in after)
        lane = self._real.lane_for(definition)
        call.place = lane.place
        call.needs_pickle = bool(getattr(self._real.behind.get(lane), "needs_pickle", False))
        if future.files is not None:
            files = declared(args, kwargs)
            call.inputs, call.outputs = files.inputs, files.outputs
            call.folder = str(future.files.folder)

    def adopted(self, future: TaskFuture[Any], kind: str = "awaitable") -> None:
        """Take note of something that others do."""
        future.site = future.site.changed(code=self._site[0], at=self._site[1])
        self._noted(future, kind, future.definition.fn, (), {})

    def _noted(
        self,
        future: TaskFuture[Any],
        kind: str,
        fn: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> RehearsedCall:
        definition, owner = future.definition, future.owner
        future.__class__ = RehearsedFuture
        call = RehearsedCall(
            id=future.id,
            name=definition.name,
            kind=kind,
            fn=fn,
            args=args,
            kwargs=kwargs,
            called_at="",
            block=owner.id if owner is not None and owner.id in self._calls else None,
            place=self._real.foreign.place,
            needs_pickle=False,
            returns=definition.returns,
            example=definition.options.example,
            expected=definition.options.expected,
        )
        self._calls[future.id] = call
        self._inside[call.block].append(call)
        self._futures[future.id] = future
        return call

    def renamed(self, future: TaskFuture[Any]) -> None:
        """Take note that a future's name has changed since."""
        self._calls[future.id].name = future.name

    # -- what becomes of them -----------------------------------------------------------------------------

    def gives_no_command(self, task: Task) -> bool:
        """Whether the function of an executable task gave no command, and nothing stands in for its result."""
        failed = commands.ask(task) if task.definition.is_command else None
        return failed is not None and not self._has_no_command(task, failed)

    def _has_no_command(self, task: Task, failed: commands.Failed) -> bool:
        """The function of an executable task gives no command.

        Returns:
            Whether to go on with what stands in for its result.
        """
        told = self._told_of(task, failed)
        if isinstance(told, Finding):
            self.dispatch.not_submitted(task, failed.error)
            return False
        self.decided.note(told)
        return True

    def _told_of(self, task: Task, failed: commands.Failed) -> Finding | str:
        """What is wrong with a command, in words; a finding if it is so for sure, and not for what stands in."""
        noted = self._calls.get(task.id)
        is_real = noted is not None and not noted.dependencies and noted.checkpoint is None
        calls = self._inside[noted.block] if noted is not None else []
        for call in calls:
            site = self._futures[call.id].site
            call.code, call.at = site.code, site.at
        return findings.of_command(task, failed, calls, self._value_of, is_real=is_real)

    def _value_of(self, call: RehearsedCall) -> Any:
        future = self._futures[call.id]
        return asyncio.Future.result(future) if has_value(future) else ...

    def used(self, future: TaskFuture[Any], *, waited: bool = False) -> None:
        """Somebody has use for a result.

        Args:
            future: of it.
            waited: whether their code goes on after it only.
        """
        call = self._calls.get(future.id)
        if call is not None and self._futures[future.id] is future:
            call.is_used = True
            if waited:
                waits_for(SCOPE.get().block, future.id)
                block = self.owner(SCOPE.get().block)
                inside = block.id if block is not None and block.id in self._calls else None
                self._waited.setdefault(future.id, {}).setdefault(inside, self.last)

    def misused(self, future: TaskFuture[Any], error: TypeError) -> None:
        """A future was taken for its value, which any run refuses.

        Args:
            future: that was.
            error: the refusal.
        """
        raise error

    def returned(self, block: Task, value: Any) -> None:
        """The body of a block has returned.

        Args:
            block: which.
            value: what it returned, with or without futures.
        """
        call = self._calls.get(block.id)
        if call is not None:
            call.returned = value

    def task_of(self, value: Any) -> int | None:
        """The number of the task whose future a value is; None if it is none."""
        if isinstance(value, TaskFuture) and value._run is self:
            return value.id
        return None

    def calls(self) -> list[RehearsedCall]:
        """All calls so far, in the order of their numbers, and with them "outputs"."""
        for number, future in self._futures.items():
            call = self._calls[number]
            call.called_at = called_at(future)
            call.code, call.at = future.site.code, future.site.at
            if has_value(future):
                call.value = asyncio.Future.result(future)
        reads_of_all(self._calls, self._files_of, self._waited)
        return [self._calls[number] for number in sorted(self._calls)]

    def is_over(self, first: int, then: int) -> bool:
        """Whether a task is over when a later one begins: because that waits for it, or code did before it called.

        Args:
            first: number of the task.
            then: number of the later one.
        """
        return Order(self._calls, self._waited).is_before(first, self._calls[then])

    def _lacked(self, origin: str, cls: type, asked: str, code: CodeType, instruction: int) -> None:
        if len(self.lacks) < _LACKS:
            self.lacks.append(Lack(origin, cls, asked, place_in(code, instruction)))

    def _files_of(self, number: int) -> TaskFiles | None:
        files: TaskFiles | None = self._futures[number].files
        return files

    def forget(self) -> None:
        """Let go of what was noted, once it has been told: the futures and their run would hold each other."""
        self._calls.clear()
        self._inside.clear()
        self._futures.clear()
        self._waited.clear()
        self.checkpoints.clear()

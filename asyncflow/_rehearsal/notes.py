"""What a dry run takes note of: each call as it was made, who has use for its value, what code has waited for."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from itertools import count
from types import CodeType
from typing import TYPE_CHECKING, Any, Final

from .._core.files import declared
from .._core.joins import KIND as JOIN
from .._core.limits import Limit
from .._core.story import called_at, place_in
from .._core.task import Definition, Task
from .._files.task_files import TaskFiles
from .._record.stream_log import StreamLog
from .._runtime.call import Call
from .._runtime.future import TaskFuture
from .._runtime.places import Places
from .._runtime.scope import SCOPE
from .._stand_ins.opaque import StandIn
from ..plan.rehearsed import Lack, RehearsedCall
from ..plan.streams import PlannedStream
from ..plan.tasks import PlannedLimit
from .checkpoints import Checkpoint, checkpoint_of, waits_for
from .files import Order, reads_of_all
from .future import RehearsedFuture, has_value

if TYPE_CHECKING:
    from .dry_run import DryRun

_LACKS: Final = 10_000  # that are remembered


class Notes:
    """The notes of one dry run.

    Args:
        run: the dry run.
        real: where tasks would run if they did.
    """

    def __init__(self, run: DryRun, real: Places) -> None:
        self._run = run
        self._real = real
        self.by_id: dict[int, RehearsedCall] = {}
        self._inside: dict[int | None, list[RehearsedCall]] = defaultdict(list)  # by block
        self._futures: dict[int, TaskFuture[object]] = {}  # held, so that their values can be told
        self._waited: dict[int, dict[int | None, int]] = {}
        self.checkpoints: list[Checkpoint] = []
        self._limits: dict[str, Limit] = {}
        self._streams: list[StreamLog] = []
        self.lacks: list[Lack] = []
        self.site: tuple[CodeType | None, int] = (None, 0)
        """Of the call that is being made, to which what is adopted belongs."""

    # -- taken note of while the run goes on --------------------------------------------------------------

    def check(self, definition: Definition) -> None:
        """Refuse calls of a task that needs what a run would not have.

        Raises:
            LookupError: a limit that there is not.
            ValueError: more of a limit than there will ever be.
        """
        self._real.lane_for(definition)

    def called(self, future: TaskFuture[object], given: Call, dependencies: Sequence[Any]) -> None:
        """A call was made; its arguments and what it waits for are of this run."""
        definition = given.definition
        call = self._noted(future, definition.kind, definition.fn, given.args, given.kwargs)
        call.checkpoint = checkpoint_of(future.id, SCOPE.get().block, self._futures, self.checkpoints)
        call.dependencies = tuple(each.id for each in dependencies)
        call.after = tuple(each.id for each in given.after)
        lane = self._real.lane_for(definition)
        call.place = lane.place
        options = definition.options
        call.retries, call.deadline = options.retries, options.deadline
        call.limits = self._weights(definition)
        call.max_concurrent = None if options.max_concurrent is None else int(options.max_concurrent.most())
        around = None if call.block is None else self.by_id[call.block]
        call.priority = (around.priority if around else 0.0) if options.priority is None else options.priority
        call.needs_pickle = bool(getattr(self._real.behind.get(lane), "needs_pickle", False))
        if future.files is not None:
            files = declared(given.args, given.kwargs)
            call.inputs, call.outputs = files.inputs, files.outputs
            call.folder = str(future.files.folder)

    def refused(
        self, future: TaskFuture[object], given: Call, dependencies: Sequence[Any], after: Sequence[Any]
    ) -> None:
        """A call was made in place of one that a run would have refused, which is what it is to look like."""
        call = self.by_id[future.id]
        call.args, call.kwargs, call.is_refused = given.args, given.kwargs, True
        call.example = given.definition.options.example
        call.dependencies = tuple(each.id for each in dependencies)
        call.after = tuple(each.id for each in after)
        lane = self._real.lane_in_the_end(given.definition)  # it may name a limit that there is not
        call.place = lane.place

    def joined(self, future: TaskFuture[object], sources: Sequence[TaskFuture[object]]) -> None:
        """A future was made that goes by how others end."""
        call = self._noted(future, JOIN, future.definition.fn, tuple(sources), {})
        call.dependencies = tuple(each.id for each in sources)

    def adopted(self, future: TaskFuture[object]) -> None:
        """Something that others do was made a node of the graph."""
        future.site = future.site.changed(code=self.site[0], at=self.site[1])
        self._noted(future, "awaitable", future.definition.fn, (), {})

    def _weights(self, definition: Definition) -> tuple[tuple[str, float | None], ...]:
        """Limits and amounts that a task needs, by name, each with how much; None for what cannot be told yet."""
        weights = (definition.options.limits or {}).items()
        return (
            *(
                (self._name_of(limit), None if callable(weight) else float(weight))
                for limit, weight in weights
            ),
            *((self._name_of(amount), much) for amount, much in definition.wanted.at_first()),
        )

    def _name_of(self, limit: Limit | str) -> str:
        """What a limit is called in the plan: its name, of which there may be several."""
        known = self._real.limit(limit) if isinstance(limit, str) else limit
        if known is None:  # which is a finding
            return str(limit)
        name = known.name
        for number in count(2):
            if self._limits.setdefault(name, known) is known:
                break
            name = f"{known.name} ({number})"
        return name

    def limits(self) -> list[PlannedLimit]:
        """The limits that were named, as they are now."""
        return [
            PlannedLimit(name, limit.concurrency, limit.rate, limit.per, limit.burst)
            for name, limit in sorted(self._limits.items())
        ]

    def stream_began(self, log: StreamLog) -> None:
        """Somebody has begun to read a stream."""
        log.tasks = []
        self._streams.append(log)

    def stands_in(self, value: object) -> bool:
        """Whether a value is what stands in for that of a task, of whose length nothing is known."""
        return isinstance(value, StandIn) or any(
            asyncio.Future.result(future) is value for future in self._futures.values() if has_value(future)
        )

    def streams(self) -> list[PlannedStream]:
        """The streams that were read, with their items, as far as these are of this run."""
        return [
            PlannedStream(
                log.name,
                place_in(log.code, log.at),
                tuple(log.tasks or ()),
                log.total if log.total is None else max(log.total, len(log.tasks or ())),
                log.window,
                log.ordered,
                log.block if log.block in self.by_id else None,
            )
            for log in self._streams
        ]

    def _noted(
        self, future: TaskFuture[object], kind: str, fn: Any, args: tuple[object, ...], kwargs: Any
    ) -> RehearsedCall:
        definition, owner = future.definition, future.owner
        if definition.options.detached:
            owner = self._run.scheduler.owner(SCOPE.get().block)
        future.__class__ = RehearsedFuture
        call = RehearsedCall(
            id=future.id,
            name=definition.name,
            kind=kind,
            fn=fn,
            args=args,
            kwargs=kwargs,
            called_at="",
            block=owner.id if owner is not None and owner.id in self.by_id else None,
            place=self._real.foreign.place,
            needs_pickle=False,
            returns=definition.returns,
            example=definition.options.example,
            expected=definition.options.expected,
            detached=definition.options.detached,
            on_failure="stop" if definition.stops else "continue",
        )
        self.by_id[future.id] = call
        self._inside[call.block].append(call)
        self._futures[future.id] = future
        return call

    def renamed(self, future: TaskFuture[object]) -> None:
        """A future's name has changed."""
        self.by_id[future.id].name = future.name

    def used(self, future: TaskFuture[object], waited: bool) -> None:
        """Somebody has use for a result; `waited` if their code goes on after it only."""
        call = self.by_id.get(future.id)
        if call is None or self._futures[future.id] is not future:
            return
        call.is_used = True
        if waited:
            waits_for(SCOPE.get().block, future.id)
            block = self._run.scheduler.owner(SCOPE.get().block)
            inside = block.id if block is not None and block.id in self.by_id else None
            self._waited.setdefault(future.id, {}).setdefault(inside, self._run.burst.last)

    def returned(self, block: Task, value: object) -> None:
        """The body of a block has returned a value, with or without futures."""
        call = self.by_id.get(block.id)
        if call is not None:
            call.returned = value

    def lacked(self, origin: str, cls: type, asked: str, code: CodeType, instruction: int) -> None:
        """Code has asked a result for what its class has not; as `NoopBackend` tells it."""
        if len(self.lacks) < _LACKS:
            self.lacks.append(Lack(origin, cls, asked, place_in(code, instruction)))

    # -- told ---------------------------------------------------------------------------------------------

    def beside(self, task: Task) -> list[RehearsedCall]:
        """All calls until now in the block that a task was called in; none if the task was not noted."""
        call = self.by_id.get(task.id)
        return [] if call is None else self.inside(call.block)

    def inside(self, block: int | None) -> list[RehearsedCall]:
        """All calls until now in a block, or outside of all."""
        for call in self._inside[block]:
            site = self._futures[call.id].site
            call.code, call.at = site.code, site.at
        return self._inside[block]

    def value_of(self, call: RehearsedCall) -> object:
        """What stands in for a call's value; `...` if there is none yet."""
        future = self._futures[call.id]
        return asyncio.Future.result(future) if has_value(future) else ...

    def task_of(self, value: object) -> int | None:
        """The number of the task whose future a value is; None if it is none."""
        if isinstance(value, TaskFuture) and value._run is self._run:
            return value.id
        return None

    def calls(self) -> list[RehearsedCall]:
        """All calls so far, in the order of their numbers, and with them "outputs"."""
        for number, future in self._futures.items():
            call = self.by_id[number]
            call.called_at = called_at(future)
            call.code, call.at = future.site.code, future.site.at
            if has_value(future):
                call.value = asyncio.Future.result(future)
        reads_of_all(self.by_id, self._files_of, self._waited)
        return [self.by_id[number] for number in sorted(self.by_id)]

    def _files_of(self, number: int) -> TaskFiles | None:
        files: TaskFiles | None = self._futures[number].files
        return files

    def is_over(self, first: int, then: int) -> bool:
        """Whether a task is over when a later one begins: because that waits for it, or code did before it called."""
        return Order(self.by_id, self._waited).is_before(first, self.by_id[then])

    def forget(self) -> None:
        """Let go of it all, once it has been told: the futures and their run would hold each other."""
        self.by_id.clear()
        self._inside.clear()
        self._futures.clear()
        self._waited.clear()
        self.checkpoints.clear()
        self._limits.clear()
        self._streams.clear()

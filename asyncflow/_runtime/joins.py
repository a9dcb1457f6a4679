"""Makes joins and gives them their values: futures that go by how others end, as ``outcome(future)`` does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from copy import copy
from time import perf_counter
from types import CodeType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .._causes import Cause
from .._core import joins
from .._core.dependents import end_of
from .._core.joins import KIND, Join
from .._core.kept import has_value
from .._core.lanes import Lane
from .._core.outcome import Outcome
from .._core.scheduler import Scheduler
from .._core.states import NOW, PENDING, SKIPPED, SUCCEEDED, State, state_of
from .._core.task import CallSite, Definition, Task
from .._record.record import Record
from ..errors import EngineClosed
from . import inputs
from .burst import Burst
from .future import TaskFuture
from .scope import SCOPE
from .steps import Steps
from .wiring import Wiring

if TYPE_CHECKING:
    from .home import Home

_set_result: Final = asyncio.Future.set_result


class How(NamedTuple):
    """How a join goes by its sources.

    Args:
        name: of its future, for people.
        value_of: gives its value, once it is decided.
        needed: how many of the sources have to give a value; None to wait for the end of all.
        takes_failures: whether it has a value though one of them fails.
    """

    name: str
    value_of: Callable[[Task, Join], object]
    needed: int | None = None
    takes_failures: bool = True


class NoValue(Exception):
    """A join has none.

    Args:
        cause: why.
    """

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause)
        self.cause = cause


class Joins:
    """The joins of one run.

    Args:
        run: as the sites of its calls name it.
        steps: the run loop.
        burst: the calls since the event loop had its turn.
        scheduler: decides them.
        wiring: refuses what cannot be waited for.
        lane: where blocks run.
        record: where they are recorded; None where nothing is.
        waits_for_all: whether nothing is decided by what comes first, and nothing is cancelled, as in a dry run.
    """

    def __init__(
        self,
        run: Home,
        steps: Steps,
        burst: Burst,
        scheduler: Scheduler,
        wiring: Wiring,
        lane: Lane,
        record: Record | None,
        *,
        waits_for_all: bool,
    ) -> None:
        self._run = run
        self._steps = steps
        self._burst = burst
        self._scheduler = scheduler
        self._wiring = wiring
        self._lane = lane
        self.record = record
        self._waits_for_all = waits_for_all
        self.made = 0
        """How many there were; each has a number as a task has."""

    def make(
        self, sources: Sequence[TaskFuture[object]], how: How, code: CodeType | None, at: int
    ) -> TaskFuture[object]:
        """A future that goes by how others end.

        Args:
            sources: of this run.
            how: it goes by them.
            code: that asks for it.
            at: the instruction in it.

        Raises:
            ForeignFuture: a source is of another engine, or of an earlier run.
            CircularDependency: it would wait for the block in which it is asked for.
            EngineClosed: the engine was shut down before the sources had ended.
        """
        run, burst, scheduler, scope = self._run, self._burst, self._scheduler, SCOPE.get()
        if run.closed is not None and not all(map(asyncio.Future.done, sources)):
            raise EngineClosed(f"{how.name!r} was asked for, but {run.closed}")
        owner = scheduler.owner(scope.block)
        definition, workflow = Definition(how.value_of, KIND, name=how.name), scope.workflow_of(run.engine)
        site = CallSite(definition, self._lane, run, workflow, code, at)
        task: TaskFuture[object] = TaskFuture(loop=run.loop)
        task.set_up(burst.last + 1, site, tuple(sources), {}, None, owner)
        task.holes = True
        self._wiring.check(sources, task, owner)
        burst.last += 1
        burst.site = None
        self.made += 1
        self._noted(task, sources)
        if self.record is not None:
            self.record.turn(task.id, site, owner, perf_counter())
            self.record.alias(task.id, tuple(each.id for each in sources), is_optional=True)
        needed = None if self._waits_for_all else how.needed
        joins.called(scheduler, task, Join(sources, needed, takes_failures=how.takes_failures))
        if task in scheduler.returned and not scheduler.ended and not scheduler.telling:
            scheduler.returned.remove(task)
            self.resolve(task)
        self._steps.flush_soon()
        return task

    def _noted(self, task: TaskFuture[object], sources: Sequence[TaskFuture[object]]) -> None:
        """In a dry run it is taken note of."""

    def resolve(self, task: Any) -> None:
        """Give a join its value, or its end without one: it is decided, and its sources have their ends."""
        if task.story & NOW != PENDING:
            return  # cancelled meanwhile
        join: Join = task.rare.join
        try:
            value = task.definition.fn(task, join)
        except NoValue as bad:
            self._scheduler.without_value(task, bad.cause)
            return  # `over` follows when its future has its end
        if not task.done():  # else a step was cut short here
            _set_result(task, value)
        joins.succeeded(self._scheduler, task)
        self.over(task, join)

    def over(self, task: Task, join: Join) -> None:
        """A join is over, however: what it needs no more is cancelled, and what it held is let go."""
        assert task.rare is not None
        task.rare.join = None
        if join.needed is not None:
            for source in join.sources:
                future: Any = source
                if future.story & NOW < SUCCEEDED and not future.done() and future.cause is None:
                    future.cancel(f"{task.name!r} (#{task.id}) does not need it any more")


# -- how they go by their sources -------------------------------------------------------------------------


def outcome_of(task: Task, join: Join) -> Outcome[Any]:
    """How the only source has ended, whatever that is."""
    source: Any = join.sources[0]
    if source.kept is not None:
        lost = source.kept.cause
        if lost is None:
            return Outcome(source.kept.value, None, State.SUCCEEDED)
        return Outcome(None, lost.error or asyncio.CancelledError(), State.FAILED)
    try:
        error = asyncio.Future.exception(source)
    except asyncio.CancelledError as cancelled:
        error = cancelled.with_traceback(None)
    value = asyncio.Future.result(source) if error is None else None
    return Outcome(value, error, state_of(source.story))


def optional_of(default: object, task: Task, join: Join) -> object:
    """The value of the only source, or a default if that was skipped."""
    source: Any = join.sources[0]
    if source.cause is None:
        return inputs.value_here(source)
    if end_of(source) == SKIPPED:
        return default
    cause = copy(source.cause)
    cause.passed_on = False  # by the source it is; by the join, if somebody depends on that
    raise NoValue(cause)


def first_of(task: Task, join: Join) -> object:
    """The value of the first source that has given one."""
    return first_few_of(1, task, join)[0]


def first_few_of(needed: int, task: Task, join: Join) -> list[Any]:
    """The values of those that have given one first, in the order of the sources."""
    first: Any = join.first or [each for each in join.sources if has_value(each)][:needed]
    if len(first) == needed:
        return [inputs.value_here(each) for each in first]
    bad = {each.id: each.cause for each in join.sources if each.cause is not None}
    raise NoValue(Cause(task.id, task.name, 0, None, tuple(bad[number] for number in sorted(bad))))

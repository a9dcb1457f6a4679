"""A dry run of one target, beside whatever its engine really runs.

The target runs inside of a block that belongs to the rehearsal, and so does all that it begins: that is how calls find
here. What a run would refuse is noted as a fault, and something stands in for its value, so that all faults are found
at once. What is wrong in words is decided in `faults.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from threading import get_ident
from types import CodeType
from typing import Any, Final, cast

from ..._core import arguments
from ..._core.rehearsed import Fault, Rehearsed
from ..._core.states import CANCELLING, NOW
from ..._core.story import place_in
from ..._core.task import Definition, Lane, Task
from ...backend import ExecutionBackend
from ...errors import EngineClosed, ForeignFuture, TooManyTasks, WrongLoop
from .. import inputs, lifecycle
from ..future import TaskFuture
from ..places import Places
from ..run import Run
from ..scope import SCOPE, waits_for
from ..unseen import Unseen
from . import faults
from .decided import NUMBERED
from .dry_run import DryRun

_OVER: Final = "was called by something that a rehearsal (engine.plan) had begun, and the rehearsal is over"


class Enough(BaseException):
    """Ends code that calls tasks without end. No Exception: a loop may catch those, and go on."""


class Rehearsal(DryRun):
    """One rehearsal.

    Args:
        engine: what all runs of the engine have in common.
        beside: the run of the engine that goes on meanwhile, whose futures may be depended on.
        another: makes a rehearsal like this for another engine, given what its runs have in common.
        backends: as of a dry run; and so on.
    """

    is_rehearsal = True

    def __init__(
        self,
        engine: Any,
        beside: Run | None,
        another: Callable[[Any], Rehearsal],
        backends: Mapping[str, ExecutionBackend],
        *,
        real: Places,
        max_tasks: int,
        implicit_data: bool,
        grace: float,
    ) -> None:
        super().__init__(backends, real=real, max_tasks=max_tasks, implicit_data=implicit_data, grace=grace)
        self._engine = engine
        self._beside = beside
        self._another = another
        self.together: list[Rehearsal] = [self]  # with those of other engines whose tasks the target calls
        self.faults: list[Fault] = []
        self._told: set[str] = set()
        self.interrupt: BaseException | None = None
        self._stand_ins: dict[TaskFuture[Any], TaskFuture[Any]] = {}
        self.site: tuple[CodeType | None, int] = (None, 0)
        self.starting = self.loop.create_task(lifecycle.start(self), context=self._context)
        self._is_shut_down = False
        self._has_enough = False
        self._is_forgotten = False
        self.unseen = cast(Unseen, _Unseen())

    @property
    def engine(self) -> Any:
        """As of the engine's own runs."""
        return self._engine

    def rehearses(self, engine: Any) -> Run | None:
        """This, or the rehearsal for another engine: of that nothing is to run either."""
        for each in self.together:
            if each.engine is engine:
                return each
        if self.closed is not None:
            return self  # which takes no call any more
        other = self._another(engine)
        other.together, other.faults, other.site = self.together, self.faults, self.site
        other._told = self._told
        other.decided, other.hands.decided = self.decided, self.decided.take
        self.together.append(other)
        return other

    def rehearsal_around(self, block: Any) -> Run | None:
        """None: calls that come here are meant to."""
        return None

    # -- the target ---------------------------------------------------------------------------------------

    def begin(self, body: Callable[[], Any], name: str, site: CodeType, site_at: int) -> TaskFuture[Any]:
        """Run the target, as a block that is no part of the plan.

        Args:
            body: calls it.
            name: of it.
            site: the code that asked for the rehearsal.
            site_at: where in it.
        """
        self.site = site, site_at
        definition = Definition(body, name, is_block=True, is_coroutine=True)
        return self._call_as(0, definition, self.lane_for(definition), (), {}, site, site_at)

    async def shut_down(self) -> None:
        """What the target does with ``async with engine``: wait until all that it has called is over."""
        if self.owner(SCOPE.get().block) is not self.scheduler.live.get(0):
            raise RuntimeError(
                "shutdown() inside a task would wait for itself; call it where the engine was started"
            )
        while waiting := [each for each in self.scheduler.live.values() if each.id]:
            for each in waiting:
                await self.settled(each)  # not the future itself: nobody uses a result by this
        self._is_shut_down = True

    def started(self) -> None:
        """The target has started the engine, perhaps again."""
        self._is_shut_down = False

    # -- calls --------------------------------------------------------------------------------------------

    def call(
        self,
        definition: Definition,
        lane: Lane,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        site: CodeType | None,
        site_at: int,
        after: Sequence[Any] = (),
    ) -> TaskFuture[Any]:
        """Take a call that was made inside of the target."""
        if self.closed is not None:
            raise EngineClosed(f"{definition.name!r} {_OVER}")
        if get_ident() != self.thread:  # whose code came along with its context
            raise WrongLoop(f"{definition.name!r} was called on another event loop than the engine's.")
        try:
            if self._is_shut_down:
                raise EngineClosed(
                    f"{definition.name!r} was called, but the engine has been shut down.\n"
                    "  Start it again:  async with engine: ..."
                )
            return super().call(definition, self.lane_for(definition), args, kwargs, site, site_at, after)
        except TooManyTasks as error:
            if not self._has_enough:
                self._has_enough = True
                where = place_in(*faults.users_site(site, site_at, self.site))
                self.found(faults.endless(error.name, error.most, where))
            raise Enough from None
        except Exception as error:
            return self.refused(definition, args, kwargs, site, site_at, error, after)

    def refused(
        self,
        definition: Definition,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        site: CodeType | None,
        site_at: int,
        error: Exception,
        after: Sequence[Any] = (),
    ) -> TaskFuture[Any]:
        """A run would have raised an error instead of taking a call: take note of that, and go on.

        Args:
            definition: what was called.
            args: positional arguments.
            kwargs: keyword arguments.
            site: the code that makes the call.
            site_at: the instruction of the call in it.
            error: what a run would have raised.
            after: futures to wait for and not to be passed.
        """
        given = self._futures_in([*args, *kwargs.values()])
        futures, order = self._usable(given), self._usable(self._futures_in(list(after)))
        for each in given:
            if isinstance(each._run, DryRun):  # perhaps of another engine
                each._run.used(each)
        ends = (*[each.name for each in given], definition.name)
        site, site_at = faults.users_site(site, site_at, self.site)
        self.found(faults.of_call(error, place_in(site, site_at), ends))
        alone = copy(definition)
        alone.is_block, alone.command, alone.timeout, alone.ends_plainly = False, None, None, True
        if callable(alone.example):
            alone.example = ...
        future = DryRun.call(self, alone, self.lane_for(alone), (), {}, site, site_at)
        call = self._calls[future.id]
        call.args, call.kwargs, call.example, call.is_refused = args, kwargs, definition.example, True
        call.dependencies = tuple(each.id for each in futures)
        call.after = tuple(each.id for each in order)
        lane = self._real.lane_for(definition)
        call.place = lane.place
        return future

    def misnamed(self, name: str, error: Exception) -> None:
        """An option of a task names something that is not there: take note of that, and go on without it.

        Args:
            name: of the task.
            error: what would have been raised.
        """
        site = faults.users_site(*faults.HERE, self.site)
        self.found(faults.of_call(error, place_in(*site), (name,)))

    def used(self, future: TaskFuture[Any], *, waited: bool = False) -> None:
        """Somebody has use for a result: somebody in a rehearsal, or they would go on with a value that is none.

        Raises:
            ForeignFuture: the rehearsal is over, and the future was kept, as in a cache.
        """
        if waited and self._is_forgotten:
            block: Any = SCOPE.get().block
            if block is None or not block._run.is_rehearsal:
                raise ForeignFuture(
                    f"{future!r} is of a rehearsal (engine.plan), which is over: no value stands behind it.\n"
                    f"  Keep no futures from one run to the next, as in a cache: call {future.name}(...) anew"
                )
        super().used(future, waited=waited)

    def forget(self) -> None:
        """As of any dry run; from now on nobody can take what stands in for real values."""
        self._is_forgotten = True
        super().forget()

    def _futures_in(self, value: Any) -> list[TaskFuture[Any]]:
        try:
            return arguments.scan_value(value, inputs.KINDS, self.wiring.adopt)[0]
        except Exception:
            return []  # that is what was wrong

    def _usable(self, futures: list[TaskFuture[Any]]) -> list[TaskFuture[Any]]:
        """Those of them that what is called here may depend on."""
        inside = self.owner(SCOPE.get().block)
        return [
            own
            for own in map(self.own, futures)
            if own._run is self
            and own.id in self._calls
            and (inside is None or own.done() or not waits_for(inside, own))
        ]

    def own(self, future: TaskFuture[Any]) -> TaskFuture[Any]:
        """Of a future that the engine really runs, or another rehearsal of it: something that stands in for it here."""
        run = future._run
        if run is self or not (run is self._beside or (run.is_rehearsal and run.engine is self._engine)):
            return future
        known = self._stand_ins.get(future)
        if known is None:
            known = self._stand_ins[future] = self._stand_in_for(future)
        return known

    def _stand_in_for(self, future: TaskFuture[Any]) -> TaskFuture[Any]:
        if future.done() and not future.cancelled() and asyncio.Future.exception(future) is None:
            value = asyncio.Future.result(future)
        else:
            value = self.hands.stand_in(future)
        given: asyncio.Future[Any] = self.loop.create_future()
        given.set_result(value)
        own = self.wiring.adopt(given)
        own.definition = Definition(type(future), future.name)
        self._calls[own.id].name = future.name
        return own

    # -- what goes wrong ----------------------------------------------------------------------------------

    def was_dropped(self, coroutine: Any) -> bool:
        """Take note of a coroutine that was never awaited, if it was dropped inside of the target."""
        block: Any = SCOPE.get().block
        if block is None or block._run not in self.together:
            return False
        if not self._has_enough and self.closed is None:  # else whoever was to await it was stopped
            self.found(faults.dropped(coroutine))
        return True

    def lacks_output(self, name: str, error: KeyError) -> None:
        """Take note of an output that a task does not declare."""
        where = place_in(*faults.users_site(*faults.HERE, self.site))
        self.found(faults.of_call(error, where, (name,)))

    def found(self, fault: Fault) -> None:
        """Take note of something that is wrong; of what is wrong again and again, once."""
        told = NUMBERED.sub("", f"{fault.where} {fault.what}")
        if told not in self._told:
            self._told.add(told)
            self.faults.append(fault)

    def _failed(self, task: Any, error: BaseException) -> None:
        """A block, or what stands in for a task, has raised something: tell of it, and let something stand in."""
        if task.story & NOW == CANCELLING:
            super()._failed(task, error)
            return
        if isinstance(error, KeyboardInterrupt):
            self.interrupt = error
        elif not isinstance(error, Enough):
            self._blame(task, error)
        self._timeouts.disarm(task)
        task.set_result(None if task.id == 0 else self.hands.stand_in(task))
        self.scheduler.succeeded(task)

    def _expired(self, task: Task) -> None:
        """A block takes longer than it may: that says nothing of the real one, in which tasks take time."""

    def _blame(self, task: Task, error: BaseException) -> None:
        fault = faults.of_code(task, error, self._inside[task.id or None], self._value_of)
        if isinstance(fault, Fault):
            self.found(fault)
        else:
            self.decided.note(fault)

    def _value_of(self, call: Rehearsed) -> Any:
        future = self._futures[call.id]
        if not future.done() or future.cancelled() or asyncio.Future.exception(future) is not None:
            return ...
        return asyncio.Future.result(future)


class _Unseen:
    """Nobody is told of failures in a rehearsal but by its faults."""

    def watch(self, future: TaskFuture[Any]) -> None:
        future._log_traceback = False

    def dropped(self, future: TaskFuture[Any]) -> None:
        pass

    def tell(self) -> None:
        pass

"""A dry run of one target, beside whatever its engine really runs.

The target runs inside of a block that belongs to the rehearsal, and so does all that it begins: that is how calls find
here. Owns the life of the target, and which engines are rehearsed with its own. What is wrong is
`forgiving.py`'s; what stands in for futures of the real run is `borrowed.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context
from threading import get_ident
from types import CodeType
from typing import Any, Final

from .._core.task import Definition, Task
from .._runtime import lifecycle
from .._runtime.call import Call
from .._runtime.future import TaskFuture
from .._runtime.run import Run
from .._runtime.scope import SCOPE
from ..backend import ExecutionBackend
from ..errors import EngineClosed, ForeignFuture, TooManyTasks, WrongLoop
from ..plan.tasks import Finding
from . import findings
from .borrowed import Borrowed
from .dry_run import DryRun
from .forgiving import Forgiving, ForgivingFailures, Untimed, Unwatched

_OVER: Final = "was called by something that a rehearsal (engine.plan) had begun, and the rehearsal is over"


class Rehearsal(DryRun):
    """One rehearsal.

    Args:
        engine: what all runs of the engine have in common.
        beside: the run of the engine that goes on meanwhile, whose futures may be depended on.
        another: makes a rehearsal like this for another engine, given what its runs have in common.
        backends: as of a dry run; and so on.
    """

    is_rehearsal = True
    keeps_time = False
    Failures = ForgivingFailures
    Timeouts = Untimed
    Unseen = Unwatched
    failures: ForgivingFailures

    def __init__(
        self,
        engine: object,
        beside: Run | None,
        another: Callable[[Any], Rehearsal],
        backends: Mapping[str, ExecutionBackend],
        **options: Any,
    ) -> None:
        self._engine = engine
        super().__init__(backends, **options)
        self.forgiving = Forgiving(self)
        self.failures.forgiving = self.forgiving
        self._beside = beside
        self._another = another
        self.together: list[Rehearsal] = [self]  # with those of other engines whose tasks the target calls
        self._borrowed = Borrowed(self)
        self.starting = self.loop.create_task(lifecycle.start(self), context=Context())
        self._is_shut_down = False
        self._is_forgotten = False
        self.twins: dict[object, Any] = {}
        """Of what is the engine's and not to be touched by a rehearsal, by that, one that is rehearsed in its place."""

    @property
    def engine(self) -> object:
        """As of the engine's own runs."""
        return self._engine

    def rehearses(self, engine: object) -> Run | None:
        """This, or the rehearsal for another engine: of that nothing is to run either."""
        for each in self.together:
            if each.engine is engine:
                return each
        if self.closed is not None:
            return self  # which takes no call any more
        other = self._another(engine)
        other.together = self.together
        other.forgiving.found, other.forgiving.site = self.forgiving.found, self.forgiving.site
        other.decided, other.noop.decided = self.decided, self.decided.take
        self.together.append(other)
        return other

    def rehearsal_around(self, block: object) -> Run | None:
        """None: calls that come here are meant to."""
        return None

    # -- the target ---------------------------------------------------------------------------------------

    def begin(self, body: Callable[[], object], name: str, code: CodeType, at: int) -> TaskFuture[object]:
        """Run the target, as a block that is no part of the plan."""
        self.forgiving.site = code, at
        definition = Definition(body, "block", name=name, is_coroutine=True)
        return self.called_as(0, Call(definition, (), {}, code, at))

    async def shut_down(self) -> None:
        """What the target does with ``async with engine``: wait until all that it has called is over."""
        if self.scheduler.owner(SCOPE.get().block) is not self.scheduler.live.get(0):
            raise RuntimeError(
                "shutdown() inside a task would wait for itself; call it where the engine was started"
            )
        while waiting := [each for each in self.scheduler.live.values() if each.id]:
            for each in waiting:
                await self.stopping.settled(each)  # not the future itself: nobody uses a result by this
        self._is_shut_down = True

    def started(self) -> None:
        """The target has started the engine, perhaps again."""
        self._is_shut_down = False

    # -- calls --------------------------------------------------------------------------------------------

    def take(self, call: Call) -> TaskFuture[object]:
        """Take a call that was made inside of the target; one that a run would refuse, too."""
        name = call.definition.name
        if self.closed is not None:
            raise EngineClosed(f"{name!r} {_OVER}")
        if get_ident() != self.thread:  # whose code came along with its context
            raise WrongLoop(f"{name!r} was called on another event loop than the engine's.")
        try:
            if self._is_shut_down:
                raise EngineClosed(
                    f"{name!r} was called, but the engine has been shut down.\n"
                    "  Start it again:  async with engine: ..."
                )
            self.notes.check(call.definition)
            return super().take(call)
        except TooManyTasks as error:
            raise self.forgiving.too_many(call, error) from None
        except Exception as error:
            return self.forgiving.refused(call, error)

    def used(self, future: TaskFuture[object], *, waited: bool = False) -> None:
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
        self.twins.clear()
        super().forget()

    def own(self, future: TaskFuture[object]) -> TaskFuture[object]:
        """Of a future that the engine really runs, or another rehearsal of it: something that stands in for it here."""
        run = future._run
        is_borrowed = run is not self and (
            run is self._beside or (run.is_rehearsal and run.engine is self._engine)
        )
        return self._borrowed.own(future) if is_borrowed else future

    # -- what goes wrong ----------------------------------------------------------------------------------

    def has_no_command(self, task: Task, error: BaseException, finding: Finding) -> bool:
        """Take note of it, and let something stand in."""
        self.forgiving.found.take(finding)
        return False

    def misused(self, future: TaskFuture[object], error: TypeError) -> None:
        """Take note of a future that code has taken for its value."""
        self.forgiving.misused(future, error)

    def lacks_output(self, name: str, error: KeyError) -> None:
        """Take note of an output that a task does not declare."""
        self.forgiving.misnamed(name, error)

    def was_dropped(self, coroutine: Any) -> bool:
        """Take note of a coroutine that was never awaited, if it was dropped inside of the target."""
        block: Any = SCOPE.get().block
        if block is None or block._run not in self.together:
            return False
        if not self.forgiving.has_enough and self.closed is None:  # else whoever was to await it was stopped
            self.forgiving.found.take(findings.dropped(coroutine))
        return True

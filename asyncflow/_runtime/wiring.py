"""Finds what a call or a returned value depends on, and refuses what cannot be waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextvars import copy_context
from functools import partial
from itertools import cycle, repeat
from operator import length_hint
from time import perf_counter
from typing import Any, Final

from .._causes import spelled
from .._core import arguments
from .._core.files import File
from .._core.futures_in_text import place_of_text, refuse
from .._core.lanes import Lane
from .._core.scheduler import Scheduler
from .._core.signature import names_of
from .._core.task import CallSite, Definition, Task
from .._record.record import Record
from ..errors import CircularDependency, ForeignFuture
from . import inputs
from .burst import Burst
from .foreign import all_awaited
from .future import TaskFuture
from .scope import SCOPE, circle, waits_for
from .services import Services
from .steps import Steps
from .unread import refuse_bound
from .waits import would_wait

is_done: Final = asyncio.Future.done
"""Of a future whose result is kept, too, without having it fetched."""


class Wiring:
    """Finds the edges of one run's graph.

    Args:
        run: as the sites of its calls name it.
        engine: what all runs of its engine have in common.
        steps: the run loop.
        burst: the calls since the event loop had its turn.
        scheduler: takes what is adopted.
        foreign: where that is awaited.
        record: where it is recorded; None where nothing is.
    """

    services: Services  # of the run, which start what is called again by this: so they are given later

    def __init__(
        self,
        run: object,
        engine: object,
        loop: asyncio.AbstractEventLoop,
        steps: Steps,
        burst: Burst,
        scheduler: Scheduler,
        foreign: Lane,
        record: Record | None,
    ) -> None:
        self._run = run
        self._engine = engine
        self._loop = loop
        self._steps = steps
        self._burst = burst
        self._scheduler = scheduler
        self._foreign = foreign
        self.record = record
        self._site: CallSite | None = None  # where the user's code gave what is adopted
        self._is_detached = False  # what is adopted is for a task that nobody waits for

    def of_call(
        self, task: Task, args: tuple[Any, ...], kwargs: Mapping[str, object], after: Sequence[object]
    ) -> tuple[Sequence[Task], Sequence[File]]:
        """The futures that a call depends on, and its files. Where their values are to be filled in is noted in the
        task.

        Raises:
            ForeignFuture: a future of another engine or of an earlier run.
            CircularDependency: the task would wait for the block in which it was called.
            TypeError: a generator, or something else that makes its items later; the text of a future.
            ValueError: a container holds both itself and a future.
        """
        if not kwargs and not after and task.owner is None:
            run = self._run
            for arg in args:
                if type(arg) is not TaskFuture or arg.site.run is not run:
                    break
            else:  # nothing but futures: they are the dependencies, as they stand
                task.holes = arguments.ALL
                return args, ()
        self._site, self._is_detached = task.site, task.definition.options.detached
        try:
            futures, task.holes, files = arguments.scan(args, kwargs, inputs.KINDS, self.adopt)
            if files and not task.definition.is_block:
                refuse_bound(task.definition, args, kwargs)
            if after:
                task.after, _ = arguments.scan_value(all_awaited(after), inputs.KINDS, self.adopt)
                futures += task.after
            self.check(futures, task, task.owner)
            if task.site.run.looks_closer:
                self._refuse_texts(task, args, kwargs)
                futures[:] = self.services.taken_by(task, futures)
        except arguments.Lazy as lazy:
            self.call_off(task)
            raise lazy_argument(task.definition, args, kwargs, lazy) from None
        except BaseException:
            self.call_off(task)
            raise
        return futures, () if task.definition.is_block else files  # a block hands them on to tasks

    def _refuse_texts(self, task: Task, args: tuple[object, ...], kwargs: Mapping[str, object]) -> None:
        """Refuse the text of a future among the arguments, made where its value was meant."""
        found = place_of_text(args, kwargs, inputs.KINDS)
        if found is not None:
            name = names_of(task.definition.fn, args, kwargs)[found[0]]
            refuse(found[1], f"argument {name!r} of {task.name!r}")

    def call_off(self, task: Task) -> None:
        """A call is not taken: what was adopted for it, as a coroutine among its arguments, is cancelled."""
        self.call_off_after(task.id)

    def call_off_after(self, number: int) -> None:
        """Cancel what has a higher number."""
        if self.record is not None:
            self.record.void(number)
        for adopted in [each for each in self._scheduler.live.values() if each.id > number]:
            self._scheduler.cancel(adopted)
        self._steps.flush_soon()

    def of_returned(self, block: Any, value: object) -> tuple[list[Any], arguments.Holes]:
        """The futures in the value that a block's body returned, and where their values belong.

        Raises:
            Exception: as for `of_call`.
        """
        self._site, self._is_detached = block.site, False
        # What is adopted is still of the block, though its body is over.
        adopt = partial(block.context.run, self.adopt)
        try:
            futures, holes = arguments.scan_value(value, inputs.KINDS, adopt)
        except arguments.Lazy as lazy:
            raise TypeError(
                f"{block.name!r} (#{block.id}) returned {_with_article(lazy.value)}, which could be looked into "
                "only by using it up.\n  Return a list"
            ) from None
        self.check(futures, block, None)
        for future in futures:
            deadlock = None if is_done(future) else would_wait(block, future)
            if deadlock is not None:
                raise deadlock
        return futures, holes

    def check(self, futures: Sequence[Any], task: Task, inside: Task | None) -> None:
        """Refuse what a task cannot wait for.

        Args:
            futures: for which it is to wait.
            task: that was called, or whose body has returned them.
            inside: the block in which it was called.

        Raises:
            ForeignFuture: one is of another engine or of an earlier run.
            CircularDependency: one waits for the block.
        """
        for future in futures:
            if future._run is not self._run:
                whose = "an earlier run of this" if future._run.engine is self._engine else "another"
                raise ForeignFuture(
                    f"{task.name!r} was given {future!r}, a future of {whose} engine.\n"
                    f"  Await it first and pass its value:  {task.name}(await {future.name}(...))"
                )
            if inside is not None and not is_done(future) and waits_for(inside, future):
                raise CircularDependency(circle(task, future))

    def adopt(self, awaitable: object) -> TaskFuture[object]:
        """Make an awaitable that is not ours a node of the graph."""
        if isinstance(awaitable, asyncio.Future) and awaitable.get_loop() is not self._loop:
            raise ForeignFuture(f"{awaitable!r} belongs to another event loop than the engine's")
        name = getattr(awaitable, "__qualname__", type(awaitable).__name__)
        definition = Definition(type(awaitable), "awaitable", name=name)
        owner = self._scheduler.owner(SCOPE.get().block)
        task: TaskFuture[object] = TaskFuture(loop=self._loop)
        self._burst.last += 1
        workflow = SCOPE.get().workflow_of(self._engine)
        site = CallSite(definition, self._foreign, self._run, workflow=workflow)
        if self._site is not None:
            site.code, site.at = self._site.code, self._site.at
        task.set_up(self._burst.last, site, (awaitable,), {}, copy_context(), owner)
        if self._is_detached:
            task.owner, task.is_detached = None, True
        self._burst.site = None
        if self.record is not None:
            self.record.turn(task.id, site, owner, perf_counter())
        self._scheduler.called(task, ())
        return task


def lazy_argument(
    definition: Definition, args: tuple[object, ...], kwargs: Mapping[str, object], lazy: arguments.Lazy
) -> TypeError:
    """The error for an argument that makes its items later, as a generator does."""
    name = names_of(definition.fn, args, kwargs)[lazy.place]
    if isinstance(lazy.value, (cycle, repeat)) and length_hint(lazy.value, -1) < 0:
        mend = "It has no end, so that no list can be made of it: make it in the task"
    else:
        mend = f"Pass a list: {spelled(definition.name)}([...]), or list(...) of it"
    return TypeError(
        f"{definition.name!r} was given {_with_article(lazy.value)} in argument {name!r}, which could be looked into "
        "for futures only by using it up.\n"
        f"  {mend}"
    )


def _with_article(value: object) -> str:
    kind = type(value).__name__
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"

"""Runs a generator in slices, each a task of its own: in this process, or in one that keeps it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from .._core.options import TaskOptions
from .._core.task import Definition
from .._inspect.resolve import yields_later
from .._runtime.future import TaskFuture
from .._runtime.outlet import Outlet
from .._runtime.scope import SCOPE
from .._worker.generators import (
    AHEAD_OF_ARGUMENTS,
    SLICE,
    Held,
    Values,
    beginning,
    beginning_later,
    proceed,
    proceed_later,
)
from .function_task import FunctionTask
from .generator_options import of_slices, of_this_one
from .tasks_engine import TasksEngine

if TYPE_CHECKING:
    from ..backend import ExecutionBackend

_NUMBERS: Final = count(1)
_NO_CONTEXT: Final = Context()
Call: TypeAlias = "Callable[..., TaskFuture[Values]]"
Arguments: TypeAlias = tuple[tuple[object, ...], Mapping[str, object]]


class Slices(Protocol):
    """One generator."""

    def next(self, most: int, outlet: Outlet) -> TaskFuture[Values]:
        """Call for one more slice.

        Args:
            most: values that it may make.
            outlet: takes values that are made long before the slice is over.
        """

    def rest(self, values: list[object]) -> list[object]:
        """Of the values of a slice that is over, those that the outlet does not have."""

    async def close(self) -> None:
        """Close the generator where it lives. No slice is under way."""


class SlicesHere:
    """A generator that workers of this process run.

    Args:
        call: for a slice.
        held: the generator.
    """

    def __init__(self, call: Call, held: Held) -> None:
        self._call = call
        self._held = held
        self._loop = asyncio.get_running_loop()
        self._taken = 0  # values of this slice that the outlet has
        self._look: asyncio.TimerHandle | None = None

    def next(self, most: int, outlet: Outlet) -> TaskFuture[Values]:
        """As for `Slices`."""
        self._held.renew()
        self._taken = 0
        self._look = self._loop.call_later(SLICE, self._hand_on, outlet, context=_NO_CONTEXT)
        return self._call(self._held, most)

    def _hand_on(self, outlet: Outlet) -> None:
        """Its time is over, and the generator works on its next value: those that it has made are not to wait for that.
        Once is enough, as the slice ends with the next one.
        """
        held = self._held
        if not held.began:  # all workers were busy
            held.tell = partial(self._loop.call_soon_threadsafe, self._begins, outlet, context=_NO_CONTEXT)
            if not held.began:  # still: it will tell
                return
        left = held.began + SLICE - perf_counter()
        if left > 0:
            self._look = self._loop.call_later(left, self._hand_on, outlet, context=_NO_CONTEXT)
            return
        made = held.made
        for at in range(self._taken, len(made)):
            outlet.add(made[at])
            made[at] = None  # or it would be kept until the slice is over
            self._taken = at + 1

    def _begins(self, outlet: Outlet) -> None:
        if self._look is not None:
            self._hand_on(outlet)

    def rest(self, values: list[object]) -> list[object]:
        """As for `Slices`."""
        self._stop_looking()
        return values[self._taken :] if self._taken else values

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    async def close(self) -> None:
        """As for `Slices`."""
        self._stop_looking()
        await asyncio.to_thread(self._held.close)


class SlicesThere:
    """A generator that stays in a worker process.

    Args:
        begin: makes it there, and runs the first slice.
        proceed: runs another.
        backend: has the process.
        arguments: of the user's function.
    """

    def __init__(
        self,
        begin: Call,
        proceed: Call,
        backend: ExecutionBackend,
        arguments: Arguments,
    ) -> None:
        self._begin = begin
        self._proceed = proceed
        self._backend = backend
        self._arguments: Arguments | None = arguments
        self._number = next(_NUMBERS)

    def next(self, most: int, outlet: Outlet) -> TaskFuture[Values]:
        """As for `Slices`."""
        if self._arguments is not None:
            args, kwargs = self._arguments
            self._arguments = None
            return self._begin(self._number, most, *args, **kwargs)
        future = self._proceed(self._number, most)
        future.generator = self._number
        return future

    def rest(self, values: list[object]) -> list[object]:
        """As for `Slices`."""
        return values

    async def close(self) -> None:
        """As for `Slices`."""
        await self._backend.close_generator(self._number)


def in_its_place(task: FunctionTask[..., Any, Any]) -> Callable[..., TaskFuture[Any]]:
    """What calls a task for the block inside of which this is called, as from the user's line that has called that."""
    block = SCOPE.get().block
    if block is None or block.site.code is None:
        return task
    return task._call_of_an_item(block.site.code, block.site.at)


def in_slices(
    engine: TasksEngine, definition: Definition, backend: ExecutionBackend
) -> Callable[[Arguments], Slices]:
    """What runs a generator function in slices, by its arguments.

    Args:
        engine: whose task it is.
        definition: of the function.
        backend: on which it runs.
    """
    options = of_slices(definition)
    fn = definition.fn
    is_async = yields_later(fn)

    def task(fn: Callable[..., object], options: TaskOptions) -> FunctionTask[..., Any, Values]:
        definition = engine._definition(fn, "function", options, {}, is_async)
        definition.ahead, definition.is_slice = AHEAD_OF_ARGUMENTS, True
        return FunctionTask(engine, definition)

    def tasks(options: TaskOptions) -> tuple[FunctionTask[..., Any, Values], ...]:
        if not backend.needs_pickle:
            return (task(Held.slice, options),)
        begin = beginning_later(fn) if is_async else beginning(fn)
        return task(begin, options), task(proceed_later if is_async else proceed, options)

    for_all = tasks(options)

    def slices(arguments: Arguments) -> Slices:
        args, kwargs = arguments
        own = of_this_one(options, args, kwargs)
        first, *others = map(in_its_place, for_all if own is None else tasks(own))
        if not others:
            return SlicesHere(first, Held(fn(*args, **kwargs)))
        return SlicesThere(first, others[0], backend, arguments)

    return slices

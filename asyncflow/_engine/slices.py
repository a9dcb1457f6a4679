"""Runs a generator in slices, each a task of its own: in this process, or in one that keeps it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from .._core.options import TaskOptions
from .._core.task import Definition
from .._inspect.resolve import yields_later
from .._runtime.future import TaskFuture
from .._runtime.scope import SCOPE
from .._worker.generators import (
    AHEAD_OF_ARGUMENTS,
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
Call: TypeAlias = "Callable[..., TaskFuture[Values]]"
Arguments: TypeAlias = tuple[tuple[object, ...], Mapping[str, object]]


class Slices(Protocol):
    """One generator."""

    def next(self, most: int) -> TaskFuture[Values]:
        """Call for one more slice.

        Args:
            most: values that it may make.
        """

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

    def next(self, most: int) -> TaskFuture[Values]:
        """As for `Slices`."""
        return self._call(self._held, most)

    async def close(self) -> None:
        """As for `Slices`."""
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

    def next(self, most: int) -> TaskFuture[Values]:
        """As for `Slices`."""
        if self._arguments is not None:
            args, kwargs = self._arguments
            self._arguments = None
            return self._begin(self._number, most, *args, **kwargs)
        future = self._proceed(self._number, most)
        future.generator = self._number
        return future

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

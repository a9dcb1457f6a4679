"""Runs a generator in slices, each a task of its own: in this process, or in one that keeps it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from inspect import isasyncgenfunction
from itertools import count
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from .._core.options import TaskOptions
from .._core.task import Definition
from .._runtime.future import TaskFuture
from .._worker.generators import Held, Values, beginning, beginning_later, proceed, proceed_later
from .function_task import FunctionTask
from .tasks_engine import TasksEngine

if TYPE_CHECKING:
    from ..backend import ExecutionBackend

_NUMBERS: Final = count(1)
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
        task: runs a slice.
        held: the generator.
    """

    def __init__(self, task: FunctionTask[..., Any, Values], held: Held) -> None:
        self._task: Any = task
        self._held = held

    def next(self, most: int) -> TaskFuture[Values]:
        """As for `Slices`."""
        future: TaskFuture[Values] = self._task(self._held, most)
        return future

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
        begin: FunctionTask[..., Any, Values],
        proceed: FunctionTask[..., Any, Values],
        backend: ExecutionBackend,
        arguments: Arguments,
    ) -> None:
        self._begin: Any = begin
        self._proceed: Any = proceed
        self._backend = backend
        self._arguments: Arguments | None = arguments
        self._number = next(_NUMBERS)

    def next(self, most: int) -> TaskFuture[Values]:
        """As for `Slices`."""
        future: TaskFuture[Values]
        if self._arguments is not None:
            args, kwargs = self._arguments
            self._arguments = None
            future = self._begin(self._number, most, *args, **kwargs)
        else:
            future = self._proceed(self._number, most)
            future.generator = self._number
        return future

    async def close(self) -> None:
        """As for `Slices`."""
        await self._backend.close_generator(self._number)


def in_slices(
    engine: TasksEngine, definition: Definition, backend: ExecutionBackend
) -> Callable[[Arguments], Slices]:
    """What runs a generator function in slices, by its arguments.

    Args:
        engine: whose task it is.
        definition: of the function.
        backend: on which it runs.
    """
    options = {**definition.options.given, "name": definition.name, "retries": 0, "keep": False}
    for of_all in ("deadline", "detached"):
        options.pop(of_all, None)
    fn = definition.fn
    is_async = isasyncgenfunction(fn)

    def task(fn: Callable[..., object]) -> FunctionTask[..., Any, Values]:
        return FunctionTask(engine, engine._definition(fn, "function", TaskOptions(), options, is_async))

    if not backend.needs_pickle:
        here = task(Held.slice)
        return lambda arguments: SlicesHere(here, Held(fn(*arguments[0], **arguments[1])))
    begin = task(beginning_later(fn) if is_async else beginning(fn))
    follow = task(proceed_later if is_async else proceed)
    return lambda arguments: SlicesThere(begin, follow, backend, arguments)

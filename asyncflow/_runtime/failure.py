"""Puts what went wrong into the form in which it reaches whoever awaits: the exception itself, with a note that
names the task and the line of its call, or an envelope where the original would stop the awaiter's program."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

from .._core.story import called_at
from .._core.task import Task
from ..errors import TaskCrashed, brief
from .future import TaskFuture

UNFIT: Final[dict[type, str]] = {
    GeneratorType: "a generator, which runs only where it is read; return list(...) of it",
    AsyncGeneratorType: "an async generator, which runs only where it is read; return a list of what it gives",
    CoroutineType: "a coroutine, which has not run; await it inside, with the function an 'async def'",
    TaskFuture: "the future of another task; await it inside, or decorate the function with @engine.block",
}
"""Results that are no values, and what to do instead."""


def unfit(task: Task, value: Any) -> TypeError:
    """The error for a result in `UNFIT`."""
    if isinstance(value, CoroutineType):
        value.close()  # it will never be awaited, and that has just been said
    return TypeError(f"{task.name!r} (#{task.id}) returned {UNFIT[type(value)]}")


def as_failure(task: Task, error: BaseException) -> Exception:
    """The exception that the future of a failed task gets.

    Args:
        task: the task that raised it.
        error: what it raised.
    """
    if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
        error = error.__cause__  # what Python makes of a StopIteration that leaves a coroutine
    if isinstance(error, Exception) and not isinstance(error, (StopIteration, StopAsyncIteration)):
        failure = error
    else:
        failure = TaskCrashed(task.id, task.name, brief(error))
        failure.__cause__ = error
    with suppress(Exception):  # an exception class may refuse notes; the failure itself must arrive
        kind = "block" if task.definition.is_block else "task"
        failure.add_note(f"in {kind} {task.name!r} (#{task.id}), called at {called_at(task)}")
    return failure


def settle(future: asyncio.Future[Any], error: BaseException) -> None:
    """Give a future its exception.

    Args:
        future: not done.
        error: of a class that an `asyncio.Future` accepts.
    """
    future.set_exception(error)

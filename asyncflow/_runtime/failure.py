"""Puts what went wrong into the form in which it reaches whoever awaits: the exception itself, with a note that
names the task and the line of its call, or an envelope where the original would stop the awaiter's program."""

from __future__ import annotations

from typing import Any, Final

from .._causes import add_note, brief
from .._core.files import File, InputFile, OutputFile
from .._core.story import called_at
from .._core.task import Task
from .._tracebacks import trim
from .._worker.results import UNFIT, why_unfit
from ..errors import TaskCrashed
from .future import FailedFuture, TaskFuture

NO_VALUES: Final = frozenset({*UNFIT, TaskFuture, FailedFuture, InputFile, OutputFile})
"""Classes of results that are no values."""


def unfit(task: Task, value: Any) -> TypeError:
    """The error for a result of a class in `NO_VALUES`."""
    if isinstance(value, TaskFuture):
        what = (
            f"{value!r}, which is not its value; await it inside, or decorate the function with @engine.block"
        )
    elif isinstance(value, File):
        what = f"{value!r}, which declares a file; do that in the call of a task"
    else:
        what = why_unfit(value)
    return TypeError(f"{task.name!r} (#{task.id}) returned {what}")


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
    trim(failure)
    kind = "block" if task.definition.is_block else "task"
    add_note(failure, f"in {kind} {task.name!r} (#{task.id}), called at {called_at(task)}")
    return failure

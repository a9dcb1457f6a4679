"""Puts the values of futures into the arguments of tasks that are about to be submitted."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from .._core import arguments
from .._core.task import Task
from .._worker.chain import PREVIOUS, with_previous
from .foreign import is_foreign
from .future import TaskFuture

KINDS: Final = arguments.Kinds(TaskFuture, is_foreign)
value_of: Final = asyncio.Future.result


def fill(task: Task) -> None:
    """Fill in a task all of whose inputs are there.

    Raises:
        TypeError: a value does not fit where its future stood, as a list in a set.
    """
    task.args, task.kwargs = arguments.fill(task.args, task.kwargs, task.holes, TaskFuture, value_of)
    task.holes = None


def fill_links(head: Task) -> None:
    """Fill in what is submitted behind a task; the value of the one before is not there yet."""
    before, task = head, head.link
    while task is not None:
        if task.holes:
            task.args, task.kwargs = arguments.fill(
                task.args, task.kwargs, task.holes, TaskFuture, _value_or_previous
            )
            task.holes = before.future  # to be put back, should the link come back
        before, task = task, task.link


def unlink(task: Task) -> None:
    """A task that was given back: if it was a link it wants the value of the one before again."""
    if isinstance(task.holes, TaskFuture):
        task.args, task.kwargs = with_previous(task.args, task.kwargs, task.holes)
        task.holes = True


def _value_or_previous(future: asyncio.Future[Any]) -> Any:
    return value_of(future) if future.done() else PREVIOUS

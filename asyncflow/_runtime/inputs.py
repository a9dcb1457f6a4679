"""Puts the values of futures into the arguments of tasks that are about to be submitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from .._core import arguments
from .._core.arguments import ALL
from .._core.call_text import call_shown
from .._core.containers import Kinds, is_waited_for
from .._core.files import File
from .._core.kept import Keeping
from .._core.states import NOW, PENDING, SUCCEEDED
from .._core.task import Task
from .._worker.chain import PREVIOUS, with_previous
from .future import TaskFuture
from .unread import is_bound

KINDS: Final = Kinds(TaskFuture, is_waited_for, file=File, bound=is_bound)
value_of: Final = asyncio.Future.result


def awaited(task: Task) -> list[Task]:
    """What a task depends on that has not been submitted, in the order of its arguments."""
    futures: list[Task] = list(task.after)
    if isinstance(task.holes, list):
        futures += [future for node in task.holes for _, future in node.holes]
    elif task.holes:
        futures += [arg for arg in (*task.args, *task.kwargs.values()) if isinstance(arg, TaskFuture)]
    return futures


def awaited_yet(task: Task) -> list[Task]:
    """What a task depends on, until it is submitted."""
    return awaited(task) if task.story & NOW == PENDING else []


def waited_for(task: Task) -> Sequence[Task]:
    """What a task depends on, until it is submitted, and what a block has returned whose body is over."""
    returned: tuple[Sequence[Task], object] | None = task.returned
    return awaited_yet(task) if returned is None else returned[0]


def values_at(place: str) -> Callable[[Any], object]:
    """What gives the values of futures for a place: of a result that is kept there, what stands for it.

    Args:
        place: in words, as lanes have it.
    """

    def value_at(future: Any) -> object:
        kept: Keeping | None = None if future.rare is None else future.rare.kept
        if kept is None:
            return value_of(future)
        return (
            kept.payload if kept.place == place else kept.value
        )  # which was fetched, if it is needed at all

    return value_at


value_here: Final = values_at("")
"""The same on the event loop."""


def fill(
    batch: Sequence[Task],
    failed: Callable[[Task, Exception], None],
    value_of: Callable[[Any], object] = value_of,
) -> Sequence[Task]:
    """Fill in tasks all of whose inputs are there.

    Args:
        batch: the tasks.
        failed: takes those in which a value does not fit where its future stood, as a list in a set.
        value_of: gives the value of a future.

    Returns:
        The others.
    """
    unfit = set()
    for task in batch:
        if task.holes is ALL:  # written out flat: nearly all come by here
            task.args = tuple(map(value_of, task.args))
            task.holes = None
        elif task.holes:
            try:
                task.args, task.kwargs = arguments.fill(
                    task.args, task.kwargs, task.holes, TaskFuture, value_of
                )
            except Exception as error:
                failed(task, error)
                unfit.add(task.id)
            else:
                task.holes = None
    return [task for task in batch if task.id not in unfit] if unfit else batch


def fill_links(head: Task, value_of: Callable[[Any], object] = value_of) -> None:
    """Fill in what is submitted behind a task; the value of the one before is not there yet.

    Args:
        head: the task.
        value_of: gives the value of a future.
    """

    def value_or_previous(future: Any) -> object:
        return value_of(future) if future.story & NOW == SUCCEEDED else PREVIOUS

    before, task = head, head.link
    while task is not None:
        if task.holes:
            task.args, task.kwargs = arguments.fill(
                task.args, task.kwargs, task.holes, TaskFuture, value_or_previous
            )
            task.holes = before  # to be put back, should the link come back
        before, task = task, task.link


def unlink(task: Task) -> None:
    """A task that was given back: if it was a link it wants the value of the one before again."""
    if isinstance(task.holes, TaskFuture):
        task.args, task.kwargs = with_previous(task.args, task.kwargs, task.holes)
        task.holes = True


def call_told(task: Task) -> str:
    """The call of a task in words, with its arguments. To be asked before the task is over, when its arguments are
    dropped."""
    before = task.holes
    if isinstance(before, TaskFuture) and before.story & NOW == SUCCEEDED:  # of a link: the one before it
        value = value_of(before) if before.kept is None else before.kept.payload
        task.args, task.kwargs = with_previous(task.args, task.kwargs, value)
    return call_shown(task)

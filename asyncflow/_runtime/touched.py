"""Explains the error of a task whose body used a future: it was inside of an object that calls do not look into."""

from __future__ import annotations

import asyncio
import sys
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

from .._core.futures_in_text import OF_TEXT
from .._core.hidden import Hidden, hidden_in
from .._core.signature import names_of
from .._core.task import Task
from .._worker.attempt import run_attempt
from ..errors import HiddenFuture

if TYPE_CHECKING:
    from .future import TaskFuture

_SAYS_SO: Final = "TaskFuture"
_RETURNED: Final = "returned <TaskFuture"


def hidden_future(task: Task, error: BaseException) -> BaseException:
    """The error of a failed task, with words that say where a future came from that no call had found, if that is to
    blame. The task must still have its arguments."""
    if not isinstance(error, Exception) or isinstance(error, HiddenFuture) or task.definition.is_block:
        return error
    try:
        told = str(error)
    except Exception:  # an exception is code of the user's
        return error
    is_worded = OF_TEXT in told or _RETURNED in told  # better than here
    found = _found(task) if _SAYS_SO in told and not is_worded else None
    if found is None:
        return error
    hidden = _told(task, *found)
    hidden.__cause__ = error
    return hidden


def refuse_inside(future: TaskFuture[Any]) -> None:
    """Refuse that the body of a task asks a future for its value: it would be done only by chance.

    Raises:
        HiddenFuture: it is a body that asks.
    """
    if asyncio._get_running_loop() is future._run.loop:  # of an engine that the body itself runs
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not run_attempt.__code__:
        frame = frame.f_back
    if frame is None or frame.f_back is None:
        return
    task = frame.f_back.f_locals.get("work")
    if isinstance(task, Task):
        argument, hidden = _found(task) or (None, Hidden(future, "", ""))
        raise _told(task, argument, hidden)


def _found(task: Task) -> tuple[str | None, Hidden] | None:
    from .inputs import KINDS

    def is_future(value: object) -> bool:
        return isinstance(value, KINDS.future)

    names = names_of(task.definition.fn, task.args, task.kwargs)
    for name, value in zip(names, (*task.args, *task.kwargs.values()), strict=True):
        found = hidden_in(value, name, KINDS, is_future)
        if found is not None:
            return name, found
    found = hidden_in(task.definition.fn, task.name, KINDS, is_future)
    return None if found is None else (None, found)


def _told(task: Task, argument: str | None, found: Hidden) -> HiddenFuture:
    return HiddenFuture(task.id, task.name, argument, repr(found.future), found.path, found.holder)

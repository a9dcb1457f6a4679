"""What is wrong, in words: from what was raised in a rehearsal to a fault with the user's line, names and a mend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

from .._core.rehearsed import Fault, Rehearsed
from .._core.story import called_at, place_in
from .._core.task import Task
from ..errors import brief

_OURS: Final = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
Site = tuple[CodeType | None, int]
"""Some code, and an instruction in it."""


def users_site(site: CodeType | None, at: int, otherwise: Site) -> Site:
    """The line of the user's from which a call comes that was made on their behalf.

    Args:
        site: the code that made it.
        at: where in it.
        otherwise: if none of the user's code is among those who asked for it.
    """
    if site is None or not site.co_filename.startswith(_OURS):
        return site, at
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    if frame is None or str(frame.f_globals.get("__name__")).partition(".")[0] == "asyncio":
        return otherwise  # the target itself, which the rehearsal has called
    return frame.f_code, frame.f_lasti


HERE: Final[Site] = users_site.__code__, 0
"""Stands for whoever of us asks."""


def endless(name: str, most: int, where: str) -> Fault:
    """A rehearsal that calls more tasks than it may.

    Args:
        name: of the one that was called once more.
        most: how many it may.
        where: the call.
    """
    return Fault(
        f"{name!r} was called after {most:,} other tasks, as many as a plan may have: a loop that does not end",
        where,
        (name,),
        "an example= for the task whose result ends the loop; or WorkflowEngine(max_tasks=...)",
    )


def of_call(name: str, error: Exception, where: str, ends: Sequence[str]) -> Fault:
    """A call that a run would refuse.

    Args:
        name: what was called.
        error: what a run would raise.
        where: the user's line.
        ends: names of the tasks in question.
    """
    first, _, rest = str(error).partition("\n")
    mend = rest.strip().partition(":  ")
    return Fault(first, where, tuple(dict.fromkeys(ends)), mend[2] or mend[0])


def of_code(
    task: Task, error: BaseException, calls: Sequence[Rehearsed], value_of: Callable[[Rehearsed], Any]
) -> Fault | str:
    """What code of the user's has raised."""
    where = _where(error.__traceback__) or called_at(task)
    return Fault(f"{task.name!r} raised {brief(error)}", where, (task.name,), "")


def _where(traceback: TracebackType | None) -> str | None:
    found = None
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not code.co_filename.startswith(_OURS):
            found = place_in(code, traceback.tb_lasti)
        traceback = traceback.tb_next
    return found

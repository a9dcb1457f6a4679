"""Whose code runs: by what `asyncflow.current` finds the task that it is asked in.

A task that never asks pays nothing. What runs tasks has them among the local variables of some frame anyway, so that
whoever asks goes up the stack to the next such frame. That does not find the task from an asyncio task which its body
has begun, on an event loop that it shares with others. So from the first time that a program has a look at
`asyncflow.current`, the context of each task tells, too, and whatever the body begins inherits that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, Final, TypeAlias, TypeVar

Identity: TypeAlias = tuple[int, str, int, str | None, str | None, tuple[int, ...]]
"""Of an attempt at a task: id, name, number of the attempt, label, workflow, numbers of its GPUs."""
F = TypeVar("F", bound=Callable[..., Any])

ASKED: Final[list[bool]] = []
"""Is not empty once somebody in this process may ask."""
IDENTITY: Final[ContextVar[Identity | None]] = ContextVar("asyncflow_task", default=None)
"""The task that the code belongs to, where `ASKED` was not empty when it began."""

_RUNS: Final[dict[CodeType, Callable[[Mapping[str, Any]], Identity | None]]] = {}


def runs(identity: Callable[[Mapping[str, Any]], Identity | None]) -> Callable[[F], F]:
    """Mark a function as one that runs tasks.

    Args:
        identity: tells from its local variables which task it runs; None for none.
    """

    def marked(function: F) -> F:
        _RUNS[function.__code__] = identity
        return function

    return marked


runs_work: Final = runs(lambda held: held["work"].identity)
"""The same of one whose ``work`` it is."""
runs_task: Final = runs(lambda held: held["task"].identity)
"""The same of one whose ``task`` it is."""


def identity_here() -> Identity | None:
    """The task that the calling code belongs to."""
    identity = IDENTITY.get()
    frame: FrameType | None = None if identity is not None else sys._getframe(1)
    while frame is not None:
        if frame.f_code in _RUNS:
            return _RUNS[frame.f_code](frame.f_locals)
        frame = frame.f_back
    return identity

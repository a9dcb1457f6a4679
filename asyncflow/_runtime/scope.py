"""What code is running inside of: the block it belongs to and the workflow it is tagged with.

Both are one context variable, because every call reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from .._core.states import CANCELLING, NOW
from .._core.task import Task


class Scope:
    """Where a call is made."""

    __slots__ = ("block", "workflow")

    def __init__(self, block: Task | None, workflow: str | None) -> None:
        self.block = block
        self.workflow = workflow


_NOWHERE: Final = Scope(None, None)
SCOPE: Final[ContextVar[Scope]] = ContextVar("asyncflow_scope", default=_NOWHERE)


def enter_block(block: Task) -> None:
    """Make the current context the inside of a block; the context is the block's own copy."""
    SCOPE.set(Scope(block, SCOPE.get().workflow))


@contextmanager
def workflow_scope(workflow: str) -> Iterator[str]:
    """Tag every call made inside."""
    token = SCOPE.set(Scope(SCOPE.get().block, workflow))
    try:
        yield workflow
    finally:
        SCOPE.reset(token)


def is_inside(task: Task | None, block: Task) -> bool:
    """Whether a task is the block itself or belongs to it, at any depth."""
    while task is not None:
        if task is block:
            return block.story & NOW <= CANCELLING
        task = task.owner
    return False


def circle(task: Task, block: Task) -> str:
    """The words for a task that would wait for the block it runs in."""
    if task is block:
        return f"{block.name!r} (#{block.id}) would wait for itself"
    return (
        f"{task.name!r} (#{task.id}) would wait for {block.name!r} (#{block.id}), inside which it was called"
    )

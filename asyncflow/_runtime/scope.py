"""What code is running inside of: the block it belongs to and the workflow it is tagged with.

Both are one context variable, because every call reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from .._core.task import Task, each_of


class Scope:
    """Where a call is made."""

    __slots__ = ("block", "variables", "workflow")

    def __init__(self, block: Task | None, workflow: str | None, variables: int = 1) -> None:
        self.block = block
        self.workflow = workflow
        self.variables = variables  # of its context that are set for it


_NOWHERE: Final = Scope(None, None, 0)
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


def waits_for(inner: Task, outer: Task) -> bool:
    """Whether ``outer`` can only go on after ``inner``, or after a block that it belongs to.

    Looked for from ``inner`` outwards, along those who depend on it: mostly nobody does. What ``inner`` has called
    itself need not be asked: it was looked at then.
    """
    if outer.owner is inner:
        return False
    queue = [inner]
    for block in queue:  # grows while it is walked: first the blocks around, then those who depend on them
        if block.owner is not None:
            queue.append(block.owner)
    seen = {task.id for task in queue}
    for task in queue:
        if task is outer:
            return True
        for dependent in each_of(task.dependents):
            if dependent.id not in seen:
                seen.add(dependent.id)
                queue.append(dependent)
    return False


def circle(task: Task, block: Task) -> str:
    """The words for a task that would wait for the block it runs in."""
    if task is block:
        return f"{block.name!r} (#{block.id}) would wait for itself"
    if not block.definition.is_block:
        other = f"{block.name!r} (#{block.id})"
        return f"{task.name!r} (#{task.id}) would wait for {other}, which waits for it or for the block around it"
    return (
        f"{task.name!r} (#{task.id}) would wait for {block.name!r} (#{block.id}), inside which it was called"
    )

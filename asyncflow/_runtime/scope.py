"""What code is running inside of: the block it belongs to and the workflow it is tagged with.

Both are one context variable, because every call reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident
from typing import Final

from .._core.task import Task, each_of
from .._worker.whose import IDENTITY
from ..errors import WrongLoop


class Scope:
    """Where a call is made."""

    __slots__ = ("block", "variables", "workflows")

    def __init__(
        self, block: Task | None, workflows: tuple[tuple[object, str], ...], variables: int = 1
    ) -> None:
        self.block = block
        self.workflows = (
            workflows  # each with what all runs of its engine have in common; the innermost first
        )
        self.variables = variables  # of its context that are set for it

    def workflow_of(self, engine: object) -> str | None:
        """The workflow that calls of an engine's tasks are tagged with here. An engine is known by the object that
        all of its runs share."""
        return next((workflow for its, workflow in self.workflows if its is engine), None)


_NOWHERE: Final = Scope(None, (), 0)
READER: Final[ContextVar[Task | None]] = ContextVar("asyncflow_reader", default=None)
"""The task for which a source is asked, by an asyncio task that is not its body's."""
SCOPE: Final[ContextVar[Scope]] = ContextVar("asyncflow_scope", default=_NOWHERE)


def enter_block(block: Task) -> None:
    """Make the current context the inside of a block; the context is the block's own copy."""
    SCOPE.set(Scope(block, SCOPE.get().workflows, 1 if IDENTITY.get() is None else 2))


@contextmanager
def workflow_scope(engine: object, workflow: str) -> Iterator[str]:
    """Tag all calls of an engine's tasks that are made inside of this context manager. An engine is known by the
    object that all of its runs share."""
    scope = SCOPE.get()
    workflows = (engine, workflow), *scope.workflows
    token = SCOPE.set(Scope(scope.block, workflows, max(scope.variables, 1)))
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


def circle(task: Task, other: Task) -> str:
    """The words for a task that would wait for what waits for it."""
    if task is other:
        return f"{other.name!r} (#{other.id}) would wait for itself"
    would = f"{task.name!r} (#{task.id}) would wait for {other.name!r} (#{other.id})"
    around = task.owner
    while around is not None and around is not other:
        around = around.owner
    if around is other:
        return f"{would}, inside which it was called"
    return f"{would}, which waits for it or for the block around it"


def check_thread(thread: int, what: str) -> None:
    """Raise `WrongLoop`, with the name of what was called, unless this is the thread of the engine's event loop."""
    if get_ident() != thread:
        raise WrongLoop(
            f"{what} was called from another thread than the engine's event loop.\n"
            "  From there, say:  loop.call_soon_threadsafe(...)"
        )

"""What is inside of blocks: it is cancelled with them, and a block is over when all inside has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from ..errors import Cause
from .dependents import Unwanted, end_of, tell_more
from .detached import is_detached
from .states import CANCELLING, NOW
from .task import Task

if TYPE_CHECKING:
    from .scheduler import Scheduler


def cancel_inside(scheduler: Scheduler, block: Task, because: Cause | None = None) -> None:
    """Cancel all that a block has started and that is not over: `MOST` at once, more by `tell_more`.

    Args:
        scheduler: of the block.
        block: which.
        because: of whose failure, with ``on_failure="stop"``.
    """
    if block.children:
        known = len(scheduler.telling)
        scheduler.telling.append((Unwanted(because), _inside(block)))
        tell_more(scheduler, known)


def _inside(block: Task) -> Iterator[Task]:
    """All inside of a block that is to be cancelled, also what is called meanwhile."""
    while block.children:
        inside = list(block.children.values())
        for task in inside:  # grows while it is walked
            if task.rare is not None and task.children:
                inside.extend(task.children.values())
        inside = [task for task in inside if task.story & NOW < CANCELLING]
        if not inside:
            return
        # Dependents before dependencies, inner before outer: each is cancelled by itself and by nothing else.
        inside.sort(key=attrgetter("id"), reverse=True)
        yield from inside


def leave_owner(scheduler: Scheduler, task: Task) -> None:
    """The last to leave closes a block that waits for it, and so on outwards; blocks may nest without limit."""
    owner = task.owner
    while owner is not None:
        children = owner.children
        assert children is not None
        del children[task.id]
        task.owner = None
        if children:
            return
        if owner.id in scheduler.retrying:
            lane = scheduler.retrying.pop(owner.id)
            scheduler.hold(owner)
            if lane is not None:
                scheduler.again(owner, lane)
            return
        if owner.id not in scheduler.closing:
            if scheduler.watched and owner.id not in scheduler.live:
                hush(scheduler, owner)
            return
        scheduler.closing.remove(owner.id)
        owner.enter(end_of(owner))
        scheduler.forget(owner)
        if scheduler.watched:
            hush(scheduler, owner)
        task, owner = owner, owner.owner


def adopt_children(block: Task) -> None:
    """What a block leaves running when it is over belongs to the block around it."""
    assert block.children is not None
    heir = block.owner
    is_tail = heir is None and is_detached(block)
    for child in block.children.values():
        child.owner = heir
        if heir is not None and heir.children is not None:
            heir.children[child.id] = child
        if is_tail:
            child.is_detached = True
    block.children = None


def hush(scheduler: Scheduler, task: Task) -> None:
    """Nothing of a task runs any more: tell whoever wants to hear of it."""
    if task.id in scheduler.watched:
        scheduler.watched.remove(task.id)
        scheduler.quiet.append(task)

"""Takes note of what code has waited for before it makes a call: what comes later, though no value is handed over.

A context variable carries it, so that an asyncio task has waited for all that its maker had, and its siblings not for
each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from .._runtime.future import TaskFuture

Checkpoint = tuple[tuple[int, ...], int | None]
"""Numbers of tasks that code has waited for, and the checkpoint that it had passed before, by its place in the list."""


class _Code(NamedTuple):
    """Where some code has come to that calls tasks: the body of a block, or an asyncio task that one has begun, which
    has waited for all that its maker had waited for.

    Args:
        block: that it belongs to.
        checkpoint: the last that it has passed.
        waited: the number of a task that it has begun to wait for since, and the same again; None at the end.
    """

    block: Any
    checkpoint: int | None
    waited: tuple[int, Any] | None

    def waits_for(self, block: object, number: int) -> _Code:
        """The same when it waits for a task; in another block, its beginning."""
        if block is not self.block:
            return _Code(block, None, (number, None))
        return _Code(block, self.checkpoint, (number, self.waited))


_CODE: Final[ContextVar[_Code]] = ContextVar("asyncflow_code", default=_Code(None, None, None))  # noqa: B039


def waits_for(block: object, number: int) -> None:
    """Take note that the code which runs waits for a task."""
    _CODE.set(_CODE.get().waits_for(block, number))


def checkpoint_of(
    call: int, block: object, futures: Mapping[int, TaskFuture[object]], checkpoints: list[Checkpoint]
) -> int | None:
    """The last checkpoint that the code has passed which makes a call; a new one if it has waited for more since.

    Args:
        call: number of the call.
        block: that the code belongs to.
        futures: of all calls, by number.
        checkpoints: all; a new one is added.
    """
    code = _CODE.get()
    if code.block is not block:
        return None
    passed: set[int] = set()
    left: tuple[int, object] | None = None
    rest = code.waited
    while rest is not None:
        number, rest = rest
        if number == call or number not in futures:
            continue
        if futures[number].done():
            passed.add(number)
        else:
            left = number, left
    checkpoint = code.checkpoint
    if passed:
        checkpoints.append((tuple(sorted(passed)), checkpoint))
        checkpoint = len(checkpoints) - 1
    if code.waited is not None:
        _CODE.set(_Code(code.block, checkpoint, left))
    return checkpoint

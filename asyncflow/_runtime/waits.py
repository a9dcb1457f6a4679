"""Who waits for whom on the event loop, also through `asyncio.gather` and asyncio tasks, and what to do if that is a
circle: the wait raises `Deadlock`.

Nothing is noted for that: whoever waits for a future is among its callbacks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context
from typing import Any, Final
from weakref import WeakSet

from .._core.circles import drawn, way_to
from .._core.gates import used_by
from .._core.states import NOW, RUNNING
from .._core.task import Task, each_of
from ..errors import Deadlock
from .carrier import Carrier
from .future import TaskFuture
from .scope import SCOPE, circle

_add_done_callback: Final = asyncio.Future.add_done_callback
_heard: Final[WeakSet[object]] = WeakSet()
"""Blocks of which something waits, perhaps an asyncio task, for what was called outside of them."""


def would_wait(task: TaskFuture[object], awaited: object) -> Deadlock | None:
    """The error for a body that is about to wait for what waits for it; None if it is not.

    What has been called inside of a block cannot wait for it: it was looked at when it was called.
    """
    if awaited is task:
        return _error(task, [task])
    if not _may_wait_for(task, awaited):
        return None
    way = way_to(awaited, task, waiters)
    if way is None:
        return None
    leave(awaited)
    return _error(task, [each for each in (task, *way[:-1]) if _is_told(each)])


def _may_wait_for(task: TaskFuture[object], awaited: object) -> bool:
    """Whether what a body waits for may wait for the body."""
    if isinstance(awaited, TaskFuture):
        return awaited.owner is not task
    if isinstance(awaited, asyncio.tasks._GatheringFuture):  # type: ignore[attr-defined]
        children: Iterable[Any] = awaited._children
        return any(
            [_may_wait_for(task, child) for child in children if not child.done()]
        )  # each may be heard
    if task.definition.is_block:
        # What it waits for is asyncio's, as an asyncio task: what that waits for is to be heard of from now on.
        if TaskFuture.add_done_callback is not _heard_of:
            TaskFuture.add_done_callback = _heard_of  # type: ignore[method-assign,assignment]
            return True
        if task in _heard:
            return True
    return isinstance(awaited, asyncio.Task) and awaited._fut_waiter is not None  # type: ignore[attr-defined]


def _heard_of(
    self: TaskFuture[object], fn: Callable[..., object], /, *, context: Context | None = None
) -> None:
    """Somebody waits for a future. The class has this from when a block first waits for something of asyncio's: it
    costs each wait, and what asyncio tasks in a block wait for cannot be known otherwise."""
    _add_done_callback(self, fn, context=context)
    block: Any = SCOPE.get().block
    if block is None or self.done() or block.story & NOW > RUNNING:
        return
    if used_by(block) is not None:
        block._run.steps.flush_soon()  # looks at blocks that hold limits
    if self.owner is block:
        return
    _heard.add(block)
    waiting = asyncio.current_task()
    if waiting is not None and not isinstance(waiting, Carrier):
        waiting.get_loop().call_soon(_look_at, waiting, block)  # what it waits for it does only after this


def _look_at(waiting: asyncio.Task[object], block: TaskFuture[object]) -> None:
    """Raise the error in an asyncio task, begun in a block, if that waits for what waits for it."""
    if waiting.done():
        return
    way = way_to(waiting, waiting, waiters)
    if way is not None:
        told: list[object] = [each for each in way[:-1] if _is_told(each)]
        first = next((at for at, each in enumerate(told) if each is block), 0)
        raise_in(waiting, _error(block, told[first:] + told[:first]))


def waiters(node: Any) -> Iterator[Any]:
    """Who waits for a future, and the blocks around those."""
    if isinstance(node, TaskFuture) and node.owner is not None:
        yield node.owner
    yield from awaiters(node)


def awaiters(future: Any) -> Iterator[Any]:
    """Who goes on when a future is done: tasks, bodies, and what is asyncio's."""
    if isinstance(future, TaskFuture):
        yield from (each for each in each_of(future.dependents) if not _does_with_others(each))
    if isinstance(future, Carrier):
        if future.body is not None:
            yield future.body
        return
    for callback, _ in future._callbacks or ():
        own = getattr(callback, "__self__", None)
        if isinstance(own, asyncio.Future):
            yield own
        elif isinstance(own, asyncio.TaskGroup):
            waits = own._on_completed_fut  # type: ignore[attr-defined]
            if waits is not None:
                yield waits
        elif getattr(callback, "__closure__", None) is not None:
            yield from _of_closure(callback)


def _does_with_others(waiting: Task) -> bool:
    """Whether something can go on also if one of those never ends that it waits for."""
    join = None if waiting.rare is None else waiting.rare.join
    return join is not None and join.needed is not None and join.spare > 0


def _of_closure(callback: Any) -> Iterator[object]:
    """What `asyncio.gather`, `asyncio.wait` and `asyncio.shield` have their callers wait for."""
    inside = {}
    for name, cell in zip(callback.__code__.co_freevars, callback.__closure__, strict=True):
        try:
            inside[name] = cell.cell_contents
        except ValueError:  # not set yet
            return
    if inside.get("timeout_handle") is not None:
        return  # it ends by itself
    if inside.get("return_when") == asyncio.FIRST_COMPLETED and inside.get("counter", 1) > 1:
        return  # others may end it
    for each in inside.values():
        if isinstance(each, asyncio.Future):
            yield each


def _is_told(node: object) -> bool:
    return isinstance(node, TaskFuture) or (isinstance(node, asyncio.Task) and not isinstance(node, Carrier))


def _error(task: Task, circle_of: list[Any]) -> Deadlock:
    names = [
        f"{each.name_shown} (#{each.id})" if isinstance(each, Task) else f"asyncio task {each.get_name()!r}"
        for each in circle_of
    ]
    other = next((each for each in circle_of[1:] if isinstance(each, Task)), task)
    return Deadlock(f"{circle(task, other)}.\n  {drawn(names)}: each waits for the next")


def raise_in(waiting: asyncio.Task[object], error: BaseException) -> None:
    """Raise an error in an asyncio task at the ``await`` where it waits. What it waits for is left as it is."""
    future = waiting._fut_waiter  # type: ignore[attr-defined]
    for callback, context in getattr(future, "_callbacks", None) or ():
        if getattr(callback, "__self__", None) is waiting:
            future.remove_done_callback(callback)
            leave(future)
            failed = waiting.get_loop().create_future()
            failed.set_exception(error)
            waiting.get_loop().call_soon(callback, failed, context=context)
            return


def leave(future: Any) -> None:
    """Nobody waits for a future any more. What asyncio has made of several may fail then, which is nobody's fault."""
    if not isinstance(future, (TaskFuture, asyncio.Task)):
        future.add_done_callback(lambda done: done.cancelled() or done.exception())

"""One body on the event loop: how it is run up to where it first waits, and then, in an asyncio task of its own, to
its end."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextvars import Context
from typing import Any

from .._core.states import NOW, SUBMITTED
from .._core.task import Task
from .._worker.whose import runs_task
from ..backend import CANCELLED, FAILED, RETURNED, SUCCEEDED, Event
from ..errors import CircularDependency
from .future import TaskFuture
from .scope import circle, waits_for

Runner = Generator[object, object, None]


class Over:
    """The marker that a runner yields when a body has ended. No body can await it, so it is never mistaken."""

    value: object = None
    """What the body has returned, or waits for first, on its way out of frames that would keep it."""


@types.coroutine
def _runner(over: Over) -> Generator[object, Any, None]:
    """Runs one body after another. ``body.send(None)`` would tell the end of each by raising StopIteration, which costs
    as much as all the rest of the driver; a ``yield from`` inside the interpreter does not."""
    while True:
        body = yield over
        if type(body) is not types.CoroutineType:
            body = body.__await__()
        over.value = yield from body


def new_runner(over: Over) -> Runner:
    """A runner that is ready to be sent a body."""
    runner: Runner = _runner(over)
    runner.send(None)
    return runner


class Carrier(asyncio.Task[None]):
    """The asyncio task in which bodies run, the driver's or one's own. Bodies may get hold of it, and then it is
    theirs; so it notes for good what would else have to be asked of it after each body."""

    __slots__ = ("touched",)
    _log_destroy_pending: bool  # asyncio's own

    def __init__(
        self, coro: Coroutine[object, object, None], *, loop: asyncio.AbstractEventLoop, context: Context
    ) -> None:
        self.touched = False
        """It was cancelled, or somebody wants to hear of its end."""
        super().__init__(coro, loop=loop, name="asyncflow", context=context)

    def cancel(self, msg: object | None = None) -> bool:
        self.touched = True
        return super().cancel(msg)

    def add_done_callback(self, fn: Callable[..., object], /, *, context: Context | None = None) -> None:
        self.touched = True
        super().add_done_callback(fn, context=context)


@runs_task
def to_its_end(
    task: Task, me: Carrier, runner: Runner, over: Over, run: Callable[..., object]
) -> Generator[object, object, Event]:
    """Carry a body that waits through to its end, as `asyncio.Task` would, but in its own context.

    Args:
        task: whose body it is.
        me: the asyncio task, which is the body's own from here on.
        runner: that has begun the body.
        over: what it yields when the body is over; holds what it waits for first.
        run: calls a function in the body's context.
    """
    awaited, over.value = over.value, None
    torn_down = False
    me.set_name(f"{task.name}#{task.id}")
    try:
        while awaited is not over:
            if isinstance(awaited, TaskFuture) and waits_for(task, awaited):
                awaited._asyncio_future_blocking = False
                awaited = run(runner.throw, CircularDependency(circle(task, awaited)))
                continue
            try:
                yield awaited
            except GeneratorExit:  # the loop was closed under it
                torn_down = True
                runner.close()
                raise
            except BaseException as error:
                awaited = run(runner.throw, error)
            else:
                awaited = run(runner.send, None)
        value, over.value = over.value, None
        return SUCCEEDED, task.id, value
    except BaseException as error:
        if torn_down:
            raise
        return raised(task, error, me.cancelling() > 0)


def raised(task: Task, error: BaseException, cancelling: bool) -> Event:
    """The event of a body that has ended by raising an error."""
    # A block that awaits what was cancelled is cancelled with it. A function that raises this by itself has failed:
    # taking it for a cancel would tell a lie about who wanted what.
    if isinstance(error, asyncio.CancelledError) and (cancelling or task.definition.is_block):
        return CANCELLED, task.id, None
    return FAILED, task.id, error


def given_back(link: Task | None) -> Iterator[Event]:
    """The events of the links behind a body that gave no value: they are not begun."""
    while link is not None:
        if link.story & NOW == SUBMITTED:
            yield RETURNED, link.id, None
        link = link.link

"""One body on the event loop: how it is run up to where it first waits, and then, in an asyncio task of its own, to
its end."""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Generator, Iterator
from typing import Any

from .._core.gates import used_by
from .._core.states import NOW, SUBMITTED
from .._core.task import Task
from .._worker.whose import runs_task
from ..backend import CANCELLED, FAILED, RETURNED, SUCCEEDED, Event
from .carrier import Carrier
from .loop_watch import LoopWatch
from .waits import would_wait

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


@runs_task
def to_its_end(
    task: Any, me: Carrier, runner: Runner, over: Over, run: Callable[..., object], watch: LoopWatch
) -> Generator[object, object, Event]:
    """Carry a body that waits through to its end, as `asyncio.Task` would, but in its own context.

    Args:
        task: whose body it is.
        me: the asyncio task, which is the body's own from here on.
        runner: that has begun the body.
        over: what it yields when the body is over; holds what it waits for first.
        run: calls a function in the body's context.
        watch: is told when it runs.
    """
    awaited: Any = over.value
    over.value = None
    torn_down = False
    me.body = task
    me.set_name(f"{task.name}#{task.id}")
    try:
        while awaited is not over:
            if awaited is not None and (type(awaited) is not asyncio.Future or task.definition.is_block):
                deadlock = would_wait(task, awaited)
                if deadlock is not None:
                    awaited._asyncio_future_blocking = False
                    awaited = run(runner.throw, deadlock)
                    deadlock = None  # its frames hold this one
                    continue
                if used_by(task) is not None:
                    task._run.steps.flush_soon()  # looks at blocks that hold limits
            try:
                yield me.waits_for(awaited)
            except GeneratorExit:  # the loop was closed under it
                torn_down = True
                runner.close()
                raise
            except BaseException as error:
                watch.begins(task)
                awaited = run(runner.throw, error)
            else:
                watch.steps += 1
                watch.body = task
                if watch.sleeps:
                    watch.wake()
                awaited = run(runner.send, None)
            watch.body = None
        value, over.value = over.value, None
        return SUCCEEDED, task.id, value
    except BaseException as error:
        if torn_down:
            raise
        return raised(task, error, me.cancelling() > 0)
    finally:
        me.body = watch.body = None


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

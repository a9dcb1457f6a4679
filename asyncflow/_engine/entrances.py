"""The ways into an engine from where its event loop does not run: another thread, and a script."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import threading
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import CodeType
from typing import TYPE_CHECKING, Any

from .._runtime.script import run_script
from ..errors import EngineClosed, WrongLoop
from ..streams import Stream
from .function_task import FunctionTask, made_at
from .options import name_of
from .submits import refuse_generator

if TYPE_CHECKING:
    from .._runtime.home import Home


def from_thread(
    engine: Any,
    task: object,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    site: tuple[CodeType, int],
) -> concurrent.futures.Future[object]:
    """Call a task on the engine's event loop for another thread. ``site`` is the user's line that asks for it."""
    run: Home | None = engine._run
    name = task._definition.name if isinstance(task, FunctionTask) else name_of(task)
    if isinstance(task, FunctionTask) and not task._is_of(engine):
        raise ValueError(f"from_thread() got {name!r}, a task of another engine; ask that one")
    if run is not None and run.closed is not None:
        raise EngineClosed(f"{name!r} was called, but {run.closed}")
    if run is None or run.loop.is_closed():
        raise WrongLoop(
            f"from_thread() was given {name!r}, but the engine does not run.\n  Start it in async code first."
        )
    if run.thread == threading.get_ident():
        raise WrongLoop(
            f"from_thread() was given {name!r} on the thread of the engine's event loop, which would wait for itself.\n"
            f"  Call it as it is:  {name}(...)"
        )

    async def call() -> object:
        called = (
            task(*args, **kwargs) if isinstance(task, FunctionTask) else engine.submit(task, *args, **kwargs)
        )
        return await made_at(*site, called)

    return asyncio.run_coroutine_threadsafe(call(), run.loop)


def run_target(
    engine: AbstractAsyncContextManager[object],
    target: object,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    site: tuple[CodeType, int],
) -> object:
    """Start an engine on an event loop of its own, call or await a target, and shut the engine down. ``site`` is the
    line of the user's that asks for it.

    Returns:
        What awaiting the target gives.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        if inspect.iscoroutine(target):
            target.close()
        name = target.__name__ if inspect.iscoroutine(target) else name_of(target)
        if not name.isidentifier():  # as of a lambda
            name = "target"
        raise WrongLoop(
            f"engine.run() starts an event loop, and here one runs already; say:  await {name}(...)"
        )

    if isinstance(target, FunctionTask) and not target._is_of(engine):
        raise ValueError(
            f"engine.run got {target!r} of another engine; run it with that one, or say where it is to run:\n"
            f"  engine.run({target._definition.name}.on(engine), ...)"
        )
    refuse_generator(
        target,
        "engine.run got {0!r}, a generator function: it has many values, and a run has one result.\n"
        "  Run a block that reads them:  return [each async for each in {0}(...)]",
    )
    if not callable(target) and (not inspect.isawaitable(target) or isinstance(target, Stream)):
        raise TypeError(
            f"engine.run got {target!r}, a {type(target).__name__}, which cannot be called.\n"
            "  Pass a block, a task or an async function, and its arguments:  engine.run(block, ...)"
        )

    async def main() -> object:
        async with engine:
            called: Any = target if inspect.isawaitable(target) else target(*args, **kwargs)
            if isinstance(target, FunctionTask):
                made_at(*site, called)
            result = await called if inspect.isawaitable(called) else called
            if isinstance(result, Stream):
                raise TypeError(
                    f"{name_of(target)!r} returned what {result._made_by} gives, a stream, which is read before the "
                    "engine is shut down.\n"
                    f"  Return its values:  return [each async for each in {result._made_by}]"
                )
            return result

    return run_script(main)

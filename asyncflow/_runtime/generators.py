"""Runs a generator function as a service: to its `yield`, and from there to its end when it is to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from .._causes import brief
from .._core.task import Task
from .._files.aside import aside
from .._worker.whose import runs_task
from ..errors import ServiceNotReady

_log = logging.getLogger("asyncflow")
_OVER: Final = object()


@runs_task
async def serve(task: Task, up: Callable[[object], None], grace: float) -> None:
    """Run a service until it is cancelled, and then its clean-up.

    Args:
        task: its arguments are there.
        up: is called with what it yields.
        grace: seconds that its clean-up may take.

    Raises:
        ServiceNotReady: it did not yield in time, or not at all.
        Exception: what it raised.
    """
    made: object = task.fn(*task.args, **task.kwargs)
    step = _on_loop(made) if hasattr(made, "__anext__") else _in_thread(task, made)
    limit = task.definition.options.ready_timeout
    first = await _first(task, made, step, limit)
    if first is _OVER:
        raise ServiceNotReady(task.id, task.name, "it ended without a yield", "", "")
    up(first)
    me = asyncio.current_task()
    assert me is not None
    try:
        await asyncio.get_running_loop().create_future()
    except asyncio.CancelledError:
        me.uncancel()
    await _clean_up(task, made, step, grace)


def _on_loop(made: Any) -> Callable[[], Awaitable[object]]:
    async def step() -> object:
        return await anext(made, _OVER)

    return step


def _in_thread(task: Task, made: object) -> Callable[[], Awaitable[object]]:
    context = task.context

    async def step() -> object:
        return await aside(context.run, _advance, task, made)

    return step


@runs_task
def _advance(task: Task, made: Any) -> object:
    return next(made, _OVER)


async def _first(task: Task, made: object, step: Callable[[], Awaitable[object]], limit: float) -> object:
    """What it yields. In a thread it cannot be stopped: after its time it is waited for by nobody."""
    if hasattr(made, "__anext__"):
        try:
            async with asyncio.timeout(limit) as timeout:
                return await step()
        except TimeoutError:
            if not timeout.expired():
                raise
            raise _late(task, limit) from None
    going = asyncio.ensure_future(step())
    try:
        await asyncio.wait([going], timeout=limit)
    except asyncio.CancelledError:
        await _run_out(going, step)  # until then it runs
        raise
    if going.done():
        return going.result()
    late = _late(task, limit)
    late.add_note("a thread cannot be stopped: it runs on to its yield, and is cleaned up then")
    _left.add(leaving := asyncio.ensure_future(_run_out(going, step)))
    leaving.add_done_callback(_left.discard)
    raise late


_left: Final[set[asyncio.Future[None]]] = set()  # a loop holds its tasks weakly


async def _run_out(going: asyncio.Future[object], step: Callable[[], Awaitable[object]]) -> None:
    """Nobody wants what it yields."""
    try:
        if await going is not _OVER:
            await step()
    except Exception as error:
        _log.error("a service that nobody wanted any more failed: %s", brief(error))


def _late(task: Task, limit: float) -> ServiceNotReady:
    return ServiceNotReady(
        task.id,
        task.name,
        f"it was not ready after ready_timeout={limit:g} s",
        "it has not come to its yield",
        "",
    )


async def _clean_up(task: Task, made: Any, step: Callable[[], Awaitable[object]], grace: float) -> None:
    """Have it run from its yield to its end.

    Raises:
        RuntimeError: it yields once more.
        Exception: what it raised.
    """
    ending = asyncio.ensure_future(step())
    await asyncio.wait([ending], timeout=grace)
    if not ending.done():
        ending.cancel()
        raise TimeoutError(f"its clean-up was not over after {grace:g} s")
    if ending.result() is not _OVER:
        if hasattr(made, "aclose"):
            await made.aclose()
        else:
            made.close()
        raise RuntimeError("it yields more than once; what follows its yield is its clean-up, and runs once")

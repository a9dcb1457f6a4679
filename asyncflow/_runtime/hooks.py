"""What an engine calls when it is shut down: in reverse order, each for a bounded time, whatever the others did."""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Final, NamedTuple

from .._causes import name_of_function
from .._files.aside import aside
from .._tracebacks import trim

_log: Final = logging.getLogger("asyncflow")


class Hook(NamedTuple):
    """One of them.

    Args:
        fn: takes no argument; if it is a coroutine function, or gives something that can be awaited, that is awaited.
        timeout: seconds that it may take; None for the grace time of the engine.
    """

    fn: Callable[[], object]
    timeout: float | None


class Hooks:
    """Those of an engine, in the order in which they were added."""

    def __init__(self) -> None:
        self._hooks: dict[object, Hook] = {}

    def add(self, hook: Hook) -> None:
        """Add one. One that is defined again, as by a cell of a notebook, takes the place of the one before."""
        key = _key(hook.fn)
        self._hooks.pop(key, None)
        self._hooks[key] = hook

    def remove(self, fn: Callable[[], object]) -> bool:
        """Remove one; False if it is not there."""
        return self._hooks.pop(_key(fn), None) is not None

    def in_order(self) -> list[Hook]:
        """All of them, the first to be added first."""
        return list(self._hooks.values())


def _key(fn: object) -> object:
    """What a hook is known by: a function at the top of a module by its name there."""
    if inspect.isfunction(fn) and "<" not in fn.__qualname__:
        return fn.__module__, fn.__qualname__
    try:
        hash(fn)
    except TypeError:
        return id(fn)  # it is held, so that this stays its own
    return fn


async def run_hook(hook: Hook, grace: float) -> None:
    """Run one. What it raises is logged; when its time is over it is left behind, with a warning."""
    seconds = grace if hook.timeout is None else hook.timeout
    name = name_of_function(hook.fn)
    try:
        if inspect.iscoroutinefunction(hook.fn):
            result: object = hook.fn()
            is_over = True
        else:
            is_over, result = await aside(_called, hook.fn, seconds)
        if is_over and inspect.isawaitable(result):
            is_over = await _is_over(result, name, seconds)
    except asyncio.CancelledError:
        raise
    except BaseException as error:
        trim(error)
        _log.error("shutdown hook %r has failed", name, exc_info=error)
        return
    if not is_over:
        _log.warning("shutdown hook %r is not over after %g s; left behind", name, seconds)


def _called(fn: Callable[[], object], seconds: float) -> tuple[bool, object]:
    """Call a function on a thread of its own, which can be left behind.

    Returns:
        Whether it is over, and what it has returned.
    """
    outcome: list[tuple[object, BaseException | None]] = []

    def call() -> None:
        try:
            outcome.append((fn(), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=call, name="asyncflow-hook", daemon=True)
    thread.start()
    thread.join(seconds)
    if not outcome:
        return False, None
    ((value, error),) = outcome
    if error is not None:
        raise error
    return True, value


async def _is_over(awaitable: Awaitable[object], name: str, seconds: float) -> bool:
    failure: list[BaseException] = []

    async def body() -> None:
        try:
            await awaitable
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # also one that would go through the loop
            failure.append(error)

    loop = asyncio.get_running_loop()
    running = loop.create_task(body(), name=f"shutdown hook {name}", context=Context())
    await asyncio.wait([running], timeout=seconds)
    if failure:
        raise failure[0]
    running.cancel()
    return running.done()

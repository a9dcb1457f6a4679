"""Runs one attempt at a task and tells how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context
from typing import Any

from .._tracebacks import trim

Outcome = tuple[bool, Any]
"""Whether it succeeded; the value, or the exception."""


def run_attempt(
    fn: Callable[..., object],
    is_coroutine: bool,
    args: tuple[object, ...],
    kwargs: Mapping[str, object],
    context: Context | None,
) -> Outcome:
    """Run a task in this thread.

    Args:
        fn: what to call.
        is_coroutine: whether that gives a coroutine, which then gets a loop of its own.
        args: positional arguments.
        kwargs: keyword arguments.
        context: the context variables of the call; None on the far side of a pickle.

    Returns:
        The outcome. The traceback of an exception begins in the user's function.
    """
    run = context.run if context is not None else _call
    try:
        if is_coroutine:
            return True, run(_run_coroutine, fn, args, kwargs)
        return True, run(fn, *args, **kwargs)
    except BaseException as error:  # SystemExit too: it ends the task and not the worker
        trim(error)
        return False, error


def _call(fn: Callable[..., object], *args: object, **kwargs: object) -> object:
    return fn(*args, **kwargs)


def _run_coroutine(fn: Callable[..., Any], args: tuple[object, ...], kwargs: Mapping[str, object]) -> object:
    import asyncio  # a worker process that runs no coroutine never needs it

    async def body() -> object:
        return await fn(*args, **kwargs)

    return asyncio.run(body())

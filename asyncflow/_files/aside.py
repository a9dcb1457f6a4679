"""Does slow work with files on a thread of its own, which ends with it: the loop goes on, no pool is left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def aside(fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function on a new thread and wait for it; also when cancelled, since nothing can stop it half-way."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    outcome: list[tuple[T | None, BaseException | None]] = []

    def work() -> None:
        try:
            outcome.append((fn(*args, **kwargs), None))
        except BaseException as error:
            outcome.append((None, error))
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(over.set_result, None)

    thread = threading.Thread(target=work, name="asyncflow-files", daemon=True)
    thread.start()
    cancelled = None
    while not over.done():
        try:
            await asyncio.shield(over)
        except asyncio.CancelledError as error:
            if not outcome and not thread.is_alive():  # in a forked child, which has no such thread
                raise
            cancelled = error
    thread.join()
    if cancelled is not None:
        raise cancelled
    ((value, failure),) = outcome
    if failure is not None:
        raise failure
    return value  # type: ignore[return-value]

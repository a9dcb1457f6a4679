"""The asyncio tasks in which bodies run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context

from .._core.task import Task


class Carrier(asyncio.Task[None]):
    """The asyncio task in which bodies run, the driver's or one's own. Bodies may get hold of it, and then it is
    theirs; so it notes for good what would else have to be asked of it after each body."""

    __slots__ = ("body", "touched")
    _log_destroy_pending: bool  # asyncio's own

    def __init__(
        self, coro: Coroutine[object, object, None], *, loop: asyncio.AbstractEventLoop, context: Context
    ) -> None:
        self.touched = False
        """It was cancelled, or somebody wants to hear of its end."""
        self.body: Task | None = None
        """Whose body waits for something in it."""
        super().__init__(coro, loop=loop, name="asyncflow", context=context)

    def cancel(self, msg: object | None = None) -> bool:
        self.touched = True
        return super().cancel(msg)

    def add_done_callback(self, fn: Callable[..., object], /, *, context: Context | None = None) -> None:
        self.touched = True
        super().add_done_callback(fn, context=context)

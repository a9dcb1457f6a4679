"""The asyncio tasks in which bodies run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context

from .._core.task import Task
from .._turns import Awaited


class Carrier(asyncio.Task[None]):
    """The asyncio task in which bodies run, the driver's or one's own. Bodies may get hold of it, and then it is
    theirs; so it notes for good what would else have to be asked of it after each body.

    Args:
        coro: runs the bodies.
        loop: its event loop.
        context: that it runs in.
        is_sure: whether it is to be woken also if Ctrl-C comes just before.
    """

    __slots__ = ("_is_sure", "body", "touched")
    _log_destroy_pending: bool  # asyncio's own

    def __init__(
        self,
        coro: Coroutine[object, object, None],
        *,
        loop: asyncio.AbstractEventLoop,
        context: Context,
        is_sure: bool,
    ) -> None:
        self._is_sure = is_sure
        self.touched = False
        """It was cancelled, or somebody wants to hear of its end."""
        self.body: Task | None = None
        """Whose body waits for something in it."""
        super().__init__(coro, loop=loop, name="asyncflow", context=context)

    def waits_for(self, future: object) -> object:
        """What to yield to asyncio for a future; None for the next turn of the loop."""
        if not self._is_sure or not (future is None or getattr(future, "_asyncio_future_blocking", False)):
            return future
        return Awaited(future, self, self.get_loop())

    def cancel(self, msg: object | None = None) -> bool:
        self.touched = True
        return super().cancel(msg)

    def add_done_callback(self, fn: Callable[..., object], /, *, context: Context | None = None) -> None:
        self.touched = True
        super().add_done_callback(fn, context=context)

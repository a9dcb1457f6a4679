"""What an event loop is to call, and calls for sure.

asyncio takes a call from its list and then makes it. Ctrl-C, as Python's shells have it, comes out of the loop wherever
that is; between the two the call is lost, and whoever has noted that it is to come would wait for it for ever. So
where Ctrl-C does that, each call is put into the list twice, and the second makes good for the first.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio


class Due(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """It is not to be made."""


class Turns(Protocol):
    """What a loop, or `Twice`, is asked for."""

    def call_soon(
        self, callback: Callable[..., object], /, *args: object, context: Context | None = None
    ) -> Due:
        """In its next turn."""
        raise NotImplementedError

    def call_soon_threadsafe(
        self, callback: Callable[..., object], /, *args: object, context: Context | None = None
    ) -> Due:
        """The same, from any thread."""
        raise NotImplementedError

    def call_later(
        self, delay: float, callback: Callable[..., object], /, *args: object, context: Context | None = None
    ) -> Due:
        """After so many seconds."""
        raise NotImplementedError


def sure(loop: asyncio.AbstractEventLoop) -> Turns:
    """Where to ask for calls that come also when Ctrl-C comes just before: mostly the loop itself.

    Args:
        loop: that is to make them; it is asked on its own thread.
    """
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    ):
        return Twice(loop)
    return loop  # asyncio.run and its like have a handler of their own, after which the loop does not go on


class Twice:
    """Puts each call into a loop's list twice.

    Args:
        loop: that is to make them.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def call_soon(
        self, callback: Callable[..., object], /, *args: object, context: Context | None = None
    ) -> Call:
        """As the loop's."""
        call = Call(callback, args)
        self._loop.call_soon(call, context=context)
        self._loop.call_soon(call, context=context)
        return call

    def call_soon_threadsafe(
        self, callback: Callable[..., object], /, *args: object, context: Context | None = None
    ) -> Call:
        """As the loop's."""
        call = Call(callback, args)
        self._loop.call_soon_threadsafe(call, context=context)
        self._loop.call_soon_threadsafe(call, context=context)
        return call

    def call_later(
        self, delay: float, callback: Callable[..., object], /, *args: object, context: Context | None = None
    ) -> Call:
        """As the loop's."""
        call = Call(callback, args)
        call.timers = [self._loop.call_later(delay, call, context=context) for _ in range(2)]
        return call


class Call:
    """A call that is twice in a loop's list. The second is made if the first was not, or was cut short.

    Args:
        callback: what is called.
        args: with what.
    """

    __slots__ = ("_args", "_callback", "_is_due", "timers")

    def __init__(self, callback: Callable[..., object], args: tuple[object, ...]) -> None:
        self._callback = callback
        self._args = args
        self._is_due = True
        self.timers: list[asyncio.TimerHandle] = []

    def __call__(self) -> None:
        if self._is_due:
            self._callback(*self._args)
            self._is_due = False
            self.timers = []  # which hold this

    def cancel(self) -> None:
        """It is not to be made."""
        self._is_due = False
        for timer in self.timers:
            timer.cancel()  # or it would stay in the loop up to its time

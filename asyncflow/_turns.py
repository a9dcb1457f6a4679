"""What an event loop is to call, and calls for sure.

asyncio takes a call from its list and then makes it. Ctrl-C, as Python's shells have it, comes out of the loop wherever
that is; between the two the call is lost, and whoever has noted that it is to come would wait for it for ever. So
where Ctrl-C does that, each call is put into the list twice, and the second makes good for the first. An asyncio task
that waits is woken by such a call, too: what it waits for calls it twice (`Awaited`).
"""

from __future__ import annotations

import asyncio
import signal
import threading
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Protocol


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


class Awaited:
    """What an asyncio task waits for in place of a future, or of the loop's next turn, so that it is woken for sure.

    Args:
        future: as asyncio's are; None for the next turn.
        waiter: the asyncio task.
        loop: its event loop.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_future",
        "_waiter",
        "_wakes",
        "add_done_callback",
        "get_loop",
    )

    def __init__(self, future: Any, waiter: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = True  # as of a future that is yielded to an asyncio task
        self._future = future
        self._waiter = waiter
        # What asyncio asks next is not written in Python, or it could be cut short, and asyncio with it.
        self._wakes: Any = loop.create_future()  # where it leaves how the waiter is woken
        self.add_done_callback = self._wakes.add_done_callback
        self.get_loop = (self._wakes if future is None else future).get_loop
        for _ in range(2):
            if future is None:
                loop.call_soon(self._wake)
            else:
                future.add_done_callback(self._wake)
        if future is not None:
            future._asyncio_future_blocking = False

    def _wake(self, future: object = None) -> None:
        for wake, context in self._wakes._callbacks or ():
            if self._waiter._fut_waiter is self:  # else it has gone on
                context.run(wake, self if future is None else future)

    def cancel(self, msg: object = None) -> bool:
        """Cancel what is waited for, if it can be."""
        return self._future is not None and bool(self._future.cancel(msg=msg))

    def result(self) -> None:
        """Of the next turn, nothing."""


def carried_out(
    coroutine: Coroutine[Any, Any, None], turns: Turns, loop: asyncio.AbstractEventLoop
) -> asyncio.Future[None]:
    """Have an asyncio task carry a coroutine out, also if Ctrl-C comes just before one of its steps.

    Args:
        coroutine: what is to be done.
        turns: of the loop, as `sure` has told.
        loop: where it is done.

    Returns:
        A future of its end; or the asyncio task, where Ctrl-C does not come out of the loop.
    """
    if turns is loop:
        return loop.create_task(coroutine)
    over: asyncio.Future[None] = loop.create_future()
    begun: list[asyncio.Task[Any]] = []

    async def carry_out() -> None:
        try:
            await _turn()  # it has come to here before there is a task
            me = asyncio.current_task()
            assert me is not None
            begun.append(me)
            await _woken(coroutine, me, loop)
        except asyncio.CancelledError:
            over.cancel()
        except BaseException as error:
            over.set_exception(error)
            if not isinstance(error, Exception):
                raise
        else:
            over.set_result(None)

    carrying: Any = carry_out()
    carrying.send(None)

    def begin() -> None:
        if not begun:  # Ctrl-C has come just before the first step
            task = loop.create_task(carrying)
            over.add_done_callback(lambda _: task)  # a loop holds its tasks weakly
            loop.call_soon(lambda: loop.call_soon(begin))

    begin()
    return over


@types.coroutine
def _turn() -> Generator[None, None, None]:
    yield


@types.coroutine
def _woken(
    coroutine: Any, me: asyncio.Task[Any], loop: asyncio.AbstractEventLoop
) -> Generator[Any, None, None]:
    """Go through a coroutine. What it waits for wakes its task for sure."""
    error: BaseException | None = None
    while True:
        try:
            awaited = coroutine.send(None) if error is None else coroutine.throw(error)
            error = None
            yield Awaited(awaited, me, loop)
        except StopIteration:
            return
        except GeneratorExit:  # the loop was closed under it
            coroutine.close()
            raise
        except BaseException as raised:
            if coroutine.cr_frame is None:  # it has raised that itself
                raise
            error = raised  # also Ctrl-C, which came here

"""An event loop with a clock of its own, which moves only when nothing else can happen.

Timeouts, delays and limits can be tested without waiting for them: whenever every task waits for a timer, the clock
jumps to the next one. What runs in other threads is not waited for, so this is for work that is driven by hand.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class FakeClockLoop(asyncio.SelectorEventLoop):
    """An event loop in which an hour passes at once; a loop factory for `asyncio.Runner` and pytest-asyncio."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_PassingTime(self.advance, selectors.DefaultSelector()))

    def time(self) -> float:
        """Seconds that have passed since the loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass; timers that are due by then run in the loop's next turn.

        Args:
            seconds: how much.
        """
        self._now += seconds

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait for the threads of `asyncio.to_thread`; without a limit, which would be over at once."""
        await super().shutdown_default_executor()


def run_with_fake_clock(
    main: Callable[P, Coroutine[object, object, T]], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a coroutine function to its end, as `asyncio.run` does, on a `FakeClockLoop`.

    Args:
        main: the coroutine function.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """
    with asyncio.Runner(loop_factory=FakeClockLoop) as runner:
        return runner.run(main(*args, **kwargs))


class FakeClock:
    """The clock of an event loop that somebody else has made, as pytest-asyncio or `engine.run`.

    It begins when the loop is driven by it, and the loop has its own clock again after `let_go`.
    """

    def __init__(self) -> None:
        self._loop: FakeClockLoop | None = None
        self._was: type[asyncio.AbstractEventLoop] | None = None

    def time(self) -> float:
        """Seconds, as the loop tells them.

        Raises:
            RuntimeError: no loop is driven by this clock yet.
        """
        return self._driven().time()

    def advance(self, seconds: float) -> None:
        """Let time pass; timers that are due by then run in the loop's next turn.

        Args:
            seconds: how much.

        Raises:
            RuntimeError: no loop is driven by this clock yet.
        """
        self._driven().advance(seconds)

    def drive(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have a loop go by this clock from now on.

        Args:
            loop: one of asyncio's own.

        Raises:
            TypeError: another kind of loop, of which the clock cannot be changed.
        """
        self.let_go()
        driven: Any = loop  # what it is made of is asyncio's, and is the same in all versions that we run on
        if not isinstance(loop, FakeClockLoop):
            if type(loop) is not asyncio.SelectorEventLoop:
                raise TypeError(f"a fake clock needs an event loop of asyncio's own, and here runs {loop!r}")
            self._was = type(loop)
            driven._now = loop.time()
            driven.__class__ = FakeClockLoop
            driven._selector = _PassingTime(driven.advance, driven._selector)
        self._loop = driven

    def let_go(self) -> None:
        """Give the loop its own clock back."""
        driven: Any = self._loop
        if self._was is not None and not driven.is_closed():
            driven._selector = driven._selector.real
            driven.__class__ = self._was
        self._loop = self._was = None

    def _driven(self) -> FakeClockLoop:
        if self._loop is None:
            raise RuntimeError("no event loop goes by this clock yet: start the engine first")
        return self._loop


class _PassingTime(selectors.BaseSelector):
    """A selector that lets the clock jump where another would wait; it does wait where there is no timer either."""

    def __init__(self, advance: Callable[[float], None], real: selectors.BaseSelector) -> None:
        self._advance = advance
        self.real = real

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return self.real.select()
        ready = self.real.select(0)
        if not ready and timeout > 0:
            self._advance(timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: object = None) -> selectors.SelectorKey:
        return self.real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self.real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self.real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self.real.get_map()

    def close(self) -> None:
        self.real.close()

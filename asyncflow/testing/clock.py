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
        super().__init__(_PassingTime(self.advance))

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


def run_with_fake_clock(main: Callable[P, Coroutine[Any, Any, T]], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a coroutine function to its end, as `asyncio.run` does, on a `FakeClockLoop`.

    Args:
        main: the coroutine function.
        args: its positional arguments.
        kwargs: its keyword arguments.
    """
    with asyncio.Runner(loop_factory=FakeClockLoop) as runner:
        return runner.run(main(*args, **kwargs))


class _PassingTime(selectors.BaseSelector):
    """A selector that lets the clock jump where another would wait; it does wait where there is no timer either."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        self._advance = advance
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return self._real.select()
        ready = self._real.select(0)
        if not ready and timeout > 0:
            self._advance(timeout)
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()

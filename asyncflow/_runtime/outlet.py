"""Between a generator and the reader of its stream: a bounded number of values."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

_AHEAD: Final = 64  # values that a generator may be ahead of its reader


class Outlet:
    """Takes the values that a generator makes of one item, as far as there is room for them.

    Args:
        made: is called for each value.
    """

    def __init__(self, made: Callable[[], None]) -> None:
        self._values: deque[Any] = deque()
        self._made = made
        self._has_room: asyncio.Future[None] | None = None

    @property
    def has_values(self) -> bool:
        """Whether there are values to take."""
        return bool(self._values)

    async def put(self, value: object) -> None:
        """Add a value, when there is room for it."""
        await self.room()
        self.add(value)

    def add(self, value: object) -> None:
        """The same where it is known that there is room."""
        self._values.append(value)
        self._made()

    async def room(self) -> int:
        """Wait until there is room for values, and tell for how many."""
        while len(self._values) >= _AHEAD:
            self._has_room = asyncio.get_running_loop().create_future()
            await self._has_room
        return _AHEAD - len(self._values)

    def take(self) -> Any:
        """The first value."""
        value = self._values.popleft()
        if self._has_room is not None and len(self._values) <= _AHEAD // 2:
            wake(self._has_room)
        return value


def wake(waiter: asyncio.Future[None] | None) -> None:
    """Let go on who waits for this, if anybody does."""
    if waiter is not None and not waiter.done():
        waiter.set_result(None)

"""Two ends of a channel in memory, which a test can stall, cut and make half-open."""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from typing import Final

from ..backends.carried.channel import FEW, Channel, Lost, Received


def channel_pair(here: str = "engine", there: str = "agent") -> tuple[MemoryChannel, MemoryChannel]:
    """A connection in memory, on the event loop that runs: what one end sends arrives a turn of the loop later.

    Args:
        here: whom the first end belongs to, in words.
        there: whom the second end belongs to.
    """
    loop = asyncio.get_running_loop()
    first, second = MemoryChannel(loop, there), MemoryChannel(loop, here)
    first._other, second._other = second, first
    return first, second


class MemoryChannel(Channel):
    """One end of a `channel_pair`.

    Attributes:
        sent: how many messages were sent from here.
        bytes_sent: how many bytes they had.
    """

    _other: MemoryChannel

    def __init__(self, loop: AbstractEventLoop, peer: str) -> None:
        self.peer = peer
        self.sent = 0
        self.bytes_sent = 0
        self._loop: Final = loop
        self._on_its_way: deque[bytes] = deque()  # from here to the other end
        self._bytes_on_their_way = 0
        self._received: Received | None = None
        self._lost: Lost | None = None
        self._in_doubt: Callable[[], None] | None = None
        self._is_over = False
        self._farewell: str | None = None  # what the other end hears after all that is on its way
        self._is_stalled = self._is_half_open = self._is_due = False
        self._drained: list[asyncio.Future[None]] = []

    def listen(self, received: Received, lost: Lost, in_doubt: Callable[[], None] | None = None) -> None:
        self._received, self._lost, self._in_doubt = received, lost, in_doubt
        self._other._soon()

    def send(self, *parts: bytes | memoryview) -> None:
        if self._is_over:
            return
        message = b"".join(parts)
        self.sent += 1
        self.bytes_sent += len(message)
        self._on_its_way.append(message)
        self._bytes_on_their_way += len(message)
        self._soon()

    @property
    def waiting(self) -> int:
        return self._bytes_on_their_way

    async def drained(self) -> None:
        while not self._is_over and self._bytes_on_their_way > FEW:
            drained = self._loop.create_future()
            self._drained.append(drained)
            await drained
        if self._is_over:
            raise ConnectionError(f"the connection to {self.peer} is gone")

    def close(self) -> None:
        if not self._is_over:
            self._end(f"{self._other.peer} has closed the connection")
            self._soon()

    def cut(self) -> None:
        self._forget()
        self.close()

    # -- what a test does to it -----------------------------------------------------------------------------

    def stall(self) -> None:
        """Hold back all that is sent from this end, until `go_on`."""
        self._is_stalled = True

    def go_on(self) -> None:
        """Let through what was sent from this end meanwhile."""
        self._is_stalled = False
        self._soon()

    def half_open(self) -> None:
        """Lose what is sent from this end from now on, also that it has closed, without either end hearing of it."""
        self._is_half_open = True

    def lose(self, why: str = "the network is gone") -> None:
        """Break the connection: all that is on its way is lost, and both ends hear of it.

        Args:
            why: what they hear.
        """
        for end in (self, self._other):
            end._forget()
            end.give_up(why)

    def give_up(self, why: str) -> None:
        """Have this end take the connection for lost, as after a long silence. The other end hears of it only if it
        can.

        Args:
            why: what this end hears.
        """
        self._loop.call_soon(self._hear, why)

    # -- what it does by itself -----------------------------------------------------------------------------

    def _soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        self._is_due = False
        other = self._other
        if self._is_held() or other._is_over:
            return
        for _ in range(len(self._on_its_way)):  # what is sent meanwhile has its turn after others
            if other._received is None or self._is_held() or not self._on_its_way:
                break
            message = self._on_its_way.popleft()
            self._bytes_on_their_way -= len(message)
            in_doubt = other._in_doubt  # which whoever receives may close
            try:
                other._received(message)
            except BaseException as error:
                if in_doubt is not None:
                    in_doubt()
                if not isinstance(error, Exception):
                    raise
                why = f"what {other.peer} sent was not understood: {error!r}"
                self._loop.call_exception_handler({"message": why, "exception": error})
                self.lose(why)
        self._wake()
        if not other._is_listening() or self._is_held():
            return
        if self._on_its_way:
            self._soon()
        elif self._farewell is not None:
            other._hear(self._farewell)

    def _is_listening(self) -> bool:
        return self._received is not None and not self._is_over

    def _is_held(self) -> bool:
        return self._is_stalled or self._is_half_open

    def _hear(self, why: str) -> None:
        if not self._is_over:
            lost = self._lost
            self._forget()
            self._end(f"{self._other.peer} has lost the connection")
            self._soon()
            if lost is not None:
                lost(why)

    def _end(self, farewell: str) -> None:
        self._is_over, self._farewell = True, farewell
        self._received = self._lost = self._in_doubt = None
        self._wake()

    def _forget(self) -> None:
        self._on_its_way.clear()
        self._bytes_on_their_way = 0

    def _wake(self) -> None:
        if self._is_over or self._bytes_on_their_way <= FEW:
            drained, self._drained = self._drained, []
            for each in drained:
                if not each.done():
                    each.set_result(None)

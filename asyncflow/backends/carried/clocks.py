"""By how much another machine's clock differs from ours, from questions and answers that took their time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from struct import Struct
from typing import Final

_EVERY: Final = 60.0  # seconds
_IN_A_ROW: Final = 5  # questions
_ASKED: Final = Struct("!d")
_ANSWERED: Final = Struct("!dd")
_DRIFT: Final = 1e-4
"""Seconds by which two clocks may run apart in a second: ten times what bad quartz does."""


class Offset:
    """What is known of the difference between two clocks.

    Attributes:
        seconds: to add to a time of the other clock to have it on ours; 0 as long as nothing is known.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self._error: float | None = None  # at most so many seconds, when it was measured
        self._at = 0.0

    def take(self, asked: float, there: float, answered: float) -> None:
        """Take in one answer, if it tells more than is known: the quicker it came, the more it does.

        Args:
            asked: when the question went out, by our clock.
            there: the answer, by the other clock.
            answered: when that was here, by our clock.
        """
        error = (answered - asked) / 2
        if error < 0:
            return
        if self._error is None or error <= self._error + _DRIFT * (answered - self._at):
            self.seconds, self._error, self._at = (asked + answered) / 2 - there, error, answered


class Clocks:
    """Asks the other side of a connection for its time, now and once in a while, and answers when that asks.

    Attributes:
        are_compared: is done when it is known by how much they differ, or nobody will tell.

    Args:
        clock: ours.
        send: sends a question or an answer, in parts.
    """

    def __init__(self, clock: Callable[[], float], send: Callable[[tuple[bytes, ...]], None]) -> None:
        self._loop: Final = asyncio.get_running_loop()
        self._clock: Final = clock
        self._send: Final = send
        self._offset: Final = Offset()
        self._left = 0  # questions that follow
        self._next: asyncio.TimerHandle | None = None
        self.are_compared: asyncio.Future[None] | None = None

    def compare(self) -> asyncio.Future[None]:
        """Begin to ask; gives `are_compared`."""
        self.are_compared = self._loop.create_future()
        self.ask_some()
        return self.are_compared

    def ask_some(self) -> None:
        """Ask some times in a row."""
        self._left = _IN_A_ROW
        self._next = self._loop.call_later(_EVERY, self.ask_some)
        self.ask()

    def ask(self) -> None:
        """Ask once; whoever answers is alive."""
        self._send((_ASKED.pack(self._clock()),))

    def take(self, message: bytes | bytearray) -> float | None:
        """Answer a question, or take in an answer.

        Returns:
            By how much the clocks differ, if it was an answer to `compare`.
        """
        if len(message) == _ASKED.size:
            self._send((bytes(message), _ASKED.pack(self._clock())))
        elif len(message) == _ANSWERED.size and self.are_compared is not None:
            asked, there = _ANSWERED.unpack(message)
            self._offset.take(asked, there, self._clock())
            self._left = max(0, self._left - 1)
            if self._left:
                self.ask()
            else:
                self.end()
            return self._offset.seconds
        return None

    def end(self) -> None:
        """Nobody waits any more for what the other side tells."""
        if self.are_compared is not None and not self.are_compared.done():
            self.are_compared.set_result(None)

    def stop(self) -> None:
        """Ask no more."""
        if self._next is not None:
            self._next.cancel()

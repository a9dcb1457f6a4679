"""What carries messages between the engine and one agent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, TypeAlias

FEW: Final = 1 << 20
"""Bytes that may wait without anybody having to slow down."""

Message: TypeAlias = bytes | bytearray
"""One whole message as it came. It belongs to whoever receives it."""
Received: TypeAlias = Callable[[Message], None]
Lost: TypeAlias = Callable[[str], None]


class Channel(ABC):
    """A connection to one agent, or to the engine: whole messages in both directions, each in its order.

    All methods are called on the event loop that the channel belongs to.
    """

    peer: str
    """Who is at the other end, in words for people: an address, as a rule."""
    here: str = ""
    """The address of this end; "" if it has none."""
    offset: float = 0.0
    """Seconds to add to times of the other side's `time.perf_counter` to have them on this side's."""

    @abstractmethod
    def listen(self, received: Received, lost: Lost, in_doubt: Callable[[], None] | None = None) -> None:
        """Take in what comes from now on. What has come before is held until then.

        Both are called on the loop. If ``received`` raises, the event loop's exception handler is told, and the
        channel is lost: what one side does not understand, the other must not believe to be done.

        Args:
            received: is called with each message, in the order in which they were sent.
            lost: is called once, after the last message, with what has become of the connection, in words; not if
                this side has closed it.
            in_doubt: is called when ``received`` has raised, or Ctrl-C came out of it, perhaps before it had begun: the
                message was taken, or was not.
        """

    @abstractmethod
    def send(self, *parts: bytes | memoryview) -> None:
        """Send one message. Never blocks; what is sent after the connection is lost or closed goes nowhere.

        Args:
            parts: of the message, one after the other. Nobody may change them before they have gone out; large ones
                are not copied.
        """

    @property
    @abstractmethod
    def waiting(self) -> int:
        """Bytes that were sent here and that the other side has not taken yet, as far as can be told."""

    @abstractmethod
    async def drained(self) -> None:
        """Wait until few bytes wait.

        Raises:
            ConnectionError: the connection is lost or closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the connection after all that was sent has gone out. May be called more than once."""

    @abstractmethod
    def cut(self) -> None:
        """Close the connection at once, whatever was sent. May be called more than once."""

"""How messages are cut out of a stream of bytes: each has its length before it.

The length is a number of eight bytes. Its highest bit tells that the message is for the channel itself: a sign of life,
or a question about the time.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from .channel import Message

LENGTH: Final = Struct("!Q")
CONTROL: Final = 1 << 63
SMALL: Final = 1 << 16
"""Bytes of a message that is copied, since that costs less than to handle it by itself."""
MOST: Final = 1 << 44
"""Bytes of a message; whoever announces more than that has sent something else."""
_GROWS: Final = 1 << 22
_ZEROS: Final = memoryview(bytes(_GROWS))


class BadFrame(ValueError):
    """What has come is no message, or one that is longer than it may be."""


class Frames:
    """Takes in what comes, without copying large messages: they are received where they will stay.

    Args:
        most: bytes that a message may have.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._block = bytearray(SMALL)
        self._view: Final = memoryview(self._block)
        self._filled = 0
        self._large: bytearray | None = None  # a message that does not fit into the block
        self._size = 0  # of that
        self._got = 0
        self._is_control = False

    def buffer(self) -> memoryview:
        """Where the next bytes go."""
        large = self._large
        if large is None:
            return self._view[self._filled :]
        # It grows by what has truly come: who announces a terabyte does not have it reserved. No view of it is left
        # from the last time, so it may.
        if self._got == len(large):
            large += _ZEROS[: self._size - self._got]
        return memoryview(large)[self._got :]

    def take(self, count: int) -> list[tuple[bool, Message]]:
        """The messages that are complete, each with whether it is for the channel itself.

        Args:
            count: bytes that were written into the buffer.

        Raises:
            BadFrame: a message is longer than it may be.
        """
        if self._large is not None:
            self._got += count
            if self._got < self._size:
                return []
            whole, self._large = self._large, None
            return [(self._is_control, whole)]
        self._filled += count
        return self._cut()

    def _cut(self) -> list[tuple[bool, Message]]:
        whole: list[tuple[bool, Message]] = []
        at, end, view = 0, self._filled, self._view
        while end - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(view, at)
            is_control, size = length >= CONTROL, length & (CONTROL - 1)
            if size > self.most:
                raise BadFrame(f"a message of {size:,} bytes, where there may be {self.most:,}")
            start = at + LENGTH.size
            if size > SMALL - LENGTH.size:
                self._is_control, self._size, self._got = is_control, size, min(size, end - start)
                # Never more of it than is here: the block holds less than a large message needs.
                self._large = bytearray(view[start:end])
                at = end
                break
            if start + size > end:
                break
            whole.append((is_control, bytes(view[start : start + size])))
            at = start + size
        rest = end - at
        if at and rest:
            view[:rest] = bytes(view[at:end])
        self._filled = rest
        return whole

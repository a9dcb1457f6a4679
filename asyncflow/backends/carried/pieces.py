"""Large arguments and results, sent in pieces between other messages and put together in a memory file."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Final, Protocol

from ..._worker.wire import Sizes, padded
from .channel import FEW, Channel
from .messages import piece

_PIECE: Final = 1 << 18  # bytes: some hundred of them a second hold nobody up


class Source(Protocol):
    """Something large: where its parts lie in the memory file, and their bytes."""

    def pieces(self, most: int) -> Iterator[tuple[int, bytes | memoryview]]:
        """Offsets, and at most so many bytes from there on."""


class Outlet:
    """Sends large things over a channel, a piece of each in turn, and never more than the other side takes.

    Args:
        channel: to send over.
    """

    def __init__(self, channel: Channel) -> None:
        self._loop = asyncio.get_running_loop()
        self._channel = channel
        self._numbers = count(1)
        self._open: deque[tuple[int, Iterator[tuple[int, bytes | memoryview]], Callable[[], None]]] = deque()
        self._pump: asyncio.Task[None] | None = None

    def send(self, source: Source, done: Callable[[], None]) -> int:
        """Begin to send something.

        Args:
            source: what.
            done: is called when all of it was handed to the channel.

        Returns:
            The number that its pieces have.
        """
        number = next(self._numbers)
        self._open.append((number, source.pieces(_PIECE), done))
        self.recover()
        return number

    def recover(self) -> None:
        """Go on, if whatever was sending has ended: Ctrl-C may have come out of it."""
        if self._open and (self._pump is None or self._pump.done()):
            self._pump = self._loop.create_task(self._run())

    async def _run(self) -> None:
        with suppress(ConnectionError):
            while self._open:
                if self._channel.waiting > FEW:
                    await self._channel.drained()
                number, pieces, done = self._open.popleft()
                following = next(pieces, None)
                if following is None:
                    done()
                    continue
                self._open.append((number, pieces, done))
                offset, data = following
                self._channel.send(piece(number, offset), data)
                await asyncio.sleep(0)  # others have their turn

    def drop(self, number: int) -> None:
        """Send no more of something."""
        self._open = deque(each for each in self._open if each[0] != number)

    def close(self) -> None:
        """Send nothing more."""
        self._open.clear()
        if self._pump is not None and not self._loop.is_closed():
            self._pump.cancel()


class MemoryFile:
    """A memory file, closed when nobody has it any more.

    Args:
        fd: its descriptor; a new file if there is none.
    """

    __slots__ = ("fd",)

    def __init__(self, fd: int = -1) -> None:
        self.fd = os.memfd_create("asyncflow", os.MFD_CLOEXEC) if fd < 0 else fd

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def write(self, offset: int, data: memoryview) -> None:
        """Write all of the data from an offset on."""
        done = 0
        while done < data.nbytes:
            done += os.pwrite(self.fd, data[done:], offset + done)

    def duplicate(self) -> int:
        """Another descriptor of the same file, to be closed by whoever asks."""
        return os.dup(self.fd)

    def release(self) -> int:
        """The descriptor, to be closed by whoever asks; this has none any more."""
        fd, self.fd = self.fd, -1
        return fd


class Inlet:
    """Puts together what comes in pieces."""

    def __init__(self) -> None:
        self._files: dict[int, MemoryFile] = {}

    def take(self, number: int, offset: int, data: memoryview) -> None:
        """Take a piece."""
        file = self._files.get(number)
        if file is None:
            file = self._files[number] = MemoryFile()
        file.write(offset, data)

    def whole(self, number: int) -> MemoryFile:
        """What has come, which is all. It is the caller's from here on."""
        return self._files.pop(number, None) or MemoryFile()

    def close(self) -> None:
        """Let go of what has come."""
        self._files.clear()


class FileSource:
    """What is in a memory file.

    Args:
        fd: its descriptor; closed when all of it was read, or this goes.
        sizes: of its parts; between them are gaps.
    """

    def __init__(self, fd: int, sizes: Sizes) -> None:
        self._file = MemoryFile(fd)
        self._sizes = sizes

    def pieces(self, most: int) -> Iterator[tuple[int, bytes | memoryview]]:
        """As for `Source`."""
        start = 0
        for _, size in self._sizes:
            for done in range(0, size, most):
                yield start + done, os.pread(self._file.fd, min(most, size - done), start + done)
            start += padded(size)


class ViewSource:
    """What would be in a memory file, read from where it is.

    Args:
        views: its parts.
    """

    def __init__(self, views: list[memoryview]) -> None:
        self._views = views

    def pieces(self, most: int) -> Iterator[tuple[int, bytes | memoryview]]:
        """As for `Source`."""
        start = 0
        for view in self._views:
            for done in range(0, view.nbytes, most):
                yield start + done, view[done : done + most]
            start += padded(view.nbytes)

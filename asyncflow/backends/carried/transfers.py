"""Sends files in blocks over a channel, and takes those that come. Both sides have this; whoever wants a file asks.

    FETCH -> number, task, checksum        <- BLOCK number, index, bytes     <- END number, size
    TAKEN -> number, bytes                 <- FAILED number, why
    OVER -> number

No more than a window of a file is on its way: the disk of whoever takes it sets the pace, and other messages have their
turns in between.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Final, Protocol

from ..._files.aside import aside
from ..._files.contents import Arriving, blocks_of, opened

FETCH: Final = 0
BLOCK: Final = 1
END: Final = 2
FAILED: Final = 3
TAKEN: Final = 4
OVER: Final = 5
KINDS: Final = range(6)

_AT_ONCE: Final = 1 << 20  # bytes that are read in one go
_WINDOW: Final = 4 << 20  # bytes of one file that are on their way

Send = Callable[[tuple[object, ...]], None]


class Offers(Protocol):
    """Tells which files the other side may have."""

    async def turn(self, digest: bytes) -> bool:
        """Wait until a content may go; False if the other side is to look first whether it has it by now."""

    def path_of(self, task_id: int, digest: bytes) -> Path:
        """Where a content is that goes with a task; LookupError if there is none."""

    def gone(self, digest: bytes) -> None:
        """A content has gone, or was given up."""


class Target(Protocol):
    """Where a file is put."""

    def begin(self) -> Arriving:
        """It begins to come; on a thread."""

    def arrived(self, arriving: Arriving, size: int, digest: bytes) -> None:
        """It is whole; on a thread."""


class Transfers:
    """The files that are on their way between the two sides of one channel.

    Args:
        send: sends a message.
        offers: what the other side may have.
    """

    def __init__(self, send: Send, offers: Offers) -> None:
        self._send = send
        self._offers = offers
        self._numbers = count(1)
        self._coming: dict[int, _Coming] = {}
        self._going: dict[int, _Going] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._lost: str | None = None

    async def fetch(self, task_id: int, digest: bytes, target: Target) -> None:
        """Have a content from the other side.

        Args:
            task_id: of a task with which it is offered.
            digest: of it.
            target: where it is put.

        Raises:
            OSError: it cannot be read there or written here.
            LookupError: it is not offered.
            ConnectionError: the other side is lost.
            ValueError: it was changed while it was on its way.
        """
        if self._lost is not None:
            raise ConnectionError(self._lost)
        number = next(self._numbers)
        coming = self._coming[number] = _Coming()
        self._send((FETCH, number, task_id, digest))
        arriving: list[Arriving] = []
        try:
            while not coming.is_over:
                await coming.news.wait()
                coming.news.clear()
                if coming.why is not None:
                    raise coming.why
                blocks, coming.blocks = coming.blocks, []
                size = coming.size  # now: the end may come while these are written
                await aside(_written, arriving, target, blocks, size, digest)
                coming.is_over = size is not None
                if not coming.is_over:
                    self._send((TAKEN, number, sum(len(block) for _, block in blocks)))
        finally:
            del self._coming[number]
            for each in arriving:
                each.drop()
            if coming.why is None:
                self._send((OVER, number))

    def received(self, message: tuple[object, ...]) -> None:
        """Take a message of one of `KINDS`.

        Raises:
            TypeError: it is none.
            ValueError: the same.
        """
        kind, number, *rest = message
        if not isinstance(number, int):
            raise TypeError(f"{message!r:.100} is none that goes with files")
        if kind == FETCH:
            task_id, digest = rest
            if not (isinstance(task_id, int) and isinstance(digest, bytes)):
                raise TypeError(f"{message!r:.100} is none that goes with files")
            going = self._going[number] = _Going()
            self._begin(self._give(number, task_id, digest, going))
        elif kind in (TAKEN, OVER):
            leaving = self._going.get(number)
            if leaving is not None:
                leaving.taken(None if kind == OVER else rest[0])
        elif (coming := self._coming.get(number)) is not None:
            coming.received(kind, rest)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        begun = asyncio.get_running_loop().create_task(work)
        self._tasks.add(begun)
        begun.add_done_callback(self._tasks.discard)

    async def _give(self, number: int, task_id: int, digest: bytes, going: _Going) -> None:
        try:
            with ExitStack() as stack:
                if not await self._offers.turn(digest):
                    self._send((FAILED, number, errno.EAGAIN, "it may be there by now"))
                    return
                path = self._offers.path_of(task_id, digest)
                reading, size = None, None
                while size is None:
                    reading, blocks, size = await aside(_read, stack, path, reading)
                    for index, block in blocks:
                        going.on_its_way += len(block)
                        self._send((BLOCK, number, index, block))
                    while size is None and going.on_its_way > _WINDOW and not going.is_over:
                        going.news.clear()
                        await going.news.wait()
                    if going.is_over:
                        return
                self._send((END, number, size))
            while not going.is_over:  # the other side says when it has it
                going.news.clear()
                await going.news.wait()
        except LookupError:
            self._send((FAILED, number, None, "it is not offered"))
        except OSError as error:
            self._send((FAILED, number, error.errno, error.strerror or str(error)))
        finally:
            self._going.pop(number, None)
            self._offers.gone(digest)

    def lost(self, why: str) -> None:
        """The other side is gone: whoever waits for a file is told.

        Args:
            why: in words.
        """
        self._lost = why
        for coming in self._coming.values():
            coming.failed(ConnectionError(why))
        for going in self._going.values():
            going.taken(None)

    async def close(self) -> None:
        """Stop all that is under way."""
        self.lost("the files of this run are no longer served")
        for task in list(self._tasks):
            with suppress(asyncio.CancelledError):
                await task


class _Coming:
    """A file that comes."""

    def __init__(self) -> None:
        self.blocks: list[tuple[int, bytes]] = []
        self.size: int | None = None
        self.why: Exception | None = None
        self.is_over = False
        self.news = asyncio.Event()

    def received(self, kind: object, rest: list[object]) -> None:
        if kind == BLOCK:
            index, block = rest
            if not (isinstance(index, int) and isinstance(block, bytes)):
                raise TypeError(f"no block of a file: {rest!r:.100}")
            self.blocks.append((index, block))
        elif kind == END:
            (size,) = rest
            if not isinstance(size, int):
                raise TypeError(f"no size of a file: {size!r:.100}")
            self.size = size
        else:
            number, words = rest
            if isinstance(number, int):
                self.why = OSError(number, str(words))
            else:
                self.why = LookupError(str(words))
        self.news.set()

    def failed(self, why: Exception) -> None:
        if self.size is None:
            self.why = why
            self.news.set()


class _Going:
    """A file that goes to the other side."""

    def __init__(self) -> None:
        self.on_its_way = 0
        self.is_over = False
        self.news = asyncio.Event()

    def taken(self, size: object) -> None:
        if isinstance(size, int):
            self.on_its_way -= size
        else:
            self.is_over = True
        self.news.set()


def _written(
    arriving: list[Arriving],
    target: Target,
    blocks: list[tuple[int, bytes]],
    size: int | None,
    digest: bytes,
) -> None:
    if not arriving:
        arriving.append(target.begin())
    for index, block in blocks:
        arriving[0].write(index, block)
    if size is not None:
        target.arrived(arriving[0], size, digest)


_Reading = tuple[int, Iterator[tuple[int, bytes]]]


def _read(
    stack: ExitStack, path: Path, reading: _Reading | None
) -> tuple[_Reading, list[tuple[int, bytes]], int | None]:
    """Read on in a file: what is next, and its size if that was the last of it."""
    if reading is None:
        descriptor = stack.enter_context(opened(path))
        reading = descriptor, blocks_of(descriptor)
    descriptor, rest = reading
    blocks: list[tuple[int, bytes]] = []
    read = 0
    for index, block in rest:
        blocks.append((index, block))
        read += len(block)
        if read >= _AT_ONCE:
            return reading, blocks, None
    return reading, blocks, os.fstat(descriptor).st_size


class Into:
    """Puts a content at a path, over nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self) -> Arriving:
        """It begins to come."""
        self._path.parent.mkdir(exist_ok=True)
        return Arriving(self._path.parent)

    def arrived(self, arriving: Arriving, size: int, digest: bytes) -> None:
        """It is whole."""
        arriving.whole(size, digest, self._path)


__all__ = ["KINDS", "Into", "Offers", "Send", "Target", "Transfers"]

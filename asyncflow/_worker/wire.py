"""What crosses between an engine and its worker processes, and how it is packed. Both sides read this file.

    engine -> worker    frames: one packet each, many calls; memory files ride along as descriptors
    worker -> engine    records: length and pickle, one for each thing that has happened
    both ways           orders and large results, on a second socket

A packet that the worker has not read can be read back by the engine: the kernel hands each packet to one reader.
So work that has not begun can be taken from a busy worker, or from a dead one, without asking it.

Large buffers (arrays, long bytes) travel out of band in a memory file (``memfd_create``): written once here, mapped
there without a copy. It has no name, so nothing can be left behind, whoever dies.
"""

from __future__ import annotations

import io
import mmap
import os
import pickle
import socket
from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from .maps import mapped

if TYPE_CHECKING:
    from .by_value.pickler import Reducer  # which loads much, and few need

PLAIN: Final = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Classes that any pickler packs alike, without a look at what is inside."""

IN_BAND: Final = 32_768
"""Bytes up to which a call, a function or a result travels in a packet or record; beyond, in a memory file."""
FRAME_BYTES: Final = 65_536
"""Bytes from which nothing more is put into a packet. With what went in last it stays below what Linux takes."""
OUT_OF_BAND: Final = 1 << 20
"""Bytes from which a buffer is not copied into the pickle."""

# Records: what has happened. Then come the task id, when the function began and when it ended, and the payload.
BEGUN: Final = 0
VALUE: Final = 1  # payload: the value itself
PACKED: Final = 2  # payload: the value, pickled
IN_MEMORY: Final = 3  # payload: the sizes of what is in the memory file that comes on the second socket
ERROR: Final = 4  # payload: the exception, pickled; or the size of that, in a memory file as above
STOPPED: Final = 5
NOT_BEGUN: Final = 6  # handed back untouched
RETIRES: Final = 7  # takes no more work and ends when its socket is closed; payload: why
UP: Final = 8  # has started
LOADED: Final = (
    10  # the function is about to begin, and what it needs was imported; the first time: since when
)
GONE: Final = (
    11  # was not begun: a kept result among its arguments is not there; payload: its number, and why
)
UNSENDABLE: Final = 9  # the function returned what cannot be sent; payload: why, in words
HOLDS: Final = (
    12  # a generator stays here between two slices: its number, for the task id; payload: is it async?
)
RELEASED: Final = 13  # it does not any more

# Flags of a call.
COROUTINE: Final = 1  # the function is an async def
LINKED: Final = 2  # follows the call before in a chain, and is not begun if that fails
TELLS_START: Final = 4  # has a clock that starts with it: record BEGUN
PLAIN_ARGUMENTS: Final = 8  # all of them are of the classes in PLAIN
IN_FILE: Final = 16  # the payload is the sizes of what is in a memory file that comes with the packet
TAGGED: Final = 32  # what `TAGS` tells of it is not what its function tells
TAKES: Final = 64  # kept results are among the arguments: the payload is a list of it and of where these are
KEEP: Final = 128  # its result is to be kept, whatever its size
BRINGS: Final = 256  # its result is not to be kept
PINNED: Final = 512  # goes on with a generator that is in this process
ATTEMPT: Final = 10  # bits to shift by the number of the attempt, if it is not the first

PATH: Final = 0
"""Stands, among the numbers of functions in a packet, for where to look for modules, and the program's arguments."""
TAGS: Final = -2
"""The same for names, labels and workflows of calls that are `TAGGED`, by task id."""
START: Final = -1
"""The same for what is done before the first call: what the program has set for its process, and the initializer."""

# Orders.
TAKE_BACK: Final = 0  # hand back all that has not begun
STOP: Final = 1  # the same, and stop what runs if it is the task named


def call_id(task_id: int, flags: int) -> int:
    """Tells the attempts of one task from each other, so that an order to stop one that comes late stops no other."""
    return task_id | flags >> ATTEMPT << 48


class Stopped(BaseException):
    """Raised in a task that was told to stop."""


class Gone(Exception):
    """A kept result is not there any more. Its number, and why."""


_INT: Final = array("i").itemsize

# How a part of a memory file is taken in.
MAPPED: Final = 0
READ: Final = 1  # as bytes
ASIDE: Final = 2  # the same, and it is no buffer but a value that the pickle mentions by its place
ASIDE_MUTABLE: Final = 3  # the same, a bytearray

Sizes = tuple[tuple[int, int], ...]
"""Of the parts of a memory file: how each is taken in, and its length. The first is the pickle itself."""

PACKET: Final = 1 << 18
_MOST_FILES: Final = 64  # descriptors in one packet


def blocking(channel: socket.socket) -> socket.socket:
    """The socket, without the time-out that the program, or what its interpreter loads first, gives to all new ones."""
    channel.settimeout(None)
    return channel


def receive(channel: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """A packet and the descriptors that came with it."""
    data, extra, _, _ = channel.recvmsg(
        PACKET, socket.CMSG_SPACE(_MOST_FILES * _INT), flags | socket.MSG_CMSG_CLOEXEC
    )
    files = array("i")
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(content[: len(content) - len(content) % _INT])
    return data, list(files)


class _Unpacker(pickle.Unpickler):
    """Puts them back."""

    def __init__(self, stream: Any, buffers: list[object], aside: dict[int, object]) -> None:
        super().__init__(io.BytesIO(stream), buffers=buffers)
        self._aside = aside

    def persistent_load(self, place: Any) -> object:
        return self._aside[place]


class Parts:
    """A packed object: its pickle and the large buffers outside of it.

    Args:
        value: what to pack.
        is_going_home: whether it goes back to the engine.
        reducers: how some kinds travel; None if all as they are.
    """

    def __init__(
        self,
        value: object,
        *,
        is_going_home: bool = False,
        reducers: Mapping[type, Reducer] | None = None,
    ) -> None:
        self.buffers: list[memoryview] = []
        self._ways: list[int] = []
        from .packing import packed  # a worker whose results are plain never needs it

        self.stream = packed(value, self, is_going_home, reducers)

    def put_aside(self, value: bytes | bytearray) -> int:
        """Keep a value out of the pickle.

        Returns:
            Its place.
        """
        self._ways.append(ASIDE if type(value) is bytes else ASIDE_MUTABLE)
        self.buffers.append(memoryview(value))  # which also keeps its id its own
        return len(self.buffers)

    def keep_inside(self, buffer: pickle.PickleBuffer) -> bool:
        """Whether a buffer is to be copied into the pickle."""
        try:
            view = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if view.nbytes < OUT_OF_BAND:
            return True
        self._ways.append(READ if type(view.obj) is bytes else MAPPED)
        self.buffers.append(view)
        return False

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.stream) + sum(view.nbytes for view in self.buffers)

    @property
    def in_band(self) -> bool:
        """Whether it is small enough for a packet."""
        return not self.buffers and len(self.stream) <= IN_BAND

    def sizes(self) -> Sizes:
        """As `unpack_memory` needs them."""
        buffers = zip(self._ways, (view.nbytes for view in self.buffers), strict=True)
        return ((READ, len(self.stream)), *buffers)

    def into_memory(self) -> int:
        """Write all of it into a new memory file.

        Returns:
            Its descriptor.
        """
        file = os.memfd_create("asyncflow", os.MFD_CLOEXEC)
        try:
            offset = 0
            for view in (self.stream, *self.buffers):
                _write_all(file, view, offset)
                offset += padded(view.nbytes)
        except BaseException:
            os.close(file)
            raise
        return file


def _write_all(file: int, view: memoryview, offset: int) -> None:
    done = 0
    while done < view.nbytes:  # one write takes at most 2 GiB
        done += os.pwrite(file, view[done:], offset + done)


def padded(size: int) -> int:
    """Bytes from the beginning of a part of a memory file to the beginning of the next."""
    return -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY


def unpack_memory(file: int, sizes: Sizes, *, is_shared: bool = False) -> Any:
    """Rebuild what `Parts.into_memory` wrote. Arrays are mapped: they hold the memory as long as they live.

    Args:
        file: the memory file's descriptor; closed here.
        sizes: of its parts.
        is_shared: whether others have it, too: what is changed here is copied then, and they do not see it.
    """
    try:
        offset, parts = 0, []
        for way, size in sizes:
            parts.append(_read_all(file, size, offset) if way else mapped(file, size, offset, is_shared))
            offset += padded(size)
    finally:
        os.close(file)
    ways = [way for way, _ in sizes]
    buffers = [part for way, part in zip(ways[1:], parts[1:], strict=True) if way < ASIDE]
    if len(buffers) == len(parts) - 1:
        return pickle.loads(parts[0], buffers=buffers)
    aside: dict[int, object] = {place: parts[place] for place, way in enumerate(ways) if way == ASIDE}
    aside |= {place: bytearray(parts[place]) for place, way in enumerate(ways) if way == ASIDE_MUTABLE}
    return _Unpacker(parts[0], buffers, aside).load()


def read_file(file: int, size: int) -> bytes:
    """All of a memory file that holds nothing but bytes; closes it."""
    try:
        return _read_all(file, size, 0)
    finally:
        os.close(file)


def write_file(data: bytes) -> int:
    """A new memory file with nothing but these bytes."""
    file = os.memfd_create("asyncflow", os.MFD_CLOEXEC)
    _write_all(file, memoryview(data), 0)
    return file


def _read_all(file: int, size: int, offset: int) -> bytes:
    # pread makes the bytes object itself and lets other threads run, which bytes(memoryview) does not
    first = os.pread(file, size, offset)
    if len(first) == size:
        return first
    pieces = [first]
    done = len(first)
    while done < size:
        pieces.append(os.pread(file, size - done, offset + done))
        done += len(pieces[-1])
    return b"".join(pieces)

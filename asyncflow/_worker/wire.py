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
from typing import Any, Final

import cloudpickle

PLAIN: Final = frozenset({type(None), bool, int, float, complex, str, bytes})
"""Classes that any pickler packs alike, without a look at what is inside."""

IN_BAND: Final = 32_768
"""Bytes up to which a call, a function or a result travels in a packet or record; beyond, in a memory file."""
FRAME: Final = 65_536
"""Bytes from which nothing more is put into a packet. With what went in last it stays below what Linux takes."""
OUT_OF_BAND: Final = 1 << 20
"""Bytes from which a buffer is not copied into the pickle."""

# Records: what has happened. Then come the task id, when the function began and when it ended, and the payload.
BEGUN: Final = 0
VALUE: Final = 1  # payload: the value itself
PACKED: Final = 2  # payload: the value, pickled by cloudpickle
IN_MEMORY: Final = 3  # payload: the sizes of what is in the memory file that comes on the second socket
ERROR: Final = 4  # payload: the exception, pickled
STOPPED: Final = 5
NOT_BEGUN: Final = 6  # handed back untouched
RETIRES: Final = 7  # takes no more work and ends when its socket is closed; payload: why
UP: Final = 8  # has started
UNSENDABLE: Final = 9  # the function returned what cannot be sent; payload: why, in words

# Flags of a call.
COROUTINE: Final = 1  # the function is an async def
LINKED: Final = 2  # follows the call before in a chain, and is not begun if that fails
TELLS_START: Final = 4  # has a clock that starts with it: record BEGUN
PLAIN_ARGUMENTS: Final = 8  # all of them are of the classes in PLAIN
IN_FILE: Final = 16  # the payload is the sizes of what is in a memory file that comes with the packet

# Orders.
TAKE_BACK: Final = 0  # hand back all that has not begun
STOP: Final = 1  # the same, and stop what runs if it is the task named


_INT: Final = array("i").itemsize

Sizes = tuple[tuple[bool, int], ...]
"""Of the parts of a memory file: whether to read it as bytes rather than map it, and its length. The first is the
pickle itself."""


PACKET: Final = 1 << 18
_MOST_FILES: Final = 64  # descriptors in one packet


def receive(channel: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """A packet and the descriptors that came with it.

    Args:
        channel: where to read.
        flags: as for ``recv``; `socket.recv_fds` takes them too and, up to Python 3.12, forgets them.
    """
    data, extra, _, _ = channel.recvmsg(
        PACKET, socket.CMSG_SPACE(_MOST_FILES * _INT), flags | socket.MSG_CMSG_CLOEXEC
    )
    files = array("i")
    for level, kind, content in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            files.frombytes(content[: len(content) - len(content) % _INT])
    return data, list(files)


class _Whole:
    """A long ``bytes`` or ``bytearray``, which pickle would copy into its stream, sent as a buffer instead."""

    def __init__(self, raw: bytes | bytearray) -> None:
        self.raw = raw

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _same if type(self.raw) is bytes else bytearray, (pickle.PickleBuffer(self.raw),)


def _same(raw: Any) -> bytes:
    return raw if type(raw) is bytes else bytes(raw)


class Parts:
    """A packed object: its pickle and the large buffers outside of it."""

    def __init__(self, value: Any) -> None:
        self.buffers: list[memoryview] = []
        self._read: list[bool] = []
        stream = io.BytesIO()
        cloudpickle.Pickler(stream, protocol=5, buffer_callback=self._keep_inside).dump(_wrapped(value))
        self.stream = stream.getbuffer()

    def _keep_inside(self, buffer: pickle.PickleBuffer) -> bool:
        try:
            view = buffer.raw()
        except BufferError:  # not contiguous
            return True
        if view.nbytes < OUT_OF_BAND:
            return True
        self._read.append(type(view.obj) is bytes)
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
        buffers = zip(self._read, (view.nbytes for view in self.buffers), strict=True)
        return ((True, len(self.stream)), *buffers)

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
                offset += _padded(view.nbytes)
        except BaseException:
            os.close(file)
            raise
        return file


def _wrapped(value: Any) -> Any:
    """Long bytes at the top, in a tuple, list or dict, made to travel as buffers."""
    cls = type(value)
    if cls in (bytes, bytearray):
        return _Whole(value) if len(value) >= OUT_OF_BAND else value
    if cls is tuple or cls is list:
        return cls([_wrapped_once(item) for item in value])
    if cls is dict:
        return {key: _wrapped_once(item) for key, item in value.items()}
    return value


def _wrapped_once(value: Any) -> Any:
    if type(value) in (bytes, bytearray) and len(value) >= OUT_OF_BAND:
        return _Whole(value)
    if type(value) in (tuple, list, dict) and len(value) < 1000:
        return _wrapped(value)
    return value


def _write_all(file: int, view: memoryview, offset: int) -> None:
    done = 0
    while done < view.nbytes:  # one write takes at most 2 GiB
        done += os.pwrite(file, view[done:], offset + done)


def _padded(size: int) -> int:
    return -(-size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY


def unpack_memory(file: int, sizes: Sizes) -> Any:
    """Rebuild what `Parts.into_memory` wrote. Arrays are mapped: they hold the memory as long as they live.

    Args:
        file: the memory file's descriptor; closed here.
        sizes: of its parts.
    """
    try:
        offset, parts = 0, []
        for read, size in sizes:
            parts.append(_read_all(file, size, offset) if read else mmap.mmap(file, size, offset=offset))
            offset += _padded(size)
    finally:
        os.close(file)
    return pickle.loads(parts[0], buffers=parts[1:])


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

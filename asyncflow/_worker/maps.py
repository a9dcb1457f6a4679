"""Maps memory files without keeping a descriptor for each: a program may hold many arrays, and open few files."""

from __future__ import annotations

import mmap
import os
import sys
import weakref
from functools import cache
from typing import Any


def mapped(file: int, size: int, offset: int, is_shared: bool = False) -> Any:
    """A part of a memory file as a buffer, which may be written to and holds the memory as long as it lives.

    Args:
        file: the descriptor; may be closed afterwards.
        size: bytes.
        offset: bytes, a multiple of `mmap.ALLOCATIONGRANULARITY`.
        is_shared: whether others have the file, too: what is written here is a copy of its own then, page by page.

    Raises:
        OSError: there is no memory to map it.
    """
    if sys.version_info >= (3, 13):
        access = mmap.ACCESS_COPY if is_shared else mmap.ACCESS_DEFAULT
        return mmap.mmap(file, size, access=access, offset=offset, trackfd=False)
    try:
        import ctypes  # slow to load, and only for large values
    except ImportError:  # Python may be built without it
        access = mmap.ACCESS_COPY if is_shared else mmap.ACCESS_DEFAULT
        return mmap.mmap(file, size, access=access, offset=offset)
    system = _system()
    kind = mmap.MAP_PRIVATE if is_shared else mmap.MAP_SHARED
    address = system.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, kind, file, offset)
    if address == ctypes.c_void_p(-1).value:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    memory = (ctypes.c_char * size).from_address(address)
    # Not at the interpreter's end: arrays may then still be looked at, and the kernel takes it all.
    weakref.finalize(memory, system.munmap, address, size).atexit = False
    return memoryview(memory).cast("B")


@cache
def _system() -> Any:
    import ctypes

    system = ctypes.CDLL(None, use_errno=True)
    system.mmap.restype = ctypes.c_void_p
    system.mmap.argtypes = [
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_ssize_t,
    ]
    system.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    return system

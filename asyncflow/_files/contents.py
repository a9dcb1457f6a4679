"""Files by what is in them: checksums, blocks in which files travel, and a store in which each content is once.

A file is looked at in blocks. Those that hold nothing but zeros are left out, of the checksum and of what is sent, so
that a file with holes travels without them and has them again; holes are not even read where the file system tells
where they are.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final

from .copying import Unwanted, copy

BLOCK: Final = 256 << 10
"""Bytes of one block."""
SMALL: Final = 4096
"""Bytes of a file whose content goes along with what is told of it."""
_NOTHING: Final = bytes(BLOCK)
_KEPT: Final = 1_000_000_000_000_000_000  # when all in a store was changed last, in nanoseconds


class Digest:
    """The checksum of a file (BLAKE2b), of which the blocks that hold anything but zeros are added in their order."""

    def __init__(self) -> None:
        from hashlib import blake2b

        self._made = blake2b(digest_size=32)

    def add(self, index: int, block: bytes) -> None:
        """Add the block of a number, counted from 0."""
        self._made.update(index.to_bytes(8, "little") + len(block).to_bytes(8, "little"))
        self._made.update(block)

    def of_size(self, size: int) -> bytes:
        """The checksum of all of it, which is so many bytes."""
        self._made.update(b"end of file" + size.to_bytes(8, "little"))
        return self._made.digest()


def blocks_of(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """The blocks of a file that hold anything but zeros, with their numbers. The last may be short."""
    status = os.fstat(descriptor)
    has_holes = status.st_blocks * 512 < status.st_size
    at = 0
    while True:
        if has_holes:
            try:
                at = os.lseek(descriptor, at, os.SEEK_DATA) // BLOCK * BLOCK
            except OSError as error:
                if error.errno == errno.ENXIO:  # only a hole follows
                    return
                has_holes = False  # the file system cannot tell
        block = _read(descriptor, at)
        if not block:
            return
        if block != _NOTHING[: len(block)]:
            yield at // BLOCK, block
        at += BLOCK


def _read(descriptor: int, at: int) -> bytes:
    block = os.pread(descriptor, BLOCK, at)
    while 0 < len(block) < BLOCK:  # some file systems give less than there is
        more = os.pread(descriptor, BLOCK - len(block), at + len(block))
        if not more:
            break
        block += more
    return block


def digest_of(path: str | Path, wanted: Callable[[], bool] = lambda: True) -> bytes:
    """The checksum of a file; it takes as long as reading it.

    Raises:
        OSError: it cannot be read, or is no regular file.
        Unwanted: `wanted`, which is asked now and then, has said no.
    """
    with opened(path) as descriptor:
        made = Digest()
        for index, block in blocks_of(descriptor):
            if not wanted():
                raise Unwanted
            made.add(index, block)
        return made.of_size(os.fstat(descriptor).st_size)


@contextmanager
def opened(path: str | Path) -> Iterator[int]:
    """A descriptor of a regular file, for reading, and of nothing else: to open a pipe would wait for its other end.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


class Arriving:
    """A file that comes in blocks, into a directory where it has no name until it is whole."""

    def __init__(self, folder: Path) -> None:
        descriptor, name = tempfile.mkstemp(prefix=".arriving-", dir=folder)
        self._descriptor = descriptor
        self._path = Path(name)
        self._made = Digest()
        self._last = -1

    def write(self, index: int, block: bytes) -> None:
        """Write a block where it belongs; they come in their order.

        Raises:
            OSError: it cannot be written.
            ValueError: it is no block that can come here.
        """
        if index <= self._last or not 0 < len(block) <= BLOCK:
            raise ValueError(f"block {index} of {len(block)} bytes came after block {self._last}")
        self._last = index
        self._made.add(index, block)
        view, at = memoryview(block), index * BLOCK
        while view:
            written = os.pwrite(self._descriptor, view, at)
            view, at = view[written:], at + written

    def whole(self, size: int, expected: bytes, target: Path, changed: int | None = None) -> None:
        """All of it has come: it gets its name.

        Args:
            size: bytes that it has.
            expected: its checksum.
            target: where it is to be.
            changed: when it is to have been changed last, in nanoseconds; None for now.

        Raises:
            OSError: it cannot be written.
            ValueError: it is not what was expected.
        """
        os.ftruncate(self._descriptor, size)
        if self._made.of_size(size) != expected:
            raise ValueError("it was changed while it was on its way, or on the way")
        os.close(self._descriptor)
        self._descriptor = -1
        if changed is not None:
            os.utime(self._path, ns=(changed, changed))
        os.rename(self._path, target)

    def drop(self) -> None:
        """Let go of it, if it is not whole."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            with suppress(OSError):
                self._path.unlink()


def small(path: str | Path, size: int) -> bytes | None:
    """What is in a file, if that is little enough to go along with what is told of it."""
    if size > SMALL:
        return None
    with opened(path) as descriptor:
        content = os.pread(descriptor, SMALL + 1, 0)
    return content if len(content) == size else None


def digest_of_small(content: bytes) -> bytes:
    """The checksum of a file that has this in it."""
    made = Digest()
    if content.strip(b"\0"):
        made.add(0, content)
    return made.of_size(len(content))


class Store:
    """Files of one machine by their checksums, each content once. Nobody writes into them: what a task gets is a copy,
    which shares its blocks where the file system can do that. All agents of an engine on one machine may have one.

    Args:
        folder: is there, and holds nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = (f".moved-{os.getpid()}-{number}" for number in count())

    def __contains__(self, digest: bytes) -> bool:
        try:  # whoever has written to it since has changed its time
            return os.stat(self.path(digest)).st_mtime_ns == _KEPT
        except OSError:
            return False

    def path(self, digest: bytes) -> Path:
        """Where a content is."""
        return self._folder / digest.hex()

    def begin(self) -> Arriving:
        """A content begins to come, which has `arrived` when it is whole.

        Raises:
            OSError: there is no room for it.
        """
        return Arriving(self._folder)

    def arrived(self, arriving: Arriving, size: int, digest: bytes) -> None:
        """A content is whole.

        Raises:
            OSError: it cannot be kept.
            ValueError: it is not what was expected.
        """
        arriving.whole(size, digest, self.path(digest), changed=_KEPT)

    def put(self, content: bytes, digest: bytes) -> None:
        """Have a small content here, if it is not.

        Raises:
            OSError: it cannot be written.
            ValueError: it is not what was expected.
        """
        if digest in self:
            return
        arriving = self.begin()
        try:
            if content.strip(b"\0"):
                arriving.write(0, content)
            self.arrived(arriving, len(content), digest)
        finally:
            arriving.drop()

    def take(self, path: str | Path) -> bytes:
        """Move a file in, and tell its checksum.

        Raises:
            OSError: it cannot be moved or read.
        """
        moved = self._folder / next(self._names)
        try:
            os.rename(path, moved)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy(Path(path), moved, lambda: True)
        try:
            os.chmod(moved, stat.S_IRUSR | stat.S_IWUSR)
            digest = digest_of(moved)
            os.utime(moved, ns=(_KEPT, _KEPT))
            os.rename(moved, self.path(digest))
        except BaseException:
            with suppress(OSError):
                moved.unlink()
            raise
        return digest

    def give(self, digest: bytes, target: Path, wanted: Callable[[], bool]) -> None:
        """Copy a content to where nothing is.

        Raises:
            LookupError: it is not here, or somebody has written into it: it has to come anew.
            OSError: it cannot be copied.
            Unwanted: `wanted` has said no.
        """
        if digest not in self:
            raise LookupError(digest.hex())
        copy(self.path(digest), target, wanted)
        with suppress(OSError):
            os.utime(self.path(digest), ns=(time.time_ns(), _KEPT))  # it was used

    def free(self, most: int, needed: Container[bytes] = ()) -> int:
        """Remove what was not used for the longest time, as there is no room on the disk.

        Args:
            most: bytes that are to be free then.
            needed: what stays.

        Returns:
            How many bytes were freed.
        """
        freed = 0
        found = [each for each in os.scandir(self._folder) if not each.name.startswith(".")]
        for entry in sorted(found, key=lambda each: each.stat().st_atime_ns):
            if freed >= most:
                break
            if bytes.fromhex(entry.name) not in needed:
                with suppress(OSError):
                    freed += entry.stat().st_blocks * 512
                    os.unlink(entry.path)
        return freed

"""Copies files and directories on this machine. A copy shares its blocks with the original where the file system can do
that, is made inside the kernel where it cannot, and is whole or not there. Nothing in it leads back to the original."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

_FICLONE: Final = 0x40049409  # <linux/fs.h>
_AT_ONCE: Final = 64 << 20  # bytes between two looks at whether the copy is still wanted
_BUFFER: Final = 1 << 20
_CANNOT: Final = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})


class Unwanted(Exception):
    """Nobody wants it any more."""


def copy(source: Path, target: Path, wanted: Callable[[], bool]) -> None:
    """Copy a file, or a directory with all that is in it, to where nothing is; after a failure nothing is there again.

    Links inside a directory stay links where they lead to something in it. Others are followed, the source too: whoever
    writes into the copy would write to where they lead.

    Raises:
        OSError: it could not be read or written, holds the place of the copy, or is neither a file nor a directory.
        Unwanted: `wanted`, which is asked now and then, has said no.
    """
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, "something is there already", str(target))
    try:
        if source.is_dir():
            _copy_tree(os.path.realpath(source), str(target), wanted)
        else:
            _copy_file(str(source), str(target), wanted)
    except BaseException:
        remove(target)
        raise


def remove(path: Path) -> None:
    """Remove a file or a directory, as far as that can be done; it may be gone."""
    if not path.is_dir() or path.is_symlink():
        with suppress(OSError):
            path.unlink()
        return
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():  # directories that their owner may not write to
        for folder, _, _ in os.walk(path):
            with suppress(OSError):
                os.chmod(folder, stat.S_IRWXU)
        shutil.rmtree(path, ignore_errors=True)


def is_inside(path: str | Path, folder: str | Path) -> bool:
    """Whether a path leads to somewhere in a directory, or to that itself, with all links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _copy_tree(source: str, target: str, wanted: Callable[[], bool]) -> None:
    if is_inside(os.path.dirname(target), source):
        raise OSError(errno.EINVAL, "the place of its copy is inside of it", source)
    made: list[tuple[str, str]] = []
    stack = [(source, target, source, frozenset[str]())]
    while stack:
        here, there, root, above = stack.pop()
        if here in above:
            raise OSError(errno.ELOOP, "a link in it leads to a directory around it", here)
        os.mkdir(there)
        made.append((here, there))
        with os.scandir(here) as listing:
            entries = list(listing)
        for entry in entries:
            copied = os.path.join(there, entry.name)
            if entry.is_symlink() and (stays(entry.path, root) or not os.path.exists(entry.path)):
                os.symlink(os.readlink(entry.path), copied)
            elif entry.is_symlink() and entry.is_dir():
                followed = os.path.realpath(entry.path)
                stack.append((followed, copied, followed, above | {here}))
            elif entry.is_dir():
                stack.append((entry.path, copied, root, above | {here}))
            else:
                _copy_file(entry.path, copied, wanted)
    for here, there in reversed(made):  # last, because some may then not be written into any more
        shutil.copystat(here, there)


def stays(link: str, root: str) -> bool:
    """Whether a link leads to the same in a copy of the root as in the root."""
    return not os.path.isabs(os.readlink(link)) and is_inside(link, root)


def _copy_file(source: str, target: str, wanted: Callable[[], bool]) -> None:
    if not stat.S_ISREG(
        os.stat(source).st_mode
    ):  # to open a pipe would wait for its other end, /dev/zero has none
        raise OSError(errno.EINVAL, "it is neither a file nor a directory", source)
    with open(source, "rb", buffering=0) as original, open(target, "xb", buffering=0) as copied:
        try:
            fcntl.ioctl(copied, _FICLONE, original.fileno())
        except OSError:  # another file system, or one that cannot share blocks
            for start, length in _parts(original.fileno()):
                os.lseek(original.fileno(), start, os.SEEK_SET)
                os.lseek(copied.fileno(), start, os.SEEK_SET)
                _copy_blocks(original.fileno(), copied.fileno(), length, wanted)
            if os.fstat(copied.fileno()).st_size < (size := os.fstat(original.fileno()).st_size):
                os.ftruncate(copied.fileno(), size)  # it ends with a hole
    shutil.copystat(source, target)


def _parts(source: int) -> list[tuple[int, int | None]]:
    """Where there is something in a file between its holes, and how much; None for all that comes."""
    status = os.fstat(source)
    if status.st_blocks * 512 >= status.st_size:
        return [(0, None)]
    found: list[tuple[int, int | None]] = []
    at = 0
    try:
        while at < status.st_size:
            start = os.lseek(source, at, os.SEEK_DATA)
            at = os.lseek(source, start, os.SEEK_HOLE)
            found.append((start, at - start))
    except OSError as error:
        if error.errno != errno.ENXIO:  # which says that the rest is a hole
            return [(0, None)]  # a file system that cannot tell
    return found


def _copy_blocks(source: int, target: int, length: int | None, wanted: Callable[[], bool]) -> None:
    step = _in_kernel
    while length != 0:
        if not wanted():
            raise Unwanted
        try:
            copied = step(source, target, _AT_ONCE if length is None else min(length, _AT_ONCE))
        except OSError as error:
            if step is _by_hand or error.errno not in _CANNOT:
                raise
            copied = 0
        if not copied:
            if step is _by_hand:
                return
            step = _by_hand  # also at what looks like the end: files of the kernel's own making tell no size
        elif length is not None:
            length -= copied


def _in_kernel(source: int, target: int, most: int) -> int:
    return os.copy_file_range(source, target, most)


def _by_hand(source: int, target: int, most: int) -> int:
    block = os.read(source, min(most, _BUFFER))
    view = memoryview(block)
    while view:
        view = view[os.write(target, view) :]
    return len(block)

"""Copies files and directories on this machine. A copy shares its blocks with the original where the file system can do
that, is made inside the kernel where it cannot, and is whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

_FICLONE: Final = 0x40049409  # <linux/fs.h>
_AT_ONCE: Final = 64 << 20  # bytes between two looks at whether the copy is still wanted
_BUFFER: Final = 1 << 20
_CANNOT: Final = frozenset({errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM})


class Unwanted(Exception):
    """Nobody wants the copy any more."""


def copy(source: Path, target: Path, wanted: Callable[[], bool]) -> None:
    """Copy a file or a directory with all that is in it.

    Args:
        source: what to copy; links inside a directory stay links.
        target: where to; must not be there. It is not there either when this fails.
        wanted: whether the copy is still wanted; asked now and then.

    Raises:
        OSError: it could not be read or written, or is neither a file nor a directory.
        Unwanted: as told.
    """
    try:
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, copy_function=partial(_copy_file, wanted))
        else:
            _copy_file(wanted, source, target)
    except shutil.Error as errors:  # of a whole tree; the first is reason enough
        remove(target)
        from_there, _, why = errors.args[0][0]
        raise OSError(f"{from_there}: {why}") from errors
    except BaseException as error:
        if not isinstance(error, FileExistsError):
            remove(target)
        raise


def remove(path: Path) -> None:
    """Remove a file or a directory, as far as that can be done.

    Args:
        path: may be gone.
    """
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _copy_file(wanted: Callable[[], bool], source: str | Path, target: str | Path) -> None:
    mode = os.stat(source).st_mode
    if not stat.S_ISREG(mode):  # to open a pipe would wait for its other end, and a device may have no end
        raise OSError(errno.EINVAL, "it is neither a file nor a directory", str(source))
    with open(source, "rb", buffering=0) as original, open(target, "xb", buffering=0) as copied:
        try:
            fcntl.ioctl(copied, _FICLONE, original.fileno())
        except OSError:  # another file system, or one that cannot share blocks
            _copy_blocks(original.fileno(), copied.fileno(), wanted)
    shutil.copystat(source, target)


def _copy_blocks(source: int, target: int, wanted: Callable[[], bool]) -> None:
    step = _in_kernel
    while True:
        if not wanted():
            raise Unwanted
        try:
            copied = step(source, target)
        except OSError as error:
            if step is _by_hand or error.errno not in _CANNOT:
                raise
            copied = 0
        if not copied:
            if step is _by_hand:
                return
            step = _by_hand  # also at what looks like the end: files of the kernel's own making tell no size


def _in_kernel(source: int, target: int) -> int:
    return os.copy_file_range(source, target, _AT_ONCE)


def _by_hand(source: int, target: int) -> int:
    block = os.read(source, _BUFFER)
    view = memoryview(block)
    while view:
        view = view[os.write(target, view) :]
    return len(block)

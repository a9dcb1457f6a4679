"""Knows where on this machine a path leads to that a user has given, and whether a file can be put there."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

from .._core import urls


def local_path(given: object, folder: Path) -> Path | None:
    """A path of this machine as its user has it, also as a file: URL; None if it is none."""
    if isinstance(given, str) and (path := urls.local_path(given)) is not None:
        given = path
    if not isinstance(given, (str, os.PathLike)):
        return None
    return folder / os.path.expanduser(given)


def destination_of(to: object, folder: Path) -> Path | str:
    """Where an output is published: a path of this machine, with the links of its directory followed, or a URL.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(to, str) and urls.is_url(to) and urls.local_path(to) is None:
        return to
    path = local_path(to, folder)
    if path is None:
        raise TypeError(f"OutputFile(..., to={to!r}): a path or a URL is needed")
    path = Path(os.path.normpath(path))
    return Path(os.path.realpath(path.parent), path.name)


def refuse_no_file(place: Path) -> None:
    """Raise OSError where a device, a pipe or a socket is: to publish there, a rename would put a file in its place."""
    with suppress(FileNotFoundError, NotADirectoryError):
        mode = os.stat(place).st_mode
        leads_to = os.readlink(place) if place.is_symlink() else ""
        is_stream = any(each.startswith("/proc/") for each in (str(place), leads_to))  # as /dev/stdout is
        if is_stream or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            told = "a device, pipe or socket is there, which a file would replace; leave to= out, or name another place"
            raise OSError(errno.EINVAL, told, str(place))

"""What fsspec's drivers do in different ways, done in one: looking, listing, moving, removing.

Their own `exists`, `isdir`, `find`, `mv` and `rm` are not used: these take failures for answers, names for patterns.
"""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any, TypeAlias

from ..._core.urls import as_sent, name_in_listing

FileSystem: TypeAlias = Any
"""One of fsspec, which is not typed."""


def info(fs: FileSystem, path: str) -> Any:
    """What is there, None for nothing. The drivers' own `exists` and `isdir` take any failure for a no."""
    fs.invalidate_cache()
    try:
        return fs.info(path)
    except FileNotFoundError:
        return None


def listing(fs: FileSystem, folder: str, is_page: bool) -> dict[str, tuple[str, bool]]:
    """What is in a directory: by name, what the place calls it and whether it is a directory.

    It may be a page of the web, with links of all kinds.
    """
    fs.invalidate_cache()
    found: dict[str, tuple[str, bool]] = {}
    entries = fs.ls(folder, detail=True)
    for entry in entries:
        path = as_sent(entry["name"]) if is_page else entry["name"]
        name = name_in_listing(folder, path)
        if name is not None:
            found.setdefault(name, (path, entry["type"] == "directory"))
    if not found and is_page:
        raise NotADirectoryError(
            "its page has no links to files, and a URL that ends in a slash is a directory"
        )
    if not found and any(e["type"] == "file" and not e["name"].endswith("/") for e in entries):
        raise NotADirectoryError("a file is there, and the URL ends in a slash")
    return found


def check_size(fs: object, path: str, size: int) -> None:
    arrived = (info(fs, path) or {}).get("size", 0)
    if arrived not in (None, size):
        raise OSError(f"{arrived:,} bytes arrived, of {size:,}")


def prepare(fs: FileSystem, target: str, folder: bool) -> None:
    there = info(fs, target)
    if there is not None and there["type"] == "directory":
        raise IsADirectoryError("a directory is there already")
    if there is not None and folder:
        raise FileExistsError("a file is there already, and this is a directory")
    parent = target.rpartition("/")[0]
    if parent and info(fs, parent) is None:
        fs.makedirs(parent, exist_ok=True)


def move(fs: FileSystem, hidden: str, target: str) -> None:
    """Give a complete upload its name, also where that does not replace what has the name."""
    if info(fs, hidden) is None and info(fs, target) is not None:
        return  # an attempt has done it, and its answer was lost
    try:
        _rename(fs, hidden, target)
    except OSError as error:
        if error.errno != errno.EEXIST and not isinstance(error, FileExistsError):
            raise
    if info(fs, hidden) is None:  # some drivers keep a server's "no" to themselves
        return
    there = info(fs, target)
    if there is None or there["type"] == "directory":
        raise FileExistsError("what was uploaded could not be given its name")
    fs.rm_file(target)
    _rename(fs, hidden, target)


def _rename(fs: FileSystem, hidden: str, target: str) -> None:
    from fsspec import AbstractFileSystem

    if type(fs).mv is not AbstractFileSystem.mv:
        fs.mv(hidden, target)
        return
    # fsspec's own `mv` would take a star or a bracket in a name for a pattern.
    for path, is_folder in _all_at(fs, hidden).items():
        moved = target + path[len(hidden) :]
        if is_folder:
            fs.makedirs(moved, exist_ok=True)
        else:
            fs.cp_file(path, moved)
    remove(fs, hidden)


def remove(fs: FileSystem, path: str) -> None:
    """Remove what is there, a directory with all that is in it; fsspec's `rm` takes patterns, too."""
    for each, is_folder in reversed(_all_at(fs, path).items()):
        # Where directories are but parts of names, they go with their last file.
        with suppress(FileNotFoundError):
            (fs.rmdir if is_folder else fs.rm_file)(each)


def _all_at(fs: FileSystem, path: str) -> dict[str, bool]:
    """What is there and all that is in it, each with whether it is a directory; fsspec's `find` passes over errors."""
    there = info(fs, path)
    if there is None:
        return {}
    found = {path: there["type"] == "directory"}
    for entry in fs.ls(path, detail=True) if found[path] else ():
        found |= _all_at(fs, entry["name"])
    return found

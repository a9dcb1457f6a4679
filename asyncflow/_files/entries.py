"""Files and directories as entries that can be sent to another machine, and put up again there."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from .._core.carried_files import FILE, FOLDER, LINK, Entry
from .copying import Unwanted, copy, is_inside, remove, stays


def entries_of(source: Path, name: str) -> list[Entry]:
    """A file, or a directory with all that is in it, as entries below a name; a directory before what is in it.

    Links inside a directory stay links where they lead to something in it, or to nothing. Others are followed, the
    source too, as if it were copied.

    Raises:
        OSError: something cannot be looked at, or is neither a file nor a directory, or a link leads round in a circle.
    """
    status = os.stat(source)
    if not stat.S_ISDIR(status.st_mode):
        return [_of_file(str(source), name, status)]
    found: list[Entry] = []
    root = os.path.realpath(source)
    stack = [(root, name, root, frozenset[str]())]
    while stack:
        here, there, top, above = stack.pop()
        if here in above:
            raise OSError(errno.ELOOP, "a link in it leads to a directory around it", here)
        status = os.stat(here)
        found.append(Entry(there, FOLDER, stat.S_IMODE(status.st_mode), status.st_mtime_ns, 0, None, here))
        for entry in sorted(os.scandir(here), key=lambda each: each.name):
            below = f"{there}/{entry.name}"
            if entry.is_symlink() and (stays(entry.path, top) or not os.path.exists(entry.path)):
                found.append(_of_link(entry.path, below))
            elif entry.is_symlink() and entry.is_dir():
                followed = os.path.realpath(entry.path)
                stack.append((followed, below, followed, above | {here}))
            elif entry.is_dir():
                stack.append((entry.path, below, top, above | {here}))
            else:
                found.append(_of_file(entry.path, below, os.stat(entry.path)))
    return sorted(found, key=lambda each: each.name.split("/"))


def entry_at(path: str, name: str) -> Entry:
    """One file, link or directory as it stands, without what is in it.

    Raises:
        OSError: it cannot be looked at, or is something else.
    """
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return _of_link(path, name)
    if stat.S_ISDIR(status.st_mode):
        return Entry(name, FOLDER, stat.S_IMODE(status.st_mode), status.st_mtime_ns, 0, None, path)
    return _of_file(path, name, status)


def _of_file(path: str, name: str, status: os.stat_result) -> Entry:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is neither a file nor a directory", path)
    mode = stat.S_IMODE(status.st_mode)
    return Entry(name, FILE, mode, status.st_mtime_ns, status.st_size, None, path)


def _of_link(path: str, name: str) -> Entry:
    status = os.lstat(path)
    return Entry(name, LINK, 0o777, status.st_mtime_ns, status.st_size, None, os.readlink(path))


Give = Callable[[Entry, Path], None]
"""Puts the content of a file to where nothing is."""


def put_up(entries: Iterable[Entry], sandbox: Path, give: Give, wanted: Callable[[], bool]) -> None:
    """Make in a directory what entries say.

    Raises:
        OSError: it cannot be made there.
        ValueError: a name leads out of the directory through a link.
        Unwanted: `wanted` has said no.
    """
    folders: list[tuple[Path, Entry]] = []
    known = {sandbox}
    for entry in entries:
        if not wanted():
            raise Unwanted
        target = sandbox / entry.name
        if target.parent not in known:
            if not is_inside(target.parent, sandbox):
                raise ValueError(f"{entry.name!r} leads out of the sandbox through a link")
            target.parent.mkdir(parents=True, exist_ok=True)
            known.add(target.parent)
        if entry.kind == FOLDER:
            if target.is_symlink():
                raise ValueError(f"{entry.name!r} is a directory and a link")
            target.mkdir(exist_ok=True)
            folders.append((target, entry))
        elif entry.kind == LINK:
            os.symlink(entry.source, target)
            os.utime(target, ns=(entry.changed, entry.changed), follow_symlinks=False)
        else:
            give(entry, target)
            os.chmod(target, entry.mode)
            os.utime(target, ns=(entry.changed, entry.changed))
    for folder, entry in reversed(folders):  # last, because some may then not be written into any more
        os.chmod(folder, entry.mode)
        os.utime(folder, ns=(entry.changed, entry.changed))


def copied_from_source(wanted: Callable[[], bool]) -> Give:
    """How a file is got where its source can be seen."""

    def give(entry: Entry, target: Path) -> None:
        copy(Path(entry.source), target, wanted)

    return give


def all_below(path: str, name: str) -> list[Entry]:
    """All that is at a place in a sandbox, as it stands: links as links. What is neither file, link nor directory, is
    left out.

    Raises:
        OSError: something cannot be looked at.
    """
    found: list[Entry] = []
    stack = [(path, name)]
    while stack:
        here, there = stack.pop()
        mode = os.lstat(here).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode)):
            continue
        if there:
            found.append(entry_at(here, there))
        if stat.S_ISDIR(mode):
            prefix = f"{there}/" if there else ""
            stack += [(os.path.join(here, each), prefix + each) for each in os.listdir(here)]
    return sorted(found, key=lambda each: each.name.split("/"))


def replace_all(entries: Sequence[Entry], sandbox: Path, give: Give, wanted: Callable[[], bool]) -> None:
    """As `put_up`, over what is there already of these names, which goes first."""
    for entry in entries:
        target = sandbox / entry.name
        if entry.kind != FOLDER and os.path.lexists(target) and is_inside(target.parent, sandbox):
            remove(target)
    put_up(entries, sandbox, give, wanted)

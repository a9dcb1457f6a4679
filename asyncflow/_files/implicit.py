"""Finds the files that commands have made without declaring them, and brings them to the commands that depend on these.
Whose they are and who sees them, `_core/files.py` decides."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from .._core.files import Left, Stamp, all_left, left_behind
from .copying import copy, is_inside
from .task_files import TaskFiles


def left_under(name: str, upstreams: Sequence[TaskFiles]) -> Path | None:
    """A file of that name that one of the commands before has left; ValueError if two have."""
    found = [{name: left[name]} for left in _of_each(upstreams) if name in left]
    left = all_left(found, lambda name: False).get(name)
    return None if left is None else Path(left.path)


def bring_left(
    files: TaskFiles,
    is_hidden: Callable[[str], bool],
    place: Callable[[str], Path],
    wanted: Callable[[], bool],
) -> None:
    """Copy what commands have left into the sandbox of a task that depends on them.

    Args:
        is_hidden: whether the task itself declares a file of a name, or around it.
        place: gives the path of a new file in its sandbox.

    Raises:
        OSError: something could not be copied.
        ValueError: two commands have left files of one name.
    """
    assert files.sandbox is not None
    for name, (left, is_link) in visible_left(files, is_hidden).items():
        target = place(name)
        if is_link:
            os.symlink(os.readlink(left.path), target)
        else:
            _copy(left, name, target, wanted)
        for inside, _, stamp in walk(files.sandbox, name):  # more than one, if a link led to a directory
            files.brought[inside] = stamp, replace(left, path=left.path + inside.removeprefix(name))


def visible_left(files: TaskFiles, is_hidden: Callable[[str], bool]) -> dict[str, tuple[Left, bool]]:
    """What commands have left that a task is to have in its sandbox, by name, and whether it stays a link.

    Raises:
        ValueError: two commands have left files of one name.
    """
    found = {}
    for name, left in all_left(_of_each(files.upstreams), is_hidden).items():
        is_link = os.path.islink(left.path) and _stays_a_link(left.path, left.path.removesuffix(name))
        # Of a link that leads elsewhere to nothing, what is written through it would come to be where it leads.
        if is_link or os.path.exists(left.path):
            found[name] = left, is_link
    return found


def walk(sandbox: Path, inside: str = "") -> Iterator[tuple[str, str, Stamp]]:
    """Each file and link at or below a place in a sandbox: its name there, its path and its stamp."""
    start = os.path.join(sandbox, inside) if inside else str(sandbox)
    if inside and (os.path.islink(start) or not os.path.isdir(start)):
        yield inside, start, stamp_of(start)
        return
    for folder, folders, files in os.walk(start):
        for name in [*files, *folders]:
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
                yield os.path.relpath(path, sandbox), path, stamp_of(path)


def stamp_of(path: str | Path) -> Stamp:
    """By what a change of a file is seen."""
    status = os.lstat(path)
    return status.st_mtime_ns, status.st_size


def _of_each(upstreams: Sequence[TaskFiles]) -> list[dict[str, Left]]:
    return [
        {
            name: left if left.owner is not None else replace(left, owner=each)
            for name, left in _left_by(each).items()
        }
        for each in dict.fromkeys(upstreams)
        if each.hands_on_all and each.sandbox
    ]


def _left_by(maker: TaskFiles) -> dict[str, Left]:
    if maker.left is None:
        assert maker.sandbox is not None
        outputs = set()
        for made in maker.outputs.values():
            for path in made if isinstance(made, list) else [made]:
                outputs |= {
                    inner for _, inner, _ in walk(maker.sandbox, str(path.relative_to(maker.sandbox)))
                }
        there = {name: (path, stamp) for name, path, stamp in walk(maker.sandbox)}
        for name in maker.untouched:  # where it ran, and it did not come back
            stamp, left = maker.brought[name]
            if left is not None:
                there.setdefault(name, (left.path, stamp))
        maker.left = left_behind(maker.label, there, maker.brought, outputs)
    return maker.left


def _copy(left: Left, name: str, target: Path, wanted: Callable[[], bool]) -> None:
    try:
        copy(Path(left.path), target, wanted)
    except OSError as error:
        if not os.path.islink(left.path):
            raise
        raise OSError(
            f"{left.label} has left a link {name!r} to {os.path.realpath(left.path)!r}, of which there can be no copy: "
            f"{error}\n  Remove it there; or turn this off: implicit_data=False"
        ) from error


def _stays_a_link(link: str, sandbox: str) -> bool:
    """Whether a link may be handed on as one: nothing that is written through its copy reaches a file elsewhere.

    Of a file beside it, which need not be brought along, and of all that is outside of its sandbox, the content is.
    """
    if os.path.exists(link) and not (os.path.isfile(link) or os.path.isdir(link)):
        return True  # a device, as /dev/null
    return not os.path.isabs(os.readlink(link)) and not os.path.isfile(link) and is_inside(link, sandbox)

"""Finds inputs that nobody makes, files that two tasks write at once, and names that could mean two files.

A path may be there by the time it is read, because code of the user's wrote it and nobody was told: so only what a task
reads that no code of the user's comes before, or that no task mentions, is missing for sure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePath
from types import CodeType
from typing import Any, Final

from ..._core import urls
from ..._core.files import InputFile
from ..._core.rehearsed import Rehearsed
from ..._path_standin import PathStandIn
from . import said
from .faults import Fault
from .seen import Seen
from .values import walk

_WRITES_ANYWHERE: Final = ("function", "awaitable")  # a command works in a directory of its own


def input_faults(call: Rehearsed, seen: Seen) -> Iterator[Fault]:
    """Inputs of a call that are not there, or could be two files.

    Args:
        call: that was rehearsed.
        seen: all calls.
    """
    if call.kind == "block":
        return
    for each in call.inputs:
        makers = _makers_upstream(call, each, seen)
        if len(makers) > 1:
            yield said.two_makers(makers[0], makers[1], call, str(each.source))
        path = None if makers else place(each.source, call.folder)
        if path is None or seen.exists(path) or _may_be_made(call, str(each.source), path, seen):
            continue
        others = [
            other for other in seen.calls if other is not call and str(each.source) in (other.outputs or ())
        ]
        yield said.no_file(call, str(each.source), others)


def writer_faults(seen: Seen) -> Iterator[Fault]:
    """Tasks that publish to one place though nothing says which of them comes first.

    Args:
        seen: all calls.
    """
    last: dict[str, Rehearsed] = {}
    for call in seen.calls:
        for each in (call.outputs or {}).values():
            where = None if each.to is None else place(each.to, call.folder)
            where = each.to if where is None and isinstance(each.to, str) else where
            if where is None:
                continue
            before = last.get(where, call)
            if before is not call and not seen.is_before(before, call):
                yield said.two_writers(before, call, str(each.to))
            last[where] = call


def place(given: Any, folder: str) -> str | None:
    """The path on this machine that a source or destination means; None if it is elsewhere, or not known yet.

    Args:
        given: as its user has it.
        folder: what a path is relative to.
    """
    if isinstance(given, PathStandIn) or not isinstance(given, (str, PurePath)):
        return None
    if isinstance(given, str) and urls.is_url(given):
        local = urls.local_path(given)
        return local if local is None else os.path.normpath(local)
    return os.path.normpath(os.path.join(folder, os.path.expanduser(given)))


def _makers_upstream(call: Rehearsed, file: InputFile, seen: Seen) -> list[Rehearsed]:
    """Which of the tasks that a call depends on declare a file of that name."""
    direct = {
        maker.id: maker for each in seen.direct(call) if (maker := seen.maker_of_file(each)) is not None
    }
    return [
        each
        for each in direct.values()
        if isinstance(file.source, str) and file.source in (each.outputs or ())
    ]


def _may_be_made(call: Rehearsed, source: str, path: str, seen: Seen) -> bool:
    """Whether somebody may make a file before it is read, as far as anybody can know."""
    is_absolute = os.path.isabs(source)
    if (
        not is_absolute
        and seen.implicit_data
        and any(each.kind == "executable" for each in seen.direct(call))
    ):
        return True
    for each in seen.before(call):
        if each.kind in _WRITES_ANYWHERE or (is_absolute and each.kind == "executable"):
            return True
    for other in seen.calls:
        if other.id >= call.id:
            break
        places = [
            place(each.to, other.folder) for each in (other.outputs or {}).values() if each.to is not None
        ]
        if path in places or _mentions(other, os.path.basename(path)):
            return True
    return False


def _mentions(call: Rehearsed, name: str) -> bool:
    """Whether a file's name stands in the arguments of a call, other than declared, or in its function."""
    given = walk([*call.args, *call.kwargs.values()])
    texts = [str(each) for each in given if type(each) is str or isinstance(each, PurePath)]
    code = getattr(call.fn, "__code__", None)
    return any(name in text for text in [*texts, *(_texts(code) if code is not None else ())])


def _texts(code: CodeType) -> Iterator[str]:
    for each in code.co_consts:
        if isinstance(each, str):
            yield each
        elif isinstance(each, CodeType):
            yield from _texts(each)


def exists(path: str) -> bool:
    """Whether a path leads to something; also of one that cannot be looked at, since nobody can say."""
    try:
        return os.path.lexists(path) or Path(path).exists()
    except (OSError, ValueError):
        return True

"""Finds inputs that nobody makes, files that two tasks write at once, and names that could mean two files.

A path may be there by the time it is read, because code of the user's wrote it and nobody was told: so only what a task
reads that no code of the user's comes before, or that no task mentions, is missing for sure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import PurePath
from types import CodeType
from typing import Final

from .._core import urls
from .._core.files import InputFile, straight
from .._files.path_standin import PathStandIn
from .._inspect.parts import walk
from ..plan.rehearsed import RehearsedCall
from . import wording
from .call_graph import CallGraph
from .problems import Problem

_WRITES_ANYWHERE: Final = ("function", "awaitable")  # a command works in a directory of its own
_MOST: Final = (
    1000  # inputs that are not there and are looked into; and pairs of tasks that publish to one place
)


def input_problems(graph: CallGraph) -> Iterator[Problem]:
    """Inputs that are not there, or could be two files."""
    made = _Made(graph)
    missing = 0
    for call in graph.calls:
        if call.kind == "block" or call.is_refused:
            continue
        for each in call.inputs:
            makers = _makers_upstream(call, each, graph)
            if len(makers) > 1:
                yield wording.two_makers(makers[0], makers[1], call, str(each.source))
            path = None if makers else place(each.source, call.folder)
            if path is None or missing > _MOST or graph.exists(path):
                continue
            missing += 1
            source = str(each.source)
            if not _may_be_made_upstream(call, source, graph) and not made.may_be_before(call, path):
                maker = made.declared.get(source)
                yield wording.no_file(call, source, None if maker is call else maker)


def writer_problems(graph: CallGraph) -> Iterator[Problem]:
    """Tasks that publish to one place though nothing says which of them comes first."""
    last: dict[str, RehearsedCall] = {}
    pairs = 0
    for call in graph.calls:
        for where, given in _places(call):
            before = last.get(where, call)
            if before is not call and pairs < _MOST:
                pairs += 1
                if not graph.is_before(before, call):
                    yield wording.two_writers(before, call, str(given))
            last[where] = call


def place(given: object, folder: str) -> str | None:
    """The path on this machine that a source or destination means; None if it is elsewhere, or not known yet."""
    if isinstance(given, PathStandIn) or not isinstance(given, (str, PurePath)):
        return None
    if isinstance(given, str) and urls.is_url(given):
        local = urls.local_path(given)
        return local if local is None else os.path.normpath(local)
    return os.path.normpath(os.path.join(folder, os.path.expanduser(given)))


def exists(path: str) -> bool:
    """Whether a path leads to something; also of one that cannot be looked at, since nobody can say."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):
        pass
    return True


def _places(call: RehearsedCall) -> Iterator[tuple[str, object]]:
    """Where a call publishes, and how its user has said so; nobody knows the place of a result."""
    for each in (call.outputs or {}).values():
        where = place(each.target, call.folder)
        if where is not None:
            yield where, each.to
        elif isinstance(each.target, str):
            yield each.target, each.to


def _makers_upstream(call: RehearsedCall, file: InputFile, graph: CallGraph) -> list[RehearsedCall]:
    """Which of the tasks that a call depends on declare a file of that name."""
    if not isinstance(file.source, str):
        return []
    direct = {
        maker.id: maker for each in graph.direct(call) if (maker := graph.maker_of_file(each)) is not None
    }
    return [each for each in direct.values() if straight(file.source) in (each.outputs or ())]


def _may_be_made_upstream(call: RehearsedCall, source: str, graph: CallGraph) -> bool:
    """Whether something that is over before a call may make a file, as far as anybody can know."""
    is_absolute = os.path.isabs(source)
    if (
        not is_absolute
        and graph.implicit_data
        and any(each.kind == "executable" for each in graph.direct(call))
    ):
        return True
    return any(
        each.kind in _WRITES_ANYWHERE or (is_absolute and each.kind == "executable")
        for each in graph.before(call)
    )


class _Made:
    """What calls make, as far as they say so.

    Args:
        graph: all calls.
    """

    def __init__(self, graph: CallGraph) -> None:
        self._graph = graph
        self._mentioned: dict[str, int] = {}

    def may_be_before(self, call: RehearsedCall, path: str) -> bool:
        """Whether an earlier call publishes a file, or mentions its name: then it may be what writes it."""
        name = os.path.basename(path)
        first = self._mentioned.get(name)
        if first is None:
            mentions = (number for number, texts in self._texts if any(name in text for text in texts))
            first = self._mentioned[name] = next(mentions, call.id)
        return min(first, self._published.get(path, call.id)) < call.id

    @cached_property
    def declared(self) -> dict[str, RehearsedCall]:
        """The first call that declares an output, by the output's name."""
        return {name: call for call in reversed(self._graph.calls) for name in call.outputs or ()}

    @cached_property
    def _published(self) -> dict[str, int]:
        """The number of the first call that publishes a file, by its path."""
        return {where: call.id for call in reversed(self._graph.calls) for where, _ in _places(call)}

    @cached_property
    def _texts(self) -> list[tuple[int, list[str]]]:
        return [(call.id, list(_mentioned_by(call))) for call in self._graph.calls]


def _mentioned_by(call: RehearsedCall) -> Iterator[str]:
    """The texts among the arguments of a call, other than in files that it declares, and in its function."""
    for each in walk([*call.args, *call.kwargs.values()]):
        if type(each) is str or issubclass(type(each), PurePath):
            yield str(each)
    code = getattr(call.fn, "__code__", None)
    if isinstance(code, CodeType):
        yield from _constants(code)


def _constants(code: CodeType) -> Iterator[str]:
    for each in code.co_consts:
        if isinstance(each, str):
            yield each
        elif isinstance(each, CodeType):
            yield from _constants(each)

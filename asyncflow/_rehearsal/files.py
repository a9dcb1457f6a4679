"""Finds out what the files mean that rehearsed calls read: which task makes each, how large it is if it is there."""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from .._core import urls
from .._core.files import InputFile, straight
from .._files.destinations import destination_of
from .._files.task_files import TaskFiles
from .._runtime.future import TaskFuture
from ..plan.rehearsed import FileRead, RehearsedCall

Calls = Mapping[int, RehearsedCall]


Publishers = defaultdict[Path | str, list[tuple[int, str]]]
"""Who publishes a file, in the order of the calls, and what each calls it."""
Waited = Mapping[int, Mapping[int | None, int]]
"""Numbers of what code has waited for; with the blocks whose code that was, and each time the last call before."""


def reads_of_all(calls: Calls, files_of: Callable[[int], TaskFiles | None], waited: Waited) -> None:
    """Work out what each call reads.

    Args:
        calls: all of a rehearsal, by number.
        files_of: gives those of a call; None if it declares none.
        waited: for what code has waited.
    """
    if not any(call.inputs for call in calls.values()):
        return
    order = Order(calls, waited)
    publishers: Publishers = defaultdict(list)
    for number in sorted(calls):
        files = files_of(number)
        if files is not None and calls[number].kind != "output":
            for name, place in files.destinations.items():
                publishers[place].append((number, name))
    for call in calls.values():
        if call.inputs:
            call.reads = tuple(_read(call, each, calls, publishers, order) for each in call.inputs)


def _read(
    call: RehearsedCall, file: InputFile, calls: Calls, publishers: Publishers, order: Order
) -> FileRead:
    source = file.source
    if isinstance(source, TaskFuture):
        made = calls.get(source.id)
        if made is not None and made.kind == "output":
            output = made.args[2]
            return FileRead(file.name or output, None, None, made.args[0].id, output)
        return FileRead(file.name or source.name, None, None)
    name = file.name or _name(source)
    for number in (*call.dependencies, *call.after):
        maker = calls.get(number)
        if maker is not None and maker.kind == "output":
            maker = calls.get(maker.args[0].id)
        if maker is not None and isinstance(source, str) and straight(source) in (maker.outputs or ()):
            return FileRead(name, None, None, maker.id, straight(source))
    if isinstance(source, str) and urls.is_url(source) and urls.local_path(source) is None:
        return FileRead(name, None, None, *_publisher(call, publishers[source], order))
    try:
        path = destination_of(source, Path(call.folder))
    except (TypeError, ValueError, OSError):  # as a path with a null character
        return FileRead(name, None, None)
    return FileRead(name, str(path), _size(path), *_publisher(call, publishers[path], order))


def _publisher(
    call: RehearsedCall, makers: list[tuple[int, str]], order: Order
) -> tuple[int, str] | tuple[None, None]:
    """The last that publishes a file before a call reads it, and what it calls it."""
    for maker, name in reversed(makers):
        if maker < call.id and order.is_before(maker, call):
            return maker, name
    return None, None


def _name(source: object) -> str:
    if isinstance(source, str) and urls.is_url(source):
        return urls.name_of(source)
    return os.path.basename(str(source).rstrip("/")) or str(source)


def _size(path: Path | str) -> int | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


class Order:
    """What surely comes before what.

    Args:
        calls: by number.
        waited: for what code has waited.
    """

    def __init__(self, calls: Calls, waited: Waited) -> None:
        self._calls = calls
        self._waited = waited

    def is_before(self, first: int, then: RehearsedCall) -> bool:
        """Whether a task is over before a later call begins: that waits for it, or code did before it made the call."""
        called = {self._calls[each].block: each for each in self._around(then.id)}
        for each in self._around(first):
            for block, last in self._waited.get(each, {}).items():
                if called.get(block, 0) > last:
                    return True
        ends = set(self._around(first))  # who waits for a block waits for all inside
        seen, left = {then.id}, [then.id]
        while left:
            for number in self._waits_for(left.pop()):
                if number in ends:
                    return True
                if number > first and number not in seen:  # what was called before it waits for nothing later
                    seen.add(number)
                    left.append(number)
        return False

    def _waits_for(self, number: int) -> Iterator[int]:
        for each in self._around(number):
            call = self._calls[each]
            yield from call.dependencies
            yield from call.after

    def _around(self, number: int) -> Iterator[int]:
        """A task, and the blocks around it from within."""
        each: int | None = number
        while each is not None and each in self._calls:
            yield each
            each = self._calls[each].block

"""What a rehearsal has seen of one call: what a plan and the checks of its wiring are made of. Data, and no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from .files import InputFile, OutputFile


@dataclass(slots=True, eq=False)
class Rehearsed:
    """One call.

    Args:
        id: number of the task.
        name: as its user wrote it.
        kind: "function", "executable", "block" or "awaitable".
        fn: the plain function; of an "awaitable" its class.
        args: positional arguments as they were given, futures and files in their places.
        kwargs: keyword arguments, in the same way.
        called_at: where the call is: "pipeline.py:12, in main".
        block: number of the block inside which it was called; None outside of all.
        place: where it would really run, in words: "backend 'process'".
        needs_pickle: whether function, arguments and result would leave this process for that.
        dependencies: numbers of the tasks whose values it takes, in the order of its arguments.
        after: numbers of those that it waits for besides.
        returns: the class of its value if the function's annotation does not speak of that, as of a command; else None.
        example: what its user says that its value would be, as given; `...` if they have not said.
        value: what stood in for its value; `...` if there is none, because it failed or did not end.
        is_used: whether anybody has awaited it, asked for its result, passed it on or returned it.
        expected: seconds that it takes, as its user says; None if they have not said.
        folder: the working directory when the call was made, which its relative paths are relative to.
        inputs: files that it declares to read.
        outputs: files that it declares to make, by name.
        site: the code that makes the call; None if that is not known.
        site_at: the instruction of the call in it.
    """

    id: int
    name: str
    kind: str
    fn: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    called_at: str
    block: int | None
    place: str
    needs_pickle: bool
    dependencies: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    returns: type | None = None
    example: Any = ...
    value: Any = ...
    is_used: bool = False
    expected: float | None = None
    folder: str = "."
    inputs: Sequence[InputFile] = ()
    outputs: Mapping[str, OutputFile] | None = None
    site: CodeType | None = None
    site_at: int = 0

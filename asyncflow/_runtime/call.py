"""One call of a task, as it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

from .._core.task import Definition


class Call(NamedTuple):
    """One call. A real run gets its parts one by one, for that is a tuple less on the way of each task.

    Args:
        definition: of what was called.
        args: positional arguments, futures anywhere among them.
        kwargs: keyword arguments.
        code: that makes the call; None if that is not known.
        at: the instruction of the call in it.
        after: futures to wait for and not to be passed.
    """

    definition: Definition
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    code: CodeType | None
    at: int
    after: Sequence[Any] = ()

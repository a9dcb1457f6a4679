"""One call of a task, as it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import CodeType
from typing import Any, NamedTuple

from .._core.task import Definition


class Call(NamedTuple):
    """The parts of one call, as `Run.call` takes them one by one: a real run does without this tuple."""

    definition: Definition
    args: tuple[object, ...]
    kwargs: Mapping[str, object]
    code: CodeType | None
    at: int
    after: Sequence[Any] = ()

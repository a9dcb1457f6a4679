"""What a future shows of itself in a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from .._core.states import State
from .._show.outline import Facts, Notes, Outline
from .._show.words import given, plain

if TYPE_CHECKING:
    from .future import TaskFuture

_LONGEST: Final = 400  # characters of a line


def outline_of(future: TaskFuture[Any]) -> Outline:
    """The outline of a future: where its task stands and why, and its value if that is here."""
    first, *more = future.explain().splitlines()

    def parts() -> Iterator[Facts | Notes]:
        if future.state is State.SUCCEEDED:
            yield Facts({"Value": given(future.result())})
        yield Notes("", [[plain(line.strip(), _LONGEST)] for line in more])

    return Outline("Task", plain(first, _LONGEST), parts)

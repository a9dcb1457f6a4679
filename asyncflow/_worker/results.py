"""What cannot be a task's result, on any backend, and what to do instead."""

from __future__ import annotations

from io import TextIOWrapper
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Final

UNFIT: Final[dict[type, str]] = {
    GeneratorType: "a generator, which runs only where it is read; return list(...) of it, or yield from it",
    AsyncGeneratorType: "an async generator, which runs only where it is read; return a list of what it gives",
    CoroutineType: "a coroutine, which has not run; await it inside, with the function an 'async def'",
}

UNFIT_TO_SEND: Final = {
    **UNFIT,
    # cloudpickle would send a copy of what is in it, in silence
    TextIOWrapper: "an open file, which does not leave its process; return its path or what it holds",
}
"""The same where results leave the process."""


def close_unbegun(value: object) -> None:
    """Close a coroutine that has not begun and never will; else Python warns that nobody has awaited it."""
    if isinstance(value, CoroutineType) and value.cr_frame is not None and not value.cr_suspended:
        value.close()


def why_unfit(value: object) -> str:
    """The words for a value of a class in `UNFIT_TO_SEND`; a coroutine is closed, as it will never be awaited."""
    if isinstance(value, CoroutineType):
        value.close()
    return UNFIT_TO_SEND[type(value)]

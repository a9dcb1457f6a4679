"""What cannot be a task's result, on any backend, and what to do instead."""

from __future__ import annotations

from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final

UNFIT: Final[dict[type, str]] = {
    GeneratorType: "a generator, which runs only where it is read; return list(...) of it",
    AsyncGeneratorType: "an async generator, which runs only where it is read; return a list of what it gives",
    CoroutineType: "a coroutine, which has not run; await it inside, with the function an 'async def'",
}


def why_unfit(value: Any) -> str:
    """The words for a value whose class is in `UNFIT`; a coroutine is closed, since it will never be awaited."""
    if isinstance(value, CoroutineType):
        value.close()
    return UNFIT[type(value)]

"""Where the items of a stream come from: asked one by one, and closed whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from inspect import isawaitable
from typing import Generic, TypeVar

T = TypeVar("T")


class Source(Generic[T]):
    """An iterable, or an async one, as its only reader sees it.

    Args:
        given: the iterable.
        name: of the task that is to take its items, for the error.

    Raises:
        TypeError: it is neither.
    """

    def __init__(self, given: Iterable[T] | AsyncIterable[T], name: str) -> None:
        self.given = given
        self._iterator: Iterator[T] | None = None
        self._later: AsyncIterator[T] | None = None
        if isinstance(given, AsyncIterable):
            self._later = aiter(given)
        elif isinstance(given, Iterable):
            self._iterator = iter(given)
        else:
            raise TypeError(f"{name}.stream() got {given!r}: an iterable is needed, or an async one")

    @property
    def is_async(self) -> bool:
        """Whether items have to be waited for."""
        return self._later is not None

    @property
    def total(self) -> int | None:
        """How many items there are in all; None if nobody knows."""
        try:
            return len(self.given)  # type: ignore[arg-type]
        except (
            Exception
        ):  # it has none; or more than fits in a number, as `range(1 << 64)`; or the user's own fails
            return None

    def now(self) -> T:
        """The next item of an iterable.

        Raises:
            StopIteration: there is none.
        """
        assert self._iterator is not None
        return next(self._iterator)

    async def later(self) -> T:
        """The next item of an async iterable.

        Raises:
            StopAsyncIteration: there is none.
        """
        assert self._later is not None
        return await anext(self._later)

    async def close(self) -> None:
        """Let the source give back what it holds: no more is asked for."""
        iterator = self._later if self._later is not None else self._iterator
        close = getattr(iterator, "aclose", None) or getattr(iterator, "close", None)
        if (close is not None and iterator is not self.given) or _is_generator(iterator):
            closing = close() if close is not None else None
            if isawaitable(closing):
                await closing


def _is_generator(iterator: object) -> bool:
    """Whether it runs for its reader alone: a file, say, stays its owner's."""
    return hasattr(iterator, "gi_frame") or hasattr(iterator, "ag_frame")

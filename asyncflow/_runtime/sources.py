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
        self.is_closed = False
        self._iterator: Iterator[T] | None = None
        self._later: AsyncIterator[T] | None = None
        if isinstance(given, AsyncIterable):
            self._later = aiter(given)
        elif _is_iterable(given):
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
        """Let the source give back what it holds: no more is asked for. Once is enough."""
        if self.is_closed:
            return
        self.is_closed = True
        if (
            self._later is not None
        ):  # all that has an `aclose` is for one reader, as generators and streams of anyio
            close = getattr(self._later, "aclose", None)
        else:  # a file, say, stays its owner's
            is_own = self._iterator is not self.given or hasattr(self._iterator, "gi_frame")
            close = getattr(self._iterator, "close", None) if is_own else None
        closing = close() if close is not None else None
        if isawaitable(closing):
            try:
                await closing
            except (
                BaseExceptionGroup
            ) as group:  # so a task group tells that a generator was closed inside of it
                if group.split(GeneratorExit)[1] is not None:
                    raise


def _is_iterable(given: object) -> bool:
    """Whether `iter` takes it, which it does also of a sequence that has items and nothing else."""
    return isinstance(given, Iterable) or hasattr(type(given), "__getitem__")

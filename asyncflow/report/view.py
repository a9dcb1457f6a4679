"""What looks like a list and makes its items when asked: a million tasks are columns, never a million objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

Item_co = TypeVar("Item_co", covariant=True)


class View(Sequence[Item_co], Generic[Item_co]):
    """So many items, each made on access.

    Args:
        size: how many.
        make: the item of a place from 0 on.
    """

    __slots__ = ("_make", "_size")

    def __init__(self, size: int, make: Callable[[int], Item_co]) -> None:
        self._size = size
        self._make = make

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> Item_co: ...
    @overload
    def __getitem__(self, place: slice) -> View[Item_co]: ...
    def __getitem__(self, place: int | slice) -> Item_co | View[Item_co]:
        if isinstance(place, slice):
            places = range(self._size)[place]
            return View(len(places), lambda each: self._make(places[each]))
        return self._make(range(self._size)[place])

    def __iter__(self) -> Iterator[Item_co]:
        return map(self._make, range(self._size))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (View, tuple, list)):
            return NotImplemented
        return len(self) == len(other) and all(map(_equal, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if self._size > 5:
            return f"<{self._size:,} of them, from {self[0]!r} to {self[-1]!r}>"
        return repr(list(self))


def _equal(one: object, other: object) -> bool:
    return one == other

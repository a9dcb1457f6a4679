"""Sorts columns piece by piece: a million numbers all at once as Python has them would be many times the column."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from heapq import merge
from typing import Final

_PIECE: Final = 1 << 17  # 4 MB as Python has them


def in_order(column: array[float]) -> array[float]:
    """The same times, the smallest first."""
    if len(column) <= _PIECE:
        return array("d", sorted(column))
    pieces = [array("d", sorted(column[at : at + _PIECE])) for at in range(0, len(column), _PIECE)]
    return array("d", merge(*pieces))


def latest_first(rows: array[int], time: Callable[[int], float]) -> Iterator[int]:
    """The same rows, that of the largest time first; of those that are equal, the first given first."""
    pieces = [
        array("I", sorted(rows[at : at + _PIECE], key=time, reverse=True))
        for at in range(0, len(rows), _PIECE)
    ]
    return iter(pieces[0]) if len(pieces) == 1 else merge(*pieces, key=time, reverse=True)

"""Sorts columns piece by piece: a million numbers all at once as Python has them would be many times the column."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from math import sqrt
from typing import Final

_SAMPLE: Final = 2048
_SURE: Final = 4  # standard deviations


class Piece:
    """How much of a column is looked at a time."""

    __slots__ = ("rows",)

    def __init__(self, rows: int) -> None:
        self.rows = rows


PIECE: Final = Piece(1 << 17)  # 4 MB as Python has them


def in_order(column: list[float] | array[float]) -> Sequence[float]:
    """The same times, the smallest first."""
    if isinstance(column, list) or len(column) <= PIECE.rows:
        return sorted(column)
    pieces = [array("d", sorted(column[at : at + PIECE.rows])) for at in range(0, len(column), PIECE.rows)]
    return array("d", merge(*pieces))


def latest_first(rows: Sequence[int], time: Callable[[int], float]) -> Iterator[int]:
    """The same rows, that of the largest time first; of those that are equal, the first given first."""
    if len(rows) <= PIECE.rows:
        return iter(sorted(rows, key=time, reverse=True))
    pieces = [
        array("I", sorted(rows[at : at + PIECE.rows], key=time, reverse=True))
        for at in range(0, len(rows), PIECE.rows)
    ]
    return merge(*pieces, key=time, reverse=True)


def quantile(values: Sequence[float], part: float) -> float | None:
    """The value that this part of all are not above; between two, in proportion (Hyndman and Fan 1996, type 7).

    Args:
        values: in any order.
        part: from 0 to 1.
    """
    if not values:
        return None
    place = part * (len(values) - 1)
    below = int(place)
    least, following = _at(values, below)
    return least + (place - below) * (following - least)


def _at(values: Sequence[float], place: int) -> tuple[float, float]:
    """The value of this place, were they in order, and the one after it, or it again if it is the last.

    Many are not all sorted: a sample says between which two values it is, and of those between them it is found.
    """
    size = len(values)
    between, at = values, place
    if size > 4 * _SAMPLE:
        sample = sorted(values[:: size // _SAMPLE | 1])
        part = place / size
        there = part * len(sample)
        off = _SURE * sqrt(part * (1 - part) * len(sample)) + 1
        if there - off >= 0:
            least = sample[int(there - off)]
            between = [value for value in between if value >= least]
        if there + off < len(sample):
            most = sample[int(there + off)]
            at = place - (size - len(between))
            between = [value for value in between if value <= most]
        else:
            at = place - (size - len(between))
        if at < 0 or at + 1 >= len(between):  # the sample was unlike the others
            between, at = values, place
    in_their_order = sorted(between)
    return in_their_order[at], in_their_order[min(at + 1, len(in_their_order) - 1)]

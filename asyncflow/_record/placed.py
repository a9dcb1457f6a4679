"""Puts what logs tell into columns, thousands of rows at a time where a log goes through the rows one after another.
Pure."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain, compress, islice, pairwise
from operator import lt, mul, sub
from typing import Final, TypeVar

T = TypeVar("T", int, float)
_SMALLEST: Final = 16  # rows of a piece, on average, below which each is looked at by itself
_FIRST: Final = 64


class Placed:
    """Where the tasks of a log stand in the columns.

    Args:
        ids: their numbers, in the order of the log. Those that have no row are passed over, and 0 is no task's.
        numbers: of all tasks that have rows, one after another.
    """

    __slots__ = ("_rows", "_wanted", "ids", "pieces")

    def __init__(self, ids: array[int], numbers: array[int]) -> None:
        first = numbers[0] if numbers else 1
        self._wanted: list[bool] | None = None
        if first > 1 and ids and min(ids) < first:
            self._wanted = [number >= first for number in ids]
            ids = self.of(ids)
        self.ids = ids
        self.pieces = _pieces(ids, numbers)
        """Where the log goes through rows one after another: the first and the end of each piece, and its row; None if
        these are too many."""
        self._rows = None if self.pieces is not None else self.rows(first)

    def rows(self, first: int) -> list[int]:
        """All of them, if the first is that of this number."""
        return [number - first for number in self.ids if number]

    @property
    def goes_up(self) -> bool:
        """Whether the log goes through the rows from the first to the last, and comes by none twice."""
        if self._rows is not None:
            return all(map(lt, self._rows, islice(self._rows, 1, None)))
        return all(
            row + end - begin <= then for (begin, end, row), (_, _, then) in pairwise(self.pieces or ())
        )

    def of(self, values: array[T]) -> array[T]:
        """Of what a log tells, that which is told of tasks that have rows."""
        if self._wanted is None:
            return values
        kept = values[:0]
        kept.fromlist(list(compress(values, self._wanted)))
        return kept

    def put(self, column: array[T], values: array[T]) -> None:
        """Put what a log tells into a column; of several values for one task the last stays."""
        values = self.of(values)
        if self.pieces is None:
            for row, value in zip(self._rows or (), compress(values, self.ids), strict=True):
                column[row] = value
            return
        for begin, end, row in self.pieces:
            column[row : row + end - begin] = values[begin:end]

    def put_all(self, column: array[T], value: T) -> None:
        """Put one value into a column, for all of them."""
        if self.pieces is None:
            for row in self._rows or ():
                column[row] = value
            return
        one = column[:0]
        one.append(value)
        for begin, end, row in self.pieces:
            column[row : row + end - begin] = one * (end - begin)

    def count(self, column: array[int]) -> None:
        """Count each once more, in a column."""
        if self.pieces is None:
            for row in self._rows or ():
                column[row] += 1
            return
        for begin, end, row in self.pieces:
            before = column[row : row + end - begin]
            if before == array("I", [0]) * (end - begin):  # mostly
                column[row : row + end - begin] = array("I", [1]) * (end - begin)
            else:
                column[row : row + end - begin] = array("I", [each + 1 for each in before])


def spread(values: array[T], ends: Sequence[int]) -> array[T]:
    """Each value as often as it holds.

    Args:
        values: some.
        ends: up to which place each of them holds, from where the one before it ends; a range if each holds once.
    """
    if isinstance(ends, range):
        return values
    times = list(map(sub, ends, chain((0,), ends)))
    if not ends or (ends[-1] == len(ends) and 0 not in times):
        return values  # each once
    size, raw = values.itemsize, values.tobytes()
    pieces = (raw[at : at + size] for at in range(0, len(raw), size))
    column = values[:0]
    column.frombytes(b"".join(map(mul, pieces, times)))
    return column


def _pieces(ids: array[int], numbers: array[int]) -> list[tuple[int, int, int]] | None:
    found: list[tuple[int, int, int]] = []
    begin, size = 0, len(ids)
    while begin < size:
        if not ids[begin]:
            begin += 1
            continue
        row = ids[begin] - numbers[0]
        end, step, grows = begin + 1, _FIRST, True
        while step:
            stop = min(end + step, size)
            if end < stop and ids[end:stop] == numbers[row + end - begin : row + stop - begin]:
                end, step = stop, step * 4 if grows else step
            else:
                grows = False
                step //= 4
        found.append((begin, end, row))
        begin = end
        if len(found) > _FIRST + begin // _SMALLEST:
            return None
    return found

"""What tasks wait for, out of the logs: into the columns of a history. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from .aliases import Aliases
from .history import DATA, ORDER
from .history_columns import HistoryColumns
from .placed import Placed
from .segment import Segment

_NO_EDGES: Final = (1 << 62, array("I"), 0)


def add_edges(
    columns: HistoryColumns, segments: Sequence[Segment], numbers: array[int], kept: Sequence[int]
) -> None:
    """Fill in what tasks wait for.

    Args:
        columns: where to.
        segments: the logs.
        numbers: of all calls, one after another.
        kept: the rows of tasks.
    """
    aliases = Aliases(segments)
    ids = array("I")
    for segment in segments:
        ids += segment.edge_id
    placed = Placed(ids, numbers)
    if len(aliases) or len(kept) < len(numbers) or not placed.goes_up:
        _one_by_one(columns, segments, aliases, numbers, kept)
        return
    many = array("I", [0]) * len(numbers)
    if ids:
        told = array("I")
        for segment in segments:
            told += segment.edge_n
            columns.dependencies += segment.edges
        placed.put(many, told)
    columns.starts = array("I", accumulate(many, initial=0)) if ids else array("I", [0]) * (len(numbers) + 1)
    columns.edges = array("B", [DATA]) * len(columns.dependencies)
    for segment in segments:
        for task_id, orders in zip(segment.order_id, segment.order_n, strict=True):
            end = columns.starts[task_id - numbers[0] + 1]
            columns.edges[end - orders : end] = array("B", [ORDER]) * orders


def _one_by_one(
    columns: HistoryColumns,
    segments: Sequence[Segment],
    aliases: Aliases,
    numbers: array[int],
    kept: Sequence[int],
) -> None:
    told = _edges(segments)
    task_id, waits, orders = next(told, _NO_EDGES)
    starts, many = columns.starts, 0
    for row in kept:
        number = numbers[row]
        while task_id < number:
            task_id, waits, orders = next(told, _NO_EDGES)
        if task_id == number:
            columns.add_edges(*aliases.edges(waits, orders))
            many = starts[-1]
        else:
            starts.append(many)


def _edges(segments: Iterable[Segment]) -> Iterator[tuple[int, array[int], int]]:
    """Of each task that waits for others: its number, theirs, and how many at the end give it no value."""
    for segment in segments:
        orders = dict(zip(segment.order_id, segment.order_n, strict=True))
        begin = 0
        for task_id, many in zip(segment.edge_id, segment.edge_n, strict=True):
            yield task_id, segment.edges[begin : begin + many], orders.get(task_id, 0)
            begin += many

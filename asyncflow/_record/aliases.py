"""Numbers of futures that are no tasks, and for which tasks these stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from .history import DATA, OPTIONAL, ORDER
from .segment import Segment


class Aliases:
    """The aliases of a record, as far as they have been told.

    Args:
        segments: whose aliases are known from the beginning.
    """

    def __init__(self, segments: Iterable[Segment] = ()) -> None:
        self._makers: dict[int, tuple[int, ...]] = {}
        self._optional: set[int] = set()
        for segment in segments:
            self.add(segment)

    def add(self, segment: Segment) -> None:
        """Know those of a segment."""
        self._makers.update(segment.aliases)
        self._optional |= segment.optional

    def forget_before(self, first: int) -> None:
        """Let go of lower numbers."""
        self._makers = {alias: makers for alias, makers in self._makers.items() if alias >= first}
        self._optional = {alias for alias in self._optional if alias >= first}

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, task_id: int) -> bool:
        return task_id in self._makers

    def edges(self, waits: Sequence[int], orders: int) -> tuple[Sequence[int], Sequence[int]]:
        """What a task waits for, with tasks in place of aliases, and the kinds of these edges.

        Args:
            waits: as it was called.
            orders: how many of these, the last, give it no value.
        """
        data = len(waits) - orders
        if not self._makers or not any(each in self._makers for each in waits):
            return waits, [DATA] * data + [ORDER] * orders
        tasks, kinds = [], []
        for place, each in enumerate(waits):
            for task, kind in self._tasks(each, DATA if place < data else ORDER):
                tasks.append(task)
                kinds.append(kind)
        return tasks, kinds

    def _tasks(self, number: int, kind: int) -> Iterator[tuple[int, int]]:
        """The tasks that a number stands for, each with the kind of the edge."""
        left = [(number, kind)]
        while left:
            each, kind = left.pop()
            makers_of = self._makers.get(each)
            if makers_of is None:
                yield each, kind
            else:
                kind |= OPTIONAL if each in self._optional else DATA
                left += [(maker, kind) for maker in reversed(makers_of)]

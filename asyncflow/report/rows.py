"""Finds rows of a history: by the number of the task, by the block around them. Columns in, columns out."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import accumulate
from math import isnan
from typing import Final

from .._record.history import History

NOBODY: Final = -1
"""Stands where there is no row: for the user's own code, or a task that has no row any more."""

WORK: Final = frozenset({"function", "executable"})
"""The kinds of what workers run."""


class Rows:
    """The rows of one history, which does not change meanwhile.

    Args:
        history: of the run.
    """

    def __init__(self, history: History) -> None:
        self.history = history
        ids = history.id
        is_gapless = bool(ids) and ids[-1] - ids[0] == len(ids) - 1
        self._offset = ids[0] if is_gapless else None

    def __len__(self) -> int:
        return len(self.history.id)

    def row(self, id: int) -> int:
        """Of the task of a number; `NOBODY` if it has none."""
        ids = self.history.id
        if self._offset is not None:
            row = id - self._offset
            return row if 0 <= row < len(ids) else NOBODY
        row = bisect_left(ids, id)
        return row if row < len(ids) and ids[row] == id else NOBODY

    def block(self, row: int) -> int:
        """The row of the block around a task; `NOBODY` if there is none."""
        block = self.history.block[row]
        return self.row(block) if block else NOBODY

    def needs(self, row: int) -> Iterator[int]:
        """The rows of what a task depends on, as far as they are there."""
        starts = self.history.starts
        for place in range(starts[row], starts[row + 1]):
            need = self.row(self.history.dependencies[place])
            if need != NOBODY:
                yield need

    def inside(self, block: int) -> Sequence[int]:
        """The rows of what was called right inside a block; outside of all for `NOBODY`."""
        if self._nests is None:
            return range(len(self)) if block == NOBODY else ()
        starts, rows = self._nests
        return memoryview(rows)[starts[block + 1] : starts[block + 2]]

    @property
    def has_blocks(self) -> bool:
        """Whether there is a task inside a block."""
        return self._nests is not None

    @cached_property
    def kinds(self) -> list[str]:
        """Of each site."""
        return [site.kind for site in self.history.sites]

    def is_block(self, row: int) -> bool:
        """Whether a row is that of a block."""
        return self.kinds[self.history.site[row]] == "block"

    def in_state(self, state: int) -> list[int]:
        """The rows of tasks that ended, or stand, so."""
        states = self.history.state.tobytes()
        return [row for row, each in enumerate(states) if each == state] if state in states else []

    def of_kind(self, kind: str) -> array[int]:
        """The rows of tasks of a kind."""
        sites = {site for site, each in enumerate(self.kinds) if each == kind}
        return array(
            "I", [row for row, site in enumerate(self.history.site) if site in sites] if sites else ()
        )

    @property
    def ends(self) -> array[float]:
        """When each task was over; now for those that are not, and never later."""
        return self._ends[0]

    @property
    def first_end(self) -> float:
        """The earliest of these, if there are any."""
        return self._ends[1]

    @property
    def last_end(self) -> float:
        """The latest."""
        return self._ends[2]

    @cached_property
    def _ends(self) -> tuple[array[float], float, float]:
        over, now = self.history.over, self.history.now
        if not over:
            return over, now, now
        times = over.tolist()
        last = now if isnan(sum(times)) else max(times)
        if isnan(sum(times)) or last > now:
            times = [time if time <= now else now for time in times]  # what is missing is not
            over, last = array("d"), max(times)
            over.fromlist(times)
        return over, min(times), last

    @cached_property
    def _nests(self) -> tuple[array[int], array[int]] | None:
        """Rows by block: where those of each begin, and they; None where all are outside of blocks."""
        blocks = self.history.block
        if not any(blocks):
            return None
        size = len(self)
        counts = array("I", [0]) * (size + 2)
        around = array("i", (self.block(row) for row in range(size)))
        for block in around:
            counts[block + 2] += 1
        starts = array("I", accumulate(counts))
        put = starts[:]
        rows = array("I", [0]) * size
        for row, block in enumerate(around):
            rows[put[block + 1]] = row
            put[block + 1] += 1
        return starts, rows

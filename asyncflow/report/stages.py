"""The tasks by how many had to end before them, one after another: those of one stage could have started together.

Walls of blocks are looked through: what is inside comes after what the block waited for, and what depends on a block
comes after all that was called inside and had ended when the block had. Blocks are in no stage; the tasks in them are.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from . import waits
from .rows import NOBODY, WORK, Rows
from .view import View

_UNKNOWN, _ASKED, _KNOWN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class StageReport:
    """Tasks that came after as many others.

    Args:
        number: 0 for those that had to wait for none.
        tasks: how many.
        run: seconds that workers ran them, together.
        begins: when the first of them began, in seconds since the run did; None if none has.
        ends: when the last was over, or now if one is not.
    """

    number: int
    tasks: int
    run: float
    begins: float | None
    ends: float


def stages(rows: Rows) -> View[StageReport]:
    """The first stage first."""
    history, kinds, ends = rows.history, rows.kinds, rows.ends
    counts, runs, first, last = array("I"), array("d"), array("d"), array("d")
    for row, depth in enumerate(_depths(rows)):
        kind = kinds[history.site[row]]
        if kind == "block":
            continue
        stage = depth - 1
        while len(counts) <= stage:
            counts.append(0)
            runs.append(0.0)
            first.append(float("inf"))
            last.append(0.0)
        counts[stage] += 1
        last[stage] = max(last[stage], ends[row])
        told = waits.times(history, row)
        if tries := history.tries.get(history.id[row]):
            begins = [each.started for each in tries if each.started is not None]
            first[stage] = min([first[stage], *begins])
            runs[stage] += waits.run_of(history, row) if kind in WORK else 0.0
        elif told.started < told.finished or history.started[row] == told.started:
            first[stage] = min(first[stage], told.started)
            runs[stage] += told.finished - told.started if kind in WORK else 0.0

    def made(stage: int) -> StageReport:
        begins = None if first[stage] == float("inf") else first[stage]
        return StageReport(stage, counts[stage], runs[stage], begins, last[stage])

    return View(len(counts), made)


def _depths(rows: Rows) -> array[int]:
    """Of each task how many come before its end one after another, itself included; blocks do not count.

    A block is two points: its opening, behind all rows, and its end.
    """
    size = len(rows)
    points = 2 * size if rows.has_blocks else size
    depths, known = array("I", [0]) * points, bytearray(points)
    for first in range(size):
        left = [first] if known[first] == _UNKNOWN else []
        while left:
            point, before, unknown = left[-1], 0, []
            for each in _before(rows, point, size):
                if known[each] == _UNKNOWN:
                    unknown.append(each)
                elif depths[each] > before:
                    before = depths[each]
            if unknown and known[point] == _UNKNOWN:
                # What is asked already and not known is on a circle, of tasks that took no time: it counts nothing.
                known[point] = _ASKED
                left += unknown
                continue
            left.pop()
            if known[point] != _KNOWN:
                known[point] = _KNOWN
                depths[point] = before + (point < size and not rows.is_block(point))
    return depths[:size]


def _before(rows: Rows, point: int, size: int) -> Iterator[int]:
    """What comes right before a point."""
    row = point % size
    if point < size and rows.is_block(row) and rows.has_blocks:
        yield size + row
        end = rows.ends[row]
        yield from (each for each in rows.inside(row) if rows.ends[each] <= end)
        return
    yield from rows.needs(row)
    block = rows.block(row)
    if block != NOBODY:
        yield size + block

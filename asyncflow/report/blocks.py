"""What was inside of each block, at any depth."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from . import waits
from .rows import NOBODY, WORK, Rows
from .tasks import TaskReport, task
from .view import View


@dataclass(frozen=True, slots=True)
class BlockReport:
    """One call of a block.

    Args:
        task: the block itself.
        tasks: how many tasks were called inside, at any depth; blocks are not counted.
        wall: seconds from where its body began to its end, or to now.
        run: seconds that workers ran tasks inside, together.
    """

    task: TaskReport
    tasks: int
    wall: float
    run: float


def blocks(rows: Rows) -> View[BlockReport]:
    """In the order of their calls."""
    history = rows.history
    kinds = rows.kinds
    called = rows.of_kind("block")
    size = len(rows) if called else 0
    tasks, run = array("I", [0]) * size, array("d", [0.0]) * size
    for row in range(size - 1, -1, -1):  # what is inside was called after its block
        block = rows.block(row)
        if block == NOBODY:
            continue
        kind = kinds[history.site[row]]
        tasks[block] += tasks[row] + (kind != "block")
        run[block] += run[row]
        if kind in WORK:
            told = waits.times(history, row)
            run[block] += told.finished - told.started

    def made(place: int) -> BlockReport:
        row = called[place]
        told = waits.times(history, row)
        return BlockReport(task(rows, row), tasks[row], told.over - told.started, run[row])

    return View(len(called), made)

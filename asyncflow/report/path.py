"""The way back from the end of a run to its beginning, along what each moment really waited for.

It begins at the task that ended last, at its end. From the end of a task it goes back through what the task itself
was at: its run, its time in the queue and so on, to the moment when all that it waited for had ended. What held it
up until then is the dependency that ended last, and the way goes on at the end of that one. If no dependency ended
after the call, nothing but the call itself was awaited: then the code that made it is what took the time, back to
the last thing that it can have awaited, the last task called by the same code (outside of blocks, or in the same
block) that had ended by then; and the way goes on at the end of that one. If there is none, it was the code from
its very beginning.

A block is its body: from its end the way goes on through the last task inside that ended before it, with the body's
own code in between, and so on to where the body began. From there it is a task like others: it had to wait for what
it depends on, or was called by code.

So each moment belongs to one task, or to the code of the user's: that of a block, or that outside of all. What such
code awaited besides, as `asyncio.sleep`, is not known here and is the code's own time. A dependency without a row
any more has its time counted as "dependency" of the task that waited for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Final

from . import waits
from .order import latest_first
from .rows import NOBODY, Rows

CODE: Final = "code"
LEDGER: Final = (*waits.CATEGORIES, CODE)
"""What the time of a run is spent on: what that of a task is, and code that makes calls."""


@dataclass(slots=True)
class Path:
    """Steps, each after the last and without a gap, by columns.

    Args:
        rows: the task of each; below zero for code: that of a block in row r is -2 - r, that outside of blocks -1.
        begins: in seconds since the run began.
        end: of the last step.
        spent: seconds by category of `LEDGER`, of all steps.
    """

    rows: array[int] = field(default_factory=lambda: array("i"))
    begins: array[float] = field(default_factory=lambda: array("d"))
    end: float = 0.0
    spent: list[float] = field(default_factory=lambda: [0.0] * len(LEDGER))

    def __len__(self) -> int:
        return len(self.rows)

    def step(self, place: int) -> tuple[int, bool, float, float]:
        """The row of a task or of `NOBODY`, whether it is its code, from when and to when."""
        row = self.rows[place]
        end = self.begins[place + 1] if place + 1 < len(self.begins) else self.end
        return (row if row >= 0 else -2 - row if row < NOBODY else NOBODY), row < 0, self.begins[place], end


def walked(rows: Rows) -> Path:
    """The way through a run, from its beginning to now, as it is told above."""
    path = _Walk(rows).walked()
    path.rows.reverse()
    path.begins.reverse()
    return path


def shares(rows: Rows, path: Path, place: int) -> dict[str, float]:
    """Seconds by category that a step takes."""
    row, is_code, begin, end = path.step(place)
    if is_code:
        return {**dict.fromkeys(waits.CATEGORIES, 0.0), CODE: end - begin}
    return {**waits.shares(rows.history, row, begin, end), CODE: 0.0}


class _Walk:
    """One way, on its way."""

    def __init__(self, rows: Rows) -> None:
        self._path = Path(end=rows.history.now)  # the last step first
        self._rows = rows
        self._history = rows.history
        self._ends = rows.ends
        # Of what began and ended in one moment each can be before the other: none is passed twice.
        self._passed = bytearray(len(rows))
        self._ended: dict[int, _Ended] = {}

    def walked(self) -> Path:
        """From the end to the beginning."""
        now, row = self._history.now, self._last()
        if row != NOBODY:
            now = self._code(NOBODY, self._ends[row], now)
        while row != NOBODY:
            row, now = self._through(row, now)
        self._code(NOBODY, 0.0, now)
        return self._path

    def _last(self) -> int:
        """What ended last: a block before what is inside."""
        rows, ends = self._rows, self._ends
        if not len(rows):
            return NOBODY
        end = rows.last_end
        row = len(rows) - 1 - ends[::-1].index(end)
        while (block := rows.block(row)) != NOBODY and ends[block] == end:
            row = block
        return row

    def _through(self, row: int, now: float) -> tuple[int, float]:
        """From the end of a task to the end of another, and when that was; `NOBODY` where there is none."""
        self._passed[row] = True
        if not self._rows.is_block(row):
            return self._before(row, now)
        begin = min(waits.times(self._history, row).started, now)
        inner = self._ended_by(row, now, len(self._rows))
        if inner != NOBODY:
            return inner, self._code(row, min(self._ends[inner], now), now)
        return self._before(row, self._code(row, begin, now))

    def _before(self, row: int, now: float) -> tuple[int, float]:
        """From where a task is at a moment, or where the body of a block begins, to what held up its beginning."""
        rows, history, ends = self._rows, self._history, self._ends
        while True:
            told = waits.times(history, row)
            called = min(told.called, now)
            need = self._last_need(row)
            if need != NOBODY and ends[need] > called:
                return need, self._own(row, told, min(ends[need], told.ready, now), now)
            if history.starts[row] == history.starts[row + 1]:
                called = min(told.ready, now)  # it waited for nobody: the code that called it went on
            self._own(row, told, called, now)
            block = rows.block(row)
            former = self._ended_by(block, called, row)
            if former != NOBODY:
                return former, self._code(block, ends[former], called)
            if block == NOBODY:
                return NOBODY, called
            del self._ended[block]
            row, now = block, self._code(block, min(waits.times(history, block).started, called), called)

    def _own(self, row: int, told: waits.Times, begin: float, end: float) -> float:
        if begin < end or not self._rows.is_block(row):
            self._path.rows.append(row)
            self._path.begins.append(begin)
            waits.spend(self._path.spent, *waits.parts(self._history, row, told), begin, end)
        return begin

    def _code(self, block: int, begin: float, end: float) -> float:
        if begin < end:
            self._path.rows.append(NOBODY if block == NOBODY else -2 - block)
            self._path.begins.append(begin)
            self._path.spent[-1] += end - begin
        return begin

    def _last_need(self, row: int) -> int:
        last, latest, history, row_of = NOBODY, 0.0, self._history, self._rows.row
        for number in history.dependencies[history.starts[row] : history.starts[row + 1]]:
            need = row_of(number)
            if need != NOBODY and not self._passed[need] and (last == NOBODY or self._ends[need] >= latest):
                last, latest = need, self._ends[need]
        return last

    def _ended_by(self, block: int, moment: float, row: int) -> int:
        """What ended last, up to a moment, of what was called right inside a block before a row."""
        ended = self._ended.get(block)
        if ended is None:
            inside = self._rows.inside(block) if self._rows.first_end <= moment else ()
            ended = self._ended[block] = _Ended(inside, self._ends, moment)
        return ended.last(moment, row, self._passed)


class _Ended:
    """Tasks of one block, from the one that ended last on; asked for ever earlier moments.

    Args:
        rows: of the tasks, in the order of their calls.
        ends: of all.
        moment: what ended later is never asked for.
    """

    __slots__ = ("_ends", "_head", "_rest")

    def __init__(self, rows: Sequence[int], ends: array[float], moment: float) -> None:
        self._ends = ends
        self._rest = latest_first(_up_to(moment, rows, ends), ends.__getitem__)
        self._head = next(self._rest, NOBODY)

    def last(self, moment: float, row: int, passed: bytearray) -> int:
        """What ended last, up to a moment, and was called before a row; `NOBODY` if nothing did."""
        head = self._head
        while head != NOBODY and (self._ends[head] > moment or head >= row or passed[head]):
            head = next(self._rest, NOBODY)
        self._head = head
        return head


def _up_to(moment: float, rows: Sequence[int], ends: array[float]) -> array[int]:
    """Those that had ended by a moment, the last called first."""
    if len(rows) == len(ends):
        left = array("I", compress(rows, map(moment.__ge__, ends)))
    else:
        left = array("I", [row for row in rows if ends[row] <= moment])
    left.reverse()
    return left

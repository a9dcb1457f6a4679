"""What ran, in one pass: when workers ran tasks, and how long the calls of each function did.

A piece of the columns at a time goes through the interpreter's own loops; what is missing of some rows is worked out
for these alone.
"""

from __future__ import annotations

from array import array
from collections import Counter
from itertools import compress
from math import isnan
from operator import le, not_, sub
from typing import Final, TypeAlias

from .._core.states import CANCELLING, FAILED, RUNNING, STATES, SUCCEEDED
from . import waits
from .order import PIECE
from .rows import WORK, Rows

_STATES: Final = range(1, len(STATES) + 1)
_ENDED: Final = bytes((SUCCEEDED, FAILED))
_FIRST: Final = 64
_SMALLEST: Final = 16  # rows of a stretch, on average, below which each is looked at by itself
BEGUN: Final = frozenset({SUCCEEDED, FAILED, RUNNING, CANCELLING})
"""States of what has begun, though nobody may have told when."""


Column: TypeAlias = "list[float] | array[float]"


class Ran:
    """What ran, by site.

    Args:
        rows: of the history.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        sites = rows.history.sites
        self._works = [kind in WORK for kind in rows.kinds]

        def column() -> Column:
            return [] if len(rows) <= PIECE.rows else array("d")

        self.begins: Column = column()
        """When workers began tasks. Blocks, and what is only waited for, take no worker."""
        self.ends: Column = column()
        """When these were done. Both are in any order, by a clock that showed `zero` when the run began."""
        self.seconds = [0.0] * len(sites)
        """For how long workers ran tasks, together."""
        self.runs: list[Column] = [column() for _ in sites]
        """How long the calls ran that ran to their end, whether they succeeded or failed."""
        self.states: list[dict[int, int]] = [{} for _ in sites]
        """How many calls ended, or stand, how."""
        self._started, self._finished, self.zero = rows.history.runs()
        for begin in range(0, len(rows), PIECE.rows):
            self._read(begin, begin + PIECE.rows)

    def _read(self, begin: int, end: int) -> None:
        history = self._rows.history
        sites, states = history.site[begin:end], history.state[begin:end].tobytes()
        self._count(sites, states)
        started, finished = self._started[begin:end].tolist(), self._finished[begin:end].tolist()
        runs = list(map(sub, finished, started))
        if isnan(sum(runs)) or min(runs) < 0:
            plain = list(map(le, started, finished))
            for place in compress(range(len(plain)), map(not_, plain)):
                if started[place] == started[place] or states[place] in BEGUN:
                    self._add_odd(begin + place, started[place])
            sites, states = array("I", list(compress(sites, plain))), bytes(compress(states, plain))
            started, finished, runs = (list(compress(each, plain)) for each in (started, finished, runs))
        if runs:
            self._add(sites, states, started, finished, runs)

    def _count(self, sites: array[int], states: bytes) -> None:
        pieces = stretches(sites)
        if pieces is not None:
            told: dict[tuple[int, int], int] = {}
            for first, last, site in pieces:
                for state in _STATES:
                    if many := states.count(state, first, last):
                        told[site, state] = told.get((site, state), 0) + many
        elif len(set(states)) == 1:
            told = {(site, states[0]): many for site, many in Counter(sites).items()}
        else:
            told = Counter(zip(sites, states, strict=True))
        for (site, state), many in told.items():
            counts = self.states[site]
            counts[state] = counts.get(state, 0) + many

    def _add(
        self,
        sites: array[int],
        states: bytes,
        started: list[float],
        finished: list[float],
        runs: list[float],
    ) -> None:
        """Tasks that have run."""
        groups = _by_site(sites, runs)
        works = [self._works[site] for site in groups]
        if all(works):
            self.begins = _and(self.begins, started)
            self.ends = _and(self.ends, finished)
        elif any(works):
            by_row = [self._works[site] for site in sites]
            self.begins.extend(list(compress(started, by_row)))
            self.ends.extend(list(compress(finished, by_row)))
        for site, those in groups.items():
            if self._works[site]:
                self.seconds[site] += sum(those)
        if states.translate(None, _ENDED):
            ended = [state in _ENDED for state in states]
            groups = _by_site(array("I", list(compress(sites, ended))), list(compress(runs, ended)))
        for site, those in groups.items():
            self.runs[site] = _and(self.runs[site], those)

    def _add_odd(self, row: int, started: float) -> None:
        """A task that has begun and of which nobody has told when it began, or was done."""
        history, is_told = self._rows.history, not isnan(started)
        told, site = waits.times(history, row), history.site[row]
        run = told.finished - told.started
        if not run and not is_told:
            return  # it failed before it could run
        if self._works[site]:
            self.begins.append(started if is_told else told.started + self.zero)
            self.ends.append(told.finished + self.zero)
            self.seconds[site] += run
        if history.state[row] in _ENDED:
            self.runs[site].append(run)


def _and(column: Column, more: list[float]) -> Column:
    """A column, and what follows in it."""
    if isinstance(column, list) and not column:
        return more  # it need not be copied, and mostly is all
    column.extend(more)
    return column


def _by_site(sites: array[int], runs: list[float]) -> dict[int, list[float]]:
    """Runs, those of each site together."""
    pieces = stretches(sites)
    if pieces is not None and len(pieces) == 1:
        return {sites[0]: runs}
    groups: dict[int, list[float]] = {site: [] for site in sorted(set(sites))}
    if pieces is not None:
        for begin, end, site in pieces:
            groups[site] += runs[begin:end]
        return groups
    add = {site: group.append for site, group in groups.items()}
    for site, run in zip(sites, runs, strict=True):
        add[site](run)
    return groups


def stretches(column: array[int]) -> list[tuple[int, int, int]] | None:
    """Where one number stands in row after row: the first, the end, and which; None if these are too many."""
    found: list[tuple[int, int, int]] = []
    begin, size = 0, len(column)
    while begin < size:
        end, step, grows = begin + 1, _FIRST, True
        one = column[begin:end]
        while step:
            stop = min(end + step, size)
            if end < stop and column[end:stop] == one * (stop - end):
                end, step = stop, step * 4 if grows else step
            else:
                grows = False
                step //= 4
        found.append((begin, end, column[begin]))
        begin = end
        if len(found) > _FIRST + begin // _SMALLEST:
            return None
    return found

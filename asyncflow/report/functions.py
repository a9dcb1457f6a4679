"""What became of the calls of each function: how many, how long they ran, what they waited for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, isnan
from operator import sub
from typing import Final

from .._core.states import FAILED, STATES, SUCCEEDED, State
from .._record.history import History, Totals
from . import waits
from .order import PIECE, quantile
from .ran import Column, Ran
from .rows import Rows

_RAN: Final = (SUCCEEDED, FAILED)


@dataclass(frozen=True, slots=True)
class Calls:
    """How many calls of one name there were, and how long they ran; as in `FunctionReport`."""

    name: str
    count: int
    states: dict[str, int]
    ran: int
    mean: float | None
    p50: float | None
    p95: float | None
    max: float | None
    total: float

    @property
    def bad(self) -> dict[str, int]:
        """How many gave no value, by state. Those that were skipped are not among them: a branch not taken is no
        failure."""
        bad = (State.FAILED, State.UPSTREAM_FAILED, State.CANCELLED)
        return {state: self.states[state] for state in bad if state in self.states}


@dataclass(frozen=True, slots=True)
class FunctionReport(Calls):
    """The calls of one name. Seconds are those of calls that ran to their end, whether they succeeded or failed.

    Args:
        name: as its user wrote it.
        count: how many calls.
        states: how many of them ended, or stand, how.
        ran: how many ran to their end.
        mean: seconds that one ran on average; None if none ran.
        p50: seconds that half of them did not run longer than; between two, in proportion. Of calls that have rows.
        p95: the same for 95 of 100.
        max: seconds that the longest ran.
        total: seconds that they ran together.
        waits: seconds by category, all calls that have rows together, also those that are not over.
    """

    waits: dict[str, float]


def functions(rows: Rows, calls: Mapping[str, Calls]) -> dict[str, FunctionReport]:
    """By name, in the order of their first calls; blocks are not among them.

    Args:
        rows: of the history.
        calls: what is known without their waits.
    """
    history = rows.history
    spent = {name: [0.0] * len(waits.CATEGORIES) for name in calls}
    for site, seconds in zip(history.sites, _spent(history), strict=True):
        if site.kind != "block" and site.name in spent:
            spent[site.name] = list(map(float.__add__, spent[site.name], seconds))
    return {
        name: FunctionReport(
            name,
            told.count,
            told.states,
            told.ran,
            told.mean,
            told.p50,
            told.p95,
            told.max,
            told.total,
            dict(zip(waits.CATEGORIES, spent[name], strict=True)),
        )
        for name, told in calls.items()
    }


def calls_of(history: History, ran: Ran) -> dict[str, Calls]:
    """By name, in the order of their first calls; blocks are not among them."""
    states: dict[str, dict[int, int]] = {}
    runs: dict[str, list[Column]] = {}
    blocks = {site.name for site in history.sites if site.kind == "block"}
    for number, site in enumerate(history.sites):
        if site.kind != "block" and ran.states[number]:
            known = states.setdefault(site.name, {})
            for state, many in ran.states[number].items():
                known[state] = known.get(state, 0) + many
            runs.setdefault(site.name, []).append(ran.runs[number])
    for name in history.earlier:
        if name not in blocks:
            states.setdefault(name, {})
    return {
        name: _calls(name, counts, _joined(runs.get(name, ())), history.earlier.get(name))
        for name, counts in states.items()
    }


def _joined(columns: Sequence[Column]) -> Column:
    if not columns:
        return []
    joined = columns[0] if len(columns) == 1 else columns[0][:]
    for column in columns[1:]:
        joined.extend(column)
    return joined


def _calls(name: str, counts: Mapping[int, int], runs: Column, earlier: Totals | None) -> Calls:
    states = {STATES[number - 1]: count for number, count in counts.items()}
    total, count, longest = fsum(runs), len(runs), max(runs, default=0.0)
    if earlier is not None:
        for state, number in earlier.states.items():
            states[State(state)] = states.get(State(state), 0) + number
        count += sum(earlier.states.get(STATES[number - 1], 0) for number in _RAN)
        total, longest = total + earlier.run, max(longest, earlier.longest)
    return Calls(
        name,
        sum(states.values()),
        {state.value: states[state] for state in STATES if state in states},
        count,
        total / count if count else None,
        quantile(runs, 0.5),
        quantile(runs, 0.95),
        longest if count else None,
        total,
    )


def _spent(history: History) -> list[list[float]]:
    """Seconds by category, of each site."""
    spent = [[0.0] * len(waits.CATEGORIES) for _ in history.sites]
    phases = [waits.phases(site) for site in history.sites]
    for begin in range(0, len(history.id), PIECE.rows):
        rows = range(len(history.id))[begin : begin + PIECE.rows]
        times = [
            getattr(history, name)[begin : begin + PIECE.rows].tolist()
            for name in ("called", "ready", "staged", "submitted", "started", "finished", "over")
        ]
        site = history.site[begin]
        is_one = history.site[begin : begin + PIECE.rows].count(site) == len(rows)
        has_odd = bool(history.loading or history.tries or history.held)
        if not is_one or has_odd or not _add_plain(spent[site], phases[site], times):
            _add_each(history, rows, times, spent, phases)
    return spent


def _add_plain(spent: list[float], phases: tuple[int, ...], times: list[list[float]]) -> bool:
    """Add those of one site of whom all times are there; False if there are others."""
    sums = []
    for before, after in pairwise(times):
        if isnan(sum(after)):
            return False
        seconds = list(map(sub, after, before))
        if min(seconds) < 0:
            return False
        sums.append(fsum(seconds))
    for phase, seconds_of_all in zip((*phases[:4], *phases[5:]), sums, strict=True):
        spent[phase] += seconds_of_all
    return True


def _add_each(
    history: History,
    rows: range,
    times: list[list[float]],
    spent_of: list[list[float]],
    phases_of: list[tuple[int, ...]],
) -> None:
    has_odd = bool(history.loading or history.tries or history.held)
    parts = list(zip(spent_of, phases_of, strict=True))
    columns: Iterator[tuple[float, ...]] = zip(*times, strict=True)
    for row, site, told in zip(rows, history.site[rows.start : rows.stop], columns, strict=True):
        called, ready, staged, submitted, started, finished, over = told
        spent, phases = parts[site]
        is_odd = has_odd and waits.is_odd(history, history.id[row])
        if called <= ready <= staged <= submitted <= started <= finished <= over and not is_odd:
            first, second, third, fourth, _, fifth, sixth = phases
            spent[first] += ready - called
            spent[second] += staged - ready
            spent[third] += submitted - staged
            spent[fourth] += started - submitted
            spent[fifth] += finished - started
            spent[sixth] += over - finished
        else:
            filled = waits.times(history, row)
            waits.spend(spent, *waits.parts(history, row), filled.called, filled.over)


def durations(told: Mapping[str, Calls]) -> dict[str, float]:
    """Mean seconds of each function of which a call ran."""
    return {name: each.mean for name, each in told.items() if each.mean is not None}

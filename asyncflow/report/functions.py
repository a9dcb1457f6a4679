"""What became of the calls of each function: how many, how long they ran, what they waited for."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, isnan

from .._core.states import FAILED, STATES, SUCCEEDED, State
from .._record.history import History, Totals
from . import waits
from .order import in_order
from .rows import Rows

_RAN = frozenset({SUCCEEDED, FAILED})


@dataclass(frozen=True, slots=True)
class FunctionReport:
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

    name: str
    count: int
    states: dict[str, int]
    ran: int
    mean: float | None
    p50: float | None
    p95: float | None
    max: float | None
    total: float
    waits: dict[str, float]

    @property
    def bad(self) -> dict[str, int]:
        """How many gave no value, by state. Those that were skipped are not among them: a branch not taken is no
        failure."""
        bad = (State.FAILED, State.UPSTREAM_FAILED, State.CANCELLED)
        return {state: self.states[state] for state in bad if state in self.states}


class _Calls:
    """What is added up, of one site or one name."""

    __slots__ = ("runs", "states", "waits")

    def __init__(self) -> None:
        self.states = [0] * (len(STATES) + 1)
        self.waits = [0.0] * len(waits.CATEGORIES)
        self.runs = array("d")

    def add(self, other: _Calls) -> None:
        self.states = list(map(int.__add__, self.states, other.states))
        self.waits = list(map(float.__add__, self.waits, other.waits))
        self.runs += other.runs


def functions(rows: Rows) -> dict[str, FunctionReport]:
    """By name, in the order of their first calls; blocks are not among them."""
    history = rows.history
    named: dict[str, _Calls] = {}
    blocks = {site.name for site in history.sites if site.kind == "block"}
    for site, calls in zip(history.sites, _by_site(history), strict=True):
        if site.kind != "block" and any(calls.states):
            known = named.get(site.name)
            if known is None:
                named[site.name] = calls
            else:
                known.add(calls)
    for name in history.earlier:
        if name not in blocks:
            named.setdefault(name, _Calls())
    return {name: _told(name, calls, history.earlier.get(name)) for name, calls in named.items()}


def _by_site(history: History) -> list[_Calls]:
    """One pass through all rows."""
    sites = [_Calls() for _ in history.sites]
    parts = [
        (calls.states, calls.waits, calls.runs.append, waits.phases(site))
        for calls, site in zip(sites, history.sites, strict=True)
    ]
    columns = zip(
        history.site, history.state, history.called, history.ready, history.staged, history.submitted,
        history.started, history.finished, history.over, strict=True,
    )  # fmt: skip
    row, has_odd = -1, bool(history.loading or history.tries or history.held)
    for site, state, called, ready, staged, submitted, started, finished, over in columns:
        row += 1
        states, spent, ran, phases = parts[site]
        states[state] += 1
        is_odd = has_odd and waits.is_odd(history, history.id[row])
        if called <= ready <= staged <= submitted <= started <= finished <= over and not is_odd:
            first, second, third, fourth, _, fifth, sixth = phases
            spent[first] += ready - called
            spent[second] += staged - ready
            spent[third] += submitted - staged
            spent[fourth] += started - submitted
            spent[fifth] += finished - started
            spent[sixth] += over - finished
            run = finished - started
        else:
            told = waits.times(history, row)
            waits.spend(spent, *waits.parts(history, row), told.called, told.over)
            run = told.finished - told.started
            if not run and isnan(started):
                continue  # it failed before it could run
        if state in _RAN:
            ran(run)
    return sites


def _told(name: str, calls: _Calls, earlier: Totals | None) -> FunctionReport:
    states = {STATES[number - 1]: count for number, count in enumerate(calls.states) if count}
    total, count, longest = fsum(calls.runs), len(calls.runs), max(calls.runs, default=0.0)
    if earlier is not None:
        for state, number in earlier.states.items():
            states[State(state)] = states.get(State(state), 0) + number
        count += sum(earlier.states.get(STATES[number - 1], 0) for number in _RAN)
        total, longest = total + earlier.run, max(longest, earlier.longest)
    sorted_runs = in_order(calls.runs)
    return FunctionReport(
        name,
        sum(states.values()),
        {state.value: states[state] for state in STATES if state in states},
        count,
        total / count if count else None,
        quantile(sorted_runs, 0.5),
        quantile(sorted_runs, 0.95),
        longest if count else None,
        total,
        dict(zip(waits.CATEGORIES, calls.waits, strict=True)),
    )


def quantile(sorted_runs: Sequence[float], part: float) -> float | None:
    """The value that this part of all are not above; between two, in proportion (Hyndman and Fan 1996, type 7)."""
    if not sorted_runs:
        return None
    place = part * (len(sorted_runs) - 1)
    below = int(place)
    above = min(below + 1, len(sorted_runs) - 1)
    return sorted_runs[below] + (place - below) * (sorted_runs[above] - sorted_runs[below])


def durations(told: Mapping[str, FunctionReport]) -> dict[str, float]:
    """Mean seconds of each function of which a call ran."""
    return {name: each.mean for name, each in told.items() if each.mean is not None}

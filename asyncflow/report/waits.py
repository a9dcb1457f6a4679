"""Where the time of one task went: from its call to its end, or to now, cut at what happened to it.

What is missing between two times that are known is decided here, and nowhere else, so that the parts always make up the
whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import Final, NamedTuple

from .._core.states import CANCELLING, FAILED, RUNNING, SUCCEEDED
from .._record.history import NOT_YET, History, Site

CATEGORIES: Final = ("dependency", "staging", "limit", "queue", "start", "transfer", "run", "retry")
"""What a task's time is spent on, in the order in which it is told.

- dependency: other tasks had to end first; of a block also those that it has returned.
- staging: its files were brought, or stood in line for that.
- limit: it could have run, but for a limit that it names, or an option that limits how many run at once.
- queue: for a worker.
- start: a worker was started for it, or imported what it needs.
- transfer: what it has made came back and was published.
- run: the worker's.
- retry: an attempt had failed, and the next was to follow later.
"""
DEPENDENCY, STAGING, LIMIT, QUEUE, START, TRANSFER, RUN, RETRY = range(len(CATEGORIES))

_RAN: Final = frozenset({SUCCEEDED, FAILED, RUNNING, CANCELLING})
_PHASES: Final = (DEPENDENCY, STAGING, LIMIT, QUEUE, START, RUN, TRANSFER)
_UNLIMITED: Final = (DEPENDENCY, STAGING, QUEUE, QUEUE, START, RUN, TRANSFER)
_OF_BLOCKS: Final = (DEPENDENCY, STAGING, QUEUE, QUEUE, START, RUN, DEPENDENCY)
_AWAITED: Final = (RUN, RUN, RUN, RUN, RUN, RUN, RUN)


class Times(NamedTuple):
    """Of one task, each there and none before the last, in seconds since the run began."""

    called: float
    ready: float
    staged: float
    submitted: float
    loading: float
    started: float
    finished: float
    over: float


def phases(site: Site) -> tuple[int, ...]:
    """What the time up to each of a task's times counts as, from `ready` on."""
    if site.kind == "block":
        return _OF_BLOCKS
    if site.kind == "awaitable":
        return _AWAITED
    return _PHASES if site.limit else _UNLIMITED


def times(history: History, row: int) -> Times:
    """The times of a task, where what is missing stands at what is known.

    Between two that are known, the task was where the first of them had brought it: one that was called and cancelled
    before it was ready has waited for others all the time. But what has run has begun, also if its backend told only
    of the end: it then ran from when it was submitted. Nothing is later than the end, which is now if there is none.
    """
    attempts, ready, staged, submitted, started, finished = history.told(row)
    called, over = history.called[row], history.over[row]
    loading = NOT_YET
    if history.loading:
        loading = history.loading.get(history.id[row], NOT_YET)
        if attempts > 1 and loading < submitted:  # it was so for an earlier attempt
            loading = NOT_YET
    if called <= ready <= staged <= submitted <= started <= finished <= over:
        loading = started if isnan(loading) else min(max(loading, submitted), started)
        return Times(called, ready, staged, submitted, loading, started, finished, over)
    was_submitted, has_begun = not isnan(submitted) or not isnan(finished), not isnan(started)
    if not has_begun and (history.state[row] == SUCCEEDED or (was_submitted and history.state[row] in _RAN)):
        started = max(time for time in (called, ready, staged, submitted) if not isnan(time))
        has_begun = True
    if isnan(staged) and (was_submitted or has_begun):
        staged = ready
    end = history.now if isnan(over) else over
    if not isnan(loading) and not isnan(submitted):
        loading = max(loading, submitted)
    return _filled((called, ready, staged, submitted, loading, started, finished), max(end, called))


def _filled(given: Sequence[float], end: float) -> Times:
    """None before the last, and each that is missing at the next that is known."""
    called = given[0]
    filled = [end]
    for time in reversed(given):
        following = filled[-1]
        filled.append(time if called <= time < following else following)  # neither is what is missing
    filled[-1] = called
    filled.reverse()
    return Times(*filled)


def shares(history: History, row: int, begin: float, end: float) -> dict[str, float]:
    """Seconds by category that a task has spent between two moments.

    Args:
        history: of the run.
        row: of the task.
        begin: the first moment, in seconds since the run began.
        end: the second.
    """
    spent = [0.0] * len(CATEGORIES)
    spend(spent, *parts(history, row), begin, end)
    return dict(zip(CATEGORIES, spent, strict=True))


def is_odd(history: History, id: int) -> bool:
    """Whether more has to be looked at than a task's times to say where its time went."""
    return id in history.loading or id in history.tries or id in history.held


def parts(history: History, row: int, given: Times | None = None) -> tuple[Sequence[int], Sequence[float]]:
    """What a task was at, one after another, and its call with the times up to which it was each of them.

    Args:
        history: of the run.
        row: of the task.
        given: its times, if these are known already.
    """
    told, counts = given or times(history, row), phases(history.sites[history.site[row]])
    id = history.id[row]
    if id not in history.tries and id not in history.held:
        return counts, told
    cuts = [(counts[0], told.ready)]
    for tried in history.tries.get(id, ()):
        ended = tried.ended
        started = ended if tried.started is None else tried.started
        submitted = started if tried.submitted is None else tried.submitted
        cuts += [(counts[2], submitted), (QUEUE, started), (counts[5], ended), (RETRY, ended + tried.delay)]
    cuts += zip(counts[1:], told[2:], strict=True)
    return _with_limits(told.called, told.over, cuts, history.held.get(id, ()))


def _with_limits(
    called: float, over: float, cuts: Sequence[tuple[int, float]], held: Sequence[tuple[float, float]]
) -> tuple[list[int], list[float]]:
    """The same parts, of which those count as "limit" in which a task waited for limits; in order, up to the end."""
    counts: list[int] = []
    ends = [called]

    def add(what: int, until: float) -> None:
        if ends[-1] < until:
            counts.append(what)
            ends.append(until)

    for what, time in cuts:
        until = min(time, over)
        if what in (STAGING, LIMIT, QUEUE):
            for begin, end in held:
                if begin < until:
                    add(what, begin)
                    add(LIMIT, min(end, until))
        add(what, until)
    return counts, ends


def run_of(history: History, row: int) -> float:
    """Seconds that all attempts of a task ran, together."""
    told = times(history, row)
    return shares(history, row, told.called, told.over)[CATEGORIES[RUN]]


def spend(spent: list[float], phases: Sequence[int], told: Sequence[float], begin: float, end: float) -> None:
    """Add what a task has spent between two moments.

    Args:
        spent: seconds by category, to which it is added.
        phases: what the task was at.
        told: when it was called, and the times up to which it was each of them.
        begin: the first moment, in seconds since the run began.
        end: the second.
    """
    since = max(told[0], begin)
    for phase, time in zip(phases, told[1:], strict=True):
        until = time if time < end else end
        if until > since:
            spent[phase] += until - since
            since = until

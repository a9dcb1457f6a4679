"""Histories to try things on: small ones made by hand, and any that a run could have."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import fields
from math import isnan
from typing import Any

from hypothesis import strategies as st
from shown_kit import HOSTILE

from asyncflow._core.states import STATES, State
from asyncflow._record.history import DATA, NOT_YET, ORDER, Ending, History, Site, Totals, Try
from asyncflow.report import Report

TIMES = ("called", "ready", "staged", "submitted", "started", "finished", "over")
THREADS, LOOP = "backend 'thread'", "the event loop"


def site(name: str = "fit", kind: str = "function", **more: Any) -> Site:
    given = {"place": THREADS, "limit": "", "called_at": "a.py:1, in main", "workflow": None, **more}
    return Site(name, kind, **given)


def add(
    history: History,
    name: str = "fit",
    times: Sequence[float | None] = (),
    *,
    state: State = State.SUCCEEDED,
    needs: Sequence[int] = (),
    order: Sequence[int] = (),
    block: int = 0,
    kind: str = "function",
    worker: str = "",
    error: str = "",
    roots: Sequence[int] = (),
    id: int | None = None,
    attempts: int = 1,
    **more: Any,
) -> int:
    """One more task at the end of a history.

    Args:
        history: to which it is added.
        name: of the task.
        times: from `called` on; None where that has not happened; as many as it has.
        more: of its site.

    Returns:
        Its number.
    """
    sites, names = list(history.sites), list(history.names)
    where = site(name, kind, **more)
    if where not in sites:
        sites.append(where)
    if worker not in names:
        names.append(worker)
    history.sites, history.names = sites, names
    number = id if id is not None else (history.id[-1] if history.id else 0) + 1
    history.id.append(number)
    history.site.append(sites.index(where))
    history.block.append(block)
    history.state.append(STATES.index(state) + 1)
    history.attempts.append(attempts)
    history.worker.append(names.index(worker))
    known = [NOT_YET if time is None else time for time in times]
    for column, time in zip(TIMES, known + [NOT_YET] * (7 - len(known)), strict=True):
        getattr(history, column).append(time)
        history.now = max(history.now, 0.0 if isnan(time) else time)
    for need in (*needs, *order):
        history.dependencies.append(need)
        history.edges.append(ORDER if need in order else DATA)
    history.starts.append(len(history.dependencies))
    if error or roots:
        history.endings = {**history.endings, number: Ending(error, tuple(roots))}
    return number


def ran(called: float, started: float, finished: float, ready: float | None = None) -> list[float]:
    """Times of a task that was submitted as soon as it was ready, and over as soon as it had run."""
    since = called if ready is None else ready
    return [called, since, since, since, started, finished, finished]


def of(*tasks: dict[str, Any], **more: Any) -> Report:
    """The report of a history with these tasks; of each the arguments of `add`."""
    history = History(now=0.0, is_over=True)
    for task in tasks:
        add(history, **task)
    for name, value in more.items():
        setattr(history, name, value)
    return Report(history)


# -- any --------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["load", "clean", "fit", "plot"])
_TEXTS = st.one_of(_NAMES, st.sampled_from(HOSTILE), st.text(st.characters(codec=None), max_size=8))
_STRETCH = st.one_of(st.just(0.0), st.floats(0, 10), st.integers(0, 3).map(float))
_KINDS = ("function", "executable", "block", "awaitable")
_LAST = {  # the last of the times that a task in a state can have, besides `over`
    State.PENDING: 0,
    State.READY: 2,
    State.SUBMITTED: 3,
    State.RUNNING: 4,
    State.CANCELLING: 5,
    State.SUCCEEDED: 5,
    State.FAILED: 5,
    State.UPSTREAM_FAILED: 1,
    State.SKIPPED: 1,
    State.CANCELLED: 5,
}


@st.composite
def histories(draw: st.DrawFn, *, hostile: bool = False, most: int = 12) -> History:
    """Whatever a run can have left: gaps between numbers, dropped tasks, times that nobody told, tasks not over."""
    words = _TEXTS if hostile else _NAMES
    history = History(
        run=draw(words),
        began=draw(st.floats(0, 2e9)),
        is_over=draw(st.booleans()),
        planning=draw(st.floats(0, 5)),
        workers=draw(
            st.dictionaries(st.sampled_from([THREADS, LOOP]) | words, st.none() | st.integers(1, 4))
        ),
    )
    called, number = 0.0, 0
    ids: list[int] = []
    blocks: list[int] = []
    for _ in range(draw(st.integers(0, most))):
        number += draw(st.sampled_from([1, 1, 1, 3]))
        called += draw(_STRETCH)
        kind = draw(st.sampled_from(_KINDS))
        gone = [each for each in range(1, number) if each not in ids]
        block = draw(st.sampled_from([0, 0, *blocks, *gone[-1:]]))
        needs = (
            draw(st.lists(st.sampled_from(range(1, number)), max_size=3, unique=True)) if number > 1 else []
        )
        order = needs[: draw(st.integers(0, 1))]
        state = draw(st.sampled_from(State))
        failed = state == State.FAILED
        add(
            history,
            draw(words),
            _times(draw, history, called, [each for each in needs if each in ids], block, state),
            state=state,
            needs=needs[len(order) :],
            order=order,
            block=block,
            kind=kind,
            worker=draw(words) if draw(st.booleans()) else "",
            error=draw(words) if failed else "",
            roots=draw(st.lists(st.sampled_from(ids), max_size=2, unique=True))
            if state == State.UPSTREAM_FAILED and ids
            else (),
            id=number,
            attempts=draw(st.integers(0, 2)),
            place=draw(st.sampled_from([THREADS, LOOP])),
            limit=draw(st.sampled_from(["", "workers"])),
            called_at=draw(words) if hostile else f"a.py:{draw(st.integers(1, 3))}, in main",
            workflow=draw(st.none() | words),
        )
        ids.append(number)
        if kind == "block":
            blocks.append(number)
    if draw(st.booleans()):
        history.bytes_in = array(
            "Q", draw(st.lists(st.integers(0, 2**40), min_size=len(ids), max_size=len(ids)))
        )
        history.bytes_out = array("Q", [3] * len(ids))
    history.loading = {
        number: draw(_STRETCH) for number in ids if draw(st.sampled_from([False, False, True]))
    }
    history.held = {
        number: [(since, since + draw(_STRETCH)) for since in sorted(draw(st.lists(_STRETCH, max_size=2)))]
        for number in ids
        if draw(st.sampled_from([False, False, True]))
    }
    history.tries = {
        number: [
            _try(draw, words, called) for called in sorted(draw(st.lists(_STRETCH, min_size=1, max_size=2)))
        ]
        for number in ids
        if draw(st.sampled_from([False, False, True]))
    }
    if draw(st.booleans()):
        history.dropped = 5
        history.earlier = {draw(words): Totals({"SUCCEEDED": 4, "FAILED": 1}, 2.5, 1.0)}
    history.now += draw(_STRETCH)
    return history


def _try(draw: st.DrawFn, words: st.SearchStrategy[str], since: float) -> Try:
    """An attempt that has failed, of which little may be known."""
    submitted, started, finished = (since + draw(_STRETCH) if draw(st.booleans()) else None for _ in range(3))
    return Try(submitted, started, finished, draw(words), since + draw(_STRETCH), draw(words), draw(_STRETCH))


def _times(
    draw: st.DrawFn, history: History, called: float, needs: Sequence[int], block: int, state: State
) -> list[float | None]:
    """In order; ready when its dependencies were over, if they were; some that happened were told by nobody."""
    ends = [history.over[history.id.index(need)] for need in needs]
    last = 0 if any(map(isnan, ends)) else draw(st.integers(min(_LAST[state], 1), _LAST[state]))
    times: list[float | None] = [called]
    time = max([called, *(end for end in ends if not isnan(end))])
    for place in range(1, 6):
        if place > 1:
            time += draw(_STRETCH)
        is_told = place <= last and draw(st.sampled_from([True, True, True, False]))
        times.append(time if is_told else None)
    known = [each for each in times if each is not None]
    over = max(known) + draw(_STRETCH) if state.terminal else None
    if over is not None and ends and not any(map(isnan, ends)):
        over = max([over, *ends])
    return [*times, over]


def copied(history: History) -> History:
    """Another that tells the same."""
    return History(**{each.name: _copied(getattr(history, each.name)) for each in fields(History)})


def _copied(value: Any) -> Any:
    return value[:] if isinstance(value, (array, list)) else value


__all__ = ["LOOP", "THREADS", "TIMES", "add", "copied", "histories", "of", "ran", "site"]

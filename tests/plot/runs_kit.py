"""Runs of any size, for pictures of them: a search over folds on several workers, with failures and retries."""

from __future__ import annotations

from array import array
from random import Random

from shown_kit import HOSTILE

from asyncflow._core.states import STATES, State
from asyncflow._record.history import DATA, Ending, History, Site, Try
from asyncflow.report import Report

PLACE = "backend 'process'"


def report_of(size: int, *, workers: int = 8, hostile: bool = False, seed: int = 1) -> Report:
    """A run of so many tasks: of every ten one loads, seven fit and may fail, one compares, one is a coroutine.

    Args:
        size: how many tasks.
        workers: how many processes ran them.
        hostile: whether names would do something to a page.
        seed: of all that is drawn by lot.
    """
    random = Random(seed)
    names = HOSTILE if hostile else ("load", "fit", "compare", "notify")

    def site(number: int, kind: str = "function", place: str = PLACE) -> Site:
        name = names[number % len(names)]
        return Site(name, kind, place, "", f"{name[:40]}.py:{number}, in main", None)

    sites = [site(0), site(1), site(2), site(3, place="the event loop"), site(5, kind="block")]
    history = History(
        run="run-1",
        began=1.78e9,
        is_over=True,
        workers={PLACE: workers, "the event loop": None},
        names=["", *(f"process {number}" for number in range(1, workers + 1))],
        sites=sites,
        planning=0.002,
    )
    free, endings, tries = [0.0] * workers, dict[int, Ending](), dict[int, list[Try]]()
    loaded, fitted = 0, list[int]()
    for id in range(1, size + 1):
        turn = id % 10
        which = 0 if turn == 1 else 2 if turn == 9 else 3 if turn == 0 else 1
        needs = (
            []
            if which == 0
            else [loaded]
            if which in (1, 3) and loaded
            else fitted[-3:]
            if which == 2
            else []
        )
        ready = max([0.0, *(history.over[need - 1] for need in needs)])
        state, error = State.SUCCEEDED, ""
        worker = min(range(workers), key=lambda each: free[each])
        started = ready if which == 3 else max(ready, free[worker]) + random.random() * 0.001
        finished = started + random.expovariate(20) + 0.001
        if which == 1 and random.random() < 0.02:
            state, error = State.FAILED, "ValueError: need 2 rows"
        elif which == 1 and random.random() < 0.03 and finished - started > 0.01:
            middle = (started + finished) / 2
            where = f"process {worker + 1}"
            tries[id] = [
                Try(started, started, middle - 0.004, where, middle - 0.003, "OSError: reset", 0.001)
            ]
            started = middle
        if which != 3:
            free[worker] = finished
        if error:
            endings[id] = Ending(error, ())
        if which == 0:
            loaded = id
        elif which == 1:
            fitted.append(id)
        times = (0.0, ready, ready, ready, started, finished, finished)
        _add(
            history, id, which, state, 0 if which == 3 else worker + 1, times, needs, 2 if id in tries else 1
        )
    history.endings, history.tries = endings, tries
    history.now = max(history.over, default=0.0) + 0.01
    return Report(history)


def _add(
    history: History,
    id: int,
    site: int,
    state: State,
    worker: int,
    times: tuple[float, ...],
    needs: list[int],
    attempts: int,
) -> None:
    history.id.append(id)
    history.site.append(site)
    history.block.append(0)
    history.state.append(STATES.index(state) + 1)
    history.attempts.append(attempts)
    history.worker.append(worker)
    for column, time in zip(
        (
            history.called,
            history.ready,
            history.staged,
            history.submitted,
            history.started,
            history.finished,
            history.over,
        ),
        times,
        strict=True,
    ):
        column.append(time)
    history.dependencies.extend(needs)
    history.edges.extend(array("B", [DATA]) * len(needs))
    history.starts.append(len(history.dependencies))

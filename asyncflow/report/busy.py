"""How many workers were busy when: how much ran at once, how well they were used, and what ran alone at the end."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import fsum, isnan

from . import waits
from .order import in_order, latest_first
from .rows import WORK, Rows
from .tasks import TaskReport, task
from .view import View


@dataclass(frozen=True, slots=True)
class TailTask:
    """A task that ran while most workers had nothing to do any more.

    Args:
        task: which.
        seconds: how long it ran in that time.
    """

    task: TaskReport
    seconds: float


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a run, when less than half as many tasks ran at once as at its height.

    Args:
        begins: when the number fell below the half, to stay there; in seconds since the run began.
        ends: when the last task had run.
        tasks: that ran then, those that ran longest first.
    """

    begins: float
    ends: float
    tasks: View[TailTask]

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.ends - self.begins


@dataclass(frozen=True, slots=True)
class Busy:
    """How busy workers were in a run. Blocks, and what is only waited for, take none.

    Args:
        execution: seconds from the first start to the last finish.
        seconds: that all tasks ran together.
        efficiency: which part of their time workers ran tasks; None where it is not known how many they are.
        most: how many tasks ran at once at most; what is done when another begins does not run with it.
        tail: from when on less than half as many ran; None if there is no such time.
        ends: when the last was done.
    """

    execution: float
    seconds: float
    efficiency: float | None
    most: int
    tail: float | None
    ends: float


def busy(rows: Rows) -> Busy:
    """How busy workers were."""
    history = rows.history
    begins, ends = array("d"), array("d")
    by_site = [0.0] * len(history.sites)
    for row, begin, end in _runs(rows):
        begins.append(begin)
        ends.append(end)
        by_site[history.site[row]] += end - begin
    if not begins:
        return Busy(0.0, 0.0, None, 0, None, 0.0)
    begins, ends = in_order(begins), in_order(ends)
    execution = ends[-1] - begins[0]
    most = _most(begins, ends)
    return Busy(
        execution,
        fsum(by_site),
        _efficiency(rows, by_site, execution),
        most,
        _tail(begins, ends, most),
        ends[-1],
    )


def tail(rows: Rows, told: Busy) -> Tail | None:
    """The end of a run in which most workers had nothing to do; None if there was no such time."""
    since = told.tail
    if since is None:
        return None
    tasks, lengths = array("I"), array("d")
    for row, begin, end in _runs(rows):
        if end > since:
            tasks.append(row)
            lengths.append(end - max(begin, since))
    longest_first = array("I", latest_first(array("I", range(len(tasks))), lengths.__getitem__))

    def made(place: int) -> TailTask:
        at = longest_first[place]
        return TailTask(task(rows, tasks[at]), lengths[at])

    return Tail(since, told.ends, View(len(longest_first), made))


def _runs(rows: Rows) -> Iterator[tuple[int, float, float]]:
    """The rows of all tasks that a worker began, and from when to when each ran."""
    history = rows.history
    works = [kind in WORK for kind in rows.kinds]
    columns = zip(history.site, history.started, history.finished, strict=True)
    for row, (site, started, finished) in enumerate(columns):
        if not works[site]:
            continue
        if started <= finished:
            yield row, started, finished
            continue
        told = waits.times(history, row)
        if told.started < told.finished or not isnan(started):
            yield row, told.started, told.finished


def _efficiency(rows: Rows, by_site: Sequence[float], execution: float) -> float | None:
    workers = rows.history.workers
    run: dict[str, float] = {}
    for site, seconds in zip(rows.history.sites, by_site, strict=True):
        if seconds and workers.get(site.place):
            run[site.place] = run.get(site.place, 0.0) + seconds
    there = sum(workers[place] or 0 for place in run) * execution
    return sum(run.values()) / there if there else None


def _most(begins: Sequence[float], ends: Sequence[float]) -> int:
    """Both in order."""
    most = done = 0
    for begun, begin in enumerate(begins, 1):
        while done < begun and ends[done] <= begin:
            done += 1
        if begun - done > most:
            most = begun - done
    return most


def _tail(begins: Sequence[float], ends: Sequence[float], most: int) -> float | None:
    """When half as many as ever at once ran for the last time; None if that is the end. Both in order."""
    begun = done = len(begins)
    while begun:
        moment = max(begins[begun - 1], ends[done - 1])
        while begun and begins[begun - 1] == moment:
            begun -= 1
        while done and ends[done - 1] == moment:
            done -= 1
        if 0 < most <= 2 * (begun - done):
            return moment if moment < ends[-1] else None
    return None

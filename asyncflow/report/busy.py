"""How many workers were busy when: how much ran at once, how well they were used, and what ran alone at the end."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, count, islice
from math import fsum, isnan
from operator import lt

from . import waits
from .order import in_order, latest_first
from .ran import BEGUN, Ran
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


def busy(rows: Rows, ran: Ran) -> Busy:
    """How busy workers were."""
    if not ran.begins:
        return Busy(0.0, 0.0, None, 0, None, 0.0)
    begins, ends = in_order(ran.begins), in_order(ran.ends)
    execution = ends[-1] - begins[0]
    most = _most(begins, ends)
    since = _tail(begins, ends, most)
    return Busy(
        execution,
        fsum(ran.seconds),
        _efficiency(rows, ran.seconds, execution),
        most,
        None if since is None else since - ran.zero,
        ends[-1] - ran.zero,
    )


def tail(rows: Rows, told: Busy) -> Tail | None:
    """The end of a run in which most workers had nothing to do; None if there was no such time."""
    since = told.tail
    if since is None:
        return None
    tasks, lengths = array("I"), array("d")
    for row, begin, end in _runs_after(rows, since):
        tasks.append(row)
        lengths.append(end - max(begin, since))
    longest_first = array("I", latest_first(array("I", range(len(tasks))), lengths.__getitem__))

    def made(place: int) -> TailTask:
        at = longest_first[place]
        return TailTask(task(rows, tasks[at]), lengths[at])

    return Tail(since, told.ends, View(len(longest_first), made))


def _runs_after(rows: Rows, since: float) -> Iterator[tuple[int, float, float]]:
    """The rows of all tasks that a worker ran after a moment, and from when to when each ran."""
    history = rows.history
    works = [kind in WORK for kind in rows.kinds]
    started, finished, zero = history.runs()
    columns = zip(started, finished, history.state, strict=True)
    for row in [
        row
        for row, (begin, end, state) in enumerate(columns)
        if end - zero > since or (end != end and (begin == begin or state in BEGUN))  # noqa: PLR0124 - NaN
    ]:
        if works[history.site[row]]:
            told = waits.times(history, row)
            has_begun = told.started < told.finished or not isnan(history.told(row)[4])
            if told.finished > since and has_begun:
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
    """Both in order.

    If never more than so many ran at once, then each time that many tasks further on one begins not before this one
    was done. So one pass finds each task for which that does not hold, and there it is counted how many there are.
    """
    most = 0
    later = iter(begins)
    overlaps = map(lt, later, ends)
    for place in compress(count(), overlaps):
        more = bisect_left(begins, ends[place]) - place
        for _ in islice(later, more - most):
            pass
        most = more
    return most


def _tail(begins: Sequence[float], ends: Sequence[float], most: int) -> float | None:
    """When half as many as ever at once ran for the last time; None if that is the end. Both in order.

    Half as many still run before a moment in which one is done, if that many tasks further on one has begun.
    """
    if not most:
        return None
    half = (most + 1) // 2
    last = len(begins) - half
    overlaps = map(lt, reversed(begins), islice(reversed(ends), half - 1, None))
    place = next(compress(range(last, -1, -1), overlaps), None)
    return None if place is None or ends[place] == ends[-1] else ends[place]

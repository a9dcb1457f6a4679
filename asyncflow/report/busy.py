"""How many workers were busy when: how much ran at once, how well they were used, and what ran alone at the end."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum, isnan
from operator import sub

from . import waits
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


class Runs:
    """From when to when each task ran that took a worker. Blocks and what is only waited for take none.

    Args:
        rows: of the history.
    """

    __slots__ = ("begins", "ends", "rows", "tasks")

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self.tasks, self.begins, self.ends = array("I"), array("d"), array("d")
        history = rows.history
        works = [kind in WORK for kind in rows.kinds]
        columns = zip(history.site, history.started, history.finished, strict=True)
        for row, (site, started, finished) in enumerate(columns):
            if not works[site]:
                continue
            begin, end = started, finished
            if not begin <= end:
                told = waits.times(history, row)
                begin, end = told.started, told.finished
                if isnan(started) and begin == end:
                    continue  # it never ran
            self.tasks.append(row)
            self.begins.append(begin)
            self.ends.append(end)

    @property
    def execution(self) -> float:
        """Seconds from the first start to the last finish."""
        return max(self.ends) - min(self.begins) if self.ends else 0.0

    @property
    def seconds(self) -> float:
        """That all ran together."""
        return fsum(map(sub, self.ends, self.begins))

    @property
    def efficiency(self) -> float | None:
        """How much of their time workers ran tasks, where it is known how many they are; None if that is nowhere."""
        rows, workers = self.rows, self.rows.history.workers
        known = {place: number for place, number in workers.items() if number}
        sites = [site.place if site.place in known else None for site in rows.history.sites]
        busy = 0.0
        used = set()
        for row, begin, end in zip(self.tasks, self.begins, self.ends, strict=True):
            if (place := sites[rows.history.site[row]]) is not None:
                used.add(place)
                busy += end - begin
        there = self.execution * sum(known[place] for place in used)
        return busy / there if there else None

    def steps(self) -> Iterator[tuple[float, int]]:
        """Each moment when a task began or was done, in order, and how many run from then on."""
        begins, ends = array("d", sorted(self.begins)), array("d", sorted(self.ends))
        running = done = 0
        size = len(begins)
        while done < size:
            moment = ends[done]
            if running < size and begins[running] < moment:
                moment = begins[running]
            while running < size and begins[running] == moment:
                running += 1
            while done < size and ends[done] == moment:
                done += 1
            yield moment, running - done

    @property
    def most_at_once(self) -> int:
        """How many ran at once at most; what is done when another begins does not run with it."""
        return max((running for _, running in self.steps()), default=0)

    def tail(self) -> Tail | None:
        """The time at the end when less than half as many ran as ever at once; None if there is no such time."""
        most = self.most_at_once
        since, is_low = 0.0, False
        for moment, running in self.steps():
            if 2 * running >= most:
                is_low = False
            elif not is_low:
                since, is_low = moment, True
        end = max(self.ends, default=0.0)
        if not is_low or since >= end:
            return None
        tasks, lengths = array("I"), array("d")
        for row, begin, stop in zip(self.tasks, self.begins, self.ends, strict=True):
            if stop > since:
                tasks.append(row)
                lengths.append(stop - max(begin, since))
        longest_first = array("I", sorted(range(len(tasks)), key=lengths.__getitem__, reverse=True))

        def made(place: int) -> TailTask:
            at = longest_first[place]
            return TailTask(task(self.rows, tasks[at]), lengths[at])

        return Tail(since, end, View(len(longest_first), made))

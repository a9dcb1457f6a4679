"""How long what is left of a run may take: a range, by what tasks have taken and a schedule of those to come. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Final, NamedTuple

from .._graph import network

_CERTAIN: Final = 2.0  # standard errors on either side
_BLURRED: Final = 1.25  # ends of a range that are no further apart are told as one


class Measured(NamedTuple):
    """Runs of one function: how many, what they took together, and the sum of the squares, in seconds."""

    runs: int
    seconds: float
    squares: float

    @property
    def mean(self) -> float:
        """Seconds that one takes."""
        return self.seconds / self.runs

    def range(self, many: int) -> tuple[float, float]:
        """Between what the mean of so many more runs is likely to be: it strays the less, the more there are, and the
        more were measured."""
        mean = self.mean
        variance = max(0.0, self.squares / self.runs - mean * mean)
        if self.runs == 1:
            variance = mean * mean  # one run tells nothing of how much they differ
        error = _CERTAIN * sqrt(variance * (1 / max(1, many) + 1 / self.runs))
        return max(0.0, mean - error), mean + error


class Left(NamedTuple):
    """What is left of one function.

    Args:
        tasks: that have not ended.
        place: where they run.
        running: for how many seconds those have run already that do, together.
        measured: of those that are over; None if there is none.
    """

    tasks: int
    place: str
    running: float
    measured: Measured | None


class Eta(NamedTuple):
    """Seconds until the end: between the two; None for the second if part of what is left was never measured."""

    least: float
    most: float | None

    @property
    def words(self) -> str:
        """ "about 2 min left", "2 to 3 min left", "at least 2 min left"."""
        if self.most is None:
            return f"at least {_rough(self.least)} left"
        if self.most < 1:
            return "less than 1 s left"
        least, most = _rough(self.least), _rough(self.most)
        if least == most or self.most <= self.least * _BLURRED:
            return f"about {_rough((self.least + self.most) / 2)} left"
        if least.split()[1] == most.split()[1]:
            least = least.split()[0]
        return f"{least} to {most} left"

    def after(self, seconds: float) -> Eta:
        """The same, so much later."""
        most = None if self.most is None else max(0.0, self.most - seconds)
        return Eta(max(0.0, self.least - seconds), most)


def by_work(left: Sequence[Left], workers: Mapping[str, int | None]) -> Eta | None:
    """By how much work there is and by whom it is done: no schedule is shorter, and, of tasks that wait for nothing but
    workers, a list schedule is at most one task longer.

    Args:
        left: of each function.
        workers: how many tasks can run at once, by place; None for any number.

    Returns:
        None if nothing was measured yet.
    """
    work: dict[str, tuple[float, float]] = {}
    longest = 0.0
    known, unknown = 0, 0
    for each in left:
        if not each.tasks:
            continue
        if each.measured is None:
            unknown += 1
            continue
        known += 1
        least, most = each.measured.range(each.tasks)
        low, high = work.get(each.place, (0.0, 0.0))
        done = min(each.running, least * each.tasks)
        work[each.place] = low + least * each.tasks - done, high + most * each.tasks - done
        longest = max(longest, each.measured.range(1)[1])
    if not known:
        return None
    least = most = 0.0
    for place, (low, high) in work.items():
        hands = workers.get(place)
        if hands is None:  # all of them run at once
            most = max(most, longest)
        else:
            least, most = max(least, low / hands), max(most, high / hands + longest * (1 - 1 / hands))
    return Eta(least, None if unknown else max(least, most))


class Graph(NamedTuple):
    """The tasks that are left.

    Args:
        after: of each, which wait for it.
        function: of each, its place among the functions.
        has_run: of each, seconds for which it runs already.
    """

    after: Sequence[Sequence[int]]
    function: Sequence[int]
    has_run: Sequence[float]


def by_schedule(graph: Graph, left: Sequence[Left], workers: int | None) -> Eta | None:
    """By a list schedule of what is left, once with short and once with long durations.

    Args:
        graph: of all that is left.
        left: of each function; one without work has no place.
        workers: how many tasks can run at once; None for any number.

    Returns:
        None if nothing was measured yet.
    """
    order = network.in_order(graph.after)
    if len(order) < len(graph.after):
        return None
    ranges = [
        (0.0, 0.0) if each.measured is None else each.measured.range(max(1, each.tasks)) for each in left
    ]
    works = [bool(left[each].place) and workers is not None for each in graph.function]
    ends = []
    for end in (0, 1):
        weights = [
            max(0.0, ranges[function][end] - has_run)
            for function, has_run in zip(graph.function, graph.has_run, strict=True)
        ]
        begins = network.list_schedule(graph.after, order, weights, works, workers or 1)
        ends.append(max(map(sum, zip(begins, weights, strict=True)), default=0.0))
    known = [left[each].measured is not None or not left[each].place for each in set(graph.function)]
    if not any(each.measured is not None and each.tasks for each in left):
        return None
    return Eta(min(ends), max(ends) if all(known) else None)


def _rough(length: float) -> str:
    """A duration as one says it: "40 s", "2 min", "1.5 h", "3 d"."""
    if length < 99.5:
        return f"{max(1, round(length))} s"
    if length < 99.5 * 60:
        return f"{round(length / 60)} min"
    if length < 47.5 * 3600:
        return f"{length / 3600:.2g} h"
    return f"{length / 86400:.3g} d"

"""How long a plan takes: at least, on so many workers, and what keeps it from being quicker."""

from __future__ import annotations

from itertools import chain
from math import ceil, fsum, isinf

from .._graph import network
from .._graph.limited import LimitedSchedule
from .._show.columns import wrapped
from .._show.words import counted, path, seconds
from .durations import Durations, Lengths
from .scarce import Bound, Shared
from .task_network import TaskNetwork


class Times:
    """One plan with durations of its tasks.

    Args:
        net: of the plan.
        durations: before what is expected of the tasks.
        shared: what tasks need of limits; None if these are not to be looked at.

    Raises:
        TypeError: a duration is no number.
        ValueError: a number that no task has, or a duration that is none.
    """

    __slots__ = ("_network", "_run", "_shared", "_weights", "lengths")

    def __init__(
        self, net: TaskNetwork, durations: Durations | None = None, shared: Shared | None = None
    ) -> None:
        self._network = net
        self._shared = shared
        self.lengths = Lengths(net.tasks, durations)
        self._weights = net.of_all_points(self.lengths.weights)
        self._run = [point for point, task in enumerate(net.tasks) if task.kind in ("function", "executable")]

    def critical_path(self) -> tuple[list[int], float]:
        """The tasks that take longest one after another, without the blocks around them, and how long they take."""
        net = self._network
        points, length = network.longest_path(net.after, net.order, self._weights)
        tasks = net.tasks
        return [each for each in points if each < len(tasks) and tasks[each].kind != "block"], length

    def work(self) -> float:
        """Seconds that workers are busy."""
        return fsum(self._weights[point] for point in self._run)

    def most_at_once(self) -> int:
        """How many tasks run at once if no worker is ever missing."""
        begins, _ = network.earliest(self._network.after, self._network.order, self._weights)
        run = [(begins[point], begins[point] + self._weights[point]) for point in self._run]
        return network.most_at_once([begin for begin, _ in run], [end for _, end in run])

    def makespan(self, workers: int) -> float:
        """Seconds on so many workers, by list scheduling; infinite if something can never run.

        Raises:
            TypeError: that is no number.
            ValueError: there are none.
        """
        if type(workers) is not int:
            raise TypeError(f"workers={workers!r}: a whole number is needed")
        if workers < 1:
            raise ValueError(f"workers={workers!r}: without one nothing is ever done")
        net, weights = self._network, self._weights
        works = [False] * len(weights)
        for point in self._run:
            works[point] = True
        standing = net.standing()
        given = net.after, net.order, weights, works, workers
        if standing is None and (self._shared is None or not self._shared.needs):
            begins = network.list_schedule(*given)
        else:
            needs = {} if self._shared is None else self._shared.needs
            scarce = () if self._shared is None else self._shared.scarce()
            held = {point: net.end_of(point) for point in needs if net.end_of(point) != point}
            begins = LimitedSchedule(*given, scarce, needs, held, standing).begins
        return max(map(sum, zip(begins, weights, strict=True)), default=0)

    def limits(self, workers: int) -> str:
        """What keeps it from being quicker on so many workers.

        Raises:
            TypeError: that is no number.
            ValueError: there are none.
        """
        planned = self.makespan(workers)
        if not planned:
            return "Nothing limits it: there is nothing that takes time."
        points, longest = self.critical_path()
        work = self.work()
        way = path([self._network.label(point) for point in points])
        share = f"{self.amount(work)} of work on {counted(workers, 'worker')}"
        bounds = [] if self._shared is None else self._shared.bounds(self._weights)
        if bounds and bounds[0].length > max(longest, work / workers):
            told = self._told_of_limit(bounds[0], workers, planned)
        elif longest * workers >= work:
            told = (
                f"The critical path limits it: {way} takes {self.amount(longest)} on any number of workers.\n"
                f"  {share} could be over in {self.amount(work / workers)}; planned: {self.amount(planned)}."
            )
        else:
            told = (
                f"The number of workers limits it: {share} takes {self.amount(work / workers)} at least; "
                f"planned: {self.amount(planned)}.\n"
                f"  The critical path takes {self.amount(longest)}, and limits it from "
                f"{counted(ceil(work / longest), 'worker')} on: {way}."
            )
        told += f"\n  {self.left_open}." if self.left_open else ""
        lines = (wrapped(line.lstrip(), "  " * line.startswith(" ")) for line in told.splitlines())
        return "\n".join(chain.from_iterable(lines))

    def _told_of_limit(self, bound: Bound, workers: int, planned: float) -> str:
        limit, tasks = bound.limit, counted(bound.tasks, "task")
        if isinf(bound.length):
            return (
                f"Limit {limit.name!r} ({limit.told}) keeps it from ending: a task needs more than there is."
            )
        without = Times(self._network, shared=None)
        without._weights = self._weights
        return (
            f"Limit {limit.name!r} ({limit.told}) limits it: {tasks} that need it take {self.amount(bound.length)} at "
            f"least; planned: {self.amount(planned)}.\n"
            f"  Without limits it would take {self.amount(without.makespan(workers))}."
        )

    def amount(self, length: float) -> str:
        """A length in words; where no duration is known, each task is a step."""
        if self.lengths.known:
            return seconds(length)
        return f"{length:,.1f} steps" if length % 1 else counted(int(length), "step")

    @property
    def left_open(self) -> str:
        """What the numbers leave open, in words."""
        known, unknown = self.lengths.known, self.lengths.unknown
        return f"{counted(unknown, 'task')} of unknown duration: 1 s each" if known and unknown else ""

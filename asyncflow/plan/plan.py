"""A plan: what would happen, and how well it could go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from operator import attrgetter
from os import PathLike
from typing import TYPE_CHECKING, Any, Final

from .._show import words
from .._show.outline import Outline
from .._show.outlined import Outlined
from ..errors import WiringError
from . import findings_text, stored, wfformat
from .diff import PlanDiff, diff
from .digraph import digraph
from .durations import Durations, Lengths
from .outline import outline_of
from .picture import subject_of
from .scarce import OtherLimits, Shared
from .streams import PlannedStream, left_out, what_counts
from .task_network import TaskNetwork
from .tasks import Checkpoint, Edge, Finding, PlannedLimit, PlannedTask
from .times import Times

if TYPE_CHECKING:
    from ..plot.drawing import Drawing

_AS_EDGES_ARE_KEPT: Final = attrgetter("dependent", "dependency", "kind", "file", "optional")


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """What takes longest even if no worker is ever missing.

    Args:
        tasks: one after another.
        length: in seconds; a task whose duration is not known counts 1.
    """

    tasks: tuple[PlannedTask, ...]
    length: float

    def __str__(self) -> str:
        is_counted = self.length == len(self.tasks) and all(task.expected is None for task in self.tasks)
        length = words.counted(len(self.tasks), "step") if is_counted else words.seconds(self.length)
        return f"{length}: {words.path([f'{words.name_of(each.name)} (#{each.id})' for each in self.tasks])}"


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Plan(Outlined):
    """The tasks of a workflow, what each waits for, and what can be worked out from that.

    It never changes. Blocks are boxes: they hold tasks and take no time of their own, and what depends on a block
    waits for all inside it. A task whose duration is not known counts 1 (a second, if others are known).

    Args:
        tasks: in any order; they are kept in that of their numbers.
        edges: in any order; what stands there twice is kept once.
        decisions: where the workflow took a branch by a value that no plan can know, in words, with the place.
        findings: what is wrong with the wiring.
        checkpoints: where code has waited; each after the one that it names as before it.
        capacities: how much there is of the limits that tasks name; of those that are left out, any amount.
        streams: that would be read, of each of which a few items are among the tasks; times, stages and limits are of
            these few.
        start: begins the very thing that was planned, for `run`. It is no part of what the plan tells: plans with
            another one, or with none, may be equal.

    Raises:
        ValueError: an id that no task has, or that two have; an edge that is none.
        LookupError: a stream has an item that is no task.
        CircularDependency: a task would wait for itself; the message names the circle.
    """

    tasks: tuple[PlannedTask, ...]
    edges: tuple[Edge, ...]
    decisions: tuple[str, ...]
    findings: tuple[Finding, ...]
    checkpoints: tuple[Checkpoint, ...]
    capacities: tuple[PlannedLimit, ...]
    streams: tuple[PlannedStream, ...]
    _start: Callable[[], Awaitable[object]] | None = field(compare=False, repr=False)
    _network: TaskNetwork = field(compare=False, repr=False)

    def __init__(
        self,
        tasks: Iterable[PlannedTask],
        edges: Iterable[Edge] = (),
        *,
        decisions: Iterable[str] = (),
        findings: Iterable[Finding] = (),
        checkpoints: Iterable[Checkpoint] = (),
        capacities: Iterable[PlannedLimit] = (),
        streams: Iterable[PlannedStream] = (),
        start: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        in_order = tuple(sorted(tasks, key=attrgetter("id")))
        unique = _once_each(edges)
        put = object.__setattr__
        put(self, "tasks", in_order)
        put(self, "edges", unique)
        put(self, "decisions", tuple(decisions))
        put(self, "findings", tuple(findings))
        put(self, "checkpoints", tuple(checkpoints))
        put(self, "capacities", tuple(capacities))
        put(self, "streams", tuple(streams))
        put(self, "_start", start)
        put(self, "_network", TaskNetwork(in_order, unique, self.checkpoints))
        for stream in self.streams:
            for number in (*stream.items, *(() if stream.block is None else (stream.block,))):
                self._network.point_of(number)

    def __reduce__(self) -> Any:
        # nothing to run elsewhere
        return _restored, self._parts()

    def _parts(self) -> stored.Parts:
        """All that it tells."""
        return stored.Parts(
            self.tasks,
            self.edges,
            self.decisions,
            self.findings,
            self.checkpoints,
            self.capacities,
            self.streams,
        )

    # -- what to do with it --------------------------------------------------------------------------------

    def check(self) -> Plan:
        """This plan, if nothing is wrong with its wiring: ``plan.check().run()``.

        Raises:
            WiringError: something is; the message tells of all of it, and `findings` has it as data.
        """
        if self.findings:
            raise WiringError(findings_text.all_as_text(self.findings), self.findings)
        return self

    async def run(self) -> object:
        """Run the very thing that was planned: the same target with the same arguments, for real.

        Returns:
            What the target gives.

        Raises:
            RuntimeError: nothing is known to run, as of a plan that was read from a file, or the target was a
                coroutine, which can be awaited only once.
        """
        if self._start is None:
            raise RuntimeError(
                "this plan has nothing to run: it was read from a file, put together, or made of what was called "
                "already.\n  Plan what is to run:  plan = await engine.plan(target, ...); await plan.run()"
            )
        return await self._start()

    # -- what waits for what -------------------------------------------------------------------------------

    def task(self, id: int) -> PlannedTask:
        """The task of a number.

        Raises:
            LookupError: there is none.
        """
        return self.tasks[self._network.point_of(id)]

    def waits_for(self, task: PlannedTask | int) -> tuple[PlannedTask, ...]:
        """What has to be over before a task can start, in the order of their numbers.

        These are what it depends on, what the code that calls it waited for last before that, and the same of the
        blocks around it; not what those waited for in turn.

        Args:
            task: one of this plan, or its number.

        Raises:
            LookupError: there is none of that number.
        """
        point = self._network.point_of(task if isinstance(task, int) else task.id)
        return tuple(self.tasks[each] for each in sorted(set(self._network.waits_for(point))))

    @property
    def stages(self) -> tuple[tuple[PlannedTask, ...], ...]:
        """The tasks by how many come before them one after another: those of one stage could start together.

        Blocks are in none; the tasks in them are.
        """
        return self._network.stages()

    # -- how well it could go ------------------------------------------------------------------------------

    @property
    def width(self) -> int:
        """The number of tasks in the largest stage."""
        return max(map(len, self.stages), default=0)

    @property
    def maximum_parallelism(self) -> int:
        """How many tasks run at once at most if each starts as soon as it can, and takes what is expected of it.

        What is waited for and not run, and what takes no time, does not count.
        """
        return Times(self._network).most_at_once()

    @property
    def average_parallelism(self) -> float:
        """All work, divided by the length of the critical path; 0 where nothing takes time."""
        times = Times(self._network)
        longest = times.critical_path()[1]
        return times.work() / longest if longest else 0.0

    def critical_path(self, durations: Durations | None = None) -> CriticalPath:
        """The tasks that take longest one after another; however many workers there are, it takes no less.

        Args:
            durations: seconds by number or name of tasks, before what is expected of them.

        Raises:
            TypeError: a duration is no number.
            ValueError: a number that no task has, or a duration that is none.
        """
        points, length = Times(self._network, durations).critical_path()
        return CriticalPath(tuple(self.tasks[point] for point in points), length)

    def makespan(
        self, workers: int, durations: Durations | None = None, *, limits: OtherLimits | None = None
    ) -> float:
        """How long the whole takes on so many workers, planned by list scheduling.

        A worker that comes free takes, of what can start, the task with the longest path to the end: "highest level
        first with estimated times" (T. L. Adam, K. M. Chandy, J. R. Dickson, "A comparison of list schedules for
        parallel processing systems", Communications of the ACM 17(12), 1974). The best schedule may be shorter, but
        no list schedule is longer than the critical path and an even share of the work together (R. L. Graham,
        "Bounds on multiprocessing timing anomalies", SIAM Journal on Applied Mathematics 17(2), 1969). What is waited
        for and not run takes no worker.

        Tasks with limits, or `max_concurrent`, begin when there is what they need; where that follows from their
        arguments, 1. Priorities go before the length of the path.

        Args:
            workers: how many tasks can run at once.
            durations: seconds by number or name of tasks, before what is expected of them.
            limits: by name, what they might be instead: how much at once, a `PlannedLimit`, or None for no limit. That
                of `max_concurrent` is called ``"max_concurrent of fit"``, with the name of the task.

        Returns:
            Seconds; infinite if a task needs more of a limit than there is, or if a block holds what is inside needs.

        Raises:
            LookupError: no task names such a limit.
            TypeError: a duration, a limit, or the number of workers, is no number.
            ValueError: less than one worker, a number that no task has, or a duration that is none.
        """
        return Times(self._network, durations, Shared(self._network, self.capacities, limits)).makespan(
            workers
        )

    def limits(
        self, workers: int, durations: Durations | None = None, *, limits: OtherLimits | None = None
    ) -> str:
        """What keeps it from being quicker on so many workers, in words and numbers.

        Args:
            workers: how many tasks can run at once.
            durations: seconds by number or name of tasks, before what is expected of them.
            limits: what they might be instead, as for `makespan`.

        Raises:
            LookupError: no task names such a limit.
            TypeError: a duration, a limit, or the number of workers, is no number.
            ValueError: less than one worker, a number that no task has, or a duration that is none.
        """
        told = Times(self._network, durations, Shared(self._network, self.capacities, limits)).limits(workers)
        return f"{told}\n  {what_counts(self.streams)}." if left_out(self.streams) else told

    @property
    def bytes_staged(self) -> int:
        """The size of all files that tasks read, in bytes: each reader gets a copy. Unknown sizes count nothing."""
        return sum(file.size or 0 for task in self.tasks for file in task.inputs)

    def with_durations(self, durations: Durations) -> Plan:
        """The same plan where tasks are expected to take so long.

        Args:
            durations: seconds by number or name of tasks, before what was expected of them.

        Raises:
            TypeError: a duration is no number.
            ValueError: a number that no task has, or a duration that is none.
        """
        given = Lengths(self.tasks, durations).given
        tasks = [
            task if task.kind == "block" or length == task.expected else replace(task, expected=length)
            for task, length in zip(self.tasks, given, strict=True)
        ]
        return Plan(
            tasks,
            self.edges,
            decisions=self.decisions,
            findings=self.findings,
            checkpoints=self.checkpoints,
            capacities=self.capacities,
            streams=self.streams,
            start=self._start,
        )

    # -- other forms ---------------------------------------------------------------------------------------

    def diff(self, other: Plan) -> PlanDiff:
        """What another plan has that this one lacks, and the other way round.

        Tasks are matched by name, block and place of the call, and by what they wait for; not by their numbers.

        Args:
            other: the later one.
        """
        return diff(self, other, (self._network, other._network))

    def to_json(self) -> str:
        """The plan as text, from which `from_json` makes an equal one."""
        return stored.to_json(self._parts())

    @classmethod
    def from_json(cls, given: str | bytes) -> Plan:
        """The plan that `to_json` has made text of.

        Raises:
            ValueError: it is no such text, or one of a later version.
            CircularDependency: a task would wait for itself.
        """
        return _restored(*stored.from_json(given))

    def to_networkx(self) -> object:
        """The plan as a `networkx.DiGraph`, from each task to those that wait for it.

        Nodes are the numbers of the tasks, with their other fields as attributes. An edge has ``kinds``, sorted, and
        ``files``, the names of those handed over. A block is a node like others; what is inside it says so. What code
        has waited for is no edge: see `checkpoints`.

        Raises:
            ImportError: networkx is not installed.
        """
        return digraph(self.tasks, self.edges)

    @classmethod
    def from_wfformat(cls, given: str | PathLike[str] | Mapping[str, object]) -> Plan:
        """A workflow in WfFormat 1.5, as WfCommons and others record them.

        A task's ``called_at`` is its id in there; its name is that of its program, where the recorded name is that
        and a number; ``expected`` is the recorded runtime. Edges are of the files that a parent makes and a child
        reads, or else of order.

        Args:
            given: path of a JSON file, or what is in one.

        Raises:
            OSError: the file cannot be read.
            ValueError: it is not in this format, or an id in it that nothing has.
            CircularDependency: a task would wait for itself.
        """
        return cls(*wfformat.read(given))

    def to_wfformat(
        self, name: str = "plan", executed_at: str = "1970-01-01T00:00:00+00:00"
    ) -> dict[str, object]:
        """The plan in WfFormat 1.5, for `json.dump`.

        There are no blocks in that format: what waits for one waits for the last tasks inside. Expected durations
        are written as runtimes. A size that is not known is written as 0, and letters that the format does not
        allow in ids as ``_``.

        Args:
            name: of the workflow.
            executed_at: date and time, which the format demands where there are runtimes; a plan has none.

        Raises:
            ValueError: the plan has no tasks, which the format cannot tell of.
        """
        return wfformat.written(self.tasks, self._network, name, executed_at, self.critical_path().length)

    # -- as people see it ----------------------------------------------------------------------------------

    def draw(
        self,
        path: str | PathLike[str] | None = None,
        *,
        fold: bool | int | None = None,
        dark: bool | None = None,
    ) -> Drawing:
        """The plan as a picture: blocks are boxes, the critical path is thick, and findings stand where they are.

        Args:
            path: of a file to save it in: .svg .png .html .mmd .dot
            fold: whether tasks that repeat are one box, as "fit × 500": as far as needed for a picture that can be
                read (None), as far as possible (True), not at all (False), or to so many boxes.
            dark: whether its ground is dark; None to follow the reader's system.

        Raises:
            TypeError: an argument of the wrong type.
            ValueError: the end of the path is another, or less than one box.
            ImportError: it is to be saved, and needs the extra ``plot``, which is not installed.
            OSError: the file cannot be written.
        """
        from ..plot.graphs import graph_of

        return graph_of(lambda: subject_of(self, self._network), path, fold, dark)

    def _outline(self) -> Outline:
        return outline_of(self, self._network)


def _restored(
    tasks: Iterable[PlannedTask],
    edges: Iterable[Edge],
    decisions: Iterable[str],
    findings: Iterable[Finding],
    checkpoints: Iterable[Checkpoint],
    capacities: Iterable[PlannedLimit],
    streams: Iterable[PlannedStream],
) -> Plan:
    return Plan(
        tasks,
        edges,
        decisions=decisions,
        findings=findings,
        checkpoints=checkpoints,
        capacities=capacities,
        streams=streams,
    )


def _once_each(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """In order, each once."""
    given = sorted(edges, key=_AS_EDGES_ARE_KEPT)
    return tuple(edge for edge, before in zip(given, [None, *given], strict=False) if edge != before)

"""What tasks and edges mean together: which task waits for which, with blocks as boxes that open and close.

A task is a point. A block is two, which take no time: it opens when what it waits for is over, and closes when all
inside is over. What is inside waits for the opening; what depends on the block waits for the closing. A checkpoint is a
point, too: it waits for what the code has waited for and for the checkpoint before it, and what is called from there on
waits for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from .._graph.network import Network, circle, earliest, in_order
from .._show.words import name_of, path
from ..errors import CircularDependency
from .tasks import Checkpoint, Edge, PlannedTask


class TaskNetwork:
    """The network of a plan. Points up to the number of tasks are these, and openings of blocks; then come closings,
    and checkpoints.

    Args:
        tasks: with increasing ids.
        edges: between them.
        checkpoints: where code has waited.

    Raises:
        ValueError: an id that no task has, or that two have; a checkpoint that is none, or before itself.
        CircularDependency: a task would wait for itself.
    """

    __slots__ = ("_ends", "_spans", "after", "checkpoints", "index", "needs", "order", "tasks")

    def __init__(
        self, tasks: Sequence[PlannedTask], edges: Sequence[Edge], checkpoints: Sequence[Checkpoint] = ()
    ) -> None:
        self.tasks = tasks
        self.checkpoints = checkpoints
        self.index = {task.id: point for point, task in enumerate(tasks)}
        _check_ids(tasks, self.index)
        blocks = [point for point, task in enumerate(tasks) if task.kind == "block"]
        self._ends = list(range(len(tasks)))
        for number, point in enumerate(blocks):
            self._ends[point] = len(tasks) + number
        after: list[list[int]] = [[] for _ in range(len(tasks) + len(blocks))]
        self._spans = self._nest(after) if blocks else []
        self.needs: list[list[int]] = [[] for _ in tasks]
        """Of each task, the points of those that it waits for itself; not what blocks around it wait for."""
        self._connect(edges, after)
        self._pass(checkpoints, after)
        self.after: Network = after
        self.order = in_order(after)
        if len(self.order) < len(after):
            raise CircularDependency(self._told(circle(after, self.order)))

    def waits_for(self, point: int) -> Iterator[int]:
        """The points of what has to be over before a task can start; one may come twice."""
        while True:
            yield from self.needs[point]
            yield from self.waited_for(point)
            block = self.tasks[point].block
            if block is None:
                return
            point = self.index[block]

    def point_of(self, id: int) -> int:
        """The point of a task.

        Raises:
            LookupError: there is none of that number.
        """
        try:
            return self.index[id]
        except KeyError:
            raise LookupError(f"this plan has no task #{id}") from None

    def waited_for(self, point: int) -> Iterator[int]:
        """The points of what code had waited for last, before it called a task."""
        checkpoint = self.tasks[point].checkpoint
        if checkpoint is not None:
            yield from (self.index[each] for each in self.checkpoints[checkpoint].waited_for)

    def end_of(self, point: int) -> int:
        """Where a task ends: of a block, its closing."""
        return self._ends[point]

    def standing(self) -> list[float] | None:
        """How high each point stands: the highest of its own priority and of all that wait for it. None if no task has
        one."""
        if not any(task.priority for task in self.tasks):
            return None
        standing = [task.priority for task in self.tasks]
        standing += [-inf] * (len(self.after) - len(standing))
        for point in reversed(self.order):
            standing[point] = max([standing[point], *(standing[each] for each in self.after[point])])
        return standing

    def stages(self) -> tuple[tuple[PlannedTask, ...], ...]:
        """The tasks by how many come before them one after another; blocks are in none."""
        steps: list[float] = [0 if task.kind == "block" else 1 for task in self.tasks]
        begins, _ = earliest(self.after, self.order, self.of_all_points(steps))
        stages: list[list[PlannedTask]] = []
        for task, begin in zip(self.tasks, begins, strict=False):
            if task.kind != "block":
                while len(stages) <= begin:
                    stages.append([])
                stages[int(begin)].append(task)
        return tuple(map(tuple, stages))

    def of_all_points(self, weights: list[float]) -> list[float]:
        """Weights of all points, given those of the tasks: nothing else takes time."""
        return weights + [0] * (len(self.after) - len(weights))

    def label(self, point: int) -> str:
        """A task for messages: "fit (#4)"."""
        return f"{name_of(self.tasks[point].name)} (#{self.tasks[point].id})"

    def _nest(self, after: list[list[int]]) -> list[tuple[int, int]]:
        """Put the tasks into their blocks, and say where each begins and ends if all are walked through in depth."""
        inside: list[list[int]] = [[] for _ in self.tasks]
        outermost = []
        for point, task in enumerate(self.tasks):
            if task.block is None:
                outermost.append(point)
            else:
                block = self.index[task.block]
                inside[block].append(point)
                after[block].append(point)
                if not task.detached:
                    after[self._ends[point]].append(self._ends[block])
        for point, end in enumerate(self._ends):
            if end != point and all(self.tasks[each].detached for each in inside[point]):
                after[point].append(end)
        walk, left = [], outermost
        while left:
            point = left.pop()
            walk.append(point)
            left.extend(inside[point])
        if len(walk) < len(self.tasks):
            raise CircularDependency(self._told(circle(inside, in_order(inside))))
        sizes = [1] * len(self.tasks)
        for point in reversed(walk):
            if (owner := self.tasks[point].block) is not None:
                sizes[self.index[owner]] += sizes[point]
        spans = [(0, 0)] * len(self.tasks)
        for place, point in enumerate(walk):
            spans[point] = (place, place + sizes[point])
        return spans

    def _connect(self, edges: Sequence[Edge], after: list[list[int]]) -> None:
        index, ends, needs, spans = self.index, self._ends, self.needs, self._spans
        for edge in edges:
            try:
                first, then = index[edge.dependency], index[edge.dependent]
            except KeyError as error:
                raise ValueError(f"{edge!r}: there is no task #{error.args[0]}") from None
            if ends[then] != then and spans[then][0] < spans[first][0] < spans[then][1]:
                if self.tasks[first].detached:  # else its end waits for it already, as for all that is inside
                    after[ends[first]].append(ends[then])
                continue
            needs[then].append(first)
            after[ends[first]].append(then)

    def _pass(self, checkpoints: Sequence[Checkpoint], after: list[list[int]]) -> None:
        first = len(after)
        after.extend([] for _ in checkpoints)
        for place, checkpoint in enumerate(checkpoints):
            for each in checkpoint.waited_for:
                if each not in self.index:
                    raise ValueError(f"{checkpoint!r}: there is no task #{each}")
                after[self._ends[self.index[each]]].append(first + place)
            if checkpoint.before is not None:
                if not 0 <= checkpoint.before < place:
                    raise ValueError(f"{checkpoint!r}: the checkpoint before it has to stand before it")
                after[first + checkpoint.before].append(first + place)
        for point, task in enumerate(self.tasks):
            if task.checkpoint is not None:
                if not 0 <= task.checkpoint < len(checkpoints):
                    raise ValueError(f"{task.label}: there is no checkpoint {task.checkpoint}")
                after[first + task.checkpoint].append(point)

    def _told(self, points: Sequence[int]) -> str:
        """The error for a circle."""
        closed = {end: point for point, end in enumerate(self._ends) if end != point}
        named = [closed.get(point, point) for point in points]
        named = [point for point in named if point < len(self.tasks)]  # a checkpoint has no name
        named = [
            each for each, before in zip(named, [named[-1], *named], strict=False) if each != before
        ] or named[:1]
        message = f"a task would wait for itself: {path([self.label(each) for each in [*named, named[0]]])}"
        if any(self.tasks[each].kind == "block" for each in named):
            message += "\n  What is inside a block waits for what the block waits for, and the block for all inside it."
        return message


def _check_ids(tasks: Sequence[PlannedTask], index: dict[int, int]) -> None:
    for point, task in enumerate(tasks):
        if index[task.id] != point:
            raise ValueError(f"two tasks are #{task.id}: {task.name!r} and {tasks[index[task.id]].name!r}")
        if task.block is None:
            continue
        if task.block not in index:
            raise ValueError(
                f"{task.name!r} (#{task.id}): there is no task #{task.block}, inside which it would be"
            )
        block = tasks[index[task.block]]
        if block.kind != "block":
            raise ValueError(
                f"{task.name!r} (#{task.id}) would be inside {block.name!r} (#{block.id}), which is no block"
            )

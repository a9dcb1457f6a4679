"""The outline of a plan: a row for each stage, and what is worth knowing of the whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Final

from .._show.outline import Facts, Notes, Outline, Table
from .._show.words import counted, listed, name_of, path, plain, size
from . import findings_text
from .scarce import Shared
from .skips import skipped_with
from .streams import shown
from .task_network import TaskNetwork
from .tasks import PlannedTask
from .times import Times

if TYPE_CHECKING:
    from .plan import Plan

_CELL: Final = 38  # characters
_HEAD, _TAIL = 14, 4  # rows
_NOTES: Final = 5  # of each sort


def outline_of(plan: Plan, net: TaskNetwork) -> Outline:
    """What is shown of a plan."""
    return Outline("Plan", _title(plan), lambda: _parts(plan, net))


def _parts(plan: Plan, net: TaskNetwork) -> Iterator[Table | Facts | Notes]:
    yield Table("", ("stage", "tasks", "what", "waits for"), _rows(plan.stages, _Waits(net)), (1,))
    yield Facts(_facts(plan, net))
    yield _notes("Decisions on values that a plan cannot know", [[plain(text)] for text in plan.decisions])
    yield _notes("Findings", [findings_text.as_lines(each) for each in plan.findings])


def _title(plan: Plan) -> str:
    """What there is in a plan: "12 tasks in 2 blocks, 14 edges (10 data, 4 file)"."""
    blocks = sum(task.kind == "block" for task in plan.tasks)
    told = counted(len(plan.tasks) - blocks, "task") + (f" in {counted(blocks, 'block')}" if blocks else "")
    kinds = Counter(edge.kind for edge in plan.edges)
    if not kinds:
        return f"{told}, no edges"
    counts = ", ".join(f"{kinds[kind]:,} {kind}" for kind in sorted(kinds))
    optional = sum(edge.optional for edge in plan.edges)
    if optional:
        counts += f", {optional:,} optional"
    return f"{told}, {counted(len(plan.edges), 'edge')} ({counts})"


def _rows(stages: Sequence[Sequence[PlannedTask]], waits: _Waits) -> list[tuple[str, str, str, str]]:
    """A row for stages that are alike and follow each other; what is too much in the middle is counted."""
    cells = [(f"{len(stage):,}", _counted(stage), waits.told(stage)) for stage in stages]
    rows, ends = [], []
    first = 1
    for alike, group in groupby(cells):
        last = first + sum(1 for _ in group) - 1
        rows.append((f"{first:,}" if first == last else f"{first:,}-{last:,}", *alike))
        ends.append(last)
        first = last + 1
    if len(rows) <= _HEAD + _TAIL:
        return rows
    left_out = ends[-_TAIL - 1] - ends[_HEAD - 1]
    return [*rows[:_HEAD], ("...", "", f"{left_out:,} more", ""), *rows[-_TAIL:]]


def _notes(name: str, remarks: Sequence[Sequence[str]]) -> Notes:
    if len(remarks) > _NOTES:
        remarks = [*remarks[:_NOTES], [f"and {len(remarks) - _NOTES:,} more"]]
    return Notes(name, remarks)


def _counted(tasks: Iterable[PlannedTask]) -> str:
    """Names with how often they are there, the most frequent first: "100 load, 3 fit, plot"."""
    names = Counter(task.name for task in tasks).most_common()
    texts = [name_of(name) if number == 1 else f"{number:,} {name_of(name)}" for name, number in names]
    return listed(texts, _CELL)


class _Waits:
    """Names of what tasks wait for; tasks of one block share what it waits for."""

    def __init__(self, net: TaskNetwork) -> None:
        self._network = net
        self._of_checkpoints: dict[int | None, frozenset[str]] = {None: frozenset()}
        self._of_blocks: dict[int | None, frozenset[str]] = {None: frozenset()}
        for point in net.order:  # a block comes before what is inside
            if point < len(net.tasks) and net.tasks[point].kind == "block":
                task = net.tasks[point]
                around, own = self._of_blocks[task.block], self._own(point)
                self._of_blocks[task.id] = around if around.issuperset(own) else around.union(own)

    def told(self, tasks: Iterable[PlannedTask]) -> str:
        names: set[str] = set()
        for block in {task.block for task in tasks}:
            names |= self._of_blocks[block]
        for task in tasks:
            names |= self._own(self._network.index[task.id])
        return listed([name_of(name) for name in sorted(names)], _CELL) or "nothing"

    def _own(self, point: int) -> set[str]:
        net = self._network
        checkpoint = net.tasks[point].checkpoint
        if checkpoint not in self._of_checkpoints:  # many tasks may share one
            waited = frozenset(net.tasks[each].name for each in net.waited_for(point))
            self._of_checkpoints[checkpoint] = waited
        return {net.tasks[each].name for each in net.needs[point]} | self._of_checkpoints[checkpoint]


def _facts(plan: Plan, net: TaskNetwork) -> dict[str, str]:
    if not plan.tasks:
        return {}
    times = Times(net)
    points, length = times.critical_path()
    facts = {"Critical path": times.amount(length)}
    if points:
        facts["Critical path"] += f": {path([net.label(point) for point in points])}"
    if times.left_open:
        facts["Critical path"] += f" ({times.left_open})"
    facts["Parallelism"] = f"{times.most_at_once():,} at most, {plan.average_parallelism:,.1f} on average"
    files = [file for task in plan.tasks for file in task.inputs]
    if files:
        unknown = sum(file.size is None for file in files)
        facts["Staged"] = f"{size(plan.bytes_staged)} in {counted(len(files), 'file')}"
        if unknown == len(files):
            facts["Staged"] = f"{counted(unknown, 'file')} of unknown size"
        elif unknown:
            facts["Staged"] += f", {unknown:,} of unknown size"
    skips = [task for task in plan.tasks if task.may_skip]
    if skips:
        facts["May be skipped"] = _counted(skips)
        others = skipped_with(plan.tasks, plan.edges)
        if others:
            facts["May be skipped"] += f"; with them, at most, {_counted(others)}"
    detached = [task for task in plan.tasks if task.detached]
    if detached:
        facts["Detached"] = f"{_counted(detached)}: nobody waits for them"
    if plan.streams:
        facts["Streams"] = shown(plan.streams)
    shared = Shared(net, plan.capacities)
    if shared.limits:
        users = Counter(number for needs in shared.needs.values() for number, _ in needs)
        told = [
            f"{plain(name)} ({limit.told}): {counted(users[number], 'task')}"
            for number, (name, limit) in enumerate(shared.limits.items())
        ]
        facts["Limits"] = "; ".join(told[:_NOTES]) + (
            f"; {len(told) - _NOTES:,} more" if told[_NOTES:] else ""
        )
    blocks = [task for task in plan.tasks if task.kind == "block"]
    if blocks:
        facts["Blocks"] = _counted(blocks)
    return facts

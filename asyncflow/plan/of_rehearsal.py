"""From what a rehearsal has seen of each call to a plan. Pure: nothing is run, no file is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from ..errors import CircularDependency
from .plan import Plan
from .rehearsed import RehearsedCall
from .tasks import Checkpoint, Edge, Finding, Kind, PlannedFile, PlannedTask


def planned(
    calls: Sequence[RehearsedCall],
    *,
    decisions: Iterable[str] = (),
    findings: Iterable[Finding] = (),
    checkpoints: Iterable[tuple[tuple[int, ...], int | None]] = (),
    start: Callable[[], Awaitable[Any]] | None = None,
) -> Plan:
    """The plan of what was rehearsed.

    Args:
        calls: all of them.
        decisions: in words.
        findings: what is wrong, in any order.
        checkpoints: tasks that code has waited for, and which of these it had passed before.
        start: begins the very thing that was rehearsed, for real.
    """
    outputs = {call.id: call for call in calls if call.kind == "output"}
    tasks = [_task(call) for call in calls if call.kind != "output"]
    there = {task.id for task in tasks}
    edges = [edge for call in calls if call.id in there for edge in _edges(call, outputs)]
    plan = partial(
        Plan,
        edges=[edge for edge in edges if edge.dependency in there],
        decisions=list(decisions),
        findings=_by_place(findings),
        start=start,
    )
    try:
        return plan(tasks, checkpoints=[_checkpoint(*each, outputs, there) for each in checkpoints])
    except CircularDependency:
        # A plan waits for what a block leaves behind, and code that goes on beside that may feed it.
        return plan([replace(task, checkpoint=None) for task in tasks])


def _checkpoint(
    waited_for: Iterable[int], before: int | None, outputs: Mapping[int, RehearsedCall], there: set[int]
) -> Checkpoint:
    makers = {outputs[each].dependencies[0] if each in outputs else each for each in waited_for}
    return Checkpoint(tuple(sorted(makers & there)), before)


def _task(call: RehearsedCall) -> PlannedTask:
    return PlannedTask(
        call.id,
        call.name,
        cast(Kind, call.kind),
        call.block,
        call.place,
        call.called_at,
        call.expected,
        tuple(PlannedFile(read.name, read.size) for read in call.reads),
        tuple(PlannedFile(name) for name in call.outputs or ()),
        call.checkpoint,
        call.retries,
        call.deadline,
        call.limits,
        call.detached,
    )


def _edges(call: RehearsedCall, outputs: Mapping[int, RehearsedCall]) -> Iterable[Edge]:
    for number in call.dependencies:
        output = outputs.get(number)
        if output is None:
            yield Edge(number, call.id)
        else:
            yield Edge(output.dependencies[0], call.id, "file", output.args[2])
    for number in call.after:
        output = outputs.get(number)
        yield Edge(number if output is None else output.dependencies[0], call.id, "order")
    for read in call.reads:
        if read.maker is not None:
            yield Edge(read.maker, call.id, "file", read.made_as)


def _by_place(given: Iterable[Finding]) -> list[Finding]:
    """Findings in the order of the lines that they are at, file by file.

    Args:
        given: in any order; that of the files is the order in which they come first.
    """
    files: dict[str, int] = {}

    def place(finding: Finding) -> tuple[int, int]:
        file, _, rest = finding.where.rpartition(", in ")[0].rpartition(":")
        return files.setdefault(file, len(files)), int(rest) if rest.isdecimal() else 0

    return sorted(given, key=place)

"""From what a rehearsal has seen of each call to a plan. Pure: nothing is run, no file is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from .._core.rehearsed import Fault, Rehearsed
from .checks.faults import by_place
from .plan import Plan
from .tasks import Edge, Finding, Kind, PlannedFile, PlannedTask


def planned(
    calls: Sequence[Rehearsed],
    *,
    decisions: Iterable[str] = (),
    faults: Iterable[Fault] = (),
    findings: Iterable[Finding] = (),
    start: Callable[[], Awaitable[Any]] | None = None,
) -> Plan:
    """The plan of what was rehearsed.

    Args:
        calls: all of them.
        decisions: in words.
        faults: what has gone wrong.
        findings: what is wrong beside that.
        start: begins the very thing that was rehearsed, for real.
    """
    outputs = {call.id: call for call in calls if call.kind == "output"}
    tasks = [_task(call) for call in calls if call.kind != "output"]
    there = {task.id for task in tasks}
    edges = [edge for call in calls if call.id in there for edge in _edges(call, outputs)]
    return Plan(
        tasks,
        [edge for edge in edges if edge.dependency in there],
        decisions=decisions,
        findings=by_place([*(Finding(*fault) for fault in faults), *findings]),
        start=start,
    )


def _task(call: Rehearsed) -> PlannedTask:
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
    )


def _edges(call: Rehearsed, outputs: Mapping[int, Rehearsed]) -> Iterable[Edge]:
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

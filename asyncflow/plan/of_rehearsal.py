"""From what a rehearsal has seen of each call to a plan. Pure: nothing is run, no file is looked at."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final, cast

from .._inspect.skips import may_skip
from ..errors import CircularDependency
from .plan import Plan
from .rehearsed import RehearsedCall
from .streams import PlannedStream
from .tasks import Checkpoint, Edge, EdgeKind, Finding, Kind, PlannedFile, PlannedLimit, PlannedTask

_NO_TASKS: Final = ("output", "join")
_Makers = Callable[[int, int, EdgeKind], Iterable[Edge]]


def planned(
    calls: Sequence[RehearsedCall],
    *,
    decisions: Iterable[str] = (),
    findings: Iterable[Finding] = (),
    checkpoints: Iterable[tuple[tuple[int, ...], int | None]] = (),
    limits: Iterable[PlannedLimit] = (),
    streams: Iterable[PlannedStream] = (),
    start: Callable[[], Awaitable[Any]] | None = None,
) -> Plan:
    """The plan of what was rehearsed.

    Args:
        calls: all of them.
        decisions: in words.
        findings: what is wrong, in any order.
        checkpoints: tasks that code has waited for, and which of these it had passed before.
        limits: that they name.
        streams: that were read, with those of their items that were rehearsed.
        start: begins the very thing that was rehearsed, for real.
    """
    skips = cache(may_skip)
    tasks = [_task(call, skips(call.fn)) for call in calls if call.kind not in _NO_TASKS]
    there = {task.id for task in tasks}
    makers = partial(_makers, {call.id: call for call in calls if call.kind in _NO_TASKS})
    edges = [edge for call in calls if call.id in there for edge in _edges(call, makers)]
    plan = partial(
        Plan,
        edges=[edge for edge in edges if edge.dependency in there],
        decisions=list(decisions),
        findings=_by_place(findings),
        capacities=list(limits),
        streams=[replace(each, items=tuple(n for n in each.items if n in there)) for each in streams],
        start=start,
    )
    try:
        return plan(tasks, checkpoints=[_checkpoint(*each, makers, there) for each in checkpoints])
    except CircularDependency:
        # A plan waits for what a block leaves behind, and code that goes on beside that may feed it.
        return plan([replace(task, checkpoint=None) for task in tasks])


def _checkpoint(
    waited_for: Iterable[int], before: int | None, makers: _Makers, there: set[int]
) -> Checkpoint:
    tasks = {edge.dependency for each in waited_for for edge in makers(each, 0, "order")}
    return Checkpoint(tuple(sorted(tasks & there)), before)


def _task(call: RehearsedCall, may_skip: bool) -> PlannedTask:
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
        call.on_failure,
        call.max_concurrent,
        call.priority,
        may_skip,
    )


def _edges(call: RehearsedCall, makers: _Makers) -> Iterable[Edge]:
    for number in call.dependencies:
        yield from makers(number, call.id, "data")
    for number in call.after:
        yield from makers(number, call.id, "order")
    for read in call.reads:
        if read.maker is not None:
            yield Edge(read.maker, call.id, "file", read.made_as)


def _makers(
    no_tasks: Mapping[int, RehearsedCall], number: int, dependent: int, kind: EdgeKind
) -> Iterable[Edge]:
    """The edges from what a number stands for: that task; of a file the one that makes it; of a join those by whose end
    it goes.

    Args:
        no_tasks: calls that gave a future of something else than a task.
        number: of a call.
        dependent: the task that waits.
        kind: "data" or "order".
    """
    left: list[tuple[int, bool]] = [(number, False)]
    while left:
        each, is_optional = left.pop()
        call = no_tasks.get(each)
        if call is None:
            yield Edge(each, dependent, kind, optional=is_optional)
        elif call.kind == "output" and kind == "data":
            yield Edge(call.dependencies[0], dependent, "file", call.args[2], is_optional)
        else:
            is_optional = is_optional or call.kind == "join"
            left += [(maker, is_optional) for maker in reversed(call.dependencies)]


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

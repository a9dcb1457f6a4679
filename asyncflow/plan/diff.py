"""What is different in two plans, however their tasks are numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from .._show.words import name_of, plain, seconds
from .matching import matched
from .tasks import Edge, Finding, PlannedFile, PlannedTask

if TYPE_CHECKING:
    from .plan import Plan
    from .task_network import TaskNetwork

Thing = TypeVar("Thing", PlannedTask, Edge, Finding, str)

_LINES: Final = 12  # of one sort that are shown
_SAME: Final = ("place", "called_at", "expected")


@dataclass(frozen=True, slots=True)
class Change(Generic[Thing]):
    """Things that only one of two plans has.

    Args:
        came: those that the later one has.
        went: those that the earlier one had.
    """

    came: tuple[Thing, ...] = ()
    went: tuple[Thing, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.came or self.went)


@dataclass(frozen=True, slots=True)
class PlanDiff:
    """What is different in two plans. It is false if nothing is, and prints as lines with + and -, grouped and counted.

    Args:
        tasks: that came and went.
        edges: that came and went, with the numbers that each plan has for its tasks.
        files: names of those that came and went.
        changed: tasks that both have and that are not the same, as they were and as they are.
        decisions: that came and went.
        findings: that came and went.
        lines: all of it for people.
    """

    tasks: Change[PlannedTask]
    edges: Change[Edge]
    files: Change[str]
    changed: tuple[tuple[PlannedTask, PlannedTask], ...]
    decisions: Change[str]
    findings: Change[Finding]
    lines: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        return "\n".join(self.lines) or "no difference"


def diff(before: Plan, after: Plan, nets: tuple[TaskNetwork, TaskNetwork]) -> PlanDiff:
    """What is different in two plans."""
    pairs = matched(*nets)
    ids = {before.tasks[point].id: after.tasks[partner].id for point, partner in pairs.items()}
    partners = set(ids.values())
    tasks = Change(
        tuple(task for task in after.tasks if task.id not in partners),
        tuple(task for task in before.tasks if task.id not in ids),
    )
    both = [(before.tasks[point], after.tasks[partner]) for point, partner in pairs.items()]
    changed = tuple((old, new) for old, new in both if _differences(old, new, ids))
    edges = _edges(before.edges, after.edges, ids)
    files = _only_once(_files(before.tasks), _files(after.tasks))
    decisions = _only_once(before.decisions, after.decisions)
    findings = _only_once(before.findings, after.findings)
    lines = [
        *_lines("task", map(_task, tasks.came), map(_task, tasks.went)),
        *_lines(
            "edge", [_edge(after, each) for each in edges.came], [_edge(before, each) for each in edges.went]
        ),
        *_lines("file", map(name_of, files.came), map(name_of, files.went)),
        *_counted(
            "~ task",
            (f"{name_of(new.name)}: {each}" for old, new in changed for each in _differences(old, new, ids)),
        ),
        *_lines("decision", map(plain, decisions.came), map(plain, decisions.went)),
        *_lines(
            "finding",
            (plain(each.what) for each in findings.came),
            (plain(each.what) for each in findings.went),
        ),
    ]
    return PlanDiff(tasks, edges, files, changed, decisions, findings, tuple(lines))


def _differences(old: PlannedTask, new: PlannedTask, ids: dict[int, int]) -> list[str]:
    """In what one task is not the other, in words."""
    told = [
        f"{name} {_value(getattr(old, name))} -> {_value(getattr(new, name))}"
        for name in _SAME
        if getattr(old, name) != getattr(new, name)
    ]
    if (ids.get(old.block) if old.block is not None else None) != new.block:
        told.append("is in another block")
    for name, was, now in (("reads", old.inputs, new.inputs), ("makes", old.outputs, new.outputs)):
        if was != now:
            told.append(f"{name} {_value(was)} -> {_value(now)}")
    return told


def _edges(before: Iterable[Edge], after: Iterable[Edge], ids: dict[int, int]) -> Change[Edge]:
    known = set(after)
    kept, went = set(), []
    for edge in before:
        first, then = ids.get(edge.dependency), ids.get(edge.dependent)
        there = None if first is None or then is None else replace(edge, dependency=first, dependent=then)
        if there in known:
            kept.add(there)
        else:
            went.append(edge)
    return Change(tuple(edge for edge in after if edge not in kept), tuple(went))


def _only_once(before: Iterable[Thing], after: Iterable[Thing]) -> Change[Thing]:
    """What is in one and not in the other; what is there twice has to be there twice."""
    was, now = Counter(before), Counter(after)
    return Change(tuple((now - was).elements()), tuple((was - now).elements()))


def _files(tasks: Iterable[PlannedTask]) -> list[str]:
    return list(dict.fromkeys(file.name for task in tasks for file in (*task.inputs, *task.outputs)))


# -- in words ---------------------------------------------------------------------------------------------


def _task(task: PlannedTask) -> str:
    return f"{name_of(task.name)}, {plain(task.called_at)}" if task.called_at else name_of(task.name)


def _edge(plan: Plan, edge: Edge) -> str:
    first, then = plan.task(edge.dependency), plan.task(edge.dependent)
    handed = edge.kind if edge.file is None else f"file {name_of(edge.file)}"
    return f"{name_of(first.name)} -> {name_of(then.name)} ({handed})"


def _value(value: object) -> str:
    if value is None or value == "":
        return "nothing"
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, (int, float)):
        return seconds(value)
    assert isinstance(value, tuple)
    files: list[PlannedFile] = list(value)
    shown = [name_of(file.name) + ("" if file.size is None else f" ({file.size:,} B)") for file in files[:4]]
    return "[" + ", ".join(shown) + (", ..." if len(files) > 4 else "") + "]"


def _lines(noun: str, came: Iterable[str], went: Iterable[str]) -> list[str]:
    return [*_counted(f"+ {noun}", came), *_counted(f"- {noun}", went)]


def _counted(start: str, texts: Iterable[str]) -> list[str]:
    counts = Counter(texts).most_common()
    lines = [
        f"{start} {text}" + (f" (x{number:,})" if number > 1 else "") for text, number in counts[:_LINES]
    ]
    if len(counts) > _LINES:
        more = sum(number for _, number in counts[_LINES:])
        lines.append(f"{start} ... and {more:,} more")
    return lines

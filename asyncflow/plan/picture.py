"""A plan as the subject of a picture."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from math import fsum
from typing import TYPE_CHECKING, Final

from .._show.picture import OUTSIDE, Arrow, Items, Pause, Remark, Story, Subject
from .._show.words import listed, plain, seconds, size
from . import findings_text
from .outline import outline_of
from .task_network import TaskNetwork
from .tasks import PlannedTask

if TYPE_CHECKING:
    from .plan import Plan

_NUMBERED: Final = re.compile(r"\(?#(\d+)\)?$")
_NAMED: Final = 100  # characters of names in a list


def subject_of(plan: Plan, net: TaskNetwork) -> Subject:
    """All tasks of a plan, for a picture."""
    tasks, order = plan.tasks, _blocks_first(plan.tasks, net)
    places = {tasks[point].id: place for place, point in enumerate(order)}
    in_order = [tasks[point] for point in order]
    around = [OUTSIDE if task.block is None else places[task.block] for task in in_order]
    path = plan.critical_path()
    arrows = list(_arrows(plan, places))
    of_streams = {item for stream in plan.streams for item in stream.items}
    return Subject(
        "Plan",
        outline_of(plan, net).title,
        [task.id for task in in_order],
        [task.name for task in in_order],
        ["stream" if task.id in of_streams and task.kind == "function" else task.kind for task in in_order],
        around,
        (),
        arrows,
        lambda place: _story(in_order[place]),
        lambda some: list(_summary([in_order[place] for place in some])),
        lambda some, most: some[:most],
        list(_pauses(plan, places)),
        [places[task.id] for task in path.tasks],
        list(_remarks(plan, places, in_order, arrows)),
        [Items([places[item] for item in stream.items], stream.total) for stream in plan.streams],
    )


def _blocks_first(tasks: Sequence[PlannedTask], net: TaskNetwork) -> list[int]:
    """Points of the tasks, in the order in which each can follow all that it waits for."""
    return [point for point in net.order if point < len(tasks)]


def _arrows(plan: Plan, places: dict[int, int]) -> Iterator[Arrow]:
    around = {task.id: task.block for task in plan.tasks}
    for edge in plan.edges:
        if not _is_inside(edge.dependency, edge.dependent, around):  # that a block's end waits is seen
            source, target = places[edge.dependency], places[edge.dependent]
            yield Arrow(source, target, edge.kind, edge.optional, edge.file or "")


def _is_inside(task: int, block: int, around: dict[int, int | None]) -> bool:
    outer = around[task]
    while outer is not None:
        if outer == block:
            return True
        outer = around[outer]
    return False


def _pauses(plan: Plan, places: dict[int, int]) -> Iterator[Pause]:
    called: defaultdict[int, list[int]] = defaultdict(list)
    for task in plan.tasks:
        if task.checkpoint is not None:
            called[task.checkpoint].append(places[task.id])
    for number, before in called.items():
        yield Pause([places[each] for each in plan.checkpoints[number].waited_for], before)


def _remarks(
    plan: Plan, places: dict[int, int], tasks: Sequence[PlannedTask], arrows: Sequence[Arrow]
) -> Iterator[Remark]:
    """What is wrong, with the tasks between which it is, as far as they are there.

    Ends are names, or names with numbers. Of many tasks of a name it is the one that was called at the finding's line,
    and what that one waits for.
    """
    if not plan.findings:
        return
    firsts: dict[str, int] = {}
    by_line: defaultdict[str, list[int]] = defaultdict(list)
    sources: defaultdict[int, list[int]] = defaultdict(list)
    for place, task in enumerate(tasks):
        firsts.setdefault(task.name, place)
        by_line[task.called_at].append(place)
    for arrow in arrows:
        sources[arrow.target].append(arrow.source)

    def at(end: str, likely: Sequence[int]) -> int | None:
        numbered = _NUMBERED.search(end)
        if numbered and int(numbered[1]) in places:
            return places[int(numbered[1])]
        return next((place for place in likely if tasks[place].name == end), firsts.get(end))

    for finding in plan.findings:
        *others, last = finding.ends or ("",)
        target = at(last, by_line[finding.where])
        waited_for = [] if target is None else sources[target]
        found = [*(at(end, waited_for) for end in others), target]
        yield Remark(findings_text.as_lines(finding), [place for place in found if place is not None])


def _story(task: PlannedTask) -> Story:
    return Story(f"{task.name} (#{task.id})", None, list(_details(task)), (), task.called_at)


def _details(task: PlannedTask) -> Iterator[tuple[str, str]]:
    if task.place:
        yield "runs on", task.place
    if task.expected is not None:
        yield "expected", seconds(task.expected)
    for name, files in (("reads", task.inputs), ("makes", task.outputs)):
        if files:
            told = [f.name if f.size is None else f"{f.name} ({size(f.size)})" for f in files]
            yield name, listed([plain(each) for each in told], _NAMED)
    if task.limits:
        yield "limits", listed([plain(name) for name, _ in task.limits], _NAMED)
    if task.max_concurrent is not None:
        yield "at once", f"{task.max_concurrent:,} at most"
    if task.retries:
        yield "retries", f"{task.retries:,}"
    if task.deadline is not None:
        yield "deadline", seconds(task.deadline)
    if task.priority:
        yield "priority", f"{task.priority:g}"
    if task.kind == "block" and task.on_failure == "stop":
        yield "on failure", "stops what is inside"
    if task.may_skip:
        yield "may skip", "yes"
    if task.detached:
        yield "detached", "nobody waits for it"


def _summary(tasks: Sequence[PlannedTask]) -> Iterator[tuple[str, str]]:
    """What is known of several tasks."""
    yield "kind", listed([kind for kind, _ in Counter(task.kind for task in tasks).most_common()], _NAMED)
    if len(tasks) == 1:
        yield from _details(tasks[0])
        return
    for name, values in (("runs on", [t.place for t in tasks]), ("called at", [t.called_at for t in tasks])):
        found = [plain(value) for value, _ in Counter(value for value in values if value).most_common()]
        if found:
            yield name, listed(found, _NAMED)
    expected = [task.expected for task in tasks if task.expected is not None]
    if expected:
        low, high = min(expected), max(expected)
        between = seconds(low) if low == high else f"{seconds(low)} to {seconds(high)}"
        yield "expected", f"{between} each, {seconds(fsum(expected))} together"
    inputs = [file for task in tasks for file in task.inputs]
    if inputs:
        known = sum(file.size or 0 for file in inputs)
        yield "reads", f"{len(inputs):,} files" + (f", {size(known)}" if known else "")
    outputs = sum(len(task.outputs) for task in tasks)
    if outputs:
        yield "makes", f"{outputs:,} files"

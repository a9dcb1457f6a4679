"""What plans and reports in WfFormat 1.5 (wfcommons.org) have in common: ids, who waits for whom, the document. Pure.

What that format calls parents and children are dependencies and dependents here. It has no blocks: whoever waits for
one waits for the last tasks inside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any, Final

from .network import Network

VERSION: Final = "1.5"

_NOT_IN_IDS: Final = re.compile(r"[^0-9a-zA-Z\-_.]")


def task_id(name: str, number: int, used: set[str]) -> str:
    """An id that no other task has, and that the format allows.

    Args:
        name: of the task.
        number: of the task.
        used: ids of others, to which it is added.
    """
    id = unused(f"{_NOT_IN_IDS.sub('_', name)}_{number}", used)
    used.add(id)
    return id


def unused(id: str, used: set[str]) -> str:
    """The id, or if it is taken, with a number behind it."""
    if id not in used:
        return id
    numbered = (f"{id}_{number}" for number in count(len(used)))
    return next(each for each in numbered if each not in used)


def parents(after: Network, order: Sequence[int], is_task: Sequence[bool]) -> list[list[int]]:
    """Of each task, the points of those that it waits for, through the walls of blocks.

    Args:
        after: of each point, what comes after it.
        order: all points, each behind those before it.
        is_task: whether a point is one; points behind these are none.
    """
    size = len(is_task)
    arrived: list[set[int]] = [set() for _ in after]
    for point in order:
        passed = {point} if point < size and is_task[point] else arrived[point]
        for follower in after[point]:
            arrived[follower] |= passed
    return [sorted(each) for each in arrived[:size]]


def specified(
    ids: Mapping[int, str],
    waits_for: Sequence[Sequence[int]],
    name: Callable[[int], str],
    files: Callable[[int], tuple[list[str], list[str]]],
) -> list[dict[str, Any]]:
    """The tasks, as the format has them.

    Args:
        ids: of all, by point.
        waits_for: of each point, those that it waits for.
        name: of the task of a point.
        files: ids of those that it reads, and of those that it makes.
    """
    children: dict[int, list[int]] = {point: [] for point in ids}
    for point in ids:
        for parent in waits_for[point]:
            children[parent].append(point)
    told = []
    for point, id in ids.items():
        read, made = files(point)
        told.append(
            {
                "name": name(point) or "task",
                "id": id,
                "parents": [ids[each] for each in waits_for[point]],
                "children": [ids[each] for each in children[point]],
                "inputFiles": read,
                "outputFiles": made,
            }
        )
    return told


def document(
    name: str,
    tasks: Sequence[Mapping[str, object]],
    files: Sequence[Mapping[str, object]],
    execution: Mapping[str, object] | None,
) -> dict[str, object]:
    """The format's whole document, for `json.dump`.

    Args:
        name: of the workflow.
        tasks: specified; one at least, which the format demands.
        files: with their sizes.
        execution: how it went; None if it did not.
    """
    workflow: dict[str, object] = {"specification": {"tasks": tasks, "files": files}}
    if execution is not None:
        workflow["execution"] = execution
    return {"name": name, "schemaVersion": VERSION, "workflow": workflow}

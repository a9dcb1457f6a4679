"""What does not run if tasks raise `Skip` that may."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from .tasks import Edge, PlannedTask


def skipped_with(tasks: Sequence[PlannedTask], edges: Iterable[Edge]) -> list[PlannedTask]:
    """The tasks that are skipped if all are that may raise `Skip`, these not among them, in their own order.

    What takes the outcome of another runs all the same, and what code does that awaits it nobody knows.

    Args:
        tasks: of a plan.
        edges: between them.
    """
    after: dict[int, list[int]] = defaultdict(list)
    for edge in edges:
        if not edge.optional:
            after[edge.dependency].append(edge.dependent)
    for task in tasks:
        if task.block is not None:
            after[-task.block].append(task.id)  # what does not run calls nothing
    left = [task.id for task in tasks if task.may_skip]
    own, found = set(left), set(left)
    around = {task.id: task.block for task in tasks}
    while left:
        each = left.pop()
        for other in (*after[each], *(after[-each] if each not in own else ())):
            # A block that has begun, and waits for what is inside.
            if other not in found and other != around[each]:
                found.add(other)
                left.append(other)
    return [task for task in tasks if task.id in found - own]

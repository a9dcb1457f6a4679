"""Finds blocks that hold a limit and wait for a task inside that needs it: they would wait for ever."""

from __future__ import annotations

from .._core.circles import drawn, for_ever, way_to
from .._core.gates import is_waiting, used_by
from .._core.limits import Limit
from .._core.states import NOW, PENDING, RUNNING
from .._core.task import Task
from ..errors import Deadlock
from .coroutines import Coroutines
from .failures import Failures
from .waits import awaiters, raise_in


class Holding:
    """The blocks of one run that hold something of a limit.

    Args:
        coroutines: knows which bodies wait.
        failures: takes the failure of a block whose body is over.
    """

    def __init__(self, coroutines: Coroutines, failures: Failures) -> None:
        self.blocks: set[Task] = set()
        """Those that do, and perhaps some that did until now."""
        self._coroutines = coroutines
        self._failures = failures

    def look(self) -> None:
        """Raise `Deadlock` in a block that will never go on, if there is one. Whoever else waits for what that gives
        back is looked at when it has."""
        self.blocks = {block for block in self.blocks if used_by(block) is not None}
        waits = {block: self._awaited_inside(block) for block in self.blocks}
        stuck = for_ever({block: tasks for block, tasks in waits.items() if tasks})
        if stuck:
            block = max(stuck, key=lambda each: each.id)
            self._raise(block, *stuck[block])

    def _awaited_inside(self, block: Task) -> list[Task]:
        """The tasks inside of a block that wait for limits and for which it waits; none if anything else inside may go
        on: it is looked at again when that is over."""
        if not self._waits(block):
            return []
        found = []
        inside = list((block.children or {}).values())
        for task in inside:  # grows while it is walked
            now = task.story & NOW
            if is_waiting(task):
                found.append(task)
            elif now == RUNNING and task.definition.is_block and self._waits(task):
                inside.extend((task.children or {}).values())
            elif now != PENDING:
                return []
        return [task for task in found if way_to(block, task, awaiters) is not None]

    def _waits(self, block: Task) -> bool:
        return block.id in self._coroutines.waiting or block.returned is not None

    def _raise(self, block: Task, task: Task, limit: Limit) -> None:
        way: list[object] = list(way_to(block, task, awaiters) or ())
        names = [f"{each.name_shown} (#{each.id})" for each in way if isinstance(each, Task)]
        error = Deadlock(
            f"{block.name_shown!r} (#{block.id}) would wait for ever: it holds limit {limit.name!r}, which "
            f"{task.name_shown!r} (#{task.id}) needs, and {limit.told()}.\n"
            f"  {drawn([*names, f'limit {limit.name!r}'])}: each waits for the next\n"
            "  Have the tasks inside take the limit and not the block, or make room for both:  "
            "limit.change(concurrency=...)"
        )
        carrier = self._coroutines.waiting.get(block.id)
        if carrier is None:
            self._failures.failed(block, error)
        else:
            raise_in(carrier, error)

"""Futures that a rehearsal is given and that are not its own: of what its engine really runs, or rehearses beside it.

Nothing waits for them, and nobody is told that they are used: what depends on one here gets its value, or something of
its type if there is none yet.
"""

from __future__ import annotations

import asyncio

from .._core.task import Definition
from .._runtime.future import TaskFuture
from .dry_run import DryRun
from .future import has_value


class Borrowed:
    """What stands in for each.

    Args:
        run: the dry run that is given them.
    """

    def __init__(self, run: DryRun) -> None:
        self._run = run
        self._known: dict[TaskFuture[object], TaskFuture[object]] = {}

    def own(self, future: TaskFuture[object]) -> TaskFuture[object]:
        """A future of the dry run that stands in for one; always the same."""
        known = self._known.get(future)
        if known is None:
            known = self._known[future] = self._stand_in_for(future)
        return known

    def _stand_in_for(self, future: TaskFuture[object]) -> TaskFuture[object]:
        run = self._run
        given: asyncio.Future[object] = run.loop.create_future()
        given.set_result(asyncio.Future.result(future) if has_value(future) else run.noop.stand_in(future))
        own = run.wiring.adopt(given)
        own.definition = Definition(type(future), name=future.name)
        run.notes.renamed(own)
        return own

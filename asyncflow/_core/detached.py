"""Detached tasks, which nobody waits for: which those are, and what is waited for beside them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .task import Task


def is_detached(task: Task) -> bool:
    """Whether a task itself is detached, or was left behind by a block that is."""
    return task.is_detached or task.definition.options.detached


def is_tail(task: Task) -> bool:
    """Whether nobody waits for a task: it is detached, or inside of a block that is."""
    around: Task | None = task
    while around is not None:
        if is_detached(around):
            return True
        around = around.owner
    return False


class Awaited:
    """Tells whether anything is still waited for.

    Asked after each end, it must not go over all that is live: so it goes through a list of that once, and makes
    another when all in it is over.

    Args:
        live: tasks that are not over, by number.
        counts: whether a task is waited for, as long as it is live.
    """

    def __init__(self, live: Mapping[int, object], counts: Callable[[Any], bool]) -> None:
        self._live = live
        self._counts = counts
        self._listed: list[Any] = []

    def is_over(self) -> bool:
        """Whether nothing is waited for any more."""
        listed, live = self._listed, self._live
        is_fresh = False
        while True:
            while listed and not (listed[-1].id in live and self._counts(listed[-1])):
                listed.pop()
            if listed or is_fresh:
                return not listed
            listed.extend(live.values())
            is_fresh = True

"""Finds circles of tasks that wait for one another, and tells them in words. Who waits for whom, the caller knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

from .gates import used_by
from .limits import Limit
from .task import Task

N = TypeVar("N", bound=Hashable)
_SHOWN = 3  # at either end of a long circle


def way_to(goal: N, start: N, waiters: Callable[[N], Iterable[N]]) -> list[N] | None:
    """The shortest way from what is waited for to somebody who waits for it, over others who wait.

    Args:
        goal: who may wait for the start.
        start: what would go on last; it may be the goal itself, which then is looked for over others.
        waiters: who waits for one.

    Returns:
        All on the way, the goal first, each waiting for the next; None if the goal does not wait for the start.
    """
    came_from: dict[N, N] = {}
    queue = [start]
    for node in queue:  # grows while it is walked
        for waiter in waiters(node):
            if waiter is goal:
                way = [waiter, node]
                while way[-1] is not start:
                    way.append(came_from[way[-1]])
                return way
            if waiter not in came_from and waiter is not start:
                came_from[waiter] = node
                queue.append(waiter)
    return None


def never(needs: Mapping[N, tuple[bool, Collection[N]]]) -> set[N]:
    """Those that will never be over.

    Args:
        needs: of each, whether the end of any one will do, and those for whose end it waits; of none it waits for
            nobody. What is not among the keys will be over.
    """
    left = dict(needs)
    while True:
        over = [
            each
            for each, (is_one_enough, others) in left.items()
            if not others or (any if is_one_enough else all)(other not in left for other in others)
        ]
        if not over:
            return set(left)
        for each in over:
            del left[each]


def drawn(names: Sequence[str]) -> str:
    """A circle in words: each waits for the next, and the last for the first."""
    names = [*names, names[0]]
    if len(names) > 2 * _SHOWN + 1:
        left_out = len(names) - 2 * _SHOWN
        names = [*names[:_SHOWN], f"{left_out:,} more", *names[-_SHOWN:]]
    return " -> ".join(names)


def for_ever(holders: Mapping[Task, Sequence[Task]]) -> dict[Task, tuple[Task, Limit]]:
    """Those of some who hold limits that will never go on, since each waits for a task that needs what they hold.

    Args:
        holders: each with the tasks that it waits for and that wait for limits.

    Returns:
        Each with one such task, and the limit of which there will never be enough for that.
    """
    stuck: list[Task] = list(holders)
    while True:
        kept: dict[Limit, float] = {}
        for holder in stuck:
            for limit, amount in (used_by(holder) or {}).items():
                kept[limit] = kept.get(limit, 0) + amount
        found = {}
        for holder in stuck:
            for task in holders[holder]:
                short = _short_of(task, kept)
                if short is not None:
                    found[holder] = task, short
                    break
        if len(found) == len(stuck):
            return found
        stuck = list(found)


def _short_of(task: Task, kept: Mapping[Limit, float]) -> Limit | None:
    """The limit of which a task will not have enough while so much is kept."""
    for limit, weight in (task.wants or {}).items():
        most = limit.concurrency
        if limit in kept and most is not None and weight > most - kept[limit] + limit.rounding():
            return limit
    return None

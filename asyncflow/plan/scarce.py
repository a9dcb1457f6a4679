"""What tasks of a plan share that is scarce: limits, and how many calls of one function may run at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf
from typing import TypeAlias

from .._core.near import meant
from .._graph.limited import Needs, Scarce
from .task_network import TaskNetwork
from .tasks import PlannedLimit, PlannedTask

OtherLimits: TypeAlias = Mapping[str, "float | PlannedLimit | None"]
"""Limits by name, as they might be instead: how much may be in use at once, all of it, or None for no such limit."""


@dataclass(frozen=True, slots=True)
class Bound:
    """How long one limit makes a plan take at least.

    Args:
        limit: which.
        tasks: how many tasks need something of it.
        length: seconds.
    """

    limit: PlannedLimit
    tasks: int
    length: float


class Shared:
    """What the tasks of a plan need of limits, and how much there is.

    Args:
        net: of the plan.
        known: the limits that are known.
        others: instead of these.

    Raises:
        LookupError: no task names such a limit.
        TypeError: what is given is no limit.
        ValueError: less than there can be.
    """

    def __init__(
        self, net: TaskNetwork, known: Sequence[PlannedLimit], others: OtherLimits | None = None
    ) -> None:
        limits = {each.name: each for each in known} | {each.name: each for each in _of_functions(net.tasks)}
        named = {name for task in net.tasks for name, _ in _needs(task)}
        for name, given in (others or {}).items():
            if name not in named:
                raise LookupError(
                    f"limits: no task has a limit {name!r}.{meant(name, named)}\n"
                    f"  There are: {', '.join(sorted(named)) or 'none'}"
                )
            limits.pop(name, None)
            if given is not None:
                limits[name] = given if isinstance(given, PlannedLimit) else PlannedLimit(name, given)
        self.limits = {name: limit for name, limit in limits.items() if name in named}
        self._numbers = {name: number for number, name in enumerate(self.limits)}
        self.needs: dict[int, Needs] = {}
        """By the point of the task."""
        for point, task in enumerate(net.tasks):
            of_limits = sorted(
                (self._numbers[name], amount) for name, amount in _needs(task) if name in self.limits
            )
            if of_limits:
                self.needs[point] = tuple(of_limits)

    def scarce(self) -> list[Scarce]:
        """How much there is, by the numbers in `needs`."""
        return [
            Scarce(
                inf if each.concurrency is None else each.concurrency,
                inf if each.rate is None else each.rate / each.per,
                inf if each.rate is None else each.burst,
            )
            for each in self.limits.values()
        ]

    def bounds(self, weights: Sequence[float]) -> list[Bound]:
        """How long each limit makes it take at least, the longest first."""
        found = []
        for name, number in self._numbers.items():
            amounts = [
                (amount, weights[point])
                for point, needs in self.needs.items()
                for each, amount in needs
                if each == number
            ]
            if not amounts:
                continue
            length, limit = 0.0, self.limits[name]
            if limit.concurrency is not None:
                length = fsum(amount * seconds for amount, seconds in amounts) / limit.concurrency
            if limit.rate is not None:
                # The last may begin when the tokens for all are there; it then takes as long as the shortest.
                tokens = fsum(amount for amount, _ in amounts) - limit.burst
                begins = max(0.0, tokens) * limit.per / limit.rate
                length = max(length, begins + min(seconds for _, seconds in amounts))
            if any(amount > _most(limit) for amount, _ in amounts):
                length = inf
            found.append(Bound(limit, len(amounts), length))
        return sorted(found, key=lambda each: -each.length)


def of_function(name: str) -> str:
    """What the limit is called of how many calls of one function may run at once."""
    return f"max_concurrent of {name}"


def _of_functions(tasks: Sequence[PlannedTask]) -> list[PlannedLimit]:
    most = {task.name: task.max_concurrent for task in tasks if task.max_concurrent is not None}
    return [PlannedLimit(of_function(name), concurrency=number) for name, number in most.items()]


def _needs(task: PlannedTask) -> list[tuple[str, float]]:
    needs = [(name, 1.0 if amount is None else amount) for name, amount in task.limits if amount != 0]
    return needs if task.max_concurrent is None else [*needs, (of_function(task.name), 1.0)]


def _most(limit: PlannedLimit) -> float:
    slots = inf if limit.concurrency is None else limit.concurrency
    return min(slots, inf if limit.rate is None else limit.burst)

"""How long each task takes, as far as that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

from .tasks import PlannedTask, checked_seconds

Durations = (
    Mapping[int, float | timedelta] | Mapping[str, float | timedelta] | Mapping[int | str, float | timedelta]
)
"""Seconds, by number or by name of the task; the number goes first."""


class Lengths:
    """What each task weighs: what is given, else what is expected, else 1; a block weighs nothing.

    Args:
        tasks: all.
        durations: that are given; names that no task has are not looked at.

    Attributes:
        weights: of each task.
        known: how many tasks have a duration.
        unknown: how many count 1.

    Raises:
        TypeError: a duration is no number, or a key neither number nor name.
        ValueError: a number that no task has, or a duration that is none.
    """

    __slots__ = ("given", "known", "unknown", "weights")

    def __init__(self, tasks: Sequence[PlannedTask], durations: Durations | None = None) -> None:
        by_task = {key: _seconds(key, length) for key, length in (durations or {}).items()}
        unknown_ids = [key for key in by_task if isinstance(key, int)]
        if unknown_ids:
            unknown_ids = list(set(unknown_ids).difference(task.id for task in tasks))
        if unknown_ids:
            raise ValueError(f"durations: there is no task #{min(unknown_ids)}")
        if by_task:
            self.given = [by_task.get(task.id, by_task.get(task.name, task.expected)) for task in tasks]
        else:
            self.given = [task.expected for task in tasks]
        is_block = [task.kind == "block" for task in tasks]
        self.weights: list[float] = [
            0 if box else 1 if length is None else length
            for box, length in zip(is_block, self.given, strict=True)
        ]
        self.unknown = sum(
            length is None and not box for box, length in zip(is_block, self.given, strict=True)
        )
        self.known = len(tasks) - sum(is_block) - self.unknown


def _seconds(key: object, duration: float | timedelta) -> float:
    if not isinstance(key, (int, str)):
        raise TypeError(f"durations: {key!r} is neither the number nor the name of a task")
    if isinstance(duration, timedelta):
        duration = duration.total_seconds()
    return checked_seconds(duration, f"durations[{key!r}]")

"""Timing and comparing: sides that are measured in turns, medians, ratios, and what they should be."""

from __future__ import annotations

import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
Row = dict[str, Any]
"""One line of a table, by column. Lists are samples: they go into the JSON and not into the table."""

Rows = Iterator[tuple[str, Row]]
"""What a part yields: the title of a table, and a row of it."""


@dataclass(frozen=True)
class Options:
    """What the command line said."""

    repeat: int
    n: int
    quick: bool
    beside: str | None = None
    """The root of another version, to be compared with."""


class Part(Protocol):
    """A module that measures one thing."""

    NOTE: str

    def measure(self, options: Options) -> Rows:
        """Measure, a row at a time."""


@contextmanager
def collector_off() -> Iterator[None]:
    """Without Python's garbage collector, to see what it has a part in."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def in_turns(sides: Mapping[str, Callable[[], Awaitable[T]]], repeat: int) -> dict[str, list[T]]:
    """Measure A, B, A, B, ..., so that what the machine does meanwhile hits all sides alike.

    Args:
        sides: each measures once.
        repeat: how often each has its turn.

    Returns:
        What each side measured, in order.
    """
    samples: dict[str, list[T]] = {name: [] for name in sides}
    for _ in range(repeat):
        for name, side in sides.items():
            gc.collect()  # or one side would clear up after the other, on its own time
            samples[name].append(await side())
    return samples


def compared(
    unit: str, ours: Sequence[float], bare: Sequence[float] | None = None, target: float | None = None
) -> Row:
    """The columns of a comparison.

    Args:
        unit: the suffix of the columns, as "us".
        ours: samples.
        bare: samples of what we are compared with; None for nothing.
        target: what the ratio may be at most; None for anything.
    """
    row: Row = {f"ours_{unit}": median(ours)}
    if bare is not None:
        row[f"bare_{unit}"] = median(bare)
        row["ratio"] = median(ours) / median(bare)
        if target is not None:
            row |= judged("ratio", row["ratio"], target)
        row[f"bare_samples_{unit}"] = list(bare)
    row[f"ours_samples_{unit}"] = list(ours)
    return row


def judged(what: str, value: float, target: float) -> Row:
    """The columns of a target.

    Args:
        what: the quantity, as its column is called.
        value: what was measured.
        target: what it may be at most.
    """
    return {f"target_{what}": target, "met": value <= target}

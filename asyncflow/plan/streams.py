"""Streams in a plan: a few of their items are rehearsed, and how many there would be is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .._causes import spelled
from .._show.words import counted, listed, name_of

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class PlannedStream:
    """A stream that would be read. Its first few items are tasks of the plan; all numbers of the plan are of these.

    Args:
        name: of the task that its items go through.
        called_at: where it is made: "pipeline.py:12, in main".
        items: numbers of the tasks of those items that were rehearsed, in order.
        total: how many items there are in all; None if nobody knows before they are taken.
        window: how many items may be under way at once, those included that are over and not taken by the reader.
        ordered: whether results come in the order of the source.
        block: number of the block inside which it is read; None outside of all.

    Raises:
        TypeError: something of the wrong type.
        ValueError: a window without room, or fewer items in all than were rehearsed.
    """

    name: str
    called_at: str = ""
    items: tuple[int, ...] = ()
    total: int | None = None
    window: int = 1
    ordered: bool = False
    block: int | None = None

    def __post_init__(self) -> None:
        numbers = (*self.items, self.window, *(each for each in (self.total, self.block) if each is not None))
        if type(self.items) is not tuple or not all(type(each) is int for each in numbers):
            raise TypeError(f"stream of {self.name!r}: its items, total, window and block are whole numbers")
        if not all(isinstance(each, str) for each in (self.name, self.called_at)):
            raise TypeError(f"stream of {self.name!r}: its name and called_at are text")
        if type(self.ordered) is not bool:
            raise TypeError(f"stream of {self.name!r}: ordered={self.ordered!r}; it can be True or False")
        if self.window < 1 or (self.total is not None and self.total < len(self.items)):
            raise ValueError(f"stream of {self.name!r}: a window of {self.window}, {self.total} items in all")

    @property
    def times(self) -> str:
        """How many items there would be: "× 5,000"; "× an unknown number"."""
        return "× an unknown number" if self.total is None else f"× {self.total:,}"

    def __str__(self) -> str:
        of = "" if self.total == len(self.items) else f", {len(self.items):,} of them rehearsed"
        return f"{spelled(self.name)} {self.times}{of}; window {self.window:,}"


def shown(streams: Sequence[PlannedStream]) -> str:
    """Streams in few words; those of one line that are alike are counted: "index × 5,000, window 200"."""
    known: dict[tuple[str, str, str, int], int] = {}
    for each in streams:
        key = each.name, each.called_at, each.times, each.window
        known[key] = known.get(key, 0) + 1
    texts = [
        f"{name_of(name)} {times}, window {window:,}" + (f" ({counted(many, 'time')})" if many > 1 else "")
        for (name, _, times, window), many in known.items()
    ]
    told = "; ".join(texts[:_SHOWN]) + (f"; {len(texts) - _SHOWN:,} more" if texts[_SHOWN:] else "")
    return f"{told}. {what_counts(streams)}" if left_out(streams) else told


def left_out(streams: Iterable[PlannedStream]) -> bool:
    """Whether there are items that were not rehearsed, or may be."""
    return any(each.total != len(each.items) for each in streams)


def what_counts(streams: Sequence[PlannedStream]) -> str:
    """What the numbers of a plan are of."""
    names = listed([name_of(each) for each in dict.fromkeys(each.name for each in streams)], 60)
    return f"All numbers here are of the items that were rehearsed: at most 3 of each stream ({names})"

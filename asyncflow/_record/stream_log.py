"""Writes down how streams go, and which tasks are of their items. Pure: times are handed in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from heapq import heappush, heappushpop
from types import CodeType
from typing import Final, NamedTuple

from .._core.story import place_in
from .._core.streamed import SLOWEST, SlowItem, Streamed
from .segment import Segment

_KEPT: Final = 1000  # streams that are over and told of


class StreamLog:
    """What is written down of a stream. Its counts are looked at when somebody asks.

    Args:
        name: of the task that its items go through.
        code: that has made the stream.
        at: the instruction of that in it.
        block: number of the block inside which it is read; 0 outside of all.
        window: how many items may be taken and not given.
        ordered: whether results come in the order of the source.
        total: how many items there are in all; None if nobody knows.
        began: when its reader came.
        look: writes down how far it is.
    """

    __slots__ = (
        *("at", "began", "block", "code", "failed", "first", "given", "last", "look", "name", "number", "ordered"),
        *("over", "state", "slow", "slowest", "taken", "tasks", "total", "wait", "window"),
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        code: CodeType | None,
        at: int,
        block: int,
        window: int,
        ordered: bool,
        total: int | None,
        began: float,
        look: Callable[[StreamLog], None],
    ) -> None:
        self.number = 0  # the record gives it one
        self.name, self.code, self.at, self.block = name, code, at, block
        self.window, self.ordered, self.total, self.began = window, ordered, total, began
        self.look: Callable[[StreamLog], None] | None = look
        self.first: float | None = None
        self.last = began
        self.taken = self.over = self.given = self.failed = 0
        self.state = "open"
        self.wait = ""
        """What holds it up, as of the last look."""
        self.slow = -1.0
        """Seconds that an item takes at least which is among the slowest."""
        self.slowest: list[SlowItem] = []
        self.tasks: list[int] | None = None
        """Numbers of the tasks of its items, where they are few and somebody wants to know, as in a rehearsal."""

    def note_slow(self, item: SlowItem) -> None:
        """One of the slowest items is over."""
        if len(self.slowest) < SLOWEST:
            heappush(self.slowest, item)
        else:
            heappushpop(self.slowest, item)
        if len(self.slowest) == SLOWEST:
            self.slow = self.slowest[0].seconds

    def told(self, called_at: str) -> Streamed:
        """All of it, as of the last look.

        Args:
            called_at: where the stream was made, in words.
        """
        return Streamed(
            self.number,
            self.name,
            called_at,
            self.block,
            self.window,
            self.ordered,
            self.total,
            self.began,
            self.first,
            self.last,
            self.taken,
            self.over,
            self.given,
            self.failed,
            self.state,
            tuple(sorted(self.slowest, reverse=True)),
        )


class Place(NamedTuple):
    """Which item a task is of.

    Args:
        stream: number of the stream.
        item: index of the item, from 0.
        key: of it, as text.
    """

    stream: int
    item: int
    key: str


class StreamLogs:
    """The streams of one run: those that go on, and the last of those that are over."""

    __slots__ = ("_last", "dropped", "live", "moved", "over")

    def __init__(self) -> None:
        self.live: dict[int, StreamLog] = {}
        self.over: dict[int, Streamed] = {}
        self.dropped = 0
        """How many there were that are told of no more."""
        self.moved: dict[int, StreamLog] = {}
        """What those who listen are to be told of; they empty it."""
        self._last = 0

    def began(self, log: StreamLog) -> None:
        """A stream's reader has come."""
        self._last = log.number = self._last + 1
        self.live[log.number] = log

    def ended(self, log: StreamLog) -> None:
        """A stream's reader has gone."""
        if self.live.pop(log.number, None) is None:
            return
        if log.look is not None:
            log.look(log)
            log.look = None
        self.over[log.number] = told(log)
        if len(self.over) > _KEPT:
            del self.over[next(iter(self.over))]
            self.dropped += 1

    def told_of(self, number: int) -> Streamed | None:
        """What is known of one stream, as of the last look; None if nothing is any more."""
        log = self.live.get(number)
        return self.over.get(number) if log is None else told(log)

    def all(self) -> list[Streamed]:
        """All that are known, as of now."""
        return sorted([*self.over.values(), *map(looked_at, self.live.values())])


def told(log: StreamLog) -> Streamed:
    """What is known of a stream, as of the last look."""
    return log.told(place_in(log.code, log.at))


def looked_at(log: StreamLog) -> Streamed:
    """The same, as of now."""
    if log.look is not None:
        log.look(log)
    return told(log)


def items_of(
    segment: Segment, first: int, last: int, rows: range | None = None
) -> Iterator[tuple[int, Place]]:
    """The tasks of items among those of some numbers, and of which.

    Args:
        segment: where they were called.
        first: the lowest number.
        last: the highest.
        rows: which rows of calls are looked at; None for all that may have some.
    """
    if rows is None:
        rows = range(max(0, bisect_right(segment.item_id, first) - 1), len(segment.item_id))
    for row in rows:
        begin, stream, index = segment.item_id[row], segment.item_stream[row], segment.item_at[row]
        for number in range(max(begin, first), min(begin + segment.item_n[row], last + 1)):
            yield number, Place(stream, index + number - begin, segment.item_keys.get(number, ""))

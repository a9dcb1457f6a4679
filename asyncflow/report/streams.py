"""The streams of a run: how many items, how quick, which of these took longest."""

from __future__ import annotations

from dataclasses import dataclass

from .._core.streamed import Streamed
from .view import View


@dataclass(frozen=True, slots=True)
class ItemReport:
    """One item of a stream.

    Args:
        index: its place in the source; 0 for the first.
        key: what ``key=`` made of it, as text; "" without.
        task: number of its task; its report is `Report.task`, as long as the run is told of one by one.
        seconds: from when it was taken from the source to its end.
    """

    index: int
    key: str
    task: int
    seconds: float


@dataclass(frozen=True, slots=True)
class StreamReport:
    """One stream. Times are seconds since the run began.

    Args:
        number: of it; 1 for the first of the run. It is `TaskReport.stream` of the tasks of its items.
        name: of the task that its items went through.
        called_at: where it was made: "pipeline.py:12, in main".
        block: number of the block inside which it was read; None outside of all.
        window: how many items might be taken and not given.
        ordered: whether results came in the order of the source.
        total: how many items there were in all; None if nobody knew.
        began: when its reader came.
        first: when the first item was over; None if none was.
        last: when the last one was over, or taken.
        taken: items that came from the source.
        over: of these, those whose task was over.
        given: of these, those that the reader had.
        failed: items that have failed.
        state: "open" while it went on; "done" when all was given; "failed" at an error; "left" if its reader went
            before the end.
        slowest: the items that took longest, the longest first; five at most.
    """

    number: int
    name: str
    called_at: str
    block: int | None
    window: int
    ordered: bool
    total: int | None
    began: float
    first: float | None
    last: float
    taken: int
    over: int
    given: int
    failed: int
    state: str
    slowest: tuple[ItemReport, ...]

    @property
    def seconds(self) -> float:
        """From when its reader came to when its last item was over."""
        return self.last - self.began

    @property
    def rate(self) -> float | None:
        """Items that were over in a second, on average; None if none was."""
        return self.over / self.seconds if self.over and self.seconds > 0 else None

    @property
    def to_first(self) -> float | None:
        """Seconds until the first item was over; None if none was."""
        return None if self.first is None else self.first - self.began


def streams(told: tuple[Streamed, ...]) -> View[StreamReport]:
    """In the order in which their readers came."""

    def made(place: int) -> StreamReport:
        stream = told[place]
        slowest = tuple(ItemReport(each.item, each.key, each.task, each.seconds) for each in stream.slowest)
        return StreamReport(**stream._asdict() | {"block": stream.block or None, "slowest": slowest})

    return View(len(told), made)

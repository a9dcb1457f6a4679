"""When one task was called, when and where it has run, and for which item, as far as a record still knows."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from .._core.story import Attempted
from .._core.streamed import item_shown
from .record import Record
from .segment import Segment
from .stream_log import Place, items_of


class Times(NamedTuple):
    """By the clock of the record."""

    called: float | None
    ran: list[Attempted]
    """The attempts, as far as it is known when they ran."""


def times_of(record: Record, task_id: int) -> Times:
    """When a task was called and has run."""
    called = None
    ran: list[Attempted] = []
    for segment in record.segments:
        at = bisect_right(segment.turn_id, task_id)
        if segment.first <= task_id and at:
            called = segment.turn_at[at - 1]
        ran += _of_workers(segment, task_id, record.names)
        ran += _of_loop(segment, task_id)
    if task_id in record.running:
        began, worker = record.running[task_id]
        ran.append(Attempted(began, None, worker))
    return Times(called, ran)


def item_told(record: Record, task_id: int) -> str:
    """The items of streams that a task is for, as its own or inside of blocks, in words; "" for none."""
    told: list[str] = []
    while task_id:
        block = 0
        for segment in record.segments:
            at = bisect_right(segment.turn_id, task_id)
            if segment.first <= task_id and at:
                block = segment.turn_block[at - 1]
        place = _item_of(record, task_id)
        if place is not None:
            stream = record.streams.told_of(place.stream)
            of = "" if stream is None else f" of the stream of {stream.name!r} made at {stream.called_at}"
            told.append(item_shown(place.item, place.key) + of)
        task_id = block
    return "; ".join(told)


def _item_of(record: Record, task_id: int) -> Place | None:
    for segment in record.segments:
        at = bisect_right(segment.item_id, task_id) - 1
        if segment.first <= task_id and at >= 0:
            for _, place in items_of(segment, task_id, task_id, range(at, at + 1)):
                return place
    return None


def _of_workers(segment: Segment, task_id: int, names: list[str]) -> Iterator[Attempted]:
    at = -1
    for _ in range(segment.ran_id.count(task_id)):
        at = segment.ran_id.index(task_id, at + 1)
        yield Attempted(segment.ran_began[at], segment.ran_ended[at], names[segment.ran_worker[at]])


def _of_loop(segment: Segment, task_id: int) -> Iterator[Attempted]:
    if task_id in segment.loop_id:
        at = segment.loop_id.index(task_id)
        yield Attempted(segment.loop_at[at - 1], segment.loop_at[at], "the event loop")

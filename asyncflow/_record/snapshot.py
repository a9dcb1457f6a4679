"""Takes a snapshot of a record: cheap, whatever the number of tasks, so that a report can be asked for on the loop.

Logs are only added to, and in the last segment: the others are shared, and the last is copied.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .._core.states import NOW
from .._core.streamed import Streamed
from .._core.task import Task
from .lazy import READY_ONLY
from .record import Record
from .segment import Segment
from .sums import Earlier


class Snapshot(NamedTuple):
    """All that a record knew at a moment, and that is known of the run besides. `from_logs` makes a history of it.

    Args:
        segments: the logs.
        earlier: of tasks that are not in the logs any more.
        began: when the run began, by the record's clock; so all times.
        now: the moment.
        last: number of the last call.
        names: of workers.
        running: when tasks have begun that run, and the number of the worker.
        live: numbers of the tasks that were not over.
        states: of these.
        held: since when some of them waited for limits, by number.
        staged: numbers of those whose files were there.
        left_behind: numbers of those whose work still went on when the run ended.
        streams: what is known of each.
        known: fields of the history.
    """

    segments: tuple[Segment, ...]
    earlier: Earlier
    began: float
    now: float
    last: int
    names: tuple[str, ...]
    running: dict[int, tuple[float, int]]
    live: array[int]
    states: bytes
    held: dict[int, float]
    staged: Collection[int]
    left_behind: frozenset[int]
    streams: Sequence[Streamed]
    known: dict[str, Any]


def snapshot_of(
    record: Record, now: float, live: Mapping[int, Task], left_behind: Iterable[int] = (), **known: Any
) -> Snapshot:
    """A snapshot of a run.

    Args:
        record: of the run.
        now: the time, by the record's clock.
        live: tasks that are not over.
        left_behind: numbers of those whose work still went on when the run ended.
        known: fields of the history that the record does not know: `run`, `began`, `is_over`, `workers`, `dry_run`,
            `about`.
    """
    record.settle()
    states = bytes([task.story & NOW for task in live.values()])
    rare = [task for task in live.values() if task.rare is not None]
    return Snapshot(
        segments=(*record.segments[:-1], record.segment.copied()),
        earlier=record.earlier(live),
        began=record.began,
        now=now,
        last=record.last,
        names=tuple(record.names),
        running={number: (at, record.workers.get(name, 0)) for number, (at, name) in record.running.items()},
        live=array("I", live),
        states=states,
        held={
            task.id: task.held_since
            for task in rare
            if task.wants is not None and task.held_since is not None
        },
        staged=_staged(live) if any(map(states.__contains__, READY_ONLY)) else (),
        left_behind=frozenset(left_behind),
        streams=record.streams.all(),
        known=known | {"planning": record.planning, "dropped": record.dropped},
    )


def _staged(live: Mapping[int, Task]) -> frozenset[int]:
    return frozenset(
        task_id
        for task_id, task in live.items()
        if task.story & NOW in READY_ONLY and task.lane.leads_to is None
    )

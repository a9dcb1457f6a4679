"""Takes a snapshot of a run for `engine.explain()`. It looks at a bounded number of tasks, however many there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from time import perf_counter
from typing import Final

from .._causes import brief
from .._core.gates import used_by
from .._core.limits import Limit
from .._core.overview import Full, Overview, Retry, Running, Workers
from .._core.services import is_idle
from .._core.states import CANCELLING, NOW, PENDING, READY, SUBMITTED
from .._core.task import Task, each_of
from .._record.record import Record
from .._record.stream_log import StreamLog, looked_at
from .places import Counts

_LOOKED_AT: Final = 200_000  # tasks, the oldest that are not over
_BEHIND: Final = 2_000  # tasks that are followed from each that others may wait for
_HEADS: Final = 10


def snapshot_of(
    live: Mapping[int, Task],
    places: Mapping[str, Counts],
    record: Record | None,
    *,
    is_open: bool,
    head: str,
    looked_at: int = _LOOKED_AT,
) -> Overview:
    """How a run stands now.

    Args:
        live: its tasks that are not over.
        places: what they do and wait for, by place.
        record: of the run, if there is one.
        is_open: whether the places take work.
        head: the engine, in words.
        looked_at: how many tasks are looked at, at most, the oldest.
    """
    now = perf_counter()
    oldest: list[Task] = [
        task for task in islice(live.values(), looked_at) if task.rare is not None or task.story != PENDING
    ]
    held = [task for task in oldest if task.is_held and task.story & NOW == READY]
    wants = [task for task in held if task.wants is not None]
    tried = [task for task in held if task.wants is None and task.failed_attempts]
    users = [task for task in oldest if used_by(task) is not None]
    running = _running(record, oldest, now)
    waiting = _reasons(places, is_open)
    waiting["their next attempt"] = len(tried)
    waiting["a task that needs them"] = sum(map(is_idle, oldest))  # services
    busy = sum(counts.busy for counts in places.values())
    waiting["others"] = len(live) - busy - sum(waiting.values())
    return Overview(
        head=head,
        live=len(live),
        waiting=list((+waiting).items()),
        behind=_most_behind([*(task for task, _ in running), *wants, *tried]),
        running=[told for _, told in running],
        runs=len(running),
        full=_full(wants, users),
        retries=sorted((_retry(task, now) for task in tried), key=lambda each: each.follows),
        places=[Workers(place, each.busy, each.workers) for place, each in places.items() if each.taken],
        slotless=[(place, each.waits) for place, each in places.items() if each.taken and each.waits],
        streams=[] if record is None else [_stream(log) for log in record.streams.live.values()],
    )


def _stream(log: StreamLog) -> tuple[str, int, int, str]:
    told = looked_at(log)
    return told.name, told.taken, told.given, log.wait


def _shown(task: Task) -> str:
    return f"{task.name_shown} (#{task.id})"


def _running(record: Record | None, oldest: list[Task], now: float) -> list[tuple[Task, Running]]:
    """What runs, the longest first; of blocks those with nothing inside, as the others only wait."""
    known = {} if record is None else record.running
    found = []
    for task in oldest:
        if SUBMITTED < task.story & NOW <= CANCELLING and not task.children:
            began, worker = known.get(task.id, (None, task.lane.place))
            lasts = None if began is None else now - began
            found.append((task, Running(_shown(task), lasts, worker or task.lane.place)))
    found.sort(key=lambda each: -(each[1].lasts or 0))
    return found


def _reasons(places: Mapping[str, Counts], is_open: bool) -> Counter[str]:
    """How many tasks wait to be begun, by what for."""
    reasons: Counter[str] = Counter()
    for place, counts in places.items():
        reasons[f"{place} to take them" if is_open else "the engine to start"] += (
            counts.ready + counts.taken - counts.busy
        )
        reasons["limits"] += counts.held
        reasons["their files"] += counts.staging
    return reasons


def _full(wants: list[Task], users: list[Task]) -> list[Full]:
    waiting: Counter[Limit] = Counter(limit for task in wants for limit in task.wants or ())
    return [
        Full(
            f"{limit.name!r}, {limit.told()}",
            [_shown(task) for task in users if limit in (used_by(task) or ())],
            number,
        )
        for limit, number in waiting.most_common(3)
    ]


def _retry(task: Task, now: float) -> Retry:
    last = task.failed_attempts[-1]
    return Retry(_shown(task), max(0.0, last.ended + last.delay - now), brief(last.error))


def _most_behind(heads: list[Task]) -> tuple[str, int, bool] | None:
    """Behind which of some tasks most others wait, as far as they are followed."""
    most: tuple[str, int, bool] | None = None
    for head in heads[:_HEADS]:
        seen = {head.id}
        queue = [head]
        for task in queue:  # grows while it is walked
            for dependent in each_of(task.dependents):
                if dependent.id not in seen and len(seen) <= _BEHIND:
                    seen.add(dependent.id)
                    queue.append(dependent)
        behind = len(seen) - 1
        if behind and (most is None or behind > most[1]):
            most = _shown(head), behind, behind >= _BEHIND
    return most

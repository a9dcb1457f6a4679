"""Bodies that ask what only a task can be told: the conformance suite submits them. Importable, as `bad_tasks` are."""

from __future__ import annotations

import asyncio

from .. import current, worker_local

Told = tuple[int, str, int]


def which_task() -> Told:
    """The task's id, name and attempt."""
    me = current()
    return me.id, me.name, me.attempt


async def which_task_later() -> Told:
    """The same, after a turn of the event loop."""
    await asyncio.sleep(0)
    return which_task()


async def which_task_beside() -> Told:
    """The same, in an asyncio task that the task has begun."""
    return await asyncio.create_task(which_task_later())


def count() -> int:
    """How many tasks of this worker have come by here."""
    worker_local.seen = getattr(worker_local, "seen", 0) + 1
    return int(worker_local.seen)

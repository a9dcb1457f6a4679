"""What an engine keeps of tasks that are over and whose futures nobody holds: nothing, if it is to run for weeks."""

from __future__ import annotations

import asyncio

from . import fresh
from .measuring import Options, Row, Rows, judged
from .places import PLACES, Call
from .processes import resident, resident_workers

NOTE = (
    "MB of memory of the process, after garbage collections; each row in a fresh one. In one burst all futures are "
    "alive at the same time, and the allocator keeps some of the pages that they stood on; so there it counts what "
    "the same burst adds when it is made again."
)
TARGET_MB = 5.0
_ROUND = 1_000
_MB = 2**20


def measure(options: Options) -> Rows:
    """All places; in rounds, and in one burst."""
    n = 20_000 if options.quick else 100_000
    title = f"Memory after {n:,} finished tasks, beside {_ROUND:,}"
    for name, place in PLACES.items():
        for how in ("in rounds", "in one burst"):
            row: Row = {"place": name, "tasks": how}
            if reason := place.missing():
                row["skipped"] = reason
            else:
                try:
                    row |= fresh.run(grow, name, n, _ROUND if how == "in rounds" else n)
                except fresh.Failed as error:
                    row["failed"] = str(error)
            yield title, row


def grow(name: str, n: int, at_once: int) -> Row:
    """One row."""
    return asyncio.run(_grow(name, n, at_once))


async def _grow(name: str, n: int, at_once: int) -> Row:
    async with PLACES[name].engine() as engine:
        task: Call = engine.function_task(PLACES[name].body)
        await _round(task, _ROUND)
        few, few_workers = resident(), resident_workers()
        many, again = [await _rounds(task, n, at_once) for _ in range(2)]
        workers = resident_workers() - few_workers
    row: Row = {"few_mb": few / _MB, "many_mb": many / _MB, "again_mb": again / _MB}
    row["grown_mb"] = (again - many if at_once == n else many - few) / _MB
    return row | judged("mb", row["grown_mb"], TARGET_MB) | {"workers_grown_mb": workers / _MB}


async def _rounds(task: Call, n: int, at_once: int) -> int:
    for _ in range(n // at_once):
        await _round(task, at_once)
    return resident()


async def _round(task: Call, n: int) -> None:
    for each in [task() for _ in range(n)]:
        await each

"""What it costs to know what happened: recording on and off, listeners, and a report of a million tasks."""

from __future__ import annotations

import asyncio
import gc
import os
import tracemalloc
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from asyncflow import Report, WorkflowEngine

from . import fresh
from .measuring import Options, Row, Rows, in_turns, judged
from .places import PLACES, WORKERS, Call
from .shapes import SHAPES, WIDTH, run

NOTE = (
    "µs a task; recording (the default) beside report_limit=0, in turns in one process, medians. Then a listener that "
    "does nothing, and a journal, beside none. Then what is kept of a task, and what a report of all of them takes."
)
TARGET = 1.1
BYTES_TARGET = 100
_PLACES = ("coroutines", "threads", "processes")


def measure(options: Options) -> Rows:
    """Recording, listening, reporting."""
    title = f"Recording on and off, {options.n:,} tasks, medians of {options.repeat}"
    for name in _PLACES:
        for shape in SHAPES:
            yield (
                title,
                {"place": name, "shape": shape} | _row(compare, name, shape, options.n, options.repeat),
            )
    title = f"Somebody listens, {options.n:,} independent tasks"
    for name in _PLACES:
        yield title, {"place": name} | _row(listened, name, options.n, options.repeat)
    many = 100_000 if options.quick else 1_000_000
    for shape in ("independent", "chain"):
        yield f"A report of {many:,} tasks on coroutines", {"shape": shape} | _row(reported, shape, many)


def _row(fn: Any, *args: Any) -> Row:
    try:
        row: Row = fresh.run(fn, *args)
    except fresh.Failed as error:
        return {"failed": str(error)}
    return row


async def _timed(engines: dict[str, WorkflowEngine], name: str, shape: str, n: int, repeat: int) -> Any:
    async with AsyncExitStack() as stack:
        calls: dict[str, Call] = {}
        for side, engine in engines.items():
            await stack.enter_async_context(engine)
            calls[side] = engine.function_task(PLACES[name].body)
            await run(SHAPES[shape], calls[side], max(2 * WIDTH, n // 10))
        sides = {side: partial(run, SHAPES[shape], call, n) for side, call in calls.items()}
        return await in_turns(sides, repeat)


def _engine(name: str, **options: Any) -> WorkflowEngine:
    return WorkflowEngine(PLACES[name].backend, workers=WORKERS, **options)


def compare(name: str, shape: str, n: int, repeat: int) -> Row:
    """One row: on and off."""
    engines = {"off": _engine(name, report_limit=0), "on": _engine(name)}
    return _compared(asyncio.run(_timed(engines, name, shape, n, repeat)), "on", TARGET)


def _compared(samples: dict[str, Sequence[float]], side: str, target: float | None = None) -> Row:
    off, on = median(samples["off"]), median(samples[side])
    row: Row = {"off_us": off, f"{side}_us": on, "ratio": on / off}
    return row if target is None else row | judged("ratio", on / off, target)


def listened(name: str, n: int, repeat: int) -> Row:
    """One row: nobody, a listener, a journal."""
    heard = _engine(name)
    heard.subscribe(lambda events: None)
    engines = {"off": _engine(name), "listener": heard, "journal": _engine(name, journal=os.devnull)}
    samples = asyncio.run(_timed(engines, name, "independent", n, repeat))
    row = _compared(samples, "listener")
    journal = median(samples["journal"])
    return {
        "nobody_us": row["off_us"],
        "listener_us": row["listener_us"],
        "journal_us": journal,
    }


def reported(shape: str, n: int) -> Row:
    """What is kept of so many tasks, and what it takes to make a report of them and to print it."""
    without, _ = asyncio.run(_reported(shape, n, 0))  # what the graph's own futures hold is not the record's
    held, report = asyncio.run(_reported(shape, n, n))
    assert report is not None
    kept = held - without
    began = perf_counter()
    text = str(report)
    printed = perf_counter() - began
    assert text.startswith(f"Report: {n:,} tasks")
    began = perf_counter()
    json = report.to_json()
    return (
        {"bytes_a_task": round(kept)}
        | judged("bytes", kept, BYTES_TARGET)
        | {"print_s": printed, "json_s": perf_counter() - began, "json_mb": len(json) / 1e6}
    )


async def _reported(shape: str, n: int, limit: int) -> tuple[float, Report | None]:
    async with WorkflowEngine(report_limit=limit) as engine:
        call = engine.function_task(PLACES["coroutines"].body)
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        await run(SHAPES[shape], call, n)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return (after - before) / n, engine.report() if limit else None

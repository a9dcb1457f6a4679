"""How long it takes until something happens: importing, making an engine, the first result, the end."""

# This module is imported where the import of asyncflow is timed, so it imports that only inside functions.
from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter

from . import fresh
from .measuring import Options, Row, Rows

NOTE = (
    "ms, each sample in a fresh process. Import: what it adds to asyncio and concurrent.futures; the name "
    "WorkflowEngine may load more. First result: from making the engine (or the bare pool) inside a running loop "
    "until one no-op task's result is there; end: the shutdown after it."
)
_IMPORT = """
import json, time
import asyncio, concurrent.futures.process, concurrent.futures.thread
began = time.perf_counter()
import asyncflow
imported = time.perf_counter()
asyncflow.WorkflowEngine
loaded = time.perf_counter()
asyncflow.WorkflowEngine()
first = time.perf_counter()
for _ in range(1000):
    asyncflow.WorkflowEngine()
each = (time.perf_counter() - first) / 1000
print(json.dumps([imported - began, loaded - imported, first - loaded, each]))
"""
_MEASURED = ("import asyncflow", "asyncflow.WorkflowEngine", "the first engine", "each engine more")


def measure(options: Options) -> Rows:
    """Import and construction, then each place."""
    from .places import PLACES

    title = f"Import and construction, medians of {options.repeat}"
    samples = [_imported() for _ in range(options.repeat)]
    for what, times in zip(_MEASURED, zip(*samples, strict=True), strict=True):
        yield title, {"what": what, "ms": median(times) * 1e3}
    title = f"First result, medians of {options.repeat}"
    for name, place in PLACES.items():
        reason = place.missing()
        row: Row = {"place": name}
        try:
            if reason is None:
                row |= _medians("ours", first, name, options.repeat)
            if place.bare is not None:
                row |= _medians("bare", first_bare, name, options.repeat)
        except fresh.Failed as error:
            row["failed"] = str(error)
        if reason is not None:
            row["skipped"] = reason
        yield title, row


def _imported() -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT], capture_output=True, check=True, text=True, cwd=fresh.ROOT
    )
    times: list[float] = json.loads(done.stdout)
    return times


def _medians(side: str, fn: Callable[[str], list[float]], name: str, repeat: int) -> Row:
    samples = [fresh.run(fn, name, timeout=60) for _ in range(repeat)]
    results, ends = zip(*samples, strict=True)
    return {f"{side}_ms": median(results), f"{side}_end_ms": median(ends)}


def first(name: str) -> list[float]:
    """Milliseconds to the first result of the engine, and then to its end."""
    from .places import PLACES

    return asyncio.run(_first(name, PLACES[name].ours, PLACES[name].body))


def first_bare(name: str) -> list[float]:
    """The same of the bare side."""
    from .places import PLACES

    return asyncio.run(_first(name, PLACES[name].bare, PLACES[name].bare_body))


async def _first(name: str, side: object, body: object) -> list[float]:
    began = perf_counter()
    async with side() as bind:  # type: ignore[operator]
        await bind(body)()
        done = perf_counter()
    return [(done - began) * 1e3, (perf_counter() - done) * 1e3]

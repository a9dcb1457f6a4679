"""Large arguments and results: what it takes to bring them to another process and back, in time and in memory."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from importlib.util import find_spec
from statistics import median
from time import perf_counter
from typing import Any

from . import fresh
from .bodies import load, same, weight
from .measuring import Options, Row, Rows, compared, in_turns
from .places import PLACES, Bind
from .processes import TOLD

NOTE = (
    "in: as an argument. out: as a result. through: both. Memory: the peak of what this process and its two workers "
    "held together, in multiples of the value's size, less what they held without it; a page that several processes "
    "map counts once, and shared memory that none maps counts, too. The value itself is in it: 1 for in and out, 2 for "
    "through."
)
TARGET_MEMORY = 4.0  # times the size
_MB, _GIB = 10**6, 2**30
_WAYS = ("in", "out", "through")


def measure(options: Options) -> Rows:
    """Time at two sizes, memory at the larger one."""
    sizes = [10 * _MB, 100 * _MB] if options.quick else [100 * _MB, _GIB]
    kinds = ["bytes", "numpy"] if find_spec("numpy") else ["bytes"]
    reason = PLACES["processes"].missing()
    for size in sizes:
        title = f"Values of {size / _MB:,.0f} MB, through processes: time"
        for kind in kinds:
            for way in _WAYS:
                # The larger ones take seconds each on a bare pool.
                repeat = options.repeat if size < _GIB else min(3, options.repeat)
                yield title, {"value": kind, "way": way} | _time(kind, size, way, repeat, reason)
    title = f"Values of {sizes[-1] / _MB:,.0f} MB, through processes: peak of memory"
    for kind in kinds:
        for way in _WAYS:
            yield title, {"value": kind, "way": way} | _memory(kind, sizes[-1], way, reason)


def _time(kind: str, size: int, way: str, repeat: int, reason: str | None) -> Row:
    sides = ["bare"] if reason else ["bare", "ours"]
    try:
        samples = fresh.run(transport, sides, kind, size, way, repeat)
    except fresh.Failed as error:
        return {"failed": str(error)}
    if reason:
        return {"bare_ms": median(samples["bare"]), "skipped": reason}
    return compared("ms", samples["ours"], samples["bare"])


def _memory(kind: str, size: int, way: str, reason: str | None) -> Row:
    if not TOLD:
        return {"skipped": "this system does not tell"}
    row: Row = {}
    for side in ("ours", "bare"):
        if side == "ours" and reason:
            row["skipped"] = reason
            continue
        try:
            _, without = fresh.run(transport, [side], kind, 8, way, 1, watch=True)
            _, peak = fresh.run(transport, [side], kind, size, way, 1, watch=True)
        except fresh.Failed as error:
            return row | {"failed": f"{side}: {error}"}
        row[f"{side}_times"] = (peak - without) / size
    if "ours_times" in row:
        row |= {"target_times": TARGET_MEMORY, "met": row["ours_times"] < TARGET_MEMORY}
    return row


def transport(sides: list[str], kind: str, size: int, way: str, repeat: int) -> dict[str, list[float]]:
    """The milliseconds that each side takes."""
    return asyncio.run(_transport(sides, kind, size, way, repeat))


async def _transport(sides: list[str], kind: str, size: int, way: str, repeat: int) -> dict[str, list[float]]:
    place = PLACES["processes"]
    contexts = {"bare": place.bare, "ours": place.ours}
    async with AsyncExitStack() as stack:
        calls = {}
        for side in sides:
            context = contexts[side]
            assert context is not None
            bind = await stack.enter_async_context(context())
            await _once(
                bind, kind, None, 8, way
            )  # workers are up; before the value is here, lest a fork shares it
            calls[side] = bind
        value = None if way == "out" else load(kind, size)

        def timed(bind: Bind) -> Any:
            return lambda: _once(bind, kind, value, size, way)

        return await in_turns({side: timed(bind) for side, bind in calls.items()}, repeat)


async def _once(bind: Bind, kind: str, value: Any, size: int, way: str) -> float:
    if value is None and way != "out":
        value = load(kind, size)
    call = {"in": (weight, value), "out": (load, kind, size), "through": (same, value)}[way]
    make = bind(*call)
    began = perf_counter()
    result = await make()
    took = (perf_counter() - began) * 1e3
    if (result if way == "in" else weight(result)) != size:
        raise AssertionError("what came back is not what was sent")
    return took

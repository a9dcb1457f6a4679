"""A million tasks: does a task cost more among many, how much memory does one hold that waits, and does it cost CPU?"""

from __future__ import annotations

import asyncio
import gc
import time
import tracemalloc
from collections.abc import Callable
from statistics import median

from . import fresh
from .measuring import Options, Row, Rows, collector_off, judged
from .places import PLACES, Call, Side
from .processes import resident
from .shapes import SHAPES, run

NOTE = (
    "Each row in a process of its own, each measurement just after a full garbage collection. gc off: the same with "
    "the collector off, which leaves what is the engine's own. Bare: the same by hand. Memory: bytes for each task "
    "that waits for a block that has not ended, its future included, by tracemalloc and by what the process grew; "
    "CPU: what this process used in a second in which they wait, beside the same second before they were called."
)
COST_TARGET = 1.3  # times the cost of a task among few
MEMORY_TARGET = 1024  # bytes
CPU_TARGET_MS = 5.0  # in a second; a loop that slept, and the clock's own noise
_PLACES = ("coroutines", "threads", "processes")


def measure(options: Options) -> Rows:
    """Cost, then memory and CPU."""
    few, many = options.n, 100_000 if options.quick else 1_000_000
    title = f"Cost per task among {many:,}, beside {few:,}"
    for name in _PLACES:
        for shape in ("independent", "chain"):
            yield (
                title,
                {"place": name, "shape": shape} | _row(name, grow, name, shape, few, many, options.repeat),
            )
    waiting = 20_000 if options.quick else 100_000
    title = f"{waiting:,} tasks that wait"
    for name in _PLACES:
        for how in ("for one", "in a chain"):
            yield title, {"place": name, "each": how} | _row(name, weigh, name, how, waiting)


def _row(name: str, fn: object, *args: object) -> Row:
    if reason := PLACES[name].missing():
        return {"skipped": reason}
    try:
        row: Row = fresh.run(fn, *args)  # type: ignore[arg-type]
    except fresh.Failed as error:
        return {"failed": str(error)}
    return row


def grow(name: str, shape: str, few: int, many: int, repeat: int) -> Row:
    """The cost of a task among few and among many, the few before and after; of coroutines by hand, too."""
    place = PLACES[name]
    among_few, among_many = asyncio.run(_grow(place.ours, place.body, shape, few, many, repeat))
    ratio = among_many / median(among_few)
    row: Row = {"few_us": median(among_few), "many_us": among_many, "ratio": ratio}
    row |= judged("ratio", ratio, COST_TARGET) | {"few_samples_us": among_few}
    with collector_off():
        own_few, own_many = asyncio.run(_grow(place.ours, place.body, shape, few, many, repeat))
    row |= {"gc_off_ratio": own_many / median(own_few)}
    if name == "coroutines" and place.bare is not None:  # elsewhere the bare side takes minutes for a million
        bare_few, bare_many = asyncio.run(_grow(place.bare, place.bare_body, shape, few, many, repeat))
        row |= {"bare_ratio": bare_many / median(bare_few)}
    return row


async def _grow(
    side: Side, body: Callable[..., object], shape: str, few: int, many: int, repeat: int
) -> tuple[list[float], float]:
    async with side() as bind:
        call = bind(body)
        await run(SHAPES[shape], call, few)  # workers are up, code is warm
        before = [await _run(shape, call, few) for _ in range(repeat)]
        among_many = await _run(shape, call, many)
        after = [await _run(shape, call, few) for _ in range(repeat)]
    return before + after, among_many


async def _run(shape: str, call: Call, n: int) -> float:
    gc.collect()  # or what was alive before decides how often the collector looks at all that lives
    return await run(SHAPES[shape], call, n)


def weigh(name: str, how: str, n: int) -> Row:
    """The bytes that a waiting task holds, and the CPU that all of them use in a second."""
    resident_bytes, before, during = asyncio.run(_weigh(name, how, n, traced=False))
    traced_bytes, *_ = asyncio.run(_weigh(name, how, n, traced=True))
    row: Row = {"traced_bytes": round(traced_bytes), "process_bytes": round(resident_bytes)}
    row |= judged("bytes", max(traced_bytes, resident_bytes), MEMORY_TARGET)
    row |= {"cpu_before_ms": before * 1e3, "cpu_ms": during * 1e3}
    more = during - before
    return row | {"target_more_ms": CPU_TARGET_MS, "cpu_met": more * 1e3 <= CPU_TARGET_MS}


async def _weigh(name: str, how: str, n: int, *, traced: bool) -> tuple[float, float, float]:
    place = PLACES[name]
    opened = asyncio.Event()

    async def gate() -> None:
        await opened.wait()

    async with place.engine() as engine:
        task: Call = engine.function_task(place.body)
        await task()
        cpu_before = 0.0 if traced else await _cpu_of_a_second()
        closed = engine.block(gate)()
        await asyncio.sleep(0.1)  # the block is under way
        if traced:
            tracemalloc.start()
        held = tracemalloc.get_traced_memory()[0] if traced else resident()
        last = closed
        for _ in range(n):
            last = task(last if how == "in a chain" else closed)  # type: ignore[assignment]
        await asyncio.sleep(0.1)  # whatever is to be done once for the burst is done
        grown = (tracemalloc.get_traced_memory()[0] if traced else resident()) - held
        tracemalloc.stop()
        cpu = 0.0 if traced else await _cpu_of_a_second()
        opened.set()
        await last
    return grown / n, cpu_before, cpu


async def _cpu_of_a_second() -> float:
    began = time.process_time()
    await asyncio.sleep(1)
    return time.process_time() - began

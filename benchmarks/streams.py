"""Many items through one task with a bounded number under way: what that costs, and what it keeps small."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, Final

from asyncflow import WorkflowEngine

from . import fresh, hand_over
from .bodies import nothing
from .measuring import Options, Row, Rows, compared, in_turns, judged
from .places import WORKERS

NOTE = (
    "µs an item beside a gather of the same calls, in turns, on one engine each; at the least, what gather takes and "
    "handing as many calls as fit in the window to workers and back; and a window by hand, of asyncio.wait; "
    "items begun and not over at most, of blocks of tasks of 2 ms; "
    "and results of 200 kB with others, where the reader stops for a second after 20: how "
    "many more were made by its end; the time from the first to the last, without that; "
    "and the peak of memory of all processes"
)
_TARGETS: Final = {100: 1.1, 10: 1.6}
_PLACES: Final = ("thread", "process")
_LONG: Final = 5  # tasks of an item
_STEP: Final = 0.002  # seconds
_LARGE: Final = 200_000  # bytes of a result
_FIRST: Final = 20  # results after which the reader stops
_STOPS: Final = 1.0  # seconds


def measure(options: Options) -> Rows:
    """Beside gather; what is half done; with others."""
    n = 1_000 if options.quick else 5_000
    for place in _PLACES:
        for kind in _ITEMS:
            yield from _rows(f"Streams, {n:,} items, beside gather", place, kind, n, options.repeat)
    items = 500 if options.quick else 10_000
    for place in _PLACES:
        row: Row = {"place": place}
        try:
            row |= fresh.run(half_done, place, items)
        except fresh.Failed as error:
            row["failed"] = str(error)
        yield f"Half done at most, of {items:,} items of {_LONG} tasks", row
    many = 500 if options.quick else 2_000
    path = os.pathsep.join([str(fresh.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    for name, (needs, _) in _SYSTEMS.items():
        row = {"system": name}
        if needs and find_spec(needs) is None:
            row["skipped"] = f"{needs} is not installed"
        else:
            try:
                environment = {"PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"}
                told, peak = fresh.run(large, name, many, timeout=180, watch=True, environment=environment)
                row |= told | {"peak_mb": None if peak is None else peak / 2**20}
            except fresh.Failed as error:
                row["failed"] = str(error)
        yield f"{many:,} results of 200 kB, as {WORKERS} workers make them", row


# -- beside gather ----------------------------------------------------------------------------------------


def pause(x: int) -> int:
    """A task that takes a millisecond, and no CPU."""
    sleep(0.001)
    return x


def _task(engine: WorkflowEngine, body: Callable[[int], int]) -> Any:
    return engine.function_task(body)


def _block(engine: WorkflowEngine, body: Callable[[int], int]) -> Any:
    task = engine.function_task(body)

    @engine.block
    async def steps(x: int) -> int:
        return await task(await task(await task(x)))

    return steps


_ITEMS: Final[dict[str, Callable[[WorkflowEngine], Any]]] = {
    "a no-op": partial(_task, body=nothing),
    "a task of 1 ms": partial(_task, body=pause),
    "a block of three no-ops": partial(_block, body=nothing),
}


def _rows(title: str, place: str, kind: str, n: int, repeat: int) -> Rows:
    many = n if kind == "a no-op" else n // 5
    try:
        samples = fresh.run(beside_gather, place, kind, many, repeat)
    except fresh.Failed as error:
        yield title, {"place": place, "item": kind, "failed": str(error)}
        return
    gather = samples["gather"]
    for window, target in _TARGETS.items():
        row: Row = {"place": place, "item": kind, "window": window}
        row |= compared("us", samples[str(window)], gather, target)
        least = median(bare + lot for bare, lot in zip(gather, samples[f"lots of {window}"], strict=True))
        row["least_ratio"] = least / median(gather)
        yield title, row | {"by_hand_us": median(samples[f"by hand {window}"])}


def beside_gather(place: str, kind: str, n: int, repeat: int) -> dict[str, list[float]]:
    """Samples by window, and of gather."""
    return asyncio.run(_beside_gather(place, kind, n, repeat))


async def _beside_gather(place: str, kind: str, n: int, repeat: int) -> dict[str, list[float]]:
    # Two engines: a stream of blocks has all tasks of its engine go in order from then on.
    async with (
        WorkflowEngine(place, workers=WORKERS) as plain,
        WorkflowEngine(place, workers=WORKERS) as other,
        AsyncExitStack() as stack,
    ):
        gathered, streamed = _ITEMS[kind](plain), _ITEMS[kind](other)

        async def gather() -> float:
            began = perf_counter()
            await asyncio.gather(*map(gathered, range(n)))
            return (perf_counter() - began) / n * 1e6

        async def stream(window: int) -> float:
            began = perf_counter()
            async for _ in streamed.stream(range(n), window=window):
                pass
            return (perf_counter() - began) / n * 1e6

        async def by_hand(window: int) -> float:
            began, under_way = perf_counter(), set[Any]()
            for x in range(n):
                under_way.add(gathered(x))
                if len(under_way) == window:
                    _, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*under_way)
            return (perf_counter() - began) / n * 1e6

        async def lots(size: int, to_workers: hand_over.HandOver) -> float:
            began = perf_counter()
            for _ in range(n // size):
                await to_workers()
            return (perf_counter() - began) / n * 1e6

        sides: dict[str, Callable[[], Awaitable[float]]] = {"gather": gather}
        for window in _TARGETS:
            to_workers = await stack.enter_async_context(hand_over.PLACES[place](window))
            sides[str(window)] = partial(stream, window)
            sides[f"by hand {window}"] = partial(by_hand, window)
            sides[f"lots of {window}"] = partial(lots, window, to_workers)
        await in_turns(sides, 1)  # workers are up
        return await in_turns(sides, repeat)


# -- what is half done ------------------------------------------------------------------------------------


def step(x: int) -> int:
    """A task of an item."""
    sleep(_STEP)
    return x


def half_done(place: str, items: int) -> Row:
    """One row."""
    return asyncio.run(_half_done(place, items))


async def _half_done(place: str, items: int) -> Row:
    engine = WorkflowEngine(place, workers=WORKERS)
    task = engine.function_task(step)
    begun, most, first = set[int](), 0, 0.0

    @engine.block
    async def steps(x: int) -> int:
        nonlocal most
        await task(x)
        begun.add(x)
        most = max(most, len(begun))
        for _ in range(_LONG - 1):
            await task(x)
        begun.discard(x)
        return x

    async with engine:
        began = perf_counter()
        async for _ in steps.stream(range(items), window=items):
            first = first or perf_counter() - began
        seconds = perf_counter() - began
    least = items * _LONG * _STEP / WORKERS
    row: Row = {"half_done": most, "first_ms": first * 1e3, "over_the_least_time": seconds / least}
    return row | judged("half_done", most, WORKERS + 8)


# -- with others ------------------------------------------------------------------------------------------


def made(path: str, x: int) -> bytes:
    """A large result, which is counted where all can see that."""
    sleep(_STEP)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(descriptor, b".")
    os.close(descriptor)
    return bytes(_LARGE)


class Reader:
    """Takes results, and knows how it went.

    Args:
        path: of the file that has a byte for each result that was made.
        stops: whether to stop for a while after the first few.
    """

    def __init__(self, path: str, stops: bool) -> None:
        self.path = path
        self.ahead = 0
        self.taken = 0
        self._stops = stops
        self._first = self._last = 0.0

    def take(self, result: bytes) -> float:
        """Take one. Returns for how many seconds to stop then."""
        assert len(result) == _LARGE
        self.taken += 1
        self._last = perf_counter()
        self._first = self._first or self._last
        if self.taken == _FIRST + 1 and self._stops:
            self.ahead = Path(self.path).stat().st_size - _FIRST
        return _STOPS if self.taken == _FIRST and self._stops else 0.0

    @property
    def seconds(self) -> float:
        """From the first result to the last."""
        return self._last - self._first


def large(name: str, n: int) -> Row:
    """One row: once without a stop, for the time, and once with one."""
    row: Row = {}
    for stops in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "made"
            path.touch()
            reader = Reader(str(path), stops)
            _SYSTEMS[name][1](reader, n)
            assert reader.taken == n
            row |= {"made_ahead": reader.ahead} if stops else {"seconds": reader.seconds}
    return row


def _asyncflow(place: str, reader: Reader, n: int) -> None:
    async def read() -> None:
        async with WorkflowEngine(place, workers=WORKERS) as engine:
            task = engine.function_task(partial(made, reader.path), name="made")
            async for result in task.stream(range(n)):
                await asyncio.sleep(reader.take(result))

    asyncio.run(read())


def _executor(make: Callable[[int], Executor], reader: Reader, n: int) -> None:
    with make(WORKERS) as pool:
        for result in pool.map(partial(made, reader.path), range(n)):
            sleep(reader.take(result))


def _dask(reader: Reader, n: int) -> None:
    from distributed import Client, as_completed

    with Client(
        n_workers=WORKERS,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        silence_logs=logging.ERROR,
    ) as client:
        for future in as_completed(client.map(partial(made, reader.path), range(n), pure=False)):
            sleep(reader.take(future.result()))
            future.release()


def _ray(reader: Reader, n: int) -> None:
    import ray

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    path = reader.path

    @ray.remote(num_returns="streaming")
    def results(first: int) -> Iterator[bytes]:
        for x in range(first, n, WORKERS):
            yield made(path, x)

    generators = [results.remote(first) for first in range(WORKERS)]
    for reference in chain.from_iterable(zip(*generators, strict=True)):
        sleep(reader.take(ray.get(reference)))
    ray.shutdown()


_SYSTEMS: Final[dict[str, tuple[str, Callable[[Reader, int], None]]]] = {
    "asyncflow, threads": ("", partial(_asyncflow, "thread")),
    "asyncflow, processes": ("", partial(_asyncflow, "process")),
    "Executor.map, threads": ("", partial(_executor, ThreadPoolExecutor)),
    "Executor.map, processes": ("", partial(_executor, ProcessPoolExecutor)),
    "dask, as_completed": ("distributed", _dask),
    "ray, generators": ("ray", _ray),
}

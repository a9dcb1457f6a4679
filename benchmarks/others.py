"""The same graphs with other engines: whichever of them is importable, each in a process of its own.

Each is used as its documentation tells for one machine with two workers, with telemetry and dashboards off.

Some take tens of milliseconds for each link of a chain, on a busy machine a few times as much. So each shape has its
own share of a row's time: it is drawn small first, then as large, and as often, as its share allows. What was measured
is told at once, so an engine that then hangs, or does not end, loses nothing but the rest of its row.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from statistics import median
from time import perf_counter
from typing import Any

from asyncflow import UnknownBackend, WorkflowEngine

from . import fresh
from .bodies import nothing, nothing_async
from .measuring import Options, Row, Rows
from .places import WORKERS
from .shapes import SHAPES, Shape, size

NOTE = (
    "µs a task, from the first call to the last result; medians. Few tasks, because some take milliseconds for each;"
    " still fewer where it says so."
)
_SECONDS = 90.0  # for a row; beyond that it is ended
_SHARE = 15.0  # of these, for the measurements of one shape
_FEW = 50  # tasks that are drawn first
_SHAPES = ("independent", "chain", "tree")

Run = Callable[[Shape, int], None]
"""Runs a graph of about n no-ops to its end."""


@contextmanager
def _asyncflow(backend: str) -> Iterator[Run]:
    with asyncio.Runner() as runner:

        async def drive(shape: Shape, n: int) -> None:
            await asyncio.gather(*shape(task, n))

        engine = runner.run(WorkflowEngine.create(backend, workers=WORKERS))
        task: Callable[..., Any] = engine.function_task(nothing)
        yield lambda shape, n: runner.run(drive(shape, n))
        runner.run(engine.shutdown())


@contextmanager
def _dask(scheduler: str) -> Iterator[Run]:
    import dask

    task = dask.delayed(nothing, pure=False)  # pure, all calls would be one
    yield lambda shape, n: dask.compute(*shape(task, n), scheduler=scheduler, num_workers=WORKERS)


@contextmanager
def _distributed() -> Iterator[Run]:
    from distributed import Client

    workers = {"n_workers": WORKERS, "threads_per_worker": 1, "processes": True}
    with Client(**workers, dashboard_address=None, silence_logs=logging.ERROR) as client:
        call = partial(client.submit, nothing, pure=False)
        yield lambda shape, n: client.gather(shape(call, n))


@contextmanager
def _ray() -> Iterator[Run]:
    import ray

    ray.init(num_cpus=WORKERS, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    call = ray.remote(nothing).remote
    yield lambda shape, n: ray.get(shape(call, n))
    ray.shutdown()


@contextmanager
def _parsl(kind: str) -> Iterator[Run]:
    import parsl
    from parsl.executors import HighThroughputExecutor
    from parsl.executors import ThreadPoolExecutor as Threads
    from parsl.providers import LocalProvider

    def wait(shape: Shape, n: int) -> None:
        for future in shape(task, n):
            future.result()

    with tempfile.TemporaryDirectory() as folder:
        if kind == "threads":
            executor: Any = Threads(max_threads=WORKERS)
        else:
            one_block = LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1)
            executor = HighThroughputExecutor(
                max_workers_per_node=WORKERS, provider=one_block, address="127.0.0.1", encrypted=False
            )
        config = parsl.Config(
            executors=[executor],
            strategy="none",
            run_dir=folder,
            usage_tracking=0,
            initialize_logging=False,
            exit_mode="wait",
        )
        with parsl.load(config):
            task = parsl.python_app(nothing)
            yield wait


@contextmanager
def _radical(make: Callable[[int], Executor]) -> Iterator[Run]:
    from radical.asyncflow import LocalExecutionBackend
    from radical.asyncflow import WorkflowEngine as RadicalEngine

    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:

        async def create() -> Any:
            return await RadicalEngine.create(
                backend=await LocalExecutionBackend(make(WORKERS)), work_dir=folder
            )

        async def drive(shape: Shape, n: int) -> None:
            await asyncio.gather(*shape(task, n))

        engine = runner.run(create())
        task = engine.function_task(nothing_async)
        yield lambda shape, n: runner.run(drive(shape, n))
        runner.run(engine.shutdown())


@contextmanager
def _executorlib() -> Iterator[Run]:
    from executorlib import SingleNodeExecutor

    def wait(shape: Shape, n: int) -> None:
        for future in shape(call, n):
            future.result()

    # In blocks: otherwise each task starts an interpreter of its own.
    with SingleNodeExecutor(max_workers=WORKERS, block_allocation=True) as executor:
        call = partial(executor.submit, nothing)
        yield wait


@dataclass(frozen=True)
class System:
    """One way to run the graphs.

    Args:
        needs: what must be importable; of asyncflow, the backend that must be installed.
        opened: a context that gives `Run`.
    """

    needs: str
    opened: Callable[[], AbstractContextManager[Run]]


SYSTEMS = {
    "asyncflow, threads": System("thread", partial(_asyncflow, "thread")),
    "asyncflow, processes": System("process", partial(_asyncflow, "process")),
    "dask, threads": System("dask", partial(_dask, "threads")),
    "dask, processes": System("dask", partial(_dask, "processes")),
    "dask.distributed": System("distributed", _distributed),
    "ray": System("ray", _ray),
    "parsl, threads": System("parsl", partial(_parsl, "threads")),
    "parsl, processes": System("parsl", partial(_parsl, "processes")),
    "radical.asyncflow, threads": System("radical.asyncflow", partial(_radical, ThreadPoolExecutor)),
    "radical.asyncflow, processes": System("radical.asyncflow", partial(_radical, ProcessPoolExecutor)),
    "executorlib": System("executorlib", _executorlib),
}


def measure(options: Options) -> Rows:
    """Those that are there."""
    n, repeat = (200, 1) if options.quick else (1_000, min(3, options.repeat))
    # Workers of others are told where the bodies are.
    path = os.pathsep.join([str(fresh.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    # Parsl looks for its own scripts on the PATH.
    scripts = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)])
    environment = {"PYTHONPATH": path, "PATH": scripts, "RAY_USAGE_STATS_ENABLED": "0"}
    for name, system in SYSTEMS.items():
        row: Row = {"system": name}
        if reason := _missing(name, system):
            row["skipped"] = reason
        else:
            try:
                row |= fresh.run(drive, name, n, repeat, timeout=_SECONDS, environment=environment)
            except fresh.Failed as error:
                row |= error.so_far or {}
                row["failed"] = str(error)
        yield f"Other engines, {n:,} tasks, two workers, medians of {repeat}", row


def _missing(name: str, system: System) -> str | None:
    if name.startswith("asyncflow"):
        try:
            WorkflowEngine(system.needs)
        except UnknownBackend as error:
            return str(error).partition("\n")[0]
        return None
    try:
        found = find_spec(system.needs) is not None
    except ModuleNotFoundError:  # the package around it
        found = False
    return None if found else f"{system.needs} is not installed"


def drive(name: str, n: int, repeat: int) -> Row:
    """One row."""
    row: Row = {}
    with SYSTEMS[name].opened() as run:
        run(SHAPES["independent"], 20)  # workers are up
        for shape in _SHAPES:
            row |= _measured(run, shape, n, repeat)
            fresh.tell(row)
    return row


def _measured(run: Run, shape: str, n: int, repeat: int) -> Row:
    end = perf_counter() + _SHARE
    first = _timed(run, shape, min(_FEW, n))
    fits = max(
        _FEW, int((end - perf_counter()) / 2 / (first / 1e6))
    )  # half, for what gets slower with their number
    samples: list[float] = []
    took = 0.0
    while len(samples) < repeat and (not samples or perf_counter() + took < end):
        began = perf_counter()
        samples.append(_timed(run, shape, min(n, fits)))
        took = perf_counter() - began
    row: Row = {f"{shape}_us": median(samples), f"{shape}_samples_us": samples}
    if fits < n:
        row[f"{shape}_tasks"] = fits
    return row


def _timed(run: Run, shape: str, n: int) -> float:
    tasks = size(SHAPES[shape], n)
    began = perf_counter()
    run(SHAPES[shape], n)
    return (perf_counter() - began) / tasks * 1e6

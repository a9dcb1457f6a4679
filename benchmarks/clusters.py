"""Tasks on Dask and on Ray, beside what each of them does by itself, on the same cluster of two nodes on this machine.

A cluster has two nodes of two CPUs, of which one is for ours and one for theirs, so that each side has two workers.
Both take turns in one process.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from asyncflow import WorkflowEngine
from asyncflow.backend import ExecutionBackend

from . import fresh
from .bodies import load, nothing, weight
from .measuring import Options, Row, Rows, compared, in_turns, judged
from .places import WORKERS
from .shapes import SHAPES, WIDTH, Shape, run, size

NOTE = (
    "carried by Dask and Ray beside their own tasks, on one cluster of two nodes here, in turns; what is handed on"
    " between tasks of one node, and what the engine's process holds of it at most"
)
_TARGETS = (0.1, 0.05)  # what ours may cost in parts of theirs: independent, tree and stencil; chain
_TARGET_MB = 20.0  # that this process may grow by while tasks hand on what follows
_HANDED_ON = 100_000_000  # bytes
_MB = 1_000_000
_SECONDS = 600.0  # for a row

Native = Callable[[Shape, int], None]
"""Runs a graph of about n no-ops to its end."""


@dataclass(frozen=True)
class Cluster:
    """One that runs.

    Args:
        backend: makes one of ours on it, of so many workers.
        native: runs a graph without us.
        hand_on: makes a large value and has two tasks tell its size.
    """

    backend: Callable[[int], ExecutionBackend]
    native: Native
    hand_on: Callable[[], list[int]]


@contextmanager
def _dask() -> Iterator[Cluster]:
    from asyncflow_dask import DaskBackend  # type: ignore[import-not-found, unused-ignore]
    from distributed import Client, LocalCluster

    nodes = {"n_workers": 2, "threads_per_worker": 2, "processes": True, "dashboard_address": None}
    with LocalCluster(**nodes, silence_logs=logging.ERROR) as cluster, Client(cluster) as client:
        call = partial(client.submit, nothing, pure=False)

        def hand_on() -> list[int]:
            made = client.submit(load, "bytes", _HANDED_ON, pure=False)
            sizes: list[int] = client.gather([client.submit(weight, made, pure=False) for _ in range(2)])
            return sizes

        yield Cluster(
            lambda workers: DaskBackend(client, slots=workers, cores=1, idle_after=None),
            lambda shape, n: client.gather(shape(call, n)),
            hand_on,
        )


@contextmanager
def _ray() -> Iterator[Cluster]:
    import ray
    from asyncflow_ray import RayBackend  # type: ignore[import-not-found, unused-ignore]
    from ray.cluster_utils import Cluster as Nodes

    node = {"num_cpus": 2, "object_store_memory": 500_000_000, "include_dashboard": False}
    nodes: Any = Nodes(initialize_head=True, head_node_args=node)
    nodes.add_node(**node)
    ray.init(address=nodes.address, log_to_driver=False, logging_level=logging.ERROR)
    call = ray.remote(nothing).remote

    def hand_on() -> list[int]:
        made = ray.remote(load).remote("bytes", _HANDED_ON)
        sizes: list[int] = ray.get([ray.remote(weight).remote(made) for _ in range(2)])
        return sizes

    try:
        yield Cluster(
            lambda workers: RayBackend(slots=workers, cores=1, idle_after=None),
            lambda shape, n: ray.get(shape(call, n)),
            hand_on,
        )
    finally:
        ray.shutdown()
        nodes.shutdown()


CLUSTERS: dict[str, tuple[tuple[str, str], Callable[[], AbstractContextManager[Cluster]]]] = {
    "dask": (("distributed", "asyncflow_dask"), _dask),
    "ray": (("ray", "asyncflow_ray"), _ray),
}


def measure(options: Options) -> Rows:
    """Those that are there."""
    n, repeat = (200, 1) if options.quick else (min(2_000, options.n), min(3, options.repeat))
    # Workers of theirs are told where the bodies are.
    path = os.pathsep.join([str(fresh.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"PYTHONPATH": path, "RAY_USAGE_STATS_ENABLED": "0"}
    for part, title in (
        (compare, f"Carried, beside a cluster's own tasks, {n:,} tasks, medians of {repeat}"),
        (hand_on, "100 MB from one task to two others on its node"),
    ):
        for name, (needed, _) in CLUSTERS.items():
            missing = [each for each in needed if find_spec(each) is None]
            if missing:
                yield title, {"cluster": name, "skipped": f"{' and '.join(missing)} not installed"}
                continue
            try:
                rows = fresh.run(part, name, n, repeat, timeout=_SECONDS, environment=environment)
            except fresh.Failed as error:
                rows = [*(error.so_far or []), {"failed": str(error)}]
            yield from ((title, {"cluster": name} | row) for row in rows)


@asynccontextmanager
async def _engine_on(cluster: Cluster, workers: int) -> AsyncIterator[Any]:
    async with WorkflowEngine(cluster.backend(workers)) as engine:
        await asyncio.gather(*(engine.submit(nothing) for _ in range(10 * WIDTH)))  # agents are up
        yield engine


# -- cost of a task ---------------------------------------------------------------------------------------


def compare(name: str, n: int, repeat: int) -> list[Row]:
    """A row for each shape; ours and theirs in turns."""
    return asyncio.run(_compare(name, n, repeat))


async def _compare(name: str, n: int, repeat: int) -> list[Row]:
    rows: list[Row] = []
    with CLUSTERS[name][1]() as cluster:
        await _theirs(cluster, SHAPES["independent"], 2 * WIDTH)  # its workers are up
        async with _engine_on(cluster, WORKERS) as engine:
            task = engine.function_task(nothing)
            for shape_name, shape in SHAPES.items():
                await run(shape, task, n // 2)
                sides: dict[str, Callable[[], Awaitable[float]]] = {
                    "ours": partial(run, shape, task, n),
                    "theirs": partial(_theirs, cluster, shape, n),
                }
                samples = await in_turns(sides, repeat)
                target = _TARGETS[shape_name == "chain"]
                row = compared("us", samples["ours"], samples["theirs"], target)
                rows.append({"shape": shape_name} | row)
                fresh.tell(rows)
    return rows


async def _theirs(cluster: Cluster, shape: Shape, n: int) -> float:
    """The µs that each task takes without us; on a thread, so that our own loop goes on."""
    tasks = size(shape, n)
    began = perf_counter()
    await asyncio.get_running_loop().run_in_executor(None, cluster.native, shape, n)
    return (perf_counter() - began) / tasks * 1e6


# -- a large value ----------------------------------------------------------------------------------------


def hand_on(name: str, n: int, repeat: int) -> list[Row]:
    """One row."""
    return asyncio.run(_hand_on(name, repeat))


async def _hand_on(name: str, repeat: int) -> list[Row]:
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    with CLUSTERS[name][1]() as cluster:
        async with _engine_on(cluster, 1) as engine:
            await _ours_handed_on(engine)
            before = _memory("VmRSS", reset=True)
            for _ in range(repeat):
                began = perf_counter()
                assert await _ours_handed_on(engine) == [_HANDED_ON] * 2
                times["ours"].append((perf_counter() - began) * 1e3)
            grown = (_memory("VmHWM") - before) / _MB
        for _ in range(repeat):
            began = perf_counter()
            assert cluster.hand_on() == [_HANDED_ON] * 2
            times["theirs"].append((perf_counter() - began) * 1e3)
    row: Row = {"ours_ms": median(times["ours"]), "theirs_ms": median(times["theirs"]), "grown_mb": grown}
    return [row | judged("mb", grown, _TARGET_MB)]


async def _ours_handed_on(engine: Any) -> list[int]:
    made = engine.submit(load, "bytes", _HANDED_ON)
    return list(await asyncio.gather(*(engine.submit(weight, made) for _ in range(2))))


def _memory(field: str, *, reset: bool = False) -> int:
    """What this process holds, or has held at most since it was reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    [kilobytes] = [
        line.split()[1]
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(f"{field}:")
    ]
    return int(kilobytes) * 1024

"""Arguments that are Dask's become their values in the worker process that needs them, and not in the engine."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import dask
import dask.array
import dask.bag
import numpy as np
import pytest
from asyncflow_dask import DaskBackend
from distributed import Client
from kit import commanded

from asyncflow import WorkflowEngine
from asyncflow.testing import deadline


def seen(value: Any) -> tuple[int, Any]:
    """What a task was given, and where."""
    return os.getpid(), value


@pytest.fixture(autouse=True)
def _no_test_hangs() -> Iterator[None]:
    with deadline(90):
        yield


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a cluster with room for leases and for tasks of Dask's own."""
    with commanded(tmp_path, 2) as cluster:
        async with Client(cluster.address, asynchronous=True, set_as_default=False) as made:
            yield made


async def test_a_dask_future_becomes_its_result_and_its_error_is_the_tasks(client: Client) -> None:
    made = client.submit(sum, [1, 2])
    fails = client.submit(int, "x")
    async with WorkflowEngine(DaskBackend(client, slots=1)) as engine:
        pid, value = await engine.submit(seen, [made, {"inside": made}])
        assert value == [3, {"inside": 3}]
        assert pid != os.getpid()
        with pytest.raises(ValueError, match="invalid literal for int"):
            await engine.submit(seen, fails)


async def test_collections_become_what_they_compute_to(client: Client) -> None:
    lazy = dask.delayed(sum)([1, dask.delayed(sum)([2, 3])])
    array = dask.array.arange(100, chunks=10)
    kept = client.persist(dask.array.ones((4, 4), chunks=2) + 1)
    bag = dask.bag.from_sequence(range(4), npartitions=2).map(str)
    async with WorkflowEngine(DaskBackend(client, slots=1)) as engine:
        _, values = await engine.submit(seen, [lazy, array.sum(), bag])
        assert values == [6, 4950, ["0", "1", "2", "3"]]
        _, whole = await engine.submit(seen, kept)
        assert np.array_equal(whole, np.full((4, 4), 2.0))
        _, total = await engine.submit(seen, (kept + 1).sum())
        assert total == 48


async def test_dataframes_do_too(client: Client) -> None:
    pandas = pytest.importorskip("pandas")
    frames = pytest.importorskip("dask.dataframe")
    frame = frames.from_pandas(pandas.DataFrame({"x": range(10)}), npartitions=2)
    async with WorkflowEngine(DaskBackend(client, slots=1)) as engine:
        _, (table, total) = await engine.submit(seen, [frame, client.persist(frame).x.sum()])
        assert list(table.x) == [*range(10)]
        assert total == 45

"""A cluster for all tests of a session, in a process of its own."""

from __future__ import annotations

import asyncio
import os
import pickle
from collections.abc import Iterator

import pytest
from asyncflow_dask.local import Local
from distributed import Client


@pytest.fixture(scope="session", autouse=True)
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cluster with one Dask worker, which has room for eight leases. Programs that tests start find it, too."""
    local = Local(8, {})
    address, security = local.start()
    # What Dask starts once in a process and keeps is there before leaks are looked for.
    with Client(address, security=security, set_as_default=False) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        client.run_on_scheduler(asyncio.sleep, 0)
    way = tmp_path_factory.mktemp("cluster") / "way"
    way.write_bytes(pickle.dumps((address, security)))
    os.environ["ASYNCFLOW_DASK_TESTS"] = str(way)
    yield
    del os.environ["ASYNCFLOW_DASK_TESTS"]
    local.end()

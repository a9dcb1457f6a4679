"""The conformance suite on a Dask cluster that all cases share."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

from asyncflow_dask import DaskBackend

from asyncflow.testing.conformance import BackendConformance


class TestDask(BackendConformance):
    """Two slots with one worker process each."""

    def make_backend(self) -> DaskBackend:
        way = os.environ.get("ASYNCFLOW_DASK_TESTS")
        if way is None:  # while tests are collected
            return DaskBackend(slots=self.workers)
        address, security = pickle.loads(Path(way).read_bytes())
        return DaskBackend(address, slots=self.workers, security=security)

"""The conformance suite on a Dask cluster that all cases share."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import ClassVar

from asyncflow_dask import DaskBackend

from asyncflow.testing.conformance import BackendConformance


class TestDask(BackendConformance):
    """Two slots with one worker process each."""

    excused: ClassVar = {
        "test_a_clock_that_is_set_changes_nothing": "Dask's client waits for its scheduler by the wall clock, which "
        "this sets back and forth by an hour each time that it is looked at; a lease is asked for again then",
    }

    def make_backend(self) -> DaskBackend:
        way = os.environ.get("ASYNCFLOW_DASK_TESTS")
        if way is None:  # while tests are collected
            return DaskBackend(slots=self.workers)
        address, security = pickle.loads(Path(way).read_bytes())
        return DaskBackend(address, slots=self.workers, security=security)

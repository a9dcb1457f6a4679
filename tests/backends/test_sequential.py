"""The sequential backend."""

from __future__ import annotations

from asyncflow.backend import ExecutionBackend
from asyncflow.backends.sequential import SequentialBackend
from asyncflow.testing.conformance import BackendConformance


class TestSequentialKeepsTheContract(BackendConformance):
    workers = 1

    def make_backend(self) -> ExecutionBackend:
        return SequentialBackend()

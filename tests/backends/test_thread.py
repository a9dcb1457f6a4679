"""The thread backend."""

from __future__ import annotations

from asyncflow.backend import ExecutionBackend
from asyncflow.backends.thread import ThreadBackend
from asyncflow.testing.conformance import BackendConformance


class TestThreadKeepsTheContract(BackendConformance):
    def make_backend(self) -> ExecutionBackend:
        return ThreadBackend(workers=self.workers)

"""The noop backend."""

from __future__ import annotations

from asyncflow.backend import ExecutionBackend
from asyncflow.backends.noop import NoopBackend
from asyncflow.testing.conformance import BackendConformance


class TestNoopKeepsTheContract(BackendConformance):
    executes = False

    def make_backend(self) -> ExecutionBackend:
        return NoopBackend()

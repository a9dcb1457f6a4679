"""The process backend: the conformance suite, and what is special to worker processes."""

from __future__ import annotations

from asyncflow.backends.process import ProcessBackend
from asyncflow.testing.conformance import BackendConformance


class TestProcess(BackendConformance):
    """Worker processes of our own."""

    def make_backend(self) -> ProcessBackend:
        return ProcessBackend(workers=self.workers)

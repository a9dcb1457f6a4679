"""The adapter for executors of `concurrent.futures`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from asyncflow.backend import ExecutionBackend
from asyncflow.backends.executor import ExecutorBackend
from asyncflow.testing.conformance import BackendConformance


class TestAnExecutorOfOursKeepsTheContract(BackendConformance):
    def make_backend(self) -> ExecutionBackend:
        return ExecutorBackend(make=lambda: ThreadPoolExecutor(self.workers))


class TestTheCallersExecutorKeepsTheContract(BackendConformance):
    def make_backend(self) -> ExecutionBackend:
        executor = ThreadPoolExecutor(self.workers)
        self._executors = [*getattr(self, "_executors", ()), executor]
        return ExecutorBackend(executor)

    def put_away(self) -> None:
        for executor in self._executors:
            executor.shutdown()

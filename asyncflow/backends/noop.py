"""Runs nothing: each task is over at once and its result is a stand-in. For checking the wiring of a workflow."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend import SUCCEEDED, Concurrency, ExecutionBackend, Report, Work
from ._standin import StandIn


class NoopBackend(ExecutionBackend):
    """A pair of hands that does nothing, coroutines included."""

    name = "noop"
    concurrency = Concurrency.SEQUENTIAL
    runs_coroutines = True
    stages_files = False

    def __init__(self, workers: int | None = None) -> None:
        self._report: Report | None = None

    async def start(self, report: Report) -> None:
        """Nothing to start."""
        self._report = report

    def submit(self, batch: Sequence[Work]) -> None:
        """Report stand-ins."""
        assert self._report is not None
        self._report([(SUCCEEDED, work.id, StandIn(f"{work.name}#{work.id}")) for work in batch])

    async def cancel(self, task_id: int) -> bool:
        """Everything is over already."""
        return False

    async def shutdown(self, *, grace: float) -> list[int]:
        """Nothing to stop."""
        self._report = None
        return []
